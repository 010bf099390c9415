// SPDX-License-Identifier: Apache-2.0
// This host's clock is sixty days wrong, and then right again: nothing is refused for its age, forgotten or given up
// on, and what was seen once is still known. What was written with the wrong clock is found with the right one, by
// a look that had to wait for that. And time that really passes: a customer comes back after dedup_days.
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

// From then on the records are stamped with the upstreams' time.
static bool has_disagreed(void *arg)
{
    return scenario_log_count(arg, "clock_disagrees") > 0;
}

static void talk_across_a_jump(void **state, const char *environment)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.environment[0] = environment;
    struct scenario *s = scenario_begin(state, &options);
    assert_true(scenario_wait(has_disagreed, s, 5000));
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

// The write is made, its answer is lost, and whoever looks for it hears nothing but 503.
static void lose_the_answer(struct scenario *s, int write, int look)
{
    const struct sandbox_fault lost = {.endpoint = write, .kind = SANDBOX_FAULT_LOST, .count = 1};
    const struct sandbox_fault blind = {.endpoint = look, .kind = SANDBOX_FAULT_STATUS, .status = 503};
    sandbox_fault_add(scenario_sandbox(s), &lost);
    sandbox_fault_add(scenario_sandbox(s), &blind);
}

static void write_with_a_wrong_clock_and_look_with_the_right_one(void **state, const char *environment)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.environment[0] = environment;
    struct scenario *s = scenario_begin(state, &options);
    scenario_expect_error(s, "event=clock_disagrees"); // of twenty seconds nobody speaks
    customer_writes(s, "ada", "what time is it");
    ticket_appears_within(s, "ada", 5000);
    everything_settles_within(s, 15000);
    lose_the_answer(s, SANDBOX_FC_MESSAGE_POST, SANDBOX_FC_MESSAGE_LIST);
    agent_replies(s, "ada", STORY_ANNA, "<p>that depends</p>");
    chat_shows_within(s, "ada", "that depends", 5000);
    lose_the_answer(s, SANDBOX_FD_NOTE, SANDBOX_FD_ENTRY_LIST);
    lose_the_answer(s, SANDBOX_FD_TICKET_CREATE, SANDBOX_FD_TICKET_LIST);
    customer_writes(s, "ada", "on what");
    customer_writes(s, "bob", "it is late");
    ticket_shows_within(s, "ada", "on what", 5000);
    ticket_appears_within(s, "bob", 5000);
    scenario_kill_all(s);

    sandbox_faults_clear(scenario_sandbox(s));
    scenario_start(s);
    everything_settles_within(s, 15000);
    assert_true(scenario_log_count(s, "outcome=doubt") >= 3);
    assert_int_equal(scenario_log_count(s, "write_settled"), 0); // nothing was looked for in vain
    chat_shows_times(s, "ada", "that depends", 1);
    ticket_shows_times(s, "ada", "on what", 1);
    ticket_of(s, "bob");
    calls_are(s, SANDBOX_FC_MESSAGE_POST, 1);
    calls_are(s, SANDBOX_FD_NOTE, 1);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 2);
    no_dead_letters(s);
    scenario_end(s);
}

static void twenty_seconds_ahead_at_the_write(void **state)
{
    write_with_a_wrong_clock_and_look_with_the_right_one(state, "DESKBELL_TEST_CLOCK_OFFSET_MS=20000");
}

static void sixty_days_ahead_at_the_write(void **state)
{
    write_with_a_wrong_clock_and_look_with_the_right_one(state, "DESKBELL_TEST_CLOCK_OFFSET_MS=5184000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(sixty_days_ahead, scenario_teardown),
        cmocka_unit_test_teardown(sixty_days_behind, scenario_teardown),
        cmocka_unit_test_teardown(twenty_seconds_ahead_at_the_write, scenario_teardown),
        cmocka_unit_test_teardown(sixty_days_ahead_at_the_write, scenario_teardown),
        cmocka_unit_test_teardown(a_customer_comes_back_after_the_keys_are_gone, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
