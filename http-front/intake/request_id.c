// SPDX-License-Identifier: Apache-2.0
// Request ids: 64 random bits. Any thread.
#include "http-front/intake/request_id.h"

#include <sys/random.h>

#include "proto/clock.h"

uint64_t request_id_new(void)
{
    uint64_t id = 0;
    // 8 bytes come whole once the kernel's generator is ready, which it is long since; the clock stands in for it.
    if (getrandom(&id, sizeof id, GRND_NONBLOCK) != (ssize_t)sizeof id || id == 0)
        id = (uint64_t)clock_wall_ms() << 20 | ((uint64_t)clock_mono_us() & 0xfffff) | 1;
    return id;
}
