// SPDX-License-Identifier: Apache-2.0
// The sandbox's pages: served to this machine's browser only, acting through the same functions as tests, told of
// changes.
#include "test_sandbox_client.h"

static struct answer page_call(struct sandbox *sb, const char *method, const char *path, const char *body,
                               const char *header)
{
    char url[512];
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = header != NULL ? curl_slist_append(NULL, header) : NULL;
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", sandbox_port(sb), path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    return client_send(curl, headers, body);
}

#define JSON_TYPE "Content-Type: application/json"

static void serves_pages_to_this_machine_only(void **state)
{
    static const char *const paths[] = {"/shop", "/desk", "/sandbox/shop.js", "/sandbox/desk.js", "/sandbox/style.css",
                                        "/"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct answer answer = page_call(*state, "GET", paths[i], NULL, NULL);
        assert_int_equal(answer.status, 200);
        assert_true(answer.length > 500);
        assert_non_null(strstr(answer.head, "Content-Security-Policy: default-src 'self'"));
        assert_null(strstr(answer.body, "innerHTML"));
        answer_clear(&answer);
        answer = page_call(*state, "GET", paths[i], NULL, "Host: 127.evil.example");
        assert_int_equal(answer.status, 400);
        answer_clear(&answer);
    }
    struct answer answer = page_call(*state, "GET", "/sandbox/none", NULL, NULL);
    assert_int_equal(answer.status, 404);
    answer_clear(&answer);
    // A form on another site can post, but not JSON without being asked first.
    answer = page_call(*state, "POST", "/sandbox/customers", "{\"first_name\":\"Mia\"}", "Content-Type: text/plain");
    assert_int_equal(answer.status, 400);
    answer_clear(&answer);
}

static void the_shop_and_the_desk_act(void **state)
{
    char path[128], conversation[SANDBOX_ID_SIZE];
    struct answer answer =
        page_call(*state, "POST", "/sandbox/customers",
                  "{\"first_name\":\"Mia\",\"email\":\"mia@mail.example\",\"cart_value\":\"12.00\"}", JSON_TYPE);
    assert_int_equal(answer.status, 201);
    snprintf(conversation, sizeof conversation, "%s", text_of(answer.json, "conversation_id"));
    answer_clear(&answer);
    snprintf(path, sizeof path, "/sandbox/conversations/%s/messages", conversation);
    answer = page_call(*state, "POST", path, "{\"text\":\"<b>hi</b>\"}", JSON_TYPE);
    assert_int_equal(answer.status, 201);
    answer_clear(&answer);
    assert_int_equal(sandbox_messages_with(*state, conversation, "<b>hi</b>"), 1);
    int64_t id = sandbox_ticket_new(*state, "s", "mia@mail.example", conversation);
    assert_int_equal(sandbox_tickets_of(*state, conversation, NULL), 1);
    snprintf(path, sizeof path, "/sandbox/tickets/%lld/entries", (long long)id);
    answer = page_call(*state, "POST", path,
                       "{\"kind\":\"reply\",\"agent\":\"" SANDBOX_ANNA "\",\"text\":\"1 < 2\\nyes & no\"}", JSON_TYPE);
    assert_int_equal(answer.status, 201);
    answer_clear(&answer);
    assert_int_equal(sandbox_entries_with(*state, id, "1 < 2\nyes & no"), 1);
    // A private message stays inside the team.
    assert_true(sandbox_agent_types(*state, conversation, SANDBOX_CHRIS, "psst", "private", NULL));
    snprintf(path, sizeof path, "/sandbox/conversations/%s", conversation);
    answer = page_call(*state, "GET", path, NULL, NULL);
    assert_int_equal(json_array_size(answer.json), 1);
    answer_clear(&answer);
    snprintf(path, sizeof path, "/sandbox/tickets/%lld", (long long)id);
    answer = page_call(*state, "GET", path, NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(answer.json, "entries")), 1);
    answer_clear(&answer);
}

static size_t until_second_event(char *data, size_t size, size_t count, void *argument)
{
    struct answer *answer = argument;
    client_body(data, size, count, answer);
    const char *first = strstr(answer->body, "data: ");
    // The first says what is; the change that the test makes then brings the second, which ends the transfer.
    return first != NULL && strstr(first + 1, "data: ") != NULL ? 0 : size * count;
}

static int make_once(void *argument, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct sandbox **sb = argument;
    (void)a, (void)c, (void)d;
    if (b > 0 && *sb != NULL) {
        sandbox_ticket_new(*sb, "s", "a@b.example", NULL);
        *sb = NULL;
    }
    return 0;
}

static void tells_of_changes(void **state)
{
    struct answer answer = {0};
    struct sandbox *once = *state;
    char url[128];
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof url, "http://127.0.0.1:%d/sandbox/events", sandbox_port(*state));
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, until_second_event);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, make_once);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &once);
    assert_int_equal(curl_easy_perform(curl), CURLE_WRITE_ERROR);
    curl_easy_cleanup(curl);
    answer_clear(&answer);
    assert_int_equal(sandbox_ticket_count(*state), 1);
}

static void agents_can_be_away_and_fields_text(void **state)
{
    struct sandbox_options options;
    struct sandbox_customer customer;
    char path[128], body[512], agent[SANDBOX_ID_SIZE];
    (void)state;
    test_options(&options);
    options.text_fields = true;
    struct sandbox *sb = sandbox_new(&options);
    assert_non_null(sb);
    sandbox_customer_new(sb, &(struct sandbox_customer_info){.first_name = "Mia"}, &customer);
    assert_true(sandbox_chat_agent(sb, SANDBOX_ANNA, agent));
    assert_true(sandbox_chat_agent_set_active(sb, SANDBOX_ANNA, false));
    snprintf(path, sizeof path, "conversations/%s/messages", customer.conversation_id);
    snprintf(
        body, sizeof body,
        "{\"message_parts\":[{\"text\":{\"content\":\"hi\"}}],\"message_type\":\"normal\",\"actor_type\":\"agent\","
        "\"actor_id\":\"%s\"}",
        agent);
    assert_int_equal(chat_status(sb, "POST", path, body), 400);
    assert_true(sandbox_chat_agent_set_active(sb, SANDBOX_ANNA, true));
    assert_int_equal(chat_status(sb, "POST", path, body), 200);
    assert_int_equal(sandbox_ticket_new(sb, "s", "no address", NULL), 0);
    static const char ticket[] =
        "{\"subject\":\"s\",\"description\":\"d\",\"email\":\"a@b.example\",\"custom_fields\":{\"cf_cart_value\":%s}}";
    snprintf(body, sizeof body, ticket, "249.5");
    struct answer answer = desk_call(sb, "POST", "tickets", body);
    assert_true(has_error(&answer, "custom_fields.cf_cart_value", "datatype_mismatch"));
    answer_clear(&answer);
    snprintf(body, sizeof body, ticket, "\"249.5\"");
    assert_int_equal(desk_status(sb, "POST", "tickets", body), 201);
    sandbox_free(&sb);
}

int main(void)
{
#define WITH_SANDBOX(test) cmocka_unit_test_setup_teardown(test, start_sandbox, stop_sandbox)
    const struct CMUnitTest tests[] = {
        WITH_SANDBOX(serves_pages_to_this_machine_only),
        WITH_SANDBOX(the_shop_and_the_desk_act),
        WITH_SANDBOX(tells_of_changes),
        cmocka_unit_test(agents_can_be_away_and_fields_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
