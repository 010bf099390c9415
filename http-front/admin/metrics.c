// SPDX-License-Identifier: Apache-2.0
// The front's numbers. Relaxed atomics: each number is exact, but two numbers of one scrape may be a moment apart. Only
// a histogram's parts must agree with each other, so its +Inf bucket and count are made of the same loads.
#include "http-front/admin/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/records.h"
#include "proto/steps.h"

struct row {
    const char *name, *label, *value, *help;
};

#define METRICS_ROW(id, name, label, value, help) {name, label, value, help},
static const struct row counter_rows[] = {METRICS_COUNTERS(METRICS_ROW)};
static const struct row gauge_rows[] = {METRICS_GAUGES(METRICS_ROW)};
static const struct row histogram_rows[] = {METRICS_HISTOGRAMS(METRICS_ROW)};
#undef METRICS_ROW

static const uint64_t bounds_ms[] = METRICS_BUCKETS_MS;
#define BOUNDS   (sizeof bounds_ms / sizeof *bounds_ms)
#define OUTCOMES (OUTCOME_REFUSED + 1)

static const char *const source_names[METRICS_SOURCES] = {"freshchat", "freshdesk", "callback"};
static const char *const outcome_names[OUTCOMES] = {
    "other",
    [OUTCOME_DONE] = "done",
    [OUTCOME_NOT_FOUND] = "not_found",
    [OUTCOME_RETRY] = "retry",
    [OUTCOME_DOUBT] = "doubt",
    [OUTCOME_REFUSED] = "refused",
};

#define METRICS_NAME(id, value) value,
static const char *const stage_names[METRICS_STAGES] = {METRICS_STAGES_TABLE(METRICS_NAME)};
static const char *const call_names[] = {METRICS_ANSWERS_TABLE(METRICS_NAME)};
#undef METRICS_NAME
static const char *const direction_names[METRICS_DIRECTIONS] = {"chat_to_desk", "desk_to_chat"};
#define METRICS_CALL_ENUM(id, value) CALL_##id,
enum { METRICS_ANSWERS_TABLE(METRICS_CALL_ENUM) CALL_ANSWERS };
#undef METRICS_CALL_ENUM

// Everything in one block, so that metrics_reset forgets nothing. Index 0 of steps and outcomes is "other".
static struct {
    _Atomic uint64_t counters[METRICS_COUNTER_COUNT];
    _Atomic int64_t gauges[METRICS_GAUGE_COUNT];
    _Atomic uint64_t answers[METRICS_SOURCES][ANSWERS];
    _Atomic uint64_t handed_out[STEPS_END];
    _Atomic uint64_t reports[STEPS_END][OUTCOMES];
    _Atomic uint64_t observed[STEPS_END];
    _Atomic uint64_t late[METRICS_DIRECTIONS][METRICS_STAGES];
    _Atomic uint64_t calls[UPSTREAMS][CALL_ANSWERS];
    _Atomic uint64_t buckets[METRICS_HISTOGRAM_COUNT][BOUNDS + 1];
    _Atomic uint64_t sums_ms[METRICS_HISTOGRAM_COUNT];
} numbers;

static void add(_Atomic uint64_t *number, uint64_t n)
{
    atomic_fetch_add_explicit(number, n, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

void metrics_add(enum metric metric, uint64_t n)
{
    assert((unsigned)metric < METRICS_COUNTER_COUNT);
    add(&numbers.counters[metric], n);
}

void metrics_count(enum metric metric)
{
    metrics_add(metric, 1);
}

uint64_t metrics_get(enum metric metric)
{
    assert((unsigned)metric < METRICS_COUNTER_COUNT);
    return get(&numbers.counters[metric]);
}

void metrics_set(enum gauge gauge, int64_t value)
{
    assert((unsigned)gauge < METRICS_GAUGE_COUNT);
    atomic_store_explicit(&numbers.gauges[gauge], value, memory_order_relaxed);
}

int64_t metrics_gauge(enum gauge gauge)
{
    assert((unsigned)gauge < METRICS_GAUGE_COUNT);
    return atomic_load_explicit(&numbers.gauges[gauge], memory_order_relaxed);
}

void metrics_observe(enum histogram histogram, uint64_t ms)
{
    assert((unsigned)histogram < METRICS_HISTOGRAM_COUNT);
    size_t bucket = 0;
    while (bucket < BOUNDS && ms > bounds_ms[bucket])
        bucket++;
    add(&numbers.buckets[histogram][bucket], 1);
    add(&numbers.sums_ms[histogram], ms);
}

uint64_t metrics_observed(enum histogram histogram)
{
    assert((unsigned)histogram < METRICS_HISTOGRAM_COUNT);
    uint64_t count = 0;
    for (size_t i = 0; i <= BOUNDS; i++)
        count += get(&numbers.buckets[histogram][i]);
    return count;
}

uint64_t metrics_at_most(enum histogram histogram, uint64_t ms)
{
    assert((unsigned)histogram < METRICS_HISTOGRAM_COUNT);
    uint64_t count = 0;
    for (size_t i = 0; i < BOUNDS && bounds_ms[i] <= ms; i++)
        count += get(&numbers.buckets[histogram][i]);
    return count;
}

uint64_t metrics_quantile_ms(enum histogram histogram, unsigned permille)
{
    uint64_t count = metrics_observed(histogram);
    uint64_t wanted = (count * permille + 999) / 1000;
    uint64_t so_far = 0;
    if (count == 0)
        return 0;
    for (size_t i = 0; i < BOUNDS; i++) {
        so_far += get(&numbers.buckets[histogram][i]);
        if (so_far >= wanted)
            return bounds_ms[i];
    }
    return UINT64_MAX;
}

const char *metrics_source_name(enum metrics_source source)
{
    assert((unsigned)source < METRICS_SOURCES);
    return source_names[source];
}

void metrics_count_answer(enum metrics_source source, enum answer answer)
{
    assert((unsigned)source < METRICS_SOURCES && (unsigned)answer < ANSWERS);
    add(&numbers.answers[source][answer], 1);
}

uint64_t metrics_answers(enum metrics_source source, enum answer answer)
{
    assert((unsigned)source < METRICS_SOURCES && (unsigned)answer < ANSWERS);
    return get(&numbers.answers[source][answer]);
}

void metrics_count_handed_out(uint64_t step)
{
    add(&numbers.handed_out[step < STEPS_END ? step : 0], 1);
}

void metrics_count_report(uint64_t step, uint64_t outcome)
{
    add(&numbers.reports[step < STEPS_END ? step : 0][outcome < OUTCOMES ? outcome : 0], 1);
}

void metrics_count_observed(uint64_t step)
{
    add(&numbers.observed[step < STEPS_END ? step : 0], 1);
}

void metrics_count_late(enum metrics_direction direction, enum metrics_stage stage)
{
    assert((unsigned)direction < METRICS_DIRECTIONS && (unsigned)stage < METRICS_STAGES);
    add(&numbers.late[direction][stage], 1);
}

uint64_t metrics_late(enum metrics_direction direction, enum metrics_stage stage)
{
    assert((unsigned)direction < METRICS_DIRECTIONS && (unsigned)stage < METRICS_STAGES);
    return get(&numbers.late[direction][stage]);
}

const char *metrics_stage_name(enum metrics_stage stage)
{
    assert((unsigned)stage < METRICS_STAGES);
    return stage_names[stage];
}

static unsigned call_answer(uint64_t status, bool sent)
{
    if (status == 0)
        return sent ? CALL_SILENT : CALL_UNSENT;
    if (status >= 200 && status < 400)
        return CALL_OK;
    if (status < 400 || status >= 500)
        return CALL_FAILED;
    return status == 404                    ? CALL_NOT_FOUND
           : status == 429                  ? CALL_LIMITED
           : status == 401 || status == 403 ? CALL_AUTH
                                            : CALL_REFUSED;
}

void metrics_count_call(uint64_t upstream, uint64_t http_status, bool sent, uint64_t took_ms)
{
    if (upstream == UPSTREAM_NONE || upstream >= UPSTREAMS)
        return;
    add(&numbers.calls[upstream][call_answer(http_status, sent)], 1);
    if (sent)
        metrics_observe((enum histogram)(HISTOGRAM_CALL_FRESHCHAT + (upstream - UPSTREAM_FRESHCHAT)), took_ms);
}

void metrics_set_counter(enum metric metric, uint64_t value)
{
    assert((unsigned)metric < METRICS_COUNTER_COUNT);
    atomic_store_explicit(&numbers.counters[metric], value, memory_order_relaxed);
}

void metrics_reset(void)
{
    memset(&numbers, 0, sizeof numbers);
}

static void put_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s ", name);
    for (; *help; help++) {
        if (*help == '\\')
            fputs("\\\\", out);
        else if (*help == '\n')
            fputs("\\n", out);
        else
            fputc(*help, out);
    }
    fprintf(out, "\n# TYPE %s %s\n", name, type);
}

static void put_label(FILE *out, bool first, const char *label, const char *value)
{
    fprintf(out, "%s%s=\"", first ? "" : ",", label);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            fprintf(out, "\\%c", *value);
        else if (*value == '\n')
            fputs("\\n", out);
        else
            fputc(*value, out);
    }
    fputc('"', out);
}

// The head, where this row is the first of its name, and the name with its label.
static void put_row(FILE *out, const struct row *rows, size_t i, const char *type)
{
    if (!i || strcmp(rows[i].name, rows[i - 1].name))
        put_head(out, rows[i].name, type, rows[i].help);
    fputs(rows[i].name, out);
    if (*rows[i].label) {
        fputc('{', out);
        put_label(out, true, rows[i].label, rows[i].value);
        fputc('}', out);
    }
}

static void put_answers(FILE *out)
{
    const char *name = "deskbell_webhook_requests_total";
    put_head(out, name, "counter",
             "Requests that bring events (webhooks; shoppers who ask to be called) by source, status sent and reason.");
    for (size_t source = 0; source < METRICS_SOURCES; source++) {
        for (size_t answer = 0; answer < ANSWERS; answer++) {
            char status[16];
            snprintf(status, sizeof status, "%d", answer_status((enum answer)answer));
            fprintf(out, "%s{", name);
            put_label(out, true, "source", source_names[source]);
            put_label(out, false, "status", status);
            put_label(out, false, "reason", answer_word((enum answer)answer));
            fprintf(out, "} %" PRIu64 "\n", get(&numbers.answers[source][answer]));
        }
    }
}

static const char *step_label(size_t step)
{
    return step ? steps_name(step) : "other";
}

static void put_steps(FILE *out)
{
    const char *handed_out = "deskbell_jobs_handed_out_total", *reports = "deskbell_reports_total";
    put_head(out, handed_out, "counter", "Jobs handed to workers, by step.");
    for (size_t step = 0; step < STEPS_END; step++) {
        fprintf(out, "%s{", handed_out);
        put_label(out, true, "step", step_label(step));
        fprintf(out, "} %" PRIu64 "\n", get(&numbers.handed_out[step]));
    }
    const char *observed = "deskbell_observed_writes_total";
    put_head(out, observed, "counter", "Writes that mode \"observe\" told of and did not make, by step.");
    for (size_t step = 1; step < STEPS_END; step++) {
        if (!steps_info(step) || steps_info(step)->kind == STEP_READ)
            continue;
        fprintf(out, "%s{", observed);
        put_label(out, true, "step", step_label(step));
        fprintf(out, "} %" PRIu64 "\n", get(&numbers.observed[step]));
    }
    put_head(out, reports, "counter", "Reports of workers, by step and outcome.");
    for (size_t step = 0; step < STEPS_END; step++) {
        for (size_t outcome = 0; outcome < OUTCOMES; outcome++) {
            fprintf(out, "%s{", reports);
            put_label(out, true, "step", step_label(step));
            put_label(out, false, "outcome", outcome_names[outcome]);
            fprintf(out, "} %" PRIu64 "\n", get(&numbers.reports[step][outcome]));
        }
    }
}

// Seconds with milliseconds, without a locale.
static void put_seconds(FILE *out, uint64_t ms)
{
    fprintf(out, "%" PRIu64 ".%03" PRIu64, ms / 1000, ms % 1000);
}

// The same for what may be below 0.
static void put_signed_seconds(FILE *out, int64_t ms)
{
    fputs(ms < 0 ? "-" : "", out);
    put_seconds(out, ms < 0 ? (uint64_t)-ms : (uint64_t)ms);
}

static void put_late(FILE *out)
{
    const char *name = "deskbell_late_total";
    put_head(out, name, "counter", "What took more than two seconds, by the stage that used most of the time.");
    for (size_t direction = 0; direction < METRICS_DIRECTIONS; direction++)
        for (size_t stage = 0; stage < METRICS_STAGES; stage++) {
            fprintf(out, "%s{", name);
            put_label(out, true, "direction", direction_names[direction]);
            put_label(out, false, "stage", stage_names[stage]);
            fprintf(out, "} %" PRIu64 "\n", get(&numbers.late[direction][stage]));
        }
}

static void put_calls(FILE *out)
{
    const char *name = "deskbell_calls_total";
    put_head(out, name, "counter", "Calls to the upstreams, by how they were answered.");
    for (size_t upstream = UPSTREAM_FRESHCHAT; upstream < UPSTREAMS; upstream++)
        for (size_t answer = 0; answer < CALL_ANSWERS; answer++) {
            fprintf(out, "%s{", name);
            put_label(out, true, "upstream", steps_upstream_name((enum upstream)upstream));
            put_label(out, false, "answer", call_names[answer]);
            fprintf(out, "} %" PRIu64 "\n", get(&numbers.calls[upstream][answer]));
        }
}

static bool is_in_seconds(const char *name)
{
    static const char suffix[] = "_seconds";
    size_t length = strlen(name);
    return length >= sizeof suffix && strcmp(name + length - (sizeof suffix - 1), suffix) == 0;
}

static void put_sample_name(FILE *out, const struct row *row, const char *suffix)
{
    fprintf(out, "%s%s", row->name, suffix);
    if (!*row->label)
        return;
    fputc('{', out);
    put_label(out, true, row->label, row->value);
    fputc('}', out);
}

static void put_histogram(FILE *out, size_t i)
{
    const struct row *row = &histogram_rows[i];
    if (!i || strcmp(row->name, histogram_rows[i - 1].name))
        put_head(out, row->name, "histogram", row->help);
    uint64_t count = 0;
    for (size_t bucket = 0; bucket <= BOUNDS; bucket++) {
        count += get(&numbers.buckets[i][bucket]);
        fprintf(out, "%s_bucket{", row->name);
        if (*row->label) {
            put_label(out, true, row->label, row->value);
            fputc(',', out);
        }
        fputs("le=\"", out);
        if (bucket < BOUNDS)
            put_seconds(out, bounds_ms[bucket]);
        else
            fputs("+Inf", out);
        fprintf(out, "\"} %" PRIu64 "\n", count);
    }
    put_sample_name(out, row, "_sum");
    fputc(' ', out);
    put_seconds(out, get(&numbers.sums_ms[i]));
    fputc('\n', out);
    put_sample_name(out, row, "_count");
    fprintf(out, " %" PRIu64 "\n", count);
}

char *metrics_render(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    for (size_t i = 0; i < METRICS_COUNTER_COUNT; i++) {
        put_row(out, counter_rows, i, "counter");
        fprintf(out, " %" PRIu64 "\n", get(&numbers.counters[i]));
    }
    for (size_t i = 0; i < METRICS_GAUGE_COUNT; i++) {
        put_row(out, gauge_rows, i, "gauge");
        fputc(' ', out);
        if (is_in_seconds(gauge_rows[i].name))
            put_signed_seconds(out, metrics_gauge((enum gauge)i));
        else
            fprintf(out, "%" PRId64, metrics_gauge((enum gauge)i));
        fputc('\n', out);
    }
    put_answers(out);
    put_steps(out);
    put_late(out);
    put_calls(out);
    for (size_t i = 0; i < METRICS_HISTOGRAM_COUNT; i++)
        put_histogram(out, i);
    if (fclose(out))
        abort();
    return text;
}
