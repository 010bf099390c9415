// SPDX-License-Identifier: Apache-2.0
// Keeps our own notes out of the chat when their ids are not known. A mirror note (flow_mirror.c) that the helpdesk
// carries out after its look has settled stands there twice, and the late twin's id is nobody's. It is known by its
// form, the whole of it, and by the message that it repeats: an agent's in this conversation, said in that second, with
// those words. So an agent who quotes such a line among words of their own is relayed, and what cannot be read in the
// chat is, too. Notes with customers' messages are incoming, and need no such care.
#include "workers/flows.h"

#include <inttypes.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/agents.h"
#include "workers/entries.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/relay.h"
#include "workers/text.h"
#include "workers/text_html.h"

enum { HOUR_MS = 3600000, REACH_HOURS = 24 };

// ---- whether a message is the one -----------------------------------------------------------------------------------

// Behind `said` at the beginning of `words`, or NULL. A card number's digits are stars in what Deskbell wrote.
static const char *behind(const char *words, const char *said)
{
    for (; *said; said++, words++)
        if (*words != *said && !(*words == '*' && *said >= '0' && *said <= '9'))
            return NULL;
    return words;
}

// Behind the words of one text, as it stands there or read as HTML. `anywhere`: something else may stand before it.
static const char *behind_text(struct arena *arena, const char *words, const char *text, bool anywhere)
{
    const char *const forms[] = {text_words(arena, text),
                                 text_words(arena, text_html_plain(arena, text, TEXT_HTML_ALL, TEXT_MAX))};
    for (const char *at = words;; at++) {
        for (size_t i = 0; i < 2; i++)
            if (behind(at, forms[i]))
                return behind(at, forms[i]);
        if (!anywhere || !*at)
            return NULL;
    }
}

// A message of nothing but text must be all of the words. How files, buttons and the like read in a note only its own
// event knows: beside them every text must be among the words, in order.
static bool has_words(struct arena *arena, const json_t *message, const char *words)
{
    const json_t *parts = json_object_get(message, "message_parts");
    size_t size = json_array_size(parts);
    bool mixed = size == 0 || json_array_size(json_object_get(message, "reply_parts")) > 0;
    for (size_t i = 0; i < size; i++)
        mixed = mixed || !json_object_get(json_array_get(parts, i), "text");
    for (size_t i = 0; i < size && words; i++) {
        const json_t *text = json_object_get(json_array_get(parts, i), "text");
        if (text)
            words = behind_text(arena, words, fields_raw(text, "content"), mixed);
    }
    return words && (mixed || !*words);
}

static bool has_name(struct job_context *context, const json_t *message, const char *name)
{
    const struct agent *agent = agents_by_id(context->agents, UPSTREAM_FRESHCHAT, fields_raw(message, "actor_id"));
    return !agent || !agent->exists || strcmp(name, "Anagent") == 0 ||
           strcmp(name, text_words(context->arena, agent->name)) == 0;
}

static bool is_repeated(struct job_context *context, const json_t *message, const struct entries_mirror *mirror)
{
    uint64_t time_ms = fields_time(message, "created_time");
    return strcmp(fields_raw(message, "actor_type"), "agent") == 0 && time_ms &&
           time_ms / 1000 % 86400 == mirror->second && has_name(context, message, mirror->name) &&
           has_words(context->arena, message, mirror->words);
}

// ---- the step -------------------------------------------------------------------------------------------------------

// The note has the time of day only, and may have been written as late as Deskbell tries.
static uint64_t from_ms(const struct job_context *context)
{
    int64_t hours = context->config->timing.retry_give_up_hours + REACH_HOURS;
    return flow_moved(context->found.entries.items[0].time_ms, -hours * HOUR_MS);
}

static enum step_choice read_begin(struct job_context *context, struct request *request, struct report *report)
{
    const struct found *found = &context->found;
    if (!found->page)
        relay_leave_own(context);
    if (!found->entries.count || !found->entries.items[0].repeats) {
        relay_next(context, report, "");
        return STEP_ANSWER;
    }
    char from[CLOCK_ISO_BYTES];
    clock_format_iso((int64_t)from_ms(context), from);
    *request = (struct request){
        .upstream = UPSTREAM_FRESHCHAT,
        .method = "GET",
        .path = arena_printf(context->arena, "/conversations/%s/messages?from_time=%s&items_per_page=%d&page=%" PRIu64,
                             relay_conversation(context), text_url(context->arena, from), FLOW_CHAT_PAGE_SIZE,
                             found->page ? found->page : 1),
    };
    return STEP_CALL;
}

// An agent's word after all.
static void not_repeated(struct job_context *context, struct report *report)
{
    context->found.page = 0;
    context->found.entries.items[0].repeats = false;
    relay_next(context, report, "");
}

static void read_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    if (relay_try_twin(context, response)) {
        flow_done(report, STEP_READ_CHAT, "");
        return;
    }
    const json_t *list = fields_list(response->json, "messages");
    if (response->answer == ANSWER_NOT_FOUND || flow_is_denied(response)) { // it can never be asked
        log_warn("chat_unread", "conversation=%s entry=%s problem=%s", context->job->lane.conversation,
                 found->entries.items[0].id, response->problem);
        not_repeated(context, report);
        return;
    }
    if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    if (!list) {
        flow_unexpected(context, report, "a list of messages");
        return;
    }
    struct entries_mirror mirror;
    bool is_mirror = entries_mirror_text(context->arena, found->entries.items[0].text, &mirror);
    for (size_t i = 0; is_mirror && i < json_array_size(list); i++)
        if (is_repeated(context, json_array_get(list, i), &mirror)) {
            log_warn("late_note", "ticket=%" PRIu64 " entry=%s message=%s", context->job->lane.ticket_id,
                     found->entries.items[0].id, fields_id_text(context->arena, json_array_get(list, i), "id"));
            found->page = 0;
            relay_name_entry(context, report);
            relay_leave_entry(context);
            relay_next(context, report, "late note of our own left alone");
            return;
        }
    uint64_t page = found->page ? found->page : 1;
    bool more = json_array_size(list) > 0 && *fields_raw(json_object_get(response->json, "link"), "href");
    if (more && page < FLOW_MOST_PAGES) {
        found->page = page + 1;
        flow_done(report, STEP_READ_CHAT, "");
    } else {
        not_repeated(context, report);
    }
}

const struct step_code flow_repeat_steps[] = {
    {STEP_READ_CHAT, read_begin, read_finish},
    {STEP_NONE, NULL, NULL},
};
