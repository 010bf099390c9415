// SPDX-License-Identifier: Apache-2.0
// The front's HTTP listeners, started for real on loopback, with a committer of the test's own behind them. Raw
// sockets, because most of what is tested here no well-behaved client would send.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http-front/admin/health.h"
#include "http-front/admin/metrics.h"
#include "http-front/admin/status.h"
#include "http-front/intake/http.h"
#include "http-front/intake/listener.h"
#include "proto/clock.h"
#include "proto/log.h"

#define TOKEN    "a-long-token-for-tests"
#define MAX_BODY 4096
#define WAIT_MS  8000 // any answer of a test must come within it

// ---- the world behind the listener ----

static EVP_PKEY *key;
static struct signature_keys *keys;
static struct tokens *tokens;

static const struct widget *stage_widget; // what the next world serves to shoppers

struct world {
    struct http_options options;
    struct http *http;
    uint16_t port, admin_port;
    // what accept does and saw
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum accept_result result;
    bool hold; // accept blocks while it is set
    int inside, calls;
    char last_key[256];
    uint64_t last_kind, last_ticket;
};

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

static void hold(struct world *world, bool on)
{
    pthread_mutex_lock(&world->lock);
    world->hold = on;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
}

static void wait_inside(struct world *world, int count)
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

static int calls(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    int count = world->calls;
    pthread_mutex_unlock(&world->lock);
    return count;
}

static int listening_socket(uint16_t *port)
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

// What measures time would measure valgrind's: ./dev test says when it runs the tests under that.
#define NOT_UNDER_VALGRIND()                                                                                           \
    do {                                                                                                               \
        if (getenv("DESKBELL_TEST_SLOW"))                                                                              \
            skip();                                                                                                    \
    } while (0)

static struct world *world_stage(int listen_fd, int admin_fd)
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

static void world_open(struct world *world)
{
    char why[256];
    if (!http_open(world->http, why, sizeof why))
        fail_msg("%s", why);
    world->port = http_port(world->http);
    world->admin_port = http_admin_port(world->http);
}

static int world_new(void **state)
{
    struct world *world = world_stage(-1, -1);
    world_open(world);
    metrics_reset();
    *state = world;
    return 0;
}

static int world_new_patient(void **state)
{
    request_timeout_ms = 3000; // long enough for what must happen within it on a busy machine
    int rc = world_new(state);
    request_timeout_ms = 1000;
    return rc;
}

static void world_end(struct world *world)
{
    hold(world, false);
    http_free(&world->http);
    assert_null(world->http);
    health_set_draining(false);
    pthread_mutex_destroy(&world->lock);
    pthread_cond_destroy(&world->changed);
    free(world);
}

static int world_free(void **state)
{
    world_end(*state);
    return 0;
}

// ---- a client that sends exactly what it is told ----

static int dial(uint16_t port)
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

static void send_bytes(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return; // the server may close early; what it answered is read next
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void send_text(int fd, const char *text)
{
    send_bytes(fd, text, strlen(text));
}

struct answer_read {
    int status; // 0: the connection ended without an answer
    char head[4096];
    char body[262144];
    bool closed; // the connection was closed after it
};

// Reads one answer: head, then as many bytes as Content-Length says. `head_only` for HEAD.
static struct answer_read *read_answer(int fd, bool head_only)
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

static bool is_closed(int fd)
{
    char byte;
    shutdown(fd, SHUT_WR);
    ssize_t got = recv(fd, &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

static bool says(const struct answer_read *answer, const char *line)
{
    return strstr(answer->head, line) != NULL;
}

// Sends one raw request on a connection of its own and reads the answer.
static struct answer_read *ask(uint16_t port, const char *request)
{
    int fd = dial(port);
    send_text(fd, request);
    struct answer_read *answer = read_answer(fd, !strncmp(request, "HEAD", 4));
    if (says(answer, "Connection: close"))
        answer->closed = is_closed(fd);
    close(fd);
    return answer;
}

static char *signature_of(const char *body, size_t size)
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

static char *message(const char *id, const char *text)
{
    static char body[65536];
    snprintf(body, sizeof body,
             "{\"actor\":{\"actor_type\":\"user\",\"actor_id\":\"u1\"},\"action\":\"message_create\","
             "\"action_time\":\"2026-03-04T10:20:30.456Z\",\"data\":{\"message\":{\"message_parts\":[{\"text\":{"
             "\"content\":\"%s\"}}],\"id\":\"%s\",\"conversation_id\":\"c1\",\"channel_id\":\"ch1\"}}}",
             text, id);
    return body;
}

// A whole signed Freshchat request; extra header lines may be given.
static char *signed_request(const char *body, const char *extra)
{
    static char request[131072];
    snprintf(request, sizeof request,
             "POST /webhooks/freshchat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
             "X-FreshChat-Signature: %s\r\nContent-Length: %zu\r\n%s\r\n%s",
             signature_of(body, strlen(body)), strlen(body), extra, body);
    return request;
}

static char *desk_request(const char *headers, const char *body)
{
    static char request[16384];
    snprintf(request, sizeof request,
             "POST /webhooks/freshdesk HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%sContent-Length: "
             "%zu\r\n\r\n%s",
             headers, strlen(body), body);
    return request;
}

static void expect(struct answer_read *answer, int status, const char *body)
{
    if (answer->status != status || (body && !strstr(answer->body, body)))
        fail_msg("expected %d %s, got %d %s", status, body ? body : "", answer->status, answer->body);
    assert_true(says(answer, "Cache-Control: no-store\r\n"));
}

// ---- tests ----

static void a_signed_message_is_accepted_and_a_duplicate_named(void **state)
{
    struct world *world = *state;
    expect(ask(world->port, signed_request(message("m1", "hi"), "")), 200, "{\"status\":\"accepted\"}");
    assert_string_equal(world->last_key, "freshchat:message:m1");
    assert_int_equal(world->last_kind, EVENT_CUSTOMER_MESSAGE);
    world->result = ACCEPT_DUPLICATE;
    expect(ask(world->port, signed_request(message("m1", "hi"), "")), 200, "{\"status\":\"duplicate\"}");
    world->result = ACCEPT_UNAVAILABLE;
    struct answer_read *answer = ask(world->port, signed_request(message("m1", "hi"), ""));
    expect(answer, 503, "{\"error\":");
    assert_true(says(answer, "Retry-After: 5\r\n"));
    world->result = ACCEPT_STORED;
    expect(ask(world->port, signed_request("{\"action\":\"conversation_reopen\",\"data\":{}}", "")), 200,
           "{\"status\":\"ignored\"}");
    assert_int_equal(calls(world), 3);
    assert_int_equal(metrics_answers(METRICS_FRESHCHAT, ANSWER_ACCEPTED), 1);
    assert_int_equal(metrics_answers(METRICS_FRESHCHAT, ANSWER_DUPLICATE), 1);
    assert_int_equal(metrics_answers(METRICS_FRESHCHAT, ANSWER_UNAVAILABLE), 1);
    assert_int_equal(metrics_answers(METRICS_FRESHCHAT, ANSWER_IGNORED_LIFECYCLE), 1);
    assert_int_equal(metrics_observed(HISTOGRAM_WEBHOOK), 4);
}

static void freshdesk_hints_need_the_token(void **state)
{
    struct world *world = *state;
    const char *good = "X-Deskbell-Token: " TOKEN "\r\n";
    expect(ask(world->port, desk_request(good, "{\"ticket_id\":42}")), 200, "accepted");
    assert_int_equal(world->last_ticket, 42);
    assert_int_equal(world->last_kind, EVENT_HINT);
    expect(ask(world->port, desk_request(good, "{\"ticket_id\":\"43\"}")), 200, "accepted");
    assert_int_equal(world->last_ticket, 43);
    // "any:a-long-token-for-tests"
    expect(ask(world->port, desk_request("Authorization: Basic YW55OmEtbG9uZy10b2tlbi1mb3ItdGVzdHM=\r\n",
                                         "{\"freshdesk_webhook\":{\"ticket_id\":44}}")),
           200, "accepted");
    assert_int_equal(world->last_ticket, 44);
    int before = calls(world);
    struct answer_read *answer = ask(world->port, desk_request("", "{\"ticket_id\":42}"));
    expect(answer, 401, "{\"error\":");
    assert_true(says(answer, "WWW-Authenticate: Basic"));
    expect(ask(world->port, desk_request("X-Deskbell-Token: wrong\r\n", "{\"ticket_id\":42}")), 401, NULL);
    expect(ask(world->port, desk_request("X-Deskbell-Token:\r\n", "{\"ticket_id\":42}")), 401, NULL);
    const char *const bad[] = {"{\"ticket_id\":0}",
                               "{\"ticket_id\":-1}",
                               "{\"ticket_id\":1.5}",
                               "{\"ticket_id\":\"x\"}",
                               "{\"ticket_id\":\"\"}",
                               "{}",
                               "[]",
                               "42",
                               "{\"ticket_id\":42",
                               "",
                               "{\"ticket_id\":9223372036854775808}",
                               "{\"ticket_id\":\"9223372036854775808\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect(ask(world->port, desk_request(good, bad[i])), 400, "{\"error\":");
    assert_int_equal(calls(world), before);
}

static void bad_signatures_are_refused_before_anything_is_parsed(void **state)
{
    struct world *world = *state;
    char *body = strdup(message("m1", "hi")), *signature = strdup(signature_of(body, strlen(body)));
    char request[16384];
    static const char form[] =
        "POST /webhooks/freshchat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json; charset=utf-8\r\n"
        "%s%s%s\r\nContent-Length: %zu\r\n\r\n%s";
    struct {
        const char *header, *value, *body;
        enum answer answer;
    } cases[] = {
        {"X-Other: ", "1", body, ANSWER_SIGNATURE_MISSING},
        {"X-Freshchat-Signature:", "", body, ANSWER_SIGNATURE_MISSING},
        {"X-Freshchat-Signature: ", "AAAA", body, ANSWER_SIGNATURE_MALFORMED},
        {"X-Freshchat-Signature: ", "this is not base64", body, ANSWER_SIGNATURE_MALFORMED},
        {"X-Freshchat-Signature: ", signature + 4, body, ANSWER_SIGNATURE_MALFORMED},
        {"X-Freshchat-Signature: AAAA", signature, body, ANSWER_SIGNATURE_MALFORMED},
        {"X-Freshchat-Signature: ", signature, "{\"action\":\"message_create\"}", ANSWER_SIGNATURE_WRONG},
        {"X-Freshchat-Signature: ", signature, "not json", ANSWER_SIGNATURE_WRONG},
        {"X-Freshchat-Signature: ", signature, "", ANSWER_SIGNATURE_WRONG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(request, sizeof request, form, cases[i].header, cases[i].value, "", strlen(cases[i].body),
                 cases[i].body);
        expect(ask(world->port, request), 401, answer_sentence(cases[i].answer));
        assert_int_equal(metrics_answers(METRICS_FRESHCHAT, cases[i].answer) > 0, 1);
    }
    snprintf(request, sizeof request, form, "X-Freshchat-Signature: ", signature, "", strlen(body), body);
    char *letter = strstr(request, "\"hi\"");
    letter[1] = 'H';
    expect(ask(world->port, request), 401, answer_sentence(ANSWER_SIGNATURE_WRONG));
    letter[1] = 'h';
    expect(ask(world->port, request), 200, "accepted");
    assert_int_equal(calls(world), 1);
    free(body);
    free(signature);
}

static void signed_bodies_that_are_no_event_are_bad(void **state)
{
    struct world *world = *state;
    expect(ask(world->port, signed_request("hello", "")), 400, answer_sentence(ANSWER_BAD_JSON));
    expect(ask(world->port, signed_request("[1,2]", "")), 400, answer_sentence(ANSWER_BAD_EVENT));
    expect(ask(world->port, signed_request("{\"action\":\"message_create\"}", "")), 400,
           answer_sentence(ANSWER_BAD_EVENT));
    assert_int_equal(calls(world), 0);
}

static void other_paths_and_methods_are_refused(void **state)
{
    struct world *world = *state;
    static const char *const paths[] = {
        "/",        "/webhooks", "/webhooks/", "/webhooks/freshchat/", "/widget.js",          "/support",
        "/healthz", "/metrics",  "/status",    "/../etc/passwd",       "/webhooks/FRESHCHAT", "/%2e"};
    char request[512];
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
        expect(ask(world->port, request), 404, "{\"error\":\"not found\"}");
    }
    static const char *const methods[] = {"GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        snprintf(request, sizeof request, "%s /webhooks/freshchat HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\n\r\n",
                 methods[i]);
        struct answer_read *answer = ask(world->port, request);
        assert_int_equal(answer->status, 405);
        assert_true(says(answer, "Allow: POST\r\n"));
    }
    expect(
        ask(world->port,
            "POST /webhooks/freshchat HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"),
        415, NULL);
    expect(ask(world->port, "POST /webhooks/freshchat HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"), 415, NULL);
    expect(ask(world->port, "POST /webhooks/freshchat HTTP/1.1\r\nHost: x\r\nContent-Type: "
                            "application/jsonp\r\nContent-Length: 2\r\n\r\n{}"),
           415, NULL);
    assert_int_equal(calls(world), 0);
}

static void the_widget_is_served_and_may_be_kept(void **state)
{
    (void)state;
    struct widget widget = {
        .script = {.type = "text/javascript; charset=utf-8",
                   .text = "script",
                   .size = 6,
                   .etag = "\"a1\"",
                   .headers = "Cache-Control: public, max-age=300\r\n"},
        .support = {.type = "text/html", .text = "page", .size = 4, .etag = "\"b2\"", .headers = ""}};
    stage_widget = &widget;
    struct world *world = world_stage(-1, -1);
    stage_widget = NULL;
    world_open(world);
    struct answer_read *answer = ask(world->port, "GET /widget.js?v=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->body, "script");
    assert_true(says(answer, "Content-Type: text/javascript; charset=utf-8\r\n"));
    assert_true(says(answer, "ETag: \"a1\"\r\n"));
    assert_true(says(answer, "Cache-Control: public, max-age=300\r\n"));
    assert_false(says(answer, "no-store"));
    answer = ask(world->port, "GET /support HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(answer, 200, "page");
    assert_true(says(answer, "Cache-Control: no-store\r\n"));
    static const char *const known[] = {"\"a1\"", "W/\"a1\"", "\"zz\", \"a1\"", "*"};
    char request[256];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        snprintf(request, sizeof request,
                 "GET /widget.js HTTP/1.1\r\nHost: x\r\nIf-None-Match: %s\r\nConnection: close\r\n\r\n", known[i]);
        answer = ask(world->port, request);
        assert_int_equal(answer->status, 304);
        assert_true(says(answer, "ETag: \"a1\"\r\n"));
    }
    answer = ask(world->port, "GET /widget.js HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"b2\"\r\n\r\n");
    assert_int_equal(answer->status, 200);
    answer = ask(world->port, "DELETE /support HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(answer->status, 405);
    assert_true(says(answer, "Allow: GET, HEAD\r\n"));
    expect(ask(world->admin_port, "GET /widget.js HTTP/1.1\r\nHost: x\r\n\r\n"), 404, NULL);
    world_end(world);
}

#define POST_JSON "POST /webhooks/freshchat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

static void contradicting_lengths_are_refused_and_the_connection_closed(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {POST_JSON "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400},
        {POST_JSON "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400},
        {POST_JSON "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400},
        {POST_JSON "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", 400},
        {POST_JSON "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400},
        {POST_JSON "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400},
        {POST_JSON "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}", 400},
        {POST_JSON "Transfer-Encoding: xchunked\r\n\r\n{}", 400},
        {POST_JSON "Content-Length: 2x\r\n\r\n{}", 400},
        {POST_JSON "Content-Length: +2\r\n\r\n{}", 400},
        {POST_JSON "Content-Length: 0x2\r\n\r\n{}", 400},
        {POST_JSON "Content-Length: 2, 2\r\n\r\n{}", 400},
        {POST_JSON "Content-Length: -2\r\n\r\n{}", 411},
        {POST_JSON "Content-Length: \r\n\r\n{}", 411},
        {POST_JSON "\r\n{}", 411},
        {"POST /webhooks/freshchat HTTP/1.0\r\nContent-Type: application/json\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n",
         400},
        {POST_JSON "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400},
        {POST_JSON "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\n\r\n", 400},
        {POST_JSON "Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n", 400},
        {"GARBAGE\r\n\r\n", 400},
        {"GET / HTTP/3.0\r\n\r\n", 505},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer_read *answer = ask(world->port, cases[i].request);
        if (answer->status != cases[i].status || !answer->closed)
            fail_msg("expected %d and close, got %d %d %s for %s", cases[i].status, answer->status, answer->closed,
                     answer->head, cases[i].request);
        assert_non_null(strstr(answer->body, "{\"error\":\""));
    }
    // Hidden behind more header lines than CivetWeb keeps.
    char many[8192] = POST_JSON;
    for (int i = 0; i < 80; i++)
        sprintf(many + strlen(many), "X-%d: y\r\n", i);
    strcat(many, "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n");
    assert_int_equal(ask(world->port, many)->status, 400);
    assert_int_equal(calls(world), 0);
}

static void too_large_bodies_are_refused_unread(void **state)
{
    struct world *world = *state;
    char request[1024];
    // Nothing of the body is sent: the answer comes from the header alone.
    snprintf(request, sizeof request, POST_JSON "Content-Length: %d\r\n\r\n", MAX_BODY + 1);
    int fd = dial(world->port);
    send_text(fd, request);
    struct answer_read *answer = read_answer(fd, false);
    expect(answer, 413, "{\"error\":");
    assert_true(says(answer, "Connection: close"));
    assert_true(is_closed(fd));
    close(fd);
    snprintf(request, sizeof request, POST_JSON "Content-Length: 99999999999999999999999999\r\n\r\n");
    assert_int_equal(ask(world->port, request)->status, 400);

    // All of it is pushed before the answer is read: the answer still arrives, not a reset.
    char *big = malloc(1 << 20);
    memset(big, 'x', 1 << 20);
    fd = dial(world->port);
    snprintf(request, sizeof request, POST_JSON "Content-Length: %d\r\n\r\n", 1 << 20);
    send_text(fd, request);
    send_bytes(fd, big, 1 << 20);
    expect(read_answer(fd, false), 413, NULL);
    close(fd);
    free(big);
    assert_int_equal(metrics_answers(METRICS_FRESHCHAT, ANSWER_TOO_LARGE), 2);
}

static char *chunked_request(const char *body, size_t size, size_t chunk)
{
    static char request[131072];
    char *out = request + sprintf(request, POST_JSON "X-Freshchat-Signature: %s\r\nTransfer-Encoding: Chunked\r\n\r\n",
                                  signature_of(body, size));
    for (size_t at = 0; at < size; at += chunk) {
        size_t take = size - at < chunk ? size - at : chunk;
        out += sprintf(out, "%zX\r\n", take);
        memcpy(out, body + at, take);
        out += take;
        out += sprintf(out, "\r\n");
    }
    sprintf(out, "0\r\n\r\n");
    return request;
}

static void chunked_bodies_are_read_and_bounded(void **state)
{
    struct world *world = *state;
    char text[MAX_BODY + 1] = {0};
    for (size_t chunk = 1; chunk < 400; chunk = chunk * 3 + 1) {
        char *body = message("mc", "chunked");
        expect(ask(world->port, chunked_request(body, strlen(body), chunk)), 200, "accepted");
    }
    // Exactly the bound, then one byte more, with one chunk or many.
    size_t frame = strlen(message("mc", ""));
    memset(text, 'y', MAX_BODY - frame);
    char *exact = strdup(message("mc", text));
    assert_int_equal(strlen(exact), MAX_BODY);
    expect(ask(world->port, chunked_request(exact, MAX_BODY, 1000)), 200, "accepted");
    expect(ask(world->port, signed_request(exact, "")), 200, "accepted");
    text[MAX_BODY - frame] = 'y';
    char *over = strdup(message("mc", text));
    int before = calls(world);
    for (size_t chunk = 100; chunk <= 10000; chunk *= 10) {
        struct answer_read *answer = ask(world->port, chunked_request(over, MAX_BODY + 1, chunk));
        expect(answer, 413, NULL);
        assert_true(answer->closed);
    }
    expect(ask(world->port, signed_request(over, "")), 413, NULL);
    // A chunk size that is a lie must not be believed when room is made.
    expect(ask(world->port, POST_JSON "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"), 400, NULL);
    assert_int_equal(calls(world), before);
    free(exact);
    free(over);
}

static void connections_are_kept_and_pipelining_stays_in_step(void **state)
{
    struct world *world = *state;
    int fd = dial(world->port);
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "k%d", i);
        send_text(fd, signed_request(message(id, "again"), ""));
        struct answer_read *answer = read_answer(fd, false);
        expect(answer, 200, "accepted");
        assert_true(says(answer, "Connection: keep-alive"));
    }
    // A refusal after a body that was read keeps the connection too.
    send_text(fd, desk_request("", "{\"ticket_id\":1}"));
    expect(read_answer(fd, false), 401, NULL);
    char *two = malloc(65536);
    strcpy(two, signed_request(message("p1", "one"), ""));
    strcat(two, signed_request(message("p2", "two"), "Connection: close\r\n"));
    send_text(fd, two);
    free(two);
    expect(read_answer(fd, false), 200, "accepted");
    struct answer_read *last = read_answer(fd, false);
    expect(last, 200, "accepted");
    assert_true(says(last, "Connection: close"));
    assert_true(is_closed(fd));
    close(fd);
    assert_string_equal(world->last_key, "freshchat:message:p2");
    assert_int_equal(calls(world), 22);
}

static void expect_100_continue_is_answered(void **state)
{
    struct world *world = *state;
    char *request = strdup(signed_request(message("e1", "hi"), "Expect: 100-continue\r\n"));
    char *body = strstr(request, "\r\n\r\n") + 4;
    int fd = dial(world->port);
    send_bytes(fd, request, (size_t)(body - request));
    assert_int_equal(read_answer(fd, false)->status, 100);
    send_text(fd, body);
    expect(read_answer(fd, false), 200, "accepted");
    close(fd);
    free(request);
}

// Each connection sends the beginning of something and then nothing, or one byte now and then.
static void slow_senders_are_ended_and_hold_up_nobody(void **state)
{
    NOT_UNDER_VALGRIND();
    struct world *world = *state;
    int fds[7]; // of 8 threads
    char *request = strdup(signed_request(message("s1", "slow"), ""));
    for (size_t i = 0; i < 7; i++) {
        fds[i] = dial(world->port);
        send_bytes(fds[i], request, strlen(request) - 30);
    }
    int64_t began_ms = clock_mono_ms();
    for (int i = 0; i < 20; i++)
        expect(ask(world->port, signed_request(message("s2", "quick"), "Connection: close\r\n")), 200, "accepted");
    assert_int_equal(metrics_answers(METRICS_FRESHCHAT, ANSWER_TIMEOUT), 0); // they are all still there
    // One byte every 50 ms keeps CivetWeb's own time-out from ever firing.
    size_t at = strlen(request) - 30;
    struct pollfd answered = {.fd = fds[0], .events = POLLIN};
    while (at < strlen(request) - 1 && clock_mono_ms() - began_ms < WAIT_MS && poll(&answered, 1, 50) == 0)
        send_bytes(fds[0], request + at++, 1);
    for (size_t i = 0; i < 7; i++) {
        struct answer_read *answer = read_answer(fds[i], false);
        expect(answer, 408, answer_sentence(ANSWER_TIMEOUT));
        assert_true(says(answer, "Connection: close"));
        close(fds[i]);
    }
    assert_true(clock_mono_ms() - began_ms < 3000 + WAIT_MS / 2);
    assert_int_equal(metrics_answers(METRICS_FRESHCHAT, ANSWER_TIMEOUT), 7);
    // And one that sends no headers at all, or goes away in the middle, costs nothing either.
    int silent = dial(world->port), gone = dial(world->port);
    send_text(silent, "POST /webh");
    send_bytes(gone, request, strlen(request) - 30);
    close(gone);
    assert_int_equal(read_answer(silent, false)->status, 400);
    close(silent);
    expect(ask(world->port, signed_request(message("s3", "after"), "")), 200, "accepted");
    free(request);
}

static void a_thousand_bad_requests_leave_it_well(void **state)
{
    struct world *world = *state;
    static const char *const bad[] = {
        POST_JSON "Content-Length: 2\r\n\r\n{}",
        POST_JSON "Content-Length: 99999\r\n\r\n",
        POST_JSON "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
        "\x16\x03\x01\x02 this is TLS\r\n\r\n",
        "POST /webhooks/freshdesk HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Deskbell-Token: "
        "no\r\nContent-Length: 2\r\n\r\n{}",
        "DELETE /webhooks/freshdesk HTTP/1.1\r\nHost: x\r\n\r\n",
        POST_JSON "Content-Length: 2\r\nX-Freshchat-Signature: ////\r\n\r\n{}",
    };
    for (size_t i = 0; i < 1000; i++) {
        int status = ask(world->port, bad[i % (sizeof bad / sizeof *bad)])->status;
        if (status < 400 || status >= 500)
            fail_msg("request %zu got %d", i, status);
    }
    assert_int_equal(calls(world), 0);
    expect(ask(world->port, signed_request(message("m1", "good"), "")), 200, "accepted");
    assert_int_equal(calls(world), 1);
}

static void the_admin_pages_say_how_it_is(void **state)
{
    struct world *world = *state;
    struct answer_read *answer = ask(world->admin_port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(answer, 200, "ok");
    health_set_committer(false);
    health_set_workers(0);
    expect(ask(world->admin_port, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), 503, "\"ready\":false");
    health_set_committer(true);
    health_set_workers(1);
    expect(ask(world->admin_port, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), 200, "\"ready\":true");
    metrics_count(METRIC_DEAD_LETTERS);
    answer = ask(world->admin_port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(answer, 200, "deskbell_dead_letters_total 1\n");
    assert_true(says(answer, "Content-Type: text/plain; version=0.0.4"));
    status_publish(strdup("{\"lanes\":[]}"));
    expect(ask(world->admin_port, "GET /status?x=y HTTP/1.1\r\nHost: x\r\n\r\n"), 200, "{\"lanes\":[]}");
    status_publish(NULL);
    answer = ask(world->admin_port, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(answer->status, 200);
    assert_true(says(answer, "Content-Length: 2\r\n"));
    expect(ask(world->admin_port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 404, NULL);
    expect(ask(world->admin_port, "GET /webhooks/freshchat HTTP/1.1\r\nHost: x\r\n\r\n"), 404, NULL);
    answer = ask(world->admin_port, "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    expect(answer, 405, NULL);
    assert_true(says(answer, "Allow: GET, HEAD\r\n"));
}

struct sender {
    pthread_t thread;
    uint16_t port;
    char *request;
    int status;
    bool close_said;
};

// A sender of its own thread: the statics of the helpers above are not for it.
static void *send_one(void *arg)
{
    struct sender *self = arg;
    int fd = dial(self->port);
    char text[4096] = {0};
    send_text(fd, self->request);
    size_t used = 0;
    ssize_t got;
    while (used + 1 < sizeof text && !strchr(text, '}') && (got = recv(fd, text + used, sizeof text - 1 - used, 0)) > 0)
        used += (size_t)got;
    if (sscanf(text, "HTTP/1.1 %d", &self->status) != 1)
        self->status = -1;
    self->close_said = strstr(text, "Connection: close") != NULL;
    close(fd);
    return NULL;
}

static void sender_start(struct sender *self, uint16_t port, const char *id)
{
    *self = (struct sender){.port = port, .request = strdup(signed_request(message(id, "x"), ""))};
    assert_int_equal(pthread_create(&self->thread, NULL, send_one, self), 0);
}

static void sender_end(struct sender *self, int status, bool close_said)
{
    pthread_join(self->thread, NULL);
    assert_int_equal(self->status, status);
    if (close_said)
        assert_true(self->close_said);
    free(self->request);
}

static void an_inherited_socket_is_adopted_at_once(void **state)
{
    (void)state;
    NOT_UNDER_VALGRIND();
    uint16_t port, admin_port;
    int fd = listening_socket(&port), admin_fd = listening_socket(&admin_port);
    struct world *world = world_stage(fd, admin_fd);
    // Staged: connections wait in the kernel, none is answered.
    struct sender early;
    sender_start(&early, port, "early");
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, WAIT_MS), 1);
    assert_int_equal(calls(world), 0);
    int64_t began_us = clock_mono_us();
    world_open(world);
    sender_end(&early, 200, false);
    int64_t took_us = clock_mono_us() - began_us;
    print_message("adopted and answered after %lld us\n", (long long)took_us);
    assert_true(took_us < 1000000); // well below the two seconds that CivetWeb's poll may sleep
    assert_true(http_seamless(world->http));
    assert_int_equal(http_port(world->http), port);
    assert_int_equal(http_admin_port(world->http), admin_port);
    expect(ask(admin_port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), 200, "ok");
    world_end(world);
    // The socket is still ours: it can be handed to the next front.
    int again = dial(port);
    close(again);
    close(fd);
    close(admin_fd);
}

static void drain_answers_what_is_in_flight_and_leaves_newcomers_to_the_next(void **state)
{
    (void)state;
    NOT_UNDER_VALGRIND(); // more senders than threads, who then get half a second a step
    uint16_t port, admin_port;
    int fd = listening_socket(&port), admin_fd = listening_socket(&admin_port);
    struct world *old = world_stage(fd, admin_fd), *new = world_stage(fd, admin_fd);
    world_open(old);
    hold(old, true);
    struct sender in_flight[4], late[16];
    for (size_t i = 0; i < 4; i++)
        sender_start(&in_flight[i], port, "in-flight");
    wait_inside(old, 4);
    assert_int_equal(http_drain(old->http, 50), 4); // still held: they are counted, not dropped
    assert_true(health_draining());
    assert_false(http_quiet(old->http));
    for (size_t i = 0; i < 16; i++)
        sender_start(&late[i], port, "late");
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, WAIT_MS), 1);
    hold(old, false);
    assert_int_equal(http_drain(old->http, WAIT_MS), 0);
    assert_true(http_quiet(old->http));
    for (size_t i = 0; i < 4; i++)
        sender_end(&in_flight[i], 200, true);
    assert_int_equal(calls(old), 4);
    assert_int_equal(calls(new), 0);
    world_open(new);
    for (size_t i = 0; i < 16; i++)
        sender_end(&late[i], 200, false);
    assert_int_equal(calls(old), 4);
    assert_int_equal(calls(new), 16);
    world_end(old);
    world_end(new);
    close(fd);
    close(admin_fd);
}

// A request that is not whole when the drain's time is over is answered, and reaches nothing that may be gone by then.
static void who_still_sends_when_the_drain_is_over_is_answered(void **state)
{
    struct world *world = *state;
    char *request = strdup(signed_request(message("d1", "late"), ""));
    int fd = dial(world->port);
    send_bytes(fd, request, strlen(request) - 5);
    struct answer_read *answer;
    int64_t until_ms = clock_mono_ms() + WAIT_MS;
    while (metrics_gauge(GAUGE_HTTP_OPEN) < 1 && clock_mono_ms() < until_ms)
        sched_yield();
    int mute = dial(world->port);
    send_text(mute, "POST /webhooks/fresh");
    while (metrics_gauge(GAUGE_HTTP_OPEN) < 2 && clock_mono_ms() < until_ms)
        sched_yield();
    assert_int_equal(http_drain(world->http, 20), 0);
    assert_true(http_quiet(world->http));
    answer = read_answer(fd, false);
    expect(answer, 408, NULL);
    assert_true(says(answer, "Connection: close"));
    assert_int_equal(calls(world), 0);
    answer = read_answer(mute, false);
    expect(answer, 400, NULL);
    assert_true(says(answer, "Connection: close"));
    close(mute);
    close(fd);
    free(request);
}

struct hammer {
    pthread_t thread;
    uint16_t port;
    char *request;
    atomic_bool *stop;
    int answered, failed;
};

static void *hammer_run(void *arg)
{
    struct hammer *self = arg;
    while (!atomic_load(self->stop)) {
        struct sender one = {.port = self->port, .request = self->request};
        send_one(&one);
        if (one.status == 200)
            self->answered++;
        else
            self->failed++;
    }
    return NULL;
}

static void five_handovers_under_load_refuse_nobody(void **state)
{
    (void)state;
    uint16_t port, admin_port;
    int fd = listening_socket(&port), admin_fd = listening_socket(&admin_port);
    struct world *world = world_stage(fd, admin_fd);
    world_open(world);
    atomic_bool stop = false;
    struct hammer hammers[6];
    for (size_t i = 0; i < 6; i++) {
        hammers[i] =
            (struct hammer){.port = port, .stop = &stop, .request = strdup(signed_request(message("h", "x"), ""))};
        assert_int_equal(pthread_create(&hammers[i].thread, NULL, hammer_run, &hammers[i]), 0);
    }
    int accepted = 0;
    for (int i = 0; i < 5; i++) {
        wait_inside(world, 0);
        int64_t until_ms = clock_mono_ms() + WAIT_MS;
        while (calls(world) < 50 && clock_mono_ms() < until_ms)
            sched_yield();
        struct world *next = world_stage(fd, admin_fd);
        assert_int_equal(http_drain(world->http, WAIT_MS), 0);
        accepted += calls(world);
        world_open(next);
        world_end(world);
        world = next;
    }
    atomic_store(&stop, true);
    int answered = 0, failed = 0;
    for (size_t i = 0; i < 6; i++) {
        pthread_join(hammers[i].thread, NULL);
        answered += hammers[i].answered;
        failed += hammers[i].failed;
        free(hammers[i].request);
    }
    accepted += calls(world);
    print_message("%d answered over five handovers, %d failed\n", answered, failed);
    assert_int_equal(failed, 0);
    assert_int_equal(answered, accepted);
    world_end(world);
    close(fd);
    close(admin_fd);
}

static void an_address_in_use_is_said(void **state)
{
    (void)state;
    uint16_t port;
    int fd = listening_socket(&port);
    struct world *world = world_stage(-1, -1);
    world->options.listen.sin_port = htons(port);
    http_free(&world->http);
    char why[256] = "";
    world->http = http_new(&world->options, why, sizeof why);
    assert_non_null(world->http);
    assert_false(http_open(world->http, why, sizeof why));
    assert_non_null(strstr(why, "in use"));
    world_end(world);
    close(fd);
}

#ifdef DESKBELL_SEAMS
static void without_its_descriptor_it_binds_the_address_itself(void **state)
{
    (void)state;
    listener_seam_hide_descriptor = true;
    struct world *world = world_stage(-1, -1);
    world_open(world);
    assert_false(http_seamless(world->http));
    expect(ask(world->port, signed_request(message("m1", "hi"), "")), 200, "accepted");
    assert_int_equal(http_drain(world->http, 100), 0);
    world_end(world);
    listener_seam_hide_descriptor = false;
}

static int listening_again(int old, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd;
    close(old);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

// Also where somebody else holds a socket that listens there; and the next server that can adopt that socket does.
static void without_its_descriptor_it_takes_the_inherited_address(void **state)
{
    (void)state;
    uint16_t port, admin_port;
    // Bound to a number, as configured ones are; the kernel takes one that it chose itself away when listening ends.
    int fd = listening_socket(&port), admin_fd = listening_socket(&admin_port);
    fd = listening_again(fd, port);
    admin_fd = listening_again(admin_fd, admin_port);
    for (int i = 0; i < 2; i++) {
        listener_seam_hide_descriptor = i == 0;
        struct world *world = world_stage(fd, admin_fd);
        world_open(world);
        assert_int_equal(http_port(world->http), port);
        assert_int_equal(http_seamless(world->http), i == 1);
        expect(ask(port, signed_request(message(i ? "m2" : "m1", "hi"), "")), 200, "accepted");
        http_drain(world->http, 100);
        world_end(world);
    }
    close(fd);
    close(admin_fd);
}
#endif

static int load(void **state)
{
    (void)state;
    unsigned char *der = NULL;
    char text[2048], why[256];
    log_init("test_http", LOG_LEVEL_ERROR);
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

static int unload(void **state)
{
    (void)state;
    signature_keys_free(&keys);
    tokens_free(&tokens);
    EVP_PKEY_free(key);
    return 0;
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_new, world_free)
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_signed_message_is_accepted_and_a_duplicate_named),
        WITH_WORLD(freshdesk_hints_need_the_token),
        WITH_WORLD(bad_signatures_are_refused_before_anything_is_parsed),
        WITH_WORLD(signed_bodies_that_are_no_event_are_bad),
        cmocka_unit_test(the_widget_is_served_and_may_be_kept),
        WITH_WORLD(other_paths_and_methods_are_refused),
        WITH_WORLD(contradicting_lengths_are_refused_and_the_connection_closed),
        WITH_WORLD(too_large_bodies_are_refused_unread),
        WITH_WORLD(chunked_bodies_are_read_and_bounded),
        WITH_WORLD(connections_are_kept_and_pipelining_stays_in_step),
        WITH_WORLD(expect_100_continue_is_answered),
        cmocka_unit_test_setup_teardown(slow_senders_are_ended_and_hold_up_nobody, world_new_patient, world_free),
        WITH_WORLD(a_thousand_bad_requests_leave_it_well),
        WITH_WORLD(the_admin_pages_say_how_it_is),
        cmocka_unit_test(an_inherited_socket_is_adopted_at_once),
        cmocka_unit_test(drain_answers_what_is_in_flight_and_leaves_newcomers_to_the_next),
        WITH_WORLD(who_still_sends_when_the_drain_is_over_is_answered),
        cmocka_unit_test(five_handovers_under_load_refuse_nobody),
        cmocka_unit_test(an_address_in_use_is_said),
#ifdef DESKBELL_SEAMS
        cmocka_unit_test(without_its_descriptor_it_binds_the_address_itself),
        cmocka_unit_test(without_its_descriptor_it_takes_the_inherited_address),
#endif
    };
    return cmocka_run_group_tests(tests, load, unload);
}
