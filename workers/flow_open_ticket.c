// SPDX-License-Identifier: Apache-2.0
// Opens the ticket: read the customer, create the ticket, report. The first message of a conversation, and messages
// whose ticket is gone. A lead is worth more than a complete ticket: whatever cannot be read is left out and completed
// later (flow_context.c), whatever the helpdesk refuses of our extras is left out at the next attempt. In doubt, the
// look reads the list of tickets changed since (never the search index, which lags) and matches the conversation field
// exactly.
#include "workers/flows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/customer.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/parts.h"
#include "workers/rules.h"
#include "workers/text.h"
#include "workers/ticket.h"

enum {
    LEAST_READ_MS = 50, // with less time left than this the customer is not asked for
    SUBJECT_WORDS = 60,
    SUBJECT_CART = 40,
    SUBJECT_NAME = 80,
    REREAD_FIRST_MS = 2000,
    REREAD_SECOND_MS = 10000,
    SOURCE_CHAT = 7,
    STATUS_OPEN = 2,
    SECOND_MS = 1000,
};

static const char visitor[] = "Chat visitor";

// ---- read the customer ----------------------------------------------------------------------------------------------

static const char *user_of(const struct job_context *context)
{
    for (size_t i = 0; i < context->job->events.count; i++)
        if (*context->job->events.items[i].user)
            return context->job->events.items[i].user;
    return context->job->lane.user;
}

static enum step_choice read_customer_begin(struct job_context *context, struct request *request, struct report *report)
{
    const char *user = user_of(context);
    uint64_t wait = (uint64_t)context->config->timing.context_wait_ms;
    context->found.context = customer_unknown();
    if (!*user || context->job->age_ms + LEAST_READ_MS > wait) {
        flow_done(report, STEP_CREATE_TICKET, "");
        return STEP_ANSWER;
    }
    *request = (struct request){
        .upstream = UPSTREAM_FRESHCHAT,
        .method = "GET",
        .path = arena_printf(context->arena, "/users/%s", text_url(context->arena, user)),
        .timeout_ms = wait - context->job->age_ms,
    };
    return STEP_CALL;
}

static void read_customer_finish(struct job_context *context, const struct response *response, struct report *report)
{
    if (response->answer == ANSWER_OK && fields_is_object(response->json))
        context->found.context = customer_read(context->arena, response->json);
    else
        log_info("customer_unread", "conversation=%s problem=%s", context->job->lane.conversation, response->problem);
    flow_done(report, STEP_CREATE_TICKET, "");
    // Where the budget is short, this decides whose ticket is opened first.
    report->worth_cents = context->found.context.cart_valid ? context->found.context.cart_cents : 0;
}

// ---- create the ticket ----------------------------------------------------------------------------------------------

static const struct event *first_event(const struct job_context *context)
{
    static const struct event none = {.user = "", .conversation = ""};
    return context->job->events.count ? &context->job->events.items[0] : &none;
}

static const char *conversation_of(const struct job_context *context)
{
    const char *conversation = context->job->lane.conversation;
    return *conversation ? conversation : first_event(context)->conversation;
}

static const char *shortened(struct arena *arena, const char *text, size_t points)
{
    return arena_copy(arena, text, text_cut(text, points));
}

// "{cart} · {name}: {first 60 characters}" without what is missing.
static const char *subject_of(struct job_context *context)
{
    struct arena *arena = context->arena;
    const struct context *customer = &context->found.context;
    const char *cart = shortened(arena, text_line(arena, customer->cart, 255), SUBJECT_CART);
    const char *name = shortened(arena, text_line(arena, customer->name, 512), SUBJECT_NAME);
    const char *words =
        text_line(arena, shortened(arena, parts_line(arena, first_event(context)), SUBJECT_WORDS), 1024);
    if (!*words)
        words = "Chat message";
    if (*name)
        words = arena_printf(arena, "%s: %s", name, words);
    return *cart ? arena_printf(arena, "%s · %s", cart, words) : words;
}

static void add_context_line(struct text_buf *out, const char *label, const char *value)
{
    if (!*value)
        return;
    text_buf_add(out, "<br>");
    text_add_html(out, label);
    text_buf_add(out, ": ");
    text_add_html(out, value);
}

static void add_messages(struct text_buf *out, const struct job *job)
{
    for (size_t i = 0; i < job->events.count; i++) {
        text_buf_add(out, "<div><b>");
        parts_add_time(out, &job->events.items[i]);
        text_buf_add(out, "</b> ");
        parts_add_html(out, &job->events.items[i], false);
        text_buf_add(out, "</div>");
    }
}

static const char *description_of(struct job_context *context)
{
    const struct context *customer = &context->found.context;
    struct text_buf out = text_buf_new(context->arena);
    add_messages(&out, context->job);
    text_buf_add(&out, "<hr><div>");
    text_buf_add(&out, customer->read ? "From the shop&#39;s chat"
                                      : "From the shop&#39;s chat; the customer could not be read yet");
    if (*context->found.closed_ticket) {
        text_buf_add(&out, "<br>Follows ticket #");
        text_add_html(&out, context->found.closed_ticket);
        text_buf_add(&out, ", which takes no messages any more");
    }
    add_context_line(&out, "Name", customer->name);
    add_context_line(&out, "E-mail", customer->email);
    add_context_line(&out, "Phone", customer->phone);
    add_context_line(&out, "Cart value", customer->cart);
    add_context_line(&out, "Friction score", customer->friction);
    add_context_line(&out, "Screen", customer->screen);
    add_context_line(&out, "Conversation", conversation_of(context));
    text_buf_add(&out, "</div>");
    return out.data;
}

// One identity only, or Freshdesk may match two contacts: the old ticket's requester, e-mail, phone, Freshchat user id.
static void put_requester(struct job_context *context, json_t *ticket)
{
    const struct context *customer = &context->found.context;
    uint64_t omit = context->found.omit;
    const char *name = *customer->name && !(omit & TICKET_OMIT_NAME) ? customer->name : "";
    const char *user = user_of(context);
    name = shortened(context->arena, name, 255);
    if (*context->found.closed_ticket && context->job->lane.requester_id && !(omit & TICKET_OMIT_REQUESTER)) {
        fields_put_id(ticket, "requester_id", context->job->lane.requester_id);
        return;
    }
    if (customer_is_email(customer->email) && !(omit & TICKET_OMIT_IDENTITY)) {
        fields_put(ticket, "email", customer->email);
        if (*name)
            fields_put(ticket, "name", name);
        return;
    }
    if (customer_is_phone(customer->phone) && !(omit & TICKET_OMIT_IDENTITY))
        fields_put(ticket, "phone", customer->phone);
    else
        fields_put(ticket, "unique_external_id", *user ? user : conversation_of(context));
    fields_put(ticket, "name", *name ? name : visitor);
}

static enum step_choice create_begin(struct job_context *context, struct request *request, struct report *report)
{
    struct found *found = &context->found;
    // A late report, or another message of the conversation: it has its ticket, or the one that follows.
    if (context->job->lane.ticket_id && strtoull(found->closed_ticket, NULL, 10) != context->job->lane.ticket_id) {
        found->omit = 0;
        flow_done(report, STEP_APPEND_NOTE, "");
        return STEP_ANSWER;
    }
    struct rules_result rules = rules_apply(context->config, &found->context);
    found->context.priority = (uint64_t)rules.priority;
    json_t *ticket = json_object();
    fields_put(ticket, "subject", subject_of(context));
    fields_put(ticket, "description", description_of(context));
    fields_put_id(ticket, "source", SOURCE_CHAT);
    fields_put_id(ticket, "status", STATUS_OPEN);
    fields_put_id(ticket, "priority", (uint64_t)rules.priority);
    put_requester(context, ticket);
    ticket_put_settings(context, &rules, ticket);
    ticket_put_fields(context, conversation_of(context), ticket);
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "POST",
        .path = "/tickets",
        .body = fields_body(context->arena, ticket),
    };
    return STEP_CALL;
}

// The same report for a ticket that was created and for one that a look found.
static void report_ticket(struct job_context *context, const json_t *ticket, struct report *report)
{
    struct found *found = &context->found;
    flow_done(report, STEP_NONE, "ticket opened");
    report->ticket_id = fields_id(ticket, "id");
    report->requester_id = fields_id(ticket, "requester_id");
    report->user = user_of(context);
    report->context_known = true;
    report->context = found->context;
    report->worth_cents = found->context.cart_valid ? found->context.cart_cents : 0;
    if (!customer_complete(&found->context)) {
        flow_followup(context, report, EVENT_CONTEXT, REREAD_FIRST_MS, 1);
        flow_followup(context, report, EVENT_CONTEXT, REREAD_SECOND_MS, 2);
    }
}

static void create_finish(struct job_context *context, const struct response *response, struct report *report)
{
    if (response->answer == ANSWER_OK && fields_id(response->json, "id")) {
        report_ticket(context, response->json, report);
    } else if (response->answer == ANSWER_OK) {
        flow_unexpected(context, report, "a ticket id");
    } else if (response->answer == ANSWER_REFUSED && ticket_omit(context, response)) {
        flow_done(report, STEP_CREATE_TICKET, "");
        report->cause = ticket_omit_sentence(context);
    } else {
        answers_default(context, response, report);
    }
}

// ---- look for the ticket --------------------------------------------------------------------------------------------

// Tickets move to the list's end when they change, and everything behind them moves up: page numbers would pass over
// some, and a ticket that was passed over is opened twice. So each call asks for what is not older than the last that
// was seen (found.mark_ms) and begins with the first page; only when a page is full of one second's changes does the
// next call ask for the second (found.part). The first list begins at the write's time.
static uint64_t list_from(const struct job_context *context)
{
    const struct found *found = &context->found;
    if (found->mark_ms)
        return flow_moved(found->mark_ms, -SECOND_MS);
    uint64_t since = flow_moved(flow_since_ms(context), -FLOW_LOOK_REACH_MS);
    return flow_moved(since, found->clock_known ? (int64_t)found->clock_ahead_ms : 0);
}

static void forget_list(struct found *found)
{
    found->mark_ms = 0;
    found->part = 0;
}

static enum step_choice look_begin(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
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

static bool is_ours(const struct job_context *context, const json_t *ticket)
{
    const char *conversation = conversation_of(context);
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
    return fields_time(ticket, "created_at") >= flow_look_floor(context, flow_since_ms(context)) &&
           (strstr(fields_raw(ticket, "description"), conversation) ||
            strstr(fields_raw(ticket, "description_text"), conversation));
}

static bool is_older(const json_t *a, const json_t *b)
{
    uint64_t time_a = fields_time(a, "created_at");
    uint64_t time_b = fields_time(b, "created_at");
    return time_a != time_b ? time_a < time_b : fields_id(a, "id") < fields_id(b, "id");
}

static const json_t *oldest_of_ours(const struct job_context *context, const json_t *list)
{
    const json_t *ours = NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *ticket = json_array_get(list, i);
        if (!is_ours(context, ticket))
            continue;
        if (ours)
            log_warn("tickets_of_one_conversation", "conversation=%s ticket=%" PRIu64 " other=%" PRIu64,
                     conversation_of(context), fields_id(ours, "id"), fields_id(ticket, "id"));
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

// After a backup was restored: the ticket that was found may have been opened with another message of the conversation.
static void append_unless_there(struct job_context *context, const json_t *ticket, struct report *report)
{
    struct text_buf messages = text_buf_new(context->arena);
    add_messages(&messages, context->job);
    if (ticket_describes(context->arena, ticket, messages.data))
        return;
    context->found.omit = 0;
    flow_done(report, STEP_APPEND_NOTE, "link rebuilt");
}

static void look_finish(struct job_context *context, const struct response *response, struct report *report)
{
    if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    const json_t *list = fields_list(response->json, "tickets");
    if (!list) {
        flow_unexpected(context, report, "a list of tickets");
        return;
    }
    bool again = flow_look_again(context, response, STEP_LOOK_TICKET, report);
    const json_t *ours = oldest_of_ours(context, list);
    if (ours) {
        flow_look_found(context);
        forget_list(&context->found);
        report_ticket(context, ours, report);
        if (context->job->restored)
            append_unless_there(context, ours, report);
        return;
    }
    size_t size = json_array_size(list);
    bool more = size > 0 && (response->link_next || size >= FLOW_PAGE_SIZE);
    if (again)
        return;
    if (more)
        go_on(&context->found, list);
    else
        forget_list(&context->found);
    flow_look_next(context, STEP_LOOK_TICKET, more, report);
}

const struct step_code flow_open_ticket_steps[] = {
    {STEP_READ_CUSTOMER, read_customer_begin, read_customer_finish},
    {STEP_CREATE_TICKET, create_begin, create_finish},
    {STEP_LOOK_TICKET, look_begin, look_finish},
    {STEP_NONE, NULL, NULL},
};
