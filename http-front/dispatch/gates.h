// SPDX-License-Identifier: Apache-2.0
// The gates: whether a step may call its upstream now. One gate per upstream, with a budget of its own for each limit
// class that the helpdesk counts apart. Used by the dispatcher's thread alone; reads no clock: times are handed in
// (milliseconds of a clock that never steps back). Nothing here is on disk: a restart learns anew.
//
// A gate is shut while one of these holds:
//   - budget: calls of the last minute, and those in flight, use up what is allowed. Set: calls_per_minute. Learnt:
//   max_share
//     of the account's total that answers name, and never more than what they say is left for the whole account.
//     Both are spread: a sixth of the minute's calls may go at once, the rest at an even pace.
//   - pause: a 429, or a Retry-After, stops everything for that upstream.
//   - breaker: `failures_to_open` failures in a row; then single probes, after 1 s doubling to 60 s, until one
//   succeeds.
//   - width: while no budget is known, calls in flight begin with 8 and grow with each answer; a 429 halves them.
#ifndef HTTP_FRONT_DISPATCH_GATES_H
#define HTTP_FRONT_DISPATCH_GATES_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/records.h"
#include "proto/steps.h"

struct gates;

struct gates_options {
    uint64_t calls_per_minute[UPSTREAMS]; // 0: learn it
    double max_share;                     // of a learnt budget, 0 < max_share <= 1
    uint64_t failures_to_open;            // 0: 5
    uint64_t seed;                        // of the jitter
};

// What a call holds of its gate, from gates_take to gates_done or gates_return. A plain value, kept in the job.
struct gate_pass {
    enum upstream upstream;
    enum limit_class limit;
    uint64_t taken_ms;
    bool probe;
    bool held; // false: nothing (zeroed, or given back)
};

struct gates *gates_new(const struct gates_options *options);
void gates_free(struct gates **self);

/** Whether a call of that kind may go now. UPSTREAM_NONE may unless everything is shut. Does not change what may go. */
bool gates_may(struct gates *self, enum upstream upstream, enum limit_class limit, uint64_t now_ms);

/**
 * When to ask gates_may again: now_ms when it may now, UINT64_MAX when only something else than time can open it
 * (gates_done, gates_return, gates_shut).
 */
uint64_t gates_next_ms(struct gates *self, enum upstream upstream, enum limit_class limit, uint64_t now_ms);

/**
 * Counts a call as handed out. Does not ask gates_may, so that jobs a former front handed out are counted, too
 * (`adopted`: these are never the breaker's probe).
 */
struct gate_pass gates_take(struct gates *self, enum upstream upstream, enum limit_class limit, bool adopted,
                            uint64_t now_ms);

/**
 * Gives the pass back with what became of the call. A call that never left the machine (!report->sent) is not counted.
 * The pass may be NULL or not held (a report of a job that is unknown): then it is only learnt from.
 */
void gates_done(struct gates *self, struct gate_pass *pass, const struct report *report, uint64_t now_ms);

/** Gives the pass back of a job without a result (lost, or its worker died). maybe_sent: it counts as a call. */
void gates_return(struct gates *self, struct gate_pass *pass, bool maybe_sent, uint64_t now_ms);

/** Shuts or opens everything: while the ledger cannot be written, nothing goes out. */
void gates_shut(struct gates *self, bool shut);

enum breaker { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

// For /status and /metrics.
struct gate_status {
    uint64_t in_flight;
    uint64_t used;                        // calls that count against the last minute, without those in flight
    uint64_t budget;                      // what may be used in a minute; 0: no bound known
    uint64_t total;                       // the account's, as answers say; 0: unknown
    uint64_t remaining;                   // the account's, as the newest answer says
    bool remaining_known;                 // and that is less than a minute ago
    uint64_t class_used[LIMIT_CLASSES];   // as `used`; LIMIT_ANY stays 0
    uint64_t class_budget[LIMIT_CLASSES]; // as `budget`
    uint64_t paused_ms;                   // how long the pause lasts still
    enum breaker breaker;
    uint64_t failures; // in a row
    uint64_t calls;    // ever: that left the machine
    uint64_t refused;  // ever: answers 429
    uint64_t opened;   // ever: times the breaker opened
    bool shut;
};
void gates_status(struct gates *self, enum upstream upstream, uint64_t now_ms, struct gate_status *out);
#endif
