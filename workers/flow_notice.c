// SPDX-License-Identifier: Apache-2.0
// A notice: a private note on the ticket that tells the agents what could not be done, and why.
#include "workers/flows.h"

#include <inttypes.h>

#include "proto/log.h"
#include "workers/flow.h"
#include "workers/note.h"
#include "workers/text.h"

static struct note note_of(const struct job_context *context)
{
    const char *reason = context->job->events.count ? context->job->events.items[0].reason : "";
    struct text_buf body = text_buf_new(context->arena);
    text_buf_add(&body, "<div><b>Deskbell:</b> ");
    text_add_html(&body, *reason ? reason : "Something could not be done; the log of Deskbell tells more.");
    text_buf_add(&body, "</div>");
    return (struct note){.body = body.data, .is_private = true};
}

static enum step_choice notice_begin(struct job_context *context, struct request *request, struct report *report)
{
    struct note note = note_of(context);
    (void)report;
    return note_begin(context, &note, request);
}

static void notice_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct note note = note_of(context);
    if (note_finish(context, &note, response, report)) {
        flow_done(report, STEP_NONE, "notice written");
    } else if (flow_ticket_gone(response)) { // nobody is left to read it there
        log_warn("notice_without_ticket", "ticket=%" PRIu64 " conversation=%s", context->job->lane.ticket_id,
                 context->job->lane.conversation);
        flow_done(report, STEP_NONE, "notice not written: the ticket is gone");
    }
}

static void look_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct note note = note_of(context);
    if (note_look_finish(context, &note, response, report))
        flow_done(report, STEP_NONE, "notice written");
}

const struct step_code flow_notice_steps[] = {
    {STEP_NOTICE_NOTE, notice_begin, notice_finish},
    {STEP_LOOK_NOTICE, note_look_begin, look_finish},
    {STEP_NONE, NULL, NULL},
};
