// SPDX-License-Identifier: Apache-2.0
// Dead letters: what cannot be done leaves its lane with its cause in a plain sentence, so that an operator can have it
// done later (control_revive.c), and the agent is told where a reply is concerned. Dispatcher's thread.
#include "http-front/dispatch/state.h"
#include "proto/log.h"

// Writes a dead letter under the number `grave` for the event of `seq`, with the progress of `item`.
static void bury(struct dispatcher *self, struct ledger_batch *batch, const struct side *side, const struct item *item,
                 uint64_t seq, uint64_t grave, const char *cause)
{
    struct arena *arena = arena_new();
    struct item one = *item;
    one.seq = seq;
    struct event event;
    // A note in doubt can be looked for as a whole only: each of its letters names the first one, which names the rest.
    bool note = item->doubt && item->member_count;
    if (record_event(self, side, &one, &event, arena)) {
        struct dead dead = {.cause = cause, .time_ms = record_now_ms(self)};
        dead.pending = (struct pending){.seq = grave,
                                        .event = event,
                                        .step = item->step,
                                        .found = {item->found.data, item->found.size},
                                        .attempts = item->attempts,
                                        .claimed = item->claimed,
                                        .claimed_ms = item->claimed_ms,
                                        .doubt = item->doubt,
                                        .job_id = note ? item->seq : 0,
                                        .members = {item->members, note && seq == item->seq ? item->member_count : 0},
                                        .deaths = item->deaths,
                                        .hint_count = item->hint_listed,
                                        .claimed_there_ms = item->claimed_there_ms};
        ledger_put_dead(batch, grave, &dead);
        letters_remember(self, &event);
        self->dead++;
        metrics_count(METRIC_DEAD_LETTERS);
    }
    arena_free(&arena);
}

// A reply that is given up on counts as delivered, however it came to that: the replies behind it pass, no later list
// read repeats it, and only its dead letter can say it again.
static bool pass_entry(struct dispatcher *self, struct out *out, struct ledger_batch *batch)
{
    const struct item *item = out->item;
    struct arena *arena = arena_new();
    struct found found;
    bool named = item->found.size &&
                 record_decode(RECORD_found, item->found.data, item->found.size, &found, arena) == RECORD_OK &&
                 found.entries.count;
    if (named) {
        struct written entry = {found.entries.items[0].id, found.entries.items[0].time_ms};
        struct report passed = {.user = "", .delivered = {&entry, 1}};
        record_merge(self, out->side->conversation, &passed, batch);
    }
    arena_free(&arena);
    return named;
}

// The ticket may be there all the same: whoever opens one in this conversation looks for it first.
static void doubt_ticket(struct dispatcher *self, struct conversation *conversation, const struct item *item,
                         struct ledger_batch *batch)
{
    struct arena *arena = arena_new();
    struct lane lane = lanes_record(conversation, arena);
    uint64_t claimed_ms = item->claimed_there_ms ? item->claimed_there_ms : item->claimed_ms;
    if (!lane.doubt_ms || claimed_ms < lane.doubt_ms)
        lane.doubt_ms = claimed_ms ? claimed_ms : 1;
    lane.updated_ms = record_now_ms(self);
    lanes_set_record(conversation, &lane);
    if (item->doubt_since_mono_ms > conversation->doubt_mono_ms)
        conversation->doubt_mono_ms = item->doubt_since_mono_ms;
    ledger_put_lane(batch, &lane);
    arena_free(&arena);
}

// Puts an item (each message of a note by itself) among the dead letters. The agent is told where a reply is concerned.
void letters_give_up(struct dispatcher *self, struct out *out, struct ledger_batch *batch, const char *cause,
                     bool entry_named)
{
    struct item *item = out->item;
    struct conversation *conversation = out->side->conversation;
    out->given_up = true;
    log_error("dead_letter", "conversation=%s step=%s cause=%s", conversation->id, steps_name(out->step), cause);
    // A hint may be given up on more than once: each time is a letter of its own.
    uint64_t grave = item->kind == EVENT_HINT ? ledger_next(self->options.ledger) : item->seq;
    bury(self, batch, out->side, item, item->seq, grave, cause);
    for (size_t i = 0; i < item->member_count; i++)
        bury(self, batch, out->side, item, item->members[i], item->members[i], cause);
    if (item->kind == EVENT_HINT && item->step == STEP_POST_MESSAGE && !entry_named)
        entry_named = pass_entry(self, out, batch);
    if (item->doubt && (item->step == STEP_CREATE_TICKET || item->step == STEP_CREATE_CALL_TICKET))
        doubt_ticket(self, conversation, item, batch);
    record_history(self, batch, conversation->id, "dead letter", conversation->ticket_id, "", 0);
    if (item->kind == EVENT_HINT && conversation->ticket_id && steps_info(item->step) &&
        steps_info(item->step)->upstream == UPSTREAM_FRESHCHAT) {
        struct followup notice = {.kind = EVENT_NOTICE, .reason = cause};
        followup_put(self, conversation->id, batch, &notice);
    }
    // A refused reply does not take the replies behind it along: it counts as delivered, so the list read passes it.
    out->after = item->kind == EVENT_HINT && entry_named ? AFTER_AGAIN : AFTER_FINISH;
}

void letters_remember(struct dispatcher *self, const struct event *event)
{
    if (event->kind == EVENT_CUSTOMER_MESSAGE)
        zhashx_update(self->unopened, event->conversation, self);
}

bool letters_take_along(struct dispatcher *self, struct side *side, struct item *item)
{
    static const char cause[] = "No ticket was opened, since the customer's message is a dead letter itself: "
                                "retry that one, too.";
    const char *id = side->conversation->id;
    bool follows = item->kind == EVENT_AGENT_MESSAGE || item->kind == EVENT_RESOLVED || item->kind == EVENT_REOPENED;
    if (!follows || self->observing || !zhashx_lookup(self->unopened, id))
        return false;
    struct ledger_batch *batch = ledger_batch_new();
    record_about(self, item->request);
    log_error("dead_letter", "conversation=%s step=%s cause=%s", id, steps_name(item->step), cause);
    bury(self, batch, side, item, item->seq, item->seq, cause);
    record_history(self, batch, id, "dead letter", 0, "", 0);
    record_about(self, 0);
    if (item->stored)
        ledger_delete_pending(batch, item->seq);
    side->active = item;
    side->state = LANE_WRITING;
    struct token token = {.kind = TOKEN_FINISH, .side = side, .item = item, .why = METRIC_EVENTS_DONE_NO_TICKET};
    record_submit(self, batch, &token, 0, 0);
    return true;
}
