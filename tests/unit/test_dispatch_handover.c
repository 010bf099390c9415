// SPDX-License-Identifier: Apache-2.0
// Workers that leave, and a front that another one replaces: who gets no more, who is let go, and what is on disk then.
#include "tests/unit/test_dispatch.h"

static atomic_bool holding; // writes wait

bool __real_ledger_write(struct ledger *self, const struct ledger_batch *batch);
bool __wrap_ledger_write(struct ledger *self, const struct ledger_batch *batch);

bool __wrap_ledger_write(struct ledger *self, const struct ledger_batch *batch)
{
    while (atomic_load(&holding))
        sched_yield();
    return __real_ledger_write(self, batch);
}

// The same roster, with this worker as one that leaves.
static void leaves_the_roster(struct fixture *f, const struct worker *leaving)
{
    control(f, PIPES_CONTROL_ROSTER_BEGIN, 0, 0);
    for (int i = 0; i < WORKERS_MOST; i++) {
        const struct worker *w = &f->workers[i];
        if (w->on_roster)
            control(f, w == leaving ? PIPES_CONTROL_ROSTER_LEAVING : PIPES_CONTROL_ROSTER_WORKER, w->slot,
                    w->generation);
    }
    control(f, PIPES_CONTROL_ROSTER_END, 0, 0);
}

// Whether the front says within that time that it has nothing out with that generation. Its beats are read along.
static bool is_released(int fd, uint64_t generation, int wait_ms)
{
    struct pipes_reader reader = {0};
    struct pipes_status record;
    int64_t until = clock_mono_ms() + wait_ms;
    do
        while (pipes_read_status(&reader, fd, &record) == PIPES_RECORD)
            if (record.kind == PIPES_STATUS_RELEASED && record.value == generation)
                return true;
    while (clock_mono_ms() < until && sched_yield() == 0);
    return false;
}

static void a_worker_that_leaves_gets_nothing_more_and_is_let_go_when_it_is_done(void **state)
{
    struct fixture *f = *state;
    struct worker *by;
    int status[2];
    assert_int_equal(pipe2(status, O_CLOEXEC | O_NONBLOCK), 0);
    f->status_fd = status[1];
    begin(f);
    struct worker *old = worker(f, 1, 7);
    roster(f);
    answer_first_polls(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job read = expect_job(f, STEP_READ_CUSTOMER, &by);
    assert_ptr_equal(by, old);

    struct worker *fresh = worker(f, 2, 8);
    leaves_the_roster(f, old);
    says(f, EVENT_CUSTOMER_MESSAGE, "d", "m2");
    (void)expect_job(f, STEP_READ_CUSTOMER, &by);
    assert_ptr_equal(by, fresh);
    assert_false(is_released(status[0], 7, 300)); // it still has the first
    // The next step of what it finishes goes to the other one.
    send_report(old, &read, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_TICKET});
    struct job create = expect_job(f, STEP_CREATE_TICKET, &by);
    assert_ptr_equal(by, fresh);
    assert_string_equal(create.lane.conversation, "c");
    assert_true(is_released(status[0], 7, PATIENCE_MS));
    assert_false(is_released(status[0], 7, 300)); // said once
    // Taken back: it is one like the others again, and may leave a second time.
    roster(f);
    leaves_the_roster(f, old);
    assert_true(is_released(status[0], 7, PATIENCE_MS));
    end(f);
    f->dispatcher = NULL;
    close(status[0]);
    close(status[1]);
}

struct sought {
    const char *conversation;
    struct pending found;
    struct arena *arena;
};

static bool seek(void *arg, const struct pending *pending)
{
    struct sought *sought = arg;
    if (strcmp(pending->event.conversation, sought->conversation) == 0) {
        sought->found = *pending;
        sought->found.event.conversation = sought->conversation;
        return false;
    }
    return true;
}

static struct pending pending_of(struct fixture *f, const char *conversation)
{
    struct sought sought = {.conversation = conversation};
    (void)ledger_each_pending(f->ledger, seek, &sought);
    return sought.found;
}

static bool wants_to_hand_over(struct fixture *f)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    while (!atomic_load(&f->left) && clock_mono_ms() < until)
        sched_yield();
    atomic_store(&f->left, false);
    return atomic_load(&f->handing_over);
}

// One job is out with a worker, a second one's claim is just being written.
static void a_front_that_is_replaced_leaves_what_is_out_to_its_worker(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    answer_first_polls(f);
    for (int i = 0; i < 2; i++) {
        says(f, EVENT_CUSTOMER_MESSAGE, i ? "d" : "c", i ? "m2" : "m1");
        struct job read = expect_job(f, STEP_READ_CUSTOMER, &w);
        if (i)
            atomic_store(&holding, true); // a read's report needs no write: what follows is the claim
        send_report(w, &read, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_TICKET});
        if (!i)
            assert_string_equal(expect_job(f, STEP_CREATE_TICKET, &w).lane.conversation, "c");
        else
            await_ack(w, read.job_id);
    }
    uint64_t out = w->held[0];
    assert_int_equal(w->held_count, 1);
    int64_t began_ms = clock_mono_ms();
    control(f, PIPES_CONTROL_HANDOVER, 0, 0);
    assert_true(wants_to_hand_over(f));
    atomic_store(&holding, false);
    dispatcher_drain(f->dispatcher, 5000);
    pthread_join(f->thread, NULL); // though a job is out
    assert_true(clock_mono_ms() - began_ms < 4000);
    assert_int_equal(pthread_create(&f->thread, NULL, run, f->dispatcher), 0); // for end()
    end(f);
    f->dispatcher = NULL;

    open_ledger(f);
    struct pending first = pending_of(f, "c"), second = pending_of(f, "d");
    assert_true(first.claimed);
    assert_int_equal(first.job_id, out);
    // Nobody was told of the second: it may begin anew without a look.
    assert_false(second.claimed);
    assert_int_equal(second.job_id, 0);
    assert_int_equal(second.step, STEP_CREATE_TICKET);

    // The next front learns from the census who has the first, and takes its report.
    begin(f);
    worker(f, 1, 7);
    roster(f);
    struct job again = expect_job(f, STEP_CREATE_TICKET, &w);
    assert_string_equal(again.lane.conversation, "d");
    struct job done = {.job_id = out, .step = STEP_CREATE_TICKET, .lane = {.conversation = "c"}};
    send_report(w, &done, (struct report){.outcome = OUTCOME_DONE, .ticket_id = 41});
    await_ack(w, out);
    end(f);
    f->dispatcher = NULL;
    struct lane lane;
    open_ledger(f);
    assert_int_equal(ledger_lane(f->ledger, "c", &lane, f->arena), LEDGER_OK);
    assert_int_equal(lane.ticket_id, 41);
}

// Intake serves while the dispatcher loads: what it accepts meanwhile is on disk too, and comes once.
static void what_is_accepted_while_the_rest_is_loaded_comes_once(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    begin(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "before", "m1");
    end(f);
    f->dispatcher = NULL;

    open_ledger(f);
    struct mailbox *mailbox = mailbox_new();
    struct committer *committer = committer_new(f->ledger, mailbox, &(struct committer_options){.now_ms = wall});
    f->load_before = ledger_next(f->ledger);
    f->committer = committer;
    says(f, EVENT_CUSTOMER_MESSAGE, "meanwhile", "m2");
    // The dispatcher of begin() has a mailbox of its own, so this mail does not reach it: it must not be loaded.
    begin(f);
    worker(f, 1, 7);
    roster(f);
    struct job job = expect_job(f, STEP_READ_CUSTOMER, &w);
    assert_string_equal(job.lane.conversation, "before");
    assert_false(next_job(f, 500, STEP_NONE, &job, &w));
    struct mail *mail = mailbox_take_all(mailbox);
    assert_non_null(mail);
    assert_int_equal(mail->kind, MAIL_ACCEPTED);
    assert_string_equal(mail->conversation, "meanwhile");
    assert_true(mail->seq >= f->load_before);
    mail_free(&mail);
    committer_free(&committer);
    mailbox_free(&mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_worker_that_leaves_gets_nothing_more_and_is_let_go_when_it_is_done, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_front_that_is_replaced_leaves_what_is_out_to_its_worker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_accepted_while_the_rest_is_loaded_comes_once, set_up, tear_down),
    };
    zsys_init();
    zsys_handler_set(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
