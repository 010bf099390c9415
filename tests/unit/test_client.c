// SPDX-License-Identifier: Apache-2.0
// The HTTP client against a raw server on loopback: what leaves this machine, how often, and what is made of the
// answers.
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <jansson.h>
#include <netdb.h>
#include <pthread.h>
#include <poll.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include "proto/clock.h"
#include "tests/unit/http_stub.h"
#include "upstream/client.h"
#include "upstream/headers.h"

enum { PATIENCE_MS = 10000 };

// A resolver that can be held up: stands before the C library's in this program, for libcurl too.
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool hold;
    int inside;
} resolver = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    look_up *real = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    pthread_mutex_lock(&resolver.lock);
    resolver.inside++;
    pthread_cond_broadcast(&resolver.changed);
    while (resolver.hold)
        pthread_cond_wait(&resolver.changed, &resolver.lock);
    resolver.inside--;
    pthread_cond_broadcast(&resolver.changed);
    pthread_mutex_unlock(&resolver.lock);
    return node && strcmp(node, "held.example") == 0 ? EAI_NONAME : real(node, service, hints, result);
}

// What a callback left, copied because the result itself is borrowed.
struct outcome_of_call {
    int calls;
    struct client_result result;
    char problem[1100];
    char link_next[300];
    char json[400];
};

struct fixture {
    struct stub *stub;
    struct config config;
    char api_url[100];
    struct keys *keys;
    struct client *client;
    struct outcome_of_call out;
    atomic_int nth_on_dying; // which request of its connection the last one that killed it was
};

static void note_result(void *context, const struct client_result *result)
{
    struct outcome_of_call *out = context;
    out->calls++;
    out->result = *result;
    snprintf(out->problem, sizeof out->problem, "%s", result->response.problem ? result->response.problem : "");
    snprintf(out->link_next, sizeof out->link_next, "%s", result->response.link_next ? result->response.link_next : "");
    char *text = result->response.json ? json_dumps(result->response.json, JSON_COMPACT) : NULL;
    snprintf(out->json, sizeof out->json, "%s", text ? text : "");
    free(text);
}

static void answer(void *context, const struct stub_request *request, struct stub_reply *reply)
{
    struct fixture *f = context;
    const char *line = request->line;
    if (strstr(line, " /v2/die"))
        f->nth_on_dying = request->nth;
    if (strstr(line, " /v2/ok"))
        stub_reply_with(reply, "200 OK", "Content-Type: application/json\r\n", "{\"id\":1}");
    else if (strstr(line, " /v2/die-reset"))
        reply->reset = true;
    else if (strstr(line, " /v2/die"))
        reply->close = true;
    else if (strstr(line, " /v2/redirect"))
        stub_reply_with(reply, "302 Found", "Location: /ok\r\n", "");
    else if (strstr(line, " /v2/html"))
        stub_reply_with(reply, "200 OK", "Content-Type: text/html\r\n", "<html>login</html>");
    else if (strstr(line, " /v2/json-as-html"))
        stub_reply_with(reply, "200 OK", "Content-Type: text/html; charset=utf-8\r\n", "{}");
    else if (strstr(line, " /v2/empty"))
        stub_reply_with(reply, "201 Created", "", "");
    else if (strstr(line, " /v2/cut")) {
        reply->bytes = strdup("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{\"id\":");
        reply->size = strlen(reply->bytes);
        reply->close = true;
    } else if (strstr(line, " /v2/large")) {
        static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n[";
        reply->size = CLIENT_MAX_BODY_BYTES + 1000;
        reply->bytes = malloc(reply->size);
        memset(reply->bytes, ' ', reply->size);
        memcpy(reply->bytes, head, strlen(head));
        reply->close = true;
    } else if (strstr(line, " /v2/many-headers")) {
        reply->size = CLIENT_MAX_HEADER_BYTES + 4096;
        reply->bytes = calloc(1, reply->size);
        size_t at = (size_t)sprintf(reply->bytes, "HTTP/1.1 200 OK\r\n");
        while (at < reply->size - 40)
            at += (size_t)sprintf(reply->bytes + at, "X-Padding: %020zu\r\n", at);
        reply->size = at;
        reply->close = true;
    } else if (strstr(line, " /v2/told"))
        stub_reply_with(reply, "429 Too Many Requests",
                        "Date: Sun, 22 Nov 2026 08:00:00 GMT\r\nRetry-After: 30\r\nX-RateLimit-Total: 200\r\n"
                        "X-RateLimit-Remaining: 0\r\n"
                        "Link: <https://x.example/api/v2/tickets?page=2>; rel=\"next\"\r\n",
                        "{\"message\":\"You have exceeded the limit of requests\"}");
    else if (strstr(line, " /v2/later-date"))
        stub_reply_with(reply, "503 Service Unavailable",
                        "Date: Sun, 22 Nov 2026 08:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 08:00:12 GMT\r\n", "");
    else if (strstr(line, " /v2/refused"))
        stub_reply_with(reply, "400 Bad Request", "Content-Type: application/json\r\n",
                        "{\"description\":\"Validation failed\",\"errors\":[{\"field\":\"email\","
                        "\"message\":\"ann@example.org is not\\n a 'valid' address\",\"code\":\"invalid_value\"}]}");
    // everything else: no answer at all
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char why[300] = "";
    f->stub = stub_new(answer, f);
    snprintf(f->api_url, sizeof f->api_url, "http://127.0.0.1:%d/v2", stub_port(f->stub));
    f->config.freshchat.api_url = f->config.freshdesk.api_url = f->api_url;
    f->config.freshchat.proxy = f->config.freshdesk.proxy = (char *)"";
    f->config.freshchat.ca_file = f->config.freshdesk.ca_file = (char *)"";
    f->config.workers.in_flight = 128;
    f->config.timing.connect_timeout_ms = 2000;
    f->config.timing.request_timeout_ms = 5000;
    f->keys = keys_new("chat-token", "desk-key", NULL);
    f->client = client_new(&f->config, f->keys, why, sizeof why);
    assert_string_equal(why, "");
    assert_non_null(f->client);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    client_free(&f->client);
    stub_free(&f->stub);
    keys_free(&f->keys);
    assert_null(f->keys);
    free(f);
    return 0;
}

static void wait_for_calls(struct fixture *f, int calls)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    while (f->out.calls < calls && clock_mono_ms() < until_ms) {
        struct pollfd item = {client_fd(f->client), POLLIN, 0};
        poll(&item, 1, 100);
        client_ready(f->client);
    }
    assert_int_equal(f->out.calls, calls);
}

static void start(struct fixture *f, enum step_kind kind, const struct request *request)
{
    char why[300] = "";
    bool ok = client_call(f->client, kind, request, note_result, &f->out, why, sizeof why);
    assert_string_equal(why, "");
    assert_true(ok);
}

static void call(struct fixture *f, enum step_kind kind, const struct request *request)
{
    f->out.calls = 0;
    start(f, kind, request);
    assert_int_equal(f->out.calls, 0); // never from within
    wait_for_calls(f, 1);
}

static void get(struct fixture *f, const char *path)
{
    call(f, STEP_READ, &(struct request){.upstream = UPSTREAM_FRESHDESK, .method = "GET", .path = path});
}

static void post(struct fixture *f, const char *path)
{
    call(
        f, STEP_WRITE,
        &(struct request){
            .upstream = UPSTREAM_FRESHDESK, .method = "POST", .path = path, .body = "{\"email\":\"ann@example.org\"}"});
}

static void request_carries_key_and_json(void **state)
{
    struct fixture *f = *state;
    post(f, "/ok");
    assert_int_equal(f->out.result.response.answer, ANSWER_OK);
    assert_int_equal(f->out.result.response.status, 200);
    assert_string_equal(f->out.json, "{\"id\":1}");
    assert_true(f->out.result.sent);
    char *seen = stub_last(f->stub, "POST /v2/ok HTTP/1.1\r\n");
    assert_non_null(seen);
    assert_non_null(strstr(seen, "\r\nAuthorization: Basic ZGVzay1rZXk6WA==\r\n")); // desk-key:X
    assert_non_null(strstr(seen, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(seen, "\r\nAccept: application/json\r\n"));
    assert_non_null(strstr(seen, "\r\nAccept-Encoding: gzip\r\n"));
    assert_non_null(strstr(seen, "\r\nUser-Agent: deskbell/" DESKBELL_VERSION "\r\n"));
    assert_non_null(strstr(seen, "\r\n\r\n{\"email\":\"ann@example.org\"}"));
    assert_null(strstr(seen, "Expect"));
    free(seen);
    call(f, STEP_READ, &(struct request){.upstream = UPSTREAM_FRESHCHAT, .method = "GET", .path = "/ok?a=b%20c"});
    seen = stub_last(f->stub, "GET /v2/ok?a=b%20c HTTP/1.1\r\n");
    assert_non_null(seen);
    assert_non_null(strstr(seen, "\r\nAuthorization: Bearer chat-token\r\n"));
    free(seen);
    call(f, STEP_REPEATABLE,
         &(struct request){.upstream = UPSTREAM_FRESHDESK, .method = "PUT", .path = "/ok", .body = "{}"});
    assert_int_equal(stub_requests(f->stub, "PUT /v2/ok"), 1);
}

static void connections_are_used_again(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++)
        i % 2 ? post(f, "/ok") : get(f, "/ok");
    assert_int_equal(stub_connections(f->stub), 1);
    assert_int_equal(stub_requests(f->stub, ""), 20);
}

static void many_calls_run_side_by_side(void **state)
{
    struct fixture *f = *state;
    f->out.calls = 0;
    for (int i = 0; i < 100; i++)
        start(f, STEP_WRITE,
              &(struct request){.upstream = UPSTREAM_FRESHDESK, .method = "POST", .path = "/ok", .body = "{}"});
    assert_int_equal(client_in_flight(f->client), 100);
    wait_for_calls(f, 100);
    assert_int_equal(client_in_flight(f->client), 0);
    assert_int_equal(stub_requests(f->stub, "POST /v2/ok"), 100);
}

// libcurl by itself would send the POST again here: the connection is a used one and died without a byte of an answer.
static void post_on_dying_kept_connection_leaves_once(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"/die", "/die-reset"};
    for (size_t i = 0; i < 2; i++) {
        get(f, "/ok");
        post(f, paths[i]);
        assert_int_equal(f->out.result.response.answer, ANSWER_DOUBT);
        assert_int_equal(f->out.result.response.status, 0);
        assert_true(f->out.result.sent);
        assert_int_equal(f->nth_on_dying, 2); // it was the kept connection
    }
    assert_int_equal(stub_requests(f->stub, "POST /v2/die "), 1);
    assert_int_equal(stub_requests(f->stub, "POST /v2/die-reset "), 1);
}

static void post_on_fresh_connection_that_dies_is_doubt(void **state)
{
    struct fixture *f = *state;
    post(f, "/die");
    assert_int_equal(f->out.result.response.answer, ANSWER_DOUBT);
    assert_true(f->out.result.sent);
    assert_int_equal(stub_requests(f->stub, "POST"), 1);
}

static void long_post_on_dying_kept_connection_leaves_once(void **state)
{
    struct fixture *f = *state;
    char *body = malloc(300001);
    memset(body, 'x', 300000);
    body[0] = body[299999] = '"';
    body[300000] = '\0';
    get(f, "/ok");
    call(f, STEP_WRITE,
         &(struct request){.upstream = UPSTREAM_FRESHDESK, .method = "POST", .path = "/die", .body = body});
    assert_int_equal(f->out.result.response.answer, ANSWER_DOUBT);
    assert_int_equal(stub_requests(f->stub, "POST"), 1);
    free(body);
}

// The other half: a connection that was closed while idle is no reason for doubt.
static void post_after_idle_close_goes_through_once(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        post(f, "/ok");
        assert_int_equal(f->out.result.response.answer, ANSWER_OK);
        stub_close_idle(f->stub);
    }
    assert_int_equal(stub_requests(f->stub, "POST"), 10);
    assert_int_equal(stub_connections(f->stub), 10);
}

static void reads_that_die_are_only_retried(void **state)
{
    struct fixture *f = *state;
    get(f, "/ok");
    get(f, "/die");
    assert_int_equal(f->out.result.response.answer, ANSWER_RETRY);
    assert_true(f->out.result.sent);
}

static void redirects_are_not_followed(void **state)
{
    struct fixture *f = *state;
    get(f, "/redirect");
    assert_int_equal(f->out.result.response.answer, ANSWER_RETRY);
    assert_int_equal(f->out.result.response.status, 302);
    post(f, "/redirect");
    assert_int_equal(f->out.result.response.answer, ANSWER_DOUBT);
    assert_int_equal(stub_requests(f->stub, "GET /v2/ok"), 0);
    assert_int_equal(stub_requests(f->stub, "GET /ok"), 0);
}

static void silence_ends_in_a_timeout_that_is_doubt(void **state)
{
    struct fixture *f = *state;
    call(f, STEP_WRITE,
         &(struct request){
             .upstream = UPSTREAM_FRESHDESK, .method = "POST", .path = "/silent", .body = "{}", .timeout_ms = 80});
    assert_int_equal(f->out.result.response.answer, ANSWER_DOUBT);
    assert_true(f->out.result.sent);
    assert_in_range(f->out.result.took_ms, 79, 3000);
    assert_int_equal(stub_requests(f->stub, "POST"), 1);
}

static void refused_connection_is_no_doubt(void **state)
{
    struct fixture *f = *state;
    stub_free(&f->stub);
    post(f, "/ok");
    assert_int_equal(f->out.result.response.answer, ANSWER_RETRY);
    assert_false(f->out.result.sent);
    assert_non_null(strstr(f->out.problem, "Freshdesk could not be reached: "));
}

// A machine that takes the connection and says nothing during the TLS handshake has not seen the request.
static void handshake_that_hangs_or_fails_is_no_doubt(void **state)
{
    struct fixture *f = *state;
    char why[300];
    struct outcome_of_call before = f->out;
    client_free(&f->client);
    snprintf(f->api_url, sizeof f->api_url, "https://127.0.0.1:%d/v2", stub_port(f->stub));
    f->client = client_new(&f->config, f->keys, why, sizeof why);
    f->out = before;
    call(f, STEP_WRITE,
         &(struct request){
             .upstream = UPSTREAM_FRESHDESK, .method = "POST", .path = "/ok", .body = "{}", .timeout_ms = 100});
    assert_int_equal(f->out.result.response.answer, ANSWER_RETRY);
    assert_false(f->out.result.sent);
    assert_int_equal(f->out.result.response.status, 0);
}

// Name servers that do not answer must not hold up the loop: curl would wait for its resolver thread.
static void slow_name_servers_block_nothing(void **state)
{
    struct fixture *f = *state;
    char why[300];
    client_free(&f->client);
    snprintf(f->api_url, sizeof f->api_url, "https://held.example/v2");
    f->client = client_new(&f->config, f->keys, why, sizeof why);
    assert_non_null(f->client);
    pthread_mutex_lock(&resolver.lock);
    resolver.hold = true;
    pthread_mutex_unlock(&resolver.lock);
    int64_t began_ms = clock_mono_ms();
    call(f, STEP_WRITE,
         &(struct request){
             .upstream = UPSTREAM_FRESHDESK, .method = "POST", .path = "/ok", .body = "{}", .timeout_ms = 100});
    assert_in_range(clock_mono_ms() - began_ms, 99, 3000);
    assert_int_equal(f->out.result.response.answer, ANSWER_RETRY);
    assert_false(f->out.result.sent);
    // and leaving does not wait for it either
    start(f, STEP_READ, &(struct request){.upstream = UPSTREAM_FRESHDESK, .method = "GET", .path = "/ok"});
    pthread_mutex_lock(&resolver.lock);
    while (resolver.inside < 2) {
        pthread_mutex_unlock(&resolver.lock);
        poll(&(struct pollfd){client_fd(f->client), POLLIN, 0}, 1, 10);
        client_ready(f->client);
        pthread_mutex_lock(&resolver.lock);
    }
    pthread_mutex_unlock(&resolver.lock);
    client_free(&f->client);
    assert_in_range(clock_mono_ms() - began_ms, 99, 4000);
    pthread_mutex_lock(&resolver.lock);
    resolver.hold = false;
    pthread_cond_broadcast(&resolver.changed);
    while (resolver.inside > 0)
        pthread_cond_wait(&resolver.changed, &resolver.lock);
    pthread_mutex_unlock(&resolver.lock);
}

static void bodies_that_are_no_json_are_no_success(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"/html", "/json-as-html", "/empty", "/cut", "/large", "/many-headers"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        post(f, paths[i]);
        assert_int_equal(f->out.result.response.answer, ANSWER_DOUBT);
        assert_null(f->out.result.response.json);
        get(f, paths[i]);
        assert_int_equal(f->out.result.response.answer, ANSWER_RETRY);
    }
    call(f, STEP_REPEATABLE,
         &(struct request){.upstream = UPSTREAM_FRESHDESK, .method = "PUT", .path = "/empty", .body = "{}"});
    assert_int_equal(f->out.result.response.answer, ANSWER_OK);
    get(f, "/large");
    assert_non_null(strstr(f->out.problem, "the answer is too long"));
}

static void headers_are_read(void **state)
{
    struct fixture *f = *state;
    post(f, "/told");
    const struct client_result *result = &f->out.result;
    assert_int_equal(result->response.answer, ANSWER_RETRY);
    assert_int_equal(result->response.date_ms, 1795334400000);
    assert_true(result->retry_after_known);
    assert_int_equal(result->retry_after_ms, 30000);
    assert_true(result->rate_known);
    assert_int_equal(result->rate_total, 200);
    assert_int_equal(result->rate_remaining, 0);
    assert_string_equal(f->out.link_next, "https://x.example/api/v2/tickets?page=2");
    post(f, "/later-date");
    assert_int_equal(result->response.answer, ANSWER_RETRY); // 503 with Retry-After: a plain refusal
    assert_int_equal(result->retry_after_ms, 12000);
    post(f, "/ok");
    assert_false(result->rate_known);
    assert_false(result->retry_after_known);
    assert_int_equal(result->response.date_ms, 0);
}

static void refusal_says_why_without_the_customers_words(void **state)
{
    struct fixture *f = *state;
    post(f, "/refused");
    assert_int_equal(f->out.result.response.answer, ANSWER_REFUSED);
    assert_string_equal(f->out.problem, "Freshdesk refused the request (status 400): Validation failed; "
                                        "email: [...] is not  a 'valid' address (invalid_value)");
}

static void impossible_requests_are_refused_at_once(void **state)
{
    struct fixture *f = *state;
    char why[300] = "";
    static const struct request bad[] = {
        {.upstream = UPSTREAM_FRESHCALLER, .method = "GET", .path = "/ok"}, // no key
        {.upstream = UPSTREAM_NONE, .method = "GET", .path = "/ok"},
        {.upstream = UPSTREAM_FRESHDESK, .method = "DELETE", .path = "/ok"},
        {.upstream = UPSTREAM_FRESHDESK, .method = "GET", .path = "/ok", .body = "{}"},
        {.upstream = UPSTREAM_FRESHDESK, .method = "GET", .path = "@other.example/"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        why[0] = '\0';
        assert_false(client_call(f->client, STEP_READ, &bad[i], note_result, &f->out, why, sizeof why));
        assert_true(strlen(why) > 10);
    }
    assert_int_equal(f->out.calls, 0);
    assert_int_equal(client_in_flight(f->client), 0);
}

static void plain_http_stays_on_this_machine(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"http://acme.freshdesk.com/api/v2", "ftp://127.0.0.1/", "http://127.evil.example",
                                      "http://10.0.0.1/v2"};
    char *before = f->config.freshdesk.api_url;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char why[300] = "";
        f->config.freshdesk.api_url = (char *)bad[i];
        struct client *client = client_new(&f->config, f->keys, why, sizeof why);
        assert_null(client);
        assert_non_null(strstr(why, "must be https"));
    }
    f->config.freshdesk.api_url = before;
}

static void environment_proxies_do_not_count(void **state)
{
    struct fixture *f = *state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    get(f, "/ok");
    assert_int_equal(f->out.result.response.answer, ANSWER_OK);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

static void freeing_drops_calls_without_telling(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++)
        start(f, STEP_WRITE,
              &(struct request){.upstream = UPSTREAM_FRESHDESK, .method = "POST", .path = "/silent", .body = "{}"});
    client_ready(f->client);
    client_free(&f->client);
    assert_null(f->client);
    assert_int_equal(f->out.calls, 0);
}

static void link_headers(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *next;
    } cases[] = {
        {"<https://a/b?page=2>; rel=\"next\"", "https://a/b?page=2"},
        {"<https://a/b?page=2>;rel=next", "https://a/b?page=2"},
        {"<https://a/1>; rel=\"prev\", <https://a/b?x=1,2>; title=\"a, b\"; rel=\"next\"", "https://a/b?x=1,2"},
        {"<https://a/1>; rel=\"last next\"", "https://a/1"},
        {"<https://a/1>; REL=\"NEXT\"", "https://a/1"},
        {"<https://a/1>; rel=\"nextish\"", NULL},
        {"<https://a/1>; xrel=\"next\"", NULL},
        {"<https://a/1>", NULL},
        {"<>; rel=next", NULL},
        {"<https://a/1; rel=next", NULL},
        {"https://a/1; rel=next", NULL},
        {"<https://a/1>; rel=", NULL},
        {"<https://a/1>; rel=\"", NULL},
        {"<https://a/1>; rel=\"next", "https://a/1"},
        {"<https://a/1>;;;", NULL},
        {",", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *next = headers_link_next(cases[i].value);
        if (cases[i].next)
            assert_string_equal(next, cases[i].next);
        else
            assert_null(next);
        free(next);
    }
}

static void retry_after_and_counts(void **state)
{
    (void)state;
    uint64_t ms = 7;
    int64_t now_ms = 1795334400000; // Sun, 22 Nov 2026 08:00:00 GMT
    assert_true(headers_retry_after(" 5 ", now_ms, &ms));
    assert_int_equal(ms, 5000);
    assert_true(headers_retry_after("0", now_ms, &ms));
    assert_int_equal(ms, 0);
    assert_true(headers_retry_after("99999999999999999999999", now_ms, &ms));
    assert_int_equal(ms, HEADERS_RETRY_AFTER_MAX_MS);
    assert_true(headers_retry_after("Sun, 22 Nov 2026 08:01:00 GMT", now_ms, &ms));
    assert_int_equal(ms, 60000);
    assert_true(headers_retry_after("Sun, 22 Nov 2026 07:00:00 GMT", now_ms, &ms));
    assert_int_equal(ms, 0);
    assert_true(headers_retry_after("Sun, 29 Nov 2026 08:00:00 GMT", now_ms, &ms));
    assert_int_equal(ms, HEADERS_RETRY_AFTER_MAX_MS);
    ms = 7;
    static const char *const bad[] = {"", " ", "-1", "5s", "1.5", "soon", "5 6"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(headers_retry_after(bad[i], now_ms, &ms));
    assert_int_equal(ms, 7);
    uint64_t count = 0;
    assert_true(headers_count("18446744073709551615", &count));
    assert_true(count == UINT64_MAX);
    assert_true(headers_count("18446744073709551616", &count));
    assert_true(count == UINT64_MAX);
    assert_true(headers_count("700", &count));
    assert_int_equal(count, 700);
}

static void a_client_without_writes_only_reads(void **state)
{
    struct fixture *f = *state;
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH"};
    char why[300] = "";
    client_forbid_writes(f->client);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct request request = {
            .upstream = UPSTREAM_FRESHDESK, .method = methods[i], .path = "/tickets", .body = "{}"};
        assert_false(client_call(f->client, STEP_READ, &request, NULL, NULL, why, sizeof why));
        assert_string_equal(why, "nothing is written in observe mode");
    }
    assert_int_equal(stub_requests(f->stub, ""), 0);
}

static void keys_refuse_what_could_forge_headers(void **state)
{
    (void)state;
    assert_null(keys_new("a\r\nX-Evil: 1", NULL, NULL));
    assert_null(keys_new("a b", NULL, NULL));
    assert_null(keys_new("", NULL, NULL));
    assert_null(keys_new(NULL, "k\xc3\xa4", NULL));
    struct keys *keys = keys_new(NULL, "k", "c");
    assert_null(keys->authorization[UPSTREAM_FRESHCHAT]);
    assert_string_equal(keys->authorization[UPSTREAM_FRESHDESK], "Authorization: Basic azpY");
    assert_string_equal(keys->authorization[UPSTREAM_FRESHCALLER], "X-Api-Auth: c");
    keys_free(&keys);
}

#define WITH_STUB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STUB(request_carries_key_and_json),
        WITH_STUB(connections_are_used_again),
        WITH_STUB(many_calls_run_side_by_side),
        WITH_STUB(post_on_dying_kept_connection_leaves_once),
        WITH_STUB(post_on_fresh_connection_that_dies_is_doubt),
        WITH_STUB(long_post_on_dying_kept_connection_leaves_once),
        WITH_STUB(post_after_idle_close_goes_through_once),
        WITH_STUB(reads_that_die_are_only_retried),
        WITH_STUB(redirects_are_not_followed),
        WITH_STUB(silence_ends_in_a_timeout_that_is_doubt),
        WITH_STUB(refused_connection_is_no_doubt),
        WITH_STUB(handshake_that_hangs_or_fails_is_no_doubt),
        WITH_STUB(slow_name_servers_block_nothing),
        WITH_STUB(bodies_that_are_no_json_are_no_success),
        WITH_STUB(headers_are_read),
        WITH_STUB(refusal_says_why_without_the_customers_words),
        WITH_STUB(impossible_requests_are_refused_at_once),
        WITH_STUB(plain_http_stays_on_this_machine),
        WITH_STUB(environment_proxies_do_not_count),
        WITH_STUB(freeing_drops_calls_without_telling),
        WITH_STUB(a_client_without_writes_only_reads),
        cmocka_unit_test(link_headers),
        cmocka_unit_test(retry_after_and_counts),
        cmocka_unit_test(keys_refuse_what_could_forge_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
