// SPDX-License-Identifier: Apache-2.0
// Keeps a ticket open in which a customer writes: nobody looks into a resolved or closed one. Every note of a customer
// (flow_append.c) asks for this, in the batch that records it; notes close together ask once (keep_open.c of the
// front). Nothing that an agent or Deskbell itself writes does.
//
//   read_whether_open --closed--> reopen_ticket --> the customer is read again (flow_context.c)
//
// The ticket is read right after the note, so whoever closes it later knows what the customer said, and it stays
// closed. A PUT whose answer is lost, and one before which everything died, begins with reading again: it is made only
// if the ticket is still closed. Runs in the worker's one thread.
#include "workers/flows.h"

#include <inttypes.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/raise.h"

static const char *ticket_path(const struct job_context *context)
{
    return arena_printf(context->arena, "/tickets/%" PRIu64, context->job->lane.ticket_id);
}

// What changed while the ticket rested was not told to it.
static void report_reopened(struct job_context *context, struct report *report)
{
    log_info("ticket_reopened", "ticket=%" PRIu64 " conversation=%s", context->job->lane.ticket_id,
             context->job->lane.conversation);
    flow_done(report, STEP_NONE, "ticket reopened");
    flow_followup(context, report, EVENT_CONTEXT, 0, FLOW_ROUND_CHANGED);
}

static enum step_choice read_begin(struct job_context *context, struct request *request, struct report *report)
{
    if (!context->job->lane.ticket_id) {
        flow_done(report, STEP_NONE, "");
        return STEP_ANSWER;
    }
    *request = (struct request){.upstream = UPSTREAM_FRESHDESK, .method = "GET", .path = ticket_path(context)};
    return STEP_CALL;
}

static void read_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    flow_done(report, STEP_NONE, "");
    if (flow_ticket_gone(response)) // the next message is told so, too, and opens a new one
        return;
    if (flow_is_denied(response)) {
        log_warn("ticket_unread", "ticket=%" PRIu64 " problem=%s", context->job->lane.ticket_id, response->problem);
    } else if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
    } else if (!fields_id(response->json, "status")) {
        flow_unexpected(context, report, "a ticket's status");
    } else if (!raise_is_closed(response->json)) {
        if (found->read_ms) // a PUT without an answer
            report_reopened(context, report);
    } else if (!context->job->restored) { // else the note is from before the backup, and agents have closed it since
        found->read_ms = (uint64_t)clock_wall_ms();
        flow_done(report, STEP_REOPEN_TICKET, "");
    }
}

static enum step_choice reopen_begin(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
    json_t *body = json_object();
    fields_put_id(body, "status", FLOW_STATUS_OPEN);
    *request = (struct request){.upstream = UPSTREAM_FRESHDESK,
                                .method = "PUT",
                                .path = ticket_path(context),
                                .body = fields_body(context->arena, body)};
    return STEP_CALL;
}

static void reopen_finish(struct job_context *context, const struct response *response, struct report *report)
{
    if (response->answer == ANSWER_OK)
        report_reopened(context, report);
    else if (flow_ticket_gone(response))
        flow_done(report, STEP_NONE, "");
    else if (flow_is_denied(response)) // a dead letter: else nobody would ever see what the customer wrote
        flow_end(context, report, OUTCOME_REFUSED,
                 "The customer wrote into ticket %" PRIu64 ", which is closed and could not be opened again: %s",
                 context->job->lane.ticket_id, response->problem);
    else
        answers_default(context, response, report);
}

const struct step_code flow_keep_open_steps[] = {
    {STEP_READ_WHETHER_OPEN, read_begin, read_finish},
    {STEP_REOPEN_TICKET, reopen_begin, reopen_finish},
    {STEP_NONE, NULL, NULL},
};
