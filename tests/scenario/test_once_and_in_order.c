// SPDX-License-Identifier: Apache-2.0
// One conversation is one ticket, each message is there once, and in the order it was said.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/story.h"

static void the_same_delivery_eight_times_at_once_is_one_ticket(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    struct draft draft = customer_drafts(s, "ada", "Is anybody there");
    delivered_at_once(s, &draft, 1, 8);
    assert_int_equal(draft.status, 200);
    ticket_appears_within(s, "ada", 2000);
    everything_settles_within(s, 10000);
    ticket_shows_times(s, "ada", "Is anybody there", 1);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);

    // And once more when it is long done.
    delivered_at_once(s, &draft, 1, 1);
    assert_int_equal(draft.status, 200);
    everything_settles_within(s, 10000);
    ticket_shows_times(s, "ada", "Is anybody there", 1);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    draft_clear(&draft);
    scenario_end(s);
}

static void five_quick_messages_stay_in_order(void **state)
{
    static const char *const texts[] = {"first words", "second words", "third words", "fourth words", "fifth words"};
    struct scenario_options options;
    scenario_options_init(&options);
    options.sandbox.senders = 1; // webhooks that overtake each other are another story
    struct scenario *s = scenario_begin(state, &options);
    for (int i = 0; i < 5; i++)
        customer_writes(s, "ada", texts[i]);
    ticket_appears_within(s, "ada", 2000);
    for (int i = 0; i < 5; i++)
        ticket_shows_within(s, "ada", texts[i], 4000);
    everything_settles_within(s, 10000);
    ticket_shows_in_order(s, "ada", texts, 5);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    scenario_end(s);
}

static void two_first_messages_at_once_are_one_ticket(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    for (int i = 0; i < 5; i++) {
        char who[16];
        snprintf(who, sizeof who, "chat%d", i);
        struct draft drafts[] = {customer_drafts(s, who, "one hand"), customer_drafts(s, who, "other hand")};
        delivered_at_once(s, drafts, 2, 1);
        assert_int_equal(drafts[0].status, 200);
        assert_int_equal(drafts[1].status, 200);
        ticket_appears_within(s, who, 2000);
        ticket_shows_within(s, who, "one hand", 4000);
        ticket_shows_within(s, who, "other hand", 4000);
        draft_clear(&drafts[0]);
        draft_clear(&drafts[1]);
    }
    everything_settles_within(s, 10000);
    for (int i = 0; i < 5; i++) {
        char who[16];
        snprintf(who, sizeof who, "chat%d", i);
        ticket_shows_times(s, who, "one hand", 1);
        ticket_shows_times(s, who, "other hand", 1);
    }
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 5);
    scenario_end(s);
}

static void the_same_words_twice_are_there_twice(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "Shall I wait?");
    ticket_appears_within(s, "ada", 2000);
    customer_writes(s, "ada", "ok");
    customer_writes(s, "ada", "ok");
    ticket_shows_within(s, "ada", "ok", 2000);
    everything_settles_within(s, 10000);
    ticket_shows_times(s, "ada", "ok", 2);

    // Towards the chat too, where each is a message of its own.
    agent_replies(s, "ada", STORY_ANNA, "<p>Done</p>");
    agent_replies(s, "ada", STORY_ANNA, "<p>Done</p>");
    chat_shows_within(s, "ada", "Done", 2000);
    everything_settles_within(s, 10000);
    chat_shows_times(s, "ada", "Done", 2);
    scenario_end(s);
}

static void webhooks_out_of_order_are_sorted_by_what_was_said_first(void **state)
{
    static const char *const texts[] = {"step one", "step two", "step three"};
    struct scenario_options options;
    scenario_options_init(&options);
    options.gather_quiet_ms = 400;
    options.gather_max_ms = 1000;
    struct scenario *s = scenario_begin(state, &options);
    customer_writes(s, "ada", "Here is what I did");
    ticket_appears_within(s, "ada", 2000);
    struct draft drafts[3];
    for (int i = 0; i < 3; i++)
        drafts[i] = customer_drafts(s, "ada", texts[i]);
    for (int i = 2; i >= 0; i--)
        delivered_in_turn(s, &drafts[i], 1);
    ticket_shows_within(s, "ada", "step three", 4000);
    everything_settles_within(s, 10000);
    ticket_shows_in_order(s, "ada", texts, 3);
    for (int i = 0; i < 3; i++)
        draft_clear(&drafts[i]);
    scenario_end(s);
}

static void a_resolution_is_told_on_the_ticket(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "I think that is all");
    ticket_appears_within(s, "ada", 2000);
    assert_true(sandbox_chat_resolve(scenario_sandbox(s), customer_of(s, "ada")->conversation_id, STORY_ANNA));
    ticket_shows_within(s, "ada", "The chat was resolved in Freshchat.", 3000);
    everything_settles_within(s, 10000);
    ticket_shows_times(s, "ada", "The chat was resolved in Freshchat.", 1);
    chat_shows_times(s, "ada", "The chat was resolved in Freshchat.", 0);
    scenario_end(s);
}

static void replies_reach_the_chat_in_order(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "I am listening");
    ticket_appears_within(s, "ada", 2000);
    for (int i = 0; i < 6; i++) {
        char html[64];
        snprintf(html, sizeof html, "<p>sentence number %d</p>", i);
        agent_replies(s, "ada", STORY_ANNA, html);
    }
    chat_shows_within(s, "ada", "sentence number 5", 4000);
    everything_settles_within(s, 10000);

    struct sandbox_message *messages = NULL;
    size_t count = sandbox_messages(scenario_sandbox(s), customer_of(s, "ada")->conversation_id, &messages);
    int next = 0;
    for (size_t i = 0; i < count; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "sentence number %d", next);
        if (messages[i].text && strcmp(messages[i].text, expected) == 0)
            next++;
    }
    sandbox_messages_free(messages, count);
    assert_int_equal(next, 6);
    for (int i = 0; i < 6; i++) {
        char text[64];
        snprintf(text, sizeof text, "sentence number %d", i);
        chat_shows_times(s, "ada", text, 1);
    }
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_same_delivery_eight_times_at_once_is_one_ticket, scenario_teardown),
        cmocka_unit_test_teardown(five_quick_messages_stay_in_order, scenario_teardown),
        cmocka_unit_test_teardown(two_first_messages_at_once_are_one_ticket, scenario_teardown),
        cmocka_unit_test_teardown(the_same_words_twice_are_there_twice, scenario_teardown),
        cmocka_unit_test_teardown(webhooks_out_of_order_are_sorted_by_what_was_said_first, scenario_teardown),
        cmocka_unit_test_teardown(a_resolution_is_told_on_the_ticket, scenario_teardown),
        cmocka_unit_test_teardown(replies_reach_the_chat_in_order, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
