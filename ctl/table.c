// SPDX-License-Identifier: Apache-2.0
// Tables on a terminal.
#include "ctl/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/words.h"

struct table {
    const char *const *heads;
    size_t columns;
    char **cells;
    size_t count;
};

struct table *table_new(const char *const *heads)
{
    struct table *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->heads = heads;
    while (heads[self->columns])
        self->columns++;
    return self;
}

void table_add(struct table *self, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    char **cells = realloc(self->cells, (self->count + 1) * sizeof *cells);
    if (length < 0 || !cells)
        abort();
    words_clean(text);
    self->cells = cells;
    self->cells[self->count++] = text;
}

// Characters, not bytes. What is wider than one column on a terminal only bends its row.
static size_t width(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += (*text & 0xc0) != 0x80;
    return count;
}

static const char *head(const struct table *self, size_t column)
{
    return self->heads[column] + (self->heads[column][0] == '>');
}

static void print_cell(const struct table *self, size_t column, const char *text, size_t wide, FILE *out)
{
    int pad = (int)(wide - width(text));
    if (self->heads[column][0] == '>')
        fprintf(out, "%*s%s", pad, "", text);
    else if (column + 1 == self->columns)
        fputs(text, out);
    else
        fprintf(out, "%s%*s", text, pad, "");
    fputs(column + 1 == self->columns ? "\n" : "  ", out);
}

void table_print(struct table **self, FILE *out)
{
    struct table *table = *self;
    size_t *wide = calloc(table->columns + 1, sizeof *wide);
    if (!wide)
        abort();
    for (size_t i = 0; i < table->columns; i++)
        wide[i] = width(head(table, i));
    for (size_t i = 0; i < table->count; i++)
        if (width(table->cells[i]) > wide[i % table->columns])
            wide[i % table->columns] = width(table->cells[i]);
    for (size_t i = 0; table->count && i < table->columns; i++)
        print_cell(table, i, head(table, i), wide[i], out);
    for (size_t i = 0; i < table->count; i++) {
        print_cell(table, i % table->columns, table->cells[i], wide[i % table->columns], out);
        free(table->cells[i]);
    }
    free(table->cells);
    free(wide);
    free(table);
    *self = NULL;
}
