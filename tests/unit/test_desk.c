// SPDX-License-Identifier: Apache-2.0
// What deskbellctl makes of the helpdesk's ticket fields and automation rules, for doctor and for provision. No
// sockets.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/desk_fields.h"
#include "ctl/desk_rule.h"
#include "tests/unit/doctor_case.h"

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

static void another_programs_rule_is_not_ours(void **state)
{
    (void)state;
    struct secret *secret = token();
    char at[DESK_AT_BYTES] = "";
    json_t *other = desk_rule_body("https://user:hidden@crm.example/webhooks/freshdesk", secret, DESK_LAYOUT_BESIDE);
    json_object_set_new(other, "name", json_string("Tell the CRM"));
    json_t *rules = json_pack("[o]", other);
    assert_null(desk_rule_find(rules, url));
    assert_true(desk_rule_stranger(rules, NULL, at));
    assert_string_equal(at, "https://crm.example/webhooks/freshdesk");
    assert_ptr_equal(desk_rule_find(rules, NULL), other); // nothing else is known of it
    struct findings *findings = findings_new();
    struct desk_rule_state look = desk_rule_look(other, url, &secret, 1);
    assert_string_equal(look.at, at);
    desk_rule_judge(findings, &look);
    said(findings, VERDICT_FAIL, "not the public");
    assert_null(strstr(findings->items[0].remedy, "provision"));
    json_t *ours = desk_rule_body("https://old.example/webhooks/freshdesk", secret, DESK_LAYOUT_BESIDE);
    json_array_append_new(rules, ours);
    assert_ptr_equal(desk_rule_find(rules, url), ours);
    assert_ptr_equal(desk_rule_find(rules, NULL), ours);
    json_object_set_new(other, "active", json_false());
    assert_false(desk_rule_stranger(rules, ours, at));
    json_decref(rules);
    findings_free(&findings);
    secret_free(&secret);
}

static void what_was_added_to_the_rule_stays(void **state)
{
    (void)state;
    static const char added[] = "{\"field_name\":\"add_tag\",\"value\":[\"chat\"]}",
                      event[] = "{\"field_name\":\"status\",\"from\":\"--\",\"to\":\"--\"}",
                      condition[] = "{\"name\":\"x\",\"match_type\":\"all\"}",
                      webhook[] = "{\"field_name\":\"trigger_webhook\",\"url\":\"https://crm.example/\"}";
    struct secret *secret = token();
    json_t *rule = desk_rule_body("https://u:p@old.example/webhooks/freshdesk?k=1", secret, DESK_LAYOUT_INSIDE);
    json_t *actions = json_object_get(rule, "actions");
    json_object_set_new(json_array_get(actions, 0), "url", json_string("https://u:p@old.example/webhooks/freshdesk"));
    json_array_insert_new(actions, 0, json_loads(added, 0, NULL));
    json_object_set_new(rule, "id", json_integer(7));
    json_object_set_new(rule, "active", json_false());
    json_object_set_new(rule, "operator", json_string("all"));
    json_object_set_new(rule, "conditions", json_pack("[o]", json_loads(condition, 0, NULL)));
    json_object_set_new(rule, "performer", json_pack("{s:i, s:[i]}", "type", 1, "members", 5));
    json_object_set_new(rule, "events",
                        json_pack("[{s:s}, o]", "field_name", "reply_sent", json_loads(event, 0, NULL)));
    struct desk_rule_state look = desk_rule_look(rule, url, &secret, 1);
    char changes[DESK_CHANGES_BYTES];
    desk_rule_changes(&look, url, changes, sizeof changes);
    assert_string_equal(changes, "https://old.example/webhooks/freshdesk -> https://chat.shop.example/webhooks/"
                                 "freshdesk; it was switched off; it did not fire for public notes");
    assert_true(desk_rule_can_mend(rule, &look, url));
    json_t *body = desk_rule_mended(rule, url, secret, DESK_LAYOUT_BESIDE);
    look = desk_rule_look(body, url, &secret, 1);
    assert_true(look.ours && look.conditions && desk_rule_is_good(&look));
    desk_rule_changes(&look, url, changes, sizeof changes);
    assert_string_equal(changes, "");
    assert_null(json_object_get(body, "id"));
    assert_int_equal(json_array_size(json_object_get(body, "events")), 3);
    assert_int_equal(json_array_size(json_object_get(body, "actions")), 2);
    assert_true(json_equal(json_array_get(json_object_get(body, "actions"), 0), json_array_get(actions, 0)));
    assert_true(json_equal(json_object_get(body, "performer"), json_object_get(rule, "performer")));
    assert_true(json_equal(json_object_get(body, "conditions"), json_object_get(rule, "conditions")));
    json_decref(body);
    // Another webhook stays where the helpdesk shows secrets; where it hides them, writing would lose that one's.
    json_array_append_new(actions, json_loads(webhook, 0, NULL));
    look = desk_rule_look(rule, url, &secret, 1);
    assert_true(desk_rule_can_mend(rule, &look, url));
    json_object_set_new(json_array_get(actions, 1), "custom_headers", json_pack("{s:s}", "X-Deskbell-Token", "*****"));
    look = desk_rule_look(rule, url, &secret, 1);
    assert_false(desk_rule_can_mend(rule, &look, url));
    json_array_remove(actions, 1); // ours is gone
    look = desk_rule_look(rule, url, &secret, 1);
    assert_false(desk_rule_can_mend(rule, &look, url));
    json_array_remove(actions, 1);
    look = desk_rule_look(rule, url, &secret, 1);
    assert_true(desk_rule_can_mend(rule, &look, url));
    body = desk_rule_mended(rule, url, secret, DESK_LAYOUT_BESIDE);
    look = desk_rule_look(body, url, &secret, 1);
    assert_true(desk_rule_is_good(&look));
    json_decref(body);
    json_decref(rule);
    secret_free(&secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_has_types_that_fit),
        cmocka_unit_test(a_label_becomes_the_name),
        cmocka_unit_test(missing_mistyped_and_renamed_fields_are_told),
        cmocka_unit_test(what_the_helpdesk_requires_must_be_sent),
        cmocka_unit_test(values_are_looked_up_in_every_form_of_choices),
        cmocka_unit_test(the_rule_that_is_made_is_found_good),
        cmocka_unit_test(a_rule_that_lacks_something_is_told),
        cmocka_unit_test(the_active_rule_at_the_right_address_is_the_one),
        cmocka_unit_test(another_programs_rule_is_not_ours),
        cmocka_unit_test(what_was_added_to_the_rule_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
