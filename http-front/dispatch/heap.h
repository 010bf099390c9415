// SPDX-License-Identifier: Apache-2.0
// A binary heap of elements that carry their own place in it, so that any of them can be moved or taken out. None of
// the libraries at hand has one: CZMQ's lists sort as a whole. Single-threaded; owns no element.
#ifndef HTTP_FRONT_DISPATCH_HEAP_H
#define HTTP_FRONT_DISPATCH_HEAP_H
#include <stdbool.h>
#include <stddef.h>

// Embedded in the element; zeroed means "in no heap". Only heap.c touches it.
struct heap_node {
    size_t place; // 1 is the top
};

// From the embedded node back to its element: heap_element(node, struct job, node).
#define heap_element(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/** Less than 0 when `a` comes out before `b`. Elements that are equal come out in any order. */
typedef int heap_compare_fn(const struct heap_node *a, const struct heap_node *b);

struct heap;
struct heap *heap_new(heap_compare_fn *compare);
/** The elements are set free (their nodes zeroed), not freed. */
void heap_free(struct heap **self);

size_t heap_size(const struct heap *self);
/** True while the node is in a heap. */
bool heap_holds(const struct heap_node *node);
/** The first element without taking it; NULL when empty. */
struct heap_node *heap_top(const struct heap *self);

/** The node must be in no heap. */
void heap_push(struct heap *self, struct heap_node *node);
/** Takes the first out; NULL when empty. */
struct heap_node *heap_pop(struct heap *self);
/** Takes any out; the node must be in this heap. */
void heap_remove(struct heap *self, struct heap_node *node);
/** To be called after what the element is compared by has changed; the node must be in this heap. */
void heap_update(struct heap *self, struct heap_node *node);
#endif
