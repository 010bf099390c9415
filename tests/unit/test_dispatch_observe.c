// SPDX-License-Identifier: Apache-2.0
// mode = "observe" in the dispatcher: writes are reported done without an id, nothing is claimed or given up, and what
// a worker of the other mode did not write is still written.
#include "http-front/admin/metrics.h"
#include "tests/unit/test_dispatch.h"

static const struct report observed = {.outcome = OUTCOME_DONE, .observed = true, .what = "observed"};

static void observes(struct fixture *f)
{
    f->config.mode = CONFIG_MODE_OBSERVE;
    begin(f);
    worker(f, 1, 7);
    roster(f);
}

static struct job opening(struct fixture *f, struct worker **w)
{
    struct job job = expect_job(f, STEP_READ_CUSTOMER, w);
    send_report(*w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_TICKET});
    return expect_job(f, STEP_CREATE_TICKET, w);
}

static bool is_claimed(void *arg, const struct pending *pending)
{
    *(bool *)arg |= pending->claimed;
    return true;
}

static void a_lane_whose_ticket_was_observed_goes_on_with_notes(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    metrics_reset();
    observes(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job job = opening(f, &w);
    assert_true(job.observe);
    bool claimed = false;
    assert_int_equal(ledger_each_pending(f->ledger, is_claimed, &claimed), LEDGER_OK);
    assert_false(claimed);
    send_report(w, &job, observed);
    await_ack(w, job.job_id);
    struct lane lane;
    assert_int_equal(ledger_lane(f->ledger, "c", &lane, f->arena), LEDGER_OK);
    assert_int_equal(lane.ticket_id, 0);
    assert_true(lane.opened_ms > 0);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m2");
    job = expect_job(f, STEP_APPEND_NOTE, &w);
    send_report(w, &job, observed);
    await_ack(w, job.job_id);
    char *text = metrics_render();
    assert_non_null(strstr(text, "deskbell_observed_writes_total{step=\"create_ticket\"} 1\n"));
    assert_non_null(strstr(text, "deskbell_observed_writes_total{step=\"append_note\"} 1\n"));
    assert_null(strstr(text, "deskbell_observed_writes_total{step=\"read_customer\"}"));
    free(text);
    end(f);
    f->config.mode = CONFIG_MODE_LIVE; // the lane has no ticket
    begin(f);
    worker(f, 1, 8);
    roster(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m3");
    job = opening(f, &w);
    assert_false(job.observe);
    assert_string_equal(job.events.items[0].key, "freshchat:message:m3");
}

static void what_cannot_be_done_is_told_and_makes_no_dead_letter(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    observes(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job job = opening(f, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_REFUSED, .cause = "No."});
    await_ack(w, job.job_id);
    struct dead dead;
    assert_int_equal(ledger_dead(f->ledger, job.job_id, &dead, f->arena), LEDGER_ABSENT);
    assert_int_equal(metrics_get(METRIC_DEAD_LETTERS), 0);
}

// A worker that died with an observed write leaves nothing in doubt: it goes to the next one as it is.
static void a_dead_observer_leaves_no_doubt(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    observes(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    opening(f, &w);
    struct worker *dead = w;
    worker(f, 2, 9);
    reaped(dead);
    struct job job = expect_job(f, STEP_CREATE_TICKET, &w);
    send_report(w, &job, observed);
    await_ack(w, job.job_id);
}

// The mode becomes live while a worker of the old configuration still has a job.
static void a_live_front_has_what_was_only_observed_written(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job job = opening(f, &w);
    send_report(w, &job, observed);
    struct job again = expect_job(f, STEP_CREATE_TICKET, &w);
    assert_int_not_equal(again.job_id, job.job_id);
    send_report(w, &again, (struct report){.outcome = OUTCOME_DONE, .ticket_id = 42, .what = "ticket opened"});
    await_ack(w, again.job_id);
    struct lane lane;
    assert_int_equal(ledger_lane(f->ledger, "c", &lane, f->arena), LEDGER_OK);
    assert_int_equal(lane.ticket_id, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lane_whose_ticket_was_observed_goes_on_with_notes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_done_is_told_and_makes_no_dead_letter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_observer_leaves_no_doubt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_live_front_has_what_was_only_observed_written, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
