// SPDX-License-Identifier: Apache-2.0
// What the parts of deskbell-bench share: a folder, figures and their table. Everything is measured in rounds, each
// variant once in every round, so that what else the machine does falls on all of them alike; ratios are made within a
// round. Called from the main thread unless said otherwise. What cannot be measured ends the program with a sentence.
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http-front/ledger/ledger.h"

enum { BENCH_ROUNDS = 9, BENCH_THREADS = 64 };

// One line of the table: a number per round.
struct figure {
    const char *name, *unit;
    double values[BENCH_ROUNDS];
    size_t count;
};

/** Adds this round's number. */
void figure_add(struct figure *self, double value);
double figure_median(const struct figure *self);
/** Prints median, least and most; of a single number only that. */
void figure_print(const struct figure *self);
/** Prints the ratio of two figures, made round by round. Both must have as many rounds. */
void figure_print_ratio(const char *name, const struct figure *over, const struct figure *under);
void figure_heading(const char *text);

// How long each of many things took, in microseconds. Owned by one thread until it is joined.
struct times {
    double *us;
    size_t count, room;
};
/** `room` is how many it can hold; more are not kept. */
void times_init(struct times *self, size_t room);
void times_free(struct times *self);
void times_add(struct times *self, double us);
/** Appends all of `more`, as far as there is room. */
void times_append(struct times *self, const struct times *more);
/** The part-th of them, 0.5 the median; 0 when there are none. Sorts. */
double times_at(struct times *self, double part);

/** CLOCK_MONOTONIC in microseconds. Any thread. */
double bench_now_us(void);
/** What this process has spent of the processors, in microseconds. */
double bench_cpu_us(void);
size_t bench_processors(void);

/** The path of something new in the program's own folder, which is removed at exit. The caller frees it. */
char *bench_path(const char *name);
/** Ends the program with this sentence. Any thread. */
void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/** Calls `run` with each of `count` elements of `size` bytes, in a thread each, and waits for all of them. */
void bench_threads(void *(*run)(void *arg), void *elements, size_t size, size_t count);

// A ledger with its committer, and a thread in the dispatcher's place that reads the mail and throws it away.
struct store;
struct store *store_new(const char *name);
void store_free(struct store **self);
/** As committer_accept. Any thread. */
bool store_accept(struct store *self, const struct event *event) __attribute__((warn_unused_result));
/** How many batches the committer has written. It also counts an idle second as one. */
uint64_t store_batches(const struct store *self);
struct ledger *store_ledger(struct store *self);

// The parts, each a few seconds. Each prints its own lines.
void bench_committing(void);
void bench_receiving(void);
void bench_whole_way(void);
void bench_frames(void);
/** The program is being ended from outside: kills deskbelld and removes its folder. Any thread; only _exit follows. */
void bench_whole_way_abandon(void);
#endif
