// SPDX-License-Identifier: Apache-2.0
// The worker's main loop and the way of one job through it:
//
//   link: job arrives --> queued --> begin() --> call --> finish() --> report sent --> acked: forgotten
//                                       \_______ no call needed _______/
//
// Runs in the worker's one thread. It promises: each accepted job gets exactly one report, the same bytes at each
// sending; a write is called at most once per job; what is held is named in each census; and no answer from outside,
// and no step that makes an impossible report of it, ends the process.
#include "workers/loop.h"

#include <czmq.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "proto/seam.h"
#include "workers/agents.h"
#include "upstream/client.h"
#include "workers/held.h"
#include "workers/link.h"
#include "workers/observe.h"
#include "workers/reports.h"

enum {
    TICK_MS = 250,
    BEAT_MS = 1000,
    ROUNDED_MS = 5,
    RESEND_MS = 1000,
    KEY_ALARM_MS = 60000, // an upstream that refuses its key is complained about this often
    WHY_BYTES = 300,
    FRUITLESS_MOST = 100,
};

struct loop {
    struct loop_settings set;
    zloop_t *reactor;
    struct link *link;
    struct client *client;
    struct held *held;
    struct agents *agents;
    struct pipes_reader control;
    int64_t clock_ahead_ms[UPSTREAMS];
    bool clock_known[UPSTREAMS];
    int64_t key_alarm_ms[UPSTREAMS]; // when it was last complained about
    int64_t beat_ms;                 // when the next one is due
    int64_t deadline_ms;             // when to leave at the latest, 0: nobody asked
    uint64_t progress;
    uint64_t jobs_done;
    bool waiting_for_front; // something is unsent: told when the PUSH socket can be written to
    bool left;              // the loop ends
    int exit_code;
};

static void leave(struct loop *self, int exit_code)
{
    self->left = true;
    self->exit_code = exit_code;
}

// ---- sending --------------------------------------------------------------------------------------------------------

static int on_front_connected(zloop_t *reactor, zmq_pollitem_t *item, void *context);

// Nothing is connected to send to: be told when something is.
static void wait_for_front(struct loop *self)
{
    if (self->waiting_for_front)
        return;
    zmq_pollitem_t item = {.socket = zsock_resolve(link_push(self->link)), .events = ZMQ_POLLOUT};
    self->waiting_for_front = zloop_poller(self->reactor, &item, on_front_connected, self) == 0;
}

// False: no front is connected; on_front_connected will send it.
static bool send_report(struct loop *self, struct held_job *job)
{
    bool sent = link_send(self->link, job->frame.data, job->frame.size);
    if (sent)
        job->sent_ms = clock_mono_ms();
    else
        wait_for_front(self);
    return sent;
}

static void send_census(struct loop *self)
{
    static uint64_t ids[HELD_MOST]; // one loop per process; too large for the stack of a test's thread
    if (!link_census(self->link, ids, held_ids(self->held, ids)))
        wait_for_front(self);
}

// Sends what was never sent, or was not acked for a second.
static void send_due_reports(struct loop *self)
{
    int64_t now_ms = clock_mono_ms();
    for (struct held_job *job = held_first(self->held, HELD_REPORTED); job; job = job->after)
        if ((job->sent_ms == 0 || now_ms - job->sent_ms >= RESEND_MS) && !send_report(self, job))
            break;
}

static int on_front_connected(zloop_t *reactor, zmq_pollitem_t *item, void *context)
{
    struct loop *self = context;
    zmq_pollitem_t mine = *item;
    zloop_poller_end(reactor, &mine);
    self->waiting_for_front = false;
    send_census(self);
    send_due_reports(self);
    return 0;
}

// ---- one job --------------------------------------------------------------------------------------------------------

static bool is_poll(uint64_t step)
{
    return steps_info(step) && steps_info(step)->rank == RANK_POLL;
}

// From here on the log's lines say which events this is about.
static void log_about(const struct held_job *job)
{
    uint64_t ids[16];
    size_t count = 0;
    const struct job *work = job->context.job;
    for (size_t i = 0; i < work->events.count && count < sizeof ids / sizeof *ids; i++)
        ids[count++] = work->events.items[i].request;
    log_requests(ids, count);
}

// A poll that found nothing is no event: it is told at debug.
static void log_job(const struct held_job *job)
{
    const struct report *report = &job->report;
    const struct job *work = job->context.job;
    log_write(is_poll(work->step) ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "step",
              "step=%s job=%llu conversation=%s status=%llu took_ms=%llu outcome=%s next=%s", steps_name(work->step),
              (unsigned long long)work->job_id, reports_conversation(work), (unsigned long long)report->http_status,
              (unsigned long long)report->took_ms, reports_outcome_name(report->outcome),
              steps_name(report->next_step));
    if (report->outcome != OUTCOME_DONE && report->outcome != OUTCOME_NOT_FOUND)
        log_warn("step_failed", "step=%s job=%llu cause=%s", steps_name(work->step), (unsigned long long)work->job_id,
                 report->cause);
}

// The report is filled: encodes it, once, and sends it.
static void report_job(struct loop *self, struct held_job *job)
{
    reports_encode(&self->set.identity, &job->context, &job->report, &job->frame);
    held_move(self->held, job, HELD_REPORTED);
    self->progress++;
    self->jobs_done++;
    log_job(job);
    (void)send_report(self, job); // or when a front is connected
}

static void refuse_job(struct loop *self, struct held_job *job, const char *cause)
{
    job->report.outcome = OUTCOME_REFUSED;
    job->report.cause = cause;
    report_job(self, job);
}

static void show_clocks(const struct loop *self, struct job_context *context)
{
    memcpy(context->clock_ahead_ms, self->clock_ahead_ms, sizeof context->clock_ahead_ms);
    memcpy(context->clock_known, self->clock_known, sizeof context->clock_known);
}

static void learn(struct loop *self, enum upstream upstream, bool poll, const struct response *response)
{
    if (response->date_ms) {
        self->clock_ahead_ms[upstream] = (int64_t)response->date_ms - clock_wall_ms();
        self->clock_known[upstream] = true;
    }
    int64_t now_ms = clock_mono_ms();
    int64_t *alarm_ms = &self->key_alarm_ms[upstream];
    // A poll that an account does not allow says nothing about the key.
    if (response->answer == ANSWER_AUTH && !(poll && response->status == 403) &&
        (*alarm_ms == 0 || now_ms - *alarm_ms >= KEY_ALARM_MS)) {
        *alarm_ms = now_ms;
        log_error("key_refused", "upstream=%s problem=%s", steps_upstream_name(upstream), response->problem);
    }
}

static void finish_job(struct loop *self, struct held_job *job, const struct client_result *result)
{
    struct report *report = &job->report;
    show_clocks(self, &job->context);
    self->set.find_step(job->context.job->step)->finish(&job->context, &result->response, report);
    report->upstream = (uint64_t)job->upstream;
    report->http_status = result->response.status <= 999 ? (uint64_t)result->response.status : 999;
    report->sent = result->sent;
    report->rate_known = result->rate_known;
    report->rate_total = result->rate_total;
    report->rate_remaining = result->rate_remaining;
    report->retry_after_known = result->retry_after_known;
    report->retry_after_ms = result->retry_after_ms;
    report->date_ms = result->response.date_ms;
    report->took_ms = result->took_ms;
    // A connection that cannot be made in the time that connecting has is another matter. Both clocks are rounded.
    if (job->patience_ms && !report->http_status && result->timed_out &&
        result->took_ms + ROUNDED_MS >= job->patience_ms)
        report->cut_short = true;
    report_job(self, job);
}

static void start_waiting(struct loop *self);

static void on_answer(void *context, const struct client_result *result)
{
    struct held_job *job = context;
    struct loop *self = job->owner;
    log_about(job);
    learn(self, job->upstream, is_poll(job->context.job->step), &result->response);
    seam_kill(SEAM_AFTER_CALL, steps_name(job->context.job->step));
    finish_job(self, job, result);
    log_request(0);
    start_waiting(self);
}

// How long a step may take. False: an impatient one has no time left at all.
static bool time_left(const struct loop *self, struct held_job *job, const struct step_info *info, uint64_t *timeout_ms)
{
    if (!info->impatient)
        return true;
    uint64_t age_ms = job->context.job->age_ms + (uint64_t)(clock_mono_ms() - job->arrived_ms);
    uint64_t patience_ms = (uint64_t)self->set.config->timing.context_wait_ms;
    if (age_ms >= patience_ms)
        return false;
    uint64_t left_ms = patience_ms - age_ms;
    if (*timeout_ms == 0 || *timeout_ms > left_ms)
        *timeout_ms = left_ms;
    if (*timeout_ms < (uint64_t)self->set.config->timing.request_timeout_ms)
        job->patience_ms = *timeout_ms;
    return true;
}

static void begin_job(struct loop *self, struct held_job *job)
{
    char why[WHY_BYTES];
    struct job_context *context = &job->context;
    const struct step_info *info = steps_info(context->job->step);
    const struct step_code *code = self->set.find_step(context->job->step);
    struct request request = {0};
    if (!info || !code) {
        refuse_job(self, job, "this worker does not know the step; are all programs of one version?");
        return;
    }
    show_clocks(self, context);
    context->observing = self->set.config->mode == CONFIG_MODE_OBSERVE || context->job->observe;
    context->written_ms = (uint64_t)clock_wall_ms();
    if (code->begin(context, &request, &job->report) == STEP_ANSWER ||
        observe_instead(context, &request, &job->report)) {
        report_job(self, job);
        return;
    }
    job->upstream = request.upstream;
    if (!time_left(self, job, info, &request.timeout_ms)) {
        struct client_result late = {.response = {.answer = ANSWER_RETRY, .problem = "there was no time left for it"}};
        job->report.cut_short = true;
        finish_job(self, job, &late);
        return;
    }
    seam_kill(SEAM_BEFORE_CALL, info->name);
    if (client_call(self->client, info->kind, &request, on_answer, job, why, sizeof why))
        held_move(self->held, job, HELD_IN_FLIGHT);
    else
        refuse_job(self, job, why);
}

// Begins queued jobs, in the order they came, while there is room for calls.
static void start_waiting(struct loop *self)
{
    size_t most = (size_t)self->set.config->workers.in_flight;
    struct held_job *job = held_first(self->held, HELD_QUEUED);
    while (job && client_in_flight(self->client) < most) {
        log_about(job);
        begin_job(self, job);
        log_request(0);
        job = held_first(self->held, HELD_QUEUED);
    }
}

// ---- what the front says --------------------------------------------------------------------------------------------

// Takes the arena. Reading what earlier steps found comes first, so that a job either is whole or is refused here.
static void on_job(void *owner, struct arena *arena, const struct job *work)
{
    struct loop *self = owner;
    self->progress++;
    struct held_job *job = held_add(self->held, work->job_id, arena);
    if (!job) {
        log_warn("job_ignored", "job=%llu reason=%s", (unsigned long long)work->job_id,
                 held_find(self->held, work->job_id) ? "held_already" : "too_many");
        arena_free(&arena);
        return;
    }
    job->owner = self;
    job->arrived_ms = clock_mono_ms();
    job->context.job = work;
    job->context.config = self->set.config;
    job->context.agents = self->agents;
    job->context.proof_key = self->set.proof_key;
    if (!reports_read_found(work, arena, &job->context.found)) {
        memset(&job->context.found, 0, sizeof job->context.found);
        refuse_job(self, job, "what earlier steps found cannot be read");
    } else if (work->events.count == 0) {
        refuse_job(self, job, "the job holds no event");
    }
}

static void on_ack(void *owner, uint64_t job_id)
{
    struct loop *self = owner;
    self->progress++;
    struct held_job *job = held_find(self->held, job_id);
    if (job && job->state == HELD_REPORTED)
        held_remove(self->held, &job);
    else // an ack of a report that was sent twice, or of none: the front's word is no reason to drop work that is out
        log_debug("ack_ignored", "job=%llu held=%d", (unsigned long long)job_id, job != NULL);
}

static void on_new_front(void *owner)
{
    struct loop *self = owner;
    for (struct held_job *job = held_first(self->held, HELD_REPORTED); job; job = job->after)
        job->sent_ms = 0; // the one they were sent to is gone
    send_census(self);
    send_due_reports(self);
}

// ---- the loop's events ----------------------------------------------------------------------------------------------

// Leaves when all is done, or when there is no time left.
static int carry_on(struct loop *self)
{
    if (self->left || self->deadline_ms == 0)
        return self->left ? -1 : 0;
    size_t held = held_total(self->held);
    if (held > 0 && clock_mono_ms() < self->deadline_ms)
        return 0;
    if (held > 0)
        log_warn("left_undone", "jobs=%zu", held);
    if (!pipes_write_status(self->set.status_fd, PIPES_STATUS_DRAINED, self->progress))
        log_warn("status_not_written", "kind=drained error=%s", strerror(errno));
    leave(self, PIPES_EXIT_ASKED);
    return -1;
}

static void ask_to_leave(struct loop *self, bool at_once)
{
    int64_t now_ms = clock_mono_ms();
    if (self->deadline_ms == 0)
        log_info("leaving", "held=%zu at_once=%d", held_total(self->held), at_once);
    else
        at_once = true; // asked twice
    self->deadline_ms = at_once ? now_ms : now_ms + self->set.config->timing.stop_seconds * 1000;
}

static int on_link(zloop_t *reactor, zsock_t *socket, void *context)
{
    (void)reactor;
    (void)socket;
    struct loop *self = context;
    link_receive(self->link);
    start_waiting(self);
    return carry_on(self);
}

static int on_client(zloop_t *reactor, zmq_pollitem_t *item, void *context)
{
    (void)reactor;
    (void)item;
    struct loop *self = context;
    client_ready(self->client);
    return carry_on(self);
}

// What we occupy; 0: not known. Nobody else may look, not even deskbelld: we are not dumpable.
static uint64_t resident_mb(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%*s %lu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

static int on_tick(zloop_t *reactor, int timer, void *context)
{
    (void)reactor;
    (void)timer;
    struct loop *self = context;
    int64_t now_ms = clock_mono_ms();
    send_due_reports(self);
    if (now_ms >= self->beat_ms) {
        self->beat_ms = now_ms + BEAT_MS - now_ms % TICK_MS;
        send_census(self);
        // It turns, so it lives: an idle worker makes progress too.
        if (!pipes_write_beat(self->set.status_fd, ++self->progress, self->jobs_done, resident_mb()))
            leave(self, PIPES_EXIT_ASKED); // the supervisor is gone
    }
    return carry_on(self);
}

static int on_control(zloop_t *reactor, zmq_pollitem_t *item, void *context)
{
    (void)reactor;
    (void)item;
    struct loop *self = context;
    struct pipes_control record;
    enum pipes_result result = PIPES_RECORD;
    while (result == PIPES_RECORD) {
        result = pipes_read_control(&self->control, self->set.control_fd, &record);
        if (result == PIPES_RECORD && record.kind == PIPES_CONTROL_STOP)
            ask_to_leave(self, false);
    }
    if (result == PIPES_BROKEN)
        log_error("control_pipe_broken", NULL);
    if (result != PIPES_NOTHING) {
        log_info("supervisor_gone", "held=%zu", held_total(self->held));
        leave(self, PIPES_EXIT_ASKED);
    }
    return carry_on(self);
}

static int on_signal(zloop_t *reactor, zmq_pollitem_t *item, void *context)
{
    (void)reactor;
    (void)item;
    struct loop *self = context;
    struct signalfd_siginfo info;
    while (read(self->set.signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo != SIGUSR1)
            ask_to_leave(self, info.ssi_signo != SIGTERM);
        else if (*self->set.config->log_file && !log_reopen(self->set.config->log_file))
            log_error("log_not_reopened", "error=%s", strerror(errno));
    }
    return carry_on(self);
}

// ---- making and running ---------------------------------------------------------------------------------------------

static bool watch(struct loop *self, int fd, zloop_fn *handler)
{
    zmq_pollitem_t item = {.fd = fd, .events = ZMQ_POLLIN};
    if (zloop_poller(self->reactor, &item, handler, self) < 0)
        return false;
    // A pipe whose other end closed shows an error beside its end of file; the handler reads it.
    zloop_poller_set_tolerant(self->reactor, &item);
    return true;
}

static bool watch_all(struct loop *self)
{
    return zloop_reader(self->reactor, link_pull(self->link), on_link, self) == 0 &&
           watch(self, client_fd(self->client), on_client) && watch(self, self->set.control_fd, on_control) &&
           (self->set.signal_fd < 0 || watch(self, self->set.signal_fd, on_signal)) &&
           zloop_timer(self->reactor, TICK_MS, 0, on_tick, self) >= 0;
}

struct loop *loop_new(const struct loop_settings *settings, char *why, size_t why_size)
{
    struct loop *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->set = *settings;
    self->held = held_new();
    self->agents = agents_new(clock_mono_ms);
    struct link_listener listener = {self, on_job, on_ack, on_new_front};
    self->client = client_new(settings->config, settings->keys, why, why_size);
    if (self->client && settings->config->mode == CONFIG_MODE_OBSERVE)
        client_forbid_writes(self->client);
    if (self->client)
        self->link = link_new(settings->config->runtime_dir, &settings->identity, listener, why, why_size);
    if (!self->link) {
        loop_free(&self);
        return NULL;
    }
    self->reactor = zloop_new();
    if (!self->reactor || !watch_all(self)) {
        snprintf(why, why_size, "the main loop cannot be set up");
        loop_free(&self);
    }
    return self;
}

int loop_run(struct loop *self)
{
    if (!pipes_write_status(self->set.status_fd, PIPES_STATUS_READY, self->progress)) {
        log_error("status_not_written", "kind=ready error=%s", strerror(errno));
        return PIPES_EXIT_FAILED;
    }
    log_info("worker_ready", "slot=%u generation=%llu", self->set.identity.slot,
             (unsigned long long)self->set.identity.generation);
    // zloop_start also ends when poll is interrupted (a debugger, a stop and continue): then it starts again.
    int fruitless = 0;
    while (!self->left && fruitless < FRUITLESS_MOST) {
        uint64_t before = self->progress;
        zloop_start(self->reactor);
        fruitless = self->progress == before ? fruitless + 1 : 0;
    }
    if (!self->left) {
        log_error("loop_broken", "error=%s", zmq_strerror(errno));
        return PIPES_EXIT_FAILED;
    }
    const struct link_counts *counts = link_counts(self->link);
    log_info("worker_leaves", "received=%llu sent=%llu refused=%llu held=%zu", (unsigned long long)counts->received,
             (unsigned long long)counts->sent,
             (unsigned long long)(counts->refused_malformed + counts->refused_worker + counts->refused_front +
                                  counts->refused_sequence),
             held_total(self->held));
    return self->exit_code;
}

void loop_free(struct loop **self)
{
    struct loop *loop = *self;
    if (!loop)
        return;
    zloop_destroy(&loop->reactor);
    client_free(&loop->client); // before the jobs that its calls point to
    held_free(&loop->held);
    link_free(&loop->link);
    agents_free(&loop->agents);
    free(loop);
    *self = NULL;
}
