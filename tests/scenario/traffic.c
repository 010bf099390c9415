// SPDX-License-Identifier: Apache-2.0
// See traffic.h. The clients are blocking sockets with their own reader, because what matters is what a connection does
// at its worst moment: a library would hide it by trying again.
#include "tests/scenario/traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define REQUEST_BYTES 4096
#define PATIENCE_S    15

enum role { ROLE_WEBHOOK, ROLE_SCRAPE, ROLE_DAWDLE };

struct sender {
    struct traffic *traffic;
    enum role role;
    bool keep;
    unsigned number;
    int fd;            // -1: none
    unsigned long use; // requests answered on this connection
    pthread_t thread;
};

struct traffic {
    struct scenario *scenario;
    struct traffic_options options;
    struct sender *senders;
    size_t count;
    size_t most; // requests for each sender, 0: without end
    atomic_bool stopping;
    pthread_mutex_t lock;
    struct traffic_result result;
};

static atomic_ulong last_message; // no message is sent twice, whoever sends it

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static int open_connection(const struct sender *sender)
{
    const struct scenario *s = sender->traffic->scenario;
    int port = sender->role == ROLE_SCRAPE ? scenario_admin_port(s) : scenario_port(s);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    inet_pton(AF_INET, scenario_address(s), &to.sin_addr);
    if (fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
        connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

// A webhook that nobody sent before, whole and signed.
static size_t write_webhook(const struct sender *sender, char *request)
{
    char body[2048], signature[SANDBOX_SIGNATURE_SIZE];
    unsigned long number = atomic_fetch_add(&last_message, 1) + 1;
    int length = snprintf(
        body, sizeof body,
        "{\"actor\":{\"actor_type\":\"user\",\"actor_id\":\"882f3926-b292-414b-a411-96380db373cd\"},\"action\":"
        "\"message_create\",\"action_time\":\"2025-06-21T17:43:20.875Z\",\"data\":{\"message\":{\"message_parts\":"
        "[{\"text\":{\"content\":\"Do you have these shoes in size 42, and when could they be here?\"}}],\"app_id\":"
        "\"55b190fa-5d3c-45c4-bc49-74ddcfcf53d7\",\"actor_id\":\"882f3926-b292-414b-a411-96380db373cd\",\"id\":"
        "\"7a454fde-c720-4c97-a61d-%012lx\",\"channel_id\":\"c8fddfaf-622a-4a0e-b060-4f3ccbeab606\","
        "\"conversation_id\":\"c327498e-f713-481e-8d83-%012lx\",\"message_type\":\"normal\",\"actor_type\":\"user\","
        "\"created_time\":\"2025-06-21T17:43:20.866Z\"}}}",
        number, number % (unsigned long)sender->traffic->options.conversations);
    sandbox_sign(scenario_sandbox(sender->traffic->scenario), body, (size_t)length, signature);
    int size = snprintf(request, REQUEST_BYTES,
                        "POST /webhooks/freshchat HTTP/1.1\r\nHost: deskbell\r\nContent-Type: application/json\r\n"
                        "X-Freshchat-Signature: %s\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n%s",
                        signature, sender->keep ? "keep-alive" : "close", length, body);
    if (length >= (int)sizeof body || size >= REQUEST_BYTES)
        abort();
    return (size_t)size;
}

// Reads one whole answer. Returns its status, 0 when it did not come; *any: at least a byte of it did; *closes: it says
// that the connection ends.
static int read_answer(int fd, bool *any, bool *closes)
{
    static const size_t most = 512 * 1024;
    char *text = malloc(most + 1);
    size_t got = 0;
    int status = 0;
    if (!text)
        abort();
    *any = false;
    while (got < most) {
        ssize_t more = recv(fd, text + got, most - got, 0);
        if (more <= 0)
            break;
        *any = true;
        got += (size_t)more;
        text[got] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length:");
        if (!end || !length || length > end || got < (size_t)(end + 4 - text) + strtoul(length + 17, NULL, 10))
            continue;
        status = (int)strtol(text + 9, NULL, 10);
        *closes = strcasestr(text, "\r\nConnection: close") != NULL;
        break;
    }
    free(text);
    return status;
}

static void hang_up(struct sender *sender)
{
    if (sender->fd >= 0)
        close(sender->fd);
    sender->fd = -1;
    sender->use = 0;
}

// One request, on the kept connection if there is one. Returns its status, 0: none. *closed: the kept connection was
// gone before the request was looked at.
static int ask(struct sender *sender, const char *request, size_t size, bool *closed, bool *refused)
{
    bool any = false, closes = true;
    int status = 0;
    *closed = *refused = false;
    if (sender->fd < 0 && (sender->fd = open_connection(sender)) < 0) {
        *refused = true;
        return 0;
    }
    if (send(sender->fd, request, size, MSG_NOSIGNAL) == (ssize_t)size)
        status = read_answer(sender->fd, &any, &closes);
    sender->use++;
    *closed = status == 0 && !any && sender->use > 1;
    if (status == 0 || closes || !sender->keep)
        hang_up(sender);
    return status;
}

static void note(struct traffic *traffic, int status, bool refused, unsigned closed, int64_t took_ms)
{
    struct traffic_result *r = &traffic->result;
    pthread_mutex_lock(&traffic->lock);
    r->requests++;
    r->answered += status != 0;
    r->refused += refused;
    r->unanswered += status == 0 && !refused;
    r->other += status != 0 && status != 200;
    if (status != 0 && status != 200)
        r->last_other = status;
    r->late += took_ms > TRAFFIC_LIMIT_MS;
    r->closed += closed;
    if (took_ms > r->worst_ms)
        r->worst_ms = took_ms;
    pthread_mutex_unlock(&traffic->lock);
}

static void *send_requests(void *arg)
{
    struct sender *sender = arg;
    struct traffic *traffic = sender->traffic;
    char *request = malloc(REQUEST_BYTES);
    if (!request)
        abort();
    for (size_t i = 0; !atomic_load(&traffic->stopping) && (!traffic->most || i < traffic->most); i++) {
        size_t size = sender->role == ROLE_WEBHOOK
                          ? write_webhook(sender, request)
                          : (size_t)snprintf(request, REQUEST_BYTES,
                                             "GET /metrics HTTP/1.1\r\nHost: deskbell\r\nConnection: close\r\n\r\n");
        int64_t began_ms = scenario_now_ms();
        bool closed, refused;
        unsigned closed_before = 0;
        int status = ask(sender, request, size, &closed, &refused);
        // HTTP allows a kept connection to end between two requests; then the same is asked once more.
        for (; closed && closed_before < 1; closed_before++)
            status = ask(sender, request, size, &closed, &refused);
        note(traffic, status, refused, closed_before, scenario_now_ms() - began_ms);
        if (traffic->options.gap_ms)
            pause_ms(traffic->options.gap_ms);
    }
    hang_up(sender);
    free(request);
    return NULL;
}

// A body of which one byte is sent each second, until somebody answers or hangs up.
static void *dawdle(void *arg)
{
    static const char head[] =
        "POST /webhooks/freshchat HTTP/1.1\r\nHost: deskbell\r\nContent-Type: application/json\r\n"
        "Content-Length: 600\r\n\r\n";
    struct sender *sender = arg;
    struct traffic *traffic = sender->traffic;
    while (!atomic_load(&traffic->stopping)) {
        sender->fd = open_connection(sender);
        bool alive = sender->fd >= 0 && send(sender->fd, head, sizeof head - 1, MSG_NOSIGNAL) > 0, any = false, closes;
        char byte;
        for (int ms = 0; alive && !atomic_load(&traffic->stopping); ms += 20) {
            ssize_t got = recv(sender->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
            if (got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
                break;
            if (ms % 1000 == 0)
                alive = send(sender->fd, " ", 1, MSG_NOSIGNAL) == 1;
            pause_ms(20);
        }
        if (!atomic_load(&traffic->stopping) && sender->fd >= 0) {
            int status = read_answer(sender->fd, &any, &closes);
            pthread_mutex_lock(&traffic->lock);
            *(status ? &traffic->result.dawdled : &traffic->result.cut) += 1;
            pthread_mutex_unlock(&traffic->lock);
        }
        hang_up(sender);
    }
    return NULL;
}

static struct traffic *begin(struct scenario *s, const struct traffic_options *options, size_t most)
{
    struct traffic *traffic = calloc(1, sizeof *traffic);
    int webhooks = options->kept + options->fresh, all = webhooks + options->scrapers + options->dawdlers;
    if (!traffic || !(traffic->senders = calloc((size_t)all, sizeof *traffic->senders)))
        abort();
    traffic->scenario = s;
    traffic->options = *options;
    if (traffic->options.conversations <= 0)
        traffic->options.conversations = 1;
    traffic->most = most;
    traffic->count = (size_t)all;
    pthread_mutex_init(&traffic->lock, NULL);
    for (int i = 0; i < all; i++) {
        struct sender *sender = &traffic->senders[i];
        *sender = (struct sender){.traffic = traffic, .number = (unsigned)i, .fd = -1};
        sender->role = i < webhooks ? ROLE_WEBHOOK : i < webhooks + options->scrapers ? ROLE_SCRAPE : ROLE_DAWDLE;
        sender->keep = i < options->kept;
        if (pthread_create(&sender->thread, NULL, sender->role == ROLE_DAWDLE ? dawdle : send_requests, sender) != 0)
            abort();
    }
    return traffic;
}

struct traffic *traffic_begin(struct scenario *s, const struct traffic_options *options)
{
    return begin(s, options, 0);
}

struct traffic_result traffic_so_far(struct traffic *traffic)
{
    pthread_mutex_lock(&traffic->lock);
    struct traffic_result result = traffic->result;
    pthread_mutex_unlock(&traffic->lock);
    return result;
}

static struct traffic_result join(struct traffic **traffic)
{
    for (size_t i = 0; i < (*traffic)->count; i++)
        pthread_join((*traffic)->senders[i].thread, NULL);
    struct traffic_result result = (*traffic)->result;
    pthread_mutex_destroy(&(*traffic)->lock);
    free((*traffic)->senders);
    free(*traffic);
    *traffic = NULL;
    return result;
}

struct traffic_result traffic_end(struct traffic **traffic)
{
    atomic_store(&(*traffic)->stopping, true);
    return join(traffic);
}

void traffic_was_served(const struct traffic_result *r)
{
    print_message("%lu requests: worst %lld ms, %lu kept connections closed between requests, %lu slow requests "
                  "answered, %lu cut\n",
                  r->requests, (long long)r->worst_ms, r->closed, r->dawdled, r->cut);
    if (r->requests == 0 || r->refused || r->unanswered || r->other || r->late)
        scenario_fail(
            "of %lu requests %lu were refused, %lu not answered, %lu answered otherwise (%d), %lu late (worst "
            "%lld ms)",
            r->requests, r->refused, r->unanswered, r->other, r->last_other, r->late, (long long)r->worst_ms);
}

void traffic_fill(struct scenario *s, size_t count, int threads, int conversations)
{
    struct traffic_options options = {.kept = threads, .conversations = conversations};
    struct traffic *traffic = begin(s, &options, (count + (size_t)threads - 1) / (size_t)threads);
    struct traffic_result result = join(&traffic);
    if (result.requests != result.answered || result.other)
        scenario_fail("filling: of %lu requests %lu were not accepted", result.requests,
                      result.requests - result.answered + result.other);
}
