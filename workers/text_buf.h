// SPDX-License-Identifier: Apache-2.0
// A text that grows, in an arena. One thread.
#ifndef WORKERS_TEXT_BUF_H
#define WORKERS_TEXT_BUF_H
#include <stddef.h>

#include "proto/arena.h"

struct text_buf {
    struct arena *arena;
    char *data; // always NUL-terminated
    size_t length;
    size_t room;
};

/** An empty text; what it holds lives as long as the arena. */
struct text_buf text_buf_new(struct arena *arena);

/** Appends `bytes` bytes, or a NUL-terminated text, or one code point as UTF-8. */
void text_buf_add_bytes(struct text_buf *self, const char *bytes, size_t count);
void text_buf_add(struct text_buf *self, const char *text);
void text_buf_add_point(struct text_buf *self, unsigned point);

/** Shortens to `length` bytes, which must not be more than there are. */
void text_buf_cut(struct text_buf *self, size_t length);
#endif
