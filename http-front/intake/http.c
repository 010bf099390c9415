// SPDX-License-Identifier: Apache-2.0
// The front's two listeners put together. Called by the front's main thread; the handlers run in CivetWeb's threads.
#include "http-front/intake/http.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http-front/admin/health.h"
#include "http-front/intake/callback.h"
#include "http-front/intake/listener.h"
#include "http-front/intake/pages.h"
#include "http-front/intake/webhooks.h"
#include "proto/clock.h"

#define ADMIN_THREADS      4
#define REQUEST_TIMEOUT_MS 10000
#define KEEP_ALIVE_MS      900
// While draining, how often the connections are counted; and how many counts in a row must find none, because a
// connection that is just being accepted is nowhere for a moment.
#define DRAIN_LOOK_MS 5
#define DRAIN_LOOKS   3
// For the answers to those whose sending was cut off.
#define HURRY_MS 200
// Calls of accept take as long as a sync of the disk; those that run when the time is over get this much more.
#define SETTLE_MS 250

struct http {
    struct http_options options; // as given, but accept is accept_guarded below
    enum accept_result (*accept)(void *arg, const struct event *event);
    void *accept_arg;
    atomic_bool refusing; // no call of accept begins any more
    atomic_int accepting; // calls of accept that are running
    struct listener *webhooks;
    struct listener *admin;
};

// The caller's accept, which is not called any more once draining is over: what is behind it may be gone then.
static enum accept_result accept_guarded(void *arg, const struct event *event)
{
    struct http *self = arg;
    enum accept_result result = ACCEPT_UNAVAILABLE;
    atomic_fetch_add(&self->accepting,
                     1); // before the look at `refusing`: whoever sets that and then sees 0 here is alone
    if (!atomic_load(&self->refusing))
        result = self->accept(self->accept_arg, event);
    atomic_fetch_sub(&self->accepting, 1);
    return result;
}

static void handle_webhooks(void *arg, struct request *request)
{
    const struct http *self = arg;
    const char *path = request_path(request);
    if (!strcmp(path, "/webhooks/freshchat")) {
        webhooks_handle(&self->options, METRICS_FRESHCHAT, request);
    } else if (!strcmp(path, "/webhooks/freshdesk")) {
        webhooks_handle(&self->options, METRICS_FRESHDESK, request);
    } else if (!strcmp(path, "/callback") && self->options.callback) {
        callback_handle(self->options.callback, &self->options, request);
    } else if (!pages_public(self->options.widget, request)) {
        metrics_count(METRIC_HTTP_NOT_FOUND);
        request_refuse(request, 404, NULL, "not found");
    }
}

struct http *http_new(const struct http_options *options, char *why, size_t why_size)
{
    assert(options->accept && options->freshchat_keys && options->freshdesk_tokens && options->threads > 0);
    struct http *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->options = *options;
    self->accept = options->accept;
    self->accept_arg = options->accept_arg;
    self->options.accept = accept_guarded;
    self->options.accept_arg = self;
    if (!self->options.now_ms)
        self->options.now_ms = clock_wall_ms;
    if (self->options.request_timeout_ms <= 0)
        self->options.request_timeout_ms = REQUEST_TIMEOUT_MS;
    if (self->options.keep_alive_ms <= 0)
        self->options.keep_alive_ms = KEEP_ALIVE_MS;
    struct listener_options webhooks = {.name = "webhooks",
                                        .inherited_fd = options->listen_fd,
                                        .address = options->listen,
                                        .threads = options->threads,
                                        .request_timeout_ms = self->options.request_timeout_ms,
                                        .keep_alive_ms = self->options.keep_alive_ms,
                                        .counted = true,
                                        .handle = handle_webhooks,
                                        .arg = self};
    struct listener_options admin = {.name = "admin",
                                     .inherited_fd = options->admin_listen_fd,
                                     .address = options->admin_listen,
                                     .threads = ADMIN_THREADS,
                                     .request_timeout_ms = self->options.request_timeout_ms,
                                     .keep_alive_ms = self->options.keep_alive_ms,
                                     .handle = pages_handle};
    self->webhooks = listener_new(&webhooks, why, why_size);
    if (self->webhooks)
        self->admin = listener_new(&admin, why, why_size);
    if (!self->admin)
        http_free(&self);
    return self;
}

bool http_open(struct http *self, char *why, size_t why_size)
{
    return listener_open(self->admin, why, why_size) && listener_open(self->webhooks, why, why_size);
}

uint16_t http_port(const struct http *self)
{
    return listener_port(self->webhooks);
}

uint16_t http_admin_port(const struct http *self)
{
    return listener_port(self->admin);
}

bool http_seamless(const struct http *self)
{
    return listener_seamless(self->webhooks) && listener_seamless(self->admin);
}

static size_t connections(const struct http *self)
{
    return listener_connections(self->webhooks) + listener_connections(self->admin);
}

static void pause_a_little(void)
{
    struct timespec pause = {.tv_nsec = DRAIN_LOOK_MS * 1000000};
    nanosleep(&pause, NULL);
}

size_t http_drain(struct http *self, int timeout_ms)
{
    health_set_draining(true);
    listener_close(self->webhooks);
    listener_close(self->admin);
    int64_t until_ms = clock_mono_ms() + timeout_ms;
    for (int quiet = 0; quiet < DRAIN_LOOKS && clock_mono_ms() < until_ms; pause_a_little()) {
        // Who dawdled before, and keeps everybody else waiting now.
        listener_hurry(self->webhooks, timeout_ms);
        listener_hurry(self->admin, timeout_ms);
        quiet = connections(self) ? 0 : quiet + 1;
    }
    if (connections(self)) {
        // Who still sends is answered, and may come again to whoever serves next.
        listener_cut(self->webhooks);
        listener_cut(self->admin);
        until_ms = clock_mono_ms() + HURRY_MS;
        while (connections(self) && clock_mono_ms() < until_ms)
            pause_a_little();
    }
    atomic_store(&self->refusing, true);
    until_ms = clock_mono_ms() + SETTLE_MS;
    while (!http_quiet(self) && clock_mono_ms() < until_ms)
        pause_a_little();
    return listener_connections(self->webhooks);
}

bool http_quiet(const struct http *self)
{
    return atomic_load(&self->refusing) && atomic_load(&self->accepting) == 0;
}

void http_free(struct http **self)
{
    if (!*self)
        return;
    listener_free(&(*self)->webhooks);
    listener_free(&(*self)->admin);
    free(*self);
    *self = NULL;
}
