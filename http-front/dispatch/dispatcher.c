// SPDX-License-Identifier: Apache-2.0
// The dispatcher's loop: mail from the committer (mail.c), frames from the workers, records from the supervisor, and
// time. The handlers translate; what follows from a thing is in schedule.c, handout.c and outcome.c. After every
// handler the pump runs once.
#include "http-front/dispatch/dispatcher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "http-front/admin/health.h"
#include "http-front/dispatch/control_commands.h"
#include "http-front/dispatch/state.h"
#include "proto/clock.h"
#include "proto/log.h"

enum {
    TICK_MS = 1000,
    FRAMES_AT_ONCE = 256,
    LEAST_TIMER_MS = 1,
    TICKET_WAIT_MS = 60 * 60 * 1000,
    CENSUSES_TO_LOSE = 2,
};

static int by_score(const struct heap_node *a, const struct heap_node *b)
{
    const struct side *left = heap_element(a, const struct side, ready);
    const struct side *right = heap_element(b, const struct side, ready);
    return (left->score > right->score) - (left->score < right->score);
}

static int by_time(const struct heap_node *a, const struct heap_node *b)
{
    const struct side *left = heap_element(a, const struct side, timer);
    const struct side *right = heap_element(b, const struct side, timer);
    return (left->wake_mono_ms > right->wake_mono_ms) - (left->wake_mono_ms < right->wake_mono_ms);
}

void dispatcher_leave(struct dispatcher *self, const char *why)
{
    if (self->left)
        return;
    self->left = true;
    log_info("leaving", "why=%s", why);
    self->options.leave(self->options.leave_arg, self->handing_over);
}

// ---- frames from the workers
// --------------------------------------------------------------------------------------------

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void on_census(struct dispatcher *self, const struct census *census, struct arena *arena)
{
    uint32_t ready = links_ready(self->links);
    struct link *link = links_census(self->links, census, (uint64_t)clock_mono_ms());
    if (!link) {
        metrics_count(METRIC_FRAMES_STALE);
        return;
    }
    uint64_t *held = arena_alloc(arena, (census->jobs.count + 1) * sizeof *held);
    if (census->jobs.count)
        memcpy(held, census->jobs.items, census->jobs.count * sizeof *held);
    qsort(held, census->jobs.count, sizeof *held, compare_numbers);
    // An earlier front's jobs: now it is known who has them.
    for (size_t i = 0; i < census->jobs.count; i++) {
        struct out *out = jobs_find(self->jobs, held[i]);
        if (out && !out->link && !out->arena)
            jobs_move(out, link);
    }
    struct out *next;
    for (struct out *out = link->outs; out; out = next) {
        next = out->next;
        bool named = bsearch(&out->job_id, held, census->jobs.count, sizeof *held, compare_numbers) != NULL;
        // A frame that the worker cannot have seen yet proves nothing; nor does a job whose report is being written.
        if (named || out->side->state != LANE_OUT || out->link_seq > census->link_seq) {
            out->missed = 0;
            continue;
        }
        if (++out->missed < CENSUSES_TO_LOSE)
            continue;
        metrics_count(METRIC_JOBS_LOST);
        log_warn("job_lost", "job=%" PRIu64 " step=%s slot=%u", out->job_id, steps_name(out->step), link->slot);
        outcome_lost(self, out, false);
    }
    if (!self->open && links_settled(self->links))
        recover_settle(self);
    if (links_ready(self->links) != ready)
        status_refresh(self); // readiness is asked for at once, not at the next tick
}

static void on_frame(struct dispatcher *self, const void *data, size_t size)
{
    struct arena *arena = arena_new();
    enum record_kind kind = record_peek(data, size);
    enum record_error error = RECORD_WRONG_KIND;
    struct report report;
    struct census census;
    if (kind == RECORD_report) {
        error = record_decode(kind, data, size, &report, arena);
        if (!error)
            outcome_report(self, &report);
    } else if (kind == RECORD_census) {
        error = record_decode(kind, data, size, &census, arena);
        if (!error)
            on_census(self, &census, arena);
    }
    if (error) {
        metrics_count(kind == RECORD_report   ? METRIC_FRAMES_BAD_REPORT
                      : kind == RECORD_census ? METRIC_FRAMES_BAD_CENSUS
                                              : METRIC_FRAMES_BAD_OTHER);
        log_warn("frame_refused", "frame=%s problem=%s bytes=%zu", record_name(kind), record_error_text(error), size);
    }
    arena_free(&arena);
}

static void read_frames(struct dispatcher *self)
{
    for (int i = 0; i < FRAMES_AT_ONCE; i++) {
        zframe_t *frame = zframe_recv_nowait(self->reports);
        if (!frame)
            return;
        on_frame(self, zframe_data(frame), zframe_size(frame));
        zframe_destroy(&frame);
    }
}

// ---- records from the supervisor
// ----------------------------------------------------------------------------------------

static void on_reaped(struct dispatcher *self, uint32_t slot, uint64_t generation)
{
    struct link *link = links_find(self->links, slot, generation);
    if (!link)
        return;
    metrics_count(METRIC_WORKERS_REAPED);
    log_info("worker_reaped", "slot=%u generation=%" PRIu64 " jobs=%u", slot, generation, link->jobs);
    while (link->outs) {
        struct out *out = link->outs;
        if (out->side->state == LANE_OUT)
            outcome_lost(self, out, true);
        else
            jobs_move(out, NULL); // being claimed (not sent) or being recorded (reported)
    }
    links_remove(self->links, &link);
    if (!self->open && links_settled(self->links))
        recover_settle(self);
}

static void read_control(struct dispatcher *self)
{
    struct pipes_control record;
    enum pipes_result result;
    while ((result = pipes_read_control(&self->control, self->options.control_fd, &record)) == PIPES_RECORD) {
        switch (record.kind) {
        case PIPES_CONTROL_ROSTER_BEGIN:
            links_roster_begin(self->links);
            break;
        case PIPES_CONTROL_ROSTER_WORKER:
        case PIPES_CONTROL_ROSTER_LEAVING:
            links_roster_add(self->links, record.slot, record.generation, record.pid,
                             record.kind == PIPES_CONTROL_ROSTER_LEAVING);
            break;
        case PIPES_CONTROL_ROSTER_END:
            links_roster_end(self->links);
            if (!self->open && links_settled(self->links))
                recover_settle(self);
            break;
        case PIPES_CONTROL_REAPED:
            // What the dead worker managed to report lies in our socket's queue: it settles more than any look could.
            read_frames(self);
            on_reaped(self, record.slot, record.generation);
            break;
        case PIPES_CONTROL_STOP:
            dispatcher_leave(self, "the supervisor said stop");
            break;
        case PIPES_CONTROL_HANDOVER:
            // From here on only what comes in is written. The main thread says when that is over, too.
            self->draining = self->handing_over = true;
            dispatcher_leave(self, "another front takes over");
            break;
        default:
            log_warn("control_unknown", "kind=%u", record.kind);
        }
    }
    if (result == PIPES_EOF || result == PIPES_BROKEN) {
        self->control_closed = true;
        dispatcher_leave(self, "the supervisor is gone");
    }
}

// ---- time
// ---------------------------------------------------------------------------------------------------------------

static void beat(struct dispatcher *self)
{
    // A committer that stands still with work waiting is a stuck front: no beat, and the supervisor acts.
    uint64_t progress = committer_progress(self->options.committer);
    bool stuck = committer_waiting(self->options.committer) && progress == self->beat_progress;
    self->beat_progress = progress;
    if (self->options.status_fd >= 0 && !stuck &&
        !pipes_write_status(self->options.status_fd, PIPES_STATUS_BEAT, progress + ++self->beats) && errno == EPIPE)
        dispatcher_leave(self, "the supervisor is gone");
}

static bool drained(const struct dispatcher *self, uint64_t now)
{
    bool finished = (self->handing_over || jobs_count(self->jobs) == 0) && self->writing == 0;
    return self->drain_until_ms && (finished || self->ledger_lost || now >= self->drain_until_ms);
}

// Tells the supervisor of workers that leave and have nothing of ours any more: neither a job, nor a claim that is
// being written for them.
static void release_leaving(struct dispatcher *self)
{
    if (!self->open)
        return; // not all have said what they hold
    for (struct link *link = links_first(self->links); link; link = link->next) {
        if (!link->leaving || !link->listed || link->released || link->outs || !link->said_ms ||
            self->options.status_fd < 0)
            continue;
        link->released = pipes_write_released(self->options.status_fd, self->beat_progress, link->generation);
    }
}

static int on_alarm(zloop_t *loop, int timer, void *arg);

// Runs after every handler: hands out, and sets the loop's alarm for whatever comes next. -1 ends the loop.
static int after(struct dispatcher *self)
{
    schedule_pump(self);
    release_leaving(self);
    uint64_t now = (uint64_t)clock_mono_ms();
    if (drained(self, now))
        return -1;
    struct heap_node *top = heap_top(self->timers);
    uint64_t wake = self->gate_wake_ms;
    if (top) {
        uint64_t at = heap_element(top, struct side, timer)->wake_mono_ms;
        wake = !wake || at < wake ? at : wake;
    }
    uint64_t forget = forget_due_ms(self);
    wake = forget && (!wake || forget < wake) ? forget : wake;
    if (wake == self->alarm_ms)
        return 0;
    if (self->alarm_id >= 0)
        zloop_timer_end(self->loop, self->alarm_id);
    self->alarm_id = -1;
    self->alarm_ms = wake;
    if (wake)
        self->alarm_id = zloop_timer(self->loop, wake > now ? (size_t)(wake - now) : LEAST_TIMER_MS, 1, on_alarm, self);
    return 0;
}

static int on_alarm(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    struct dispatcher *self = arg;
    self->alarm_id = -1; // it has gone off once and is no more
    self->alarm_ms = 0;
    forget_step(self);
    return after(self);
}

static int on_tick(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    struct dispatcher *self = arg;
    beat(self);
    links_hello(self->links);
    restore_tick(self);
    polls_tick(self);
    int result = after(self);
    status_refresh(self);
    return result;
}

static int on_reports(zloop_t *loop, zsock_t *reader, void *arg)
{
    (void)loop;
    (void)reader;
    read_frames(arg);
    return after(arg);
}

static int on_console(zloop_t *loop, zsock_t *reader, void *arg)
{
    (void)loop;
    (void)reader;
    control_read(arg);
    return after(arg);
}

static int on_mailbox(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    (void)loop;
    (void)item;
    mail_read(arg);
    return after(arg);
}

static int on_control(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct dispatcher *self = arg;
    read_control(self);
    if (self->control_closed)
        zloop_poller_end(loop, item);
    int result = after(self);
    status_refresh(self); // the roster is what probes ask for
    return result;
}

static int on_wake(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct dispatcher *self = arg;
    zloop_poller_end(loop, item);
    self->draining = true;
    self->drain_until_ms = (uint64_t)clock_mono_ms() + self->drain_for_ms;
    log_info("draining", "out=%zu handing_over=%d", jobs_count(self->jobs), self->handing_over);
    return after(self);
}

// ---- outside
// ------------------------------------------------------------------------------------------------------------

static void make_heaps(struct dispatcher *self)
{
    self->timers = heap_new(by_time);
    for (int up = 0; up < UPSTREAMS; up++)
        for (int queue = 0; queue < GATE_QUEUES; queue++)
            self->ready[up][queue] = heap_new(by_score);
}

struct dispatcher *dispatcher_new(const struct dispatcher_options *options, char *why, size_t why_size)
{
    struct dispatcher *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    const struct config *config = options->config;
    const struct config_timing *timing = &config->timing;
    self->options = *options;
    self->rules =
        (struct lane_rules){.gather_quiet_ms = (uint64_t)timing->gather_quiet_ms,
                            .gather_max_ms = (uint64_t)timing->gather_max_ms,
                            .context_wait_ms = (uint64_t)timing->context_wait_ms,
                            .ticket_wait_ms = options->ticket_wait_ms ? options->ticket_wait_ms : TICKET_WAIT_MS,
                            .settle_ms = (uint64_t)timing->settle_ms};
    self->retry_first_ms = (uint64_t)timing->retry_first_ms;
    self->retry_max_ms = (uint64_t)timing->retry_max_ms;
    self->retry_give_up_ms = (uint64_t)timing->retry_give_up_hours * 3600 * 1000;
    self->started_mono_ms = (uint64_t)clock_mono_ms();
    self->observing = self->rules.observing = config->mode == CONFIG_MODE_OBSERVE;
    health_set_observing(self->observing);
    if (self->observing)
        log_warn("observing", "advice=%s", "nothing is written to any upstream until mode is \"live\"");
    self->alarm_id = -1;
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->conversations = zhashx_new();
    self->callers = zlistx_new();
    self->sections = zlistx_new();
    self->followups = zlistx_new();
    self->suspects = zlistx_new();
    self->unopened = zhashx_new();
    self->deferred = zlistx_new();
    self->jobs = jobs_new();
    self->links = links_new(config->runtime_dir, ledger_epoch(options->ledger), (uint32_t)config->workers.in_flight);
    self->gates = gates_new(config);
    make_heaps(self);
    if (self->wake_fd < 0 || !self->conversations || !self->callers || !self->sections || !self->followups ||
        !self->suspects || !self->unopened || !self->deferred)
        abort();

    char endpoint[PIPES_ENDPOINT_BYTES];
    if (!pipes_front_endpoint(config->runtime_dir, endpoint))
        abort();
    self->reports = zsock_new(ZMQ_PULL);
    if (!self->reports)
        abort();
    // Bounded by what the workers may hold: in_flight reports each, and one census a second.
    zsock_set_rcvhwm(self->reports, 0);
    zsock_set_maxmsgsize(self->reports, REPORT_MAX_BYTES);
    if (zsock_bind(self->reports, "%s", endpoint) < 0) {
        snprintf(why, why_size, "Cannot listen for workers at %s: %s.", endpoint, strerror(errno));
        dispatcher_free(&self);
        return NULL;
    }
    self->console = control_new(config->runtime_dir, why, why_size);
    if (self->console && (!restore_begin(self) || !control_recall(self)))
        snprintf(why, why_size, "The ledger does not tell which direction is paused.");
    else if (self->console && recover_load(self, why, why_size))
        return self;
    dispatcher_free(&self);
    return NULL;
}

void dispatcher_run(struct dispatcher *self)
{
    zmq_pollitem_t mail = {NULL, mailbox_fd(self->options.mailbox), ZMQ_POLLIN, 0};
    zmq_pollitem_t control = {NULL, self->options.control_fd, ZMQ_POLLIN, 0};
    zmq_pollitem_t wake = {NULL, self->wake_fd, ZMQ_POLLIN, 0};
    self->loop = zloop_new();
    if (!self->loop)
        abort();
    zloop_reader(self->loop, self->reports, on_reports, self);
    zloop_reader_set_tolerant(self->loop, self->reports);
    zloop_reader(self->loop, control_socket(self->console), on_console, self);
    zloop_reader_set_tolerant(self->loop, control_socket(self->console));
    zloop_poller(self->loop, &mail, on_mailbox, self);
    zloop_poller(self->loop, &control, on_control, self);
    zloop_poller(self->loop, &wake, on_wake, self);
    zloop_timer(self->loop, TICK_MS, 0, on_tick, self);
    status_refresh(self);
    if (after(self) == 0)
        zloop_start(self->loop);
    zloop_destroy(&self->loop);
    if (jobs_count(self->jobs) && !self->handing_over)
        log_warn("left_unfinished", "jobs=%zu", jobs_count(self->jobs));
}

void dispatcher_drain(struct dispatcher *self, uint64_t deadline_ms)
{
    self->drain_for_ms = deadline_ms;
    uint64_t one = 1;
    if (write(self->wake_fd, &one, sizeof one) != (ssize_t)sizeof one)
        abort(); // an eventfd takes one
}

bool dispatcher_ledger_in_use(const struct dispatcher *self)
{
    const struct backup *backup = *control_backup_slot(self->console);
    return forget_scrubs(self) || (backup && control_backup_runs(backup));
}

void dispatcher_free(struct dispatcher **self)
{
    struct dispatcher *old = *self;
    if (!old)
        return;
    forget_free(old);
    control_free(&old->console);
    jobs_free(&old->jobs);
    for (struct record_buffer *bytes; (bytes = zlistx_detach(old->deferred, NULL));) {
        record_buffer_free(bytes);
        free(bytes);
    }
    zlistx_destroy(&old->deferred);
    callers_free(old);
    sections_free(old);
    followup_free(old);
    zlistx_destroy(&old->suspects);
    zhashx_destroy(&old->unopened);
    links_free(&old->links);
    gates_free(&old->gates);
    heap_free(&old->timers);
    for (int up = 0; up < UPSTREAMS; up++)
        for (int queue = 0; queue < GATE_QUEUES; queue++)
            heap_free(&old->ready[up][queue]); // touches the sides in it, so before they go
    for (struct conversation *c = zhashx_first(old->conversations); c; c = zhashx_next(old->conversations))
        lanes_conversation_free(&c);
    zhashx_destroy(&old->conversations);
    zsock_destroy(&old->reports);
    close(old->wake_fd);
    free(old);
    *self = NULL;
}
