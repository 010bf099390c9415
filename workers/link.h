// SPDX-License-Identifier: Apache-2.0
// The worker's side of the link to the front (docs/design.md 5): one PULL socket that this worker binds for jobs, acks
// and hellos, one PUSH socket to the front for reports and censuses. Decodes strictly, refuses and counts what is not
// for this worker, not of the present front, or out of order. Knows nothing of what a job is. One thread, never blocks.
#ifndef WORKERS_LINK_H
#define WORKERS_LINK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/pipes.h"
#include "proto/records.h"

struct link;

// Who is told. Called from link_receive.
struct link_listener {
    void *context;
    // A job for this worker. `job` lives in `arena`, which the listener takes.
    void (*job)(void *context, struct arena *arena, const struct job *job);
    void (*ack)(void *context, uint64_t job_id);
    void (*new_front)(void *context); // a front said hello for the first time: it waits for a census
};

struct link_counts {
    uint64_t received;
    uint64_t refused_malformed; // does not decode, or is no frame for a worker
    uint64_t refused_worker;    // for another generation of this slot
    uint64_t refused_front;     // of an earlier front, or of one that has not said hello
    uint64_t refused_sequence;  // link_seq not above the last
    uint64_t sent;
    uint64_t unsent; // no front was connected: the caller tries again
};

/**
 * Binds and connects. NULL with one sentence in `why` when that fails. A socket file that a dead process left at this
 * worker's endpoint cannot be in the way: generations are never used again.
 */
struct link *link_new(const char *runtime_dir, const struct pipes_identity *identity, struct link_listener listener,
                      char *why, size_t why_size) __attribute__((warn_unused_result));

/** Closes both sockets (what was sent gets LINK_LINGER_MS to leave) and removes the endpoint; *self becomes NULL. */
enum { LINK_LINGER_MS = 200 };
void link_free(struct link **self);

/** The zsock_t's, for the loop: readable means link_receive, writable means that a front is connected. */
void *link_pull(const struct link *self);
void *link_push(const struct link *self);

/** Takes the frames that have arrived, at most some dozens, so that the loop's other work gets its turn. */
void link_receive(struct link *self);

/** Sends one encoded frame. False when no front is connected now. */
bool link_send(struct link *self, const void *data, size_t size) __attribute__((warn_unused_result));

/** Sends a census that names these jobs. True, without sending, before the first hello: there is nobody to tell. */
bool link_census(struct link *self, const uint64_t *jobs, size_t count) __attribute__((warn_unused_result));

const struct link_counts *link_counts(const struct link *self);
#endif
