// SPDX-License-Identifier: Apache-2.0
// Members of JSON from upstreams, read without trust: whatever is missing or of another type reads as empty, and texts
// are cleaned and cut to a record's bound before anyone sees them. And the making of request bodies.
#ifndef WORKERS_FIELDS_H
#define WORKERS_FIELDS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/arena.h"

/** Whether the value is a JSON object; NULL is none. */
bool fields_is_object(const json_t *value);

/** A positive id, given as a number or as text of digits; 0 otherwise. */
uint64_t fields_id(const json_t *object, const char *name);

/** The id as text for records; "" otherwise. Takes UUIDs as well; too long ones read as "". */
const char *fields_id_text(struct arena *arena, const json_t *object, const char *name);

/** Text on one line, at most `max_bytes`; numbers as they are written, "" for anything else. */
const char *fields_line(struct arena *arena, const json_t *object, const char *name, size_t max_bytes);

/** Text as it is, borrowed from `object`; "" when there is none. */
const char *fields_raw(const json_t *object, const char *name);

/** A boolean; false when missing. */
bool fields_flag(const json_t *object, const char *name);

/** A time as ISO text, in ms since 1970; 0 when missing or malformed. */
uint64_t fields_time(const json_t *object, const char *name);

/** The value of a scalar as text: text as it is, numbers in plain digits, true and false; "" for anything else. */
const char *fields_scalar(struct arena *arena, const json_t *value);

/** The list under `name` in an object, or the value itself when it is a list; NULL otherwise. Borrowed. */
const json_t *fields_list(const json_t *value, const char *name);

/** Puts text into an object under construction; invalid text is made valid first. */
void fields_put(json_t *object, const char *name, const char *text);
void fields_put_id(json_t *object, const char *name, uint64_t id);

/** Writes the object as JSON into the arena and releases it. */
const char *fields_body(struct arena *arena, json_t *object);
#endif
