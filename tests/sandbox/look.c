// SPDX-License-Identifier: Apache-2.0
// Copies of the state for tests, and waiting for conditions on it. Called from any thread; nothing returned points into
// the sandbox.
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text_member(const json_t *doc, const char *name)
{
    const char *text = json_string_value(json_object_get(doc, name));
    return sb_copy(text != NULL ? text : "");
}

static char *field_as_json(const json_t *fields, const char *name)
{
    const json_t *value = json_object_get(fields, name);
    return value == NULL || json_is_null(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

static void copy_ticket(const struct sandbox *sb, const struct sb_ticket *ticket, struct sandbox_ticket *copy)
{
    const json_t *doc = ticket->doc, *fields = json_object_get(doc, "custom_fields"),
                 *tags = json_object_get(doc, "tags");
    *copy = (struct sandbox_ticket){
        .id = ticket->id,
        .requester_id = json_integer_value(json_object_get(doc, "requester_id")),
        .subject = text_member(doc, "subject"),
        .description = text_member(doc, "description"),
        .description_text = text_member(doc, "description_text"),
        .priority = (int)json_integer_value(json_object_get(doc, "priority")),
        .status = (int)json_integer_value(json_object_get(doc, "status")),
        .source = (int)json_integer_value(json_object_get(doc, "source")),
        .tag_count = json_array_size(tags),
        .conversation_id = sb_copy(json_string_value(json_object_get(fields, sb->options.conversation_field))),
        .cart = field_as_json(fields, sb->options.cart_field),
        .friction = field_as_json(fields, sb->options.friction_field),
        .screen = field_as_json(fields, sb->options.screen_field),
        .at_us = ticket->at_us,
    };
    for (size_t i = 0; i < ticket->count; i++)
        copy->entry_count += ticket->entries[i] != NULL;
    copy->tags = sb_alloc(copy->tag_count * sizeof *copy->tags);
    for (size_t i = 0; i < copy->tag_count; i++)
        copy->tags[i] = sb_copy(json_string_value(json_array_get(tags, i)));
}

void sandbox_ticket_clear(struct sandbox_ticket *ticket)
{
    for (size_t i = 0; i < ticket->tag_count; i++)
        free(ticket->tags[i]);
    free(ticket->tags);
    free(ticket->subject);
    free(ticket->description);
    free(ticket->description_text);
    free(ticket->conversation_id);
    free(ticket->cart);
    free(ticket->friction);
    free(ticket->screen);
    *ticket = (struct sandbox_ticket){0};
}

size_t sandbox_tickets(struct sandbox *sb, struct sandbox_ticket **tickets)
{
    sb_lock(sb);
    size_t count = sb->ticket_count;
    *tickets = sb_alloc(count * sizeof **tickets);
    for (size_t i = 0; i < count; i++)
        copy_ticket(sb, sb->tickets[i], &(*tickets)[i]);
    sb_unlock(sb);
    return count;
}

void sandbox_tickets_free(struct sandbox_ticket *tickets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sandbox_ticket_clear(&tickets[i]);
    free(tickets);
}

bool sandbox_ticket(struct sandbox *sb, int64_t ticket_id, struct sandbox_ticket *copy)
{
    sb_lock(sb);
    const struct sb_ticket *ticket = sb_store_ticket(sb, ticket_id);
    if (ticket != NULL)
        copy_ticket(sb, ticket, copy);
    sb_unlock(sb);
    return ticket != NULL;
}

size_t sandbox_entries(struct sandbox *sb, int64_t ticket_id, struct sandbox_entry **entries)
{
    size_t count = 0;
    sb_lock(sb);
    const struct sb_ticket *ticket = sb_store_ticket(sb, ticket_id);
    *entries = sb_alloc((ticket != NULL ? ticket->count : 0) * sizeof **entries);
    for (size_t i = 0; ticket != NULL && i < ticket->count; i++) {
        const struct sb_entry *entry = ticket->entries[i];
        if (entry == NULL)
            continue;
        (*entries)[count++] = (struct sandbox_entry){
            .id = entry->id,
            .user_id = json_integer_value(json_object_get(entry->doc, "user_id")),
            .body = text_member(entry->doc, "body"),
            .body_text = text_member(entry->doc, "body_text"),
            .incoming = json_is_true(json_object_get(entry->doc, "incoming")),
            .is_private = json_is_true(json_object_get(entry->doc, "private")),
            .source = (int)json_integer_value(json_object_get(entry->doc, "source")),
            .created_ms = entry->wall_ms,
            .at_us = entry->at_us,
        };
    }
    sb_unlock(sb);
    return count;
}

void sandbox_entries_free(struct sandbox_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(entries[i].body);
        free(entries[i].body_text);
    }
    free(entries);
}

// All text parts of a message, joined by line breaks.
static char *message_text(const json_t *doc)
{
    const json_t *parts = json_object_get(doc, "message_parts"), *part;
    size_t i, room = 1, used = 0;
    json_array_foreach(parts, i, part)
    {
        room += json_string_length(json_object_get(json_object_get(part, "text"), "content")) + 1;
    }
    char *text = sb_alloc(room);
    json_array_foreach(parts, i, part)
    {
        const char *content = json_string_value(json_object_get(json_object_get(part, "text"), "content"));
        if (content != NULL)
            used += (size_t)snprintf(text + used, room - used, "%s%s", used > 0 ? "\n" : "", content);
    }
    return text;
}

static void copy_member(char *to, size_t size, const json_t *doc, const char *name)
{
    const char *text = json_string_value(json_object_get(doc, name));
    snprintf(to, size, "%s", text != NULL ? text : "");
}

size_t sandbox_messages(struct sandbox *sb, const char *conversation_id, struct sandbox_message **messages)
{
    sb_lock(sb);
    const struct sb_conversation *conversation = sb_store_conversation(sb, conversation_id);
    size_t count = conversation != NULL ? conversation->count : 0;
    *messages = sb_alloc(count * sizeof **messages);
    for (size_t i = 0; i < count; i++) {
        const struct sb_message *message = conversation->messages[i];
        struct sandbox_message *copy = &(*messages)[i];
        memcpy(copy->id, message->id, sizeof copy->id);
        copy_member(copy->actor_type, sizeof copy->actor_type, message->doc, "actor_type");
        copy_member(copy->actor_id, sizeof copy->actor_id, message->doc, "actor_id");
        copy_member(copy->source, sizeof copy->source, message->doc, "message_source");
        copy_member(copy->message_type, sizeof copy->message_type, message->doc, "message_type");
        copy->text = message_text(message->doc);
        copy->created_ms = message->wall_ms;
        copy->at_us = message->at_us;
    }
    sb_unlock(sb);
    return count;
}

void sandbox_messages_free(struct sandbox_message *messages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(messages[i].text);
    free(messages);
}

size_t sandbox_calls(struct sandbox *sb, struct sandbox_call **calls)
{
    sb_lock(sb);
    size_t count = sb->call_count;
    *calls = sb_alloc(count * sizeof **calls);
    for (size_t i = 0; i < count; i++) {
        const struct sb_call *call = &sb->calls[i];
        (*calls)[i] = (struct sandbox_call){
            .path = sb_copy(call->path), .kind = call->kind, .status = call->status, .at_us = call->at_us};
        memcpy((*calls)[i].method, call->method, sizeof call->method);
    }
    sb_unlock(sb);
    return count;
}

void sandbox_calls_free(struct sandbox_call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(calls[i].path);
    free(calls);
}

size_t sandbox_deliveries(struct sandbox *sb, struct sandbox_delivery **deliveries)
{
    sb_lock(sb);
    size_t count = sb->delivery_count;
    *deliveries = sb_alloc(count * sizeof **deliveries);
    for (size_t i = 0; i < count; i++) {
        (*deliveries)[i] = sb->deliveries[i];
        (*deliveries)[i].body = sb_copy(sb->deliveries[i].body);
    }
    sb_unlock(sb);
    return count;
}

void sandbox_deliveries_free(struct sandbox_delivery *deliveries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(deliveries[i].body);
    free(deliveries);
}

size_t sandbox_tickets_of(struct sandbox *sb, const char *conversation_id, int64_t *ticket_id)
{
    size_t count = 0;
    if (ticket_id != NULL)
        *ticket_id = 0;
    sb_lock(sb);
    for (size_t i = 0; i < sb->ticket_count; i++) {
        const char *own = sb_store_ticket_field(sb->tickets[i], sb->options.conversation_field);
        if (own == NULL || strcmp(own, conversation_id) != 0)
            continue;
        if (count++ == 0 && ticket_id != NULL)
            *ticket_id = sb->tickets[i]->id;
    }
    sb_unlock(sb);
    return count;
}

size_t sandbox_ticket_count(struct sandbox *sb)
{
    sb_lock(sb);
    size_t count = sb->ticket_count;
    sb_unlock(sb);
    return count;
}

size_t sandbox_entries_with(struct sandbox *sb, int64_t ticket_id, const char *text)
{
    size_t found = 0;
    sb_lock(sb);
    const struct sb_ticket *ticket = sb_store_ticket(sb, ticket_id);
    for (size_t i = 0; ticket != NULL && i < ticket->count; i++) {
        const struct sb_entry *entry = ticket->entries[i];
        found += entry != NULL &&
                 (text == NULL || strstr(json_string_value(json_object_get(entry->doc, "body_text")), text) != NULL);
    }
    sb_unlock(sb);
    return found;
}

size_t sandbox_messages_with(struct sandbox *sb, const char *conversation_id, const char *text)
{
    size_t found = 0;
    sb_lock(sb);
    const struct sb_conversation *conversation = sb_store_conversation(sb, conversation_id);
    for (size_t i = 0; conversation != NULL && i < conversation->count; i++) {
        char *own = message_text(conversation->messages[i]->doc);
        found += text == NULL || strstr(own, text) != NULL;
        free(own);
    }
    sb_unlock(sb);
    return found;
}

size_t sandbox_call_count(struct sandbox *sb, int endpoint)
{
    size_t count = 0;
    sb_lock(sb);
    for (int kind = SANDBOX_FC_ACCOUNT; kind < SANDBOX_ENDPOINTS; kind++) {
        bool freshdesk = kind >= SANDBOX_FD_TICKET_CREATE;
        if (endpoint == kind || endpoint == SANDBOX_ANY ||
            endpoint == (freshdesk ? SANDBOX_ANY_FRESHDESK : SANDBOX_ANY_FRESHCHAT))
            count += sb->calls_by_kind[kind];
    }
    sb_unlock(sb);
    return count;
}

bool sandbox_wait(struct sandbox *sb, bool (*predicate)(struct sandbox *sb, void *arg), void *arg, int64_t timeout_ms)
{
    int64_t deadline = sandbox_now_us() + timeout_ms * 1000;
    for (;;) {
        // The version is read before the look, so a change during the look ends the wait at once.
        sb_lock(sb);
        uint64_t version = sb->version;
        sb_unlock(sb);
        if (predicate(sb, arg))
            return true;
        int64_t left_ms = (deadline - sandbox_now_us() + 999) / 1000;
        if (left_ms <= 0 || !sb_store_wait_change(sb, &version, left_ms))
            return predicate(sb, arg);
    }
}

struct wanted {
    const char *conversation_id, *text;
    int64_t ticket_id;
    int endpoint;
    size_t count;
};

static bool ticket_is_there(struct sandbox *sb, void *arg)
{
    struct wanted *wanted = arg;
    return sandbox_tickets_of(sb, wanted->conversation_id, &wanted->ticket_id) > 0;
}

int64_t sandbox_wait_ticket(struct sandbox *sb, const char *conversation_id, int64_t timeout_ms)
{
    struct wanted wanted = {.conversation_id = conversation_id};
    sandbox_wait(sb, ticket_is_there, &wanted, timeout_ms);
    return wanted.ticket_id;
}

static bool entry_is_there(struct sandbox *sb, void *arg)
{
    struct wanted *wanted = arg;
    return sandbox_entries_with(sb, wanted->ticket_id, wanted->text) > 0;
}

bool sandbox_wait_entry(struct sandbox *sb, int64_t ticket_id, const char *text, int64_t timeout_ms)
{
    return sandbox_wait(sb, entry_is_there, &(struct wanted){.ticket_id = ticket_id, .text = text}, timeout_ms);
}

static bool message_is_there(struct sandbox *sb, void *arg)
{
    struct wanted *wanted = arg;
    return sandbox_messages_with(sb, wanted->conversation_id, wanted->text) > 0;
}

bool sandbox_wait_message(struct sandbox *sb, const char *conversation_id, const char *text, int64_t timeout_ms)
{
    return sandbox_wait(sb, message_is_there, &(struct wanted){.conversation_id = conversation_id, .text = text},
                        timeout_ms);
}

static bool calls_are_there(struct sandbox *sb, void *arg)
{
    struct wanted *wanted = arg;
    return sandbox_call_count(sb, wanted->endpoint) >= wanted->count;
}

bool sandbox_wait_calls(struct sandbox *sb, int endpoint, size_t count, int64_t timeout_ms)
{
    return sandbox_wait(sb, calls_are_there, &(struct wanted){.endpoint = endpoint, .count = count}, timeout_ms);
}

static bool webhooks_are_idle(struct sandbox *sb, void *arg)
{
    (void)arg;
    return sandbox_webhooks_waiting(sb) == 0;
}

bool sandbox_wait_webhooks_idle(struct sandbox *sb, int64_t timeout_ms)
{
    return sandbox_wait(sb, webhooks_are_idle, NULL, timeout_ms);
}
