// SPDX-License-Identifier: Apache-2.0
// The child table of deskbelld: two places for fronts (one works, the other is for its successor), three times as many
// for workers as may work at once, and for each place a state machine that says when its process is started, counted as
// working, suspected, let go, killed and replaced (docs/design.md 10). No system call is made here but through
// `children_ops`, and time is an argument, so that all of it runs in unit tests.
#ifndef DESKBELL_SUPERVISOR_CHILDREN_H
#define DESKBELL_SUPERVISOR_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/pipes.h"
#include "supervisor/roster.h"
#include "supervisor/throttle.h"

#define CHILDREN_MOST_WORKERS 64 // that work at once
// Those of an edition, of the one before, and of one that leaves slowly.
#define CHILDREN_WORKER_SLOTS (3 * CHILDREN_MOST_WORKERS)
// Slot 0 is a front's, workers count from 1, and behind them is the place of the other front.
#define CHILDREN_OTHER_FRONT (1 + CHILDREN_WORKER_SLOTS)
#define CHILDREN_SLOTS       (2 + CHILDREN_WORKER_SLOTS)

// A child that says nothing while it starts (a long recovery of the ledger) is left in peace for this long.
#define CHILDREN_START_MS 60000
// Between SIGABRT, for a core, and SIGKILL, which a stopped process obeys too.
#define CHILDREN_ABORT_MS 1000
// For a front that was told to hand over: a second for HTTP, the rest for what a busy disk needs.
#define CHILDREN_HANDOVER_MS 5000
// For a worker that has nothing left to do and was asked to leave.
#define CHILDREN_TERM_MS 2000

enum child_state {
    CHILD_IDLE,     // no process, none wanted
    CHILD_WAITING,  // no process; one is started at due_ms (throttled)
    CHILD_STARTING, // runs, has not said READY
    CHILD_STAGED,   // a front on stand-by: all but the ledger is open
    CHILD_READY,    // works; silence until due_ms is suspicious
    CHILD_LEAVING,  // a worker that gets no new jobs and finishes what it has; killed at due_ms; not replaced
    CHILD_STOPPING, // asked to leave (SIGTERM, HANDOVER); killed at due_ms; not replaced
    CHILD_ABORTED,  // was silent: SIGABRT sent; killed at due_ms
    CHILD_KILLED,   // SIGKILL sent: only waitpid is missing
    CHILD_STATES,
};

struct child {
    uint32_t slot;
    enum child_state state;
    bool wanted;    // to be replaced when it dies
    bool was_ready; // this process said READY
    bool joined;    // it is or was on a roster, from then until it is reaped
    bool released;  // the working front has no job of it out any more
    bool refused;   // the last process left before it was ready, and said that the configuration is why
    pid_t pid;      // 0: no process
    uint64_t generation;
    uint64_t edition;        // of the configuration that this process was started with
    uint64_t wanted_edition; // of that for the next one
    int status_fd;           // read end, -1: none
    int control_fd;          // write end, -1: none; for a worker only its end of file matters
    struct pipes_reader reader;
    int64_t started_ms, ready_ms, due_ms; // monotonic; due_ms INT64_MAX: nothing is due
    uint64_t progress;
    uint64_t jobs;        // done by this process, if it is a worker
    uint64_t resident_mb; // occupied by it, likewise; 0: not known
    uint32_t jitter;      // 0 to 1023, for limits that not all should reach at once
    uint64_t starts;
    struct throttle throttle;
};

struct children_ops {
    // Starts a process for the slot with that edition. Returns its pid and its pipe ends (to be closed by the table),
    // or -1, logged.
    pid_t (*spawn)(void *context, uint32_t slot, uint64_t generation, uint64_t edition, int *status_fd,
                   int *control_fd);
    // Sends a signal; a pid of ours that is not reaped cannot be another process.
    void (*signal)(void *context, pid_t pid, int signal);
    // A generation that was never used before, on this host, in this state_dir.
    uint64_t (*next_generation)(void *context);
    uint32_t (*random)(void *context);
    // A child is dead and reaped; what it left behind may be removed.
    void (*buried)(void *context, const struct child *child);
};

struct children {
    struct child slots[CHILDREN_SLOTS];
    uint32_t front;   // slot of the front that has the ledger, or will have it as soon as it runs
    uint64_t edition; // in force
    struct roster roster;
    const struct children_ops *ops;
    void *context;
    int64_t silent_ms, stop_ms;
};

// Fills a table with idle slots. ops and context must outlive it.
void children_init(struct children *children, const struct children_ops *ops, void *context, uint64_t edition,
                   int64_t silent_ms, int64_t stop_ms);

// Closes what is still open; kills nobody.
void children_close(struct children *children);

// Wants a process of this edition in this slot, now and whenever it dies; starts one unless there is one. In the
// working front's slot it is told to open the ledger at once.
void children_want(struct children *children, uint32_t slot, uint64_t edition, int64_t now_ms);

// Starts a process in an idle slot that is not replaced when it dies (then the slot is idle again), until
// children_keep. A front is on stand-by then.
void children_try(struct children *children, uint32_t slot, uint64_t edition, int64_t now_ms);
void children_keep(struct children *children, uint32_t slot);

// The staged front in `slot` becomes the working one, `edition` is in force from here. No other front may be alive.
void children_open(struct children *children, uint32_t slot, uint64_t edition, int64_t now_ms);

// The other way: `edition` is in force again, and slot `front`, which is idle, is the working front's place.
void children_revert(struct children *children, uint32_t front, uint64_t edition);

// Lets the slot's process go in order and wants none any more: a worker finishes what it has, at most stop_ms; a front
// hands over.
void children_leave(struct children *children, uint32_t slot, int64_t now_ms);

// Asks the slot's process to leave (SIGTERM, SIGKILL after stop_ms) and wants none any more.
void children_stop(struct children *children, uint32_t slot, int64_t now_ms);

// The same at once, with SIGKILL.
void children_kill(struct children *children, uint32_t slot, int64_t now_ms);

// Reads the slot's status pipe and acts on what is there.
void children_read(struct children *children, uint32_t slot, int64_t now_ms);

// waitpid said that pid is dead, with this wait status. False when it is none of ours.
bool children_reap(struct children *children, pid_t pid, int wait_status, int64_t now_ms);

// Acts on every deadline that has passed. Call after all pipes were read, so that a word in time counts.
void children_tick(struct children *children, int64_t now_ms);

// When children_tick has something to do next; INT64_MAX: never.
int64_t children_due_ms(const struct children *children);

// How many slots have a process; how many workers of the edition in force are READY; whether the front is; how many
// workers of that edition are wanted.
size_t children_running(const struct children *children);
size_t children_ready_workers(const struct children *children);
bool children_front_ready(const struct children *children);
size_t children_wanted_workers(const struct children *children);

// An idle slot for a worker, 0: there is none.
uint32_t children_idle_worker(const struct children *children);

bool children_is_front(uint32_t slot);

// "front" or "worker"; a state's name.
const char *children_role(uint32_t slot);
const char *children_state_name(enum child_state state);

#endif
