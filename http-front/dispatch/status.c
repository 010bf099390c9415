// SPDX-License-Identifier: Apache-2.0
// The picture that GET /status shows and the gauges behind GET /metrics, made in the dispatcher's thread.
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "http-front/admin/health.h"
#include "http-front/admin/status.h"
#include "http-front/dispatch/state.h"

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
    metrics_set(GAUGE_COMMITTER_WAITING, (int64_t)committer_waiting(self->options.committer));
    metrics_set(GAUGE_FREE_BYTES, (int64_t)ledger_free_bytes(self->options.ledger));
    json_t *picture = json_pack(
        "{s:i, s:s, s:I, s:b, s:b, s:o, s:I, s:I, s:I, s:I, s:o}", "pid", (int)getpid(), "mode",
        self->observing ? "observe" : "live", "generation", (json_int_t)ledger_epoch(self->options.ledger), "open",
        (int)self->open, "draining", (int)self->draining, "workers", workers(self), "lanes", (json_int_t)self->busy,
        "waiting", (json_int_t)(self->waiting[SIDE_DESK] + self->waiting[SIDE_CHAT]), "out",
        (json_int_t)jobs_count(self->jobs), "dead", (json_int_t)self->dead, "reconcile", status_reconcile(self));
    if (picture)
        status_publish(json_dumps(picture, JSON_COMPACT));
    json_decref(picture);
}
