// SPDX-License-Identifier: Apache-2.0
// A wall clock that jumps must not make the ledger forget: a seen key that is dropped too early lets a customer's words
// through twice. So the clock is believed only as long as it goes with the machine's running time, and at the start
// only when it is not before the last believed time, nor more than a week after it (a stop that long is told apart from
// a jump by nobody here). Once it is not believed, only an upstream's clock helps: ledger_trust_clock.
#include "http-front/ledger/ledger_clock.h"

#include "proto/clock.h"
#include "proto/log.h"

static const int64_t step_ms = 60LL * 60 * 1000;
static const uint64_t stop_ms = UINT64_C(7) * 24 * 60 * 60 * 1000; // far below the shortest lifetime that matters

static void raise_highest(struct ledger_clock *self, uint64_t now)
{
    uint64_t highest = atomic_load(&self->highest_ms);
    while (highest < now && !atomic_compare_exchange_weak(&self->highest_ms, &highest, now))
        ;
}

static void unbelieve(struct ledger_clock *self, uint64_t now)
{
    if (atomic_exchange(&self->believed, false))
        log_warn("ledger_clock_unsure", "now_ms=%llu last_believed_ms=%llu effect=\"nothing expires\"",
                 (unsigned long long)now, (unsigned long long)atomic_load(&self->highest_ms));
}

void ledger_clock_begin(struct ledger_clock *self, uint64_t (*now_ms)(void), uint64_t highest_ms)
{
    uint64_t now = now_ms();
    self->now_ms = now_ms;
    atomic_store(&self->highest_ms, highest_ms);
    atomic_store(&self->ahead_ms, (int64_t)now - clock_running_ms());
    atomic_store(&self->believed, true);
    if (highest_ms != 0 && (now + (uint64_t)step_ms < highest_ms || now > highest_ms + stop_ms))
        unbelieve(self, now);
    else
        raise_highest(self, now);
}

bool ledger_clock_read(struct ledger_clock *self, uint64_t *now_ms)
{
    uint64_t now = self->now_ms();
    int64_t ahead = (int64_t)now - clock_running_ms();
    int64_t jumped = ahead - atomic_load(&self->ahead_ms);
    *now_ms = now;
    if (!atomic_load(&self->believed))
        return false;
    if (jumped > step_ms || jumped < -step_ms) {
        unbelieve(self, now);
        return false;
    }
    // Small steps and the drift between two clocks are followed.
    atomic_store(&self->ahead_ms, ahead);
    raise_highest(self, now);
    return true;
}

void ledger_clock_judge(struct ledger_clock *self, bool right)
{
    uint64_t now = self->now_ms();
    if (!right) {
        unbelieve(self, now);
        return;
    }
    if (atomic_load(&self->believed) && ledger_clock_read(self, &now))
        return;
    // Also downwards: what was believed before may have been the wrong time.
    atomic_store(&self->highest_ms, now);
    atomic_store(&self->ahead_ms, (int64_t)now - clock_running_ms());
    atomic_store(&self->believed, true);
    log_info("ledger_clock_sure", "now_ms=%llu", (unsigned long long)now);
}
