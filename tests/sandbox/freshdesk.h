// SPDX-License-Identifier: Apache-2.0
// The Freshdesk side of the sandbox, API v2. Everything here runs with the store locked.
#pragma once
#include "http.h"

// Answers a request: budgets, key, content type, endpoint. endpoint is NULL when there is none; other says that the
// path exists under another method.
void sb_freshdesk_serve(struct sandbox *sb, const struct sb_request *request, const struct sb_endpoint *endpoint,
                        bool other, struct sb_response *response);

// ---- checking (freshdesk_check.c): as the service does, every wrong field is listed, and unknown ones are wrong
enum sb_type { SB_TEXT, SB_INTEGER, SB_NUMBER, SB_BOOLEAN, SB_LIST, SB_OBJECT };
struct sb_field {
    const char *name; // NULL ends a list
    enum sb_type type;
    bool required;
    size_t limit; // characters of a text; 0: none
};
void sb_check_fields(const json_t *body, const struct sb_field *fields, json_t *errors);
void sb_check_custom_fields(const struct sandbox *sb, const json_t *custom_fields, json_t *errors);
// What a new ticket must have: the fields that are required for agents.
void sb_check_required(struct sandbox *sb, const json_t *body, json_t *errors);
void sb_check_tags(const json_t *tags, json_t *errors);
void sb_check_error(json_t *errors, const char *field, const char *message, const char *code);
bool sb_check_email(const char *email);
// Query parameters: NULL-ended list of known names.
void sb_check_params(const struct sb_request *request, const char *const *known, json_t *errors);
// Answers 400 with the list when it is not empty. Frees the list. Returns true when all was well.
bool sb_check_done(struct sb_response *response, json_t *errors);
// page and per_page, with the limits of the service.
void sb_check_page(const struct sb_request *request, int64_t *page, int64_t *per_page, json_t *errors);
// One page of an array, with the Link header when there is a next one. Takes all over.
void sb_freshdesk_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response, json_t *all,
                       int64_t page, int64_t per_page);

// ---- tickets and entries
// The contact or agent that a body names, made when it is not known yet; NULL when errors says why not.
json_t *sb_freshdesk_requester(struct sandbox *sb, const json_t *body, json_t *errors);
// A ticket from a checked body; the requester is a contact or an agent.
struct sb_ticket *sb_freshdesk_add_ticket(struct sandbox *sb, const json_t *body, const json_t *requester);
struct sb_entry_info {
    const char *body; // HTML as it came
    bool incoming, is_private, reply;
    int64_t user_id;
    int64_t performer_id; // whose action it is, for rules
    bool by_agent;        // the performer is an agent
    bool by_api;
};
struct sb_entry *sb_freshdesk_add_entry(struct sandbox *sb, struct sb_ticket *ticket, const struct sb_entry_info *info);
// Sets the status and fires rules.
void sb_freshdesk_set_status(struct sandbox *sb, struct sb_ticket *ticket, int64_t agent_id, int status);
// The ticket's conversation, NULL when its conversation field names none that exists.
struct sb_conversation *sb_freshdesk_conversation(struct sandbox *sb, const struct sb_ticket *ticket);

// ---- automation rules (freshdesk_rules.c)
// Something happened to a ticket: field is reply_sent, note_type or status; from and to may be NULL.
void sb_rules_fire(struct sandbox *sb, struct sb_ticket *ticket, bool by_agent, int64_t performer_id, const char *field,
                   const char *from, const char *to);

void sb_freshdesk_ticket_create(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_ticket_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_ticket_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_ticket_put(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_note(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_reply(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_entry_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_entry_put(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_entry_delete(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_contact_create(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_contact_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_contact_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_contact_put(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_field_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_field_create(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_rule_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_rule_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_rule_create(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_rule_put(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_rule_delete(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshdesk_search(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
