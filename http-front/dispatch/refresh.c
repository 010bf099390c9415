// SPDX-License-Identifier: Apache-2.0
// While a chat runs, its customer is looked at again: with messages, at most once per timing.context_refresh_seconds,
// and by itself more slowly. A refresh is a poll of the conversation's own lane towards the desk: never stored, last in
// rank, one read. What it finds changed becomes a stored context event, which does the rest (workers/flow_context.c).
// Ten minutes after the customer's last message it has its last look, and the conversation is let go. Dispatcher's
// thread.
#include "http-front/dispatch/state.h"
#include "proto/clock.h"

enum {
    SECOND_MS = 1000,
    ALIVE_MS = 10 * 60 * 1000,
    BY_ITSELF = 4, // so many times slower than with messages
    LAST = INT32_MAX,
};

static uint64_t least_ms(const struct dispatcher *self)
{
    return (uint64_t)self->options.config->timing.context_refresh_seconds * SECOND_MS;
}

static void add(struct dispatcher *self, struct conversation *conversation, int64_t alive_mono_ms,
                uint64_t not_before_mono_ms)
{
    struct item *item = lanes_item_new(EVENT_REFRESH, ledger_next(self->options.ledger));
    item->time_ms = (uint64_t)LAST * SECOND_MS * SECOND_MS; // behind everything that was said
    item->arrived_mono_ms = (uint64_t)clock_mono_ms();
    item->accepted_ms = (uint64_t)clock_wall_ms();
    item->alive_mono_ms = alive_mono_ms;
    item->not_before_mono_ms = item->earliest_mono_ms = not_before_mono_ms;
    item->asked = true; // it finds no messages: nobody who restores a backup has to wait for it
    schedule_add(self, conversation, item);
}

void refresh_watch(struct dispatcher *self, struct conversation *conversation)
{
    uint64_t now = (uint64_t)clock_mono_ms();
    struct side *side = &conversation->sides[SIDE_DESK];
    struct item *item = lanes_find_kind(side, EVENT_REFRESH);
    if (!item) {
        // The message that opens the ticket reads the customer itself.
        add(self, conversation, (int64_t)now, conversation->ticket_id ? now : now + least_ms(self));
        return;
    }
    item->alive_mono_ms = (int64_t)now;
    if (item->not_before_mono_ms <= item->earliest_mono_ms)
        return;
    item->not_before_mono_ms = item->earliest_mono_ms;
    schedule_consider(self, side);
}

void refresh_wake(struct dispatcher *self, struct conversation *conversation, uint64_t ago_ms)
{
    uint64_t now = (uint64_t)clock_mono_ms();
    if (ago_ms < ALIVE_MS && conversation->ticket_id &&
        !lanes_find_kind(&conversation->sides[SIDE_DESK], EVENT_REFRESH))
        add(self, conversation, (int64_t)now - (int64_t)ago_ms, now + least_ms(self));
}

void refresh_found(struct dispatcher *self, struct out *out, const struct report *report, struct ledger_batch *batch)
{
    // One that waits will read what this one read, or something newer.
    if (report->followups.count && !lanes_find_kind(out->side, EVENT_CONTEXT))
        followup_reported(self, out->side->conversation->id, batch, &report->followups.items[0]);
}

void refresh_call_off(struct dispatcher *self, struct side *side)
{
    struct out *out = side->out;
    gates_return(self->gates, &out->pass, true, (uint64_t)clock_mono_ms());
    jobs_move(out, NULL); // its worker works on it and is told nothing
    if (side->active->kind == EVENT_REFRESH) {
        out->after = AFTER_REPEAT; // and rests, or each message would begin another
        out->failed = true;
        polls_rest(self, out);
        return;
    }
    side->state = LANE_IDLE;
    side->out = NULL;
    jobs_remove(self->jobs, &out);
    schedule_consider(self, side);
}

uint64_t refresh_rest_ms(struct dispatcher *self, struct item *item, uint64_t now)
{
    if (item->earliest_mono_ms < now + least_ms(self)) // else a note was written meanwhile
        item->earliest_mono_ms = now + least_ms(self);
    uint64_t rest = least_ms(self) * BY_ITSELF;
    return item->earliest_mono_ms > now + rest ? item->earliest_mono_ms - now : rest;
}

bool refresh_is_over(const struct item *item, uint64_t now)
{
    return (int64_t)now - item->alive_mono_ms >= ALIVE_MS;
}

void refresh_told(struct dispatcher *self, struct side *side, const struct item *told, struct ledger_batch *batch)
{
    uint64_t rest = (uint64_t)self->options.config->timing.context_note_seconds * SECOND_MS;
    for (struct item *item = side->head, *next; item; item = next) {
        next = item->next;
        if (item->kind == EVENT_REFRESH) {
            item->earliest_mono_ms = (uint64_t)clock_mono_ms() + rest;
            if (item->not_before_mono_ms < item->earliest_mono_ms)
                item->not_before_mono_ms = item->earliest_mono_ms;
        } else if (item->kind == EVENT_CONTEXT && item != told) {
            // Or it would tell of the next change at once. The refresh sees that, too, and gathers it.
            ledger_delete_pending(batch, item->seq);
            schedule_drop(self, side, item);
        }
    }
}
