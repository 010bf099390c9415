// SPDX-License-Identifier: Apache-2.0
// The dashboard and the alert rules ask for what there is: every metric, label and label value in their queries is in
// what /metrics shows, and everything else in them is known PromQL.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/admin/metrics.h"
#include "tests/unit/metrics_text.h"

static struct metrics_text *shown;

static int render(void **state)
{
    (void)state;
    char *text = metrics_render();
    shown = metrics_parse(text);
    free(text);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    free(shown);
    return 0;
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

static bool is_promql(const char *word)
{
    static const char *const known[] = {"sum",         "min", "max", "by", "rate",   "increase", "histogram_quantile",
                                        "absent",      "abs", "and", "on", "unless", "hour",     "day_of_week",
                                        "label_values"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], word) == 0)
            return true;
    return false;
}

// Labels that Prometheus itself adds.
static bool is_scraped(const char *label)
{
    return strcmp(label, "instance") == 0 || strcmp(label, "job") == 0;
}

static bool any_has_label(const char *label)
{
    for (size_t i = 0; i < shown->sample_count; i++)
        if (metrics_has(shown, shown->samples[i].name, label, NULL))
            return true;
    return false;
}

// {label="value", label=~"one|two"} behind that metric. Returns what follows it.
static const char *check_matchers(const char *metric, const char *at, const char *query)
{
    while (*at != '}') {
        char label[80], value[120];
        at += strspn(at, "{, ");
        at = metrics_word(at, label, sizeof label);
        bool regex = strncmp(at, "=~\"", 3) == 0;
        if (!regex && strncmp(at, "=\"", 2) != 0)
            fail_msg("an operator that this test does not know: %s", query);
        at += regex ? 3 : 2;
        size_t length = strcspn(at, "\"");
        assert_true(length < sizeof value && at[length] == '"');
        memcpy(value, at, length);
        value[length] = '\0';
        at += length + 1;
        if (is_scraped(label))
            continue;
        char *save = NULL;
        for (char *one = strtok_r(value, "|", &save); one; one = strtok_r(NULL, "|", &save))
            if (!metrics_has(shown, metric, label, one))
                fail_msg("%s has no %s=\"%s\": %s", metric, label, one, query);
    }
    return at + 1;
}

static size_t check_query(const char *query)
{
    size_t metrics = 0;
    int depth = 0;
    bool in_range = false;
    for (const char *at = query; *at;) {
        size_t length = strspn(at, letters);
        if (length == 0 || (*at >= '0' && *at <= '9') || in_range) {
            depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
            in_range = *at == '[' || (in_range && *at != ']');
            if (depth < 0 || !strchr("()[]{}=<>!~+-*/. ,\"$_0123456789abcdefghijklmnopqrstuvwxyz", *at))
                fail_msg("not PromQL at '%s': %s", at, query);
            at++;
            if (length > 0 && !in_range)
                at += strspn(at, "0123456789.");
            continue;
        }
        char word[120];
        assert_true(length < sizeof word);
        memcpy(word, at, length);
        word[length] = '\0';
        at += length;
        if (strncmp(word, "deskbell_", 9) == 0) {
            metrics++;
            if (!metrics_has(shown, word, NULL, NULL))
                fail_msg("there is no metric %s: %s", word, query);
            if (*at == '{')
                at = check_matchers(word, at, query);
        } else if (!is_promql(word) && !is_scraped(word) && !any_has_label(word)) {
            fail_msg("'%s' is no metric, no label and no function: %s", word, query);
        }
    }
    assert_int_equal(depth, 0);
    assert_false(in_range);
    if (metrics == 0)
        fail_msg("no metric of Deskbell: %s", query);
    return metrics;
}

static char *read_whole(const char *path)
{
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    size_t size = fread(text, 1, (1 << 20) - 1, in);
    assert_true(size > 1000 && feof(in));
    fclose(in);
    return text;
}

static void the_dashboard_asks_for_what_there_is(void **state)
{
    (void)state;
    json_error_t error;
    json_t *board =
        json_load_file(SOURCE_DIR "/packaging/monitoring/deskbell-dashboard.json", JSON_REJECT_DUPLICATES, &error);
    if (!board)
        fail_msg("line %d: %s", error.line, error.text);
    size_t queries = 0, i, j;
    json_t *panel, *target, *variable;
    json_int_t ids[200] = {0};
    json_array_foreach(json_object_get(board, "panels"), i, panel)
    {
        json_int_t id = json_integer_value(json_object_get(panel, "id"));
        assert_true(id > 0 && i < 200 && json_string_length(json_object_get(panel, "title")) > 0);
        for (size_t k = 0; k < i; k++)
            assert_true(ids[k] != id);
        ids[i] = id;
        const json_t *place = json_object_get(panel, "gridPos");
        assert_true(json_integer_value(json_object_get(place, "x")) + json_integer_value(json_object_get(place, "w")) <=
                    24);
        bool is_row = strcmp(json_string_value(json_object_get(panel, "type")), "row") == 0;
        assert_int_equal(json_array_size(json_object_get(panel, "targets")) == 0, is_row);
        json_array_foreach(json_object_get(panel, "targets"), j, target)
        {
            check_query(json_string_value(json_object_get(target, "expr")));
            queries++;
        }
    }
    json_array_foreach(json_object_get(json_object_get(board, "templating"), "list"), i,
                       variable) if (strcmp(json_string_value(json_object_get(variable, "type")), "query") == 0)
        check_query(json_string_value(json_object_get(variable, "query")));
    assert_true(queries > 30);
    json_decref(board);
}

// The file is YAML of one shape: each rule begins with "- alert:", each query is one line.
static void the_alerts_ask_for_what_there_is(void **state)
{
    (void)state;
    static const char *const wanted[] = {"DeskbellNoWebhook", "DeskbellMissing",   "DeskbellDeadLetters",
                                         "DeskbellGateShut",  "DeskbellDiskFloor", "DeskbellNotReady",
                                         "DeskbellSlow"};
    char *text = read_whole(SOURCE_DIR "/packaging/monitoring/deskbell-alerts.yml");
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        char line[80];
        snprintf(line, sizeof line, "- alert: %s\n", wanted[i]);
        assert_non_null(strstr(text, line));
    }
    assert_null(strchr(text, '\t'));
    size_t alerts = 0, queries = 0, severities = 0, summaries = 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const char *at = line + strspn(line, " ");
        alerts += strncmp(at, "- alert: ", 9) == 0;
        severities += strncmp(at, "labels: {severity: ", 19) == 0;
        summaries += strncmp(at, "summary: ", 9) == 0;
        if (strncmp(at, "expr: ", 6) != 0)
            continue;
        check_query(at + 6);
        queries++;
        assert_int_equal(queries, alerts);
    }
    assert_true(alerts > 15 && severities == alerts && summaries == alerts);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dashboard_asks_for_what_there_is),
        cmocka_unit_test(the_alerts_ask_for_what_there_is),
    };
    return cmocka_run_group_tests(tests, render, forget);
}
