// SPDX-License-Identifier: Apache-2.0
// workers/flow_post: replies in the chat, in order, as whom, in pieces; doubt and the look.
#include "tests/unit/flow_case.h"

#define POST_PATH "/conversations/" CONVERSATION "/messages"
#define BODY(text, actor)                                                                                              \
    "{\"message_parts\":[{\"text\":{\"content\":\"" text "\"}}],\"message_type\":\"normal\",\"actor_type\":\"agent\"," \
    "\"actor_id\":\"" actor "\"}"

static struct entry entries[3];

// Three entries by the agents 9, 9 and 8 wait; who 9 is in the chat is known.
static struct flow_case *listed(const char *config)
{
    struct flow_case *c = case_new(config);
    for (int i = 0; i < 3; i++)
        entries[i] = (struct entry){.time_ms = SAID_MS - 1000 + (uint64_t)i, .author = i < 2 ? 9 : 8};
    entries[0].id = "101";
    entries[0].text = "one";
    entries[1].id = "102";
    entries[1].text = "two";
    entries[2].id = "103";
    entries[2].text = "three";
    c->events[0] = (struct event){.kind = EVENT_HINT,
                                  .key = "",
                                  .conversation = CONVERSATION,
                                  .conversation_twin = "",
                                  .channel = "",
                                  .user = "",
                                  .actor = "",
                                  .message = "",
                                  .reason = "",
                                  .ticket_id = 42};
    c->job.lane.ticket_id = 42;
    c->context.clock_known[UPSTREAM_FRESHCHAT] = true;
    c->context.clock_known[UPSTREAM_FRESHDESK] = true;
    c->context.found.entries.items = entries;
    c->context.found.entries.count = 3;
    c->context.found.mark_ms = 5000;
    c->context.found.agent_known = true;
    c->context.found.agent_name = "Ida";
    c->context.found.agent_email = "ida@shop.example";
    c->context.found.chat_agent = AGENT;
    struct agent desk = {.exists = true, .id = "8", .email = "", .name = "Bo Ek", .first_name = "Bo"};
    agents_put(c->agents, UPSTREAM_FRESHDESK, &desk);
    return c;
}

static void replies_are_posted_one_by_one(void **state)
{
    (void)state;
    struct flow_case *c = listed("");
    case_calls(c, STEP_POST_MESSAGE, "POST", POST_PATH, BODY("one", AGENT));
    case_answer(c, ANSWER_OK, 201, 0, "{\"id\":\"m1\",\"created_time\":\"2025-03-04T10:20:30.456Z\"}");
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    assert_int_equal(c->report.delivered.count, 1);
    assert_string_equal(c->report.delivered.items[0].id, "101");
    assert_int_equal(c->report.delivered.items[0].time_ms, SAID_MS - 1000);
    assert_string_equal(c->report.chat_written.items[0].id, "m1");
    assert_int_equal(c->report.chat_written.items[0].time_ms, SAID_MS);
    assert_int_equal(c->report.mark_ms, 0);
    assert_string_equal(c->report.what, "reply in chat");
    case_calls(c, STEP_POST_MESSAGE, "POST", POST_PATH, BODY("two", AGENT));
    case_ok(c, "{\"message\":{\"id\":\"m2\"}}");
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    // the next author has no chat identity: the configured one speaks, and says for whom
    case_calls(c, STEP_POST_MESSAGE, "POST", POST_PATH, BODY("Bo: three", OTHER_AGENT));
    case_ok(c, "{\"id\":\"m3\"}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.mark_ms, 5000);
    assert_string_equal(c->report.delivered.items[0].id, "103");
    case_free(c);
}

static void an_unknown_author_is_looked_up_in_between(void **state)
{
    (void)state;
    struct flow_case *c = listed("");
    entries[1].author = 7;
    case_begin(c, STEP_POST_MESSAGE);
    case_ok(c, "{\"id\":\"m1\"}");
    case_outcome(c, OUTCOME_DONE, STEP_READ_DESK_AGENT);
    assert_string_equal(c->context.found.chat_agent, "");
    case_calls(c, STEP_READ_DESK_AGENT, "GET", "/agents/7", NULL);
    case_free(c);
}

static void long_replies_go_in_several_messages(void **state)
{
    (void)state;
    struct flow_case *c = listed("");
    char *text = calloc(1, 9001);
    memset(text, 'a', 9000);
    text[3990] = '\n';
    text[7000] = ' ';
    entries[0].text = text;
    c->context.found.entries.count = 1;
    c->context.found.chat_agent = "";
    case_begin(c, STEP_POST_MESSAGE);
    assert_true(case_has(c->request.body, "\"content\":\"Ida: aaa"));
    assert_true(case_has(c->request.body, "aaa\"}}]"));
    case_ok(c, "{\"id\":\"m1\"}");
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    assert_int_equal(c->context.found.part, 1);
    assert_int_equal(c->report.delivered.count, 0);
    assert_int_equal(c->report.chat_written.count, 1);
    assert_string_equal(c->report.what, "");
    case_begin(c, STEP_POST_MESSAGE);
    assert_true(case_has(c->request.body, "\"content\":\"aaa"));
    assert_true(strlen(c->request.body) < 3300);
    case_ok(c, "{\"id\":\"m2\"}");
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    case_begin(c, STEP_POST_MESSAGE);
    case_ok(c, "{\"id\":\"m3\"}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.delivered.count, 1);
    assert_int_equal(c->context.found.part, 0);
    // exactly what fits goes whole
    memset(text, 'b', 4000);
    text[4000] = '\0';
    entries[0].text = text;
    c->context.found.entries.items = entries;
    c->context.found.entries.count = 1;
    c->context.found.chat_agent = AGENT;
    c->context.found.agent_known = true;
    case_begin(c, STEP_POST_MESSAGE);
    case_ok(c, "{\"id\":\"m1\"}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    free(text);
    case_free(c);
}

static void the_numeric_twin_is_tried_once(void **state)
{
    (void)state;
    struct flow_case *c = listed("");
    c->job.lane.conversation_twin = "900100200300";
    case_begin(c, STEP_POST_MESSAGE);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, "{\"code\":404,\"status\":\"CONVERSATION_NOT_FOUND\",\"message\":\"no\"}");
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    case_calls(c, STEP_POST_MESSAGE, "POST", "/conversations/900100200300/messages", BODY("one", AGENT));
    case_ok(c, "{\"id\":\"m1\"}");
    case_calls(c, STEP_POST_MESSAGE, "POST", "/conversations/900100200300/messages", BODY("two", AGENT));
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    case_free(c);
    c = listed("");
    case_begin(c, STEP_POST_MESSAGE);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    assert_string_equal(c->report.delivered.items[0].id, "101"); // named: the replies behind it may pass
    case_free(c);
}

static void failures_of_the_message_call(void **state)
{
    (void)state;
    struct flow_case *c = listed("");
    case_fails_plainly(c, STEP_POST_MESSAGE, true);
    assert_int_equal(c->report.delivered.count, 0);
    case_begin(c, STEP_POST_MESSAGE);
    case_answer(c, ANSWER_REFUSED, 400, 0,
                "{\"code\":400,\"status\":\"INVALID_VALUE\",\"message\":\"This is not the latest conversation\"}");
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    assert_string_equal(c->report.delivered.items[0].id, "101");
    // an agent who may not speak there: the configured one does
    case_begin(c, STEP_POST_MESSAGE);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, "{\"code\":404,\"status\":\"AGENT_NOT_FOUND\",\"message\":\"x\"}");
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    case_calls(c, STEP_POST_MESSAGE, "POST", POST_PATH, BODY("Ida: one", OTHER_AGENT));
    case_answer(c, ANSWER_REFUSED, 400, 0, "{\"message\":\"Agent is inactive\"}");
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    assert_true(case_has(c->report.cause, "freshchat.agent_id"));
    case_free(c);
}

static void without_anyone_to_speak_it_says_what_to_set(void **state)
{
    (void)state;
    struct flow_case *c = listed("no agent");
    c->context.found.chat_agent = "";
    assert_int_equal(case_begin(c, STEP_POST_MESSAGE), STEP_ANSWER);
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    assert_true(case_has(c->report.cause, "freshchat.agent_id"));
    assert_true(case_has(c->report.cause, "ida@shop.example"));
    assert_string_equal(c->report.delivered.items[0].id, "101");
    case_free(c);
}

// ---- the look -------------------------------------------------------------------------------------------------------

#define LOOK_PATH(from, page) "/conversations/" CONVERSATION "/messages?from_time=" from "&items_per_page=50&page=" page
#define MESSAGE(id, second, type, actor, text)                                                                         \
    "{\"id\":\"" id "\",\"created_time\":\"2025-03-04T10:20:" second ".000Z\",\"actor_type\":\"" type                  \
    "\",\"actor_id\":\"" actor "\",\"message_parts\":[{\"text\":{\"content\":\"" text "\"}}]}"

static void a_look_adopts_the_message(void **state)
{
    (void)state;
    struct flow_case *c = listed("");
    struct written known = {.id = "m0", .time_ms = SAID_MS};
    c->job.lane.chat_written.items = &known;
    c->job.lane.chat_written.count = 1;
    case_calls(c, STEP_LOOK_MESSAGE, "GET", LOOK_PATH("2025-03-04T10%3A10%3A25.656Z", "1"), NULL);
    case_ok(
        c,
        "{\"messages\":[" MESSAGE("m7", "33", "agent", AGENT, "one") "," MESSAGE(
            "m6", "32", "agent", AGENT,
            "<p> one</p>") "," MESSAGE("m5", "31", "user", AGENT,
                                       "one") "," MESSAGE("m4", "31", "agent", OTHER_AGENT,
                                                          "one") "," MESSAGE("m3", "31", "agent", AGENT,
                                                                             "other") "," MESSAGE("m0", "31", "agent",
                                                                                                  AGENT,
                                                                                                  "one") "," MESSAGE("m"
                                                                                                                     "1",
                                                                                                                     "1"
                                                                                                                     "0",
                                                                                                                     "a"
                                                                                                                     "g"
                                                                                                                     "e"
                                                                                                                     "n"
                                                                                                                     "t",
                                                                                                                     AGENT,
                                                                                                                     "o"
                                                                                                                     "n"
                                                                                                                     "e") ",7]}");
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    assert_string_equal(c->report.chat_written.items[0].id, "m6");
    assert_string_equal(c->report.delivered.items[0].id, "101");
    assert_string_equal(c->context.found.entries.items[0].id, "102");
    assert_string_equal(c->report.what, "reply in chat");
    case_free(c);
}

static void two_equal_replies_are_each_adopted_once(void **state)
{
    (void)state;
    struct flow_case *c = listed("");
    struct written known = {.id = "m1", .time_ms = SAID_MS};
    static const char page[] =
        "{\"messages\":[" MESSAGE("m2", "31", "agent", AGENT, "ok") "," MESSAGE("m1", "31", "agent", AGENT, "ok") "]}";
    entries[0].text = entries[1].text = "ok";
    case_begin(c, STEP_LOOK_MESSAGE);
    case_ok(c, page);
    assert_string_equal(c->report.chat_written.items[0].id, "m1");
    c->job.lane.chat_written.items = &known;
    c->job.lane.chat_written.count = 1;
    case_begin(c, STEP_LOOK_MESSAGE);
    case_ok(c, page);
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    assert_string_equal(c->report.chat_written.items[0].id, "m2");
    assert_string_equal(c->report.delivered.items[0].id, "102");
    case_free(c);
}

static void a_clock_that_was_set_since_the_claim_is_not_believed(void **state)
{
    static const int64_t steps_ms[] = {20000, -20000, 60 * 86400000LL, -60 * 86400000LL};
    static const char page[] = "{\"messages\":[" MESSAGE("m2", "32", "agent", AGENT,
                                                         "one") "," MESSAGE("m1", "20", "agent", AGENT, "one") "]}";
    (void)state;
    for (size_t i = 0; i < sizeof steps_ms / sizeof *steps_ms; i++) {
        struct flow_case *c = listed("");
        c->job.since_ms = (uint64_t)((int64_t)SAID_MS + steps_ms[i]);
        case_begin(c, STEP_LOOK_MESSAGE);
        case_ok(c, page);
        case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
        assert_string_equal(c->report.chat_written.items[0].id, "m2");
        case_free(c);
        c = listed("");
        c->job.since_ms = (uint64_t)((int64_t)SAID_MS + steps_ms[i]);
        c->job.since_there_ms = 0; // a minute before the entry was written, then
        entries[0].time_ms = SAID_MS + 80000;
        case_begin(c, STEP_LOOK_MESSAGE);
        case_ok(c, page);
        case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
        case_free(c);
        c = listed("");
        c->job.since_ms = (uint64_t)((int64_t)SAID_MS + steps_ms[i]);
        c->job.since_there_ms = 0;
        case_begin(c, STEP_LOOK_MESSAGE);
        case_ok(c, "{\"messages\":[" MESSAGE("m2", "32", "agent", AGENT, "one") "]}");
        case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
        case_free(c);
    }
}

static void a_look_reads_all_pages(void **state)
{
    (void)state;
    struct flow_case *c = listed("");
    case_begin(c, STEP_LOOK_MESSAGE);
    case_ok(c, "{\"messages\":[" MESSAGE("m3", "31", "agent", AGENT,
                                         "other") "],\"link\":{\"href\":\"/v2/x\",\"rel\":\"next\"}}");
    case_outcome(c, OUTCOME_DONE, STEP_LOOK_MESSAGE);
    case_calls(c, STEP_LOOK_MESSAGE, "GET", LOOK_PATH("2025-03-04T10%3A10%3A25.656Z", "2"), NULL);
    case_ok(c, "{\"messages\":[],\"link\":{\"href\":\"/v2/x\",\"rel\":\"next\"}}");
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    assert_int_equal(c->context.found.page, 0);
    case_fails_plainly(c, STEP_LOOK_MESSAGE, false);
    // the twin, then nothing
    c->job.lane.conversation_twin = "9001";
    case_begin(c, STEP_LOOK_MESSAGE);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_LOOK_MESSAGE);
    case_begin(c, STEP_LOOK_MESSAGE);
    assert_true(case_has(c->request.path, "/conversations/9001/messages?"));
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    case_free(c);
}

static void entries_of_a_rebuilt_link_are_looked_for_since_they_were_written(void **state)
{
    (void)state;
    struct flow_case *c = listed("");
    entries[0].look_first = entries[1].look_first = true;
    entries[0].time_ms = SAID_MS - 3600000;
    // The helpdesk's clock is 5 minutes ahead of ours, the chat's 1 minute behind.
    c->context.clock_ahead_ms[UPSTREAM_FRESHDESK] = 300000;
    c->context.clock_ahead_ms[UPSTREAM_FRESHCHAT] = -60000;
    case_calls(c, STEP_LOOK_MESSAGE, "GET", LOOK_PATH("2025-03-04T09%3A03%3A30.456Z", "1"), NULL);
    case_ok(c, "{\"messages\":[{\"id\":\"m1\",\"created_time\":\"2025-03-04T09:14:29.000Z\",\"actor_type\":\"agent\","
               "\"actor_id\":\"" AGENT "\",\"message_parts\":[{\"text\":{\"content\":\"one\"}}]}]}");
    // found; the next one is looked for as well, but not as a page of this look
    case_outcome(c, OUTCOME_DONE, STEP_READ_DESK_AGENT);
    assert_string_equal(c->report.delivered.items[0].id, "101");
    assert_int_equal(case_begin(c, STEP_READ_DESK_AGENT), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_LOOK_MESSAGE);
    case_begin(c, STEP_LOOK_MESSAGE);
    case_ok(c, "{\"messages\":[]}");
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    assert_false(c->context.found.entries.items[0].look_first);
    case_calls(c, STEP_POST_MESSAGE, "POST", POST_PATH, BODY("two", AGENT));
    case_free(c);
}

static void every_piece_of_a_long_entry_is_looked_for(void **state)
{
    (void)state;
    struct flow_case *c = listed("");
    char text[6001];
    memset(text, 'x', sizeof text - 1);
    text[6000] = '\0';
    entries[0].text = text;
    entries[0].look_first = true;
    case_begin(c, STEP_LOOK_MESSAGE);
    case_ok(c, arena_printf(
                   c->arena,
                   "{\"messages\":[{\"id\":\"m1\",\"created_time\":\"2025-03-04T10:20:31.000Z\",\"actor_type\":"
                   "\"agent\",\"actor_id\":\"" AGENT "\",\"message_parts\":[{\"text\":{\"content\":\"%.4000s\"}}]}]}",
                   text));
    case_outcome(c, OUTCOME_DONE, STEP_READ_DESK_AGENT);
    assert_int_equal(c->context.found.part, 1);
    assert_int_equal(case_begin(c, STEP_READ_DESK_AGENT), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_LOOK_MESSAGE);
    case_begin(c, STEP_LOOK_MESSAGE);
    case_ok(c, "{\"messages\":[]}");
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    assert_int_equal(c->context.found.part, 1); // only the rest is said
    case_free(c);
}

static void a_dead_letter_tried_again_repeats_nobody_else(void **state)
{
    (void)state;
    struct flow_case *c = listed("");
    struct written told[2] = {{.id = "101", .time_ms = 1}, {.id = "102", .time_ms = 2}};
    c->job.lane.delivered.items = told;
    c->job.lane.delivered.count = 2;
    case_calls(c, STEP_POST_MESSAGE, "POST", POST_PATH, BODY("one", AGENT));
    case_ok(c, "{\"id\":\"m1\"}");
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    assert_string_equal(c->context.found.entries.items[0].id, "103");
    case_free(c);
}

static void a_note_of_our_own_that_the_list_saw_too_early_is_not_posted(void **state)
{
    (void)state;
    // The mirror of an agent's message was on its way when the list was read; by now its id is known.
    struct flow_case *c = listed("");
    struct written ours[2] = {{.id = "101", .time_ms = 1}, {.id = "102", .time_ms = 2}};
    c->job.lane.desk_written.items = ours;
    c->job.lane.desk_written.count = 2;
    case_begin(c, STEP_POST_MESSAGE); // answers by itself: another author speaks next
    case_outcome(c, OUTCOME_DONE, STEP_POST_MESSAGE);
    case_calls(c, STEP_POST_MESSAGE, "POST", POST_PATH, BODY("Bo: three", OTHER_AGENT));
    case_free(c);

    c = listed("");
    struct written all[3] = {{.id = "101"}, {.id = "102"}, {.id = "103"}};
    c->job.lane.desk_written.items = all;
    c->job.lane.desk_written.count = 3;
    case_begin(c, STEP_POST_MESSAGE);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.mark_ms, 5000);
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_posted_one_by_one),
        cmocka_unit_test(an_unknown_author_is_looked_up_in_between),
        cmocka_unit_test(long_replies_go_in_several_messages),
        cmocka_unit_test(the_numeric_twin_is_tried_once),
        cmocka_unit_test(failures_of_the_message_call),
        cmocka_unit_test(without_anyone_to_speak_it_says_what_to_set),
        cmocka_unit_test(a_look_adopts_the_message),
        cmocka_unit_test(two_equal_replies_are_each_adopted_once),
        cmocka_unit_test(a_clock_that_was_set_since_the_claim_is_not_believed),
        cmocka_unit_test(a_look_reads_all_pages),
        cmocka_unit_test(entries_of_a_rebuilt_link_are_looked_for_since_they_were_written),
        cmocka_unit_test(every_piece_of_a_long_entry_is_looked_for),
        cmocka_unit_test(a_dead_letter_tried_again_repeats_nobody_else),
        cmocka_unit_test(a_note_of_our_own_that_the_list_saw_too_early_is_not_posted),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
