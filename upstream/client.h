// SPDX-License-Identifier: Apache-2.0
// Calls to the upstreams: one libcurl multi handle with its socket interface, all of it behind one descriptor. An epoll
// set holds curl's sockets and a timerfd holds curl's timer; whoever owns the main loop polls client_fd() for input and
// calls client_ready(). One thread, never blocks. TLS is verified, redirects are not followed, and a request body
// leaves this machine at most once for each client_call(), whatever happens to the connection.
#ifndef UPSTREAM_CLIENT_H
#define UPSTREAM_CLIENT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/config.h"
#include "proto/steps.h"
#include "upstream/keys.h"
#include "upstream/request.h"

// A longer body, or more header bytes, are not read; the call then counts as answered with something that is not JSON.
enum { CLIENT_MAX_BODY_BYTES = 4 << 20, CLIENT_MAX_HEADER_BYTES = 64 << 10 };

struct client;

// What came of one call. Everything is borrowed and valid only during the callback.
struct client_result {
    struct response response; // with its answer classified by answers.c
    bool sent;                // the request, or a part of it that may be all, has left: it counts, and may have worked
    bool timed_out;           // nothing came of it in the time that it had
    bool rate_known;          // X-RateLimit-Remaining was there
    uint64_t rate_total;      // 0: header absent
    uint64_t rate_remaining;
    bool retry_after_known;
    uint64_t retry_after_ms; // at most a day
    uint64_t took_ms;
};

typedef void client_done(void *context, const struct client_result *result);

/**
 * Returns a client for the upstreams that `config` names and `keys` has an Authorization for. Both are borrowed and
 * must outlive it. NULL with one sentence in `why` when an address cannot be used (http to another machine) or curl
 * fails.
 */
struct client *client_new(const struct config *config, const struct keys *keys, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/** Drops the calls that are out without calling back, closes all connections, frees; *self becomes NULL. */
void client_free(struct client **self);

/** For good: from here on client_call refuses every method but GET. A worker in observe mode begins with it. */
void client_forbid_writes(struct client *self);

/** The descriptor to poll for input; owned by the client. */
int client_fd(const struct client *self);

/** Does what is due. Call when client_fd() is readable. Callbacks run in here; they may start calls, not free the
 * client. */
void client_ready(struct client *self);

/**
 * Starts a call. `kind` decides what an answer means (answers.h). `request` is copied. `done` is called exactly once,
 * from client_ready, never from in here, unless client_free comes first. False with `why` filled (one sentence), and no
 * callback: the request itself cannot be made (no key for that upstream, unknown method, out of memory in curl, any
 * method but GET after client_forbid_writes).
 */
bool client_call(struct client *self, enum step_kind kind, const struct request *request, client_done *done,
                 void *context, char *why, size_t why_size) __attribute__((warn_unused_result));

/** How many calls are out. */
size_t client_in_flight(const struct client *self);
#endif
