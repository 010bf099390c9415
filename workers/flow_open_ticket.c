// SPDX-License-Identifier: Apache-2.0
// Opens the ticket: read the customer, create the ticket, report. The first message of a conversation, and messages
// whose ticket is gone. A lead is worth more than a complete ticket: whatever cannot be read is left out and completed
// later (flow_context.c), whatever the helpdesk refuses of our extras is left out at the next attempt. In doubt, the
// look of ticket_look.h finds it.
#include "workers/flows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/agents.h"
#include "workers/customer.h"
#include "workers/directory.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/parts.h"
#include "workers/rules.h"
#include "workers/text.h"
#include "workers/ticket.h"
#include "workers/ticket_look.h"
#include "workers/words.h"

enum {
    LEAST_READ_MS = 50, // with less time left than this the customer is not asked for
    SUBJECT_WORDS = 60,
    SUBJECT_BYTES = 1024,
    REREAD_FIRST_MS = 2000,
    REREAD_SECOND_MS = 10000,
    SOURCE_CHAT = 7,
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

static bool is_agents(const struct job_context *context)
{
    const struct context *customer = &context->found.context;
    const struct agent *agent = agents_by_email(context->agents, UPSTREAM_FRESHDESK, customer->email);
    if (agent && agent->exists)
        return true;
    // The number is sent only where there is no address.
    return !customer_is_email(customer->email) &&
           agents_have_phone(context->agents, UPSTREAM_FRESHDESK, customer->phone);
}

// The worker that knows the agents decides: the ticket may be created by one that has not listed them.
static void deny_agents_identity(struct job_context *context)
{
    if ((context->found.omit & TICKET_OMIT_IDENTITY) || !is_agents(context))
        return;
    context->found.omit |= TICKET_OMIT_IDENTITY;
    log_warn("agent_identity_claimed", "conversation=%s", context->job->lane.conversation);
}

static void read_customer_finish(struct job_context *context, const struct response *response, struct report *report)
{
    if (response->answer == ANSWER_OK && fields_is_object(response->json))
        context->found.context = customer_answered(context, response);
    else
        log_info("customer_unread", "conversation=%s problem=%s", context->job->lane.conversation, response->problem);
    const struct context *customer = &context->found.context;
    deny_agents_identity(context);
    bool claims = customer_is_email(customer->email) || customer_is_phone(customer->phone);
    flow_done(report, claims && agents_wanted_page(context->agents) ? STEP_LIST_DESK_AGENTS : STEP_CREATE_TICKET, "");
    // Where the budget is short, this decides whose ticket is opened first.
    report->worth_cents = customer_worth(customer);
}

// ---- who is no customer ---------------------------------------------------------------------------------------------

// Anybody can type an agent's address into the chat, and the helpdesk would make that agent the requester. So the
// agents are listed, once an hour, within what is left of the customer's second; what cannot be read is done without.
static enum step_choice list_agents_begin(struct job_context *context, struct request *request, struct report *report)
{
    if (!agents_wanted_page(context->agents)) { // another job has read it meanwhile
        deny_agents_identity(context);
        flow_done(report, STEP_CREATE_TICKET, "");
        return STEP_ANSWER;
    }
    directory_desk_request(context, request);
    return STEP_CALL;
}

static void list_agents_finish(struct job_context *context, const struct response *response, struct report *report)
{
    bool read = response->answer == ANSWER_OK && directory_desk_page(context, response);
    context->found.page = 0;
    if (!read) {
        agents_put_unlisted(context->agents);
        log_warn("agents_unread", "step=%s problem=%s", steps_name(context->job->step),
                 response->problem ? response->problem : "no list of agents");
    }
    deny_agents_identity(context);
    flow_done(report, read && agents_wanted_page(context->agents) ? STEP_LIST_DESK_AGENTS : STEP_CREATE_TICKET, "");
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

// "{cart} · {name}: {first 60 characters}" without what is missing.
static const char *subject_of(struct job_context *context, uint64_t *words_at)
{
    struct arena *arena = context->arena;
    const char *line = parts_line(arena, first_event(context));
    const char *words = text_line(arena, text_shortened(arena, line, SUBJECT_WORDS), 1024);
    return words_subject(arena, &context->found.context, *words ? words : "Chat message", words_at);
}

// Kept as long as the ticket says it: whoever changed it since, it is theirs.
static void remember_subject(struct job_context *context, const json_t *ticket)
{
    struct context *customer = &context->found.context;
    customer->subject = subject_of(context, &customer->words_at);
    const char *there = fields_line(context->arena, ticket, "subject", SUBJECT_BYTES);
    if (*there && strcmp(there, customer->subject) != 0)
        customer->subject = "";
}

static void add_messages(struct text_buf *out, const struct job_context *context)
{
    const struct job *job = context->job;
    for (size_t i = 0; i < job->events.count; i++) {
        text_buf_add(out, "<div><b>");
        parts_add_time(out, &job->events.items[i], context->written_ms);
        text_buf_add(out, "</b> ");
        parts_add_html(out, &job->events.items[i], false);
        text_buf_add(out, "</div>");
    }
}

static const char *description_of(struct job_context *context)
{
    const struct context *customer = &context->found.context;
    struct text_buf out = text_buf_new(context->arena);
    add_messages(&out, context);
    text_buf_add(&out, "<hr><div>");
    text_buf_add(&out, customer->read ? "From the shop&#39;s chat"
                                      : "From the shop&#39;s chat; the customer could not be read yet");
    if (*context->found.closed_ticket) {
        text_buf_add(&out, "<br>Follows ticket #");
        text_add_html(&out, context->found.closed_ticket);
        text_buf_add(&out, ", which takes no messages any more");
    }
    words_add_customer(&out, customer);
    text_buf_add(&out, "<br>Conversation: ");
    text_add_html(&out, conversation_of(context));
    text_buf_add(&out, "</div>");
    words_add_cart(&out, customer);
    return out.data;
}

// One identity only, or Freshdesk may match two contacts: the old ticket's requester, e-mail, phone, Freshchat user id.
// The last also where the shopper claims what is an agent's.
static void put_requester(struct job_context *context, json_t *ticket)
{
    const struct context *customer = &context->found.context;
    uint64_t omit = context->found.omit;
    const char *name = *customer->name && !(omit & TICKET_OMIT_NAME) ? customer->name : "";
    const char *user = user_of(context);
    name = text_shortened(context->arena, name, 255);
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
    json_t *ticket = json_object();
    uint64_t words_at = 0;
    fields_put(ticket, "subject", subject_of(context, &words_at));
    fields_put(ticket, "description", description_of(context));
    fields_put_id(ticket, "source", SOURCE_CHAT);
    fields_put_id(ticket, "status", FLOW_STATUS_OPEN);
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

// Whoever struggles is told where to call: once, with the conversation's first ticket. (After a backup was restored the
// ticket that is found may be an old one.)
static bool offers_call(const struct job_context *context)
{
    const struct context *customer = &context->found.context;
    return *context->config->widget.call_message && customer->friction_valid &&
           customer_level(customer->friction_value) == 2 && !*context->found.closed_ticket && !context->job->restored;
}

// The same report for a ticket that was created and for one that a look found.
static void report_ticket(struct job_context *context, const json_t *ticket, struct report *report)
{
    struct found *found = &context->found;
    struct rules_result rules = rules_apply(context->config, &found->context);
    found->context.priority = 0; // of the ticket before this one, where it follows another
    found->context.unsure = false;
    rules_remember(context->arena, &found->context, &rules);
    remember_subject(context, ticket);
    flow_done(report, STEP_NONE, "ticket opened");
    report->ticket_id = fields_id(ticket, "id");
    report->requester_id = fields_id(ticket, "requester_id");
    report->user = user_of(context);
    report->context_known = true;
    report->context = found->context;
    report->worth_cents = customer_worth(&found->context);
    if (!customer_complete(&found->context)) {
        flow_followup(context, report, EVENT_CONTEXT, REREAD_FIRST_MS, 1);
        flow_followup(context, report, EVENT_CONTEXT, REREAD_SECOND_MS, 2);
    }
    if (offers_call(context))
        flow_followup(context, report, EVENT_OFFER, 0, 0);
}

static void create_finish(struct job_context *context, const struct response *response, struct report *report)
{
    const json_t *ticket = ticket_created(context, response, report);
    if (ticket)
        report_ticket(context, ticket, report);
}

// ---- look for the ticket --------------------------------------------------------------------------------------------

// After a backup was restored: the ticket that was found may have been opened with another message of the conversation.
static void append_unless_there(struct job_context *context, const json_t *ticket, struct report *report)
{
    struct text_buf messages = text_buf_new(context->arena);
    add_messages(&messages, context);
    if (ticket_describes(context->arena, ticket, messages.data))
        return;
    context->found.omit = 0;
    flow_done(report, STEP_APPEND_NOTE, "link rebuilt");
}

static enum step_choice look_begin(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
    return ticket_look_begin(context, request);
}

static void look_finish(struct job_context *context, const struct response *response, struct report *report)
{
    const json_t *ours = ticket_look_finish(context, conversation_of(context), response, report);
    if (!ours)
        return;
    report_ticket(context, ours, report);
    if (context->job->restored)
        append_unless_there(context, ours, report);
}

const struct step_code flow_open_ticket_steps[] = {
    {STEP_READ_CUSTOMER, read_customer_begin, read_customer_finish},
    {STEP_LIST_DESK_AGENTS, list_agents_begin, list_agents_finish},
    {STEP_CREATE_TICKET, create_begin, create_finish},
    {STEP_LOOK_TICKET, look_begin, look_finish},
    {STEP_NONE, NULL, NULL},
};
