// SPDX-License-Identifier: Apache-2.0
// workers/raise: a priority never falls, and no tag of an agent's is ever lost.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "workers/fields.h"
#include "workers/raise.h"

static struct arena *arena;
static struct raise said;

// What is sent for a ticket that reads as `ticket`; "" for nothing.
static const char *sent(const char *ticket, uint64_t priority, const char *const *tags, size_t count)
{
    json_t *read = json_loads(ticket, JSON_DECODE_ANY, NULL);
    assert_non_null(read);
    json_t *body = raise_body(arena, read, priority, tags, count, &said);
    json_decref(read); // the body must be its own
    return body ? fields_body(arena, body) : "";
}

static const char *plain(const char *ticket, uint64_t priority)
{
    return sent(ticket, priority, NULL, 0);
}

static void a_priority_rises_and_never_falls(void **state)
{
    (void)state;
    assert_string_equal(plain("{\"priority\":1,\"tags\":[]}", 4), "{\"priority\":4}");
    assert_int_equal(said.before, 1);
    assert_int_equal(said.priority, 4);
    assert_string_equal(plain("{\"priority\":4}", 3), "");
    assert_int_equal(said.before, 4);
    assert_int_equal(said.priority, 0);
    assert_string_equal(plain("{\"priority\":3}", 3), "");
    assert_string_equal(plain("{\"priority\":3}", 0), "");
    assert_string_equal(plain("{\"priority\":3}", 5), ""); // no such priority
}

static void what_the_ticket_does_not_tell_stays(void **state)
{
    (void)state;
    static const char *const tags[] = {"high-value"};
    assert_string_equal(plain("{}", 4), "");
    assert_string_equal(plain("{\"priority\":null}", 4), "");
    assert_string_equal(plain("[]", 4), "");
    assert_string_equal(sent("{\"priority\":1}", 2, tags, 1), "{\"priority\":2}");
    assert_string_equal(sent("{\"tags\":null}", 0, tags, 1), "");
    assert_string_equal(sent("{\"tags\":\"vip\"}", 0, tags, 1), "");
    assert_string_equal(sent("{\"tags\":[\"vip\",7]}", 0, tags, 1), ""); // could not be sent back whole
    assert_int_equal(said.tag_count, 0);
}

static void tags_join_those_that_are_there(void **state)
{
    (void)state;
    static const char *const tags[] = {"high-value", "checkout", "High-Value"};
    assert_string_equal(sent("{\"priority\":2,\"tags\":[\"vip\",\"Rückruf\"]}", 4, tags, 3),
                        "{\"priority\":4,\"tags\":[\"vip\",\"Rückruf\",\"high-value\",\"checkout\"]}");
    assert_int_equal(said.tag_count, 2);
    assert_string_equal(said.tags[1], "checkout");
    assert_string_equal(sent("{\"tags\":[\"HIGH-value\"]}", 0, tags, 2), "{\"tags\":[\"HIGH-value\",\"checkout\"]}");
    assert_string_equal(sent("{\"tags\":[\"checkout\",\"high-value\"]}", 0, tags, 3), "");
    assert_string_equal(sent("{\"tags\":[]}", 0, tags, 1), "{\"tags\":[\"high-value\"]}");
}

static void tags_are_made_such_as_freshdesk_takes(void **state)
{
    (void)state;
    static const char *const tags[] = {"a,b", " ", "", ",", "0123456789012345678901234567890 2345", "a b", "x\n\ty"};
    assert_string_equal(sent("{\"tags\":[\"vip\"]}", 0, tags, 7),
                        "{\"tags\":[\"vip\",\"a b\",\"0123456789012345678901234567890\",\"x y\"]}");
    assert_int_equal(said.tag_count, 3);
    // ours are cut, an agent's are sent as they are
    assert_string_equal(sent("{\"tags\":[\"an agent's tag that is longer than it may be\",\"\"]}", 0, tags, 1),
                        "{\"tags\":[\"an agent's tag that is longer than it may be\",\"\",\"a b\"]}");
}

static void a_full_list_takes_no_more(void **state)
{
    (void)state;
    static const char *const tags[] = {"one", "two"};
    for (size_t there = 28; there <= 31; there++) {
        char ticket[1024] = "{\"priority\":1,\"tags\":[\"t0\"";
        for (size_t i = 1; i < there; i++)
            snprintf(ticket + strlen(ticket), sizeof ticket - strlen(ticket), ",\"t%zu\"", i);
        strcat(ticket, "]}");
        const char *body = sent(ticket, 2, tags, 2);
        assert_int_equal(said.tag_count, there == 28 ? 2 : there == 29 ? 1 : 0);
        assert_int_equal(strstr(body, "\"tags\"") != NULL, there < 30);
        assert_non_null(strstr(body, "\"priority\":2"));
    }
}

static void closed_tickets_are_known(void **state)
{
    (void)state;
    for (int status = 1; status <= 9; status++) {
        json_t *ticket = json_pack("{s:i}", "status", status);
        assert_int_equal(raise_is_closed(ticket), status == 4 || status == 5);
        json_decref(ticket);
    }
    assert_false(raise_is_closed(NULL));
    assert_string_equal(raise_word(4), "urgent");
    assert_string_equal(raise_word(1), "low");
    assert_string_equal(raise_word(0), "");
    assert_string_equal(raise_word(5), "");
}

static int begin(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_priority_rises_and_never_falls), cmocka_unit_test(what_the_ticket_does_not_tell_stays),
        cmocka_unit_test(tags_join_those_that_are_there),   cmocka_unit_test(tags_are_made_such_as_freshdesk_takes),
        cmocka_unit_test(a_full_list_takes_no_more),        cmocka_unit_test(closed_tickets_are_known),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
