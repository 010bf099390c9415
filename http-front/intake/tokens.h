// SPDX-License-Identifier: Apache-2.0
// The shared secrets that a Freshdesk automation webhook carries, in X-Deskbell-Token or as the password of HTTP Basic.
// Several may be loaded while one is rotated. Only their SHA-256 is kept and compared, all of them each time, in
// constant time, so that neither content nor length nor position of a token leaks. Loaded once; checking is safe from
// any thread.
#ifndef HTTP_FRONT_INTAKE_TOKENS_H
#define HTTP_FRONT_INTAKE_TOKENS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tokens_result {
    TOKENS_RIGHT,
    TOKENS_MISSING, // neither header was there, or it was empty
    TOKENS_WRONG,   // no known token, or an Authorization header that cannot be read
};

struct tokens;

/** Returns an empty set, which accepts nothing. Freed by tokens_free. */
struct tokens *tokens_new(void);
/** Frees the set and sets *self to NULL; a NULL *self is fine. */
void tokens_free(struct tokens **self);

/** Adds a token of `size` bytes (kept only as a hash); `name` is kept for status. False for an empty one. Not thread
 * safe. */
bool tokens_add(struct tokens *self, const char *name, const char *text, size_t size)
    __attribute__((warn_unused_result));

/** How many there are, the name of one, and the wall time (ms) when it was last seen, 0 for never. */
size_t tokens_count(const struct tokens *self);
const char *tokens_name(const struct tokens *self, size_t index);
int64_t tokens_last_used_ms(const struct tokens *self, size_t index);

/**
 * Checks what a request brought: the values of X-Deskbell-Token and Authorization, NULL where there was none. When
 * both are there, the first alone decides. Any thread.
 */
enum tokens_result tokens_check(struct tokens *self, const char *header, const char *authorization, int64_t now_ms)
    __attribute__((warn_unused_result));
#endif
