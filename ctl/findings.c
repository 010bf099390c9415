// SPDX-License-Identifier: Apache-2.0
// The list of findings and how it is shown.
#include "ctl/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/words.h"

enum { CHECK_WIDTH = 18 };

static const char *const verdict_names[] = {
    [VERDICT_OK] = "ok", [VERDICT_UNKNOWN] = "unknown", [VERDICT_WARN] = "warn", [VERDICT_FAIL] = "FAIL"};

struct findings *findings_new(void)
{
    struct findings *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    return self;
}

void findings_free(struct findings **self)
{
    if (!*self)
        return;
    for (size_t i = 0; i < (*self)->count; i++) {
        free((*self)->items[i].text);
        free((*self)->items[i].remedy);
    }
    free((*self)->items);
    free(*self);
    *self = NULL;
}

static char *copy(const char *text)
{
    char *own = strdup(text ? text : "");
    if (!own)
        abort();
    words_clean(own);
    return own;
}

void findings_add(struct findings *self, enum verdict verdict, const char *check, const char *remedy,
                  const char *format, ...)
{
    char text[FINDINGS_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct finding *items = realloc(self->items, (self->count + 1) * sizeof *items);
    if (!items)
        abort();
    self->items = items;
    items[self->count++] = (struct finding){check, verdict, copy(text), copy(remedy)};
}

void findings_remedy(struct findings *self, const char *format, ...)
{
    char text[FINDINGS_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct finding *last = &self->items[self->count - 1];
    free(last->remedy);
    last->remedy = copy(text);
}

enum verdict findings_worst(const struct findings *self, const char *check)
{
    enum verdict worst = VERDICT_OK;
    for (size_t i = 0; i < self->count; i++)
        if ((!check || strcmp(self->items[i].check, check) == 0) && self->items[i].verdict > worst)
            worst = self->items[i].verdict;
    return worst;
}

void findings_print(const struct findings *self)
{
    size_t counts[VERDICT_FAIL + 1] = {0};
    for (size_t i = 0; i < self->count; i++) {
        const struct finding *f = &self->items[i];
        counts[f->verdict]++;
        printf("%-8s %-*s %s\n", verdict_names[f->verdict], CHECK_WIDTH, f->check, f->text);
        if (*f->remedy)
            printf("%-8s %-*s -> %s\n", "", CHECK_WIDTH, "", f->remedy);
    }
    printf("\n%zu ok, %zu not known, %zu to look at, %zu failed\n", counts[VERDICT_OK], counts[VERDICT_UNKNOWN],
           counts[VERDICT_WARN], counts[VERDICT_FAIL]);
}

json_t *findings_json(const struct findings *self)
{
    static const char *const names[] = {
        [VERDICT_OK] = "ok", [VERDICT_UNKNOWN] = "unknown", [VERDICT_WARN] = "warn", [VERDICT_FAIL] = "fail"};
    json_t *list = json_array();
    for (size_t i = 0; i < self->count; i++) {
        const struct finding *f = &self->items[i];
        // A path in a sentence may be no UTF-8; jansson then makes no string of it.
        json_t *row = json_pack("{s:s, s:s, s:s*, s:s*}", "check", f->check, "verdict", names[f->verdict], "text",
                                f->text, "remedy", f->remedy);
        json_array_append_new(list, row ? row
                                        : json_pack("{s:s, s:s, s:s, s:s}", "check", f->check, "verdict",
                                                    names[f->verdict], "text", "", "remedy", ""));
    }
    return json_pack("{s:b, s:o}", "ok", (int)(findings_exit(self) == EXIT_DONE), "checks", list);
}

enum exit_code findings_exit(const struct findings *self)
{
    return findings_worst(self, NULL) == VERDICT_FAIL ? EXIT_REFUSED : EXIT_DONE;
}
