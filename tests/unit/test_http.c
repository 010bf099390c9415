// SPDX-License-Identifier: Apache-2.0
// What the webhook and admin listeners answer to every kind of request, well or badly made.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http-front/admin/health.h"
#include "http-front/admin/metrics.h"
#include "http-front/admin/status.h"
#include "proto/clock.h"
#include "tests/unit/http_world.h"

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
    expect(ask(world->port, "POST /webhooks/freshchat HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"), 401, NULL);
    expect(ask(world->port, "POST /webhooks/freshchat HTTP/1.1\r\nHost: x\r\nContent-Type: "
                            "application/jsonp\r\nContent-Length: 2\r\n\r\n{}"),
           415, NULL);
    assert_int_equal(calls(world), 0);
}

// `request` with another Content-Type line: "" or whole lines.
static char *typed(const char *request, const char *lines)
{
    static char changed[131072];
    static const char json[] = "Content-Type: application/json\r\n";
    const char *at = strstr(request, json);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - request), request, lines, at + strlen(json));
    return changed;
}

static void who_proves_itself_is_not_asked_for_the_type(void **state)
{
    struct world *world = *state;
    static const char *const types[] = {"",
                                        "Content-Type:\r\n",
                                        "Content-Type: text/plain; charset=ISO-8859-1\r\n",
                                        "Content-Type: application/x-www-form-urlencoded\r\n",
                                        "Content-Type: application/octet-stream\r\n",
                                        "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
                                        "Content-Type: application/json\r\nContent-Encoding: identity\r\n"};
    static const char token[] = "X-Deskbell-Token: " TOKEN "\r\n", hint[] = "{\"ticket_id\":42}";
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char id[16];
        snprintf(id, sizeof id, "t%zu", i);
        expect(ask(world->port, typed(signed_request(message(id, "hi"), ""), types[i])), 200, "accepted");
        expect(ask(world->port, typed(desk_request(token, hint), types[i])), 200, "accepted");
    }
    // A body that is no JSON and says so, or why.
    int before = calls(world);
    expect(ask(world->port, typed(desk_request(token, "ticket_id=42"), types[3])), 415,
           answer_sentence(ANSWER_CONTENT_TYPE));
    expect(ask(world->port, typed(desk_request(token, "ticket_id=42"), "")), 400, answer_sentence(ANSWER_BAD_JSON));
    expect(ask(world->port, signed_request("\x1f\x8b\x08", "Content-Encoding: gzip\r\n")), 415,
           answer_sentence(ANSWER_CONTENT_ENCODING));
    // What a page can have a browser send: its password, and types of forms; but no header of its own.
    static const char basic[] = "Authorization: Basic YW55OmEtbG9uZy10b2tlbi1mb3ItdGVzdHM=\r\n";
    expect(ask(world->port, typed(desk_request(basic, hint), types[2])), 415, NULL);
    expect(ask(world->port, typed(desk_request(basic, hint), types[3])), 415, NULL);
    expect(ask(world->port, typed(desk_request(basic, hint), "Content-Type: multipart/form-data; boundary=x\r\n")), 415,
           NULL);
    expect(ask(world->port, typed(desk_request(basic, hint), types[5])), 415, NULL);
    expect(ask(world->port, typed(desk_request("", hint), types[2])), 415, NULL);
    expect(ask(world->port, typed(desk_request(basic, hint), "")), 415, NULL); // a script's bytes have no type at all
    expect(ask(world->port, typed(desk_request(basic, hint), types[4])), 415, NULL);
    assert_int_equal(calls(world), before);
    expect(ask(world->port, desk_request(basic, hint)), 200, "accepted");
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

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_new, world_free)
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_signed_message_is_accepted_and_a_duplicate_named),
        WITH_WORLD(freshdesk_hints_need_the_token),
        WITH_WORLD(who_proves_itself_is_not_asked_for_the_type),
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
    };
    return cmocka_run_group_tests(tests, world_load, world_unload);
}
