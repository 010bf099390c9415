// SPDX-License-Identifier: Apache-2.0
// Which side of which conversation goes next. Dispatcher's thread. A side is looked at when something about it changed,
// waits in a ready heap until its gate and a worker allow its step, or in the timer heap until its time comes.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/dispatch/state.h"
#include "proto/clock.h"
#include "proto/log.h"

// A rank is worth more than any age; within a rank a euro of cart is worth a second of waiting.
#define RANK_SPAN (UINT64_C(1) << 60)
enum { MS_PER_CENT = 10, MAX_WORTH_CENTS = 100000000 };

static uint8_t queue_of(const struct step_info *info)
{
    return (uint8_t)(info->upstream * GATE_QUEUES + gates_queue(info));
}

static void unqueue(struct dispatcher *self, struct side *side)
{
    if (!side->queued)
        return;
    heap_remove(self->ready[side->queue / GATE_QUEUES][side->queue % GATE_QUEUES], &side->ready);
    side->queued = false;
}

static void untime(struct dispatcher *self, struct side *side)
{
    if (!side->timed)
        return;
    heap_remove(self->timers, &side->timer);
    side->timed = false;
}

static void wake_at(struct dispatcher *self, struct side *side, uint64_t mono_ms)
{
    untime(self, side);
    if (mono_ms == 0)
        return;
    side->wake_mono_ms = mono_ms;
    heap_push(self->timers, &side->timer);
    side->timed = true;
}

static uint64_t score_of(const struct item *item, const struct step_info *info)
{
    uint64_t worth = item->worth_cents < MAX_WORTH_CENTS ? item->worth_cents : MAX_WORTH_CENTS;
    uint64_t bonus = worth * MS_PER_CENT;
    uint64_t age = item->accepted_ms > bonus ? item->accepted_ms - bonus : 0;
    enum rank rank = info->rank == RANK_HINT ? RANK_OPEN : info->rank;
    return (uint64_t)rank * RANK_SPAN + age % RANK_SPAN;
}

// The poll of calls feeds the desk from the other side of its lane: a pause holds what it finds, not the finding.
static bool is_held(const struct dispatcher *self, const struct side *side)
{
    return side->conversation->held ||
           (self->paused[side->which] && !(side->head && side->head->kind == EVENT_POLL_CALLS));
}

void schedule_consider(struct dispatcher *self, struct side *side)
{
    unqueue(self, side);
    bool gives_way = lanes_out_gives_way(side);
    if ((side->state != LANE_IDLE && !gives_way) || is_held(self, side)) {
        untime(self, side);
        return;
    }
    struct lane_choice choice = lanes_next(side, &self->rules, (uint64_t)clock_mono_ms());
    wake_at(self, side, choice.verdict == LANE_READY || choice.verdict == LANE_LATER ? choice.wake_mono_ms : 0);
    if (gives_way) {
        if (choice.verdict == LANE_READY && !lanes_gives_way(choice.item))
            refresh_call_off(self, side);
        return;
    }
    if (choice.verdict == LANE_EXPIRED && steps_is_poll(choice.item->kind)) {
        schedule_drop(self, side, choice.item); // a refresh of a conversation that never got its ticket
        schedule_consider(self, side);
    } else if (choice.verdict == LANE_EXPIRED && letters_take_along(self, side, choice.item)) {
        // Its customer's message is a dead letter: so is this one now, and a retry brings both back.
    } else if (choice.verdict == LANE_EXPIRED) {
        log_request(choice.item->request);
        log_info("no_ticket", "conversation=%s sequence=%" PRIu64, side->conversation->id, choice.item->seq);
        log_request(self->request);
        handout_finish(self, side, choice.item, METRIC_EVENTS_DONE_NO_TICKET);
    } else if (choice.verdict == LANE_READY) {
        const struct step_info *info = steps_info(choice.step);
        side->score = score_of(choice.item, info);
        latency_enter(choice.item, choice.item->doubt ? METRICS_STAGE_SETTLE : METRICS_STAGE_GATE);
        side->queue = queue_of(info);
        heap_push(self->ready[info->upstream][gates_queue(info)], &side->ready);
        side->queued = true;
    }
}

void schedule_conversation(struct dispatcher *self, struct conversation *conversation)
{
    for (int i = 0; i < SIDES; i++)
        schedule_consider(self, &conversation->sides[i]);
    if (!lanes_is_idle(conversation) || conversation->held)
        return;
    for (int i = 0; i < SIDES; i++) {
        void *handle = zlistx_find(self->suspects, &conversation->sides[i]);
        if (handle)
            zlistx_delete(self->suspects, handle);
    }
    zhashx_delete(self->conversations, conversation->id);
    lanes_conversation_free(&conversation);
}

struct conversation *schedule_open(struct dispatcher *self, const char *id)
{
    struct conversation *conversation = zhashx_lookup(self->conversations, id);
    if (conversation)
        return conversation;
    struct arena *arena = arena_new();
    struct lane record;
    enum ledger_result result = ledger_lane(self->options.ledger, id, &record, arena);
    if (result != LEDGER_ERROR) {
        conversation = lanes_conversation_new(id, result == LEDGER_OK ? &record : NULL);
        restore_lane(self, conversation);
        zhashx_insert(self->conversations, conversation->id, conversation);
    }
    arena_free(&arena);
    return conversation;
}

void schedule_add(struct dispatcher *self, struct conversation *conversation, struct item *item)
{
    schedule_place(self, conversation, item);
    schedule_consider(self, &conversation->sides[steps_side(item->kind)]);
}

void schedule_place(struct dispatcher *self, struct conversation *conversation, struct item *item)
{
    struct side *side = &conversation->sides[steps_side(item->kind)];
    lanes_add(side, item);
    if (steps_is_poll(item->kind))
        return; // nobody waits for it
    item->look_first = restore_is_before(self, item->time_ms);
    self->waiting[side->which]++;
    if (side->work++ == 0)
        self->busy++;
}

void schedule_drop(struct dispatcher *self, struct side *side, struct item *item)
{
    lanes_remove(side, item);
    callers_end(self, item);
    sections_end(self, item);
    self->missing -= item->missed;
    if (!steps_is_poll(item->kind)) {
        self->waiting[side->which]--;
        if (--side->work == 0)
            self->busy--;
    }
    lanes_item_free(&item);
}

void schedule_hint(struct dispatcher *self, uint64_t ticket_id, uint64_t count, uint64_t request)
{
    struct arena *arena = arena_new();
    struct ticket ticket;
    struct conversation *conversation = NULL;
    if (ledger_ticket(self->options.ledger, ticket_id, &ticket, arena) == LEDGER_OK) {
        if (!*ticket.conversation) { // of somebody who was forgotten: nobody asks what changed there
            struct token token = {.kind = TOKEN_LATE};
            record_submit(self, ledger_batch_new(), &token, ticket_id, count);
            arena_free(&arena);
            return;
        }
        conversation = schedule_open(self, ticket.conversation);
        if (conversation && conversation->ticket_id != ticket_id) {
            // Replaced since: its field is read, to tell which conversation it is said to belong to now.
            schedule_conversation(self, conversation);
            conversation = NULL;
        }
    }
    if (!conversation)
        conversation = schedule_open(self, arena_printf(arena, "ticket:%" PRIu64, ticket_id));
    arena_free(&arena);
    if (!conversation)
        return; // logged; the row stays and is found at the next start
    for (struct item *item = conversation->sides[SIDE_CHAT].head; item; item = item->next)
        if (item->ticket_id == ticket_id) {
            item->hint_count = count; // whoever works on it will see that it moved
            item->request = request;
            return;
        }
    struct item *item = lanes_item_new(EVENT_HINT, ledger_next(self->options.ledger));
    item->ticket_id = ticket_id;
    item->hint_count = count;
    item->request = request;
    item->accepted_ms = item->time_ms = (uint64_t)clock_wall_ms();
    item->arrived_mono_ms = (uint64_t)clock_mono_ms();
    schedule_add(self, conversation, item);
}

static enum rank rank_of(const struct side *side)
{
    return (enum rank)(side->score / RANK_SPAN);
}

// The best side that this upstream's gates let go now, or NULL; *wake says when to ask again. Nobody knows of a ticket
// that changed whether it holds a reply, and one agent changes many at once: while somebody new waits for a ticket,
// such looks have every second call.
static struct side *best_of(struct dispatcher *self, int upstream, uint64_t slots, uint64_t now, uint64_t *wake)
{
    struct side *best = NULL;
    struct side *hint = NULL;
    for (unsigned queue = 0; queue < GATE_QUEUES; queue++) {
        struct heap_node *top = heap_top(self->ready[upstream][queue]);
        if (!top || !gates_leave_room(self->gates, (enum upstream)upstream, queue, slots))
            continue;
        if (!gates_may(self->gates, (enum upstream)upstream, queue, now)) {
            uint64_t at = gates_next_ms(self->gates, (enum upstream)upstream, queue, now);
            if (at && (!*wake || at < *wake))
                *wake = at;
            continue;
        }
        struct side *side = heap_element(top, struct side, ready);
        if (queue == GATE_HINTS)
            hint = side;
        else if (!best || side->score < best->score)
            best = side;
    }
    if (!hint || !best)
        return hint ? hint : best;
    if (rank_of(best) == RANK_OPEN)
        return self->hint_went[upstream] ? best : hint;
    return best->score < hint->score ? best : hint;
}

static void begin(struct dispatcher *self, struct side *side)
{
    unqueue(self, side);
    untime(self, side);
    if (is_held(self, side))
        return; // since it was queued
    struct lane_choice choice = lanes_next(side, &self->rules, (uint64_t)clock_mono_ms());
    if (choice.verdict != LANE_READY) {
        schedule_consider(self, side);
        return;
    }
    const struct step_info *info = steps_info(choice.step);
    if (side->queue != queue_of(info)) {
        schedule_consider(self, side); // its step changed while it waited: another gate
        return;
    }
    record_about(self, choice.item->request);
    enum handout handout = handout_begin(self, side, &choice);
    record_about(self, 0);
    switch (handout) {
    case HANDOUT_DONE:
        break;
    case HANDOUT_NO_WORKER:
        zlistx_add_end(self->suspects, side);
        break;
    case HANDOUT_LATER:
        if (side->state == LANE_IDLE)
            schedule_consider(self, side);
        break;
    }
}

// Before all others, since a worker stands idle for them. Nobody is kept free for suspects that are no more.
static void begin_suspects(struct dispatcher *self, uint64_t now)
{
    for (size_t i = zlistx_size(self->suspects); i > 0; i--) {
        struct side *side = zlistx_detach(self->suspects, NULL);
        schedule_consider(self, side);
        if (side->queued &&
            gates_may(self->gates, (enum upstream)(side->queue / GATE_QUEUES), side->queue % GATE_QUEUES, now))
            begin(self, side);
    }
    if (zlistx_size(self->suspects) == 0)
        links_unreserve(self->links);
}

// Workers' room is for all: the best of all upstreams goes, so that no poll of one is asked before a reply of another.
static void begin_best(struct dispatcher *self, uint64_t now)
{
    uint64_t slots = links_slots(self->links);
    while (links_has_room(self->links)) {
        struct side *best = NULL;
        for (int upstream = 0; upstream < UPSTREAMS; upstream++) {
            struct side *side = best_of(self, upstream, slots, now, &self->gate_wake_ms);
            if (side && (!best || side->score < best->score))
                best = side;
        }
        if (!best)
            return;
        if (rank_of(best) == RANK_OPEN)
            self->hint_went[best->queue / GATE_QUEUES] = best->queue % GATE_QUEUES == GATE_HINTS;
        begin(self, best);
    }
}

void schedule_pump(struct dispatcher *self)
{
    uint64_t now = (uint64_t)clock_mono_ms();
    for (struct heap_node *top;
         (top = heap_top(self->timers)) && heap_element(top, struct side, timer)->wake_mono_ms <= now;) {
        struct side *side = heap_element(top, struct side, timer);
        untime(self, side);
        schedule_consider(self, side);
        if (side->timed && side->wake_mono_ms <= now)
            break; // the clock moved between the two looks; next round
    }
    self->gate_wake_ms = 0;
    if (!self->open || self->draining)
        return;
    begin_suspects(self, now);
    begin_best(self, now);
}
