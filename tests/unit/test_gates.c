// SPDX-License-Identifier: Apache-2.0
// The gates in made-up time: budget, pause, breaker and what is learnt, call by call.
#include "test_gates.h"

static struct report answer_left(uint64_t total, uint64_t remaining)
{
    struct report report = answer(DESK, 200);
    report.rate_total = total;
    report.rate_known = true;
    report.rate_remaining = remaining;
    return report;
}

// One call from hand-out to answer.
static void call(struct gates *gates, struct report report, uint64_t now_ms)
{
    struct gate_pass pass = gates_take(gates, (enum upstream)report.upstream, LIMIT_ANY, now_ms);
    gates_done(gates, &pass, &report, now_ms);
    assert_false(pass.held);
}

// ---- budget ---------------------------------------------------------------------------------------------------------

static void a_set_budget_has_a_small_burst_and_an_even_pace(void **state)
{
    struct gates *gates = gates_with(0, 60, 0.7);
    uint64_t now = 1000000;
    int burst = 0;

    (void)state;
    for (; gates_may(gates, DESK, LIMIT_ANY, now); burst++)
        call(gates, answer(DESK, 200), now);
    assert_int_equal(burst, 10);
    uint64_t next = gates_next_ms(gates, DESK, LIMIT_ANY, now);
    assert_int_equal(next, now + 1000);
    assert_false(gates_may(gates, DESK, LIMIT_ANY, next - 1));
    assert_true(gates_may(gates, DESK, LIMIT_ANY, next));
    assert_int_equal(gates_next_ms(gates, DESK, LIMIT_ANY, next), next);
    assert_true(gates_may(gates, CHAT, LIMIT_ANY, now)); // the other upstream's gate is its own
    gates_free(&gates);
    assert_null(gates);
}

static void one_call_a_minute_is_one_call_a_minute(void **state)
{
    struct gates *gates = gates_with(0, 1, 0.7);
    uint64_t now = 5000;

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_true(gates_may(gates, DESK, LIMIT_ANY, now));
        call(gates, answer(DESK, 200), now);
        assert_false(gates_may(gates, DESK, LIMIT_ANY, now + 59999));
        uint64_t next = gates_next_ms(gates, DESK, LIMIT_ANY, now + 59999);
        assert_true(next >= now + 60000 && next <= now + 61000);
        now = next;
    }
    gates_free(&gates);
}

static void calls_in_flight_are_used(void **state)
{
    struct gates *gates = gates_with(0, 6, 0.7);
    struct gate_pass passes[6];
    uint64_t now = 1000;

    (void)state;
    for (int i = 0; i < 6; i++) {
        now = gates_next_ms(gates, DESK, LIMIT_ANY, now);
        assert_true(gates_may(gates, DESK, LIMIT_ANY, now));
        passes[i] = gates_take(gates, DESK, LIMIT_ANY, now);
    }
    // However long they take, no seventh goes: they may arrive there at any moment until they are answered.
    assert_false(gates_may(gates, DESK, LIMIT_ANY, now + 600000));
    assert_int_equal(gates_next_ms(gates, DESK, LIMIT_ANY, now + 600000), 0);
    assert_int_equal(status_of(gates, DESK, now).in_flight, 6);
    now += 600000;
    struct report done = answer(DESK, 200);
    struct report unsent = answer(DESK, 0);
    unsent.sent = false;
    gates_done(gates, &passes[0], &done, now);
    assert_false(gates_may(gates, DESK, LIMIT_ANY, now)); // used for another minute
    gates_done(gates, &passes[1], &unsent, now);          // never left: may be used at once
    assert_true(gates_may(gates, DESK, LIMIT_ANY, now));
    gates_return(gates, &passes[2], true, now);
    gates_return(gates, &passes[3], false, now);
    gates_return(gates, &passes[3], false, now); // given back once only
    struct gate_status status = status_of(gates, DESK, now);
    assert_int_equal(status.in_flight, 2);
    assert_int_equal(status.used, 2);
    assert_int_equal(status.calls, 2);
    assert_int_equal(status.budget, 6);
    gates_free(&gates);
}

static void learns_its_share_from_answers(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);
    uint64_t now = 100000;
    int width = 0;

    (void)state;
    // Nothing known: not all at once.
    struct gate_pass passes[16];
    for (; gates_may(gates, DESK, LIMIT_ANY, now); width++)
        passes[width] = gates_take(gates, DESK, LIMIT_ANY, now);
    assert_int_equal(width, 8);
    assert_int_equal(gates_next_ms(gates, DESK, LIMIT_ANY, now), 0);
    assert_int_equal(status_of(gates, DESK, now).budget, 0);
    struct report report = answer_left(200, 150);
    for (int i = 0; i < width; i++)
        gates_done(gates, &passes[i], &report, now);
    struct gate_status status = status_of(gates, DESK, now);
    assert_int_equal(status.total, 200);
    assert_int_equal(status.budget, 140);
    assert_int_equal(status.remaining, 150);
    assert_true(status.remaining_known);
    assert_int_equal(status.class_budget[LIMIT_ANY], 0);
    assert_int_equal(status.class_budget[LIMIT_TICKET_CREATE], 56);
    assert_int_equal(status.class_budget[LIMIT_TICKET_LIST], 14);
    // A smaller plan from one minute to the next.
    report = answer_left(50, 10);
    call(gates, report, now + 1);
    assert_int_equal(status_of(gates, DESK, now + 1).budget, 35);
    assert_int_equal(status_of(gates, DESK, now + 1).class_budget[LIMIT_TICKET_CREATE],
                     0); // no such classes known there
    gates_free(&gates);
}

static void a_set_budget_is_not_shared(void **state)
{
    struct gates *gates = gates_with(0, 100, 0.5);
    (void)state;
    call(gates, answer_left(200, 150), 1000);
    assert_int_equal(status_of(gates, DESK, 1000).budget, 100);
    assert_int_equal(status_of(gates, DESK, 1000).class_budget[LIMIT_TICKET_CREATE], 80); // the plan's, whole
    gates_free(&gates);
}

static void a_class_has_a_budget_of_its_own(void **state)
{
    struct gates *gates = gates_with(0, 0, 1.0);
    uint64_t now = 100000;
    int lists = 0;

    (void)state;
    call(gates, answer_left(200, 199), now);
    for (; lists < 100 && gates_may(gates, DESK, LIMIT_TICKET_LIST, now); lists++) {
        struct gate_pass pass = gates_take(gates, DESK, LIMIT_TICKET_LIST, now);
        struct report report = answer_left(200, 198 - (uint64_t)lists);
        gates_done(gates, &pass, &report, now);
    }
    assert_int_equal(lists, 20);
    assert_int_equal(status_of(gates, DESK, now).class_used[LIMIT_TICKET_LIST], 20);
    assert_true(gates_may(gates, DESK, LIMIT_ANY, now));
    assert_true(gates_may(gates, DESK, LIMIT_TICKET_CREATE, now));
    uint64_t next = gates_next_ms(gates, DESK, LIMIT_TICKET_LIST, now);
    assert_true(next >= now + 60000 && next <= now + 61000);
    assert_true(gates_may(gates, DESK, LIMIT_TICKET_LIST, next));
    gates_free(&gates);
}

static void does_not_use_what_others_have_used(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);
    uint64_t now = 100000;

    (void)state;
    call(gates, answer_left(200, 3), now);
    struct gate_pass passes[3];
    for (int i = 0; i < 3; i++) {
        assert_true(gates_may(gates, DESK, LIMIT_ANY, now));
        passes[i] = gates_take(gates, DESK, LIMIT_ANY, now);
    }
    assert_false(gates_may(gates, DESK, LIMIT_ANY, now)); // three left, three on their way
    struct report none_left = answer_left(200, 0);
    struct report one_left = answer_left(200, 1);
    gates_done(gates, &passes[0], &none_left, now + 10);
    gates_done(gates, &passes[1], &one_left, now + 11); // overtaken: the account had one left before, not now
    assert_int_equal(status_of(gates, DESK, now + 11).remaining, 0);
    gates_done(gates, &passes[2], &none_left, now + 12);
    assert_int_equal(status_of(gates, DESK, now + 12).remaining, 0);
    assert_false(gates_may(gates, DESK, LIMIT_ANY, now + 12));
    // Nobody says when there is more: one call finds out.
    uint64_t next = gates_next_ms(gates, DESK, LIMIT_ANY, now + 12);
    assert_int_equal(next, now + 12 + 5000);
    assert_true(gates_may(gates, DESK, LIMIT_ANY, next));
    struct gate_pass pass = gates_take(gates, DESK, LIMIT_ANY, next);
    assert_false(gates_may(gates, DESK, LIMIT_ANY, next));
    struct report fresh = answer_left(200, 180);
    gates_done(gates, &pass, &fresh, next + 20);
    assert_true(gates_may(gates, DESK, LIMIT_ANY, next + 20));
    // What was heard a minute ago is no news.
    call(gates, answer_left(200, 0), next + 30);
    assert_false(gates_may(gates, DESK, LIMIT_ANY, next + 30));
    assert_true(gates_may(gates, DESK, LIMIT_ANY, next + 30 + 61000));
    gates_free(&gates);
}

// ---- pause ----------------------------------------------------------------------------------------------------------

static void a_429_pauses_all_until_retry_after(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);
    struct report refused = answer(DESK, 429);

    (void)state;
    refused.retry_after_known = true;
    refused.retry_after_ms = 30000;
    call(gates, refused, 1000);
    for (int limit = 0; limit < LIMIT_CLASSES; limit++)
        assert_false(gates_may(gates, DESK, (enum limit_class)limit, 30999));
    assert_int_equal(gates_next_ms(gates, DESK, LIMIT_ANY, 2000), 31000);
    assert_int_equal(status_of(gates, DESK, 1000).paused_ms, 30000);
    assert_int_equal(status_of(gates, DESK, 1000).refused, 1);
    assert_true(gates_may(gates, CHAT, LIMIT_ANY, 2000));
    assert_true(gates_may(gates, DESK, LIMIT_ANY, 31000));
    // A shorter one does not shorten it.
    refused.retry_after_ms = 30000;
    call(gates, refused, 40000);
    refused.retry_after_ms = 1000;
    call(gates, refused, 40001);
    assert_false(gates_may(gates, DESK, LIMIT_ANY, 69999));
    // An answer of a day is not believed beyond an hour.
    refused.retry_after_ms = 86400000;
    call(gates, refused, 70000);
    assert_true(gates_next_ms(gates, DESK, LIMIT_ANY, 70000) <= 70000 + 3600000);
    gates_free(&gates);
}

static void a_429_without_a_time_backs_off(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);
    uint64_t now = 1000;
    uint64_t base = 1000;

    (void)state;
    for (int i = 0; i < 10; i++) {
        struct gate_pass passes[4];
        for (int j = 0; j < 4; j++)
            passes[j] = gates_take(gates, DESK, LIMIT_ANY, now);
        struct report refused = answer(DESK, 429);
        for (int j = 0; j < 4; j++) // four refused together are one refusal
            gates_done(gates, &passes[j], &refused, now);
        uint64_t next = gates_next_ms(gates, DESK, LIMIT_ANY, now);
        assert_true(next >= now + base && next < now + base + base / 2);
        now = next;
        base = base * 2 < 60000 ? base * 2 : 60000;
    }
    call(gates, answer(DESK, 200), now);
    call(gates, answer(DESK, 429), now);
    assert_true(gates_next_ms(gates, DESK, LIMIT_ANY, now) < now + 1500); // from the beginning again
    gates_free(&gates);
}

static void a_429_narrows_and_answers_widen(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);
    uint64_t now = 1000;

    (void)state;
    for (int i = 0; i < 24; i++)
        call(gates, answer(CHAT, 200), now);
    struct gate_pass passes[64];
    int wide = 0;
    for (; gates_may(gates, CHAT, LIMIT_ANY, now); wide++)
        passes[wide] = gates_take(gates, CHAT, LIMIT_ANY, now);
    assert_int_equal(wide, 32);
    struct report refused = answer(CHAT, 429);
    for (int i = 0; i < wide; i++)
        gates_done(gates, &passes[i], &refused, now);
    now = gates_next_ms(gates, CHAT, LIMIT_ANY, now);
    int narrow = 0;
    for (; gates_may(gates, CHAT, LIMIT_ANY, now); narrow++)
        passes[narrow] = gates_take(gates, CHAT, LIMIT_ANY, now);
    assert_int_equal(narrow, 16);
    gates_free(&gates);
}

// ---- breaker --------------------------------------------------------------------------------------------------------

static uint64_t open_breaker_at(struct gates *gates, uint64_t now)
{
    for (int i = 0; i < 5; i++) {
        assert_int_equal(status_of(gates, DESK, now).breaker, BREAKER_CLOSED);
        assert_true(gates_may(gates, DESK, LIMIT_ANY, now));
        call(gates, answer(DESK, i % 2 ? 0 : 502), now);
    }
    assert_int_equal(status_of(gates, DESK, now).breaker, BREAKER_OPEN);
    assert_false(gates_may(gates, DESK, LIMIT_ANY, now));
    uint64_t next = gates_next_ms(gates, DESK, LIMIT_ANY, now);
    assert_true(next >= now + 1000 && next <= now + 1125);
    return next;
}

static void five_failures_open_the_breaker_and_one_probe_closes_it(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);
    uint64_t now = open_breaker_at(gates, 1000);

    (void)state;
    assert_false(gates_may(gates, DESK, LIMIT_ANY, now - 1));
    assert_true(gates_may(gates, DESK, LIMIT_ANY, now));
    struct gate_pass probe = gates_take(gates, DESK, LIMIT_ANY, now);
    assert_true(probe.probe);
    assert_int_equal(status_of(gates, DESK, now).breaker, BREAKER_HALF_OPEN);
    assert_false(gates_may(gates, DESK, LIMIT_ANY, now + 100000)); // one at a time, however long it takes
    assert_int_equal(gates_next_ms(gates, DESK, LIMIT_ANY, now), 0);
    struct report fine = answer(DESK, 200);
    gates_done(gates, &probe, &fine, now + 5);
    assert_int_equal(status_of(gates, DESK, now).breaker, BREAKER_CLOSED);
    assert_int_equal(status_of(gates, DESK, now).opened, 1);
    assert_true(gates_may(gates, DESK, LIMIT_ANY, now + 5));
    // Four failures, an answer, four failures: not in a row.
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++)
            call(gates, answer(DESK, 500), now + 5);
        call(gates, answer(DESK, 404), now + 5);
    }
    assert_int_equal(status_of(gates, DESK, now).breaker, BREAKER_CLOSED);
    gates_free(&gates);
}

static void a_failed_probe_doubles_the_wait(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);
    uint64_t now = open_breaker_at(gates, 1000);
    uint64_t wait = 1000;

    (void)state;
    for (int i = 0; i < 9; i++) {
        assert_true(gates_may(gates, DESK, LIMIT_ANY, now));
        call(gates, answer(DESK, 0), now);
        wait = wait * 2 < 60000 ? wait * 2 : 60000;
        uint64_t next = gates_next_ms(gates, DESK, LIMIT_ANY, now);
        assert_true(next >= now + wait && next <= now + wait + wait / 8);
        now = next;
    }
    // A 429 is an answer: there is someone, who asks for a pause.
    call(gates, answer(DESK, 429), now);
    assert_int_equal(status_of(gates, DESK, now).breaker, BREAKER_CLOSED);
    assert_false(gates_may(gates, DESK, LIMIT_ANY, now));
    gates_free(&gates);
}

static void old_answers_do_not_move_an_open_breaker(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);
    struct gate_pass old[2] = {gates_take(gates, DESK, LIMIT_ANY, 900), gates_take(gates, DESK, LIMIT_ANY, 900)};
    uint64_t now = open_breaker_at(gates, 1000);
    struct report fine = answer(DESK, 200);
    struct report bad = answer(DESK, 500);

    (void)state;
    gates_done(gates, &old[0], &fine, now - 1);
    assert_int_equal(status_of(gates, DESK, now).breaker, BREAKER_OPEN);
    struct gate_pass probe = gates_take(gates, DESK, LIMIT_ANY, now);
    gates_done(gates, &old[1], &bad, now);
    assert_int_equal(status_of(gates, DESK, now).breaker, BREAKER_HALF_OPEN);
    // The probe's worker died: another probe, after the wait.
    gates_return(gates, &probe, true, now);
    assert_int_equal(status_of(gates, DESK, now).breaker, BREAKER_OPEN);
    assert_false(gates_may(gates, DESK, LIMIT_ANY, now));
    now = gates_next_ms(gates, DESK, LIMIT_ANY, now);
    assert_true(gates_may(gates, DESK, LIMIT_ANY, now));
    // A probe whose step needed no call proves nothing: the next one is the probe.
    probe = gates_take(gates, DESK, LIMIT_ANY, now);
    gates_done(gates, &probe, &(struct report){.outcome = OUTCOME_DONE}, now);
    assert_true(gates_may(gates, DESK, LIMIT_ANY, now));
    assert_true(gates_take(gates, DESK, LIMIT_ANY, now).probe);
    gates_free(&gates);
}

static struct report cut_short(bool sent)
{
    struct report report = answer(DESK, 0);
    report.sent = sent;
    report.cut_short = true;
    return report;
}

static void steps_that_lose_patience_open_no_breaker(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct gate_pass pass = gates_take(gates, DESK, GATE_IMPATIENT, 1000);
        struct report late = cut_short(i % 2);
        gates_done(gates, &pass, &late, 1000);
    }
    assert_int_equal(status_of(gates, DESK, 1000).breaker, BREAKER_CLOSED);
    assert_int_equal(status_of(gates, DESK, 1000).failures, 0);
    assert_int_equal(status_of(gates, DESK, 1000).calls, 10); // they count against the budget all the same
    assert_int_equal(status_of(gates, DESK, 1000).in_flight, 0);
    gates_free(&gates);
}

static void a_refused_connection_counts_whoever_calls(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);
    struct report refused = answer(DESK, 0);
    uint64_t now = 1000;

    (void)state;
    refused.sent = false;
    for (int i = 0; i < 5; i++) {
        struct gate_pass pass = gates_take(gates, DESK, GATE_IMPATIENT, now);
        gates_done(gates, &pass, &refused, now);
    }
    assert_int_equal(status_of(gates, DESK, now).breaker, BREAKER_OPEN);
    // And with nobody else to find out: such a step's call is tried, one at a time.
    now = gates_next_ms(gates, DESK, GATE_IMPATIENT, now);
    struct gate_pass trial = gates_take(gates, DESK, GATE_IMPATIENT, now);
    assert_false(gates_may(gates, DESK, GATE_IMPATIENT, now));
    assert_int_equal(gates_next_ms(gates, DESK, GATE_IMPATIENT, now), 0);
    gates_done(gates, &trial, &refused, now);
    assert_true(gates_next_ms(gates, DESK, GATE_IMPATIENT, now) >= now + 2000);
    now = gates_next_ms(gates, DESK, GATE_IMPATIENT, now);
    trial = gates_take(gates, DESK, GATE_IMPATIENT, now);
    struct report fine = answer(DESK, 200);
    gates_done(gates, &trial, &fine, now);
    assert_int_equal(status_of(gates, DESK, now).breaker, BREAKER_CLOSED);
    gates_free(&gates);
}

static void a_reply_need_not_wait_for_an_impatient_step(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);
    uint64_t now = open_breaker_at(gates, 1000);

    (void)state;
    now = gates_next_ms(gates, DESK, LIMIT_ANY, now);
    struct gate_pass trial = gates_take(gates, DESK, GATE_IMPATIENT, now);
    assert_false(trial.probe);
    assert_true(gates_may(gates, DESK, LIMIT_ANY, now)); // at once, as the probe
    struct gate_pass probe = gates_take(gates, DESK, LIMIT_ANY, now);
    assert_true(probe.probe);
    // The trial runs out of patience, which neither opens nor closes nor makes anybody wait longer.
    struct report late = cut_short(true);
    gates_done(gates, &trial, &late, now + 1000);
    assert_int_equal(status_of(gates, DESK, now).breaker, BREAKER_HALF_OPEN);
    struct report fine = answer(DESK, 200);
    gates_done(gates, &probe, &fine, now + 1300);
    assert_int_equal(status_of(gates, DESK, now).breaker, BREAKER_CLOSED);
    // The same without a probe: the next one may go at once, and one whose worker died leaves room for another.
    now = open_breaker_at(gates, now + 1300);
    now = gates_next_ms(gates, DESK, GATE_IMPATIENT, now);
    trial = gates_take(gates, DESK, GATE_IMPATIENT, now);
    gates_done(gates, &trial, &late, now + 1000);
    assert_true(gates_may(gates, DESK, LIMIT_ANY, now + 1000));
    trial = gates_take(gates, DESK, GATE_IMPATIENT, now + 1000);
    gates_return(gates, &trial, true, now + 1000);
    assert_true(gates_may(gates, DESK, GATE_IMPATIENT, now + 1000));
    gates_free(&gates);
}

static void a_page_instead_of_json_is_a_failure(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);
    struct report page = answer(DESK, 200);

    (void)state;
    page.outcome = OUTCOME_DOUBT;
    for (int i = 0; i < 5; i++)
        call(gates, page, 1000);
    assert_int_equal(status_of(gates, DESK, 1000).breaker, BREAKER_OPEN);
    gates_free(&gates);
}

static void a_503_with_retry_after_pauses(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);
    struct report busy = answer(DESK, 503);

    (void)state;
    busy.retry_after_known = true;
    busy.retry_after_ms = 20000;
    call(gates, busy, 1000);
    assert_int_equal(gates_next_ms(gates, DESK, LIMIT_ANY, 1000), 21000);
    gates_free(&gates);
}

// ---- the rest -------------------------------------------------------------------------------------------------------

static void shut_gates_let_nothing_through(void **state)
{
    struct gates *gates = gates_with(60, 60, 0.7);

    (void)state;
    gates_shut(gates, true);
    for (int upstream = 0; upstream < UPSTREAMS; upstream++) {
        assert_false(gates_may(gates, (enum upstream)upstream, LIMIT_ANY, 1000));
        assert_int_equal(gates_next_ms(gates, (enum upstream)upstream, LIMIT_ANY, 1000), 0);
        assert_true(status_of(gates, (enum upstream)upstream, 1000).shut);
    }
    gates_shut(gates, false);
    for (int upstream = 0; upstream < UPSTREAMS; upstream++)
        assert_true(gates_may(gates, (enum upstream)upstream, LIMIT_ANY, 1000));
    gates_free(&gates);
}

static void steps_without_an_upstream_need_no_gate(void **state)
{
    struct gates *gates = gates_with(1, 1, 0.7);

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_true(gates_may(gates, UPSTREAM_NONE, LIMIT_ANY, 1000));
        struct gate_pass pass = gates_take(gates, UPSTREAM_NONE, LIMIT_ANY, 1000);
        gates_done(gates, &pass, &(struct report){.outcome = OUTCOME_DONE}, 1000);
    }
    gates_free(&gates);
}

static void learns_from_a_report_nobody_waited_for(void **state)
{
    struct gates *gates = gates_with(0, 0, 0.7);
    struct report late = answer_left(200, 20);

    (void)state;
    gates_done(gates, NULL, &late, 1000);
    struct gate_status status = status_of(gates, DESK, 1000);
    assert_int_equal(status.in_flight, 0);
    assert_int_equal(status.used, 1);
    assert_int_equal(status.budget, 140);
    assert_int_equal(status.remaining, 20);
    gates_free(&gates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_budget_has_a_small_burst_and_an_even_pace),
        cmocka_unit_test(one_call_a_minute_is_one_call_a_minute),
        cmocka_unit_test(calls_in_flight_are_used),
        cmocka_unit_test(learns_its_share_from_answers),
        cmocka_unit_test(a_set_budget_is_not_shared),
        cmocka_unit_test(a_class_has_a_budget_of_its_own),
        cmocka_unit_test(does_not_use_what_others_have_used),
        cmocka_unit_test(a_429_pauses_all_until_retry_after),
        cmocka_unit_test(a_429_without_a_time_backs_off),
        cmocka_unit_test(a_429_narrows_and_answers_widen),
        cmocka_unit_test(five_failures_open_the_breaker_and_one_probe_closes_it),
        cmocka_unit_test(a_failed_probe_doubles_the_wait),
        cmocka_unit_test(old_answers_do_not_move_an_open_breaker),
        cmocka_unit_test(steps_that_lose_patience_open_no_breaker),
        cmocka_unit_test(a_refused_connection_counts_whoever_calls),
        cmocka_unit_test(a_reply_need_not_wait_for_an_impatient_step),
        cmocka_unit_test(a_page_instead_of_json_is_a_failure),
        cmocka_unit_test(a_503_with_retry_after_pauses),
        cmocka_unit_test(shut_gates_let_nothing_through),
        cmocka_unit_test(steps_without_an_upstream_need_no_gate),
        cmocka_unit_test(learns_from_a_report_nobody_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
