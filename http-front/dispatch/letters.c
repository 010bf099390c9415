// SPDX-License-Identifier: Apache-2.0
// Dead letters: what cannot be done leaves its lane with its cause in a plain sentence, so that an operator can have it
// done later (control_revive.c), and the agent is told where a reply is concerned. Dispatcher's thread.
#include <string.h>

#include "http-front/dispatch/state.h"
#include "proto/log.h"

enum { QUOTE_BYTES = 1000 }; // of a reply, for the notice about it, which shows less

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

// The reply that the item was posting: the one that the report names, else the first of those that it carries. NULL: it
// was at none.
static const struct entry *reply_of(const struct item *item, const char *named, struct found *found,
                                    struct arena *arena)
{
    if (item->kind != EVENT_HINT || item->step != STEP_POST_MESSAGE || !item->found.size ||
        record_decode(RECORD_found, item->found.data, item->found.size, found, arena) != RECORD_OK ||
        !found->entries.count)
        return NULL;
    for (size_t i = 0; named && i < found->entries.count; i++)
        if (strcmp(found->entries.items[i].id, named) == 0)
            return &found->entries.items[i];
    return &found->entries.items[0];
}

// A reply that is given up on counts as delivered, however it came to that: the replies behind it pass, no later list
// read repeats it, and only its dead letter can say it again.
static void pass_reply(struct dispatcher *self, struct out *out, const struct entry *reply, struct ledger_batch *batch)
{
    struct written entry = {reply->id, reply->time_ms};
    struct report passed = {.user = "", .delivered = {&entry, 1}};
    record_merge(self, out->side->conversation, &passed, batch);
}

// The first bytes of a text, cut at a whole character.
static const char *beginning(struct arena *arena, const char *text)
{
    size_t length = strnlen(text, QUOTE_BYTES + 1);
    if (length > QUOTE_BYTES)
        for (length = QUOTE_BYTES; length && ((unsigned char)text[length] & 0xc0) == 0x80;)
            length--;
    return arena_copy(arena, text, length);
}

// Tells the agents which reply it was. What the notice will say is on disk with it: the letter may be gone by then.
static void tell_agents(struct dispatcher *self, const struct out *out, const struct entry *reply,
                        const struct found *found, struct ledger_batch *batch, const char *cause)
{
    struct arena *arena = arena_new();
    struct event notice = {.kind = EVENT_NOTICE, .notice = NOTICE_REPLIES_WAIT, .reason = cause};
    if (reply) {
        notice.notice = out->item->doubt ? NOTICE_REPLY_UNSURE : found->part ? NOTICE_REPLY_CUT : NOTICE_REPLY_LOST;
        notice.quote = beginning(arena, reply->text);
        notice.quote_ms = reply->time_ms;
        notice.name = found->agent_name;
    }
    followup_put(self, out->side->conversation->id, batch, &notice, 0);
    arena_free(&arena);
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
                     const char *entry)
{
    struct item *item = out->item;
    struct conversation *conversation = out->side->conversation;
    struct arena *arena = arena_new();
    struct found found;
    const struct entry *reply = reply_of(item, entry, &found, arena);
    out->given_up = true;
    log_error("dead_letter", "conversation=%s step=%s cause=%s", conversation->id, steps_name(out->step), cause);
    // A hint may be given up on more than once: each time is a letter of its own.
    uint64_t grave = item->kind == EVENT_HINT ? ledger_next(self->options.ledger) : item->seq;
    bury(self, batch, out->side, item, item->seq, grave, cause);
    for (size_t i = 0; i < item->member_count; i++)
        bury(self, batch, out->side, item, item->members[i], item->members[i], cause);
    if (reply && !entry)
        pass_reply(self, out, reply, batch);
    if (item->doubt && (item->step == STEP_CREATE_TICKET || item->step == STEP_CREATE_CALL_TICKET))
        doubt_ticket(self, conversation, item, batch);
    record_history(self, batch, conversation->id, "dead letter", conversation->ticket_id, "", 0);
    if (item->kind == EVENT_HINT && conversation->ticket_id && steps_info(item->step) &&
        steps_info(item->step)->upstream == UPSTREAM_FRESHCHAT)
        tell_agents(self, out, reply, &found, batch, cause);
    // A refused reply does not take the replies behind it along: it counts as delivered, so the list read passes it.
    out->after = item->kind == EVENT_HINT && (reply || entry) ? AFTER_AGAIN : AFTER_FINISH;
    arena_free(&arena);
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
