// SPDX-License-Identifier: Apache-2.0
// The picture that GET /status shows and the gauges behind GET /metrics, made in the dispatcher's thread.
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "http-front/admin/health.h"
#include "http-front/admin/status.h"
#include "http-front/dispatch/state.h"
#include "proto/clock.h"

enum { BACKLOG_EVERY_MS = 10000 };

static json_t *workers(const struct dispatcher *self)
{
    json_t *list = json_array();
    for (const struct link *link = links_first(self->links); link; link = link->next)
        json_array_append_new(list,
                              json_pack("{s:i, s:I, s:i, s:i, s:b, s:b}", "slot", (int)link->slot, "generation",
                                        (json_int_t)link->generation, "pid", (int)link->pid, "jobs", (int)link->jobs,
                                        "ready", link->said_ms != 0, "leaving", (int)link->leaving));
    return list;
}

json_t *status_reconcile(const struct dispatcher *self)
{
    return json_pack("{s:I, s:I, s:I}", "compared", (json_int_t)metrics_get(METRIC_RECONCILED), "found_missing",
                     (json_int_t)metrics_get(METRIC_GAPS_REPAIRED), "missing", (json_int_t)self->missing);
}

static void refresh_backlog(struct dispatcher *self)
{
    uint64_t now = (uint64_t)clock_mono_ms();
    uint64_t wall = (uint64_t)clock_wall_ms();
    if (self->backlog_mono_ms && now - self->backlog_mono_ms < BACKLOG_EVERY_MS)
        return;
    self->backlog_mono_ms = now;
    struct backlog backlog = backlog_look(self);
    for (int side = 0; side < SIDES; side++) {
        uint64_t oldest = backlog.oldest_ms[side];
        metrics_set(side == SIDE_DESK ? GAUGE_OLDEST_DESK : GAUGE_OLDEST_CHAT,
                    oldest && wall > oldest ? (int64_t)(wall - oldest) : 0);
    }
    metrics_set(GAUGE_IN_DOUBT, (int64_t)(backlog.doubt[SIDE_DESK] + backlog.doubt[SIDE_CHAT]));
}

// The rows of one name stand in the order of enum upstream.
static void refresh_upstreams(struct dispatcher *self)
{
    uint64_t now = (uint64_t)clock_mono_ms();
    for (int up = UPSTREAM_FRESHCHAT; up < UPSTREAMS; up++) {
        int row = up - UPSTREAM_FRESHCHAT;
        struct gate_status gate;
        int64_t ahead = 0;
        gates_status(self->gates, (enum upstream)up, now, &gate);
        (void)health_ahead_ms(steps_upstream_name((enum upstream)up), &ahead);
        bool shut = gate.shut || gate.paused_ms || gate.breaker != BREAKER_CLOSED;
        metrics_set((enum gauge)(GAUGE_GATE_SHUT_FRESHCHAT + row), shut);
        metrics_set((enum gauge)(GAUGE_CALLS_OUT_FRESHCHAT + row), (int64_t)gate.in_flight);
        metrics_set((enum gauge)(GAUGE_BUDGET_FRESHCHAT + row), (int64_t)gate.budget);
        metrics_set((enum gauge)(GAUGE_USED_FRESHCHAT + row), (int64_t)gate.used);
        metrics_set((enum gauge)(GAUGE_CLOCK_FRESHCHAT + row), ahead);
    }
}

static void refresh_ledger(struct dispatcher *self)
{
    uint64_t batches = 0, errors = 0;
    committer_counts(self->options.committer, &batches, &errors);
    metrics_set_counter(METRIC_LEDGER_BATCHES, batches);
    metrics_set_counter(METRIC_LEDGER_ERRORS, errors);
    metrics_set(GAUGE_FREE_BYTES, (int64_t)ledger_free_bytes(self->options.ledger));
    metrics_set(GAUGE_FLOOR_BYTES, self->options.config->front.min_free_bytes);
    metrics_set(GAUGE_COMMITTER_WAITING, (int64_t)committer_waiting(self->options.committer));
}

void status_refresh(struct dispatcher *self)
{
    bool healthy = committer_healthy(self->options.committer);
    gates_shut(self->gates, !healthy);
    health_set_committer(healthy);
    health_set_workers(self->open ? links_ready(self->links) : 0);
    metrics_set(GAUGE_LANES, (int64_t)self->busy);
    metrics_set(GAUGE_BACKLOG_DESK, (int64_t)self->waiting[SIDE_DESK]);
    metrics_set(GAUGE_BACKLOG_CHAT, (int64_t)self->waiting[SIDE_CHAT]);
    metrics_set(GAUGE_JOBS_OUT, (int64_t)jobs_count(self->jobs));
    metrics_set(GAUGE_DEAD, (int64_t)self->dead);
    metrics_set(GAUGE_MISSING, (int64_t)self->missing);
    metrics_set(GAUGE_OBSERVING, self->observing);
    metrics_set(GAUGE_WORKERS_READY, links_ready(self->links));
    metrics_set(GAUGE_READY, health_ready());
    metrics_set(GAUGE_PAUSED_DESK, self->paused[SIDE_DESK]);
    metrics_set(GAUGE_PAUSED_CHAT, self->paused[SIDE_CHAT]);
    metrics_set(GAUGE_STARTED, clock_wall_ms() - (clock_mono_ms() - (int64_t)self->started_mono_ms));
    metrics_set(GAUGE_BUILD, 1);
    refresh_ledger(self);
    refresh_upstreams(self);
    refresh_backlog(self);
    json_t *picture = json_pack(
        "{s:i, s:s, s:I, s:b, s:b, s:o, s:I, s:I, s:I, s:I, s:o}", "pid", (int)getpid(), "mode",
        self->observing ? "observe" : "live", "generation", (json_int_t)ledger_epoch(self->options.ledger), "open",
        (int)self->open, "draining", (int)self->draining, "workers", workers(self), "lanes", (json_int_t)self->busy,
        "waiting", (json_int_t)self->waiting[SIDE_DESK] + (json_int_t)self->waiting[SIDE_CHAT], "out",
        (json_int_t)jobs_count(self->jobs), "dead", (json_int_t)self->dead, "reconcile", status_reconcile(self));
    if (picture)
        status_publish(json_dumps(picture, JSON_COMPACT));
    json_decref(picture);
}
