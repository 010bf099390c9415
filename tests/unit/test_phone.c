// SPDX-License-Identifier: Apache-2.0
// Telephone numbers in one form, and what is none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/phone.h"

static void expect(const char *text, const char *code, const char *wanted)
{
    char out[PHONE_BYTES];
    memset(out, 'x', sizeof out);
    bool is_number = phone_e164(text, code, out);
    if (is_number != (*wanted != '\0') || strcmp(out, wanted) != 0)
        fail_msg("\"%s\" gave \"%s\" instead of \"%s\"", text, out, wanted);
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

static void all_else_is_no_number(void **state)
{
    static const char *const none[] = {
        "",          "anonymous",         "Restricted",      "+",        "0",  "00",
        "000",       "+0442079460000",    "000442079460000", "+123456",  "12", "+1234567890123456",
        "+44 20 x5", "+44 20 7946 0000#", "++442079460000",  "+44+2079", "02", "00123456789012345678901234567890123"};
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
        cmocka_unit_test(all_else_is_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
