// SPDX-License-Identifier: Apache-2.0
// From reports to ledger records. Dispatcher's thread. Lane records change here and nowhere else: in memory first, then
// in the batch that the committer writes.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/admin/health.h"
#include "http-front/dispatch/state.h"
#include "http-front/intake/request_id.h"
#include "proto/clock.h"
#include "proto/log.h"

// Above the mark nothing is forgotten; below it, what the list read's overlap can still reach, with room to spare.
enum { KEEP_BELOW_MARK_MS = 30 * 60 * 1000, KEEP_CHAT_WRITTEN = 256, KEEP_DESK = 4000, KEEP_LEGS = 64 };

// A list of ids with those of `more` added (each once) and those before `floor_ms` or beyond `most` left out, oldest
// first out.
static size_t merge_written(struct written **items, size_t count, const struct written *more, size_t more_count,
                            uint64_t floor_ms, size_t most, struct arena *arena)
{
    struct written *merged = arena_alloc(arena, (count + more_count + 1) * sizeof *merged);
    size_t length = 0;
    for (size_t i = 0; i < count + more_count; i++) {
        const struct written *next = i < count ? &(*items)[i] : &more[i - count];
        bool known = false;
        for (size_t j = 0; j < length && !known; j++)
            known = strcmp(merged[j].id, next->id) == 0;
        if (!known && (next->time_ms >= floor_ms || i >= count))
            merged[length++] = *next;
    }
    size_t skip = length > most ? length - most : 0;
    *items = merged + skip;
    return length - skip;
}

// What the ticket knows of a call's leg by now; of a call with more legs than a record holds the first is forgotten.
static void merge_leg(struct lane *lane, const struct leg *leg, struct arena *arena)
{
    struct leg *legs = arena_alloc(arena, (lane->legs.count + 1) * sizeof *legs);
    size_t count = lane->legs.count;
    if (count)
        memcpy(legs, lane->legs.items, count * sizeof *legs);
    size_t at = 0;
    while (at < count && legs[at].id != leg->id)
        at++;
    if (at == count)
        legs[count++] = (struct leg){.id = leg->id};
    legs[at].told |= leg->told;
    lane->legs.items = count > KEEP_LEGS ? legs + 1 : legs;
    lane->legs.count = count > KEEP_LEGS ? KEEP_LEGS : count;
}

uint64_t record_now_ms(const struct dispatcher *self)
{
    return ledger_stamp_ms(self->options.ledger, health_stamp_ms());
}

bool record_merge(struct dispatcher *self, struct conversation *conversation, const struct report *report,
                  struct ledger_batch *batch)
{
    bool changed = report->ticket_id || report->requester_id || *report->user || report->context_known ||
                   report->desk_written.count || report->chat_written.count || report->delivered.count ||
                   report->mark_ms || report->rebuilt_ms || report->chat_mark_ms || report->listed_ms || report->leg.id;
    if (!changed)
        return false;
    struct arena *arena = arena_new();
    struct lane lane = lanes_record(conversation, arena);
    uint64_t now = record_now_ms(self);
    if (report->ticket_id && report->ticket_id != lane.ticket_id) {
        if (lane.ticket_id)
            log_info("ticket_replaced", "conversation=%s old_ticket=%" PRIu64 " ticket=%" PRIu64, conversation->id,
                     lane.ticket_id, report->ticket_id);
        lane.ticket_id = report->ticket_id;
        lane.opened_ms = now;
        lane.doubt_ms = 0;
        struct ticket ticket = {.conversation = conversation->id, .time_ms = now};
        if (!lanes_is_own(conversation->id)) // a call's ticket is another's, or nobody's in the chat
            ledger_put_ticket(batch, lane.ticket_id, &ticket);
    }
    if (report->requester_id)
        lane.requester_id = report->requester_id;
    if (*report->user)
        lane.user = report->user;
    if (report->context_known) {
        lane.context = report->context;
        callers_doubt_number(self, &lane, batch, arena);
    }
    if (report->mark_ms > lane.mark_ms)
        lane.mark_ms = report->mark_ms;
    if (report->chat_mark_ms > lane.chat_mark_ms)
        lane.chat_mark_ms = report->chat_mark_ms;
    if (report->listed_ms > lane.listed_ms)
        lane.listed_ms = report->listed_ms;
    if (report->rebuilt_ms > lane.rebuilt_ms)
        lane.rebuilt_ms = report->rebuilt_ms;
    uint64_t floor = lane.mark_ms > KEEP_BELOW_MARK_MS ? lane.mark_ms - KEEP_BELOW_MARK_MS : 0;
    lane.delivered.count = merge_written(&lane.delivered.items, lane.delivered.count, report->delivered.items,
                                         report->delivered.count, floor, KEEP_DESK, arena);
    lane.desk_written.count =
        merge_written(&lane.desk_written.items, lane.desk_written.count, report->desk_written.items,
                      report->desk_written.count, floor, KEEP_DESK, arena);
    lane.chat_written.count =
        merge_written(&lane.chat_written.items, lane.chat_written.count, report->chat_written.items,
                      report->chat_written.count, 0, KEEP_CHAT_WRITTEN, arena);
    lane.updated_ms = now;
    // The echo of what we posted carries the message's id: its key is taken before the webhook can matter.
    for (size_t i = 0; i < report->chat_written.count; i++)
        ledger_put_seen(batch, arena_printf(arena, "freshchat:message:%s", report->chat_written.items[i].id), SEEN_OURS,
                        now);
    if (report->leg.id)
        merge_leg(&lane, &report->leg, arena);
    callers_put(self, &lane, batch);
    lanes_set_record(conversation, &lane);
    ledger_put_lane(batch, &lane);
    arena_free(&arena);
    return true;
}

static void submit(struct dispatcher *self, const struct commit *template, const struct token *token)
{
    if (self->ledger_lost) {
        followup_submitted(self, template->batch, NULL);
        // Nothing more of what is in memory may reach the disk: it is ahead by what could not be written.
        struct ledger_batch *batch = template->batch;
        ledger_batch_free(&batch);
        free((void *)(uintptr_t) template->raise);
        return;
    }
    struct token *kept = malloc(sizeof *kept);
    struct commit *commit = malloc(sizeof *commit);
    if (!kept || !commit)
        abort();
    *kept = *token;
    *commit = *template;
    commit->token = kept;
    followup_submitted(self, template->batch, kept);
    self->writing++;
    committer_submit(self->options.committer, commit);
}

void record_submit(struct dispatcher *self, struct ledger_batch *batch, const struct token *token, uint64_t hint_ticket,
                   uint64_t hint_count)
{
    struct commit commit = {.batch = batch, .hint_ticket = hint_ticket, .hint_count = hint_count};
    submit(self, &commit, token);
}

void record_submit_hints(struct dispatcher *self, struct ledger_batch *batch, const struct token *token,
                         const uint64_t *tickets, size_t count)
{
    uint64_t *copy = count ? malloc(count * sizeof *copy) : NULL;
    if (count && !copy)
        abort();
    if (count)
        memcpy(copy, tickets, count * sizeof *copy);
    struct commit commit = {.batch = batch, .raise = copy, .raise_count = count, .request = request_id_new()};
    submit(self, &commit, token);
}

// A monotonic time as wall clock, for the record; 0 when it has passed.
static uint64_t wall_of(uint64_t mono_ms)
{
    uint64_t now = (uint64_t)clock_mono_ms();
    return mono_ms > now ? (uint64_t)clock_wall_ms() + (mono_ms - now) : 0;
}

void record_pending(struct ledger_batch *batch, const struct item *item, const struct event *event)
{
    struct pending pending = {
        .seq = item->seq,
        .event = *event,
        .step = item->step,
        .found = {item->found.data, item->found.size},
        .attempts = item->attempts,
        .not_before_ms = wall_of(item->not_before_mono_ms),
        .claimed = item->claimed,
        .claimed_ms = item->claimed_ms,
        .job_id = item->job_id,
        .doubt = item->doubt,
        .members = {item->members, item->member_count},
        .deaths = item->deaths,
        .hint_count = item->hint_listed,
        .claimed_there_ms = item->claimed_there_ms,
    };
    ledger_put_pending(batch, &pending);
}

bool record_event(struct dispatcher *self, const struct side *side, const struct item *item, struct event *event,
                  struct arena *arena)
{
    if (!item->stored) {
        *event =
            (struct event){.kind = item->kind,
                           .key = "",
                           .conversation = arena_copy(arena, side->conversation->id, strlen(side->conversation->id)),
                           .conversation_twin = "",
                           .channel = "",
                           .user = "",
                           .actor = "",
                           .message = "",
                           .ticket_id = item->ticket_id,
                           .time_ms = item->time_ms,
                           .accepted_ms = item->accepted_ms,
                           .reason = "",
                           .request = item->request};
        return true;
    }
    struct pending pending;
    enum ledger_result result = ledger_pending(self->options.ledger, item->seq, &pending, arena);
    if (result != LEDGER_OK) {
        log_error("event_unreadable", "sequence=%" PRIu64 " conversation=%s problem=%s", item->seq,
                  side->conversation->id, result == LEDGER_ABSENT ? "absent" : "ledger");
        return false;
    }
    *event = pending.event;
    return true;
}

void record_about(struct dispatcher *self, uint64_t request)
{
    self->request = request;
    log_request(request);
}

void record_history(struct dispatcher *self, struct ledger_batch *batch, const char *conversation, const char *what,
                    uint64_t ticket_id, const char *id, uint64_t took_ms)
{
    struct history history = {conversation, record_now_ms(self), what, ticket_id, id, took_ms, self->request};
    ledger_put_history(batch, ledger_next(self->options.ledger), &history);
}
