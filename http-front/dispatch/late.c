// SPDX-License-Identifier: Apache-2.0
// Reports of jobs that are not out any more: their worker died, or was given up, before its last words were read. They
// are never dropped. Dispatcher's thread.
#include <stdlib.h>

#include "http-front/dispatch/state.h"
#include "proto/clock.h"

// Its item's record is being written: the report is looked at again when that is done.
static void defer(struct dispatcher *self, const struct report *report)
{
    struct record_buffer *bytes = calloc(1, sizeof *bytes);
    if (!bytes || !record_encode(RECORD_report, report, bytes))
        abort(); // it has just been decoded
    zlistx_add_end(self->deferred, bytes);
}

void late_deferred(struct dispatcher *self)
{
    for (size_t i = zlistx_size(self->deferred); i > 0; i--) {
        struct record_buffer *bytes = zlistx_detach(self->deferred, NULL);
        struct arena *arena = arena_new();
        struct report report;
        if (record_decode(RECORD_report, bytes->data, bytes->size, &report, arena) != RECORD_OK)
            abort();
        record_buffer_free(bytes);
        free(bytes);
        outcome_report(self, &report);
        arena_free(&arena);
    }
}

// The claimed item that a late report belongs to: its job was given up (its worker died) before the report was read.
static struct item *claimed_item(struct conversation *conversation, uint64_t job_id, struct side **side)
{
    for (int i = 0; i < SIDES; i++) {
        struct item *item = conversation->sides[i].active;
        if (item && item->claimed && item->job_id == job_id) {
            *side = &conversation->sides[i];
            return item;
        }
    }
    return NULL;
}

// What a late report of these says must not reach the lane's record. A look that found its write: without the event
// that it settles, its id would be taken for another's by the next look, and the write repeated. A poll: its mark would
// pass what it found. A call's ticket that was only chosen: another may be chosen by now. What was read or updated of
// the customer's context: the lane's record may know better by now. All of it is made again.
static bool is_made_again(uint64_t step)
{
    const struct step_info *info = steps_info(step);
    bool chooses = step == STEP_JOIN_CALL || step == STEP_READ_LIVE || step == STEP_READ_CALL ||
                   step == STEP_FIND_CALLER || step == STEP_FIND_TICKET;
    return !info || chooses || steps_looked_for(step) != STEP_NONE || info->rank == RANK_POLL ||
           info->rank == RANK_CONTEXT || step == STEP_UPDATE_TICKET;
}

void late_report(struct dispatcher *self, const struct report *report)
{
    metrics_count(METRIC_REPORTS_UNKNOWN);
    if (is_made_again(report->step) || (*report->conversation && forget_is_gone(self, report->conversation))) {
        outcome_ack(self, (uint32_t)report->slot, report->worker_generation, report->job_id);
        return;
    }
    struct token token = {.kind = TOKEN_LATE,
                          .slot = (uint32_t)report->slot,
                          .generation = report->worker_generation,
                          .job_id = report->job_id};
    struct ledger_batch *batch = ledger_batch_new();
    struct conversation *conversation = NULL;
    if (*report->conversation && (!lanes_is_own(report->conversation) || lanes_is_call(report->conversation)))
        conversation = schedule_open(self, report->conversation);
    struct side *side = NULL;
    struct item *item = conversation ? claimed_item(conversation, report->job_id, &side) : NULL;
    if (item && item->step == report->step && side->state != LANE_CLAIMING) {
        ledger_batch_free(&batch);
        if (side->state == LANE_WRITING) {
            defer(self, report);
            return;
        }
        if (side->out) {
            gates_return(self->gates, &side->out->pass, true, (uint64_t)clock_mono_ms());
            jobs_remove(self->jobs, &side->out);
        }
        struct out *out = jobs_add(self->jobs, report->job_id, side, item, NULL);
        out->step = item->step;
        record_about(self, item->request);
        side->out = out;
        side->state = LANE_OUT;
        jobs_move(out, links_find(self->links, (uint32_t)report->slot, report->worker_generation));
        outcome_apply(self, out, report);
        return;
    }
    if (conversation && conversation->held) {
        ledger_batch_free(&batch); // somebody is being forgotten: nothing is learnt of them any more
        outcome_ack(self, token.slot, token.generation, token.job_id);
        return;
    }
    if (conversation && record_merge(self, conversation, report, batch)) {
        record_submit(self, batch, &token, 0, 0);
    } else {
        ledger_batch_free(&batch);
        outcome_ack(self, token.slot, token.generation, token.job_id);
    }
    if (conversation)
        schedule_conversation(self, conversation);
}
