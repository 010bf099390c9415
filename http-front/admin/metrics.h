// SPDX-License-Identifier: Apache-2.0
// The front's counters, gauges and histograms, all in metrics_table.h, and their Prometheus text. Every function is
// lock-free and may be called from any thread; a scrape sees each number as it is at that moment.
#ifndef HTTP_FRONT_ADMIN_METRICS_H
#define HTTP_FRONT_ADMIN_METRICS_H
#include <stdbool.h>
#include <stdint.h>

#include "http-front/admin/metrics_table.h"

#define METRICS_ENUM(id, ...) METRIC_##id,
enum metric { METRICS_COUNTERS(METRICS_ENUM) METRICS_COUNTER_COUNT };
#undef METRICS_ENUM
#define METRICS_ENUM(id, ...) GAUGE_##id,
enum gauge { METRICS_GAUGES(METRICS_ENUM) METRICS_GAUGE_COUNT };
#undef METRICS_ENUM
#define METRICS_ENUM(id, ...) HISTOGRAM_##id,
enum histogram { METRICS_HISTOGRAMS(METRICS_ENUM) METRICS_HISTOGRAM_COUNT };
#undef METRICS_ENUM

/** Adds `n` to a counter, or one. */
void metrics_add(enum metric metric, uint64_t n);
void metrics_count(enum metric metric);
/** The counter's value. */
uint64_t metrics_get(enum metric metric);

/** Sets a gauge, and reads it. */
void metrics_set(enum gauge gauge, int64_t value);
int64_t metrics_gauge(enum gauge gauge);

/** Records one duration in milliseconds. */
void metrics_observe(enum histogram histogram, uint64_t ms);
/** How many durations were recorded. */
uint64_t metrics_observed(enum histogram histogram);

/** How many of them were at most `ms`, which must be a bound of METRICS_BUCKETS_MS. */
uint64_t metrics_at_most(enum histogram histogram, uint64_t ms);
/**
 * The bound below which so many of a thousand lie, in ms: the upper end of that duration's bucket. 0 when nothing was
 * recorded, UINT64_MAX when it lies above the last bound.
 */
uint64_t metrics_quantile_ms(enum histogram histogram, unsigned permille);

/** What logs and labels call it. */
const char *metrics_source_name(enum metrics_source source);
/** A request to a webhook of `source` ended with `answer` (intake/answers.h). */
void metrics_count_answer(enum metrics_source source, enum answer answer);
uint64_t metrics_answers(enum metrics_source source, enum answer answer);
/** A job with step `step` was handed out; a report of `step` came with `outcome` (enum outcome). Unknown numbers count
 * as "other". */
void metrics_count_handed_out(uint64_t step);
void metrics_count_report(uint64_t step, uint64_t outcome);
/** A write that mode "observe" told of, by step. */
void metrics_count_observed(uint64_t step);

#define METRICS_STAGE_ENUM(id, value) METRICS_STAGE_##id,
enum metrics_stage { METRICS_STAGES_TABLE(METRICS_STAGE_ENUM) METRICS_STAGES };
#undef METRICS_STAGE_ENUM
enum metrics_direction { METRICS_CHAT_TO_DESK, METRICS_DESK_TO_CHAT, METRICS_DIRECTIONS };
/** Something missed the promise, and that stage used most of its time. */
void metrics_count_late(enum metrics_direction direction, enum metrics_stage stage);
uint64_t metrics_late(enum metrics_direction direction, enum metrics_stage stage);
const char *metrics_stage_name(enum metrics_stage stage);

/** A call of a worker, as its report says; upstream (enum upstream) 0: none was made. */
void metrics_count_call(uint64_t upstream, uint64_t http_status, bool sent, uint64_t took_ms);

/** Sets a counter that somebody else counts. */
void metrics_set_counter(enum metric metric, uint64_t value);

/** The whole exposition, Prometheus text format 0.0.4, NUL-terminated; freed with free(). */
char *metrics_render(void);

/** For tests: everything back to 0. */
void metrics_reset(void);
#endif
