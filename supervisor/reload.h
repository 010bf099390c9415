// SPDX-License-Identifier: Apache-2.0
// The phases of a reload (the table in docs/design.md 10): new workers, a new front beside the old one, the ledger's
// hand-over, and the way back at each point. It works on the child table alone and makes no system call; what an
// edition is, it does not know.
#ifndef DESKBELL_SUPERVISOR_RELOAD_H
#define DESKBELL_SUPERVISOR_RELOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/children.h"

// How long the new workers, and then the new front, may take to be ready for their part.
#define RELOAD_WAIT_MS 30000

enum reload_phase {
    RELOAD_NONE,
    RELOAD_WORKERS,
    RELOAD_STAGING,
    RELOAD_HANDOVER,
    RELOAD_OPENING,
    RELOAD_PHASES,
};

enum reload_result {
    RELOAD_GOES_ON, // or there is none
    RELOAD_DONE,    // the new edition is in force; what was before leaves
    RELOAD_REFUSED, // the old one is; `why` says why, what was new leaves
};

// Zero it before use. It owns nothing.
struct reload {
    enum reload_phase phase;
    uint64_t edition_before, edition;
    uint32_t workers[CHILDREN_MOST_WORKERS]; // slots of the new ones
    size_t worker_count;
    uint32_t front, front_before; // slots
    int64_t due_ms;               // INT64_MAX: none of our own
    const char *why;              // in a sentence, or NULL
};

// False while too many that leave are still there, or the other front: try again later.
bool reload_has_room(const struct children *children);

// Starts `count` workers of the edition (1 to CHILDREN_MOST_WORKERS). There must be room.
void reload_begin(struct reload *reload, struct children *children, uint64_t edition, size_t count, int64_t now_ms);

// Looks at what has happened. After anything but RELOAD_GOES_ON the phase is RELOAD_NONE.
enum reload_result reload_step(struct reload *reload, struct children *children, int64_t now_ms);

// Deskbell is asked to leave: stops what is new and has no part in leaving in order.
void reload_abandon(struct reload *reload, struct children *children, int64_t now_ms);

// When reload_step has something to do by itself.
int64_t reload_due_ms(const struct reload *reload);

const char *reload_phase_name(enum reload_phase phase);

#endif
