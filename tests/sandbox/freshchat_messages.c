// SPDX-License-Identifier: Apache-2.0
// Freshchat messages: what a message may hold, storing one, its webhook, reading them back. Runs with the store locked.
#include "freshchat.h"
#include "webhooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *kind;
    const char *needs; // a text member that must be there; NULL: none
} part_kinds[] = {
    {"text", "content"},
    {"image", "url"},
    {"video", "url"},
    {"file", NULL},
    {"email", "content"},
    {"url_button", "url"},
    {"quick_reply_button", NULL},
    {"callback", NULL},
    {"collection", NULL},
    {"reference", NULL},
    {"template_content", NULL},
};

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

const char *sb_freshchat_bad_parts(const struct sandbox *sb, const json_t *parts)
{
    size_t i;
    json_t *part;
    if (json_array_size(parts) == 0)
        return "message_parts is missing or empty";
    json_array_foreach(parts, i, part)
    {
        const char *kind = json_object_iter_key(json_object_iter(part));
        size_t known = 0, kinds = sizeof part_kinds / sizeof *part_kinds;
        if (json_object_size(part) != 1)
            return "a message part has exactly one key";
        while (known < kinds && strcmp(part_kinds[known].kind, kind) != 0)
            known++;
        json_t *value = json_object_get(part, kind);
        if (known == kinds || !json_is_object(value))
            return "there is no such kind of message part";
        if (part_kinds[known].needs != NULL && !json_is_string(json_object_get(value, part_kinds[known].needs)))
            return "a message part lacks its content";
        if (strcmp(kind, "text") != 0)
            continue;
        const char *text = json_string_value(json_object_get(value, "content"));
        if (text[0] == '\0')
            return "a text part is empty";
        if (sb->options.freshchat_text_limit > 0 && characters(text) > (size_t)sb->options.freshchat_text_limit)
            return "a text part is too long";
    }
    return NULL;
}

json_t *sb_freshchat_message_event(struct sandbox *sb, const struct sb_message *message)
{
    char now[32];
    sb_store_time_ms(sb_store_wall_ms(sb), now);
    return json_pack("{s:{s:O, s:O*}, s:s, s:s, s:{s:o}}", "actor", "actor_type",
                     json_object_get(message->doc, "actor_type"), "actor_id", json_object_get(message->doc, "actor_id"),
                     "action", "message_create", "action_time", now, "data", "message", json_deep_copy(message->doc));
}

static void tell(struct sandbox *sb, struct sb_conversation *conversation, const struct sb_message *message,
                 const char *actor_type, const char *source)
{
    const char *text = json_string_value(json_object_get(
        json_object_get(json_array_get(json_object_get(message->doc, "message_parts"), 0), "text"), "content"));
    if (strcmp(actor_type, "user") == 0) {
        if (conversation->waiting_since_us == 0)
            conversation->waiting_since_us = message->at_us;
        sb_store_event(sb, SANDBOX_EVENT_CUSTOMER_WROTE, conversation->id, conversation->ticket_id, 0, text);
    } else if (strcmp(source, "api") == 0) {
        sb_store_event(sb, SANDBOX_EVENT_REACHED_CHAT, conversation->id, conversation->ticket_id,
                       conversation->replied_us, text);
        conversation->replied_us = 0;
    } else {
        sb_store_event(sb, SANDBOX_EVENT_AGENT_TYPED, conversation->id, conversation->ticket_id, 0, text);
    }
}

struct sb_message *sb_freshchat_add_message(struct sandbox *sb, struct sb_conversation *conversation,
                                            const char *actor_type, const char *actor_id, const char *message_type,
                                            const char *source, json_t *parts, json_t *reply_parts, bool webhook)
{
    struct sb_message *message = sb_alloc(sizeof *message);
    char created[32], interaction[64];
    bool by_user = strcmp(actor_type, "user") == 0;
    message->wall_ms = sb_store_wall_ms(sb);
    // Two of one conversation are never of the same millisecond: who reads them can tell which was first.
    if (conversation->count > 0 && message->wall_ms <= conversation->messages[conversation->count - 1]->wall_ms)
        message->wall_ms = conversation->messages[conversation->count - 1]->wall_ms + 1;
    message->at_us = sandbox_now_us();
    sb_store_uuid(message->id);
    sb_store_time_ms(message->wall_ms, created);
    snprintf(interaction, sizeof interaction, "%s-%lld", conversation->numeric, (long long)message->wall_ms);
    message->doc =
        json_pack("{s:o, s:s, s:s*, s:s, s:O, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o*}", "message_parts",
                  parts, "app_id", sb->app_id, "actor_id", actor_id, "id", message->id, "channel_id",
                  json_object_get(conversation->doc, "channel_id"), "conversation_id", conversation->id,
                  "freshchat_conversation_id", conversation->numeric, "freshchat_channel_id", sb->channel_numeric,
                  "interaction_id", interaction, "message_type", message_type, "actor_type", actor_type, "created_time",
                  created, "user_id", conversation->user_id, "message_source", source, "reply_parts", reply_parts);
    conversation->messages = sb_grow(conversation->messages, conversation->count, sizeof(struct sb_message *));
    conversation->messages[conversation->count++] = message;
    tell(sb, conversation, message, actor_type, source);
    if (by_user && sb->options.messages_touch_users)
        json_object_set_new(json_object_get(sb->users, conversation->user_id), "updated_time", json_string(created));
    if (by_user && strcmp(json_string_value(json_object_get(conversation->doc, "status")), "resolved") == 0)
        sb_freshchat_set_status(sb, conversation, "reopened", "user", conversation->user_id, webhook);
    sb_store_changed(sb);
    if (webhook)
        sb_webhooks_freshchat(sb, sb_freshchat_message_event(sb, message), message->id);
    return message;
}

static bool is_latest(const struct sandbox *sb, const struct sb_conversation *conversation)
{
    for (size_t i = sb->conversation_count; i-- > 0;)
        if (strcmp(sb->conversations[i]->user_id, conversation->user_id) == 0)
            return sb->conversations[i] == conversation;
    return true;
}

// What is wrong with the author of a posted message; answers and returns false.
static bool author_is_good(struct sandbox *sb, const struct sb_conversation *conversation, const char *type,
                           const char *id, struct sb_response *response)
{
    if (strcmp(type, "agent") == 0) {
        json_t *agent = id != NULL ? sb_store_chat_agent(sb, id) : NULL;
        if (agent == NULL) {
            sb_freshchat_error(response, 404, "AGENT_NOT_FOUND", "There is no agent with this id");
            return false;
        }
        if (json_is_true(json_object_get(agent, "is_deactivated"))) {
            sb_freshchat_error(response, 400, "AGENT_DEACTIVATED", "The agent is not active");
            return false;
        }
    } else if (strcmp(type, "user") == 0) {
        if (id == NULL || json_object_get(sb->users, id) == NULL) {
            sb_freshchat_error(response, 404, "USER_NOT_FOUND", "There is no user with this id");
            return false;
        }
        if (!is_latest(sb, conversation)) {
            sb_freshchat_error(response, 400, "INVALID_VALUE",
                               "The conversation is not the latest conversation of the user");
            return false;
        }
    } else if (strcmp(type, "bot") != 0 && strcmp(type, "system") != 0) {
        sb_freshchat_error(response, 400, "INVALID_VALUE", "actor_type is agent, user, bot or system");
        return false;
    }
    return true;
}

void sb_freshchat_message_post(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    struct sb_conversation *conversation = sb_store_conversation(sb, request->segments[1]);
    const char *message_type = json_string_value(json_object_get(request->json, "message_type"));
    const char *actor_type = json_string_value(json_object_get(request->json, "actor_type"));
    const char *actor_id = json_string_value(json_object_get(request->json, "actor_id"));
    json_t *parts = json_object_get(request->json, "message_parts"),
           *replies = json_object_get(request->json, "reply_parts");
    if (conversation == NULL) {
        sb_freshchat_error(response, 404, "CONVERSATION_NOT_FOUND", "There is no conversation with this id");
        return;
    }
    const char *wrong = sb_freshchat_bad_parts(sb, parts);
    if (wrong == NULL &&
        (message_type == NULL || (strcmp(message_type, "normal") != 0 && strcmp(message_type, "private") != 0)))
        wrong = "message_type is normal or private";
    if (wrong == NULL && actor_type == NULL)
        wrong = "actor_type is missing";
    if (wrong == NULL && strcmp(message_type, "private") == 0 && strcmp(actor_type, "agent") != 0)
        wrong = "only agents write private messages";
    if (wrong != NULL) {
        sb_freshchat_error(response, 400, "INVALID_VALUE", wrong);
        return;
    }
    if (!author_is_good(sb, conversation, actor_type, actor_id, response))
        return;
    struct sb_message *message =
        sb_freshchat_add_message(sb, conversation, actor_type, actor_id, message_type, "api", json_deep_copy(parts),
                                 json_is_array(replies) ? json_deep_copy(replies) : NULL, sb->options.echo);
    sb_response_json(response, sb->options.freshchat_post_status, json_incref(message->doc));
}

void sb_freshchat_message_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    struct sb_conversation *conversation = sb_store_conversation(sb, request->segments[1]);
    struct sb_page page;
    char from_text[64] = "";
    int64_t from_ms = 0;
    if (conversation == NULL) {
        sb_freshchat_error(response, 404, "CONVERSATION_NOT_FOUND", "There is no conversation with this id");
        return;
    }
    if (!sb_freshchat_page(request, response, &page))
        return;
    bool filtered = sb_request_param(request, "from_time", from_text, sizeof from_text);
    if (filtered && !sb_store_parse_time(from_text, &from_ms)) {
        sb_freshchat_error(response, 400, "INVALID_VALUE", "from_time is not a time");
        return;
    }
    // Only what is later than from_time; messages are kept oldest first, so that is a tail.
    size_t first = 0, last = conversation->count;
    while (filtered && first < last && conversation->messages[first]->wall_ms <= from_ms)
        first++;
    json_t *messages = json_array();
    size_t total = last - first, skip = (size_t)((page.page - 1) * page.items);
    for (size_t i = skip; i < total && i < skip + (size_t)page.items; i++) {
        size_t position = sb->options.oldest_first ? first + i : last - 1 - i;
        json_array_append(messages, conversation->messages[position]->doc);
    }
    json_t *body = json_pack("{s:o}", "messages", messages);
    if (skip + (size_t)page.items < total) {
        char href[256];
        snprintf(href, sizeof href, "/v2/conversations/%s/messages?page=%lld&items_per_page=%lld%s%s",
                 request->segments[1], (long long)page.page + 1, (long long)page.items, filtered ? "&from_time=" : "",
                 filtered ? from_text : "");
        json_object_set_new(body, "link",
                            json_pack("{s:s, s:s, s:s}", "href", href, "rel", "next_page", "method", "GET"));
    }
    sb_response_json(response, 200, body);
}
