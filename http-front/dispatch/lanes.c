// SPDX-License-Identifier: Apache-2.0
// Order and choice inside a conversation's two lanes. Runs in the dispatcher's thread; touches nothing but its
// arguments.
#include "http-front/dispatch/lanes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { READ_CALL_MOST_MS = 60 * 1000 }; // while its gate is shut

static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

struct conversation *lanes_conversation_new(const char *id, const struct lane *record)
{
    struct conversation *self = must(calloc(1, sizeof *self));
    self->id = must(strdup(id));
    for (int i = 0; i < SIDES; i++) {
        self->sides[i].conversation = self;
        self->sides[i].which = (uint8_t)i;
    }
    const struct lane blank = {.conversation = id};
    lanes_set_record(self, record ? record : &blank);
    return self;
}

void lanes_conversation_free(struct conversation **self)
{
    struct conversation *old = *self;
    if (!old)
        return;
    for (int i = 0; i < SIDES; i++)
        while (old->sides[i].head) {
            struct item *item = old->sides[i].head;
            old->sides[i].head = item->next;
            lanes_item_free(&item);
        }
    free(old->packed);
    free(old->id);
    free(old);
    *self = NULL;
}

void lanes_set_record(struct conversation *self, const struct lane *record)
{
    struct record_buffer bytes;
    if (!record_encode(RECORD_lane, record, &bytes))
        abort(); // whoever changes a lane keeps to its bounds
    free(self->packed);
    self->packed = bytes.data;
    self->packed_size = bytes.size;
    self->ticket_id = record->ticket_id;
    self->would_have_ticket = record->opened_ms && !record->ticket_id;
    self->doubt_ms = record->doubt_ms;
}

struct lane lanes_record(const struct conversation *self, struct arena *arena)
{
    struct lane record;
    if (record_decode(RECORD_lane, self->packed, self->packed_size, &record, arena) != RECORD_OK)
        abort();
    return record;
}

bool lanes_is_own(const char *id)
{
    return strncmp(id, "poll:", 5) == 0 || strncmp(id, "ticket:", 7) == 0 || lanes_is_call(id);
}

bool lanes_is_call(const char *id)
{
    return strncmp(id, "call:", 5) == 0 || strncmp(id, "callback:", 9) == 0;
}

bool lanes_is_idle(const struct conversation *self)
{
    for (int i = 0; i < SIDES; i++)
        if (self->sides[i].head || self->sides[i].state != LANE_IDLE)
            return false;
    return true;
}

struct item *lanes_item_new(uint64_t event_kind, uint64_t seq)
{
    struct item *self = must(calloc(1, sizeof *self));
    self->kind = (uint8_t)event_kind;
    self->seq = seq;
    return self;
}

void lanes_item_free(struct item **self)
{
    if (!*self)
        return;
    record_buffer_free(&(*self)->found);
    record_buffer_free(&(*self)->look);
    free((*self)->members);
    free(*self);
    *self = NULL;
}

void lanes_set_bytes(struct record_buffer *bytes, const uint8_t *data, size_t size)
{
    uint8_t *copy = size ? must(malloc(size)) : NULL;
    if (size)
        memcpy(copy, data, size);
    record_buffer_free(bytes);
    *bytes = (struct record_buffer){copy, size};
}

void lanes_item_set_members(struct item *self, const uint64_t *members, size_t count)
{
    uint64_t *copy = count ? must(malloc(count * sizeof *copy)) : NULL;
    if (count)
        memcpy(copy, members, count * sizeof *copy);
    free(self->members);
    self->members = copy;
    self->member_count = count;
}

static bool goes_before(const struct item *a, const struct item *b)
{
    return a->time_ms != b->time_ms ? a->time_ms < b->time_ms : a->seq < b->seq;
}

void lanes_add(struct side *side, struct item *item)
{
    struct item **at = side->last && !goes_before(item, side->last) ? &side->last->next : &side->head;
    while (*at && !goes_before(item, *at))
        at = &(*at)->next;
    item->next = *at;
    *at = item;
    side->last = item;
    side->count++;
}

void lanes_remove(struct side *side, struct item *item)
{
    struct item **at = &side->head;
    while (*at && *at != item)
        at = &(*at)->next;
    assert(*at == item);
    *at = item->next;
    item->next = NULL;
    side->count--;
    if (side->active == item)
        side->active = NULL;
    if (side->last == item)
        side->last = NULL;
}

struct item *lanes_find(const struct side *side, uint64_t seq)
{
    struct item *item = side->head;
    while (item && item->seq != seq)
        item = item->next;
    return item;
}

struct item *lanes_find_kind(const struct side *side, enum event_kind kind)
{
    struct item *item = side->head;
    while (item && item->kind != kind)
        item = item->next;
    return item;
}

static const struct side *other_side(const struct side *side)
{
    return &side->conversation->sides[side->which == SIDE_DESK ? SIDE_CHAT : SIDE_DESK];
}

bool lanes_undecided(const struct side *side)
{
    // Only one item of a side can be claimed, and that is the active one.
    const struct item *item = side->active;
    return item && (item->claimed || item->doubt);
}

// Rule 4. A mirror must wait while a relay (or an offer) is undecided, whatever step the mirror is at: its event may be
// that relay's echo. A relay may read at any time, but must not post while a mirror is undecided: what it read may be
// that mirror's note.
static bool excluded(const struct side *side, const struct item *item)
{
    const struct side *other = other_side(side);
    if (item->claimed || item->doubt || !lanes_undecided(other))
        return false;
    if (item->kind == EVENT_AGENT_MESSAGE)
        return other->active->kind == EVENT_HINT || other->active->kind == EVENT_OFFER;
    return item->kind == EVENT_HINT && item->step == STEP_POST_MESSAGE && other->active->kind == EVENT_AGENT_MESSAGE;
}

static bool is_passed_over(const struct item *item)
{
    return item->kind == EVENT_CONTEXT || item->kind == EVENT_NOTICE || item->kind == EVENT_OFFER ||
           item->kind == EVENT_KEEP_OPEN || steps_is_poll(item->kind);
}

// Rule 8. What is read and written of the customer's context waits for everything else, between any two of its steps.
bool lanes_gives_way(const struct item *item)
{
    return (item->kind == EVENT_CONTEXT || item->kind == EVENT_REFRESH) && !item->claimed && !item->doubt;
}

bool lanes_out_gives_way(const struct side *side)
{
    const struct step_info *info = side->active ? steps_info(side->active->step) : NULL;
    return side->state == LANE_OUT && info && info->kind == STEP_READ && lanes_gives_way(side->active);
}

static bool is_unbegun(const struct item *item)
{
    return item->kind == EVENT_CUSTOMER_MESSAGE && item->step == STEP_NONE && item->attempts == 0 && item->deaths == 0;
}

static bool joins_note(const struct item *item)
{
    return is_unbegun(item) && !item->look_first; // each is looked for by itself
}

size_t lanes_gather(const struct side *side, const struct item *head, struct item **out, size_t most)
{
    size_t count = 0;
    for (struct item *item = head->next; item && count < most; item = item->next) {
        if (joins_note(item))
            out[count++] = item;
        else if (!is_passed_over(item) && !excluded(side, item))
            break;
    }
    return count;
}

struct item *lanes_first_said(struct side *side, struct item *item)
{
    if (item->claimed || item->doubt || item->kind != EVENT_CUSTOMER_MESSAGE)
        return item;
    struct item *first = side->head;
    while (first != item && !is_unbegun(first))
        first = first->next;
    if (first == item)
        return item;
    // What was found of the customer is the same for both.
    first->found = item->found;
    first->worth_cents = item->worth_cents;
    first->step = item->step;
    item->found = (struct record_buffer){0};
    item->step = STEP_NONE;
    side->active = first;
    return first;
}

// Rule 2: when the note that begins with `head` has gathered enough.
static uint64_t gathered_at(const struct side *side, const struct item *head, const struct lane_rules *rules)
{
    struct item *others[64];
    size_t count = lanes_gather(side, head, others, sizeof others / sizeof *others);
    if (count == sizeof others / sizeof *others)
        return 0;
    uint64_t first = head->arrived_mono_ms;
    uint64_t last = first;
    for (size_t i = 0; i < count; i++) {
        if (others[i]->arrived_mono_ms > last)
            last = others[i]->arrived_mono_ms;
        if (others[i]->arrived_mono_ms < first)
            first = others[i]->arrived_mono_ms;
    }
    uint64_t quiet = last + rules->gather_quiet_ms;
    uint64_t most = first + rules->gather_max_ms;
    return quiet < most ? quiet : most;
}

static struct lane_choice ready(struct item *item, enum step step, uint64_t wake)
{
    return (struct lane_choice){LANE_READY, item, step, wake};
}

static void sooner(uint64_t *wake, uint64_t at)
{
    if (*wake == 0 || at < *wake)
        *wake = at;
}

// Rule 7: a write that may have happened since the backup that the ledger was restored from is looked for first. So is
// a ticket that an earlier message, or an earlier event of the call, may have opened, whose dead letter left that open.
static struct lane_choice write_or_look(const struct side *side, struct item *item, enum step step,
                                        const struct lane_rules *rules, uint64_t wake)
{
    const struct step_info *info = steps_info(step);
    bool opens = step == STEP_CREATE_TICKET || step == STEP_CREATE_CALL_TICKET;
    bool may_be_there = item->look_first || (rules->restored && (opens || step == STEP_CHANGE_NOTE)) ||
                        (side->conversation->doubt_ms && opens);
    if (info->kind == STEP_WRITE && may_be_there && !item->looked && !item->claimed)
        step = info->look;
    return ready(item, step, wake);
}

// A ticket that would have been opened is enough for what would be written there, not for what is read of it.
static bool has_a_ticket(const struct side *side, const struct item *item, const struct lane_rules *rules)
{
    const struct conversation *conversation = side->conversation;
    bool would_be_written = item->kind == EVENT_CUSTOMER_MESSAGE || item->kind == EVENT_AGENT_MESSAGE ||
                            item->kind == EVENT_NOTICE || item->kind == EVENT_RESOLVED || item->kind == EVENT_REOPENED;
    return conversation->ticket_id || (rules->observing && conversation->would_have_ticket && would_be_written);
}

static struct lane_choice go(const struct side *side, struct item *item, const struct lane_rules *rules, uint64_t now)
{
    bool has_ticket = has_a_ticket(side, item, rules);
    enum step step = item->step != STEP_NONE ? (enum step)item->step : steps_entry(item->kind, has_ticket);
    const struct step_info *info = steps_info(step);
    assert(info);
    if (item->doubt)
        return ready(item, info->look, 0);
    if (info->impatient) {
        uint64_t until = item->arrived_mono_ms + rules->context_wait_ms;
        return now >= until ? write_or_look(side, item, info->otherwise, rules, 0) : ready(item, step, until);
    }
    if (step == STEP_READ_CALL) { // a call is known well enough: its ticket does not wait for Freshcaller to come back
        uint64_t due =
            item->not_before_mono_ms > item->arrived_mono_ms ? item->not_before_mono_ms : item->arrived_mono_ms;
        uint64_t until = due + READ_CALL_MOST_MS;
        return now >= until ? ready(item, STEP_FIND_CALLER, 0) : ready(item, step, until);
    }
    return write_or_look(side, item, step, rules, 0);
}

// Rule 2: that a chat was resolved may be told sooner than the message it answers.
static bool divides(const struct item *item)
{
    return (item->kind == EVENT_RESOLVED || item->kind == EVENT_REOPENED) && item->step == STEP_NONE;
}

struct lane_choice lanes_next(const struct side *side, const struct lane_rules *rules, uint64_t now)
{
    assert(side->state == LANE_IDLE || lanes_out_gives_way(side));
    const struct lane_choice nothing = {LANE_NOTHING, NULL, STEP_NONE, 0};
    struct item *active = side->active;
    if (active && !lanes_gives_way(active)) {
        if (active->not_before_mono_ms > now)
            return (struct lane_choice){LANE_LATER, active, STEP_NONE, active->not_before_mono_ms};
        return excluded(side, active) ? nothing : go(side, active, rules, now);
    }
    struct item *patient = NULL; // goes when nothing else could
    uint64_t wake = 0;
    for (struct item *item = side->head; item; item = item->next) {
        if (item->not_before_mono_ms > now) {
            sooner(&wake, item->not_before_mono_ms);
            if (is_passed_over(item))
                continue;
            return (struct lane_choice){LANE_LATER, NULL, STEP_NONE, wake};
        }
        bool has_ticket = has_a_ticket(side, item, rules);
        if (steps_entry(item->kind, has_ticket) == STEP_NONE) {
            uint64_t until = item->arrived_mono_ms + rules->ticket_wait_ms;
            bool comes = !steps_is_poll(item->kind) && lanes_find_kind(side, EVENT_CUSTOMER_MESSAGE);
            if (now >= until && comes)
                continue; // however long the helpdesk is away: the ticket is still to be opened
            if (now >= until)
                return (struct lane_choice){LANE_EXPIRED, item, STEP_NONE, 0};
            sooner(&wake, until);
            continue;
        }
        if (excluded(side, item))
            continue;
        if (lanes_gives_way(item)) {
            patient = patient ? patient : item;
            continue;
        }
        if (has_ticket && joins_note(item)) {
            uint64_t at = gathered_at(side, item, rules);
            if (now < at) {
                sooner(&wake, at);
                return (struct lane_choice){LANE_LATER, NULL, STEP_NONE, wake};
            }
        }
        if (divides(item) && now < item->arrived_mono_ms + rules->gather_max_ms) {
            sooner(&wake, item->arrived_mono_ms + rules->gather_max_ms);
            return (struct lane_choice){LANE_LATER, NULL, STEP_NONE, wake};
        }
        return go(side, item, rules, now);
    }
    if (patient) {
        struct lane_choice choice = go(side, patient, rules, now);
        if (!choice.wake_mono_ms || (wake && wake < choice.wake_mono_ms))
            choice.wake_mono_ms = wake; // it may wait for its budget longer than another for its time
        return choice;
    }
    return wake ? (struct lane_choice){LANE_LATER, NULL, STEP_NONE, wake} : nothing;
}
