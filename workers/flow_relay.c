// SPDX-License-Identifier: Apache-2.0
// Relays replies: a hint says that a ticket changed; this reads the ticket's entries after the watermark, picks what
// agents said to the customer, and finds each author's identity in the chat. flow_post.c then says it there. An unknown
// ticket is first read: its conversation field rebuilds the link. The mark moves only when a whole list was read and
// everything in it was posted. A look-up of an agent that fails never holds up a reply.
#include "workers/flows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "workers/directory.h"
#include "workers/entries.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/relay.h"
#include "workers/text.h"

// What one job carries from step to step; more is listed again afterwards. Well below the bounds of found.
enum { ENTRIES_MOST = 200, ENTRIES_BYTES = 1 << 20 };

// What became an entry in the second of the answer's Date, or just before, may be missing from the list.
enum { LISTED_MARGIN_MS = 2000 };

// ---- an unknown ticket ----------------------------------------------------------------------------------------------

static uint64_t ticket_of(const struct job_context *context)
{
    uint64_t hinted = context->job->events.count ? context->job->events.items[0].ticket_id : 0;
    return hinted ? hinted : context->job->lane.ticket_id;
}

static enum step_choice read_ticket_begin(struct job_context *context, struct request *request, struct report *report)
{
    if (!ticket_of(context)) {
        flow_done(report, STEP_NONE, "");
        return STEP_ANSWER;
    }
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "GET",
        .path = arena_printf(context->arena, "/tickets/%" PRIu64, ticket_of(context)),
    };
    return STEP_CALL;
}

static void read_ticket_finish(struct job_context *context, const struct response *response, struct report *report)
{
    if (flow_ticket_gone(response)) {
        flow_done(report, STEP_NONE, "");
        return;
    }
    if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    if (!fields_is_object(response->json)) {
        flow_unexpected(context, report, "a ticket");
        return;
    }
    const json_t *custom = json_object_get(response->json, "custom_fields");
    const char *field = context->config->freshdesk.conversation_field;
    const char *conversation = *field ? fields_id_text(context->arena, custom, field) : "";
    flow_done(report, STEP_NONE, *conversation ? "link rebuilt" : "");
    if (!*conversation)
        return;
    report->link_conversation = conversation;
    report->ticket_id = ticket_of(context);
    report->requester_id = fields_id(response->json, "requester_id");
    report->rebuilt_ms = response->date_ms ? response->date_ms : flow_now_ms(context, UPSTREAM_FRESHDESK);
}

// ---- the entries ----------------------------------------------------------------------------------------------------

static enum step_choice list_begin(struct job_context *context, struct request *request, struct report *report)
{
    if (!ticket_of(context)) {
        flow_done(report, STEP_NONE, "");
        return STEP_ANSWER;
    }
    struct found *found = &context->found;
    if (!found->page) { // a new list: nothing of a former one may be left
        found->entries.count = 0;
        found->mark_ms = 0;
        found->omit &= ~(uint64_t)RELAY_LIST_AGAIN;
    }
    uint64_t page = found->page ? found->page : 1;
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "GET",
        .path = arena_printf(context->arena, "/tickets/%" PRIu64 "/conversations?per_page=%d&page=%" PRIu64,
                             ticket_of(context), FLOW_PAGE_SIZE, page),
    };
    return STEP_CALL;
}

static bool is_wanted(const struct job_context *context, const struct entries_item *item)
{
    const struct lane *lane = &context->job->lane;
    const struct found *found = &context->found;
    if (!entries_is_agent(item) || item->time_ms <= flow_moved(lane->mark_ms, -ENTRIES_OVERLAP_MS) ||
        entries_has(lane->desk_written.items, lane->desk_written.count, item->id) ||
        entries_has(lane->delivered.items, lane->delivered.count, item->id))
        return false;
    for (size_t i = 0; i < found->entries.count; i++) // pages move while they are read
        if (strcmp(found->entries.items[i].id, item->id) == 0)
            return false;
    return true;
}

static int by_age(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    if (left->time_ms != right->time_ms)
        return left->time_ms < right->time_ms ? -1 : 1;
    uint64_t left_id = strtoull(left->id, NULL, 10);
    uint64_t right_id = strtoull(right->id, NULL, 10);
    return left_id < right_id ? -1 : left_id > right_id;
}

// Adds the page's entries to found.entries, oldest first. Entries without words stay among them until the list is
// whole: only then it is certain that they count.
static void collect(struct job_context *context, const struct entries_items *page)
{
    struct found *found = &context->found;
    struct entry *items = arena_alloc(context->arena, (found->entries.count + page->count + 1) * sizeof *items);
    size_t count = found->entries.count;
    if (count)
        memcpy(items, found->entries.items, count * sizeof *items);
    for (size_t i = 0; i < page->count; i++) {
        const struct entries_item *item = &page->items[i];
        if (item->time_ms > found->mark_ms)
            found->mark_ms = item->time_ms;
        if (!is_wanted(context, item))
            continue;
        struct entries_mirror mirror;
        bool look_first = item->time_ms <= context->job->lane.rebuilt_ms;
        // Notes of ours that a lost ledger knew: their agent's words came from the chat.
        if (look_first && entries_is_mirror(context->arena, item))
            continue;
        items[count++] = (struct entry){
            .id = item->id,
            .time_ms = item->time_ms,
            .author = item->author,
            .text = entries_text(context->arena, item),
            .look_first = look_first,
            .repeats = entries_mirror(context->arena, item, &mirror),
        };
    }
    qsort(items, count, sizeof *items, by_age);
    size_t bytes = 0;
    size_t kept = 0;
    while (kept < count && kept < ENTRIES_MOST && (kept == 0 || bytes + strlen(items[kept].text) <= ENTRIES_BYTES))
        bytes += strlen(items[kept++].text);
    if (kept < count) // the newest go; the mark stops at what is kept
        found->omit |= RELAY_LIST_AGAIN;
    found->entries.items = items;
    found->entries.count = kept;
}

// The key's owner where that is nobody who answers, else 0. False: it is not known yet.
static bool silent_owner(const struct job_context *context, uint64_t *owner)
{
    *owner = 0;
    return context->config->freshdesk.key_owner_answers || agents_owner(context->agents, owner);
}

// Takes out what is not said: entries without words, and those of an owner of the key who is nobody. They are settled.
static void settle(struct job_context *context, struct report *report)
{
    struct found *found = &context->found;
    uint64_t owner = 0;
    (void)silent_owner(context, &owner);
    struct written *settled = arena_alloc(context->arena, (found->entries.count + 1) * sizeof *settled);
    size_t kept = 0;
    for (size_t i = 0; i < found->entries.count; i++) {
        const struct entry *entry = &found->entries.items[i];
        if (*entry->text && (!owner || entry->author != owner))
            found->entries.items[kept++] = *entry;
        else
            settled[report->delivered.count++] = (struct written){.id = entry->id, .time_ms = entry->time_ms};
    }
    report->delivered.items = settled;
    found->entries.count = kept;
}

static void list_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    if (flow_ticket_gone(response)) { // nobody's reply can be in there any more
        flow_done(report, STEP_NONE, "");
        return;
    }
    if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    struct entries_items page;
    if (!entries_read(context->arena, response, &page)) {
        flow_unexpected(context, report, "a list of entries");
        return;
    }
    collect(context, &page);
    if (!found->page) { // what is newer than the first page may be missing; kept in a place that only looks use
        found->clock_known = false;
        found->clock_ahead_ms = response->date_ms;
    }
    uint64_t number = found->page ? found->page : 1;
    if (page.more && number < FLOW_MOST_PAGES) {
        found->page = number + 1;
        flow_done(report, STEP_LIST_ENTRIES, "");
        return;
    }
    if (page.more)
        log_error("ticket_too_long", "ticket=%" PRIu64 " pages=%d", ticket_of(context), FLOW_MOST_PAGES);
    found->page = 0;
    if (found->omit & RELAY_LIST_AGAIN)
        found->mark_ms = found->entries.items[found->entries.count - 1].time_ms;
    else
        report->listed_ms = flow_moved(found->clock_ahead_ms, -LISTED_MARGIN_MS);
    found->clock_ahead_ms = 0;
    settle(context, report);
    found->agent_known = false;
    uint64_t owner = 0;
    if (found->entries.count && !silent_owner(context, &owner))
        flow_done(report, STEP_READ_KEY_OWNER, "");
    else
        relay_next(context, report, "");
}

// Once for each worker. What cannot be told holds nobody's reply up: then the owner's entries are said, too.
static enum step_choice read_owner_begin(struct job_context *context, struct request *request, struct report *report)
{
    uint64_t owner = 0;
    if (silent_owner(context, &owner)) {
        settle(context, report);
        relay_next(context, report, "");
        return STEP_ANSWER;
    }
    *request = (struct request){.upstream = UPSTREAM_FRESHDESK, .method = "GET", .path = "/agents/me"};
    return STEP_CALL;
}

static void read_owner_finish(struct job_context *context, const struct response *response, struct report *report)
{
    uint64_t owner = response->answer == ANSWER_OK ? fields_id(response->json, "id") : 0;
    if (!owner)
        log_warn("key_owner_unread", "problem=%s", response->problem ? response->problem : "no id");
    agents_put_owner(context->agents, owner);
    settle(context, report);
    relay_next(context, report, "");
}

// ---- who speaks -----------------------------------------------------------------------------------------------------

static uint64_t author_of(const struct job_context *context)
{
    return context->found.entries.count ? context->found.entries.items[0].author : 0;
}

static const struct agent *desk_agent(struct job_context *context)
{
    return agents_by_id(context->agents, UPSTREAM_FRESHDESK,
                        arena_printf(context->arena, "%" PRIu64, author_of(context)));
}

static const char *kept(struct job_context *context, const char *text, size_t max_bytes)
{
    return text_line(context->arena, text, max_bytes);
}

// What must be asked next about the author, or STEP_NONE: then found.agent_known.
static enum step settle_agent(struct job_context *context)
{
    struct found *found = &context->found;
    found->agent_email = "";
    found->agent_name = "";
    found->chat_agent = "";
    const struct agent *desk = desk_agent(context);
    if (!desk)
        return STEP_READ_DESK_AGENT;
    if (desk->exists) {
        found->agent_email = kept(context, desk->email, 512);
        found->agent_name = kept(context, *desk->first_name ? desk->first_name : desk->name, 512);
    }
    if (*found->agent_email) {
        const struct agent *chat = agents_by_email(context->agents, UPSTREAM_FRESHCHAT, found->agent_email);
        if (!chat)
            return STEP_LIST_CHAT_AGENTS;
        if (chat->exists)
            found->chat_agent = kept(context, chat->id, ID_MAX);
    }
    found->agent_known = true;
    return STEP_NONE;
}

void relay_next(struct job_context *context, struct report *report, const char *what)
{
    struct found *found = &context->found;
    if (!found->entries.count) {
        bool again = found->omit & RELAY_LIST_AGAIN;
        report->mark_ms = found->mark_ms;
        found->agent_known = false;
        flow_done(report, again ? STEP_LIST_ENTRIES : STEP_NONE, what);
        return;
    }
    enum step ask = found->agent_known ? STEP_NONE : settle_agent(context);
    const struct entry *entry = &found->entries.items[0];
    enum step say = entry->repeats ? STEP_READ_CHAT : entry->look_first ? STEP_LOOK_MESSAGE : STEP_POST_MESSAGE;
    flow_done(report, ask ? ask : say, what);
}

// A look-up failed: the configured agent speaks. Without one there is nobody, and only then the look-up is tried again.
static void fall_back(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    found->page = 0;
    if (!*context->config->freshchat.agent_id) {
        answers_default(context, response, report);
        if (report->outcome == OUTCOME_RETRY)
            return;
        report->cause = "";
    }
    log_warn("agent_unread", "step=%s author=%" PRIu64 " problem=%s", steps_name(context->job->step),
             author_of(context), response->problem);
    found->agent_known = true;
    relay_next(context, report, "");
}

static enum step_choice read_desk_agent_begin(struct job_context *context, struct request *request,
                                              struct report *report)
{
    if (!author_of(context) || context->found.agent_known || desk_agent(context)) {
        relay_next(context, report, "");
        return STEP_ANSWER;
    }
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "GET",
        .path = arena_printf(context->arena, "/agents/%" PRIu64, author_of(context)),
    };
    return STEP_CALL;
}

static void read_desk_agent_finish(struct job_context *context, const struct response *response, struct report *report)
{
    const char *id = arena_printf(context->arena, "%" PRIu64, author_of(context));
    bool fits = response->answer == ANSWER_OK && fields_id(response->json, "id") == author_of(context) &&
                directory_desk_agent(context, response->json);
    if (response->answer == ANSWER_NOT_FOUND)
        agents_put_absent_id(context->agents, UPSTREAM_FRESHDESK, id);
    if (fits || response->answer == ANSWER_NOT_FOUND)
        relay_next(context, report, "");
    else
        fall_back(context, response, report);
}

static enum step_choice list_chat_agents_begin(struct job_context *context, struct request *request,
                                               struct report *report)
{
    struct found *found = &context->found;
    const struct agent *known = agents_by_email(context->agents, UPSTREAM_FRESHCHAT, found->agent_email);
    if (!found->entries.count || !*found->agent_email || known) {
        if (known && known->exists)
            found->chat_agent = kept(context, known->id, ID_MAX);
        found->agent_known = true;
        found->page = 0;
        relay_next(context, report, "");
        return STEP_ANSWER;
    }
    directory_chat_request(context, request);
    return STEP_CALL;
}

static void list_chat_agents_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    bool more = false;
    if (response->answer != ANSWER_OK || !directory_chat_page(context, response, &more)) {
        fall_back(context, response, report);
        return;
    }
    const struct agent *known = agents_by_email(context->agents, UPSTREAM_FRESHCHAT, found->agent_email);
    if (!known && more) {
        flow_done(report, STEP_LIST_CHAT_AGENTS, "");
        return;
    }
    if (!known)
        agents_put_absent_email(context->agents, UPSTREAM_FRESHCHAT, found->agent_email);
    found->chat_agent = known && known->exists ? kept(context, known->id, ID_MAX) : "";
    found->agent_known = true;
    found->page = 0;
    relay_next(context, report, "");
}

const struct step_code flow_relay_steps[] = {
    {STEP_READ_TICKET, read_ticket_begin, read_ticket_finish},
    {STEP_LIST_ENTRIES, list_begin, list_finish},
    {STEP_READ_KEY_OWNER, read_owner_begin, read_owner_finish},
    {STEP_READ_DESK_AGENT, read_desk_agent_begin, read_desk_agent_finish},
    {STEP_LIST_CHAT_AGENTS, list_chat_agents_begin, list_chat_agents_finish},
    {STEP_NONE, NULL, NULL},
};
