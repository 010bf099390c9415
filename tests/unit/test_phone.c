// SPDX-License-Identifier: Apache-2.0
// Telephone numbers in one form, and what is none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/phone.h"

static void expect_in(const char *text, struct phone_plan plan, const char *wanted)
{
    char out[PHONE_BYTES];
    memset(out, 'x', sizeof out);
    bool is_number = phone_e164(text, plan, out);
    if (is_number != (*wanted != '\0') || strcmp(out, wanted) != 0)
        fail_msg("\"%s\" gave \"%s\" instead of \"%s\"", text, out, wanted);
}

static void expect(const char *text, const char *code, const char *wanted)
{
    expect_in(text, (struct phone_plan){code, NULL}, wanted);
}

static void whole_numbers_are_taken(void **state)
{
    (void)state;
    expect("+442079460000", NULL, "+442079460000");
    expect("  +44 20 7946-0000", "", "+442079460000");
    expect("00442079460000", "", "+442079460000");
    expect("00 44/20.7946 0000", "31", "+442079460000");
    expect("+31 (0)20-123 45 67", "", "+31201234567");
    expect("0031 (0)20 1234567", "44", "+31201234567");
    expect("+1 (415) 555-0100", "44", "+14155550100");
    expect("+1234567", "", "+1234567");
    expect("+123456789012345", "", "+123456789012345");
}

static void national_numbers_need_the_country(void **state)
{
    (void)state;
    expect("020 7946 0000", "44", "+442079460000");
    expect("(020) 7946 0000", "44", "+442079460000");
    expect("020 7946 0000", "", "");
    expect("020 7946 0000", NULL, "");
    expect("2079460000", "44", ""); // whose it is cannot be told
}

static void countries_differ_in_what_stands_before(void **state)
{
    (void)state;
    // Italy keeps the 0, whatever is set; without it another phone would ring.
    expect("02 1234 5678", "39", "+390212345678");
    expect("347 1234567", "39", "+393471234567");
    expect("+39 02 1234 5678", "39", "+390212345678");
    expect("+39 (0)2 1234 5678", "44", "+390212345678");
    expect("0039 (0)2 1234 5678", "44", "+390212345678");
    expect("0549 123456", "378", "+3780549123456");
    // North America
    expect("(415) 555-0100", "1", "+14155550100");
    expect("1-415-555-0100", "1", "+14155550100");
    expect("415.555.0100", "1", "+14155550100");
    expect("555-0100", "1", ""); // whose it is cannot be told
    expect("011 44 20 7946 0000", "1", "");
    expect("0415 555 0100", "1", "");
    expect_in("(415) 555-0100", (struct phone_plan){"1", ""}, "+14155550100");
    // Nothing stands before it
    expect_in("912 34 56 78", (struct phone_plan){"34", ""}, "+34912345678");
    expect_in("22 123 45 67", (struct phone_plan){"48", ""}, "+48221234567");
    expect_in("12345678", (struct phone_plan){"45", ""}, "+4512345678");
    expect("912 34 56 78", "34", ""); // not set
    expect_in("1234", (struct phone_plan){"45", ""}, "");
    expect_in("912 34 56 78", (struct phone_plan){"", ""}, "");
    // Something else
    expect_in("06 1 234 5678", (struct phone_plan){"36", "06"}, "+3612345678");
    expect_in("8 (495) 123-45-67", (struct phone_plan){"7", "8"}, "+74951234567");
    expect_in("495 123-45-67", (struct phone_plan){"7", "8"}, "");
}

static void all_else_is_no_number(void **state)
{
    static const char *const none[] = {"",
                                       "anonymous",
                                       "Restricted",
                                       "+",
                                       "0",
                                       "00",
                                       "000",
                                       "+0442079460000",
                                       "000442079460000",
                                       "+123456",
                                       "12",
                                       "+1234567890123456",
                                       "+44 20 x5",
                                       "+44 20 7946 0000#",
                                       "++442079460000",
                                       "+44+2079",
                                       "02",
                                       "+31 20 1234567 / +31 6 12345678",
                                       "00123456789012345678901234567890123"};
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        expect(none[i], "44", "");
    expect(NULL, "44", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_taken),
        cmocka_unit_test(national_numbers_need_the_country),
        cmocka_unit_test(countries_differ_in_what_stands_before),
        cmocka_unit_test(all_else_is_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
