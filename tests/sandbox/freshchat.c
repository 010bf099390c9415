// SPDX-License-Identifier: Apache-2.0
// Freshchat API v2: the front door (budget, token, paging), account, agents, channels and conversations. Runs in
// connection threads with the store locked. Error bodies have Freshchat's shape: code, status in capitals, message.
#include "faults.h"
#include "freshchat.h"
#include "webhooks.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool authorised(const struct sandbox *sb, const struct sb_request *request)
{
    const char *given = request->authorization, *token = sb->options.freshchat_token;
    if (given == NULL || strncasecmp(given, "Bearer ", 7) != 0)
        return false;
    size_t length = strlen(token);
    return strlen(given + 7) == length && CRYPTO_memcmp(given + 7, token, length) == 0;
}

void sb_freshchat_serve(struct sandbox *sb, const struct sb_request *request, const struct sb_endpoint *endpoint,
                        bool other, struct sb_response *response)
{
    bool writes = strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0;
    int wait_s = sb_faults_spend(sb, SANDBOX_LIMIT_FRESHCHAT, 1);
    if (sb->options.built_in_chat) {
        // What is known: the API does not apply there; and that portal hosts serve a page for paths they do not know.
        sb_response_text(response, 200, "text/html; charset=utf-8", "<!doctype html><title>Sign in</title>");
    } else if (wait_s > 0) {
        sb_freshchat_error(response, 429, "TOO_MANY_REQUESTS", "Rate limit exceeded");
        sb_response_header(response, "Retry-After", "%d", wait_s);
    } else if (!authorised(sb, request)) {
        sb_freshchat_error(response, 401, "UNAUTHENTICATED", "Authentication failed: the token is missing or wrong");
    } else if (endpoint == NULL && other) {
        sb_freshchat_error(response, 405, "METHOD_NOT_ALLOWED", "Method not allowed");
    } else if (endpoint == NULL) {
        sb_freshchat_error(response, 404, "NOT_FOUND", "No such resource");
    } else if (writes && !sb_request_is_json(request)) {
        sb_freshchat_error(response, 415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json");
    } else if (writes && !json_is_object(request->json)) {
        sb_freshchat_error(response, 400, "INVALID_VALUE", "The body is not a JSON object");
    } else {
        endpoint->handler(sb, request, response);
    }
}

bool sb_freshchat_page(const struct sb_request *request, struct sb_response *response, struct sb_page *page)
{
    char text[32];
    page->page = sb_request_param(request, "page", text, sizeof text) ? sb_number(text) : 1;
    page->items = sb_request_param(request, "items_per_page", text, sizeof text) ? sb_number(text) : 20;
    if (page->page >= 1 && page->items >= 1 && page->items <= 50)
        return true;
    sb_freshchat_error(response, 400, "INVALID_VALUE", "page starts at 1 and items_per_page is 1 to 50");
    return false;
}

void sb_freshchat_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response,
                       const char *name, json_t *all)
{
    struct sb_page page;
    if (!sb_freshchat_page(request, response, &page))
        return;
    int64_t total = (int64_t)json_array_size(all), from = (page.page - 1) * page.items;
    json_t *part = json_array();
    for (int64_t i = from; i < total && i < from + page.items; i++)
        json_array_append(part, json_array_get(all, (size_t)i));
    if (sb->options.bare_lists) {
        sb_response_json(response, 200, part);
        return;
    }
    json_t *links = json_object();
    if (from + page.items < total) {
        // The same query with another page; filters must still hold there.
        char href[768];
        size_t used = (size_t)snprintf(href, sizeof href, "/v2/%s?", name);
        for (const char *at = request->query; *at != '\0';) {
            size_t length = strcspn(at, "&");
            if (strncmp(at, "page=", 5) != 0 && used + length + 24 < sizeof href)
                used += (size_t)snprintf(href + used, sizeof href - used, "%.*s&", (int)length, at);
            at += length;
            at += *at == '&';
        }
        snprintf(href + used, sizeof href - used, "page=%lld", (long long)page.page + 1);
        json_object_set_new(links, "next_page",
                            json_pack("{s:s, s:s, s:s}", "href", href, "rel", "next_page", "method", "GET"));
    }
    sb_response_json(response, 200,
                     json_pack("{s:o, s:{s:I, s:I, s:I, s:I}, s:o}", name, part, "pagination", "total_items",
                               (json_int_t)total, "total_pages", (json_int_t)((total + page.items - 1) / page.items),
                               "current_page", (json_int_t)page.page, "items_per_page", (json_int_t)page.items, "links",
                               links));
}

static void account_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    (void)request;
    sb_response_json(response, 200,
                     json_pack("{s:{s:s, s:s, s:s, s:s}}", "configuration", "account_id", "4711", "app_id", sb->app_id,
                               "organisation_id", "815", "plan_type", "PRO"));
}

static void agent_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    sb_freshchat_list(sb, request, response, "agents", sb->chat_agents);
}

static void agent_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    json_t *agent = sb_store_chat_agent(sb, request->segments[1]);
    if (agent == NULL)
        sb_freshchat_error(response, 404, "AGENT_NOT_FOUND", "There is no agent with this id");
    else
        sb_response_json(response, 200, json_incref(agent));
}

static void channel_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    sb_freshchat_list(sb, request, response, "channels", sb->channels);
}

static bool known_channel(struct sandbox *sb, const char *id)
{
    size_t i;
    json_t *channel;
    json_array_foreach(sb->channels, i, channel)
    {
        if (id != NULL && strcmp(json_string_value(json_object_get(channel, "id")), id) == 0)
            return true;
    }
    return false;
}

static void conversation_create(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    const char *channel = json_string_value(json_object_get(request->json, "channel_id"));
    const char *user =
        json_string_value(json_object_get(json_array_get(json_object_get(request->json, "users"), 0), "id"));
    json_t *messages = json_object_get(request->json, "messages"), *message;
    size_t i;
    if (!known_channel(sb, channel)) {
        sb_freshchat_error(response, 404, "CHANNEL_NOT_FOUND", "There is no channel with this id");
        return;
    }
    if (user == NULL || json_object_get(sb->users, user) == NULL) {
        sb_freshchat_error(response, 404, "USER_NOT_FOUND", "There is no user with this id");
        return;
    }
    if (json_array_size(messages) == 0) {
        sb_freshchat_error(response, 400, "INVALID_VALUE", "messages is missing");
        return;
    }
    json_array_foreach(messages, i, message)
    {
        const char *wrong = sb_freshchat_bad_parts(sb, json_object_get(message, "message_parts"));
        if (wrong != NULL || json_string_value(json_object_get(message, "actor_type")) == NULL) {
            sb_freshchat_error(response, 400, "INVALID_VALUE", wrong != NULL ? wrong : "actor_type is missing");
            return;
        }
    }
    struct sb_conversation *conversation = sb_store_add_conversation(sb, user, channel);
    json_t *properties = json_object_get(request->json, "properties");
    if (json_is_object(properties))
        json_object_update(json_object_get(conversation->doc, "properties"), properties);
    json_array_foreach(messages, i, message)
    {
        const char *type = json_string_value(json_object_get(message, "message_type"));
        sb_freshchat_add_message(sb, conversation, json_string_value(json_object_get(message, "actor_type")),
                                 json_string_value(json_object_get(message, "actor_id")),
                                 type != NULL ? type : "normal", "api",
                                 json_incref(json_object_get(message, "message_parts")), NULL, sb->options.echo);
    }
    sb_response_json(response, sb->options.freshchat_post_status, json_deep_copy(conversation->doc));
}

static struct sb_conversation *find_conversation(struct sandbox *sb, const struct sb_request *request,
                                                 struct sb_response *response)
{
    struct sb_conversation *conversation = sb_store_conversation(sb, request->segments[1]);
    if (conversation == NULL)
        sb_freshchat_error(response, 404, "CONVERSATION_NOT_FOUND", "There is no conversation with this id");
    return conversation;
}

static void conversation_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    struct sb_conversation *conversation = find_conversation(sb, request, response);
    if (conversation != NULL)
        sb_response_json(response, 200, json_incref(conversation->doc));
}

void sb_freshchat_set_status(struct sandbox *sb, struct sb_conversation *conversation, const char *status,
                             const char *actor_type, const char *actor_id, bool webhook)
{
    static const struct {
        const char *status, *action, *member, *by, *by_id;
    } events[] = {
        {"resolved", "conversation_resolution", "resolve", "resolver", "resolver_id"},
        {"reopened", "conversation_reopen", "reopen", "reopener", "reopener_id"},
        {"assigned", "conversation_assignment", "assignment", "assignor", "assignor_id"},
    };
    json_object_set_new(conversation->doc, "status", json_string(status));
    sb_store_changed(sb);
    for (size_t i = 0; i < sizeof events / sizeof *events && webhook; i++) {
        if (strcmp(events[i].status, status) != 0)
            continue;
        char now[32], interaction[64];
        int64_t now_ms = sb_store_wall_ms(sb);
        sb_store_time_ms(now_ms, now);
        snprintf(interaction, sizeof interaction, "%s-%lld", conversation->numeric, (long long)now_ms);
        json_t *event = json_pack("{s:{s:s, s:s*}, s:s, s:s, s:{s:{s:s, s:s*, s:o, s:s}}}", "actor", "actor_type",
                                  actor_type, "actor_id", actor_id, "action", events[i].action, "action_time", now,
                                  "data", events[i].member, events[i].by, actor_type, events[i].by_id, actor_id,
                                  "conversation", json_deep_copy(conversation->doc), "interaction_id", interaction);
        sb_webhooks_freshchat(sb, event, NULL);
    }
}

static void conversation_put(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const char *const states[] = {"new", "assigned", "resolved", "reopened"};
    struct sb_conversation *conversation = find_conversation(sb, request, response);
    if (conversation == NULL)
        return;
    const char *status = json_string_value(json_object_get(request->json, "status"));
    json_t *agent = json_object_get(request->json, "assigned_agent_id"),
           *properties = json_object_get(request->json, "properties");
    const char *agent_id = json_string_value(agent);
    bool known = status == NULL;
    for (size_t i = 0; i < sizeof states / sizeof *states && !known; i++)
        known = strcmp(states[i], status) == 0;
    if (!known) {
        sb_freshchat_error(response, 400, "INVALID_VALUE", "There is no such status");
        return;
    }
    if (agent_id != NULL && agent_id[0] != '\0' && sb_store_chat_agent(sb, agent_id) == NULL) {
        sb_freshchat_error(response, 404, "AGENT_NOT_FOUND", "There is no agent with this id");
        return;
    }
    if (status != NULL && strcmp(status, "assigned") == 0 && (agent_id == NULL || agent_id[0] == '\0')) {
        sb_freshchat_error(response, 400, "INVALID_VALUE", "assigned needs assigned_agent_id");
        return;
    }
    if (agent != NULL)
        json_object_set_new(conversation->doc, "assigned_agent_id",
                            agent_id != NULL && agent_id[0] != '\0' ? json_string(agent_id) : json_null());
    if (json_is_object(properties))
        json_object_update(json_object_get(conversation->doc, "properties"), properties);
    if (status != NULL)
        sb_freshchat_set_status(
            sb, conversation, status, "agent",
            json_string_value(json_object_get(sb_store_agent_by_email(sb->chat_agents, SANDBOX_ASSISTANT), "id")),
            sb->options.echo);
    sb_response_json(response, 200, json_incref(conversation->doc));
}

static void user_conversations(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    const char *user_id = request->segments[1];
    if (json_object_get(sb->users, user_id) == NULL) {
        sb_freshchat_error(response, 404, "USER_NOT_FOUND", "There is no user with this id");
        return;
    }
    json_t *found = json_array();
    for (size_t i = 0; i < sb->conversation_count; i++)
        if (strcmp(sb->conversations[i]->user_id, user_id) == 0)
            json_array_append_new(found, json_pack("{s:s}", "id", sb->conversations[i]->id));
    sb_response_json(response, 200, json_pack("{s:o}", "conversations", found));
}

const struct sb_endpoint sb_freshchat_endpoints[] = {
    {"GET", "accounts/configuration", SANDBOX_FC_ACCOUNT, account_get, -1},
    {"GET", "users", SANDBOX_FC_USER_LIST, sb_freshchat_user_list, -1},
    {"POST", "users", SANDBOX_FC_USER_CREATE, sb_freshchat_user_create, -1},
    {"GET", "users/*", SANDBOX_FC_USER_GET, sb_freshchat_user_get, -1},
    {"PUT", "users/*", SANDBOX_FC_USER_PUT, sb_freshchat_user_put, -1},
    {"GET", "users/*/conversations", SANDBOX_FC_USER_CONVERSATIONS, user_conversations, -1},
    {"POST", "conversations", SANDBOX_FC_CONVERSATION_CREATE, conversation_create, -1},
    {"GET", "conversations/*", SANDBOX_FC_CONVERSATION_GET, conversation_get, -1},
    {"PUT", "conversations/*", SANDBOX_FC_CONVERSATION_PUT, conversation_put, -1},
    {"GET", "conversations/*/messages", SANDBOX_FC_MESSAGE_LIST, sb_freshchat_message_list, -1},
    {"POST", "conversations/*/messages", SANDBOX_FC_MESSAGE_POST, sb_freshchat_message_post, -1},
    {"GET", "agents", SANDBOX_FC_AGENT_LIST, agent_list, -1},
    {"GET", "agents/*", SANDBOX_FC_AGENT_GET, agent_get, -1},
    {"GET", "channels", SANDBOX_FC_CHANNEL_LIST, channel_list, -1},
    {NULL, NULL, 0, NULL, 0},
};
