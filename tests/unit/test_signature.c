// SPDX-License-Identifier: Apache-2.0
// The signature of Freshchat's webhooks against a real delivery, every way to paste a key, and the tokens of
// Freshdesk's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/intake/signature.h"
#include "http-front/intake/tokens.h"

static char *read_file(const char *name, size_t *size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", TEST_DATA_DIR, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = calloc(1, 65536);
    *size = fread(text, 1, 65535, file);
    fclose(file);
    return text;
}

struct vector {
    char *key, *body, *signature;
    size_t key_size, body_size, signature_size;
    struct signature_keys *keys;
};

static int vector_open(void **state)
{
    struct vector *self = calloc(1, sizeof *self);
    char why[256];
    self->key = read_file("freshchat-message-2019.key.txt", &self->key_size);
    self->body = read_file("freshchat-message-2019.json", &self->body_size);
    self->signature = read_file("freshchat-message-2019.sig.b64", &self->signature_size);
    self->keys = signature_keys_new();
    assert_true(signature_keys_add(self->keys, "real", self->key, self->key_size, why, sizeof why));
    *state = self;
    return 0;
}

static int vector_close(void **state)
{
    struct vector *self = *state;
    signature_keys_free(&self->keys);
    assert_null(self->keys);
    free(self->key);
    free(self->body);
    free(self->signature);
    free(self);
    return 0;
}

static enum signature_result verify(struct vector *self, const char *signature)
{
    return signature_verify(self->keys, signature, self->body, self->body_size, 77);
}

static void the_real_delivery_verifies(void **state)
{
    struct vector *self = *state;
    assert_int_equal(signature_key_last_used_ms(self->keys, 0), 0);
    assert_int_equal(verify(self, self->signature), SIGNATURE_RIGHT);
    assert_int_equal(signature_key_last_used_ms(self->keys, 0), 77);
    assert_string_equal(signature_key_name(self->keys, 0), "real");
}

// Under valgrind, where a verification takes long, a part of them all; prime, so that every place of a byte has its
// turn.
static size_t stride(void)
{
    return getenv("DESKBELL_TEST_SLOW") ? 41 : 1;
}

static void every_changed_bit_of_the_body_is_refused(void **state)
{
    struct vector *self = *state;
    for (size_t i = 0; i < self->body_size; i += stride()) {
        char original = self->body[i];
        self->body[i] = (char)(original ^ (1 << (i % 8)));
        assert_int_equal(verify(self, self->signature), SIGNATURE_WRONG);
        self->body[i] = original;
    }
    self->body_size--;
    assert_int_equal(verify(self, self->signature), SIGNATURE_WRONG);
    self->body_size = 0;
    assert_int_equal(verify(self, self->signature), SIGNATURE_WRONG);
}

static void every_changed_bit_of_the_signature_is_refused(void **state)
{
    struct vector *self = *state;
    unsigned char raw[512];
    char text[1024];
    assert_int_equal(EVP_DecodeBlock(raw, (unsigned char *)self->signature, (int)self->signature_size), 258);
    for (size_t bit = 0; bit < 256 * 8; bit += stride()) {
        raw[bit / 8] ^= (unsigned char)(1 << (bit % 8));
        EVP_EncodeBlock((unsigned char *)text, raw, 256);
        assert_int_equal(verify(self, text), SIGNATURE_WRONG);
        raw[bit / 8] ^= (unsigned char)(1 << (bit % 8));
    }
    EVP_EncodeBlock((unsigned char *)text, raw, 256);
    assert_int_equal(verify(self, text), SIGNATURE_RIGHT);
}

static void every_changed_character_of_the_signature_is_refused(void **state)
{
    struct vector *self = *state;
    for (size_t i = 0; i < self->signature_size; i += stride()) {
        char original = self->signature[i];
        self->signature[i] = original == 'A' ? 'B' : 'A';
        assert_int_not_equal(verify(self, self->signature), SIGNATURE_RIGHT);
        self->signature[i] = ' ';
        assert_int_equal(verify(self, self->signature), SIGNATURE_MALFORMED);
        self->signature[i] = original;
    }
}

static void malformed_signatures_are_told_apart(void **state)
{
    struct vector *self = *state;
    char text[8192];
    assert_int_equal(verify(self, NULL), SIGNATURE_MISSING);
    assert_int_equal(verify(self, ""), SIGNATURE_MISSING);
    for (size_t cut = 1; cut < self->signature_size; cut += stride()) {
        snprintf(text, sizeof text, "%.*s", (int)cut, self->signature);
        assert_int_equal(verify(self, text), SIGNATURE_MALFORMED);
    }
    const char *const shapes[] = {"%sAAAA", "%s=", "%s ", " %s", "%s\n", "\n%s", "%s====", "%s!"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char *out = text;
        for (const char *at = shapes[i]; *at; at++) {
            if (*at == '%') {
                out = stpcpy(out, self->signature);
                at++;
            } else {
                *out++ = *at;
            }
        }
        *out = 0;
        assert_int_equal(verify(self, text), SIGNATURE_MALFORMED);
    }
    memset(text, 'A', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(verify(self, text), SIGNATURE_MALFORMED);
    assert_int_equal(verify(self, "not base64 at all"), SIGNATURE_MALFORMED);
    assert_int_equal(verify(self, "===="), SIGNATURE_MALFORMED);
    // URL-safe base64 is another alphabet, and bits beyond the last byte must be zero: "Wg==" and "Wh==" decode alike.
    snprintf(text, sizeof text, "%s", self->signature);
    for (char *at = text; *at; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    assert_int_equal(verify(self, text), SIGNATURE_MALFORMED);
    snprintf(text, sizeof text, "%s", self->signature);
    assert_string_equal(text + self->signature_size - 4, "Wg==");
    text[self->signature_size - 3] = 'h';
    assert_int_equal(verify(self, text), SIGNATURE_MALFORMED);
    memset(text, 'A', 344);
    strcpy(text + 341, "A==");
    assert_int_equal(verify(self, text), SIGNATURE_WRONG); // right length, all zero
}

// One of the tree's own test keys, never the one before: making them takes minutes under valgrind.
static EVP_PKEY *new_key(int bits)
{
    static int taken;
    char path[256];
    snprintf(path, sizeof path, TEST_DATA_DIR "/keys/rsa-%d-%d.pem", bits, bits == 2048 ? taken++ % 3 : 0);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(key);
    assert_int_equal(EVP_PKEY_bits(key), bits);
    return key;
}

static char *sign(EVP_PKEY *key, const void *body, size_t size)
{
    unsigned char raw[2048];
    size_t length = sizeof raw;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, raw, &length, body, size), 1);
    EVP_MD_CTX_free(ctx);
    char *text = calloc(1, 4096);
    EVP_EncodeBlock((unsigned char *)text, raw, (int)length);
    return text;
}

// The key as base64 in one line: SubjectPublicKeyInfo or PKCS#1.
static char *key_base64(EVP_PKEY *key, bool pkcs1)
{
    unsigned char *der = NULL;
    int size = pkcs1 ? i2d_PublicKey(key, &der) : i2d_PUBKEY(key, &der);
    assert_true(size > 0);
    char *text = calloc(1, 8192);
    EVP_EncodeBlock((unsigned char *)text, der, size);
    OPENSSL_free(der);
    return text;
}

static char *armoured(const char *base64, const char *label, size_t width, const char *line_break)
{
    char *text = calloc(1, 16384), *out = text;
    out += sprintf(out, "-----BEGIN %s-----%s", label, line_break);
    for (size_t at = 0, length = strlen(base64); at < length; at += width)
        out += sprintf(out, "%.*s%s", (int)width, base64 + at, line_break);
    sprintf(out, "-----END %s-----%s", label, line_break);
    return text;
}

static void expect_key(const char *text, EVP_PKEY *key)
{
    struct signature_keys *keys = signature_keys_new();
    char why[256] = "";
    if (!signature_keys_add(keys, "key.pem", text, strlen(text), why, sizeof why))
        fail_msg("refused (%s): %.60s", why, text);
    char *signature = sign(key, "body", 4);
    assert_int_equal(signature_verify(keys, signature, "body", 4, 1), SIGNATURE_RIGHT);
    assert_int_equal(signature_verify(keys, signature, "Body", 4, 1), SIGNATURE_WRONG);
    free(signature);
    signature_keys_free(&keys);
}

static void every_way_to_paste_a_key_is_read(void **state)
{
    (void)state;
    static const char *const labels[] = {"PUBLIC KEY", "RSA PUBLIC KEY", "FRESHCHAT KEY", "ANYTHING AT ALL"};
    static const char *const breaks[] = {"\n", "\r\n", "\\n", "\\r\\n", " ", "", "\n\n", "\t\n "};
    EVP_PKEY *key = new_key(2048);
    for (int pkcs1 = 0; pkcs1 < 2; pkcs1++) {
        char *base64 = key_base64(key, pkcs1);
        expect_key(base64, key);
        for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
            for (size_t j = 0; j < sizeof breaks / sizeof *breaks; j++) {
                for (size_t width = 64; width < 2000; width += 1900) {
                    char *text = armoured(base64, labels[i], width, breaks[j]);
                    expect_key(text, key);
                    free(text);
                }
            }
        }
        free(base64);
    }
    EVP_PKEY_free(key);
}

static void expect_no_key(const char *text, const char *because)
{
    struct signature_keys *keys = signature_keys_new();
    char why[256] = "";
    assert_false(signature_keys_add(keys, "key.pem", text, strlen(text), why, sizeof why));
    if (!strstr(why, because) || strncmp(why, "key.pem ", 8))
        fail_msg("'%s' does not say '%s'", why, because);
    assert_int_equal(signature_keys_count(keys), 0);
    signature_keys_free(&keys);
}

static void what_is_no_usable_key_is_refused_with_its_reason(void **state)
{
    (void)state;
    EVP_PKEY *small = new_key(1024), *good = new_key(2048), *curve = EVP_EC_gen("P-256");
    char *small_text = key_base64(small, false), *good_text = key_base64(good, false),
         *curve_text = key_base64(curve, false);
    char text[8192];
    expect_no_key("", "is empty");
    expect_no_key("\n \n", "is empty");
    expect_no_key("-----BEGIN X----------END X-----", "is empty");
    expect_no_key("hello world, this is a key", "not base64");
    expect_no_key("AAAA", "not of a public key");
    expect_no_key(small_text, "less than 2048");
    expect_no_key(curve_text, "not an RSA key");
    snprintf(text, sizeof text, "-----BEGIN RSA PRIVATE KEY-----\n%s\n-----END RSA PRIVATE KEY-----", good_text);
    expect_no_key(text, "private key");
    snprintf(text, sizeof text, "-----BEGIN PUBLIC KEY-----\n%s", good_text);
    expect_no_key(text, "cut off");
    snprintf(text, sizeof text, "%s\n-----END PUBLIC KEY-----", good_text);
    expect_no_key(text, "without a BEGIN");
    char *armour = armoured(good_text, "PUBLIC KEY", 64, "\n");
    snprintf(text, sizeof text, "%s%s", armour, armour);
    expect_no_key(text, "more than one"); // one file, one key: two blocks would hide which is in use
    free(armour);
    for (size_t cut = 4; cut < strlen(good_text); cut += 4 * stride()) {
        snprintf(text, sizeof text, "%.*s", (int)cut, good_text);
        expect_no_key(text, "not of a public key");
    }
    snprintf(text, sizeof text, "%.*sAAAA", (int)(strlen(good_text) / 4 * 4 - 4), good_text);
    expect_no_key(text, "key.pem");
    char *huge = calloc(1, 20001);
    memset(huge, 'A', 20000);
    expect_no_key(huge, "too long");
    free(huge);
    free(small_text);
    free(good_text);
    free(curve_text);
    EVP_PKEY_free(small);
    EVP_PKEY_free(good);
    EVP_PKEY_free(curve);
}

static void several_keys_serve_while_one_is_rotated(void **state)
{
    struct vector *self = *state;
    EVP_PKEY *second = new_key(2048), *large = new_key(3072), *stranger = new_key(2048);
    char *second_text = key_base64(second, true), *large_text = key_base64(large, false), why[256];
    assert_true(signature_keys_add(self->keys, "second", second_text, strlen(second_text), why, sizeof why));
    assert_true(signature_keys_add(self->keys, "large", large_text, strlen(large_text), why, sizeof why));
    assert_int_equal(signature_keys_count(self->keys), 3);
    char *by_second = sign(second, "b", 1), *by_large = sign(large, "b", 1), *by_stranger = sign(stranger, "b", 1);
    assert_int_equal(signature_verify(self->keys, by_second, "b", 1, 5), SIGNATURE_RIGHT);
    assert_int_equal(signature_verify(self->keys, by_large, "b", 1, 6), SIGNATURE_RIGHT);
    assert_int_equal(signature_verify(self->keys, by_stranger, "b", 1, 7), SIGNATURE_WRONG);
    assert_int_equal(verify(self, self->signature), SIGNATURE_RIGHT);
    assert_int_equal(signature_key_last_used_ms(self->keys, 0), 77);
    assert_int_equal(signature_key_last_used_ms(self->keys, 1), 5);
    assert_int_equal(signature_key_last_used_ms(self->keys, 2), 6);
    free(second_text);
    free(large_text);
    free(by_second);
    free(by_large);
    free(by_stranger);
    EVP_PKEY_free(second);
    EVP_PKEY_free(large);
    EVP_PKEY_free(stranger);
}

static void another_digest_or_padding_is_wrong(void **state)
{
    (void)state;
    EVP_PKEY *key = new_key(2048);
    char *text = key_base64(key, false), why[256];
    struct signature_keys *keys = signature_keys_new();
    assert_true(signature_keys_add(keys, "k", text, strlen(text), why, sizeof why));
    for (int variant = 0; variant < 2; variant++) {
        unsigned char raw[512];
        char encoded[1024];
        size_t length = sizeof raw;
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *inner = NULL;
        assert_int_equal(EVP_DigestSignInit(ctx, &inner, variant ? EVP_sha256() : EVP_sha1(), NULL, key), 1);
        if (variant)
            assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(inner, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_DigestSign(ctx, raw, &length, (const unsigned char *)"b", 1), 1);
        EVP_EncodeBlock((unsigned char *)encoded, raw, (int)length);
        assert_int_equal(signature_verify(keys, encoded, "b", 1, 1), SIGNATURE_WRONG);
        EVP_MD_CTX_free(ctx);
    }
    signature_keys_free(&keys);
    free(text);
    EVP_PKEY_free(key);
}

static void without_keys_nothing_verifies(void **state)
{
    struct vector *self = *state;
    struct signature_keys *none = signature_keys_new();
    assert_int_equal(signature_verify(none, self->signature, self->body, self->body_size, 1), SIGNATURE_WRONG);
    assert_string_equal(signature_key_name(none, 0), "");
    signature_keys_free(&none);
    signature_keys_free(&none);
}

static void *verify_often(void *arg)
{
    struct vector *self = arg;
    size_t right = 0;
    for (int i = 0; i < 200; i++)
        right += verify(self, self->signature) == SIGNATURE_RIGHT;
    return (void *)right;
}

static void many_threads_verify_at_once(void **state)
{
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, *state), 0);
    for (size_t i = 0; i < 8; i++) {
        void *right;
        pthread_join(threads[i], &right);
        assert_int_equal((size_t)right, 200);
    }
}

static const char *basic(const char *credentials)
{
    static char text[4096];
    strcpy(text, "Basic ");
    EVP_EncodeBlock((unsigned char *)text + 6, (const unsigned char *)credentials, (int)strlen(credentials));
    return text;
}

static void tokens_come_by_header_or_basic(void **state)
{
    (void)state;
    struct tokens *tokens = tokens_new();
    assert_int_equal(tokens_check(tokens, "first-token", NULL, 1), TOKENS_WRONG); // none loaded: nothing is right
    assert_false(tokens_add(tokens, "empty", "", 0));
    assert_true(tokens_add(tokens, "one", "first-token", 11));
    assert_true(tokens_add(tokens, "two", "second:with:colons", 18));
    assert_int_equal(tokens_count(tokens), 2);
    assert_int_equal(tokens_check(tokens, "first-token", NULL, 3), TOKENS_RIGHT);
    assert_int_equal(tokens_check(tokens, "second:with:colons", NULL, 4), TOKENS_RIGHT);
    assert_int_equal(tokens_last_used_ms(tokens, 0), 3);
    assert_int_equal(tokens_last_used_ms(tokens, 1), 4);
    assert_string_equal(tokens_name(tokens, 1), "two");
    assert_int_equal(tokens_check(tokens, NULL, basic("x:first-token"), 1), TOKENS_RIGHT);
    assert_int_equal(tokens_check(tokens, NULL, basic(":first-token"), 1), TOKENS_RIGHT);
    assert_int_equal(tokens_check(tokens, NULL, basic("user:second:with:colons"), 1), TOKENS_RIGHT);

    assert_int_equal(tokens_check(tokens, NULL, NULL, 1), TOKENS_MISSING);
    assert_int_equal(tokens_check(tokens, "", "", 1), TOKENS_MISSING);
    assert_int_equal(tokens_check(tokens, "first-toke", NULL, 1), TOKENS_WRONG);
    assert_int_equal(tokens_check(tokens, "first-tokens", NULL, 1), TOKENS_WRONG);
    assert_int_equal(tokens_check(tokens, "First-token", NULL, 1), TOKENS_WRONG);
    assert_int_equal(tokens_check(tokens, "wrong", basic("x:first-token"), 1), TOKENS_WRONG);
    assert_int_equal(tokens_check(tokens, NULL, basic("first-token:x"), 1), TOKENS_WRONG);
    assert_int_equal(tokens_check(tokens, NULL, basic("first-token"), 1), TOKENS_WRONG);
    assert_int_equal(tokens_check(tokens, NULL, "Bearer first-token", 1), TOKENS_WRONG);
    assert_int_equal(tokens_check(tokens, NULL, "Basic", 1), TOKENS_WRONG);
    assert_int_equal(tokens_check(tokens, NULL, "Basic ", 1), TOKENS_WRONG);
    assert_int_equal(tokens_check(tokens, NULL, "Basic ====", 1), TOKENS_WRONG);
    assert_int_equal(tokens_check(tokens, NULL, "Basic !!!!", 1), TOKENS_WRONG);
    tokens_free(&tokens);
    tokens_free(&tokens);
}

int main(void)
{
#define WITH_VECTOR(test) cmocka_unit_test_setup_teardown(test, vector_open, vector_close)
    const struct CMUnitTest tests[] = {
        WITH_VECTOR(the_real_delivery_verifies),
        WITH_VECTOR(every_changed_bit_of_the_body_is_refused),
        WITH_VECTOR(every_changed_bit_of_the_signature_is_refused),
        WITH_VECTOR(every_changed_character_of_the_signature_is_refused),
        WITH_VECTOR(malformed_signatures_are_told_apart),
        cmocka_unit_test(every_way_to_paste_a_key_is_read),
        cmocka_unit_test(what_is_no_usable_key_is_refused_with_its_reason),
        WITH_VECTOR(several_keys_serve_while_one_is_rotated),
        cmocka_unit_test(another_digest_or_padding_is_wrong),
        WITH_VECTOR(without_keys_nothing_verifies),
        WITH_VECTOR(many_threads_verify_at_once),
        cmocka_unit_test(tokens_come_by_header_or_basic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
