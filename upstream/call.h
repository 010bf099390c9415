// SPDX-License-Identifier: Apache-2.0
// One call: a curl easy handle from a request to its client_result. Part of the client; nothing else includes it.
#ifndef UPSTREAM_CALL_H
#define UPSTREAM_CALL_H
#include <curl/curl.h>

#include "proto/config.h"
#include "upstream/client.h"
#include "upstream/target.h"

struct call {
    CURL *easy;
    enum upstream upstream;
    enum step_kind kind;
    client_done *done;
    void *context;
    char *body;
    size_t body_size;
    size_t body_given; // to curl, so maybe to the network
    unsigned starts;   // how often curl began to send the request
    char *answer;
    size_t answer_size;
    size_t answer_room;
    size_t header_bytes;
    const char *too_large; // a sentence when the answer broke a bound
    char error[CURL_ERROR_SIZE];
    int64_t started_ms;
    struct call *before; // in the client's list
    struct call *after;
};

/** Makes a call ready to be added to a multi handle. NULL with one sentence in `why` when the request cannot be made.
 */
struct call *call_new(enum step_kind kind, const struct request *request, const struct target *target,
                      const struct config_timing *timing, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/** Makes the result of a transfer that ended with `code` and tells call->done. */
void call_finish(struct call *self, CURLcode code);

/** The call an easy handle belongs to. */
struct call *call_of(CURL *easy);

/** Frees a call that is in no multi handle; *self becomes NULL. */
void call_free(struct call **self);
#endif
