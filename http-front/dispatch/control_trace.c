// SPDX-License-Identifier: Apache-2.0
// `deskbellctl trace`: one conversation's life over both systems, as its lane record, its history and what waits tell
// it: times and ids, no text and nothing of the customer but ids. Dispatcher's thread.
#include <stdlib.h>
#include <string.h>

#include "http-front/dispatch/control_commands.h"
#include "proto/clock.h"

enum { MOST_IDS = 50, MOST_WAITING = 200, MOST_HISTORY = 1000, MOST_DEAD_READ = 5000, MOST_DEAD = 100 };

// The newest of a list of ids.
static json_t *ids(const struct written *items, size_t count)
{
    json_t *list = json_array();
    for (size_t i = count > MOST_IDS ? count - MOST_IDS : 0; i < count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:I}", "id", items[i].id, "time_ms", (json_int_t)items[i].time_ms));
    return list;
}

static json_t *waiting_item(const struct side *side, const struct item *item)
{
    uint64_t now = (uint64_t)clock_mono_ms();
    uint64_t wait = item->not_before_mono_ms > now ? item->not_before_mono_ms - now : 0;
    char request[LOG_REQUEST_BYTES];
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "seq", (json_int_t)item->seq,
                     "request", control_request(item->request, request), "direction", control_direction(side->which),
                     "kind", control_kind(item->kind), "step", steps_name(item->step), "state",
                     side->active == item ? control_side_state(side->state) : "waiting", "said_ms",
                     (json_int_t)item->time_ms, "accepted_ms", (json_int_t)item->accepted_ms, "attempts",
                     (json_int_t)item->attempts, "deaths", (json_int_t)item->deaths, "again_in_ms", (json_int_t)wait,
                     "claimed", (int)item->claimed, "in_doubt", (int)item->doubt);
}

static json_t *waiting(const struct dispatcher *self, const char *conversation)
{
    json_t *list = json_array();
    const struct conversation *known = zhashx_lookup(self->conversations, conversation);
    for (int i = 0; known && i < SIDES; i++)
        for (const struct item *item = known->sides[i].head; item && json_array_size(list) < MOST_WAITING;
             item = item->next)
            if (!steps_is_poll(item->kind)) // which are no work, but a watch for it
                json_array_append_new(list, waiting_item(&known->sides[i], item));
    return list;
}

static bool add_history(void *arg, const struct history *history)
{
    json_t *list = arg;
    char request[LOG_REQUEST_BYTES];
    json_array_append_new(list, json_pack("{s:I, s:s, s:I, s:s, s:I, s:s}", "time_ms", (json_int_t)history->time_ms,
                                          "what", history->what, "ticket", (json_int_t)history->ticket_id, "id",
                                          history->id, "took_ms", (json_int_t)history->took_ms, "request",
                                          control_request(history->request, request)));
    if (json_array_size(list) > MOST_HISTORY)
        json_array_remove(list, 0); // the newest are told
    return true;
}

struct search {
    struct dispatcher *self;
    const char *conversation;
    json_t *list;
    uint64_t read;
};

static bool add_dead(void *arg, uint64_t seq, const struct dead *dead)
{
    struct search *search = arg;
    struct arena *arena = arena_new();
    if (strcmp(control_conversation_of(search->self, &dead->pending.event, arena), search->conversation) == 0)
        json_array_append_new(search->list, control_letter(search->self, seq, dead, arena));
    arena_free(&arena);
    return ++search->read < MOST_DEAD_READ && json_array_size(search->list) < MOST_DEAD;
}

// What was asked for may be the id of a conversation or call, or a ticket's number.
static const char *find(struct dispatcher *self, struct control_call *call, struct lane *lane)
{
    const char *asked = call->arguments[0];
    struct ticket ticket;
    uint64_t number = 0;
    if (control_number(asked, &number) &&
        (ledger_ticket(self->options.ledger, number, &ticket, call->arena) == LEDGER_OK ||
         ledger_by(self->options.ledger, LEDGER_BY_TICKET, asked, &ticket, call->arena) == LEDGER_OK))
        asked = ticket.conversation;
    if (strlen(asked) > ID_MAX)
        return NULL;
    return control_lane(self, asked, lane, call->arena) ? asked : NULL;
}

json_t *control_trace(struct dispatcher *self, struct control_call *call)
{
    struct lane lane = {0};
    const char *conversation = find(self, call, &lane);
    if (!conversation)
        return control_refuse(call, "No conversation and no ticket is known as \"%.100s\".", call->arguments[0]);
    json_t *past = json_array();
    struct search search = {self, conversation, json_array(), 0};
    if (ledger_each_history(self->options.ledger, conversation, add_history, past) != LEDGER_OK ||
        ledger_each_dead(self->options.ledger, add_dead, &search) != LEDGER_OK) {
        json_decref(past);
        json_decref(search.list);
        return control_refuse(call, "The ledger cannot be read; the log says more.");
    }
    json_t *cart = lane.context.cart_valid ? json_integer((json_int_t)lane.context.cart_cents) : json_null();
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "conversation", conversation, "conversation_twin", lane.conversation_twin, "channel", lane.channel,
                     "user", lane.user, "ticket", (json_int_t)lane.ticket_id, "requester",
                     (json_int_t)lane.requester_id, "opened_ms", (json_int_t)lane.opened_ms, "updated_ms",
                     (json_int_t)lane.updated_ms, "mark_ms", (json_int_t)lane.mark_ms, "rebuilt_ms",
                     (json_int_t)lane.rebuilt_ms, "cart_cents", cart, "relayed_entries",
                     ids(lane.delivered.items, lane.delivered.count), "written_entries",
                     ids(lane.desk_written.items, lane.desk_written.count), "written_messages",
                     ids(lane.chat_written.items, lane.chat_written.count), "waiting", waiting(self, conversation),
                     "dead", search.list, "history", past);
}
