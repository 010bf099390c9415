// SPDX-License-Identifier: Apache-2.0
// See http_world.h.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http-front/admin/health.h"
#include "http-front/admin/metrics.h"
#include "proto/log.h"
#include "tests/unit/http_world.h"

static EVP_PKEY *key;
static struct signature_keys *keys;
static struct tokens *tokens;

const struct widget *stage_widget;

static enum accept_result accept_event(void *arg, const struct event *event)
{
    struct world *world = arg;
    pthread_mutex_lock(&world->lock);
    world->inside++;
    world->calls++;
    snprintf(world->last_key, sizeof world->last_key, "%s", event->key);
    world->last_kind = event->kind;
    world->last_ticket = event->ticket_id;
    pthread_cond_broadcast(&world->changed);
    while (world->hold)
        pthread_cond_wait(&world->changed, &world->lock);
    world->inside--;
    enum accept_result result = world->result;
    pthread_mutex_unlock(&world->lock);
    return result;
}

void hold(struct world *world, bool on)
{
    pthread_mutex_lock(&world->lock);
    world->hold = on;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
}

void wait_inside(struct world *world, int count)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    pthread_mutex_lock(&world->lock);
    int rc = 0;
    while (world->inside < count && !rc)
        rc = pthread_cond_timedwait(&world->changed, &world->lock, &until);
    pthread_mutex_unlock(&world->lock);
    assert_int_equal(rc, 0);
}

int calls(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    int count = world->calls;
    pthread_mutex_unlock(&world->lock);
    return count;
}

int listening_socket(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int request_timeout_ms = 1000;

struct world *world_stage(int listen_fd, int admin_fd)
{
    struct world *world = calloc(1, sizeof *world);
    char why[256];
    pthread_mutex_init(&world->lock, NULL);
    pthread_cond_init(&world->changed, NULL);
    world->options = (struct http_options){
        .listen_fd = listen_fd,
        .admin_listen_fd = admin_fd,
        .listen = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
        .admin_listen = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
        .threads = 8,
        .max_body_bytes = MAX_BODY,
        .freshchat_keys = keys,
        .freshdesk_tokens = tokens,
        .widget = stage_widget,
        .request_timeout_ms = request_timeout_ms,
        .accept = accept_event,
        .accept_arg = world,
    };
    world->http = http_new(&world->options, why, sizeof why);
    if (!world->http)
        fail_msg("%s", why);
    return world;
}

void world_open(struct world *world)
{
    char why[256];
    if (!http_open(world->http, why, sizeof why))
        fail_msg("%s", why);
    world->port = http_port(world->http);
    world->admin_port = http_admin_port(world->http);
}

int world_new(void **state)
{
    struct world *world = world_stage(-1, -1);
    world_open(world);
    metrics_reset();
    *state = world;
    return 0;
}

int world_new_patient(void **state)
{
    request_timeout_ms = 3000; // long enough for what must happen within it on a busy machine
    int rc = world_new(state);
    request_timeout_ms = 1000;
    return rc;
}

void world_end(struct world *world)
{
    hold(world, false);
    http_free(&world->http);
    assert_null(world->http);
    health_set_draining(false);
    pthread_mutex_destroy(&world->lock);
    pthread_cond_destroy(&world->changed);
    free(world);
}

int world_free(void **state)
{
    world_end(*state);
    return 0;
}

// ---- a client that sends exactly what it is told ----

int dial(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = WAIT_MS / 1000};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void send_bytes(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return; // the server may close early; what it answered is read next
        bytes += sent;
        size -= (size_t)sent;
    }
}

void send_text(int fd, const char *text)
{
    send_bytes(fd, text, strlen(text));
}

struct answer_read *read_answer(int fd, bool head_only)
{
    static struct answer_read answer;
    answer = (struct answer_read){0};
    size_t used = 0;
    while (used + 1 < sizeof answer.head && !strstr(answer.head, "\r\n\r\n")) {
        ssize_t got = recv(fd, answer.head + used, 1, 0);
        if (got < 0)
            fail_msg("no answer: %s, so far '%s'", strerror(errno), answer.head);
        if (!got)
            return &answer;
        used += (size_t)got;
    }
    assert_int_equal(sscanf(answer.head, "HTTP/1.1 %d ", &answer.status), 1);
    const char *length = strstr(answer.head, "\r\nContent-Length: ");
    if (answer.status == 100)
        return &answer;
    assert_non_null(length);
    size_t size = head_only || answer.status == 304 ? 0 : strtoul(length + 18, NULL, 10);
    assert_true(size < sizeof answer.body);
    for (size_t at = 0; at < size;) {
        ssize_t got = recv(fd, answer.body + at, size - at, 0);
        assert_true(got > 0);
        at += (size_t)got;
    }
    return &answer;
}

bool is_closed(int fd)
{
    char byte;
    shutdown(fd, SHUT_WR);
    ssize_t got = recv(fd, &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

bool says(const struct answer_read *answer, const char *line)
{
    return strstr(answer->head, line) != NULL;
}

struct answer_read *ask(uint16_t port, const char *request)
{
    int fd = dial(port);
    send_text(fd, request);
    struct answer_read *answer = read_answer(fd, !strncmp(request, "HEAD", 4));
    if (says(answer, "Connection: close"))
        answer->closed = is_closed(fd);
    close(fd);
    return answer;
}

char *signature_of(const char *body, size_t size)
{
    unsigned char raw[512];
    size_t length = sizeof raw;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, raw, &length, (const unsigned char *)body, size), 1);
    EVP_MD_CTX_free(ctx);
    static char text[1024];
    EVP_EncodeBlock((unsigned char *)text, raw, (int)length);
    return text;
}

char *message(const char *id, const char *text)
{
    static char body[65536];
    snprintf(body, sizeof body,
             "{\"actor\":{\"actor_type\":\"user\",\"actor_id\":\"u1\"},\"action\":\"message_create\","
             "\"action_time\":\"2026-03-04T10:20:30.456Z\",\"data\":{\"message\":{\"message_parts\":[{\"text\":{"
             "\"content\":\"%s\"}}],\"id\":\"%s\",\"conversation_id\":\"c1\",\"channel_id\":\"ch1\"}}}",
             text, id);
    return body;
}

char *signed_request(const char *body, const char *extra)
{
    static char request[131072];
    snprintf(request, sizeof request,
             "POST /webhooks/freshchat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
             "X-FreshChat-Signature: %s\r\nContent-Length: %zu\r\n%s\r\n%s",
             signature_of(body, strlen(body)), strlen(body), extra, body);
    return request;
}

char *desk_request(const char *headers, const char *body)
{
    static char request[16384];
    snprintf(request, sizeof request,
             "POST /webhooks/freshdesk HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%sContent-Length: "
             "%zu\r\n\r\n%s",
             headers, strlen(body), body);
    return request;
}

void expect(struct answer_read *answer, int status, const char *body)
{
    if (answer->status != status || (body && !strstr(answer->body, body)))
        fail_msg("expected %d %s, got %d %s", status, body ? body : "", answer->status, answer->body);
    assert_true(says(answer, "Cache-Control: no-store\r\n"));
}

// ---- keys ----

int world_load(void **state)
{
    (void)state;
    unsigned char *der = NULL;
    char text[2048], why[256];
    log_init("test", LOG_LEVEL_ERROR);
    key = EVP_RSA_gen(2048);
    keys = signature_keys_new();
    tokens = tokens_new();
    int size = i2d_PUBKEY(key, &der);
    EVP_EncodeBlock((unsigned char *)text, der, size);
    OPENSSL_free(der);
    return signature_keys_add(keys, "k", text, strlen(text), why, sizeof why) &&
                   tokens_add(tokens, "t", TOKEN, strlen(TOKEN))
               ? 0
               : -1;
}

int world_unload(void **state)
{
    (void)state;
    signature_keys_free(&keys);
    tokens_free(&tokens);
    EVP_PKEY_free(key);
    return 0;
}
