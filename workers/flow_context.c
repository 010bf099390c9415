// SPDX-License-Identifier: Apache-2.0
// Completes the ticket: read the customer again, and when that tells something new, put it into the ticket's fields. A
// rule that matches only now may raise the priority and add its tags; nothing is ever lowered, nobody's group is
// changed. Freshdesk replaces the whole list of tags, so tags are never sent blindly: the update's answer tells the
// ticket's tags, and only when a rule's tags are missing there a second update sends the union. Between the two the
// tags wait in found.entries, which this flow has no other use for. Reads and updates change nothing when repeated: no
// look is needed.
#include "workers/flows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "workers/customer.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/rules.h"
#include "workers/text.h"
#include "workers/ticket.h"

enum { TAGS_MOST = 100, ROUND_FIRST = 1 };

static const struct event *event_of(const struct job_context *context)
{
    static const struct event none = {.user = ""};
    return context->job->events.count ? &context->job->events.items[0] : &none;
}

// ---- read again -----------------------------------------------------------------------------------------------------

static enum step_choice reread_begin(struct job_context *context, struct request *request, struct report *report)
{
    const struct lane *lane = &context->job->lane;
    const char *user = *event_of(context)->user ? event_of(context)->user : lane->user;
    if (!*user || !lane->ticket_id || customer_complete(&lane->context)) {
        flow_done(report, STEP_NONE, "");
        return STEP_ANSWER;
    }
    *request = (struct request){
        .upstream = UPSTREAM_FRESHCHAT,
        .method = "GET",
        .path = arena_printf(context->arena, "/users/%s", text_url(context->arena, user)),
    };
    return STEP_CALL;
}

static void reread_failed(struct job_context *context, const struct response *response, struct report *report)
{
    answers_default(context, response, report);
    bool later = report->outcome == OUTCOME_RETRY && event_of(context)->round != ROUND_FIRST;
    if (later)
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
    const struct context *known = &context->job->lane.context;
    struct context now = customer_read(context->arena, response->json);
    context->found.context = customer_merge(known, &now);
    if (customer_differs(known, &context->found.context)) {
        flow_done(report, STEP_UPDATE_TICKET, "");
        return;
    }
    report->context_known = true;
    report->context = context->found.context;
    flow_done(report, STEP_NONE, "");
}

// ---- update the ticket ----------------------------------------------------------------------------------------------

// The rules' priority when it is above what they gave before, else 0.
static uint64_t raised_priority(const struct job_context *context, const struct rules_result *rules)
{
    uint64_t before = context->job->lane.context.priority;
    if (!before) // the link was rebuilt: what the rules once gave is not known
        before = (uint64_t)context->config->default_priority;
    return (uint64_t)rules->priority > before ? (uint64_t)rules->priority : 0;
}

static enum step_choice update_begin(struct job_context *context, struct request *request, struct report *report)
{
    const struct found *found = &context->found;
    struct rules_result rules = rules_apply(context->config, &found->context);
    uint64_t priority = raised_priority(context, &rules);
    json_t *ticket = json_object();
    if (found->entries.count) {
        json_t *tags = json_array();
        for (size_t i = 0; i < found->entries.count; i++)
            if (json_array_append_new(tags, json_string(found->entries.items[i].text)) != 0)
                abort();
        if (json_object_set_new(ticket, "tags", tags) != 0)
            abort();
    } else {
        if (priority)
            fields_put_id(ticket, "priority", priority);
        ticket_put_fields(context, "", ticket);
    }
    bool empty = json_object_size(ticket) == 0;
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "PUT",
        .path = arena_printf(context->arena, "/tickets/%" PRIu64, context->job->lane.ticket_id),
        .body = fields_body(context->arena, ticket),
    };
    if (empty) {
        report->context_known = true;
        report->context = found->context;
        flow_done(report, STEP_NONE, "");
        return STEP_ANSWER;
    }
    return STEP_CALL;
}

// Collects the ticket's tags and the rule's into found.entries. False when the ticket has all of them, or tells none.
static bool collect_tags(struct job_context *context, const struct rules_result *rules, const json_t *ticket)
{
    const json_t *tags = json_object_get(ticket, "tags");
    if (!json_is_array(tags))
        return false;
    struct entry *items = arena_alloc(context->arena, TAGS_MOST * sizeof *items);
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(tags) && count < TAGS_MOST - RULES_MOST_TAGS; i++) {
        const char *tag = json_string_value(json_array_get(tags, i));
        if (tag && *tag)
            items[count++] = (struct entry){.id = "", .text = text_line(context->arena, tag, 1024)};
    }
    size_t there = count;
    for (size_t i = 0; i < rules->tag_count; i++) {
        bool has = false;
        for (size_t k = 0; k < count && !has; k++)
            has = text_same(items[k].text, rules->tags[i]);
        if (!has)
            items[count++] = (struct entry){.id = "", .text = text_line(context->arena, rules->tags[i], 255)};
    }
    context->found.entries.items = items;
    context->found.entries.count = count > there ? count : 0;
    return count > there;
}

static void update_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    struct rules_result rules = rules_apply(context->config, &found->context);
    if (response->answer == ANSWER_REFUSED && found->entries.count) { // the tags alone were refused
        log_warn("tags_refused", "ticket=%" PRIu64 " problem=%s", context->job->lane.ticket_id, response->problem);
    } else if (flow_ticket_gone(response)) { // the next message opens a new ticket with the context
        log_info("ticket_gone", "ticket=%" PRIu64 " conversation=%s", context->job->lane.ticket_id,
                 context->job->lane.conversation);
    } else if (response->answer == ANSWER_REFUSED && ticket_omit(context, response)) {
        flow_done(report, STEP_UPDATE_TICKET, "");
        report->cause = ticket_omit_sentence(context);
        return;
    } else if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    uint64_t raised = raised_priority(context, &rules);
    if (response->answer == ANSWER_OK && raised && !found->entries.count &&
        collect_tags(context, &rules, response->json)) {
        flow_done(report, STEP_UPDATE_TICKET, "");
        return;
    }
    found->entries.count = 0;
    found->context.priority = raised ? raised : context->job->lane.context.priority;
    report->context_known = true;
    report->context = found->context;
    report->worth_cents = found->context.cart_valid ? found->context.cart_cents : 0;
    flow_done(report, STEP_NONE, "context completed");
}

const struct step_code flow_context_steps[] = {
    {STEP_REREAD_CUSTOMER, reread_begin, reread_finish},
    {STEP_UPDATE_TICKET, update_begin, update_finish},
    {STEP_NONE, NULL, NULL},
};
