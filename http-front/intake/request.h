// SPDX-License-Identifier: Apache-2.0
// One HTTP request: its headers, its bounded body, its answer. What CivetWeb leaves open about framing, slow senders
// and connections that must not be used again is decided here and nowhere else. Lives on a request thread's stack.
#ifndef HTTP_FRONT_INTAKE_REQUEST_H
#define HTTP_FRONT_INTAKE_REQUEST_H
#include <civetweb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http-front/intake/answers.h"
#include "http-front/intake/deadlines.h"

struct request {
    struct mg_connection *connection;
    const struct mg_request_info *info;
    struct deadlines *deadlines;
    const atomic_bool *leaving; // the server is draining: no request after this one
    bool body_read;             // to its last byte
    bool cut;                   // reading was ended by the deadline
    int status;                 // of the answer, 0 before
    uint64_t id;                // told as X-Request-Id; 0: not (request_id.h)
    struct {                    // of the event that it brought, for the log; "" and 0: none was accepted
        char conversation[129];
        char key[201];
        uint64_t ticket_id;
    } accepted;
};

/** Fills a request for the connection a handler was called with. `leaving` is looked at when it is answered. */
void request_begin(struct request *self, struct mg_connection *connection, struct deadlines *deadlines,
                   const atomic_bool *leaving);

/** Fills in which connection a deadline is about. */
void request_name_connection(const struct mg_request_info *info, struct deadline *deadline);

/** The path without the query, "" when there is none. */
const char *request_path(const struct request *self);
/** True when the method is `method`. */
bool request_is(const struct request *self, const char *method);
/** A header's value, NULL when it is absent. */
const char *request_header(const struct request *self, const char *name);
/** How often a header was sent. */
size_t request_header_count(const struct request *self, const char *name);
/** True when Content-Type is application/json, with or without parameters. */
bool request_is_json(const struct request *self);
/** True when the body is said to be compressed. */
bool request_is_encoded(const struct request *self);

/**
 * Reads the whole body, which must arrive within `timeout_ms` and be at most `max_bytes` long. ANSWER_ACCEPTED with
 * *body (malloc'ed, to be freed by the caller, never NULL) and *size; or the answer that refuses it, with *body NULL.
 * A declared length above the bound is refused without reading; an undeclared one while reading.
 */
enum answer request_read_body(struct request *self, size_t max_bytes, int timeout_ms, uint8_t **body, size_t *size)
    __attribute__((warn_unused_result));

/**
 * Sends the answer, once. `extra` is NULL or whole header lines with \r\n; without a Cache-Control in it, nothing may
 * be kept. The connection is closed after it when the
 * client asked for that, the body was not read to its end, or the server is leaving. HEAD and 304 get headers only.
 */
void request_answer(struct request *self, int status, const char *type, const char *extra, const char *text,
                    size_t size);

/** {"error":"sentence"} with that status. */
void request_refuse(struct request *self, int status, const char *extra, const char *sentence);
#endif
