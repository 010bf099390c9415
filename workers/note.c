// SPDX-License-Identifier: Apache-2.0
// Notes, written and looked for; see note.h.
#include "workers/note.h"

#include <inttypes.h>
#include <stdlib.h>

#include "proto/log.h"
#include "workers/fields.h"
#include "workers/flow.h"

enum { SAID_MARGIN_MS = 60000 };

static uint64_t author_of(const struct job_context *context, const struct note *note)
{
    return context->found.omit & NOTE_OMIT_AUTHOR ? 0 : note->author;
}

uint64_t note_ticket(const struct job_context *context)
{
    const struct event *event = context->job->events.items;
    bool named = context->job->events.count && event->kind == EVENT_NOTICE && event->ticket_id;
    return named ? event->ticket_id : context->job->lane.ticket_id;
}

enum step_choice note_begin(struct job_context *context, const struct note *note, struct request *request)
{
    json_t *body = json_object();
    fields_put(body, "body", note->body);
    if (json_object_set_new(body, "private", json_boolean(note->is_private)) != 0 ||
        json_object_set_new(body, "incoming", json_boolean(note->incoming)) != 0)
        abort();
    if (author_of(context, note))
        fields_put_id(body, "user_id", author_of(context, note));
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "POST",
        .path = arena_printf(context->arena, "/tickets/%" PRIu64 "/notes", note_ticket(context)),
        .body = fields_body(context->arena, body),
    };
    return STEP_CALL;
}

bool note_finish(struct job_context *context, const struct note *note, const struct response *response,
                 struct report *report)
{
    const char *id = fields_id_text(context->arena, response->json, "id");
    if (response->answer == ANSWER_OK && fields_id(response->json, "id")) {
        uint64_t time_ms = fields_time(response->json, "created_at");
        flow_wrote_desk(context, report, id, time_ms ? time_ms : response->date_ms);
        return true;
    }
    if (response->answer == ANSWER_OK) {
        flow_unexpected(context, report, "an entry id");
    } else if (response->answer == ANSWER_REFUSED && author_of(context, note) && flow_refuses(response, "user_id")) {
        context->found.omit |= NOTE_OMIT_AUTHOR;
        log_warn("author_refused", "ticket=%" PRIu64 " author=%" PRIu64, note_ticket(context), note->author);
        flow_done(report, (enum step)context->job->step, "");
    } else if (!flow_ticket_gone(response)) {
        answers_default(context, response, report);
    }
    return false;
}

enum step_choice note_look_begin(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
    uint64_t page = flow_look_begin(context, UPSTREAM_FRESHDESK);
    *request = (struct request){
        .upstream = UPSTREAM_FRESHDESK,
        .method = "GET",
        .path = arena_printf(context->arena, "/tickets/%" PRIu64 "/conversations?per_page=%d&page=%" PRIu64,
                             note_ticket(context), FLOW_PAGE_SIZE, page),
    };
    return STEP_CALL;
}

// An agent's message that Deskbell posted for an entry of the ticket, in a time that the restored ledger does not know.
static bool is_an_entry(const struct job_context *context, const struct note *note, const struct entries_items *page)
{
    uint64_t until = flow_moved(note->said_ms, flow_ahead_ms(context, UPSTREAM_FRESHDESK) -
                                                   flow_ahead_ms(context, UPSTREAM_FRESHCHAT) + SAID_MARGIN_MS);
    return entries_find_said(context->arena, page, &context->job->lane, note->said, until);
}

bool note_look_finish(struct job_context *context, const struct note *note, const struct response *response,
                      struct report *report)
{
    enum step look = (enum step)context->job->step;
    if (flow_ticket_gone(response)) { // nothing is there, and the write will be told so
        flow_look_next(context, look, false, report);
        return false;
    }
    if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return false;
    }
    struct entries_items page;
    if (!entries_read(context->arena, response, &page)) {
        flow_unexpected(context, report, "a list of entries");
        return false;
    }
    // The list is whole whatever our clock says: it need not be asked for again, only judged with the right clock.
    flow_look_learn(context, response);
    struct entries_wanted wanted = {
        .incoming = note->incoming,
        .is_private = note->is_private,
        .author = author_of(context, note),
        .floor_ms = flow_look_floor(context, flow_cause_ms(context)),
        .body = note->body,
        .line = note->by_line && context->job->restored ? entries_line(context->arena, note->body) : NULL,
    };
    const struct entries_item *item = entries_find(context->arena, &page, &context->job->lane, &wanted);
    if (!item && wanted.line && note->said && is_an_entry(context, note, &page)) {
        flow_look_found(context);
        return true; // the entry is the agent's own: its relay adopts it
    }
    if (!item) {
        flow_look_next(context, look, page.more, report);
        return false;
    }
    flow_look_found(context);
    flow_wrote_desk(context, report, item->id, item->time_ms);
    return true;
}
