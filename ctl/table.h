// SPDX-License-Identifier: Apache-2.0
// A table for a terminal: columns as wide as their widest cell. Cells are copied and cleaned of what would steer a
// terminal.
#ifndef CTL_TABLE_H
#define CTL_TABLE_H
#include <stdio.h>

struct table;

/** A table with these column heads (NULL-terminated); one that begins with '>' is for numbers, to the right. */
struct table *table_new(const char *const *heads);
/** Adds the next cell; rows fill from left to right. */
void table_add(struct table *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Prints heads and rows, nothing when there is no row, and frees the table. */
void table_print(struct table **self, FILE *out);
#endif
