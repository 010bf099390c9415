// SPDX-License-Identifier: Apache-2.0
// Reads the Prometheus text format strictly, and says what promtool's lint would: names, units, types, HELP before TYPE
// before samples, labels with few values, histograms that add up. A line that is not as it must be fails the test.
#ifndef TESTS_UNIT_METRICS_TEXT_H
#define TESTS_UNIT_METRICS_TEXT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    METRICS_TEXT_LABELS = 4,
    METRICS_TEXT_FAMILIES = 100,
    METRICS_TEXT_SAMPLES = 4000,
    METRICS_TEXT_MOST_ROWS = 400
};

struct metrics_sample {
    char name[80];
    char labels[METRICS_TEXT_LABELS][2][120]; // name, value
    size_t label_count;
    double value;
    size_t family;
};

struct metrics_text {
    struct {
        char name[80], type[12];
        size_t rows;
    } families[METRICS_TEXT_FAMILIES];
    size_t family_count;
    struct metrics_sample samples[METRICS_TEXT_SAMPLES];
    size_t sample_count;
};

static inline const char *metrics_word(const char *at, char *out, size_t size)
{
    size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (length == 0 || length >= size || (*at >= '0' && *at <= '9'))
        fail_msg("no name: %.80s", at);
    memcpy(out, at, length);
    out[length] = '\0';
    return at + length;
}

static inline bool metrics_ends(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);
    return length > tail && strcmp(name + length - tail, suffix) == 0;
}

// Labels that can have few values only.
static inline void metrics_lint_label(const char *name)
{
    static const char *const known[] = {"source", "status", "reason",   "frame", "flow", "result",  "direction",
                                        "stage",  "answer", "upstream", "step",  "le",   "outcome", "version"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], name) == 0)
            return;
    fail_msg("is the number of values of the label %s bounded?", name);
}

static inline void metrics_lint_family(const char *name, const char *type)
{
    static const char *const units[] = {"_ms",      "milliseconds", "minutes", "hours", "kilobytes", "_mb",
                                        "_percent", "_ratio_total", "_sec",    "_kb",   "_us"};
    bool counter = strcmp(type, "counter") == 0, histogram = strcmp(type, "histogram") == 0;
    if (!counter && !histogram && strcmp(type, "gauge") != 0)
        fail_msg("%s is of type %s", name, type);
    if (strncmp(name, "deskbell_", 9) != 0 || counter != metrics_ends(name, "_total"))
        fail_msg("%s %s: a counter ends with _total, nothing else does", type, name);
    if (histogram && !metrics_ends(name, "_seconds") && !metrics_ends(name, "_bytes"))
        fail_msg("the histogram %s has no base unit", name);
    if (metrics_ends(name, "_bucket") || metrics_ends(name, "_count") || metrics_ends(name, "_sum"))
        fail_msg("%s has a suffix that belongs to histograms", name);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (metrics_ends(name, units[i]))
            fail_msg("%s is not in a base unit", name);
}

static inline void metrics_read_sample(struct metrics_text *self, const char *line)
{
    struct metrics_sample *sample = &self->samples[self->sample_count++];
    assert_true(self->sample_count < METRICS_TEXT_SAMPLES && self->family_count > 0);
    *sample = (struct metrics_sample){.family = self->family_count - 1};
    const char *family = self->families[sample->family].name, *type = self->families[sample->family].type;
    const char *at = metrics_word(line, sample->name, sizeof sample->name);
    const char *suffix = sample->name + strlen(family);
    if (strncmp(sample->name, family, strlen(family)) != 0 ||
        (strcmp(type, "histogram") == 0
             ? strcmp(suffix, "_bucket") != 0 && strcmp(suffix, "_sum") != 0 && strcmp(suffix, "_count") != 0
             : *suffix != '\0'))
        fail_msg("%s stands among the samples of %s", sample->name, family);
    if (*at == '{') {
        for (at++;; at++) {
            assert_true(sample->label_count < METRICS_TEXT_LABELS);
            char(*label)[120] = sample->labels[sample->label_count++];
            at = metrics_word(at, label[0], sizeof label[0]);
            metrics_lint_label(label[0]);
            assert_true(at[0] == '=' && at[1] == '"');
            size_t length = 0;
            for (at += 2; *at != '"'; at++) {
                assert_true(*at && length + 1 < sizeof label[1]);
                if (*at == '\\' && *++at != '\\' && *at != '"' && *at != 'n')
                    fail_msg("an escape that is none: %s", line);
                label[1][length++] = *at;
            }
            if (*++at == '}')
                break;
            assert_int_equal(*at, ',');
        }
        at++;
    }
    assert_int_equal(*at, ' ');
    char *end = NULL;
    if (strspn(at + 1, "0123456789.-+eE") != strlen(at + 1)) // no time stamp, no inf, no hexadecimal
        fail_msg("not a number: %s", line);
    sample->value = strtod(at + 1, &end);
    assert_true(end > at + 1 && *end == '\0');
    if (strcmp(type, "gauge") != 0 && sample->value < 0)
        fail_msg("below 0: %s", line);
    for (size_t i = 0; i + 1 < self->sample_count; i++) {
        const struct metrics_sample *other = &self->samples[i];
        if (strcmp(other->name, sample->name) == 0 && memcmp(other->labels, sample->labels, sizeof sample->labels) == 0)
            fail_msg("twice: %s", line);
    }
    if (++self->families[sample->family].rows > METRICS_TEXT_MOST_ROWS)
        fail_msg("%s has too many rows", family);
}

// Buckets go up, in number and bound; the last is +Inf and as large as the count that follows the sum.
static inline void metrics_check_histograms(const struct metrics_text *self)
{
    double last = 0, bound = -1;
    for (size_t i = 0; i < self->sample_count; i++) {
        const struct metrics_sample *sample = &self->samples[i];
        if (strcmp(self->families[sample->family].type, "histogram") != 0)
            continue;
        if (metrics_ends(sample->name, "_bucket")) {
            const char *const *le = (const char *const[]){sample->labels[sample->label_count - 1][1]};
            bool infinite = strcmp(*le, "+Inf") == 0;
            assert_string_equal(sample->labels[sample->label_count - 1][0], "le");
            assert_true(sample->value >= last && (infinite || strtod(*le, NULL) > bound));
            last = sample->value;
            bound = infinite ? 1e300 : strtod(*le, NULL);
        } else if (metrics_ends(sample->name, "_count")) {
            assert_true(sample->value == last && bound > 1e299);
            last = 0;
            bound = -1;
        }
    }
}

// Reads the whole text; free() what it returns.
static inline struct metrics_text *metrics_parse(const char *text)
{
    struct metrics_text *self = calloc(1, sizeof *self);
    char *copy = strdup(text), *save = NULL;
    assert_true(self && copy && *text && text[strlen(text) - 1] == '\n' && !strstr(text, "\n\n"));
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (*line != '#') {
            metrics_read_sample(self, line);
            continue;
        }
        char name[80], again[80];
        assert_memory_equal(line, "# HELP ", 7);
        const char *help = metrics_word(line + 7, name, sizeof name);
        if (*help != ' ' || strlen(help) < 10 || help[strlen(help) - 1] != '.')
            fail_msg("no sentence: %s", line);
        for (size_t i = 0; i < self->family_count; i++)
            if (strcmp(self->families[i].name, name) == 0)
                fail_msg("%s begins twice", name);
        line = strtok_r(NULL, "\n", &save);
        assert_true(line && strncmp(line, "# TYPE ", 7) == 0);
        const char *type = metrics_word(line + 7, again, sizeof again);
        assert_string_equal(again, name);
        assert_int_equal(*type, ' ');
        assert_true(self->family_count < METRICS_TEXT_FAMILIES && strlen(type + 1) < 12);
        strcpy(self->families[self->family_count].name, name);
        strcpy(self->families[self->family_count++].type, type + 1);
        metrics_lint_family(name, type + 1);
    }
    free(copy);
    for (size_t i = 0; i < self->family_count; i++)
        if (self->families[i].rows == 0)
            fail_msg("%s has no sample", self->families[i].name);
    metrics_check_histograms(self);
    return self;
}

// Whether there is such a sample; with a label, whether it has that label, and with a value, that value.
static inline bool metrics_has(const struct metrics_text *self, const char *name, const char *label, const char *value)
{
    for (size_t i = 0; i < self->sample_count; i++) {
        const struct metrics_sample *sample = &self->samples[i];
        if (strcmp(sample->name, name) != 0)
            continue;
        if (!label)
            return true;
        for (size_t j = 0; j < sample->label_count; j++)
            if (strcmp(sample->labels[j][0], label) == 0 && (!value || strcmp(sample->labels[j][1], value) == 0))
                return true;
    }
    return false;
}
#endif
