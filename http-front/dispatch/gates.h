// SPDX-License-Identifier: Apache-2.0
// The gates: whether a step may call its upstream now. One gate per upstream, with a budget of its own for each limit
// class that the helpdesk counts apart. Used by the dispatcher's thread alone; reads no clock: times are handed in
// (milliseconds of a clock that never steps back). Nothing here is on disk: a restart learns anew.
//
// A gate is shut while one of these holds:
//   - budget: calls of the last minute, and those in flight, use up what is allowed. Set: calls_per_minute. Learnt:
//     max_share of the account's total that answers name, and never more than what they say is left for the whole
//     account. Both are spread: a sixth of the minute's calls may go at once, the rest at an even pace.
//   - pause: a 429, or a Retry-After, stops everything for that upstream.
//   - breaker: five failures in a row; then single probes, after 1 s doubling to 60 s, until one succeeds. A refused
//     connection, a broken or timed out call and a 5xx are failures. A call that its own short patience ended tells
//     nothing: a slow upstream looks like a dead one to it. Such a call may find out that the upstream is back, or
//     still refuses, but nobody waits for it: others go beside it as probes.
//   - width: while no budget is known, calls in flight begin with 8 and grow with each answer; a 429 halves them. Polls
//     take half of it at most.
#ifndef HTTP_FRONT_DISPATCH_GATES_H
#define HTTP_FRONT_DISPATCH_GATES_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/config.h"
#include "proto/records.h"
#include "proto/steps.h"

struct gates;

// What waits apart before an upstream's gate: calls of each limit class, those with a patience of their own, looks for
// replies, and polls of each limit class.
enum { GATE_IMPATIENT = LIMIT_CLASSES, GATE_HINTS, GATE_POLLS, GATE_QUEUES = GATE_POLLS + LIMIT_CLASSES };

// What a call holds of its gate, from gates_take to gates_done or gates_return. A plain value, kept with the job.
struct gate_pass {
    enum upstream upstream;
    enum limit_class limit;
    uint64_t taken_ms;
    bool poll;
    bool probe; // the breaker's
    bool trial; // goes beside it, while it is open
    bool held;  // false: nothing (zeroed, or given back)
};

/** Takes calls_per_minute and max_share from `config`, which is not kept. */
struct gates *gates_new(const struct config *config);
void gates_free(struct gates **self);

/** Where a call of that step waits: 0 to GATE_QUEUES. */
unsigned gates_queue(const struct step_info *info);

/** Whether a call of that queue may go now. UPSTREAM_NONE may unless everything is shut. Counts nothing. */
bool gates_may(struct gates *self, enum upstream upstream, unsigned queue, uint64_t now_ms);

/**
 * Whether a further call leaves the others their share of the `slots` that workers have: an upstream, however slow,
 * takes three quarters of them at most, its polls one quarter. Time does not help; gates_done and gates_return do.
 */
bool gates_leave_room(const struct gates *self, enum upstream upstream, unsigned queue, uint64_t slots);

/**
 * When to ask gates_may again: now_ms when it may now, 0 when only something else than time can open it (gates_done,
 * gates_return, gates_shut). An earliest time, not a promise.
 */
uint64_t gates_next_ms(struct gates *self, enum upstream upstream, unsigned queue, uint64_t now_ms);

/** Counts a call as handed out. Does not ask gates_may: jobs that a former front handed out are counted with it, too.
 */
struct gate_pass gates_take(struct gates *self, enum upstream upstream, unsigned queue, uint64_t now_ms)
    __attribute__((warn_unused_result));

/**
 * Gives the pass back with what became of the call. A call that never left the machine (!report->sent) is not counted.
 * The pass may be NULL or not held (a report of a job that is unknown): then it is only learnt from.
 */
void gates_done(struct gates *self, struct gate_pass *pass, const struct report *report, uint64_t now_ms);

/**
 * Gives the pass back of a job without a result (put back, lost, or its worker died); nothing happens if it is not
 * held. maybe_sent: it counts as a call.
 */
void gates_return(struct gates *self, struct gate_pass *pass, bool maybe_sent, uint64_t now_ms);

/** Shuts or opens everything: while the ledger cannot be written, nothing goes out. */
void gates_shut(struct gates *self, bool shut);

enum breaker { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

// For /status and /metrics.
struct gate_status {
    uint64_t in_flight;
    uint64_t used;      // calls that count against the last minute, without those in flight
    uint64_t budget;    // what may be used in a minute; 0: no bound known
    uint64_t total;     // the account's, as answers say; 0: unknown
    uint64_t remaining; // the account's, as the newest answers say
    bool remaining_known;
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
