// SPDX-License-Identifier: Apache-2.0
// Block list with a bump pointer. A request larger than a block gets a block of its own.
#include "proto/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BLOCK_BYTES = 4096 };

struct block {
    struct block *next;
    size_t size;
    size_t used;
    max_align_t data[];
};

struct arena {
    struct block *head; // the newest block; older ones follow
};

static struct block *block_new(size_t size, struct block *next)
{
    struct block *block = malloc(sizeof *block + size);
    if (!block)
        abort();
    block->next = next;
    block->size = size;
    block->used = 0;
    return block;
}

struct arena *arena_new(void)
{
    struct arena *self = malloc(sizeof *self);
    if (!self)
        abort();
    self->head = block_new(ARENA_BLOCK_BYTES, NULL);
    return self;
}

void arena_reset(struct arena *self)
{
    while (self->head->next) {
        struct block *old = self->head;
        self->head = old->next;
        free(old);
    }
    self->head->used = 0;
}

void arena_free(struct arena **self)
{
    if (!*self)
        return;
    arena_reset(*self);
    free((*self)->head);
    free(*self);
    *self = NULL;
}

void *arena_alloc(struct arena *self, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        abort();
    size_t need = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (self->head->size - self->head->used < need)
        self->head = block_new(need > ARENA_BLOCK_BYTES ? need : ARENA_BLOCK_BYTES, self->head);
    void *start = (char *)self->head->data + self->head->used;
    self->head->used += need;
    memset(start, 0, need);
    return start;
}

char *arena_copy(struct arena *self, const char *text, size_t bytes)
{
    char *copy = arena_alloc(self, bytes + 1);
    if (bytes)
        memcpy(copy, text, bytes);
    return copy;
}

char *arena_printf(struct arena *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        abort();
    char *text = arena_alloc(self, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
