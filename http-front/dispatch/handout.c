// SPDX-License-Identifier: Apache-2.0
// From a lane's choice to a job at a worker. Dispatcher's thread. A write is claimed on disk before it leaves this
// process, so that whoever comes after a crash knows that it may have happened.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/admin/health.h"
#include "http-front/dispatch/state.h"
#include "proto/clock.h"
#include "proto/log.h"
#include "proto/seam.h"

// A note is composed of at most this much; what is beyond waits for the next note.
enum { NOTE_MAX_MESSAGES = 100, NOTE_MAX_BYTES = 48 * 1024, UNREADABLE_RETRY_MS = 1000, OTHER_CALL_MS = 300 };

static size_t event_bytes(const struct event *event)
{
    size_t bytes = 0;
    for (size_t i = 0; i < event->parts.count; i++)
        bytes += strlen(event->parts.items[i].text) + strlen(event->parts.items[i].url) +
                 strlen(event->parts.items[i].label) + 64;
    return bytes;
}

// Loads the events of an item that already has its members, or gathers them now. The first event is loaded already.
static bool load_events(struct dispatcher *self, struct side *side, struct item *item, bool gather, struct out *out)
{
    struct event *events = out->job.events.items;
    size_t count = 1;
    for (size_t i = 0; i < item->member_count; i++) {
        struct item member = {.seq = item->members[i], .stored = true};
        if (!record_event(self, side, &member, &events[count++], out->arena))
            return false;
    }
    if (gather) {
        struct item *others[NOTE_MAX_MESSAGES - 1];
        size_t most = lanes_gather(side, item, others, NOTE_MAX_MESSAGES - 1);
        uint64_t members[NOTE_MAX_MESSAGES - 1];
        size_t taken = 0;
        size_t bytes = event_bytes(&events[0]);
        for (size_t i = 0; i < most; i++) {
            if (!record_event(self, side, others[i], &events[count], out->arena))
                return false;
            bytes += event_bytes(&events[count]);
            if (bytes > NOTE_MAX_BYTES)
                break;
            members[taken++] = others[i]->seq;
            count++;
        }
        // From here on they are part of this item; their own pending records stay until it is finished.
        lanes_item_set_members(item, members, taken);
        for (size_t i = 0; i < taken; i++)
            schedule_drop(self, side, others[i]);
    }
    out->job.events.count = count;
    return true;
}

static void put_back(struct dispatcher *self, struct side *side, struct out **out)
{
    gates_return(self->gates, &(*out)->pass, false, (uint64_t)clock_mono_ms());
    side->out = NULL;
    side->state = LANE_IDLE;
    jobs_remove(self->jobs, out);
}

static void send_out(struct dispatcher *self, struct out *out)
{
    struct item *item = out->item;
    uint64_t now = (uint64_t)clock_mono_ms();
    out->begun_mono_ms = now;
    latency_enter(item, item->doubt ? METRICS_STAGE_SETTLE : METRICS_STAGE_WORKER);
    if (steps_info(out->step)->kind == STEP_WRITE) {
        item->doubt_since_mono_ms = now;
        item->unsent = false;
    }
    out->job.age_ms = now > item->arrived_mono_ms ? now - item->arrived_mono_ms : 0;
    out->side->state = LANE_OUT;
    if (item->kind == EVENT_HINT && (out->step == STEP_LIST_ENTRIES || out->step == STEP_READ_TICKET) &&
        !out->job.found.size)
        item->hint_listed = item->hint_count;
    links_send_job(self->links, out->link, &out->job);
    out->link_seq = out->job.link_seq;
    metrics_count_handed_out(out->step);
}

// An agent's message that Deskbell itself posted: its id went to disk with the report of the post.
static bool is_echo(struct dispatcher *self, const struct item *item, const struct event *event)
{
    struct seen seen;
    bool begun = (item->claimed || item->doubt) && !item->look_first;
    return item->kind == EVENT_AGENT_MESSAGE && !begun && *event->key &&
           ledger_seen(self->options.ledger, event->key, &seen) == LEDGER_OK && seen.outcome == SEEN_OURS;
}

// The record of a new conversation knows only its id; the first event names the rest. To disk with the next change.
static void learn_names(struct conversation *conversation, struct lane *lane, const struct event *event)
{
    if (*lane->user || !*event->user)
        return;
    lane->user = event->user;
    lane->conversation_twin = event->conversation_twin;
    lane->channel = event->channel;
    lanes_set_record(conversation, lane);
}

// Before a ticket is opened for a call: somebody who dials again must not get a second one. False: it waits for the
// other call's ticket, or for its own turn to join that.
static bool call_may_go(struct dispatcher *self, struct item *item, const struct event *event, enum step step,
                        uint64_t ticket_id, struct arena *arena)
{
    bool looks = step == STEP_LOOK_CALL_TICKET;
    if (step != STEP_CREATE_CALL_TICKET && !looks)
        return true;
    struct lane live;
    if (!looks && !item->claimed && !ticket_id && callers_live(self, event, &live, arena)) {
        item->step = STEP_JOIN_CALL;
        lanes_set_bytes(&item->found, NULL, 0);
        return false;
    }
    if (callers_begin(self, item, event->phone) || looks || item->claimed)
        return true;
    item->not_before_mono_ms = (uint64_t)clock_mono_ms() + OTHER_CALL_MS;
    return false;
}

// The steps that choose a call's ticket.
static void name_live(struct dispatcher *self, const struct event *event, struct job *job, struct arena *arena)
{
    struct lane live;
    bool chooses = job->step == STEP_JOIN_CALL || job->step == STEP_READ_LIVE || job->step == STEP_READ_CALL ||
                   job->step == STEP_FIND_CALLER || job->step == STEP_FIND_TICKET;
    if (!chooses || job->lane.ticket_id || !callers_live(self, event, &live, arena))
        return;
    job->live_ticket = live.ticket_id;
    job->live_requester = live.requester_id;
    job->live_conversation = live.conversation;
}

void handout_stamp(struct item *item, enum step write)
{
    item->claimed_ms = (uint64_t)clock_wall_ms();
    item->claimed_there_ms = health_now_ms(steps_upstream_name(steps_info(write)->upstream));
}

enum handout handout_begin(struct dispatcher *self, struct side *side, const struct lane_choice *choice)
{
    bool opens = choice->step == STEP_CREATE_TICKET || choice->step == STEP_LOOK_TICKET;
    struct item *item = opens ? lanes_first_said(side, choice->item) : choice->item;
    const struct step_info *info = steps_info(choice->step);
    struct conversation *conversation = side->conversation;
    uint64_t now = (uint64_t)clock_mono_ms();

    struct arena *arena = arena_new();
    struct event *events = arena_alloc(arena, (NOTE_MAX_MESSAGES + item->member_count) * sizeof *events);
    if (!record_event(self, side, item, &events[0], arena)) {
        arena_free(&arena);
        item->not_before_mono_ms = now + UNREADABLE_RETRY_MS;
        return HANDOUT_LATER;
    }
    if (is_echo(self, item, &events[0])) {
        arena_free(&arena);
        handout_finish(self, side, item, METRIC_EVENTS_DONE_ECHO);
        return HANDOUT_LATER;
    }
    if (!call_may_go(self, item, &events[0], choice->step, conversation->ticket_id, arena) ||
        !sections_begin(self, side, item, choice->step)) {
        arena_free(&arena);
        return HANDOUT_LATER;
    }
    bool alone = item->deaths > 0 && !steps_is_poll(item->kind); // for polls nobody is kept free
    struct link *link = links_pick(self->links, alone);
    if (!link) {
        arena_free(&arena);
        return HANDOUT_NO_WORKER;
    }

    // A claim that never left this process keeps its number: the disk names it already.
    uint64_t job_id = item->claimed && item->unsent ? item->job_id : ledger_next(self->options.ledger);
    struct out *out = jobs_add(self->jobs, job_id, side, item, NULL);
    out->arena = arena;
    out->step = (uint8_t)choice->step;
    out->alone = alone;
    out->job.events.items = events;
    side->out = out;
    side->state = LANE_OUT;
    side->active = item;
    bool is_write = observe_writes(self, choice->step);
    if (!load_events(self, side, item,
                     choice->step == STEP_APPEND_NOTE && !item->claimed && !item->member_count &&
                         item->step == STEP_NONE && item->attempts == 0 && item->deaths == 0,
                     out)) {
        put_back(self, side, &out);
        item->not_before_mono_ms = now + UNREADABLE_RETRY_MS;
        return HANDOUT_LATER;
    }
    jobs_move(out, link);
    out->pass = gates_take(self->gates, info->upstream, gates_queue(info), now);

    bool is_look = steps_looked_for(choice->step) != STEP_NONE;
    if (!is_look)
        item->step = (uint8_t)choice->step;
    else if (!item->doubt)
        restore_doubt(self, conversation, item, steps_looked_for(choice->step));
    if (is_look && !item->look.size) // its first page; what comes into that later is not seen by the others
        item->looked_out = now >= item->doubt_since_mono_ms + self->rules.settle_ms;
    out->settled_look = is_look && item->looked_out;
    const struct record_buffer *found = is_look && item->look.size ? &item->look : &item->found;
    out->job.job_id = job_id;
    out->job.step = choice->step;
    out->job.attempt = item->attempts;
    out->job.since_ms = item->claimed_ms;
    out->job.since_there_ms = item->claimed_there_ms;
    out->job.observe = self->observing;
    // The ticket may have been opened with another message than this one.
    bool opened_before = (self->rules.restored && choice->step == STEP_LOOK_CALL_TICKET) ||
                         (choice->step == STEP_LOOK_TICKET && (self->rules.restored || conversation->doubt_ms));
    out->job.restored = item->look_first || opened_before;
    out->job.lane = lanes_record(conversation, arena);
    out->job.found.size = found->size;
    if (found->size)
        out->job.found.data = memcpy(arena_alloc(arena, found->size), found->data, found->size);
    name_live(self, &events[0], &out->job, arena);
    learn_names(conversation, &out->job.lane, &events[0]);

    if (!is_write || (item->claimed && item->unsent)) {
        send_out(self, out);
        return HANDOUT_DONE;
    }
    item->claimed = true;
    item->unsent = true;
    item->job_id = job_id;
    if (!item->claimed_ms)
        handout_stamp(item, choice->step);
    out->job.since_ms = item->claimed_ms;
    out->job.since_there_ms = item->claimed_there_ms;
    item->stored = true;
    struct ledger_batch *batch = ledger_batch_new();
    record_pending(batch, item, &events[0]);
    side->state = LANE_CLAIMING;
    latency_enter(item, METRICS_STAGE_LEDGER);
    struct token token = {.kind = TOKEN_CLAIM, .out = out};
    record_submit(self, batch, &token, 0, 0);
    return HANDOUT_DONE;
}

// Nobody will send it any more: the disk is told that it never was, so the next front need not look for it.
static void take_back(struct dispatcher *self, const struct side *side, struct item *item)
{
    struct arena *arena = arena_new();
    struct event event;
    item->claimed = item->unsent = false;
    item->job_id = 0;
    if (record_event(self, side, item, &event, arena)) {
        struct ledger_batch *batch = ledger_batch_new();
        struct token token = {.kind = TOKEN_LATE}; // nobody to ack
        record_pending(batch, item, &event);
        record_submit(self, batch, &token, 0, 0);
    }
    arena_free(&arena);
}

void handout_claimed(struct dispatcher *self, struct out *out)
{
    struct side *side = out->side;
    struct item *item = out->item;
    if (!out->link || out->link->leaving || self->draining) {
        // Its worker died or leaves, or we are leaving: the claim stands on disk and has not left this process.
        put_back(self, side, &out);
        if (self->draining)
            take_back(self, side, item);
        else
            schedule_consider(self, side);
        return;
    }
    seam_kill(SEAM_CLAIMED, steps_name(out->step));
    send_out(self, out);
}

void handout_finish(struct dispatcher *self, struct side *side, struct item *item, enum metric why)
{
    struct ledger_batch *batch = ledger_batch_new();
    if (item->stored)
        ledger_delete_pending(batch, item->seq);
    side->active = item;
    side->state = LANE_WRITING;
    struct token token = {.kind = TOKEN_FINISH, .side = side, .item = item, .why = why};
    record_submit(self, batch, &token, item->kind == EVENT_HINT ? item->ticket_id : 0, item->hint_count);
}
