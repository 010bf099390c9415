// SPDX-License-Identifier: Apache-2.0
// Crowds that want the front's threads and give nothing for them. In each story a crowd of connections behaves badly
// all the time, comes back when it is thrown out, and customers' messages arrive all the same: within seconds, served
// by the same process, and the metrics say what was refused. The front has 64 threads.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/scenario/story.h"
#include "tests/scenario/wire.h"

#define POST "POST /webhooks/freshchat HTTP/1.1\r\nHost: deskbell\r\nContent-Type: application/json\r\n"

enum { CROWD_MOST = 3000, TICK_MS = 50, MESSAGES = 4 };

struct crowd {
    const char *address;
    int port;
    size_t size;
    const char *opening; // said at once
    const char *then;    // said again and again
    int every_ms;        // one byte of `then` so often; 0: all of it, as fast as the socket takes it
    // The thread's own.
    int fds[CROWD_MOST];
    int64_t spoken_ms[CROWD_MOST];
    size_t at[CROWD_MOST];
    pthread_t thread;
    atomic_bool leaving;
    atomic_ulong connections;
};

static void come(struct crowd *crowd, size_t i)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)crowd->port)};
    inet_pton(AF_INET, crowd->address, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) {
        close(fd);
        return;
    }
    crowd->fds[i] = fd;
    crowd->spoken_ms[i] = 0;
    crowd->at[i] = 0;
    atomic_fetch_add(&crowd->connections, 1);
}

// Says what is due. False when the connection is over.
static bool speak(struct crowd *crowd, size_t i, int64_t now_ms)
{
    int fd = crowd->fds[i];
    if (crowd->spoken_ms[i] == 0) {
        ssize_t sent = send(fd, crowd->opening, strlen(crowd->opening), MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS;
        crowd->spoken_ms[i] = now_ms;
    } else if (*crowd->then && now_ms - crowd->spoken_ms[i] >= crowd->every_ms) {
        size_t length = strlen(crowd->then);
        crowd->spoken_ms[i] = now_ms;
        for (int round = 0; round < (crowd->every_ms ? 1 : 16); round++) {
            size_t left = length - crowd->at[i] % length;
            ssize_t sent = send(fd, crowd->then + crowd->at[i] % length, crowd->every_ms ? 1 : left, MSG_NOSIGNAL);
            if (sent < 0)
                return errno == EAGAIN;
            crowd->at[i] += (size_t)sent;
        }
    }
    // It never reads; but it sees when it was hung up on.
    int error = 0;
    socklen_t size = sizeof error;
    char byte;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
        return false;
    return crowd->every_ms == 0 || recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

static void *misbehave(void *arg)
{
    struct crowd *crowd = arg;
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000};
    while (!atomic_load(&crowd->leaving)) {
        int64_t now_ms = scenario_now_ms();
        for (size_t i = 0; i < crowd->size; i++) {
            if (crowd->fds[i] >= 0 && !speak(crowd, i, now_ms)) {
                close(crowd->fds[i]);
                crowd->fds[i] = -1;
            }
            if (crowd->fds[i] < 0)
                come(crowd, i);
        }
        nanosleep(&tick, NULL);
    }
    for (size_t i = 0; i < crowd->size; i++)
        if (crowd->fds[i] >= 0)
            close(crowd->fds[i]);
    return NULL;
}

static struct crowd *gather(struct scenario *s, size_t size, const char *opening, const char *then, int every_ms)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    struct rlimit limit;
    assert_non_null(crowd);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < size + 200)
        skip();
    crowd->address = scenario_address(s);
    crowd->port = scenario_port(s);
    crowd->size = size;
    crowd->opening = opening;
    crowd->then = then;
    crowd->every_ms = every_ms;
    memset(crowd->fds, -1, sizeof crowd->fds);
    assert_int_equal(pthread_create(&crowd->thread, NULL, misbehave, crowd), 0);
    return crowd;
}

static void disperse(struct crowd **crowd)
{
    atomic_store(&(*crowd)->leaving, true);
    pthread_join((*crowd)->thread, NULL);
    free(*crowd);
    *crowd = NULL;
}

static double metric(struct scenario *s, const char *name)
{
    char *body = NULL;
    assert_int_equal(wire_get(scenario_address(s), scenario_admin_port(s), "/metrics", &body), 200);
    const char *at = strstr(body, name);
    double value = at ? strtod(at + strlen(name), NULL) : -1;
    free(body);
    return value;
}

struct rise {
    struct scenario *s;
    const char *name;
    double least;
};

static bool has_risen(void *arg)
{
    const struct rise *rise = arg;
    return metric(rise->s, rise->name) >= rise->least;
}

static void rises_within(struct scenario *s, const char *name, double least, int timeout_ms)
{
    struct rise rise = {s, name, least};
    if (!scenario_wait(has_risen, &rise, timeout_ms))
        scenario_fail("%s is %.0f, not %.0f", name, metric(s, name), least);
}

#define CUT_FULL "\ndeskbell_http_connections_cut_total{reason=\"full\"} "
#define OPEN     "\ndeskbell_http_connections "

// What must go on while any crowd is there.
static void customers_are_served(struct scenario *s, struct crowd *crowd, pid_t front, int within_ms)
{
    int64_t worst_ms = 0;
    for (int i = 0; i < MESSAGES; i++) {
        char who[32];
        snprintf(who, sizeof who, "customer-%d", i);
        int64_t began_ms = scenario_now_ms();
        customer_writes(s, who, "in the middle of it");
        ticket_appears_within(s, who, within_ms);
        int64_t took_ms = scenario_now_ms() - began_ms;
        if (took_ms > worst_ms)
            worst_ms = took_ms;
        assert_int_equal(wire_get(scenario_address(s), scenario_admin_port(s), "/healthz", NULL), 200);
    }
    assert_int_equal(scenario_status_now(s).front, front);
    print_message("%zu connections (%lu made): worst of %d messages %lld ms\n", crowd->size,
                  atomic_load(&crowd->connections), MESSAGES, (long long)worst_ms);
}

static void and_the_crowd(void **state, size_t size, const char *opening, const char *then, int every_ms, int within_ms)
{
    struct scenario *s = scenario_begin(state, NULL);
    pid_t front = scenario_status_now(s).front;
    struct crowd *crowd = gather(s, size, opening, then, every_ms);
    rises_within(s, OPEN, 64, 10000); // every thread is taken
    customers_are_served(s, crowd, front, within_ms);
    rises_within(s, CUT_FULL, 1, 10000);
    disperse(&crowd);
    // And afterwards it is as if nothing had been.
    customer_writes(s, "late", "after it");
    ticket_appears_within(s, "late", within_ms);
    assert_int_equal(scenario_status_now(s).front, front);
    no_dead_letters(s);
    scenario_end(s);
}

static void a_crowd_that_says_nothing(void **state)
{
    and_the_crowd(state, 300, "", "", 1000, 10000);
}

static void a_crowd_that_says_a_byte_a_second(void **state)
{
    and_the_crowd(state, 200, "POST /webhooks/fresh", "chat-and-a-long-way-to-go", 1000, 10000);
}

static void a_crowd_whose_bodies_never_end(void **state)
{
    and_the_crowd(state, 200, POST "Content-Length: 60000\r\n\r\n{\"action\":", " ", 1000, 10000);
}

static void a_crowd_whose_chunks_never_end(void **state)
{
    and_the_crowd(state, 200, POST "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", 1000, 10000);
}

static void a_crowd_of_thousands_that_says_nothing(void **state)
{
    and_the_crowd(state, 3000, "", "", 1000, 30000);
}

// As many requests as the sockets take, and not one answer read. While there is no thread left each connection gets one
// answer, so nobody lives on by asking.
static void a_crowd_that_never_reads(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    pid_t front = scenario_status_now(s).front;
    static char many[16 * 64 + 1];
    for (int i = 0; i < 16; i++)
        strcat(many, "GET /nothing-here HTTP/1.1\r\nHost: d\r\n\r\n");
    struct crowd *crowd = gather(s, 100, "GET /nothing-here HTTP/1.1\r\nHost: d\r\n\r\n", many, 0);
    rises_within(s, OPEN, 64, 10000);
    customers_are_served(s, crowd, front, 15000);
    rises_within(s, "\ndeskbell_http_not_found_total ", 300, 20000);
    disperse(&crowd);
    customer_writes(s, "late", "after it");
    ticket_appears_within(s, "late", 10000);
    assert_int_equal(scenario_status_now(s).front, front);
    scenario_end(s);
}

// Fast and without end: refused by size, with the word for it.
static void a_body_without_end_is_refused(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    size_t size = 4 << 20;
    char *request = malloc(size);
    assert_non_null(request);
    int head = snprintf(request, size, POST "Transfer-Encoding: chunked\r\n\r\n%x\r\n", 64 << 20);
    memset(request + head, ' ', size - (size_t)head);
    assert_int_equal(wire_send(scenario_address(s), scenario_port(s), request, size, NULL), 413);
    free(request);
    rises_within(s, "\ndeskbell_webhook_requests_total{source=\"freshchat\",status=\"413\",reason=\"too_large\"} ", 1,
                 5000);
    customer_writes(s, "ada", "as before");
    ticket_appears_within(s, "ada", 3000);
    scenario_end(s);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]); // one story: "a_crowd_that_never_reads"
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_body_without_end_is_refused, scenario_teardown),
        cmocka_unit_test_teardown(a_crowd_that_says_nothing, scenario_teardown),
        cmocka_unit_test_teardown(a_crowd_that_says_a_byte_a_second, scenario_teardown),
        cmocka_unit_test_teardown(a_crowd_whose_bodies_never_end, scenario_teardown),
        cmocka_unit_test_teardown(a_crowd_whose_chunks_never_end, scenario_teardown),
        cmocka_unit_test_teardown(a_crowd_that_never_reads, scenario_teardown),
        cmocka_unit_test_teardown(a_crowd_of_thousands_that_says_nothing, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
