// SPDX-License-Identifier: Apache-2.0
// `deskbellctl dead retry|drop`. A retry truly sends again: the letter's event becomes waiting work under a new number,
// in the batch that takes the letter away, and joins its lane when that is on disk. What may have happened is looked
// for first, as ever. One request takes a bounded number of letters; deskbellctl asks again while there are more.
// Dispatcher's thread.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/dispatch/control_commands.h"
#include "proto/clock.h"
#include "proto/log.h"

enum { MOST_AT_ONCE = 200, MOST_READ = 20000, MOST_BATCH_BYTES = 8 * 1024 * 1024 };

struct revived {
    struct item *item;
    char *conversation;
};

struct selection {
    struct dispatcher *self;
    struct control_call *call;
    const char *cause; // letters whose cause contains it; NULL: all
    uint64_t before;   // letters with lower numbers only: what dies again meanwhile is not taken again
    bool retry, dry_run;
    uint64_t matched, read;
    bool more;
    json_t *letters;
    struct revived items[MOST_AT_ONCE];
    size_t count;
    uint64_t notes[MOST_AT_ONCE]; // first letters of those that were taken whole
    size_t note_count;
    uint64_t rows; // letters that the batch takes away
};

// What becomes of the letters once the batch is on disk.
struct effect {
    struct revived *items;
    size_t count;
    uint64_t letters;
};

// ---- from letter to item --------------------------------------------------------------------------------------------

// A reply that was given up on while it was posted goes on with itself: list reads pass it, for it counts as delivered.
// Everything else that is not in doubt begins anew, so that it finds what changed since: a ticket, an agent, a field.
static bool keeps_progress(const struct pending *pending, bool doubt)
{
    return doubt ||
           (pending->event.kind == EVENT_HINT && pending->step == STEP_POST_MESSAGE && pending->found.size > 0);
}

// A message that may have opened a ticket, in a conversation whose ticket a later message opened since: its look would
// take that one for its own, and what it says would be in neither. It is appended like any other.
static bool was_overtaken(struct dispatcher *self, const struct pending *dead)
{
    if (dead->step != STEP_CREATE_TICKET)
        return false;
    struct arena *arena = arena_new();
    struct lane lane;
    struct found found = {.closed_ticket = ""};
    bool overtaken = control_lane(self, dead->event.conversation, &lane, arena) && lane.ticket_id && !lane.rebuilt_ms &&
                     (!dead->found.size ||
                      record_decode(RECORD_found, dead->found.data, dead->found.size, &found, arena) != RECORD_OK ||
                      !*found.closed_ticket); // the ticket that it was to follow is no later one
    arena_free(&arena);
    return overtaken;
}

static struct pending reborn(struct dispatcher *self, const struct pending *dead)
{
    const struct step_info *info = steps_info(dead->step);
    bool doubt = (dead->claimed || dead->doubt) && info && info->kind == STEP_WRITE && !was_overtaken(self, dead);
    struct pending pending = {.seq = ledger_next(self->options.ledger), .event = dead->event};
    if (keeps_progress(dead, doubt)) {
        pending.step = dead->step;
        pending.found = dead->found;
    }
    pending.claimed = pending.doubt = doubt;
    pending.claimed_ms = doubt ? dead->claimed_ms : 0;
    pending.claimed_there_ms = doubt ? dead->claimed_there_ms : 0;
    // What killed workers runs alone still. A hint's counter never is 0: the row stays until a list read began with it.
    pending.deaths = dead->deaths ? 1 : 0;
    return pending;
}

static struct item *item_of(const struct pending *pending)
{
    struct item *item = lanes_item_new(pending->event.kind, pending->seq);
    item->time_ms = pending->event.time_ms;
    item->accepted_ms = pending->event.accepted_ms;
    item->request = pending->event.request;
    item->ticket_id = pending->event.ticket_id;
    item->step = (uint8_t)pending->step;
    item->claimed = item->doubt = pending->claimed;
    item->claimed_ms = pending->claimed_ms;
    item->claimed_there_ms = pending->claimed_there_ms;
    item->deaths = (uint8_t)pending->deaths;
    item->stored = true;
    lanes_set_bytes(&item->found, pending->found.data, pending->found.size);
    lanes_item_set_members(item, pending->members.items, pending->members.count);
    return item;
}

static void free_revived(struct revived *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lanes_item_free(&items[i].item);
        free(items[i].conversation);
    }
}

static void effect_free(struct effect *effect)
{
    free_revived(effect->items, effect->count);
    free(effect->items);
    free(effect);
}

// The batch is on disk: the items join their lanes.
static void take_effect(struct dispatcher *self, void *what, bool ok)
{
    struct effect *effect = what;
    if (ok) {
        self->dead -= effect->letters < self->dead ? effect->letters : self->dead;
        for (size_t i = 0; i < effect->count; i++) {
            struct conversation *conversation = schedule_open(self, effect->items[i].conversation);
            struct item *item = effect->items[i].item;
            if (!conversation)
                continue; // logged; the item is on disk and is found at the next start
            effect->items[i].item = NULL;
            item->arrived_mono_ms = item->doubt_since_mono_ms = (uint64_t)clock_mono_ms();
            schedule_add(self, conversation, item);
        }
    }
    effect_free(effect);
}

// ---- the letters ----------------------------------------------------------------------------------------------------

static void take_away(struct selection *selection, uint64_t seq, const struct dead *dead, struct arena *arena)
{
    struct dispatcher *self = selection->self;
    const char *conversation = control_conversation_of(self, &dead->pending.event, arena);
    struct lane lane = {0};
    bool known = control_lane(self, conversation, &lane, arena);
    struct ledger_batch *batch = selection->call->batch;
    log_info(selection->retry ? "dead_letter_retried" : "dead_letter_dropped",
             "sequence=%" PRIu64 " conversation=%s step=%s", seq, conversation, steps_name(dead->pending.step));
    ledger_delete_dead(batch, seq);
    control_tell(self, batch, conversation, selection->retry ? "dead letter retried" : "dead letter dropped",
                 known ? lane.ticket_id : 0);
    selection->rows++;
}

static void bring_back(struct selection *selection, const struct pending *pending)
{
    struct revived *revived = &selection->items[selection->count++];
    ledger_put_pending(selection->call->batch, pending);
    revived->item = item_of(pending);
    revived->conversation = strdup(pending->event.conversation);
    if (!revived->conversation)
        abort();
}

// A note in doubt comes back whole, or its look would not know it again. False when it is not whole any more: then each
// message is looked for by itself.
static bool take_note(struct selection *selection, uint64_t first, struct arena *arena)
{
    struct ledger *ledger = selection->self->options.ledger;
    struct dead head;
    for (size_t i = 0; i < selection->note_count; i++)
        if (selection->notes[i] == first)
            return true; // by another of its letters
    if (ledger_dead(ledger, first, &head, arena) != LEDGER_OK)
        return false;
    size_t count = head.pending.members.count;
    struct dead *others = arena_alloc(arena, (count + 1) * sizeof *others);
    uint64_t *members = arena_alloc(arena, (count + 1) * sizeof *members);
    for (size_t i = 0; i < count; i++)
        if (ledger_dead(ledger, head.pending.members.items[i], &others[i], arena) != LEDGER_OK)
            return false;
    for (size_t i = 0; i < count; i++) {
        struct pending member = {.seq = members[i] = ledger_next(ledger), .event = others[i].pending.event};
        take_away(selection, head.pending.members.items[i], &others[i], arena);
        ledger_put_pending(selection->call->batch, &member);
    }
    take_away(selection, first, &head, arena);
    struct pending note = reborn(selection->self, &head.pending);
    note.members = (struct u64s){members, count};
    bring_back(selection, &note);
    selection->notes[selection->note_count++] = first;
    return true;
}

static void take(struct selection *selection, uint64_t seq, const struct dead *dead, struct arena *arena)
{
    if (selection->retry && dead->pending.doubt && dead->pending.job_id &&
        take_note(selection, dead->pending.job_id, arena))
        return;
    take_away(selection, seq, dead, arena);
    if (!selection->retry)
        return;
    struct pending pending = reborn(selection->self, &dead->pending);
    bring_back(selection, &pending);
}

static bool consider(void *arg, uint64_t seq, const struct dead *dead)
{
    struct selection *selection = arg;
    if (seq >= selection->before)
        return false;
    if (selection->read++ == MOST_READ) {
        selection->more = true;
        return false;
    }
    if (selection->cause && !strstr(dead->cause, selection->cause))
        return true;
    bool full = selection->matched >= MOST_AT_ONCE ||
                (!selection->dry_run && ledger_batch_bytes(selection->call->batch) >= MOST_BATCH_BYTES);
    if (full && !selection->dry_run) {
        selection->more = true;
        return false;
    }
    selection->matched++;
    if (full)
        return true; // a dry run counts on
    struct arena *arena = arena_new();
    json_array_append_new(selection->letters, control_letter(selection->self, seq, dead, arena));
    if (!selection->dry_run)
        take(selection, seq, dead, arena);
    arena_free(&arena);
    return true;
}

// One letter by its number. False with a sentence.
static bool choose_one(struct selection *selection, const char *text)
{
    uint64_t seq = 0;
    struct dead dead;
    struct control_call *call = selection->call;
    if (!control_number(text, &seq)) {
        control_refuse(call, "\"%.40s\" is not the number of a dead letter.", text);
        return false;
    }
    enum ledger_result result = ledger_dead(selection->self->options.ledger, seq, &dead, call->arena);
    if (result != LEDGER_OK) {
        control_refuse(call,
                       result == LEDGER_ABSENT ? "There is no dead letter %s."
                                               : "The dead letter %s cannot be read; the log says more.",
                       text);
        return false;
    }
    selection->before = UINT64_MAX;
    consider(selection, seq, &dead);
    return true;
}

static bool choose_many(struct selection *selection, const char *kind, const char *value)
{
    struct control_call *call = selection->call;
    if (strcmp(kind, "cause") == 0 && *value) {
        selection->cause = value;
    } else if (strcmp(kind, "all") != 0) {
        control_refuse(call, "Name one letter by its number, a part of a cause, or all.");
        return false;
    }
    if (!control_number(call->arguments[3], &selection->before)) {
        control_refuse(call, "\"%.40s\" is no number.", call->arguments[3]);
        return false;
    }
    if (!selection->before)
        selection->before = ledger_next(selection->self->options.ledger);
    // What cannot be read is logged and stays where it is; the rest can be helped.
    (void)ledger_each_dead(selection->self->options.ledger, consider, selection);
    return true;
}

static void hand_over(struct selection *selection)
{
    struct effect *effect = calloc(1, sizeof *effect);
    struct revived *items = calloc(selection->count + 1, sizeof *items);
    if (!effect || !items)
        abort();
    memcpy(items, selection->items, selection->count * sizeof *items);
    *effect = (struct effect){items, selection->count, selection->rows};
    selection->call->then = take_effect;
    selection->call->what = effect;
}

static json_t *change_letters(struct dispatcher *self, struct control_call *call, bool retry)
{
    struct selection *selection = calloc(1, sizeof *selection);
    if (!selection)
        abort();
    selection->self = self;
    selection->call = call;
    selection->retry = retry;
    selection->dry_run = strcmp(call->arguments[2], "dry-run") == 0;
    selection->letters = json_array();
    json_t *answer = NULL;
    if (*call->arguments[2] && !selection->dry_run) {
        control_refuse(call, "\"%.40s\" is neither empty nor dry-run.", call->arguments[2]);
        goto end;
    }
    call->batch = ledger_batch_new();
    bool one = strcmp(call->arguments[0], "seq") == 0;
    if (!(one ? choose_one(selection, call->arguments[1])
              : choose_many(selection, call->arguments[0], call->arguments[1])))
        goto end;
    uint64_t letters = selection->dry_run ? selection->matched : selection->rows;
    answer = json_pack("{s:I, s:b, s:b, s:I, s:O}", "letters_matched", (json_int_t)letters, "dry_run",
                       (int)selection->dry_run, "more", (int)selection->more, "before", (json_int_t)selection->before,
                       "letters", selection->letters);
    if (selection->matched && !selection->dry_run)
        hand_over(selection);
end:
    if (!call->then) // nothing is changed
        ledger_batch_free(&call->batch);
    json_decref(selection->letters);
    free(selection);
    return answer;
}

json_t *control_dead_retry(struct dispatcher *self, struct control_call *call)
{
    if (self->observing)
        return control_refuse(call, "In observe mode nothing is written, so a retry would only lose the letter: set "
                                    "mode = \"live\" first.");
    return change_letters(self, call, true);
}

json_t *control_dead_drop(struct dispatcher *self, struct control_call *call)
{
    return change_letters(self, call, false);
}
