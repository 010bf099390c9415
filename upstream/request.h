// SPDX-License-Identifier: Apache-2.0
// One request to an upstream and what came back, in the words of whoever asks: the worker's steps, and deskbellctl.
#ifndef UPSTREAM_REQUEST_H
#define UPSTREAM_REQUEST_H
#include <stdint.h>

#include "proto/steps.h"

struct request {
    enum upstream upstream;
    const char *method;  // "GET", "POST", "PUT"
    const char *path;    // after api_url, with query, already escaped: "/tickets/42/notes"
    const char *body;    // JSON or NULL
    uint64_t timeout_ms; // 0: the configured one
};

// What an answer means for a step, before the step looks at it; decided in one table, answers.c.
enum answer {
    ANSWER_OK,        // 2xx with JSON (or an empty body where the step allows it)
    ANSWER_RETRY,     // did not happen: refused connection, 429, 503 with a plain refusal
    ANSWER_DOUBT,     // may have happened: broken connection after sending, timeout, 5xx, unknown status, HTML with 200
    ANSWER_REFUSED,   // 4xx that will never work
    ANSWER_NOT_FOUND, // 404
    ANSWER_AUTH,      // 401, 403: the key, not the message, is wrong; retried slowly, said loudly
};

struct response {
    enum answer answer;
    long status;           // 0: none
    void *json;            // json_t *, borrowed; NULL when the body was not JSON
    const char *link_next; // Link rel="next" target or NULL
    uint64_t date_ms;      // 0: none
    const char *problem;   // one plain sentence when not ANSWER_OK
};
#endif
