// SPDX-License-Identifier: Apache-2.0
// What is refused for good: it becomes a dead letter with a plain cause, the agent is told, what comes behind it
// passes, and an operator's retry truly sends it again, once.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/operator.h"
#include "tests/scenario/story.h"

static int refuse(struct scenario *s, int endpoint, int status, int count)
{
    struct sandbox_fault fault = {.endpoint = endpoint, .kind = SANDBOX_FAULT_STATUS, .status = status, .count = count};
    return sandbox_fault_add(scenario_sandbox(s), &fault);
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static int64_t number_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

// The only group of dead letters, with so many letters; fails the test when there is another. Release with
// json_decref.
static json_t *only_group(struct scenario *s, int64_t letters)
{
    json_t *list = operator_asks(s, "dead", "list");
    json_t *groups = json_object_get(list, "groups");
    if (json_array_size(groups) != 1 || number_at(json_array_get(groups, 0), "count") != letters) {
        char *text = json_dumps(list, 0);
        scenario_fail("not one group of %lld dead letters: %s", (long long)letters, text);
    }
    json_t *group = json_incref(json_array_get(groups, 0));
    json_decref(list);
    return group;
}

// The number of the only letter of the group's first conversation.
static void first_letter(const json_t *group, char number[24])
{
    json_t *row = json_array_get(json_object_get(group, "conversations"), 0);
    assert_int_equal(number_at(row, "letters"), 1);
    snprintf(number, 24, "%lld", (long long)json_integer_value(json_array_get(json_object_get(row, "sequences"), 0)));
}

// The operator sees whom it concerns and why, and no word of what was said.
static void the_letter_is_told_of(struct scenario *s, const char *who, const char *word, char number[24])
{
    json_t *group = only_group(s, 1);
    const char *cause = text_at(group, "cause");
    if (!strstr(cause, "Freshchat") && !strstr(cause, "Freshdesk"))
        scenario_fail("the cause is no plain sentence: %s", cause);
    json_t *row = json_array_get(json_object_get(group, "conversations"), 0);
    assert_int_equal(number_at(group, "affected"), 1);
    assert_string_equal(text_at(row, "conversation"), customer_of(s, who)->conversation_id);
    assert_string_equal(text_at(row, "user"), customer_of(s, who)->user_id);
    assert_int_equal(number_at(row, "cart_cents"), 24950);
    assert_int_equal(number_at(group, "cart_cents"), 24950);
    first_letter(group, number);

    static const char *const list[] = {"dead", "list", NULL};
    const char *const show[] = {"dead", "show", number, NULL};
    char *output = NULL;
    assert_int_equal(operator_runs(s, list, &output), 0);
    assert_non_null(strstr(output, cause));
    assert_non_null(strstr(output, customer_of(s, who)->conversation_id));
    assert_null(strstr(output, word));
    free(output);
    assert_int_equal(operator_runs(s, show, &output), 0);
    assert_non_null(strstr(output, cause));
    assert_null(strstr(output, word));
    free(output);
    json_decref(group);
}

// ---------------------------------------------------------------- replies
static void a_refused_reply_is_told_and_sent_again_on_request(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    scenario_expect_error(s, "event=dead_letter");
    struct sandbox *sandbox = scenario_sandbox(s);
    char number[24];
    customer_writes(s, "ada", "Do you have this in green?");
    int64_t ticket = ticket_appears_within(s, "ada", 5000);
    everything_settles_within(s, 10000);
    refuse(s, SANDBOX_FC_MESSAGE_POST, 400, 1);
    agent_replies(s, "ada", STORY_ANNA, "<p>Yes, in emerald</p>");
    operator_sees_dead_within(s, 1, 10000);
    // The agents are told on the ticket, in private, and the next reply passes.
    assert_true(sandbox_wait_entry(sandbox, ticket, "Deskbell:", 10000));
    agent_replies(s, "ada", STORY_ANNA, "<p>And in turquoise</p>");
    chat_shows_within(s, "ada", "And in turquoise", 10000);
    everything_settles_within(s, 10000);
    chat_shows_times(s, "ada", "Yes, in emerald", 0);
    assert_int_equal(sandbox_entries_with(sandbox, ticket, "Deskbell:"), 1);
    struct sandbox_entry *entries = NULL;
    size_t count = sandbox_entries(sandbox, ticket, &entries);
    for (size_t i = 0; i < count; i++)
        if (strstr(entries[i].body, "Deskbell:")) {
            assert_true(entries[i].is_private);
            assert_non_null(strstr(entries[i].body, "This reply did not reach the customer's chat: &quot;Yes, in "
                                                    "emerald&quot; (Anna, "));
            assert_non_null(strstr(entries[i].body, " UTC). Reason: Freshchat refused"));
            assert_non_null(strstr(entries[i].body, " Send it again as a new reply."));
        }
    sandbox_entries_free(entries, count);

    the_letter_is_told_of(s, "ada", "emerald", number);
    json_t *answer = operator_asks(s, "dead", "retry", number, "--dry-run");
    assert_int_equal(number_at(answer, "letters_matched"), 1);
    json_decref(answer);
    operator_sees_dead_within(s, 1, 1000);
    chat_shows_times(s, "ada", "Yes, in emerald", 0);

    operator_says(s, 0, "dead", "retry", number);
    chat_shows_within(s, "ada", "Yes, in emerald", 10000);
    operator_sees_dead_within(s, 0, 5000);
    operator_says(s, 1, "dead", "retry", number); // it is not there any more
    everything_settles_within(s, 10000);
    // Neither what follows nor the next front says anything again.
    agent_replies(s, "ada", STORY_ANNA, "<p>Anything else?</p>");
    chat_shows_within(s, "ada", "Anything else?", 10000);
    scenario_stop(s);
    scenario_start(s);
    everything_settles_within(s, 20000);
    chat_shows_times(s, "ada", "Yes, in emerald", 1);
    chat_shows_times(s, "ada", "And in turquoise", 1);
    chat_shows_times(s, "ada", "Anything else?", 1);
    operator_sees_dead_within(s, 0, 1000);
    scenario_end(s);
}

// Its retry is refused, too: a letter again, and nothing is lost by that.
static void a_retry_that_is_refused_is_a_dead_letter_again(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    scenario_expect_error(s, "event=dead_letter");
    customer_writes(s, "ada", "Hello?");
    ticket_appears_within(s, "ada", 5000);
    refuse(s, SANDBOX_FC_MESSAGE_POST, 400, 2);
    agent_replies(s, "ada", STORY_ANNA, "<p>third time lucky</p>");
    operator_sees_dead_within(s, 1, 10000);
    everything_settles_within(s, 10000);
    operator_says(s, 0, "dead", "retry", "--all");
    operator_sees_dead_within(s, 1, 10000);
    everything_settles_within(s, 10000);
    // A front that dies with the retried letter still has it.
    scenario_kill_all(s);
    scenario_start(s);
    operator_sees_dead_within(s, 1, 10000);
    operator_says(s, 0, "dead", "retry", "--cause", "Freshchat");
    chat_shows_within(s, "ada", "third time lucky", 10000);
    everything_settles_within(s, 20000);
    chat_shows_times(s, "ada", "third time lucky", 1);
    operator_sees_dead_within(s, 0, 1000);
    scenario_end(s);
}

// ---------------------------------------------------------------- tickets
static void a_refused_ticket_is_opened_on_request(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    scenario_expect_error(s, "event=dead_letter");
    char number[24];
    int fault = refuse(s, SANDBOX_FD_TICKET_CREATE, 422, 0);
    customer_writes(s, "ada", "My kangaroo is late");
    operator_sees_dead_within(s, 1, 20000);
    everything_settles_within(s, 10000);
    assert_int_equal(sandbox_ticket_count(scenario_sandbox(s)), 0);
    the_letter_is_told_of(s, "ada", "kangaroo", number);
    sandbox_fault_remove(scenario_sandbox(s), fault);
    operator_says(s, 0, "dead", "retry", "--all");
    ticket_appears_within(s, "ada", 10000);
    everything_settles_within(s, 10000);
    ticket_shows_times(s, "ada", "My kangaroo is late", 1);
    assert_int_equal(sandbox_ticket_count(scenario_sandbox(s)), 1);
    operator_sees_dead_within(s, 0, 1000);
    scenario_end(s);
}

// What the customer said next opened the ticket: the letter joins it instead of opening a second one.
static void a_retried_first_message_finds_the_ticket_of_the_second(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    scenario_expect_error(s, "event=dead_letter");
    int fault = refuse(s, SANDBOX_FD_TICKET_CREATE, 422, 0);
    customer_writes(s, "ada", "My kangaroo is late");
    operator_sees_dead_within(s, 1, 20000);
    sandbox_fault_remove(scenario_sandbox(s), fault);
    customer_writes(s, "ada", "Are you there?");
    ticket_appears_within(s, "ada", 10000);
    operator_says(s, 0, "dead", "retry", "--all");
    ticket_shows_within(s, "ada", "My kangaroo is late", 10000);
    everything_settles_within(s, 10000);
    ticket_shows_times(s, "ada", "My kangaroo is late", 1);
    ticket_shows_times(s, "ada", "Are you there?", 1);
    assert_int_equal(sandbox_ticket_count(scenario_sandbox(s)), 1);
    scenario_end(s);
}

// ---------------------------------------------------------------- choosing
static void letters_are_chosen_by_number_cause_or_all_and_dropped(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    scenario_expect_error(s, "event=dead_letter");
    char number[24];
    refuse(s, SANDBOX_FD_TICKET_CREATE, 422, 0);
    customer_writes(s, "ada", "first");
    customer_writes(s, "ben", "second");
    customer_writes(s, "cem", "third");
    operator_sees_dead_within(s, 3, 30000);
    json_t *group = only_group(s, 3);
    assert_int_equal(number_at(group, "affected"), 3);
    assert_int_equal(number_at(group, "cart_cents"), 3 * 24950);
    first_letter(group, number);
    json_decref(group);

    operator_says(s, 2, "dead", "drop");
    operator_says(s, 2, "dead", "drop", number, "--all");
    operator_says(s, 1, "dead", "drop", "12345");
    operator_says(s, 1, "dead", "drop", "x");
    json_t *answer = operator_asks(s, "dead", "drop", "--cause", "no such sentence");
    assert_int_equal(number_at(answer, "letters_matched"), 0);
    json_decref(answer);
    answer = operator_asks(s, "dead", "drop", "--cause", "Freshdesk", "--dry-run");
    assert_int_equal(number_at(answer, "letters_matched"), 3);
    assert_int_equal(json_array_size(json_object_get(answer, "letters")), 3);
    json_decref(answer);
    operator_sees_dead_within(s, 3, 1000);
    operator_says(s, 0, "dead", "drop", number);
    operator_sees_dead_within(s, 2, 5000);
    answer = operator_asks(s, "dead", "drop", "--cause", "Freshdesk");
    assert_int_equal(number_at(answer, "letters_matched"), 2);
    json_decref(answer);
    operator_sees_dead_within(s, 0, 5000);
    // Dropped is dropped, for the next front too.
    scenario_stop(s);
    scenario_start(s);
    operator_sees_dead_within(s, 0, 5000);
    assert_int_equal(sandbox_ticket_count(scenario_sandbox(s)), 0);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_refused_reply_is_told_and_sent_again_on_request, scenario_teardown),
        cmocka_unit_test_teardown(a_retry_that_is_refused_is_a_dead_letter_again, scenario_teardown),
        cmocka_unit_test_teardown(a_refused_ticket_is_opened_on_request, scenario_teardown),
        cmocka_unit_test_teardown(a_retried_first_message_finds_the_ticket_of_the_second, scenario_teardown),
        cmocka_unit_test_teardown(letters_are_chosen_by_number_cause_or_all_and_dropped, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
