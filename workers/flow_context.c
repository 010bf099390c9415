// SPDX-License-Identifier: Apache-2.0
// Keeps the ticket's context fresh: read the customer again, and when that tells something new, put it into the
// ticket's fields, raise the ticket where a rule matches only now, and tell the agent in a private note.
//
//   refresh_customer (a poll while the chat runs) --changed--> a context event of its own:
//   reread_customer --> read_to_update --> update_ticket --> change_note
//
// The customer as the lane's record knows it is what the ticket and its agent were last told. It moves with the end of
// this flow only, in the batch that ends the event, so whatever breaks off in between is found to have changed again.
// Before the fields are touched the record says that they may have been (`unsure`): they are written again then, even
// if the customer went back meanwhile. Reads and the update change nothing when repeated; the note is looked for. A
// priority never falls and an agent's tags stay (raise.h): the ticket is read directly before it is updated, and again
// when that was too long ago.
#include "workers/flows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/customer.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/note.h"
#include "workers/raise.h"
#include "workers/rules.h"
#include "workers/text.h"
#include "workers/ticket.h"
#include "workers/words.h"

enum {
    ROUND_FIRST = 1, // 1 and 2 belong to the opening (flow_open_ticket.c)
    PATIENCE = 5,    // times context_wait_ms: a message of the conversation may have to wait for this read
    READ_HOLDS_MS = 30000,
    SAID_BYTES = 1024,
    SUBJECT_BYTES = 1024,
    BODY_BYTES = 65536,
};

static const struct context *known_of(const struct job_context *context)
{
    return &context->job->lane.context;
}

static const char *user_of(const struct job_context *context)
{
    const struct job *job = context->job;
    return job->events.count && *job->events.items[0].user ? job->events.items[0].user : job->lane.user;
}

static struct request read_request(const struct job_context *context)
{
    return (struct request){
        .upstream = UPSTREAM_FRESHCHAT,
        .method = "GET",
        .path = arena_printf(context->arena, "/users/%s", text_url(context->arena, user_of(context))),
        .timeout_ms = (uint64_t)context->config->timing.context_wait_ms * PATIENCE,
    };
}

// ---- has anything changed? ------------------------------------------------------------------------------------------

static enum step_choice refresh_begin(struct job_context *context, struct request *request, struct report *report)
{
    flow_done(report, STEP_NONE, "");
    if (!*user_of(context) || !context->job->lane.ticket_id)
        return STEP_ANSWER;
    *request = read_request(context);
    return STEP_CALL;
}

static void refresh_finish(struct job_context *context, const struct response *response, struct report *report)
{
    if (response->answer != ANSWER_OK || !fields_is_object(response->json)) {
        answers_default(context, response, report);
        return;
    }
    struct context now = customer_answered(context, response);
    struct context merged = customer_merge(known_of(context), &now);
    flow_done(report, STEP_NONE, "");
    if (known_of(context)->unsure || customer_changed(known_of(context), &merged))
        flow_followup(context, report, EVENT_CONTEXT, 0, FLOW_ROUND_CHANGED);
}

// ---- read again -----------------------------------------------------------------------------------------------------

static uint64_t round_of(const struct job_context *context)
{
    return context->job->events.count ? context->job->events.items[0].round : 0;
}

static enum step_choice reread_begin(struct job_context *context, struct request *request, struct report *report)
{
    bool needed = round_of(context) >= FLOW_ROUND_CHANGED || !customer_complete(known_of(context));
    if (!*user_of(context) || !context->job->lane.ticket_id || !needed) {
        flow_done(report, STEP_NONE, "");
        return STEP_ANSWER;
    }
    *request = read_request(context);
    return STEP_CALL;
}

static void reread_failed(struct job_context *context, const struct response *response, struct report *report)
{
    answers_default(context, response, report);
    if (report->outcome == OUTCOME_RETRY && round_of(context) != ROUND_FIRST)
        return;
    // The second round follows anyway, or the customer cannot be read at all: no dead letter is made of a nicety.
    log_info("customer_unread", "conversation=%s problem=%s", context->job->lane.conversation, response->problem);
    report->cause = "";
    flow_done(report, STEP_NONE, "");
}

static void reread_finish(struct job_context *context, const struct response *response, struct report *report)
{
    if (response->answer != ANSWER_OK || !fields_is_object(response->json)) {
        reread_failed(context, response, report);
        return;
    }
    const struct context *known = known_of(context);
    struct context now = customer_answered(context, response);
    context->found.context = customer_merge(known, &now);
    if (known->unsure || customer_changed(known, &context->found.context)) {
        flow_done(report, STEP_READ_TO_UPDATE, "");
        return;
    }
    report->context_known = true;
    report->context = *known;
    report->context.read = true;
    flow_done(report, STEP_NONE, "");
}

// ---- read the ticket ------------------------------------------------------------------------------------------------

static enum step_choice ticket_begin(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "GET",
        .path = arena_printf(context->arena, "/tickets/%" PRIu64, context->job->lane.ticket_id),
    };
    return STEP_CALL;
}

// What the rules ask for now and did not before. Returns how many tags.
static size_t wanted_tags(const struct job_context *context, const struct rules_result *rules, const char **tags)
{
    const struct context *known = known_of(context);
    size_t count = 0;
    if (context->found.omit & TICKET_OMIT_TAGS)
        return 0;
    if (customer_is_unsigned(&context->found.context) && !customer_is_unsigned(known))
        tags[count++] = TICKET_UNSIGNED_TAG;
    for (size_t i = 0; rules_is_new(known, rules) && i < rules->tag_count; i++)
        tags[count++] = rules->tags[i];
    return count;
}

static uint64_t wanted_priority(const struct job_context *context, const struct rules_result *rules)
{
    uint64_t before = known_of(context)->priority;
    if (!before) // the link was rebuilt: what the rules once gave is not known
        before = (uint64_t)context->config->default_priority;
    return rules->rule && (uint64_t)rules->priority > before ? (uint64_t)rules->priority : 0;
}

// "Rule high-value: priority urgent, tags high-value, vip." For the note; "" when nothing was raised.
static const char *raise_sentence(struct arena *arena, const struct rules_result *rules, const struct raise *raise)
{
    struct text_buf out = text_buf_new(arena);
    if (raise->priority) {
        text_buf_add(&out, "priority ");
        text_buf_add(&out, raise_word(raise->priority));
    }
    if (raise->tag_count)
        text_buf_add(&out, raise->priority ? ", " : "");
    for (size_t i = 0; i < raise->tag_count; i++) {
        text_buf_add(&out, i > 0 ? ", " : raise->tag_count > 1 ? "tags " : "tag ");
        text_buf_add(&out, raise->tags[i]);
    }
    if (!out.length)
        return "";
    bool by_rule =
        rules->rule && (raise->priority || raise->tag_count > 1 || strcmp(raise->tags[0], TICKET_UNSIGNED_TAG) != 0);
    const char *sentence = by_rule ? arena_printf(arena, "Rule %s: %s.", rules->rule, out.data)
                                   : arena_printf(arena, "Now with %s.", out.data);
    return text_line(arena, sentence, SAID_BYTES);
}

// Whether the ticket's field has the cart's value already.
static bool shows_cart(struct job_context *context, const json_t *ticket)
{
    const json_t *custom = json_object_get(ticket, "custom_fields");
    const json_t *field = json_object_get(custom, context->config->freshdesk.cart_field);
    uint64_t cents = 0;
    return context->found.context.cart_valid && rules_money(fields_scalar(context->arena, field), &cents) &&
           cents == context->found.context.cart_cents;
}

// A ticket that was opened without knowing the customer or the cart: its subject is completed while it is what Deskbell
// wrote. An agent's own stays.
static json_t *with_subject(struct job_context *context, const json_t *ticket, json_t *body)
{
    const struct context *known = known_of(context);
    struct context *now = &context->found.context;
    bool more = (!*known->name && *now->name) || (!*known->cart && *now->cart);
    if (!*known->subject || known->words_at > strlen(known->subject) || !more ||
        (context->found.omit & TICKET_OMIT_SUBJECT))
        return body;
    const char *there = fields_line(context->arena, ticket, "subject", SUBJECT_BYTES);
    const char *whole = words_subject(context->arena, now, known->subject + known->words_at, &now->words_at);
    bool ours = strcmp(there, known->subject) == 0;
    now->subject = ours || strcmp(there, whole) == 0 ? whole : ""; // the latter: a PUT whose answer was lost
    if (!ours || strcmp(there, whole) == 0)
        return body;
    body = body ? body : json_object();
    fields_put(body, "subject", whole);
    return body;
}

static void ticket_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    if (flow_ticket_gone(response)) { // the next message opens a new ticket with the context
        flow_done(report, STEP_NONE, "");
        return;
    }
    if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    if (!fields_id(response->json, "id")) {
        flow_unexpected(context, report, "a ticket");
        return;
    }
    if (raise_is_closed(response->json)) { // nobody works on it; when it is opened again, all that changed is told
        flow_done(report, STEP_NONE, "");
        return;
    }
    // A link that was rebuilt knows nothing, but what the ticket says its agent knows.
    if (!known_of(context)->read && shows_cart(context, response->json))
        found->omit |= TICKET_SHOWS_CART;
    struct rules_result rules = rules_apply(context->config, &found->context);
    const char *tags[RULES_MOST_TAGS + 1];
    size_t count = wanted_tags(context, &rules, tags);
    struct raise raise;
    json_t *body = raise_body(context->arena, response->json, wanted_priority(context, &rules), tags, count, &raise);
    bool raises = body;
    body = with_subject(context, response->json, body);
    found->body = body ? fields_body(context->arena, body) : "";
    if (strlen(found->body) > BODY_BYTES)
        found->body = "";
    else if (raises)
        found->said = raise_sentence(context->arena, &rules, &raise); // else it says what an earlier attempt raised
    found->read_ms = (uint64_t)clock_wall_ms();
    flow_done(report, STEP_UPDATE_TICKET, "");
    if (!known_of(context)->unsure) {
        report->context_known = true;
        report->context = *known_of(context);
        report->context.unsure = true;
    }
}

// ---- update the ticket ----------------------------------------------------------------------------------------------

// The fields are as they should be: the end, or a note first.
static void conclude(struct job_context *context, struct report *report)
{
    struct found *found = &context->found;
    struct rules_result rules = rules_apply(context->config, &found->context);
    rules_remember(context->arena, &found->context, &rules);
    found->context.unsure = false;
    bool told = (found->omit & TICKET_SHOWS_CART) && !*found->said;
    found->note = told ? "" : words_change(context->arena, known_of(context), &found->context, found->said);
    if (*found->note) {
        flow_done(report, STEP_CHANGE_NOTE, "");
        return;
    }
    report->context_known = true;
    report->context = found->context;
    flow_done(report, STEP_NONE, round_of(context) < FLOW_ROUND_CHANGED ? "context completed" : "context updated");
}

static bool is_stale(const struct found *found)
{
    uint64_t now = (uint64_t)clock_wall_ms();
    return !found->read_ms || now < found->read_ms || now - found->read_ms > READ_HOLDS_MS;
}

static enum step_choice update_begin(struct job_context *context, struct request *request, struct report *report)
{
    struct found *found = &context->found;
    if (is_stale(found)) { // an agent may have set a tag meanwhile that these would take away
        flow_done(report, STEP_REREAD_CUSTOMER, "");
        return STEP_ANSWER;
    }
    json_t *ticket = *found->body ? json_loads(found->body, 0, NULL) : NULL;
    if (!json_is_object(ticket)) {
        json_decref(ticket);
        ticket = json_object();
    }
    ticket_put_fields(context, "", ticket);
    if (json_object_size(ticket) == 0) {
        json_decref(ticket);
        conclude(context, report);
        return STEP_ANSWER;
    }
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "PUT",
        .path = arena_printf(context->arena, "/tickets/%" PRIu64, context->job->lane.ticket_id),
        .body = fields_body(context->arena, ticket),
    };
    return STEP_CALL;
}

static bool omit_subject(struct job_context *context, const struct response *response)
{
    if ((context->found.omit & TICKET_OMIT_SUBJECT) || !flow_refuses(response, "subject"))
        return false;
    context->found.omit |= TICKET_OMIT_SUBJECT;
    return true;
}

static void update_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    if (flow_ticket_gone(response)) {
        log_info("ticket_gone", "ticket=%" PRIu64 " conversation=%s", context->job->lane.ticket_id,
                 context->job->lane.conversation);
        flow_done(report, STEP_NONE, "");
    } else if (response->answer == ANSWER_REFUSED &&
               (omit_subject(context, response) || ticket_omit(context, response))) {
        found->said = ""; // what was to be raised is put together anew, without what was refused
        flow_done(report, STEP_READ_TO_UPDATE, "");
        report->cause = ticket_omit_sentence(context);
    } else if (response->answer == ANSWER_REFUSED) {
        // It would be refused again, whatever changes. The agent is told of the change all the same.
        log_warn("update_refused", "ticket=%" PRIu64 " problem=%s", context->job->lane.ticket_id, response->problem);
        found->said = "";
        conclude(context, report);
    } else if (response->answer == ANSWER_OK) {
        conclude(context, report);
    } else {
        answers_default(context, response, report);
    }
}

// ---- tell the agent -------------------------------------------------------------------------------------------------

static struct note note_of(const struct job_context *context)
{
    return (struct note){.body = context->found.note, .is_private = true};
}

static enum step_choice change_begin(struct job_context *context, struct request *request, struct report *report)
{
    struct note note = note_of(context);
    (void)report;
    return note_begin(context, &note, request);
}

static void report_told(struct job_context *context, struct report *report)
{
    report->context_known = true;
    report->context = context->found.context;
    flow_done(report, STEP_NONE, "change told");
}

static void change_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct note note = note_of(context);
    if (note_finish(context, &note, response, report))
        report_told(context, report);
    else if (flow_ticket_gone(response))
        flow_done(report, STEP_NONE, "");
}

static void look_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct note note = note_of(context);
    if (note_look_finish(context, &note, response, report))
        report_told(context, report);
}

const struct step_code flow_context_steps[] = {
    {STEP_REFRESH_CUSTOMER, refresh_begin, refresh_finish},
    {STEP_REREAD_CUSTOMER, reread_begin, reread_finish},
    {STEP_READ_TO_UPDATE, ticket_begin, ticket_finish},
    {STEP_UPDATE_TICKET, update_begin, update_finish},
    {STEP_CHANGE_NOTE, change_begin, change_finish},
    {STEP_LOOK_CHANGE, note_look_begin, look_finish},
    {STEP_NONE, NULL, NULL},
};
