// SPDX-License-Identifier: Apache-2.0
// Freshchat's webhook signature. Keys are loaded by the front's main thread before any request; verifying runs in all
// request threads at once: each copies the key's prepared context and touches nothing shared but an atomic time stamp.
#include "http-front/intake/signature.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The longest signature: SIGNATURE_KEY_MAX_BITS / 8 bytes. Base64 makes 4 characters of 3 bytes, the last group padded.
#define SIGNATURE_MAX_BYTES (SIGNATURE_KEY_MAX_BITS / 8)
#define BASE64_SIZE(bytes)  (((bytes) + 2) / 3 * 4)
#define SIGNATURE_MAX_TEXT  BASE64_SIZE(SIGNATURE_MAX_BYTES)
// An 8192 bit key takes about 1.4 KB as base64; what is much longer is no key.
#define KEY_MAX_TEXT 16384

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

// Decodes standard base64 with padding, and nothing that only looks like it: no white space, no characters after the
// padding, no unused bits set. EVP_DecodeBlock forgives some of these, so its result is encoded again and compared.
// Returns the number of bytes, or -1. `out` has room for size / 4 * 3 bytes.
static long base64_decode(const char *text, size_t size, unsigned char *out)
{
    if (!size || size % 4 || size > KEY_MAX_TEXT)
        return -1;
    int decoded = EVP_DecodeBlock(out, (const unsigned char *)text, (int)size);
    if (decoded < 0)
        return -1;
    size_t padding = text[size - 1] != '=' ? 0 : text[size - 2] != '=' ? 1 : 2;
    if ((size_t)decoded != size / 4 * 3)
        return -1;
    size_t bytes = (size_t)decoded - padding;
    unsigned char *again = malloc(BASE64_SIZE(bytes) + 1);
    if (!again)
        abort();
    int length = EVP_EncodeBlock(again, out, (int)bytes);
    bool same = (size_t)length == size && !memcmp(again, text, size);
    free(again);
    return same ? (long)bytes : -1;
}

// Finds the base64 inside one armour, or the whole text where there is none. Labels are not looked at, except that a
// private key has no business here. Returns NULL, or a sentence that says what is wrong.
static const char *armour_strip(const char **text, size_t *size)
{
    static const char begin[] = "-----BEGIN", end[] = "-----END", dashes[] = "-----";
    const char *start = memmem(*text, *size, begin, strlen(begin));
    const char *stop = *text + *size;
    if (!start)
        return memmem(*text, *size, dashes, strlen(dashes)) ? "has an END line without a BEGIN line" : NULL;
    const char *label = start + strlen(begin);
    const char *content = memmem(label, (size_t)(stop - label), dashes, strlen(dashes));
    if (!content)
        return "has a BEGIN line that does not end in dashes";
    if (memmem(label, (size_t)(content - label), "PRIVATE", 7))
        return "is a private key; Deskbell needs the public key that the admin page shows";
    content += strlen(dashes);
    const char *tail = memmem(content, (size_t)(stop - content), end, strlen(end));
    if (!tail)
        return "has no END line: it was cut off";
    if (memmem(content, (size_t)(stop - content), begin, strlen(begin)))
        return "holds more than one key; give each key a file of its own";
    *text = content;
    *size = (size_t)(tail - content);
    return NULL;
}

// Removes white space and line breaks, real ones and those written as backslash and n or r. Returns the bytes left.
static size_t squeeze(const char *text, size_t size, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\\' && i + 1 < size && (text[i + 1] == 'n' || text[i + 1] == 'r')) {
            i++;
            continue;
        }
        if (!isspace((unsigned char)text[i]))
            out[used++] = text[i];
    }
    return used;
}

// The key inside DER that is either SubjectPublicKeyInfo (an outer SEQUENCE that begins with a SEQUENCE) or PKCS#1 (it
// begins with an INTEGER), whatever the label said. NULL unless it is used up to the last byte.
static EVP_PKEY *der_decode(const unsigned char *der, size_t size)
{
    if (size < 4 || der[0] != 0x30)
        return NULL;
    size_t header = der[1] < 0x80 ? 2 : 2 + (size_t)(der[1] & 0x7f);
    if (header >= size)
        return NULL;
    const unsigned char *at = der;
    EVP_PKEY *key =
        der[header] == 0x02 ? d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)size) : d2i_PUBKEY(NULL, &at, (long)size);
    if (key && at != der + size) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

// Returns NULL when the key may be used, else what is wrong with it.
static const char *key_check(EVP_PKEY *pkey)
{
    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA)
        return "is not an RSA key";
    int bits = EVP_PKEY_get_bits(pkey);
    if (bits < SIGNATURE_KEY_MIN_BITS)
        return "is an RSA key of less than 2048 bits";
    if (bits > SIGNATURE_KEY_MAX_BITS)
        return "is an RSA key of more than 8192 bits";
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new(pkey, NULL);
    if (!check)
        abort();
    bool sound = EVP_PKEY_public_check(check) == 1;
    EVP_PKEY_CTX_free(check);
    return sound ? NULL : "is damaged: its numbers cannot be an RSA key";
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
    const char *wrong = size > KEY_MAX_TEXT ? "is too long for a public key" : armour_strip(&text, &size);
    char *squeezed = calloc(1, KEY_MAX_TEXT); // cleared: gcc at -O2 cannot see that squeeze() fills what is read
    unsigned char *der = malloc(KEY_MAX_TEXT);
    EVP_PKEY *pkey = NULL;
    if (!squeezed || !der)
        abort();
    if (wrong)
        goto refuse;
    size_t length = squeeze(text, size, squeezed);
    long bytes = base64_decode(squeezed, length, der);
    if (bytes < 0) {
        wrong = length ? "is not base64" : "is empty";
        goto refuse;
    }
    pkey = der_decode(der, (size_t)bytes);
    wrong = pkey ? key_check(pkey) : "is base64, but not of a public key";
    if (wrong)
        goto refuse;

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
refuse:
    if (wrong)
        snprintf(why, why_size, "%s %s", name, wrong);
    EVP_PKEY_free(pkey);
    free(squeezed);
    free(der);
    ERR_clear_error();
    return !wrong;
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
