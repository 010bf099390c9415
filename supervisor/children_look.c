// SPDX-License-Identifier: Apache-2.0
// What others may know of the child table: names, counts, what is due. Changes nothing. See children.h.
#include <assert.h>

#include "supervisor/children.h"

bool children_is_front(uint32_t slot)
{
    return slot == PIPES_FRONT_SLOT || slot == CHILDREN_OTHER_FRONT;
}

const char *children_role(uint32_t slot)
{
    return children_is_front(slot) ? "front" : "worker";
}

const char *children_state_name(enum child_state state)
{
    static const char *const names[] = {"idle",    "waiting",  "starting", "staged", "ready",
                                        "leaving", "stopping", "aborted",  "killed"};

    assert(state < CHILD_STATES);
    return names[state];
}

int64_t children_due_ms(const struct children *children)
{
    int64_t due = INT64_MAX;

    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++) {
        if (children->slots[slot].due_ms < due)
            due = children->slots[slot].due_ms;
    }
    return due;
}

size_t children_running(const struct children *children)
{
    size_t n = 0;

    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++)
        n += children->slots[slot].pid != 0;
    return n;
}

size_t children_ready_workers(const struct children *children)
{
    size_t n = 0;

    for (uint32_t slot = 1; slot <= CHILDREN_WORKER_SLOTS; slot++)
        n += children->slots[slot].state == CHILD_READY && children->slots[slot].edition == children->edition;
    return n;
}

bool children_front_ready(const struct children *children)
{
    return children->slots[children->front].state == CHILD_READY;
}

size_t children_wanted_workers(const struct children *children)
{
    size_t n = 0;

    for (uint32_t slot = 1; slot <= CHILDREN_WORKER_SLOTS; slot++)
        n += children->slots[slot].wanted && children->slots[slot].wanted_edition == children->edition;
    return n;
}

uint32_t children_idle_worker(const struct children *children)
{
    for (uint32_t slot = 1; slot <= CHILDREN_WORKER_SLOTS; slot++) {
        if (children->slots[slot].state == CHILD_IDLE)
            return slot;
    }
    return 0;
}
