// SPDX-License-Identifier: Apache-2.0
// proto/clock: what counts as a date and what does not. The expected numbers were worked out with date(1).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"

static void iso_dates_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2018-04-23T11:26:49Z", 1524482809000},
        {"2018-04-23T11:26:49.123Z", 1524482809123},
        {"2018-04-23T11:26:49.1Z", 1524482809100},
        {"2018-04-23T11:26:49.123999999Z", 1524482809123},
        {"2018-04-23t11:26:49z", 1524482809000},
        {"2018-04-23T13:26:49+02:00", 1524482809000},
        {"2018-04-23T06:56:49-0430", 1524482809000},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"2000-02-29T12:00:00Z", 951825600000},
        {"2016-12-31T23:59:60Z", 1483228799000},
        {"2199-12-31T23:59:59.999Z", 7258118399999},
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = -1;
        assert_true(clock_parse_iso(good[i].text, strlen(good[i].text), &ms));
        assert_int_equal(ms, good[i].ms);
    }
}

static void other_texts_are_no_iso_dates(void **state)
{
    static const char *const bad[] = {
        "",
        "2018-04-23",
        "2018-04-23T11:26:49",
        "2018-04-23 11:26:49Z",
        "2018-04-23T11:26:49Z ",
        " 2018-04-23T11:26:49Z",
        "2018-04-23T11:26:49.Z",
        "2018-04-23T11:26:49.1234567890Z",
        "2018-13-01T00:00:00Z",
        "2018-00-01T00:00:00Z",
        "2018-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2018-04-31T00:00:00Z",
        "2018-04-00T00:00:00Z",
        "2018-04-23T24:00:00Z",
        "2018-04-23T11:60:00Z",
        "2018-04-23T11:26:61Z",
        "2018-04-23T11:26:49+15:00",
        "2018-04-23T11:26:49+02",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+01:00",
        "2200-01-01T00:00:00Z",
        "+018-04-23T11:26:49Z",
        "2018-4-23T11:26:49Z",
        "99999999-01-01T00:00:00Z",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = 42;
        assert_false(clock_parse_iso(bad[i], strlen(bad[i]), &ms));
        assert_int_equal(ms, 42);
    }
}

static void a_date_ends_where_its_length_says(void **state)
{
    int64_t ms = 0;

    (void)state;
    assert_true(clock_parse_iso("2018-04-23T11:26:49Z and more", 20, &ms));
    assert_int_equal(ms, 1524482809000);
    assert_false(clock_parse_iso("2018-04-23T11:26:49Z", 19, &ms));
}

static void what_is_written_can_be_read(void **state)
{
    static const int64_t times[] = {0, 1, 999, 1524482809123, 951825600000, 7258118399999};
    char text[CLOCK_ISO_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        int64_t ms = -1;
        assert_int_equal(strlen(clock_format_iso(times[i], text)), CLOCK_ISO_BYTES - 1);
        assert_true(clock_parse_iso(text, strlen(text), &ms));
        assert_int_equal(ms, times[i]);
    }
    assert_string_equal(clock_format_iso(1524482809123, text), "2018-04-23T11:26:49.123Z");
    assert_string_equal(clock_format_iso(INT64_MIN, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_format_iso(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
}

static void http_dates_are_read_in_all_three_forms(void **state)
{
    static const char *const same[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        ms = -1;
        assert_true(clock_parse_http(same[i], strlen(same[i]), &ms));
        assert_int_equal(ms, 784111777000);
    }
    assert_true(clock_parse_http("Sun, 22 Nov 2026 08:14:04 GMT", 29, &ms));
    assert_int_equal(ms, 1795335244000);
    assert_true(clock_parse_http("Sunday, 22-Nov-26 08:14:04 GMT", 30, &ms));
    assert_int_equal(ms, 1795335244000);
    assert_true(clock_parse_http("Sun Nov 22 08:14:04 2026", 24, &ms));
    assert_int_equal(ms, 1795335244000);
}

static void other_texts_are_no_http_dates(void **state)
{
    static const char *const bad[] = {"",
                                      "0",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 UTC",
                                      "Sun, 6 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 nov 1994 08:49:37 GMT",
                                      "Sun, 31 Feb 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 0094 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:37 GMT, x",
                                      "Xyz, 06 Nov 1994 08:49:37 GMT"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = 42;
        assert_false(clock_parse_http(bad[i], strlen(bad[i]), &ms));
        assert_int_equal(ms, 42);
    }
}

static void the_monotonic_clock_does_not_go_back(void **state)
{
    int64_t last = clock_mono_us();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_mono_us();
        assert_true(now >= last);
        last = now;
    }
    assert_true(clock_mono_ms() >= last / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso_dates_are_read),
        cmocka_unit_test(other_texts_are_no_iso_dates),
        cmocka_unit_test(a_date_ends_where_its_length_says),
        cmocka_unit_test(what_is_written_can_be_read),
        cmocka_unit_test(http_dates_are_read_in_all_three_forms),
        cmocka_unit_test(other_texts_are_no_http_dates),
        cmocka_unit_test(the_monotonic_clock_does_not_go_back),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
