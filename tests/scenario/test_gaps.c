// SPDX-License-Identifier: Apache-2.0
// Webhooks that never come: polls stand behind both of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/story.h"

static struct scenario *begin_polling(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.freshchat_more = "poll_seconds = 1";
    options.freshdesk_more = "poll_seconds = 1";
    return scenario_begin(state, &options);
}

static void lose_webhooks(struct scenario *s, bool hints)
{
    struct sandbox_webhook_fault fault = {.kind = SANDBOX_WEBHOOK_DROP, .hints = hints};
    sandbox_webhook_fault_add(scenario_sandbox(s), &fault);
}

static void a_message_whose_webhook_is_lost_is_found(void **state)
{
    struct scenario *s = begin_polling(state);
    customer_writes(s, "ada", "do you see me");
    ticket_appears_within(s, "ada", 2000);
    lose_webhooks(s, false);
    customer_writes(s, "ada", "nobody told of this");
    customer_writes(s, "ada", "nor of that");
    agent_types_in_chat(s, "ada", STORY_CHRIS, "an agent answers in the chat");
    ticket_shows_within(s, "ada", "nobody told of this", 10000);
    ticket_shows_within(s, "ada", "an agent answers in the chat", 10000);
    sandbox_faults_clear(scenario_sandbox(s));
    customer_writes(s, "ada", "this one is told of");
    ticket_shows_within(s, "ada", "this one is told of", 5000);
    everything_settles_within(s, 10000);
    static const char *const texts[] = {"do you see me", "nobody told of this", "nor of that",
                                        "an agent answers in the chat", "this one is told of"};
    ticket_shows_in_order(s, "ada", texts, 5);
    chat_shows_times(s, "ada", "an agent answers in the chat", 1);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    assert_true(scenario_log_count(s, "gap_repaired") >= 3);
    scenario_end(s);
}

static void a_reply_whose_hint_is_lost_is_found(void **state)
{
    struct scenario *s = begin_polling(state);
    customer_writes(s, "ada", "is anybody there");
    ticket_appears_within(s, "ada", 2000);
    lose_webhooks(s, true);
    agent_replies(s, "ada", STORY_ANNA, "<p>the hint was lost</p>");
    chat_shows_within(s, "ada", "the hint was lost", 10000);
    agent_notes(s, "ada", STORY_ANNA, "<p>this one too</p>");
    chat_shows_within(s, "ada", "this one too", 10000);
    everything_settles_within(s, 10000);
    chat_shows_times(s, "ada", "the hint was lost", 1);
    chat_shows_times(s, "ada", "this one too", 1);
    chat_shows_times(s, "ada", "is anybody there", 1);
    scenario_end(s);
}

static void a_first_message_is_found_though_only_an_agents_word_came_before_the_fall(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.sandbox.messages_touch_users = false; // the poll for customers does not see it either
    options.freshchat_more = "poll_seconds = 3";
    struct scenario *s = scenario_begin(state, &options);
    const struct sandbox_webhook_fault lost = {.kind = SANDBOX_WEBHOOK_DROP, .count = 1};
    sandbox_webhook_fault_add(scenario_sandbox(s), &lost);
    customer_writes(s, "ada", "nobody told of my first words");
    agent_types_in_chat(s, "ada", STORY_CHRIS, "how can I help");
    assert_true(sandbox_wait_webhooks_idle(scenario_sandbox(s), 5000));
    scenario_kill_all(s); // before the conversation is asked for
    scenario_start(s);
    ticket_appears_within(s, "ada", 10000);
    ticket_shows_within(s, "ada", "how can I help", 10000);
    everything_settles_within(s, 10000);
    ticket_shows_times(s, "ada", "nobody told of my first words", 1);
    ticket_shows_times(s, "ada", "how can I help", 1);
    scenario_end(s);
}

static void what_was_said_while_deskbell_was_down_arrives_once_and_in_order(void **state)
{
    struct scenario *s = begin_polling(state);
    customer_writes(s, "ada", "before the night");
    ticket_appears_within(s, "ada", 2000);
    agent_replies(s, "ada", STORY_ANNA, "<p>good night</p>");
    chat_shows_within(s, "ada", "good night", 2000);
    everything_settles_within(s, 10000);
    scenario_stop(s);

    // Longer than any sender tries again.
    lose_webhooks(s, false);
    lose_webhooks(s, true);
    customer_writes(s, "ada", "first of the night");
    agent_replies(s, "ada", STORY_ANNA, "<p>answer of the night</p>");
    agent_types_in_chat(s, "ada", STORY_CHRIS, "typed in the night");
    customer_writes(s, "ada", "second of the night");
    customer_writes(s, "bob", "begun in the night");
    sandbox_faults_clear(scenario_sandbox(s));
    scenario_start(s);

    ticket_shows_within(s, "ada", "second of the night", 15000);
    chat_shows_within(s, "ada", "answer of the night", 15000);
    ticket_appears_within(s, "bob", 15000); // a conversation nobody had told of
    everything_settles_within(s, 15000);
    static const char *const texts[] = {"before the night", "first of the night", "typed in the night",
                                        "second of the night"};
    ticket_shows_in_order(s, "ada", texts, 4);
    ticket_shows_times(s, "bob", "begun in the night", 1);
    chat_shows_times(s, "ada", "answer of the night", 1);
    chat_shows_times(s, "ada", "good night", 1);
    chat_shows_times(s, "ada", "typed in the night", 1);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 2);
    no_dead_letters(s);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_message_whose_webhook_is_lost_is_found, scenario_teardown),
        cmocka_unit_test_teardown(a_reply_whose_hint_is_lost_is_found, scenario_teardown),
        cmocka_unit_test_teardown(a_first_message_is_found_though_only_an_agents_word_came_before_the_fall,
                                  scenario_teardown),
        cmocka_unit_test_teardown(what_was_said_while_deskbell_was_down_arrives_once_and_in_order, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
