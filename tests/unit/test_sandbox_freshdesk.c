// SPDX-License-Identifier: Apache-2.0
// The sandbox's Freshdesk side: strict where the service is, and with its shapes.
#include "test_sandbox_client.h"

static void refuses_without_the_key(void **state)
{
    struct answer answer = client_call(*state, true, "GET", "agents/me", NULL, NULL, "wrong");
    assert_int_equal(answer.status, 401);
    assert_string_equal(text_of(answer.json, "code"), "invalid_credentials");
    answer_clear(&answer);
    answer = client_call(*state, true, "GET", "agents/me", NULL, NULL, "sandbox-freshdesk-ke");
    assert_int_equal(answer.status, 401);
    answer_clear(&answer);
    answer = desk_call(*state, "GET", "agents/me", NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(number_of(answer.json, "id"), sandbox_desk_agent(*state, SANDBOX_INTEGRATION));
    assert_non_null(strstr(answer.head, "\r\nDate: "));
    answer_clear(&answer);
}

static void answers_404_405_and_415(void **state)
{
    struct answer answer = desk_call(*state, "GET", "tickets/1", NULL);
    assert_int_equal(answer.status, 404);
    assert_int_equal(answer.length, 0);
    answer_clear(&answer);
    assert_int_equal(desk_status(*state, "GET", "nothing/here", NULL), 404);
    assert_int_equal(desk_status(*state, "DELETE", "agents/me", NULL), 405);
    answer = client_call(*state, true, "POST", "tickets", "subject=x", "application/x-www-form-urlencoded", NULL);
    assert_int_equal(answer.status, 415);
    answer_clear(&answer);
    answer = desk_call(*state, "POST", "tickets", "{\"subject\":");
    assert_int_equal(answer.status, 400);
    assert_string_equal(text_of(answer.json, "code"), "invalid_json");
    answer_clear(&answer);
}

static void refuses_what_it_does_not_know(void **state)
{
    static const struct {
        const char *body, *field, *code;
    } cases[] = {
        {"{\"subject\":\"a\",\"description\":\"d\",\"email\":\"a@b.example\",\"colour\":1}", "colour", "invalid_field"},
        {"{\"subject\":\"a\",\"description\":\"d\",\"email\":\"a@b.example\",\"custom_fields\":{\"cf_no\":1}}",
         "custom_fields.cf_no", "invalid_field"},
        {"{\"subject\":\"a\",\"description\":\"d\",\"email\":\"a@b.example\",\"custom_fields\":{\"cf_cart_value\":"
         "\"12\"}}",
         "custom_fields.cf_cart_value", "datatype_mismatch"},
        {"{\"subject\":\"a\",\"description\":\"d\",\"email\":\"a@b.example\",\"custom_fields\":{\"cf_friction_score\":"
         "1.5}}",
         "custom_fields.cf_friction_score", "datatype_mismatch"},
        {"{\"subject\":\"a\",\"description\":\"d\",\"email\":\"a@b.example\",\"priority\":\"4\"}", "priority",
         "datatype_mismatch"},
        {"{\"subject\":\"a\",\"description\":\"d\",\"email\":\"a@b.example\",\"priority\":5}", "priority",
         "invalid_value"},
        {"{\"subject\":\"a\",\"description\":\"d\",\"email\":\"not an address\"}", "email", "invalid_value"},
        {"{\"subject\":\"a\",\"description\":\"d\"}", "requester_id", "missing_field"},
        {"{\"subject\":\"a\",\"description\":\"d\",\"phone\":\"+4912345\"}", "name", "missing_field"},
        {"{\"subject\":\"a\",\"description\":\"d\",\"requester_id\":12}", "requester_id", "invalid_value"},
        {"{\"subject\":\"\",\"description\":\"d\",\"email\":\"a@b.example\"}", "subject", "missing_field"},
        {"{\"subject\":\"a\",\"description\":\"d\",\"email\":\"a@b.example\",\"tags\":["
         "\"123456789012345678901234567890123\"]}",
         "tags", "invalid_value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer answer = desk_call(*state, "POST", "tickets", cases[i].body);
        if (!has_error(&answer, cases[i].field, cases[i].code))
            fail_msg("case %zu: %s", i, answer.body);
        answer_clear(&answer);
    }
    assert_int_equal(sandbox_ticket_count(*state), 0);
    struct answer answer = desk_call(*state, "GET", "contacts", NULL);
    assert_int_equal(json_array_size(answer.json), 0); // a refused ticket leaves no contact behind
    answer_clear(&answer);
}

static void creates_a_ticket(void **state)
{
    struct answer answer =
        desk_call(*state, "POST", "tickets",
                  "{\"subject\":\"€ 249.50 · Mia\",\"description\":\"<p onclick=\\\"x()\\\">Hi</p><script>x</script>\","
                  "\"unique_external_id\":\"u1\",\"name\":\"Mia\",\"priority\":4,\"source\":7,\"tags\":[\"vip\"],"
                  "\"custom_fields\":{\"cf_cart_value\":249.5,\"cf_screen\":\"basket\","
                  "\"cf_freshchat_conversation_id\":\"c1\"}}");
    assert_int_equal(answer.status, 201);
    assert_non_null(strstr(answer.head, "\r\nLocation: http://127.0.0.1:"));
    assert_true(number_of(answer.json, "id") > INT64_C(4294967296));
    assert_string_equal(text_of(answer.json, "description"), "<div><p>Hi</p></div>");
    assert_string_equal(text_of(answer.json, "description_text"), "Hi");
    assert_int_equal(strlen(text_of(answer.json, "created_at")), strlen("2025-03-04T10:20:30Z"));
    int64_t requester = number_of(answer.json, "requester_id"), id;
    answer_clear(&answer);
    assert_int_equal(sandbox_tickets_of(*state, "c1", &id), 1);
    struct sandbox_ticket ticket;
    assert_true(sandbox_ticket(*state, id, &ticket));
    assert_int_equal(ticket.priority, 4);
    assert_int_equal(ticket.source, 7);
    assert_int_equal(ticket.tag_count, 1);
    assert_string_equal(ticket.tags[0], "vip");
    assert_string_equal(ticket.cart, "249.5");
    assert_string_equal(ticket.screen, "\"basket\"");
    assert_null(ticket.friction);
    assert_int_equal(ticket.requester_id, requester);
    sandbox_ticket_clear(&ticket);
    // The same person again is the same contact, whatever the name.
    answer =
        desk_call(*state, "POST", "tickets", "{\"subject\":\"s\",\"description\":\"d\",\"unique_external_id\":\"u1\"}");
    assert_int_equal(number_of(answer.json, "requester_id"), requester);
    answer_clear(&answer);
}

static void notes_are_private_unless_said_otherwise(void **state)
{
    int64_t id = make_ticket(*state, "s", "a@b.example");
    char path[64], body[256];
    snprintf(path, sizeof path, "tickets/%lld/notes", (long long)id);
    struct answer answer = desk_call(*state, "POST", path, "{\"body\":\"a < b\\nline\"}");
    assert_int_equal(answer.status, 201);
    assert_true(json_is_true(json_object_get(answer.json, "private")));
    assert_string_equal(text_of(answer.json, "body"), "<div>a &lt; b\nline</div>");
    assert_int_equal(number_of(answer.json, "user_id"), sandbox_desk_agent(*state, SANDBOX_INTEGRATION));
    answer_clear(&answer);
    struct sandbox_ticket ticket;
    assert_true(sandbox_ticket(*state, id, &ticket));
    snprintf(body, sizeof body, "{\"body\":\"one<br>two\",\"private\":false,\"incoming\":true,\"user_id\":%lld}",
             (long long)ticket.requester_id);
    sandbox_ticket_clear(&ticket);
    answer = desk_call(*state, "POST", path, body);
    assert_int_equal(answer.status, 201);
    answer_clear(&answer);
    struct sandbox_entry *entries;
    assert_int_equal(sandbox_entries(*state, id, &entries), 2);
    assert_true(entries[0].is_private && !entries[0].incoming);
    assert_true(!entries[1].is_private && entries[1].incoming);
    assert_string_equal(entries[1].body_text, "one\ntwo");
    assert_int_equal(entries[1].source, 2);
    sandbox_entries_free(entries, 2);
    answer = desk_call(*state, "POST", path, "{\"body\":\"x\",\"user_id\":3}");
    assert_true(has_error(&answer, "user_id", "invalid_value"));
    answer_clear(&answer);
    answer = desk_call(*state, "POST", path, "{\"body\":\"x\",\"public\":true}");
    assert_true(has_error(&answer, "public", "invalid_field"));
    answer_clear(&answer);
    answer = desk_call(*state, "POST", path, "{\"body\":\"\"}");
    assert_true(has_error(&answer, "body", "missing_field"));
    answer_clear(&answer);
}

static void lists_entries_by_thirty_oldest_first(void **state)
{
    int64_t id = make_ticket(*state, "s", "a@b.example");
    char path[64], text[32];
    for (int i = 0; i < 35; i++) {
        snprintf(text, sizeof text, "note %d", i);
        assert_true(sandbox_agent_writes(*state, id, SANDBOX_ANNA, SANDBOX_PUBLIC_NOTE, text) > INT64_C(4294967296));
    }
    snprintf(path, sizeof path, "tickets/%lld/conversations", (long long)id);
    struct answer answer = desk_call(*state, "GET", path, NULL);
    assert_int_equal(json_array_size(answer.json), 30);
    assert_string_equal(text_of(json_array_get(answer.json, 0), "body_text"), "note 0");
    assert_non_null(strstr(answer.head, "?page=2>; rel=\"next\""));
    answer_clear(&answer);
    snprintf(path, sizeof path, "tickets/%lld/conversations?page=2", (long long)id);
    answer = desk_call(*state, "GET", path, NULL);
    assert_int_equal(json_array_size(answer.json), 5);
    assert_null(strstr(answer.head, "Link:"));
    answer_clear(&answer);
    snprintf(path, sizeof path, "tickets/%lld/conversations?per_page=101", (long long)id);
    answer = desk_call(*state, "GET", path, NULL);
    assert_true(has_error(&answer, "per_page", "invalid_value"));
    answer_clear(&answer);
}

static void lists_tickets(void **state)
{
    sandbox_set_clock_skew(*state, -INT64_C(40) * 86400 * 1000);
    int64_t old = make_ticket(*state, "old", "a@b.example");
    sandbox_set_clock_skew(*state, 0);
    int64_t first = make_ticket(*state, "first", "a@b.example"), second = make_ticket(*state, "second", "c@d.example");
    struct answer answer = desk_call(*state, "GET", "tickets", NULL); // nothing older than 30 days, newest first
    assert_int_equal(json_array_size(answer.json), 2);
    assert_int_equal(number_of(json_array_get(answer.json, 0), "id"), second);
    assert_int_equal(number_of(json_array_get(answer.json, 1), "id"), first);
    assert_null(json_object_get(json_array_get(answer.json, 0), "description"));
    answer_clear(&answer);
    answer = desk_call(
        *state, "GET",
        "tickets?updated_since=2015-01-19T02:00:00Z&order_by=updated_at&order_type=asc&per_page=2&include=description",
        NULL);
    assert_int_equal(json_array_size(answer.json), 2);
    assert_int_equal(number_of(json_array_get(answer.json, 0), "id"), old);
    assert_non_null(json_object_get(json_array_get(answer.json, 0), "description"));
    assert_non_null(strstr(answer.head,
                           "updated_since=2015-01-19T02:00:00Z&order_by=updated_at&order_type=asc&per_page=2&"
                           "include=description&page=2>; rel=\"next\""));
    answer_clear(&answer);
    answer = desk_call(*state, "GET", "tickets?email=c@d.example", NULL);
    assert_int_equal(json_array_size(answer.json), 1);
    answer_clear(&answer);
    answer = desk_call(*state, "GET", "tickets?updated_since=yesterday", NULL);
    assert_true(has_error(&answer, "updated_since", "invalid_value"));
    answer_clear(&answer);
    answer = desk_call(*state, "GET", "tickets?conversation=1", NULL);
    assert_true(has_error(&answer, "conversation", "invalid_field"));
    answer_clear(&answer);
}

static void updates_a_ticket(void **state)
{
    int64_t id = make_ticket(*state, "s", "a@b.example");
    char path[64];
    snprintf(path, sizeof path, "tickets/%lld", (long long)id);
    struct answer answer = desk_call(
        *state, "PUT", path, "{\"status\":4,\"tags\":[\"a\",\"b\"],\"custom_fields\":{\"cf_friction_score\":70}}");
    assert_int_equal(answer.status, 200);
    assert_int_equal(number_of(answer.json, "status"), 4);
    assert_int_equal(number_of(json_object_get(answer.json, "custom_fields"), "cf_friction_score"), 70);
    answer_clear(&answer);
    answer = desk_call(*state, "PUT", path, "{\"tags\":[\"c\"]}"); // replaces
    assert_int_equal(json_array_size(json_object_get(answer.json, "tags")), 1);
    answer_clear(&answer);
    snprintf(path, sizeof path, "tickets/%lld?include=conversations,requester", (long long)id);
    answer = desk_call(*state, "GET", path, NULL);
    assert_true(json_is_array(json_object_get(answer.json, "conversations")));
    assert_string_equal(text_of(json_object_get(answer.json, "requester"), "email"), "a@b.example");
    answer_clear(&answer);
    snprintf(path, sizeof path, "tickets/%lld?include=everything", (long long)id);
    assert_int_equal(desk_status(*state, "GET", path, NULL), 400);
}

static void search_lags(void **state)
{
    static const char path[] =
        "search/tickets?query=%22cf_freshchat_conversation_id:%27c9%27%20AND%20(status:2%20OR%20status:3)%22";
    struct answer answer = desk_call(*state, "POST", "tickets",
                                     "{\"subject\":\"s\",\"description\":\"d\",\"email\":\"a@b.example\","
                                     "\"custom_fields\":{\"cf_freshchat_conversation_id\":\"c9\"}}");
    assert_int_equal(answer.status, 201);
    answer_clear(&answer);
    answer = desk_call(*state, "GET", path, NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(number_of(answer.json, "total"), 0);
    answer_clear(&answer);
    sandbox_set_search_lag(*state, 0);
    int64_t id;
    sandbox_tickets_of(*state, "c9", &id);
    // A ticket whose change was due before is in the index under the lag it was made with; a new one is there at once.
    answer = desk_call(*state, "POST", "tickets",
                       "{\"subject\":\"s\",\"description\":\"d\",\"email\":\"a@b.example\","
                       "\"custom_fields\":{\"cf_freshchat_conversation_id\":\"c9\"}}");
    answer_clear(&answer);
    answer = desk_call(*state, "GET", path, NULL);
    assert_int_equal(number_of(answer.json, "total"), 1);
    assert_int_equal(number_of(json_array_get(json_object_get(answer.json, "results"), 0), "id"), id + 1);
    answer_clear(&answer);
    assert_int_equal(desk_status(*state, "GET", "search/tickets?query=status:2", NULL), 400);
    assert_int_equal(desk_status(*state, "GET", "search/tickets?query=%22status%20is%202%22", NULL), 400);
}

static struct answer admin_call(struct sandbox *sb, const char *method, const char *path, const char *body)
{
    return client_call(sb, true, method, path, body, NULL, "sandbox-freshdesk-admin-key");
}

static long admin_status(struct sandbox *sb, const char *method, const char *path, const char *body)
{
    struct answer answer = admin_call(sb, method, path, body);
    long status = answer.status;
    answer_clear(&answer);
    return status;
}

static void contacts_clash_and_fields_get_names(void **state)
{
    struct answer answer = desk_call(*state, "POST", "contacts", "{\"name\":\"Mia\",\"email\":\"mia@b.example\"}");
    assert_int_equal(answer.status, 201);
    int64_t id = number_of(answer.json, "id");
    answer_clear(&answer);
    answer = desk_call(*state, "POST", "contacts", "{\"name\":\"Mia\",\"email\":\"MIA@b.example\"}");
    assert_int_equal(answer.status, 409);
    json_t *error = json_array_get(json_object_get(answer.json, "errors"), 0);
    assert_string_equal(text_of(error, "code"), "duplicate_value");
    assert_int_equal(number_of(json_object_get(error, "additional_info"), "user_id"), id);
    answer_clear(&answer);
    answer = desk_call(*state, "GET", "contacts?email=mia@b.example", NULL);
    assert_int_equal(json_array_size(answer.json), 1);
    answer_clear(&answer);
    static const char field[] = "{\"label\":\"Shop Branch\",\"type\":\"custom_text\"}";
    answer = admin_call(*state, "POST", "admin/ticket_fields", field);
    assert_int_equal(answer.status, 201);
    assert_string_equal(text_of(answer.json, "name"), "cf_shop_branch");
    answer_clear(&answer);
    answer = admin_call(*state, "POST", "admin/ticket_fields", field);
    assert_string_equal(text_of(answer.json, "name"), "cf_shop_branch1"); // why nobody computes names
    answer_clear(&answer);
    answer = desk_call(*state, "GET", "agents?email=" SANDBOX_BEN, NULL);
    assert_int_equal(json_array_size(answer.json), 1);
    assert_int_equal(number_of(json_array_get(answer.json, 0), "id"), sandbox_desk_agent(*state, SANDBOX_BEN));
    answer_clear(&answer);
}

static void budgets_have_headers_and_an_end(void **state)
{
    struct answer answer = desk_call(*state, "GET", "agents/me", NULL);
    assert_null(strstr(answer.head, "X-RateLimit"));
    answer_clear(&answer);
    sandbox_set_limit(*state, SANDBOX_LIMIT_FRESHDESK, 5);
    answer = desk_call(*state, "GET", "tickets?include=description,requester", NULL); // 1 + 2 * 2
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.head, "X-RateLimit-Total: 5\r\n"));
    assert_non_null(strstr(answer.head, "X-RateLimit-Remaining: 0\r\n"));
    assert_non_null(strstr(answer.head, "X-RateLimit-Used-CurrentRequest: 5\r\n"));
    answer_clear(&answer);
    answer = desk_call(*state, "GET", "agents/me", NULL);
    assert_int_equal(answer.status, 429);
    assert_non_null(strstr(answer.head, "Retry-After: "));
    answer_clear(&answer);
    sandbox_set_limit(*state, SANDBOX_LIMIT_FRESHDESK, 0);
    sandbox_set_limit(*state, SANDBOX_LIMIT_TICKET_LIST, 1);
    assert_int_equal(desk_status(*state, "GET", "tickets", NULL), 200);
    assert_int_equal(desk_status(*state, "GET", "tickets", NULL), 429);
    assert_int_equal(desk_status(*state, "GET", "agents/me", NULL), 200);
}

static void keeps_rules(void **state)
{
    struct answer answer = admin_call(*state, "GET", "automations/4/rules", NULL);
    assert_int_equal(json_array_size(json_object_get(answer.json, "rules")), 1);
    int64_t id = number_of(json_array_get(json_object_get(answer.json, "rules"), 0), "id");
    answer_clear(&answer);
    char path[64];
    snprintf(path, sizeof path, "automations/4/rules/%lld", (long long)id);
    assert_int_equal(admin_status(*state, "PUT", path, "{\"active\":false}"), 200);
    assert_int_equal(admin_status(*state, "DELETE", path, NULL), 204);
    assert_int_equal(admin_status(*state, "GET", path, NULL), 404);
    answer = admin_call(
        *state, "POST", "automations/4/rules",
        "{\"name\":\"n\",\"performer\":{\"type\":1},\"events\":[{\"field_name\":\"reply_sent\"}],\"actions\":"
        "[{\"field_name\":\"trigger_webhook\",\"request_type\":\"POST\",\"content_type\":\"JSON\",\"content_"
        "layout\":\"2\","
        "\"url\":\"http://127.0.0.1:1/\",\"content\":{\"ticket_id\":\"{{ticket.id}}\"}}]}");
    assert_int_equal(answer.status, 201);
    assert_true(number_of(answer.json, "id") > 0);
    answer_clear(&answer);
    // A webhook action without its layout breaks the service instead of being refused.
    assert_int_equal(admin_status(*state, "POST", "automations/4/rules",
                                  "{\"name\":\"n\",\"actions\":[{\"field_name\":\"trigger_webhook\",\"request_type\":"
                                  "\"POST\",\"url\":\"x\"}]}"),
                     500);
}

static void what_administrators_may_do_others_may_not(void **state)
{
    static const char field[] = "{\"label\":\"Colour\",\"type\":\"custom_text\"}";
    assert_int_equal(desk_status(*state, "GET", "admin/ticket_fields", NULL), 403);
    assert_int_equal(desk_status(*state, "POST", "admin/ticket_fields", field), 403);
    assert_int_equal(desk_status(*state, "GET", "automations/4/rules", NULL), 403);
    assert_int_equal(desk_status(*state, "GET", "ticket_fields", NULL), 200);
    struct answer me = admin_call(*state, "GET", "agents/me", NULL);
    assert_string_equal(text_of(json_object_get(me.json, "contact"), "email"), SANDBOX_OWNER);
    answer_clear(&me);
    sandbox_set_key_is_admin(*state, true);
    assert_int_equal(desk_status(*state, "GET", "automations/4/rules", NULL), 200);
}

static void a_required_field_must_be_filled(void **state)
{
    static const char plain[] = "{\"subject\":\"s\",\"description\":\"d\",\"email\":\"a@b.example\"}";
    static const char filled[] = "{\"subject\":\"s\",\"description\":\"d\",\"email\":\"a@b.example\","
                                 "\"custom_fields\":{\"cf_branch\":\"North\"}}";
    sandbox_field_set(*state, "cf_branch", "custom_text", true);
    struct answer answer = desk_call(*state, "POST", "tickets", plain);
    assert_int_equal(answer.status, 400);
    const json_t *error = json_array_get(json_object_get(answer.json, "errors"), 0);
    assert_string_equal(text_of(error, "field"), "custom_fields.cf_branch");
    assert_string_equal(text_of(error, "code"), "missing_field");
    answer_clear(&answer);
    assert_int_equal(desk_status(*state, "POST", "tickets", filled), 201);
    assert_true(sandbox_field_remove(*state, "cf_branch"));
    assert_int_equal(desk_status(*state, "POST", "tickets", plain), 201);
    assert_int_equal(desk_status(*state, "POST", "tickets", filled), 400);
}

static void groups_and_products_exist_or_not(void **state)
{
    assert_int_equal(desk_status(*state, "GET", "groups/17000000001", NULL), 200);
    assert_int_equal(desk_status(*state, "GET", "groups/5", NULL), 404);
    assert_int_equal(desk_status(*state, "GET", "products/18000000001", NULL), 200);
    assert_int_equal(desk_status(*state, "GET", "products/5", NULL), 404);
}

static void an_account_with_built_in_chat_has_no_chat_api(void **state)
{
    sandbox_set_built_in_chat(*state, true);
    struct answer answer = chat_call(*state, "GET", "accounts/configuration", NULL);
    assert_int_equal(answer.status, 200);
    assert_null(answer.json); // a page
    answer_clear(&answer);
    int64_t id = sandbox_ticket_by_link(*state, "A chat", "a@b.example");
    char path[64];
    snprintf(path, sizeof path, "tickets/%lld", (long long)id);
    answer = desk_call(*state, "GET", path, NULL);
    assert_int_equal(number_of(answer.json, "source"), 7);
    assert_non_null(json_object_get(answer.json, "structured_description"));
    answer_clear(&answer);
}

int main(void)
{
#define WITH_SANDBOX(test) cmocka_unit_test_setup_teardown(test, start_sandbox, stop_sandbox)
    const struct CMUnitTest tests[] = {
        WITH_SANDBOX(refuses_without_the_key),
        WITH_SANDBOX(answers_404_405_and_415),
        WITH_SANDBOX(refuses_what_it_does_not_know),
        WITH_SANDBOX(creates_a_ticket),
        WITH_SANDBOX(notes_are_private_unless_said_otherwise),
        WITH_SANDBOX(lists_entries_by_thirty_oldest_first),
        WITH_SANDBOX(lists_tickets),
        WITH_SANDBOX(updates_a_ticket),
        WITH_SANDBOX(search_lags),
        WITH_SANDBOX(contacts_clash_and_fields_get_names),
        WITH_SANDBOX(budgets_have_headers_and_an_end),
        WITH_SANDBOX(keeps_rules),
        WITH_SANDBOX(what_administrators_may_do_others_may_not),
        WITH_SANDBOX(a_required_field_must_be_filled),
        WITH_SANDBOX(groups_and_products_exist_or_not),
        WITH_SANDBOX(an_account_with_built_in_chat_has_no_chat_api),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
