// SPDX-License-Identifier: Apache-2.0
// Opens a ticket for a call, or for the wish to be called back, that belongs to none. Its conversation field holds the
// lane's name ("call:51"), by which the look finds it; nobody takes that for a conversation in the chat. Runs in the
// worker's one thread.
#include "workers/flows.h"

#include <stdlib.h>
#include <string.h>

#include "workers/call_words.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/flow_call.h"
#include "workers/rules.h"
#include "workers/text.h"
#include "workers/ticket.h"
#include "workers/ticket_look.h"

enum { SOURCE_PHONE = 3, NAME_POINTS = 255 };

static const char unknown_caller[] = "Unknown caller";
static const char withheld_id[] = "deskbell-withheld-number"; // one contact for all of them

static const char *description_of(struct job_context *context)
{
    struct text_buf out = text_buf_new(context->arena);
    text_buf_add(&out, call_words_description(context));
    if (*context->found.closed_ticket) {
        text_buf_add(&out, "<div>Follows ticket #");
        text_add_html(&out, context->found.closed_ticket);
        text_buf_add(&out, ", which takes no messages any more</div>");
    }
    text_buf_add(&out, "<div>Conversation: "); // by this it is found where the field is not sent
    text_add_html(&out, context->job->lane.conversation);
    text_buf_add(&out, "</div>");
    return out.data;
}

// One identity only: the contact that was found, the number, or nobody.
static void put_requester(struct job_context *context, json_t *ticket)
{
    const struct event *event = call_words_event(context);
    const char *number = call_words_number(context);
    uint64_t omit = context->found.omit;
    const char *line = text_line(context->arena, event->name, 512);
    const char *name = text_shortened(context->arena, line, NAME_POINTS);
    if (context->found.contact && !(omit & TICKET_OMIT_REQUESTER)) {
        fields_put_id(ticket, "requester_id", context->found.contact);
        return;
    }
    if (*number && !(omit & TICKET_OMIT_IDENTITY))
        fields_put(ticket, "phone", number);
    else
        fields_put(ticket, "unique_external_id", *event->user ? event->user : *number ? number : withheld_id);
    fields_put(ticket, "name", *name && !(omit & TICKET_OMIT_NAME) ? name : *number ? number : unknown_caller);
}

static enum step_choice create_begin(struct job_context *context, struct request *request, struct report *report)
{
    const struct config *config = context->config;
    uint64_t known = context->job->lane.ticket_id;
    if (known && strtoull(context->found.closed_ticket, NULL, 10) != known) { // a late report: it has its ticket
        context->found.omit = 0;
        flow_done(report, flow_call_next(context), "");
        return STEP_ANSWER;
    }
    bool urgent = call_words_urgent(context);
    const char *tag = call_words_tag(context);
    struct rules_result rules = {
        .priority = config->default_priority, .group_id = config->ticket.group_id, .tags = &tag, .tag_count = urgent};
    if (urgent && rules.priority < CONFIG_LEVEL_HIGH)
        rules.priority = CONFIG_LEVEL_HIGH;
    json_t *ticket = json_object();
    fields_put(ticket, "subject", call_words_subject(context));
    fields_put(ticket, "description", description_of(context));
    fields_put_id(ticket, "source", SOURCE_PHONE);
    fields_put_id(ticket, "status", FLOW_STATUS_OPEN);
    fields_put_id(ticket, "priority", (uint64_t)rules.priority);
    put_requester(context, ticket);
    ticket_put_settings(context, &rules, ticket);
    ticket_put_fields(context, context->job->lane.conversation, ticket);
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "POST",
        .path = "/tickets",
        .body = fields_body(context->arena, ticket),
    };
    return STEP_CALL;
}

// The same report for a ticket that was created and for one that a look found. What its description may not tell comes
// in a private note.
static void report_ticket(struct job_context *context, const json_t *ticket, struct report *report)
{
    flow_call_take(context, fields_id(ticket, "id"), fields_id(ticket, "requester_id"),
                   call_words_is_wish(context) ? "ticket opened for a call-back" : "ticket opened for a call", report);
    flow_call_told(context, report);
    report->leg.told = call_words_opening(context);
    report->next_step = call_words_news(context) == report->leg.told ? STEP_NONE : STEP_CALL_NOTE;
}

static void create_finish(struct job_context *context, const struct response *response, struct report *report)
{
    const json_t *ticket = ticket_created(context, response, report);
    if (ticket)
        report_ticket(context, ticket, report);
}

static enum step_choice look_begin(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
    return ticket_look_begin(context, request);
}

static void look_finish(struct job_context *context, const struct response *response, struct report *report)
{
    const json_t *ours = ticket_look_finish(context, context->job->lane.conversation, response, report);
    if (ours)
        report_ticket(context, ours, report);
}

const struct step_code flow_call_ticket_steps[] = {
    {STEP_CREATE_CALL_TICKET, create_begin, create_finish},
    {STEP_LOOK_CALL_TICKET, look_begin, look_finish},
    {STEP_NONE, NULL, NULL},
};
