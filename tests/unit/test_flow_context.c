// SPDX-License-Identifier: Apache-2.0
// workers/flow_context: what is read later goes into the ticket; priorities rise only; nobody's tags are lost.
#include "tests/unit/flow_case.h"

#define RULES                                                                                                          \
    "priority high-value { min_cart_value = 200.0 level = \"urgent\" tags = {\"high-value\"} }\n"                      \
    "priority struggling { min_cart_value = 50.0 min_friction = 60 level = \"high\" }\n"
#define FULL(cart)                                                                                                     \
    "{\"first_name\":\"Anna\",\"properties\":[{\"name\":\"cart_value\",\"value\":\"" cart "\"},"                       \
    "{\"name\":\"friction_score\",\"value\":\"71\"},{\"name\":\"screen\",\"value\":\"/checkout\"}]}"

static struct flow_case *opened_without(uint64_t round)
{
    struct flow_case *c = case_new(RULES);
    c->job.lane.ticket_id = 42;
    c->job.lane.requester_id = 77;
    c->job.lane.context.priority = 2;
    c->events[0].kind = EVENT_CONTEXT;
    c->events[0].round = round;
    c->events[0].user = "";
    return c;
}

static void the_ticket_is_completed(void **state)
{
    (void)state;
    struct flow_case *c = opened_without(1);
    case_calls(c, STEP_REREAD_CUSTOMER, "GET", "/users/" USER, NULL);
    case_ok(c, FULL("20"));
    case_outcome(c, OUTCOME_DONE, STEP_UPDATE_TICKET);
    case_calls(c, STEP_UPDATE_TICKET, "PUT", "/tickets/42",
               "{\"custom_fields\":{\"cf_cart_value\":20.0,\"cf_friction_score\":71,\"cf_screen\":\"/checkout\"}}");
    case_ok(c, "{\"id\":42,\"tags\":[]}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_true(c->report.context_known);
    assert_string_equal(c->report.context.cart, "20");
    assert_string_equal(c->report.context.name, "Anna");
    assert_int_equal(c->report.context.priority, 2);
    assert_int_equal(c->report.worth_cents, 2000);
    assert_string_equal(c->report.what, "context completed");
    case_free(c);
}

static void a_rule_that_matches_now_raises_and_adds_its_tags(void **state)
{
    (void)state;
    struct flow_case *c = opened_without(2);
    case_begin(c, STEP_REREAD_CUSTOMER);
    case_ok(c, FULL("300"));
    assert_int_equal(case_begin(c, STEP_UPDATE_TICKET), STEP_CALL);
    assert_true(case_has(c->request.body, "{\"priority\":4,\"custom_fields\":{"));
    assert_false(case_has(c->request.body, "tags"));
    case_ok(c, "{\"id\":42,\"tags\":[\"vip\",\"by-automation\"]}");
    case_outcome(c, OUTCOME_DONE, STEP_UPDATE_TICKET);
    case_calls(c, STEP_UPDATE_TICKET, "PUT", "/tickets/42", "{\"tags\":[\"vip\",\"by-automation\",\"high-value\"]}");
    case_ok(c, "{\"id\":42}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.context.priority, 4);
    assert_int_equal(c->context.found.entries.count, 0);
    // the tags are there already: no second update
    c->context.found.context.priority = 0;
    case_begin(c, STEP_UPDATE_TICKET);
    case_ok(c, "{\"id\":42,\"tags\":[\"High-Value\"]}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    // refused tags cost nothing else
    case_begin(c, STEP_UPDATE_TICKET);
    case_ok(c, "{\"id\":42,\"tags\":[]}");
    case_begin(c, STEP_UPDATE_TICKET);
    case_answer(c, ANSWER_REFUSED, 400, 0, "{\"errors\":[{\"field\":\"tags\"}]}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_true(c->report.context_known);
    case_free(c);
}

static void nothing_is_ever_lowered(void **state)
{
    (void)state;
    struct flow_case *c = opened_without(3);
    c->job.lane.context.priority = 4;
    c->job.lane.context.cart = "300";
    c->job.lane.context.read = true;
    case_begin(c, STEP_REREAD_CUSTOMER);
    case_ok(c, FULL("60"));
    assert_int_equal(case_begin(c, STEP_UPDATE_TICKET), STEP_CALL);
    assert_false(case_has(c->request.body, "priority"));
    case_ok(c, "{\"id\":42,\"tags\":[]}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.context.priority, 4);
    case_free(c);
}

static void no_news_changes_nothing(void **state)
{
    (void)state;
    struct flow_case *c = opened_without(1);
    case_begin(c, STEP_REREAD_CUSTOMER);
    case_ok(c, "{\"id\":\"" USER "\"}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_true(c->report.context_known);
    assert_true(c->report.context.read);
    assert_int_equal(c->report.context.priority, 2);
    // what was known stays when it is missing now
    c->job.lane.context.cart = "20";
    case_begin(c, STEP_REREAD_CUSTOMER);
    case_ok(c, "{\"properties\":[{\"name\":\"screen\",\"value\":\"cart\"}]}");
    case_outcome(c, OUTCOME_DONE, STEP_UPDATE_TICKET);
    assert_string_equal(c->context.found.context.cart, "20");
    // nothing is missing: nobody is asked
    c->job.lane.context = (struct context){
        .read = true, .name = "", .email = "", .phone = "", .cart = "1", .friction = "2", .screen = "3"};
    assert_int_equal(case_begin(c, STEP_REREAD_CUSTOMER), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_free(c);
}

static void failures_never_become_dead_letters(void **state)
{
    (void)state;
    struct flow_case *c = opened_without(1);
    case_begin(c, STEP_REREAD_CUSTOMER);
    case_answer(c, ANSWER_RETRY, 429, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE); // the second round follows anyway
    assert_false(c->report.context_known);
    c->events[0].round = 3;
    case_begin(c, STEP_REREAD_CUSTOMER);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_begin(c, STEP_REREAD_CUSTOMER);
    case_answer(c, ANSWER_RETRY, 429, 0, NULL);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    case_begin(c, STEP_REREAD_CUSTOMER);
    case_ok(c, FULL("20"));
    case_begin(c, STEP_UPDATE_TICKET);
    case_answer(c, ANSWER_RETRY, 500, 0, NULL);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    case_begin(c, STEP_UPDATE_TICKET);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_begin(c, STEP_UPDATE_TICKET);
    case_answer(c, ANSWER_REFUSED, 405, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    // a field this helpdesk does not have is left out
    case_begin(c, STEP_UPDATE_TICKET);
    case_answer(c, ANSWER_REFUSED, 400, 0,
                "{\"errors\":[{\"field\":\"custom_fields.cf_screen\",\"code\":\"invalid_field\"}]}");
    case_outcome(c, OUTCOME_DONE, STEP_UPDATE_TICKET);
    case_calls(c, STEP_UPDATE_TICKET, "PUT", "/tickets/42",
               "{\"custom_fields\":{\"cf_cart_value\":20.0,\"cf_friction_score\":71}}");
    // and when none is left there is nothing to send
    case_answer(c, ANSWER_REFUSED, 400, 0,
                "{\"errors\":[{\"field\":\"cf_cart_value\"},{\"field\":\"cf_friction_score\"}]}");
    case_outcome(c, OUTCOME_DONE, STEP_UPDATE_TICKET);
    assert_int_equal(case_begin(c, STEP_UPDATE_TICKET), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_true(c->report.context_known);
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ticket_is_completed),
        cmocka_unit_test(a_rule_that_matches_now_raises_and_adds_its_tags),
        cmocka_unit_test(nothing_is_ever_lowered),
        cmocka_unit_test(no_news_changes_nothing),
        cmocka_unit_test(failures_never_become_dead_letters),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
