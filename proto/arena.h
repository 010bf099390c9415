// SPDX-License-Identifier: Apache-2.0
// Memory that lives and dies together: everything decoded for one event, job or report. One owner, one thread at a
// time.
#ifndef PROTO_ARENA_H
#define PROTO_ARENA_H
#include <stddef.h>

struct arena;

/** Returns an empty arena; never NULL (memory exhaustion aborts the process, which its supervisor restarts). */
struct arena *arena_new(void);

/** Frees the arena with all that was taken from it and sets *self to NULL. */
void arena_free(struct arena **self);

/** Forgets everything taken from the arena but keeps its first block for use again. */
void arena_reset(struct arena *self);

/** Returns `bytes` zeroed bytes, aligned for any type. Freed with the arena only. */
void *arena_alloc(struct arena *self, size_t bytes);

/** Returns a NUL-terminated copy of `bytes` bytes of `text`. */
char *arena_copy(struct arena *self, const char *text, size_t bytes);

/** Returns a formatted, NUL-terminated string. */
char *arena_printf(struct arena *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
