// SPDX-License-Identifier: Apache-2.0
// Reads a public key that was pasted from a web page. The label cannot be trusted, so the DER decides what it is.
#include "upstream/public_key.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "upstream/base64.h"

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
    if (bits < PUBLIC_KEY_MIN_BITS)
        return "is an RSA key of less than 2048 bits";
    if (bits > PUBLIC_KEY_MAX_BITS)
        return "is an RSA key of more than 8192 bits";
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new(pkey, NULL);
    if (!check)
        abort();
    bool sound = EVP_PKEY_public_check(check) == 1;
    EVP_PKEY_CTX_free(check);
    return sound ? NULL : "is damaged: its numbers cannot be an RSA key";
}

EVP_PKEY *public_key_parse(const char *text, size_t size, const char **wrong)
{
    *wrong = size > BASE64_MAX_TEXT ? "is too long for a public key" : armour_strip(&text, &size);
    // Cleared: gcc at -O2 cannot see that squeeze() fills what is read.
    char *squeezed = calloc(1, BASE64_MAX_TEXT);
    unsigned char *der = malloc(BASE64_MAX_TEXT);
    EVP_PKEY *key = NULL;
    if (!squeezed || !der)
        abort();
    if (!*wrong) {
        size_t length = squeeze(text, size, squeezed);
        long bytes = base64_decode(squeezed, length, der);
        if (bytes >= 0) {
            key = der_decode(der, (size_t)bytes);
            *wrong = key ? key_check(key) : "is base64, but not of a public key";
        } else {
            *wrong = length ? "is not base64" : "is empty";
        }
    }
    if (*wrong) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    free(squeezed);
    free(der);
    ERR_clear_error();
    return key;
}
