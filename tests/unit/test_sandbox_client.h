// SPDX-License-Identifier: Apache-2.0
// What the sandbox's unit tests share: a small HTTP client, and a sandbox per test with a key made only once. Included
// by the test programs test_sandbox_*.c and by nothing else.
#pragma once
#include "tests/sandbox/sandbox.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <curl/curl.h>
#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer {
    long status;   // 0: the connection ended without an answer
    CURLcode code; // what libcurl said
    char head[8192];
    char *body;
    size_t length;
    json_t *json; // NULL when the body is none
};

static inline size_t client_head(char *data, size_t size, size_t count, void *argument)
{
    struct answer *answer = argument;
    size_t used = strlen(answer->head), bytes = size * count;
    if (used + bytes < sizeof answer->head)
        memcpy(answer->head + used, data, bytes);
    return bytes;
}

static inline size_t client_body(char *data, size_t size, size_t count, void *argument)
{
    struct answer *answer = argument;
    answer->body = realloc(answer->body, answer->length + size * count + 1);
    assert_non_null(answer->body);
    memcpy(answer->body + answer->length, data, size * count);
    answer->length += size * count;
    answer->body[answer->length] = '\0';
    return size * count;
}

static inline void answer_clear(struct answer *answer)
{
    free(answer->body);
    json_decref(answer->json);
    memset(answer, 0, sizeof *answer);
}

// Sends what is set up, with `body` unless that is NULL; frees handle and headers.
static inline struct answer client_send(CURL *curl, struct curl_slist *headers, const char *body)
{
    struct answer answer = {0};
    if (body != NULL)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, client_head);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, client_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    answer.code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (answer.body != NULL)
        answer.json = json_loadb(answer.body, answer.length, 0, NULL);
    return answer;
}

// One request on a connection of its own. freshdesk chooses base and credentials; body NULL: none; type NULL: JSON.
static inline struct answer client_call(struct sandbox *sb, bool freshdesk, const char *method, const char *path,
                                        const char *body, const char *type, const char *credentials)
{
    char url[1024], line[600];
    struct curl_slist *headers = NULL;
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof url, "%s/%s", freshdesk ? sandbox_freshdesk_url(sb) : sandbox_freshchat_url(sb), path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (freshdesk) {
        snprintf(line, sizeof line, "%s:X", credentials != NULL ? credentials : sandbox_freshdesk_key(sb));
        curl_easy_setopt(curl, CURLOPT_USERPWD, line);
    } else {
        snprintf(line, sizeof line, "Authorization: Bearer %s",
                 credentials != NULL ? credentials : sandbox_freshchat_token(sb));
        headers = curl_slist_append(headers, line);
    }
    if (body != NULL) {
        snprintf(line, sizeof line, "Content-Type: %s", type != NULL ? type : "application/json");
        headers = curl_slist_append(headers, line);
    }
    return client_send(curl, headers, body);
}

static inline struct answer desk_call(struct sandbox *sb, const char *method, const char *path, const char *body)
{
    return client_call(sb, true, method, path, body, NULL, NULL);
}

static inline struct answer chat_call(struct sandbox *sb, const char *method, const char *path, const char *body)
{
    return client_call(sb, false, method, path, body, NULL, NULL);
}

// The status alone.
static inline long desk_status(struct sandbox *sb, const char *method, const char *path, const char *body)
{
    struct answer answer = desk_call(sb, method, path, body);
    long status = answer.status;
    answer_clear(&answer);
    return status;
}

static inline long chat_status(struct sandbox *sb, const char *method, const char *path, const char *body)
{
    struct answer answer = chat_call(sb, method, path, body);
    long status = answer.status;
    answer_clear(&answer);
    return status;
}

static inline const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text != NULL ? text : "";
}

static inline json_int_t number_of(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

// A Freshdesk validation error about this field with this code is in the answer.
static inline bool has_error(const struct answer *answer, const char *field, const char *code)
{
    size_t i;
    json_t *error;
    if (answer->status != 400 || strcmp(text_of(answer->json, "description"), "Validation failed") != 0)
        return false;
    json_array_foreach(json_object_get(answer->json, "errors"), i, error)
    {
        if (strcmp(text_of(error, "field"), field) == 0 && strcmp(text_of(error, "code"), code) == 0)
            return true;
    }
    return false;
}

// Making an RSA key takes a good part of a second; one per test program is enough.
static inline const char *shared_key(void)
{
    static char pem[4096];
    if (pem[0] == '\0') {
        EVP_PKEY *key = EVP_RSA_gen(2048);
        BIO *bio = BIO_new(BIO_s_mem());
        assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
        int length = BIO_read(bio, pem, sizeof pem - 1);
        assert_true(length > 0);
        pem[length] = '\0';
        BIO_free(bio);
        EVP_PKEY_free(key);
    }
    return pem;
}

static inline void test_options(struct sandbox_options *options)
{
    sandbox_options_init(options);
    options->threads = 16;
    options->senders = 4;
    options->private_key_pem = shared_key();
}

static inline int start_sandbox(void **state)
{
    struct sandbox_options options;
    test_options(&options);
    *state = sandbox_new(&options);
    return *state != NULL ? 0 : -1;
}

static inline int stop_sandbox(void **state)
{
    struct sandbox *sb = *state;
    sandbox_free(&sb);
    assert_null(sb);
    return 0;
}

// A ticket made over the API; its id.
static inline int64_t make_ticket(struct sandbox *sb, const char *subject, const char *email)
{
    char body[512];
    snprintf(body, sizeof body, "{\"subject\":\"%s\",\"description\":\"<p>d</p>\",\"email\":\"%s\",\"source\":7}",
             subject, email);
    struct answer answer = desk_call(sb, "POST", "tickets", body);
    assert_int_equal(answer.status, 201);
    int64_t id = number_of(answer.json, "id");
    answer_clear(&answer);
    return id;
}
