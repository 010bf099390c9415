// SPDX-License-Identifier: Apache-2.0
// What makes a cart more than a browser's word: the shop's server signs it, and the page hands the signature on
// (docs/widget.md, "A cart that is signed"). Pure functions but for the key, which is kept here and wiped when freed.
#ifndef WORKERS_PROOF_H
#define WORKERS_PROOF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/config.h"

enum { PROOF_LEAST_KEY_BYTES = 16 };

struct proof_key;

/**
 * Reads the key of widget.context_key_file: one line of at least PROOF_LEAST_KEY_BYTES bytes. True with *out NULL when
 * none is configured; false with one sentence in `why`, which names the file and never its contents. Freed by
 * proof_key_free.
 */
bool proof_key_read(const struct config *config, struct proof_key **out, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/** The same of a text, for tests. */
struct proof_key *proof_key_new(const char *text);

/** Wipes and frees; *self becomes NULL. NULL inside is fine. */
void proof_key_free(struct proof_key **self);

enum proof_verdict {
    PROOF_GOOD,
    PROOF_OVER,  // rightly signed, but its time is over
    PROOF_WRONG, // none, malformed, or signed with another key or for other values
};

/**
 * Judges "1.EXPIRES.HEX" over the properties' texts exactly as they were said: HEX is the HMAC-SHA256, in lower-case
 * hex, of "deskbell-cart-1\n" EXPIRES "\n" value "\n" currency "\n" url; a missing property counts as "". `now_ms`: 0
 * when nobody can tell the time, then nothing is over. Takes the same time wherever a wrong signature differs.
 */
enum proof_verdict proof_judge(const struct proof_key *key, struct arena *arena, const char *proof, const char *value,
                               const char *currency, const char *url, uint64_t now_ms);
#endif
