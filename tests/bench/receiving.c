// SPDX-License-Identifier: Apache-2.0
// The front's way of a webhook: kept-alive connections on loopback, HTTP, signature, normaliser, committer, ledger, in
// this process; beside the same with a callback that answers at once, and beside the RSA verification alone. The
// clients run on the same processors and are part of every figure.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http-front/intake/http.h"
#include "tests/bench/bench.h"

enum {
    EACH = 40, // webhooks of a client in one round
    PER_ROUND = EACH * BENCH_THREADS,
    WEBHOOKS = PER_ROUND * BENCH_ROUNDS,
    KEY_BITS = 2048,
    SIGNATURE_BYTES = KEY_BITS / 8,
    BODY_MAX = 800,
    REQUEST_MAX = 1600,
};

// A webhook, signed before anything is measured. The whole request; the body is its end.
struct webhook {
    char *request;
    size_t request_size, body_size;
    unsigned char signature[SIGNATURE_BYTES];
};

static EVP_PKEY *key;
static struct webhook webhooks[WEBHOOKS];

// ---------------------------------------------------------------- signing
static size_t write_body(char body[BODY_MAX], size_t number)
{
    int size = snprintf(
        body, BODY_MAX,
        "{\"actor\":{\"actor_type\":\"user\",\"actor_id\":\"882f3926-b292-414b-a411-96380db373cd\"},\"action\":"
        "\"message_create\",\"action_time\":\"2025-06-21T17:43:20.875Z\",\"data\":{\"message\":{\"message_parts\":"
        "[{\"text\":{\"content\":\"Do you have these shoes in size 42, and when could they be here?\"}}],\"app_id\":"
        "\"55b190fa-5d3c-45c4-bc49-74ddcfcf53d7\",\"actor_id\":\"882f3926-b292-414b-a411-96380db373cd\",\"id\":"
        "\"7a454fde-c720-4c97-a61d-%012zx\",\"channel_id\":\"c8fddfaf-622a-4a0e-b060-4f3ccbeab606\","
        "\"conversation_id\":\"c327498e-f713-481e-8d83-%012zx\",\"message_type\":\"normal\",\"actor_type\":\"user\","
        "\"created_time\":\"2025-06-21T17:43:20.866Z\"}}}",
        number, number / 8);
    if (size < 0 || size >= BODY_MAX)
        abort();
    return (size_t)size;
}

static void sign(struct webhook *webhook, size_t number)
{
    char body[BODY_MAX], base64[SIGNATURE_BYTES * 2], request[REQUEST_MAX];
    webhook->body_size = write_body(body, number);
    size_t size = sizeof webhook->signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(context, webhook->signature, &size, (unsigned char *)body, webhook->body_size) != 1 ||
        size != sizeof webhook->signature)
        bench_fail("a webhook cannot be signed");
    EVP_MD_CTX_free(context);
    EVP_EncodeBlock((unsigned char *)base64, webhook->signature, (int)size);
    int length = snprintf(request, sizeof request,
                          "POST /webhooks/freshchat HTTP/1.1\r\nHost: deskbell\r\nContent-Type: application/json\r\n"
                          "X-Freshchat-Signature: %s\r\nContent-Length: %zu\r\n\r\n%s",
                          base64, webhook->body_size, body);
    if (length < 0 || length >= REQUEST_MAX)
        abort();
    webhook->request_size = (size_t)length;
    webhook->request = strdup(request);
    if (!webhook->request)
        abort();
}

// A part of the webhooks, for one thread.
struct span {
    size_t from, to;
};

static void *sign_span(void *arg)
{
    const struct span *span = arg;
    for (size_t i = span->from; i < span->to; i++)
        sign(&webhooks[i], i);
    return NULL;
}

static void *verify_span(void *arg)
{
    const struct span *span = arg;
    for (size_t i = span->from; i < span->to; i++) {
        const struct webhook *webhook = &webhooks[i];
        const char *body = webhook->request + webhook->request_size - webhook->body_size;
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        if (!context || EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
            EVP_DigestVerify(context, webhook->signature, sizeof webhook->signature, (const unsigned char *)body,
                             webhook->body_size) != 1)
            bench_fail("a signature does not verify");
        EVP_MD_CTX_free(context);
    }
    return NULL;
}

static void on_all_processors(void *(*run)(void *arg), size_t from, size_t count)
{
    struct span spans[BENCH_THREADS];
    size_t processors = bench_processors();
    for (size_t i = 0; i < processors; i++)
        spans[i] = (struct span){from + count * i / processors, from + count * (i + 1) / processors};
    bench_threads(run, spans, sizeof *spans, processors);
}

// ---------------------------------------------------------------- the front
static enum accept_result accept_event(void *arg, const struct event *event)
{
    return !arg || store_accept(arg, event) ? ACCEPT_STORED : ACCEPT_UNAVAILABLE;
}

static struct http *front_new(struct signature_keys *keys, struct tokens *tokens, struct store *store)
{
    const struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct http_options options = {.listen_fd = -1,
                                         .admin_listen_fd = -1,
                                         .listen = loopback,
                                         .admin_listen = loopback,
                                         .threads = BENCH_THREADS + 4,
                                         .max_body_bytes = 65536,
                                         .freshchat_keys = keys,
                                         .freshdesk_tokens = tokens,
                                         .mask_card_numbers = true,
                                         .keep_alive_ms = 10000,
                                         .accept = accept_event,
                                         .accept_arg = store};
    char why[256];
    struct http *http = http_new(&options, why, sizeof why);
    if (!http || !http_open(http, why, sizeof why))
        bench_fail("%s", why);
    return http;
}

static struct signature_keys *load_key(void)
{
    unsigned char *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    size_t room = size > 0 ? (size_t)size * 2 + 80 : 0;
    char *pem = room ? calloc(1, room) : NULL;
    if (!pem)
        bench_fail("the key cannot be written");
    strcpy(pem, "-----BEGIN PUBLIC KEY-----\n");
    EVP_EncodeBlock((unsigned char *)pem + strlen(pem), der, size);
    strcat(pem, "\n-----END PUBLIC KEY-----\n");
    struct signature_keys *keys = signature_keys_new();
    char why[256];
    if (!signature_keys_add(keys, "bench", pem, strlen(pem), why, sizeof why))
        bench_fail("%s", why);
    free(pem);
    OPENSSL_free(der);
    return keys;
}

// ---------------------------------------------------------------- the clients
struct client {
    size_t first; // of its webhooks
    int fd;
    struct times times;
};

static int connect_to(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        bench_fail("the front cannot be reached");
    return fd;
}

// Reads one answer whole and looks at it.
static void read_answer(int fd)
{
    char text[2048];
    size_t got = 0;
    for (;;) {
        ssize_t more = recv(fd, text + got, sizeof text - 1 - got, 0);
        if (more <= 0)
            bench_fail("the front did not answer");
        got += (size_t)more;
        text[got] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length:");
        if (!end)
            continue;
        if (!length || length > end)
            bench_fail("an answer without a length: %s", text);
        size_t size = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
        if (got < (size_t)(end + 4 - text) + size)
            continue;
        if (strncmp(text, "HTTP/1.1 200", 12) != 0 || !strstr(end, "\"accepted\""))
            bench_fail("a webhook was not accepted: %s", text);
        return;
    }
}

static void *send_webhooks(void *arg)
{
    struct client *self = arg;
    for (size_t i = self->first; i < self->first + EACH; i++) {
        double began = bench_now_us();
        if (send(self->fd, webhooks[i].request, webhooks[i].request_size, MSG_NOSIGNAL) !=
            (ssize_t)webhooks[i].request_size)
            bench_fail("a webhook cannot be sent");
        read_answer(self->fd);
        times_add(&self->times, bench_now_us() - began);
    }
    return NULL;
}

// ---------------------------------------------------------------- the rounds
struct figures {
    struct figure rate, cpu, p50, p99;
};

static void measure_front(struct http *http, size_t from, struct figures *figures)
{
    static struct client clients[BENCH_THREADS];
    struct times all;
    times_init(&all, PER_ROUND);
    for (size_t i = 0; i < BENCH_THREADS; i++) {
        clients[i] = (struct client){.first = from + i * EACH, .fd = connect_to(http_port(http))};
        times_init(&clients[i].times, EACH);
    }
    double cpu = bench_cpu_us(), began = bench_now_us();
    bench_threads(send_webhooks, clients, sizeof *clients, BENCH_THREADS);
    double took = bench_now_us() - began;
    cpu = bench_cpu_us() - cpu;
    for (size_t i = 0; i < BENCH_THREADS; i++) {
        close(clients[i].fd);
        times_append(&all, &clients[i].times);
        times_free(&clients[i].times);
    }
    figure_add(&figures->rate, PER_ROUND / took * 1e6);
    figure_add(&figures->cpu, cpu / PER_ROUND);
    figure_add(&figures->p50, times_at(&all, 0.5) / 1000);
    figure_add(&figures->p99, times_at(&all, 0.99) / 1000);
    times_free(&all);
}

static void measure_verify(size_t from, struct figures *figures)
{
    double cpu = bench_cpu_us(), began = bench_now_us();
    on_all_processors(verify_span, from, PER_ROUND);
    figure_add(&figures->rate, PER_ROUND / (bench_now_us() - began) * 1e6);
    figure_add(&figures->cpu, (bench_cpu_us() - cpu) / PER_ROUND);
}

static struct figures named(const char *name)
{
    return (struct figures){.rate = {.name = name, .unit = "per s"},
                            .cpu = {.name = "  processor time of one", .unit = "us"},
                            .p50 = {.name = "  one answer, p50", .unit = "ms"},
                            .p99 = {.name = "  one answer, p99", .unit = "ms"}};
}

static void print(const struct figures *figures)
{
    figure_print(&figures->rate);
    figure_print(&figures->cpu);
    if (figures->p50.count) {
        figure_print(&figures->p50);
        figure_print(&figures->p99);
    }
}

void bench_receiving(void)
{
    key = EVP_RSA_gen(KEY_BITS);
    if (!key)
        bench_fail("no key can be made");
    on_all_processors(sign_span, 0, WEBHOOKS);
    struct signature_keys *keys = load_key();
    struct tokens *tokens = tokens_new();
    struct store *store = store_new("received");
    struct http *with = front_new(keys, tokens, store), *without = front_new(keys, tokens, NULL);

    struct figures verify = named("RSA-2048 verification alone, all processors");
    struct figures lasting = named("signed webhooks, 64 connections, with the ledger");
    struct figures passing = named("the same without the ledger");
    for (size_t round = 0; round < BENCH_ROUNDS; round++) {
        size_t from = round * PER_ROUND;
        measure_verify(from, &verify);
        measure_front(without, from, &passing);
        measure_front(with, from, &lasting);
    }
    figure_heading("Front, clients included");
    print(&verify);
    print(&passing);
    print(&lasting);
    figure_print_ratio("rate with the ledger against without", &lasting.rate, &passing.rate);
    figure_print_ratio("share of the verification in the processor time", &verify.cpu, &lasting.cpu);
    figure_print_ratio("processor time with the ledger against without", &lasting.cpu, &passing.cpu);

    http_free(&without);
    http_free(&with);
    store_free(&store);
    tokens_free(&tokens);
    signature_keys_free(&keys);
    for (size_t i = 0; i < WEBHOOKS; i++)
        free(webhooks[i].request);
    EVP_PKEY_free(key);
}
