// SPDX-License-Identifier: Apache-2.0
// One call: what it tells curl, what it takes from it, and the result it makes of it. Runs in the worker's one thread.
//
// A request body must not leave twice. libcurl 7.88.1 makes a request again by itself when a reused connection dies
// before a byte of the answer was read (Curl_retry_request, "Connection died, retrying a fresh connect"), although the
// server may have read and done all of it. Two locks keep it from that. The body is given by a read callback, and its
// seek callback refuses to rewind once a byte was given, so curl fails with CURLE_SEND_FAIL_REWIND. And
// CURLOPT_PREREQFUNCTION, which curl calls each time it is about to send a request, refuses a second start under the
// same condition, whatever path led there. Before a byte of the body was given, nothing has happened that the other
// side could act on, and curl may go on.
#include "upstream/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/clock.h"
#include "upstream/answers.h"
#include "upstream/headers.h"

enum { PROBLEM_BYTES = 1000 };

// ---- callbacks of curl ----------------------------------------------------------------------------------------------

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

void call_free(struct call **self)
{
    if (!*self)
        return;
    curl_easy_cleanup((*self)->easy);
    free((*self)->body);
    free((*self)->answer);
    free(*self);
    *self = NULL;
}

struct call *call_new(enum step_kind kind, const struct request *request, const struct target *target,
                      const struct config_timing *timing, char *why, size_t why_size)
{
    struct call *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->upstream = request->upstream;
    self->kind = kind;
    self->easy = curl_easy_init();
    self->body = request->body ? strdup(request->body) : NULL;
    if (!self->easy || (request->body && !self->body))
        abort();
    self->body_size = self->body ? strlen(self->body) : 0;
    uint64_t timeout = request->timeout_ms ? request->timeout_ms : (uint64_t)timing->request_timeout_ms;
    target_apply(target, self->easy);
    set_callbacks(self);
    curl_easy_setopt(self->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timing->connect_timeout_ms);
    curl_easy_setopt(self->easy, CURLOPT_TIMEOUT_MS, timeout < INT32_MAX ? (long)timeout : (long)INT32_MAX);
    self->started_ms = clock_mono_ms();
    if (set_url(self, target, request->path) && set_method(self, request->method, target))
        return self;
    snprintf(why, why_size, "the request cannot be made: %s %s", request->method,
             request->path[0] == '/' ? "is not a method of this client" : "needs a path that begins with a slash");
    call_free(&self);
    return NULL;
}

struct call *call_of(CURL *easy)
{
    struct call *self = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self);
    return self;
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

void call_finish(struct call *self, CURLcode code)
{
    struct client_result result = {0};
    struct answer_facts facts = {0};
    long status = 0;
    curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
    facts.status = status >= 200 ? status : 0; // 1xx is not an answer yet
    bool whole = code == CURLE_OK;
    if (facts.status)
        read_headers(self, &result);
    json_t *json = facts.status && whole ? parse_body(self) : NULL;
    facts.body = !whole && !self->too_large        ? ANSWER_BODY_CUT
                 : json                            ? ANSWER_BODY_JSON
                 : whole && self->answer_size == 0 ? ANSWER_BODY_NONE
                                                   : ANSWER_BODY_ELSE;
    facts.sent = status > 0 || (self->body ? self->body_given > 0 : self->starts > 0);
    facts.retry_after = result.retry_after_known;
    char problem[PROBLEM_BYTES];
    char *next = facts.status ? link_next(self) : NULL;
    result.response.status = facts.status;
    result.response.json = json;
    result.response.link_next = next;
    result.response.answer = answers_classify(self->kind, &facts);
    if (result.response.answer != ANSWER_OK) {
        // What curl says of the two locks above is about them, not about what happened.
        bool locked = code == CURLE_SEND_FAIL_REWIND || code == CURLE_ABORTED_BY_CALLBACK;
        const char *transport = self->too_large  ? self->too_large
                                : whole          ? NULL
                                : locked         ? "the connection broke after the request was sent"
                                : self->error[0] ? self->error
                                                 : curl_easy_strerror(code);
        result.response.problem =
            answers_problem(problem, sizeof problem, self->upstream, &facts, transport, json, self->body);
    }
    result.sent = facts.sent;
    result.timed_out = code == CURLE_OPERATION_TIMEDOUT;
    result.took_ms = (uint64_t)(clock_mono_ms() - self->started_ms);
    self->done(self->context, &result);
    json_decref(json);
    free(next);
}
