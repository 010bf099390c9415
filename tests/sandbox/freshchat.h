// SPDX-License-Identifier: Apache-2.0
// The Freshchat side of the sandbox, API v2. Everything here runs with the store locked.
#pragma once
#include "http.h"

// Answers a request: budget, token, content type, endpoint. endpoint is NULL when there is none; other says that the
// path exists under another method.
void sb_freshchat_serve(struct sandbox *sb, const struct sb_request *request, const struct sb_endpoint *endpoint,
                        bool other, struct sb_response *response);

// Where a list starts and ends; answers 400 and returns false when page or items_per_page is bad.
struct sb_page {
    int64_t page, items;
};
bool sb_freshchat_page(const struct sb_request *request, struct sb_response *response, struct sb_page *page);
// {"NAME":[...],"pagination":{...},"links":{...}} of one page of an array.
void sb_freshchat_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response,
                       const char *name, json_t *all);

// Checks message_parts; returns NULL when they are good, else what is wrong.
const char *sb_freshchat_bad_parts(const struct sandbox *sb, const json_t *parts);
// Stores a message and sends its webhook when asked to. Takes parts and reply_parts (may be NULL) over. actor_id may be
// NULL.
struct sb_message *sb_freshchat_add_message(struct sandbox *sb, struct sb_conversation *conversation,
                                            const char *actor_type, const char *actor_id, const char *message_type,
                                            const char *source, json_t *parts, json_t *reply_parts, bool webhook);
// The message_create event of a stored message; a new document.
json_t *sb_freshchat_message_event(struct sandbox *sb, const struct sb_message *message);
// Sets the status, and sends conversation_resolution, conversation_reopen or conversation_assignment when it changed.
void sb_freshchat_set_status(struct sandbox *sb, struct sb_conversation *conversation, const char *status,
                             const char *actor_type, const char *actor_id, bool webhook);
// A new user from what a customer or the API says; texts may be NULL. Takes properties over (may be NULL).
json_t *sb_freshchat_add_user(struct sandbox *sb, const char *first_name, const char *last_name, const char *email,
                              const char *phone, const char *reference_id, json_t *properties);
// Sets, or with a NULL value removes, one property.
void sb_freshchat_set_property(json_t *user, const char *name, const char *value);

void sb_freshchat_message_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshchat_message_post(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshchat_user_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshchat_user_create(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshchat_user_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
void sb_freshchat_user_put(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);
