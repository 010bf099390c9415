// SPDX-License-Identifier: Apache-2.0
// Calls join the customer's ticket: by the live conversation's number, by the newest open ticket, by what Freshcaller's
// own link made, or by a new one; told once, privately, with what comes later; and a missed one raises the ticket. A
// shopper who wants to be called back does the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/calling.h"
#include "tests/scenario/operator.h"

enum { SOON_MS = 15000, QUIET_MS = 30000 };

// All that Deskbell asks for, so that it asks but once.
static const struct sandbox_customer_info ada = {.first_name = "Ada",
                                                 .email = "ada@mail.example",
                                                 .phone = "020 7946 0101",
                                                 .cart_value = "20.00",
                                                 .friction_score = "5",
                                                 .screen = "basket"};

static const struct sandbox_customer_info hal = {.first_name = "Hal",
                                                 .email = "hal@mail.example",
                                                 .phone = "+44 20 7946 0555",
                                                 .cart_value = "20.00",
                                                 .friction_score = "5",
                                                 .screen = "basket"};

static void a_call_joins_the_live_conversation(void **state)
{
    struct scenario *s = calling_begin(state, NULL);
    struct sandbox *sb = scenario_sandbox(s);
    customer_arrives(s, "ada", &ada);
    customer_writes(s, "ada", "My parcel has not come");
    int64_t ticket = ticket_appears_within(s, "ada", SOON_MS);
    everything_settles_within(s, QUIET_MS);

    // It rings and is taken: nothing is said before it is over.
    int64_t call = sandbox_phone_rings(sb, "+442079460101", "Ada");
    polls_pass(s, 1);
    sandbox_phone_connects(sb, call, "Anna Berg");
    polls_pass(s, 2);
    call_is_told_times(s, call, 0);
    sandbox_phone_ends(sb, call, 64, SANDBOX_PHONE_ANSWERED);
    call_is_noted(s, ticket, call, 1, SOON_MS);
    ticket_says(s, ticket, "1 min 4 s, answered by Anna Berg");
    ticket_is_raised(s, ticket, 2, "");

    // What comes later is told once; what nobody cares for is not.
    sandbox_phone_touched(sb, call);
    polls_pass(s, 1);
    sandbox_phone_recorded(sb, call);
    call_is_noted(s, ticket, call, 2, SOON_MS);
    ticket_says(s, ticket, "/recording");
    sandbox_phone_noted(sb, call, "Sends the invoice again");
    call_is_noted(s, ticket, call, 3, SOON_MS);
    ticket_says(s, ticket, "Notes: Sends the invoice again");
    sandbox_phone_touched(sb, call);

    // A transfer is the same call: its legs are told on the same ticket.
    int64_t leg = sandbox_phone_transfers(sb, call, "Ben Kaya");
    sandbox_phone_ends(sb, leg, 7000, SANDBOX_PHONE_ANSWERED);
    call_is_noted(s, ticket, leg, 1, SOON_MS);
    ticket_says(s, ticket, "1 h 56 min, answered by Ben Kaya");

    // Missed: the ticket rises, says so, and keeps its tags. From the national number, as the customer gave it.
    int64_t missed = sandbox_phone_call(sb, "020 7946 0101", NULL, NULL, 20);
    call_is_noted(s, ticket, missed, 1, SOON_MS);
    ticket_is_raised(s, ticket, 3, "missed-call");
    ticket_says(s, ticket, "Missed call: +442079460101");
    ticket_says(s, ticket, "raised from medium to high");
    everything_settles_within(s, QUIET_MS);
    call_is_noted(s, ticket, call, 3, 0);
    call_is_noted(s, ticket, missed, 1, 0);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    calls_are(s, SANDBOX_FC_MESSAGE_POST, 0); // nothing of it reached the chat

    // Once it is resolved, what is open of the same customer comes first; and it again when nothing is.
    sandbox_ticket_status(sb, ticket, STORY_ANNA, 4);
    int64_t open = sandbox_ticket_new(sb, "The invoice", ada.email, NULL);
    int64_t about = sandbox_phone_call(sb, "+442079460101", NULL, "Anna Berg", 20);
    call_is_noted(s, open, about, 1, SOON_MS);
    sandbox_ticket_status(sb, open, STORY_ANNA, 5);
    int64_t last = sandbox_phone_call(sb, "+442079460101", NULL, NULL, 20);
    call_is_noted(s, ticket, last, 1, SOON_MS);
    ticket_says(s, ticket, "is open again");
    everything_settles_within(s, QUIET_MS);
    call_is_told_times(s, about, 1);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);

    // The operator sees it.
    char lane[64];
    snprintf(lane, sizeof lane, "call:%lld", (long long)missed);
    json_t *trace = operator_asks(s, "trace", lane);
    assert_int_equal(json_integer_value(json_object_get(trace, "ticket")), ticket);
    json_decref(trace);
    no_dead_letters(s);
    scenario_end(s);
}

static void calls_of_others_find_their_ticket(void **state)
{
    struct scenario *s = calling_begin(state, NULL);
    struct sandbox *sb = scenario_sandbox(s);

    // The newest open ticket of the contact, by either number.
    sandbox_ticket_new_by_phone(sb, "Older", "+442079460201", false);
    int64_t newer = sandbox_ticket_new_by_phone(sb, "Newer", "+442079460201", false);
    int64_t closed = sandbox_ticket_new_by_phone(sb, "Newest, closed", "+442079460201", false);
    sandbox_ticket_status(sb, closed, STORY_ANNA, 5);
    int64_t mobile = sandbox_ticket_new_by_phone(sb, "Mobile", "+442079460202", true);
    int64_t to_newer = sandbox_phone_call(sb, "+442079460201", "Bo", "Anna Berg", 30);
    int64_t to_mobile = sandbox_phone_call(sb, "+442079460202", "Cy", NULL, 30);

    // Nobody knows these: a ticket each, and one for who dials again and again.
    int64_t unknown = sandbox_phone_call(sb, "+442079460203", "Dee", NULL, 25);
    int64_t again = sandbox_phone_call(sb, "+442079460203", "Dee", NULL, 5);
    int64_t talked = sandbox_phone_call(sb, "+442079460204", NULL, "Ben Kaya", 3);
    int64_t withheld = sandbox_phone_call(sb, "anonymous", NULL, NULL, 9);
    int64_t vain = sandbox_phone_dials(sb, "+442079460205", "Ben Kaya");
    sandbox_phone_ends(sb, vain, 12, SANDBOX_PHONE_MISSED);

    assert_int_equal(call_is_told_within(s, to_newer, SOON_MS), newer);
    assert_int_equal(call_is_told_within(s, to_mobile, SOON_MS), mobile);
    ticket_is_raised(s, mobile, 3, "missed-call");
    int64_t opened = call_is_told_within(s, unknown, SOON_MS);
    assert_int_equal(call_is_told_within(s, again, SOON_MS), opened);
    ticket_says(s, opened, "Missed call from Dee (+442079460203)");
    ticket_is_raised(s, opened, 3, "missed-call");
    char number[32];
    snprintf(number, sizeof number, "%lld", (long long)opened);
    json_t *trace = operator_asks(s, "trace", number);
    assert_int_equal(strncmp(json_string_value(json_object_get(trace, "conversation")), "call:", 5), 0);
    json_decref(trace);
    int64_t talk = call_is_told_within(s, talked, SOON_MS);
    ticket_says(s, talk, "Call with +442079460204");
    ticket_is_raised(s, talk, 2, "");
    ticket_says(s, call_is_told_within(s, withheld, SOON_MS), "Missed call, number withheld");
    everything_settles_within(s, QUIET_MS);
    struct sandbox_ticket ticket;
    assert_true(sandbox_ticket(sb, opened, &ticket));
    assert_int_equal(ticket.source, 3);
    sandbox_ticket_clear(&ticket);
    call_is_told_times(s, vain, 0);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 3);

    // Freshcaller's own link: the ticket that it names, and one that it does not.
    sandbox_phone_set(sb, &(struct sandbox_phone_options){.native = true});
    int64_t named = sandbox_phone_call(sb, "+442079460301", "Eve", NULL, 15);
    sandbox_phone_set(sb, &(struct sandbox_phone_options){.native = true, .native_mute = true});
    int64_t mute = sandbox_phone_call(sb, "+442079460302", "Flo", NULL, 15);
    sandbox_phone_set(sb, &(struct sandbox_phone_options){.native = false});
    int64_t late = sandbox_phone_call(sb, "+442079460303", "Gus", NULL, 15);
    int64_t native = sandbox_phone_native_ticket(sb, late, false);
    call_is_told_within(s, named, SOON_MS);
    call_is_told_within(s, mute, SOON_MS);
    assert_int_equal(call_is_told_within(s, late, SOON_MS), native);
    everything_settles_within(s, QUIET_MS);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 3);
    ticket_is_raised(s, native, 3, "missed-call");
    no_dead_letters(s);

    // A ticket that was closed since is open again when somebody is to call back.
    sandbox_ticket_status(sb, opened, STORY_ANNA, 5);
    int64_t third = sandbox_phone_call(sb, "+442079460203", "Dee", NULL, 25);
    call_is_noted(s, opened, third, 1, SOON_MS);
    assert_true(sandbox_ticket(sb, opened, &ticket));
    assert_int_equal(ticket.status, 2);
    sandbox_ticket_clear(&ticket);
    scenario_end(s);
}

static bool there_are_two(struct sandbox *sb, void *arg)
{
    (void)arg;
    return sandbox_ticket_count(sb) >= 2;
}

static void a_shopper_is_called_back(void **state)
{
    struct scenario *s = calling_begin(state, NULL);
    struct sandbox *sb = scenario_sandbox(s);
    customer_arrives(s, "ada", &ada);
    customer_writes(s, "ada", "Does it come in blue?");
    int64_t ticket = ticket_appears_within(s, "ada", SOON_MS);
    everything_settles_within(s, QUIET_MS);

    // By the chat's user, whatever number; once, however often the page sends it.
    shopper_asks(s, "browser-0001", "+442079460999", "Ada", customer_of(s, "ada")->user_id, 200);
    shopper_asks(s, "browser-0001", "+442079460999", "Ada", customer_of(s, "ada")->user_id, 200);
    assert_true(sandbox_wait_entry(sb, ticket, "Wants to be called back: Ada (+442079460999)", SOON_MS));
    everything_settles_within(s, QUIET_MS);
    assert_int_equal(sandbox_entries_with(sb, ticket, "Request browser-0001"), 1);
    ticket_is_raised(s, ticket, 3, "call-back");

    // Nobody knows whose number that is; an agent who calls it does what was asked.
    int64_t back = sandbox_phone_dials(sb, "+442079460999", "Anna Berg");
    sandbox_phone_ends(sb, back, 80, SANDBOX_PHONE_ANSWERED);
    call_is_noted(s, ticket, back, 1, SOON_MS);

    // By the number, and by nothing: a ticket of its own, and one only.
    shopper_asks(s, "browser-0002", "020 7946 0101", "A.", "", 200);
    assert_true(sandbox_wait_entry(sb, ticket, "Request browser-0002", SOON_MS));
    shopper_asks(s, "browser-0003", "+442079460555", "Hal", "", 200);
    shopper_asks(s, "browser-0004", "+442079460555", "Hal", "", 200);
    assert_true(sandbox_wait(sb, there_are_two, NULL, SOON_MS));
    struct sandbox_ticket *tickets = NULL;
    size_t count = sandbox_tickets(sb, &tickets);
    int64_t opened = tickets[0].id == ticket ? tickets[1].id : tickets[0].id;
    sandbox_tickets_free(tickets, count);
    ticket_says(s, opened, "Call back: Hal (+442079460555)");
    ticket_says(s, opened, "checkout");
    assert_true(sandbox_wait_entry(sb, opened, "Wants to be called back", SOON_MS)); // the other one of the two
    everything_settles_within(s, QUIET_MS);
    assert_int_equal(sandbox_ticket_count(sb), 2);
    ticket_is_raised(s, opened, 3, "call-back");
    assert_int_equal(sandbox_entries_with(sb, opened, "Wants to be called back"), 1);

    // The agent calls: the same ticket.
    int64_t call = sandbox_phone_dials(sb, "+442079460555", "Anna Berg");
    sandbox_phone_ends(sb, call, 90, SANDBOX_PHONE_ANSWERED);
    call_is_noted(s, opened, call, 1, SOON_MS);
    ticket_says(s, opened, "called by Anna Berg");
    // Who asked first and writes then has two tickets, which name each other.
    customer_arrives(s, "hal", &hal);
    customer_writes(s, "hal", "Still waiting for your call");
    int64_t chat = ticket_appears_within(s, "hal", SOON_MS);
    assert_true(sandbox_wait_entry(sb, chat, "This customer called a short while ago", SOON_MS));
    assert_true(sandbox_wait_entry(sb, opened, "The customer writes in the chat now", SOON_MS));
    everything_settles_within(s, QUIET_MS);
    calls_are(s, SANDBOX_FC_MESSAGE_POST, 0);
    no_dead_letters(s);
    scenario_end(s);
}

// The shop is closed, nobody calls before the day after tomorrow, and Deskbell was restarted since.
static void a_wish_is_kept_for_days(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.environment[0] = "DESKBELL_TEST_CLOCK_OFFSET_MS=-172800000";
    struct scenario *s = calling_begin(state, &options);
    struct sandbox *sb = scenario_sandbox(s);
    scenario_expect_error(s, "event=clock_disagrees");
    customer_arrives(s, "ada", &ada);
    customer_writes(s, "ada", "Is it in stock?");
    int64_t ticket = ticket_appears_within(s, "ada", SOON_MS);
    everything_settles_within(s, QUIET_MS);
    shopper_asks(s, "browser-0009", "+442079460998", "Ada", customer_of(s, "ada")->user_id, 200);
    assert_true(sandbox_wait_entry(sb, ticket, "Request browser-0009", SOON_MS));
    everything_settles_within(s, QUIET_MS);
    scenario_stop(s);

    scenario_start(s);
    int64_t call = sandbox_phone_dials(sb, "+442079460998", "Anna Berg");
    sandbox_phone_ends(sb, call, 80, SANDBOX_PHONE_ANSWERED);
    assert_int_equal(call_is_told_within(s, call, SOON_MS), ticket);
    everything_settles_within(s, QUIET_MS);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    no_dead_letters(s);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_call_joins_the_live_conversation, scenario_teardown),
        cmocka_unit_test_teardown(calls_of_others_find_their_ticket, scenario_teardown),
        cmocka_unit_test_teardown(a_shopper_is_called_back, scenario_teardown),
        cmocka_unit_test_teardown(a_wish_is_kept_for_days, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
