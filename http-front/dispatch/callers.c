// SPDX-License-Identifier: Apache-2.0
// Whose call it is. The ledger knows which conversation a number or a user was last active in, and which call a number
// last made; so a call finds the ticket of the live conversation, and somebody who dials again that of the first call.
// Dispatcher's thread. Calls of one number come at the same time when it is dialled again and again: while one of them
// opens a ticket, the others wait, and then join it. A chat that begins after its customer called, or asked to be
// called back, has a ticket of its own, as ever: a chat's ticket leads back to its conversation, the call's to the
// call, and nobody else's replies could tell which is meant. The two name each other.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/dispatch/state.h"
#include "proto/clock.h"
#include "proto/phone.h"

enum {
    ALIVE_MS = 24 * 60 * 60 * 1000, // a conversation that nothing was said in for longer is not open any more
    AGAIN_MS = 60 * 60 * 1000,      // who calls again within it means the same
    WISH_MS = 7 * ALIVE_MS, // until then an agent calls whom the shop's desk promised to call, holidays included
};

struct caller {
    const struct item *item; // opens the ticket
    char phone[PHONE_BYTES];
};

// ---- what the ledger knows ------------------------------------------------------------------------------------------

void callers_put(const struct dispatcher *self, const struct lane *lane, struct ledger_batch *batch)
{
    char phone[PHONE_BYTES];
    bool own = lanes_is_own(lane->conversation);
    if (!lane->ticket_id || (own && !lanes_is_call(lane->conversation)))
        return;
    struct ticket row = {.conversation = lane->conversation, .time_ms = lane->updated_ms};
    if (phone_e164(lane->context.phone, config_phone_plan(self->options.config), phone))
        ledger_put_by(batch, own ? LEDGER_BY_CALLER : LEDGER_BY_PHONE, phone, &row);
    if (own) {
        char ticket[24];
        snprintf(ticket, sizeof ticket, "%" PRIu64, lane->ticket_id);
        ledger_put_by(batch, LEDGER_BY_TICKET, ticket, &row);
    }
    if (*lane->user)
        ledger_put_by(batch, own ? LEDGER_BY_ASKER : LEDGER_BY_USER, lane->user, &row);
}

// The lane under that row, if it has a ticket, is another than `not_this` and was alive within `within_ms`.
static bool alive(struct dispatcher *self, enum ledger_by by, const char *what, const char *not_this,
                  uint64_t within_ms, struct lane *lane, struct arena *arena)
{
    struct ticket row;
    if (!*what || ledger_by(self->options.ledger, by, what, &row, arena) != LEDGER_OK ||
        strcmp(row.conversation, not_this) == 0)
        return false;
    const struct conversation *conversation = zhashx_lookup(self->conversations, row.conversation);
    if (conversation)
        *lane = lanes_record(conversation, arena);
    else if (ledger_lane(self->options.ledger, row.conversation, lane, arena) != LEDGER_OK)
        return false;
    return lane->ticket_id && lane->updated_ms + within_ms >= record_now_ms(self);
}

bool callers_live(struct dispatcher *self, const struct event *event, struct lane *lane, struct arena *arena)
{
    const char *own = event->conversation;
    struct lane wish;
    if (alive(self, LEDGER_BY_USER, event->user, own, ALIVE_MS, lane, arena) ||
        alive(self, LEDGER_BY_PHONE, event->phone, own, ALIVE_MS, lane, arena))
        return true;
    bool called = alive(self, LEDGER_BY_CALLER, event->phone, own, AGAIN_MS, lane, arena);
    bool asked = event->call.outgoing && alive(self, LEDGER_BY_WISH, event->phone, own, WISH_MS, &wish, arena);
    if (asked && (!called || wish.updated_ms > lane->updated_ms)) {
        *lane = wish;
        return true;
    }
    return called || alive(self, LEDGER_BY_ASKER, event->user, own, AGAIN_MS, lane, arena);
}

// By that row the lane's ticket was found: it is its ticket, or, where that was resolved, another of its contact.
static bool leads_to(struct dispatcher *self, enum ledger_by by, const char *what, const struct lane *lane,
                     struct arena *arena)
{
    struct lane other; // alive when the ticket was chosen, so twice as long is enough
    return alive(self, by, what, lane->conversation, 2 * (uint64_t)ALIVE_MS, &other, arena) &&
           (other.ticket_id == lane->ticket_id || (lane->requester_id && other.requester_id == lane->requester_id));
}

void callers_doubt_number(struct dispatcher *self, struct lane *lane, struct ledger_batch *batch, struct arena *arena)
{
    char phone[PHONE_BYTES];
    if (strncmp(lane->conversation, "callback:", 9) != 0 || !lane->ticket_id)
        return;
    struct ticket wish = {.conversation = lane->conversation, .time_ms = record_now_ms(self)};
    bool by_user = leads_to(self, LEDGER_BY_USER, lane->user, lane, arena) ||
                   leads_to(self, LEDGER_BY_ASKER, lane->user, lane, arena);
    if (phone_e164(lane->context.phone, config_phone_plan(self->options.config), phone))
        ledger_put_by(batch, LEDGER_BY_WISH, phone, &wish);
    if (by_user && !leads_to(self, LEDGER_BY_PHONE, phone, lane, arena) &&
        !leads_to(self, LEDGER_BY_CALLER, phone, lane, arena))
        lane->context.phone = "";
}

static void tell(struct dispatcher *self, const char *conversation, const char *words, struct ledger_batch *batch)
{
    struct event notice = {.kind = EVENT_NOTICE, .reason = words};
    followup_put(self, conversation, batch, &notice, 0);
}

void callers_cross(struct dispatcher *self, const struct conversation *conversation, struct ledger_batch *batch)
{
    char phone[PHONE_BYTES];
    struct arena *arena = arena_new();
    struct lane lane = lanes_record(conversation, arena);
    struct lane call;
    (void)phone_e164(lane.context.phone, config_phone_plan(self->options.config), phone);
    if ((alive(self, LEDGER_BY_CALLER, phone, lane.conversation, AGAIN_MS, &call, arena) ||
         alive(self, LEDGER_BY_ASKER, lane.user, lane.conversation, AGAIN_MS, &call, arena)) &&
        call.ticket_id != lane.ticket_id) {
        bool asked = strncmp(call.conversation, "callback:", 9) == 0;
        tell(self, lane.conversation,
             arena_printf(arena, "%s a short while ago: see ticket #%" PRIu64 ".",
                          asked ? "This customer asked to be called back" : "This customer called", call.ticket_id),
             batch);
        tell(self, call.conversation,
             arena_printf(arena, "The customer writes in the chat now: see ticket #%" PRIu64 ".", lane.ticket_id),
             batch);
    }
    arena_free(&arena);
}

// ---- one at a time --------------------------------------------------------------------------------------------------

static struct caller *with(struct dispatcher *self, const char *phone)
{
    for (struct caller *caller = zlistx_first(self->callers); caller; caller = zlistx_next(self->callers))
        if (strcmp(caller->phone, phone) == 0)
            return caller;
    return NULL;
}

bool callers_begin(struct dispatcher *self, const struct item *item, const char *phone)
{
    if (!*phone || strlen(phone) >= PHONE_BYTES)
        return true;
    struct caller *caller = with(self, phone);
    if (caller && caller->item != item && caller->item->step == STEP_CREATE_CALL_TICKET)
        return false;
    if (!caller) {
        caller = calloc(1, sizeof *caller);
        if (!caller)
            abort();
        memcpy(caller->phone, phone, strlen(phone));
        zlistx_add_end(self->callers, caller);
    }
    caller->item = item;
    return true;
}

void callers_end(struct dispatcher *self, const struct item *item)
{
    if (item->kind != EVENT_CALL && item->kind != EVENT_CALLBACK)
        return;
    struct caller *caller = zlistx_first(self->callers);
    while (caller && caller->item != item)
        caller = zlistx_next(self->callers);
    if (!caller)
        return;
    zlistx_detach_cur(self->callers);
    free(caller);
}

void callers_free(struct dispatcher *self)
{
    for (struct caller *caller; self->callers && (caller = zlistx_detach(self->callers, NULL));)
        free(caller);
    zlistx_destroy(&self->callers);
}
