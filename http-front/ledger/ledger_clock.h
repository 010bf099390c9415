// SPDX-License-Identifier: Apache-2.0
// Inside the ledger folder only: whether the wall clock can be believed enough to forget by it.
#ifndef HTTP_FRONT_LEDGER_LEDGER_CLOCK_H
#define HTTP_FRONT_LEDGER_LEDGER_CLOCK_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// Any thread; each field by itself is enough for its reader.
struct ledger_clock {
    uint64_t (*now_ms)(void);
    _Atomic uint64_t highest_ms; // the latest believed time, also of earlier runs; 0: this ledger never had one
    _Atomic int64_t ahead_ms;    // wall clock minus the machine's running time, when it was last believed
    atomic_bool believed;
};

/** Begins with what an earlier run believed last (0: none); says in the log when the clock cannot be believed now. */
void ledger_clock_begin(struct ledger_clock *self, uint64_t (*now_ms)(void), uint64_t highest_ms);

/** Whether the clock can be believed; *now_ms is what it says. A jump is noticed, and logged, by the next call. */
bool ledger_clock_read(struct ledger_clock *self, uint64_t *now_ms);

/** Somebody who knows another clock says so. */
void ledger_clock_judge(struct ledger_clock *self, bool right);
#endif
