// SPDX-License-Identifier: Apache-2.0
// Appends messages: what the customer wrote after the first message goes to the ticket as one public, incoming note by
// the requester, each message with its chat time. A ticket that takes nothing any more is followed by a new one with
// the same messages. In doubt, the ticket's entries are read and matched on author, time, position and words;
// after a backup was restored, on the message's own line in any note, and in the ticket's description.
#include "workers/flows.h"

#include <inttypes.h>

#include "proto/log.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/note.h"
#include "workers/parts.h"
#include "workers/ticket.h"

static struct note note_of(const struct job_context *context)
{
    struct text_buf body = text_buf_new(context->arena);
    for (size_t i = 0; i < context->job->events.count; i++) {
        text_buf_add(&body, "<div><b>");
        parts_add_time(&body, &context->job->events.items[i], context->written_ms);
        text_buf_add(&body, "</b> ");
        parts_add_html(&body, &context->job->events.items[i], false);
        text_buf_add(&body, "</div>");
    }
    return (struct note){
        .body = body.data, .incoming = true, .author = context->job->lane.requester_id, .by_line = true};
}

static enum step_choice append_begin(struct job_context *context, struct request *request, struct report *report)
{
    struct note note = note_of(context);
    (void)report;
    return note_begin(context, &note, request);
}

static void report_note(struct report *report)
{
    flow_done(report, STEP_NONE, "messages appended");
}

// It is there since now: nobody looks into a closed ticket, so it must not rest in one.
static void report_written(struct job_context *context, struct report *report)
{
    report_note(report);
    flow_followup(context, report, EVENT_KEEP_OPEN, 0, 0);
}

static void append_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct note note = note_of(context);
    if (note_finish(context, &note, response, report)) {
        report_written(context, report);
    } else if (flow_ticket_gone(response)) {
        struct found *found = &context->found;
        log_warn("ticket_gone", "ticket=%" PRIu64 " conversation=%s", context->job->lane.ticket_id,
                 context->job->lane.conversation);
        found->closed_ticket = arena_printf(context->arena, "%" PRIu64, context->job->lane.ticket_id);
        found->context = context->job->lane.context;
        found->omit = 0;
        flow_done(report, STEP_CREATE_TICKET, "");
    }
}

// In a restored ledger a message may also be the one that the ticket was opened with: found.part 1 reads the ticket.
static enum step_choice look_begin(struct job_context *context, struct request *request, struct report *report)
{
    if (!context->found.part)
        return note_look_begin(context, request, report);
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "GET",
        .path = arena_printf(context->arena, "/tickets/%" PRIu64, context->job->lane.ticket_id),
    };
    return STEP_CALL;
}

static void description_finish(struct job_context *context, const struct response *response, struct report *report)
{
    bool gone = flow_ticket_gone(response);
    if (!gone && response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    if (!gone && !fields_id(response->json, "id")) {
        flow_unexpected(context, report, "a ticket");
        return;
    }
    context->found.part = 0;
    struct note note = note_of(context);
    if (!gone && ticket_describes(context->arena, response->json, note.body))
        report_note(report);
    else
        flow_look_next(context, STEP_LOOK_NOTE, false, report);
}

static void look_finish(struct job_context *context, const struct response *response, struct report *report)
{
    if (context->found.part) {
        description_finish(context, response, report);
        return;
    }
    struct note note = note_of(context);
    bool there = note_look_finish(context, &note, response, report);
    if (there && context->job->restored) {
        report_note(report); // of before the backup: agents know it, and may have closed the ticket since
    } else if (there) {
        report_written(context, report);
    } else if (report->outcome == OUTCOME_NOT_FOUND && context->job->restored) {
        context->found.part = 1;
        report->cause = "";
        flow_done(report, STEP_LOOK_NOTE, "");
    }
}

const struct step_code flow_append_steps[] = {
    {STEP_APPEND_NOTE, append_begin, append_finish},
    {STEP_LOOK_NOTE, look_begin, look_finish},
    {STEP_NONE, NULL, NULL},
};
