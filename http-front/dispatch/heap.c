// SPDX-License-Identifier: Apache-2.0
// An array of node pointers, places counted from 1: the children of i are 2i and 2i + 1, and no node comes out before
// its parent. Used by the dispatcher's thread.
#include "http-front/dispatch/heap.h"

#include <assert.h>
#include <stdlib.h>

struct heap {
    struct heap_node **nodes; // [0] is never used
    size_t size;
    size_t room; // places, without [0]
    heap_compare_fn *compare;
};

struct heap *heap_new(heap_compare_fn *compare)
{
    struct heap *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->compare = compare;
    return self;
}

void heap_free(struct heap **self)
{
    if (!*self)
        return;
    for (size_t i = 1; i <= (*self)->size; i++)
        (*self)->nodes[i]->place = 0;
    free((*self)->nodes);
    free(*self);
    *self = NULL;
}

size_t heap_size(const struct heap *self)
{
    return self->size;
}

bool heap_holds(const struct heap_node *node)
{
    return node->place != 0;
}

struct heap_node *heap_top(const struct heap *self)
{
    return self->size > 0 ? self->nodes[1] : NULL;
}

static void set(struct heap *self, size_t place, struct heap_node *node)
{
    self->nodes[place] = node;
    node->place = place;
}

// Moves the node at `place` towards the top, and then away from it, as far as its rank asks; one of both does nothing.
static void settle(struct heap *self, size_t place)
{
    struct heap_node *node = self->nodes[place];
    for (; place > 1 && self->compare(node, self->nodes[place / 2]) < 0; place /= 2)
        set(self, place, self->nodes[place / 2]);
    for (size_t child = 2 * place; child <= self->size; child = 2 * place) {
        if (child < self->size && self->compare(self->nodes[child + 1], self->nodes[child]) < 0)
            child++;
        if (self->compare(node, self->nodes[child]) <= 0)
            break;
        set(self, place, self->nodes[child]);
        place = child;
    }
    set(self, place, node);
}

void heap_push(struct heap *self, struct heap_node *node)
{
    assert(!heap_holds(node));
    if (self->size == self->room) {
        size_t room = self->room ? 2 * self->room : 64;
        struct heap_node **nodes = realloc(self->nodes, (room + 1) * sizeof *nodes);
        if (!nodes)
            abort();
        self->nodes = nodes;
        self->room = room;
    }
    set(self, ++self->size, node);
    settle(self, self->size);
}

void heap_remove(struct heap *self, struct heap_node *node)
{
    size_t place = node->place;
    if (place == 0 || place > self->size || self->nodes[place] != node)
        abort(); // of another heap, or of none
    struct heap_node *last = self->nodes[self->size--];
    node->place = 0;
    if (last == node)
        return;
    set(self, place, last);
    settle(self, place);
}

struct heap_node *heap_pop(struct heap *self)
{
    struct heap_node *top = heap_top(self);
    if (top)
        heap_remove(self, top);
    return top;
}

void heap_update(struct heap *self, struct heap_node *node)
{
    if (node->place == 0 || node->place > self->size || self->nodes[node->place] != node)
        abort();
    settle(self, node->place);
}
