// SPDX-License-Identifier: Apache-2.0
// How long to wait before a child is started again. A death before the first READY is most likely a structural fault (a
// bad file, a taken port) that a fast loop would only make worse; one after real work is an incident, repaired at once.
#ifndef DESKBELL_SUPERVISOR_THROTTLE_H
#define DESKBELL_SUPERVISOR_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_FIRST_MS 1000
#define THROTTLE_MAX_MS   60000
// A child that dies sooner than this after READY died young; so many in a row count as a structural fault too.
#define THROTTLE_YOUNG_MS 5000
#define THROTTLE_YOUNG    3

// One per slot; zero it before use.
struct throttle {
    unsigned failures; // waits in a row, each twice as long as the one before
    unsigned young;    // deaths in a row soon after READY
};

// Notes a death and returns the milliseconds to wait: 0, or 1 s doubling to 60 s, a quarter of it more or less by
// `random` (any 32 bits) so that children do not come back in step. `ready_ms` is how long the child was READY, -1:
// never.
int64_t throttle_died(struct throttle *throttle, int64_t ready_ms, uint32_t random);

#endif
