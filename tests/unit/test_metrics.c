// SPDX-License-Identifier: Apache-2.0
// What the front says of itself: the Prometheus text, readiness, the status picture.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/admin/health.h"
#include "http-front/admin/metrics.h"
#include "http-front/admin/status.h"
#include "proto/records.h"
#include "proto/steps.h"
#include "tests/unit/metrics_text.h"

static int fresh(void **state)
{
    (void)state;
    metrics_reset();
    return 0;
}

static void expect_line(const char *line)
{
    char *text = metrics_render();
    const char *at = strstr(text, line);
    if (!at || (at != text && at[-1] != '\n') || at[strlen(line)] != '\n')
        fail_msg("no line '%s' in:\n%s", line, text);
    free(text);
}

static void counters_and_gauges_are_rendered(void **state)
{
    (void)state;
    expect_line("deskbell_dead_letters_total 0");
    metrics_count(METRIC_DEAD_LETTERS);
    metrics_add(METRIC_DEAD_LETTERS, 41);
    assert_int_equal(metrics_get(METRIC_DEAD_LETTERS), 42);
    expect_line("deskbell_dead_letters_total 42");
    metrics_count(METRIC_FRAMES_BAD_CENSUS);
    expect_line("deskbell_frames_undecodable_total{frame=\"census\"} 1");
    expect_line("deskbell_frames_undecodable_total{frame=\"report\"} 0");
    metrics_set(GAUGE_WORKERS_READY, 2);
    metrics_set(GAUGE_BACKLOG_CHAT, -1);
    assert_int_equal(metrics_gauge(GAUGE_WORKERS_READY), 2);
    expect_line("deskbell_workers_ready 2");
    expect_line("deskbell_backlog{direction=\"desk_to_chat\"} -1");
}

static void every_answer_of_each_source_has_a_row(void **state)
{
    (void)state;
    metrics_count_answer(METRICS_FRESHCHAT, ANSWER_SIGNATURE_WRONG);
    metrics_count_answer(METRICS_FRESHCHAT, ANSWER_SIGNATURE_WRONG);
    metrics_count_answer(METRICS_FRESHDESK, ANSWER_TOO_LARGE);
    assert_int_equal(metrics_answers(METRICS_FRESHCHAT, ANSWER_SIGNATURE_WRONG), 2);
    expect_line("deskbell_webhook_requests_total{source=\"freshchat\",status=\"401\",reason=\"signature_wrong\"} 2");
    expect_line("deskbell_webhook_requests_total{source=\"freshdesk\",status=\"413\",reason=\"too_large\"} 1");
    expect_line("deskbell_webhook_requests_total{source=\"freshdesk\",status=\"200\",reason=\"accepted\"} 0");
    char *text = metrics_render();
    size_t rows = 0;
    for (const char *at = text; (at = strstr(at, "\ndeskbell_webhook_requests_total{")); at++)
        rows++;
    assert_int_equal(rows, METRICS_SOURCES * ANSWERS);
    free(text);
}

static void steps_are_counted_by_outcome_and_unknown_ones_as_other(void **state)
{
    (void)state;
    metrics_count_handed_out(STEP_CREATE_TICKET);
    metrics_count_handed_out(9999);
    metrics_count_report(STEP_CREATE_TICKET, OUTCOME_DOUBT);
    metrics_count_report(STEP_CREATE_TICKET, 77);
    metrics_count_report(UINT64_MAX, UINT64_MAX);
    expect_line("deskbell_jobs_handed_out_total{step=\"create_ticket\"} 1");
    expect_line("deskbell_jobs_handed_out_total{step=\"other\"} 1");
    expect_line("deskbell_reports_total{step=\"create_ticket\",outcome=\"doubt\"} 1");
    expect_line("deskbell_reports_total{step=\"create_ticket\",outcome=\"other\"} 1");
    expect_line("deskbell_reports_total{step=\"other\",outcome=\"other\"} 1");
}

static void histograms_are_cumulative_and_in_seconds(void **state)
{
    (void)state;
    metrics_observe(HISTOGRAM_TO_DESK, 0);
    metrics_observe(HISTOGRAM_TO_DESK, 5);
    metrics_observe(HISTOGRAM_TO_DESK, 6);
    metrics_observe(HISTOGRAM_TO_DESK, 2000);
    metrics_observe(HISTOGRAM_TO_DESK, 2001);
    metrics_observe(HISTOGRAM_TO_DESK, 99999999);
    assert_int_equal(metrics_observed(HISTOGRAM_TO_DESK), 6);
    // Sorted: 0, 5, 6, 2000, 2001, far beyond; each stands for its bucket's upper bound.
    assert_int_equal(metrics_at_most(HISTOGRAM_TO_DESK, 2000), 4);
    assert_int_equal(metrics_quantile_ms(HISTOGRAM_TO_DESK, 333), 5);
    assert_int_equal(metrics_quantile_ms(HISTOGRAM_TO_DESK, 500), 10);
    assert_int_equal(metrics_quantile_ms(HISTOGRAM_TO_DESK, 667), 3000);
    assert_true(metrics_quantile_ms(HISTOGRAM_TO_DESK, 990) == UINT64_MAX);
    assert_int_equal(metrics_quantile_ms(HISTOGRAM_TO_CHAT, 500), 0);
    expect_line("deskbell_delivery_seconds_bucket{direction=\"chat_to_desk\",le=\"0.005\"} 2");
    expect_line("deskbell_delivery_seconds_bucket{direction=\"chat_to_desk\",le=\"0.010\"} 3");
    expect_line("deskbell_delivery_seconds_bucket{direction=\"chat_to_desk\",le=\"2.000\"} 4");
    expect_line("deskbell_delivery_seconds_bucket{direction=\"chat_to_desk\",le=\"3.000\"} 5");
    expect_line("deskbell_delivery_seconds_bucket{direction=\"chat_to_desk\",le=\"+Inf\"} 6");
    expect_line("deskbell_delivery_seconds_sum{direction=\"chat_to_desk\"} 100004.011");
    expect_line("deskbell_delivery_seconds_count{direction=\"chat_to_desk\"} 6");
    expect_line("deskbell_delivery_seconds_count{direction=\"desk_to_chat\"} 0");
    expect_line("deskbell_open_ticket_seconds_bucket{le=\"+Inf\"} 0");
    expect_line("deskbell_open_ticket_seconds_sum 0.000");
}

// As a scraper reads it, and as a reviewer would.
static void the_text_is_well_formed(void **state)
{
    (void)state;
    metrics_observe(HISTOGRAM_TO_DESK, 1234);
    metrics_observe(HISTOGRAM_TO_CHAT, 99999999);
    char *text = metrics_render();
    struct metrics_text *parsed = metrics_parse(text);
    assert_true(parsed->family_count > 30 && parsed->sample_count > 300);
    assert_true(metrics_has(parsed, "deskbell_build_info", "version", DESKBELL_VERSION));
    free(parsed);
    free(text);
}

static void calls_are_counted_by_upstream_and_answer(void **state)
{
    (void)state;
    static const struct {
        uint64_t status;
        bool sent;
        const char *answer;
    } rows[] = {{200, true, "ok"},     {201, true, "ok"},      {404, true, "not_found"}, {401, true, "auth"},
                {403, true, "auth"},   {429, true, "limited"}, {422, true, "refused"},   {500, true, "failed"},
                {503, true, "failed"}, {101, true, "failed"},  {0, true, "silent"},      {0, false, "unsent"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[120];
        metrics_reset();
        metrics_count_call(UPSTREAM_FRESHDESK, rows[i].status, rows[i].sent, 250);
        snprintf(line, sizeof line, "deskbell_calls_total{upstream=\"freshdesk\",answer=\"%s\"} 1", rows[i].answer);
        expect_line(line);
        assert_int_equal(metrics_observed(HISTOGRAM_CALL_FRESHDESK), rows[i].sent);
    }
    metrics_reset();
    metrics_count_call(UPSTREAM_NONE, 200, true, 1);
    metrics_count_call(77, 200, true, 1);
    expect_line("deskbell_calls_total{upstream=\"freshchat\",answer=\"ok\"} 0");
    metrics_count_late(METRICS_DESK_TO_CHAT, METRICS_STAGE_SETTLE);
    expect_line("deskbell_late_total{direction=\"desk_to_chat\",stage=\"settle\"} 1");
    metrics_set(GAUGE_CLOCK_FRESHCHAT, -1500);
    expect_line("deskbell_clock_ahead_seconds{upstream=\"freshchat\"} -1.500");
}

static void *count_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++) {
        metrics_count(METRIC_LEDGER_BATCHES);
        metrics_observe(HISTOGRAM_WEBHOOK, (uint64_t)i);
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_often, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metrics_get(METRIC_LEDGER_BATCHES), 40000);
    assert_int_equal(metrics_observed(HISTOGRAM_WEBHOOK), 40000);
}

static void expect_health(bool expected, size_t missing, const char *naming)
{
    bool ready = !expected;
    char *text = health_json(&ready);
    assert_int_equal(ready, expected);
    assert_int_equal(health_ready(), expected);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_int_equal(json_is_true(json_object_get(root, "ready")), expected);
    assert_int_equal(json_array_size(json_object_get(root, "missing")), missing);
    if (naming)
        assert_non_null(strstr(text, naming));
    json_decref(root);
    free(text);
}

static void readiness_names_what_is_missing(void **state)
{
    (void)state;
    expect_health(false, 2, "worker");
    health_set_committer(true);
    expect_health(false, 1, "no worker is ready");
    health_set_workers(1);
    expect_health(true, 0, NULL);
    health_set_draining(true);
    assert_true(health_draining());
    expect_health(false, 1, "leaving");
    health_set_draining(false);
    health_set_committer(false);
    expect_health(false, 1, "ledger");
    health_set_workers(0);
}

static void *publish_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2000; i++)
        status_publish(strdup(i % 2 ? "{\"a\":1}" : "{\"a\":2}"));
    return NULL;
}

static void the_latest_status_is_served_whole(void **state)
{
    (void)state;
    char *text = status_latest();
    assert_string_equal(text, "{}");
    free(text);
    status_publish(strdup("{\"lanes\":3}"));
    text = status_latest();
    assert_string_equal(text, "{\"lanes\":3}");
    free(text);
    status_publish(strdup("{\"a\":1}"));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, publish_often, NULL), 0);
    for (int i = 0; i < 2000; i++) {
        text = status_latest();
        assert_true(!strcmp(text, "{\"a\":1}") || !strcmp(text, "{\"a\":2}"));
        free(text);
    }
    pthread_join(thread, NULL);
    status_publish(NULL);
    text = status_latest();
    assert_string_equal(text, "{}");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(counters_and_gauges_are_rendered, fresh),
        cmocka_unit_test_setup(every_answer_of_each_source_has_a_row, fresh),
        cmocka_unit_test_setup(steps_are_counted_by_outcome_and_unknown_ones_as_other, fresh),
        cmocka_unit_test_setup(histograms_are_cumulative_and_in_seconds, fresh),
        cmocka_unit_test_setup(the_text_is_well_formed, fresh),
        cmocka_unit_test_setup(calls_are_counted_by_upstream_and_answer, fresh),
        cmocka_unit_test_setup(nothing_is_lost_between_threads, fresh),
        cmocka_unit_test(readiness_names_what_is_missing),
        cmocka_unit_test(the_latest_status_is_served_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
