// SPDX-License-Identifier: Apache-2.0
// Freshcaller API v1: the front door (budget, key), the list of calls with its window and its meta, one call, the
// redirect to its recording, and the agents. Runs in connection threads with the store locked.
#include "faults.h"
#include "freshcaller.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

void sb_freshcaller_error(struct sb_response *response, int status, const char *type, const char *message)
{
    sb_response_json(response, status, json_pack("{s:s, s:s}", "error_type", type, "message", message));
}

static bool authorised(const struct sandbox *sb, const struct sb_request *request)
{
    const char *given = request->api_auth, *key = sb->options.freshcaller_key;
    return given != NULL && strlen(given) == strlen(key) && CRYPTO_memcmp(given, key, strlen(key)) == 0;
}

void sb_freshcaller_serve(struct sandbox *sb, const struct sb_request *request, const struct sb_endpoint *endpoint,
                          bool other, struct sb_response *response)
{
    int wait_s = sb_faults_spend(sb, SANDBOX_LIMIT_FRESHCALLER, 1);
    if (wait_s > 0) {
        sb_freshcaller_error(response, 429, "too_many_requests", "Rate limit exceeded");
        sb_response_header(response, "Retry-After", "%d", wait_s);
    } else if (!authorised(sb, request)) {
        sb_freshcaller_error(response, 401, "unauthorized", "The API key is missing or wrong");
    } else if (endpoint == NULL) {
        sb_freshcaller_error(response, other ? 403 : 404, other ? "forbidden" : "record_not_found", "No such resource");
    } else {
        endpoint->handler(sb, request, response);
    }
}

json_t *sb_freshcaller_call(struct sandbox *sb, int64_t id)
{
    json_t *call;
    size_t i;
    json_array_foreach(sb->phone_calls, i, call)
    {
        if (json_integer_value(json_object_get(call, "id")) == id)
            return call;
    }
    return NULL;
}

// Brackets may come as they are or percent-encoded.
static bool bracketed(const struct sb_request *request, const char *plain, const char *encoded, char *text, size_t size)
{
    return sb_request_param(request, plain, text, size) || sb_request_param(request, encoded, text, size);
}

// The window on created_time: both ends or none.
static bool window(const struct sb_request *request, struct sb_response *response, int64_t *from, int64_t *to)
{
    char text[2][64];
    bool has_from = bracketed(request, "by_time[from]", "by_time%5Bfrom%5D", text[0], sizeof text[0]);
    bool has_to = bracketed(request, "by_time[to]", "by_time%5Bto%5D", text[1], sizeof text[1]);
    *from = 0;
    *to = INT64_MAX;
    if (!has_from && !has_to)
        return true;
    if (has_from && has_to && sb_store_parse_time(text[0], from) && sb_store_parse_time(text[1], to))
        return true;
    sb_freshcaller_error(response, 422, "model_validation_failed", "by_time needs from and to");
    return false;
}

static json_t *calls_within(struct sandbox *sb, int64_t from, int64_t to)
{
    json_t *list = json_array(), *call;
    size_t i;
    json_array_foreach(sb->phone_calls, i, call)
    {
        int64_t created = 0;
        sb_store_parse_time(json_string_value(json_object_get(call, "created_time")), &created);
        if (created < from || created > to)
            continue;
        if (sb->phone.newest_first)
            json_array_insert(list, 0, call);
        else
            json_array_append(list, call);
    }
    return list;
}

static void call_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    static const char *const known[] = {
        "page",         "per_page", "by_time[from]", "by_time[to]", "by_time%5Bfrom%5D", "by_time%5Bto%5D",
        "has_ancestry", NULL};
    char text[64], unknown[64];
    int64_t from, to;
    if (sb_request_unknown_param(request, known, unknown, sizeof unknown)) {
        sb_freshcaller_error(response, 422, "model_validation_failed", unknown);
        return;
    }
    int64_t page = sb_request_param(request, "page", text, sizeof text) ? sb_number(text) : 1;
    int64_t per_page = sb_request_param(request, "per_page", text, sizeof text) ? sb_number(text) : 10;
    if (page < 1 || per_page < 1 || per_page > 1000) {
        sb_freshcaller_error(response, 422, "model_validation_failed", "page or per_page");
        return;
    }
    if (!window(request, response, &from, &to))
        return;
    if (sb->phone.page_cap > 0 && per_page > sb->phone.page_cap)
        per_page = sb->phone.page_cap;
    json_t *all = calls_within(sb, from, to), *part = json_array();
    int64_t total = (int64_t)json_array_size(all);
    for (int64_t i = (page - 1) * per_page; i < total && i < page * per_page; i++)
        json_array_append(part, json_array_get(all, (size_t)i));
    json_decref(all);
    json_t *answer = json_pack("{s:o}", "calls", part);
    if (!sb->phone.no_meta)
        json_object_set_new(answer, "meta",
                            json_pack("{s:I, s:I, s:I}", "current", (json_int_t)page, "total_pages",
                                      (json_int_t)((total + per_page - 1) / per_page), "total_count",
                                      (json_int_t)total));
    sb_response_json(response, 200, answer);
}

static json_t *find(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    json_t *call = sb_freshcaller_call(sb, sb_number(request->segments[1]));
    if (call == NULL)
        sb_freshcaller_error(response, 404, "record_not_found", "There is no call with this id");
    return call;
}

static void call_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    json_t *call = find(sb, request, response);
    if (call != NULL)
        sb_response_json(response, 200, json_pack("{s:O}", "call", call));
}

static void call_recording(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    json_t *call = find(sb, request, response);
    if (call == NULL)
        return;
    if (!json_is_object(json_object_get(call, "recording"))) {
        sb_freshcaller_error(response, 404, "record_not_found", "This call has no recording");
        return;
    }
    response->status = 302;
    sb_response_header(response, "Location", "http://%s:%d/sandbox/recordings/%s.mp3?expires=300", sb->options.host,
                       sb->port, request->segments[1]);
}

static void user_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    json_t *users = json_array(), *agent;
    size_t i;
    (void)request;
    json_array_foreach(sb->desk_agents, i, agent)
    {
        json_t *contact = json_object_get(agent, "contact");
        json_array_append_new(users, json_pack("{s:I, s:O, s:O, s:i}", "id", (json_int_t)i + 1, "name",
                                               json_object_get(contact, "name"), "email",
                                               json_object_get(contact, "email"), "status", 1));
    }
    size_t count = json_array_size(users);
    sb_response_json(response, 200,
                     json_pack("{s:o, s:{s:i, s:i, s:I}}", "users", users, "meta", "current", 1, "total_pages", 1,
                               "total_count", (json_int_t)count));
}

const struct sb_endpoint sb_freshcaller_endpoints[] = {
    {"GET", "calls", SANDBOX_PHONE_LIST, call_list, -1},
    {"GET", "calls/*", SANDBOX_PHONE_GET, call_get, -1},
    {"GET", "calls/*/recording", SANDBOX_PHONE_RECORDING, call_recording, -1},
    {"GET", "users", SANDBOX_PHONE_USERS, user_list, -1},
    {NULL, NULL, 0, NULL, 0},
};
