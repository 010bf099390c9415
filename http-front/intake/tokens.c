// SPDX-License-Identifier: Apache-2.0
// The shared secrets of Freshdesk's webhooks. Loaded by the front's main thread before any request; checked by all
// request threads. Every candidate is hashed and compared with every token, so that time tells nothing about any of
// them.
#include "http-front/intake/tokens.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// Longer credentials than this are not read. CivetWeb's header limit is far above it.
#define BASIC_MAX_TEXT 8192

struct token {
    char *name;
    unsigned char hash[SHA256_DIGEST_LENGTH];
    _Atomic int64_t last_used_ms;
};

struct tokens {
    struct token **items;
    size_t count;
};

struct tokens *tokens_new(void)
{
    struct tokens *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    return self;
}

void tokens_free(struct tokens **self)
{
    if (!*self)
        return;
    for (size_t i = 0; i < (*self)->count; i++) {
        OPENSSL_cleanse((*self)->items[i]->hash, sizeof(*self)->items[i]->hash);
        free((*self)->items[i]->name);
        free((*self)->items[i]);
    }
    free((*self)->items);
    free(*self);
    *self = NULL;
}

bool tokens_add(struct tokens *self, const char *name, const char *text, size_t size)
{
    if (!size)
        return false;
    struct token *token = calloc(1, sizeof *token);
    struct token **items = realloc(self->items, (self->count + 1) * sizeof(struct token *));
    if (!token || !items)
        abort();
    token->name = strdup(name);
    if (!token->name || !SHA256((const unsigned char *)text, size, token->hash))
        abort();
    self->items = items;
    self->items[self->count++] = token;
    return true;
}

size_t tokens_count(const struct tokens *self)
{
    return self->count;
}

const char *tokens_name(const struct tokens *self, size_t index)
{
    return index < self->count ? self->items[index]->name : "";
}

int64_t tokens_last_used_ms(const struct tokens *self, size_t index)
{
    return index < self->count ? atomic_load_explicit(&self->items[index]->last_used_ms, memory_order_relaxed) : 0;
}

static enum tokens_result compare(struct tokens *self, const void *text, size_t size, int64_t now_ms)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    if (!SHA256(text, size, hash))
        abort();
    struct token *match = NULL;
    for (size_t i = 0; i < self->count; i++) // all of them, always
        if (!CRYPTO_memcmp(hash, self->items[i]->hash, sizeof hash))
            match = self->items[i];
    OPENSSL_cleanse(hash, sizeof hash);
    if (!match)
        return TOKENS_WRONG;
    atomic_store_explicit(&match->last_used_ms, now_ms, memory_order_relaxed);
    return TOKENS_RIGHT;
}

// "Basic BASE64(user:password)": the password is the token, the user may be anything.
static enum tokens_result check_basic(struct tokens *self, const char *authorization, int64_t now_ms)
{
    static const char scheme[] = "basic ";
    if (strncasecmp(authorization, scheme, strlen(scheme)))
        return TOKENS_WRONG;
    const char *text = authorization + strlen(scheme);
    while (*text == ' ')
        text++;
    size_t size = strlen(text);
    while (size && isspace((unsigned char)text[size - 1]))
        size--;
    if (!size || size % 4 || size > BASIC_MAX_TEXT)
        return TOKENS_WRONG;
    unsigned char plain[BASIC_MAX_TEXT / 4 * 3];
    int bytes = EVP_DecodeBlock(plain, (const unsigned char *)text, (int)size);
    enum tokens_result result = TOKENS_WRONG;
    if (bytes >= 3) {
        bytes -= text[size - 1] == '=';
        bytes -= text[size - 2] == '=';
        const unsigned char *colon = memchr(plain, ':', (size_t)bytes);
        if (colon)
            result = compare(self, colon + 1, (size_t)(plain + bytes - colon - 1), now_ms);
    }
    OPENSSL_cleanse(plain, sizeof plain);
    return result;
}

enum tokens_result tokens_check(struct tokens *self, const char *header, const char *authorization, int64_t now_ms)
{
    if (header && *header)
        return compare(self, header, strlen(header), now_ms);
    if (authorization && *authorization)
        return check_basic(self, authorization, now_ms);
    return TOKENS_MISSING;
}
