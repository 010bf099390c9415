// SPDX-License-Identifier: Apache-2.0
// What deskbellctl doctor makes of answers, numbers and modes: facts in, verdict out, and a remedy wherever something
// is wrong. No sockets. Ticket fields and the rule are in test_desk.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/judge.h"
#include "tests/unit/doctor_case.h"

// ---- keys, account --------------------------------------------------------------------------------------------------

static void a_key_works_is_refused_or_reaches_nobody(void **state)
{
    (void)state;
    static const struct {
        enum answer answer;
        long status;
        enum verdict verdict;
        const char *remedy;
    } rows[] = {
        {ANSWER_OK, 200, VERDICT_OK, ""},
        {ANSWER_AUTH, 401, VERDICT_FAIL, "right key into the file that freshdesk.key_file names"},
        {ANSWER_AUTH, 403, VERDICT_FAIL, "rights of an agent"},
        {ANSWER_NOT_FOUND, 404, VERDICT_FAIL, "api_url"},
        {ANSWER_RETRY, 0, VERDICT_FAIL, "firewall"},
        {ANSWER_RETRY, 429, VERDICT_UNKNOWN, "minute"},
        {ANSWER_RETRY, 503, VERDICT_FAIL, "later"},
        {ANSWER_RETRY, 200, VERDICT_FAIL, "api_url"}, // a page
        {ANSWER_RETRY, 302, VERDICT_FAIL, "api_url"},
    };
    struct findings *findings = findings_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reply reply = {.answer = rows[i].answer, .status = rows[i].status, .problem = "What was said."};
        bool works = judge_credential(findings, "freshdesk key", "freshdesk.key_file", &reply);
        assert_int_equal(works, rows[i].verdict == VERDICT_OK);
        said(findings, rows[i].verdict, works ? "works" : "What was said.");
        assert_non_null(strstr(findings->items[i].remedy, rows[i].remedy));
    }
    findings_free(&findings);
    assert_null(findings);
}

static void the_account_is_told_as_far_as_it_can_be(void **state)
{
    (void)state;
    static const struct {
        struct judge_generation facts;
        enum verdict verdict;
        const char *text;
    } rows[] = {
        {{ANSWER_OK, 200, true, true, false}, VERDICT_OK, "classic"},
        {{ANSWER_OK, 200, true, false, false}, VERDICT_OK, "classic"},
        {{ANSWER_OK, 200, true, true, true}, VERDICT_WARN, "tickets have the form"},
        {{ANSWER_RETRY, 200, true, true, true}, VERDICT_FAIL, "There is no Freshchat API"}, // a portal's page
        {{ANSWER_NOT_FOUND, 404, true, true, true}, VERDICT_FAIL, "There is no Freshchat API"},
        {{ANSWER_NOT_FOUND, 404, true, false, false}, VERDICT_WARN, "No Freshchat API answers"},
        {{ANSWER_RETRY, 0, true, true, true}, VERDICT_WARN, "cannot be told now"},
        {{ANSWER_AUTH, 401, true, true, false}, VERDICT_UNKNOWN, "Cannot tell"},
        {{ANSWER_RETRY, 0, true, false, false}, VERDICT_UNKNOWN, "no ticket to look at"},
        {{ANSWER_RETRY, 0, false, false, false}, VERDICT_UNKNOWN, "Cannot tell"},
    };
    struct findings *findings = findings_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        judge_generation(findings, &rows[i].facts);
        said(findings, rows[i].verdict, rows[i].text);
    }
    findings_free(&findings);
}

static void a_chat_ticket_without_a_conversation_is_somebody_elses(void **state)
{
    (void)state;
    struct findings *findings = findings_new();
    const int64_t now_ms = INT64_C(1741083630456); // 2025-03-04T10:20:30Z
    json_t *tickets = json_loads("[{\"source\":7,\"created_at\":\"2025-03-04T09:00:00Z\",\"custom_fields\":{\"cf_c\":"
                                 "\"5e0b\"}},{\"source\":2,\"created_at\":\"2025-03-04T09:00:00Z\",\"custom_fields\":"
                                 "{\"cf_c\":null}}]",
                                 0, NULL);
    judge_native_link(findings, tickets, "cf_c", now_ms, "");
    said(findings, VERDICT_OK, "Each of the 1 newest");
    json_array_append_new(
        tickets, json_loads("{\"source\":7,\"created_at\":\"2025-03-04T08:00:00Z\",\"custom_fields\":{\"cf_c\":"
                            "null},\"subject\":\"Mia Smith cannot pay\"}",
                            0, NULL));
    judge_native_link(findings, tickets, "cf_c", now_ms, "");
    said(findings, VERDICT_WARN, "1 of the 2 newest");
    assert_null(strstr(findings->items[1].text, "Mia"));
    judge_native_link(findings, tickets, "cf_c", now_ms + INT64_C(10) * 24 * 3600 * 1000, ""); // long ago
    said(findings, VERDICT_UNKNOWN, "nothing to see");
    judge_native_link(findings, NULL, "cf_c", now_ms, "Freshdesk failed.");
    said(findings, VERDICT_UNKNOWN, "Freshdesk failed.");
    json_decref(tickets);
    findings_free(&findings);
}

static void ids_and_agents_exist_or_not(void **state)
{
    (void)state;
    struct findings *findings = findings_new();
    struct reply reply = {.answer = ANSWER_OK, .status = 200};
    judge_named(findings, "group", "group 17", true, &reply);
    said(findings, VERDICT_OK, "group 17");
    reply.answer = ANSWER_NOT_FOUND;
    judge_named(findings, "group", "group 17", true, &reply);
    said(findings, VERDICT_FAIL, "no group 17");
    judge_named(findings, "product", "product 18", false, &reply);
    said(findings, VERDICT_WARN, "knows no product 18");
    reply.answer = ANSWER_AUTH;
    judge_named(findings, "group", "group 17", true, &reply);
    said(findings, VERDICT_UNKNOWN, "cannot be seen");
    judge_chat_agent(findings, NULL);
    said(findings, VERDICT_WARN, "is empty");
    reply.answer = ANSWER_OK;
    reply.json = json_pack("{s:b}", "is_deactivated", 1);
    judge_chat_agent(findings, &reply);
    said(findings, VERDICT_FAIL, "deactivated");
    json_object_set_new(reply.json, "is_deactivated", json_false());
    judge_chat_agent(findings, &reply);
    said(findings, VERDICT_OK, "can speak as");
    json_decref(reply.json);
    size_t before = findings->count;
    json_t *agent = json_pack("{s:i}", "ticket_scope", 1);
    judge_desk_agent(findings, agent);
    assert_int_equal(findings->count, before);
    json_object_set_new(agent, "ticket_scope", json_integer(3));
    judge_desk_agent(findings, agent);
    said(findings, VERDICT_WARN, "ticket_scope 3");
    json_decref(agent);
    findings_free(&findings);
}

// ---- this machine ---------------------------------------------------------------------------------------------------

static void clocks_disks_and_limits_have_bounds(void **state)
{
    (void)state;
    struct findings *findings = findings_new();
    judge_clock(findings, "Freshdesk", true, 900);
    said(findings, VERDICT_OK, "agree");
    judge_clock(findings, "Freshdesk", true, -20000);
    said(findings, VERDICT_WARN, "20 s ahead of Freshdesk");
    judge_clock(findings, "Freshdesk", true, 400000);
    said(findings, VERDICT_FAIL, "400 s behind Freshdesk");
    judge_clock(findings, "Freshdesk", false, 0);
    said(findings, VERDICT_UNKNOWN, "could not be read");
    judge_disk(findings, "/var/lib/deskbell", 99, 100);
    said(findings, VERDICT_FAIL, "less than");
    judge_disk(findings, "/var/lib/deskbell", 150, 100);
    said(findings, VERDICT_WARN, "below");
    judge_disk(findings, "/var/lib/deskbell", 200, 100);
    said(findings, VERDICT_OK, "free");
    judge_descriptors(findings, "The running front's", 65536, 64, 128);
    said(findings, VERDICT_OK, "65536");
    judge_descriptors(findings, "The running front's", 512, 64, 128);
    said(findings, VERDICT_FAIL, "512");
    judge_descriptors(findings, "This shell's", 1024, 64, 1000);
    said(findings, VERDICT_FAIL, "2064");
    judge_descriptors(findings, "This shell's", 0, 64, 128);
    said(findings, VERDICT_UNKNOWN, "not known");
    findings_free(&findings);
}

static void files_are_judged_for_the_daemons_user(void **state)
{
    (void)state;
    static const struct {
        mode_t mode;
        uid_t uid;
        gid_t gid;
        bool running;
        enum verdict verdict; // VERDICT_OK: nothing is said
    } rows[] = {
        {0640, 0, 200, false, VERDICT_OK},     {0600, 0, 0, false, VERDICT_FAIL}, // the daemon cannot read it
        {0600, 0, 0, true, VERDICT_OK},                                           // it could: LoadCredential
        {0644, 0, 200, false, VERDICT_FAIL},   {0660, 0, 200, false, VERDICT_WARN},
        {0600, 100, 200, false, VERDICT_WARN}, {0400, 100, 200, false, VERDICT_OK},
    };
    struct findings *findings = findings_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct stat info = {.st_mode = S_IFREG | rows[i].mode, .st_uid = rows[i].uid, .st_gid = rows[i].gid};
        const struct judge_user user = {.known = true, .running = rows[i].running, .uid = 100, .gid = 200};
        size_t before = findings->count;
        judge_secret_file(findings, "/etc/deskbell/credentials/freshdesk.key", &info, &user);
        assert_int_equal(findings->count - before, rows[i].verdict != VERDICT_OK);
        if (rows[i].verdict != VERDICT_OK)
            said(findings, rows[i].verdict, "freshdesk.key");
    }
    static const struct {
        mode_t mode;
        uid_t uid;
        bool running;
        enum verdict verdict;
    } public[] = {{0644, 0, false, VERDICT_OK},   {0640, 0, false, VERDICT_FAIL}, {0600, 0, true, VERDICT_OK},
                  {0646, 0, false, VERDICT_FAIL}, {0664, 0, false, VERDICT_WARN}, {0644, 100, false, VERDICT_WARN}};
    for (size_t i = 0; i < sizeof public / sizeof *public; i++) {
        const struct stat info = {.st_mode = S_IFREG | public[i].mode, .st_uid = public[i].uid};
        const struct judge_user user = {.known = true, .running = public[i].running, .uid = 100, .gid = 200};
        size_t before = findings->count;
        assert_int_equal(judge_public_file(findings, "/etc/deskbell/freshchat-webhook.pem", &info, &user),
                         public[i].verdict == VERDICT_OK);
        assert_int_equal(findings->count - before, public[i].verdict != VERDICT_OK);
        if (public[i].verdict != VERDICT_OK) {
            said(findings, public[i].verdict, "freshchat-webhook.pem");
            assert_non_null(strstr(findings->items[before].remedy, "chmod 0644"));
        }
    }
    static const struct {
        mode_t mode;
        uid_t uid;
        enum verdict verdict;
    } folders[] = {{0750, 0, VERDICT_OK},
                   {0777, 0, VERDICT_FAIL},
                   {0770, 0, VERDICT_WARN}, // by its group
                   {0700, 100, VERDICT_WARN},
                   {0755, 0, VERDICT_WARN}};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const struct stat info = {.st_mode = S_IFDIR | folders[i].mode, .st_uid = folders[i].uid, .st_gid = 200};
        const struct judge_user user = {.known = true, .uid = 100, .gid = 200};
        size_t before = findings->count;
        judge_secret_folder(findings, "/etc/deskbell/credentials", &info, &user);
        assert_int_equal(findings->count - before, folders[i].verdict != VERDICT_OK);
        if (folders[i].verdict != VERDICT_OK)
            said(findings, folders[i].verdict, "credentials");
    }
    const struct judge_user user = {.known = true, .uid = 100, .gid = 200}, nobody = {.known = false};
    struct stat folder = {.st_mode = S_IFDIR | 0700, .st_uid = 100, .st_gid = 200};
    size_t before = findings->count;
    judge_folder(findings, "state_dir", "/var/lib/deskbell", &folder, &user);
    judge_folder(findings, "state_dir", "/var/lib/deskbell", &folder, &nobody);
    assert_int_equal(findings->count, before);
    folder.st_uid = 0;
    judge_folder(findings, "state_dir", "/var/lib/deskbell", &folder, &user);
    said(findings, VERDICT_FAIL, "cannot write");
    folder = (struct stat){.st_mode = S_IFDIR | 0755, .st_uid = 100, .st_gid = 200};
    judge_folder(findings, "state_dir", "/var/lib/deskbell", &folder, &user);
    said(findings, VERDICT_WARN, "every user");
    folder.st_mode = S_IFREG | 0600;
    judge_folder(findings, "state_dir", "/var/lib/deskbell", &folder, &user);
    said(findings, VERDICT_FAIL, "no folder");
    findings_free(&findings);
}

static void deskbell_is_known_by_its_refusal(void **state)
{
    (void)state;
    static const struct {
        struct echo echo;
        enum verdict verdict;
        const char *text;
    } rows[] = {
        {{401, "{\"error\":\"X-Freshchat-Signature is not a signature\"}", ""}, VERDICT_OK, "refuses a wrong"},
        {{401, "{\"error\":\"X-Freshchat-Signature is missing\"}", ""}, VERDICT_FAIL, "the header"},
        {{401, "<html>Authorization required</html>", ""}, VERDICT_FAIL, "not as Deskbell does"},
        {{404, "<html>nginx</html>", ""}, VERDICT_FAIL, "answers 404"},
        {{200, "{}", ""}, VERDICT_FAIL, "answers 200"},
        {{503, "", ""}, VERDICT_FAIL, "503"},
        {{0, "", "Connection refused"}, VERDICT_FAIL, "Connection refused"},
    };
    struct findings *findings = findings_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int proxy = 0; proxy < 2; proxy++) {
            const struct judge_webhook asked = {"https://x/webhooks/freshchat", "X-Freshchat-Signature", proxy};
            judge_webhook(findings, &asked, &rows[i].echo);
            said(findings, rows[i].verdict, rows[i].text);
        }
    const struct judge_webhook hint = {"https://x/webhooks/freshdesk", "X-Deskbell-Token", true};
    const struct echo wrong = {401, "{\"error\":\"the token is wrong\"}", ""};
    judge_webhook(findings, &hint, &wrong);
    said(findings, VERDICT_OK, "refuses");
    size_t before = findings->count;
    static const struct {
        struct echo echo;
        enum verdict verdict;
        const char *text;
    } admin[] = {{{200, "{\"ready\":true}", ""}, VERDICT_OK, "is ready"},
                 {{503, "{\"missing\":[\"no worker is ready\"]}", ""}, VERDICT_FAIL, "no worker"},
                 {{404, "", ""}, VERDICT_FAIL, "404"},
                 {{0, "", "refused"}, VERDICT_FAIL, "refused"}};
    for (size_t i = 0; i < sizeof admin / sizeof *admin; i++) {
        judge_admin(findings, "http://127.0.0.1:9464/readyz", &admin[i].echo);
        said(findings, admin[i].verdict, admin[i].text);
    }
    before = findings->count;
    const struct echo open = {200, "# HELP deskbell_webhooks_total\n", ""}, hidden = {404, "", ""};
    judge_admin_is_private(findings, "https://x/metrics", &hidden);
    assert_int_equal(findings->count, before);
    judge_admin_is_private(findings, "https://x/metrics", &open);
    said(findings, VERDICT_FAIL, "open to everybody");
    assert_non_null(strstr(findings->items[before].remedy, "/callback.js, /callback and"));
    findings_free(&findings);
}

static void findings_are_shown_and_decide_the_exit(void **state)
{
    (void)state;
    struct findings *findings = findings_new();
    findings_add(findings, VERDICT_OK, "one", NULL, "It is %s.", "well");
    findings_add(findings, VERDICT_WARN, "two", "Do \033[2Jthat.", "It is so-so.");
    findings_add(findings, VERDICT_UNKNOWN, "two", NULL, "Who knows.");
    assert_int_equal(findings_exit(findings), EXIT_DONE);
    assert_string_equal(findings->items[1].remedy, "Do ?[2Jthat."); // nobody paints our terminal
    json_t *json = findings_json(findings);
    assert_true(json_is_true(json_object_get(json, "ok")));
    assert_int_equal(json_array_size(json_object_get(json, "checks")), 3);
    json_decref(json);
    findings_add(findings, VERDICT_FAIL, "three", "Do this.", "It is broken: \xff.");
    json = findings_json(findings);
    assert_false(json_is_true(json_object_get(json, "ok")));
    assert_int_equal(json_array_size(json_object_get(json, "checks")), 4);
    json_decref(json);
    assert_int_equal(findings_exit(findings), EXIT_REFUSED);
    findings_free(&findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_works_is_refused_or_reaches_nobody),
        cmocka_unit_test(the_account_is_told_as_far_as_it_can_be),
        cmocka_unit_test(a_chat_ticket_without_a_conversation_is_somebody_elses),
        cmocka_unit_test(ids_and_agents_exist_or_not),
        cmocka_unit_test(clocks_disks_and_limits_have_bounds),
        cmocka_unit_test(files_are_judged_for_the_daemons_user),
        cmocka_unit_test(deskbell_is_known_by_its_refusal),
        cmocka_unit_test(findings_are_shown_and_decide_the_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
