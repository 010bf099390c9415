// SPDX-License-Identifier: Apache-2.0
// The sandbox's webhooks, received by a small server of the test's own: signed over the raw bytes, retried, counted,
// and spoilt only when a fault says so; hints by rules, for people and for the API.
#include "test_sandbox_client.h"

#include <civetweb.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>

#define ROOM 64

struct received {
    char path[64], signature[SANDBOX_SIGNATURE_SIZE], version[8], retry[8], token[64], type[64];
    char *body;
    size_t length;
    int64_t at_us;
};

static struct {
    struct mg_context *context;
    char url[64];
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct received list[ROOM];
    size_t count;
    int refuse; // answer 500 to that many
} receiver = {.lock = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER};

static void copy_header(struct mg_connection *connection, const char *name, char *to, size_t size)
{
    const char *value = mg_get_header(connection, name);
    snprintf(to, size, "%s", value != NULL ? value : "");
}

static int receive(struct mg_connection *connection)
{
    static const char good[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                      bad[] = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
    struct received one = {.body = calloc(1, 65536)};
    int got;
    while ((got = mg_read(connection, one.body + one.length, 65535 - one.length)) > 0)
        one.length += (size_t)got;
    snprintf(one.path, sizeof one.path, "%s", mg_get_request_info(connection)->local_uri);
    copy_header(connection, "X-Freshchat-Signature", one.signature, sizeof one.signature);
    copy_header(connection, "X-Freshchat-Payload-Version", one.version, sizeof one.version);
    copy_header(connection, "X-Retry-Count", one.retry, sizeof one.retry);
    copy_header(connection, "X-Deskbell-Token", one.token, sizeof one.token);
    copy_header(connection, "Content-Type", one.type, sizeof one.type);
    one.at_us = sandbox_now_us();
    pthread_mutex_lock(&receiver.lock);
    bool refused = receiver.refuse > 0;
    receiver.refuse -= refused;
    if (receiver.count < ROOM)
        receiver.list[receiver.count++] = one;
    else
        free(one.body);
    pthread_cond_broadcast(&receiver.arrived);
    pthread_mutex_unlock(&receiver.lock);
    mg_write(connection, refused ? bad : good, strlen(refused ? bad : good));
    return refused ? 500 : 200;
}

static void wait_received(size_t count)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    pthread_mutex_lock(&receiver.lock);
    while (receiver.count < count)
        assert_int_equal(pthread_cond_timedwait(&receiver.arrived, &receiver.lock, &deadline), 0);
    pthread_mutex_unlock(&receiver.lock);
}

static int start(void **state)
{
    struct sandbox_options options;
    char first[96], second[96];
    test_options(&options);
    for (size_t i = 0; i < receiver.count; i++)
        free(receiver.list[i].body);
    receiver.count = 0;
    receiver.refuse = 0;
    snprintf(first, sizeof first, "%s/webhooks/freshchat", receiver.url);
    snprintf(second, sizeof second, "%s/webhooks/freshdesk", receiver.url);
    options.freshchat_webhook_url = first;
    options.freshdesk_webhook_url = second;
    options.freshchat_gaps_ms[0] = 40;
    options.freshchat_gaps_ms[1] = 80;
    options.freshchat_gaps_ms[2] = options.freshchat_gaps_ms[3] = options.freshchat_gaps_ms[4] = 10;
    options.freshdesk_clock_scale = 3000; // five minutes in a tenth of a second
    *state = sandbox_new(&options);
    return *state != NULL ? 0 : -1;
}

// The exported key, read as the front has to: label ignored, blanks out, DER looked at.
static EVP_PKEY *exported_key(struct sandbox *sb)
{
    static const char begin[] = "-----BEGIN RSA PUBLIC KEY-----";
    const char *text = sandbox_public_key(sb);
    char base64[2048];
    unsigned char der[2048];
    const unsigned char *at = der;
    size_t length = 0;
    assert_int_equal(strncmp(text, begin, strlen(begin)), 0);
    assert_null(strchr(text, '\n'));
    for (text += strlen(begin); *text != '-'; text++)
        if (*text != ' ')
            base64[length++] = *text;
    int decoded = EVP_DecodeBlock(der, (unsigned char *)base64, (int)length);
    assert_true(decoded > 0);
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, decoded);
    assert_non_null(key);
    assert_int_equal(EVP_PKEY_get_bits(key), 2048);
    return key;
}

static bool verifies(struct sandbox *sb, const void *body, size_t length, const char *signature)
{
    unsigned char raw[SANDBOX_SIGNATURE_SIZE];
    EVP_PKEY *key = exported_key(sb);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int decoded = EVP_DecodeBlock(raw, (const unsigned char *)signature, (int)strlen(signature));
    assert_true(decoded >= 256);
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key), 1);
    int result = EVP_DigestVerify(context, raw, 256, body, length);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return result == 1;
}

static void customer_of(struct sandbox *sb, struct sandbox_customer *customer)
{
    sandbox_customer_new(sb, &(struct sandbox_customer_info){.first_name = "Mia", .email = "mia@mail.example"},
                         customer);
}

static void signs_what_it_sends(void **state)
{
    struct sandbox_customer customer;
    char id[SANDBOX_ID_SIZE], signature[SANDBOX_SIGNATURE_SIZE];
    customer_of(*state, &customer);
    sandbox_customer_writes(*state, &customer, "안녕 😀 \"quoted\"\n<b>", id);
    wait_received(1);
    struct received *one = &receiver.list[0];
    assert_string_equal(one->path, "/webhooks/freshchat");
    assert_true(verifies(*state, one->body, one->length, one->signature));
    assert_string_equal(one->retry, "0");
    assert_string_equal(one->version, "2");
    json_t *event = json_loadb(one->body, one->length, 0, NULL),
           *message = json_object_get(json_object_get(event, "data"), "message");
    assert_string_equal(text_of(event, "action"), "message_create");
    assert_string_equal(text_of(json_object_get(event, "actor"), "actor_id"), customer.user_id);
    assert_string_equal(text_of(message, "id"), id);
    assert_string_equal(text_of(message, "conversation_id"), customer.conversation_id);
    assert_string_equal(text_of(message, "user_id"), customer.user_id);
    assert_string_equal(text_of(message, "message_source"), "web");
    json_decref(event);
    one->body[10] ^= 1;
    assert_false(verifies(*state, one->body, one->length, one->signature));
    // A drafted body is not sent by itself, and can be sent with any signature.
    char *draft = sandbox_customer_drafts(*state, &customer, "later", id);
    sandbox_sign(*state, draft, strlen(draft), signature);
    assert_true(verifies(*state, draft, strlen(draft), signature));
    assert_int_equal(sandbox_deliver(*state, draft, strlen(draft), NULL), 200);
    assert_int_equal(sandbox_deliver(*state, draft, strlen(draft), "bm8="), 200);
    wait_received(3);
    assert_int_equal(receiver.count, 3);
    assert_string_equal(receiver.list[1].signature, signature);
    assert_string_equal(receiver.list[2].signature, "bm8=");
    free(draft);
}

static void tries_again_until_it_is_taken(void **state)
{
    struct sandbox_customer customer;
    customer_of(*state, &customer);
    receiver.refuse = 2;
    sandbox_customer_writes(*state, &customer, "hello", NULL);
    assert_true(sandbox_wait_webhooks_idle(*state, 20000));
    assert_int_equal(receiver.count, 3);
    assert_string_equal(receiver.list[1].retry, "1");
    assert_string_equal(receiver.list[2].retry, "2");
    assert_true(receiver.list[1].at_us - receiver.list[0].at_us >= 40000);
    assert_true(receiver.list[2].at_us - receiver.list[1].at_us >= 80000);
    assert_string_equal(receiver.list[0].body, receiver.list[2].body);
    struct sandbox_delivery *deliveries;
    assert_int_equal(sandbox_deliveries(*state, &deliveries), 3);
    assert_int_equal(deliveries[0].status, 500);
    assert_int_equal(deliveries[2].status, 200);
    assert_int_equal(deliveries[2].attempt, 2);
    sandbox_deliveries_free(deliveries, 3);
    // Six tries and no more.
    receiver.refuse = 100;
    sandbox_customer_writes(*state, &customer, "again", NULL);
    assert_true(sandbox_wait_webhooks_idle(*state, 20000));
    assert_int_equal(receiver.count, 9);
    receiver.refuse = 0;
}

static void spoils_what_it_is_told_to(void **state)
{
    struct sandbox_customer customer;
    customer_of(*state, &customer);
    static const enum sandbox_webhook_fault_kind kinds[] = {
        SANDBOX_WEBHOOK_DUPLICATE,       SANDBOX_WEBHOOK_DROP,
        SANDBOX_WEBHOOK_BAD_SIGNATURE,   SANDBOX_WEBHOOK_NO_USER_ID,
        SANDBOX_WEBHOOK_NO_MESSAGE_TYPE, SANDBOX_WEBHOOK_UNKNOWN_ACTION};
    static const size_t expected[] = {2, 0, 1, 1, 1, 2};
    size_t before = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        sandbox_webhook_fault_add(*state, &(struct sandbox_webhook_fault){.kind = kinds[i], .count = 1});
        sandbox_customer_writes(*state, &customer, "x", NULL);
        assert_true(sandbox_wait_webhooks_idle(*state, 20000));
        assert_int_equal(receiver.count - before, expected[i]);
        if (kinds[i] == SANDBOX_WEBHOOK_UNKNOWN_ACTION) { // the two may come in either order
            bool first = strstr(receiver.list[before].body, "satellite_aligned") != NULL;
            assert_int_not_equal(first, strstr(receiver.list[before + 1].body, "satellite_aligned") != NULL);
            continue;
        }
        struct received *last = &receiver.list[receiver.count - 1];
        if (kinds[i] == SANDBOX_WEBHOOK_DUPLICATE)
            assert_string_equal(last->body, receiver.list[before].body);
        if (kinds[i] == SANDBOX_WEBHOOK_BAD_SIGNATURE)
            assert_false(verifies(*state, last->body, last->length, last->signature));
        else
            assert_true(verifies(*state, last->body, last->length, last->signature));
        assert_int_equal(strstr(last->body, "\"user_id\"") == NULL, kinds[i] == SANDBOX_WEBHOOK_NO_USER_ID);
        if (kinds[i] == SANDBOX_WEBHOOK_NO_MESSAGE_TYPE)
            assert_null(strstr(last->body, "message_type"));
        before = receiver.count;
    }
}

static void lets_the_next_one_overtake(void **state)
{
    struct sandbox_customer customer;
    customer_of(*state, &customer);
    sandbox_webhook_fault_add(
        *state, &(struct sandbox_webhook_fault){.kind = SANDBOX_WEBHOOK_REORDER, .count = 1, .ms = 15000});
    int64_t begin = sandbox_now_us();
    sandbox_customer_writes(*state, &customer, "first", NULL);
    sandbox_customer_writes(*state, &customer, "second", NULL);
    assert_true(sandbox_wait_webhooks_idle(*state, 20000));
    assert_int_equal(receiver.count, 2);
    assert_non_null(strstr(receiver.list[0].body, "second"));
    assert_non_null(strstr(receiver.list[1].body, "first"));
    assert_true(sandbox_now_us() - begin < 10000000); // not by its time, but because it was overtaken
    sandbox_webhook_fault_add(*state,
                              &(struct sandbox_webhook_fault){.kind = SANDBOX_WEBHOOK_LATE, .count = 1, .ms = 120});
    begin = sandbox_now_us();
    sandbox_customer_writes(*state, &customer, "late", NULL);
    wait_received(3);
    assert_true(receiver.list[2].at_us - begin >= 120000);
}

static void echoes_what_the_api_posts(void **state)
{
    struct sandbox_customer customer;
    char path[128], body[512], agent[SANDBOX_ID_SIZE];
    customer_of(*state, &customer);
    sandbox_chat_agent(*state, SANDBOX_ASSISTANT, agent);
    snprintf(path, sizeof path, "conversations/%s/messages", customer.conversation_id);
    snprintf(
        body, sizeof body,
        "{\"message_parts\":[{\"text\":{\"content\":\"hi\"}}],\"message_type\":\"normal\",\"actor_type\":\"agent\","
        "\"actor_id\":\"%s\"}",
        agent);
    assert_int_equal(chat_status(*state, "POST", path, body), 200);
    wait_received(1);
    assert_non_null(strstr(receiver.list[0].body, "\"message_source\":\"api\""));
    sandbox_set_echo(*state, false);
    assert_int_equal(chat_status(*state, "POST", path, body), 200);
    assert_true(sandbox_wait_webhooks_idle(*state, 5000));
    assert_int_equal(receiver.count, 1);
    // What people do in Freshchat is told in any case.
    assert_true(sandbox_agent_types(*state, customer.conversation_id, SANDBOX_CHRIS, "on my way", "normal", NULL));
    wait_received(2);
    assert_true(sandbox_chat_resolve(*state, customer.conversation_id, SANDBOX_CHRIS));
    wait_received(3);
    assert_non_null(strstr(receiver.list[2].body, "conversation_resolution"));
    sandbox_customer_writes(*state, &customer, "one more thing", NULL);
    wait_received(5); // reopened, and the message
}

static void hints_for_people_and_for_the_api(void **state)
{
    int64_t id = make_ticket(*state, "s", "a@b.example");
    char expected[64], path[64];
    snprintf(path, sizeof path, "tickets/%lld/notes", (long long)id);
    assert_int_equal(receiver.count, 0); // creating is no update
    assert_true(sandbox_agent_writes(*state, id, SANDBOX_ANNA, SANDBOX_REPLY, "hi") != 0);
    wait_received(1);
    snprintf(expected, sizeof expected, "{\"ticket_id\":\"%lld\"}", (long long)id);
    assert_string_equal(receiver.list[0].body, expected);
    assert_string_equal(receiver.list[0].path, "/webhooks/freshdesk");
    assert_string_equal(receiver.list[0].token, sandbox_hint_token(*state));
    assert_string_equal(receiver.list[0].signature, "");
    // A private note is not in the rule; a public one over the API is: the loop that a bridge must not fall into.
    assert_true(sandbox_agent_writes(*state, id, SANDBOX_BEN, SANDBOX_PRIVATE_NOTE, "hush") != 0);
    assert_true(sandbox_customer_emails(*state, id, "an answer by mail") != 0); // a requester, not an agent
    assert_int_equal(desk_status(*state, "POST", path, "{\"body\":\"x\",\"private\":false}"), 201);
    wait_received(2);
    sandbox_set_hint_number(*state, true);
    assert_true(sandbox_ticket_status(*state, id, SANDBOX_ANNA, 4));
    wait_received(3);
    snprintf(expected, sizeof expected, "{\"ticket_id\":%lld}", (long long)id);
    assert_string_equal(receiver.list[2].body, expected);
    assert_true(sandbox_wait_webhooks_idle(*state, 5000));
    assert_int_equal(receiver.count, 3);
    assert_int_equal(sandbox_deliver_hint(*state, "{\"ticket_id\":1}", "wrong"), 200);
    wait_received(4);
    assert_string_equal(receiver.list[3].token, "wrong");
    // Retried after five minutes of its own clock.
    receiver.refuse = 1;
    assert_true(sandbox_agent_writes(*state, id, SANDBOX_ANNA, SANDBOX_PUBLIC_NOTE, "hi") != 0);
    wait_received(6);
    assert_true(receiver.list[5].at_us - receiver.list[4].at_us >= 100000);
}

static int start_receiver(void **state)
{
    const char *options[] = {"listening_ports", "127.0.0.1:0", "num_threads", "16", NULL};
    struct mg_callbacks callbacks = {.begin_request = receive};
    struct mg_server_port port;
    (void)state;
    mg_init_library(0);
    receiver.context = mg_start(&callbacks, NULL, options);
    assert_non_null(receiver.context);
    assert_int_equal(mg_get_server_ports(receiver.context, 1, &port), 1);
    snprintf(receiver.url, sizeof receiver.url, "http://127.0.0.1:%d", port.port);
    return 0;
}

static int stop_receiver(void **state)
{
    (void)state;
    mg_stop(receiver.context);
    for (size_t i = 0; i < receiver.count; i++)
        free(receiver.list[i].body);
    mg_exit_library();
    return 0;
}

int main(void)
{
#define WITH_SANDBOX(test) cmocka_unit_test_setup_teardown(test, start, stop_sandbox)
    const struct CMUnitTest tests[] = {
        WITH_SANDBOX(signs_what_it_sends),       WITH_SANDBOX(tries_again_until_it_is_taken),
        WITH_SANDBOX(spoils_what_it_is_told_to), WITH_SANDBOX(lets_the_next_one_overtake),
        WITH_SANDBOX(echoes_what_the_api_posts), WITH_SANDBOX(hints_for_people_and_for_the_api),
    };
    return cmocka_run_group_tests(tests, start_receiver, stop_receiver);
}
