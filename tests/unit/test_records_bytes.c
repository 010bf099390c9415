// SPDX-License-Identifier: Apache-2.0
// The decoder against bytes made by hand: bombs, wrong types, sizes beyond the bounds, text that is none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/records.h"

union any {
#define MEMBER(number, version, name) struct name name;
    RECORDS_TABLE(MEMBER)
};

static enum record_error decode(enum record_kind kind, const void *data, size_t size, union any *out,
                                struct arena *arena)
{
    // A copy of exactly that size, so that the sanitizer sees a byte read too far.
    void *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, data, size);
    enum record_error error = record_decode(kind, exact, size, out, arena);
    free(exact);
    return error;
}

static void assert_error(enum record_kind kind, const void *data, size_t size, enum record_error expected)
{
    struct arena *arena = arena_new();
    union any out;
    assert_int_equal(decode(kind, data, size, &out, arena), expected);
    arena_free(&arena);
}

#define ASSERT_BYTES(kind, text, expected) assert_error((kind), (text), sizeof(text) - 1, (expected))

static void bombs_do_not_go_off(void **state)
{
    (void)state;
    // Twelve bytes of nested map headers once asked msgpack for 256 GiB; the same with arrays, text and bytes.
    ASSERT_BYTES(RECORD_ack, "\xdf\xff\xff\xff\xff\xdf\xff\xff\xff\xff\xdf\xff", RECORD_MALFORMED);
    ASSERT_BYTES(RECORD_ack, "\xdd\xff\xff\xff\xff\xdd\xff\xff\xff\xff\xdd\xff", RECORD_MALFORMED);
    ASSERT_BYTES(RECORD_ack, "\xdc\xff\xff\xdc\xff\xff\xdc\xff\xff", RECORD_MALFORMED);
    ASSERT_BYTES(RECORD_ack, "\xdb\xff\xff\xff\xff", RECORD_MALFORMED);
    ASSERT_BYTES(RECORD_ack, "\xc6\xff\xff\xff\xff", RECORD_MALFORMED);
    ASSERT_BYTES(RECORD_ack, "\x96\x17\x01\xdd\xff\xff\xff\xff", RECORD_MALFORMED);

    size_t deep = 1000000;
    uint8_t *nested = malloc(deep + 1);
    assert_non_null(nested);
    memset(nested, 0x91, deep); // arrays of one array of one array ...
    nested[deep] = 0x01;
    assert_error(RECORD_ack, nested, deep + 1, RECORD_MALFORMED);
    memset(nested, 0x90, deep); // a million empty arrays in a row
    nested[0] = 0xdd;
    nested[1] = 0;
    nested[2] = (uint8_t)((deep - 5) >> 16);
    nested[3] = (uint8_t)((deep - 5) >> 8);
    nested[4] = (uint8_t)(deep - 5);
    assert_int_not_equal(record_peek(nested, deep), RECORD_ack);
    assert_error(RECORD_ack, nested, deep, RECORD_WRONG_KIND);
    free(nested);
}

static void only_the_types_we_write_are_read(void **state)
{
    (void)state;
    // ack: [23, 1, front, worker, link, job]
    ASSERT_BYTES(RECORD_ack, "\x96\x17\x01\x01\x02\x03\x04", RECORD_OK);
    ASSERT_BYTES(RECORD_ack, "\x96\x17\x01\x01\x02\x03\xcf\xff\xff\xff\xff\xff\xff\xff\xff", RECORD_OK);
    ASSERT_BYTES(RECORD_ack, "", RECORD_MALFORMED);
    ASSERT_BYTES(RECORD_ack, "\x17", RECORD_MALFORMED);
    ASSERT_BYTES(RECORD_ack, "\x90", RECORD_MALFORMED);
    ASSERT_BYTES(RECORD_ack, "\x91\x17", RECORD_MALFORMED);
    ASSERT_BYTES(RECORD_ack, "\x95\x17\x01\x01\x02\x03", RECORD_MALFORMED);         // a field less
    ASSERT_BYTES(RECORD_ack, "\x97\x17\x01\x01\x02\x03\x04\x05", RECORD_MALFORMED); // a field more
    ASSERT_BYTES(RECORD_ack, "\x96\x17\x01\x01\x02\x03\xff", RECORD_MALFORMED);     // -1
    ASSERT_BYTES(RECORD_ack, "\x96\x17\x01\x01\x02\x03\xd3\x00\x00\x00\x00\x00\x00\x00\x04", RECORD_MALFORMED);
    ASSERT_BYTES(RECORD_ack, "\x96\x17\x01\x01\x02\x03\xcb\x40\x10\x00\x00\x00\x00\x00\x00", RECORD_MALFORMED); // 4.0
    ASSERT_BYTES(RECORD_ack, "\x96\x17\x01\x01\x02\x03\xc0", RECORD_MALFORMED);                                 // nil
    ASSERT_BYTES(RECORD_ack, "\x96\x17\x01\x01\x02\x03\xc1", RECORD_MALFORMED);         // never used
    ASSERT_BYTES(RECORD_ack, "\x96\x17\x01\x01\x02\x03\x80", RECORD_MALFORMED);         // a map
    ASSERT_BYTES(RECORD_ack, "\x96\x17\x01\x01\x02\x03\xd4\x01\x01", RECORD_MALFORMED); // an extension
    ASSERT_BYTES(RECORD_ack, "\x96\x17\x01\x01\x02\x03\xc3", RECORD_FIELD);             // true
    ASSERT_BYTES(RECORD_ack,
                 "\x96\x17\x01\x01\x02\x03\xa1"
                 "4",
                 RECORD_FIELD);                                             // "4"
    ASSERT_BYTES(RECORD_ack, "\x96\x17\x01\x01\x02\x03\x90", RECORD_FIELD); // []
    ASSERT_BYTES(RECORD_ack,
                 "\x96\xa2"
                 "19\x01\x01\x02\x03\x04",
                 RECORD_WRONG_KIND);
    ASSERT_BYTES(RECORD_ack,
                 "\x96\x17\xa1"
                 "1\x01\x02\x03\x04",
                 RECORD_VERSION);
    // census: a list of numbers must hold numbers
    ASSERT_BYTES(RECORD_census, "\x97\x15\x01\x01\x02\x03\x04\x92\x01\x02", RECORD_OK);
    ASSERT_BYTES(RECORD_census, "\x97\x15\x01\x01\x02\x03\x04\x92\x01\xc2", RECORD_FIELD);
    ASSERT_BYTES(RECORD_census, "\x97\x15\x01\x01\x02\x03\x04\x01", RECORD_FIELD);
    // dead: what should be a nested record is a number, or another record
    ASSERT_BYTES(RECORD_dead, "\x95\x0c\x01\x01\xa0\x01", RECORD_MALFORMED);
    ASSERT_BYTES(RECORD_dead, "\x95\x0c\x01\x94\x09\x01\x01\x01\xa0\x01", RECORD_WRONG_KIND);
    // written: text and bytes are two things, and a number above a bound is none of ours
    ASSERT_BYTES(RECORD_written, "\x94\x03\x01\xa1x\x05", RECORD_OK);
    ASSERT_BYTES(RECORD_written, "\x94\x03\x01\xc4\x01x\x05", RECORD_FIELD);
    ASSERT_BYTES(RECORD_seen, "\x94\x09\x01\xcc\xff\x05", RECORD_OK);
    ASSERT_BYTES(RECORD_seen, "\x94\x09\x01\xcd\x01\x00\x05", RECORD_FIELD);
}

static void text_beyond_its_bound_is_refused(void **state)
{
    uint8_t bytes[4 + 2 + 200 + 1] = {0x94, 0x03, 0x01, 0xd9};

    (void)state;
    memset(bytes + 5, 'x', 200);
    bytes[4] = 128;
    bytes[5 + 128] = 5;
    assert_error(RECORD_written, bytes, 5 + 128 + 1, RECORD_OK);
    bytes[5 + 128] = 'x';
    bytes[4] = 129;
    bytes[5 + 129] = 5;
    assert_error(RECORD_written, bytes, 5 + 129 + 1, RECORD_FIELD);
}

static void too_many_items_are_refused(void **state)
{
    uint8_t bytes[7 + 3 + 8193] = {0x97, 0x15, 0x01, 0x01, 0x02, 0x03, 0x04, 0xdc};

    (void)state;
    memset(bytes + 10, 1, 8193);
    bytes[8] = 8192 >> 8;
    bytes[9] = 8192 & 0xff;
    assert_error(RECORD_census, bytes, 10 + 8192, RECORD_OK);
    bytes[9]++;
    assert_error(RECORD_census, bytes, 10 + 8193, RECORD_FIELD);
}

static void text_must_be_utf8_without_nul(void **state)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2x",
                                      "\xe0\x9f\xbf",
                                      "\xe2\x82",
                                      "\xe2x\xac",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x90\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xfe"};
    uint8_t bytes[32] = {0x94, 0x03, 0x01};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good + sizeof bad / sizeof *bad; i++) {
        bool is_good = i < sizeof good / sizeof *good;
        const char *text = is_good ? good[i] : bad[i - sizeof good / sizeof *good];
        size_t size = strlen(text);
        bytes[3] = (uint8_t)(0xa0 | size);
        memcpy(bytes + 4, text, size);
        bytes[4 + size] = 5;
        assert_error(RECORD_written, bytes, 4 + size + 1, is_good ? RECORD_OK : RECORD_FIELD);
    }
    ASSERT_BYTES(RECORD_written,
                 "\x94\x03\x01\xa3"
                 "a\0b\x05",
                 RECORD_FIELD);
}

// A record that the encoder lets through and the decoder does not would be stored and never read again.
static void the_encoder_refuses_text_that_the_decoder_would(void **state)
{
    struct record_buffer buffer;
    struct written cut = {.id = "caf\xc3"};

    (void)state;
    assert_false(record_encode(RECORD_written, &cut, &buffer));
    assert_null(buffer.data);
    struct event event = {.parts = {&(struct part){.text = "\xff"}, 1}};
    assert_false(record_encode(RECORD_event, &event, &buffer));
}

static void peek_looks_at_the_beginning_only(void **state)
{
    (void)state;
    assert_int_equal(record_peek("\x96\x17", 2), RECORD_ack);
    assert_int_equal(record_peek("\xdc\x00\x20\x14", 4), RECORD_report);
    assert_int_equal(record_peek("", 0), 0);
    assert_int_equal(record_peek("\x96", 1), 0);
    assert_int_equal(record_peek("\x96\x00", 2), 0);
    assert_int_equal(record_peek("\x96\x7f", 2), 0);
    assert_int_equal(record_peek("\x96\xcc", 2), 0);
    assert_int_equal(record_peek("\xdc\x00\x20", 3), 0);
    assert_int_equal(record_peek("\x82\x13", 2), 0);
}

static void names_are_words(void **state)
{
    (void)state;
    assert_string_equal(record_name(RECORD_job), "job");
    assert_string_equal(record_name(RECORD_lane), "lane");
    assert_string_equal(record_name(0), "unknown");
    assert_string_equal(record_name(RECORD_KINDS), "unknown");
    assert_string_equal(record_error_text(RECORD_OK), "ok");
    assert_string_equal(record_error_text(RECORD_FIELD), "field");
    assert_string_equal(record_error_text((enum record_error)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bombs_do_not_go_off),
        cmocka_unit_test(only_the_types_we_write_are_read),
        cmocka_unit_test(text_beyond_its_bound_is_refused),
        cmocka_unit_test(too_many_items_are_refused),
        cmocka_unit_test(text_must_be_utf8_without_nul),
        cmocka_unit_test(the_encoder_refuses_text_that_the_decoder_would),
        cmocka_unit_test(peek_looks_at_the_beginning_only),
        cmocka_unit_test(names_are_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
