// SPDX-License-Identifier: Apache-2.0
// The sandbox's memory: people, conversations, tickets, and the lock and condition that everything waits on. Used by
// all its threads, under one lock. Promises that whoever changes something wakes whoever waits, so nobody has to sleep
// and look again.
#include "store.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void *sb_alloc(size_t bytes)
{
    void *memory = calloc(1, bytes > 0 ? bytes : 1);
    if (memory == NULL)
        abort();
    return memory;
}

void *sb_grow(void *old, size_t count, size_t element_bytes)
{
    // Doubling keeps long bench runs linear; the room is the next power of two, so no second counter is needed.
    if (count > 0 && (count & (count - 1)) != 0)
        return old;
    void *memory = reallocarray(old, count > 0 ? count * 2 : 1, element_bytes);
    if (memory == NULL)
        abort();
    return memory;
}

char *sb_copy(const char *text)
{
    if (text == NULL)
        return NULL;
    char *copy = strdup(text);
    if (copy == NULL)
        abort();
    return copy;
}

void sb_lock(struct sandbox *sb)
{
    SB_NEED(pthread_mutex_lock(&sb->lock));
}

void sb_unlock(struct sandbox *sb)
{
    SB_NEED(pthread_mutex_unlock(&sb->lock));
}

void sb_store_changed(struct sandbox *sb)
{
    sb->version++;
    SB_NEED(pthread_cond_broadcast(&sb->changed));
}

static struct timespec deadline_after(int64_t ms)
{
    int64_t at_us = sandbox_now_us() + ms * 1000;
    return (struct timespec){.tv_sec = at_us / 1000000, .tv_nsec = (at_us % 1000000) * 1000};
}

bool sb_store_pause(struct sandbox *sb, int64_t ms)
{
    struct timespec deadline = deadline_after(ms);
    sb_lock(sb);
    while (!sb->stopping && pthread_cond_timedwait(&sb->changed, &sb->lock, &deadline) == 0)
        ;
    bool running = !sb->stopping;
    sb_unlock(sb);
    return running;
}

bool sb_store_wait_change(struct sandbox *sb, uint64_t *version, int64_t ms)
{
    struct timespec deadline = deadline_after(ms);
    sb_lock(sb);
    while (!sb->stopping && sb->version == *version && pthread_cond_timedwait(&sb->changed, &sb->lock, &deadline) == 0)
        ;
    *version = sb->version;
    bool running = !sb->stopping;
    sb_unlock(sb);
    return running;
}

int64_t sandbox_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t sb_store_wall_ms(const struct sandbox *sb)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + sb->options.clock_skew_ms;
}

void sb_store_time_s(int64_t wall_s, char text[32])
{
    time_t seconds = (time_t)wall_s;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

void sb_store_time_ms(int64_t wall_ms, char text[32])
{
    sb_store_time_s(wall_ms / 1000, text);
    snprintf(text + 19, 32 - 19, ".%03dZ", (int)(wall_ms % 1000));
}

bool sb_store_parse_time(const char *text, int64_t *wall_ms)
{
    struct tm utc = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    int64_t ms = 0, offset_s = 0;
    if (rest == NULL)
        return false;
    if (*rest == '.') {
        int64_t scale = 100;
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
            ms += (*rest - '0') * scale;
    }
    int hours, minutes;
    char sign;
    if (strcmp(rest, "Z") != 0) {
        // A plus sign that was not percent-encoded arrives as a space.
        if (sscanf(rest, "%c%2d:%2d", &sign, &hours, &minutes) != 3 || strchr("+- ", sign) == NULL || strlen(rest) != 6)
            return false;
        offset_s = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
    }
    *wall_ms = ((int64_t)timegm(&utc) - offset_s) * 1000 + ms;
    return true;
}

void sb_store_uuid(char id[SANDBOX_ID_SIZE])
{
    unsigned char r[16];
    if (RAND_bytes(r, sizeof r) != 1)
        abort();
    r[6] = (unsigned char)((r[6] & 0x0f) | 0x40);
    r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
    snprintf(id, SANDBOX_ID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1],
             r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14], r[15]);
}

int64_t sb_store_object_id(struct sandbox *sb)
{
    return sb->next_object++;
}

json_t *sb_store_add_desk_agent(struct sandbox *sb, const char *name, const char *email)
{
    char now[32];
    sb_store_time_s(sb_store_wall_ms(sb) / 1000, now);
    json_t *agent =
        json_pack("{s:I, s:b, s:i, s:s, s:[], s:[], s:b, s:s, s:s, s:{s:s, s:s, s:b, s:n, s:n, s:s, s:s}}", "id",
                  (json_int_t)sb_store_object_id(sb), "available", 1, "ticket_scope", 1, "type", "support_agent",
                  "group_ids", "role_ids", "occasional", 0, "created_at", now, "updated_at", now, "contact", "name",
                  name, "email", email, "active", 1, "phone", "mobile", "language", "en", "time_zone", "UTC");
    json_array_append_new(sb->desk_agents, agent);
    return agent;
}

json_t *sb_store_add_chat_agent(struct sandbox *sb, const char *first, const char *last, const char *email)
{
    char id[SANDBOX_ID_SIZE];
    sb_store_uuid(id);
    json_t *agent = json_pack("{s:s, s:s, s:s, s:s, s:{}, s:[], s:s, s:b, s:s}", "id", id, "email", email, "first_name",
                              first, "last_name", last, "avatar", "groups", "availability_status", "AVAILABLE",
                              "is_deactivated", 0, "license_type", "fulltime");
    json_array_append_new(sb->chat_agents, agent);
    return agent;
}

json_t *sb_store_add_field(struct sandbox *sb, const char *name, const char *label, const char *type)
{
    char now[32];
    sb_store_time_s(sb_store_wall_ms(sb) / 1000, now);
    json_t *field =
        json_pack("{s:I, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:i, s:[], s:b, s:s, s:s}", "id",
                  (json_int_t)sb_store_object_id(sb), "name", name, "label", label, "label_for_customers", label,
                  "type", type, "customers_can_edit", 0, "displayed_to_customers", 0, "required_for_closure", 0,
                  "required_for_agents", 0, "position", (int)json_array_size(sb->fields) + 1, "choices", "default",
                  strncmp(type, "default_", 8) == 0, "created_at", now, "updated_at", now);
    json_array_append_new(sb->fields, field);
    return field;
}

static void init_freshchat(struct sandbox *sb)
{
    char now[32];
    sb_store_time_ms(sb_store_wall_ms(sb), now);
    sb->users = json_object();
    sb->conversation_index = json_object();
    sb->chat_agents = json_array();
    sb->next_numeric = INT64_C(900100200300);
    snprintf(sb->channel_numeric, sizeof sb->channel_numeric, "%d", 70040);
    sb_store_uuid(sb->app_id);
    sb_store_uuid(sb->channel_id);
    sb->channels = json_pack("[{s:s, s:s, s:{}, s:s, s:b, s:b, s:s, s:[]}]", "id", sb->channel_id, "name", "Shop",
                             "icon", "updated_time", now, "enabled", 1, "public", 1, "locale", "en", "tags");
    sb_store_add_chat_agent(sb, "Shop", "Assistant", SANDBOX_ASSISTANT);
    sb_store_add_chat_agent(sb, "Anna", "Berg", SANDBOX_ANNA);
    sb_store_add_chat_agent(sb, "Chris", "Noor", SANDBOX_CHRIS);
}

static void init_custom_fields(struct sandbox *sb)
{
    bool text = sb->options.text_fields;
    sb_store_add_field(sb, sb->options.conversation_field, "Freshchat conversation id", "custom_text");
    sb_store_add_field(sb, sb->options.cart_field, "Cart value", text ? "custom_text" : "custom_decimal");
    sb_store_add_field(sb, sb->options.friction_field, "Friction score", text ? "custom_text" : "custom_number");
    sb_store_add_field(sb, sb->options.screen_field, "Screen", "custom_text");
}

static void init_rule(struct sandbox *sb)
{
    // An empty url stands for the hint target of the options, which is often known only after the sandbox runs.
    json_t *rule =
        json_pack("{s:I, s:s, s:i, s:b, s:{s:i}, s:[{s:s}, {s:s, s:s}, {s:s, s:s, s:s}], s:[], s:s,"
                  " s:[{s:s, s:s, s:s, s:s, s:s, s:{s:s}, s:{s:s}}], s:i, s:b}",
                  "id", (json_int_t)sb_store_object_id(sb), "name", "Tell Deskbell", "position", 1, "active", 1,
                  "performer", "type", 1, "events", "field_name", "reply_sent", "field_name", "note_type", "value",
                  "public", "field_name", "status", "from", "--", "to", "--", "conditions", "operator", "all",
                  "actions", "field_name", "trigger_webhook", "request_type", "POST", "content_type", "JSON",
                  "content_layout", "2", "url", "", "content", "ticket_id", "{{ticket.id}}", "custom_headers",
                  "X-Deskbell-Token", sb->options.hint_token, "automation_type_id", 4, "outdated", 0);
    json_array_append_new(sb->rules, rule);
}

static void init_freshdesk(struct sandbox *sb)
{
    sb->phone_calls = json_array();
    sb->next_phone_call = 51;
    sb->contacts = json_array();
    sb->contact_index = json_object();
    sb->desk_agents = json_array();
    sb->fields = json_array();
    sb->rules = json_array();
    sb->entry_index = json_object();
    sb->next_object = sb->options.first_object_id;
    sb->integration_agent = json_integer_value(
        json_object_get(sb_store_add_desk_agent(sb, "Deskbell Integration", SANDBOX_INTEGRATION), "id"));
    if (sb->options.freshdesk_admin_key != NULL)
        sb->administrator =
            json_integer_value(json_object_get(sb_store_add_desk_agent(sb, "Olga Owner", SANDBOX_OWNER), "id"));
    sb_store_add_desk_agent(sb, "Anna Berg", SANDBOX_ANNA);
    sb_store_add_desk_agent(sb, "Ben Kaya", SANDBOX_BEN);
    static const char *const plain[][3] = {
        {"requester", "Search a requester", "default_requester"},
        {"subject", "Subject", "default_subject"},
        {"ticket_type", "Type", "default_ticket_type"},
        {"source", "Source", "default_source"},
        {"status", "Status", "default_status"},
        {"priority", "Priority", "default_priority"},
        {"group", "Group", "default_group"},
        {"agent", "Agent", "default_agent"},
        {"description", "Description", "default_description"},
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        sb_store_add_field(sb, plain[i][0], plain[i][1], plain[i][2]);
    json_object_set_new(json_array_get(sb->fields, 2), "choices",
                        json_pack("[s, s, s, s]", "Question", "Incident", "Problem", "Feature Request"));
    if (!sb->options.no_fields)
        init_custom_fields(sb);
    if (sb->options.default_rule)
        init_rule(sb);
}

void sb_store_init(struct sandbox *sb)
{
    pthread_condattr_t attributes;
    SB_NEED(pthread_condattr_init(&attributes));
    SB_NEED(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
    SB_NEED(pthread_mutex_init(&sb->lock, NULL));
    SB_NEED(pthread_cond_init(&sb->changed, &attributes));
    pthread_condattr_destroy(&attributes);
    sb->limit_window_ms = 60000;
    sb->version = 1;
    init_freshchat(sb);
    init_freshdesk(sb);
}

static void free_conversation(struct sb_conversation *conversation)
{
    for (size_t i = 0; i < conversation->count; i++) {
        json_decref(conversation->messages[i]->doc);
        free(conversation->messages[i]);
    }
    free(conversation->messages);
    json_decref(conversation->doc);
    free(conversation);
}

static void free_ticket(struct sb_ticket *ticket)
{
    for (size_t i = 0; i < ticket->count; i++) {
        if (ticket->entries[i] == NULL)
            continue;
        json_decref(ticket->entries[i]->doc);
        free(ticket->entries[i]);
    }
    free(ticket->entries);
    json_decref(ticket->doc);
    json_decref(ticket->indexed);
    free(ticket);
}

void sb_store_clear(struct sandbox *sb)
{
    for (size_t i = 0; i < sb->conversation_count; i++)
        free_conversation(sb->conversations[i]);
    free(sb->conversations);
    for (size_t i = 0; i < sb->ticket_count; i++)
        free_ticket(sb->tickets[i]);
    free(sb->tickets);
    json_t *documents[] = {sb->users,    sb->channels,      sb->chat_agents, sb->conversation_index,
                           sb->contacts, sb->contact_index, sb->desk_agents, sb->fields,
                           sb->rules,    sb->entry_index,   sb->phone_calls};
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        json_decref(documents[i]);
    for (size_t i = 0; i < sb->call_count; i++)
        free(sb->calls[i].path);
    free(sb->calls);
    for (size_t i = 0; i < sb->delivery_count; i++)
        free(sb->deliveries[i].body);
    free(sb->deliveries);
    free(sb->faults);
    pthread_cond_destroy(&sb->changed);
    pthread_mutex_destroy(&sb->lock);
}

struct sb_conversation *sb_store_conversation(struct sandbox *sb, const char *id)
{
    json_t *position = json_object_get(sb->conversation_index, id);
    return position != NULL ? sb->conversations[json_integer_value(position)] : NULL;
}

struct sb_conversation *sb_store_add_conversation(struct sandbox *sb, const char *user_id, const char *channel_id)
{
    struct sb_conversation *conversation = sb_alloc(sizeof *conversation);
    char now[32];
    sb_store_time_ms(sb_store_wall_ms(sb), now);
    sb_store_uuid(conversation->id);
    snprintf(conversation->numeric, sizeof conversation->numeric, "%lld", (long long)sb->next_numeric++);
    snprintf(conversation->user_id, sizeof conversation->user_id, "%s", user_id);
    conversation->doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:n, s:n, s:{}, s:s, s:s}", "conversation_id",
                                  conversation->id, "freshchat_conversation_id", conversation->numeric, "app_id",
                                  sb->app_id, "channel_id", channel_id, "status", "new", "assigned_agent_id",
                                  "assigned_group_id", "properties", "created_time", now, "user_id", user_id);
    sb->conversations = sb_grow(sb->conversations, sb->conversation_count, sizeof *sb->conversations);
    json_object_set_new(sb->conversation_index, conversation->id, json_integer((json_int_t)sb->conversation_count));
    if (sb->options.numeric_ids)
        json_object_set_new(sb->conversation_index, conversation->numeric,
                            json_integer((json_int_t)sb->conversation_count));
    sb->conversations[sb->conversation_count++] = conversation;
    return conversation;
}

struct sb_ticket *sb_store_ticket(struct sandbox *sb, int64_t id)
{
    int64_t position = id - sb->options.first_ticket_id;
    return position >= 0 && (uint64_t)position < sb->ticket_count ? sb->tickets[position] : NULL;
}

json_t *sb_store_chat_agent(struct sandbox *sb, const char *id)
{
    size_t i;
    json_t *agent;
    json_array_foreach(sb->chat_agents, i, agent)
    {
        if (strcmp(json_string_value(json_object_get(agent, "id")), id) == 0)
            return agent;
    }
    return NULL;
}

json_t *sb_store_desk_agent(struct sandbox *sb, int64_t id)
{
    size_t i;
    json_t *agent;
    json_array_foreach(sb->desk_agents, i, agent)
    {
        if (json_integer_value(json_object_get(agent, "id")) == id)
            return agent;
    }
    return NULL;
}

json_t *sb_store_agent_by_email(json_t *agents, const char *email)
{
    size_t i;
    json_t *agent;
    json_array_foreach(agents, i, agent)
    {
        json_t *contact = json_object_get(agent, "contact"); // Freshdesk keeps the address one level down
        const char *own = json_string_value(json_object_get(contact != NULL ? contact : agent, "email"));
        if (own != NULL && strcasecmp(own, email) == 0)
            return agent;
    }
    return NULL;
}

static void index_key(char key[320], const char *kind, const char *value)
{
    int length = snprintf(key, 320, "%s:%s", kind, value);
    if (strcmp(kind, "email") == 0)
        for (int i = 0; i < length && key[i] != '\0'; i++)
            key[i] = (char)(key[i] >= 'A' && key[i] <= 'Z' ? key[i] + 32 : key[i]);
}

json_t *sb_store_contact_by(struct sandbox *sb, const char *kind, const char *value)
{
    char key[320];
    index_key(key, kind, value);
    json_t *position = json_object_get(sb->contact_index, key);
    return position != NULL ? json_array_get(sb->contacts, (size_t)json_integer_value(position)) : NULL;
}

json_t *sb_store_contact(struct sandbox *sb, int64_t id)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)id);
    return sb_store_contact_by(sb, "id", number);
}

json_t *sb_store_add_contact(struct sandbox *sb, const char *name, const char *email, const char *phone,
                             const char *external)
{
    char now[32], number[24], key[320];
    sb_store_time_s(sb_store_wall_ms(sb) / 1000, now);
    int64_t id = sb_store_object_id(sb);
    snprintf(number, sizeof number, "%lld", (long long)id);
    const char *shown = name != NULL ? name : email != NULL ? email : phone != NULL ? phone : external;
    json_t *contact =
        json_pack("{s:I, s:b, s:s, s:s?, s:s?, s:n, s:s?, s:n, s:n, s:{}, s:[], s:s, s:s}", "id", (json_int_t)id,
                  "active", 0, "name", shown, "email", email, "phone", phone, "mobile", "unique_external_id", external,
                  "company_id", "description", "custom_fields", "tags", "created_at", now, "updated_at", now);
    const char *const keys[][2] = {{"id", number}, {"email", email}, {"phone", phone}, {"external", external}};
    for (size_t i = 0; i < 4; i++) {
        if (keys[i][1] == NULL)
            continue;
        index_key(key, keys[i][0], keys[i][1]);
        json_object_set_new(sb->contact_index, key, json_integer((json_int_t)json_array_size(sb->contacts)));
    }
    json_array_append_new(sb->contacts, contact);
    return contact;
}

void sb_store_touch_ticket(struct sandbox *sb, struct sb_ticket *ticket, bool visible)
{
    char now[32];
    if (visible) {
        ticket->updated_s = sb_store_wall_ms(sb) / 1000;
        sb_store_time_s(ticket->updated_s, now);
        json_object_set_new(ticket->doc, "updated_at", json_string(now));
    }
    if (ticket->index_due_us == 0)
        ticket->index_due_us = sandbox_now_us() + sb->options.search_lag_ms * 1000;
    sb_store_changed(sb);
}

const char *sb_store_ticket_field(const struct sb_ticket *ticket, const char *name)
{
    return json_string_value(json_object_get(json_object_get(ticket->doc, "custom_fields"), name));
}

size_t sb_store_log_call(struct sandbox *sb, const char *method, const char *path, int kind)
{
    sb->calls = sb_grow(sb->calls, sb->call_count, sizeof *sb->calls);
    struct sb_call *call = &sb->calls[sb->call_count++];
    *call = (struct sb_call){.path = sb_copy(path), .kind = kind, .at_us = sandbox_now_us()};
    snprintf(call->method, sizeof call->method, "%.7s", method);
    sb->calls_by_kind[kind]++;
    sb_store_changed(sb);
    return sb->call_count - 1;
}

void sb_store_event(struct sandbox *sb, enum sandbox_event_kind kind, const char *conversation_id, int64_t ticket_id,
                    int64_t since_us, const char *text)
{
    if (sb->options.on_event == NULL)
        return;
    struct sandbox_event event = {
        .kind = kind,
        .conversation_id = conversation_id != NULL ? conversation_id : "",
        .ticket_id = ticket_id,
        .since_ms = since_us > 0 ? (double)(sandbox_now_us() - since_us) / 1000.0 : -1.0,
        .text = text != NULL ? text : "",
    };
    sb->options.on_event(sb->options.on_event_arg, &event);
}
