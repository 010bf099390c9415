// SPDX-License-Identifier: Apache-2.0
// Whether a ticket is there already; see ticket_look.h. Runs in the worker's one thread.
#include "workers/ticket_look.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/text.h"
#include "workers/ticket.h"

enum { SECOND_MS = 1000 };

// Tickets move to the list's end when they change, and everything behind them moves up: page numbers would pass over
// some, and a ticket that was passed over is opened twice. So each call asks for what is not older than the last that
// was seen (found.mark_ms) and begins with the first page; only when a page is full of one second's changes does the
// next call ask for the second (found.part). The first list begins at the write's time.
static uint64_t list_from(const struct job_context *context)
{
    const struct found *found = &context->found;
    if (found->mark_ms)
        return flow_moved(found->mark_ms, -SECOND_MS);
    return flow_moved(flow_look_floor(context, flow_cause_ms(context)), -FLOW_LOOK_REACH_MS);
}

static void forget_list(struct found *found)
{
    found->mark_ms = 0;
    found->part = 0;
}

enum step_choice ticket_look_begin(struct job_context *context, struct request *request)
{
    struct found *found = &context->found;
    if (!found->page)
        forget_list(found);
    (void)flow_look_begin(context, UPSTREAM_FRESHDESK);
    char since[CLOCK_ISO_BYTES];
    clock_format_iso((int64_t)list_from(context), since);
    since[19] = '\0'; // Freshdesk's own times have no milliseconds
    // Without the conversation field only the description tells whose ticket it is; it costs two more of the budget.
    // After a backup was restored it tells which message the ticket was opened with.
    bool by_description = !ticket_sends_conversation(context) || context->job->restored;
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "GET",
        .path =
            arena_printf(context->arena,
                         "/tickets?updated_since=%sZ&order_by=updated_at&order_type=asc&per_page=%d&page=%" PRIu64 "%s",
                         text_url(context->arena, since), FLOW_PAGE_SIZE, found->part ? found->part : 1,
                         by_description ? "&include=description" : ""),
    };
    return STEP_CALL;
}

// Whether the text names it, and not one that begins like it: "call:99" is not in "call:999".
static bool names(const char *text, const char *conversation)
{
    size_t length = strlen(conversation);
    for (const char *at = text; (at = strstr(at, conversation)); at += length)
        if (!isalnum((unsigned char)at[length]) && at[length] != '-' && at[length] != '_')
            return true;
    return false;
}

static bool is_ours(const struct job_context *context, const char *conversation, const json_t *ticket)
{
    const struct found *found = &context->found;
    uint64_t id = fields_id(ticket, "id");
    if (!id || !*conversation)
        return false;
    // A ticket that follows one that is gone is a new one; the old one carries the same conversation.
    if (*found->closed_ticket && id <= strtoull(found->closed_ticket, NULL, 10))
        return false;
    if (ticket_sends_conversation(context)) {
        const json_t *custom = json_object_get(ticket, "custom_fields");
        return strcmp(fields_raw(custom, context->config->freshdesk.conversation_field), conversation) == 0;
    }
    return fields_time(ticket, "created_at") >= flow_look_floor(context, flow_cause_ms(context)) &&
           (names(fields_raw(ticket, "description"), conversation) ||
            names(fields_raw(ticket, "description_text"), conversation));
}

static bool is_older(const json_t *a, const json_t *b)
{
    uint64_t time_a = fields_time(a, "created_at");
    uint64_t time_b = fields_time(b, "created_at");
    return time_a != time_b ? time_a < time_b : fields_id(a, "id") < fields_id(b, "id");
}

static const json_t *oldest_of_ours(const struct job_context *context, const char *conversation, const json_t *list)
{
    const json_t *ours = NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *ticket = json_array_get(list, i);
        if (!is_ours(context, conversation, ticket))
            continue;
        if (ours)
            log_warn("tickets_of_one_conversation", "conversation=%s ticket=%" PRIu64 " other=%" PRIu64, conversation,
                     fields_id(ours, "id"), fields_id(ticket, "id"));
        if (!ours || is_older(ticket, ours))
            ours = ticket;
    }
    return ours;
}

// Where the next call goes on. A list that goes on has no end to be counted to; one that stands still has.
static void go_on(struct found *found, const json_t *list)
{
    uint64_t last_ms = found->mark_ms;
    for (size_t i = 0; i < json_array_size(list); i++) {
        uint64_t time_ms = fields_time(json_array_get(list, i), "updated_at");
        last_ms = time_ms > last_ms ? time_ms : last_ms;
    }
    bool further = last_ms > found->mark_ms;
    found->part = further ? 1 : (found->part ? found->part : 1) + 1;
    found->mark_ms = last_ms;
    if (further)
        found->page = 1;
}

const json_t *ticket_look_finish(struct job_context *context, const char *conversation, const struct response *response,
                                 struct report *report)
{
    enum step look = (enum step)context->job->step;
    if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return NULL;
    }
    const json_t *list = fields_list(response->json, "tickets");
    if (!list) {
        flow_unexpected(context, report, "a list of tickets");
        return NULL;
    }
    bool again = flow_look_again(context, response, look, report);
    const json_t *ours = oldest_of_ours(context, conversation, list);
    if (ours) {
        flow_look_found(context);
        forget_list(&context->found);
        return ours;
    }
    size_t size = json_array_size(list);
    bool more = size > 0 && (response->link_next || size >= FLOW_PAGE_SIZE);
    if (again)
        return NULL;
    if (more)
        go_on(&context->found, list);
    else
        forget_list(&context->found);
    flow_look_next(context, look, more, report);
    return NULL;
}
