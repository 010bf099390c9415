// SPDX-License-Identifier: Apache-2.0
// Tells a ticket of a call: a private note, which never goes to the chat. Where somebody must call back the ticket is
// raised first, so that the note says what became of that: it is read, and what raise.h makes of it is put. Freshdesk
// has no conditional change, so a PUT is never made of an old reading: a failed one, or one that had to wait, begins
// with reading. Runs in the worker's one thread.
#include "workers/flows.h"

#include <inttypes.h>
#include <stdlib.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/call_words.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/flow_call.h"
#include "workers/note.h"
#include "workers/raise.h"
#include "workers/text.h"

enum { HTTP_TOO_MANY = 429, BODY_MAX_BYTES = 65536, READ_HOLDS_MS = 10000 };

// ---- raise ----------------------------------------------------------------------------------------------------------

static const char *ticket_path(const struct job_context *context)
{
    return arena_printf(context->arena, "/tickets/%" PRIu64, context->job->lane.ticket_id);
}

static enum step_choice read_begin(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
    *request = (struct request){.upstream = UPSTREAM_FRESHDESK, .method = "GET", .path = ticket_path(context)};
    return STEP_CALL;
}

static const char *said_of(struct job_context *context, const struct raise *raise, bool reopened)
{
    struct text_buf out = text_buf_new(context->arena);
    if (raise->priority)
        text_buf_add(&out, arena_printf(context->arena, "The ticket's priority was raised from %s to %s. ",
                                        raise_word(raise->before), raise_word(raise->priority)));
    if (reopened)
        text_buf_add(&out, "The ticket was closed and is open again. ");
    if (raise->tag_count)
        text_buf_add(&out, arena_printf(context->arena, "Tagged %s.", raise->tags[0]));
    return text_line(context->arena, out.data, 1000);
}

static void read_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    if (flow_ticket_gone(response)) {
        flow_call_gone(context, report);
        return;
    }
    if (response->answer == ANSWER_REFUSED) { // the note says the essential
        flow_done(report, STEP_CALL_NOTE, "");
        return;
    }
    if (response->answer != ANSWER_OK || !fields_is_object(response->json)) {
        answers_default(context, response, report);
        return;
    }
    struct raise raise;
    const char *tag = call_words_tag(context);
    json_t *body = raise_body(context->arena, response->json, CONFIG_LEVEL_HIGH, &tag, 1, &raise);
    bool reopen = raise_is_closed(response->json);
    if (reopen) { // raising what nobody looks at any more would tell no one
        body = body ? body : json_object();
        fields_put_id(body, "status", FLOW_STATUS_OPEN);
    }
    // It was raised before the backup was taken, or restored: what became of it since is its agents' doing.
    if (context->job->restored && raise.tag_count == 0) {
        json_decref(body);
        found->body = found->said = "";
        flow_done(report, STEP_CALL_NOTE, "");
        return;
    }
    if (body)
        found->said = said_of(context, &raise, reopen); // else it says what an earlier attempt raised
    found->body = body ? fields_body(context->arena, body) : "";
    found->read_ms = (uint64_t)clock_wall_ms();
    flow_done(report, *found->body ? STEP_RAISE_TICKET : STEP_CALL_NOTE, "");
}

static bool is_stale(const struct found *found)
{
    uint64_t now = (uint64_t)clock_wall_ms();
    return !found->read_ms || now < found->read_ms || now - found->read_ms > READ_HOLDS_MS;
}

static enum step_choice raise_begin(struct job_context *context, struct request *request, struct report *report)
{
    bool stale = is_stale(&context->found);
    if (stale || context->job->attempt) {
        if (!context->job->attempt)
            context->found.said = ""; // nothing of it was put
        flow_done(report, STEP_READ_TO_RAISE, "");
        return STEP_ANSWER;
    }
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK, .method = "PUT", .path = ticket_path(context), .body = context->found.body};
    report->next_step = STEP_CALL_NOTE; // for observing
    return STEP_CALL;
}

static void raise_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    report->next_step = STEP_NONE;
    if (response->answer == ANSWER_OK) {
        found->body = "";
        flow_done(report, STEP_CALL_NOTE, "ticket raised");
    } else if (flow_ticket_gone(response)) {
        flow_call_gone(context, report);
    } else if (response->status == HTTP_TOO_MANY) {
        found->said = "";
        flow_done(report, STEP_READ_TO_RAISE, ""); // what was read is old by then
    } else if (response->answer == ANSWER_REFUSED) {
        log_warn("call_ticket_not_raised", "ticket=%" PRIu64 " problem=%s", context->job->lane.ticket_id,
                 response->problem);
        found->body = "";
        found->said = "The helpdesk did not let Deskbell raise this ticket.";
        flow_done(report, STEP_CALL_NOTE, "");
    } else {
        answers_default(context, response, report);
    }
}

// ---- the note -------------------------------------------------------------------------------------------------------

static struct note note_of(struct job_context *context)
{
    return (struct note){.body = call_words_html(context), .is_private = true, .by_line = true};
}

static void report_note(struct job_context *context, struct report *report)
{
    flow_done(report, STEP_NONE, call_words_is_wish(context) ? "call-back noted" : "call noted");
    flow_call_told(context, report);
}

static enum step_choice note_step_begin(struct job_context *context, struct request *request, struct report *report)
{
    struct note note = note_of(context);
    (void)report;
    return note_begin(context, &note, request);
}

static void note_step_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct note note = note_of(context);
    if (note_finish(context, &note, response, report))
        report_note(context, report);
    else if (flow_ticket_gone(response))
        flow_call_gone(context, report);
}

static void look_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct note note = note_of(context);
    // After a backup was restored the call's news are told at once that were told one by one: any note of the call will
    // do.
    if (context->job->restored)
        note.body = call_words_mark(context);
    if (note_look_finish(context, &note, response, report))
        report_note(context, report);
}

const struct step_code flow_call_note_steps[] = {
    {STEP_READ_TO_RAISE, read_begin, read_finish},
    {STEP_RAISE_TICKET, raise_begin, raise_finish},
    {STEP_CALL_NOTE, note_step_begin, note_step_finish},
    {STEP_LOOK_CALL_NOTE, note_look_begin, look_finish},
    {STEP_NONE, NULL, NULL},
};
