// SPDX-License-Identifier: Apache-2.0
// The signature on a cart; see proof.h. OpenSSL computes and compares.
#include "workers/proof.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/secret.h"

enum { MAC_BYTES = 32, HEX_BYTES = 2 * MAC_BYTES, EXPIRES_DIGITS = 12, SECOND_MS = 1000 };

struct proof_key {
    size_t size;
    char bytes[];
};

struct proof_key *proof_key_new(const char *text)
{
    size_t size = strlen(text);
    struct proof_key *self = malloc(sizeof *self + size + 1);
    if (!self)
        abort();
    self->size = size;
    memcpy(self->bytes, text, size + 1);
    return self;
}

void proof_key_free(struct proof_key **self)
{
    if (*self)
        explicit_bzero((*self)->bytes, (*self)->size);
    free(*self);
    *self = NULL;
}

bool proof_key_read(const struct config *config, struct proof_key **out, char *why, size_t why_size)
{
    const char *path = config->widget.context_key_file;
    *out = NULL;
    if (!*path)
        return true;
    struct secret *secret = secret_read(path, why, why_size);
    if (!secret)
        return false;
    // A line end inside would be part of the key here and not in most shops' programs.
    bool fits = secret->len >= PROOF_LEAST_KEY_BYTES && !strpbrk(secret->text, "\r\n");
    if (fits)
        *out = proof_key_new(secret->text);
    else
        snprintf(why, why_size,
                 "%s must hold a key of one line with at least %d characters: make one with openssl rand -hex 32", path,
                 PROOF_LEAST_KEY_BYTES);
    secret_free(&secret);
    return fits;
}

// "1.EXPIRES.HEX" taken apart; NULL when it is not of that form, else where HEX begins.
static const char *take_apart(const char *proof, size_t *digits)
{
    if (strncmp(proof, "1.", 2) != 0)
        return NULL;
    *digits = strspn(proof + 2, "0123456789");
    if (*digits == 0 || *digits > EXPIRES_DIGITS || proof[2 + *digits] != '.')
        return NULL;
    const char *hex = proof + 2 + *digits + 1;
    return strlen(hex) == HEX_BYTES && strspn(hex, "0123456789abcdef") == HEX_BYTES ? hex : NULL;
}

enum proof_verdict proof_judge(const struct proof_key *key, struct arena *arena, const char *proof, const char *value,
                               const char *currency, const char *url, uint64_t now_ms)
{
    size_t digits = 0;
    const char *hex = take_apart(proof, &digits);
    // With a line end inside, words could move from one property into the next under the same signature.
    if (!hex || strchr(value, '\n') || strchr(currency, '\n') || strchr(url, '\n'))
        return PROOF_WRONG;
    const char *expires = arena_copy(arena, proof + 2, digits);
    const char *text = arena_printf(arena, "deskbell-cart-1\n%s\n%s\n%s\n%s", expires, value, currency, url);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!HMAC(EVP_sha256(), key->bytes, (int)key->size, (const unsigned char *)text, strlen(text), mac, &size) ||
        size != MAC_BYTES)
        abort(); // out of memory, or an OpenSSL without SHA-256
    char right[HEX_BYTES + 1];
    for (size_t i = 0; i < MAC_BYTES; i++)
        snprintf(right + 2 * i, 3, "%02x", mac[i]);
    if (CRYPTO_memcmp(right, hex, HEX_BYTES) != 0)
        return PROOF_WRONG;
    return now_ms && now_ms / SECOND_MS > strtoull(expires, NULL, 10) ? PROOF_OVER : PROOF_GOOD;
}
