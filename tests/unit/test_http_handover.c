// SPDX-License-Identifier: Apache-2.0
// How the listeners pass from one front to the next: inherited sockets, draining, and what happens without CivetWeb's
// descriptor.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http-front/admin/health.h"
#include "http-front/admin/metrics.h"
#include "http-front/intake/listener.h"
#include "proto/clock.h"
#include "tests/unit/http_world.h"

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

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_new, world_free)
    const struct CMUnitTest tests[] = {
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
    return cmocka_run_group_tests(tests, world_load, world_unload);
}
