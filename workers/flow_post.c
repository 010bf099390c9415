// SPDX-License-Identifier: Apache-2.0
// Says in the chat what an agent wrote in the ticket: one message a step, in order, under the agent's own Freshchat
// identity, else as the configured agent with the first name before the text. Long texts go in several messages. Each
// message's id is recorded with the step that posted it, so that its echo is known. In doubt, and for entries that may
// be in the chat already, the conversation's messages are read and matched on author, time and words. Ids alone tell
// ours from a person's.
#include "workers/flows.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/entries.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/relay.h"
#include "workers/text.h"
#include "workers/text_html.h"

enum { MESSAGE_POINTS = 4000, PREFIX_POINTS = 60, LOOK_FIRST_MARGIN_MS = 60000 };

// ---- what is said, and as whom --------------------------------------------------------------------------------------

static const char *actor_of(const struct job_context *context)
{
    return *context->found.chat_agent ? context->found.chat_agent : context->config->freshchat.agent_id;
}

// "Anna: " before the first message of an entry when somebody else's identity speaks.
static const char *prefix_of(const struct job_context *context)
{
    const char *name = context->found.agent_name;
    if (*context->found.chat_agent || !*name)
        return "";
    const char *first = arena_copy(context->arena, name, strcspn(name, " "));
    first = text_shortened(context->arena, first, PREFIX_POINTS);
    return arena_printf(context->arena, "%s: ", first);
}

// The piece that is said in this step. *last: no further piece follows. "" when there are fewer pieces.
static const char *piece_of(const struct job_context *context, bool *last)
{
    const struct found *found = &context->found;
    const char *rest = arena_printf(context->arena, "%s%s", prefix_of(context), found->entries.items[0].text);
    size_t skip = 0;
    size_t length = text_piece(rest, MESSAGE_POINTS, &skip);
    for (uint64_t part = 0; part < found->part && *rest; part++) {
        rest += length + skip;
        length = text_piece(rest, MESSAGE_POINTS, &skip);
    }
    *last = rest[length + skip] == '\0';
    return arena_copy(context->arena, rest, length);
}

const char *relay_conversation(const struct job_context *context)
{
    const struct lane *lane = &context->job->lane;
    bool twin = (context->found.omit & RELAY_TWIN) && *lane->conversation_twin;
    return text_url(context->arena, twin ? lane->conversation_twin : lane->conversation);
}

void relay_look_begin(struct job_context *context, uint64_t (*floor)(const struct job_context *context),
                      struct request *request)
{
    uint64_t page = flow_look_begin(context, UPSTREAM_FRESHCHAT);
    char from[CLOCK_ISO_BYTES];
    clock_format_iso((int64_t)flow_moved(floor(context), -FLOW_LOOK_REACH_MS), from);
    *request = (struct request){
        .upstream = UPSTREAM_FRESHCHAT,
        .method = "GET",
        .path = arena_printf(context->arena, "/conversations/%s/messages?from_time=%s&items_per_page=%d&page=%" PRIu64,
                             relay_conversation(context), text_url(context->arena, from), FLOW_CHAT_PAGE_SIZE, page),
    };
}

bool relay_try_twin(struct job_context *context, const struct response *response)
{
    if (response->answer != ANSWER_NOT_FOUND || (context->found.omit & RELAY_TWIN) ||
        !*context->job->lane.conversation_twin)
        return false;
    context->found.omit |= RELAY_TWIN;
    return true;
}

// ---- progress -------------------------------------------------------------------------------------------------------

// A note that Deskbell wrote itself: the list was read while its mirror was on the way, so that its id was not known
// yet.
static bool is_own(const struct job_context *context, const struct entry *entry)
{
    const struct lane *lane = &context->job->lane;
    return entries_has(lane->desk_written.items, lane->desk_written.count, entry->id);
}

// A dead letter that is tried again must not repeat what later jobs said. (Its own first entry counts as delivered too,
// so that jobs pass it.)
void relay_leave_entry(struct job_context *context)
{
    struct found *found = &context->found;
    const struct lane *lane = &context->job->lane;
    uint64_t author = found->entries.items[0].author;
    do {
        found->entries.items++;
        found->entries.count--;
    } while (found->entries.count &&
             (is_own(context, &found->entries.items[0]) ||
              entries_has(lane->delivered.items, lane->delivered.count, found->entries.items[0].id)));
    found->part = 0;
    if (!found->entries.count || found->entries.items[0].author != author)
        found->agent_known = false;
}

void relay_leave_own(struct job_context *context)
{
    if (context->found.entries.count && is_own(context, &context->found.entries.items[0]))
        relay_leave_entry(context);
}

void relay_name_entry(struct job_context *context, struct report *report)
{
    const struct entry *entry = &context->found.entries.items[0];
    report->delivered.items = arena_alloc(context->arena, sizeof *report->delivered.items);
    report->delivered.items[0] = (struct written){.id = entry->id, .time_ms = entry->time_ms};
    report->delivered.count = 1;
}

// The piece is in the chat under that id: the same for one that was posted and one that a look found.
static void report_piece(struct job_context *context, const char *id, uint64_t time_ms, struct report *report)
{
    struct found *found = &context->found;
    bool last = true;
    piece_of(context, &last);
    flow_wrote_chat(context, report, id, time_ms);
    if (!last) {
        // Its next piece may be there too. (Not the look at once: the front would think that it turns a page.)
        bool look = context->job->step == STEP_LOOK_MESSAGE && found->entries.items[0].look_first;
        found->part++;
        flow_done(report, look ? STEP_READ_DESK_AGENT : STEP_POST_MESSAGE, "");
        return;
    }
    relay_name_entry(context, report);
    relay_leave_entry(context);
    relay_next(context, report, "reply in chat");
    // Of a look that names itself as the next step the front thinks that it turns a page: a step between, which only
    // reads.
    if (context->job->step == STEP_LOOK_MESSAGE && report->next_step == STEP_LOOK_MESSAGE)
        report->next_step = STEP_READ_DESK_AGENT;
}

// Refused for good: the entry is named, so that the front can make a dead letter of it and let the replies behind it
// pass.
static void refuse_entry(struct job_context *context, struct report *report)
{
    if (report->outcome == OUTCOME_REFUSED)
        relay_name_entry(context, report);
}

// ---- post -----------------------------------------------------------------------------------------------------------

static const char *message_of(struct job_context *context)
{
    bool last = true;
    json_t *text = json_object();
    fields_put(text, "content", piece_of(context, &last));
    json_t *body = json_pack("{s:[{s:o}],s:s,s:s}", "message_parts", "text", text, "message_type", "normal",
                             "actor_type", "agent");
    fields_put(body, "actor_id", actor_of(context));
    return fields_body(context->arena, body);
}

static enum step_choice post_begin(struct job_context *context, struct request *request, struct report *report)
{
    struct found *found = &context->found;
    relay_leave_own(context);
    if (!found->entries.count || !found->agent_known || found->entries.items[0].repeats) {
        relay_next(context, report, "");
        return STEP_ANSWER;
    }
    if (!*actor_of(context)) {
        const char *who = *found->agent_email  ? found->agent_email
                          : *found->agent_name ? found->agent_name
                                               : "the agent";
        flow_end(
            context, report, OUTCOME_REFUSED,
            "No Freshchat agent has the e-mail of %s: set freshchat.agent_id to the agent that such replies speak as.",
            who);
        refuse_entry(context, report);
        return STEP_ANSWER;
    }
    *request = (struct request){
        .upstream = UPSTREAM_FRESHCHAT,
        .method = "POST",
        .path = arena_printf(context->arena, "/conversations/%s/messages", relay_conversation(context)),
        .body = message_of(context),
    };
    if (context->observing) { // it counts as delivered: it must not be said once the mode is live
        relay_name_entry(context, report);
        relay_leave_entry(context);
        relay_next(context, report, "");
    }
    return STEP_CALL;
}

// Whether a refusal is about the agent, not the conversation (freshworks-api 2.2: 404 AGENT_NOT_FOUND, or 400).
static bool refuses_agent(struct job_context *context, const struct response *response)
{
    if (response->answer != ANSWER_NOT_FOUND && response->answer != ANSWER_REFUSED)
        return false;
    const char *status = fields_line(context->arena, response->json, "status", 200);
    const char *message = fields_line(context->arena, response->json, "message", 1000);
    return strcasestr(status, "agent") || strcasestr(message, "agent") || strcasestr(message, "actor");
}

static void post_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    const json_t *message = json_object_get(response->json, "message");
    const json_t *stored = json_is_object(message) ? message : response->json;
    const char *id = fields_id_text(context->arena, stored, "id");
    const char *fallback = context->config->freshchat.agent_id;
    if (response->answer == ANSWER_OK && *id) {
        uint64_t time_ms = fields_time(stored, "created_time");
        report_piece(context, id, time_ms ? time_ms : response->date_ms, report);
    } else if (response->answer == ANSWER_OK) {
        flow_unexpected(context, report, "a message id");
    } else if (refuses_agent(context, response)) {
        bool other = *found->chat_agent && *fallback && strcmp(found->chat_agent, fallback) != 0;
        if (other && !found->part) { // this agent cannot speak there: the configured one does
            log_warn("chat_agent_refused", "agent=%s conversation=%s", found->chat_agent,
                     context->job->lane.conversation);
            found->chat_agent = "";
            flow_done(report, STEP_POST_MESSAGE, "");
        } else {
            flow_end(context, report, OUTCOME_REFUSED,
                     "Freshchat does not let the agent %s speak in this conversation%s: %s", actor_of(context),
                     *found->chat_agent ? "" : " (freshchat.agent_id)", response->problem ? response->problem : "");
            refuse_entry(context, report);
        }
    } else if (relay_try_twin(context, response)) {
        flow_done(report, STEP_POST_MESSAGE, "");
    } else {
        answers_default(context, response, report);
        refuse_entry(context, report);
    }
}

// ---- look -----------------------------------------------------------------------------------------------------------

// The earliest time, in Freshchat's clock, of what is looked for. An entry that may have been said before this job
// began is looked for since it was written, in the helpdesk's clock.
static uint64_t floor_of(const struct job_context *context)
{
    const struct entry *entry = &context->found.entries.items[0];
    uint64_t since =
        flow_look_floor(context, flow_told_ms(context, entry->time_ms, UPSTREAM_FRESHDESK, UPSTREAM_FRESHCHAT));
    if (!entry->look_first && !context->job->restored)
        return since;
    int64_t ahead = context->found.clock_known ? (int64_t)context->found.clock_ahead_ms : 0;
    uint64_t written = flow_moved(entry->time_ms, -flow_ahead_ms(context, UPSTREAM_FRESHDESK));
    written = flow_moved(written, ahead - LOOK_FIRST_MARGIN_MS);
    return written < since || context->job->restored ? written : since;
}

static enum step_choice look_begin(struct job_context *context, struct request *request, struct report *report)
{
    if (!context->found.entries.count) {
        relay_next(context, report, "");
        return STEP_ANSWER;
    }
    relay_look_begin(context, floor_of, request);
    return STEP_CALL;
}

static const char *words_there(struct arena *arena, const json_t *message, bool html)
{
    struct text_buf out = text_buf_new(arena);
    const json_t *parts = json_object_get(message, "message_parts");
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const char *text = fields_raw(json_object_get(json_array_get(parts, i), "text"), "content");
        text_buf_add(&out, html ? text_html_plain(arena, text, TEXT_HTML_ALL, TEXT_MAX) : text);
    }
    return text_words(arena, out.data);
}

static bool is_ours(struct job_context *context, const json_t *message, const char *words)
{
    const struct lane *lane = &context->job->lane;
    const char *id = fields_id_text(context->arena, message, "id");
    return *id && strcmp(fields_raw(message, "actor_type"), "agent") == 0 &&
           strcmp(fields_raw(message, "actor_id"), actor_of(context)) == 0 &&
           fields_time(message, "created_time") >= floor_of(context) &&
           !entries_has(lane->chat_written.items, lane->chat_written.count, id) &&
           (strcmp(words_there(context->arena, message, false), words) == 0 ||
            strcmp(words_there(context->arena, message, true), words) == 0);
}

static const json_t *oldest_of_ours(struct job_context *context, const json_t *list)
{
    bool last = true;
    const char *words = text_words(context->arena, piece_of(context, &last));
    const json_t *ours = NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *message = json_array_get(list, i);
        if (!is_ours(context, message, words))
            continue;
        uint64_t time_ms = fields_time(message, "created_time");
        uint64_t best_ms = ours ? fields_time(ours, "created_time") : UINT64_MAX;
        if (time_ms < best_ms || (time_ms == best_ms && strcmp(fields_raw(message, "id"), fields_raw(ours, "id")) < 0))
            ours = message;
    }
    return ours;
}

static void not_there(struct job_context *context, struct report *report)
{
    context->found.entries.items[0].look_first = false;
    flow_look_next(context, STEP_LOOK_MESSAGE, false, report);
}

static void look_finish(struct job_context *context, const struct response *response, struct report *report)
{
    if (relay_try_twin(context, response)) {
        flow_done(report, STEP_LOOK_MESSAGE, "");
        return;
    }
    if (response->answer == ANSWER_NOT_FOUND) { // no conversation, no message; the post will be told the same
        not_there(context, report);
        return;
    }
    if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    const json_t *list = fields_list(response->json, "messages");
    if (!list) {
        flow_unexpected(context, report, "a list of messages");
        return;
    }
    bool again = flow_look_again(context, response, STEP_LOOK_MESSAGE, report);
    const json_t *ours = oldest_of_ours(context, list);
    if (ours) {
        flow_look_found(context);
        report_piece(context, fields_id_text(context->arena, ours, "id"), fields_time(ours, "created_time"), report);
        return;
    }
    if (again)
        return;
    bool more = json_array_size(list) > 0 && *fields_raw(json_object_get(response->json, "link"), "href");
    if (more)
        flow_look_next(context, STEP_LOOK_MESSAGE, true, report);
    else
        not_there(context, report);
}

const struct step_code flow_post_steps[] = {
    {STEP_POST_MESSAGE, post_begin, post_finish},
    {STEP_LOOK_MESSAGE, look_begin, look_finish},
    {STEP_NONE, NULL, NULL},
};
