// SPDX-License-Identifier: Apache-2.0
// The front's side of the links to the workers: one PUSH socket per worker and generation, the roster, hello, and what
// a census proves. Owned by the dispatcher's thread. A link is dead only when the supervisor reaped its worker.
#ifndef HTTP_FRONT_DISPATCH_LINKS_H
#define HTTP_FRONT_DISPATCH_LINKS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/records.h"

struct out; // jobs.h

struct link {
    struct link *next;
    uint32_t slot;
    uint32_t pid;
    uint64_t generation;
    void *push;        // zsock_t *
    uint64_t link_seq; // of the last frame sent
    uint64_t said_ms;  // monotonic: last census that answered this front, 0 = none yet
    struct out *outs;  // jobs it holds
    uint32_t jobs;     // how many, slots reserved for claims being written included
    bool leaving;      // the roster says so, or lacks it though it is not reaped: gets no new job
    bool released;     // the supervisor knows that it leaves with nothing of ours
    bool alone;        // holds a suspect
    bool reserved;     // is to become empty for a suspect
    bool listed;       // in the roster that is just coming in
};

struct links;

struct links *links_new(const char *runtime_dir, uint64_t front_generation, uint32_t in_flight);
void links_free(struct links **self);

// The roster as it comes in, record by record. links_roster_add connects to workers not known before and says hello.
void links_roster_begin(struct links *self);
void links_roster_add(struct links *self, uint32_t slot, uint64_t generation, uint32_t pid, bool leaving);
void links_roster_end(struct links *self);
/** True once a complete roster has come in and every worker on it has answered this front or was reaped. */
bool links_settled(const struct links *self);

/** The link of that worker, or NULL. */
struct link *links_find(const struct links *self, uint32_t slot, uint64_t generation);
struct link *links_first(const struct links *self);
/** Closes and frees a link that holds no job any more (its worker was reaped). */
void links_remove(struct links *self, struct link **link);

/**
 * The worker for the next job: the one with the fewest, or NULL when all are full. With `alone`: one that holds
 * nothing; when there is none, the emptiest is kept free of new jobs until it is.
 */
struct link *links_pick(struct links *self, bool alone);
/** No suspect waits any more: nobody is kept free. */
void links_unreserve(struct links *self);
/** True when a job that is no suspect could be placed. */
bool links_has_room(const struct links *self);
/** How many jobs that are no suspects the workers may hold together. */
uint64_t links_slots(const struct links *self);
/** Workers that answered this front and are not leaving. */
uint32_t links_ready(const struct links *self);

/** Sends a frame. The record's front_generation, worker_generation and link_seq are filled in here. */
void links_send_job(struct links *self, struct link *link, struct job *job);
void links_send_ack(struct links *self, struct link *link, uint64_t job_id);
/** Says hello to every link, once a second: it lets a census prove what was lost. */
void links_hello(struct links *self);

/** Takes a census; NULL when it is of no known worker or answers another front. */
struct link *links_census(struct links *self, const struct census *census, uint64_t now_mono_ms);
#endif
