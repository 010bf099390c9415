// SPDX-License-Identifier: Apache-2.0
// workers/flow_offer: one message with a button in the chat of a shopper who struggles, or with a link where there are
// no buttons; said once, and let go when it cannot be said.
#include "tests/unit/flow_case.h"

#define KEYS                                                                                                           \
    "freshcaller { phone_number = \"+31 20 123 45 67\" }\n"                                                            \
    "widget { public_url = \"https://desk.shop.example/\" call_message = \"You reach us at +31 20 123 45 67.\" }\n"
#define PATH    "/conversations/" CONVERSATION "/messages"
#define WORDS   "You reach us at +31 20 123 45 67."
#define SUPPORT "https://desk.shop.example/support"
#define TAIL    "\"message_type\":\"normal\",\"actor_type\":\"agent\",\"actor_id\":\"" OTHER_AGENT "\"}"
#define BUTTON                                                                                                         \
    "{\"message_parts\":[{\"text\":{\"content\":\"" WORDS "\"}},{\"url_button\":{\"target\":\"_blank\",\"label\":"     \
    "\"Call us\",\"url\":\"" SUPPORT "\"}}]," TAIL
#define PLAIN "{\"message_parts\":[{\"text\":{\"content\":\"" WORDS " " SUPPORT "\"}}]," TAIL

static struct flow_case *offer(const char *config)
{
    struct flow_case *c = case_new(config);
    c->events[0].kind = EVENT_OFFER;
    c->job.lane.ticket_id = 42;
    c->context.clock_known[UPSTREAM_FRESHCHAT] = true;
    return c;
}

static void it_is_said_once_with_a_button(void **state)
{
    (void)state;
    struct flow_case *c = offer(KEYS);
    case_calls(c, STEP_POST_OFFER, "POST", PATH, BUTTON);
    case_ok(c, "{\"message\":{\"id\":\"m1\",\"created_time\":\"2025-03-04T10:20:31Z\"}}");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.chat_written.items[0].id, "m1"); // so that its echo is known
    assert_int_equal(c->report.chat_written.items[0].time_ms, SAID_MS / 1000 * 1000 + 1000);
    case_free(c);
    c = offer(KEYS);
    case_fails_plainly(c, STEP_POST_OFFER, true);
    case_free(c);
}

static void without_buttons_there_is_a_link(void **state)
{
    (void)state;
    struct flow_case *c = offer(KEYS);
    case_calls(c, STEP_POST_OFFER, "POST", PATH, BUTTON);
    case_answer(c, ANSWER_REFUSED, 400, 0, "{\"status\":\"INVALID_VALUE\"}");
    case_outcome(c, OUTCOME_DONE, STEP_POST_OFFER);
    case_calls(c, STEP_POST_OFFER, "POST", PATH, PLAIN);
    case_answer(c, ANSWER_REFUSED, 400, 0, "{\"status\":\"INVALID_VALUE\"}");
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    case_free(c);
}

static void a_conversation_may_be_known_by_its_number(void **state)
{
    (void)state;
    struct flow_case *c = offer(KEYS);
    c->job.lane.conversation_twin = "1234567";
    case_begin(c, STEP_POST_OFFER);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    case_outcome(c, OUTCOME_DONE, STEP_POST_OFFER);
    case_calls(c, STEP_POST_OFFER, "POST", "/conversations/1234567/messages", BUTTON);
    case_free(c);
}

static void in_doubt_it_is_looked_for(void **state)
{
    static const char *const there[] = {WORDS, WORDS " " SUPPORT};
    char json[1024];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct flow_case *c = offer(KEYS);
        assert_int_equal(case_begin(c, STEP_LOOK_OFFER), STEP_CALL);
        assert_true(case_has(c->request.path, PATH "?from_time=2025-03-04T10%3A"));
        snprintf(json, sizeof json,
                 "{\"messages\":[{\"id\":\"x\",\"actor_type\":\"agent\",\"actor_id\":\"" AGENT
                 "\",\"created_time\":\"2025-03-04T10:20:31Z\",\"message_parts\":[{\"text\":{\"content\":\"" WORDS
                 "\"}}]},{\"id\":\"y\",\"actor_type\":\"agent\",\"actor_id\":\"" OTHER_AGENT
                 "\",\"created_time\":\"2025-03-04T10:20:31Z\",\"message_parts\":[{\"text\":{\"content\":\"Hello\"}}]},"
                 "{\"id\":\"m1\",\"actor_type\":\"agent\",\"actor_id\":\"" OTHER_AGENT
                 "\",\"created_time\":\"2025-03-04T10:20:31Z\",\"message_parts\":[{\"text\":{\"content\":\"%s\"}}]}]}",
                 there[i]);
        case_ok(c, json);
        case_outcome(c, OUTCOME_DONE, STEP_NONE);
        assert_int_equal(c->report.chat_written.count, 1);
        assert_string_equal(c->report.chat_written.items[0].id, "m1");
        case_free(c);
    }
    struct flow_case *c = offer(KEYS);
    case_begin(c, STEP_LOOK_OFFER);
    case_ok(c, "{\"messages\":[{\"id\":\"y\"}],\"link\":{\"href\":\"/next\"}}");
    case_outcome(c, OUTCOME_DONE, STEP_LOOK_OFFER);
    case_begin(c, STEP_LOOK_OFFER);
    assert_true(case_has(c->request.path, "page=2"));
    case_ok(c, "{\"messages\":[]}");
    case_outcome(c, OUTCOME_NOT_FOUND, STEP_NONE);
    case_fails_plainly(c, STEP_LOOK_OFFER, false);
    case_free(c);
}

static void switched_off_since_nothing_is_said(void **state)
{
    (void)state;
    struct flow_case *c = offer("");
    assert_int_equal(case_begin(c, STEP_POST_OFFER), STEP_ANSWER);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_said_once_with_a_button),
        cmocka_unit_test(without_buttons_there_is_a_link),
        cmocka_unit_test(a_conversation_may_be_known_by_its_number),
        cmocka_unit_test(in_doubt_it_is_looked_for),
        cmocka_unit_test(switched_off_since_nothing_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
