// SPDX-License-Identifier: Apache-2.0
// Entries of a ticket: notes and replies, written over the API or by an agent at the desk, and read back. A
// public note made over the API fires rules like a person's: that is the loop a bridge must survive. Runs with the
// store locked.
#include "freshdesk.h"
#include "html.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell(struct sandbox *sb, const struct sb_ticket *ticket, const struct sb_entry_info *info, const char *text)
{
    struct sb_conversation *conversation = sb_freshdesk_conversation(sb, ticket);
    const char *id = conversation != NULL ? conversation->id : NULL;
    if (info->by_api) {
        int64_t since = conversation != NULL && info->incoming ? conversation->waiting_since_us : 0;
        if (since > 0)
            conversation->waiting_since_us = 0;
        sb_store_event(sb, SANDBOX_EVENT_NOTE_ADDED, id, ticket->id, since, text);
    } else if (info->is_private) {
        sb_store_event(sb, SANDBOX_EVENT_PRIVATE_NOTE, id, ticket->id, 0, text);
    } else if (info->by_agent) {
        sb_store_event(sb, SANDBOX_EVENT_AGENT_REPLIED, id, ticket->id, 0, text);
        if (conversation != NULL && conversation->replied_us == 0)
            conversation->replied_us = sandbox_now_us();
    }
}

struct sb_entry *sb_freshdesk_add_entry(struct sandbox *sb, struct sb_ticket *ticket, const struct sb_entry_info *info)
{
    struct sb_entry *entry = sb_alloc(sizeof *entry);
    char now[32], number[24];
    char *clean = sb_html_clean(info->body), *text = sb_html_text(info->body, sb->options.flat_body_text);
    entry->id = sb_store_object_id(sb);
    entry->wall_ms = sb_store_wall_ms(sb);
    entry->at_us = sandbox_now_us();
    sb_store_time_s(entry->wall_ms / 1000, now);
    entry->doc = json_pack(
        "{s:s, s:s, s:I, s:b, s:b, s:I, s:n, s:i, s:I, s:[], s:n, s:[], s:[], s:n, s:n, s:[], s:s, s:s}", "body", clean,
        "body_text", text, "id", (json_int_t)entry->id, "incoming", (int)info->incoming, "private",
        (int)info->is_private, "user_id", (json_int_t)info->user_id, "support_email", "source", info->reply ? 0 : 2,
        "ticket_id", (json_int_t)ticket->id, "to_emails", "from_email", "cc_emails", "bcc_emails", "last_edited_at",
        "last_edited_user_id", "attachments", "created_at", now, "updated_at", now);
    ticket->entries = sb_grow(ticket->entries, ticket->count, sizeof(struct sb_entry *));
    ticket->entries[ticket->count++] = entry;
    snprintf(number, sizeof number, "%lld", (long long)entry->id);
    json_object_set_new(sb->entry_index, number, json_integer((json_int_t)ticket->id));
    sb_store_touch_ticket(sb, ticket, !info->is_private || sb->options.private_notes_touch);
    tell(sb, ticket, info, text);
    free(clean);
    free(text);
    if (info->incoming && info->by_api && !sb->options.incoming_notes_fire)
        return entry;
    if (info->reply)
        sb_rules_fire(sb, ticket, info->by_agent, info->performer_id, "reply_sent", NULL, "sent");
    else
        sb_rules_fire(sb, ticket, info->by_agent, info->performer_id, "note_type", NULL,
                      info->is_private ? "private" : "public");
    return entry;
}

static struct sb_ticket *find_ticket(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    struct sb_ticket *ticket = sb_store_ticket(sb, sb_number(request->segments[1]));
    if (ticket == NULL)
        response->status = 404;
    return ticket;
}

static void check_author(struct sandbox *sb, const json_t *body, json_t *errors)
{
    const json_t *id = json_object_get(body, "user_id");
    if (json_is_integer(id) && sb_store_contact(sb, json_integer_value(id)) == NULL &&
        sb_store_desk_agent(sb, json_integer_value(id)) == NULL)
        sb_check_error(errors, "user_id", "There is no contact matching the given user_id", "invalid_value");
}

static int64_t author(const struct sandbox *sb, const json_t *body)
{
    const json_t *id = json_object_get(body, "user_id");
    return json_is_integer(id) ? json_integer_value(id) : sb->integration_agent;
}

void sb_freshdesk_note(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const struct sb_field fields[] = {
        {"body", SB_TEXT, true, 65536},    {"private", SB_BOOLEAN, false, 0},    {"incoming", SB_BOOLEAN, false, 0},
        {"user_id", SB_INTEGER, false, 0}, {"notify_emails", SB_LIST, false, 0}, {NULL, SB_TEXT, false, 0},
    };
    struct sb_ticket *ticket = find_ticket(sb, request, response);
    if (ticket == NULL)
        return;
    json_t *errors = json_array();
    sb_check_fields(request->json, fields, errors);
    check_author(sb, request->json, errors);
    if (!sb_check_done(response, errors))
        return;
    const json_t *private = json_object_get(request->json, "private");
    struct sb_entry *entry = sb_freshdesk_add_entry(
        sb, ticket,
        &(struct sb_entry_info){.body = json_string_value(json_object_get(request->json, "body")),
                                .incoming = json_is_true(json_object_get(request->json, "incoming")),
                                .is_private = !json_is_false(private), // private unless said otherwise
                                .user_id = author(sb, request->json),
                                .performer_id = sb->integration_agent,
                                .by_agent = true,
                                .by_api = true});
    json_t *view = json_copy(entry->doc), *notified = json_object_get(request->json, "notify_emails");
    json_object_set_new(view, "notified_to", notified != NULL ? json_deep_copy(notified) : json_array());
    sb_response_json(response, 201, view);
}

void sb_freshdesk_reply(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const struct sb_field fields[] = {
        {"body", SB_TEXT, true, 65536},   {"from_email", SB_TEXT, false, 0}, {"user_id", SB_INTEGER, false, 0},
        {"cc_emails", SB_LIST, false, 0}, {"bcc_emails", SB_LIST, false, 0}, {NULL, SB_TEXT, false, 0},
    };
    struct sb_ticket *ticket = find_ticket(sb, request, response);
    if (ticket == NULL)
        return;
    json_t *errors = json_array();
    sb_check_fields(request->json, fields, errors);
    check_author(sb, request->json, errors);
    if (!sb_check_done(response, errors))
        return;
    struct sb_entry *entry = sb_freshdesk_add_entry(
        sb, ticket,
        &(struct sb_entry_info){.body = json_string_value(json_object_get(request->json, "body")),
                                .reply = true,
                                .user_id = author(sb, request->json),
                                .performer_id = sb->integration_agent,
                                .by_agent = true,
                                .by_api = true});
    json_t *view = json_copy(entry->doc);
    json_t *requester = sb_store_contact(sb, json_integer_value(json_object_get(ticket->doc, "requester_id")));
    json_t *email = json_object_get(requester, "email");
    json_object_set_new(view, "replied_to", json_is_string(email) ? json_pack("[O]", email) : json_array());
    sb_response_json(response, 201, view);
}

void sb_freshdesk_entry_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const char *const known[] = {"page", "per_page", NULL};
    json_t *errors = json_array(), *entries;
    int64_t page, per_page;
    sb_check_params(request, known, errors);
    sb_check_page(request, &page, &per_page, errors);
    if (!sb_check_done(response, errors))
        return;
    struct sb_ticket *ticket = find_ticket(sb, request, response);
    if (ticket == NULL)
        return;
    entries = json_array();
    for (size_t i = 0; i < ticket->count; i++)
        if (ticket->entries[i] != NULL)
            json_array_append(entries, ticket->entries[i]->doc);
    sb_freshdesk_list(sb, request, response, entries, page, per_page);
}

// Finds an entry by its id; *position is where the ticket keeps it.
static struct sb_ticket *find_entry(struct sandbox *sb, const struct sb_request *request, struct sb_response *response,
                                    size_t *position)
{
    const json_t *ticket_id = json_object_get(sb->entry_index, request->segments[1]);
    struct sb_ticket *ticket = ticket_id != NULL ? sb_store_ticket(sb, json_integer_value(ticket_id)) : NULL;
    int64_t id = sb_number(request->segments[1]);
    for (*position = 0; ticket != NULL && *position < ticket->count; ++*position)
        if (ticket->entries[*position] != NULL && ticket->entries[*position]->id == id)
            return ticket;
    response->status = 404;
    return NULL;
}

void sb_freshdesk_entry_put(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const struct sb_field fields[] = {{"body", SB_TEXT, true, 65536}, {NULL, SB_TEXT, false, 0}};
    size_t position;
    char now[32];
    struct sb_ticket *ticket = find_entry(sb, request, response, &position);
    if (ticket == NULL)
        return;
    json_t *doc = ticket->entries[position]->doc, *errors = json_array();
    sb_check_fields(request->json, fields, errors);
    if (json_integer_value(json_object_get(doc, "source")) != 2)
        sb_check_error(errors, "id", "Only notes can be edited", "readonly_field");
    if (!sb_check_done(response, errors))
        return;
    const char *body = json_string_value(json_object_get(request->json, "body"));
    char *clean = sb_html_clean(body), *text = sb_html_text(body, sb->options.flat_body_text);
    sb_store_time_s(sb_store_wall_ms(sb) / 1000, now);
    json_object_update_new(doc,
                           json_pack("{s:s, s:s, s:s, s:s, s:I}", "body", clean, "body_text", text, "updated_at", now,
                                     "last_edited_at", now, "last_edited_user_id", (json_int_t)sb->integration_agent));
    free(clean);
    free(text);
    sb_store_touch_ticket(sb, ticket, true);
    sb_response_json(response, 200, json_incref(doc));
}

void sb_freshdesk_entry_delete(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    size_t position;
    struct sb_ticket *ticket = find_entry(sb, request, response, &position);
    if (ticket == NULL)
        return;
    json_object_del(sb->entry_index, request->segments[1]);
    json_decref(ticket->entries[position]->doc);
    free(ticket->entries[position]);
    ticket->entries[position] = NULL;
    sb_store_touch_ticket(sb, ticket, true);
    response->status = 204;
}
