// SPDX-License-Identifier: Apache-2.0
// What an upstream's answer means, in one table, for every kind of step. Pure functions, no state.
#ifndef UPSTREAM_ANSWERS_H
#define UPSTREAM_ANSWERS_H
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "upstream/request.h"

// What the body was.
enum answer_body {
    ANSWER_BODY_NONE, // empty
    ANSWER_BODY_JSON, // a JSON object or array
    ANSWER_BODY_CUT,  // the connection or the time ended before it did
    ANSWER_BODY_ELSE, // HTML, text, too large
};

struct answer_facts {
    bool sent;   // the request may have left this machine
    long status; // final HTTP status, 0: none came
    enum answer_body body;
    bool retry_after; // the answer said when to come again
};

/** What the facts mean for a step of that kind. ANSWER_DOUBT is only ever given to STEP_WRITE. */
enum answer answers_classify(enum step_kind kind, const struct answer_facts *facts);

/** The table's own sentence about such an answer, without its subject: "limits calls for now". Never NULL. */
const char *answers_sentence(const struct answer_facts *facts);

/**
 * Writes one plain sentence for the log, the dead letter and the operator: who answered what, and what the error body
 * said (Freshdesk: description and errors[].field, message, code; Freshchat: status and message), on one line, cut to
 * `size`. Whatever the request's own text values say is taken out again, so that no customer's words get there.
 * `transport` is curl's words for a call without an answer, or NULL. `request_body` and `json` may be NULL. Returns
 * out.
 */
char *answers_problem(char *out, size_t size, enum upstream upstream, const struct answer_facts *facts,
                      const char *transport, const json_t *json, const char *request_body);
#endif
