// SPDX-License-Identifier: Apache-2.0
// Reading other people's JSON safely: bounded depth, no duplicate keys, text that always fits its field. For the
// normalisers only; pure functions, any thread. The library is jansson.
#ifndef HTTP_FRONT_INTAKE_PAYLOAD_H
#define HTTP_FRONT_INTAKE_PAYLOAD_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/arena.h"

// Deeper nesting is refused before anything is parsed. A message with a carousel needs about 12.
#define PAYLOAD_MAX_DEPTH 64

/**
 * Parses a body. NULL when it is not JSON, nests too deep or names a key twice in one object. Half a surrogate pair
 * (text that the sender cut inside an emoji) and bytes that are not UTF-8 become U+FFFD instead of costing the message.
 * The caller drops it with json_decref.
 */
json_t *payload_parse(const void *body, size_t size) __attribute__((warn_unused_result));

/** object[key], or NULL when `object` is no object, or the key is absent or null. Borrowed. */
const json_t *payload_get(const json_t *object, const char *key);

/**
 * object[key] as text in the arena: at most `max` bytes, cut at a whole character, NUL characters left out. "" when
 * absent or not text.
 */
const char *payload_text(const json_t *object, const char *key, size_t max, struct arena *arena);

enum payload_id { PAYLOAD_ABSENT, PAYLOAD_FOUND, PAYLOAD_WRONG };
/**
 * object[key] as an identifier in *out (arena): text of 1 to `max` bytes without control characters, or a positive
 * integer as its digits. An empty text counts as absent. PAYLOAD_WRONG for another type or too long; *out is "" then,
 * as when absent: who can do without the identifier need not look at the result.
 */
enum payload_id payload_id(const json_t *object, const char *key, size_t max, struct arena *arena, const char **out);

/** The largest size <= max that does not cut `text` inside a UTF-8 character. */
size_t payload_clamp(const char *text, size_t size, size_t max);

/** True for JSON true and for the text "true". */
bool payload_true(const json_t *object, const char *key);
#endif
