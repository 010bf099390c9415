// SPDX-License-Identifier: Apache-2.0
// The HTTP client's engine: the multi handle, its sockets and its timer in one epoll set, and the list of calls that
// are out. What a call is, and why a write leaves only once, is in call.c; what an upstream is in target.c. The
// worker's one thread.
#include "upstream/client.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "proto/log.h"
#include "upstream/call.h"
#include "upstream/target.h"

enum { EVENTS_AT_ONCE = 64, LEAST_CONNECTIONS = 16 };

struct client {
    const struct config *config;
    struct target targets[UPSTREAMS];
    CURLM *multi;
    int epoll_fd;
    int timer_fd;
    struct call *calls;
    size_t in_flight;
    bool read_only; // client_forbid_writes
};

// ---- callbacks of curl ----------------------------------------------------------------------------------------------

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    (void)easy;
    (void)unused;
    struct client *self = context;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(self->epoll_fd, EPOLL_CTL_DEL, fd, NULL); // curl may have closed it already
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (epoll_ctl(self->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    if (errno == ENOENT && epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    log_error("socket_not_watched", "error=%s", strerror(errno));
    return -1; // the multi handle is then useless: every transfer ends with an error
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct client *self = context;
    struct itimerspec when = {0};
    if (timeout_ms == 0)
        when.it_value.tv_nsec = 1; // all zero would switch the timer off
    else if (timeout_ms > 0)
        when.it_value = (struct timespec){timeout_ms / 1000, timeout_ms % 1000 * 1000000};
    return timerfd_settime(self->timer_fd, 0, &when, NULL) == 0 ? 0 : -1;
}

// ---- making and freeing ---------------------------------------------------------------------------------------------

static bool open_targets(struct client *self, const struct keys *keys, char *why, size_t why_size)
{
    for (enum upstream upstream = UPSTREAM_FRESHCHAT; upstream < UPSTREAMS; upstream++)
        if (!target_open(&self->targets[upstream], upstream, self->config, keys, why, why_size))
            return false;
    return true;
}

static bool open_engine(struct client *self)
{
    self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    self->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    self->multi = curl_multi_init();
    if (self->epoll_fd < 0 || self->timer_fd < 0 || !self->multi)
        return false;
    long connections = (long)self->config->workers.in_flight;
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS,
                      connections > LEAST_CONNECTIONS ? connections : (long)LEAST_CONNECTIONS);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = self->timer_fd};
    return epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, self->timer_fd, &event) == 0;
}

struct client *client_new(const struct config *config, const struct keys *keys, char *why, size_t why_size)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        snprintf(why, why_size, "libcurl cannot be initialised");
        return NULL;
    }
    struct client *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->config = config;
    self->epoll_fd = self->timer_fd = -1;
    if (!open_targets(self, keys, why, why_size)) {
        client_free(&self);
    } else if (!open_engine(self)) {
        snprintf(why, why_size, "the HTTP client cannot be set up: %s", strerror(errno));
        client_free(&self);
    }
    return self;
}

void client_forbid_writes(struct client *self)
{
    self->read_only = true;
}

// From here on the call is not out any more.
static void detach_call(struct client *self, struct call *call)
{
    if (call->before)
        call->before->after = call->after;
    else
        self->calls = call->after;
    if (call->after)
        call->after->before = call->before;
    self->in_flight--;
}

void client_free(struct client **self)
{
    struct client *client = *self;
    if (!client)
        return;
    while (client->calls) {
        struct call *call = client->calls;
        curl_multi_remove_handle(client->multi, call->easy);
        detach_call(client, call);
        call_free(&call);
    }
    if (client->multi)
        curl_multi_cleanup(client->multi); // closes connections, calling on_socket
    for (size_t i = 0; i < UPSTREAMS; i++)
        target_close(&client->targets[i]);
    if (client->timer_fd >= 0)
        close(client->timer_fd);
    if (client->epoll_fd >= 0)
        close(client->epoll_fd);
    free(client);
    curl_global_cleanup();
    *self = NULL;
}

// ---- calls ----------------------------------------------------------------------------------------------------------

bool client_call(struct client *self, enum step_kind kind, const struct request *request, client_done *done,
                 void *context, char *why, size_t why_size)
{
    const struct target *target = (unsigned)request->upstream < UPSTREAMS ? &self->targets[request->upstream] : NULL;
    if (!target || !target->api_url) {
        snprintf(why, why_size, "there is no key for %s", steps_upstream_name(request->upstream));
        return false;
    }
    if (self->read_only && strcmp(request->method, "GET") != 0) {
        log_error("write_refused", "upstream=%s method=%s", steps_upstream_name(request->upstream), request->method);
        snprintf(why, why_size, "nothing is written in observe mode");
        return false;
    }
    struct call *call = call_new(kind, request, target, &self->config->timing, why, why_size);
    if (!call)
        return false;
    call->done = done;
    call->context = context;
    CURLMcode code = curl_multi_add_handle(self->multi, call->easy);
    if (code != CURLM_OK) {
        snprintf(why, why_size, "the request cannot be made: %s", curl_multi_strerror(code));
        call_free(&call);
        return false;
    }
    call->after = self->calls;
    if (call->after)
        call->after->before = call;
    self->calls = call;
    self->in_flight++;
    return true;
}

static void collect(struct client *self)
{
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(self->multi, &left); message;
         message = curl_multi_info_read(self->multi, &left)) {
        assert(message->msg == CURLMSG_DONE);
        struct call *call = call_of(message->easy_handle);
        CURLcode code = message->data.result;
        curl_multi_remove_handle(self->multi, call->easy); // `message` is gone with it
        detach_call(self, call);                           // first: the callback may start the next one in its place
        call_finish(call, code);
        call_free(&call);
    }
}

void client_ready(struct client *self)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int running = 0;
    int count = epoll_wait(self->epoll_fd, events, EVENTS_AT_ONCE, 0);
    for (int i = 0; i < count; i++) {
        int fd = events[i].data.fd;
        unsigned what = events[i].events;
        if (fd == self->timer_fd) {
            uint64_t ticks = 0;
            if (read(self->timer_fd, &ticks, sizeof ticks) < 0) {
                // curl has set the timer anew meanwhile: nothing to read, nothing due
            }
            curl_multi_socket_action(self->multi, CURL_SOCKET_TIMEOUT, 0, &running);
            continue;
        }
        // A socket that was closed earlier in this round, and whose number is in use again, is only asked in vain.
        int mask = (what & EPOLLIN ? CURL_CSELECT_IN : 0) | (what & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (what & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(self->multi, fd, mask, &running);
    }
    collect(self);
}

int client_fd(const struct client *self)
{
    return self->epoll_fd;
}

size_t client_in_flight(const struct client *self)
{
    return self->in_flight;
}
