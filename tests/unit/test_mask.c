// SPDX-License-Identifier: Apache-2.0
// Card numbers in text: what is masked, and, as important, what is left alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "http-front/intake/mask.h"

static void becomes(enum mask_kind kind, const char *text, const char *expected, size_t count)
{
    char out[512];
    size_t size = strlen(text);
    assert_int_equal(mask_cards(text, size, kind, NULL), count);
    assert_int_equal(mask_cards(text, size, kind, out), count);
    out[size] = '\0';
    assert_string_equal(out, expected);
    // In place as well, and what is masked is masked for good.
    assert_int_equal(mask_cards(out, size, kind, out), 0);
    assert_string_equal(out, expected);
}

static void masked(const char *text, const char *expected)
{
    becomes(MASK_TEXT, text, expected, 1);
}

static void stays(const char *text)
{
    becomes(MASK_TEXT, text, text, 0);
}

// The card schemes' published test numbers.
static void numbers_of_every_scheme(void **state)
{
    (void)state;
    masked("4111111111111111", "411111******1111");       // Visa
    masked("4222222222222", "422222***2222");             // Visa, 13
    masked("5555555555554444", "555555******4444");       // Mastercard
    masked("2223003122003222", "222300******3222");       // Mastercard, 2 series
    masked("378282246310005", "378282*****0005");         // American Express
    masked("6011111111111117", "601111******1117");       // Discover
    masked("30569309025904", "305693****5904");           // Diners Club
    masked("3530111333300000", "353011******0000");       // JCB
    masked("6200000000000005", "620000******0005");       // UnionPay
    masked("6759649826438453", "675964******8453");       // Maestro
    masked("2200000000000004", "220000******0004");       // Mir
    masked("6205500000000000004", "620550*********0004"); // UnionPay, 19
}

static void separators_stay_readable(void **state)
{
    (void)state;
    masked("my card is 4111 1111 1111 1111, thanks", "my card is 4111 11** **** 1111, thanks");
    masked("4111-1111-1111-1111", "4111-11**-****-1111");
    masked("4111.1111.1111.1111", "4111.11**.****.1111");
    masked("4111 - 1111 - 1111 - 1111", "4111 - 11** - **** - 1111");
    masked("4111  1111  1111  1111", "4111  11**  ****  1111");
    masked("4111 1111-1111 1111", "4111 11**-**** 1111");
    masked("3782 822463 10005", "3782 82**** *0005");
    masked("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "4 1 1 1 1 1 * * * * * * 1 1 1 1");
    masked("4111\xc2\xa0"
           "1111\xe2\x80\xaf"
           "1111\xe2\x80\x91"
           "1111",
           "4111\xc2\xa0"
           "11**\xe2\x80\xaf"
           "****\xe2\x80\x91"
           "1111");
    masked("4111&nbsp;1111&nbsp;1111&nbsp;1111", "4111&nbsp;11**&nbsp;****&nbsp;1111");
}

static void numbers_among_other_things(void **state)
{
    (void)state;
    masked("4111 1111 1111 1111 12/27 123", "4111 11** **** 1111 12/27 123");
    masked("Visa4111111111111111!", "Visa411111******1111!");
    masked("(4111111111111111)", "(411111******1111)");
    masked("pay 19.99 4111 1111 1111 1111", "pay 19.99 4111 11** **** 1111");
    masked("order 12345 4111 1111 1111 1111", "order 12345 4111 11** **** 1111");
    masked("\xe2\x82\xac"
           "4111111111111111\xe2\x82\xac",
           "\xe2\x82\xac"
           "411111******1111\xe2\x82\xac");
    becomes(MASK_TEXT, "4111111111111111 5555555555554444", "411111******1111 555555******4444", 2);
    becomes(MASK_TEXT, "4111 1111 1111 1111 5555 5555 5555 4444 or 378282246310005",
            "4111 11** **** 1111 5555 55** **** 4444 or 378282*****0005", 3);
    becomes(MASK_TEXT, "4111111111111111\n5555-5555-5555-4444", "411111******1111\n5555-55**-****-4444", 2);
}

static void what_is_no_card_stays(void **state)
{
    (void)state;
    stays("");
    stays("no digits");
    stays("4111111111111112");           // the check digit is wrong
    stays("order 4111 1111 1111 1112");  //
    stays("0000000000000000");           // no issuer
    stays("1Z999AA10123456784");         // parcel
    stays("00340434161094021501");       // parcel, 20 digits
    stays("41111111111111111111111111"); // a longer run
    stays("411111111111");               // twelve
    stays("4111\n1111\n1111\n1111");     // a column of numbers
    stays("4111,1111,1111,1111");
}

static void telephone_numbers_and_times_stay(void **state)
{
    (void)state;
    stays("+4915112345678");
    // Those that pass the Luhn check with a prefix and length of Visa.
    stays("+4222222222222");
    stays("+4111111111111111");
    stays("0151 23456789, 030 901820");
    stays("06 12 34 56 78 06 98 76 54 32");
    stays("555-123-4567 555-987-6543");
    stays("1718000000000 1718000000000000 1718000000000000000"); // since 1970, ms, us and ns
    stays("20260601123045 2026-06-01 12:30:45.123456");
    stays("30.05.2024 12.06.24");
    // Of each hundred neighbours in a range people meet, none is taken for a card.
    for (long long ms = 1718000000000; ms < 1718000000100; ms++) {
        char text[32];
        snprintf(text, sizeof text, "%lld", ms);
        stays(text);
    }
}

static void bank_accounts_stay(void **state)
{
    (void)state;
    stays("DE89 3704 0044 0532 0130 00");
    stays("DE89370400440532013000");
    stays("GB29 NWBK 6016 1331 9268 19");
    // An IBAN with a card number's digits in it: its own check sum says what it is.
    stays("DE89 4111 1111 1111 1111 11");
    // ... and without that check sum it is one.
    masked("DE90 4111 1111 1111 1111 11", "DE90 4111 11** **** 1111 11");
}

static void addresses_of_pages(void **state)
{
    (void)state;
    becomes(MASK_URL, "https://shop.example/pay?card=4111111111111111&x=1",
            "https://shop.example/pay?card=411111******1111&x=1", 1);
    becomes(MASK_URL, "https://shop.example/4111-1111-1111-1111/", "https://shop.example/4111-11**-****-1111/", 1);
    becomes(MASK_URL, "/?c=4111%201111%201111%201111", "/?c=4111%2011**%20****%201111", 1);
    becomes(MASK_URL, "/?c=%204111%201111%201111%201111", "/?c=%204111%2011**%20****%201111", 1);
    becomes(MASK_URL, "/?c=4111+1111+1111+1111", "/?c=4111+11**+****+1111", 1);
    // Identifiers: a link must go on working.
    becomes(MASK_URL, "/a4111111111111111f.png", "/a4111111111111111f.png", 0);
    becomes(MASK_URL, "/img_4111111111111111_b.png", "/img_4111111111111111_b.png", 0);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// A megabyte of what would be worst for a search that begins anew at each digit.
static void time_is_linear(void **state)
{
    (void)state;
    static const char *const patterns[] = {"4",    "41 ",  "4 ",     "4111 1111 1111 111", "4-", "a1 ", "DE89 ", "DE89",
                                           "%204", "4   ", "&nbsp4", "411111111111111111 "};
    size_t size = getenv("DESKBELL_TEST_SLOW") ? 1 << 15 : 1 << 20; // less under valgrind
    char *text = malloc(size), *out = malloc(size);
    assert_non_null(text);
    assert_non_null(out);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        for (size_t at = 0; at < size; at++)
            text[at] = patterns[i][at % strlen(patterns[i])];
        for (int kind = MASK_TEXT; kind <= MASK_URL; kind++) {
            double began = seconds();
            mask_cards(text, size, (enum mask_kind)kind, out);
            // Generous: sanitizers and a busy machine. Quadratic would be hours.
            assert_true(seconds() - began < 5);
        }
    }
    free(text);
    free(out);
}

// Every cut of a text, so that nothing is read behind its end (the sanitizers watch).
static void any_cut_is_safe(void **state)
{
    (void)state;
    static const char whole[] = "a +4111 1111&nbsp;1111\xe2\x80\xaf"
                                "1111 DE89 3704 0044 0532 0130 00 %204111%2";
    for (size_t size = 0; size < sizeof whole; size++) {
        char *text = malloc(size + !size), *out = malloc(size + !size);
        assert_non_null(text);
        assert_non_null(out);
        memcpy(text, whole, size);
        mask_cards(text, size, MASK_TEXT, out);
        mask_cards(text, size, MASK_URL, out);
        free(text);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_every_scheme),
        cmocka_unit_test(separators_stay_readable),
        cmocka_unit_test(numbers_among_other_things),
        cmocka_unit_test(what_is_no_card_stays),
        cmocka_unit_test(telephone_numbers_and_times_stay),
        cmocka_unit_test(bank_accounts_stay),
        cmocka_unit_test(addresses_of_pages),
        cmocka_unit_test(time_is_linear),
        cmocka_unit_test(any_cut_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
