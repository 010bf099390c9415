// SPDX-License-Identifier: Apache-2.0
// A notice: a private note on the ticket that tells the agents what they must know: which reply is not in the chat, and
// why; that a customer called; that another ticket is the chat's. All of it comes from the event, so that the look
// finds the same words.
#include "workers/flows.h"

#include <inttypes.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/flow.h"
#include "workers/note.h"
#include "workers/text.h"

enum { QUOTE_BYTES = 1024, QUOTE_POINTS = 80, AUTHOR_POINTS = 60, DATE_BYTES = 10 };

struct words {
    const char *before; // what became of the reply, which follows with its author and time
    const char *then;   // what to do; behind the reason
};

static const struct words words_of[] = {
    [NOTICE_REPLY_LOST] = {"This reply did not reach the customer's chat", "Send it again as a new reply."},
    [NOTICE_REPLY_CUT] = {"Only the beginning of this reply reached the customer's chat",
                          "Send the rest as a new reply."},
    [NOTICE_REPLY_UNSURE] = {"It is not certain that this reply reached the customer's chat",
                             "Look there before you send it again."},
    [NOTICE_REPLIES_WAIT] = {"Replies in this ticket could not be sent to the customer's chat",
                             "They are tried again when this ticket changes."},
};

// "Anna, 15:40 UTC", with the date when that was on another day than the notice.
static const char *origin_of(struct arena *arena, const struct event *event)
{
    char written[CLOCK_ISO_BYTES], noticed[CLOCK_ISO_BYTES];
    clock_format_iso((int64_t)event->quote_ms, written);
    clock_format_iso((int64_t)event->time_ms, noticed);
    const char *name = text_line(arena, text_shortened(arena, event->name, AUTHOR_POINTS), 512);
    bool same_day = strncmp(written, noticed, DATE_BYTES) == 0;
    return arena_printf(arena, "%s%s%.*s%s%.5s UTC", name, *name ? ", " : "", same_day ? 0 : DATE_BYTES, written,
                        same_day ? "" : " ", written + DATE_BYTES + 1);
}

static const char *sentences_of(struct arena *arena, const struct event *event)
{
    const char *reason =
        *event->reason ? event->reason : "Something could not be done; the log of Deskbell tells more.";
    if (event->notice == NOTICE_PLAIN || event->notice >= sizeof words_of / sizeof *words_of)
        return reason;
    const struct words *words = &words_of[event->notice];
    struct text_buf out = text_buf_new(arena);
    text_buf_add(&out, words->before);
    if (*event->quote) {
        const char *line = text_line(arena, event->quote, QUOTE_BYTES);
        const char *quote = text_shortened(arena, line, QUOTE_POINTS);
        text_buf_add(&out, arena_printf(arena, ": \"%s%s\" (%s)", quote,
                                        strlen(quote) < strlen(line) ? " \xe2\x80\xa6" : "", origin_of(arena, event)));
    }
    bool ends = strchr(".!?", reason[strlen(reason) - 1]) != NULL;
    text_buf_add(&out, arena_printf(arena, ". Reason: %s%s %s", reason, ends ? "" : ".", words->then));
    return out.data;
}

static struct note note_of(const struct job_context *context)
{
    static const struct event nothing = {.reason = "", .quote = "", .name = ""};
    const struct event *event = context->job->events.count ? &context->job->events.items[0] : &nothing;
    struct text_buf body = text_buf_new(context->arena);
    text_buf_add(&body, "<div><b>Deskbell:</b> ");
    text_add_html(&body, sentences_of(context->arena, event));
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
        log_warn("notice_without_ticket", "ticket=%" PRIu64 " conversation=%s", note_ticket(context),
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
