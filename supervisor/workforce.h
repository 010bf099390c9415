// SPDX-License-Identifier: Apache-2.0
// How many workers there are: one more or fewer on demand, and one after the other replaced when it has done enough
// jobs or grown too large. A replacement is READY before the one it replaces is asked to leave.
#ifndef DESKBELL_SUPERVISOR_WORKFORCE_H
#define DESKBELL_SUPERVISOR_WORKFORCE_H

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/children.h"

// How often jobs and memory are looked at; how long a replacement that did not become ready is not tried again.
#define WORKFORCE_LOOK_MS  1000
#define WORKFORCE_AGAIN_MS 60000

struct workforce_limits {
    int64_t jobs, mb; // 0: none. Each worker has up to a fifth less, by its jitter
};

// Zero it before use.
struct workforce {
    uint32_t old_slot, new_slot; // a replacement under way; 0: none
    uint64_t old_generation;
    int64_t look_ms;
};

// Log what they did, or why they did nothing.
void workforce_add(struct children *children, int64_t now_ms);
void workforce_remove(struct children *children, int64_t now_ms);

// Goes on with a replacement, or looks whether one is due.
void workforce_recycle(struct workforce *workforce, struct children *children, const struct workforce_limits *limits,
                       int64_t now_ms);

// A reload replaces everybody: a replacement that is under way is called off.
void workforce_call_off(struct workforce *workforce, struct children *children, int64_t now_ms);

// When workforce_recycle wants to look next; INT64_MAX: never.
int64_t workforce_due_ms(const struct workforce *workforce, const struct workforce_limits *limits);

#endif
