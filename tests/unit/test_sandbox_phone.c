// SPDX-License-Identifier: Apache-2.0
// The sandbox's Freshcaller as freshworks-api 6 and 8 want it: the key, how a call evolves, windows, pages, the
// recording's redirect, faults, and the link to Freshdesk. And what pages see and do.
#include "test_sandbox_client.h"

#include <time.h>

// GET below /api/v1, or with a body POST below /sandbox.
static struct answer phone(struct sandbox *sb, const char *path, const char *key, const char *body)
{
    char url[512], line[200];
    const char *api = sandbox_freshcaller_url(sb);
    size_t base = strlen(api) - (body || strncmp(path, "sandbox/", 8) == 0 ? strlen("/api/v1") : 0);
    struct curl_slist *headers = NULL;
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof url, "%.*s/%s", (int)base, api, path);
    snprintf(line, sizeof line, "X-Api-Auth: %s", key);
    headers = curl_slist_append(headers, line);
    if (body)
        headers = curl_slist_append(headers, "Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    return client_send(curl, headers, body);
}

static struct answer get(struct sandbox *sb, const char *path)
{
    return phone(sb, path, sandbox_freshcaller_key(sb), NULL);
}

static size_t listed(struct sandbox *sb, const char *query, json_int_t *pages, json_int_t *first)
{
    char path[300];
    snprintf(path, sizeof path, "calls?%s", query);
    struct answer answer = get(sb, path);
    assert_int_equal(answer.status, 200);
    const json_t *calls = json_object_get(answer.json, "calls"), *meta = json_object_get(answer.json, "meta");
    size_t count = json_array_size(calls);
    *pages = meta ? number_of(meta, "total_pages") : -1;
    *first = count ? number_of(json_array_get(calls, 0), "id") : 0;
    answer_clear(&answer);
    return count;
}

static void a_call_evolves(void **state)
{
    struct sandbox *sb = *state;
    char path[64];
    int64_t id = sandbox_phone_rings(sb, "+442079460101", "Ada");
    snprintf(path, sizeof path, "calls/%lld", (long long)id);
    struct answer answer = get(sb, path);
    json_t *call = json_object_get(answer.json, "call");
    assert_true(json_is_null(json_object_get(call, "bill_duration")));
    assert_string_equal(text_of(call, "direction"), "incoming");
    const json_t *customer = json_array_get(json_object_get(call, "participants"), 0);
    assert_string_equal(text_of(customer, "participant_type"), "Customer");
    assert_string_equal(text_of(customer, "caller_number"), "+442079460101");
    char before[40];
    snprintf(before, sizeof before, "%s", text_of(call, "updated_time"));
    answer_clear(&answer);

    assert_true(sandbox_phone_connects(sb, id, "Anna Berg"));
    assert_true(sandbox_phone_ends(sb, id, 64, 17)); // a number that nobody knows
    assert_true(sandbox_phone_recorded(sb, id));
    assert_false(sandbox_phone_recorded(sb, id + 1000));
    answer = get(sb, path);
    call = json_object_get(answer.json, "call");
    assert_int_equal(number_of(call, "bill_duration"), 64);
    assert_string_equal(text_of(call, "assigned_agent_name"), "Anna Berg");
    assert_int_equal(number_of(json_array_get(json_object_get(call, "participants"), 0), "call_status"), 17);
    assert_true(strcmp(text_of(call, "updated_time"), before) > 0); // three changes, three times
    assert_non_null(strstr(text_of(json_object_get(call, "recording"), "url"), "/recording"));
    answer_clear(&answer);
    snprintf(path, sizeof path, "calls/%lld/recording", (long long)id);
    answer = get(sb, path);
    assert_int_equal(answer.status, 302);
    assert_non_null(strstr(answer.head, "Location: http://127.0.0.1"));
    answer_clear(&answer);

    int64_t leg = sandbox_phone_transfers(sb, id, "Ben Kaya");
    snprintf(path, sizeof path, "calls/%lld", (long long)leg);
    answer = get(sb, path);
    assert_int_equal(number_of(json_object_get(answer.json, "call"), "root_call_id"), id);
    assert_int_equal(number_of(json_object_get(answer.json, "call"), "parent_call_id"), id);
    answer_clear(&answer);
}

static void lists_have_windows_and_pages(void **state)
{
    struct sandbox *sb = *state;
    json_int_t pages, first;
    int64_t ids[12];
    for (int i = 0; i < 12; i++)
        ids[i] = sandbox_phone_call(sb, "+442079460101", NULL, NULL, 1);
    assert_int_equal(listed(sb, "", &pages, &first), 10); // the default
    assert_int_equal(pages, 2);
    assert_int_equal(first, ids[0]);
    assert_int_equal(listed(sb, "per_page=100&page=1", &pages, &first), 12);
    sandbox_phone_set(sb, &(struct sandbox_phone_options){.page_cap = 5, .newest_first = true});
    assert_int_equal(listed(sb, "per_page=100&page=3", &pages, &first), 2);
    assert_int_equal(pages, 3);
    assert_int_equal(first, ids[1]);
    sandbox_phone_set(sb, &(struct sandbox_phone_options){.no_meta = true});
    assert_int_equal(listed(sb, "per_page=100", &pages, &first), 12);
    assert_int_equal(pages, -1);
    sandbox_phone_earlier(sb, ids[3], 86400000);
    assert_int_equal(listed(sb, "per_page=100&by_time[from]=2020-01-01T00:00:00Z&by_time%5Bto%5D=2099-01-01T00:00:00Z",
                            &pages, &first),
                     12);
    char query[200];
    time_t hour_ago = time(NULL) - 3600;
    char from[32];
    strftime(from, sizeof from, "%Y-%m-%dT%H:%M:%SZ", gmtime(&hour_ago));
    snprintf(query, sizeof query, "per_page=100&by_time%%5Bfrom%%5D=%s&by_time%%5Bto%%5D=2099-01-01T00:00:00Z", from);
    assert_int_equal(listed(sb, query, &pages, &first), 11);
    struct answer answer = get(sb, "calls?by_time[from]=2020-01-01T00:00:00Z");
    assert_int_equal(answer.status, 422); // both ends or none
    assert_string_equal(text_of(answer.json, "error_type"), "model_validation_failed");
    answer_clear(&answer);
}

static void strangers_faults_and_budgets_are_refused(void **state)
{
    struct sandbox *sb = *state;
    struct answer answer = phone(sb, "calls", "wrong", NULL);
    assert_int_equal(answer.status, 401);
    answer_clear(&answer);
    answer = get(sb, "calls/999");
    assert_int_equal(answer.status, 404);
    assert_string_equal(text_of(answer.json, "error_type"), "record_not_found");
    answer_clear(&answer);
    sandbox_fault_add(
        sb, &(struct sandbox_fault){
                .endpoint = SANDBOX_ANY_FRESHCALLER, .kind = SANDBOX_FAULT_STATUS, .status = 503, .count = 1});
    answer = get(sb, "calls");
    assert_int_equal(answer.status, 503);
    answer_clear(&answer);
    sandbox_set_limit(sb, SANDBOX_LIMIT_FRESHCALLER, 1);
    assert_int_equal(desk_status(sb, "GET", "tickets", NULL), 200); // another product, another budget
    answer = get(sb, "calls");
    assert_int_equal(answer.status, 200);
    answer_clear(&answer);
    answer = get(sb, "calls");
    assert_int_equal(answer.status, 429);
    assert_non_null(strstr(answer.head, "Retry-After: "));
    answer_clear(&answer);
    sandbox_set_limit(sb, SANDBOX_LIMIT_FRESHCALLER, 0);
}

static void its_link_to_freshdesk_makes_tickets(void **state)
{
    struct sandbox *sb = *state;
    struct sandbox_ticket ticket;
    int64_t id = sandbox_phone_call(sb, "+442079460101", "Ada", NULL, 5);
    int64_t made = sandbox_phone_native_ticket(sb, id, false);
    assert_true(sandbox_ticket(sb, made, &ticket));
    assert_int_equal(ticket.source, 3);
    sandbox_ticket_clear(&ticket);
    char path[64];
    snprintf(path, sizeof path, "calls/%lld", (long long)id);
    struct answer answer = get(sb, path);
    const json_t *resource =
        json_array_get(json_object_get(json_object_get(answer.json, "call"), "integrated_resources"), 0);
    assert_int_equal(number_of(resource, "id"), made);
    answer_clear(&answer);
    size_t before = sandbox_ticket_count(sb);
    sandbox_phone_set(sb, &(struct sandbox_phone_options){.native = true, .native_mute = true});
    sandbox_phone_call(sb, "+442079460102", "Bo", NULL, 5);
    assert_int_equal(sandbox_ticket_count(sb), before + 1);
}

static void pages_place_calls_and_see_them(void **state)
{
    struct sandbox *sb = *state;
    struct answer answer =
        phone(sb, "sandbox/phone", "", "{\"from\":\"+442079460101\",\"name\":\"Ada\",\"seconds\":20}");
    assert_int_equal(answer.status, 201);
    char path[64];
    snprintf(path, sizeof path, "sandbox/phone/%s/recording", text_of(answer.json, "id"));
    answer_clear(&answer);
    answer = phone(sb, path, "", "{}");
    assert_int_equal(answer.status, 200);
    answer_clear(&answer);
    answer = phone(sb, "sandbox/phone", "", "{\"from\":\"+442079460102\",\"agent\":\"Anna Berg\",\"seconds\":64}");
    answer_clear(&answer);
    answer = phone(sb, "sandbox/phone", "", "{\"from\":\"\"}");
    assert_int_equal(answer.status, 400);
    answer_clear(&answer);
    answer = get(sb, "sandbox/phone");
    const json_t *newest = json_array_get(answer.json, 0), *oldest = json_array_get(answer.json, 1);
    assert_string_equal(text_of(newest, "state"), "answered");
    assert_string_equal(text_of(newest, "agent"), "Anna Berg");
    assert_string_equal(text_of(oldest, "state"), "missed");
    assert_string_equal(text_of(oldest, "number"), "+442079460101");
    assert_true(json_is_true(json_object_get(oldest, "recorded")));
    assert_int_equal(number_of(oldest, "seconds"), 20);
    answer_clear(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_evolves, start_sandbox, stop_sandbox),
        cmocka_unit_test_setup_teardown(lists_have_windows_and_pages, start_sandbox, stop_sandbox),
        cmocka_unit_test_setup_teardown(strangers_faults_and_budgets_are_refused, start_sandbox, stop_sandbox),
        cmocka_unit_test_setup_teardown(its_link_to_freshdesk_makes_tickets, start_sandbox, stop_sandbox),
        cmocka_unit_test_setup_teardown(pages_place_calls_and_see_them, start_sandbox, stop_sandbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
