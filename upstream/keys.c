// SPDX-License-Identifier: Apache-2.0
// Makes Authorization headers of the API keys: a bearer token for Freshchat (freshworks-api 2.1) and Freshcaller's
// X-Api-Auth, HTTP Basic with the key as user and X as password for Freshdesk (4.1). Runs once, before the worker's
// loop.
#include "upstream/keys.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/secret.h"

// A key is one line of visible characters: anything else would let a key file write headers of its own.
static bool is_plain(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if (*at <= ' ' || *at > '~')
            return false;
    return *text != '\0';
}

static char *join(const char *before, const char *text)
{
    size_t size = strlen(before) + strlen(text) + 1;
    char *header = malloc(size);
    if (!header)
        abort();
    snprintf(header, size, "%s%s", before, text);
    return header;
}

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static char *basic(const char *key)
{
    char *pair = join(key, ":X");
    size_t length = strlen(pair);
    char *encoded = malloc((length + 2) / 3 * 4 + 1);
    if (!encoded)
        abort();
    EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)pair, (int)length);
    char *header = join("Authorization: Basic ", encoded);
    wipe(&pair);
    wipe(&encoded);
    return header;
}

struct keys *keys_new(const char *freshchat_token, const char *freshdesk_key, const char *freshcaller_key)
{
    const char *texts[] = {freshchat_token, freshdesk_key, freshcaller_key};
    for (size_t i = 0; i < 3; i++)
        if (texts[i] && !is_plain(texts[i]))
            return NULL;
    struct keys *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    if (freshchat_token)
        self->authorization[UPSTREAM_FRESHCHAT] = join("Authorization: Bearer ", freshchat_token);
    if (freshdesk_key)
        self->authorization[UPSTREAM_FRESHDESK] = basic(freshdesk_key);
    if (freshcaller_key)
        self->authorization[UPSTREAM_FRESHCALLER] = join("X-Api-Auth: ", freshcaller_key);
    return self;
}

struct keys *keys_read(const struct config *config, char *why, size_t why_size)
{
    struct keys *self = NULL;
    struct secret *caller = NULL;
    struct secret *desk = NULL;
    struct secret *chat = secret_read(config->freshchat.token_file, why, why_size);
    if (!chat)
        goto done;
    desk = secret_read(config->freshdesk.key_file, why, why_size);
    if (!desk)
        goto done;
    if (config->freshcaller.enabled) {
        caller = secret_read(config->freshcaller.key_file, why, why_size);
        if (!caller)
            goto done;
    }
    self = keys_new(chat->text, desk->text, caller ? caller->text : NULL);
    if (!self)
        snprintf(why, why_size, "a key file holds something other than one line of visible characters");
done:
    secret_free(&chat);
    secret_free(&desk);
    secret_free(&caller);
    return self;
}

void keys_free(struct keys **self)
{
    if (!*self)
        return;
    for (size_t i = 0; i < UPSTREAMS; i++)
        wipe(&(*self)->authorization[i]);
    free(*self);
    *self = NULL;
}
