// SPDX-License-Identifier: Apache-2.0
// Which ticket a call, or the wish to be called back, belongs to. In this order: the one it has already; that of the
// live conversation with the same number or user, which the front names, if it is open; the one that Freshcaller's own
// link to Freshdesk made; the newest open one of that conversation's contact, or of the contact with that number; the
// live conversation's though it is resolved; a new one. Before a new one is opened, that link gets a moment, counted
// from the call's last change, and the call is read once more: what it made is adopted, not doubled. Runs in the
// worker's one thread.
#include "workers/flows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "proto/phone.h"
#include "workers/call_words.h"
#include "workers/customer.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/flow_call.h"
#include "workers/text.h"

enum {
    SECOND_MS = 1000,
    SOURCE_PHONE = 3,
    STATUS_RESOLVED = 4,
    STATUS_CLOSED = 5,
    NATIVE_BEFORE_MS = 120000, // clocks apart, and a ticket opened while the phone rang
    NATIVE_AFTER_MS = 600000,  // the same, and a link that was slow
    SAID_BYTES = 1024,
};

static const int64_t reach_ms = INT64_C(90) * 24 * 60 * 60 * 1000; // tickets that nobody touched for longer are history

// ---- common ---------------------------------------------------------------------------------------------------------

enum step flow_call_next(const struct job_context *context)
{
    return call_words_urgent(context) ? STEP_READ_TO_RAISE : STEP_CALL_NOTE;
}

void flow_call_take(struct job_context *context, uint64_t ticket, uint64_t requester, const char *what,
                    struct report *report)
{
    const struct event *event = call_words_event(context);
    flow_done(report, flow_call_next(context), what);
    report->ticket_id = ticket;
    report->requester_id = requester;
    report->user = event->user;
    report->context_known = true;
    report->context = customer_unknown();
    report->context.name = event->name;
    report->context.phone = event->phone;
}

void flow_call_told(const struct job_context *context, struct report *report)
{
    const struct event *event = call_words_event(context);
    report->leg.id = event->call.id ? event->call.id : 1; // a wish has one leg
    report->leg.told = call_words_news(context);
}

void flow_call_gone(struct job_context *context, struct report *report)
{
    log_info("call_ticket_gone", "conversation=%s ticket=%" PRIu64, context->job->lane.conversation,
             context->job->lane.ticket_id);
    context->found.closed_ticket = arena_printf(context->arena, "%" PRIu64, context->job->lane.ticket_id);
    context->found.said = "";
    flow_done(report, STEP_FIND_CALLER, "");
}

static bool is_gone(const struct job_context *context, uint64_t ticket)
{
    return ticket == strtoull(context->found.closed_ticket, NULL, 10);
}

static bool has_live(const struct job_context *context)
{
    return context->job->live_ticket && !is_gone(context, context->job->live_ticket);
}

static void take_live(struct job_context *context, struct report *report)
{
    const struct job *job = context->job;
    flow_call_take(context, job->live_ticket, job->live_requester, "joined the customer's ticket", report);
}

// Nothing is open. Nobody opens a ticket for what needs no answer: a customer whom an agent did not reach.
static void open_one(struct job_context *context, struct report *report)
{
    const struct phone_call *call = &call_words_event(context)->call;
    if (has_live(context)) {
        take_live(context, report);
        return;
    }
    bool in_vain = !call_words_is_wish(context) && call->outgoing && call->state != CALL_ANSWERED;
    flow_done(report, in_vain ? STEP_NONE : STEP_CREATE_CALL_TICKET, in_vain ? "call in vain: no ticket" : "");
}

// ---- without a call to anyone ---------------------------------------------------------------------------------------

// How long Freshcaller's own link still has, from the call's last change.
static uint64_t native_wait_ms(const struct job_context *context)
{
    uint64_t wait = (uint64_t)context->config->freshcaller.native_wait_seconds * SECOND_MS;
    uint64_t until = call_words_event(context)->call.updated_ms + wait;
    uint64_t now = flow_now_ms(context, UPSTREAM_FRESHCALLER);
    uint64_t left = until > now ? until - now : 0;
    return left < wait ? left : wait;
}

// The conversation has no ticket that is open. Whoever asks to be called is found by the conversation alone: anybody
// can type anybody's number.
static void go_on(struct job_context *context, struct report *report)
{
    const struct phone_call *call = &call_words_event(context)->call;
    if (call_words_is_wish(context)) {
        context->found.contact = context->job->live_ticket ? context->job->live_requester : 0;
        if (context->found.contact)
            flow_done(report, STEP_FIND_TICKET, "");
        else
            open_one(context, report);
    } else if (call->ticket_id) {
        flow_call_take(context, call->ticket_id, 0, "joined the ticket that Freshcaller made", report);
    } else {
        flow_done(report, STEP_READ_CALL, "");
        report->delay_ms = native_wait_ms(context);
    }
}

static enum step_choice join_begin(struct job_context *context, struct request *request, struct report *report)
{
    const struct job *job = context->job;
    (void)request;
    context->found.said = "";
    if (!call_words_news(context)) {
        flow_done(report, STEP_NONE, "");
    } else if (job->lane.ticket_id) {
        flow_done(report, flow_call_next(context), "");
    } else if (job->live_ticket) {
        flow_done(report, STEP_READ_LIVE, "");
    } else {
        go_on(context, report);
    }
    return STEP_ANSWER;
}

// ---- the live conversation's ticket ---------------------------------------------------------------------------------

static enum step_choice live_begin(struct job_context *context, struct request *request, struct report *report)
{
    if (!context->job->live_ticket) { // not live any more
        go_on(context, report);
        return STEP_ANSWER;
    }
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "GET",
        .path = arena_printf(context->arena, "/tickets/%" PRIu64, context->job->live_ticket),
    };
    return STEP_CALL;
}

static bool is_usable(const json_t *ticket)
{
    return !fields_flag(ticket, "spam") && !fields_flag(ticket, "deleted");
}

static bool is_open(const json_t *ticket)
{
    uint64_t status = fields_id(ticket, "status");
    return status && status != STATUS_RESOLVED && status != STATUS_CLOSED;
}

static void live_finish(struct job_context *context, const struct response *response, struct report *report)
{
    bool read = response->answer == ANSWER_OK && fields_id(response->json, "status");
    bool gone = flow_ticket_gone(response) || (read && !is_usable(response->json));
    if (!gone && !read && !flow_is_denied(response)) {
        answers_default(context, response, report);
        return;
    }
    if (gone)
        context->found.closed_ticket = arena_printf(context->arena, "%" PRIu64, context->job->live_ticket);
    if (gone || (read && !is_open(response->json)))
        go_on(context, report);
    else
        take_live(context, report);
}

// ---- the call once more ---------------------------------------------------------------------------------------------

static enum step_choice read_begin(struct job_context *context, struct request *request, struct report *report)
{
    uint64_t id = call_words_event(context)->call.id;
    if (!context->config->freshcaller.enabled || !id) {
        flow_done(report, STEP_FIND_CALLER, "");
        return STEP_ANSWER;
    }
    *request = (struct request){
        .upstream = UPSTREAM_FRESHCALLER,
        .method = "GET",
        .path = arena_printf(context->arena, "/calls/%" PRIu64, id),
    };
    return STEP_CALL;
}

static bool mentions(const json_t *object, const char *name, const char *word)
{
    const char *text = fields_raw(object, name);
    return strcasestr(text, word) != NULL;
}

static uint64_t native_ticket(const json_t *json)
{
    const json_t *inner = json_object_get(json, "call");
    const json_t *list = fields_list(fields_is_object(inner) ? inner : json, "integrated_resources");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        bool desk = !*fields_raw(one, "integration_name") || mentions(one, "integration_name", "freshdesk");
        if (desk && mentions(one, "type", "ticket") && fields_id(one, "id"))
            return fields_id(one, "id");
    }
    return 0;
}

// Whatever comes of it, the call is known well enough to go on: it must not wait for Freshcaller.
static void read_finish(struct job_context *context, const struct response *response, struct report *report)
{
    uint64_t ticket = response->answer == ANSWER_OK ? native_ticket(response->json) : 0;
    if (response->answer != ANSWER_OK)
        log_info("call_unread", "conversation=%s problem=%s", context->job->lane.conversation, response->problem);
    if (ticket)
        flow_call_take(context, ticket, 0, "joined the ticket that Freshcaller made", report);
    else
        flow_done(report, STEP_FIND_CALLER, "");
}

// ---- who it is ------------------------------------------------------------------------------------------------------

// First by telephone, then (found.page 1) by mobile.
static enum step_choice caller_begin(struct job_context *context, struct request *request, struct report *report)
{
    const char *phone = call_words_event(context)->phone;
    if (context->job->live_ticket && context->job->live_requester) {
        context->found.contact = context->job->live_requester;
        flow_done(report, STEP_FIND_TICKET, "");
        return STEP_ANSWER;
    }
    if (!*phone) {
        open_one(context, report);
        return STEP_ANSWER;
    }
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "GET",
        .path = arena_printf(context->arena, "/contacts?%s=%s", context->found.page ? "mobile" : "phone",
                             text_url(context->arena, phone)),
    };
    return STEP_CALL;
}

// The filter is not trusted to mean the number.
static bool has_number(const struct job_context *context, const json_t *contact, const char *name)
{
    char phone[PHONE_BYTES];
    (void)phone_e164(fields_raw(contact, name), config_phone_plan(context->config), phone);
    return *phone && strcmp(phone, call_words_event(context)->phone) == 0;
}

static uint64_t contact_in(const struct job_context *context, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *contact = json_array_get(list, i);
        if (has_number(context, contact, "phone") || has_number(context, contact, "mobile"))
            return fields_id(contact, "id");
    }
    return 0;
}

static void caller_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    const json_t *list = fields_list(response->json, "contacts");
    bool none = response->answer == ANSWER_NOT_FOUND || response->answer == ANSWER_REFUSED;
    if (!none && (response->answer != ANSWER_OK || !list)) {
        answers_default(context, response, report);
        return;
    }
    found->contact = none ? 0 : contact_in(context, list);
    bool other = !found->contact && !found->page;
    found->page = other;
    if (found->contact || other)
        flow_done(report, other ? STEP_FIND_CALLER : STEP_FIND_TICKET, "");
    else
        open_one(context, report);
}

// ---- their tickets --------------------------------------------------------------------------------------------------

static enum step_choice ticket_begin(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
    char since[CLOCK_ISO_BYTES];
    clock_format_iso((int64_t)flow_moved(flow_now_ms(context, UPSTREAM_FRESHDESK), -reach_ms), since);
    since[19] = '\0'; // Freshdesk's own times have no milliseconds
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "GET",
        .path = arena_printf(context->arena,
                             "/tickets?requester_id=%" PRIu64
                             "&updated_since=%sZ&order_by=created_at&order_type=desc&per_page=%d",
                             context->found.contact, text_url(context->arena, since), FLOW_PAGE_SIZE),
    };
    return STEP_CALL;
}

// What Freshcaller's own link makes looks like any phone ticket, but was made about the call's time; nobody else's
// conversation is in it.
static bool is_native(const struct job_context *context, const json_t *ticket)
{
    const struct phone_call *call = &call_words_event(context)->call;
    const json_t *custom = json_object_get(ticket, "custom_fields");
    uint64_t created = fields_time(ticket, "created_at");
    uint64_t end = call->ended_ms ? call->ended_ms : call->updated_ms;
    uint64_t wait = (uint64_t)context->config->freshcaller.native_wait_seconds * SECOND_MS;
    return fields_id(ticket, "source") == SOURCE_PHONE && created && created + NATIVE_BEFORE_MS >= call->started_ms &&
           created <= end + wait + NATIVE_AFTER_MS &&
           !*fields_raw(custom, context->config->freshdesk.conversation_field);
}

// The better of two: what this call's own lane opened, Freshcaller's, the newest open one.
static int fitness(const struct job_context *context, const json_t *ticket)
{
    const json_t *custom = json_object_get(ticket, "custom_fields");
    const char *field = context->config->freshdesk.conversation_field;
    uint64_t id = fields_id(ticket, "id");
    if (!id || is_gone(context, id) || !is_usable(ticket) ||
        fields_id(ticket, "requester_id") != context->found.contact) // the filter is not trusted
        return 0;
    if (*field && strcmp(fields_raw(custom, field), context->job->lane.conversation) == 0)
        return 3;
    if (is_native(context, ticket))
        return 2;
    return is_open(ticket) ? 1 : 0;
}

static void ticket_finish(struct job_context *context, const struct response *response, struct report *report)
{
    const json_t *list = fields_list(response->json, "tickets");
    const json_t *best = NULL;
    int best_fitness = 0;
    if (response->answer == ANSWER_NOT_FOUND || response->answer == ANSWER_REFUSED) {
        open_one(context, report);
        return;
    }
    if (response->answer != ANSWER_OK || !list) {
        answers_default(context, response, report);
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *ticket = json_array_get(list, i);
        int fits = fitness(context, ticket);
        bool newer = best && fields_time(ticket, "created_at") > fields_time(best, "created_at");
        if (fits > best_fitness || (fits && fits == best_fitness && newer)) {
            best = ticket;
            best_fitness = fits;
        }
    }
    if (best)
        flow_call_take(context, fields_id(best, "id"), context->found.contact,
                       best_fitness == 2 ? "joined the ticket that Freshcaller made"
                                         : "joined the customer's open ticket",
                       report);
    else
        open_one(context, report);
}

const struct step_code flow_call_join_steps[] = {
    {STEP_JOIN_CALL, join_begin, NULL},
    {STEP_READ_LIVE, live_begin, live_finish},
    {STEP_READ_CALL, read_begin, read_finish},
    {STEP_FIND_CALLER, caller_begin, caller_finish},
    {STEP_FIND_TICKET, ticket_begin, ticket_finish},
    {STEP_NONE, NULL, NULL},
};
