// SPDX-License-Identifier: Apache-2.0
// The API keys, as the Authorization header each upstream wants. Read once at start from the files that the
// configuration names, kept nowhere else, never logged, wiped when freed.
#ifndef UPSTREAM_KEYS_H
#define UPSTREAM_KEYS_H
#include <stddef.h>

#include "proto/config.h"
#include "proto/steps.h"

struct keys {
    char *authorization[UPSTREAMS]; // the whole header line, "Authorization: Bearer ..."; NULL: no key
};

/** Reads the key files. NULL with one sentence in `why` (names the file, never its contents). Freed by keys_free. */
struct keys *keys_read(const struct config *config, char *why, size_t why_size) __attribute__((warn_unused_result));

/** The same from texts, for tests: NULL leaves an upstream without a key. NULL when a text holds a line end. */
struct keys *keys_new(const char *freshchat_token, const char *freshdesk_key, const char *freshcaller_key)
    __attribute__((warn_unused_result));

/** Wipes and frees; *self becomes NULL. NULL inside is fine. */
void keys_free(struct keys **self);
#endif
