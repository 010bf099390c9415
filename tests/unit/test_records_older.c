// SPDX-License-Identifier: Apache-2.0
// What happens once a record has a second version. The codec is compiled here with a table in which `written` and `ack`
// are of version 2 and have further fields (`ticket`
// holds a list of `written`), and reads bytes as version 1 wrote them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/records_table.h"

#undef RECORDS_TABLE
#define RECORDS_TABLE(X)                                                                                               \
    X(1, 1, part)                                                                                                      \
    X(17, 1, phone_call)                                                                                               \
    X(2, 1, event)                                                                                                     \
    X(9, 1, seen)                                                                                                      \
    X(3, 2, written)                                                                                                   \
    X(4, 1, context)                                                                                                   \
    X(18, 1, leg)                                                                                                      \
    X(5, 1, lane)                                                                                                      \
    X(6, 1, entry)                                                                                                     \
    X(7, 1, found)                                                                                                     \
    X(8, 1, pending)                                                                                                   \
    X(10, 1, hint)                                                                                                     \
    X(11, 1, ticket)                                                                                                   \
    X(12, 1, dead)                                                                                                     \
    X(13, 1, history)                                                                                                  \
    X(14, 1, followup)                                                                                                 \
    X(15, 1, change)                                                                                                   \
    X(16, 1, raw)                                                                                                      \
    X(19, 1, job)                                                                                                      \
    X(20, 1, report)                                                                                                   \
    X(21, 1, census)                                                                                                   \
    X(22, 1, hello)                                                                                                    \
    X(23, 2, ack)                                                                                                      \
    X(24, 1, control_argument)                                                                                         \
    X(25, 1, control_request)                                                                                          \
    X(26, 1, control_reply)
#undef FIELDS_written
#define FIELDS_written(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                          \
    STR(id, ID_MAX)                                                                                                    \
    U64(time_ms, ANY_U64)                                                                                              \
    STR(text, 100)                                                                                                     \
    U64(number, 100)                                                                                                   \
    BOOL(flag)                                                                                                         \
    BLOB(bytes, 100)                                                                                                   \
    U64S(numbers, 10)                                                                                                  \
    REC(part, part)                                                                                                    \
    LIST(parts, part, 10)
#undef FIELDS_ack
#define FIELDS_ack(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                              \
    U64(front_generation, ANY_U64)                                                                                     \
    U64(worker_generation, ANY_U64)                                                                                    \
    U64(link_seq, ANY_U64)                                                                                             \
    U64(job_id, ANY_U64)                                                                                               \
    U64(more, ANY_U64)
#undef FIELDS_ticket
#define FIELDS_ticket(U64, BOOL, STR, BLOB, U64S, REC, LIST) LIST(delivered, written, 4)
#include "proto/records.c"

static void what_an_older_version_lacks_is_empty(void **state)
{
    static const char older[] = "\x94\x03\x01\xa1x\x05"; // [3, 1, "x", 5]
    struct arena *arena = arena_new();
    struct written out;

    (void)state;
    memset(&out, 0xaa, sizeof out);
    assert_int_equal(record_decode(RECORD_written, older, sizeof older - 1, &out, arena), RECORD_OK);
    assert_string_equal(out.id, "x");
    assert_int_equal(out.time_ms, 5);
    assert_string_equal(out.text, "");
    assert_int_equal(out.number, 0);
    assert_false(out.flag);
    assert_int_equal(out.bytes.size, 0);
    assert_int_equal(out.numbers.count, 0);
    assert_string_equal(out.part.text, "");
    assert_string_equal(out.part.url, "");
    assert_string_equal(out.part.label, "");
    assert_int_equal(out.parts.count, 0);
    // Written again, it is of the present version.
    struct record_buffer buffer;
    assert_true(record_encode(RECORD_written, &out, &buffer));
    assert_int_equal(buffer.data[2], 2);
    assert_int_equal(record_decode(RECORD_written, buffer.data, buffer.size, &out, arena), RECORD_OK);
    record_buffer_free(&buffer);
    arena_free(&arena);
}

static void an_older_record_inside_another_is_read_too(void **state)
{
    // [11, 1, [[3, 1, "x", 5]]]
    static const char bytes[] = "\x93\x0b\x01\x91\x94\x03\x01\xa1x\x05";
    struct arena *arena = arena_new();
    struct ticket ticket;

    (void)state;
    assert_int_equal(record_decode(RECORD_ticket, bytes, sizeof bytes - 1, &ticket, arena), RECORD_OK);
    assert_int_equal(ticket.delivered.count, 1);
    assert_string_equal(ticket.delivered.items[0].id, "x");
    assert_string_equal(ticket.delivered.items[0].text, "");
    arena_free(&arena);
}

static void the_present_version_must_be_complete(void **state)
{
    struct arena *arena = arena_new();
    struct written out;

    (void)state;
    assert_int_equal(record_decode(RECORD_written, "\x94\x03\x02\xa1x\x05", 6, &out, arena), RECORD_MALFORMED);
    assert_int_equal(record_decode(RECORD_written, "\x94\x03\x03\xa1x\x05", 6, &out, arena), RECORD_VERSION);
    arena_free(&arena);
}

static void frames_are_of_the_present_version_only(void **state)
{
    struct arena *arena = arena_new();
    struct ack out;

    (void)state;
    assert_int_equal(record_decode(RECORD_ack, "\x97\x17\x02\x01\x02\x03\x04\x05", 8, &out, arena), RECORD_OK);
    assert_int_equal(record_decode(RECORD_ack, "\x96\x17\x01\x01\x02\x03\x04", 7, &out, arena), RECORD_VERSION);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_older_version_lacks_is_empty),
        cmocka_unit_test(an_older_record_inside_another_is_read_too),
        cmocka_unit_test(the_present_version_must_be_complete),
        cmocka_unit_test(frames_are_of_the_present_version_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
