// SPDX-License-Identifier: Apache-2.0
// A dispatcher in its own thread, over a real ledger and committer. The test plays the supervisor (control pipe) and
// the workers (real sockets), so that every frame comes when the test wants it. A restart begins a new front over the
// same ledger in a new runtime folder. What nobody asks for is done at once: hellos get a census, polls an empty
// report.
#ifndef TESTS_UNIT_TEST_DISPATCH_H
#define TESTS_UNIT_TEST_DISPATCH_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <czmq.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http-front/dispatch/dispatcher.h"
#include "http-front/ledger/committer.h"
#include "proto/clock.h"
#include "proto/pipes.h"
#include "proto/records.h"
#include "proto/steps.h"

enum { PATIENCE_MS = 15000, WORKERS_MOST = 4, HELD_HERE = 64, DAY = 24 * 60 * 60 * 1000 };

struct fixture;

struct worker {
    struct fixture *f;
    uint32_t slot;
    uint64_t generation;
    zsock_t *pull;
    zsock_t *push;
    uint64_t front_generation;
    uint64_t link_seq;
    uint64_t held[HELD_HERE]; // named in each census
    size_t held_count;
    bool on_roster;
};

struct fixture {
    char folder[64];
    char runtime[96];
    int fronts;
    struct config config;
    struct ledger *ledger;
    struct mailbox *mailbox;
    struct committer *committer;
    struct dispatcher *dispatcher;
    pthread_t thread;
    atomic_bool left, handing_over; // the dispatcher wanted to leave
    int control[2];
    int status_fd;        // -1: none
    uint64_t load_before; // 0: everything is loaded
    struct worker workers[WORKERS_MOST];
    uint64_t ticket_wait_ms;
    uint64_t restored_least_ms;
    struct arena *arena; // of all that was received
};

static inline uint64_t wall(void)
{
    return (uint64_t)clock_wall_ms();
}

// ---- life -----------------------------------------------------------------------------------------------------------

static const struct ledger_options ledger_options = {(uint64_t)30 * DAY, (uint64_t)400 * DAY, (uint64_t)7 * DAY, wall};

static inline void open_ledger(struct fixture *f)
{
    char dir[96], error[512] = "";
    snprintf(dir, sizeof dir, "%s/ledger", f->folder);
    f->ledger = ledger_open(dir, &ledger_options, error, sizeof error);
    if (!f->ledger)
        print_message("%s\n", error);
    assert_non_null(f->ledger);
}

// A fixture whose ledger is open and may be filled before begin().
static inline int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    *f = (struct fixture){.folder = "/tmp/dbdispatch.XXXXXX", .arena = arena_new(), .status_fd = -1};
    assert_non_null(mkdtemp(f->folder));
    f->config.workers.in_flight = 8;
    f->config.dedup_days = 30;
    f->config.freshchat.poll_seconds = 3600;
    f->config.freshdesk.poll_seconds = 3600;
    f->config.freshdesk.max_share = 0.7;
    f->config.timing = (struct config_timing){.gather_quiet_ms = 1,
                                              .gather_max_ms = 2,
                                              .context_wait_ms = 60000,
                                              .context_refresh_seconds = 3600,
                                              .context_note_seconds = 3600,
                                              .settle_ms = 300,
                                              .retry_first_ms = 1,
                                              .retry_max_ms = 2,
                                              .retry_give_up_hours = 24};
    open_ledger(f);
    *state = f;
    return 0;
}

static inline void leaves(void *arg, bool handing_over)
{
    struct fixture *f = arg;
    atomic_store(&f->handing_over, handing_over);
    atomic_store(&f->left, true);
}

static inline void *run(void *arg)
{
    dispatcher_run(arg);
    return NULL;
}

static inline void begin(struct fixture *f)
{
    char why[512] = "";
    snprintf(f->runtime, sizeof f->runtime, "%s/run%d", f->folder, ++f->fronts);
    assert_int_equal(mkdir(f->runtime, 0700), 0);
    f->config.runtime_dir = f->runtime;
    if (!f->ledger)
        open_ledger(f);
    f->mailbox = mailbox_new();
    f->committer = committer_new(f->ledger, f->mailbox, &(struct committer_options){.now_ms = wall});
    assert_int_equal(pipe2(f->control, O_CLOEXEC | O_NONBLOCK), 0);
    struct dispatcher_options options = {.config = &f->config,
                                         .ledger = f->ledger,
                                         .committer = f->committer,
                                         .mailbox = f->mailbox,
                                         .control_fd = f->control[0],
                                         .status_fd = f->status_fd,
                                         .load_before = f->load_before,
                                         .leave = leaves,
                                         .leave_arg = f,
                                         .ticket_wait_ms = f->ticket_wait_ms,
                                         .restored_least_ms = f->restored_least_ms};
    f->dispatcher = dispatcher_new(&options, why, sizeof why);
    if (!f->dispatcher)
        print_message("%s\n", why);
    assert_non_null(f->dispatcher);
    assert_int_equal(pthread_create(&f->thread, NULL, run, f->dispatcher), 0);
}

// What is out is left out: on disk that is a crash.
static inline void end(struct fixture *f)
{
    dispatcher_drain(f->dispatcher, 0);
    pthread_join(f->thread, NULL);
    committer_free(&f->committer);
    dispatcher_free(&f->dispatcher);
    for (struct mail *mail = mailbox_take_all(f->mailbox); mail;) {
        struct mail *next = mail->next;
        if (mail->kind == MAIL_COMMITTED)
            free(mail->token);
        mail_free(&mail);
        mail = next;
    }
    mailbox_free(&f->mailbox);
    ledger_close(&f->ledger);
    close(f->control[0]);
    close(f->control[1]);
    for (int i = 0; i < WORKERS_MOST; i++) {
        zsock_destroy(&f->workers[i].pull);
        zsock_destroy(&f->workers[i].push);
        f->workers[i].on_roster = false;
    }
}

static inline int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    if (f->dispatcher)
        end(f);
    ledger_close(&f->ledger);
    arena_free(&f->arena);
    assert_false(f->left);
    return nftw(f->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

// ---- supervisor -----------------------------------------------------------------------------------------------------

static inline void control(struct fixture *f, enum pipes_control_kind kind, uint32_t slot, uint64_t generation)
{
    assert_true(pipes_write_control(f->control[1], kind, slot, generation, 1));
}

static inline void roster(struct fixture *f)
{
    control(f, PIPES_CONTROL_ROSTER_BEGIN, 0, 0);
    for (int i = 0; i < WORKERS_MOST; i++)
        if (f->workers[i].on_roster)
            control(f, PIPES_CONTROL_ROSTER_WORKER, f->workers[i].slot, f->workers[i].generation);
    control(f, PIPES_CONTROL_ROSTER_END, 0, 0);
}

// Opens that worker's sockets towards the present front. The roster is told by roster().
static inline struct worker *worker(struct fixture *f, uint32_t slot, uint64_t generation)
{
    struct worker *w = &f->workers[slot - 1];
    char endpoint[PIPES_ENDPOINT_BYTES];
    bool same = w->generation == generation;
    w->f = f;
    w->slot = slot;
    w->generation = generation;
    w->front_generation = w->link_seq = 0;
    w->on_roster = true;
    if (!same)
        w->held_count = 0;
    zsock_destroy(&w->pull);
    zsock_destroy(&w->push);
    assert_true(pipes_worker_endpoint(f->runtime, slot, generation, endpoint));
    w->pull = zsock_new(ZMQ_PULL);
    assert_int_equal(zsock_bind(w->pull, "%s", endpoint), 0);
    assert_true(pipes_front_endpoint(f->runtime, endpoint));
    w->push = zsock_new(ZMQ_PUSH);
    zsock_set_linger(w->push, 0);
    assert_int_equal(zsock_connect(w->push, "%s", endpoint), 0);
    return w;
}

// waitpid saw it dead.
static inline void reaped(struct worker *w)
{
    w->on_roster = false;
    control(w->f, PIPES_CONTROL_REAPED, w->slot, w->generation);
    roster(w->f);
}

// ---- worker ---------------------------------------------------------------------------------------------------------

static inline void send_frame(struct worker *w, enum record_kind kind, const void *record)
{
    struct record_buffer bytes;
    assert_true(record_encode(kind, record, &bytes));
    zframe_t *frame = zframe_new(bytes.data, bytes.size);
    record_buffer_free(&bytes);
    assert_int_equal(zframe_send(&frame, w->push, 0), 0);
}

static inline void send_census(struct worker *w)
{
    struct census census = {.slot = w->slot,
                            .worker_generation = w->generation,
                            .front_generation = w->front_generation,
                            .link_seq = w->link_seq,
                            .jobs = {w->held, w->held_count}};
    send_frame(w, RECORD_census, &census);
}

// Reports `job`; the fields that follow from it are filled in.
static inline void send_report(struct worker *w, const struct job *job, struct report report)
{
    report.slot = w->slot;
    report.worker_generation = w->generation;
    report.job_id = job->job_id;
    report.step = job->step;
    report.conversation = job->lane.conversation;
    report.upstream = (uint64_t)steps_info(job->step)->upstream;
    report.sent = true;
    if (!report.http_status)
        report.http_status = 200;
    send_frame(w, RECORD_report, &report);
}

static inline void forget(struct worker *w, uint64_t job_id)
{
    for (size_t i = 0; i < w->held_count; i++)
        if (w->held[i] == job_id) {
            w->held[i] = w->held[--w->held_count];
            return;
        }
}

enum frame { FRAME_NONE, FRAME_JOB, FRAME_OTHER };

// Takes one frame, where one comes within wait_ms. Hellos get their census.
static inline enum frame take(struct worker *w, int wait_ms, struct job *job, uint64_t *acked)
{
    zsock_set_rcvtimeo(w->pull, wait_ms);
    zframe_t *frame = zframe_recv(w->pull);
    enum frame result = FRAME_OTHER;
    struct hello hello;
    struct ack ack;
    *acked = 0;
    if (!frame)
        return FRAME_NONE;
    const void *data = zframe_data(frame);
    size_t size = zframe_size(frame);
    switch (record_peek(data, size)) {
    case RECORD_hello:
        assert_int_equal(record_decode(RECORD_hello, data, size, &hello, w->f->arena), RECORD_OK);
        w->front_generation = hello.front_generation;
        w->link_seq = hello.link_seq;
        send_census(w);
        break;
    case RECORD_job:
        assert_int_equal(record_decode(RECORD_job, data, size, job, w->f->arena), RECORD_OK);
        w->link_seq = job->link_seq;
        assert_true(w->held_count < HELD_HERE);
        w->held[w->held_count++] = job->job_id;
        result = FRAME_JOB;
        break;
    default:
        assert_int_equal(record_decode(RECORD_ack, data, size, &ack, w->f->arena), RECORD_OK);
        w->link_seq = ack.link_seq;
        *acked = ack.job_id;
        forget(w, ack.job_id);
    }
    zframe_destroy(&frame);
    return result;
}

// The next job of any of these workers that is no poll, or is one of the step `wanted`; *by is who got it. False when
// none comes within `wait_ms`.
static inline bool next_job(struct fixture *f, int wait_ms, enum step wanted, struct job *job, struct worker **by)
{
    int64_t until = clock_mono_ms() + wait_ms;
    uint64_t acked;
    while (clock_mono_ms() < until)
        for (int i = 0; i < WORKERS_MOST; i++) {
            struct worker *w = &f->workers[i];
            if (!w->on_roster || take(w, 5, job, &acked) != FRAME_JOB)
                continue;
            if (steps_info(job->step)->rank == RANK_POLL && job->step != (uint64_t)wanted) {
                send_report(w, job, (struct report){.outcome = OUTCOME_DONE});
                continue;
            }
            *by = w;
            return true;
        }
    return false;
}

// The next job must come and be of that step.
static inline struct job expect_job(struct fixture *f, enum step step, struct worker **by)
{
    struct job job;
    struct worker *w = NULL;
    if (!next_job(f, PATIENCE_MS, step, &job, &w))
        fail_msg("no job came, expected %s", steps_name(step));
    if (job.step != (uint64_t)step)
        fail_msg("%s came, expected %s", steps_name(job.step), steps_name(step));
    if (by)
        *by = w;
    return job;
}

// Reports that of the job, and of the same one each time it comes again, until it has had its tries: what is too old is
// given up on then. Returns the last one.
static inline struct job fails_for_good(struct fixture *f, struct worker *by, struct job job, struct report report)
{
    enum step step = (enum step)job.step;
    for (int i = 0; i < 3; i++) {
        send_report(by, &job, report);
        job = expect_job(f, step, &by);
    }
    send_report(by, &job, report);
    return job;
}

static inline void await_ack(struct worker *w, uint64_t job_id)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    uint64_t acked = 0;
    struct job job;
    while (acked != job_id) {
        assert_true(clock_mono_ms() < until);
        if (take(w, 50, &job, &acked) == FRAME_JOB)
            send_report(w, &job, (struct report){.outcome = OUTCOME_DONE});
    }
}

// Takes and answers the two polls that each front begins with, in whichever order they come.
static inline void answer_first_polls(struct fixture *f)
{
    uint64_t desk = 0, users = 0; // their jobs
    bool desk_acked = false, users_acked = false;
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    while (!desk_acked || !users_acked) {
        if (clock_mono_ms() >= until)
            fail_msg("the first polls did not come, or were not acked");
        for (int i = 0; i < WORKERS_MOST; i++) {
            struct worker *w = &f->workers[i];
            struct job job;
            uint64_t acked = 0;
            if (w->on_roster && take(w, 5, &job, &acked) == FRAME_JOB) {
                if (job.step == STEP_LIST_TICKETS)
                    desk = job.job_id;
                if (job.step == STEP_LIST_USERS)
                    users = job.job_id;
                send_report(w, &job, (struct report){.outcome = OUTCOME_DONE});
            }
            desk_acked = desk_acked || (desk && acked == desk);
            users_acked = users_acked || (users && acked == users);
        }
    }
}

// ---- what happens outside -------------------------------------------------------------------------------------------

static inline void says(struct fixture *f, enum event_kind kind, const char *conversation, const char *id)
{
    char key[100];
    snprintf(key, sizeof key, "freshchat:message:%s", id);
    struct event event = {.kind = kind, .key = key, .conversation = conversation, .user = "u", .time_ms = wall()};
    assert_int_equal(committer_accept(f->committer, &event), ACCEPT_STORED);
}

static inline void hints(struct fixture *f, uint64_t ticket_id)
{
    struct event event = {.kind = EVENT_HINT, .key = "", .conversation = "", .ticket_id = ticket_id};
    assert_int_equal(committer_accept(f->committer, &event), ACCEPT_STORED);
}

// Puts a lane (and its ticket) into the ledger, before begin().
static inline void knows(struct fixture *f, struct lane lane)
{
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_lane(batch, &lane);
    if (lane.ticket_id)
        ledger_put_ticket(batch, lane.ticket_id,
                          &(struct ticket){.conversation = lane.conversation, .time_ms = lane.updated_ms});
    assert_true(ledger_write(f->ledger, batch));
    ledger_batch_free(&batch);
}
#endif
