// SPDX-License-Identifier: Apache-2.0
// Freshchat's webhook signature. Keys are loaded by the front's main thread before any request; verifying runs in all
// request threads at once: each copies the key's prepared context and touches nothing shared but an atomic time stamp.
#include "http-front/intake/signature.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "upstream/base64.h"
#include "upstream/public_key.h"

// The longest signature: PUBLIC_KEY_MAX_BITS / 8 bytes. Base64 makes 4 characters of 3 bytes, the last group padded.
#define SIGNATURE_MAX_BYTES (PUBLIC_KEY_MAX_BITS / 8)
#define SIGNATURE_MAX_TEXT  BASE64_TEXT_BYTES(SIGNATURE_MAX_BYTES)

struct key {
    char *name;
    EVP_MD_CTX *prepared; // EVP_DigestVerifyInit is done; copied for each verify
    size_t modulus_bytes;
    _Atomic int64_t last_used_ms;
};

struct signature_keys {
    struct key **items;
    size_t count;
};

struct signature_keys *signature_keys_new(void)
{
    struct signature_keys *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    return self;
}

static void key_free(struct key *key)
{
    EVP_MD_CTX_free(key->prepared);
    free(key->name);
    free(key);
}

void signature_keys_free(struct signature_keys **self)
{
    if (!*self)
        return;
    for (size_t i = 0; i < (*self)->count; i++)
        key_free((*self)->items[i]);
    free((*self)->items);
    free(*self);
    *self = NULL;
}

static EVP_MD_CTX *prepare(EVP_PKEY *pkey)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *inner = NULL;
    if (!ctx || EVP_DigestVerifyInit(ctx, &inner, EVP_sha256(), NULL, pkey) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(inner, RSA_PKCS1_PADDING) != 1)
        abort();
    return ctx;
}

bool signature_keys_add(struct signature_keys *self, const char *name, const char *text, size_t size, char *why,
                        size_t why_size)
{
    const char *wrong = NULL;
    EVP_PKEY *pkey = public_key_parse(text, size, &wrong);
    if (!pkey) {
        snprintf(why, why_size, "%s %s", name, wrong);
        return false;
    }
    struct key *key = calloc(1, sizeof *key);
    struct key **items = realloc(self->items, (self->count + 1) * sizeof(struct key *));
    if (!key || !items)
        abort();
    key->name = strdup(name);
    if (!key->name)
        abort();
    key->modulus_bytes = (size_t)EVP_PKEY_get_size(pkey);
    key->prepared = prepare(pkey);
    self->items = items;
    self->items[self->count++] = key;
    EVP_PKEY_free(pkey);
    return true;
}

size_t signature_keys_count(const struct signature_keys *self)
{
    return self->count;
}

const char *signature_key_name(const struct signature_keys *self, size_t index)
{
    return index < self->count ? self->items[index]->name : "";
}

int64_t signature_key_last_used_ms(const struct signature_keys *self, size_t index)
{
    return index < self->count ? atomic_load_explicit(&self->items[index]->last_used_ms, memory_order_relaxed) : 0;
}

static bool key_fits(const struct key *key, const unsigned char *signature, size_t signature_bytes, const void *body,
                     size_t size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_MD_CTX_copy_ex(ctx, key->prepared) != 1)
        abort();
    bool fits = EVP_DigestVerify(ctx, signature, signature_bytes, body, size) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return fits;
}

enum signature_result signature_verify(struct signature_keys *self, const char *signature, const void *body,
                                       size_t size, int64_t now_ms)
{
    if (!signature || !*signature)
        return SIGNATURE_MISSING;
    size_t length = strnlen(signature, SIGNATURE_MAX_TEXT + 1);
    if (length > SIGNATURE_MAX_TEXT)
        return SIGNATURE_MALFORMED;
    unsigned char raw[SIGNATURE_MAX_TEXT / 4 * 3];
    long bytes = base64_decode(signature, length, raw);
    if (bytes < 0)
        return SIGNATURE_MALFORMED;

    enum signature_result result = self->count ? SIGNATURE_MALFORMED : SIGNATURE_WRONG;
    for (size_t i = 0; i < self->count; i++) {
        struct key *key = self->items[i];
        if (key->modulus_bytes != (size_t)bytes)
            continue;
        result = SIGNATURE_WRONG;
        if (key_fits(key, raw, (size_t)bytes, body, size)) {
            atomic_store_explicit(&key->last_used_ms, now_ms, memory_order_relaxed);
            return SIGNATURE_RIGHT;
        }
    }
    return result;
}
