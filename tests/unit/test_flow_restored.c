// SPDX-License-Identifier: Apache-2.0
// Looks after a backup was put in the ledger's place: what jobs that nobody remembers wrote is found as whole notes, in
// notes of several messages, in the ticket's description, as an agent's own entry; and nothing else is taken for it.
#include "tests/unit/flow_case.h"

#define ENTRIES_PATH     "/tickets/42/conversations?per_page=100&page=1"
#define LINE(time, text) "<div><b>" time " UTC</b> " text "</div>"
#define ENTRY(id, incoming, source, user, body)                                                                        \
    "{\"id\":" id ",\"created_at\":\"2025-03-04T10:20:31Z\",\"incoming\":" incoming                                    \
    ",\"private\":false,\"source\":" source ",\"user_id\":" user ",\"body\":\"" body "\"}"

static struct flow_case *restored(const char *text)
{
    struct flow_case *c = case_new("");
    c->parts[0].text = text;
    c->job.restored = true;
    c->job.since_ms = SAID_MS - 3600000;
    c->job.lane.ticket_id = 42;
    c->job.lane.requester_id = 77;
    c->context.clock_known[UPSTREAM_FRESHDESK] = true;
    c->context.clock_known[UPSTREAM_FRESHCHAT] = true;
    return c;
}

static struct flow_case *typed(const char *text)
{
    struct flow_case *c = restored(text);
    c->events[0].kind = EVENT_AGENT_MESSAGE;
    c->events[0].actor = OTHER_AGENT;
    c->context.found.agent_name = "Ida";
    c->context.found.desk_agent = 9;
    return c;
}

static void look(struct flow_case *c, enum step step, const char *page, bool found)
{
    case_calls(c, step, "GET", ENTRIES_PATH, NULL);
    case_ok(c, page);
    case_outcome(c, found || step == STEP_LOOK_NOTE ? OUTCOME_DONE : OUTCOME_NOT_FOUND,
                 found || step != STEP_LOOK_NOTE ? STEP_NONE : STEP_LOOK_NOTE);
}

// ---- a customer's message -------------------------------------------------------------------------------------------

static void a_message_is_found_in_a_note_of_several(void **state)
{
    static const char page[] =
        "[" ENTRY("9", "true", "2", "78", LINE("10:20:29", "Hello") LINE("10:20:30", "ok") LINE("10:20:31", "so")) "]";
    (void)state;
    struct flow_case *c = restored("ok");
    look(c, STEP_LOOK_NOTE, page, true);
    c->context.written_ms = SAID_MS + 2 * 86400000;
    look(c, STEP_LOOK_NOTE, page, true);
    look(c, STEP_LOOK_NOTE,
         "[" ENTRY("9", "true", "2", "78", LINE("2025-03-04 10:20:30", "ok") LINE("2025-03-04 10:20:31", "so")) "]",
         true);
    assert_string_equal(c->report.desk_written.items[0].id, "9");
    // Another message of that note adopted it already, and one that came after it.
    struct written known[2] = {{"9", SAID_MS}, {"10", SAID_MS + 5000}};
    c->job.lane.desk_written.items = known;
    c->job.lane.desk_written.count = 2;
    look(c, STEP_LOOK_NOTE, page, true);
    // Without a restored backup such a note is another's.
    c->job.restored = false;
    case_begin(c, STEP_LOOK_NOTE);
    case_ok(c, page);
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    case_free(c);
}

static void nothing_else_is_taken_for_it(void **state)
{
    static const char *const pages[] = {
        "[" ENTRY("9", "true", "2", "77", LINE("10:20:30", "okay")) "]", // begins like it
        "[" ENTRY("9", "true", "2", "77", LINE("10:20:31", "ok")) "]",   // another second
        "[" ENTRY("9", "false", "2", "77", LINE("10:20:30", "ok")) "]",  // an agent's
        "[{\"id\":9,\"created_at\":\"2025-03-04T10:20:31Z\",\"incoming\":true,\"private\":true,\"source\":2,"
        "\"user_id\":77,\"body\":\"" LINE("10:20:30", "ok") "\"}]",
        "[{\"id\":9,\"created_at\":\"2025-03-03T10:20:31Z\",\"incoming\":true,\"private\":false,\"source\":2,"
        "\"user_id\":77,\"body\":\"" LINE("10:20:30", "ok") "\"}]", // the day before
        "[]",
    };
    (void)state;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct flow_case *c = restored("ok");
        look(c, STEP_LOOK_NOTE, pages[i], false);
        case_calls(c, STEP_LOOK_NOTE, "GET", "/tickets/42", NULL);
        case_ok(c, "{\"id\":42,\"description\":\"" LINE("10:20:29", "ok") "<hr><div>From the shop&#39;s chat</div>\"}");
        case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
        assert_int_equal(c->context.found.part, 0);
        case_free(c);
    }
}

static void a_message_is_found_in_the_description(void **state)
{
    (void)state;
    struct flow_case *c = restored("ok");
    look(c, STEP_LOOK_NOTE, "[]", false);
    case_calls(c, STEP_LOOK_NOTE, "GET", "/tickets/42", NULL);
    case_ok(c, "{\"id\":42,\"description\":\"" LINE("10:20:30", "ok") "<hr><div>From the shop&#39;s chat</div>\"}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.desk_written.count, 0); // the ticket is no entry
    look(c, STEP_LOOK_NOTE, "[]", false);
    case_begin(c, STEP_LOOK_NOTE);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    c->context.found.part = 1;
    case_fails_plainly(c, STEP_LOOK_NOTE, false);
    case_free(c);
}

// ---- the ticket -----------------------------------------------------------------------------------------------------

#define TICKET(description)                                                                                            \
    "[{\"id\":42,\"requester_id\":7,\"created_at\":\"2025-03-04T10:20:32Z\",\"updated_at\":\"2025-03-04T10:20:32Z\","  \
    "\"custom_fields\":{\"cf_freshchat_conversation_id\":\"" CONVERSATION "\"}" description "}]"

static void a_ticket_opened_with_another_message_gets_this_one(void **state)
{
    (void)state;
    struct flow_case *c = restored("ok");
    c->job.lane.ticket_id = 0;
    assert_int_equal(case_begin(c, STEP_LOOK_TICKET), STEP_CALL);
    assert_true(case_has(c->request.path, "&include=description"));
    case_ok(c, TICKET(",\"description\":\"" LINE("10:20:30", "ok") "<hr><div>From the shop's chat</div>\""));
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.ticket_id, 42);
    case_begin(c, STEP_LOOK_TICKET);
    case_ok(c, TICKET(",\"description\":\"" LINE("10:11:12", "first") "<hr><div>From the shop's chat</div>\""));
    case_outcome(c, OUTCOME_DONE, STEP_APPEND_NOTE);
    assert_int_equal(c->report.ticket_id, 42);
    assert_int_equal(c->report.requester_id, 7);
    case_begin(c, STEP_LOOK_TICKET);
    case_ok(c, TICKET(""));
    case_outcome(c, OUTCOME_DONE, STEP_APPEND_NOTE);
    case_free(c);
}

// ---- an agent's message in the chat ---------------------------------------------------------------------------------

static void a_mirror_is_known_by_its_line(void **state)
{
    (void)state;
    struct flow_case *c = typed("I will call you");
    static const char dated[] = "[" ENTRY(
        "9", "false", "2", "5", "<div><b>Ida</b> (in chat, 2025-03-04 10:20:30 UTC): I will call you</div>") "]";
    look(c, STEP_LOOK_MIRROR, dated, true);
    c->context.written_ms = SAID_MS + 2 * 86400000;
    look(c, STEP_LOOK_MIRROR, dated, true);
    // By another author and name: who the agent is may have been read differently then.
    look(c, STEP_LOOK_MIRROR,
         "[" ENTRY("9", "false", "2", "5", "<div><b>An agent</b> (in chat, 10:20:30 UTC): I will call you</div>") "]",
         true);
    assert_string_equal(c->report.desk_written.items[0].id, "9");
    look(c, STEP_LOOK_MIRROR,
         "[" ENTRY("9", "false", "2", "5", "<div><b>Ida</b> (in chat, 10:20:31 UTC): I will call you</div>") "]",
         false);
    case_free(c);
}

static void the_echo_of_a_reply_is_its_entry(void **state)
{
    (void)state;
    struct flow_case *c = typed("I will call you");
    look(c, STEP_LOOK_MIRROR, "[" ENTRY("9", "false", "0", "5", "<p>I will <b>call</b> you</p>") "]", true);
    assert_int_equal(c->report.desk_written.count, 0); // it is not ours
    assert_int_equal(c->report.delivered.count, 0);    // and its relay finds the message itself
    // Behind the agent's name, where somebody else's identity speaks.
    c->parts[0].text = "Ida: I will call you";
    look(c, STEP_LOOK_MIRROR, "[" ENTRY("9", "false", "2", "5", "I will call you") "]", true);
    c->parts[0].text = "I will call you";
    struct written known = {"9", SAID_MS};
    c->job.lane.delivered.items = &known;
    c->job.lane.delivered.count = 1;
    look(c, STEP_LOOK_MIRROR, "[" ENTRY("9", "false", "0", "5", "I will call you") "]", false);
    c->job.lane.delivered.count = 0;
    static const char *const others[] = {
        "[" ENTRY("9", "false", "0", "5", "Then I will call you") "]",
        "[" ENTRY("9", "false", "0", "5", "I will call you soon") "]",
        "[" ENTRY("9", "true", "0", "5", "I will call you") "]",
        "[{\"id\":9,\"created_at\":\"2025-03-04T10:20:31Z\",\"incoming\":false,\"private\":true,\"source\":2,"
        "\"user_id\":5,\"body\":\"I will call you\"}]",
        // written after it was said
        "[{\"id\":9,\"created_at\":\"2025-03-04T10:25:31Z\",\"incoming\":false,\"private\":false,\"source\":0,"
        "\"user_id\":5,\"body\":\"I will call you\"}]",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        look(c, STEP_LOOK_MIRROR, others[i], false);
    c->job.restored = false;
    look(c, STEP_LOOK_MIRROR, "[" ENTRY("9", "false", "0", "9", "I will call you") "]", false);
    case_free(c);
}

static void a_piece_of_a_long_reply_is_its_entry_too(void **state)
{
    (void)state;
    enum { LONG = 9000 };
    char text[LONG + 1], page[LONG + 300];
    for (int i = 0; i < LONG; i++)
        text[i] = i % 7 == 6 ? ' ' : (char)('a' + i * 7 / 26 % 26);
    text[LONG] = '\0';
    snprintf(page, sizeof page, "[" ENTRY("9", "false", "0", "5", "%s") "]", text);
    struct flow_case *c = typed("");
    c->parts[0].text = arena_copy(c->arena, text, 4000);
    look(c, STEP_LOOK_MIRROR, page, true);
    c->parts[0].text = arena_copy(c->arena, text + 8003, LONG - 8003);
    look(c, STEP_LOOK_MIRROR, page, true);
    c->parts[0].text = "not a word of it";
    look(c, STEP_LOOK_MIRROR, page, false);
    case_free(c);
}

// ---- replies --------------------------------------------------------------------------------------------------------

static void mirrors_of_a_lost_time_are_not_said_in_the_chat(void **state)
{
    static const char page[] =
        "[" ENTRY("1", "false", "2", "5", "<div><b>Ida</b> (in chat, 10:20:30 UTC): typed</div>") "," ENTRY(
            "2", "false", "2", "5", "said (in chat, yesterday)") "]";
    (void)state;
    struct flow_case *c = restored("");
    c->events[0].kind = EVENT_HINT;
    c->events[0].ticket_id = 42;
    c->job.lane.rebuilt_ms = SAID_MS + 60000;
    case_begin(c, STEP_LIST_ENTRIES);
    case_ok(c, page);
    assert_int_equal(c->context.found.entries.count, 1);
    assert_string_equal(c->context.found.entries.items[0].id, "2");
    assert_true(c->context.found.entries.items[0].look_first);
    // Newer ones are known by their ids: of whatever else looks so the chat is asked (flow_repeat.c).
    c->job.lane.rebuilt_ms = SAID_MS - 60000;
    c->context.found.page = 0;
    case_begin(c, STEP_LIST_ENTRIES);
    case_ok(c, page);
    assert_int_equal(c->context.found.entries.count, 2);
    assert_true(c->context.found.entries.items[0].repeats);
    assert_false(c->context.found.entries.items[1].repeats);
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_found_in_a_note_of_several),
        cmocka_unit_test(nothing_else_is_taken_for_it),
        cmocka_unit_test(a_message_is_found_in_the_description),
        cmocka_unit_test(a_ticket_opened_with_another_message_gets_this_one),
        cmocka_unit_test(a_mirror_is_known_by_its_line),
        cmocka_unit_test(the_echo_of_a_reply_is_its_entry),
        cmocka_unit_test(a_piece_of_a_long_reply_is_its_entry_too),
        cmocka_unit_test(mirrors_of_a_lost_time_are_not_said_in_the_chat),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
