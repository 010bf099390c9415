// SPDX-License-Identifier: Apache-2.0
// mode = "observe": beside whatever a shop has, everything is verified, kept and read, and what would have been written
// is told in the log, without a word of anybody. Nothing is written anywhere; nothing piles up; what was observed is
// not written when the mode becomes live.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/calling.h"
#include "tests/scenario/operator.h"
#include "tests/scenario/story.h"
#include "tests/scenario/wire.h"

// Every request that reached the sandbox only read.
static void nothing_was_written(struct scenario *s)
{
    struct sandbox_call *calls = NULL;
    size_t count = sandbox_calls(scenario_sandbox(s), &calls);
    size_t writes = 0;
    for (size_t i = 0; i < count; i++)
        writes += strcmp(calls[i].method, "GET") != 0;
    sandbox_calls_free(calls, count);
    assert_int_equal(writes, 0);
    assert_true(count > 0);
}

static void page_says(struct scenario *s, const char *path, const char *words)
{
    char *text = NULL;
    if (wire_get(scenario_address(s), scenario_admin_port(s), path, &text) != 200 || !strstr(text, words))
        scenario_fail("%s does not say %s: %s", path, words, text ? text : "");
    free(text);
}

static bool the_reply_is_told_of(void *arg)
{
    return scenario_log_count(arg, "step=post_message conversation=") > 0;
}

static void an_observer_writes_nothing_and_later_nothing_of_it(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.more = "mode = \"observe\"";
    struct scenario *s = scenario_begin(state, &options);

    // A ticket that another program opened for a conversation, and what an agent says there.
    customer_writes(s, "ada", "Umbrella, please");
    everything_settles_within(s, 10000);
    customer_writes(s, "ada", "A red umbrella");
    agent_types_in_chat(s, "ada", STORY_ANNA, "Coming up");
    everything_settles_within(s, 10000);
    const struct sandbox_customer *ben = customer_of(s, "ben");
    int64_t theirs = sandbox_ticket_new(scenario_sandbox(s), "Theirs", "ben@example.com", ben->conversation_id);
    assert_true(sandbox_agent_writes(scenario_sandbox(s), theirs, STORY_ANNA, SANDBOX_REPLY, "<p>Umbrella sent</p>"));
    // Its link was rebuilt just now, so the reply is looked for in the chat until that counts.
    if (!scenario_wait(the_reply_is_told_of, s, 15000))
        scenario_fail("the reply is not told of");
    everything_settles_within(s, 10000);

    nothing_was_written(s);
    no_dead_letters(s);
    assert_int_equal(scenario_log_count(s, "step=create_ticket conversation="), 1);
    assert_int_equal(scenario_log_count(s, "step=append_note conversation="), 1);
    assert_int_equal(scenario_log_count(s, "step=mirror_note conversation="), 1);
    assert_int_equal(scenario_log_count(s, "step=post_message conversation="), 1);
    assert_true(scenario_log_count(s, "custom_fields.cf_cart_value") >= 1);
    assert_int_equal(scenario_log_count(s, "mbrella"), 0); // no word of theirs
    assert_int_equal(scenario_log_count(s, "Coming up"), 0);
    page_says(s, "/status", "\"mode\":\"observe\"");
    page_says(s, "/readyz", "\"mode\":\"observe\"");
    page_says(s, "/metrics", "\ndeskbell_observed_writes_total{step=\"create_ticket\"} 1\n");
    page_says(s, "/metrics", "\ndeskbell_observed_writes_total{step=\"post_message\"} 1\n");
    page_says(s, "/metrics", "\ndeskbell_observing 1\n");
    char *text = NULL;
    assert_int_equal(operator_runs(s, (const char *const[]){"status", NULL}, &text), 0);
    assert_non_null(strstr(text, "OBSERVE MODE"));
    free(text);
    operator_says(s, 1, "dead", "retry", "--all");
    json_t *trace = operator_asks(s, "trace", customer_of(s, "ada")->conversation_id);
    assert_int_equal(json_integer_value(json_object_get(trace, "ticket")), 0);
    assert_int_equal(json_array_size(json_object_get(trace, "waiting")), 0);
    json_decref(trace);

    // From here on it is live: the next message opens the ticket, and what was only observed stays unwritten.
    scenario_stop(s);
    scenario_reconfigure(s, "log_format = \"json\"");
    scenario_start(s);
    everything_settles_within(s, 10000);
    nothing_was_written(s);
    customer_writes(s, "ada", "Is anybody there?");
    ticket_appears_within(s, "ada", 10000);
    assert_true(sandbox_agent_writes(scenario_sandbox(s), theirs, STORY_ANNA, SANDBOX_REPLY, "<p>And another</p>"));
    chat_shows_within(s, "ben", "And another", 10000);
    everything_settles_within(s, 10000);
    ticket_shows_times(s, "ada", "Is anybody there?", 1);
    ticket_shows_times(s, "ada", "A red umbrella", 0);
    chat_shows_times(s, "ben", "Umbrella sent", 0);
    page_says(s, "/status", "\"mode\":\"live\"");
    assert_true(scenario_log_count(s, "\"event\":\"accepted\",\"request\":\"") >= 1);
    assert_true(scenario_log_count(s, "\"event\":\"step\",\"request\":\"") >= 1);
    no_dead_letters(s);
    scenario_end(s);
}

static bool the_call_is_told_of(void *arg)
{
    return scenario_log_count(arg, "step=create_call_ticket conversation=call:") > 0;
}

static void calls_are_observed_too(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.more = "mode = \"observe\"";
    options.freshcaller_more = "poll_seconds = 1\nnative_wait_seconds = 1\ncountry_code = \"44\"";
    struct scenario *s = scenario_begin(state, &options);
    sandbox_phone_call(scenario_sandbox(s), "+442079460155", NULL, NULL, 20);
    if (!scenario_wait(the_call_is_told_of, s, 15000))
        scenario_fail("the call is not told of");
    everything_settles_within(s, 10000);
    polls_pass(s, 2);
    nothing_was_written(s);
    no_dead_letters(s);
    assert_int_equal(scenario_log_count(s, "step=create_call_ticket conversation=call:"), 1);
    assert_int_equal(scenario_log_count(s, "7946"), 0);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_observer_writes_nothing_and_later_nothing_of_it, scenario_teardown),
        cmocka_unit_test_teardown(calls_are_observed_too, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
