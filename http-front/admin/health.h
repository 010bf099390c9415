// SPDX-License-Identifier: Apache-2.0
// Whether the front can do its work, told by those who know and asked by probes. Atomics; any thread.
#ifndef HTTP_FRONT_ADMIN_HEALTH_H
#define HTTP_FRONT_ADMIN_HEALTH_H
#include <stdbool.h>
#include <stdint.h>

/** The committer takes events (committer_healthy). False at start. */
void health_set_committer(bool healthy);
/** How many workers are ready to be handed jobs. 0 at start. */
void health_set_workers(uint64_t ready);
/** The front is on its way out: not ready, though it still answers. */
void health_set_draining(bool draining);

/** mode = "observe": said with readiness, which it does not change. */
void health_set_observing(bool observing);

/**
 * An upstream's Date said that its clock is `ahead_ms` ahead of ours (negative: behind). Logged when they begin to
 * disagree badly, or agree again.
 */
void health_set_clock(const char *upstream, int64_t ahead_ms);
/** How far that upstream's clock was ahead of ours when it last told its time. False: it never did. */
bool health_ahead_ms(const char *upstream, int64_t *ahead_ms);
/**
 * Now in that upstream's clock, counted on from when it last told its time: a step of our own clock since then does not
 * matter. 0: it never told it.
 */
uint64_t health_now_ms(const char *upstream);
/**
 * The time to stamp what expires with: ours or the upstreams', whichever is later, so that a clock that was set back
 * makes nothing old once it is right again.
 */
uint64_t health_stamp_ms(void);
/**
 * True while our clock and an upstream's disagree by minutes, and until an upstream has told its time at all: then
 * nothing is refused for its age, and only what was seen before is a replay.
 */
bool health_clock_doubtful(void);

bool health_draining(void);
/** True when events can be made durable, a worker is there and the front is staying. */
bool health_ready(void);
/** {"ready":true|false,"mode":"live"|"observe","missing":["..."]}; freed with free(). *ready (may be NULL) gets the
 * same answer. */
char *health_json(bool *ready);
#endif
