// SPDX-License-Identifier: Apache-2.0
// A shopper asks to be called: what is taken for a request, from whose pages, how often, and what the browser is told.
// The listener is real, on loopback; the committer is the test's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http-front/admin/metrics.h"
#include "http-front/intake/callback.h"
#include "http-front/intake/clients.h"
#include "http-front/intake/http.h"
#include "http-front/intake/limiter.h"
#include "http-front/intake/normalise_callback.h"
#include "proto/config.h"
#include "proto/log.h"

#define BASE                                                                                                           \
    "freshchat { api_url = \"https://acme.freshchat.com/v2\" }\n"                                                      \
    "freshdesk { api_url = \"https://acme.freshdesk.com/api/v2\" }\n"                                                  \
    "freshcaller { phone_number = \"+31 20 123 45 67\" }\n"

static struct config *config_of(const char *more)
{
    char text[4096];
    struct config *config;
    struct config_error error;
    snprintf(text, sizeof text, "%s%s", BASE, more);
    if (!config_parse(text, strlen(text), "test", &config, &error))
        fail_msg("%s", error.message);
    return config;
}

// ---------------------------------------------------------------- the normaliser
static struct normalised normalise(struct arena *arena, const char *body)
{
    struct normalise_options options = {.now_ms = 1000, .mask_card_numbers = true, .phone_plan.country_code = "31"};
    return normalise_callback(body, strlen(body), &options, arena);
}

static void a_request_becomes_an_event(void **state)
{
    struct arena *arena = arena_new();
    (void)state;
    struct normalised one = normalise(
        arena, "{\"id\":\"abcd-1234_X\",\"phone\":\"+31 20 123 45 67\",\"name\":\" Mia\\tLund 4111 1111 1111 1111\","
               "\"user\":\"u-1\",\"screen\":\"checkout\\u0000\",\"cart_value\":\"349.90\","
               "\"cart_currency\":\"EUR\",\"more\":[1]}");
    assert_int_equal(one.result, NORMALISE_EVENT);
    assert_int_equal(one.event.kind, EVENT_CALLBACK);
    assert_string_equal(one.event.key, "callback:abcd-1234_X");
    assert_string_equal(one.event.conversation, "callback:abcd-1234_X");
    assert_string_equal(one.event.phone, "+31201234567");
    assert_string_equal(one.event.name, "Mia Lund 4111 11** **** 1111");
    assert_string_equal(one.event.user, "u-1");
    assert_int_equal(one.event.time_ms, 1000);
    assert_int_equal(one.event.parts.count, 2);
    assert_string_equal(one.event.parts.items[0].text, "Cart, as the browser says: 349.90 EUR");
    assert_string_equal(one.event.parts.items[1].text, "Screen: checkout");
    struct record_buffer bytes;
    assert_true(record_encode(RECORD_event, &one.event, &bytes));
    record_buffer_free(&bytes);
    // What cannot be is left out; what is needed is not.
    one = normalise(arena, "{\"id\":\"abcd1234\",\"phone\":\"+31201234567\",\"user\":[7],\"name\":{},"
                           "\"cart_value\":\"1e9\",\"cart_currency\":\"EUR\",\"screen\":\"  \"}");
    assert_int_equal(one.result, NORMALISE_EVENT);
    assert_string_equal(one.event.user, "");
    assert_string_equal(one.event.name, "");
    assert_int_equal(one.event.parts.count, 0);
    one = normalise(
        arena, "{\"id\":\"abcd1234\",\"phone\":\"+31201234567\",\"cart_value\":\"12.\",\"cart_currency\":\"eur\"}");
    assert_int_equal(one.event.parts.count, 0);
    one = normalise(
        arena, "{\"id\":\"abcd1234\",\"phone\":\"020 123 45 67\",\"cart_value\":\"12\",\"cart_currency\":\"eur\"}");
    assert_string_equal(one.event.parts.items[0].text, "Cart, as the browser says: 12");
    assert_string_equal(one.event.phone, "+31201234567"); // a national number, where the country is configured
    static const struct {
        const char *body;
        enum answer answer;
    } bad[] = {
        {"", ANSWER_BAD_JSON},
        {"[]", ANSWER_BAD_EVENT},
        {"{\"id\":\"abcd1234\",\"id\":\"abcd1235\",\"phone\":\"+31201234567\"}", ANSWER_BAD_JSON},
        {"{\"phone\":\"+31201234567\"}", ANSWER_BAD_REQUEST_ID},
        {"{\"id\":12345678,\"phone\":\"+31201234567\"}", ANSWER_BAD_REQUEST_ID},
        {"{\"id\":\"short\",\"phone\":\"+31201234567\"}", ANSWER_BAD_REQUEST_ID},
        {"{\"id\":\"abcd 1234\",\"phone\":\"+31201234567\"}", ANSWER_BAD_REQUEST_ID},
        {"{\"id\":\"0123456789012345678901234567890123456789012345678901234567890123x\",\"phone\":\"+31201234567\"}",
         ANSWER_BAD_REQUEST_ID},
        {"{\"id\":\"abcd1234\"}", ANSWER_BAD_PHONE},
        {"{\"id\":\"abcd1234\",\"phone\":31201234567}", ANSWER_BAD_PHONE},
        {"{\"id\":\"abcd1234\",\"phone\":\"soon\"}", ANSWER_BAD_PHONE},
        {"{\"id\":\"abcd1234\",\"phone\":\"+31201234567                                                    x\"}",
         ANSWER_BAD_PHONE},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        one = normalise(arena, bad[i].body);
        assert_int_equal(one.result, NORMALISE_BAD);
        assert_int_equal(one.answer, bad[i].answer);
        assert_int_equal(answer_status(one.answer), 400);
    }
    arena_free(&arena);
}

// ---------------------------------------------------------------- whose pages, which client, how often
static void pages_of_the_shop_may_ask_and_others_not(void **state)
{
    struct config *config = config_of("widget { origins = {\"https://shop.example\", \"http://127.0.0.1:8088\"} }\n");
    const struct config_list *listed = &config->widget.origins, none = {0};
    (void)state;
    assert_true(callback_origin_allowed(listed, "https://shop.example", "cross-site", "x"));
    assert_true(callback_origin_allowed(listed, "http://127.0.0.1:8088", NULL, NULL));
    assert_false(callback_origin_allowed(listed, "https://shop.example.evil", "same-site", "shop.example.evil"));
    assert_false(callback_origin_allowed(listed, "https://desk.example", "same-origin", "desk.example"));
    assert_false(callback_origin_allowed(listed, NULL, NULL, NULL));
    assert_true(callback_origin_allowed(&none, "https://desk.example", "same-origin", "x"));
    assert_true(callback_origin_allowed(&none, "https://shop.example", "same-site", "x"));
    assert_false(callback_origin_allowed(&none, "https://evil.example", "cross-site", "evil.example"));
    assert_false(callback_origin_allowed(&none, "https://evil.example", "none", "evil.example"));
    assert_true(callback_origin_allowed(&none, "http://Desk.example:81", NULL, "desk.example:81"));
    assert_false(callback_origin_allowed(&none, "http://desk.example:81", NULL, "desk.example"));
    assert_false(callback_origin_allowed(&none, "null", "same-origin", "null"));
    assert_false(callback_origin_allowed(&none, "http://", NULL, ""));
    config_free(&config);
}

static const char *found_client(const struct clients *clients, const char *peer, const char *first, const char *second)
{
    static struct client client;
    const char *forwarded[] = {first, second};
    clients_find(clients, peer, forwarded, first ? second ? 2 : 1 : 0, &client);
    return client.text;
}

static void the_client_is_the_last_hop_that_is_no_proxy_of_ours(void **state)
{
    struct config *config = config_of("front { trusted_proxies = {\"10.0.0.5\", \"10.0.0.6\"} }\n");
    struct clients *clients = clients_new(config);
    struct client one, other;
    (void)state;
    assert_string_equal(found_client(clients, "192.0.2.1", NULL, NULL), "192.0.2.1");
    assert_string_equal(found_client(clients, "192.0.2.1", "198.51.100.7", NULL), "192.0.2.1"); // anyone can write that
    assert_string_equal(found_client(NULL, "10.0.0.5", "198.51.100.7", NULL), "10.0.0.5");
    assert_string_equal(found_client(clients, "10.0.0.5", "198.51.100.7", NULL), "198.51.100.7");
    assert_string_equal(found_client(NULL, "127.0.0.1", "198.51.100.7", NULL), "198.51.100.7");
    assert_string_equal(found_client(clients, "127.0.0.1", "6.6.6.6, 198.51.100.7", NULL), "198.51.100.7");
    assert_string_equal(found_client(clients, "127.0.0.1", "6.6.6.6", "198.51.100.7 ,10.0.0.6"), "198.51.100.7");
    assert_string_equal(found_client(clients, "127.0.0.1", "198.51.100.7", "10.0.0.6, 127.0.0.2"), "198.51.100.7");
    assert_string_equal(found_client(clients, "127.0.0.1", "10.0.0.6", NULL), "10.0.0.6");
    assert_string_equal(found_client(clients, "127.0.0.1", "6.6.6.6, unknown", NULL), "127.0.0.1");
    assert_string_equal(found_client(clients, "127.0.0.1", "6.6.6.6,", NULL), "127.0.0.1");
    assert_string_equal(found_client(clients, "127.0.0.1", "", NULL), "127.0.0.1");
    assert_string_equal(found_client(clients, "127.0.0.1", ",", NULL), "127.0.0.1");
    assert_string_equal(found_client(clients, "127.0.0.1", "198.51.100.7:4711", NULL), "198.51.100.7");
    assert_string_equal(found_client(clients, "127.0.0.1", "[2001:db8::1]:443", NULL), "2001:db8::1");
    assert_string_equal(found_client(clients, "127.0.0.1", "2001:db8::1", NULL), "2001:db8::1");
    assert_string_equal(found_client(clients, "127.0.0.1", "[2001:db8::1", NULL), "127.0.0.1");
    assert_string_equal(found_client(clients, "127.0.0.1", "::1", NULL), "::1");
    assert_string_equal(found_client(clients, "nonsense", "198.51.100.7", NULL), "unknown");
    // One household is one client.
    clients_find(clients, "127.0.0.1", (const char *const[]){"2001:db8::1"}, 1, &one);
    clients_find(clients, "127.0.0.1", (const char *const[]){"2001:db8::2"}, 1, &other);
    assert_memory_equal(one.key, other.key, sizeof one.key);
    clients_find(clients, "127.0.0.1", (const char *const[]){"2001:db8:0:1::1"}, 1, &other);
    assert_memory_not_equal(one.key, other.key, sizeof one.key);
    clients_find(clients, "192.0.2.1", NULL, 0, &one);
    clients_find(clients, "192.0.2.2", NULL, 0, &other);
    assert_memory_not_equal(one.key, other.key, sizeof one.key);
    clients_free(&clients);
    config_free(&config);
    // When the operator must be told.
    static const struct {
        const char *front;
        bool unsure;
    } cases[] = {{"", false},
                 {"front { listen = \"127.0.0.2:80\" }\n", false},
                 {"front { listen = \"0.0.0.0:8080\" }\n", true},
                 {"front { listen = \"0.0.0.0:8080\" trusted_proxies = {\"10.0.0.5\"} }\n", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        config = config_of(cases[i].front);
        assert_int_equal(clients_unsure(config), cases[i].unsure);
        config_free(&config);
    }
}

static void nobody_asks_too_often(void **state)
{
    struct limiter *limiter = limiter_new(3, 60000, 10000, 60000);
    uint8_t one[16] = {1}, other[16] = {2};
    int64_t wait_ms;
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(limiter_take(limiter, one, 1000, &wait_ms));
    assert_false(limiter_take(limiter, one, 1000, &wait_ms));
    assert_in_range(wait_ms, 20000, 20001);
    assert_true(limiter_take(limiter, other, 1000, &wait_ms));
    assert_false(limiter_take(limiter, one, 1000 + 19000, &wait_ms));
    assert_true(limiter_take(limiter, one, 1000 + 20001, &wait_ms));
    assert_false(limiter_take(limiter, one, 1000 + 20001, &wait_ms));
    assert_false(limiter_take(limiter, one, 0, &wait_ms)); // a clock that goes back gives nothing
    // Thousands of strangers do not make it forget who has asked most.
    for (uint32_t i = 1; i < 4000; i++) {
        uint8_t key[16] = {3};
        memcpy(key + 1, &i, sizeof i);
        assert_true(limiter_take(limiter, key, 21001, &wait_ms));
    }
    assert_false(limiter_take(limiter, one, 21001, &wait_ms));
    limiter_free(&limiter);
    limiter = limiter_new(100, 60000, 2, 60000);
    assert_true(limiter_take(limiter, one, 5, &wait_ms));
    assert_true(limiter_take(limiter, other, 5, &wait_ms));
    assert_false(limiter_take(limiter, one, 5, &wait_ms));
    assert_in_range(wait_ms, 30000, 30001);
    // What was given back can be taken again, by whoever is next; more than a full bucket there never is.
    limiter_give(limiter, one, 5);
    assert_true(limiter_take(limiter, other, 5, &wait_ms));
    assert_false(limiter_take(limiter, one, 5, &wait_ms));
    for (int i = 0; i < 5; i++)
        limiter_give(limiter, one, 5);
    for (int i = 0; i < 2; i++)
        assert_true(limiter_take(limiter, one, 5, &wait_ms));
    assert_false(limiter_take(limiter, one, 5, &wait_ms));
    limiter_free(&limiter);
    assert_null(limiter);
}

// ---------------------------------------------------------------- over the wire
struct world {
    struct config *config;
    struct callback *callback;
    struct signature_keys *keys;
    struct tokens *tokens;
    struct http *http;
    enum accept_result result;
    int calls;
    char phone[32];
};

static enum accept_result accept_event(void *arg, const struct event *event)
{
    struct world *world = arg;
    world->calls++;
    snprintf(world->phone, sizeof world->phone, "%s", event->phone);
    return world->result;
}

static void world_begin(struct world *world, const char *more)
{
    char why[256];
    *world = (struct world){.config = config_of(more), .keys = signature_keys_new(), .tokens = tokens_new()};
    world->callback = callback_new(world->config);
    struct http_options options = {.listen_fd = -1,
                                   .admin_listen_fd = -1,
                                   .listen = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
                                   .admin_listen = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
                                   .threads = 4,
                                   .max_body_bytes = 65536,
                                   .freshchat_keys = world->keys,
                                   .freshdesk_tokens = world->tokens,
                                   .callback = world->callback,
                                   .accept = accept_event,
                                   .accept_arg = world};
    world->http = http_new(&options, why, sizeof why);
    if (!world->http || !http_open(world->http, why, sizeof why))
        fail_msg("%s", why);
    metrics_reset();
}

static void world_end(struct world *world)
{
    http_free(&world->http);
    callback_free(&world->callback);
    signature_keys_free(&world->keys);
    tokens_free(&world->tokens);
    config_free(&world->config);
}

static char answer[8192];

// Sends one request whole, on a connection of its own; what comes is in `answer`. Returns the status.
static int ask(struct world *world, const char *method, const char *headers, const char *body)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(http_port(world->http)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 8};
    char request[8192];
    size_t used = 0;
    int status = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    int size = snprintf(request, sizeof request,
                        "%s /callback HTTP/1.1\r\nHost: desk.example\r\nConnection: close\r\n%sContent-Length: "
                        "%zu\r\n\r\n%s",
                        method, headers, strlen(body), body);
    assert_true(size > 0 && (size_t)size < sizeof request);
    assert_int_equal(send(fd, request, (size_t)size, MSG_NOSIGNAL), size);
    for (ssize_t got = 1; got > 0 && used + 1 < sizeof answer; used += (size_t)got) {
        got = recv(fd, answer + used, sizeof answer - 1 - used, 0);
        assert_true(got >= 0);
    }
    answer[used] = '\0';
    close(fd);
    assert_int_equal(sscanf(answer, "HTTP/1.1 %d ", &status), 1);
    return status;
}

#define ORIGIN   "Origin: https://desk.example\r\n"
#define JSON     "Content-Type: application/json\r\n"
#define GOOD(id) "{\"id\":\"request-" id "\",\"phone\":\"+31 20 999 88 77\"}"

static void a_request_is_answered_when_it_is_on_disk(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "widget { call_back = true  call_backs_per_client = 2 }\n");
    assert_int_equal(ask(&world, "POST", ORIGIN JSON, GOOD("1")), 200);
    assert_non_null(strstr(answer, "{\"status\":\"accepted\"}"));
    assert_non_null(strstr(answer, "\r\nAccess-Control-Allow-Origin: https://desk.example\r\n"));
    assert_non_null(strstr(answer, "\r\nVary: Origin"));
    assert_string_equal(world.phone, "+31209998877");
    // What writes nothing does not count, however often it comes.
    for (int i = 0; i < 3; i++) {
        world.result = ACCEPT_DUPLICATE;
        assert_int_equal(ask(&world, "POST", ORIGIN JSON, GOOD("1")), 200);
        assert_non_null(strstr(answer, "{\"status\":\"duplicate\"}"));
        world.result = ACCEPT_UNAVAILABLE;
        assert_int_equal(ask(&world, "POST", ORIGIN JSON, GOOD("2")), 503);
        assert_non_null(strstr(answer, "\r\nRetry-After: 5\r\n"));
    }
    world.result = ACCEPT_STORED;
    assert_int_equal(ask(&world, "POST", ORIGIN JSON, GOOD("3")), 200);
    int before = world.calls;
    assert_int_equal(ask(&world, "POST", ORIGIN JSON, GOOD("4")), 429); // the third in an hour
    assert_non_null(strstr(answer, "\r\nRetry-After: "));
    assert_non_null(strstr(answer, "\r\nAccess-Control-Allow-Origin: ")); // the page may know why
    assert_int_equal(world.calls, before);
    // Through a proxy on this machine another client is another client.
    assert_int_equal(ask(&world, "POST", ORIGIN JSON "X-Forwarded-For: 198.51.100.7\r\n", GOOD("4")), 200);
    assert_int_equal(metrics_answers(METRICS_CALLBACK, ANSWER_ACCEPTED), 3);
    assert_int_equal(metrics_answers(METRICS_CALLBACK, ANSWER_RATE), 1);
    world_end(&world);
}

static void what_is_no_request_is_refused(void **state)
{
    struct world world;
    char large[3000];
    (void)state;
    world_begin(&world, "widget { call_back = true }\n");
    memset(large, ' ', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    assert_int_equal(ask(&world, "GET", ORIGIN, ""), 405);
    assert_non_null(strstr(answer, "\r\nAllow: POST, OPTIONS\r\n"));
    assert_int_equal(ask(&world, "POST", ORIGIN "Content-Type: text/plain\r\n", GOOD("1")), 415);
    assert_int_equal(ask(&world, "POST", ORIGIN JSON, large), 413);
    assert_int_equal(ask(&world, "POST", ORIGIN JSON, "{"), 400);
    assert_int_equal(ask(&world, "POST", ORIGIN JSON, "{\"id\":\"request-1\",\"phone\":\"12\"}"), 400);
    assert_int_equal(ask(&world, "POST", JSON, GOOD("1")), 403);
    assert_null(strstr(answer, "Access-Control"));
    assert_int_equal(ask(&world, "POST", "Origin: https://evil.example\r\n" JSON, GOOD("1")), 403);
    assert_int_equal(ask(&world, "POST", ORIGIN "Sec-Fetch-Site: cross-site\r\n" JSON, GOOD("1")), 403);
    assert_int_equal(ask(&world, "POST", ORIGIN ORIGIN JSON, GOOD("1")), 403);
    assert_int_equal(ask(&world, "OPTIONS", "Origin: https://evil.example\r\n", ""), 405);
    assert_null(strstr(answer, "Access-Control"));
    assert_int_equal(world.calls, 0);
    assert_int_equal(ask(&world, "OPTIONS", ORIGIN, ""), 200);
    assert_non_null(strstr(answer, "\r\nAccess-Control-Allow-Headers: content-type\r\n"));
    assert_non_null(strstr(answer, "\r\nAccess-Control-Allow-Methods: POST\r\n"));
    world_end(&world);
}

static void it_is_off_until_switched_on(void **state)
{
    struct world world;
    (void)state;
    world_begin(&world, "");
    assert_null(world.callback);
    assert_int_equal(ask(&world, "POST", ORIGIN JSON, GOOD("1")), 404);
    assert_int_equal(world.calls, 0);
    world_end(&world);
}

int main(void)
{
    log_init("test_callback", LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_becomes_an_event),
        cmocka_unit_test(pages_of_the_shop_may_ask_and_others_not),
        cmocka_unit_test(the_client_is_the_last_hop_that_is_no_proxy_of_ours),
        cmocka_unit_test(nobody_asks_too_often),
        cmocka_unit_test(a_request_is_answered_when_it_is_on_disk),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(it_is_off_until_switched_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
