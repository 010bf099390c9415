// SPDX-License-Identifier: Apache-2.0
// Who struggles is told in the chat where to call: once, whatever Freshchat makes of it, and never in the way of an
// agent's reply.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/story.h"

#define WORDS "Would you rather talk?"

enum { SOON_MS = 10000, QUIET_MS = 20000 };

static struct scenario *begin(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.freshcaller_more = "phone_number = \"+31 20 123 45 67\"";
    options.more = "widget { public_url = \"https://desk.shop.example\"  call_message = \"" WORDS "\" }\n";
    return scenario_begin(state, &options);
}

static void fault(struct scenario *s, struct sandbox_fault fault)
{
    fault.endpoint = SANDBOX_FC_MESSAGE_POST;
    sandbox_fault_add(scenario_sandbox(s), &fault);
}

static void end(struct scenario *s)
{
    no_dead_letters(s);
    scenario_end(s);
}

static void it_is_said_once_with_the_first_ticket(void **state)
{
    struct scenario *s = begin(state);
    const struct sandbox_customer_info calm = {.first_name = "Ben", .friction_score = "12", .screen = "basket"};
    customer_arrives(s, "ben", &calm);
    customer_writes(s, "ada", "My card is declined");
    customer_writes(s, "ben", "Do you ship to Malta?");
    chat_shows_within(s, "ada", WORDS, SOON_MS);
    chat_message_is_by(s, "ada", WORDS, SANDBOX_ASSISTANT);
    customer_writes(s, "ada", "Still declined");
    ticket_shows_within(s, "ada", "Still declined", SOON_MS);
    agent_replies(s, "ada", STORY_ANNA, "<p>Try the other card</p>");
    chat_shows_within(s, "ada", "Try the other card", SOON_MS);
    everything_settles_within(s, QUIET_MS);
    chat_shows_times(s, "ada", WORDS, 1);
    chat_shows_times(s, "ben", WORDS, 0);
    ticket_shows_times(s, "ada", WORDS, 0); // its echo is no agent's message
    end(s);
}

static void a_lost_answer_does_not_double_it(void **state)
{
    struct scenario *s = begin(state);
    fault(s, (struct sandbox_fault){.kind = SANDBOX_FAULT_LOST, .count = 1});
    customer_writes(s, "ada", "My card is declined");
    ticket_appears_within(s, "ada", SOON_MS);
    agent_replies(s, "ada", STORY_ANNA, "<p>Try the other card</p>");
    chat_shows_within(s, "ada", "Try the other card", SOON_MS);
    everything_settles_within(s, QUIET_MS);
    chat_shows_times(s, "ada", WORDS, 1);
    ticket_shows_times(s, "ada", WORDS, 0);
    end(s);
}

static void what_freshchat_does_not_take_is_a_link_or_nothing(void **state)
{
    struct scenario *s = begin(state);
    fault(s, (struct sandbox_fault){.kind = SANDBOX_FAULT_STATUS, .status = 400, .count = 1});
    customer_writes(s, "ada", "My card is declined");
    chat_shows_within(s, "ada", WORDS " https://desk.shop.example/support", SOON_MS);
    chat_shows_times(s, "ada", WORDS, 1);
    // Not even that: it is let go, and what an agent says arrives.
    fault(s, (struct sandbox_fault){.kind = SANDBOX_FAULT_STATUS, .status = 400, .count = 2});
    customer_writes(s, "cleo", "My card is declined, too");
    ticket_appears_within(s, "cleo", SOON_MS);
    everything_settles_within(s, QUIET_MS);
    assert_int_equal(scenario_log_count(s, "event=offer_given_up"), 1);
    agent_replies(s, "cleo", STORY_ANNA, "<p>Try the other card</p>");
    chat_shows_within(s, "cleo", "Try the other card", SOON_MS);
    chat_shows_times(s, "cleo", WORDS, 0);
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_is_said_once_with_the_first_ticket, scenario_teardown),
        cmocka_unit_test_teardown(a_lost_answer_does_not_double_it, scenario_teardown),
        cmocka_unit_test_teardown(what_freshchat_does_not_take_is_a_link_or_nothing, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
