// SPDX-License-Identifier: Apache-2.0
// Waiting calls over the workers' client.
#include "ctl/ask.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "upstream/client.h"

struct ask {
    const struct config *config;
    struct client *client;
    // Of the call that is out.
    struct reply *reply;
    enum upstream upstream;
    int64_t begun_ms; // wall clock
};

struct ask *ask_new(const struct config *config, const struct keys *keys, char why[ASK_WHY_BYTES])
{
    struct client *client = client_new(config, keys, why, ASK_WHY_BYTES);
    if (!client)
        return NULL;
    struct ask *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->config = config;
    self->client = client;
    return self;
}

void ask_free(struct ask **self)
{
    if (!*self)
        return;
    client_free(&(*self)->client);
    free(*self);
    *self = NULL;
}

void ask_clear(struct reply *reply)
{
    json_decref(reply->json);
    free(reply->next);
    *reply = (struct reply){.answer = ANSWER_RETRY};
}

// The next page's address as a path behind api_url; NULL when it is none of that upstream.
static char *next_path(const struct ask *self, const char *link)
{
    const struct config *config = self->config;
    const char *base = self->upstream == UPSTREAM_FRESHDESK   ? config->freshdesk.api_url
                       : self->upstream == UPSTREAM_FRESHCHAT ? config->freshchat.api_url
                                                              : config->freshcaller.api_url;
    size_t length = strlen(base);
    if (!link || strncmp(link, base, length) != 0 || link[length] != '/')
        return NULL;
    char *path = strdup(link + length);
    if (!path)
        abort();
    return path;
}

static void on_done(void *context, const struct client_result *result)
{
    struct ask *self = context;
    struct reply *reply = self->reply;
    const struct response *response = &result->response;
    reply->answer = response->answer;
    reply->status = response->status;
    reply->json = json_incref(response->json);
    reply->next = next_path(self, response->link_next);
    if (response->date_ms) {
        // Date says whole seconds; the middle of the call and of the second is the fairest guess.
        reply->clock_known = true;
        reply->ahead_ms = (int64_t)response->date_ms + 500 - (self->begun_ms + (int64_t)result->took_ms / 2);
    }
    snprintf(reply->problem, sizeof reply->problem, "%s", response->problem ? response->problem : "");
    self->reply = NULL;
}

static void call(struct ask *self, enum step_kind kind, enum upstream upstream, const char *method, const char *path,
                 const char *body, struct reply *reply)
{
    const struct request request = {.upstream = upstream, .method = method, .path = path, .body = body};
    *reply = (struct reply){.answer = ANSWER_RETRY};
    self->reply = reply;
    self->upstream = upstream;
    self->begun_ms = clock_wall_ms();
    if (!client_call(self->client, kind, &request, on_done, self, reply->problem, sizeof reply->problem)) {
        self->reply = NULL;
        return;
    }
    reply->asked = true;
    struct pollfd ready = {.fd = client_fd(self->client), .events = POLLIN};
    while (self->reply) { // the client's own time-out ends it
        if (poll(&ready, 1, -1) < 0 && errno != EINTR)
            abort();
        client_ready(self->client);
    }
}

void ask_get(struct ask *self, enum upstream upstream, const char *path, struct reply *reply)
{
    call(self, STEP_READ, upstream, "GET", path, NULL, reply);
}

void ask_write(struct ask *self, enum upstream upstream, const char *method, const char *path, json_t *body,
               struct reply *reply)
{
    char *text = json_dumps(body, JSON_COMPACT);
    if (!text)
        abort();
    call(self, STEP_WRITE, upstream, method, path, text, reply);
    explicit_bzero(text, strlen(text)); // a rule's body holds the webhook token
    free(text);
    json_decref(body);
}

void ask_list(struct ask *self, enum upstream upstream, const char *path, const char *name, int pages,
              struct reply *reply)
{
    json_t *all = json_array();
    char *at = strdup(path);
    if (!at)
        abort();
    ask_get(self, upstream, at, reply);
    while (reply->answer == ANSWER_OK) {
        const json_t *list = json_is_array(reply->json) ? reply->json : json_object_get(reply->json, name);
        if (!json_is_array(list)) {
            reply->answer = ANSWER_REFUSED;
            snprintf(reply->problem, sizeof reply->problem, "The answer was JSON of an unexpected shape.");
            break;
        }
        json_array_extend(all, (json_t *)list);
        if (!reply->next || --pages <= 0)
            break;
        free(at);
        at = reply->next;
        reply->next = NULL;
        ask_clear(reply);
        ask_get(self, upstream, at, reply);
    }
    free(at);
    if (reply->answer == ANSWER_OK) {
        json_decref(reply->json);
        reply->json = all;
    } else {
        json_decref(all);
    }
}

// ---- Deskbell's own addresses ---------------------------------------------------------------------------------------

static size_t on_echo(char *data, size_t size, size_t count, void *context)
{
    struct echo *echo = context;
    size_t used = strlen(echo->body), room = sizeof echo->body - 1 - used, bytes = size * count;
    size_t taken = bytes < room ? bytes : room;
    memcpy(echo->body + used, data, taken); // what is longer is none of ours; it is read and forgotten
    echo->body[used + taken] = '\0';
    return bytes;
}

void ask_own(const char *url, const char *body, const char *header, const struct way *way, struct echo *echo)
{
    char error[CURL_ERROR_SIZE] = "";
    *echo = (struct echo){.status = 0};
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (header)
        headers = curl_slist_append(headers, header);
    if (!easy || !headers)
        abort();
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, strncmp(url, "https:", 6) == 0 ? "https" : "http");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (*way->ca_file) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, way->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    curl_easy_setopt(easy, CURLOPT_PROXY, way->proxy);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)way->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "deskbellctl/" DESKBELL_VERSION);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_echo);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, echo);
    if (body) {
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    }
    CURLcode code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &echo->status);
    if (code != CURLE_OK) {
        echo->status = 0;
        snprintf(echo->problem, sizeof echo->problem, "%s", error[0] ? error : curl_easy_strerror(code));
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
}
