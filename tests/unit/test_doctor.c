// SPDX-License-Identifier: Apache-2.0
// What deskbellctl doctor makes of answers, numbers and modes: facts in, verdict out, and a remedy wherever something
// is wrong. No sockets.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/desk_fields.h"
#include "ctl/desk_rule.h"
#include "ctl/judge.h"

#define TOKEN "a-long-random-text-that-nobody-may-see"

static const char minimal[] = "freshchat {\n  api_url = \"https://a.freshchat.com/v2\"\n  token_file = \"/x/t\"\n"
                              "  webhook_key_files = {\"/x/p\"}\n  agent_id = \"5e0b\"\n}\n"
                              "freshdesk {\n  api_url = \"https://a.freshdesk.com/api/v2\"\n  key_file = \"/x/k\"\n"
                              "  webhook_token_files = {\"/x/w\"}\n}\n";

static struct config *config_with(const char *more)
{
    struct config *config = NULL;
    struct config_error error;
    char *text = NULL;
    assert_true(asprintf(&text, "%s%s", minimal, more) > 0);
    if (!config_parse(text, strlen(text), "test.conf", &config, &error))
        fail_msg("%s", error.message);
    free(text);
    return config;
}

// One finding was added with this verdict; every one that is not ok or unknown says what to do.
static void said(struct findings *findings, enum verdict verdict, const char *text)
{
    const struct finding *last = &findings->items[findings->count - 1];
    if (last->verdict != verdict || !strstr(last->text, text))
        fail_msg("said %d \"%s\" instead of %d \"%s\"", last->verdict, last->text, verdict, text);
    if (verdict == VERDICT_WARN || verdict == VERDICT_FAIL)
        assert_true(last->remedy[0] != '\0');
}

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

// ---- ticket fields --------------------------------------------------------------------------------------------------

static json_t *field(const char *name, const char *label, const char *type, bool required)
{
    return json_pack("{s:s, s:s, s:s, s:b}", "name", name, "label", label, "type", type, "required_for_agents",
                     (int)required);
}

static json_t *all_four(void)
{
    return json_pack("[o, o, o, o, o]", field("subject", "Subject", "default_subject", true),
                     field("cf_freshchat_conversation_id", "Freshchat conversation id", "custom_text", false),
                     field("cf_cart_value", "Cart value", "custom_decimal", false),
                     field("cf_friction_score", "Friction score", "custom_number", false),
                     field("cf_screen", "Screen", "custom_text", false));
}

static void each_field_has_types_that_fit(void **state)
{
    (void)state;
    static const struct {
        size_t field;
        const char *type;
        enum verdict verdict;
    } rows[] = {
        {0, "custom_text", VERDICT_OK},
        {0, "custom_paragraph", VERDICT_WARN},
        {0, "custom_dropdown", VERDICT_FAIL},
        {0, "custom_number", VERDICT_FAIL},
        {1, "custom_decimal", VERDICT_OK},
        {1, "custom_number", VERDICT_FAIL},
        {1, "custom_text", VERDICT_WARN},
        {1, "custom_dropdown", VERDICT_FAIL},
        {2, "custom_number", VERDICT_OK},
        {2, "custom_decimal", VERDICT_OK},
        {2, "custom_text", VERDICT_WARN},
        {2, "custom_checkbox", VERDICT_FAIL},
        {3, "custom_text", VERDICT_OK},
        {3, "custom_paragraph", VERDICT_OK},
        {3, "custom_dropdown", VERDICT_FAIL},
        {3, "nested_field", VERDICT_FAIL},
        {3, "", VERDICT_FAIL},
    };
    struct config *config = config_with("");
    struct desk_field fields[DESK_FIELDS];
    desk_fields_of(config, fields);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = NULL;
        assert_int_equal(desk_fields_type(&fields[rows[i].field], rows[i].type, &text), rows[i].verdict);
        assert_non_null(text);
    }
    for (size_t i = 0; i < DESK_FIELDS; i++) { // what provision makes is right
        const char *text = NULL;
        assert_int_equal(desk_fields_type(&fields[i], fields[i].type, &text), VERDICT_OK);
    }
    config_free(&config);
}

static void a_label_becomes_the_name(void **state)
{
    (void)state;
    struct config *config = config_with("");
    struct desk_field fields[DESK_FIELDS];
    char label[DESK_LABEL_BYTES];
    desk_fields_of(config, fields);
    desk_fields_label(&fields[0], label);
    assert_string_equal(label, "Freshchat conversation id");
    desk_fields_label(&fields[3], label);
    assert_string_equal(label, "Screen");
    config_free(&config);
}

static void missing_mistyped_and_renamed_fields_are_told(void **state)
{
    (void)state;
    struct config *config = config_with("");
    struct findings *findings = findings_new();
    json_t *list = all_four();
    desk_fields_judge(findings, config, list);
    assert_int_equal(findings->count, DESK_FIELDS);
    assert_int_equal(findings_worst(findings, NULL), VERDICT_OK);
    json_array_remove(list, 4);
    json_object_set_new(json_array_get(list, 3), "type", json_string("custom_dropdown"));
    json_object_set_new(json_array_get(list, 2), "name", json_string("cf_cart_value1"));
    desk_fields_judge(findings, config, list);
    assert_int_equal(findings->count, 2 * DESK_FIELDS);
    const struct finding *f = &findings->items[DESK_FIELDS];
    assert_int_equal(f[0].verdict, VERDICT_OK);
    assert_int_equal(f[1].verdict, VERDICT_FAIL);
    assert_non_null(strstr(f[1].remedy, "cart_field = \"cf_cart_value1\""));
    assert_int_equal(f[2].verdict, VERDICT_FAIL);
    assert_non_null(strstr(f[2].text, "dropdown"));
    assert_int_equal(f[3].verdict, VERDICT_FAIL);
    assert_non_null(strstr(f[3].remedy, "provision"));
    assert_int_equal(findings_exit(findings), EXIT_REFUSED);
    json_decref(list);
    findings_free(&findings);
    config_free(&config);
}

static enum verdict required(const char *more, const char *name, const char *type)
{
    struct config *config = config_with(more);
    struct findings *findings = findings_new();
    json_t *list = all_four();
    if (name)
        json_array_append_new(list, field(name, name, type, true));
    desk_fields_judge_required(findings, config, list);
    enum verdict verdict = findings_worst(findings, NULL);
    said(findings, verdict, "");
    json_decref(list);
    findings_free(&findings);
    config_free(&config);
    return verdict;
}

static void what_the_helpdesk_requires_must_be_sent(void **state)
{
    (void)state;
    static const struct {
        const char *more, *name, *type;
        enum verdict verdict;
    } rows[] = {
        {"", NULL, NULL, VERDICT_OK},
        {"", "ticket_type", "default_ticket_type", VERDICT_FAIL},
        {"ticket { type = \"Question\" }", "ticket_type", "default_ticket_type", VERDICT_OK},
        {"", "group", "default_group", VERDICT_FAIL},
        {"ticket { group_id = 17 }", "group", "default_group", VERDICT_OK},
        {"ticket { product_id = 18 }", "product", "default_product", VERDICT_OK},
        {"ticket { type = \"Question\" }", "agent", "default_agent", VERDICT_FAIL},
        {"", "cf_branch", "custom_text", VERDICT_FAIL},
        {"ticket { fields = {\"cf_branch=North\"} }", "cf_branch", "custom_text", VERDICT_OK},
        {"ticket { fields = {\"cf_branch_two=North\"} }", "cf_branch", "custom_text", VERDICT_FAIL},
        {"ticket { fields = {\"cf_gone=1\"} }", NULL, NULL, VERDICT_FAIL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (required(rows[i].more, rows[i].name, rows[i].type) != rows[i].verdict)
            fail_msg("row %zu", i);
    struct config *config = config_with("");
    struct findings *findings = findings_new();
    json_t *list = all_four();
    json_object_set_new(json_array_get(list, 1), "required_for_agents", json_true()); // always sent
    desk_fields_judge_required(findings, config, list);
    assert_int_equal(findings_worst(findings, NULL), VERDICT_OK);
    json_object_set_new(json_array_get(list, 2), "required_for_agents", json_true()); // not every customer has a cart
    desk_fields_judge_required(findings, config, list);
    said(findings, VERDICT_FAIL, "cf_cart_value");
    json_decref(list);
    findings_free(&findings);
    config_free(&config);
}

static void values_are_looked_up_in_every_form_of_choices(void **state)
{
    (void)state;
    static const char *const forms[] = {"[\"North\",\"South\"]", "[{\"id\":1,\"value\":\"North\"}]",
                                        "[{\"label\":\"North\"}]", "{\"North\":[\"a\"]}", "[]"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct config *config = config_with("ticket { type = \"North\" fields = {\"cf_branch=North\"} }");
        struct config *other = config_with("ticket { type = \"West\" fields = {\"cf_branch=West\"} }");
        struct findings *findings = findings_new();
        json_t *list = json_pack("[o, o]", field("cf_branch", "Branch", "custom_dropdown", true),
                                 field("ticket_type", "Type", "default_ticket_type", true));
        for (size_t j = 0; j < 2; j++)
            json_object_set_new(json_array_get(list, j), "choices", json_loads(forms[i], 0, NULL));
        desk_fields_judge_required(findings, config, list);
        assert_int_equal(findings_worst(findings, NULL), VERDICT_OK);
        desk_fields_judge_required(findings, other, list);
        assert_int_equal(findings_worst(findings, "ticket.fields"), i == 4 ? VERDICT_OK : VERDICT_FAIL);
        assert_int_equal(findings_worst(findings, "ticket.type"), i == 4 ? VERDICT_OK : VERDICT_FAIL);
        json_decref(list);
        findings_free(&findings);
        config_free(&config);
        config_free(&other);
    }
}

// ---- the rule -------------------------------------------------------------------------------------------------------

static const char url[] = "https://chat.shop.example/webhooks/freshdesk";

static struct secret *token(void)
{
    struct secret *secret = calloc(1, sizeof *secret);
    assert_non_null(secret);
    secret->text = strdup(TOKEN);
    secret->len = strlen(TOKEN);
    return secret;
}

static void the_rule_that_is_made_is_found_good(void **state)
{
    (void)state;
    struct secret *secret = token();
    for (int layout = DESK_LAYOUT_BESIDE; layout <= DESK_LAYOUT_INSIDE; layout++) {
        json_t *rules = json_pack("[{s:s, s:b}, o]", "name", "something else", "active", 1,
                                  desk_rule_body(url, secret, (enum desk_layout)layout));
        const json_t *rule = desk_rule_find(rules, url);
        assert_ptr_equal(rule, json_array_get(rules, 1));
        const json_t *action = json_array_get(json_object_get(rule, "actions"), 0);
        bool beside = layout == DESK_LAYOUT_BESIDE;
        assert_int_equal(json_object_get(action, "content_layout") != NULL, beside);
        assert_int_equal(json_object_get(json_object_get(action, "content"), "content_layout") != NULL, !beside);
        struct desk_rule_state look = desk_rule_look(rule, url, &secret, 1);
        assert_true(look.ours && desk_rule_is_good(&look));
        assert_int_equal(look.token, DESK_TOKEN_RIGHT);
        assert_string_equal(look.at, url);
        json_decref(rules);
    }
    secret_free(&secret);
}

// Makes the rule, changes it as asked, and says what doctor says.
static void judged(const char *path, json_t *value, enum verdict verdict, const char *text)
{
    struct secret *secret = token();
    struct findings *findings = findings_new();
    json_t *rule = desk_rule_body(url, secret, DESK_LAYOUT_BESIDE);
    json_t *place = strncmp(path, "actions.", 8) == 0 ? json_array_get(json_object_get(rule, "actions"), 0) : rule;
    json_object_set_new(place, place == rule ? path : path + 8, value);
    json_t *rules = json_pack("[o]", rule);
    struct desk_rule_state look = desk_rule_look(desk_rule_find(rules, url), url, &secret, 1);
    desk_rule_judge(findings, &look);
    said(findings, verdict, text);
    assert_int_equal(desk_rule_is_good(&look), verdict == VERDICT_OK || strcmp(path, "conditions") == 0);
    assert_null(strstr(findings->items[0].text, TOKEN));
    json_decref(rules);
    findings_free(&findings);
    secret_free(&secret);
}

static void a_rule_that_lacks_something_is_told(void **state)
{
    (void)state;
    judged("active", json_false(), VERDICT_FAIL, "switched off");
    judged("performer", json_pack("{s:i}", "type", 2), VERDICT_FAIL, "does not fire when an agent");
    judged("performer", json_pack("{s:i}", "type", 3), VERDICT_OK, "active");
    judged("events", json_pack("[{s:s}]", "field_name", "reply_sent"), VERDICT_WARN, "public notes");
    judged("events", json_pack("[{s:s, s:s}]", "field_name", "note_type", "value", "--"), VERDICT_FAIL, "replies");
    judged("conditions", json_pack("[{s:s}]", "name", "x"), VERDICT_WARN, "conditions");
    judged("actions.url", json_string("https://old.shop.example/webhooks/freshdesk"), VERDICT_FAIL, "not the public");
    judged("actions.url", json_string("https://elsewhere.example/"), VERDICT_FAIL, "no webhook");
    judged("actions.content", json_pack("{s:s}", "id", "{{ticket.id}}"), VERDICT_FAIL, "does not send");
    judged("actions.custom_headers", json_pack("{s:s}", "X-Deskbell-Token", "of yesterday"), VERDICT_FAIL, "no token");
    judged("actions.custom_headers", json_object(), VERDICT_FAIL, "no token");
    judged("actions.custom_headers", json_pack("{s:s}", "x-deskbell-token", "*****"), VERDICT_OK, "not shown");
    judged("actions.auth_header", json_pack("{s:s, s:s}", "username", "x", "password", TOKEN), VERDICT_OK, "active");
}

static void the_active_rule_at_the_right_address_is_the_one(void **state)
{
    (void)state;
    struct secret *secret = token();
    json_t *idle = desk_rule_body(url, secret, DESK_LAYOUT_BESIDE);
    json_t *old = desk_rule_body("https://old.example/webhooks/freshdesk", secret, DESK_LAYOUT_BESIDE);
    json_object_set_new(idle, "active", json_false());
    json_t *rules = json_pack("[o, o, o]", old, idle, desk_rule_body(url, secret, DESK_LAYOUT_BESIDE));
    assert_ptr_equal(desk_rule_find(rules, url), json_array_get(rules, 2));
    assert_ptr_equal(desk_rule_find(rules, NULL), json_array_get(rules, 0));
    assert_ptr_equal(desk_rule_find(rules, "https://new.example/webhooks/freshdesk"), json_array_get(rules, 0));
    json_array_remove(rules, 2);
    assert_ptr_equal(desk_rule_find(rules, url), json_array_get(rules, 1));
    json_array_clear(rules);
    assert_null(desk_rule_find(rules, url));
    assert_null(desk_rule_find(NULL, NULL));
    json_decref(rules);
    secret_free(&secret);
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
        cmocka_unit_test(each_field_has_types_that_fit),
        cmocka_unit_test(a_label_becomes_the_name),
        cmocka_unit_test(missing_mistyped_and_renamed_fields_are_told),
        cmocka_unit_test(what_the_helpdesk_requires_must_be_sent),
        cmocka_unit_test(values_are_looked_up_in_every_form_of_choices),
        cmocka_unit_test(the_rule_that_is_made_is_found_good),
        cmocka_unit_test(a_rule_that_lacks_something_is_told),
        cmocka_unit_test(the_active_rule_at_the_right_address_is_the_one),
        cmocka_unit_test(clocks_disks_and_limits_have_bounds),
        cmocka_unit_test(files_are_judged_for_the_daemons_user),
        cmocka_unit_test(deskbell_is_known_by_its_refusal),
        cmocka_unit_test(findings_are_shown_and_decide_the_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
