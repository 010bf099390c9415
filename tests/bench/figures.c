// SPDX-License-Identifier: Apache-2.0
// Numbers and the table they are printed in.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void figure_add(struct figure *self, double value)
{
    assert(self->count < BENCH_ROUNDS);
    self->values[self->count++] = value;
}

static struct figure sorted(const struct figure *self)
{
    struct figure copy = *self;
    qsort(copy.values, copy.count, sizeof *copy.values, by_value);
    return copy;
}

double figure_median(const struct figure *self)
{
    assert(self->count > 0);
    return sorted(self).values[self->count / 2];
}

// As many digits as mean something.
static const char *number(double value, char text[32])
{
    snprintf(text, 32, value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value);
    return text;
}

void figure_print(const struct figure *self)
{
    struct figure all = sorted(self);
    char median[32], least[32] = "", most[32] = "";
    if (all.count > 1) {
        number(all.values[0], least);
        number(all.values[all.count - 1], most);
    }
    printf("%-62s %10s %10s %10s  %s\n", self->name, number(figure_median(self), median), least, most, self->unit);
    fflush(stdout);
}

void figure_print_ratio(const char *name, const struct figure *over, const struct figure *under)
{
    assert(over->count == under->count);
    struct figure ratio = {.name = name, .unit = "ratio"};
    for (size_t i = 0; i < over->count; i++)
        figure_add(&ratio, over->values[i] / under->values[i]);
    figure_print(&ratio);
}

void figure_heading(const char *text)
{
    printf("\n%-62s %10s %10s %10s  %s\n", text, "median", "least", "most", "unit");
    fflush(stdout);
}

void times_init(struct times *self, size_t room)
{
    *self = (struct times){.us = calloc(room, sizeof *self->us), .room = room};
    if (!self->us)
        bench_fail("no memory");
}

void times_free(struct times *self)
{
    free(self->us);
    *self = (struct times){0};
}

void times_add(struct times *self, double us)
{
    if (self->count < self->room)
        self->us[self->count++] = us;
}

void times_append(struct times *self, const struct times *more)
{
    size_t count = more->count < self->room - self->count ? more->count : self->room - self->count;
    if (count == 0)
        return;
    memcpy(self->us + self->count, more->us, count * sizeof *self->us);
    self->count += count;
}

double times_at(struct times *self, double part)
{
    if (self->count == 0)
        return 0;
    qsort(self->us, self->count, sizeof *self->us, by_value);
    size_t at = (size_t)((double)self->count * part);
    return self->us[at < self->count ? at : self->count - 1];
}
