// SPDX-License-Identifier: Apache-2.0
// What endpoints do with requests and answers: read parameters, write bodies, headers and errors in each product's
// shape. Runs with the store locked or not; keeps no state.
#include "http.h"

#include <civetweb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sb_response_json(struct sb_response *response, int status, json_t *document)
{
    response->status = status;
    response->type = "application/json; charset=utf-8";
    free(response->body);
    response->body = json_dumps(document, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    response->length = response->body != NULL ? strlen(response->body) : 0;
    json_decref(document);
}

void sb_response_text(struct sb_response *response, int status, const char *type, const char *text)
{
    response->status = status;
    response->type = type;
    free(response->body);
    response->body = sb_copy(text);
    response->length = strlen(text);
}

void sb_response_header(struct sb_response *response, const char *name, const char *format, ...)
{
    size_t used = strlen(response->headers), room = sizeof response->headers - used;
    char value[768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    if (snprintf(response->headers + used, room, "%s: %s\r\n", name, value) >= (int)room)
        abort(); // our own headers are short
}

void sb_response_clear(struct sb_response *response)
{
    free(response->body);
    *response = (struct sb_response){0};
}

void sb_freshchat_error(struct sb_response *response, int status, const char *name, const char *message)
{
    sb_response_json(response, status,
                     json_pack("{s:i, s:s, s:s}", "code", status, "status", name, "message", message));
}

void sb_freshdesk_error(struct sb_response *response, int status, const char *code, const char *message)
{
    sb_response_json(response, status, json_pack("{s:s, s:s}", "code", code, "message", message));
}

bool sb_request_param(const struct sb_request *request, const char *name, char *value, size_t size)
{
    // mg_get_var empties its target when there is no such parameter; callers keep their default in it.
    char found[1024];
    int length = mg_get_var(request->query, strlen(request->query), name, found, sizeof found);
    if (length < 0 || (size_t)length >= size)
        return false;
    memcpy(value, found, (size_t)length + 1);
    return true;
}

bool sb_request_unknown_param(const struct sb_request *request, const char *const *known, char *unknown, size_t size)
{
    for (const char *at = request->query; *at != '\0';) {
        size_t pair = strcspn(at, "&"), length = strcspn(at, "=&");
        bool found = length == 0;
        for (size_t i = 0; known[i] != NULL && !found; i++)
            found = strlen(known[i]) == length && memcmp(known[i], at, length) == 0;
        if (!found) {
            snprintf(unknown, size, "%.*s", (int)(length < size ? length : size - 1), at);
            return true;
        }
        at += pair;
        at += *at == '&';
    }
    return false;
}

bool sb_request_is_json(const struct sb_request *request)
{
    static const char json[] = "application/json";
    const char *type = request->content_type;
    return type != NULL && strncasecmp(type, json, sizeof json - 1) == 0 && strchr("; ", type[sizeof json - 1]) != NULL;
}

int64_t sb_number(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > 18 || strspn(text, "0123456789") != length)
        return -1;
    return strtoll(text, NULL, 10);
}
