// SPDX-License-Identifier: Apache-2.0
// The thread that has the ledger drop what is past its time: an hour after the start, when what a start brings is over,
// and then once a day. It may block for long and holds up nobody: the committer shares no lock with it.
#ifndef HTTP_FRONT_LEDGER_EXPIRER_H
#define HTTP_FRONT_LEDGER_EXPIRER_H
#include <stdint.h>

#include "http-front/ledger/ledger.h"

struct expirer;

// 0 and NULL stand for what the front uses.
struct expirer_options {
    uint64_t first_ms;         // after the start; 0: an hour
    uint64_t every_ms;         // 0: a day
    uint64_t look_ms;          // how often the clock is looked at; 0: every ten seconds
    uint64_t (*mono_ms)(void); // monotonic clock; NULL: the real one
};

/** Starts the thread. The ledger must outlive it. */
struct expirer *expirer_new(struct ledger *ledger, const struct expirer_options *options);
/** Stops an expiry that runs, joins the thread. Called before the ledger is closed. */
void expirer_free(struct expirer **self);
/** How often it has run to its end. */
uint64_t expirer_runs(const struct expirer *self);
#endif
