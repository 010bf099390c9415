// SPDX-License-Identifier: Apache-2.0
// workers/flow_mirror: what an agent types in the chat becomes a note with the agent's name.
#include "tests/unit/flow_case.h"

#define BODY(name) "<div><b>" name "</b> (in chat, 10:20:30 UTC): I will call you</div>"

static struct flow_case *typed(void)
{
    struct flow_case *c = case_new("");
    c->parts[0].text = "I will call you";
    c->events[0].kind = EVENT_AGENT_MESSAGE;
    c->events[0].actor = AGENT;
    c->job.lane.ticket_id = 42;
    c->job.lane.requester_id = 77;
    c->context.clock_known[UPSTREAM_FRESHDESK] = true;
    return c;
}

static void the_same_agent_writes_the_note(void **state)
{
    (void)state;
    struct flow_case *c = typed();
    case_calls(c, STEP_MIRROR_CHAT_AGENT, "GET", "/agents?items_per_page=50&page=1", NULL);
    case_ok(c, "{\"agents\":[{\"id\":\"" AGENT
               "\",\"email\":\"ida+x@shop.example\",\"first_name\":\"Ida\",\"last_name\":\"<Berg>\"}]}");
    case_outcome(c, OUTCOME_DONE, STEP_MIRROR_DESK_AGENT);
    case_calls(c, STEP_MIRROR_DESK_AGENT, "GET", "/agents?email=ida%2Bx%40shop.example", NULL);
    case_ok(c, "[{\"id\":8,\"contact\":{\"email\":\"other@shop.example\"}},{\"id\":9,\"contact\":{\"email\":\"IDA+x@"
               "shop.example\",\"name\":\"Ida\"}}]");
    case_outcome(c, OUTCOME_DONE, STEP_MIRROR_NOTE);
    case_calls(c, STEP_MIRROR_NOTE, "POST", "/tickets/42/notes",
               "{\"body\":\"" BODY("Ida &lt;Berg&gt;") "\",\"private\":false,\"incoming\":false,\"user_id\":9}");
    case_ok(c, "{\"id\":500,\"created_at\":\"2025-03-04T10:20:31Z\"}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.desk_written.items[0].id, "500");
    // both are known now
    assert_int_equal(case_begin(c, STEP_MIRROR_CHAT_AGENT), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_MIRROR_DESK_AGENT);
    c->context.found.desk_agent = 0;
    assert_int_equal(case_begin(c, STEP_MIRROR_DESK_AGENT), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_MIRROR_NOTE);
    assert_int_equal(c->context.found.desk_agent, 9);
    case_free(c);
}

static void without_a_matching_agent_the_key_owner_writes(void **state)
{
    (void)state;
    struct flow_case *c = typed();
    case_begin(c, STEP_MIRROR_CHAT_AGENT);
    case_ok(c, "[{\"id\":\"" AGENT "\",\"email\":\"ida@shop.example\",\"first_name\":\"Ida\"}]");
    case_begin(c, STEP_MIRROR_DESK_AGENT);
    case_ok(c, "[]");
    case_outcome(c, OUTCOME_DONE, STEP_MIRROR_NOTE);
    case_calls(c, STEP_MIRROR_NOTE, "POST", "/tickets/42/notes",
               "{\"body\":\"" BODY("Ida") "\",\"private\":false,\"incoming\":false}");
    assert_int_equal(case_begin(c, STEP_MIRROR_DESK_AGENT), STEP_ANSWER); // that there is none is known
    case_free(c);
    // nobody of that id, not on any page
    c = typed();
    case_begin(c, STEP_MIRROR_CHAT_AGENT);
    case_ok(c, "{\"agents\":[{\"id\":\"x\"}],\"link\":{\"href\":\"/next\"}}");
    case_outcome(c, OUTCOME_DONE, STEP_MIRROR_CHAT_AGENT);
    case_calls(c, STEP_MIRROR_CHAT_AGENT, "GET", "/agents?items_per_page=50&page=2", NULL);
    case_ok(c, "{\"agents\":[]}");
    case_outcome(c, OUTCOME_DONE, STEP_MIRROR_NOTE);
    case_calls(c, STEP_MIRROR_NOTE, "POST", "/tickets/42/notes",
               "{\"body\":\"" BODY("An agent") "\",\"private\":false,\"incoming\":false}");
    case_free(c);
}

static void a_name_that_cannot_be_had_is_left_out_after_some_attempts(void **state)
{
    (void)state;
    struct flow_case *c = typed();
    case_begin(c, STEP_MIRROR_CHAT_AGENT);
    case_answer(c, ANSWER_RETRY, 429, 0, NULL);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    c->job.attempt = 3;
    case_begin(c, STEP_MIRROR_CHAT_AGENT);
    case_answer(c, ANSWER_RETRY, 429, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_MIRROR_NOTE);
    c->job.attempt = 0;
    case_begin(c, STEP_MIRROR_CHAT_AGENT);
    case_answer(c, ANSWER_REFUSED, 400, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_MIRROR_NOTE);
    c->context.found.agent_email = "ida@shop.example";
    case_begin(c, STEP_MIRROR_DESK_AGENT);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_MIRROR_NOTE);
    case_free(c);
}

static void failures_of_the_mirror_note(void **state)
{
    (void)state;
    struct flow_case *c = typed();
    c->context.found.desk_agent = 9;
    case_fails_plainly(c, STEP_MIRROR_NOTE, true);
    case_begin(c, STEP_MIRROR_NOTE);
    case_answer(c, ANSWER_REFUSED, 400, 0, "{\"errors\":[{\"field\":\"user_id\"}]}");
    case_outcome(c, OUTCOME_DONE, STEP_MIRROR_NOTE);
    case_begin(c, STEP_MIRROR_NOTE);
    assert_false(case_has(c->request.body, "user_id"));
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    assert_true(case_has(c->report.cause, "Ticket 42"));
    case_free(c);
}

static void the_look_knows_the_author(void **state)
{
    (void)state;
    struct flow_case *c = typed();
    c->context.found.desk_agent = 9;
    c->context.found.agent_name = "Ida";
    case_calls(c, STEP_LOOK_MIRROR, "GET", "/tickets/42/conversations?per_page=100&page=1", NULL);
    static const char page[] =
        "[{\"id\":1,\"created_at\":\"2025-03-04T10:20:31Z\",\"incoming\":true,\"private\":false,\"user_id\":9,\"body\":"
        "\"" BODY("Ida") "\"},"
                         "{\"id\":2,\"created_at\":\"2025-03-04T10:20:31Z\",\"incoming\":false,\"private\":false,"
                         "\"user_id\":5,\"body\":\"" BODY(
                             "Ida") "\"},"
                                    "{\"id\":3,\"created_at\":\"2025-03-04T10:20:31Z\",\"incoming\":false,\"private\":"
                                    "false,\"user_id\":9,\"body\":\"" BODY("Ida") "\"}]";
    case_ok(c, page);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.desk_written.items[0].id, "3");
    assert_string_equal(c->report.what, "agent's chat message mirrored");
    c->context.found.desk_agent = 6;
    case_begin(c, STEP_LOOK_MIRROR);
    case_ok(c, page);
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    c->context.found.desk_agent = 0; // by the key's owner, whoever that is
    case_begin(c, STEP_LOOK_MIRROR);
    case_ok(c, page);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.desk_written.items[0].id, "2");
    case_fails_plainly(c, STEP_LOOK_MIRROR, false);
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_agent_writes_the_note),
        cmocka_unit_test(without_a_matching_agent_the_key_owner_writes),
        cmocka_unit_test(a_name_that_cannot_be_had_is_left_out_after_some_attempts),
        cmocka_unit_test(failures_of_the_mirror_note),
        cmocka_unit_test(the_look_knows_the_author),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
