// SPDX-License-Identifier: Apache-2.0
// The sandbox's Freshchat side: users, conversations, messages, paging and refusals.
#include "test_sandbox_client.h"

#include <time.h>

static void customer_of(struct sandbox *sb, struct sandbox_customer *customer)
{
    sandbox_customer_new(sb,
                         &(struct sandbox_customer_info){.first_name = "Mia",
                                                         .email = "mia@mail.example",
                                                         .reference_id = "r1",
                                                         .cart_value = "249.50",
                                                         .screen = "basket"},
                         customer);
}

static void refuses_without_the_token(void **state)
{
    struct answer answer = client_call(*state, false, "GET", "accounts/configuration", NULL, NULL, "wrong");
    assert_int_equal(answer.status, 401);
    assert_int_equal(number_of(answer.json, "code"), 401);
    assert_string_equal(text_of(answer.json, "status"), "UNAUTHENTICATED");
    answer_clear(&answer);
    answer = chat_call(*state, "GET", "accounts/configuration", NULL);
    assert_int_equal(answer.status, 200);
    assert_non_null(json_object_get(json_object_get(answer.json, "configuration"), "app_id"));
    answer_clear(&answer);
    assert_int_equal(chat_status(*state, "GET", "conversations", NULL), 405); // no call lists all conversations
}

static void reads_the_customer(void **state)
{
    struct sandbox_customer customer;
    char path[128];
    customer_of(*state, &customer);
    sandbox_customer_property(*state, &customer, "friction_score", "70");
    snprintf(path, sizeof path, "users/%s", customer.user_id);
    struct answer answer = chat_call(*state, "GET", path, NULL);
    assert_int_equal(answer.status, 200);
    assert_string_equal(text_of(answer.json, "first_name"), "Mia");
    json_t *properties = json_object_get(answer.json, "properties");
    assert_int_equal(json_array_size(properties), 3);
    assert_string_equal(text_of(json_array_get(properties, 0), "name"), "cart_value");
    assert_string_equal(text_of(json_array_get(properties, 0), "value"), "249.50");
    answer_clear(&answer);
    assert_int_equal(chat_status(*state, "GET", "users/nobody", NULL), 404);
    assert_int_equal(chat_status(*state, "GET", "users", NULL), 400);
    answer = chat_call(*state, "GET", "users?reference_id=r1", NULL);
    assert_int_equal(json_array_size(json_object_get(answer.json, "users")), 1);
    answer_clear(&answer);
    assert_int_equal(chat_status(*state, "POST", "users", "{\"first_name\":\"x\",\"reference_id\":\"r1\"}"), 409);
    assert_int_equal(chat_status(*state, "PUT", path, "{\"properties\":[{\"name\":\"a\",\"value\":1}]}"), 400);
    snprintf(path, sizeof path, "users/%s/conversations", customer.user_id);
    answer = chat_call(*state, "GET", path, NULL);
    assert_string_equal(text_of(json_array_get(json_object_get(answer.json, "conversations"), 0), "id"),
                        customer.conversation_id);
    answer_clear(&answer);
}

static size_t users_since(struct sandbox *sb, const char *from)
{
    char path[128];
    snprintf(path, sizeof path, "users?updated_from=%s&items_per_page=50&page=1", from);
    struct answer answer = chat_call(sb, "GET", path, NULL);
    assert_int_equal(answer.status, 200);
    size_t count = json_array_size(json_object_get(answer.json, "users"));
    answer_clear(&answer);
    return count;
}

static void who_writes_is_an_updated_user(void **state)
{
    struct sandbox_customer customer;
    char from[32];
    time_t in_half_an_hour = time(NULL) + 1800;
    strftime(from, sizeof from, "%Y-%m-%dT%H:%M:%SZ", gmtime(&in_half_an_hour));
    customer_of(*state, &customer);
    sandbox_set_clock_skew(*state, 3600000);
    assert_int_equal(users_since(*state, from), 0);
    sandbox_customer_writes(*state, &customer, "Hello", NULL);
    assert_int_equal(users_since(*state, from), 1);
}

static void posts_as_an_agent(void **state)
{
    struct sandbox_customer customer;
    char path[128], body[512], agent[SANDBOX_ID_SIZE];
    customer_of(*state, &customer);
    snprintf(path, sizeof path, "conversations/%s/messages", customer.conversation_id);
    struct answer answer = chat_call(*state, "POST", path,
                                     "{\"message_parts\":[{\"text\":{\"content\":\"hi\"}}],\"message_type\":\"normal\","
                                     "\"actor_type\":\"agent\",\"actor_id\":\"5e0b8f9e-0000-4000-8000-0000000000a7\"}");
    assert_int_equal(answer.status, 404);
    assert_string_equal(text_of(answer.json, "status"), "AGENT_NOT_FOUND");
    answer_clear(&answer);
    assert_true(sandbox_chat_agent(*state, SANDBOX_ASSISTANT, agent));
    snprintf(
        body, sizeof body,
        "{\"message_parts\":[{\"text\":{\"content\":\"hi\"}}],\"message_type\":\"normal\",\"actor_type\":\"agent\","
        "\"actor_id\":\"%s\"}",
        agent);
    answer = chat_call(*state, "POST", path, body);
    assert_int_equal(answer.status, 200);
    assert_int_equal(strlen(text_of(answer.json, "created_time")), strlen("2025-03-04T10:20:30.456Z"));
    struct sandbox_message *messages;
    assert_int_equal(sandbox_messages(*state, customer.conversation_id, &messages), 1);
    assert_string_equal(messages[0].id, text_of(answer.json, "id"));
    assert_string_equal(messages[0].source, "api");
    assert_string_equal(messages[0].actor_id, agent);
    assert_string_equal(messages[0].text, "hi");
    sandbox_messages_free(messages, 1);
    answer_clear(&answer);
    static const char *const bad[] = {
        "{}",
        "{\"message_parts\":[],\"message_type\":\"normal\",\"actor_type\":\"bot\"}",
        "{\"message_parts\":[{\"text\":{\"content\":\"\"}}],\"message_type\":\"normal\",\"actor_type\":\"bot\"}",
        "{\"message_parts\":[{\"text\":{\"content\":\"a\"},\"image\":{\"url\":\"x\"}}],\"message_type\":\"normal\","
        "\"actor_type\":\"bot\"}",
        "{\"message_parts\":[{\"word\":{\"content\":\"a\"}}],\"message_type\":\"normal\",\"actor_type\":\"bot\"}",
        "{\"message_parts\":[{\"text\":{\"content\":\"a\"}}],\"message_type\":\"loud\",\"actor_type\":\"bot\"}",
        "{\"message_parts\":[{\"text\":{\"content\":\"a\"}}],\"message_type\":\"normal\",\"actor_type\":\"ghost\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(chat_status(*state, "POST", path, bad[i]), 400);
    answer = client_call(*state, false, "POST", path, body, "text/plain", NULL);
    assert_int_equal(answer.status, 415);
    answer_clear(&answer);
    assert_int_equal(sandbox_messages_with(*state, customer.conversation_id, NULL), 1);
}

static void a_customer_writes_only_in_the_latest_conversation(void **state)
{
    struct sandbox_customer old, latest;
    char path[128], body[512];
    customer_of(*state, &old);
    latest = old;
    sandbox_customer_new_conversation(*state, &latest);
    snprintf(body, sizeof body,
             "{\"message_parts\":[{\"text\":{\"content\":\"hi\"}}],\"message_type\":\"normal\",\"actor_type\":\"user\","
             "\"actor_id\":\"%s\"}",
             old.user_id);
    snprintf(path, sizeof path, "conversations/%s/messages", old.conversation_id);
    struct answer answer = chat_call(*state, "POST", path, body);
    assert_int_equal(answer.status, 400);
    assert_non_null(strstr(text_of(answer.json, "message"), "not the latest"));
    answer_clear(&answer);
    snprintf(path, sizeof path, "conversations/%s/messages", latest.conversation_id);
    assert_int_equal(chat_status(*state, "POST", path, body), 200);
}

static void lists_messages_newest_first_by_pages(void **state)
{
    struct sandbox_customer customer;
    char path[256], text[32], from[64];
    customer_of(*state, &customer);
    for (int i = 0; i < 25; i++) {
        sandbox_set_clock_skew(*state, i * 1000); // so that from_time has an edge
        snprintf(text, sizeof text, "message %d", i);
        sandbox_customer_writes(*state, &customer, text, NULL);
    }
    snprintf(path, sizeof path, "conversations/%s/messages", customer.conversation_id);
    struct answer answer = chat_call(*state, "GET", path, NULL);
    json_t *messages = json_object_get(answer.json, "messages");
    assert_int_equal(json_array_size(messages), 20);
    json_t *part = json_array_get(json_object_get(json_array_get(messages, 0), "message_parts"), 0);
    assert_string_equal(text_of(json_object_get(part, "text"), "content"), "message 24");
    snprintf(from, sizeof from, "%s", text_of(json_array_get(messages, 3), "created_time"));
    const char *href = text_of(json_object_get(answer.json, "link"), "href");
    assert_int_equal(strncmp(href, "/v2/conversations/", 18), 0);
    snprintf(path, sizeof path, "%s", href + 4);
    answer_clear(&answer);
    answer = chat_call(*state, "GET", path, NULL);
    assert_int_equal(json_array_size(json_object_get(answer.json, "messages")), 5);
    assert_null(json_object_get(answer.json, "link"));
    answer_clear(&answer);
    snprintf(path, sizeof path, "conversations/%s/messages?from_time=%s", customer.conversation_id, from);
    answer = chat_call(*state, "GET", path, NULL);
    assert_int_equal(json_array_size(json_object_get(answer.json, "messages")), 3); // later than, not from
    answer_clear(&answer);
    snprintf(path, sizeof path, "conversations/%s/messages?items_per_page=51", customer.conversation_id);
    assert_int_equal(chat_status(*state, "GET", path, NULL), 400);
    sandbox_set_oldest_first(*state, true);
    snprintf(path, sizeof path, "conversations/%s/messages", customer.conversation_id);
    answer = chat_call(*state, "GET", path, NULL);
    part = json_array_get(json_object_get(json_array_get(json_object_get(answer.json, "messages"), 0), "message_parts"),
                          0);
    assert_string_equal(text_of(json_object_get(part, "text"), "content"), "message 0");
    answer_clear(&answer);
}

static void conversations_have_a_numeric_twin(void **state)
{
    struct sandbox_customer customer;
    char path[128], body[512], channel[SANDBOX_ID_SIZE];
    customer_of(*state, &customer);
    snprintf(path, sizeof path, "conversations/%s", customer.conversation_id);
    struct answer answer = chat_call(*state, "GET", path, NULL);
    snprintf(path, sizeof path, "conversations/%s", text_of(answer.json, "freshchat_conversation_id"));
    answer_clear(&answer);
    answer = chat_call(*state, "GET", path, NULL);
    assert_string_equal(text_of(answer.json, "conversation_id"), customer.conversation_id);
    answer_clear(&answer);
    assert_int_equal(chat_status(*state, "PUT", path, "{\"status\":\"resolved\"}"), 200);
    assert_int_equal(chat_status(*state, "PUT", path, "{\"status\":\"asleep\"}"), 400);
    assert_int_equal(chat_status(*state, "PUT", path, "{\"status\":\"assigned\"}"), 400);
    sandbox_channel(*state, channel);
    snprintf(body, sizeof body,
             "{\"channel_id\":\"%s\",\"users\":[{\"id\":\"%s\"}],\"messages\":[{\"message_parts\":[{\"text\":{"
             "\"content\":\"a\"}}],"
             "\"actor_type\":\"user\",\"actor_id\":\"%s\",\"message_type\":\"normal\"}]}",
             channel, customer.user_id, customer.user_id);
    answer = chat_call(*state, "POST", "conversations", body);
    assert_int_equal(answer.status, 200);
    assert_int_equal(sandbox_messages_with(*state, text_of(answer.json, "conversation_id"), "a"), 1);
    answer_clear(&answer);
}

static void lists_agents_by_pages(void **state)
{
    struct answer answer = chat_call(*state, "GET", "agents?items_per_page=2", NULL);
    assert_int_equal(json_array_size(json_object_get(answer.json, "agents")), 2);
    assert_int_equal(number_of(json_object_get(answer.json, "pagination"), "total_pages"), 2);
    char path[128];
    snprintf(path, sizeof path, "%s",
             text_of(json_object_get(json_object_get(answer.json, "links"), "next_page"), "href") + 4);
    answer_clear(&answer);
    answer = chat_call(*state, "GET", path, NULL);
    json_t *agents = json_object_get(answer.json, "agents");
    assert_int_equal(json_array_size(agents), 1);
    assert_string_equal(text_of(json_array_get(agents, 0), "email"), SANDBOX_CHRIS);
    snprintf(path, sizeof path, "agents/%s", text_of(json_array_get(agents, 0), "id"));
    answer_clear(&answer);
    assert_int_equal(chat_status(*state, "GET", path, NULL), 200);
    assert_int_equal(chat_status(*state, "GET", "agents/none", NULL), 404);
    assert_int_equal(chat_status(*state, "GET", "channels", NULL), 200);
}

static void budget_has_no_headers(void **state)
{
    sandbox_set_limit(*state, SANDBOX_LIMIT_FRESHCHAT, 1);
    struct answer answer = chat_call(*state, "GET", "channels", NULL);
    assert_int_equal(answer.status, 200);
    assert_null(strstr(answer.head, "X-RateLimit"));
    answer_clear(&answer);
    answer = chat_call(*state, "GET", "channels", NULL);
    assert_int_equal(answer.status, 429);
    answer_clear(&answer);
}

int main(void)
{
#define WITH_SANDBOX(test) cmocka_unit_test_setup_teardown(test, start_sandbox, stop_sandbox)
    const struct CMUnitTest tests[] = {
        WITH_SANDBOX(refuses_without_the_token),
        WITH_SANDBOX(reads_the_customer),
        WITH_SANDBOX(who_writes_is_an_updated_user),
        WITH_SANDBOX(posts_as_an_agent),
        WITH_SANDBOX(a_customer_writes_only_in_the_latest_conversation),
        WITH_SANDBOX(lists_messages_newest_first_by_pages),
        WITH_SANDBOX(conversations_have_a_numeric_twin),
        WITH_SANDBOX(lists_agents_by_pages),
        WITH_SANDBOX(budget_has_no_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
