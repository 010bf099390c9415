// SPDX-License-Identifier: Apache-2.0
// Where the time went: what misses the promise is counted under the stage that used most of it, and what is given up on
// counts as no delivery.
#include "http-front/admin/health.h"
#include "http-front/admin/metrics.h"
#include "tests/unit/test_dispatch.h"

enum { LATE_MS = 2100 };

static void what_is_late_is_counted_by_where_the_time_went(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    metrics_reset();
    knows(f, (struct lane){.conversation = "call", .ticket_id = 42, .updated_ms = wall()});
    knows(f, (struct lane){.conversation = "queue", .ticket_id = 43, .updated_ms = wall()});
    knows(f, (struct lane){.conversation = "quick", .ticket_id = 44, .updated_ms = wall()});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "call", "m1");
    struct job slow = expect_job(f, STEP_APPEND_NOTE, &w);
    says(f, EVENT_CUSTOMER_MESSAGE, "queue", "m2");
    struct job late = expect_job(f, STEP_APPEND_NOTE, &w);
    uint64_t acked;
    struct job none;
    for (int64_t until = clock_mono_ms() + LATE_MS; clock_mono_ms() < until;) // its promise, kept here
        (void)take(w, 50, &none, &acked);
    const struct report done = {.outcome = OUTCOME_DONE, .what = "messages appended"};
    struct report report = done;
    report.took_ms = LATE_MS - 50;
    send_report(w, &slow, report);
    await_ack(w, slow.job_id);
    report.took_ms = 20;
    send_report(w, &late, report);
    await_ack(w, late.job_id);
    says(f, EVENT_CUSTOMER_MESSAGE, "quick", "m3");
    struct job quick = expect_job(f, STEP_APPEND_NOTE, &w);
    send_report(w, &quick, done);
    await_ack(w, quick.job_id);
    says(f, EVENT_CUSTOMER_MESSAGE, "quick", "m4");
    struct job refused = expect_job(f, STEP_APPEND_NOTE, &w);
    send_report(w, &refused, (struct report){.outcome = OUTCOME_REFUSED, .cause = "No.", .http_status = 400});
    await_ack(w, refused.job_id);
    assert_int_equal(metrics_observed(HISTOGRAM_TO_DESK), 3);
    assert_int_equal(metrics_late(METRICS_CHAT_TO_DESK, METRICS_STAGE_CALL), 1);
    assert_int_equal(metrics_late(METRICS_CHAT_TO_DESK, METRICS_STAGE_WORKER), 1);
    for (int stage = 0; stage < METRICS_STAGES; stage++)
        if (stage != METRICS_STAGE_CALL && stage != METRICS_STAGE_WORKER)
            assert_int_equal(metrics_late(METRICS_CHAT_TO_DESK, (enum metrics_stage)stage), 0);
}

// The upstream's clock decides how late its webhook was; a poll's find says nothing of webhooks.
static void the_upstreams_own_delay_is_measured_in_its_clock(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    metrics_reset();
    begin(f);
    worker(f, 1, 7);
    roster(f);
    health_set_clock("freshchat", 60000);
    struct event event = {.kind = EVENT_CUSTOMER_MESSAGE,
                          .key = "freshchat:message:m1",
                          .conversation = "c",
                          .user = "u",
                          .time_ms = wall() + 60000 - 4000};
    assert_int_equal(committer_accept(f->committer, &event), ACCEPT_STORED);
    expect_job(f, STEP_READ_CUSTOMER, &w);
    assert_int_equal(metrics_observed(HISTOGRAM_DELAY_FRESHCHAT), 1);
    assert_int_equal(metrics_at_most(HISTOGRAM_DELAY_FRESHCHAT, 3000), 0);
    assert_int_equal(metrics_at_most(HISTOGRAM_DELAY_FRESHCHAT, 30000), 1);
    health_set_clock("freshchat", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_late_is_counted_by_where_the_time_went, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_upstreams_own_delay_is_measured_in_its_clock, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
