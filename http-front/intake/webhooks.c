// SPDX-License-Identifier: Apache-2.0
// The two webhooks. Runs in CivetWeb's threads; each request is whole in one thread until the event is on disk.
#include "http-front/intake/webhooks.h"

#include <stdlib.h>

#include "http-front/admin/health.h"
#include "http-front/intake/conclude.h"
#include "http-front/intake/normalise_freshchat.h"
#include "http-front/intake/normalise_freshdesk.h"
#include "http-front/intake/request_id.h"
#include "proto/clock.h"

static enum answer verify_freshchat(const struct http_options *options, const struct request *request, const void *body,
                                    size_t size, int64_t now_ms)
{
    const char *signature = request_header(request, "X-Freshchat-Signature");
    switch (signature_verify(options->freshchat_keys, signature, body, size, now_ms)) {
    case SIGNATURE_RIGHT:
        return ANSWER_ACCEPTED;
    case SIGNATURE_MISSING:
        return ANSWER_SIGNATURE_MISSING;
    case SIGNATURE_MALFORMED:
        return ANSWER_SIGNATURE_MALFORMED;
    case SIGNATURE_WRONG:
        break;
    }
    return ANSWER_SIGNATURE_WRONG;
}

static enum answer verify_freshdesk(const struct http_options *options, const struct request *request, int64_t now_ms)
{
    switch (tokens_check(options->freshdesk_tokens, request_header(request, "X-Deskbell-Token"),
                         request_header(request, "Authorization"), now_ms)) {
    case TOKENS_RIGHT:
        return ANSWER_ACCEPTED;
    case TOKENS_MISSING:
        return ANSWER_TOKEN_MISSING;
    case TOKENS_WRONG:
        break;
    }
    return ANSWER_TOKEN_WRONG;
}

static enum answer make_durable(const struct http_options *options, const struct event *event)
{
    switch (options->accept(options->accept_arg, event)) {
    case ACCEPT_STORED:
        return ANSWER_ACCEPTED;
    case ACCEPT_DUPLICATE:
        return ANSWER_DUPLICATE;
    case ACCEPT_UNAVAILABLE:
        break;
    }
    return ANSWER_UNAVAILABLE;
}

// From a verified body to the answer.
static enum answer take(const struct http_options *options, enum metrics_source source, struct request *request,
                        const void *body, size_t size, int64_t now_ms)
{
    struct normalise_options rules = {.channels = options->channels,
                                      .channel_count = options->channel_count,
                                      .replay_window_ms = health_clock_doubtful() ? 0 : options->replay_window_ms,
                                      .mask_card_numbers = options->mask_card_numbers,
                                      .now_ms = now_ms};
    struct arena *arena = arena_new();
    struct normalised normalised = source == METRICS_FRESHCHAT ? normalise_freshchat(body, size, &rules, arena)
                                                               : normalise_freshdesk(body, size, &rules, arena);
    enum answer answer = normalised.answer;
    if (normalised.result == NORMALISE_EVENT) {
        normalised.event.request = request->id;
        answer = make_durable(options, &normalised.event);
        if (answer == ANSWER_ACCEPTED)
            conclude_event(request, &normalised.event);
    }
    arena_free(&arena);
    return answer;
}

// A refusal whose cause is what the headers say of the body is answered with that: it is what the sender can mend.
static enum answer because_of_headers(const struct request *request, enum answer answer)
{
    if (request_is_encoded(request))
        return ANSWER_CONTENT_ENCODING;
    bool told = request_header(request, "Content-Type") || answer == ANSWER_ACCEPTED; // proven by a password alone
    return told && !request_is_json(request) ? ANSWER_CONTENT_TYPE : answer;
}

// Content-Type keeps out what a browser sends for a page of another site. A signature and X-Deskbell-Token prove the
// sender, and no such page can set them: with these, whatever is JSON is taken, since a sender whose header differs
// would lose every message. A password in Authorization is sent by the browser that was once asked for it.
static bool may_be_a_page(const struct request *request, enum metrics_source source)
{
    const char *token = request_header(request, "X-Deskbell-Token");
    return source == METRICS_FRESHDESK && !(token && *token) && !request_is_json(request);
}

static enum answer work(const struct http_options *options, enum metrics_source source, struct request *request)
{
    if (!request_is(request, "POST"))
        return ANSWER_METHOD;
    uint8_t *body;
    size_t size;
    enum answer answer = request_read_body(request, options->max_body_bytes, options->request_timeout_ms, &body, &size);
    if (answer != ANSWER_ACCEPTED)
        return answer;
    int64_t now_ms = options->now_ms();
    answer = source == METRICS_FRESHCHAT ? verify_freshchat(options, request, body, size, now_ms)
                                         : verify_freshdesk(options, request, now_ms);
    bool proven = answer == ANSWER_ACCEPTED && !may_be_a_page(request, source);
    if (proven)
        answer = take(options, source, request, body, size, now_ms);
    free(body);
    return !proven || answer == ANSWER_BAD_JSON ? because_of_headers(request, answer) : answer;
}

static const char *extra_headers(enum metrics_source source, enum answer answer)
{
    switch (answer_status(answer)) {
    case 405:
        return "Allow: POST\r\n";
    case 401:
        return source == METRICS_FRESHDESK ? "WWW-Authenticate: Basic realm=\"deskbell\"\r\n" : NULL;
    case 503:
        return "Retry-After: 5\r\n";
    default:
        return NULL;
    }
}

void webhooks_handle(const struct http_options *options, enum metrics_source source, struct request *request)
{
    int64_t began_ms = clock_mono_ms();
    log_request(request->id = request_id_new());
    enum answer answer = work(options, source, request);
    metrics_observe(HISTOGRAM_WEBHOOK, (uint64_t)(clock_mono_ms() - began_ms));
    conclude(source, request, answer, extra_headers(source, answer), options->clients);
    log_request(0);
}
