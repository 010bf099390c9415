// SPDX-License-Identifier: Apache-2.0
// deskbellctl doctor against a healthy installation and against each kind of broken one; deskbellctl provision from a
// bare helpdesk to one that doctor calls ready, twice, and with its answers lost on the way.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/scenario/operator.h"
#include "tests/scenario/story.h"

#define FIELD_CART "cf_cart_value"

// The answer of doctor or provision to these words, with this configuration (NULL: the scenario's); fails the test
// unless it leaves with `code`, or when a secret is in it.
#define says(s, code, ...) answer_of(s, NULL, code, (const char *const[]){__VA_ARGS__, NULL})
static json_t *answer_of(struct scenario *s, const char *config, int code, const char *const *words)
{
    const char *all[OPERATOR_WORDS + 4] = {"--json", "-c", config ? config : scenario_config(s)};
    size_t count = 3;
    char *output = NULL;
    json_error_t problem;
    for (size_t i = 0; i < OPERATOR_WORDS && words[i]; i++)
        all[count++] = words[i];
    all[count] = NULL;
    int left = operator_types(s, all, &output);
    if (left != code)
        scenario_fail("deskbellctl %s left with %d instead of %d: %s", words[0], left, code, output);
    struct sandbox *sb = scenario_sandbox(s);
    const char *const secrets[] = {sandbox_freshchat_token(sb), sandbox_freshdesk_key(sb),
                                   sandbox_freshdesk_admin_key(sb), sandbox_hint_token(sb)};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        if (strstr(output, secrets[i]))
            scenario_fail("a secret is in the output of deskbellctl %s: %s", words[0], output);
    json_t *answer = json_loads(output, JSON_REJECT_DUPLICATES, &problem);
    if (!answer)
        scenario_fail("deskbellctl %s said no JSON: %s", words[0], output);
    free(output);
    return answer;
}

// Fails the test unless one finding of that check has this verdict and this text. Several of a check are several rows.
static void finds(struct scenario *s, const json_t *answer, const char *check, const char *verdict, const char *text)
{
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(answer, "checks"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "check")), check) == 0 &&
            strcmp(json_string_value(json_object_get(row, "verdict")), verdict) == 0 &&
            strstr(json_string_value(json_object_get(row, "text")), text))
            return;
    }
    char *all = json_dumps(answer, JSON_INDENT(1));
    (void)s;
    scenario_fail("nothing says \"%s\" of %s: %s in\n%s", verdict, check, text, all);
}

static void doctor_finds(struct scenario *s, const char *check, const char *verdict, const char *text)
{
    json_t *answer = says(s, strcmp(verdict, "fail") == 0, "doctor");
    finds(s, answer, check, verdict, text);
    json_decref(answer);
}

// A copy of the scenario's configuration in which `from` is replaced, and `more` added.
static const char *changed_config(struct scenario *s, const char *name, const char *from, const char *to)
{
    const char *path = scenario_path(s, name);
    char *text = calloc(1, 65536);
    FILE *file = fopen(scenario_config(s), "re");
    assert_non_null(text);
    assert_non_null(file);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    char *at = strstr(text, from);
    assert_non_null(at);
    file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    fclose(file);
    free(text);
    return path;
}

static const char *admin_key(struct scenario *s)
{
    const char *path = scenario_path(s, "admin.key");
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(sandbox_freshdesk_admin_key(scenario_sandbox(s)), file);
    fclose(file);
    chmod(path, 0600);
    return path;
}

static const char *front_url(struct scenario *s)
{
    static char url[64];
    snprintf(url, sizeof url, "http://%s:%d", scenario_address(s), scenario_port(s));
    return url;
}

static struct scenario *begin_bare(void **state, enum sandbox_layout layout)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.sandbox.no_fields = true;
    options.sandbox.default_rule = false;
    options.sandbox.webhook_layout = layout;
    return scenario_begin(state, &options);
}

// ---------------------------------------------------------------- doctor
static void a_healthy_installation_has_nothing_to_mend(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "Is the blue one back?");
    ticket_appears_within(s, "ada", 10000);
    agent_replies(s, "ada", STORY_ANNA, "<p>Tomorrow</p>");
    chat_shows_within(s, "ada", "Tomorrow", 10000);
    assert_true(sandbox_wait_webhooks_idle(scenario_sandbox(s), 10000));
    json_t *answer = says(s, 0, "doctor", "--public-url", front_url(s), "--key-file", admin_key(s));
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(answer, "checks"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "verdict")), "ok") != 0)
            scenario_fail("%s: %s", json_string_value(json_object_get(row, "check")),
                          json_string_value(json_object_get(row, "text")));
    }
    finds(s, answer, "account", "ok", "classic");
    finds(s, answer, "native link", "ok", "Each of the 1 newest");
    finds(s, answer, "reply rule", "ok", "active");
    finds(s, answer, "last webhook", "ok", "freshchat");
    finds(s, answer, "last webhook", "ok", "freshdesk");
    finds(s, answer, "admin address", "ok", "ready");
    finds(s, answer, "public address", "ok", "/webhooks/freshdesk answers");
    json_decref(answer);
    calls_are(s, SANDBOX_FD_FIELD_CREATE, 0);
    calls_are(s, SANDBOX_FD_RULE_CREATE, 0);
    char *output = NULL; // for people
    const char *const words[] = {"-c", scenario_config(s), "doctor", NULL};
    assert_int_equal(operator_types(s, words, &output), 0);
    assert_non_null(strstr(output, "0 failed"));
    assert_null(strstr(output, "blue one"));
    free(output);

    operator_says(s, 0, "pause", "desk-to-chat");
    doctor_finds(s, "paused", "warn", "desk-to-chat is paused");
    operator_says(s, 0, "resume", "desk-to-chat");
    scenario_stop(s); // before it runs, nothing is wrong with that
    doctor_finds(s, "deskbelld", "warn", "does not run");
    doctor_finds(s, "freshdesk key", "ok", "works");
    scenario_end(s);
}

static void what_is_wrong_with_the_account_is_told(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    struct sandbox *sb = scenario_sandbox(s);
    sandbox_field_set(sb, FIELD_CART, "custom_dropdown", false);
    doctor_finds(s, "ticket field", "fail", FIELD_CART " is a dropdown");
    sandbox_field_remove(sb, FIELD_CART);
    doctor_finds(s, "ticket field", "fail", "no ticket field " FIELD_CART);
    sandbox_field_set(sb, FIELD_CART, "custom_decimal", true);
    doctor_finds(s, "required fields", "fail", FIELD_CART);
    sandbox_field_set(sb, FIELD_CART, "custom_decimal", false);
    sandbox_field_set(sb, "cf_branch", "custom_text", true);
    doctor_finds(s, "required fields", "fail", "cf_branch");
    sandbox_field_remove(sb, "cf_branch");

    sandbox_set_clock_skew(sb, 600000);
    doctor_finds(s, "clock", "fail", "behind Freshdesk");
    sandbox_set_clock_skew(sb, -20000);
    doctor_finds(s, "clock", "warn", "ahead of Freshchat");
    sandbox_set_clock_skew(sb, 0);

    sandbox_ticket_by_link(sb, "Chat was resolved", "ada@shop.example");
    doctor_finds(s, "native link", "warn", "1 of the 1 newest");
    sandbox_set_key_is_admin(sb, true);
    doctor_finds(s, "freshdesk key", "warn", "administrator");
    doctor_finds(s, "reply rule", "ok", "active");
    sandbox_rules_set_active(sb, false);
    doctor_finds(s, "reply rule", "fail", "switched off");
    sandbox_rules_set_active(sb, true);

    int refused = sandbox_fault_add(
        sb, &(struct sandbox_fault){.endpoint = SANDBOX_FC_ACCOUNT, .kind = SANDBOX_FAULT_STATUS, .status = 401});
    doctor_finds(s, "freshchat key", "fail", "does not accept the API key");
    sandbox_fault_remove(sb, refused);
    refused = sandbox_fault_add(
        sb, &(struct sandbox_fault){.endpoint = SANDBOX_FD_AGENT_ME, .kind = SANDBOX_FAULT_STATUS, .status = 403});
    doctor_finds(s, "freshdesk key", "fail", "does not allow this");
    sandbox_fault_remove(sb, refused);
    sandbox_chat_agent_set_active(sb, SANDBOX_ASSISTANT, false);
    doctor_finds(s, "chat agent", "fail", "deactivated");
    sandbox_chat_agent_set_active(sb, SANDBOX_ASSISTANT, true);

    sandbox_set_built_in_chat(sb, true);
    sandbox_ticket_by_link(sb, "A chat is a ticket", "ada@shop.example");
    doctor_finds(s, "account", "fail", "built-in chat");
    sandbox_set_built_in_chat(sb, false);
    scenario_end(s);
}

static void what_is_wrong_on_this_machine_is_told(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    char path[160], line[160];
    json_t *answer;
    static const char *const doctor[] = {"doctor", NULL};

    answer = answer_of(s, changed_config(s, "typo.conf", "front {", "frnot {"), 1, doctor);
    finds(s, answer, "configuration", "fail", "typo.conf:");
    json_decref(answer);
    snprintf(path, sizeof path, "%s/freshdesk.key", scenario_folder(s));
    answer = answer_of(s, changed_config(s, "gone.conf", "/freshdesk.key", "/no.such.key"), 1, doctor);
    finds(s, answer, "secrets", "fail", "no.such.key");
    finds(s, answer, "freshdesk key", "unknown", "Not tried");
    json_decref(answer);
    answer = answer_of(
        s, changed_config(s, "group.conf", "timing {", "ticket { group_id = 5  type = \"Complaint\" }\ntiming {"), 1,
        doctor);
    finds(s, answer, "group", "fail", "no group 5");
    finds(s, answer, "ticket.type", "fail", "Complaint");
    json_decref(answer);
    answer = answer_of(s, changed_config(s, "observe.conf", "front {", "mode = \"observe\"\nfront {"), 0, doctor);
    finds(s, answer, "mode", "warn", "only observes");
    json_decref(answer);
    // The third product's key, right and wrong.
    char calls[400];
    snprintf(calls, sizeof calls,
             "freshcaller {\n  enabled = true\n  api_url = \"%s\"\n  key_file = \"%s/freshcaller.key\"\n  phone_number "
             "= \"+31 20 "
             "1234567\"\n"
             "}\ntiming {",
             sandbox_freshcaller_url(scenario_sandbox(s)), scenario_folder(s));
    const char *with_calls = changed_config(s, "calls.conf", "timing {", calls);
    answer = answer_of(s, with_calls, 0, doctor);
    finds(s, answer, "freshcaller key", "ok", "works");
    json_decref(answer);
    int refused = sandbox_fault_add(
        scenario_sandbox(s),
        &(struct sandbox_fault){.endpoint = SANDBOX_PHONE_USERS, .kind = SANDBOX_FAULT_STATUS, .status = 401});
    answer = answer_of(s, with_calls, 1, doctor);
    finds(s, answer, "freshcaller key", "fail", "Freshcaller does not accept");
    json_decref(answer);
    sandbox_fault_remove(scenario_sandbox(s), refused);
    // Nobody listens there.
    snprintf(line, sizeof line, "api_url = \"%s\"", sandbox_freshdesk_url(scenario_sandbox(s)));
    answer = answer_of(s, changed_config(s, "away.conf", line, "api_url = \"http://127.0.0.1:1/api/v2\""), 1, doctor);
    finds(s, answer, "freshdesk key", "fail", "could not be reached");
    finds(s, answer, "freshchat key", "ok", "works");
    json_decref(answer);

    assert_int_equal(chmod(path, 0644), 0);
    doctor_finds(s, "secrets", "fail", "every user");
    assert_int_equal(chmod(path, 0600), 0);
    snprintf(path, sizeof path, "%s/freshchat.pem", scenario_folder(s));
    assert_int_equal(truncate(path, 40), 0);
    doctor_finds(s, "webhook key", "fail", "freshchat.pem");
    answer = says(s, 1, "doctor", "--public-url", "http://127.0.0.1:1");
    finds(s, answer, "public address", "fail", "does not answer");
    json_decref(answer);
    operator_says(s, 2, "doctor", "--public-url", "http://shop.example"); // a key would travel in the clear
    operator_says(s, 2, "doctor", "everything");
    scenario_end(s);
}

// ---------------------------------------------------------------- provision
static void rules_are(struct scenario *s, size_t count)
{
    char *text = sandbox_rules(scenario_sandbox(s));
    json_t *rules = json_loads(text, 0, NULL);
    if (json_array_size(rules) != count)
        scenario_fail("%zu rules instead of %zu", json_array_size(rules), count);
    json_decref(rules);
    free(text);
}

static void says_to_remove_the_key(const json_t *answer, bool wanted)
{
    json_t *item;
    size_t i;
    bool said = false;
    json_array_foreach(json_object_get(answer, "by_hand"), i, item) said =
        said || strstr(json_string_value(item), "not needed any more");
    assert_int_equal(said, wanted);
}

static void from_a_bare_helpdesk_to_a_reply_in_the_chat(void **state)
{
    struct scenario *s = begin_bare(state, SANDBOX_LAYOUT_BESIDE_CONTENT);
    const char *key = admin_key(s), *url = front_url(s);
    doctor_finds(s, "ticket field", "fail", "no ticket field cf_screen");

    json_t *answer = says(s, 0, "provision", "--dry-run", "--key-file", key, "--public-url", url);
    finds(s, answer, "ticket field", "ok", "cf_freshchat_conversation_id would be made");
    finds(s, answer, "reply rule", "ok", "would be made");
    assert_true(json_array_size(json_object_get(answer, "by_hand")) > 3);
    json_decref(answer);
    calls_are(s, SANDBOX_FD_FIELD_CREATE, 0);
    calls_are(s, SANDBOX_FD_RULE_CREATE, 0);

    // Without an administrator's key nothing is done, and nothing is tried.
    answer = says(s, 1, "provision", "--public-url", url);
    finds(s, answer, "ticket field", "fail", "does not allow this");
    json_decref(answer);
    // Where the rule is to post must be said before it can be made.
    answer = says(s, 1, "provision", "--key-file", key);
    finds(s, answer, "reply rule", "fail", "where it is to post");
    says_to_remove_the_key(answer, false); // it is needed again
    json_decref(answer);
    calls_are(s, SANDBOX_FD_FIELD_CREATE, 4);

    answer = says(s, 0, "provision", "--key-file", key, "--public-url", url);
    finds(s, answer, "reply rule", "ok", "was made");
    finds(s, answer, "freshdesk key", "ok", "plain agent");
    json_decref(answer);
    answer = says(s, 0, "provision", "--key-file", key, "--public-url", url); // changes nothing
    finds(s, answer, "ticket field", "ok", FIELD_CART " is there");
    finds(s, answer, "reply rule", "ok", "is active");
    json_decref(answer);
    calls_are(s, SANDBOX_FD_FIELD_CREATE, 4);
    calls_are(s, SANDBOX_FD_RULE_CREATE, 1);
    calls_are(s, SANDBOX_FD_RULE_PUT, 0);
    answer = says(s, 0, "doctor", "--key-file", key, "--public-url", url);
    finds(s, answer, "reply rule", "ok", "active");
    json_decref(answer);

    customer_writes(s, "ada", "Is the blue one back?");
    ticket_appears_within(s, "ada", 10000);
    ticket_cart_is_within(s, "ada", "249.5", 10000);
    agent_replies(s, "ada", STORY_ANNA, "<p>Tomorrow</p>");
    chat_shows_within(s, "ada", "Tomorrow", 10000);
    doctor_finds(s, "last webhook", "ok", "freshdesk"); // the rule's token is the right one

    // The shop moved: what provision made it may put right; that is one write.
    sandbox_rules_set_active(scenario_sandbox(s), false);
    answer = says(s, 0, "provision", "--dry-run", "--key-file", key, "--public-url", "https://chat.shop.example");
    finds(s, answer, "reply rule", "ok", "would be put right: ");
    finds(s, answer, "reply rule", "ok", " -> https://chat.shop.example/webhooks/freshdesk; it was switched off");
    says_to_remove_the_key(answer, false);
    json_decref(answer);
    answer = says(s, 0, "provision", "--key-file", key, "--public-url", "https://chat.shop.example/");
    finds(s, answer, "reply rule", "ok", "was put right: ");
    finds(s, answer, "reply rule", "ok", " -> https://chat.shop.example/webhooks/freshdesk; it was switched off");
    says_to_remove_the_key(answer, true);
    json_decref(answer);
    calls_are(s, SANDBOX_FD_RULE_PUT, 1);
    rules_are(s, 1);
    answer = says(s, 0, "doctor", "--key-file", key);
    finds(s, answer, "reply rule", "ok", "https://chat.shop.example/webhooks/freshdesk");
    json_decref(answer);
    scenario_end(s);
}

static void what_others_made_is_left_alone(void **state)
{
    struct scenario *s = scenario_begin(state, NULL); // with a rule made by hand
    struct sandbox *sb = scenario_sandbox(s);
    const char *key = admin_key(s), *url = front_url(s);
    sandbox_field_set(sb, FIELD_CART, "custom_dropdown", false);
    sandbox_rules_set_active(sb, false);
    json_t *answer = says(s, 1, "provision", "--key-file", key, "--public-url", url);
    finds(s, answer, "ticket field", "fail", "a dropdown");
    finds(s, answer, "reply rule", "fail", "switched off");
    json_decref(answer);
    sandbox_field_set(sb, FIELD_CART, "custom_decimal", false);
    sandbox_rules_set_active(sb, true);
    answer = says(s, 0, "provision", "--key-file", key, "--public-url", url);
    finds(s, answer, "reply rule", "ok", "active");
    json_decref(answer);
    calls_are(s, SANDBOX_FD_FIELD_CREATE, 0);
    calls_are(s, SANDBOX_FD_RULE_CREATE, 0);
    calls_are(s, SANDBOX_FD_RULE_PUT, 0);
    // A rule that posts to the end of another address is another program's, and does not stand in the way.
    answer = says(s, 0, "provision", "--dry-run", "--key-file", key, "--public-url", "https://chat.shop.example");
    finds(s, answer, "reply rule", "ok", "would be made");
    finds(s, answer, "reply rule", "warn", "A rule made by hand posts to ");
    json_decref(answer);
    answer = says(s, 1, "doctor", "--key-file", key, "--public-url", "https://chat.shop.example");
    finds(s, answer, "reply rule", "fail", "No automation rule");
    json_decref(answer);
    // The helpdesk chooses another name than the configuration's.
    sandbox_field_remove(sb, "cf_screen");
    sandbox_set_numbered_fields(sb, true);
    for (int i = 0; i < 2; i++) { // the second finds what the first has made, under the name that the helpdesk chose
        answer = says(s, 1, "provision", "--key-file", key, "--public-url", url);
        finds(s, answer, "ticket field", "fail", i ? "is called cf_screen1" : "has named it cf_screen1");
        json_decref(answer);
    }
    calls_are(s, SANDBOX_FD_FIELD_CREATE, 1);
    scenario_end(s);
}

static void an_answer_lost_half_way_makes_nothing_twice(void **state)
{
    struct scenario *s = begin_bare(state, SANDBOX_LAYOUT_INSIDE_CONTENT);
    struct sandbox *sb = scenario_sandbox(s);
    const char *key = admin_key(s), *url = front_url(s);
    // Made, and the answer lost: it is seen at once. Made only later: nothing more is written until the next run.
    sandbox_fault_add(
        sb, &(struct sandbox_fault){.endpoint = SANDBOX_FD_FIELD_CREATE, .kind = SANDBOX_FAULT_LOST, .count = 1});
    sandbox_fault_add(sb,
                      &(struct sandbox_fault){
                          .endpoint = SANDBOX_FD_FIELD_CREATE, .kind = SANDBOX_FAULT_LATE_WORK, .count = 1, .ms = 700});
    json_t *answer = says(s, 1, "provision", "--key-file", key, "--public-url", url);
    finds(s, answer, "ticket field", "ok", "cf_freshchat_conversation_id was made");
    finds(s, answer, "ticket field", "fail", FIELD_CART ": Freshdesk gave no complete answer");
    finds(s, answer, "reply rule", "unknown", "Not looked at");
    json_decref(answer);
    char type[64];
    while (!sandbox_field_type(sb, FIELD_CART, type, sizeof type))
        usleep(5000); // the test's own time-out ends a wait for nothing
    // The rule: the first layout breaks this account, the second is right and its answer is lost.
    sandbox_fault_add(sb, &(struct sandbox_fault){
                              .endpoint = SANDBOX_FD_RULE_CREATE, .kind = SANDBOX_FAULT_LOST, .skip = 1, .count = 1});
    answer = says(s, 0, "provision", "--key-file", key, "--public-url", url);
    finds(s, answer, "ticket field", "ok", FIELD_CART " is there");
    finds(s, answer, "ticket field", "ok", "cf_screen was made");
    finds(s, answer, "reply rule", "ok", "was made");
    json_decref(answer);
    calls_are(s, SANDBOX_FD_FIELD_CREATE, 4);
    rules_are(s, 1);
    answer = says(s, 0, "doctor", "--key-file", key, "--public-url", url);
    finds(s, answer, "reply rule", "ok", "active");
    json_decref(answer);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_healthy_installation_has_nothing_to_mend, scenario_teardown),
        cmocka_unit_test_teardown(what_is_wrong_with_the_account_is_told, scenario_teardown),
        cmocka_unit_test_teardown(what_is_wrong_on_this_machine_is_told, scenario_teardown),
        cmocka_unit_test_teardown(from_a_bare_helpdesk_to_a_reply_in_the_chat, scenario_teardown),
        cmocka_unit_test_teardown(what_others_made_is_left_alone, scenario_teardown),
        cmocka_unit_test_teardown(an_answer_lost_half_way_makes_nothing_twice, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
