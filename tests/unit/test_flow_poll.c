// SPDX-License-Identifier: Apache-2.0
// workers/flow_poll: what each poll asks for, what it reports, where its mark goes, and when it ends.
#include "tests/unit/flow_case.h"

#include <inttypes.h>

#include "proto/log.h"

#define NUMERIC "7311"
// The marks below are SAID_MS, 2025-03-04T10:20:30.456Z.
#define TICKETS(since, p)                                                                                              \
    "/tickets?updated_since=2025-03-04T" since "Z&order_by=updated_at&order_type=asc&per_page=100&page=" p
#define MESSAGES(id, from, p) "/conversations/" id "/messages?from_time=2025-03-04T" from "Z&items_per_page=50&page=" p
#define USERS(from, p)        "/users?updated_from=2025-03-04T" from "Z&items_per_page=50&page=" p

static const uint64_t second_ms = UINT64_C(1741083630000); // SAID_MS without its milliseconds
static const char no_users[] = "This account does not let users be listed; conversations begun while Deskbell was down "
                               "are found only when the customer writes again.";

static struct flow_case *polled(enum event_kind kind, const char *lane)
{
    struct flow_case *c = case_new("");
    c->events[0] = (struct event){.kind = kind,
                                  .key = "",
                                  .conversation = lane,
                                  .conversation_twin = "",
                                  .channel = "",
                                  .user = "",
                                  .actor = "",
                                  .message = "",
                                  .reason = ""};
    c->job.lane.conversation = lane;
    c->job.lane.user = "";
    c->job.lane.channel = "";
    return c;
}

static struct flow_case *desk(uint64_t mark_ms)
{
    struct flow_case *c = polled(EVENT_POLL_DESK, "poll:freshdesk");
    c->job.lane.mark_ms = mark_ms;
    return c;
}

static struct flow_case *chat(uint64_t mark_ms)
{
    struct flow_case *c = polled(EVENT_POLL_CHAT, CONVERSATION);
    c->job.lane.chat_mark_ms = mark_ms;
    return c;
}

static struct flow_case *users(uint64_t mark_ms)
{
    struct flow_case *c = polled(EVENT_POLL_USERS, "poll:freshchat-users");
    c->job.lane.chat_mark_ms = mark_ms;
    return c;
}

// The time that follows "name=" in the request's path.
static uint64_t asked_from(const struct flow_case *c, const char *name)
{
    const char *at = strstr(c->request.path, name);
    assert_non_null(at);
    at += strlen(name);
    char text[64];
    size_t length = 0;
    for (; *at && *at != '&' && length < sizeof text; at++) {
        bool colon = strncmp(at, "%3A", 3) == 0;
        text[length++] = colon ? ':' : *at;
        at += colon ? 2 : 0;
    }
    int64_t ms = 0;
    assert_true(clock_parse_iso(text, length, &ms));
    return (uint64_t)ms;
}

static void assert_near(uint64_t is, uint64_t wanted)
{
    if (is + 20000 < wanted || is > wanted + 20000)
        fail_msg("%" PRIu64 " is not near %" PRIu64, is, wanted);
}

static uint64_t now_ms(void)
{
    return (uint64_t)clock_wall_ms();
}

// Answers with JSON that the test built; releases it.
static void answer(struct flow_case *c, json_t *json, uint64_t date_ms, const char *link_next)
{
    assert_non_null(json);
    struct response response = {
        .answer = ANSWER_OK, .status = 200, .json = json, .date_ms = date_ms, .link_next = link_next};
    case_finish(c, &response);
    json_decref(json);
    case_keep(c);
}

static const char *iso(uint64_t ms)
{
    static char text[CLOCK_ISO_BYTES];
    return clock_format_iso((int64_t)ms, text);
}

// ---- tickets --------------------------------------------------------------------------------------------------------

// `count` tickets from `first_id` on, changed every `step_ms` from `from_ms` on.
static json_t *tickets(size_t count, uint64_t first_id, uint64_t from_ms, uint64_t step_ms)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:I,s:s,s:i,s:{s:s}}", "id", (json_int_t)(first_id + i), "updated_at",
                                              iso(from_ms + i * step_ms), "source", 7, "custom_fields",
                                              "cf_freshchat_conversation_id", CONVERSATION));
    return list;
}

static void tickets_that_may_be_a_conversations_are_reported(void **state)
{
    (void)state;
    struct flow_case *c = desk(SAID_MS);
    case_calls(c, STEP_LIST_TICKETS, "GET", TICKETS("10%3A19%3A30", "1"), NULL);
    case_ok(c, "[{\"id\":41,\"updated_at\":\"2025-03-04T10:20:00Z\",\"source\":2,\"custom_fields\":{"
               "\"cf_freshchat_conversation_id\":\"" CONVERSATION "\"}},"
               "{\"id\":42,\"updated_at\":\"2025-03-04T10:20:40Z\",\"source\":7,\"custom_fields\":{"
               "\"cf_freshchat_conversation_id\":null}},"
               "{\"id\":43,\"updated_at\":\"2025-03-04T10:20:41Z\",\"source\":2,\"custom_fields\":{}},"
               "{\"id\":44,\"updated_at\":\"never\",\"source\":7},{\"updated_at\":\"2025-03-04T10:20:41Z\"},7,"
               "{\"id\":45,\"updated_at\":\"2025-03-04T10:20:44Z\",\"source\":1}]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.what, "");
    assert_int_equal(c->report.changes.count, 2);
    assert_int_equal(c->report.changes.items[0].ticket_id, 41);
    assert_int_equal(c->report.changes.items[0].time_ms, second_ms - 30000);
    assert_string_equal(c->report.changes.items[0].conversation, CONVERSATION);
    assert_int_equal(c->report.changes.items[1].ticket_id, 42);
    assert_string_equal(c->report.changes.items[1].conversation, "");
    assert_int_equal(c->report.mark_ms, second_ms + 14000); // tickets of others move it too
    case_free(c);
}

static void the_desk_mark_never_goes_back_or_into_the_future(void **state)
{
    (void)state;
    struct flow_case *c = desk(SAID_MS);
    case_begin(c, STEP_LIST_TICKETS);
    case_ok(c, "[]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.mark_ms, 0); // unchanged
    case_begin(c, STEP_LIST_TICKETS);
    answer(c, tickets(2, 1, second_ms - 50000, 1000), 0, NULL); // only what the overlap shows
    assert_int_equal(c->report.changes.count, 2);
    assert_int_equal(c->report.mark_ms, 0);
    case_begin(c, STEP_LIST_TICKETS);
    answer(c, tickets(2, 1, second_ms, UINT64_C(86400000)), second_ms + 5000, NULL);
    assert_int_equal(c->report.changes.count, 2);
    assert_int_equal(c->report.mark_ms, 0);
    case_free(c);
}

static void the_first_round_looks_back_ten_minutes(void **state)
{
    (void)state;
    const int64_t ahead = 3600000;
    struct flow_case *c = desk(0);
    c->context.clock_known[UPSTREAM_FRESHDESK] = true;
    c->context.clock_ahead_ms[UPSTREAM_FRESHDESK] = ahead;
    assert_int_equal(case_begin(c, STEP_LIST_TICKETS), STEP_CALL);
    assert_near(asked_from(c, "updated_since="), now_ms() + (uint64_t)ahead - 600000);
    uint64_t date_ms = now_ms() + (uint64_t)ahead;
    case_answer(c, ANSWER_OK, 200, date_ms, "[]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.mark_ms, date_ms - 60000);
    case_free(c);

    c = desk(0); // without the helpdesk's clock, and without a Date
    assert_int_equal(case_begin(c, STEP_LIST_TICKETS), STEP_CALL);
    assert_near(asked_from(c, "updated_since="), now_ms() - 600000);
    case_ok(c, "[]");
    assert_near(c->report.mark_ms, now_ms() - 60000);
    case_free(c);

    c = desk(0); // our clock was far off: it asked for the wrong time, and asks again
    case_begin(c, STEP_LIST_TICKETS);
    case_answer(c, ANSWER_OK, 200, SAID_MS, "[]");
    case_outcome(c, OUTCOME_DONE, STEP_LIST_TICKETS);
    assert_int_equal(c->report.mark_ms, 0);
    case_begin(c, STEP_LIST_TICKETS);
    assert_near(asked_from(c, "updated_since="), SAID_MS - 600000);
    answer(c, tickets(1, 5, second_ms, 0), SAID_MS, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.mark_ms, second_ms);
    case_free(c);
}

static void each_page_of_tickets_begins_where_the_last_ended(void **state)
{
    (void)state;
    struct flow_case *c = desk(SAID_MS);
    case_calls(c, STEP_LIST_TICKETS, "GET", TICKETS("10%3A19%3A30", "1"), NULL);
    answer(c, tickets(100, 1, second_ms, 1000), 0, "https://acme.freshdesk.com/next");
    case_outcome(c, OUTCOME_DONE, STEP_LIST_TICKETS);
    assert_int_equal(c->report.changes.count, 100);
    assert_int_equal(c->report.mark_ms, second_ms + 99000); // kept even when the next page fails
    c->job.lane.mark_ms = c->report.mark_ms;                // as the front records it
    case_calls(c, STEP_LIST_TICKETS, "GET", TICKETS("10%3A22%3A08", "1"), NULL);
    answer(c, tickets(100, 100, second_ms + 99000, 0), 0, "https://acme.freshdesk.com/next"); // one second's changes
    case_outcome(c, OUTCOME_DONE, STEP_LIST_TICKETS);
    case_calls(c, STEP_LIST_TICKETS, "GET", TICKETS("10%3A22%3A08", "2"), NULL);
    struct found before = c->context.found;
    case_answer(c, ANSWER_RETRY, 429, 0, NULL);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    c->context.found = before;
    case_calls(c, STEP_LIST_TICKETS, "GET", TICKETS("10%3A22%3A08", "2"), NULL);
    answer(c, tickets(100, 200, second_ms + 99000, 1000), 0, NULL); // full: there may be more, link or not
    case_outcome(c, OUTCOME_DONE, STEP_LIST_TICKETS);
    case_calls(c, STEP_LIST_TICKETS, "GET", TICKETS("10%3A23%3A47", "1"), NULL);
    answer(c, tickets(3, 299, second_ms + 198000, 1000), 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.mark_ms, second_ms + 200000);
    c->job.lane.mark_ms = c->report.mark_ms;
    case_calls(c, STEP_LIST_TICKETS, "GET", TICKETS("10%3A22%3A50", "1"), NULL); // a new round, with its overlap
    case_free(c);
}

static void a_round_of_tickets_ends_after_twenty_calls_unless_it_stood_still(void **state)
{
    (void)state;
    struct flow_case *c = desk(SAID_MS);
    for (uint64_t call = 1; call <= 20; call++) {
        assert_int_equal(case_begin(c, STEP_LIST_TICKETS), STEP_CALL);
        answer(c, tickets(100, call * 100, second_ms + call * 200000, 1000), 0, "next");
        case_outcome(c, OUTCOME_DONE, call < 20 ? STEP_LIST_TICKETS : STEP_NONE);
        c->job.lane.mark_ms = c->report.mark_ms;
    }
    assert_int_equal(c->context.found.page, 0);
    case_free(c);

    c = desk(SAID_MS); // more changes within the overlap than twenty pages hold
    for (uint64_t call = 1; call <= 30; call++) {
        assert_int_equal(case_begin(c, STEP_LIST_TICKETS), STEP_CALL);
        answer(c, tickets(100, call * 100, second_ms - 30000, 0), 0, "next");
        case_outcome(c, OUTCOME_DONE, STEP_LIST_TICKETS);
    }
    case_begin(c, STEP_LIST_TICKETS);
    answer(c, tickets(100, 9000, second_ms - 30000, 1000), 0, "next");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.mark_ms, second_ms + 69000);
    case_free(c);

    c = desk(SAID_MS); // and there is an end to that too
    uint64_t calls = 0;
    do {
        case_begin(c, STEP_LIST_TICKETS);
        answer(c, tickets(1, 1, second_ms - 30000, 0), 0, "next");
    } while (c->report.next_step == STEP_LIST_TICKETS && ++calls < 1000);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(calls, 299);
    case_free(c);
}

static void lists_of_tickets_that_make_no_sense_move_nothing(void **state)
{
    (void)state;
    static const char *const strange[] = {
        "[{\"id\":1},{\"updated_at\":\"2025-03-04T10:20:41Z\"}]",
        "[{\"id\":1,\"updated_at\":\"2025-03-04T10:22:00Z\",\"source\":7},"
        "{\"id\":2,\"updated_at\":\"2025-03-04T10:21:00Z\",\"source\":7}]", // newest first: a page is not all
        "{\"tickets\":7}"};
    struct flow_case *c = desk(SAID_MS);
    case_fails_plainly(c, STEP_LIST_TICKETS, false);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        case_begin(c, STEP_LIST_TICKETS);
        case_ok(c, strange[i]);
        case_outcome(c, OUTCOME_RETRY, STEP_NONE);
        assert_int_equal(c->report.mark_ms, 0);
        assert_int_equal(c->report.changes.count, 0);
    }
    case_begin(c, STEP_LIST_TICKETS);
    case_answer(c, ANSWER_REFUSED, 400, 0, "{}");
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    case_begin(c, STEP_LIST_TICKETS);
    answer(c, tickets(150, 1, second_ms, 1000), 0, NULL); // more than a report holds: the rest with the next page
    case_outcome(c, OUTCOME_DONE, STEP_LIST_TICKETS);
    assert_int_equal(c->report.changes.count, 100);
    assert_int_equal(c->report.mark_ms, second_ms + 99000);
    case_free(c);
}

// ---- messages -------------------------------------------------------------------------------------------------------

static json_t *message(uint64_t number, uint64_t time_ms, size_t text_bytes)
{
    char id[32], *text = calloc(1, text_bytes + 1);
    assert_non_null(text);
    memset(text, 'x', text_bytes);
    snprintf(id, sizeof id, "m%05" PRIu64, number);
    json_t *json = json_pack("{s:s,s:s,s:[{s:{s:s}}]}", "id", id, "created_time", iso(time_ms), "message_parts", "text",
                             "content", text);
    free(text);
    return json;
}

// A page of `count` messages a second apart, from number `first` on.
static json_t *page_of(uint64_t first, size_t count, bool oldest_first, bool more, size_t text_bytes)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        uint64_t number = first + (oldest_first ? i : count - 1 - i);
        json_array_append_new(list, message(number, second_ms + number * 1000, text_bytes));
    }
    json_t *body = json_pack("{s:o}", "messages", list);
    if (more)
        json_object_set_new(body, "link", json_pack("{s:s,s:s}", "href", "/v2/next", "rel", "next_page"));
    return body;
}

static void assert_raw(const struct flow_case *c, size_t index, const char *words)
{
    assert_true(index < c->report.raws.count);
    const struct blob *json = &c->report.raws.items[index].json;
    if (!memmem(json->data, json->size, words, strlen(words)))
        fail_msg("message %zu is without %s: %.*s", index, words, (int)json->size, (const char *)json->data);
}

static void messages_are_reported_as_they_are_oldest_first(void **state)
{
    (void)state;
    for (int oldest_first = 0; oldest_first < 2; oldest_first++) {
        struct flow_case *c = chat(SAID_MS);
        case_calls(c, STEP_LIST_MESSAGES, "GET", MESSAGES(CONVERSATION, "10%3A15%3A30.456", "1"), NULL);
        answer(c, page_of(1, 3, oldest_first, false, 4), 0, NULL);
        case_outcome(c, OUTCOME_DONE, STEP_NONE);
        assert_string_equal(c->report.what, "");
        assert_int_equal(c->report.raws.count, 3);
        static const char first[] = "{\"id\":\"m00001\",\"created_time\":\"2025-03-04T10:20:31.000Z\","
                                    "\"message_parts\":[{\"text\":{\"content\":\"xxxx\"}}]}";
        assert_int_equal(c->report.raws.items[0].json.size, strlen(first));
        assert_memory_equal(c->report.raws.items[0].json.data, first, strlen(first));
        assert_raw(c, 2, "m00003");
        assert_int_equal(c->report.chat_mark_ms, second_ms + 3000);
        case_free(c);
    }
}

static void the_chat_mark_moves_with_the_last_page_only(void **state)
{
    (void)state;
    for (int oldest_first = 0; oldest_first < 2; oldest_first++) {
        struct flow_case *c = chat(SAID_MS);
        case_begin(c, STEP_LIST_MESSAGES);
        answer(c, page_of(oldest_first ? 1 : 51, 50, oldest_first, true, 4), 0, NULL);
        case_outcome(c, OUTCOME_DONE, STEP_LIST_MESSAGES);
        assert_int_equal(c->report.raws.count, 50);
        assert_int_equal(c->report.chat_mark_ms, 0);
        case_calls(c, STEP_LIST_MESSAGES, "GET", MESSAGES(CONVERSATION, "10%3A15%3A30.456", "2"), NULL);
        answer(c, page_of(oldest_first ? 51 : 1, 50, oldest_first, true, 4), 0, NULL);
        case_outcome(c, OUTCOME_DONE, STEP_LIST_MESSAGES);
        case_calls(c, STEP_LIST_MESSAGES, "GET", MESSAGES(CONVERSATION, "10%3A15%3A30.456", "3"), NULL);
        answer(c, page_of(1, 0, oldest_first, true, 4), 0, NULL); // an empty page is the end, link or not
        case_outcome(c, OUTCOME_DONE, STEP_NONE);
        assert_int_equal(c->report.raws.count, 0);
        assert_int_equal(c->report.chat_mark_ms, second_ms + 100000);
        assert_int_equal(c->context.found.page, 0);
        case_free(c);
    }
}

static void a_conversation_without_a_mark_is_read_from_its_beginning(void **state)
{
    (void)state;
    struct flow_case *c = chat(0);
    c->job.lane.opened_ms = SAID_MS;
    c->context.clock_known[UPSTREAM_FRESHCHAT] = true;
    c->context.clock_ahead_ms[UPSTREAM_FRESHCHAT] = 60000;
    case_calls(c, STEP_LIST_MESSAGES, "GET", MESSAGES(CONVERSATION, "10%3A11%3A30.456", "1"), NULL);
    case_ok(c, "{\"messages\":[]}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.chat_mark_ms, 0);
    case_free(c);

    c = chat(0); // our clock was a day ahead when it was opened, and is
    c->job.lane.opened_ms = now_ms();
    case_begin(c, STEP_LIST_MESSAGES);
    case_answer(c, ANSWER_OK, 200, now_ms() - 86400000, "{\"messages\":[]}");
    case_outcome(c, OUTCOME_DONE, STEP_LIST_MESSAGES);
    case_begin(c, STEP_LIST_MESSAGES);
    assert_near(asked_from(c, "from_time="), now_ms() - 86400000 - 600000);
    case_free(c);

    c = chat(0); // nobody knows when it began
    case_calls(c, STEP_LIST_MESSAGES, "GET", "/conversations/" CONVERSATION "/messages?items_per_page=50&page=1", NULL);
    case_free(c);
    c = polled(EVENT_POLL_CHAT, "");
    assert_int_equal(case_begin(c, STEP_LIST_MESSAGES), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_free(c);
}

static void an_unknown_conversation_is_asked_for_by_its_number_once(void **state)
{
    (void)state;
    struct flow_case *c = chat(SAID_MS);
    case_begin(c, STEP_LIST_MESSAGES);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    c->job.lane.conversation_twin = NUMERIC;
    case_begin(c, STEP_LIST_MESSAGES);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_LIST_MESSAGES);
    case_calls(c, STEP_LIST_MESSAGES, "GET", MESSAGES(NUMERIC, "10%3A15%3A30.456", "1"), NULL);
    answer(c, page_of(1, 50, true, true, 4), 0, NULL);
    case_calls(c, STEP_LIST_MESSAGES, "GET", MESSAGES(NUMERIC, "10%3A15%3A30.456", "2"), NULL);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    assert_string_not_equal(c->report.cause, "");
    case_free(c);
}

static void a_report_of_messages_keeps_its_bounds(void **state)
{
    (void)state;
    struct flow_case *c = chat(SAID_MS);
    size_t total = 0, calls = 0;
    do { // 20 messages of 200 KiB are more than one report holds
        case_calls(c, STEP_LIST_MESSAGES, "GET", MESSAGES(CONVERSATION, "10%3A15%3A30.456", "1"), NULL);
        answer(c, page_of(1, 20, true, false, 200 << 10), 0, NULL);
        size_t bytes = 0;
        for (size_t i = 0; i < c->report.raws.count; i++)
            bytes += c->report.raws.items[i].json.size;
        assert_true(bytes > 0 && bytes <= 3 << 20);
        char id[16];
        snprintf(id, sizeof id, "m%05zu", total + 1);
        assert_raw(c, 0, id); // none twice, none passed over
        total += c->report.raws.count;
    } while (c->report.next_step == STEP_LIST_MESSAGES && ++calls < 5);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(total, 20);
    assert_int_equal(calls, 1);
    assert_int_equal(c->report.chat_mark_ms, second_ms + 20000);
    case_begin(c, STEP_LIST_MESSAGES); // one that no report may hold is passed over
    json_t *body = page_of(1, 2, true, false, 10);
    json_array_append_new(json_object_get(body, "messages"), message(3, second_ms, 300 << 10));
    json_array_append_new(json_object_get(body, "messages"), json_integer(7));
    answer(c, body, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.raws.count, 2);
    case_begin(c, STEP_LIST_MESSAGES); // more on a page than asked for
    answer(c, page_of(1, 130, true, false, 10), 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_LIST_MESSAGES);
    assert_int_equal(c->report.raws.count, 100);
    case_begin(c, STEP_LIST_MESSAGES);
    answer(c, page_of(1, 130, true, false, 10), 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.raws.count, 30);
    assert_raw(c, 0, "m00101");
    case_begin(c, STEP_LIST_MESSAGES);
    answer(c, page_of(1, 1001, true, false, 1), 0, NULL);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    case_free(c);
}

static void a_round_of_messages_ends_early_only_oldest_first(void **state)
{
    (void)state;
    for (int oldest_first = 0; oldest_first < 2; oldest_first++) {
        struct flow_case *c = chat(SAID_MS);
        uint64_t pages = 0;
        do {
            case_begin(c, STEP_LIST_MESSAGES);
            answer(c, page_of(oldest_first ? pages * 2 : 2000 - pages * 2, 2, oldest_first, true, 1), 0, NULL);
            assert_int_equal(c->report.raws.count, 2);
        } while (++pages < 1000 && c->report.next_step == STEP_LIST_MESSAGES);
        case_outcome(c, OUTCOME_DONE, STEP_NONE);
        assert_int_equal(pages, oldest_first ? 40 : 300);
        assert_int_equal(c->report.chat_mark_ms, second_ms + (oldest_first ? 79000 : 2001000));
        case_free(c);
    }
}

static void answers_without_messages_are_tried_again(void **state)
{
    (void)state;
    struct flow_case *c = chat(SAID_MS);
    case_fails_plainly(c, STEP_LIST_MESSAGES, false);
    case_begin(c, STEP_LIST_MESSAGES);
    case_answer(c, ANSWER_OK, 200, SAID_MS, "{\"messages\":[{\"created_time\":\"2031-01-01T00:00:00Z\"},{}]}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.raws.count, 2); // what they mean is the normaliser's to say
    assert_int_equal(c->report.chat_mark_ms, 0);
    case_free(c);
}

// ---- customers ------------------------------------------------------------------------------------------------------

static json_t *people(uint64_t first, size_t count, uint64_t page, uint64_t pages)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        char id[32];
        snprintf(id, sizeof id, "u%05" PRIu64, first + i);
        json_array_append_new(list,
                              json_pack("{s:s,s:s}", "id", id, "updated_time", iso(second_ms + (first + i) * 1000)));
    }
    return json_pack("{s:o,s:{s:I,s:I}}", "users", list, "pagination", "total_pages", (json_int_t)pages, "current_page",
                     (json_int_t)page);
}

static void conversations_of_changed_customers_are_reported(void **state)
{
    (void)state;
    struct flow_case *c = users(SAID_MS);
    case_calls(c, STEP_LIST_USERS, "GET", USERS("10%3A15%3A30.456", "1"), NULL);
    answer(c, people(1, 2, 1, 1), 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_LIST_USER_CHATS);
    assert_int_equal(c->report.chat_mark_ms, 0);
    case_calls(c, STEP_LIST_USER_CHATS, "GET", "/users/u00001/conversations", NULL);
    case_ok(c, "{\"conversations\":[{\"id\":\"" CONVERSATION "\"},{\"id\":\"\"},7,{\"id\":\"c-2\"}]}");
    case_outcome(c, OUTCOME_DONE, STEP_LIST_USER_CHATS);
    assert_int_equal(c->report.conversations.count, 2);
    assert_string_equal(c->report.conversations.items[0].id, CONVERSATION);
    assert_int_equal(c->report.conversations.items[0].time_ms, 0);
    assert_string_equal(c->report.conversations.items[1].id, "c-2");
    assert_int_equal(c->report.chat_mark_ms, 0);
    case_calls(c, STEP_LIST_USER_CHATS, "GET", "/users/u00002/conversations", NULL);
    case_ok(c, "{\"conversations\":[]}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.conversations.count, 0);
    assert_int_equal(c->report.chat_mark_ms, second_ms + 2000);
    assert_int_equal(case_begin(c, STEP_LIST_USER_CHATS), STEP_ANSWER); // nobody is left
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_free(c);
}

static void the_first_round_of_customers_sets_the_mark(void **state)
{
    (void)state;
    struct flow_case *c = users(0);
    uint64_t date_ms = now_ms();
    assert_int_equal(case_begin(c, STEP_LIST_USERS), STEP_CALL);
    assert_near(asked_from(c, "updated_from="), now_ms() - 600000);
    case_answer(c, ANSWER_OK, 200, date_ms, "{\"users\":[]}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.chat_mark_ms, date_ms - 60000);
    case_free(c);

    c = users(0);
    case_begin(c, STEP_LIST_USERS);
    case_answer(c, ANSWER_OK, 200, SAID_MS, "{\"users\":[]}"); // our clock is far off
    case_outcome(c, OUTCOME_DONE, STEP_LIST_USERS);
    case_begin(c, STEP_LIST_USERS);
    assert_near(asked_from(c, "updated_from="), SAID_MS - 600000);
    case_free(c);

    c = users(SAID_MS);
    case_begin(c, STEP_LIST_USERS);
    case_ok(c, "{\"users\":[]}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.chat_mark_ms, 0); // unchanged
    case_free(c);
}

// Answers for every customer that is listed; returns how many there were.
static size_t visit_all(struct flow_case *c)
{
    size_t count = 0;
    while (c->report.outcome == OUTCOME_DONE && c->report.next_step == STEP_LIST_USER_CHATS && count < 1000) {
        assert_int_equal(case_begin(c, STEP_LIST_USER_CHATS), STEP_CALL);
        case_ok(c, "{\"conversations\":[{\"id\":\"c-1\"}]}");
        assert_int_equal(c->report.conversations.count, 1);
        count++;
    }
    return count;
}

static void more_customers_than_one_job_carries_go_in_turns(void **state)
{
    (void)state;
    struct flow_case *c = users(SAID_MS);
    for (uint64_t page = 1; page <= 4; page++) {
        char path[200];
        snprintf(path, sizeof path, USERS("10%%3A15%%3A30.456", "%d"), (int)page);
        case_calls(c, STEP_LIST_USERS, "GET", path, NULL);
        answer(c, people(page * 50, 50, page, 5), 0, NULL);
        case_outcome(c, OUTCOME_DONE, page < 4 ? STEP_LIST_USERS : STEP_LIST_USER_CHATS);
    }
    assert_int_equal(c->context.found.users.count, 200);
    assert_int_equal(visit_all(c), 200);
    case_outcome(c, OUTCOME_DONE, STEP_LIST_USERS);
    assert_int_equal(c->report.chat_mark_ms, 0);
    case_calls(c, STEP_LIST_USERS, "GET", USERS("10%3A15%3A30.456", "5"), NULL);
    answer(c, people(10, 50, 5, 5), 0, NULL);
    assert_int_equal(visit_all(c), 50);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.chat_mark_ms, second_ms + 249000);
    case_free(c);
}

static void a_customer_is_visited_once_and_none_holds_up_the_others(void **state)
{
    (void)state;
    struct flow_case *c = users(SAID_MS);
    case_begin(c, STEP_LIST_USERS);
    answer(c, people(1, 2, 1, 2), 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_LIST_USERS);
    case_begin(c, STEP_LIST_USERS);
    answer(c, people(2, 3, 2, 2), 0, NULL);
    assert_int_equal(c->context.found.users.count, 4);
    case_begin(c, STEP_LIST_USER_CHATS);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_LIST_USER_CHATS);
    case_calls(c, STEP_LIST_USER_CHATS, "GET", "/users/u00002/conversations", NULL);
    case_answer(c, ANSWER_REFUSED, 400, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_LIST_USER_CHATS);
    case_fails_plainly(c, STEP_LIST_USER_CHATS, false);
    case_calls(c, STEP_LIST_USER_CHATS, "GET", "/users/u00003/conversations", NULL);
    json_t *list = json_array();
    for (int i = 0; i < 250; i++)
        json_array_append_new(list, json_pack("{s:i}", "id", 1000 + i));
    answer(c, json_pack("{s:o}", "conversations", list), 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_LIST_USER_CHATS);
    assert_int_equal(c->report.conversations.count, 200);
    assert_string_equal(c->report.conversations.items[199].id, "1199");
    case_begin(c, STEP_LIST_USER_CHATS);
    case_answer(c, ANSWER_AUTH, 403, 0, NULL);
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    assert_string_equal(c->report.cause, no_users);
    case_free(c);
}

static void an_account_that_lists_no_users_is_told_in_one_sentence(void **state)
{
    (void)state;
    static const struct {
        enum answer answer;
        long status;
    } rows[] = {{ANSWER_AUTH, 403}, {ANSWER_NOT_FOUND, 404}, {ANSWER_REFUSED, 400}};
    struct flow_case *c = users(SAID_MS);
    case_fails_plainly(c, STEP_LIST_USERS, false);
    for (size_t i = 0; i < 3; i++) {
        case_begin(c, STEP_LIST_USERS);
        case_answer(c, rows[i].answer, rows[i].status, 0, NULL);
        case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
        assert_string_equal(c->report.cause, no_users);
    }
    case_begin(c, STEP_LIST_USERS);
    answer(c, people(1, 201, 1, 1), 0, NULL);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tickets_that_may_be_a_conversations_are_reported),
        cmocka_unit_test(the_desk_mark_never_goes_back_or_into_the_future),
        cmocka_unit_test(the_first_round_looks_back_ten_minutes),
        cmocka_unit_test(each_page_of_tickets_begins_where_the_last_ended),
        cmocka_unit_test(a_round_of_tickets_ends_after_twenty_calls_unless_it_stood_still),
        cmocka_unit_test(lists_of_tickets_that_make_no_sense_move_nothing),
        cmocka_unit_test(messages_are_reported_as_they_are_oldest_first),
        cmocka_unit_test(the_chat_mark_moves_with_the_last_page_only),
        cmocka_unit_test(a_conversation_without_a_mark_is_read_from_its_beginning),
        cmocka_unit_test(an_unknown_conversation_is_asked_for_by_its_number_once),
        cmocka_unit_test(a_report_of_messages_keeps_its_bounds),
        cmocka_unit_test(a_round_of_messages_ends_early_only_oldest_first),
        cmocka_unit_test(answers_without_messages_are_tried_again),
        cmocka_unit_test(conversations_of_changed_customers_are_reported),
        cmocka_unit_test(the_first_round_of_customers_sets_the_mark),
        cmocka_unit_test(more_customers_than_one_job_carries_go_in_turns),
        cmocka_unit_test(a_customer_is_visited_once_and_none_holds_up_the_others),
        cmocka_unit_test(an_account_that_lists_no_users_is_told_in_one_sentence),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
