// SPDX-License-Identifier: Apache-2.0
// Behind both webhooks stand polls, inside the budget and last in rank: which tickets changed, what was said in the
// conversations that are alive, and which customers have conversations that nobody told of. What a poll finds enters
// exactly like its webhook: a changed ticket raises the same hint, a message goes through the committer under the same
// key. A mark moves only with or after what was found before it. Dispatcher's thread. Polls are never stored: each
// front makes its own.
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/dispatch/state.h"
#include "http-front/intake/normalise_freshcaller.h"
#include "http-front/intake/normalise_freshchat.h"
#include "http-front/intake/request_id.h"
#include "proto/clock.h"
#include "proto/log.h"

static const char desk_lane[] = "poll:freshdesk";
static const char users_lane[] = "poll:freshchat-users";
static const char calls_lane[] = "poll:freshcaller";

enum {
    SECOND_MS = 1000,
    LIVELY_MS = 15 * 60 * 1000,     // so long after the last word a conversation or customer is waited for
    ALIVE_MS = 24 * 60 * 60 * 1000, // after that nobody polls it; its next message begins anew
    REMEMBERED_MS = 7 * ALIVE_MS,   // conversations of the last days are looked at once by each new front
    QUIET_FACTOR = 6,               // how much slower polls are while nobody waits
    USERS_FACTOR = 5,
    REFUSED_MS = 60 * 60 * 1000, // an account that does not allow a poll is asked again so much later
    MOST_DEATHS = 3,             // of workers that held the same poll, until it is left alone for REFUSED_MS
    MOST_TRIES = 10,             // of one page of a list of calls, until the list begins anew
    MISSING_MS = 5 * 60 * 1000,
    MOST_CHANGES = 100, // in one report, by its table
    LAST = INT32_MAX,   // seconds: behind everything that was said
};

static void add_poll(struct dispatcher *self, struct conversation *conversation, enum event_kind kind,
                     int64_t alive_mono_ms, uint64_t not_before_mono_ms)
{
    struct item *item = lanes_item_new(kind, ledger_next(self->options.ledger));
    item->time_ms = (uint64_t)LAST * SECOND_MS * SECOND_MS;
    item->accepted_ms = (uint64_t)clock_wall_ms();
    item->arrived_mono_ms = (uint64_t)clock_mono_ms();
    item->alive_mono_ms = alive_mono_ms;
    item->not_before_mono_ms = not_before_mono_ms;
    if (kind == EVENT_POLL_CHAT)
        marks_note(self, conversation, item);
    schedule_add(self, conversation, item);
}

static struct item *poll_of(const struct conversation *conversation)
{
    struct item *item = conversation->sides[SIDE_CHAT].head;
    while (item && item->kind != EVENT_POLL_CHAT)
        item = item->next;
    return item;
}

// How long nothing was said in a chat.
static int64_t silent_ms(const struct item *item, uint64_t now)
{
    return (int64_t)now - item->alive_mono_ms;
}

static uint64_t interval_ms(struct dispatcher *self, struct item *item, uint64_t now)
{
    const struct config *config = self->options.config;
    uint64_t chat = (uint64_t)config->freshchat.poll_seconds * SECOND_MS;
    switch (item->kind) {
    case EVENT_POLL_DESK:
        return (uint64_t)config->freshdesk.poll_seconds * SECOND_MS *
               (self->customer_mono_ms && now - self->customer_mono_ms < LIVELY_MS ? 1 : QUIET_FACTOR);
    case EVENT_POLL_CHAT:
        return chat * (silent_ms(item, now) < LIVELY_MS ? 1 : QUIET_FACTOR);
    case EVENT_POLL_CALLS:
        return (uint64_t)config->freshcaller.poll_seconds * SECOND_MS;
    case EVENT_REFRESH:
        return refresh_rest_ms(self, item, now);
    default:
        return chat * USERS_FACTOR;
    }
}

void polls_watch(struct dispatcher *self, struct conversation *conversation, uint64_t said_ms)
{
    uint64_t now = (uint64_t)clock_mono_ms();
    struct item *item = poll_of(conversation);
    if (item) {
        item->alive_mono_ms = (int64_t)now;
        return;
    }
    marks_begin(conversation, said_ms, self->backup_ms);
    add_poll(self, conversation, EVENT_POLL_CHAT, (int64_t)now,
             now + (uint64_t)self->options.config->freshchat.poll_seconds * SECOND_MS);
}

struct waking {
    struct dispatcher *dispatcher;
    uint64_t wall_ms;
    uint64_t remember_from_ms; // now, or when the ledger's backup was taken
    uint64_t mono_ms;
    bool failed;
};

static bool wake_lane(void *arg, const struct lane *lane)
{
    struct waking *waking = arg;
    if (lanes_is_own(lane->conversation) || lane->updated_ms + REMEMBERED_MS < waking->remember_from_ms)
        return true;
    struct conversation *conversation = schedule_open(waking->dispatcher, lane->conversation);
    if (!conversation) {
        waking->failed = true;
        return true;
    }
    if (poll_of(conversation))
        return true;
    // How long ago it was alive, by our wall clock; one that was set back makes it alive now.
    uint64_t ago = waking->wall_ms > lane->updated_ms ? waking->wall_ms - lane->updated_ms : 0;
    refresh_wake(waking->dispatcher, conversation, ago);
    // Those who spoke last are asked first, the others over the next minutes: all at once would be all that goes.
    uint64_t spread = (uint64_t)waking->dispatcher->options.config->freshchat.poll_seconds * SECOND_MS * QUIET_FACTOR;
    uint64_t share = ago < REMEMBERED_MS ? ago : REMEMBERED_MS;
    uint64_t wait = waking->dispatcher->backup_ms ? 0 : spread * share / REMEMBERED_MS;
    add_poll(waking->dispatcher, conversation, EVENT_POLL_CHAT, (int64_t)waking->mono_ms - (int64_t)ago,
             waking->mono_ms + wait);
    return true;
}

// A conversation whose first words wait for a ticket has no record yet. The message that opens the ticket may be the
// one whose webhook was lost: it is asked for like before the restart.
static void wake_waiting(struct dispatcher *self)
{
    for (struct conversation *c = zhashx_first(self->conversations); c; c = zhashx_next(self->conversations)) {
        const struct item *item = c->sides[SIDE_DESK].head;
        if (item && !steps_is_poll(item->kind) && !lanes_is_own(c->id) && !poll_of(c))
            polls_watch(self, c, item->time_ms);
    }
}

bool polls_begin(struct dispatcher *self)
{
    struct waking waking = {
        .dispatcher = self, .wall_ms = (uint64_t)clock_wall_ms(), .mono_ms = (uint64_t)clock_mono_ms()};
    waking.remember_from_ms = self->backup_ms ? self->backup_ms : waking.wall_ms;
    struct conversation *desk = schedule_open(self, desk_lane);
    struct conversation *users = schedule_open(self, users_lane);
    bool calling = self->options.config->freshcaller.enabled;
    struct conversation *calls = calling ? schedule_open(self, calls_lane) : NULL;
    if (desk)
        add_poll(self, desk, EVENT_POLL_DESK, 0, waking.mono_ms);
    if (users)
        add_poll(self, users, EVENT_POLL_USERS, 0, waking.mono_ms);
    if (calls)
        add_poll(self, calls, EVENT_POLL_CALLS, 0, waking.mono_ms);
    bool all = ledger_each_lane(self->options.ledger, wake_lane, &waking) == LEDGER_OK && !waking.failed;
    wake_waiting(self);
    return all && desk && users && (calls || !calling);
}

// ---- what was found
// -----------------------------------------------------------------------------------------------------

// Whether the ticket's entries were listed since that change, or it is none of ours.
static bool is_settled(struct dispatcher *self, const struct change *change, struct arena *arena)
{
    struct ticket ticket;
    const char *id = change->conversation;
    if (ledger_ticket(self->options.ledger, change->ticket_id, &ticket, arena) == LEDGER_OK)
        id = ticket.conversation;
    if (!*id || lanes_is_call(id)) // nobody in the chat waits for a word on a call's ticket
        return true;
    struct conversation *conversation = zhashx_lookup(self->conversations, id);
    struct lane lane;
    if (conversation)
        lane = lanes_record(conversation, arena);
    else if (ledger_lane(self->options.ledger, id, &lane, arena) != LEDGER_OK)
        return false;
    return lane.ticket_id == change->ticket_id && lane.listed_ms >= change->time_ms;
}

static size_t changed_tickets(struct dispatcher *self, const struct report *report, uint64_t *tickets)
{
    size_t count = 0;
    struct arena *arena = arena_new();
    for (size_t i = 0; i < report->changes.count && count < MOST_CHANGES; i++)
        if (!is_settled(self, &report->changes.items[i], arena))
            tickets[count++] = report->changes.items[i].ticket_id;
    arena_free(&arena);
    return count;
}

// A message as a list gives it, in the envelope of its webhook: one normaliser says what it means.
static bool normalise(struct dispatcher *self, const struct conversation *conversation, const struct blob *json,
                      struct event *event, struct arena *arena)
{
    const struct config *config = self->options.config;
    json_t *message = json_loadb((const char *)json->data, json->size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(message)) {
        json_decref(message);
        return false;
    }
    if (!json_object_get(message, "conversation_id"))
        json_object_set_new(message, "conversation_id", json_string(conversation->id));
    json_t *said = json_object_get(message, "created_time");
    json_t *envelope =
        json_pack("{s:{s:O?, s:O?}, s:s, s:O?, s:{s:o}}", "actor", "actor_type", json_object_get(message, "actor_type"),
                  "actor_id", json_object_get(message, "actor_id"), "action", "message_create", "action_time", said,
                  "data", "message", message);
    char *text = envelope ? json_dumps(envelope, JSON_COMPACT) : NULL;
    json_decref(envelope);
    if (!text)
        return false;
    struct normalise_options options = {.channels = (const char *const *)config->freshchat.channels.items,
                                        .channel_count = config->freshchat.channels.count,
                                        .mask_card_numbers = config->mask_card_numbers,
                                        .now_ms = clock_wall_ms()};
    struct normalised normalised = normalise_freshchat(text, strlen(text), &options, arena);
    free(text);
    *event = normalised.event;
    // A list that answers for another conversation must not put words into this one.
    return normalised.result == NORMALISE_EVENT && strcmp(event->conversation, conversation->id) == 0;
}

// A call as the list gives it. What a call is said in is decided by the normaliser alone: it has a lane of its own.
static bool normalise_call(struct dispatcher *self, const struct blob *json, struct event *event, struct arena *arena)
{
    struct normalise_options options = {.phone_plan = config_phone_plan(self->options.config),
                                        .now_ms = clock_wall_ms()};
    struct normalised normalised = normalise_freshcaller(json->data, json->size, &options, arena);
    if (normalised.result != NORMALISE_EVENT)
        metrics_count(METRIC_CALLS_UNREADABLE); // not logged: each round would say it again
    *event = normalised.event;
    return normalised.result == NORMALISE_EVENT;
}

static void offer_missed(struct dispatcher *self, struct out *out, const struct report *report)
{
    struct arena *arena = arena_new();
    for (size_t i = 0; i < report->raws.count; i++) {
        struct event event;
        struct seen seen;
        arena_reset(arena);
        const struct blob *json = &report->raws.items[i].json;
        bool calls = out->item->kind == EVENT_POLL_CALLS;
        if (calls ? !normalise_call(self, json, &event, arena)
                  : !normalise(self, out->side->conversation, json, &event, arena))
            continue;
        if (!calls)
            metrics_count(METRIC_RECONCILED);
        if (ledger_seen(self->options.ledger, event.key, &seen) == LEDGER_OK ||
            (!calls && marks_passed(self, out, &event)))
            continue;
        out->offers++;
        event.request = request_id_new();
        log_request(event.request);
        log_info("poll_found", "conversation=%s key=%s", event.conversation, event.key);
        log_request(self->request);
        committer_offer(self->options.committer, &event, out);
    }
    arena_free(&arena);
}

// What a customer who changed has said is asked for once in each conversation that is not polled anyway. One that
// nobody told of goes to disk with the mark of the customers' poll, which passes it: asked for what was said since that
// mark was set. True when the batch holds one.
static bool look_into(struct dispatcher *self, const struct out *out, const struct report *report,
                      struct ledger_batch *batch)
{
    struct arena *arena = arena_new();
    struct lane mark = lanes_record(out->side->conversation, arena);
    uint64_t now = (uint64_t)clock_mono_ms();
    bool added = false;
    for (size_t i = 0; mark.chat_mark_ms && i < report->conversations.count; i++) {
        const char *id = report->conversations.items[i].id;
        struct conversation *conversation = *id && !lanes_is_own(id) ? schedule_open(self, id) : NULL;
        if (!conversation || poll_of(conversation))
            continue;
        struct lane lane = lanes_record(conversation, arena);
        if (!lane.chat_mark_ms && !lane.ticket_id) {
            lane.chat_mark_ms = mark.chat_mark_ms;
            lane.updated_ms = (uint64_t)clock_wall_ms();
            lanes_set_record(conversation, &lane);
            ledger_put_lane(batch, &lane);
            added = true;
        }
        add_poll(self, conversation, EVENT_POLL_CHAT, (int64_t)now - ALIVE_MS, now);
    }
    arena_free(&arena);
    return added;
}

// ---- its life
// -----------------------------------------------------------------------------------------------------------

static void acknowledge(struct dispatcher *self, const struct out *out)
{
    if (out->link)
        links_send_ack(self->links, out->link, out->job_id);
}

void polls_rest(struct dispatcher *self, struct out *out)
{
    struct side *side = out->side;
    struct item *item = out->item;
    struct conversation *conversation = side->conversation;
    enum after after = out->after;
    uint64_t rest_ms = out->rest_ms;
    bool failed = out->failed;
    uint64_t now = (uint64_t)clock_mono_ms();
    acknowledge(self, out);
    side->state = LANE_IDLE;
    side->out = NULL;
    side->active = NULL;
    jobs_remove(self->jobs, &out);
    if (after == AFTER_REPEAT) {
        item->asked = item->asked || (failed && rest_ms); // one that was refused will not tell any more later
        item->step = STEP_NONE;
        item->attempts = 0;
        item->deaths = 0;
        lanes_set_bytes(&item->found, NULL, 0);
        if (rest_ms)
            item->earliest_mono_ms = now + rest_ms; // a message does not hurry it either
        rest_ms = rest_ms ? rest_ms : interval_ms(self, item, now);
        item->not_before_mono_ms = now + rest_ms;
        item->accepted_ms = (uint64_t)clock_wall_ms() + rest_ms; // its place among the others: by when it is due
    }
    // A conversation that sleeps is let go once it was asked, and has answered.
    bool asleep = item->kind == EVENT_POLL_CHAT && silent_ms(item, now) >= ALIVE_MS && !failed;
    if (item->kind == EVENT_REFRESH)
        asleep = refresh_is_over(item, now);
    if (after == AFTER_FINISH || (after == AFTER_REPEAT && asleep))
        schedule_drop(self, side, item);
    schedule_conversation(self, conversation);
}

// A round is bounded: whether it came to the present, or at least to where the time since a backup ends.
static bool came_to_its_end(const struct dispatcher *self, const struct conversation *conversation,
                            const struct report *report)
{
    if (report->next_step != STEP_NONE)
        return false;
    struct arena *arena = arena_new();
    struct lane lane = lanes_record(conversation, arena);
    bool moved = report->mark_ms > lane.mark_ms || report->chat_mark_ms > lane.chat_mark_ms;
    arena_free(&arena);
    uint64_t mark = report->mark_ms > report->chat_mark_ms ? report->mark_ms : report->chat_mark_ms;
    return !moved || mark >= self->restored_ms;
}

static void conclude(struct dispatcher *self, struct out *out, const struct report *report)
{
    struct item *item = out->item;
    struct conversation *conversation = out->side->conversation;
    uint64_t tickets[MOST_CHANGES];
    size_t raised = changed_tickets(self, report, tickets);
    struct ledger_batch *batch = ledger_batch_new();
    if (self->backup_ms && came_to_its_end(self, conversation, report))
        item->asked = true;
    bool for_disk = look_into(self, out, report, batch);
    for_disk = record_merge(self, conversation, report, batch) || for_disk || raised;
    if (item->kind == EVENT_REFRESH && report->followups.count) {
        refresh_found(self, out, report, batch);
        for_disk = true;
    }
    out->after = report->next_step == STEP_NONE ? AFTER_REPEAT : AFTER_STEP;
    if (out->after == AFTER_STEP) {
        item->step = (uint8_t)report->next_step;
        item->attempts = 0;
        lanes_set_bytes(&item->found, report->found.data, report->found.size);
        item->not_before_mono_ms = 0;
    }
    if (!for_disk) {
        ledger_batch_free(&batch);
        polls_rest(self, out);
        return;
    }
    metrics_add(METRIC_POLL_HINTS, raised);
    struct token token = {.kind = TOKEN_OUTCOME, .out = out};
    out->side->state = LANE_WRITING;
    record_submit_hints(self, batch, &token, tickets, raised);
}

// A list of calls has many pages, and its mark moves with the last one: a page that fails is asked for again, not the
// whole list, or an account whose budget ends on page five would never come to page six.
static bool keeps_page(struct item *item)
{
    return item->kind == EVENT_POLL_CALLS && item->found.size && ++item->attempts < MOST_TRIES;
}

static void fail(struct dispatcher *self, struct out *out, bool refused, const char *cause)
{
    struct item *item = out->item;
    out->after = AFTER_REPEAT;
    out->failed = true;
    if (!refused && keeps_page(item)) {
        uint64_t rest_ms = interval_ms(self, item, (uint64_t)clock_mono_ms());
        out->after = AFTER_STEP;
        item->not_before_mono_ms = (uint64_t)clock_mono_ms() + rest_ms;
        item->accepted_ms = (uint64_t)clock_wall_ms() + rest_ms;
    }
    if (refused) {
        log_warn("poll_refused", "conversation=%s step=%s cause=%s", out->side->conversation->id, steps_name(out->step),
                 cause);
        out->rest_ms = REFUSED_MS;
        if (out->item->kind == EVENT_POLL_CHAT)
            out->after = AFTER_FINISH; // the conversation is not there any more
    }
    polls_rest(self, out);
}

void polls_lost(struct dispatcher *self, struct out *out, bool worker_died)
{
    jobs_move(out, NULL);
    out->after = AFTER_STEP; // goes on where it was
    if (worker_died && ++out->item->deaths > MOST_DEATHS) {
        // What it reads may be what kills; the others on those workers must not go on dying of it.
        log_error("poll_kills", "conversation=%s step=%s", out->side->conversation->id, steps_name(out->step));
        out->after = AFTER_REPEAT;
        out->failed = true;
        out->rest_ms = REFUSED_MS;
    }
    polls_rest(self, out);
}

void polls_tick(struct dispatcher *self)
{
    uint64_t now = (uint64_t)clock_mono_ms();
    if (!self->missing || now - self->missing_since_ms < MISSING_MS)
        return;
    self->missing_since_ms = now; // said again after as long
    log_error("messages_missing", "count=%" PRIu64 " advice=%s", self->missing,
              "messages that no webhook told of are still not on their tickets: see deskbellctl status and trace");
}

void polls_report(struct dispatcher *self, struct out *out, const struct report *report)
{
    if (report->outcome != OUTCOME_DONE || (report->next_step && !steps_info(report->next_step))) {
        fail(self, out, report->outcome == OUTCOME_REFUSED, report->cause);
        return;
    }
    offer_missed(self, out, report);
    if (!out->offers) {
        conclude(self, out, report);
        return;
    }
    // The mark must not pass what is not on disk: the rest of the report waits for the committer's word.
    if (!record_encode(RECORD_report, report, &out->kept))
        abort(); // it has just been decoded
    out->side->state = LANE_WRITING;
    self->writing += 1;
}

void polls_offered(struct dispatcher *self, struct out *out, enum accept_result result)
{
    if (result == ACCEPT_UNAVAILABLE)
        out->failed = true;
    if (result == ACCEPT_STORED && out->item->kind == EVENT_POLL_CALLS) {
        metrics_count(METRIC_CALL_EVENTS);
    } else if (result == ACCEPT_STORED) {
        metrics_count(METRIC_GAPS_REPAIRED);
        log_warn("gap_repaired", "conversation=%s", out->side->conversation->id);
    }
    if (--out->offers)
        return;
    self->writing -= 1;
    if (out->failed) {
        fail(self, out, false, "");
        return;
    }
    struct arena *arena = arena_new();
    struct report report;
    if (record_decode(RECORD_report, out->kept.data, out->kept.size, &report, arena) != RECORD_OK)
        abort();
    conclude(self, out, &report);
    arena_free(&arena);
}
