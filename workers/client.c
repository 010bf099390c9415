// SPDX-License-Identifier: Apache-2.0
// The HTTP client: starts calls, turns curl's socket and timer wishes into one epoll descriptor, and makes a
// client_result of what comes back. Runs in the worker's one thread.
//
// A request body must not leave twice. libcurl 7.88.1 makes a request again by itself when a reused connection dies
// before a byte of the answer was read (Curl_retry_request, "Connection died, retrying a fresh connect"), although the
// server may have read and done all of it. Two locks keep it from that. The body is given by a read callback, and its
// seek callback refuses to rewind once a byte was given, so curl fails with CURLE_SEND_FAIL_REWIND. And
// CURLOPT_PREREQFUNCTION, which curl calls each time it is about to send a request, refuses a second start under the
// same condition, whatever path led there. Before a byte of the body was given, nothing has happened that the other
// side could act on, and curl may go on.
#include "workers/client.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/answers.h"
#include "workers/headers.h"

enum {
    EVENTS_AT_ONCE = 64,
    // Idle connections older than this are not used again: proxies and load balancers drop them silently after a minute
    // or so, and a write on a dead connection costs a look.
    IDLE_SECONDS = 30,
    LEAST_CONNECTIONS = 16,
    PROBLEM_BYTES = 1000,
};

struct target {
    const char *api_url; // NULL: this upstream is not called
    const char *proxy;
    const char *ca_file;
    bool plain; // http, to loopback
    struct curl_slist *with_body;
    struct curl_slist *without_body;
};

struct call {
    struct client *client;
    CURL *easy;
    enum upstream upstream;
    enum step_kind kind;
    client_done *done;
    void *context;
    char *body;
    size_t body_size;
    size_t body_given; // to curl, so maybe to the network
    unsigned starts;   // how often curl began to send the request
    char *answer;
    size_t answer_size;
    size_t answer_room;
    size_t header_bytes;
    const char *too_large; // a sentence when the answer broke a bound
    char error[CURL_ERROR_SIZE];
    int64_t started_ms;
    struct call *before;
    struct call *after;
};

struct client {
    const struct config *config;
    struct target targets[UPSTREAMS];
    CURLM *multi;
    int epoll_fd;
    int timer_fd;
    struct call *calls;
    size_t in_flight;
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

static int on_start(void *context, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    (void)remote_ip;
    (void)local_ip;
    (void)remote_port;
    (void)local_port;
    struct call *call = context;
    call->starts++;
    // See the head of this file. A write without a body is all sent with its headers.
    bool may_be_out = call->body_given > 0 || (call->starts > 1 && !call->body && call->kind == STEP_WRITE);
    return may_be_out ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t on_read(char *buffer, size_t size, size_t count, void *context)
{
    struct call *call = context;
    size_t room = size * count;
    size_t left = call->body_size - call->body_given;
    size_t bytes = left < room ? left : room;
    if (bytes > 0)
        memcpy(buffer, call->body + call->body_given, bytes);
    call->body_given += bytes;
    return bytes;
}

static int on_seek(void *context, curl_off_t offset, int origin)
{
    const struct call *call = context;
    return origin == SEEK_SET && offset == 0 && call->body_given == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    struct call *call = context;
    call->header_bytes += size * count;
    if (call->header_bytes <= CLIENT_MAX_HEADER_BYTES)
        return size * count;
    call->too_large = "the answer's headers are too long";
    return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct call *call = context;
    size_t bytes = size * count;
    if (bytes > CLIENT_MAX_BODY_BYTES - call->answer_size) {
        call->too_large = "the answer is too long";
        return 0;
    }
    if (bytes > call->answer_room - call->answer_size) {
        size_t room = call->answer_room ? call->answer_room : 4096;
        while (room - call->answer_size < bytes)
            room *= 2;
        char *longer = realloc(call->answer, room);
        if (!longer)
            abort();
        call->answer = longer;
        call->answer_room = room;
    }
    if (bytes > 0)
        memcpy(call->answer + call->answer_size, data, bytes);
    call->answer_size += bytes;
    return bytes;
}

// ---- making and freeing ---------------------------------------------------------------------------------------------

static bool is_loopback(const char *host)
{
    struct in_addr address;
    if (inet_pton(AF_INET, host, &address) == 1)
        return ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0;
}

// Checks the address: https anywhere, http only on this machine, where tests and the demo live.
static bool check_url(struct target *target, char *why, size_t why_size)
{
    CURLU *url = curl_url();
    char *scheme = NULL;
    char *host = NULL;
    bool ok = url && curl_url_set(url, CURLUPART_URL, target->api_url, 0) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    target->plain = ok && strcmp(scheme, "http") == 0;
    if (ok)
        ok = strcmp(scheme, "https") == 0 || (target->plain && is_loopback(host));
    if (!ok)
        snprintf(why, why_size, "api_url %s cannot be used: it must be https (or http to this machine)",
                 target->api_url);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    return ok;
}

static struct curl_slist *header_list(const char *authorization, bool with_body)
{
    // "Expect:" keeps curl from waiting for 100 Continue before long bodies.
    static const char *const lines[] = {"Accept: application/json", "Expect:", "Content-Type: application/json"};
    struct curl_slist *list = curl_slist_append(NULL, authorization);
    for (size_t i = 0; list && i < (with_body ? 3u : 1u); i++) {
        struct curl_slist *longer = curl_slist_append(list, lines[i]);
        if (!longer)
            abort();
        list = longer;
    }
    if (!list)
        abort();
    return list;
}

static void free_header_list(struct curl_slist **list)
{
    for (struct curl_slist *item = *list; item; item = item->next)
        explicit_bzero(item->data, strlen(item->data)); // one of them is the key
    curl_slist_free_all(*list);
    *list = NULL;
}

static bool add_target(struct client *self, enum upstream upstream, const struct target *from, const struct keys *keys,
                       char *why, size_t why_size)
{
    if (!keys->authorization[upstream])
        return true;
    struct target *target = &self->targets[upstream];
    *target = *from;
    if (!check_url(target, why, why_size))
        return false;
    target->with_body = header_list(keys->authorization[upstream], true);
    target->without_body = header_list(keys->authorization[upstream], false);
    return true;
}

static bool add_targets(struct client *self, const struct keys *keys, char *why, size_t why_size)
{
    const struct config *config = self->config;
    struct target chat = {config->freshchat.api_url, config->freshchat.proxy, config->freshchat.ca_file, 0, NULL, NULL};
    struct target desk = {config->freshdesk.api_url, config->freshdesk.proxy, config->freshdesk.ca_file, 0, NULL, NULL};
    struct target caller = {
        config->freshcaller.api_url, config->freshcaller.proxy, config->freshcaller.ca_file, 0, NULL, NULL};
    return add_target(self, UPSTREAM_FRESHCHAT, &chat, keys, why, why_size) &&
           add_target(self, UPSTREAM_FRESHDESK, &desk, keys, why, why_size) &&
           add_target(self, UPSTREAM_FRESHCALLER, &caller, keys, why, why_size);
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
    if (!add_targets(self, keys, why, why_size)) {
        client_free(&self);
    } else if (!open_engine(self)) {
        snprintf(why, why_size, "the HTTP client cannot be set up: %s", strerror(errno));
        client_free(&self);
    }
    return self;
}

// From here on the call is not out any more.
static void detach_call(struct call *call)
{
    if (call->before)
        call->before->after = call->after;
    else
        call->client->calls = call->after;
    if (call->after)
        call->after->before = call->before;
    call->client->in_flight--;
}

static void free_call(struct call **self)
{
    struct call *call = *self;
    curl_easy_cleanup(call->easy);
    free(call->body);
    free(call->answer);
    free(call);
    *self = NULL;
}

void client_free(struct client **self)
{
    struct client *client = *self;
    if (!client)
        return;
    while (client->calls) {
        struct call *call = client->calls;
        curl_multi_remove_handle(client->multi, call->easy);
        detach_call(call);
        free_call(&call);
    }
    if (client->multi)
        curl_multi_cleanup(client->multi); // closes connections, calling on_socket
    for (size_t i = 0; i < UPSTREAMS; i++) {
        free_header_list(&client->targets[i].with_body);
        free_header_list(&client->targets[i].without_body);
    }
    if (client->timer_fd >= 0)
        close(client->timer_fd);
    if (client->epoll_fd >= 0)
        close(client->epoll_fd);
    free(client);
    curl_global_cleanup();
    *self = NULL;
}

// ---- one call -------------------------------------------------------------------------------------------------------

static void set_connection_options(const struct client *self, CURL *easy, const struct target *target)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, target->plain ? "http" : "https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (target->ca_file[0]) { // this file and nothing else
        curl_easy_setopt(easy, CURLOPT_CAINFO, target->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    // An empty proxy also keeps $http_proxy and its relatives out: the configuration is all that counts.
    curl_easy_setopt(easy, CURLOPT_PROXY, target->proxy);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_SECONDS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)self->config->timing.connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
}

static bool set_method(struct call *call, const char *method, const struct target *target)
{
    CURL *easy = call->easy;
    if (strcmp(method, "GET") == 0 && !call->body) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, target->without_body);
        return true;
    }
    if (strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0)
        return false;
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    if (method[1] == 'U')
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_size);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, call);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, call);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->body ? target->with_body : target->without_body);
    return true;
}

static bool set_url(struct call *call, const struct target *target, const char *path)
{
    char *url = NULL;
    if (path[0] != '/' || asprintf(&url, "%s%s", target->api_url, path) < 0)
        return false;
    CURLcode code = curl_easy_setopt(call->easy, CURLOPT_URL, url); // copied
    free(url);
    curl_easy_setopt(call->easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(call->easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    return code == CURLE_OK;
}

static void set_callbacks(struct call *call)
{
    CURL *easy = call->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "deskbell/" DESKBELL_VERSION);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_start);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
}

bool client_call(struct client *self, enum step_kind kind, const struct request *request, client_done *done,
                 void *context, char *why, size_t why_size)
{
    const struct target *target = (unsigned)request->upstream < UPSTREAMS ? &self->targets[request->upstream] : NULL;
    if (!target || !target->api_url) {
        snprintf(why, why_size, "there is no key for %s", steps_upstream_name(request->upstream));
        return false;
    }
    struct call *call = calloc(1, sizeof *call);
    if (!call)
        abort();
    *call =
        (struct call){.client = self, .upstream = request->upstream, .kind = kind, .done = done, .context = context};
    call->easy = curl_easy_init();
    call->body = request->body ? strdup(request->body) : NULL;
    if (!call->easy || (request->body && !call->body))
        abort();
    call->body_size = call->body ? strlen(call->body) : 0;
    call->after = self->calls;
    if (call->after)
        call->after->before = call;
    self->calls = call;
    self->in_flight++;
    uint64_t timeout = request->timeout_ms ? request->timeout_ms : (uint64_t)self->config->timing.request_timeout_ms;
    set_connection_options(self, call->easy, target);
    set_callbacks(call);
    curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, timeout < INT32_MAX ? (long)timeout : (long)INT32_MAX);
    call->started_ms = clock_mono_ms();
    if (set_url(call, target, request->path) && set_method(call, request->method, target) &&
        curl_multi_add_handle(self->multi, call->easy) == CURLM_OK)
        return true;
    snprintf(why, why_size, "the request cannot be made: %s %s", request->method,
             request->path[0] == '/' ? "is not a method of this client" : "needs a path that begins with a slash");
    detach_call(call);
    free_call(&call);
    return false;
}

// ---- what came of it ------------------------------------------------------------------------------------------------

// The value of a response header (its `index`-th one), or NULL. Borrowed until the handle's next use.
static const char *header(const struct call *call, const char *name, size_t index)
{
    struct curl_header *found = NULL;
    return curl_easy_header(call->easy, name, index, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value : NULL;
}

static char *link_next(const struct call *call)
{
    char *target = NULL;
    const char *value = header(call, "Link", 0);
    for (size_t i = 0; value && !target; value = header(call, "Link", ++i))
        target = headers_link_next(value);
    return target;
}

static void read_headers(const struct call *call, struct client_result *result)
{
    const char *value = header(call, "Date", 0);
    int64_t date_ms = 0;
    if (value && clock_parse_http(value, strlen(value), &date_ms) && date_ms > 0)
        result->response.date_ms = (uint64_t)date_ms;
    value = header(call, "Retry-After", 0);
    int64_t now_ms = result->response.date_ms ? (int64_t)result->response.date_ms : clock_wall_ms();
    result->retry_after_known = value && headers_retry_after(value, now_ms, &result->retry_after_ms);
    value = header(call, "X-RateLimit-Total", 0);
    if (value && !headers_count(value, &result->rate_total))
        result->rate_total = 0;
    value = header(call, "X-RateLimit-Remaining", 0);
    result->rate_known = value && headers_count(value, &result->rate_remaining);
}

// The body as JSON. Lenient about what is inside, strict about what counts: an object or an array, and not called HTML.
static json_t *parse_body(const struct call *call)
{
    const char *type = NULL;
    curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
    if (call->answer_size == 0 || (type && strcasestr(type, "html")))
        return NULL;
    return json_loadb(call->answer, call->answer_size, JSON_ALLOW_NUL, NULL);
}

static void finish(struct call *call, CURLcode code)
{
    struct client_result result = {0};
    struct answer_facts facts = {0};
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    facts.status = status >= 200 ? status : 0; // 1xx is not an answer yet
    bool whole = code == CURLE_OK;
    if (facts.status)
        read_headers(call, &result);
    json_t *json = facts.status && whole ? parse_body(call) : NULL;
    facts.body = !whole && !call->too_large        ? ANSWER_BODY_CUT
                 : json                            ? ANSWER_BODY_JSON
                 : whole && call->answer_size == 0 ? ANSWER_BODY_NONE
                                                   : ANSWER_BODY_ELSE;
    facts.sent = status > 0 || (call->body ? call->body_given > 0 : call->starts > 0);
    facts.retry_after = result.retry_after_known;
    char problem[PROBLEM_BYTES];
    char *next = facts.status ? link_next(call) : NULL;
    result.response.status = facts.status;
    result.response.json = json;
    result.response.link_next = next;
    result.response.answer = answers_classify(call->kind, &facts);
    if (result.response.answer != ANSWER_OK) {
        const char *transport = call->too_large  ? call->too_large
                                : whole          ? NULL
                                : call->error[0] ? call->error
                                                 : curl_easy_strerror(code);
        result.response.problem =
            answers_problem(problem, sizeof problem, call->upstream, &facts, transport, json, call->body);
    }
    result.sent = facts.sent;
    result.took_ms = (uint64_t)(clock_mono_ms() - call->started_ms);
    detach_call(call); // first: the callback may start the next one in its place
    call->done(call->context, &result);
    json_decref(json);
    free(next);
    free_call(&call);
}

static void collect(struct client *self)
{
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(self->multi, &left); message;
         message = curl_multi_info_read(self->multi, &left)) {
        struct call *call = NULL;
        assert(message->msg == CURLMSG_DONE);
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        curl_multi_remove_handle(self->multi, call->easy); // `message` is gone with it
        finish(call, code);
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
