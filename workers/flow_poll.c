// SPDX-License-Identifier: Apache-2.0
// Asks whether a webhook was missed: which tickets changed, what was said in one conversation, which customers changed
// and what conversations they have. Every step only reads, and reports what it saw; the front decides what of it is
// new. Runs in the worker's one thread. A mark never moves past what was read: a poll that breaks off is repeated from
// there.
#include "workers/flows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/directory.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/text.h"

enum {
    FIRST_REACH_MS = 600000, // without a mark a poll looks back this far
    DESK_OVERLAP_MS = 60000, // so much before the mark is read again: changes may become visible out of order
    CHAT_OVERLAP_MS = 300000,
    AHEAD_MOST_MS = 60000, // a time later than the answer's own Date by more is wrong and moves no mark
    SECOND_MS = 1000,      // Freshdesk's times are whole seconds
    TICKET_PAGES = 20,     // calls of one round, if the mark moved; the next round goes on from it
    MESSAGE_PAGES = 40,
    CHANGES_MOST = 100, // the bounds of the report's lists
    CONVERSATIONS_MOST = 200,
    USERS_MOST = 200,   // the bound of found.users
    LIST_MOST = 1000,   // no page that was asked for has more
    SOURCE_CHAT = 7,    // freshworks-api 4.2
    POLL_TWIN = 1 << 0, // bit of found.omit: the conversation answers under its numeric id only
};

// ---- common ---------------------------------------------------------------------------------------------------------

// A wrong time in the future would hide everything that follows it: it moves no mark.
static void saw(struct job_context *context, const struct response *response, uint64_t time_ms)
{
    struct found *found = &context->found;
    if (time_ms > found->mark_ms && (!response->date_ms || time_ms <= response->date_ms + AHEAD_MOST_MS))
        found->mark_ms = time_ms;
}

// A poll's own list inside an answer. NULL: the report says what it lacks.
static const json_t *list_of(struct job_context *context, const struct response *response, const char *name,
                             struct report *report)
{
    const json_t *list = fields_list(response->json, name);
    if (list && json_array_size(list) <= LIST_MOST)
        return list;
    flow_unexpected(context, report, arena_printf(context->arena, "a list of %s", name));
    return NULL;
}

// Our time in the clock that the first page of the round used, so that all its pages are of one list.
static uint64_t upstream_time(const struct job_context *context, uint64_t ms)
{
    const struct found *found = &context->found;
    return flow_moved(ms, found->clock_known ? (int64_t)found->clock_ahead_ms : 0);
}

// Where a list begins that has no mark.
static uint64_t first_from(const struct job_context *context)
{
    return flow_moved(upstream_time(context, (uint64_t)clock_wall_ms()), -FIRST_REACH_MS);
}

// The mark of a poll that found nothing and had none.
static uint64_t first_mark(const struct job_context *context, enum upstream upstream, uint64_t date_ms)
{
    return flow_moved(date_ms ? date_ms : flow_now_ms(context, upstream), -DESK_OVERLAP_MS);
}

// ---- tickets that changed -------------------------------------------------------------------------------------------

// Tickets move to the list's end when they change, and everything behind them moves up: page numbers would pass over
// some. So each call asks for what is not older than the last that was seen (found.mark_ms) and begins with the first
// page; only when a page is full of one second's changes does the next call ask for the second (found.part).
static enum step_choice tickets_begin(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
    struct found *found = &context->found;
    const struct lane *lane = &context->job->lane;
    if (!found->page) {
        found->mark_ms = 0;
        found->part = 0;
    }
    (void)flow_look_begin(context, UPSTREAM_FRESHDESK);
    uint64_t from = found->mark_ms  ? flow_moved(found->mark_ms, -SECOND_MS)
                    : lane->mark_ms ? flow_moved(lane->mark_ms, -DESK_OVERLAP_MS)
                                    : first_from(context);
    char since[CLOCK_ISO_BYTES];
    clock_format_iso((int64_t)from, since);
    since[19] = '\0'; // Freshdesk's own times have no milliseconds
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "GET",
        .path = arena_printf(context->arena,
                             "/tickets?updated_since=%sZ&order_by=updated_at&order_type=asc&per_page=%d&page=%" PRIu64,
                             text_url(context->arena, since), FLOW_PAGE_SIZE, found->part ? found->part : 1),
    };
    return STEP_CALL;
}

// Reports the tickets that are, or may be, a conversation's. Returns how many could be read.
static size_t take_changes(struct job_context *context, const json_t *list, size_t size, struct report *report)
{
    const char *field = context->config->freshdesk.conversation_field;
    size_t readable = 0;
    report->changes.items = arena_alloc(context->arena, (size + 1) * sizeof *report->changes.items);
    for (size_t i = 0; i < size; i++) {
        const json_t *ticket = json_array_get(list, i);
        struct change change = {.ticket_id = fields_id(ticket, "id"), .time_ms = fields_time(ticket, "updated_at")};
        if (!change.ticket_id || !change.time_ms)
            continue;
        readable++;
        const json_t *custom = json_object_get(ticket, "custom_fields");
        change.conversation = fields_id_text(context->arena, custom, field);
        if (*change.conversation || json_integer_value(json_object_get(ticket, "source")) == SOURCE_CHAT)
            report->changes.items[report->changes.count++] = change;
    }
    return readable;
}

static uint64_t changed_at(const json_t *list, size_t index)
{
    return fields_time(json_array_get(list, index), "updated_at");
}

static void tickets_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    const struct lane *lane = &context->job->lane;
    if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    const json_t *list = list_of(context, response, "tickets", report);
    if (!list || (!lane->mark_ms && !found->mark_ms && flow_look_again(context, response, STEP_LIST_TICKETS, report)))
        return;
    size_t size = json_array_size(list);
    bool more = size > 0 && (response->link_next || size >= FLOW_PAGE_SIZE);
    size = size < CHANGES_MOST ? size : CHANGES_MOST;
    if (size && (!take_changes(context, list, size, report) || changed_at(list, 0) > changed_at(list, size - 1))) {
        report->changes.count = 0;
        flow_unexpected(context, report, "tickets in the order of their last change");
        return;
    }
    uint64_t before = found->mark_ms;
    if (size)
        saw(context, response, changed_at(list, size - 1));
    if (found->mark_ms > lane->mark_ms)
        report->mark_ms = found->mark_ms;
    else if (!lane->mark_ms)
        report->mark_ms = first_mark(context, UPSTREAM_FRESHDESK, response->date_ms);
    // A round ends early only when it got further than the mark, or the next would read the same again for ever.
    uint64_t calls = found->page ? found->page : 1;
    if (more && (calls < TICKET_PAGES || (!report->mark_ms && calls < FLOW_MOST_PAGES))) {
        found->page = calls + 1;
        found->part = found->mark_ms > before ? 1 : (found->part ? found->part : 1) + 1;
        flow_done(report, STEP_LIST_TICKETS, "");
        return;
    }
    if (more && calls >= FLOW_MOST_PAGES)
        log_error("changes_too_many", "calls=%" PRIu64, calls);
    found->page = 0;
    flow_done(report, STEP_NONE, "");
}

// ---- what was said in a conversation --------------------------------------------------------------------------------

static uint64_t messages_from(const struct job_context *context)
{
    const struct lane *lane = &context->job->lane;
    if (lane->chat_mark_ms)
        return flow_moved(lane->chat_mark_ms, -CHAT_OVERLAP_MS);
    return lane->opened_ms ? flow_moved(upstream_time(context, lane->opened_ms), -FIRST_REACH_MS) : 0;
}

static enum step_choice messages_begin(struct job_context *context, struct request *request, struct report *report)
{
    struct found *found = &context->found;
    const struct lane *lane = &context->job->lane;
    const char *id =
        (found->omit & POLL_TWIN) && *lane->conversation_twin ? lane->conversation_twin : lane->conversation;
    if (!*id) {
        flow_done(report, STEP_NONE, "");
        return STEP_ANSWER;
    }
    if (!found->page) {
        found->mark_ms = 0;
        found->part = 0;
    }
    uint64_t page = flow_look_begin(context, UPSTREAM_FRESHCHAT);
    uint64_t from = messages_from(context);
    char iso[CLOCK_ISO_BYTES];
    clock_format_iso((int64_t)from, iso);
    const char *since = from ? arena_printf(context->arena, "from_time=%s&", text_url(context->arena, iso)) : "";
    *request = (struct request){
        .upstream = UPSTREAM_FRESHCHAT,
        .method = "GET",
        .path = arena_printf(context->arena, "/conversations/%s/messages?%sitems_per_page=%d&page=%" PRIu64,
                             text_url(context->arena, id), since, FLOW_CHAT_PAGE_SIZE, page),
    };
    return STEP_CALL;
}

struct said {
    uint64_t time_ms;
    const char *id;
    struct blob json;
};

static int by_age(const void *a, const void *b)
{
    const struct said *left = a;
    const struct said *right = b;
    if (left->time_ms != right->time_ms)
        return left->time_ms < right->time_ms ? -1 : 1;
    return strcmp(left->id, right->id);
}

// Reports the page's messages from `first` on, oldest first, as far as one report holds them. Returns the index of the
// first that did not fit, or the list's size.
static size_t take_messages(struct job_context *context, const struct response *response, const json_t *list,
                            size_t first, struct report *report)
{
    struct said *said = arena_alloc(context->arena, FLOW_RAWS_MOST * sizeof *said);
    size_t count = 0;
    size_t total = 0;
    size_t i = first;
    for (; i < json_array_size(list) && count < FLOW_RAWS_MOST; i++) {
        const json_t *message = json_array_get(list, i);
        struct blob json;
        enum flow_raw taken = flow_raw(context->arena, message, &total, &json);
        if (taken == FLOW_RAW_FULL)
            break;
        if (taken == FLOW_RAW_TOO_LARGE)
            log_warn("message_too_large", "conversation=%s message=%s bytes=%zu", context->job->lane.conversation,
                     fields_id_text(context->arena, message, "id"), json.size);
        if (taken != FLOW_RAW_TAKEN)
            continue;
        said[count++] = (struct said){.time_ms = fields_time(message, "created_time"),
                                      .id = fields_id_text(context->arena, message, "id"),
                                      .json = json};
    }
    qsort(said, count, sizeof *said, by_age);
    report->raws.items = arena_alloc(context->arena, (count + 1) * sizeof *report->raws.items);
    report->raws.count = count;
    for (size_t k = 0; k < count; k++) {
        report->raws.items[k] = (struct raw){.json = said[k].json};
        saw(context, response, said[k].time_ms);
    }
    return i;
}

// The order is not documented (freshworks-api 2.3). Oldest first, a round may end before the list does, and the next
// one goes on from the mark; newest first, the mark would pass over what was not read.
static bool is_oldest_first(const json_t *list)
{
    size_t size = json_array_size(list);
    return size > 1 && fields_time(json_array_get(list, 0), "created_time") <
                           fields_time(json_array_get(list, size - 1), "created_time");
}

static void messages_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    const struct lane *lane = &context->job->lane;
    if (response->answer == ANSWER_NOT_FOUND && !(found->omit & POLL_TWIN) && *lane->conversation_twin) {
        found->omit |= POLL_TWIN;
        flow_done(report, STEP_LIST_MESSAGES, "");
        return;
    }
    if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    const json_t *list = list_of(context, response, "messages", report);
    if (!list ||
        (!lane->chat_mark_ms && lane->opened_ms && flow_look_again(context, response, STEP_LIST_MESSAGES, report)))
        return;
    uint64_t page = found->page ? found->page : 1;
    size_t next = take_messages(context, response, list, found->part, report);
    if (next < json_array_size(list)) { // the same page again, for the rest of it
        found->page = page;
        found->part = next;
        flow_done(report, STEP_LIST_MESSAGES, "");
        return;
    }
    found->part = 0;
    bool more = json_array_size(list) > 0 && *fields_raw(json_object_get(response->json, "link"), "href");
    if (more && page < (is_oldest_first(list) ? MESSAGE_PAGES : FLOW_MOST_PAGES)) {
        found->page = page + 1;
        flow_done(report, STEP_LIST_MESSAGES, "");
        return;
    }
    if (more && page >= FLOW_MOST_PAGES)
        log_error("conversation_too_long", "conversation=%s pages=%" PRIu64, lane->conversation, page);
    found->page = 0;
    if (found->mark_ms > lane->chat_mark_ms)
        report->chat_mark_ms = found->mark_ms;
    flow_done(report, STEP_NONE, "");
}

// ---- customers that changed -----------------------------------------------------------------------------------------

static const char no_users[] = "This account does not let users be listed; conversations begun while Deskbell was down "
                               "are found only when the customer writes again.";

// Goes on with the next customer, with the next page of them, or ends the round: only then the mark moves.
static void users_next(struct job_context *context, uint64_t date_ms, struct report *report)
{
    struct found *found = &context->found;
    uint64_t mark_ms = context->job->lane.chat_mark_ms;
    if (found->users.count || found->page) {
        flow_done(report, found->users.count ? STEP_LIST_USER_CHATS : STEP_LIST_USERS, "");
        return;
    }
    if (found->mark_ms > mark_ms)
        report->chat_mark_ms = found->mark_ms;
    else if (!mark_ms)
        report->chat_mark_ms = first_mark(context, UPSTREAM_FRESHCHAT, date_ms);
    flow_done(report, STEP_NONE, "");
}

static enum step_choice users_begin(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
    struct found *found = &context->found;
    uint64_t mark_ms = context->job->lane.chat_mark_ms;
    if (!found->page) {
        found->mark_ms = 0;
        found->users.count = 0;
    }
    uint64_t page = flow_look_begin(context, UPSTREAM_FRESHCHAT);
    char from[CLOCK_ISO_BYTES];
    clock_format_iso((int64_t)(mark_ms ? flow_moved(mark_ms, -CHAT_OVERLAP_MS) : first_from(context)), from);
    *request = (struct request){
        .upstream = UPSTREAM_FRESHCHAT,
        .method = "GET",
        .path = arena_printf(context->arena, "/users?updated_from=%s&items_per_page=%d&page=%" PRIu64,
                             text_url(context->arena, from), FLOW_CHAT_PAGE_SIZE, page),
    };
    return STEP_CALL;
}

static bool is_listed(const struct found *found, const char *id)
{
    for (size_t i = 0; i < found->users.count; i++)
        if (strcmp(found->users.items[i].id, id) == 0)
            return true;
    return false;
}

static void take_users(struct job_context *context, const struct response *response, const json_t *list)
{
    struct found *found = &context->found;
    struct written *users = arena_alloc(context->arena, USERS_MOST * sizeof *users);
    if (found->users.count)
        memcpy(users, found->users.items, found->users.count * sizeof *users);
    found->users.items = users;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *user = json_array_get(list, i);
        const char *id = fields_id_text(context->arena, user, "id");
        uint64_t time_ms = fields_time(user, "updated_time");
        saw(context, response, time_ms);
        if (*id && !is_listed(found, id))
            users[found->users.count++] = (struct written){.id = id, .time_ms = time_ms};
    }
}

// What an account says that has no such call for this key.
static bool is_not_let(const struct response *response)
{
    return response->status == 400 || response->status == 403 || response->status == 404 || response->status == 405;
}

static void users_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    if (is_not_let(response)) {
        flow_end(context, report, OUTCOME_REFUSED, "%s", no_users);
        return;
    }
    if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    const json_t *list = list_of(context, response, "users", report);
    if (!list || (!context->job->lane.chat_mark_ms && !found->mark_ms &&
                  flow_look_again(context, response, STEP_LIST_USERS, report)))
        return;
    size_t size = json_array_size(list);
    if (size > USERS_MOST - found->users.count) {
        flow_unexpected(context, report, "a page of users of the size that was asked for");
        return;
    }
    take_users(context, response, list);
    uint64_t page = found->page ? found->page : 1;
    bool more = directory_goes_on(response->json, size);
    if (more && page >= FLOW_MOST_PAGES)
        log_error("users_too_many", "pages=%" PRIu64, page);
    found->page = more && page < FLOW_MOST_PAGES ? page + 1 : 0;
    if (found->page && found->users.count + FLOW_CHAT_PAGE_SIZE <= USERS_MOST)
        flow_done(report, STEP_LIST_USERS, "");
    else // no room for another page before these are done
        users_next(context, response->date_ms, report);
}

// ---- their conversations --------------------------------------------------------------------------------------------

static enum step_choice chats_begin(struct job_context *context, struct request *request, struct report *report)
{
    const struct found *found = &context->found;
    if (!found->users.count) {
        users_next(context, 0, report);
        return STEP_ANSWER;
    }
    *request = (struct request){
        .upstream = UPSTREAM_FRESHCHAT,
        .method = "GET",
        .path =
            arena_printf(context->arena, "/users/%s/conversations", text_url(context->arena, found->users.items[0].id)),
    };
    return STEP_CALL;
}

static void take_conversations(struct job_context *context, const json_t *list, struct report *report)
{
    size_t size = json_array_size(list);
    report->conversations.items = arena_alloc(context->arena, (size + 1) * sizeof *report->conversations.items);
    for (size_t i = 0; i < size; i++) {
        const char *id = fields_id_text(context->arena, json_array_get(list, i), "id");
        if (*id && report->conversations.count < CONVERSATIONS_MOST)
            report->conversations.items[report->conversations.count++] = (struct written){.id = id};
    }
    if (size > CONVERSATIONS_MOST)
        log_warn("conversations_too_many", "user=%s conversations=%zu", context->found.users.items[0].id, size);
}

static void chats_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    if (response->status == 403) {
        flow_end(context, report, OUTCOME_REFUSED, "%s", no_users);
        return;
    }
    // A customer who is gone, or whom this call does not know, must not keep the others waiting.
    bool skip = response->answer == ANSWER_NOT_FOUND || response->answer == ANSWER_REFUSED;
    if (!skip && response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    const json_t *list = skip ? NULL : list_of(context, response, "conversations", report);
    if (!skip && !list)
        return;
    if (skip)
        log_debug("user_skipped", "user=%s status=%ld", found->users.items[0].id, response->status);
    else
        take_conversations(context, list, report);
    found->users.items++;
    found->users.count--;
    users_next(context, response->date_ms, report);
}

const struct step_code flow_poll_steps[] = {
    {STEP_LIST_TICKETS, tickets_begin, tickets_finish},
    {STEP_LIST_MESSAGES, messages_begin, messages_finish},
    {STEP_LIST_USERS, users_begin, users_finish},
    {STEP_LIST_USER_CHATS, chats_begin, chats_finish},
    {STEP_NONE, NULL, NULL},
};
