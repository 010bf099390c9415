// SPDX-License-Identifier: Apache-2.0
// See throttle.h. Arithmetic only: no clock, no process.
#include "supervisor/throttle.h"

static int64_t wait_ms(unsigned failures, uint32_t random)
{
    int64_t ms = THROTTLE_FIRST_MS;

    for (unsigned i = 1; i < failures && ms < THROTTLE_MAX_MS; i++)
        ms *= 2;
    if (ms > THROTTLE_MAX_MS)
        ms = THROTTLE_MAX_MS;
    return ms - ms / 4 + (int64_t)(random % 1024) * (ms / 2) / 1024;
}

int64_t throttle_died(struct throttle *throttle, int64_t ready_ms, uint32_t random)
{
    if (ready_ms >= THROTTLE_YOUNG_MS) {
        throttle->failures = 0;
        throttle->young = 0;
        return 0;
    }
    if (ready_ms >= 0 && throttle->young < THROTTLE_YOUNG) {
        throttle->failures = 0;
        throttle->young++;
        return 0;
    }
    throttle->failures++;
    return wait_ms(throttle->failures, random);
}
