// SPDX-License-Identifier: Apache-2.0
// Who goes next over all conversations and upstreams: what waits at one upstream, or is slow there, holds up no other.
#include "tests/unit/test_dispatch.h"

enum { CHATS = 12 };

// Conversations that a new front looks at at once: each with a ticket, 42 and on.
static void knows_chats(struct fixture *f)
{
    for (int i = 0; i < CHATS; i++) {
        char id[8];
        snprintf(id, sizeof id, "c%d", i);
        knows(f, (struct lane){.conversation = id, .ticket_id = 42 + (uint64_t)i, .updated_ms = wall()});
    }
}

// The next job, whatever it is; nothing is answered.
static struct job take_job(struct worker *w)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    struct job job;
    uint64_t acked;
    while (take(w, 50, &job, &acked) != FRAME_JOB)
        assert_true(clock_mono_ms() < until);
    return job;
}

// A new front polls all that was lately alive, and Freshchat takes its time. Somebody new writes meanwhile.
static void slow_polls_leave_room_for_a_new_ticket(void **state)
{
    struct fixture *f = *state;
    knows_chats(f);
    begin(f);
    struct worker *w = worker(f, 1, 7);
    roster(f);
    struct job job = take_job(w);
    int desk_polls = 0;
    uint64_t acked;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(steps_info(job.step)->rank, RANK_POLL);
        desk_polls += job.step == STEP_LIST_TICKETS;
        if (i < 2)
            job = take_job(w);
    }
    assert_int_equal(desk_polls, 1); // so two of the chat, of eight places
    int64_t until = clock_mono_ms() + 200;
    while (clock_mono_ms() < until)
        assert_true(take(w, 50, &job, &acked) != FRAME_JOB);
    says(f, EVENT_CUSTOMER_MESSAGE, "new", "m1");
    job = take_job(w);
    assert_int_equal(job.step, STEP_READ_CUSTOMER);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_TICKET});
    job = take_job(w);
    assert_int_equal(job.step, STEP_CREATE_TICKET);
}

// One place at the workers: whose turn it is does not depend on which upstream is asked.
static void a_reply_goes_before_the_polls_of_another_upstream(void **state)
{
    struct fixture *f = *state;
    f->config.workers.in_flight = 1;
    knows_chats(f);
    begin(f);
    struct worker *w = worker(f, 1, 7);
    roster(f);
    struct job job = take_job(w);
    hints(f, 42);
    // A poll or two may go before the hint is in its lane, not all of them.
    for (int i = 0; i < CHATS / 2 && job.step != STEP_LIST_ENTRIES; i++) {
        send_report(w, &job, (struct report){.outcome = OUTCOME_DONE});
        job = take_job(w);
    }
    assert_int_equal(job.step, STEP_LIST_ENTRIES);
    assert_int_equal(job.events.items[0].ticket_id, 42);
}

// An upstream that answers nothing any more takes three quarters of the places.
static void a_dead_upstream_leaves_places_to_the_others(void **state)
{
    struct fixture *f = *state;
    f->config.freshchat.calls_per_minute = 1000; // so that not the gate's width bounds it
    begin(f);
    struct worker *w = worker(f, 1, 7);
    roster(f);
    answer_first_polls(f);
    for (int i = 0; i < CHATS; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%d", i);
        says(f, EVENT_CUSTOMER_MESSAGE, id, id);
    }
    for (int i = 0; i < 6; i++)
        assert_int_equal(take_job(w).step, STEP_READ_CUSTOMER);
    hints(f, 42);
    assert_int_equal(take_job(w).step, STEP_READ_TICKET);
    hints(f, 43);
    assert_int_equal(take_job(w).step, STEP_READ_TICKET);
}

// An agent changes many tickets at once, which nobody knows to hold replies; then somebody new writes, and so does an
// agent. The helpdesk allows little.
static void a_new_ticket_waits_for_one_hint_at_most(void **state)
{
    struct fixture *f = *state;
    f->config.freshdesk.calls_per_minute = 240; // forty at once, then one each 250 ms
    f->config.timing.context_wait_ms = 0;
    knows_chats(f);
    begin(f);
    struct worker *w = worker(f, 1, 7);
    roster(f);
    answer_first_polls(f);
    for (int round = 0; round < 5; round++) // more than go at once
        for (int i = 0; i < CHATS; i++) {
            hints(f, 42 + (uint64_t)i);
            if (round < 4) {
                struct job list = expect_job(f, STEP_LIST_ENTRIES, NULL);
                send_report(w, &list, (struct report){.outcome = OUTCOME_DONE});
            }
        }
    says(f, EVENT_CUSTOMER_MESSAGE, "new", "m1");
    struct job job = {0};
    int hints_before = 0;
    for (; job.step != STEP_CREATE_TICKET; hints_before += job.step == STEP_LIST_ENTRIES) {
        assert_true(next_job(f, PATIENCE_MS, STEP_NONE, &job, &w));
        if (job.step == STEP_LIST_ENTRIES)
            send_report(w, &job, (struct report){.outcome = OUTCOME_DONE});
    }
    assert_in_range(hints_before, 0, 3); // what went before its message was in its lane, and one
    job = expect_job(f, STEP_LIST_ENTRIES, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(slow_polls_leave_room_for_a_new_ticket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reply_goes_before_the_polls_of_another_upstream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_upstream_leaves_places_to_the_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_ticket_waits_for_one_hint_at_most, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
