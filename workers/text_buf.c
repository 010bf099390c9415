// SPDX-License-Identifier: Apache-2.0
// Growing text by doubling. The old copies stay in the arena until it is freed: at most as much again as the text.
#include "workers/text_buf.h"

#include <assert.h>
#include <string.h>

struct text_buf text_buf_new(struct arena *arena)
{
    struct text_buf self = {.arena = arena, .room = 128};
    self.data = arena_alloc(arena, self.room);
    return self;
}

void text_buf_add_bytes(struct text_buf *self, const char *bytes, size_t count)
{
    if (self->room - self->length <= count) {
        size_t room = (self->room + count) * 2;
        char *data = arena_alloc(self->arena, room);
        memcpy(data, self->data, self->length);
        self->data = data;
        self->room = room;
    }
    if (count)
        memcpy(self->data + self->length, bytes, count);
    self->length += count;
    self->data[self->length] = '\0';
}

void text_buf_add(struct text_buf *self, const char *text)
{
    text_buf_add_bytes(self, text, strlen(text));
}

void text_buf_add_point(struct text_buf *self, unsigned point)
{
    char bytes[4];
    size_t count = 0;
    if (point < 0x80) {
        bytes[count++] = (char)point;
    } else if (point < 0x800) {
        bytes[count++] = (char)(0xc0 | point >> 6);
        bytes[count++] = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        bytes[count++] = (char)(0xe0 | point >> 12);
        bytes[count++] = (char)(0x80 | (point >> 6 & 0x3f));
        bytes[count++] = (char)(0x80 | (point & 0x3f));
    } else {
        bytes[count++] = (char)(0xf0 | point >> 18);
        bytes[count++] = (char)(0x80 | (point >> 12 & 0x3f));
        bytes[count++] = (char)(0x80 | (point >> 6 & 0x3f));
        bytes[count++] = (char)(0x80 | (point & 0x3f));
    }
    text_buf_add_bytes(self, bytes, count);
}

void text_buf_cut(struct text_buf *self, size_t length)
{
    assert(length <= self->length);
    self->length = length;
    self->data[length] = '\0';
}
