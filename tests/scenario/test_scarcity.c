// SPDX-License-Identifier: Apache-2.0
// More new conversations than the helpdesk's budget of a minute: the valuable ones first, nobody forgotten, and no
// storm of refusals. Takes two minutes, because the budget does. And an upstream that is slow, not away.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/operator.h"
#include "tests/scenario/story.h"

#define SHOPPERS   90
#define VALUABLE   10 // the last of them
#define PER_MINUTE 60

static const char *name_of(int i, char out[16])
{
    snprintf(out, 16, "shopper%02d", i);
    return out;
}

static void ninety_shoppers_and_sixty_calls_a_minute(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.freshdesk_more = "calls_per_minute = 60\n  poll_seconds = 86400";
    options.freshchat_more = "poll_seconds = 86400";
    struct scenario *s = scenario_begin(state, &options);
    // The account itself allows a little more: whoever keeps to the configured number never meets it.
    sandbox_set_limit(scenario_sandbox(s), SANDBOX_LIMIT_FRESHDESK, PER_MINUTE + 10);

    char name[16];
    int64_t begun_ms = scenario_now_ms();
    for (int i = 0; i < SHOPPERS; i++) {
        struct sandbox_customer_info info = {.first_name = name_of(i, name),
                                             .cart_value = i < SHOPPERS - VALUABLE ? "20.00" : "900.00",
                                             .friction_score = "10",
                                             .screen = "basket"};
        customer_arrives(s, name, &info);
        customer_writes(s, name, "can you help me");
    }
    int64_t asked_ms = scenario_now_ms() - begun_ms;
    for (int i = 0; i < SHOPPERS; i++) {
        int64_t left_ms = 120000 - (scenario_now_ms() - begun_ms);
        ticket_appears_within(s, name_of(i, name), left_ms > 1 ? (int)left_ms : 1);
    }
    print_message("%d shoppers wrote within %lld ms; the last ticket after %lld ms\n", SHOPPERS, (long long)asked_ms,
                  (long long)(scenario_now_ms() - begun_ms));

    // The order in which tickets were opened is the order of their ids.
    int64_t ids[SHOPPERS];
    for (int i = 0; i < SHOPPERS; i++)
        ids[i] = ticket_of(s, name_of(i, name));
    int worst = 0;
    for (int v = SHOPPERS - VALUABLE; v < SHOPPERS; v++) {
        int before = 0;
        for (int i = 0; i < SHOPPERS; i++)
            before += ids[i] < ids[v];
        worst = before > worst ? before : worst;
    }
    print_message("the last of the %d valuable ones was ticket number %d\n", VALUABLE, worst + 1);
    // When they wrote, the minute's first burst (a sixth of it) may have been spent on others, and some were on their
    // way.
    assert_in_range(worst + 1, VALUABLE, PER_MINUTE / 6 + VALUABLE + 8);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, SHOPPERS);

    size_t refused = 0;
    struct sandbox_call *calls = NULL;
    size_t count = sandbox_calls(scenario_sandbox(s), &calls);
    for (size_t i = 0; i < count; i++)
        refused += calls[i].status == 429;
    sandbox_calls_free(calls, count);
    assert_int_equal(refused, 0);
    scenario_end(s);
}

// Each read of a customer takes longer than a ticket waits for it. That says nothing of posting, which is as fast as
// ever: agents' replies come through at once.
static void slow_customer_reads_hold_up_no_reply(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    struct sandbox_fault slow = {.endpoint = SANDBOX_FC_USER_GET, .kind = SANDBOX_FAULT_SLOW, .ms = 1500};
    char name[16];
    customer_writes(s, "mia", "where is my parcel");
    ticket_appears_within(s, "mia", 5000);
    sandbox_fault_add(scenario_sandbox(s), &slow);
    for (int i = 0; i < 8; i++) // more than failures that open the breaker
        customer_writes(s, name_of(i, name), "can you help me");
    for (int i = 0; i < 8; i++)
        ticket_appears_within(s, name_of(i, name), 5000);
    agent_replies(s, "mia", STORY_ANNA, "<div>It is at your neighbour's.</div>");
    chat_shows_within(s, "mia", "It is at your neighbour's.", 2000);
    json_t *status = operator_asks(s, "status");
    json_t *chat = json_array_get(json_object_get(status, "gates"), 0);
    assert_string_equal(json_string_value(json_object_get(chat, "upstream")), "freshchat");
    assert_true(json_is_integer(json_object_get(chat, "breaker_opened")));
    assert_int_equal(json_integer_value(json_object_get(chat, "breaker_opened")), 0);
    json_decref(status);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(slow_customer_reads_hold_up_no_reply, scenario_teardown),
        cmocka_unit_test_teardown(ninety_shoppers_and_sixty_calls_a_minute, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
