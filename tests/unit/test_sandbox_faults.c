// SPDX-License-Identifier: Apache-2.0
// The sandbox's faults do what they say, no more and no less; and waiting is for conditions.
#include "test_sandbox_client.h"

#include <pthread.h>

static const char ticket_body[] = "{\"subject\":\"s\",\"description\":\"d\",\"email\":\"a@b.example\"}";

static struct answer create(struct sandbox *sb)
{
    return desk_call(sb, "POST", "tickets", ticket_body);
}

static int add(struct sandbox *sb, enum sandbox_fault_kind kind, int64_t ms)
{
    return sandbox_fault_add(
        sb, &(struct sandbox_fault){.endpoint = SANDBOX_FD_TICKET_CREATE, .kind = kind, .count = 1, .ms = ms});
}

static bool one_ticket(struct sandbox *sb, void *arg)
{
    (void)arg;
    return sandbox_ticket_count(sb) == 1;
}

static void answers_a_status_without_the_work(void **state)
{
    int fault = sandbox_fault_add(*state, &(struct sandbox_fault){.endpoint = SANDBOX_FD_TICKET_CREATE,
                                                                  .kind = SANDBOX_FAULT_STATUS,
                                                                  .skip = 1,
                                                                  .count = 2,
                                                                  .status = 429,
                                                                  .retry_after = 7});
    long statuses[4];
    for (int i = 0; i < 4; i++) {
        struct answer answer = create(*state);
        statuses[i] = answer.status;
        assert_int_equal(strstr(answer.head, "Retry-After: 7\r\n") != NULL, i == 1 || i == 2);
        answer_clear(&answer);
    }
    assert_int_equal(statuses[0], 201);
    assert_int_equal(statuses[1], 429);
    assert_int_equal(statuses[2], 429);
    assert_int_equal(statuses[3], 201);
    assert_int_equal(sandbox_fault_hits(*state, fault), 2);
    assert_int_equal(sandbox_ticket_count(*state), 2);
    sandbox_fault_add(*state, &(struct sandbox_fault){.endpoint = SANDBOX_ANY_FRESHDESK,
                                                      .kind = SANDBOX_FAULT_STATUS,
                                                      .status = 503,
                                                      .no_body = true,
                                                      .after_work = true});
    struct answer answer = create(*state);
    assert_int_equal(answer.status, 503);
    assert_int_equal(answer.length, 0);
    answer_clear(&answer);
    assert_int_equal(sandbox_ticket_count(*state), 3);
    assert_int_equal(chat_status(*state, "GET", "channels", NULL), 200); // the other product is well
    sandbox_faults_clear(*state);
    assert_int_equal(desk_status(*state, "GET", "agents/me", NULL), 200);
}

static void loses_the_answer_after_the_work(void **state)
{
    add(*state, SANDBOX_FAULT_LOST, 0);
    struct answer answer = create(*state);
    assert_int_equal(answer.status, 0);
    assert_int_equal(answer.code, CURLE_GOT_NOTHING);
    answer_clear(&answer);
    assert_int_equal(sandbox_ticket_count(*state), 1);
    struct sandbox_call *calls;
    assert_int_equal(sandbox_calls(*state, &calls), 1);
    assert_int_equal(calls[0].status, 0);
    assert_int_equal(calls[0].kind, SANDBOX_FD_TICKET_CREATE);
    assert_string_equal(calls[0].method, "POST");
    assert_string_equal(calls[0].path, "/api/v2/tickets");
    sandbox_calls_free(calls, 1);
}

static void drops_before_the_work(void **state)
{
    add(*state, SANDBOX_FAULT_DROP, 0);
    struct answer answer = create(*state);
    assert_int_equal(answer.code, CURLE_GOT_NOTHING);
    answer_clear(&answer);
    assert_int_equal(sandbox_ticket_count(*state), 0);
    assert_int_equal(sandbox_call_count(*state, SANDBOX_FD_TICKET_CREATE), 1);
}

static void works_after_the_connection_is_gone(void **state)
{
    add(*state, SANDBOX_FAULT_LATE_WORK, 300);
    int64_t start = sandbox_now_us();
    struct answer answer = create(*state);
    assert_int_equal(answer.code, CURLE_GOT_NOTHING);
    answer_clear(&answer);
    assert_int_equal(sandbox_ticket_count(*state), 0);
    assert_true(sandbox_wait(*state, one_ticket, NULL, 5000));
    assert_true(sandbox_now_us() - start >= 300000);
}

static void hangs_then_closes(void **state)
{
    add(*state, SANDBOX_FAULT_HANG, 200);
    int64_t start = sandbox_now_us();
    struct answer answer = create(*state);
    assert_int_equal(answer.status, 0);
    assert_true(sandbox_now_us() - start >= 200000);
    answer_clear(&answer);
    assert_int_equal(sandbox_ticket_count(*state), 0);
}

static void is_slow_before_or_after_the_work(void **state)
{
    struct answer answer;
    add(*state, SANDBOX_FAULT_SLOW, 150);
    int64_t start = sandbox_now_us();
    answer = create(*state);
    assert_int_equal(answer.status, 201);
    answer_clear(&answer);
    struct sandbox_ticket *tickets;
    size_t count = sandbox_tickets(*state, &tickets);
    assert_int_equal(count, 1);
    assert_true(tickets[0].at_us - start >= 150000);
    sandbox_tickets_free(tickets, count);
    add(*state, SANDBOX_FAULT_SLOW_ANSWER, 150);
    answer = create(*state);
    int64_t end = sandbox_now_us();
    assert_int_equal(answer.status, 201);
    answer_clear(&answer);
    count = sandbox_tickets(*state, &tickets);
    assert_int_equal(count, 2);
    assert_true(end - tickets[1].at_us >= 150000);
    sandbox_tickets_free(tickets, count);
}

static void answers_html_with_200(void **state)
{
    add(*state, SANDBOX_FAULT_HTML, 0);
    struct answer answer = create(*state);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.head, "Content-Type: text/html"));
    assert_null(answer.json);
    answer_clear(&answer);
    assert_int_equal(sandbox_ticket_count(*state), 0);
}

static void chance_follows_its_seed(void **state)
{
    char first[65] = "", second[65] = "";
    for (int round = 0; round < 2; round++) {
        sandbox_faults_clear(*state);
        sandbox_fault_add(
            *state,
            &(struct sandbox_fault){
                .endpoint = SANDBOX_ANY, .kind = SANDBOX_FAULT_STATUS, .status = 500, .probability = 0.5, .seed = 42});
        for (int i = 0; i < 64; i++)
            (round == 0 ? first : second)[i] = chat_status(*state, "GET", "channels", NULL) == 500 ? 'x' : '.';
    }
    assert_string_equal(first, second);
    assert_non_null(strchr(first, 'x'));
    assert_non_null(strchr(first, '.'));
}

// libcurl repeats a request by itself, POST included, when a kept connection ends without a byte of answer. A bridge
// must know: one call of curl_easy_perform can be two tickets.
static void a_kept_connection_doubles_a_lost_post(void **state)
{
    struct sandbox *sb = *state;
    char url[128], login[128];
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    struct answer answer = {0};
    snprintf(login, sizeof login, "%s:X", sandbox_freshdesk_key(sb));
    snprintf(url, sizeof url, "%s/tickets", sandbox_freshdesk_url(sb));
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_USERPWD, login);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, ticket_body);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, client_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    add(sb, SANDBOX_FAULT_LOST, 0);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    assert_int_equal(sandbox_ticket_count(sb), 3);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    answer_clear(&answer);
}

static void *make_later(void *argument)
{
    make_ticket(argument, "s", "a@b.example");
    return NULL;
}

static bool never(struct sandbox *sb, void *arg)
{
    (void)sb;
    ++*(int *)arg;
    return false;
}

static void waits_for_conditions(void **state)
{
    pthread_t thread;
    int looks = 0;
    int64_t start = sandbox_now_us();
    assert_false(sandbox_wait(*state, never, &looks, 100));
    assert_true(sandbox_now_us() - start >= 100000);
    assert_true(looks >= 2);
    assert_int_equal(pthread_create(&thread, NULL, make_later, *state), 0);
    assert_true(sandbox_wait(*state, one_ticket, NULL, 5000));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(sandbox_wait_calls(*state, SANDBOX_ANY, 1, 0));
    assert_int_equal(sandbox_wait_ticket(*state, "no such conversation", 0), 0);
}

static void *perform(void *argument)
{
    curl_easy_perform(argument);
    return NULL;
}

static void stops_while_requests_hang(void **state)
{
    struct sandbox_options options;
    pthread_t thread;
    struct sandbox *sb;
    (void)state;
    test_options(&options);
    sb = sandbox_new(&options);
    assert_non_null(sb);
    sandbox_fault_add(sb,
                      &(struct sandbox_fault){.endpoint = SANDBOX_ANY, .kind = SANDBOX_FAULT_LATE_WORK, .ms = 60000});
    struct answer answer = create(sb);
    answer_clear(&answer);
    sandbox_faults_clear(sb);
    sandbox_fault_add(sb, &(struct sandbox_fault){.endpoint = SANDBOX_ANY, .kind = SANDBOX_FAULT_HANG, .ms = 60000});
    char url[128];
    snprintf(url, sizeof url, "%s/tickets", sandbox_freshdesk_url(sb));
    // The hanging client does not touch the sandbox object, which is about to go.
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 30000L);
    assert_int_equal(pthread_create(&thread, NULL, perform, curl), 0);
    assert_true(sandbox_wait_calls(sb, SANDBOX_FD_TICKET_LIST, 1, 5000));
    int64_t start = sandbox_now_us();
    sandbox_free(&sb);
    assert_true(sandbox_now_us() - start < 10000000);
    assert_int_equal(pthread_join(thread, NULL), 0);
    curl_easy_cleanup(curl);
}

int main(void)
{
#define WITH_SANDBOX(test) cmocka_unit_test_setup_teardown(test, start_sandbox, stop_sandbox)
    const struct CMUnitTest tests[] = {
        WITH_SANDBOX(answers_a_status_without_the_work),
        WITH_SANDBOX(loses_the_answer_after_the_work),
        WITH_SANDBOX(drops_before_the_work),
        WITH_SANDBOX(works_after_the_connection_is_gone),
        WITH_SANDBOX(hangs_then_closes),
        WITH_SANDBOX(is_slow_before_or_after_the_work),
        WITH_SANDBOX(answers_html_with_200),
        WITH_SANDBOX(chance_follows_its_seed),
        WITH_SANDBOX(a_kept_connection_doubles_a_lost_post),
        WITH_SANDBOX(waits_for_conditions),
        cmocka_unit_test(stops_while_requests_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
