// SPDX-License-Identifier: Apache-2.0
// What must be refused, and with which word; and that a thousand of these leave the front as it was.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/story.h"
#include "tests/scenario/wire.h"

#define CHAT "/webhooks/freshchat"
#define DESK "/webhooks/freshdesk"
#define JSON "Content-Type: application/json\r\n"

static int post(struct scenario *s, const char *path, const char *headers, const void *body, size_t length)
{
    return wire_post(scenario_address(s), scenario_port(s), path, headers, body, length, NULL);
}

// POSTs a body to the Freshchat address with this signature header; NULL: none.
static int signed_with(struct scenario *s, const char *body, const char *signature)
{
    char headers[4096];
    snprintf(headers, sizeof headers, JSON "%s%s%s", signature ? "X-Freshchat-Signature: " : "",
             signature ? signature : "", signature ? "\r\n" : "");
    return post(s, CHAT, headers, body, strlen(body));
}

// The same, rightly signed.
static int rightly_signed(struct scenario *s, const char *body)
{
    char signature[SANDBOX_SIGNATURE_SIZE];
    sandbox_sign(scenario_sandbox(s), body, strlen(body), signature);
    return signed_with(s, body, signature);
}

static int hint(struct scenario *s, const char *body, const char *token)
{
    char headers[512];
    snprintf(headers, sizeof headers, JSON "%s%s%s", token ? "X-Deskbell-Token: " : "", token ? token : "",
             token ? "\r\n" : "");
    return post(s, DESK, headers, body, strlen(body));
}

static int raw(struct scenario *s, const char *request)
{
    return wire_send(scenario_address(s), scenario_port(s), request, strlen(request), NULL);
}

#define refused(expected, call)                                                                                        \
    do {                                                                                                               \
        int answer_ = (call);                                                                                          \
        if (answer_ != (expected))                                                                                     \
            scenario_fail("answered %d instead of %d: %s", answer_, (expected), #call);                                \
    } while (0)

static void bad_signatures(struct scenario *s, const char *body)
{
    char right[SANDBOX_SIGNATURE_SIZE], wrong[2 * SANDBOX_SIGNATURE_SIZE];
    sandbox_sign(scenario_sandbox(s), body, strlen(body), right);
    size_t length = strlen(right);

    refused(401, signed_with(s, body, NULL));
    refused(401, signed_with(s, body, ""));
    snprintf(wrong, sizeof wrong, "%.*s", (int)length - 4, right); // truncated by whole groups
    refused(401, signed_with(s, body, wrong));
    snprintf(wrong, sizeof wrong, "%.*s", (int)length - 1, right); // truncated inside one
    refused(401, signed_with(s, body, wrong));
    snprintf(wrong, sizeof wrong, "%s%s", right, right); // overlong
    refused(401, signed_with(s, body, wrong));
    snprintf(wrong, sizeof wrong, "AAAA%s", right);
    refused(401, signed_with(s, body, wrong));
    snprintf(wrong, sizeof wrong, "%s", right); // not base64
    wrong[10] = '!';
    refused(401, signed_with(s, body, wrong));
    snprintf(wrong, sizeof wrong, "%s", right); // well formed, wrong
    wrong[10] = wrong[10] == 'A' ? 'B' : 'A';
    refused(401, signed_with(s, body, wrong));
    refused(401, signed_with(s, body, "AAAA"));
    // The right signature of another body.
    char *changed = strdup(body);
    assert_non_null(changed);
    changed[strlen(changed) / 2] ^= 1;
    refused(401, signed_with(s, changed, right));
    free(changed);
}

static void bad_tokens(struct scenario *s)
{
    const char *body = "{\"ticket_id\": 42}";
    char token[256];
    refused(401, hint(s, body, NULL));
    refused(401, hint(s, body, ""));
    refused(401, hint(s, body, "wrong"));
    snprintf(token, sizeof token, "%sx", sandbox_hint_token(scenario_sandbox(s)));
    refused(401, hint(s, body, token));
    snprintf(token, sizeof token, "%s", sandbox_hint_token(scenario_sandbox(s)));
    token[strlen(token) - 1] = '\0';
    refused(401, hint(s, body, token));
    refused(401, post(s, DESK, JSON "Authorization: Basic eDp5\r\n", body, strlen(body)));
}

static void bad_bodies(struct scenario *s)
{
    static const char *const no_events[] = {
        "",
        "not JSON",
        "{\"action\": \"message_create\"",
        "[]",
        "{}",
        "42",
        "{\"action\": \"message_create\", \"action\": \"message_create\"}",
        "{\"action\": \"message_create\"}",
        "{\"action\": 7, \"data\": {}}",
        "{\"action\": \"message_create\", \"data\": {\"message\": {}}}",
        "{\"action\": \"message_create\", \"data\": {\"message\": {\"id\": 5, \"conversation_id\": \"c\"}}}",
    };
    for (size_t i = 0; i < sizeof no_events / sizeof *no_events; i++)
        refused(400, rightly_signed(s, no_events[i]));

    static const char *const no_tickets[] = {
        "",
        "not JSON",
        "[]",
        "{}",
        "{\"ticket_id\": null}",
        "{\"ticket_id\": 0}",
        "{\"ticket_id\": -1}",
        "{\"ticket_id\": 1.5}",
        "{\"ticket_id\": \"\"}",
        "{\"ticket_id\": \"0\"}",
        "{\"ticket_id\": \"-3\"}",
        "{\"ticket_id\": \" 3\"}",
        "{\"ticket_id\": \"3x\"}",
        "{\"ticket_id\": \"99999999999999999999\"}",
        "{\"ticket_id\": [42]}",
    };
    const char *token = sandbox_hint_token(scenario_sandbox(s));
    for (size_t i = 0; i < sizeof no_tickets / sizeof *no_tickets; i++)
        refused(400, hint(s, no_tickets[i], token));
}

static void too_old(struct scenario *s)
{
    struct draft draft = customer_drafts(s, "old", "from long ago");
    char *at = strstr(draft.body, "action_time");
    assert_non_null(at);
    at = strstr(at, "20"); // "20xx-..."
    assert_non_null(at);
    memcpy(at, "2019", 4);
    refused(400, rightly_signed(s, draft.body));
    draft_clear(&draft);
}

static void bad_requests(struct scenario *s, const char *body)
{
    char signature[SANDBOX_SIGNATURE_SIZE], request[16384];
    sandbox_sign(scenario_sandbox(s), body, strlen(body), signature);
    static const char *const paths[] = {CHAT, DESK};
    for (size_t i = 0; i < 2; i++) {
        refused(405, wire_get(scenario_address(s), scenario_port(s), paths[i], NULL));
        snprintf(request, sizeof request,
                 "PUT %s HTTP/1.1\r\nHost: x\r\n" JSON "Content-Length: 2\r\nConnection: close\r\n\r\n{}", paths[i]);
        refused(405, raw(s, request));
    }
    refused(404, post(s, "/webhooks/nobody", JSON, "{}", 2));
    refused(404, wire_get(scenario_address(s), scenario_port(s), "/", NULL));
    refused(404, wire_get(scenario_address(s), scenario_port(s), "/../../etc/passwd", NULL));
    char headers[SANDBOX_SIGNATURE_SIZE + 128];
    snprintf(headers, sizeof headers, "Content-Type: text/xml\r\nX-Freshchat-Signature: %s\r\n", signature);
    refused(415, post(s, CHAT, headers, body + 1, strlen(body) - 1)); // its signature is not right either

    // Over the limit, declared and chunked. The server may cut the connection when it has answered.
    size_t large = 70000;
    char *much = malloc(large + 1024);
    assert_non_null(much);
    memset(much, ' ', large);
    snprintf(headers, sizeof headers, JSON "X-Freshchat-Signature: %s\r\n", signature);
    refused(413, post(s, CHAT, headers, much, large));
    int head =
        snprintf(much, 1024,
                 "POST " CHAT " HTTP/1.1\r\nHost: x\r\n" JSON "X-Freshchat-Signature: %s\r\nConnection: close\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n11170\r\n",
                 signature); // 0x11170 = 70000
    memset(much + head, ' ', large);
    memcpy(much + (size_t)head + large, "\r\n0\r\n\r\n", 7);
    refused(413, wire_send(scenario_address(s), scenario_port(s), much, (size_t)head + large + 7, NULL));
    free(much);

    // Both ways of saying where the body ends: whoever stands before us may believe the other one.
    snprintf(request, sizeof request,
             "POST " CHAT " HTTP/1.1\r\nHost: x\r\n" JSON "X-Freshchat-Signature: %s\r\nConnection: close\r\n"
             "Content-Length: %zu\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
             signature, strlen(body), strlen(body), body);
    int both = raw(s, request);
    if (both < 400 || both > 499)
        scenario_fail("both lengths: answered %d", both);
    snprintf(request, sizeof request,
             "POST " CHAT " HTTP/1.1\r\nHost: x\r\n" JSON "X-Freshchat-Signature: %s\r\nConnection: close\r\n"
             "Content-Length: %zu\r\nContent-Length: %zu\r\n\r\n%s",
             signature, strlen(body), strlen(body) - 1, body);
    both = raw(s, request);
    if (both < 400 || both > 499)
        scenario_fail("two lengths: answered %d", both);
}

// Polls read; nothing else may have been called.
static void no_writes(struct scenario *s)
{
    struct sandbox_call *calls = NULL;
    size_t count = sandbox_calls(scenario_sandbox(s), &calls);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(calls[i].method, "GET");
    sandbox_calls_free(calls, count);
}

static void a_thousand_bad_requests_change_nothing(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    pid_t front = scenario_status_now(s).front;
    struct draft draft = customer_drafts(s, "ada", "never delivered rightly");

    bad_signatures(s, draft.body);
    bad_tokens(s);
    bad_bodies(s);
    too_old(s);
    bad_requests(s, draft.body);
    for (int i = 0; i < 1000; i++) {
        switch (i % 4) {
        case 0:
            refused(401, signed_with(s, draft.body, "AAAA"));
            break;
        case 1:
            refused(400, rightly_signed(s, "{\"action\": \"message_create\""));
            break;
        case 2:
            refused(401, hint(s, "{\"ticket_id\": 42}", "wrong"));
            break;
        default:
            refused(404, post(s, "/nobody", JSON, "{}", 2));
            break;
        }
    }
    assert_int_equal(sandbox_ticket_count(scenario_sandbox(s)), 0);
    no_writes(s);

    customer_writes(s, "ben", "and now a good one");
    ticket_appears_within(s, "ben", 2000);
    assert_int_equal(scenario_status_now(s).front, front);
    draft_clear(&draft);
    scenario_end(s);
}

static void chunked_bodies_and_spellings_that_are_right_are_taken(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    struct draft draft = customer_drafts(s, "ada", "in two pieces");
    char signature[SANDBOX_SIGNATURE_SIZE], request[16384];
    size_t length = strlen(draft.body), half = length / 2;
    sandbox_sign(scenario_sandbox(s), draft.body, length, signature);
    snprintf(request, sizeof request,
             "POST " CHAT " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json; charset=utf-8\r\n"
             "x-freshchat-signature: %s\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
             "%zx\r\n%.*s\r\n%zx\r\n%s\r\n0\r\n\r\n",
             signature, half, (int)half, draft.body, length - half, draft.body + half);
    assert_int_equal(raw(s, request), 200);
    ticket_appears_within(s, "ada", 2000);
    assert_int_equal(rightly_signed(s, draft.body), 200); // a duplicate
    assert_int_equal(
        rightly_signed(s, "{\"action\":\"something_new\",\"action_time\":\"2999-01-01T00:00:00.000Z\",\"data\":{}}"),
        200); // unknown actions are acknowledged
    everything_settles_within(s, 10000);
    ticket_shows_times(s, "ada", "in two pieces", 1);
    draft_clear(&draft);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_thousand_bad_requests_change_nothing, scenario_teardown),
        cmocka_unit_test_teardown(chunked_bodies_and_spellings_that_are_right_are_taken, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
