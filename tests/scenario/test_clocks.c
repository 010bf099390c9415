// SPDX-License-Identifier: Apache-2.0
// This host's clock is sixty days wrong, and then right again: nothing is refused for its age, forgotten or given up
// on, and what was seen once is still known. And time that really passes: a customer comes back after dedup_days.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/scenario/story.h"

static void lose_a_webhook(struct scenario *s)
{
    const struct sandbox_webhook_fault lost = {.kind = SANDBOX_WEBHOOK_DROP, .count = 1};
    sandbox_webhook_fault_add(scenario_sandbox(s), &lost);
}

static void talk_across_a_jump(void **state, const char *environment)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.environment[0] = environment;
    struct scenario *s = scenario_begin(state, &options);
    struct draft draft = customer_drafts(s, "ada", "what time is it");
    delivered_at_once(s, &draft, 1, 1);
    assert_int_equal(draft.status, 200);
    ticket_appears_within(s, "ada", 5000);
    agent_replies(s, "ada", STORY_ANNA, "<p>that depends</p>");
    chat_shows_within(s, "ada", "that depends", 5000);
    customer_writes(s, "ada", "on what");
    ticket_shows_within(s, "ada", "on what", 5000);
    everything_settles_within(s, 15000);
    scenario_expect_error(s, "event=clock_disagrees");
    assert_true(scenario_log_count(s, "clock_disagrees") > 0);
    scenario_stop(s);

    scenario_start(s); // the clock is right again
    delivered_at_once(s, &draft, 1, 2);
    assert_int_equal(draft.status, 200);
    customer_writes(s, "ada", "now it is right");
    ticket_shows_within(s, "ada", "now it is right", 5000);
    agent_replies(s, "ada", STORY_ANNA, "<p>so it is</p>");
    chat_shows_within(s, "ada", "so it is", 5000);
    everything_settles_within(s, 15000);
    static const char *const said[] = {"what time is it", "on what", "now it is right"};
    ticket_shows_in_order(s, "ada", said, 3);
    chat_shows_times(s, "ada", "that depends", 1);
    chat_shows_times(s, "ada", "so it is", 1);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    no_dead_letters(s);
    draft_clear(&draft);
    scenario_end(s);
}

static void sixty_days_ahead(void **state)
{
    talk_across_a_jump(state, "DESKBELL_TEST_CLOCK_OFFSET_MS=5184000000");
}

static void sixty_days_behind(void **state)
{
    talk_across_a_jump(state, "DESKBELL_TEST_CLOCK_OFFSET_MS=-5184000000");
}

// Both clocks are in the past, then both are right: that is what thirty-one days look like from inside.
static void a_customer_comes_back_after_the_keys_are_gone(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.environment[0] = "DESKBELL_TEST_CLOCK_OFFSET_MS=-2678400000";
    options.freshchat_more = "poll_seconds = 1";
    options.freshdesk_more = "poll_seconds = 1";
    options.sandbox.clock_skew_ms = -2678400000;
    struct scenario *s = scenario_begin(state, &options);
    customer_writes(s, "ada", "first of last month");
    ticket_appears_within(s, "ada", 5000);
    customer_writes(s, "ada", "second of last month");
    ticket_shows_within(s, "ada", "second of last month", 5000);
    agent_types_in_chat(s, "ada", STORY_CHRIS, "typed last month");
    ticket_shows_within(s, "ada", "typed last month", 5000);
    agent_replies(s, "ada", STORY_ANNA, "<p>answered last month</p>");
    chat_shows_within(s, "ada", "answered last month", 5000);
    everything_settles_within(s, 15000);
    scenario_stop(s);

    sandbox_set_clock_skew(scenario_sandbox(s), 0);
    lose_a_webhook(s);
    customer_writes(s, "ada", "nobody told of this");
    scenario_start(s);
    customer_writes(s, "ada", "I am back");
    ticket_shows_within(s, "ada", "I am back", 5000);
    ticket_shows_within(s, "ada", "nobody told of this", 10000);
    agent_replies(s, "ada", STORY_ANNA, "<p>welcome back</p>");
    chat_shows_within(s, "ada", "welcome back", 5000);
    everything_settles_within(s, 15000);
    static const char *const said[] = {"first of last month", "second of last month", "typed last month"};
    ticket_shows_in_order(s, "ada", said, 3);
    static const char *const once[] = {"nobody told of this", "I am back", "answered last month", "welcome back"};
    for (size_t i = 0; i < sizeof once / sizeof *once; i++)
        ticket_shows_times(s, "ada", once[i], 1);
    chat_shows_times(s, "ada", "answered last month", 1);
    chat_shows_times(s, "ada", "welcome back", 1);
    chat_shows_times(s, "ada", "typed last month", 1);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    no_dead_letters(s);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(sixty_days_ahead, scenario_teardown),
        cmocka_unit_test_teardown(sixty_days_behind, scenario_teardown),
        cmocka_unit_test_teardown(a_customer_comes_back_after_the_keys_are_gone, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
