// SPDX-License-Identifier: Apache-2.0
// Freshworks answers late, wrongly or not at all: in doubt, Deskbell looks before it repeats, and what it cannot read
// it does without for the moment.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/story.h"

// A conversation in which the first call to `endpoint` meets that fault. Everything must be there once at the end.
static void talk_with_a_fault(void **state, struct sandbox_fault fault, size_t creates)
{
    struct scenario *s = scenario_begin(state, NULL);
    fault.count = 1;
    int number = sandbox_fault_add(scenario_sandbox(s), &fault);
    customer_writes(s, "ada", "first question");
    ticket_appears_within(s, "ada", 10000);
    customer_writes(s, "ada", "second question");
    ticket_shows_within(s, "ada", "second question", 10000);
    agent_replies(s, "ada", STORY_ANNA, "<p>first answer</p>");
    chat_shows_within(s, "ada", "first answer", 10000);
    agent_types_in_chat(s, "ada", STORY_ANNA, "second answer");
    ticket_shows_within(s, "ada", "second answer", 10000);
    everything_settles_within(s, 20000);

    assert_int_equal(sandbox_fault_hits(scenario_sandbox(s), number), 1);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, creates);
    ticket_of(s, "ada");
    ticket_shows_times(s, "ada", "first question", 1);
    ticket_shows_times(s, "ada", "second question", 1);
    ticket_shows_times(s, "ada", "first answer", 1);
    ticket_shows_times(s, "ada", "second answer", 1);
    chat_shows_times(s, "ada", "first answer", 1);
    chat_shows_times(s, "ada", "second answer", 1);
    no_dead_letters(s);
    scenario_end(s);
}

static void the_answer_to_a_created_ticket_is_lost(void **state)
{
    talk_with_a_fault(state, (struct sandbox_fault){.endpoint = SANDBOX_FD_TICKET_CREATE, .kind = SANDBOX_FAULT_LOST},
                      1);
}

static void a_ticket_is_created_a_second_after_the_connection_dropped(void **state)
{
    talk_with_a_fault(
        state,
        (struct sandbox_fault){.endpoint = SANDBOX_FD_TICKET_CREATE, .kind = SANDBOX_FAULT_LATE_WORK, .ms = 1000}, 1);
}

static void the_answer_to_a_created_ticket_is_a_web_page(void **state)
{
    talk_with_a_fault(
        state,
        (struct sandbox_fault){.endpoint = SANDBOX_FD_TICKET_CREATE, .kind = SANDBOX_FAULT_HTML, .after_work = true},
        1);
}

static void the_ticket_is_created_and_the_answer_is_500(void **state)
{
    talk_with_a_fault(
        state,
        (struct sandbox_fault){
            .endpoint = SANDBOX_FD_TICKET_CREATE, .kind = SANDBOX_FAULT_STATUS, .status = 500, .after_work = true},
        1);
}

static void the_connection_drops_and_no_ticket_is_created(void **state)
{
    talk_with_a_fault(state, (struct sandbox_fault){.endpoint = SANDBOX_FD_TICKET_CREATE, .kind = SANDBOX_FAULT_DROP},
                      2);
}

static void freshdesk_asks_to_wait(void **state)
{
    talk_with_a_fault(
        state,
        (struct sandbox_fault){
            .endpoint = SANDBOX_FD_TICKET_CREATE, .kind = SANDBOX_FAULT_STATUS, .status = 429, .retry_after = 1},
        2);
}

static void the_answer_to_a_note_is_lost(void **state)
{
    talk_with_a_fault(state, (struct sandbox_fault){.endpoint = SANDBOX_FD_NOTE, .kind = SANDBOX_FAULT_LOST}, 1);
}

static void a_note_is_stored_a_second_after_the_connection_dropped(void **state)
{
    talk_with_a_fault(
        state, (struct sandbox_fault){.endpoint = SANDBOX_FD_NOTE, .kind = SANDBOX_FAULT_LATE_WORK, .ms = 1000}, 1);
}

static void the_answer_to_a_mirrored_note_is_lost(void **state)
{
    talk_with_a_fault(state, (struct sandbox_fault){.endpoint = SANDBOX_FD_NOTE, .kind = SANDBOX_FAULT_LOST, .skip = 1},
                      1);
}

static void the_answer_to_a_chat_message_is_lost(void **state)
{
    talk_with_a_fault(state, (struct sandbox_fault){.endpoint = SANDBOX_FC_MESSAGE_POST, .kind = SANDBOX_FAULT_LOST},
                      1);
}

static void a_chat_message_is_stored_a_second_after_the_connection_dropped(void **state)
{
    talk_with_a_fault(
        state, (struct sandbox_fault){.endpoint = SANDBOX_FC_MESSAGE_POST, .kind = SANDBOX_FAULT_LATE_WORK, .ms = 1000},
        1);
}

static void the_list_of_entries_hangs(void **state)
{
    talk_with_a_fault(
        state, (struct sandbox_fault){.endpoint = SANDBOX_FD_ENTRY_LIST, .kind = SANDBOX_FAULT_HANG, .ms = 20000}, 1);
}

// ---------------------------------------------------------------- the customer's context
static void an_unreadable_customer_gets_a_ticket_at_once_and_the_context_later(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    const struct sandbox_fault broken = {
        .endpoint = SANDBOX_FC_USER_GET, .kind = SANDBOX_FAULT_STATUS, .status = 500, .count = 3};
    int fault = sandbox_fault_add(scenario_sandbox(s), &broken);
    customer_writes(s, "ada", "Hello");
    int64_t id = ticket_appears_within(s, "ada", 2000);
    struct sandbox_ticket ticket;
    assert_true(sandbox_ticket(scenario_sandbox(s), id, &ticket));
    assert_null(ticket.cart);
    assert_null(ticket.friction);
    assert_null(ticket.screen);
    assert_int_equal(ticket.priority, 2);
    sandbox_ticket_clear(&ticket);

    // The first, the second and the third reading fail; a later one comes with the next message.
    sandbox_fault_remove(scenario_sandbox(s), fault);
    ticket_cart_is_within(s, "ada", "249.5", 15000);
    assert_true(sandbox_ticket(scenario_sandbox(s), id, &ticket));
    assert_int_equal(ticket.priority, 4);
    assert_non_null(ticket.friction);
    assert_non_null(ticket.screen);
    sandbox_ticket_clear(&ticket);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    scenario_end(s);
}

static void a_customer_who_is_not_read_within_a_second_is_not_waited_for(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    const struct sandbox_fault slow = {
        .endpoint = SANDBOX_FC_USER_GET, .kind = SANDBOX_FAULT_SLOW, .ms = 8000, .count = 1};
    sandbox_fault_add(scenario_sandbox(s), &slow);
    customer_writes(s, "ada", "Hello");
    ticket_appears_within(s, "ada", 2000);
    ticket_cart_is_within(s, "ada", "249.5", 15000);
    everything_settles_within(s, 20000);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    scenario_end(s);
}

static void properties_that_come_late_are_read_again(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    const struct sandbox_customer_info bare = {.first_name = "Eve", .email = "eve@customer.example"};
    customer_arrives(s, "eve", &bare);
    customer_writes(s, "eve", "Hello");
    int64_t id = ticket_appears_within(s, "eve", 2000);
    struct sandbox_ticket ticket;
    assert_true(sandbox_ticket(scenario_sandbox(s), id, &ticket));
    assert_string_equal(ticket.subject, "Eve: Hello");
    assert_null(ticket.cart);
    assert_null(ticket.friction); // empty, never 0
    sandbox_ticket_clear(&ticket);
    sandbox_customer_property(scenario_sandbox(s), customer_of(s, "eve"), "cart_value", "80");
    sandbox_customer_property(scenario_sandbox(s), customer_of(s, "eve"), "friction_score", "61");
    ticket_cart_is_within(s, "eve", "80.0", 8000);
    assert_true(sandbox_ticket(scenario_sandbox(s), id, &ticket));
    assert_int_equal(ticket.priority, 3);
    sandbox_ticket_clear(&ticket);
    scenario_end(s);
}

static void a_number_that_is_none_is_shown_and_raises_nothing(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    const struct sandbox_customer_info odd = {.first_name = "Eve",
                                              .email = "eve@customer.example",
                                              .cart_value = "a <b>lot</b>",
                                              .friction_score = "high",
                                              .screen = "checkout"};
    customer_arrives(s, "eve", &odd);
    customer_writes(s, "eve", "Hello");
    int64_t id = ticket_appears_within(s, "eve", 2000);
    struct sandbox_ticket ticket;
    assert_true(sandbox_ticket(scenario_sandbox(s), id, &ticket));
    assert_int_equal(ticket.priority, 2);
    assert_int_equal(ticket.tag_count, 0);
    assert_non_null(strstr(ticket.description_text, "a <b>lot</b>")); // escaped in the HTML, so plain in the text
    assert_null(strstr(ticket.description, "<b>lot"));
    sandbox_ticket_clear(&ticket);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_answer_to_a_created_ticket_is_lost, scenario_teardown),
        cmocka_unit_test_teardown(a_ticket_is_created_a_second_after_the_connection_dropped, scenario_teardown),
        cmocka_unit_test_teardown(the_answer_to_a_created_ticket_is_a_web_page, scenario_teardown),
        cmocka_unit_test_teardown(the_ticket_is_created_and_the_answer_is_500, scenario_teardown),
        cmocka_unit_test_teardown(the_connection_drops_and_no_ticket_is_created, scenario_teardown),
        cmocka_unit_test_teardown(freshdesk_asks_to_wait, scenario_teardown),
        cmocka_unit_test_teardown(the_answer_to_a_note_is_lost, scenario_teardown),
        cmocka_unit_test_teardown(a_note_is_stored_a_second_after_the_connection_dropped, scenario_teardown),
        cmocka_unit_test_teardown(the_answer_to_a_mirrored_note_is_lost, scenario_teardown),
        cmocka_unit_test_teardown(the_answer_to_a_chat_message_is_lost, scenario_teardown),
        cmocka_unit_test_teardown(a_chat_message_is_stored_a_second_after_the_connection_dropped, scenario_teardown),
        cmocka_unit_test_teardown(the_list_of_entries_hangs, scenario_teardown),
        cmocka_unit_test_teardown(an_unreadable_customer_gets_a_ticket_at_once_and_the_context_later,
                                  scenario_teardown),
        cmocka_unit_test_teardown(a_customer_who_is_not_read_within_a_second_is_not_waited_for, scenario_teardown),
        cmocka_unit_test_teardown(properties_that_come_late_are_read_again, scenario_teardown),
        cmocka_unit_test_teardown(a_number_that_is_none_is_shown_and_raises_nothing, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
