// SPDX-License-Identifier: Apache-2.0
// After a customer's note the ticket is read, and opened again if it is closed: how often, that messages do not wait
// for it, and what is true after a failure and after a crash.
#include "http-front/admin/metrics.h"
#include "tests/unit/test_dispatch.h"

enum { RESTS_MS = 600 }; // after a reading: four times gather_max_ms

static const struct followup keep_open = {.kind = EVENT_KEEP_OPEN, .reason = ""};

static struct worker *chat_with_ticket(struct fixture *f)
{
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .user = "", .updated_ms = 1});
    begin(f);
    struct worker *w = worker(f, 1, 7);
    roster(f);
    answer_first_polls(f);
    return w;
}

static void done(struct worker *w, const struct job *job, struct report report)
{
    report.outcome = OUTCOME_DONE;
    send_report(w, job, report);
    await_ack(w, job->job_id);
}

// The customer writes, and the note's report asks for the reading, as flow_append.c does.
static void noted(struct fixture *f, const char *id)
{
    struct worker *w;
    struct followup asked = keep_open;
    says(f, EVENT_CUSTOMER_MESSAGE, "c", id);
    struct job note = expect_job(f, STEP_APPEND_NOTE, &w);
    done(w, &note, (struct report){.followups = {&asked, 1}});
}

static void no_job(struct fixture *f, int wait_ms)
{
    struct job job;
    struct worker *w;
    if (next_job(f, wait_ms, STEP_NONE, &job, &w))
        fail_msg("a job for %s went out", steps_name(job.step));
}

static void every_note_has_a_reading_behind_it_and_a_burst_two(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    f->config.timing.gather_max_ms = RESTS_MS / 4;
    chat_with_ticket(f);
    noted(f, "m1");
    struct job job = expect_job(f, STEP_READ_WHETHER_OPEN, &w); // at once
    done(w, &job, (struct report){0});
    int64_t read_ms = clock_mono_ms();
    noted(f, "m2");
    noted(f, "m3");
    noted(f, "m4");
    job = expect_job(f, STEP_READ_WHETHER_OPEN, &w);
    assert_true(clock_mono_ms() - read_ms >= RESTS_MS - 50);
    done(w, &job, (struct report){0});
    no_job(f, RESTS_MS + 200);
}

static void a_closed_one_is_opened_and_the_customer_read(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct followup context = {.kind = EVENT_CONTEXT, .round = 4, .reason = ""};
    chat_with_ticket(f);
    noted(f, "m1");
    struct job job = expect_job(f, STEP_READ_WHETHER_OPEN, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_REOPEN_TICKET});
    job = expect_job(f, STEP_REOPEN_TICKET, &w);
    done(w, &job, (struct report){.followups = {&context, 1}, .what = "ticket reopened"});
    job = expect_job(f, STEP_REREAD_CUSTOMER, &w);
    assert_int_equal(job.events.items[0].round, 4);
    done(w, &job, (struct report){0});
    no_job(f, 200);
}

static void whatever_fails_it_is_read_again_first(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    chat_with_ticket(f);
    noted(f, "m1");
    for (int i = 0; i < 4; i++) {
        struct job job = expect_job(f, STEP_READ_WHETHER_OPEN, &w);
        send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_REOPEN_TICKET});
        job = expect_job(f, STEP_REOPEN_TICKET, &w);
        if (i < 2) { // an answer that was lost, and one that asks to wait
            send_report(w, &job,
                        (struct report){.outcome = OUTCOME_RETRY, .http_status = i ? 429 : 0, .cause = "no answer"});
        } else if (i == 2) { // its worker dies
            reaped(w);
            worker(f, 1, 8);
            roster(f);
        } else {
            done(w, &job, (struct report){0});
        }
    }
    no_job(f, 200);
}

// The reading before each PUT works, and must not make the PUT's age count from its own first try every time.
static void what_may_be_read_but_not_written_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    f->config.timing.retry_give_up_hours = 0;
    chat_with_ticket(f);
    noted(f, "m1");
    struct job job = expect_job(f, STEP_READ_WHETHER_OPEN, &w);
    done(w, &job, (struct report){.next_step = STEP_REOPEN_TICKET});
    job = expect_job(f, STEP_REOPEN_TICKET, &w);
    uint64_t dead = metrics_get(METRIC_DEAD_LETTERS);
    send_report(w, &job, (struct report){.outcome = OUTCOME_RETRY, .http_status = 500, .cause = "It is down."});
    await_ack(w, job.job_id);
    assert_int_equal(metrics_get(METRIC_DEAD_LETTERS), dead + 1);
    no_job(f, 200);
}

static void a_message_does_not_wait_until_it_succeeds(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    f->config.timing.retry_first_ms = f->config.timing.retry_max_ms = 60000;
    chat_with_ticket(f);
    noted(f, "m1");
    struct job job = expect_job(f, STEP_READ_WHETHER_OPEN, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_RETRY, .http_status = 500, .cause = "no"});
    noted(f, "m2"); // and the one that waits is enough for it
}

static void a_new_front_reads_again(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    chat_with_ticket(f);
    noted(f, "m1");
    struct job job = expect_job(f, STEP_READ_WHETHER_OPEN, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_REOPEN_TICKET});
    expect_job(f, STEP_REOPEN_TICKET, &w);
    end(f); // and nobody knows whether it was made
    begin(f);
    w = worker(f, 1, 9);
    roster(f);
    job = expect_job(f, STEP_READ_WHETHER_OPEN, &w);
    done(w, &job, (struct report){0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_note_has_a_reading_behind_it_and_a_burst_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_one_is_opened_and_the_customer_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whatever_fails_it_is_read_again_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_may_be_read_but_not_written_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_does_not_wait_until_it_succeeds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_front_reads_again, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
