// SPDX-License-Identifier: Apache-2.0
// Processes die at the worst moment, or stop answering, or are asked to leave in the middle: whatever was answered with
// 200 is done, and done once.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/scenario/story.h"

#define CHATS    10
#define MESSAGES 4 // in each

// ---------------------------------------------------------------- many conversations and a blow in the middle
struct crowd {
    struct draft drafts[CHATS * MESSAGES];
    char texts[CHATS * MESSAGES][32];
};

static struct crowd *crowd_drafts(struct scenario *s)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    assert_non_null(crowd);
    for (int i = 0; i < CHATS * MESSAGES; i++) {
        char who[16];
        snprintf(who, sizeof who, "chat%d", i % CHATS);
        snprintf(crowd->texts[i], sizeof crowd->texts[i], "message %d of mine", i / CHATS);
        crowd->drafts[i] = customer_drafts(s, who, crowd->texts[i]);
    }
    return crowd;
}

static void crowd_is_served_once(struct scenario *s, struct crowd *crowd)
{
    for (int i = 0; i < CHATS; i++) {
        char who[16];
        snprintf(who, sizeof who, "chat%d", i);
        ticket_appears_within(s, who, 15000);
        for (int j = 0; j < MESSAGES; j++)
            ticket_shows_within(s, who, crowd->texts[j * CHATS], 15000);
    }
    everything_settles_within(s, 20000);
    for (int i = 0; i < CHATS; i++) {
        char who[16];
        snprintf(who, sizeof who, "chat%d", i);
        for (int j = 0; j < MESSAGES; j++)
            ticket_shows_times(s, who, crowd->texts[j * CHATS], 1);
    }
    calls_are(s, SANDBOX_FD_TICKET_CREATE, CHATS);
    no_dead_letters(s);
    for (int i = 0; i < CHATS * MESSAGES; i++)
        draft_clear(&crowd->drafts[i]);
    free(crowd);
}

static void the_front_dies_and_keeps_its_word(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    struct crowd *crowd = crowd_drafts(s);
    for (int half = 0; half < 2; half++) {
        delivered_at_once(s, crowd->drafts + (size_t)half * CHATS * MESSAGES / 2, CHATS * MESSAGES / 2, 1);
        pid_t front = scenario_status_now(s).front;
        assert_int_equal(kill(front, SIGKILL), 0);
        scenario_process_gone_within(s, front, 5000);
        scenario_await_ready(s);
    }
    // What was not answered 200 comes again; what was is not sent again by anybody.
    delivered_until_accepted(s, crowd->drafts, CHATS * MESSAGES, 15000);
    crowd_is_served_once(s, crowd);
    scenario_end(s);
}

static void everything_dies_at_once_and_starts_again(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    struct crowd *crowd = crowd_drafts(s);
    delivered_at_once(s, crowd->drafts, CHATS * MESSAGES, 1);
    scenario_kill_all(s);
    scenario_start(s);
    delivered_until_accepted(s, crowd->drafts, CHATS * MESSAGES, 15000);
    crowd_is_served_once(s, crowd);
    scenario_end(s);
}

static void the_supervisor_dies_and_its_children_follow(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "before the fall");
    ticket_appears_within(s, "ada", 2000);
    struct scenario_status status = scenario_status_now(s);
    assert_int_equal(kill(scenario_supervisor(s), SIGKILL), 0);
    scenario_process_gone_within(s, status.front, 15000);
    for (size_t i = 0; i < status.worker_count; i++)
        scenario_process_gone_within(s, status.workers[i].pid, 15000);
    scenario_kill_all(s);
    scenario_start(s);
    customer_writes(s, "ada", "after the fall");
    ticket_shows_within(s, "ada", "after the fall", 5000);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    scenario_end(s);
}

static void asked_to_leave_under_load(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    // Slow answers, so that much is out when the signal comes.
    const struct sandbox_fault slow = {
        .endpoint = SANDBOX_ANY_FRESHDESK, .kind = SANDBOX_FAULT_SLOW, .count = 12, .ms = 300};
    sandbox_fault_add(scenario_sandbox(s), &slow);
    struct crowd *crowd = crowd_drafts(s);
    delivered_at_once(s, crowd->drafts, CHATS * 2, 1);
    scenario_ask_to_stop(s);
    delivered_in_turn(s, crowd->drafts + CHATS * 2, CHATS * 2); // most are refused: nobody listens any more
    scenario_await_stopped(s);                                  // exit 0
    scenario_start(s);
    delivered_until_accepted(s, crowd->drafts, CHATS * MESSAGES, 15000);
    crowd_is_served_once(s, crowd);
    scenario_end(s);
}

// ---------------------------------------------------------------- a worker that stands still
static void talk_with_a_worker_stopped(void **state, bool work_is_done)
{
    struct scenario *s = scenario_begin(state, NULL);
    const struct sandbox_fault hang = {.endpoint = SANDBOX_FD_TICKET_CREATE,
                                       .kind = SANDBOX_FAULT_HANG,
                                       .count = 1,
                                       .ms = 20000,
                                       .after_work = work_is_done};
    sandbox_fault_add(scenario_sandbox(s), &hang);
    customer_writes(s, "ada", "is it stuck");
    assert_true(sandbox_wait_calls(scenario_sandbox(s), SANDBOX_FD_TICKET_CREATE, 1, 5000));
    pid_t worker = scenario_busy_worker(s, 1000);
    scenario_expect_error(s, "event=child_silent");
    assert_int_equal(kill(worker, SIGSTOP), 0);
    scenario_process_gone_within(s, worker, 15000);
    ticket_appears_within(s, "ada", 15000);
    everything_settles_within(s, 15000);
    ticket_shows_times(s, "ada", "is it stuck", 1);
    ticket_of(s, "ada"); // still only one
    calls_are(s, SANDBOX_FD_TICKET_CREATE, work_is_done ? 1 : 2);
    no_dead_letters(s);
    scenario_end(s);
}

static void a_worker_stopped_in_mid_call_is_killed_and_its_job_done_once(void **state)
{
    talk_with_a_worker_stopped(state, false);
}

static void a_worker_stopped_after_the_work_is_killed_and_the_ticket_found(void **state)
{
    talk_with_a_worker_stopped(state, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_front_dies_and_keeps_its_word, scenario_teardown),
        cmocka_unit_test_teardown(everything_dies_at_once_and_starts_again, scenario_teardown),
        cmocka_unit_test_teardown(the_supervisor_dies_and_its_children_follow, scenario_teardown),
        cmocka_unit_test_teardown(asked_to_leave_under_load, scenario_teardown),
        cmocka_unit_test_teardown(a_worker_stopped_in_mid_call_is_killed_and_its_job_done_once, scenario_teardown),
        cmocka_unit_test_teardown(a_worker_stopped_after_the_work_is_killed_and_the_ticket_found, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
