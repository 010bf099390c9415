// SPDX-License-Identifier: Apache-2.0
// Polls that fail, that die with their front or their worker, and what they must not hold up.
#include "tests/unit/test_dispatch.h"

// A conversation that nobody wrote in for days is looked at once by each front: once with an answer.
static void a_poll_that_fails_is_asked_again(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    f->config.freshchat.poll_seconds = 1;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = wall() - 2 * (uint64_t)DAY});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    struct job poll = expect_job(f, STEP_LIST_MESSAGES, &w);
    send_report(w, &poll, (struct report){.outcome = OUTCOME_RETRY, .http_status = 500});
    poll = expect_job(f, STEP_LIST_MESSAGES, &w);
    send_report(w, &poll, (struct report){.outcome = OUTCOME_DONE});
    await_ack(w, poll.job_id);
    struct job none;
    assert_false(next_job(f, 8000, STEP_LIST_MESSAGES, &none, &w)); // answered: that was all
}

// What the poll of customers found is on disk before the mark of that poll has passed it.
static void a_conversation_nobody_told_of_outlives_the_front(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    knows(f, (struct lane){.conversation = "poll:freshchat-users", .chat_mark_ms = 1000, .updated_ms = wall()});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    struct job users = expect_job(f, STEP_LIST_USERS, &w);
    assert_int_equal(users.lane.chat_mark_ms, 1000);
    struct written chat = {.id = "x"};
    send_report(w, &users, (struct report){.outcome = OUTCOME_DONE, .chat_mark_ms = 2000, .conversations = {&chat, 1}});
    struct job poll = expect_job(f, STEP_LIST_MESSAGES, &w);
    assert_string_equal(poll.lane.conversation, "x");
    await_ack(w, users.job_id);
    end(f);

    begin(f);
    worker(f, 1, 7);
    roster(f);
    poll = expect_job(f, STEP_LIST_MESSAGES, &w);
    assert_string_equal(poll.lane.conversation, "x");
    assert_int_equal(poll.lane.chat_mark_ms, 1000);
}

// A known conversation that fell asleep long ago, in which a customer writes while no webhook comes.
static void a_sleeping_conversation_of_a_customer_who_changed_is_asked(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    knows(f, (struct lane){.conversation = "poll:freshchat-users", .chat_mark_ms = 1000, .updated_ms = wall()});
    knows(f,
          (struct lane){
              .conversation = "old", .ticket_id = 42, .chat_mark_ms = 500, .updated_ms = wall() - 20 * (uint64_t)DAY});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    struct job users = expect_job(f, STEP_LIST_USERS, &w);
    struct written chat = {.id = "old"};
    send_report(w, &users, (struct report){.outcome = OUTCOME_DONE, .chat_mark_ms = 2000, .conversations = {&chat, 1}});
    struct job poll = expect_job(f, STEP_LIST_MESSAGES, &w);
    assert_string_equal(poll.lane.conversation, "old");
    assert_int_equal(poll.lane.chat_mark_ms, 500);
}

// A reply never waits behind a poll of its conversation that has died with its worker.
static void a_poll_whose_worker_died_holds_up_no_reply(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    f->config.workers.in_flight = 1;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = wall()});
    begin(f);
    struct worker *first = worker(f, 1, 7);
    roster(f);
    expect_job(f, STEP_LIST_MESSAGES, &w);
    reaped(first);
    hints(f, 42);
    struct job none;
    assert_false(next_job(f, 200, STEP_LIST_MESSAGES, &none, &w));
    worker(f, 2, 8);
    roster(f);
    struct job list;
    assert_true(next_job(f, PATIENCE_MS, STEP_LIST_MESSAGES, &list, &w));
    assert_int_equal(list.step, STEP_LIST_ENTRIES);
    send_report(w, &list, (struct report){.outcome = OUTCOME_DONE});
    expect_job(f, STEP_LIST_MESSAGES, &w);
}

// With more to poll than the budget allows, each has its turn before any has its second.
static void scarce_polls_go_round(void **state)
{
    enum { CHATS = 30 };
    struct fixture *f = *state;
    struct worker *w;
    struct job poll;
    bool polled[CHATS] = {false};
    f->config.freshchat.poll_seconds = 1;
    f->config.freshchat.calls_per_minute = 120; // twenty at once, then two a second
    for (int i = 0; i < CHATS; i++) {
        char id[8];
        snprintf(id, sizeof id, "c%d", i);
        knows(f, (struct lane){.conversation = id, .ticket_id = 42 + (uint64_t)i, .updated_ms = wall()});
    }
    begin(f);
    worker(f, 1, 7);
    roster(f);
    for (int i = 0; i < CHATS; i++) {
        poll = expect_job(f, STEP_LIST_MESSAGES, &w);
        int chat = atoi(poll.lane.conversation + 1);
        assert_false(polled[chat]);
        polled[chat] = true;
        send_report(w, &poll, (struct report){.outcome = OUTCOME_DONE});
    }
}

// Four workers died of it: it rests, and the fifth lives.
static void a_poll_that_kills_its_workers_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct job none;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = wall()});
    begin(f);
    for (uint64_t generation = 7; generation < 11; generation++) {
        worker(f, 1, generation);
        roster(f);
        expect_job(f, STEP_LIST_MESSAGES, &w);
        reaped(w);
    }
    worker(f, 1, 11);
    roster(f);
    assert_false(next_job(f, 1000, STEP_LIST_MESSAGES, &none, &w));
    hints(f, 42);
    expect_job(f, STEP_LIST_ENTRIES, &w);
}

// An agent can write anything into the ticket's conversation field.
static void a_ticket_cannot_be_linked_to_a_lane_of_ours(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct ticket ticket;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    hints(f, 42);
    struct job read = expect_job(f, STEP_READ_TICKET, &w);
    send_report(w, &read,
                (struct report){.outcome = OUTCOME_DONE, .ticket_id = 42, .link_conversation = "poll:freshdesk"});
    await_ack(w, read.job_id);
    assert_int_equal(ledger_ticket(f->ledger, 42, &ticket, f->arena), LEDGER_ABSENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_poll_that_fails_is_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_conversation_nobody_told_of_outlives_the_front, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sleeping_conversation_of_a_customer_who_changed_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_poll_whose_worker_died_holds_up_no_reply, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scarce_polls_go_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_poll_that_kills_its_workers_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_cannot_be_linked_to_a_lane_of_ours, set_up, tear_down),
    };
    zsys_init();
    zsys_handler_set(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
