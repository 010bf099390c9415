// SPDX-License-Identifier: Apache-2.0
// The account's webhook key: RSA-2048, signatures as Freshchat makes them (PKCS#1 v1.5, SHA-256, over the raw bytes),
// and the public key the way the admin page shows it. Called from any thread; the key never changes while the sandbox
// runs.
#include "webhooks.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The label says PKCS#1 and the bytes are SubjectPublicKeyInfo, all on one line: that is what the real service shows.
static char *mislabelled(EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int length = i2d_PUBKEY(key, &der);
    if (length <= 0)
        abort();
    size_t room = (size_t)length * 4 / 3 + 128;
    char *base64 = sb_alloc(room), *text = sb_alloc(room);
    EVP_EncodeBlock((unsigned char *)base64, der, length);
    snprintf(text, room, "-----BEGIN RSA PUBLIC KEY----- %s -----END RSA PUBLIC KEY-----", base64);
    OPENSSL_free(der);
    free(base64);
    return text;
}

void sb_sign_init(struct sandbox *sb)
{
    if (sb->options.private_key_pem != NULL) {
        BIO *bio = BIO_new_mem_buf(sb->options.private_key_pem, -1);
        sb->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        BIO_free(bio);
    } else {
        sb->key = EVP_RSA_gen(2048);
    }
    if (sb->key == NULL)
        abort();
    sb->public_key = mislabelled(sb->key);
}

void sb_sign_clear(struct sandbox *sb)
{
    EVP_PKEY_free(sb->key);
    free(sb->public_key);
}

void sandbox_sign(struct sandbox *sb, const void *body, size_t length, char signature[SANDBOX_SIGNATURE_SIZE])
{
    unsigned char raw[SANDBOX_SIGNATURE_SIZE / 2];
    size_t raw_length = sizeof raw;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, sb->key) != 1 ||
        EVP_DigestSign(context, raw, &raw_length, body, length) != 1)
        abort();
    EVP_MD_CTX_free(context);
    EVP_EncodeBlock((unsigned char *)signature, raw, (int)raw_length);
}

const char *sandbox_public_key(const struct sandbox *sb)
{
    return sb->public_key;
}
