// SPDX-License-Identifier: Apache-2.0
// The end of a request that brought an event. Runs in CivetWeb's threads.
#include "http-front/intake/conclude.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "proto/clock.h"
#include "proto/log.h"

// A refusal of one kind is logged at most this often; the metrics count every one.
#define LOG_EVERY_MS 60000

static void log_refusal(enum metrics_source source, enum answer answer, const struct request *request,
                        const struct clients *clients)
{
    static _Atomic int64_t logged_ms[METRICS_SOURCES][ANSWERS];
    int64_t now_ms = clock_mono_ms(), last_ms = atomic_load(&logged_ms[source][answer]);
    struct client client;
    if ((last_ms && now_ms - last_ms < LOG_EVERY_MS) ||
        !atomic_compare_exchange_strong(&logged_ms[source][answer], &last_ms, now_ms))
        return;
    clients_of(clients, request, &client);
    log_warn("webhook_refused", "source=%s status=%d reason=%s from=%s so_far=%llu", metrics_source_name(source),
             answer_status(answer), answer_word(answer), client.text,
             (unsigned long long)metrics_answers(source, answer));
}

static void log_accepted(enum metrics_source source, const struct request *request)
{
    if (request->accepted.ticket_id)
        log_info("accepted", "source=%s ticket=%" PRIu64, metrics_source_name(source), request->accepted.ticket_id);
    else if (*request->accepted.key)
        log_info("accepted", "source=%s conversation=%s key=%s", metrics_source_name(source),
                 request->accepted.conversation, request->accepted.key);
}

void conclude_event(struct request *request, const struct event *event)
{
    snprintf(request->accepted.conversation, sizeof request->accepted.conversation, "%s", event->conversation);
    snprintf(request->accepted.key, sizeof request->accepted.key, "%s", event->key);
    request->accepted.ticket_id = event->kind == EVENT_HINT ? event->ticket_id : 0;
}

void conclude(enum metrics_source source, struct request *request, enum answer answer, const char *extra,
              const struct clients *clients)
{
    int status = answer_status(answer);
    // Before the answer: whoever has it finds it counted.
    metrics_count_answer(source, answer);
    if (status == 200) {
        char text[64];
        int size = snprintf(text, sizeof text, "{\"status\":\"%s\"}", answer_sentence(answer));
        request_answer(request, status, "application/json", extra, text, (size_t)size);
        log_accepted(source, request);
        log_debug("webhook", "source=%s status=%s reason=%s", metrics_source_name(source), answer_sentence(answer),
                  answer_word(answer));
    } else {
        request_refuse(request, status, extra, answer_sentence(answer));
        log_refusal(source, answer, request, clients);
    }
}
