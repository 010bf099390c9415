// SPDX-License-Identifier: Apache-2.0
// Sends webhooks. Several threads take from one queue, so that several webhooks are in flight and overtake each other
// as they do in life. Freshchat: 3 s a try, 5 retries. Freshdesk: retries after 5, 30 and 60 minutes of a clock that
// tests can speed up. Promises that a webhook is tried until it is answered 2xx or its retries are used up, and that
// each try is on the log.
#include "faults.h"
#include "webhooks.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct delivery {
    struct delivery *next;
    bool hint;
    char *url; // of a hint; NULL for Freshchat events: the target is looked up when it is sent
    char *body;
    size_t length;
    struct curl_slist *headers;
    char *login;
    char message_id[SANDBOX_ID_SIZE];
    int64_t ticket_id;
    int attempt;
    int64_t due_us;
    bool bad_signature, held; // held: waits for the next one to overtake it
};

struct sb_webhooks {
    pthread_mutex_t lock; // taken after the store's, never before it
    pthread_cond_t wake;
    struct delivery *queue; // by due time
    size_t waiting;         // queued or in flight
    bool stopping;
    pthread_t *threads;
    int thread_count;
};

static void delivery_free(struct delivery *delivery)
{
    curl_slist_free_all(delivery->headers);
    free(delivery->url);
    free(delivery->body);
    free(delivery->login);
    free(delivery);
}

// With the queue locked. Equal due times keep their order.
static void insert(struct sb_webhooks *webhooks, struct delivery *delivery)
{
    struct delivery **at = &webhooks->queue;
    while (*at != NULL && (*at)->due_us <= delivery->due_us)
        at = &(*at)->next;
    delivery->next = *at;
    *at = delivery;
    SB_NEED(pthread_cond_broadcast(&webhooks->wake));
}

static void push(struct sandbox *sb, struct delivery *delivery)
{
    SB_NEED(pthread_mutex_lock(&sb->webhooks->lock));
    sb->webhooks->waiting++;
    insert(sb->webhooks, delivery);
    SB_NEED(pthread_mutex_unlock(&sb->webhooks->lock));
}

static struct delivery *copy_of(const struct delivery *original)
{
    struct delivery *copy = sb_alloc(sizeof *copy);
    *copy = *original;
    copy->url = sb_copy(original->url);
    copy->body = sb_copy(original->body);
    copy->login = sb_copy(original->login);
    copy->headers = NULL;
    for (struct curl_slist *header = original->headers; header != NULL; header = header->next)
        copy->headers = curl_slist_append(copy->headers, header->data);
    return copy;
}

// Queues a delivery as the faults want it. Takes it over. The store is locked.
static void queue_with_faults(struct sandbox *sb, struct delivery *delivery, bool faulty,
                              const struct sandbox_webhook_fault *fault)
{
    if (faulty && fault->kind == SANDBOX_WEBHOOK_DROP) {
        delivery_free(delivery);
        return;
    }
    if (faulty && fault->kind == SANDBOX_WEBHOOK_DUPLICATE)
        push(sb, copy_of(delivery));
    if (faulty && fault->kind == SANDBOX_WEBHOOK_LATE)
        delivery->due_us += fault->ms * 1000;
    if (faulty && fault->kind == SANDBOX_WEBHOOK_REORDER) {
        delivery->due_us += (fault->ms > 0 ? fault->ms : 1000) * 1000;
        delivery->held = true;
    }
    if (faulty && fault->kind == SANDBOX_WEBHOOK_BAD_SIGNATURE)
        delivery->bad_signature = true;
    push(sb, delivery);
}

static struct delivery *new_event(const json_t *event, const char *message_id)
{
    struct delivery *delivery = sb_alloc(sizeof *delivery);
    delivery->body = json_dumps(event, JSON_COMPACT);
    delivery->length = strlen(delivery->body);
    delivery->due_us = sandbox_now_us();
    snprintf(delivery->message_id, sizeof delivery->message_id, "%s", message_id != NULL ? message_id : "");
    return delivery;
}

void sb_webhooks_freshchat(struct sandbox *sb, json_t *event, const char *message_id)
{
    const char *url = sb->options.freshchat_webhook_url;
    if (url == NULL || url[0] == '\0') {
        json_decref(event);
        return;
    }
    struct sandbox_webhook_fault fault;
    bool faulty = sb_faults_take_webhook(sb, false, &fault);
    json_t *message = json_object_get(json_object_get(event, "data"), "message");
    if (faulty && fault.kind == SANDBOX_WEBHOOK_NO_USER_ID)
        json_object_del(message, "user_id");
    if (faulty && fault.kind == SANDBOX_WEBHOOK_NO_MESSAGE_TYPE)
        json_object_del(message, "message_type");
    if (faulty && fault.kind == SANDBOX_WEBHOOK_UNKNOWN_ACTION) {
        json_t *strange =
            json_pack("{s:{s:s}, s:s, s:O, s:{s:{}}}", "actor", "actor_type", "system", "action", "satellite_aligned",
                      "action_time", json_object_get(event, "action_time"), "data", "satellite");
        push(sb, new_event(strange, NULL));
        json_decref(strange);
    }
    queue_with_faults(sb, new_event(event, message_id), faulty, &fault);
    json_decref(event);
}

// The whole of 127/8 is this machine's; scenarios give each program an address of its own in it.
static bool on_loopback(const char *url)
{
    static const char *const allowed[] = {"http://localhost", "http://[::1]"};
    if (strncmp(url, "http://127.", 11) == 0) {
        size_t host = 7 + strspn(url + 7, "0123456789.");
        return (url[host] == ':' || url[host] == '/' || url[host] == '\0') && strchr(url, '@') == NULL;
    }
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        size_t length = strlen(allowed[i]);
        if (strncmp(url, allowed[i], length) == 0 && (url[length] == ':' || url[length] == '/' || url[length] == '\0'))
            return strchr(url, '@') == NULL;
    }
    return false;
}

void sb_webhooks_hint(struct sandbox *sb, const char *url, const json_t *content, const json_t *headers,
                      const char *login, int64_t ticket_id)
{
    if (url == NULL || !on_loopback(url))
        return;
    struct sandbox_webhook_fault fault;
    bool faulty = sb_faults_take_webhook(sb, true, &fault);
    struct delivery *delivery = new_event(content, NULL);
    delivery->hint = true;
    delivery->url = sb_copy(url);
    delivery->login = sb_copy(login);
    delivery->ticket_id = ticket_id;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)headers, name, value)
    {
        char line[1024];
        if (!json_is_string(value) || json_string_length(value) == 0)
            continue;
        snprintf(line, sizeof line, "%s: %s", name, json_string_value(value));
        delivery->headers = curl_slist_append(delivery->headers, line);
    }
    queue_with_faults(sb, delivery, faulty, &fault);
}

static size_t discard(char *data, size_t size, size_t count, void *argument)
{
    (void)data;
    (void)argument;
    return size * count;
}

static int stop_transfer(void *argument, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct sandbox *sb = argument;
    (void)a, (void)b, (void)c, (void)d;
    return __atomic_load_n(&sb->webhooks->stopping, __ATOMIC_RELAXED);
}

// One try. Returns the HTTP status, 0 without an answer.
static int post(struct sandbox *sb, CURL *curl, const char *url, const void *body, size_t length,
                struct curl_slist *headers, const char *login, int64_t timeout_ms)
{
    long status = 0;
    if (!on_loopback(url))
        return 0;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)length);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, stop_transfer);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, sb);
    if (login != NULL)
        curl_easy_setopt(curl, CURLOPT_USERPWD, login);
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static int post_event(struct sandbox *sb, CURL *curl, const void *body, size_t length, const char *signature,
                      int attempt)
{
    char right[SANDBOX_SIGNATURE_SIZE], line[SANDBOX_SIGNATURE_SIZE + 64];
    sb_lock(sb);
    char *url = sb_copy(sb->options.freshchat_webhook_url);
    int64_t timeout_ms = sb->options.freshchat_timeout_ms;
    sb_unlock(sb);
    if (signature == NULL) {
        sandbox_sign(sb, body, length, right);
        signature = right;
    }
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    snprintf(line, sizeof line, "X-Freshchat-Signature: %s", signature);
    headers = curl_slist_append(headers, line);
    headers = curl_slist_append(headers, "X-Freshchat-Payload-Version: 2");
    snprintf(line, sizeof line, "X-Retry-Count: %d", attempt);
    headers = curl_slist_append(headers, line);
    headers = curl_slist_append(headers, "Expect:");
    int status = url != NULL ? post(sb, curl, url, body, length, headers, NULL, timeout_ms) : 0;
    curl_slist_free_all(headers);
    free(url);
    return status;
}

static int post_hint(struct sandbox *sb, CURL *curl, const struct delivery *delivery)
{
    sb_lock(sb);
    int64_t timeout_ms = sb->options.freshdesk_timeout_ms;
    sb_unlock(sb);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    for (struct curl_slist *header = delivery->headers; header != NULL; header = header->next)
        headers = curl_slist_append(headers, header->data);
    int status = post(sb, curl, delivery->url, delivery->body, delivery->length, headers, delivery->login, timeout_ms);
    curl_slist_free_all(headers);
    return status;
}

int sandbox_deliver(struct sandbox *sb, const void *body, size_t length, const char *signature)
{
    CURL *curl = curl_easy_init();
    int status = post_event(sb, curl, body, length, signature, 0);
    curl_easy_cleanup(curl);
    return status;
}

int sandbox_deliver_hint(struct sandbox *sb, const char *body, const char *token)
{
    CURL *curl = curl_easy_init();
    char line[1024];
    sb_lock(sb);
    struct delivery delivery = {
        .url = sb_copy(sb->options.freshdesk_webhook_url), .body = (char *)body, .length = strlen(body)};
    snprintf(line, sizeof line, "X-Deskbell-Token: %s", token != NULL ? token : sb->options.hint_token);
    sb_unlock(sb);
    delivery.headers = curl_slist_append(NULL, line);
    int status = delivery.url != NULL ? post_hint(sb, curl, &delivery) : 0;
    curl_slist_free_all(delivery.headers);
    free(delivery.url);
    curl_easy_cleanup(curl);
    return status;
}

// The pause before the next try in milliseconds, negative when there is none.
static int64_t next_gap(const struct sandbox *sb, const struct delivery *delivery)
{
    const struct sandbox_options *options = &sb->options;
    if (delivery->hint)
        return delivery->attempt < options->freshdesk_retries
                   ? (int64_t)((double)options->freshdesk_gaps_ms[delivery->attempt] / options->freshdesk_clock_scale)
                   : -1;
    return delivery->attempt < options->freshchat_retries ? options->freshchat_gaps_ms[delivery->attempt] : -1;
}

static void log_try(struct sandbox *sb, const struct delivery *delivery, int status, int64_t started_us)
{
    char text[128];
    sb_lock(sb);
    sb->deliveries = sb_grow(sb->deliveries, sb->delivery_count, sizeof *sb->deliveries);
    struct sandbox_delivery *logged = &sb->deliveries[sb->delivery_count++];
    *logged = (struct sandbox_delivery){.hint = delivery->hint,
                                        .body = sb_copy(delivery->body),
                                        .ticket_id = delivery->ticket_id,
                                        .attempt = delivery->attempt,
                                        .status = status,
                                        .at_us = started_us,
                                        .done_us = sandbox_now_us()};
    memcpy(logged->message_id, delivery->message_id, sizeof logged->message_id);
    if (status < 200 || status > 299) {
        snprintf(text, sizeof text, "%s webhook, try %d: %s%d", delivery->hint ? "Freshdesk" : "Freshchat",
                 delivery->attempt + 1, status > 0 ? "HTTP " : "no answer ", status);
        sb_store_event(sb, SANDBOX_EVENT_WEBHOOK_FAILED, NULL, delivery->ticket_id, 0, text);
    }
    sb_store_changed(sb);
    sb_unlock(sb);
}

// One try, and what follows from it. Takes the delivery over.
static void attempt(struct sandbox *sb, CURL *curl, struct delivery *delivery)
{
    int64_t started_us = sandbox_now_us();
    const char *signature = NULL;
    char wrong[SANDBOX_SIGNATURE_SIZE];
    if (delivery->bad_signature) {
        // A true signature over other bytes: right in form and length, so that only verifying it shows that it is
        // wrong.
        sandbox_sign(sb, "not this body", 13, wrong);
        signature = wrong;
        delivery->bad_signature = false;
    }
    int status = delivery->hint ? post_hint(sb, curl, delivery)
                                : post_event(sb, curl, delivery->body, delivery->length, signature, delivery->attempt);
    bool was_held = delivery->held, was_hint = delivery->hint;
    log_try(sb, delivery, status, started_us);
    int64_t gap_ms = status >= 200 && status <= 299 ? -1 : next_gap(sb, delivery);
    struct sb_webhooks *webhooks = sb->webhooks;
    SB_NEED(pthread_mutex_lock(&webhooks->lock));
    if (gap_ms >= 0) {
        delivery->attempt++;
        delivery->held = false;
        delivery->due_us = sandbox_now_us() + gap_ms * 1000;
        insert(webhooks, delivery);
    } else {
        delivery_free(delivery);
        webhooks->waiting--;
    }
    // Whoever let this one overtake may go now.
    for (struct delivery **at = &webhooks->queue; !was_held && *at != NULL; at = &(*at)->next) {
        struct delivery *held = *at;
        if (!held->held || held->hint != was_hint)
            continue;
        *at = held->next;
        held->due_us = sandbox_now_us();
        insert(webhooks, held);
        break;
    }
    SB_NEED(pthread_mutex_unlock(&webhooks->lock));
    sb_lock(sb);
    sb_store_changed(sb);
    sb_unlock(sb);
}

static void *sender_main(void *argument)
{
    struct sandbox *sb = argument;
    struct sb_webhooks *webhooks = sb->webhooks;
    CURL *curl = curl_easy_init();
    SB_NEED(pthread_mutex_lock(&webhooks->lock));
    while (!webhooks->stopping) {
        struct delivery *first = webhooks->queue;
        if (first == NULL) {
            SB_NEED(pthread_cond_wait(&webhooks->wake, &webhooks->lock));
            continue;
        }
        if (first->due_us > sandbox_now_us()) {
            struct timespec due = {.tv_sec = first->due_us / 1000000, .tv_nsec = first->due_us % 1000000 * 1000};
            pthread_cond_timedwait(&webhooks->wake, &webhooks->lock, &due);
            continue;
        }
        webhooks->queue = first->next;
        SB_NEED(pthread_mutex_unlock(&webhooks->lock));
        attempt(sb, curl, first);
        SB_NEED(pthread_mutex_lock(&webhooks->lock));
    }
    SB_NEED(pthread_mutex_unlock(&webhooks->lock));
    curl_easy_cleanup(curl);
    return NULL;
}

void sb_webhooks_start(struct sandbox *sb)
{
    struct sb_webhooks *webhooks = sb_alloc(sizeof *webhooks);
    pthread_condattr_t attributes;
    SB_NEED(pthread_condattr_init(&attributes));
    SB_NEED(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
    SB_NEED(pthread_mutex_init(&webhooks->lock, NULL));
    SB_NEED(pthread_cond_init(&webhooks->wake, &attributes));
    pthread_condattr_destroy(&attributes);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    sb->webhooks = webhooks;
    webhooks->threads = sb_alloc((size_t)sb->options.senders * sizeof *webhooks->threads);
    for (; webhooks->thread_count < sb->options.senders; webhooks->thread_count++)
        SB_NEED(pthread_create(&webhooks->threads[webhooks->thread_count], NULL, sender_main, sb));
}

void sb_webhooks_stop(struct sandbox *sb)
{
    struct sb_webhooks *webhooks = sb->webhooks;
    SB_NEED(pthread_mutex_lock(&webhooks->lock));
    __atomic_store_n(&webhooks->stopping, true, __ATOMIC_RELAXED);
    SB_NEED(pthread_cond_broadcast(&webhooks->wake));
    SB_NEED(pthread_mutex_unlock(&webhooks->lock));
    for (int i = 0; i < webhooks->thread_count; i++)
        SB_NEED(pthread_join(webhooks->threads[i], NULL));
    while (webhooks->queue != NULL) {
        struct delivery *first = webhooks->queue;
        webhooks->queue = first->next;
        delivery_free(first);
    }
    pthread_cond_destroy(&webhooks->wake);
    pthread_mutex_destroy(&webhooks->lock);
    free(webhooks->threads);
    free(webhooks);
    sb->webhooks = NULL;
    curl_global_cleanup();
}

size_t sandbox_webhooks_waiting(struct sandbox *sb)
{
    SB_NEED(pthread_mutex_lock(&sb->webhooks->lock));
    size_t waiting = sb->webhooks->waiting;
    SB_NEED(pthread_mutex_unlock(&sb->webhooks->lock));
    return waiting;
}
