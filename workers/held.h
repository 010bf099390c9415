// SPDX-License-Identifier: Apache-2.0
// The jobs this worker holds, by job id: waiting, in flight, or reported and not yet acked. Each of the three is a list
// in the order the jobs came into it. Owned by the worker's one thread.
#ifndef WORKERS_HELD_H
#define WORKERS_HELD_H
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/records.h"
#include "workers/step.h"

enum held_state { HELD_QUEUED, HELD_IN_FLIGHT, HELD_REPORTED, HELD_STATES };

// A census names every held job, so no more are held than a census frame can name.
enum { HELD_MOST = 8192 };

struct held_job {
    uint64_t job_id;
    enum held_state state;      // changed by held_move only
    struct arena *arena;        // owned: the decoded job and whatever its step makes
    struct job_context context; // context.job and all below it lives in the arena
    enum upstream upstream;     // that is called
    uint64_t patience_ms;       // what its own patience leaves the call, where that is less than calls have; else 0
    struct report report;
    struct record_buffer frame; // owned: the encoded report, the same bytes at each sending
    int64_t arrived_ms;         // monotonic
    int64_t sent_ms;            // monotonic time of the report's last sending, 0: not sent yet
    void *owner;                // whose job it is, for callbacks
    struct held_job *before;    // in its state's list
    struct held_job *after;
    struct held_job *chain; // in its hash bucket
};

struct held;

struct held *held_new(void);
/** Frees all jobs too; *self becomes NULL. */
void held_free(struct held **self);

/**
 * Adds a queued job and takes the arena. NULL, and the arena stays the caller's, when that id is held already or
 * HELD_MOST jobs are.
 */
struct held_job *held_add(struct held *self, uint64_t job_id, struct arena *arena);
struct held_job *held_find(const struct held *self, uint64_t job_id);

/** Puts the job at the end of that state's list. */
void held_move(struct held *self, struct held_job *job, enum held_state state);

/** Takes the job out and frees it with its arena and frame; *job becomes NULL. */
void held_remove(struct held *self, struct held_job **job);

/** The first job of a state's list, NULL: none. Go on with job->after. */
struct held_job *held_first(const struct held *self, enum held_state state);
size_t held_count(const struct held *self, enum held_state state);
size_t held_total(const struct held *self);

/** Writes the ids of all held jobs to `ids` (room for HELD_MOST) and returns how many. */
size_t held_ids(const struct held *self, uint64_t *ids);
#endif
