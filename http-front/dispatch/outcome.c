// SPDX-License-Identifier: Apache-2.0
// What a report does to its item. Dispatcher's thread. Report, ids, follow-ups and the next step (or the end) are one
// batch; the worker's ack and the item's next move come after it is on disk.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "http-front/admin/health.h"
#include "http-front/dispatch/state.h"
#include "proto/clock.h"
#include "proto/log.h"
#include "proto/seam.h"

enum { SUSPECT_DEATHS = 3, CONTEXT_ATTEMPTS = 3, OWN_ATTEMPTS = 4, HTTP_TOO_MANY = 429, RETRY_LEAST_MS = 20 };

void outcome_ack(struct dispatcher *self, uint32_t slot, uint64_t generation, uint64_t job_id)
{
    struct link *link = links_find(self->links, slot, generation);
    if (link)
        links_send_ack(self->links, link, job_id);
}

// Exponential backoff with full jitter: anywhere between nothing and the cap, which doubles from first to max.
static uint64_t backoff_ms(const struct dispatcher *self, uint32_t attempts)
{
    uint64_t cap = self->retry_first_ms;
    for (uint32_t i = 1; i < attempts && cap < self->retry_max_ms; i++)
        cap *= 2;
    if (cap > self->retry_max_ms)
        cap = self->retry_max_ms;
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint64_t)clock_mono_us();
    return RETRY_LEAST_MS + random % (cap ? cap : 1);
}

// Deletes the item's records, its members' too. A hint's row goes only if its counter stands still (record_submit).
static void delete_item(struct ledger_batch *batch, const struct item *item)
{
    if (item->stored)
        ledger_delete_pending(batch, item->seq);
    for (size_t i = 0; i < item->member_count; i++)
        ledger_delete_pending(batch, item->members[i]);
}

static bool too_old(const struct dispatcher *self, const struct item *item, uint64_t now_mono)
{
    // Our own monotonic clock decides, so a jump of the wall clock expires nothing; a restart begins the count anew.
    return now_mono - item->arrived_mono_ms > self->retry_give_up_ms;
}

static void doubt(struct item *item, uint64_t since_mono)
{
    if (!item->doubt)
        metrics_count(METRIC_DOUBTS);
    item->doubt = true;
    item->unsent = false;
    item->doubt_since_mono_ms = since_mono;
    lanes_set_bytes(&item->look, NULL, 0);
}

// The item stays where it is and tries again later: nothing new for the disk.
static void again(struct dispatcher *self, struct out *out)
{
    struct side *side = out->side;
    side->state = LANE_IDLE;
    side->out = NULL;
    latency_waits(out->item);
    jobs_remove(self->jobs, &out);
    schedule_conversation(self, side->conversation);
}

static enum metric finished_as(const struct item *item)
{
    switch (item->kind) {
    case EVENT_CUSTOMER_MESSAGE:
        return item->step == STEP_CREATE_TICKET ? METRIC_EVENTS_DONE_TICKET : METRIC_EVENTS_DONE_NOTE;
    case EVENT_AGENT_MESSAGE:
        return METRIC_EVENTS_DONE_MIRROR;
    case EVENT_HINT:
        return METRIC_EVENTS_DONE_RELAY;
    case EVENT_CONTEXT:
        return METRIC_EVENTS_DONE_CONTEXT;
    case EVENT_OFFER:
        return METRIC_EVENTS_DONE_OFFER;
    case EVENT_KEEP_OPEN:
        return METRIC_EVENTS_DONE_KEEP_OPEN;
    case EVENT_CALL:
        return METRIC_EVENTS_DONE_CALL;
    case EVENT_CALLBACK:
        return METRIC_EVENTS_DONE_CALLBACK;
    default:
        return METRIC_EVENTS_DONE_NOTICE;
    }
}

static void submit(struct dispatcher *self, struct out *out, struct ledger_batch *batch)
{
    struct item *item = out->item;
    struct token token = {.kind = TOKEN_OUTCOME, .out = out};
    bool hint_over = item->kind == EVENT_HINT && out->after == AFTER_FINISH;
    out->side->state = LANE_WRITING;
    record_submit(self, batch, &token, hint_over ? item->ticket_id : 0, item->hint_listed);
}

// DONE: the step (or the write its look found) has happened. False when there is nothing for the disk.
static bool done(struct dispatcher *self, struct out *out, const struct report *report, struct ledger_batch *batch,
                 bool merged)
{
    struct item *item = out->item;
    if (out->step == STEP_READ_TICKET) {
        rebuild_link(self, out, report, batch);
        delete_item(batch, item);
        return true;
    }
    if (report->next_step == out->step && steps_looked_for(out->step) != STEP_NONE) {
        lanes_set_bytes(&item->look, report->found.data, report->found.size); // the look's next page
        out->after = AFTER_STAY;
        return merged;
    }
    if (report->next_step != STEP_NONE && !steps_info(report->next_step)) {
        letters_give_up(self, out, batch, "A worker named a next step that does not exist.", NULL);
        delete_item(batch, item);
        return true;
    }
    bool wrote = item->claimed;
    // These begin anew after a failure, with a reading that works: their waits grow with all of their failures.
    if (item->kind != EVENT_CONTEXT && item->kind != EVENT_KEEP_OPEN)
        item->attempts = 0;
    item->not_before_mono_ms = report->delay_ms ? (uint64_t)clock_mono_ms() + report->delay_ms : 0;
    lanes_set_bytes(&item->look, NULL, 0);
    for (size_t i = 0; i < report->followups.count; i++) {
        const struct followup *asked = &report->followups.items[i];
        if (asked->kind == EVENT_KEEP_OPEN)
            keep_open_asked(self, out->side->conversation, batch, asked);
        else
            followup_reported(self, out->side->conversation->id, batch, asked);
    }
    if (report->worth_cents)
        item->worth_cents = report->worth_cents;
    if (report->next_step == STEP_NONE) {
        out->after = AFTER_FINISH;
        if (item->kind == EVENT_KEEP_OPEN)
            keep_open_done(out->side->conversation);
        if (out->step == STEP_CHANGE_NOTE || out->step == STEP_LOOK_CHANGE)
            refresh_told(self, out->side, item, batch);
        delete_item(batch, item);
        return true;
    }
    enum step looked_for = steps_looked_for(report->next_step);
    lanes_set_bytes(&item->found, report->found.data, report->found.size);
    out->after = AFTER_STEP;
    out->in_doubt = looked_for != STEP_NONE;
    item->step = (uint8_t)(looked_for != STEP_NONE ? looked_for : report->next_step);
    if (!wrote && !merged && !report->followups.count)
        return false; // reads change nothing: after a crash they run again
    // The record on disk leaves the write behind, or it would be looked for again.
    struct arena *arena = arena_new();
    struct event event;
    if (record_event(self, out->side, item, &event, arena)) {
        struct item stored = *item;
        stored.claimed = stored.doubt = out->in_doubt;
        stored.claimed_ms = stored.claimed_there_ms = 0;
        if (out->in_doubt)
            handout_stamp(&stored, looked_for);
        stored.job_id = 0;
        record_pending(batch, &stored, &event);
        item->stored = true;
    }
    arena_free(&arena);
    return true;
}

static void step_over(struct dispatcher *self, struct out *out)
{
    struct item *item = out->item;
    item->claimed = item->unsent = item->doubt = item->looked = false;
    item->claimed_ms = item->claimed_there_ms = item->job_id = 0;
    if (out->in_doubt) {
        item->claimed = true;
        handout_stamp(item, (enum step)item->step);
        doubt(item, (uint64_t)clock_mono_ms());
    }
    again(self, out);
}

static void not_found(struct dispatcher *self, struct out *out)
{
    struct item *item = out->item;
    lanes_set_bytes(&item->look, NULL, 0);
    if (out->settled_look) {
        log_info("write_settled", "conversation=%s step=%s found=no", out->side->conversation->id,
                 steps_name(item->step));
        item->doubt = item->claimed = false;
        item->looked = true;
        if (!item->job_id)
            item->claimed_ms = item->claimed_there_ms = 0; // not handed out by this ledger's jobs: begins anew
        item->not_before_mono_ms = 0;
    } else {
        item->not_before_mono_ms = item->doubt_since_mono_ms + self->rules.settle_ms;
    }
    again(self, out);
}

// A notice lets others pass while it waits. Two writes of one side must never be in doubt at once: so the disk must say
// first that this one did not happen.
static void pass_over(struct dispatcher *self, struct out *out)
{
    struct item *item = out->item;
    struct arena *arena = arena_new();
    struct event event;
    if (record_event(self, out->side, item, &event, arena)) {
        struct ledger_batch *batch = ledger_batch_new();
        record_pending(batch, item, &event);
        out->side->active = NULL;
        out->after = AFTER_STAY;
        submit(self, out, batch);
    } else {
        again(self, out);
    }
    arena_free(&arena);
}

static void retry(struct dispatcher *self, struct out *out, const struct report *report)
{
    struct item *item = out->item;
    uint64_t now = (uint64_t)clock_mono_ms();
    bool is_write = steps_info(out->step)->kind == STEP_WRITE;
    if (is_write && report->outcome == OUTCOME_DOUBT) {
        doubt(item, now); // the first look is at once; its gate and the settling time pace the rest
        item->not_before_mono_ms = 0;
        again(self, out);
        return;
    }
    if (is_write)
        item->claimed = false; // it did not happen; the disk says "may have", which costs one look after a crash
    lanes_set_bytes(&item->look, NULL, 0);
    sections_failed(item);
    if (report->http_status == HTTP_TOO_MANY) {
        item->not_before_mono_ms = 0; // the gate holds everyone
    } else {
        item->attempts++;
        item->not_before_mono_ms = now + backoff_ms(self, item->attempts);
    }
    if (item->kind == EVENT_CONTEXT && !item->doubt) {
        out->side->active = NULL; // never holds up messages
        if (report->http_status != HTTP_TOO_MANY)
            item->step = STEP_NONE; // from the beginning; what was found says what was raised, and what was refused
    }
    if (item->kind == EVENT_KEEP_OPEN)
        out->side->active = NULL; // the same; it is read again first, whatever failed
    bool waits_aside = item->kind == EVENT_NOTICE || item->kind == EVENT_CONTEXT || item->kind == EVENT_OFFER;
    if (waits_aside && is_write)
        pass_over(self, out);
    else
        again(self, out);
}

static bool gives_up(const struct dispatcher *self, const struct out *out, const struct report *report)
{
    if (report->outcome == OUTCOME_REFUSED)
        return true;
    if (report->outcome != OUTCOME_RETRY)
        return false;
    bool late = too_old(self, out->item, (uint64_t)clock_mono_ms());
    if (report->http_status == HTTP_TOO_MANY) // somebody is there, who says when; but an offer would only disturb later
        return late && out->item->kind == EVENT_OFFER;
    // The refreshes of a running chat read the customer again; what the ticket may have got of it is brought to an end.
    bool nothing_begun = out->item->kind == EVENT_CONTEXT && !out->item->found.size;
    // While the breaker was open others tried: what waited behind them has its own tries still, however old it is.
    // A write of a ticket that is read anew each time counts from its reading on: that one did work.
    bool tried = out->item->attempts + 1 >= OWN_ATTEMPTS || sections_reading(out->step) != STEP_NONE;
    return (tried && late) ||
           ((nothing_begun || out->item->kind == EVENT_OFFER) && out->item->attempts + 1 >= CONTEXT_ATTEMPTS);
}

void outcome_apply(struct dispatcher *self, struct out *out, const struct report *report)
{
    if (steps_is_poll(out->item->kind)) {
        polls_report(self, out, report);
        return;
    }
    struct conversation *conversation = out->side->conversation;
    struct item *item = out->item;
    struct ledger_batch *batch = ledger_batch_new();
    bool keeps = !lanes_is_own(conversation->id) || lanes_is_call(conversation->id);
    bool merged = keeps && record_merge(self, conversation, report, batch);
    merged = observe_take(self, conversation, report, batch) || merged;
    bool for_disk = merged;
    if (*report->what)
        record_history(self, batch, conversation->id, report->what, conversation->ticket_id,
                       report->chat_written.count   ? report->chat_written.items[0].id
                       : report->desk_written.count ? report->desk_written.items[0].id
                                                    : "",
                       report->took_ms);
    const char *live = report->ticket_id == out->job.live_ticket ? out->job.live_conversation : NULL;
    bool opened = (out->step == STEP_CREATE_TICKET || out->step == STEP_LOOK_TICKET) && report->ticket_id;
    if (opened && !lanes_is_own(conversation->id))
        callers_cross(self, conversation, batch);
    if (live && *live && report->ticket_id)
        record_history(self, batch, live, "a call joined the ticket", report->ticket_id, conversation->id, 0);
    if (gives_up(self, out, report)) {
        if (steps_info(out->step)->kind == STEP_WRITE)
            item->claimed = false; // it did not happen, and its dead letter must not be in doubt
        const char *cause = *report->cause ? report->cause : "The upstream refused it without saying why.";
        if (item->kind == EVENT_CONTEXT) {
            log_info("context_given_up", "conversation=%s cause=%s", conversation->id, cause);
            out->after = AFTER_FINISH; // the ticket stands; only its context is not complete
        } else if (item->kind == EVENT_OFFER) {
            log_info("offer_given_up", "conversation=%s cause=%s", conversation->id, cause);
            out->after = AFTER_FINISH; // nobody waits for it, and later it would only disturb
        } else if (self->observing) {
            observe_give_up(self, out, report);
        } else {
            letters_give_up(self, out, batch, cause, report->delivered.count ? report->delivered.items[0].id : NULL);
        }
        delete_item(batch, item);
        submit(self, out, batch);
        return;
    }
    if (report->outcome == OUTCOME_DONE) {
        for_disk = done(self, out, report, batch, merged);
        if (for_disk) {
            submit(self, out, batch);
            return;
        }
    } else if (merged) {
        // Words of a failed step still count; the item's own fate follows below.
        struct token late = {.kind = TOKEN_LATE, .slot = 0};
        record_submit(self, batch, &late, 0, 0);
        batch = NULL;
    }
    ledger_batch_free(&batch);
    outcome_ack(self, (uint32_t)report->slot, report->worker_generation, report->job_id);
    if (report->outcome == OUTCOME_DONE) {
        if (out->after == AFTER_STEP)
            step_over(self, out);
        else
            again(self, out);
    } else if (report->outcome == OUTCOME_NOT_FOUND && steps_looked_for(out->step) != STEP_NONE) {
        not_found(self, out);
    } else {
        retry(self, out, report);
    }
}

static void take_report(struct dispatcher *self, const struct report *said)
{
    if (self->ledger_lost)
        return; // not acked: its worker tells the next front
    struct report again;
    const struct report *report = said;
    if (said->observed && !self->observing) {
        // The mode became live while a worker of the old configuration had the job: the write is still to be made.
        again = *said;
        again.outcome = OUTCOME_RETRY;
        again.next_step = STEP_NONE;
        again.observed = false;
        again.delivered.count = 0;
        again.mark_ms = 0;
        again.what = "";
        again.cause = "The worker only observed; another one makes the write.";
        report = &again;
    }
    struct out *out = jobs_find(self->jobs, report->job_id);
    if (report->date_ms) {
        health_set_clock(steps_upstream_name((enum upstream)report->upstream),
                         (int64_t)report->date_ms - clock_wall_ms());
        ledger_trust_clock(self->options.ledger, !health_clock_doubtful());
    }
    metrics_count_report(report->step, report->outcome);
    metrics_count_call(report->upstream, report->http_status, report->sent, report->took_ms);
    seam_kill(SEAM_REPORTED, steps_name(report->step));
    if (!out) {
        late_report(self, report);
        return;
    }
    if (out->side->state != LANE_OUT)
        return; // sent again while its first copy is being written: that one's ack counts
    if (!out->step)
        out->step = out->item->step; // an earlier front's job
    if (out->step != report->step || !steps_info(report->step)) {
        log_error("report_of_other_step", "job=%" PRIu64 " step=%s reported=%s", report->job_id, steps_name(out->step),
                  steps_name(report->step));
        outcome_lost(self, out, false);
        return;
    }
    gates_done(self->gates, &out->pass, report, (uint64_t)clock_mono_ms());
    // For the ack after the write.
    if (!out->link)
        jobs_move(out, links_find(self->links, (uint32_t)report->slot, report->worker_generation));
    record_about(self, out->item->request);
    latency_reported(out->item, report);
    latency_replied(out->item, report);
    outcome_apply(self, out, report);
}

void outcome_report(struct dispatcher *self, const struct report *report)
{
    take_report(self, report);
    record_about(self, 0);
}

void outcome_written(struct dispatcher *self, struct out *out, bool hint_left, uint64_t hint_now)
{
    struct side *side = out->side;
    struct item *item = out->item;
    struct conversation *conversation = side->conversation;
    seam_kill(SEAM_RECORDED, steps_name(out->step));
    if (out->link)
        links_send_ack(self->links, out->link, out->job_id);
    if (out->after == AFTER_STEP) {
        if (item->kind == EVENT_HINT && out->step == STEP_POST_MESSAGE)
            latency_posted(item);
        step_over(self, out);
        return;
    }
    if (steps_is_poll(item->kind)) {
        polls_rest(self, out);
        return;
    }
    if (out->after == AFTER_STAY) {
        again(self, out);
        return;
    }
    if (out->after == AFTER_FINISH) {
        metrics_count(finished_as(item));
        latency_finished(out);
    }
    if (out->after == AFTER_FINISH && !hint_left) {
        side->state = LANE_IDLE;
        side->out = NULL;
        jobs_remove(self->jobs, &out);
        schedule_drop(self, side, item);
        schedule_conversation(self, conversation);
        return;
    }
    // The ticket changed while it was worked on: once more from the list.
    if (hint_left && hint_now > item->hint_count)
        item->hint_count = hint_now;
    item->stored = false;
    item->step = STEP_NONE;
    item->arrived_mono_ms = item->stage_mono_ms = (uint64_t)clock_mono_ms();
    memset(item->spent_ms, 0, sizeof item->spent_ms);
    item->attempts = 0;
    item->not_before_mono_ms = 0;
    lanes_set_bytes(&item->found, NULL, 0);
    side->active = NULL;
    step_over(self, out);
}

static void lose(struct dispatcher *self, struct out *out, bool worker_died)
{
    struct item *item = out->item;
    const struct step_info *info = steps_info(out->step ? out->step : item->step);
    uint64_t now = (uint64_t)clock_mono_ms();
    gates_return(self->gates, &out->pass, true, now);
    if (info->kind == STEP_WRITE && !item->unsent && (item->claimed || !self->observing))
        doubt(item, now);
    else
        lanes_set_bytes(&item->look, NULL, 0);
    sections_failed(item); // its PUT may have happened, and agents have worked on since
    item->not_before_mono_ms = 0;
    if (steps_is_poll(item->kind)) {
        polls_lost(self, out, worker_died);
        return;
    }
    if (!worker_died) {
        again(self, out);
        return;
    }
    if (item->deaths < UINT8_MAX)
        item->deaths++;
    struct ledger_batch *batch = ledger_batch_new();
    if (out->alone && item->deaths > SUSPECT_DEATHS) {
        letters_give_up(self, out, batch, "The worker that handled it died three times while it handled nothing else.",
                        NULL);
        delete_item(batch, item);
    } else {
        // The count must outlive this front, or a job that kills everything would never stop.
        struct arena *arena = arena_new();
        struct event event;
        out->after = AFTER_STAY;
        if (record_event(self, out->side, item, &event, arena)) {
            item->stored = true;
            record_pending(batch, item, &event);
        }
        arena_free(&arena);
    }
    jobs_move(out, NULL);
    submit(self, out, batch);
}

void outcome_lost(struct dispatcher *self, struct out *out, bool worker_died)
{
    record_about(self, out->item->request);
    lose(self, out, worker_died);
    record_about(self, 0);
}
