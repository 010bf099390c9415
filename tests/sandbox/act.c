// SPDX-License-Identifier: Apache-2.0
// What people do: customers write in the chat, agents answer at the desk or in the chat. Called from any thread. Each
// act is one change under the lock, and its webhooks are queued before the function returns.
#include "freshchat.h"
#include "freshdesk.h"
#include "webhooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t sandbox_desk_agent(struct sandbox *sb, const char *email)
{
    sb_lock(sb);
    int64_t id = json_integer_value(json_object_get(sb_store_agent_by_email(sb->desk_agents, email), "id"));
    sb_unlock(sb);
    return id;
}

bool sandbox_chat_agent(struct sandbox *sb, const char *email, char id[SANDBOX_ID_SIZE])
{
    sb_lock(sb);
    const char *found = json_string_value(json_object_get(sb_store_agent_by_email(sb->chat_agents, email), "id"));
    snprintf(id, SANDBOX_ID_SIZE, "%s", found != NULL ? found : "");
    sb_unlock(sb);
    return found != NULL;
}

bool sandbox_chat_agent_set_active(struct sandbox *sb, const char *email, bool active)
{
    sb_lock(sb);
    json_t *agent = sb_store_agent_by_email(sb->chat_agents, email);
    if (agent != NULL)
        json_object_set_new(agent, "is_deactivated", json_boolean(!active));
    sb_unlock(sb);
    return agent != NULL;
}

void sandbox_channel(struct sandbox *sb, char id[SANDBOX_ID_SIZE])
{
    memcpy(id, sb->channel_id, SANDBOX_ID_SIZE); // fixed for the sandbox's life
}

void sandbox_customer_new(struct sandbox *sb, const struct sandbox_customer_info *info,
                          struct sandbox_customer *customer)
{
    sb_lock(sb);
    json_t *user = sb_freshchat_add_user(sb, info->first_name, info->last_name, info->email, info->phone,
                                         info->reference_id, NULL);
    const char *const properties[][2] = {
        {"cart_value", info->cart_value}, {"friction_score", info->friction_score}, {"screen", info->screen}};
    for (size_t i = 0; i < 3; i++)
        if (properties[i][1] != NULL)
            sb_freshchat_set_property(user, properties[i][0], properties[i][1]);
    snprintf(customer->user_id, sizeof customer->user_id, "%s", json_string_value(json_object_get(user, "id")));
    struct sb_conversation *conversation = sb_store_add_conversation(sb, customer->user_id, sb->channel_id);
    memcpy(customer->conversation_id, conversation->id, SANDBOX_ID_SIZE);
    sb_store_changed(sb);
    sb_unlock(sb);
}

void sandbox_customer_new_conversation(struct sandbox *sb, struct sandbox_customer *customer)
{
    sb_lock(sb);
    struct sb_conversation *conversation = sb_store_add_conversation(sb, customer->user_id, sb->channel_id);
    memcpy(customer->conversation_id, conversation->id, SANDBOX_ID_SIZE);
    sb_store_changed(sb);
    sb_unlock(sb);
}

void sandbox_customer_property(struct sandbox *sb, const struct sandbox_customer *customer, const char *name,
                               const char *value)
{
    sb_lock(sb);
    sb_freshchat_set_property(json_object_get(sb->users, customer->user_id), name, value);
    sb_store_changed(sb);
    sb_unlock(sb);
}

// Stores what a customer sends. Takes parts over. Returns NULL when there is no such conversation.
static struct sb_message *customer_message(struct sandbox *sb, const struct sandbox_customer *customer, json_t *parts,
                                           bool webhook, char message_id[SANDBOX_ID_SIZE])
{
    struct sb_conversation *conversation = sb_store_conversation(sb, customer->conversation_id);
    if (conversation == NULL) {
        json_decref(parts);
        return NULL;
    }
    struct sb_message *message =
        sb_freshchat_add_message(sb, conversation, "user", customer->user_id, "normal", "web", parts, NULL, webhook);
    if (message_id != NULL)
        memcpy(message_id, message->id, SANDBOX_ID_SIZE);
    return message;
}

static json_t *text_parts(const char *text)
{
    return json_pack("[{s:{s:s}}]", "text", "content", text);
}

void sandbox_customer_writes(struct sandbox *sb, const struct sandbox_customer *customer, const char *text,
                             char message_id[SANDBOX_ID_SIZE])
{
    sb_lock(sb);
    if (customer_message(sb, customer, text_parts(text), true, message_id) == NULL)
        abort(); // a test that writes where no conversation is
    sb_unlock(sb);
}

bool sandbox_customer_sends(struct sandbox *sb, const struct sandbox_customer *customer, const char *parts_json,
                            char message_id[SANDBOX_ID_SIZE])
{
    json_t *parts = json_loads(parts_json, 0, NULL);
    if (!json_is_array(parts)) {
        json_decref(parts);
        return false;
    }
    sb_lock(sb);
    bool sent = customer_message(sb, customer, parts, true, message_id) != NULL;
    sb_unlock(sb);
    return sent;
}

char *sandbox_customer_drafts(struct sandbox *sb, const struct sandbox_customer *customer, const char *text,
                              char message_id[SANDBOX_ID_SIZE])
{
    sb_lock(sb);
    struct sb_message *message = customer_message(sb, customer, text_parts(text), false, message_id);
    if (message == NULL)
        abort();
    json_t *event = sb_freshchat_message_event(sb, message);
    char *body = json_dumps(event, JSON_COMPACT);
    json_decref(event);
    sb_unlock(sb);
    return body;
}

int64_t sandbox_ticket_new(struct sandbox *sb, const char *subject, const char *email, const char *conversation_id)
{
    json_t *errors = json_array(), *custom = json_object();
    if (conversation_id != NULL)
        json_object_set_new(custom, sb->options.conversation_field, json_string(conversation_id));
    json_t *body = json_pack("{s:s, s:s, s:s, s:o}", "subject", subject, "description", subject, "email", email,
                             "custom_fields", custom);
    sb_lock(sb);
    json_t *requester = sb_freshdesk_requester(sb, body, errors);
    int64_t id = requester != NULL ? sb_freshdesk_add_ticket(sb, body, requester)->id : 0;
    sb_unlock(sb);
    json_decref(body);
    json_decref(errors);
    return id;
}

int64_t sandbox_ticket_new_by_phone(struct sandbox *sb, const char *subject, const char *phone, bool mobile)
{
    json_t *errors = json_array();
    json_t *body = json_pack("{s:s, s:s, s:s, s:s}", "subject", subject, "description", subject, "phone", phone, "name",
                             "By phone");
    sb_lock(sb);
    json_t *requester = sb_freshdesk_requester(sb, body, errors);
    if (requester != NULL && mobile) {
        json_object_set_new(requester, "mobile", json_string(phone));
        json_object_set_new(requester, "phone", json_null());
    }
    int64_t id = requester != NULL ? sb_freshdesk_add_ticket(sb, body, requester)->id : 0;
    sb_unlock(sb);
    json_decref(body);
    json_decref(errors);
    return id;
}

int64_t sandbox_ticket_by_link(struct sandbox *sb, const char *subject, const char *email)
{
    int64_t id = sandbox_ticket_new(sb, subject, email, NULL);
    sb_lock(sb);
    struct sb_ticket *ticket = sb_store_ticket(sb, id);
    if (ticket != NULL)
        json_object_set_new(ticket->doc, "source", json_integer(7));
    sb_unlock(sb);
    return id;
}

int64_t sandbox_agent_writes(struct sandbox *sb, int64_t ticket_id, const char *agent_email,
                             enum sandbox_entry_kind kind, const char *body_html)
{
    int64_t id = 0;
    sb_lock(sb);
    struct sb_ticket *ticket = sb_store_ticket(sb, ticket_id);
    json_t *agent = sb_store_agent_by_email(sb->desk_agents, agent_email);
    if (ticket != NULL && agent != NULL) {
        int64_t agent_id = json_integer_value(json_object_get(agent, "id"));
        struct sb_entry_info info = {.body = body_html,
                                     .is_private = kind == SANDBOX_PRIVATE_NOTE,
                                     .reply = kind == SANDBOX_REPLY,
                                     .user_id = agent_id,
                                     .performer_id = agent_id,
                                     .by_agent = true};
        id = sb_freshdesk_add_entry(sb, ticket, &info)->id;
    }
    sb_unlock(sb);
    return id;
}

int64_t sandbox_customer_emails(struct sandbox *sb, int64_t ticket_id, const char *body_html)
{
    int64_t id = 0;
    sb_lock(sb);
    struct sb_ticket *ticket = sb_store_ticket(sb, ticket_id);
    if (ticket != NULL) {
        int64_t requester = json_integer_value(json_object_get(ticket->doc, "requester_id"));
        struct sb_entry_info info = {.body = body_html,
                                     .incoming = true,
                                     .reply = true,
                                     .user_id = requester,
                                     .performer_id = requester,
                                     .by_agent = false};
        id = sb_freshdesk_add_entry(sb, ticket, &info)->id;
    }
    sb_unlock(sb);
    return id;
}

bool sandbox_ticket_status(struct sandbox *sb, int64_t ticket_id, const char *agent_email, int status)
{
    sb_lock(sb);
    struct sb_ticket *ticket = sb_store_ticket(sb, ticket_id);
    json_t *agent = sb_store_agent_by_email(sb->desk_agents, agent_email);
    if (ticket != NULL && agent != NULL)
        sb_freshdesk_set_status(sb, ticket, json_integer_value(json_object_get(agent, "id")), status);
    sb_unlock(sb);
    return ticket != NULL && agent != NULL;
}

bool sandbox_ticket_set(struct sandbox *sb, int64_t ticket_id, int priority, const char *tag)
{
    sb_lock(sb);
    struct sb_ticket *ticket = sb_store_ticket(sb, ticket_id);
    if (ticket != NULL && priority != 0)
        json_object_set_new(ticket->doc, "priority", json_integer(priority));
    if (ticket != NULL && tag != NULL)
        json_array_append_new(json_object_get(ticket->doc, "tags"), json_string(tag));
    if (ticket != NULL)
        sb_store_touch_ticket(sb, ticket, true);
    sb_unlock(sb);
    return ticket != NULL;
}

bool sandbox_agent_types(struct sandbox *sb, const char *conversation_id, const char *agent_email, const char *text,
                         const char *message_type, char message_id[SANDBOX_ID_SIZE])
{
    sb_lock(sb);
    struct sb_conversation *conversation = sb_store_conversation(sb, conversation_id);
    const char *agent = json_string_value(json_object_get(sb_store_agent_by_email(sb->chat_agents, agent_email), "id"));
    if (conversation != NULL && agent != NULL) {
        struct sb_message *message = sb_freshchat_add_message(sb, conversation, "agent", agent, message_type, "web",
                                                              text_parts(text), NULL, true);
        if (message_id != NULL)
            memcpy(message_id, message->id, SANDBOX_ID_SIZE);
    }
    sb_unlock(sb);
    return conversation != NULL && agent != NULL;
}

bool sandbox_chat_resolve(struct sandbox *sb, const char *conversation_id, const char *agent_email)
{
    sb_lock(sb);
    struct sb_conversation *conversation = sb_store_conversation(sb, conversation_id);
    const char *agent = json_string_value(json_object_get(sb_store_agent_by_email(sb->chat_agents, agent_email), "id"));
    if (conversation != NULL && agent != NULL)
        sb_freshchat_set_status(sb, conversation, "resolved", "agent", agent, true);
    sb_unlock(sb);
    return conversation != NULL && agent != NULL;
}

bool sandbox_chat_reopen(struct sandbox *sb, const char *conversation_id)
{
    sb_lock(sb);
    struct sb_conversation *conversation = sb_store_conversation(sb, conversation_id);
    if (conversation != NULL)
        sb_freshchat_set_status(sb, conversation, "reopened", "user", conversation->user_id, true);
    sb_unlock(sb);
    return conversation != NULL;
}
