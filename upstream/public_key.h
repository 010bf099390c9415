// SPDX-License-Identifier: Apache-2.0
// The webhook's public key as Freshchat's admin page shows it (freshworks-api 1.7).
#ifndef UPSTREAM_PUBLIC_KEY_H
#define UPSTREAM_PUBLIC_KEY_H
#include <openssl/evp.h>
#include <stddef.h>

// A key's modulus must have a number of bits within these bounds.
enum { PUBLIC_KEY_MIN_BITS = 2048, PUBLIC_KEY_MAX_BITS = 8192 };

/**
 * Reads the public key in `text` (`size` bytes, as pasted: any label or none, one line or many, real or literal line
 * breaks; the DER inside may be SubjectPublicKeyInfo or PKCS#1). NULL when it is not exactly one RSA public key of the
 * accepted size: *wrong is then the rest of a sentence that begins with the file's name. Freed with EVP_PKEY_free.
 */
EVP_PKEY *public_key_parse(const char *text, size_t size, const char **wrong) __attribute__((warn_unused_result));
#endif
