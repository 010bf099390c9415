// SPDX-License-Identifier: Apache-2.0
// POST /callback. See callback.h.
#include "http-front/intake/callback.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http-front/intake/clients.h"
#include "http-front/intake/conclude.h"
#include "http-front/intake/http.h"
#include "http-front/intake/limiter.h"
#include "http-front/intake/normalise_callback.h"
#include "http-front/intake/request_id.h"
#include "proto/clock.h"
#include "proto/log.h"

#define MAX_BODY_BYTES 2048
#define MAX_ORIGIN     256
#define MINUTE_MS      60000
#define HOUR_MS        (60 * MINUTE_MS)

struct callback {
    const struct config *config;
    struct limiter *limiter;
};

struct callback *callback_new(const struct config *config)
{
    if (!config->widget.call_back || !*config->freshcaller.phone_number)
        return NULL;
    struct callback *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->config = config;
    self->limiter =
        limiter_new(config->widget.call_backs_per_client, HOUR_MS, config->widget.call_backs_per_minute, MINUTE_MS);
    return self;
}

void callback_free(struct callback **self)
{
    if (!*self)
        return;
    limiter_free(&(*self)->limiter);
    free(*self);
    *self = NULL;
}

bool callback_origin_allowed(const struct config_list *listed, const char *origin, const char *fetch_site,
                             const char *host)
{
    // It is repeated in the answer.
    if (!origin || strlen(origin) > MAX_ORIGIN || (strncmp(origin, "https://", 8) && strncmp(origin, "http://", 7)))
        return false;
    for (size_t i = 0; i < listed->count; i++)
        if (!strcmp(listed->items[i], origin))
            return true;
    if (listed->count)
        return false;
    if (fetch_site)
        return !strcmp(fetch_site, "same-origin") || !strcmp(fetch_site, "same-site");
    return host && *host && !strcasecmp(strstr(origin, "://") + 3, host);
}

static bool origin_allowed(const struct callback *self, const struct request *request)
{
    return request_header_count(request, "Origin") == 1 &&
           callback_origin_allowed(&self->config->widget.origins, request_header(request, "Origin"),
                                   request_header(request, "Sec-Fetch-Site"), request_header(request, "Host"));
}

// From a checked request to what is on disk.
static enum answer take(const struct callback *self, const struct http_options *options, struct request *request,
                        const void *body, size_t size, int64_t *wait_ms)
{
    struct normalise_options rules = {.phone_plan = config_phone_plan(self->config),
                                      .mask_card_numbers = options->mask_card_numbers,
                                      .now_ms = options->now_ms()};
    struct arena *arena = arena_new();
    struct normalised normalised = normalise_callback(body, size, &rules, arena);
    enum answer answer = normalised.answer;
    struct client client;
    clients_of(options->clients, request, &client);
    if (normalised.result == NORMALISE_EVENT && !limiter_take(self->limiter, client.key, clock_mono_ms(), wait_ms)) {
        answer = ANSWER_RATE;
    } else if (normalised.result == NORMALISE_EVENT) {
        normalised.event.request = request->id;
        enum accept_result result = options->accept(options->accept_arg, &normalised.event);
        answer = result == ACCEPT_STORED      ? ANSWER_ACCEPTED
                 : result == ACCEPT_DUPLICATE ? ANSWER_DUPLICATE
                                              : ANSWER_UNAVAILABLE;
        if (answer != ANSWER_ACCEPTED) // nothing was written: whoever asks again is not to be told that it is too often
            limiter_give(self->limiter, client.key, clock_mono_ms());
        if (answer == ANSWER_ACCEPTED)
            conclude_event(request, &normalised.event);
    }
    arena_free(&arena);
    return answer;
}

static enum answer work(const struct callback *self, const struct http_options *options, struct request *request,
                        bool allowed, int64_t *wait_ms)
{
    if (!request_is(request, "POST"))
        return ANSWER_METHOD;
    if (!allowed)
        return ANSWER_ORIGIN;
    if (!request_is_json(request))
        return ANSWER_CONTENT_TYPE;
    uint8_t *body;
    size_t size;
    enum answer answer = request_read_body(request, MAX_BODY_BYTES, options->request_timeout_ms, &body, &size);
    if (answer == ANSWER_ACCEPTED)
        answer = take(self, options, request, body, size, wait_ms);
    free(body);
    return answer;
}

void callback_handle(const struct callback *self, const struct http_options *options, struct request *request)
{
    bool allowed = origin_allowed(self, request);
    char extra[MAX_ORIGIN + 256];
    // What the page may read, and that another origin would be told otherwise.
    int length = snprintf(extra, sizeof extra, "Vary: Origin, Sec-Fetch-Site\r\n%s%s%s",
                          allowed ? "Access-Control-Allow-Origin: " : "",
                          allowed ? request_header(request, "Origin") : "", allowed ? "\r\n" : "");
    size_t left = sizeof extra - (size_t)length;
    if (request_is(request, "OPTIONS") && allowed) {
        snprintf(extra + length, left,
                 "Access-Control-Allow-Methods: POST\r\nAccess-Control-Allow-Headers: content-type\r\n"
                 "Access-Control-Max-Age: 600\r\n");
        request_answer(request, 200, "text/plain; charset=utf-8", extra, "", 0);
        return;
    }
    int64_t wait_ms = 0;
    log_request(request->id = request_id_new());
    enum answer answer = work(self, options, request, allowed, &wait_ms);
    if (answer_status(answer) == 405)
        snprintf(extra + length, left, "Allow: POST, OPTIONS\r\n");
    else if (answer == ANSWER_RATE)
        snprintf(extra + length, left, "Retry-After: %" PRId64 "\r\n", (wait_ms + 999) / 1000);
    else if (answer_status(answer) == 503)
        snprintf(extra + length, left, "Retry-After: 5\r\n");
    conclude(METRICS_CALLBACK, request, answer, extra, options->clients);
    log_request(0);
}
