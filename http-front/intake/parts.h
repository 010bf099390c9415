// SPDX-License-Identifier: Apache-2.0
// The parts of a Freshchat message (freshworks-api 1.6), flattened into a bounded list of struct part, in order.
#ifndef HTTP_FRONT_INTAKE_PARTS_H
#define HTTP_FRONT_INTAKE_PARTS_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/arena.h"
#include "proto/records.h"

// The bound of event.parts in records_table.h.
#define PARTS_MAX 128

struct parts {
    struct part *items; // in the arena
    size_t count;
    size_t left_out; // beyond the bound
};

/** An empty list. */
struct parts parts_new(struct arena *arena);
/** Adds the elements of a message_parts or reply_parts array (NULL: none). False when it is there but no array. */
bool parts_add(struct parts *self, const json_t *array, struct arena *arena) __attribute__((warn_unused_result));
/** The same for payload version 1: msg_parts with part_type and properties. */
bool parts_add_version_1(struct parts *self, const json_t *array, struct arena *arena)
    __attribute__((warn_unused_result));
/** Call once after adding: where parts were left out, the last one is replaced by one that says so. */
void parts_finish(struct parts *self, struct arena *arena);
/** Masks card numbers (mask.h) in everything the parts hold. Call once after parts_finish. */
void parts_mask_cards(struct parts *self, struct arena *arena);
/** True when nobody could read anything in it: no part, or only text of white space and what takes no room. */
bool parts_blank(const struct parts *self);
/** True when all there is to read is one full stop: what bots and greetings send to fill a message. */
bool parts_full_stop(const struct parts *self);
#endif
