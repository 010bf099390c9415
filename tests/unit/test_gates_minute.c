// SPDX-License-Identifier: Apache-2.0
// The gates over simulated minutes: an account with a budget, other programs that use it, and workers with many calls
// in flight. What arrives in any sixty seconds is counted at the account's end.
#include "test_gates.h"

enum { SIM_MINUTES = 6, SIM_STEP_MS = 10, SIM_CALLS = 256, SIM_LOG = 20000 };

struct sim_call {
    struct gate_pass pass;
    uint64_t arrives_ms;
    uint64_t ends_ms;
    bool used;
    bool arrived;
    struct report report;
};

struct sim {
    struct gates *gates;
    uint64_t total;  // of the account, in each clock minute
    uint64_t others; // calls of other programs in a minute
    unsigned seed;
    struct sim_call calls[SIM_CALLS];
    uint64_t log[SIM_LOG]; // when ours arrived
    size_t logged;
    uint64_t minute;
    uint64_t minute_used;
    uint64_t refused;
    bool headers;
};

static void sim_arrive(struct sim *sim, struct sim_call *one, uint64_t now)
{
    one->arrived = true;
    assert_true(sim->logged < SIM_LOG);
    sim->log[sim->logged++] = now;
    bool over = sim->minute_used >= sim->total;
    sim->minute_used += !over;
    sim->refused += over;
    one->report = answer(DESK, over ? 429 : 200);
    if (over) {
        one->report.retry_after_known = true;
        one->report.retry_after_ms = 60000 - now % 60000;
    } else if (sim->headers && rand_r(&sim->seed) % 10) { // one answer in ten lacks them
        one->report.rate_total = sim->total;
        one->report.rate_known = true;
        one->report.rate_remaining = sim->total - sim->minute_used;
    }
}

static void sim_step(struct sim *sim, uint64_t now)
{
    if (now / 60000 != sim->minute) {
        sim->minute = now / 60000;
        sim->minute_used = 0;
    }
    if ((uint64_t)rand_r(&sim->seed) % 60000 < sim->others * SIM_STEP_MS && sim->minute_used < sim->total)
        sim->minute_used++;
    bool open = true;
    for (size_t i = 0; i < SIM_CALLS; i++) {
        struct sim_call *one = &sim->calls[i];
        if (one->used && !one->arrived && now >= one->arrives_ms)
            sim_arrive(sim, one, now);
        if (one->used && now >= one->ends_ms) {
            one->report.took_ms = one->ends_ms - one->pass.taken_ms;
            gates_done(sim->gates, &one->pass, &one->report, now);
            one->used = false;
            open = true;
        }
        open = open && gates_may(sim->gates, DESK, LIMIT_ANY, now);
        if (!one->used && open) {
            uint64_t takes = 50 + (uint64_t)rand_r(&sim->seed) % 3000;
            *one = (struct sim_call){.pass = gates_take(sim->gates, DESK, LIMIT_ANY, now), .used = true};
            one->ends_ms = now + takes;
            one->arrives_ms = now + (uint64_t)rand_r(&sim->seed) % takes;
        }
    }
}

// The most that arrived in any 60 seconds.
static size_t sim_most(const struct sim *sim)
{
    size_t most = 0;
    for (size_t first = 0, last = 0; last < sim->logged; last++) {
        while (sim->log[first] + 60000 <= sim->log[last])
            first++;
        if (last - first + 1 > most)
            most = last - first + 1;
    }
    return most;
}

static void sim_run(struct sim *sim)
{
    for (uint64_t now = 600000; now < 600000 + SIM_MINUTES * 60000; now += SIM_STEP_MS)
        sim_step(sim, now);
}

static void parallel_workers_never_exceed_the_learnt_share(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 3; seed++) {
        struct sim *sim = calloc(1, sizeof *sim);
        assert_non_null(sim);
        *sim = (struct sim){.gates = gates_with(0, 0, 0.7), .total = 200, .others = 40, .seed = seed, .headers = true};
        sim_run(sim);
        assert_true(sim_most(sim) <= 140);
        assert_int_equal(sim->refused, 0);
        assert_true(sim->logged >= SIM_MINUTES * 140 * 85 / 100); // and they are put to use
        gates_free(&sim->gates);
        free(sim);
    }
}

static void parallel_workers_never_exceed_a_set_budget(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 3; seed++) {
        struct sim *sim = calloc(1, sizeof *sim);
        assert_non_null(sim);
        *sim = (struct sim){.gates = gates_with(0, 90, 0.7), .total = 1000000, .seed = seed};
        sim_run(sim);
        assert_true(sim_most(sim) <= 90);
        assert_true(sim->logged >= SIM_MINUTES * 90 * 85 / 100);
        gates_free(&sim->gates);
        free(sim);
    }
}

static void greedy_others_leave_few_refusals(void **state)
{
    struct sim *sim = calloc(1, sizeof *sim);

    (void)state;
    assert_non_null(sim);
    // The others take nearly all; ours sees it in the answers and does not storm against an empty account.
    *sim = (struct sim){.gates = gates_with(0, 0, 0.7), .total = 200, .others = 190, .seed = 7, .headers = true};
    sim_run(sim);
    assert_true(sim_most(sim) <= 140);
    assert_true(sim->refused <= SIM_MINUTES * 8);
    gates_free(&sim->gates);
    free(sim);
}

static void without_headers_refusals_decide(void **state)
{
    struct sim *sim = calloc(1, sizeof *sim);

    (void)state;
    assert_non_null(sim);
    *sim = (struct sim){.gates = gates_with(0, 0, 0.7), .total = 300, .seed = 9};
    sim_run(sim);
    // Each minute is used up, and ends with at most what was in flight, not with a storm.
    assert_true(sim->logged - sim->refused >= (SIM_MINUTES - 1) * 290);
    assert_true(sim->refused <= (size_t)SIM_MINUTES * SIM_CALLS);
    gates_free(&sim->gates);
    free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parallel_workers_never_exceed_the_learnt_share),
        cmocka_unit_test(parallel_workers_never_exceed_a_set_budget),
        cmocka_unit_test(greedy_others_leave_few_refusals),
        cmocka_unit_test(without_headers_refusals_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
