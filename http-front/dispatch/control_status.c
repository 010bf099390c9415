// SPDX-License-Identifier: Apache-2.0
// `deskbellctl status`: processes, lanes, what waits and since when, gates and budgets, latency against the promise of
// two seconds, dead letters, what is paused. Dispatcher's thread; looks at a bounded number of conversations.
#include <unistd.h>

#include "http-front/admin/health.h"
#include "http-front/dispatch/control_commands.h"
#include "proto/clock.h"

enum { PROMISE_MS = 2000 };

static json_t *workers(const struct dispatcher *self)
{
    json_t *list = json_array();
    for (const struct link *link = links_first(self->links); link; link = link->next)
        json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:I, s:b, s:b}", "slot", (json_int_t)link->slot,
                                              "generation", (json_int_t)link->generation, "pid", (json_int_t)link->pid,
                                              "jobs", (json_int_t)link->jobs, "ready", (int)(link->said_ms != 0),
                                              "leaving", (int)link->leaving));
    return list;
}

static json_t *directions(const struct dispatcher *self)
{
    struct backlog backlog = backlog_look(self);
    uint64_t now = (uint64_t)clock_wall_ms();
    json_t *list = json_array();
    for (int i = 0; i < SIDES; i++) {
        uint64_t oldest = backlog.oldest_ms[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I, s:I, s:I, s:b, s:b}", "direction", control_direction(i),
                                        "waiting", (json_int_t)self->waiting[i], "oldest_age_ms",
                                        (json_int_t)(oldest && now > oldest ? now - oldest : 0), "in_doubt",
                                        (json_int_t)backlog.doubt[i], "lanes_retrying", (json_int_t)backlog.held[i],
                                        "paused", (int)self->paused[i], "complete", (int)backlog.whole));
    }
    return list;
}

static json_t *gates(struct dispatcher *self)
{
    static const char *const breakers[] = {"closed", "open", "half-open"};
    static const char *const classes[LIMIT_CLASSES] = {NULL, "ticket_create", "ticket_update", "ticket_list"};
    uint64_t now = (uint64_t)clock_mono_ms();
    json_t *list = json_array();
    for (int up = UPSTREAM_NONE + 1; up < UPSTREAMS; up++) {
        struct gate_status gate;
        gates_status(self->gates, (enum upstream)up, now, &gate);
        if (up == UPSTREAM_FRESHCALLER && !self->options.config->freshcaller.enabled)
            continue;
        json_t *limits = json_object();
        for (int i = 1; i < LIMIT_CLASSES; i++)
            if (gate.class_budget[i])
                json_object_set_new(limits, classes[i],
                                    json_pack("{s:I, s:I}", "used", (json_int_t)gate.class_used[i], "budget",
                                              (json_int_t)gate.class_budget[i]));
        json_t *row = json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "upstream",
                                steps_upstream_name((enum upstream)up), "budget", (json_int_t)gate.budget, "used",
                                (json_int_t)gate.used, "in_flight", (json_int_t)gate.in_flight, "account_total",
                                (json_int_t)gate.total, "breaker", breakers[gate.breaker], "failures_in_a_row",
                                (json_int_t)gate.failures, "paused_ms", (json_int_t)gate.paused_ms, "calls",
                                (json_int_t)gate.calls, "answers_429", (json_int_t)gate.refused, "breaker_opened",
                                (json_int_t)gate.opened, "shut", (int)gate.shut, "limits", limits);
        if (gate.remaining_known)
            json_object_set_new(row, "account_remaining", json_integer((json_int_t)gate.remaining));
        json_array_append_new(list, row);
    }
    return list;
}

// Since this front started. A percentile is its bucket's upper bound; above the last bound it is left out.
static json_t *latency(void)
{
    static const struct {
        const char *name;
        enum histogram histogram;
        enum metrics_direction direction; // METRICS_DIRECTIONS: where its time went is not counted apart
    } rows[] = {{"open_ticket", HISTOGRAM_OPEN_TICKET, METRICS_DIRECTIONS},
                {"to_desk", HISTOGRAM_TO_DESK, METRICS_CHAT_TO_DESK},
                {"to_chat", HISTOGRAM_TO_CHAT, METRICS_DESK_TO_CHAT}};
    static const struct {
        const char *name;
        unsigned permille;
    } ranks[] = {{"p50_ms", 500}, {"p95_ms", 950}, {"p99_ms", 990}};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t count = metrics_observed(rows[i].histogram);
        uint64_t in_time = metrics_at_most(rows[i].histogram, PROMISE_MS);
        json_t *row = json_pack("{s:s, s:I, s:I}", "what", rows[i].name, "count", (json_int_t)count, "late",
                                (json_int_t)(count > in_time ? count - in_time : 0));
        for (size_t j = 0; j < sizeof ranks / sizeof *ranks; j++) {
            uint64_t ms = metrics_quantile_ms(rows[i].histogram, ranks[j].permille);
            if (ms != UINT64_MAX && count)
                json_object_set_new(row, ranks[j].name, json_integer((json_int_t)ms));
        }
        json_t *stages = json_object();
        for (int stage = 0; rows[i].direction < METRICS_DIRECTIONS && stage < METRICS_STAGES; stage++) {
            uint64_t late = metrics_late(rows[i].direction, (enum metrics_stage)stage);
            if (late)
                json_object_set_new(stages, metrics_stage_name((enum metrics_stage)stage),
                                    json_integer((json_int_t)late));
        }
        json_object_set_new(row, "late_by", stages);
        json_array_append_new(list, row);
    }
    return list;
}

json_t *control_status(struct dispatcher *self, struct control_call *call)
{
    (void)call;
    bool ready = false;
    free(health_json(&ready));
    return json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:b, s:b, s:b, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:I, s:I, s:b, s:I, s:o}",
        "version", DESKBELL_VERSION, "mode", self->observing ? "observe" : "live", "pid", (json_int_t)getpid(),
        "generation", (json_int_t)ledger_epoch(self->options.ledger), "up_ms",
        (json_int_t)(clock_mono_ms() - (int64_t)self->started_mono_ms), "ready", (int)ready, "open", (int)self->open,
        "draining", (int)self->draining, "workers", workers(self), "lanes", (json_int_t)self->busy, "out",
        (json_int_t)jobs_count(self->jobs), "dead", (json_int_t)self->dead, "directions", directions(self), "gates",
        gates(self), "latency", latency(), "ledger_free_bytes", (json_int_t)ledger_free_bytes(self->options.ledger),
        "committer_waiting", (json_int_t)committer_waiting(self->options.committer), "intake_open",
        (int)committer_healthy(self->options.committer), "restored_ms",
        (json_int_t)ledger_restored_ms(self->options.ledger), "reconcile", status_reconcile(self));
}
