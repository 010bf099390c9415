// SPDX-License-Identifier: Apache-2.0
// The offer to call: one message in the chat, when a ticket was opened for a shopper who struggles. It has the
// operator's words and a button that opens /support, where chat and number are on one page; an account that takes no
// buttons gets the link in the text (freshworks-api 1.6, 3.7: whether it does is not documented). It is a courtesy: it
// speaks as the configured agent, is looked for where nobody knows whether it arrived, and is let go rather than
// holding up what an agent has to say.
#include "workers/flows.h"

#include <inttypes.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/entries.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/relay.h"
#include "workers/text.h"

static const char *page_of(const struct job_context *context)
{
    return arena_printf(context->arena, "%s/support", context->config->widget.public_url);
}

static const char *words_of(const struct job_context *context)
{
    const char *words = context->config->widget.call_message;
    if (!(context->found.omit & RELAY_PLAIN))
        return words;
    return arena_printf(context->arena, "%s %s", words, page_of(context));
}

static const char *message_of(const struct job_context *context)
{
    json_t *text = json_object();
    fields_put(text, "content", words_of(context));
    json_t *parts = json_pack("[{s:o}]", "text", text);
    if (!(context->found.omit & RELAY_PLAIN)) {
        json_t *button = json_pack("{s:s}", "target", "_blank");
        fields_put(button, "label", "Call us");
        fields_put(button, "url", page_of(context));
        json_array_append_new(parts, json_pack("{s:o}", "url_button", button));
    }
    json_t *body = json_pack("{s:o,s:s,s:s}", "message_parts", parts, "message_type", "normal", "actor_type", "agent");
    fields_put(body, "actor_id", context->config->freshchat.agent_id);
    return fields_body(context->arena, body);
}

static void said(struct job_context *context, const json_t *message, const struct response *response,
                 struct report *report)
{
    uint64_t time_ms = fields_time(message, "created_time");
    flow_done(report, STEP_NONE, "call offered in chat");
    flow_wrote_chat(context, report, fields_id_text(context->arena, message, "id"),
                    time_ms ? time_ms : response->date_ms);
}

static enum step_choice offer_begin(struct job_context *context, struct request *request, struct report *report)
{
    const struct config *config = context->config;
    if (!*config->widget.call_message || !*config->widget.public_url || !*config->freshchat.agent_id) {
        flow_done(report, STEP_NONE, ""); // switched off since
        return STEP_ANSWER;
    }
    *request = (struct request){
        .upstream = UPSTREAM_FRESHCHAT,
        .method = "POST",
        .path = arena_printf(context->arena, "/conversations/%s/messages", relay_conversation(context)),
        .body = message_of(context),
    };
    return STEP_CALL;
}

static void offer_finish(struct job_context *context, const struct response *response, struct report *report)
{
    const json_t *message = json_object_get(response->json, "message");
    const json_t *stored = json_is_object(message) ? message : response->json;
    if (response->answer == ANSWER_OK && *fields_id_text(context->arena, stored, "id")) {
        said(context, stored, response, report);
    } else if (response->answer == ANSWER_OK) {
        flow_unexpected(context, report, "a message id");
    } else if (relay_try_twin(context, response)) {
        flow_done(report, STEP_POST_OFFER, "");
    } else if (response->answer == ANSWER_REFUSED && !(context->found.omit & RELAY_PLAIN)) {
        context->found.omit |= RELAY_PLAIN;
        flow_done(report, STEP_POST_OFFER, "");
    } else {
        answers_default(context, response, report);
    }
}

// ---- look -----------------------------------------------------------------------------------------------------------

// It is asked for with the ticket and only then, so also a front that forgot having said it (a restored ledger) finds
// it.
static uint64_t floor_of(const struct job_context *context)
{
    uint64_t asked_ms = context->job->events.count ? context->job->events.items[0].accepted_ms : 0;
    uint64_t claimed = flow_look_floor(context, 0);
    uint64_t asked = asked_ms ? flow_floor_since(context, asked_ms) : claimed;
    return asked < claimed ? asked : claimed;
}

static enum step_choice look_begin(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
    relay_look_begin(context, floor_of, request);
    return STEP_CALL;
}

// Its text is the operator's, and so nobody else's: with the link or without.
static bool is_ours(struct job_context *context, const json_t *message)
{
    const struct lane *lane = &context->job->lane;
    const char *id = fields_id_text(context->arena, message, "id");
    const json_t *part = json_array_get(json_object_get(message, "message_parts"), 0);
    const char *there = text_words(context->arena, fields_raw(json_object_get(part, "text"), "content"));
    const char *ours = text_words(context->arena, context->config->widget.call_message);
    return *id && strncmp(there, ours, strlen(ours)) == 0 &&
           strcmp(fields_raw(message, "actor_id"), context->config->freshchat.agent_id) == 0 &&
           fields_time(message, "created_time") >= floor_of(context) &&
           !entries_has(lane->chat_written.items, lane->chat_written.count, id);
}

static void look_finish(struct job_context *context, const struct response *response, struct report *report)
{
    if (relay_try_twin(context, response)) {
        flow_done(report, STEP_LOOK_OFFER, "");
        return;
    }
    if (response->answer == ANSWER_NOT_FOUND) {
        flow_look_next(context, STEP_LOOK_OFFER, false, report);
        return;
    }
    const json_t *list = response->answer == ANSWER_OK ? fields_list(response->json, "messages") : NULL;
    if (!list) {
        if (response->answer == ANSWER_OK)
            flow_unexpected(context, report, "a list of messages");
        else
            answers_default(context, response, report);
        return;
    }
    bool again = flow_look_again(context, response, STEP_LOOK_OFFER, report);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *message = json_array_get(list, i);
        if (!is_ours(context, message))
            continue;
        flow_look_found(context);
        said(context, message, response, report);
        return;
    }
    bool more = json_array_size(list) > 0 && *fields_raw(json_object_get(response->json, "link"), "href");
    if (!again)
        flow_look_next(context, STEP_LOOK_OFFER, more, report);
}

const struct step_code flow_offer_steps[] = {
    {STEP_POST_OFFER, offer_begin, offer_finish},
    {STEP_LOOK_OFFER, look_begin, look_finish},
    {STEP_NONE, NULL, NULL},
};
