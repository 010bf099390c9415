// SPDX-License-Identifier: Apache-2.0
// One CivetWeb server on a socket that it did not open itself. CivetWeb 1.15 cannot adopt a descriptor and does not
// drain; both are done here by exchanging, with dup3, what its listening descriptor refers to.
#ifndef HTTP_FRONT_INTAKE_LISTENER_H
#define HTTP_FRONT_INTAKE_LISTENER_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http-front/intake/request.h"

struct listener_options {
    const char *name; // for logs: "webhooks", "admin"
    int inherited_fd; // listening and non-blocking, stays the caller's; below 0: bind `address`
    struct sockaddr_in address;
    int threads;
    int request_timeout_ms; // a request's headers
    int keep_alive_ms;
    bool counted; // its connections are in the metrics
    /** Answers a request with request_answer, exactly once. Many threads. */
    void (*handle)(void *arg, struct request *request);
    void *arg;
};

struct listener;

/** Starts the server, serving nothing. NULL with a sentence in `why`. */
struct listener *listener_new(const struct listener_options *options, char *why, size_t why_size)
    __attribute__((warn_unused_result));
/** Begins to serve. False with a sentence in `why`. */
bool listener_open(struct listener *self, char *why, size_t why_size) __attribute__((warn_unused_result));
/** Takes no connection any more; those that come wait in the kernel, if the socket was inherited. Answers say close. */
void listener_close(struct listener *self);
/** After listener_close: bodies that have been on their way for `least_ms` are waited for no longer; that is answered.
 */
void listener_hurry(struct listener *self, int least_ms);
/** Nobody may send any more: what a request lacks it will not get, so it is answered now. */
void listener_cut(struct listener *self);
/** How many connections are open, those included that no thread has looked at yet. */
size_t listener_connections(const struct listener *self);
/** The port being served, 0 before listener_open. */
uint16_t listener_port(const struct listener *self);
/** True when it serves the inherited socket. */
bool listener_seamless(const struct listener *self);
/** Closes, waits for requests in progress, frees. A NULL *self is fine. */
void listener_free(struct listener **self);

#ifdef DESKBELL_SEAMS
/** For tests: as if CivetWeb's descriptor could not be found. */
extern bool listener_seam_hide_descriptor;
#endif
#endif
