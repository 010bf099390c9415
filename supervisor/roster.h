// SPDX-License-Identifier: Apache-2.0
// The supervisor's end of the front's control pipe: what the front is told about workers, in order and without
// blocking. Records wait here while the pipe is full; they belong to one front and are dropped with it, because its
// successor gets a roster of its own and a worker that is not on it is dead to it.
#ifndef DESKBELL_SUPERVISOR_ROSTER_H
#define DESKBELL_SUPERVISOR_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/pipes.h"

// A front that leaves this many records unread is stuck, and its heartbeat will say so; no more are kept for it.
#define ROSTER_QUEUE_MAX 65536

struct roster {
    int fd; // borrowed from the child table; -1: no front
    struct pipes_control *queue;
    size_t count, room;
};

struct roster_worker {
    uint32_t slot;
    uint64_t generation;
    uint32_t pid;
    bool leaving; // it is to get no new job
};

void roster_init(struct roster *roster);

// A new front reads from fd (non-blocking write end, stays the caller's). What waited for the old one is forgotten.
void roster_attach(struct roster *roster, int fd);

// The front is gone. Also frees what waits.
void roster_detach(struct roster *roster);

// Queues the complete roster: every worker that said READY and is not reaped.
void roster_publish(struct roster *roster, const struct roster_worker *workers, size_t count);

// Queues "slot s generation g is reaped". Only waitpid may be the reason.
void roster_reaped(struct roster *roster, uint32_t slot, uint64_t generation);

// Queues a record that names nobody: OPEN, HANDOVER.
void roster_say(struct roster *roster, enum pipes_control_kind kind);

// Writes what fits. Returns true while something still waits for room in the pipe.
bool roster_flush(struct roster *roster);

#endif
