// SPDX-License-Identifier: Apache-2.0
// Freshchat's webhook signature: RSASSA-PKCS1-v1_5 with SHA-256 over the raw body, base64 in X-Freshchat-Signature.
// Several keys may be loaded while one is rotated. Keys are loaded once, before threads run; verifying is safe from any
// thread.
#ifndef HTTP_FRONT_INTAKE_SIGNATURE_H
#define HTTP_FRONT_INTAKE_SIGNATURE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "upstream/public_key.h"

enum signature_result {
    SIGNATURE_RIGHT,
    SIGNATURE_MISSING,   // no header, or an empty one
    SIGNATURE_MALFORMED, // not canonical base64, or not as long as any key's modulus
    SIGNATURE_WRONG,     // well formed, but made by no known key over these bytes
};

struct signature_keys;

/** Returns an empty set, which verifies nothing. Freed by signature_keys_free. */
struct signature_keys *signature_keys_new(void);
/** Frees the set with its keys and sets *self to NULL; a NULL *self is fine. */
void signature_keys_free(struct signature_keys **self);

/**
 * Adds the public key in `text` (`size` bytes, as pasted from the admin page: any label or none, one line or many, real
 * or literal line breaks; the DER inside may be SubjectPublicKeyInfo or PKCS#1, freshworks-api 1.7). `name` is kept for
 * logs and status. Returns false with a sentence in `why` when it is not exactly one RSA public key of the accepted
 * size. Not thread safe.
 */
bool signature_keys_add(struct signature_keys *self, const char *name, const char *text, size_t size, char *why,
                        size_t why_size) __attribute__((warn_unused_result));

/** How many keys there are. */
size_t signature_keys_count(const struct signature_keys *self);
/** The name of key `index`, and the wall time (ms) of the last delivery that it verified, 0 for never. */
const char *signature_key_name(const struct signature_keys *self, size_t index);
int64_t signature_key_last_used_ms(const struct signature_keys *self, size_t index);

/**
 * Verifies `signature` (the header's value, NULL when there was none) over the body's raw bytes with every key in turn
 * and marks the key that fits as used at `now_ms`. Any thread.
 */
enum signature_result signature_verify(struct signature_keys *self, const char *signature, const void *body,
                                       size_t size, int64_t now_ms) __attribute__((warn_unused_result));
#endif
