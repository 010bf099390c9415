// SPDX-License-Identifier: Apache-2.0
// Calls while everything breaks: answers are lost, Freshcaller limits or is down, processes are killed between two
// writes, Deskbell was away. Every call is told, and told once.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/calling.h"

enum { SOON_MS = 20000, QUIET_MS = 30000 };

#define NUMBER "+442079460%03d"

static int64_t somebody_calls(struct scenario *s, int who, const char *agent)
{
    char number[32];
    snprintf(number, sizeof number, NUMBER, who);
    return sandbox_phone_call(scenario_sandbox(s), number, NULL, agent, 20);
}

static void fault(struct scenario *s, int endpoint, enum sandbox_fault_kind kind, int count)
{
    sandbox_fault_add(
        scenario_sandbox(s),
        &(struct sandbox_fault){.endpoint = endpoint, .kind = kind, .count = count, .status = 500, .ms = 300});
}

static void lost_answers_double_nothing(void **state)
{
    struct scenario *s = calling_begin(state, NULL);
    struct sandbox *sb = scenario_sandbox(s);
    int64_t joined = sandbox_ticket_new_by_phone(sb, "Known", "+442079460002", false);
    fault(s, SANDBOX_FD_TICKET_CREATE, SANDBOX_FAULT_LOST, 1);
    fault(s, SANDBOX_FD_TICKET_CREATE, SANDBOX_FAULT_LATE_WORK, 1);
    fault(s, SANDBOX_FD_NOTE, SANDBOX_FAULT_LOST, 1);
    fault(s, SANDBOX_FD_TICKET_PUT, SANDBOX_FAULT_LOST, 1);
    fault(s, SANDBOX_FD_CONTACT_LIST, SANDBOX_FAULT_STATUS, 2);
    fault(s, SANDBOX_PHONE_GET, SANDBOX_FAULT_DROP, 2);
    fault(s, SANDBOX_PHONE_LIST, SANDBOX_FAULT_LOST, 1);

    int64_t opens = somebody_calls(s, 1, NULL);
    int64_t opens_too = somebody_calls(s, 3, "Anna Berg");
    int64_t joins = somebody_calls(s, 2, NULL);
    int64_t opened = call_is_told_within(s, opens, SOON_MS);
    assert_int_equal(call_is_told_within(s, joins, SOON_MS), joined);
    call_is_told_within(s, opens_too, SOON_MS);
    everything_settles_within(s, QUIET_MS);
    call_is_told_times(s, opens, 1);
    call_is_told_times(s, opens_too, 1);
    call_is_told_times(s, joins, 1);
    ticket_is_raised(s, joined, 3, "missed-call");
    assert_int_equal(sandbox_ticket_count(sb), 3);

    // The recording's note, whose answer is lost as well, and a lost PUT for a second missed call.
    fault(s, SANDBOX_FD_NOTE, SANDBOX_FAULT_LOST, 2);
    sandbox_phone_recorded(sb, opens);
    call_is_told_within(s, opens, SOON_MS);
    call_is_noted(s, opened, opens, 1, SOON_MS);
    everything_settles_within(s, QUIET_MS);
    call_is_noted(s, opened, opens, 1, 0);
    no_dead_letters(s);
    scenario_end(s);
}

static void the_killed_tell_once(void **state)
{
    struct scenario *s = calling_begin(state, NULL);
    struct sandbox *sb = scenario_sandbox(s);
    enum { CALLS = 6 };
    int64_t calls[CALLS];
    // Each write's answer takes its time, so that the blow falls between writing and recording.
    sandbox_fault_add(
        sb, &(struct sandbox_fault){
                .endpoint = SANDBOX_FD_TICKET_CREATE, .kind = SANDBOX_FAULT_SLOW_ANSWER, .count = CALLS, .ms = 400});
    for (int i = 0; i < CALLS; i++)
        calls[i] = somebody_calls(s, 10 + i, i % 2 ? "Anna Berg" : NULL);
    assert_true(sandbox_wait_calls(sb, SANDBOX_FD_TICKET_CREATE, 2, SOON_MS));
    scenario_kill_all(s);
    scenario_start(s);
    for (int i = 0; i < CALLS; i++)
        call_is_told_within(s, calls[i], SOON_MS);
    pid_t front = scenario_status_now(s).front;
    sandbox_fault_add(sb,
                      &(struct sandbox_fault){
                          .endpoint = SANDBOX_FD_NOTE, .kind = SANDBOX_FAULT_SLOW_ANSWER, .count = CALLS, .ms = 400});
    for (int i = 0; i < CALLS; i++)
        sandbox_phone_recorded(sb, calls[i]);
    assert_true(sandbox_wait_calls(sb, SANDBOX_FD_NOTE, 2, SOON_MS));
    assert_int_equal(kill(front, SIGKILL), 0);
    scenario_process_gone_within(s, front, 5000);
    scenario_await_ready(s);
    for (int i = 0; i < CALLS; i++)
        call_is_noted(s, call_is_told_within(s, calls[i], SOON_MS), calls[i], 1, SOON_MS);
    everything_settles_within(s, QUIET_MS);
    for (int i = 0; i < CALLS; i++)
        call_is_told_times(s, calls[i], 2);
    assert_int_equal(sandbox_ticket_count(sb), CALLS);
    no_dead_letters(s);
    scenario_end(s);
}

static void downtime_is_caught_up(void **state)
{
    struct scenario *s = calling_begin(state, NULL);
    struct sandbox *sb = scenario_sandbox(s);
    int64_t first = somebody_calls(s, 21, NULL);
    call_is_told_within(s, first, SOON_MS);
    everything_settles_within(s, QUIET_MS);

    // Freshcaller is down, then limits, then gives a page at a time and does not say how many.
    scenario_stop(s);
    sandbox_phone_set(sb, &(struct sandbox_phone_options){.page_cap = 2, .no_meta = true, .newest_first = true});
    fault(s, SANDBOX_ANY_FRESHCALLER, SANDBOX_FAULT_DROP, 2);
    sandbox_fault_add(
        sb,
        &(struct sandbox_fault){
            .endpoint = SANDBOX_PHONE_LIST, .kind = SANDBOX_FAULT_STATUS, .status = 429, .retry_after = 1, .count = 1});
    int64_t old = somebody_calls(s, 20, NULL); // before Deskbell's very first look
    sandbox_phone_earlier(sb, old, 3600000);
    int64_t calls[5];
    for (int i = 0; i < 5; i++)
        calls[i] = somebody_calls(s, 30 + i, NULL);
    scenario_start(s);
    for (int i = 0; i < 5; i++)
        call_is_told_within(s, calls[i], SOON_MS);
    // A key that is refused loses nothing: what was called meanwhile is found when it is right again.
    scenario_expect_error(s, "event=key_refused");
    sandbox_fault_add(sb, &(struct sandbox_fault){
                              .endpoint = SANDBOX_PHONE_LIST, .kind = SANDBOX_FAULT_STATUS, .status = 401, .count = 2});
    int64_t meanwhile = somebody_calls(s, 40, NULL);
    call_is_told_within(s, meanwhile, SOON_MS);
    everything_settles_within(s, QUIET_MS);
    for (int i = 0; i < 5; i++)
        call_is_told_times(s, calls[i], 1);
    call_is_told_times(s, meanwhile, 1);
    call_is_told_times(s, old, 0);
    call_is_told_times(s, first, 1);
    no_dead_letters(s);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(lost_answers_double_nothing, scenario_teardown),
        cmocka_unit_test_teardown(the_killed_tell_once, scenario_teardown),
        cmocka_unit_test_teardown(downtime_is_caught_up, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
