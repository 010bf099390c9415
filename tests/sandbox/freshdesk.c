// SPDX-License-Identifier: Apache-2.0
// Freshdesk API v2: the front door (budgets with their headers, key, content type), agents, and the table of endpoints.
// Runs in connection threads with the store locked.
#include "faults.h"
#include "freshdesk.h"

#include <openssl/evp.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Whose key it is. Basic, user = the key, any password.
enum owner { NOBODY, INTEGRATION, ADMINISTRATOR };

static bool is_key(const char *given, size_t length, const char *key)
{
    return key != NULL && length == strlen(key) && CRYPTO_memcmp(given, key, length) == 0;
}

static enum owner owner_of(const struct sandbox *sb, const struct sb_request *request)
{
    char plain[512];
    const char *given = request->authorization;
    if (given == NULL || strncasecmp(given, "Basic ", 6) != 0)
        return NOBODY;
    size_t length = strlen(given + 6);
    if (length == 0 || length % 4 != 0 || length / 4 * 3 >= sizeof plain)
        return NOBODY;
    int decoded = EVP_DecodeBlock((unsigned char *)plain, (const unsigned char *)given + 6, (int)length);
    if (decoded < 0)
        return NOBODY;
    plain[decoded] = '\0';
    size_t user = strcspn(plain, ":");
    if (plain[user] != ':')
        return NOBODY;
    if (is_key(plain, user, sb->options.freshdesk_admin_key))
        return ADMINISTRATOR;
    return is_key(plain, user, sb->options.freshdesk_key) ? INTEGRATION : NOBODY;
}

static bool needs_admin(const struct sb_request *request)
{
    return strcmp(request->segments[0], "admin") == 0 || strcmp(request->segments[0], "automations") == 0;
}

// Spends from the account's budget and from the endpoint's own. Answers 429 and returns false when one is used up.
static bool within_budget(struct sandbox *sb, const struct sb_request *request, const struct sb_endpoint *endpoint,
                          struct sb_response *response)
{
    char include[128];
    int credits = 1, wait_s, sub_wait_s = 0;
    if (sb_request_param(request, "include", include, sizeof include) && include[0] != '\0') {
        int each = endpoint != NULL && endpoint->kind == SANDBOX_FD_TICKET_LIST ? 2 : 1;
        credits += each;
        for (const char *at = include; *at != '\0'; at++)
            credits += *at == ',' ? each : 0;
    }
    response->credits = credits;
    wait_s = sb_faults_spend(sb, SANDBOX_LIMIT_FRESHDESK, credits);
    if (endpoint != NULL && endpoint->limit >= 0)
        sub_wait_s = sb_faults_spend(sb, (enum sandbox_limit)endpoint->limit, 1);
    if (wait_s == 0 && sub_wait_s == 0)
        return true;
    sb_freshdesk_error(response, 429, "too_many_requests", "You have exceeded the limit of requests per minute");
    sb_response_header(response, "Retry-After", "%d", wait_s > sub_wait_s ? wait_s : sub_wait_s);
    return false;
}

static void answer(struct sandbox *sb, const struct sb_request *request, const struct sb_endpoint *endpoint, bool other,
                   struct sb_response *response)
{
    bool writes = strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0;
    if (!within_budget(sb, request, endpoint, response))
        return;
    enum owner owner = owner_of(sb, request);
    if (owner == NOBODY) {
        sb_freshdesk_error(response, 401, "invalid_credentials", "You have to be logged in to perform this action.");
    } else if (owner == INTEGRATION && !sb->options.freshdesk_key_is_admin && endpoint != NULL &&
               needs_admin(request)) {
        sb_freshdesk_error(response, 403, "access_denied", "You are not authorized to perform this action.");
    } else if (endpoint == NULL && other) {
        sb_response_json(response, 405, json_pack("{s:s}", "message", "This method is not allowed on this address"));
    } else if (endpoint == NULL) {
        response->status = 404;
    } else if (request->accept != NULL && strstr(request->accept, "*/*") == NULL &&
               strstr(request->accept, "json") == NULL) {
        response->status = 406;
    } else if (writes && !sb_request_is_json(request)) {
        sb_freshdesk_error(response, 415, "invalid_content_type", "Content-Type header is set to an unsupported value");
    } else if (writes && !json_is_object(request->json)) {
        sb_freshdesk_error(response, 400, "invalid_json", "Request body has invalid json format");
    } else if (!writes && request->body_length > 0) {
        sb_freshdesk_error(response, 400, "no_content_required", "Request body has content that is not required");
    } else {
        endpoint->handler(sb, request, response);
    }
}

void sb_freshdesk_serve(struct sandbox *sb, const struct sb_request *request, const struct sb_endpoint *endpoint,
                        bool other, struct sb_response *response)
{
    answer(sb, request, endpoint, other, response);
    sb_response_header(response, "X-Freshdesk-Api-Version", "latest=v2; requested=v2");
    const struct sb_limit *budget = &sb->limits[SANDBOX_LIMIT_FRESHDESK];
    if (budget->per_minute > 0) {
        sb_response_header(response, "X-RateLimit-Total", "%d", budget->per_minute);
        sb_response_header(response, "X-RateLimit-Remaining", "%d", sb_faults_left(sb, SANDBOX_LIMIT_FRESHDESK));
        sb_response_header(response, "X-RateLimit-Used-CurrentRequest", "%d", response->credits);
    }
}

void sb_freshdesk_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response, json_t *all,
                       int64_t page, int64_t per_page)
{
    size_t total = json_array_size(all), from = (size_t)((page - 1) * per_page);
    json_t *part = json_array();
    for (size_t i = from; i < total && i < from + (size_t)per_page; i++)
        json_array_append(part, json_array_get(all, i));
    if (from + (size_t)per_page < total) {
        // The same query with another page; what the client asked for must still hold there.
        char query[512] = "";
        size_t used = 0;
        for (const char *at = request->query; *at != '\0';) {
            size_t length = strcspn(at, "&");
            if (strncmp(at, "page=", 5) != 0 && used + length + 2 < sizeof query)
                used += (size_t)snprintf(query + used, sizeof query - used, "%.*s&", (int)length, at);
            at += length;
            at += *at == '&';
        }
        sb_response_header(response, "Link", "<http://%s:%d%s?%spage=%lld>; rel=\"next\"", sb->options.host, sb->port,
                           request->path, query, (long long)page + 1);
    }
    json_decref(all);
    sb_response_json(response, 200, part);
}

static void agent_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const char *const known[] = {"email", "mobile", "phone", "state", "page", "per_page", NULL};
    json_t *errors = json_array(), *found = json_array(), *agent;
    int64_t page, per_page;
    char email[256];
    size_t i;
    sb_check_params(request, known, errors);
    sb_check_page(request, &page, &per_page, errors);
    bool filtered = sb_request_param(request, "email", email, sizeof email);
    if (!sb_check_done(response, errors)) {
        json_decref(found);
        return;
    }
    json_array_foreach(sb->desk_agents, i, agent)
    {
        if (!filtered ||
            strcasecmp(json_string_value(json_object_get(json_object_get(agent, "contact"), "email")), email) == 0)
            json_array_append(found, agent);
    }
    sb_freshdesk_list(sb, request, response, found, page, per_page);
}

static void agent_me(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    bool admin = owner_of(sb, request) == ADMINISTRATOR;
    sb_response_json(response, 200,
                     json_incref(sb_store_desk_agent(sb, admin ? sb->administrator : sb->integration_agent)));
}

static void agent_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    json_t *agent = sb_store_desk_agent(sb, sb_number(request->segments[1]));
    if (agent == NULL)
        response->status = 404;
    else
        sb_response_json(response, 200, json_incref(agent));
}

static void group_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    (void)sb;
    if (sb_number(request->segments[1]) == SANDBOX_GROUP)
        sb_response_json(response, 200,
                         json_pack("{s:I, s:s, s:[]}", "id", (json_int_t)SANDBOX_GROUP, "name", "Web", "agent_ids"));
    else
        response->status = 404;
}

static void product_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    (void)sb;
    if (sb_number(request->segments[1]) == SANDBOX_PRODUCT)
        sb_response_json(response, 200, json_pack("{s:I, s:s}", "id", (json_int_t)SANDBOX_PRODUCT, "name", "The shop"));
    else
        response->status = 404;
}

const struct sb_endpoint sb_freshdesk_endpoints[] = {
    {"POST", "tickets", SANDBOX_FD_TICKET_CREATE, sb_freshdesk_ticket_create, SANDBOX_LIMIT_TICKET_CREATE},
    {"GET", "tickets", SANDBOX_FD_TICKET_LIST, sb_freshdesk_ticket_list, SANDBOX_LIMIT_TICKET_LIST},
    {"GET", "tickets/*", SANDBOX_FD_TICKET_GET, sb_freshdesk_ticket_get, -1},
    {"PUT", "tickets/*", SANDBOX_FD_TICKET_PUT, sb_freshdesk_ticket_put, SANDBOX_LIMIT_TICKET_UPDATE},
    {"POST", "tickets/*/notes", SANDBOX_FD_NOTE, sb_freshdesk_note, -1},
    {"POST", "tickets/*/reply", SANDBOX_FD_REPLY, sb_freshdesk_reply, -1},
    {"GET", "tickets/*/conversations", SANDBOX_FD_ENTRY_LIST, sb_freshdesk_entry_list, -1},
    {"PUT", "conversations/*", SANDBOX_FD_ENTRY_PUT, sb_freshdesk_entry_put, -1},
    {"DELETE", "conversations/*", SANDBOX_FD_ENTRY_DELETE, sb_freshdesk_entry_delete, -1},
    {"POST", "contacts", SANDBOX_FD_CONTACT_CREATE, sb_freshdesk_contact_create, -1},
    {"GET", "contacts", SANDBOX_FD_CONTACT_LIST, sb_freshdesk_contact_list, SANDBOX_LIMIT_CONTACT_LIST},
    {"GET", "contacts/*", SANDBOX_FD_CONTACT_GET, sb_freshdesk_contact_get, -1},
    {"PUT", "contacts/*", SANDBOX_FD_CONTACT_PUT, sb_freshdesk_contact_put, -1},
    {"GET", "agents", SANDBOX_FD_AGENT_LIST, agent_list, -1},
    {"GET", "agents/me", SANDBOX_FD_AGENT_ME, agent_me, -1},
    {"GET", "agents/*", SANDBOX_FD_AGENT_GET, agent_get, -1},
    {"GET", "groups/*", SANDBOX_FD_GROUP_GET, group_get, -1},
    {"GET", "products/*", SANDBOX_FD_PRODUCT_GET, product_get, -1},
    {"GET", "ticket_fields", SANDBOX_FD_FIELD_LIST, sb_freshdesk_field_list, -1},
    {"GET", "admin/ticket_fields", SANDBOX_FD_FIELD_LIST, sb_freshdesk_field_list, -1},
    {"POST", "admin/ticket_fields", SANDBOX_FD_FIELD_CREATE, sb_freshdesk_field_create, -1},
    {"GET", "automations/*/rules", SANDBOX_FD_RULE_LIST, sb_freshdesk_rule_list, -1},
    {"POST", "automations/*/rules", SANDBOX_FD_RULE_CREATE, sb_freshdesk_rule_create, -1},
    {"GET", "automations/*/rules/*", SANDBOX_FD_RULE_GET, sb_freshdesk_rule_get, -1},
    {"PUT", "automations/*/rules/*", SANDBOX_FD_RULE_PUT, sb_freshdesk_rule_put, -1},
    {"DELETE", "automations/*/rules/*", SANDBOX_FD_RULE_DELETE, sb_freshdesk_rule_delete, -1},
    {"GET", "search/tickets", SANDBOX_FD_SEARCH, sb_freshdesk_search, -1},
    {NULL, NULL, 0, NULL, 0},
};
