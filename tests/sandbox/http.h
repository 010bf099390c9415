// SPDX-License-Identifier: Apache-2.0
// The sandbox's HTTP plumbing: what an endpoint gets and gives back. Endpoints run with the store locked, never touch a
// connection, and can therefore be run later, or run without their answer ever being sent.
#pragma once
#include "store.h"

#define SB_SEGMENTS 8

struct sb_request {
    char method[8];
    char *path;   // decoded, from the first character
    char *query;  // raw, without the question mark; "" when there is none
    char *target; // path and query as they came, for the log
    char *authorization, *api_auth, *content_type, *accept, *host;
    char *body;
    size_t body_length;
    json_t *json; // the body parsed; NULL when it is no JSON
    char *segments_buffer;
    const char *segments[SB_SEGMENTS]; // of the path below the product's base
    int segment_count;
};

struct sb_response {
    int status;
    const char *type;
    char *body; // owned; NULL: empty
    size_t length;
    char headers[1024]; // further lines, each with its CRLF
    int credits;        // what this call costs beyond one
};

typedef void (*sb_handler)(struct sandbox *sb, const struct sb_request *request, struct sb_response *response);

struct sb_endpoint {
    const char *method;
    const char *pattern; // segments; * stands for any one
    int kind;
    sb_handler handler;
    int limit; // the sub-limit beside the product's own; -1: none
};

extern const struct sb_endpoint sb_freshchat_endpoints[]; // ends with a NULL method
extern const struct sb_endpoint sb_freshdesk_endpoints[];
extern const struct sb_endpoint sb_freshcaller_endpoints[];

// Starts listening; fills sb->port. Returns false, with a line on stderr, when that fails.
bool sb_http_start(struct sandbox *sb) __attribute__((warn_unused_result));
// Ends all connections and threads. sb->stopping is set by the caller, who does not hold the lock.
void sb_http_stop(struct sandbox *sb);

void sb_response_json(struct sb_response *response, int status, json_t *document); // takes over the document
void sb_response_text(struct sb_response *response, int status, const char *type, const char *text);
void sb_response_header(struct sb_response *response, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sb_response_clear(struct sb_response *response);
// {"code":404,"status":"AGENT_NOT_FOUND","message":"..."}: Freshchat's error shape.
void sb_freshchat_error(struct sb_response *response, int status, const char *name, const char *message);
// {"code":"...","message":"..."}: the short form of Freshdesk's errors.
void sb_freshdesk_error(struct sb_response *response, int status, const char *code, const char *message);

// Reads one query parameter, decoded; false when it is absent or too long.
bool sb_request_param(const struct sb_request *request, const char *name, char *value, size_t size);
// Calls back for the first parameter that is in no list; returns its name in unknown, or false.
bool sb_request_unknown_param(const struct sb_request *request, const char *const *known, char *unknown, size_t size);
// True when the body's type is JSON.
bool sb_request_is_json(const struct sb_request *request);
// A decimal id without sign or leading rubbish; -1 when it is none.
int64_t sb_number(const char *text);
