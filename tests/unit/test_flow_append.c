// SPDX-License-Identifier: Apache-2.0
// workers/flow_append: notes as they are sent, tickets that are gone, doubt and the look, equal messages.
#include "tests/unit/flow_case.h"

#define NOTES_PATH      "/tickets/42/notes"
#define ENTRIES_PATH(p) "/tickets/42/conversations?per_page=100&page=" p
#define NOTE_BODY       "<div><b>10:20:30 UTC</b> My boiler is cold</div>"

static struct flow_case *with_ticket(void)
{
    struct flow_case *c = case_new("");
    c->job.lane.ticket_id = 42;
    c->job.lane.requester_id = 77;
    c->context.clock_known[UPSTREAM_FRESHDESK] = true;
    return c;
}

static void all_gathered_messages_go_as_one_note(void **state)
{
    (void)state;
    struct flow_case *c = with_ticket();
    c->events[1] = case_event(&c->parts[1], "<img src=x onerror=alert(1)>\n& more");
    c->events[1].time_ms = SAID_MS + 61000;
    c->job.events.count = 2;
    case_calls(c, STEP_APPEND_NOTE, "POST", NOTES_PATH,
               "{\"body\":\"" NOTE_BODY
               "<div><b>10:21:31 UTC</b> &lt;img src=x onerror=alert(1)&gt;<br>&amp; more</div>\","
               "\"private\":false,\"incoming\":true,\"user_id\":77}");
    case_answer(c, ANSWER_OK, 201, 0,
                "{\"id\":4294967296001,\"created_at\":\"2025-03-04T10:22:00Z\",\"body\":\"<div>x</div>\"}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.desk_written.count, 1);
    assert_string_equal(c->report.desk_written.items[0].id, "4294967296001");
    assert_int_equal(c->report.desk_written.items[0].time_ms, 1741083720000);
    assert_string_equal(c->report.what, "messages appended");
    case_begin(c, STEP_APPEND_NOTE);
    case_ok(c, "{\"id\":7}");
    assert_int_equal(c->report.followups.count, 1);
    assert_int_equal(c->report.followups.items[0].kind, EVENT_KEEP_OPEN);
    assert_true(c->report.desk_written.items[0].time_ms > SAID_MS); // no time said: now
    case_free(c);
}

static void a_ticket_that_is_gone_is_followed_by_a_new_one(void **state)
{
    static const long codes[] = {404, 405};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct flow_case *c = with_ticket();
        c->events[1] = case_event(&c->parts[1], "second");
        c->job.events.count = 2;
        c->job.lane.context.read = true;
        c->job.lane.context.cart = "12";
        c->context.found.omit = 1;
        case_begin(c, STEP_APPEND_NOTE);
        case_answer(c, codes[i] == 404 ? ANSWER_NOT_FOUND : ANSWER_REFUSED, codes[i], 0, NULL);
        case_outcome(c, OUTCOME_DONE, STEP_CREATE_TICKET);
        assert_string_equal(c->context.found.closed_ticket, "42");
        assert_int_equal(c->report.ticket_id, 0);
        assert_int_equal(case_begin(c, STEP_CREATE_TICKET), STEP_CALL);
        assert_true(case_has(c->request.body, NOTE_BODY "<div><b>10:20:30 UTC</b> second</div>"));
        assert_true(case_has(c->request.body, "Follows ticket #42"));
        assert_true(case_has(c->request.body, "\"cf_cart_value\":\"12\""));
        case_free(c);
    }
}

static void failures_of_the_note_call(void **state)
{
    (void)state;
    struct flow_case *c = with_ticket();
    case_fails_plainly(c, STEP_APPEND_NOTE, true);
    case_begin(c, STEP_APPEND_NOTE);
    case_answer(c, ANSWER_REFUSED, 400, 0, "{\"errors\":[{\"field\":\"body\"}]}");
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    // a requester who is no longer there: the note goes without an author
    case_begin(c, STEP_APPEND_NOTE);
    case_answer(c, ANSWER_REFUSED, 400, 0, "{\"errors\":[{\"field\":\"user_id\",\"code\":\"invalid_value\"}]}");
    case_outcome(c, OUTCOME_DONE, STEP_APPEND_NOTE);
    case_calls(c, STEP_APPEND_NOTE, "POST", NOTES_PATH,
               "{\"body\":\"" NOTE_BODY "\",\"private\":false,\"incoming\":true}");
    case_answer(c, ANSWER_REFUSED, 400, 0, "{\"errors\":[{\"field\":\"user_id\"}]}");
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    case_free(c);
}

// ---- the look -------------------------------------------------------------------------------------------------------

#define ENTRY(id, second, incoming, private, user, body)                                                               \
    "{\"id\":" id ",\"created_at\":\"2025-03-04T10:20:" second "Z\",\"incoming\":" incoming                            \
    ",\"private\":" private ",\"user_id\":" user ",\"source\":2,\"body\":\"" body "\",\"body_text\":\"\"}"

static void a_look_adopts_the_note(void **state)
{
    (void)state;
    struct flow_case *c = with_ticket();
    case_calls(c, STEP_LOOK_NOTE, "GET", ENTRIES_PATH("1"), NULL);
    case_ok(c, "[" ENTRY("1", "20", "true", "false", "77", NOTE_BODY) "," // long before the write
            ENTRY("2", "31", "false", "false", "77", NOTE_BODY) ","       // not incoming
            ENTRY("3", "31", "true", "true", "77", NOTE_BODY) ","         // private
            ENTRY("4", "31", "true", "false", "78", NOTE_BODY) ","        // another author
            ENTRY("5", "31", "true", "false", "77", "<div>10:20:30 UTC other words</div>") "," ENTRY(
                "6", "32", "true", "false", "77",
                "<div "
                "class='x'><div><b>10:20:30&"
                "nbsp;UTC</b>\\n  My  boiler "
                "is "
                "<span>cold</span></div></"
                "div>") "," ENTRY("7", "33", "true", "false", "77", NOTE_BODY) "]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.desk_written.count, 1);
    assert_string_equal(c->report.desk_written.items[0].id, "6");
    assert_int_equal(c->report.desk_written.items[0].time_ms, 1741083632000);
    assert_string_equal(c->report.what, "messages appended");
    // only the text came: it is compared as well
    case_begin(c, STEP_LOOK_NOTE);
    case_ok(c, "[{\"id\":9,\"created_at\":\"2025-03-04T10:20:31Z\",\"incoming\":true,\"private\":false,\"user_id\":77,"
               "\"body_text\":\"10:20:30 UTC My boiler is cold\"}]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_free(c);
}

static void a_message_of_another_day_bears_its_date(void **state)
{
    static const char *const forms[] = {NOTE_BODY, "<div><b>2025-03-04 10:20:30 UTC</b> My boiler is cold</div>"};
    (void)state;
    struct flow_case *c = with_ticket();
    c->context.written_ms = SAID_MS + 3600000;
    assert_int_equal(case_begin(c, STEP_APPEND_NOTE), STEP_CALL);
    assert_true(case_has(c->request.body, forms[0]));
    c->context.written_ms = SAID_MS + 86400000;
    assert_int_equal(case_begin(c, STEP_APPEND_NOTE), STEP_CALL);
    assert_true(case_has(c->request.body, forms[1]));
    case_free(c);
    // a look finds what was written on either day, on either day
    for (int round = 0; round < 4; round++) {
        c = with_ticket();
        c->context.written_ms = SAID_MS + (round & 1 ? 86400000 : 1000);
        case_calls(c, STEP_LOOK_NOTE, "GET", ENTRIES_PATH("1"), NULL);
        case_ok(c,
                arena_printf(c->arena,
                             "[{\"id\":6,\"created_at\":\"2025-03-04T10:20:32Z\",\"incoming\":true,\"private\":false,"
                             "\"user_id\":77,\"body\":\"%s\"}]",
                             forms[round >> 1]));
        case_outcome(c, OUTCOME_DONE, STEP_NONE);
        assert_string_equal(c->report.desk_written.items[0].id, "6");
        case_free(c);
    }
}

static void two_equal_messages_are_each_adopted_once(void **state)
{
    (void)state;
    struct flow_case *c = with_ticket();
    static const char page[] =
        "[" ENTRY("10", "31", "true", "false", "77", "<div><b>10:20:30 UTC</b> ok</div>") "," ENTRY(
            "11", "31", "true", "false", "77", "<div><b>10:20:30 UTC</b> ok</div>") "]";
    struct written written[2];
    c->parts[0].text = "ok";
    case_begin(c, STEP_LOOK_NOTE);
    case_ok(c, page);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.desk_written.items[0].id, "10");
    written[0] = c->report.desk_written.items[0];
    c->job.lane.desk_written.items = written;
    c->job.lane.desk_written.count = 1;
    case_begin(c, STEP_LOOK_NOTE);
    case_ok(c, page);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.desk_written.items[0].id, "11");
    written[1] = c->report.desk_written.items[0];
    c->job.lane.desk_written.count = 2;
    case_begin(c, STEP_LOOK_NOTE);
    case_ok(c, page);
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    // what stands before the newest of ours is not the one that came after it
    written[0] = (struct written){.id = "12", .time_ms = 1741083632000};
    c->job.lane.desk_written.count = 1;
    case_begin(c, STEP_LOOK_NOTE);
    case_ok(c, page);
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    case_free(c);
}

static void a_look_reads_all_pages(void **state)
{
    (void)state;
    struct flow_case *c = with_ticket();
    json_t *list = json_array();
    for (int i = 0; i < 100; i++)
        json_array_append_new(list,
                              json_pack("{s:i,s:s,s:b,s:b,s:i,s:s}", "id", i + 1, "created_at", "2025-03-04T10:20:31Z",
                                        "incoming", 1, "private", 0, "user_id", 77, "body", "other"));
    char *full = json_dumps(list, 0);
    case_begin(c, STEP_LOOK_NOTE);
    case_ok(c, full);
    case_outcome(c, OUTCOME_DONE, STEP_LOOK_NOTE);
    case_calls(c, STEP_LOOK_NOTE, "GET", ENTRIES_PATH("2"), NULL);
    case_ok(c, "[" ENTRY("200", "31", "true", "false", "77", NOTE_BODY) "]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.desk_written.items[0].id, "200");
    assert_int_equal(c->context.found.page, 0);
    case_begin(c, STEP_LOOK_NOTE);
    case_ok(c, full);
    case_calls(c, STEP_LOOK_NOTE, "GET", ENTRIES_PATH("2"), NULL);
    case_ok(c, "[]");
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    free(full);
    json_decref(list);
    case_fails_plainly(c, STEP_LOOK_NOTE, false);
    case_begin(c, STEP_LOOK_NOTE);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    case_free(c);
}

static void the_helpdesk_clock_decides(void **state)
{
    (void)state;
    struct flow_case *c = with_ticket();
    // Its clock is ten minutes behind the chat's: what it dates 10:10:32 was written after 10:20:30 there.
    c->job.since_there_ms = 0;
    c->context.clock_known[UPSTREAM_FRESHCHAT] = true;
    c->context.clock_ahead_ms[UPSTREAM_FRESHDESK] = -600000;
    case_begin(c, STEP_LOOK_NOTE);
    case_ok(c, "[{\"id\":9,\"created_at\":\"2025-03-04T10:10:32Z\",\"incoming\":true,\"private\":false,\"user_id\":77,"
               "\"body\":\"" NOTE_BODY "\"}]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_free(c);
    // Not known before: learnt from the answer itself.
    c = with_ticket();
    c->job.since_there_ms = 0;
    c->context.clock_known[UPSTREAM_FRESHCHAT] = true;
    c->context.clock_known[UPSTREAM_FRESHDESK] = false;
    case_begin(c, STEP_LOOK_NOTE);
    case_answer(c, ANSWER_OK, 200, (uint64_t)(clock_wall_ms() - 600000),
                "[{\"id\":9,\"created_at\":\"2025-03-04T10:10:32Z\",\"incoming\":true,\"private\":false,\"user_id\":77,"
                "\"body\":\"" NOTE_BODY "\"}]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.desk_written.count, 1);
    case_free(c);
}

#define NOTED(id, time)                                                                                                \
    "{\"id\":" id ",\"created_at\":\"2025-03-04T" time                                                                 \
    "Z\",\"incoming\":true,\"private\":false,\"user_id\":77,\"body\":\"" NOTE_BODY "\"}"

// Whatever our clock said at the claim: where the look begins is the helpdesk's time of it, or that of the words.
static void a_clock_that_was_set_since_the_claim_is_not_believed(void **state)
{
    static const int64_t steps_ms[] = {20000, -20000, 60 * 86400000LL, -60 * 86400000LL};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof steps_ms / sizeof *steps_ms; i++) {
        struct flow_case *c = with_ticket();
        bool told = i % 2;
        c->job.since_ms = (uint64_t)((int64_t)SAID_MS + steps_ms[i / 2]);
        c->job.since_there_ms = told ? SAID_MS + 200 : 0;
        case_begin(c, STEP_LOOK_NOTE);
        case_ok(c, told ? "[" NOTED("8", "10:20:20") "," NOTED("9", "10:20:31") "]"
                        : "[" NOTED("8", "10:19:20") "," NOTED("9", "10:20:31") "]");
        case_outcome(c, OUTCOME_DONE, STEP_NONE);
        assert_int_equal(c->report.desk_written.count, 1);
        assert_string_equal(c->report.desk_written.items[0].id, "9");
        case_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_gathered_messages_go_as_one_note),
        cmocka_unit_test(a_ticket_that_is_gone_is_followed_by_a_new_one),
        cmocka_unit_test(failures_of_the_note_call),
        cmocka_unit_test(a_look_adopts_the_note),
        cmocka_unit_test(a_message_of_another_day_bears_its_date),
        cmocka_unit_test(two_equal_messages_are_each_adopted_once),
        cmocka_unit_test(a_look_reads_all_pages),
        cmocka_unit_test(the_helpdesk_clock_decides),
        cmocka_unit_test(a_clock_that_was_set_since_the_claim_is_not_believed),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
