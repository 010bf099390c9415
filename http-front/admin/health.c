// SPDX-License-Identifier: Apache-2.0
// Whether the front can do its work. Atomics; any thread.
#include "http-front/admin/health.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/log.h"

static atomic_bool committer, draining, observing;
static _Atomic uint64_t workers;
static _Atomic int64_t clock_ahead_ms;
static atomic_bool clock_told;

// By upstream; written by the dispatcher alone.
static struct {
    const char *const name;
    _Atomic int64_t ahead_ms;
    _Atomic int64_t booted_ms; // when the machine's running time was 0
    atomic_bool told;
} clocks[] = {{.name = "freshchat"}, {.name = "freshdesk"}, {.name = "freshcaller"}};

enum { CLOCK_BAD_MS = 5 * 60 * 1000 };

void health_set_committer(bool healthy)
{
    atomic_store(&committer, healthy);
}

void health_set_workers(uint64_t ready)
{
    atomic_store(&workers, ready);
}

void health_set_draining(bool now)
{
    atomic_store(&draining, now);
}

void health_set_observing(bool now)
{
    atomic_store(&observing, now);
}

static bool is_bad(int64_t ahead_ms)
{
    return ahead_ms > CLOCK_BAD_MS || ahead_ms < -CLOCK_BAD_MS;
}

bool health_ahead_ms(const char *upstream, int64_t *ahead_ms)
{
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++)
        if (strcmp(clocks[i].name, upstream) == 0 && atomic_load(&clocks[i].told)) {
            *ahead_ms = atomic_load(&clocks[i].ahead_ms);
            return true;
        }
    return false;
}

uint64_t health_now_ms(const char *upstream)
{
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++)
        if (strcmp(clocks[i].name, upstream) == 0 && atomic_load(&clocks[i].told))
            return (uint64_t)(atomic_load(&clocks[i].booted_ms) + clock_running_ms());
    return 0;
}

void health_set_clock(const char *upstream, int64_t ahead_ms)
{
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++)
        if (strcmp(clocks[i].name, upstream) == 0) {
            atomic_store(&clocks[i].ahead_ms, ahead_ms);
            atomic_store(&clocks[i].booted_ms, clock_wall_ms() + ahead_ms - clock_running_ms());
            atomic_store(&clocks[i].told, true);
        }
    bool was_bad = is_bad(atomic_exchange(&clock_ahead_ms, ahead_ms));
    atomic_store(&clock_told, true);
    if (is_bad(ahead_ms) && !was_bad)
        log_error("clock_disagrees", "upstream=%s ahead_ms=%lld advice=%s", upstream, (long long)ahead_ms,
                  "set this host's clock (NTP); until then nothing is expired or refused for its age");
    else if (!is_bad(ahead_ms) && was_bad)
        log_info("clock_agrees", "upstream=%s ahead_ms=%lld", upstream, (long long)ahead_ms);
}

uint64_t health_stamp_ms(void)
{
    int64_t ahead = atomic_load(&clock_ahead_ms);
    return (uint64_t)(clock_wall_ms() + (ahead > 0 ? ahead : 0));
}

bool health_clock_doubtful(void)
{
    return !atomic_load(&clock_told) || is_bad(atomic_load(&clock_ahead_ms));
}

bool health_draining(void)
{
    return atomic_load(&draining);
}

bool health_ready(void)
{
    return atomic_load(&committer) && atomic_load(&workers) && !atomic_load(&draining);
}

char *health_json(bool *ready)
{
    // Each is read once, so that the list and the verdict agree.
    const char *missing[3];
    size_t count = 0;
    if (!atomic_load(&committer))
        missing[count++] = "the ledger takes no events";
    if (!atomic_load(&workers))
        missing[count++] = "no worker is ready";
    if (atomic_load(&draining))
        missing[count++] = "this front is leaving";
    char text[256];
    int used = snprintf(text, sizeof text, "{\"ready\":%s,\"mode\":\"%s\",\"missing\":[", count ? "false" : "true",
                        atomic_load(&observing) ? "observe" : "live");
    for (size_t i = 0; i < count; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%s\"%s\"", i ? "," : "", missing[i]);
    snprintf(text + used, sizeof text - (size_t)used, "]}");
    if (ready)
        *ready = !count;
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}
