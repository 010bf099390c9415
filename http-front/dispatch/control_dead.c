// SPDX-License-Identifier: Apache-2.0
// `deskbellctl dead list|show`: the dead letters by cause, whom they concern and what is in those customers' carts.
// Dispatcher's thread; reads a bounded number of letters. Never a text that somebody wrote.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/dispatch/control_commands.h"

enum { MOST_READ = 5000, MOST_CAUSES = 100, MOST_CONVERSATIONS = 50, MOST_SEQUENCES = 20 };

static const char other_causes[] = "(further causes)";

struct census_of_dead {
    struct dispatcher *self;
    json_t *causes; // cause -> group; a group's "conversations" is an object by id until it is finished
    uint64_t read;
    bool complete;
};

// The cart as last read: with the conversation, or, where no ticket was opened, with the letter's own progress.
static bool cart_of(const struct lane *lane, const struct pending *pending, uint64_t *cents, struct arena *arena)
{
    if (lane && lane->context.cart_valid) {
        *cents = lane->context.cart_cents;
        return true;
    }
    struct found found;
    if (!pending->found.size ||
        record_decode(RECORD_found, pending->found.data, pending->found.size, &found, arena) != RECORD_OK ||
        !found.context.cart_valid)
        return false;
    *cents = found.context.cart_cents;
    return true;
}

static json_t *group_of(struct census_of_dead *all, const char *cause)
{
    json_t *group = json_object_get(all->causes, cause);
    if (group)
        return group;
    if (json_object_size(all->causes) >= MOST_CAUSES)
        cause = other_causes;
    group = json_object_get(all->causes, cause);
    if (!group) {
        group = json_pack("{s:s, s:i, s:I, s:I, s:I, s:{}}", "cause", cause, "count", 0, "oldest_ms", (json_int_t)0,
                          "newest_ms", (json_int_t)0, "cart_cents", (json_int_t)0, "conversations");
        json_object_set_new(all->causes, cause, group);
    }
    return group;
}

static void increase(json_t *object, const char *key, json_int_t by)
{
    json_object_set_new(object, key, json_integer(json_integer_value(json_object_get(object, key)) + by));
}

static json_t *conversation_in(struct census_of_dead *all, json_t *group, const struct pending *pending,
                               struct arena *arena)
{
    const char *id = control_conversation_of(all->self, &pending->event, arena);
    json_t *conversations = json_object_get(group, "conversations");
    json_t *row = json_object_get(conversations, id);
    if (row)
        return row;
    struct lane lane;
    uint64_t cents = 0;
    bool known = control_lane(all->self, id, &lane, arena);
    bool cart = cart_of(known ? &lane : NULL, pending, &cents, arena);
    row = json_pack("{s:s, s:I, s:s, s:o, s:i, s:[], s:[]}", "conversation", id, "ticket",
                    (json_int_t)(known && lane.ticket_id ? lane.ticket_id : pending->event.ticket_id), "user",
                    known && *lane.user ? lane.user : pending->event.user, "cart_cents",
                    cart ? json_integer((json_int_t)cents) : json_null(), "letters", 0, "sequences", "numbers");
    json_object_set_new(conversations, id, row);
    if (cart)
        increase(group, "cart_cents", (json_int_t)cents);
    return row;
}

static bool count_letter(void *arg, uint64_t seq, const struct dead *dead)
{
    struct census_of_dead *all = arg;
    if (all->read++ == MOST_READ) {
        all->complete = false;
        return false;
    }
    struct arena *arena = arena_new();
    json_t *group = group_of(all, dead->cause);
    json_int_t oldest = json_integer_value(json_object_get(group, "oldest_ms"));
    json_int_t newest = json_integer_value(json_object_get(group, "newest_ms"));
    json_int_t died = (json_int_t)dead->time_ms;
    increase(group, "count", 1);
    if (!oldest || died < oldest)
        json_object_set_new(group, "oldest_ms", json_integer(died));
    if (died > newest)
        json_object_set_new(group, "newest_ms", json_integer(died));
    json_t *row = conversation_in(all, group, &dead->pending, arena);
    increase(row, "letters", 1);
    json_t *sequences = json_object_get(row, "sequences");
    if (json_array_size(sequences) < MOST_SEQUENCES) {
        // As text, too: they may be larger than what JavaScript and jq keep exactly.
        json_array_append_new(sequences, json_integer((json_int_t)seq));
        json_array_append_new(json_object_get(row, "numbers"), json_sprintf("%" PRIu64, seq));
    }
    arena_free(&arena);
    return true;
}

static int dearest_first(const void *a, const void *b)
{
    json_int_t left = json_integer_value(json_object_get(*(json_t *const *)a, "cart_cents"));
    json_int_t right = json_integer_value(json_object_get(*(json_t *const *)b, "cart_cents"));
    return (left < right) - (left > right);
}

// The group's conversations by cart value, the first of them by name.
static void finish_group(json_t *group, struct arena *arena)
{
    json_t *all = json_incref(json_object_get(group, "conversations"));
    size_t count = json_object_size(all);
    json_t **rows = arena_alloc(arena, (count + 1) * sizeof(json_t *));
    json_t *list = json_array();
    const char *id;
    json_t *row;
    size_t i = 0;
    json_object_foreach(all, id, row) rows[i++] = row;
    qsort(rows, count, sizeof *rows, dearest_first);
    for (i = 0; i < count && i < MOST_CONVERSATIONS; i++)
        json_array_append(list, rows[i]);
    json_object_set_new(group, "affected", json_integer((json_int_t)count));
    json_object_set_new(group, "conversations", list);
    json_decref(all);
}

json_t *control_dead_list(struct dispatcher *self, struct control_call *call)
{
    struct census_of_dead all = {self, json_object(), 0, true};
    if (ledger_each_dead(self->options.ledger, count_letter, &all) != LEDGER_OK) {
        json_decref(all.causes);
        return control_refuse(call, "The ledger cannot be read; the log says more.");
    }
    json_t *list = json_array();
    const char *cause;
    json_t *group;
    json_object_foreach(all.causes, cause, group)
    {
        finish_group(group, call->arena);
        json_array_append(list, group);
    }
    json_decref(all.causes);
    return json_pack("{s:I, s:b, s:o}", "dead", (json_int_t)self->dead, "complete", (int)all.complete, "groups", list);
}

json_t *control_dead_show(struct dispatcher *self, struct control_call *call)
{
    uint64_t seq = 0;
    struct dead dead;
    if (!control_number(call->arguments[0], &seq))
        return control_refuse(call, "\"%.40s\" is not the number of a dead letter.", call->arguments[0]);
    enum ledger_result result = ledger_dead(self->options.ledger, seq, &dead, call->arena);
    if (result != LEDGER_OK)
        return control_refuse(call,
                              result == LEDGER_ABSENT ? "There is no dead letter %s."
                                                      : "The dead letter %s cannot be read; the log says more.",
                              call->arguments[0]);
    const struct pending *pending = &dead.pending;
    json_t *letter = control_letter(self, seq, &dead, call->arena);
    struct lane lane;
    const char *conversation = control_conversation_of(self, &pending->event, call->arena);
    bool known = control_lane(self, conversation, &lane, call->arena);
    uint64_t cents = 0;
    bool cart = cart_of(known ? &lane : NULL, pending, &cents, call->arena);
    json_object_set_new(letter, "cart_cents", cart ? json_integer((json_int_t)cents) : json_null());
    json_object_set_new(letter, "attempts", json_integer((json_int_t)pending->attempts));
    json_object_set_new(letter, "deaths", json_integer((json_int_t)pending->deaths));
    json_object_set_new(letter, "channel", json_string(pending->event.channel));
    json_object_set_new(letter, "actor", json_string(pending->event.actor));
    json_object_set_new(letter, "parts", json_integer((json_int_t)pending->event.parts.count));
    struct found found;
    if (pending->event.kind == EVENT_HINT && pending->found.size &&
        record_decode(RECORD_found, pending->found.data, pending->found.size, &found, call->arena) == RECORD_OK &&
        found.entries.count) {
        json_object_set_new(letter, "entry", json_string(found.entries.items[0].id));
        json_object_set_new(letter, "entry_ms", json_integer((json_int_t)found.entries.items[0].time_ms));
    }
    return letter;
}
