// SPDX-License-Identifier: Apache-2.0
// Automation rules: kept over the API, and run for ticket updates. A rule sees who did what
// and sends its webhook from a template; it cannot say which entry it was, and it fires for what the API did as well as
// for what people did. Conditions are not modelled: a rule that has some is refused rather than run wrongly. Runs with
// the store locked.
#include "freshdesk.h"
#include "webhooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICKET_UPDATES 4

static bool performer_matches(const json_t *rule, bool by_agent, int64_t performer_id)
{
    const json_t *performer = json_object_get(rule, "performer"), *members = json_object_get(performer, "members"),
                 *member;
    int64_t type = json_integer_value(json_object_get(performer, "type"));
    size_t i;
    if (type != 3 && type != (by_agent ? 1 : 2))
        return false;
    if (json_array_size(members) == 0)
        return true;
    json_array_foreach(members, i, member)
    {
        if (json_integer_value(member) == performer_id)
            return true;
    }
    return false;
}

static bool value_matches(const json_t *wanted, const char *is)
{
    char number[24];
    const char *text = json_string_value(wanted);
    if (wanted == NULL || json_is_null(wanted))
        return true;
    if (json_is_integer(wanted)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(wanted));
        text = number;
    }
    return text != NULL && (strcmp(text, "--") == 0 || (is != NULL && strcmp(text, is) == 0));
}

static bool event_matches(const json_t *rule, const char *field, const char *from, const char *to)
{
    json_t *events = json_object_get(rule, "events"), *event;
    size_t i;
    json_array_foreach(events, i, event)
    {
        const char *name = json_string_value(json_object_get(event, "field_name"));
        if (name == NULL || strcmp(name, field) != 0)
            continue;
        if (strcmp(field, "note_type") == 0
                ? value_matches(json_object_get(event, "value"), to)
                : value_matches(json_object_get(event, "from"), from) &&
                      (strcmp(field, "reply_sent") == 0 || value_matches(json_object_get(event, "to"), to)))
            return true;
    }
    return false;
}

// The newest public entry, rendered as the service does: the author's name before the HTML.
static void latest_public_comment(struct sandbox *sb, const struct sb_ticket *ticket, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = ticket->count; i-- > 0;) {
        if (ticket->entries[i] == NULL || json_is_true(json_object_get(ticket->entries[i]->doc, "private")))
            continue;
        const json_t *doc = ticket->entries[i]->doc;
        int64_t id = json_integer_value(json_object_get(doc, "user_id"));
        json_t *agent = sb_store_desk_agent(sb, id),
               *contact = agent != NULL ? json_object_get(agent, "contact") : sb_store_contact(sb, id);
        const char *name = json_string_value(json_object_get(contact, "name"));
        snprintf(text, size, "%s : %s", name != NULL ? name : "", json_string_value(json_object_get(doc, "body")));
        return;
    }
}

static void placeholder(struct sandbox *sb, const struct sb_ticket *ticket, const char *name, const char *triggered,
                        char *value, size_t size)
{
    const char *member = strncmp(name, "ticket.", 7) == 0 ? name + 7 : "";
    const json_t *found = strncmp(member, "cf_", 3) == 0
                              ? json_object_get(json_object_get(ticket->doc, "custom_fields"), member)
                              : json_object_get(ticket->doc, member);
    value[0] = '\0';
    if (strcmp(name, "triggered_event") == 0)
        snprintf(value, size, "%s", triggered);
    else if (strcmp(member, "latest_public_comment") == 0)
        latest_public_comment(sb, ticket, value, size);
    else if (json_is_string(found))
        snprintf(value, size, "%s", json_string_value(found));
    else if (json_is_integer(found))
        snprintf(value, size, "%lld", (long long)json_integer_value(found));
    else if (json_is_real(found))
        snprintf(value, size, "%.15g", json_real_value(found));
}

static json_t *render_text(struct sandbox *sb, const struct sb_ticket *ticket, const char *template,
                           const char *triggered)
{
    char out[8192], name[64], value[4096];
    size_t used = 0;
    while (*template != '\0' && used + 1 < sizeof out) {
        const char *end = strncmp(template, "{{", 2) == 0 ? strstr(template, "}}") : NULL;
        if (end == NULL || (size_t)(end - template - 2) >= sizeof name) {
            out[used++] = *template ++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)(end - template - 2), template + 2);
        placeholder(sb, ticket, name, triggered, value, sizeof value);
        int written = snprintf(out + used, sizeof out - used, "%s", value);
        used += (size_t)written < sizeof out - used ? (size_t)written : sizeof out - used - 1;
        template = end + 2;
    }
    out[used] = '\0';
    return json_string(out);
}

// Every value of an advanced template arrives as text; the switch is for accounts where ticket_id comes as a number.
static json_t *render(struct sandbox *sb, const struct sb_ticket *ticket, const json_t *content, const char *triggered)
{
    json_t *rendered = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)content, key, value)
    {
        if (strcmp(key, "content_layout") == 0 || strcmp(key, "content_type") == 0)
            continue;
        if (json_is_object(value))
            json_object_set_new(rendered, key, render(sb, ticket, value, triggered));
        else if (sb->options.hint_number && strcmp(key, "ticket_id") == 0)
            json_object_set_new(rendered, key, json_integer((json_int_t)ticket->id));
        else if (json_is_string(value))
            json_object_set_new(rendered, key, render_text(sb, ticket, json_string_value(value), triggered));
        else
            json_object_set(rendered, key, value);
    }
    return rendered;
}

static void run_action(struct sandbox *sb, const struct sb_ticket *ticket, const json_t *action, const char *triggered)
{
    const char *name = json_string_value(json_object_get(action, "field_name")),
               *url = json_string_value(json_object_get(action, "url"));
    const char *user = json_string_value(json_object_get(json_object_get(action, "auth_header"), "username"));
    const char *password = json_string_value(json_object_get(json_object_get(action, "auth_header"), "password"));
    char login[512];
    if (name == NULL || strcmp(name, "trigger_webhook") != 0)
        return;
    if (url == NULL || url[0] == '\0')
        url = sb->options.freshdesk_webhook_url;
    snprintf(login, sizeof login, "%s:%s", user != NULL ? user : "", password != NULL ? password : "");
    json_t *content = render(sb, ticket, json_object_get(action, "content"), triggered);
    sb_webhooks_hint(sb, url, content, json_object_get(action, "custom_headers"), user != NULL ? login : NULL,
                     ticket->id);
    json_decref(content);
}

void sb_rules_fire(struct sandbox *sb, struct sb_ticket *ticket, bool by_agent, int64_t performer_id, const char *field,
                   const char *from, const char *to)
{
    char triggered[128];
    size_t i, a;
    json_t *rule, *action;
    if (from != NULL)
        snprintf(triggered, sizeof triggered, "{%s:{from:%s,to:%s}}", field, from, to);
    else
        snprintf(triggered, sizeof triggered, "{%s:%s}", field, to);
    json_array_foreach(sb->rules, i, rule)
    {
        if (json_integer_value(json_object_get(rule, "automation_type_id")) != TICKET_UPDATES ||
            !json_is_true(json_object_get(rule, "active")))
            continue;
        if (!performer_matches(rule, by_agent, performer_id) || !event_matches(rule, field, from, to))
            continue;
        json_array_foreach(json_object_get(rule, "actions"), a, action)
        {
            run_action(sb, ticket, action, triggered);
        }
    }
}

// ---------------------------------------------------------------- the rules' own endpoints
static int64_t rule_type(const struct sb_request *request, struct sb_response *response)
{
    int64_t type = sb_number(request->segments[1]);
    if (type == 1 || type == 3 || type == 4)
        return type;
    response->status = 404;
    return -1;
}

static bool find_rule(struct sandbox *sb, const struct sb_request *request, struct sb_response *response,
                      size_t *position)
{
    int64_t type = rule_type(request, response), id = sb_number(request->segments[3]);
    for (*position = 0; type > 0 && *position < json_array_size(sb->rules); ++*position) {
        const json_t *rule = json_array_get(sb->rules, *position);
        if (json_integer_value(json_object_get(rule, "id")) == id &&
            json_integer_value(json_object_get(rule, "automation_type_id")) == type)
            return true;
    }
    response->status = 404;
    return false;
}

static bool has_key(const struct sandbox *sb, const json_t *action, const json_t *content, const char *key)
{
    return (sb->options.webhook_layout != SANDBOX_LAYOUT_INSIDE_CONTENT && json_object_get(action, key) != NULL) ||
           (sb->options.webhook_layout != SANDBOX_LAYOUT_BESIDE_CONTENT && json_object_get(content, key) != NULL);
}

// Missing keys of a webhook action make the service answer 500, not 400. Answers and returns false when something is
// wrong.
static bool check_rule(const struct sandbox *sb, const json_t *rule, bool whole, struct sb_response *response)
{
    static const struct sb_field fields[] = {
        {"name", SB_TEXT, false, 255},      {"position", SB_INTEGER, false, 0}, {"active", SB_BOOLEAN, false, 0},
        {"performer", SB_OBJECT, false, 0}, {"events", SB_LIST, false, 0},      {"conditions", SB_LIST, false, 0},
        {"operator", SB_TEXT, false, 0},    {"actions", SB_LIST, false, 0},     {NULL, SB_TEXT, false, 0},
    };
    json_t *errors = json_array(), *action;
    size_t i;
    sb_check_fields(rule, fields, errors);
    if (whole && (json_object_get(rule, "name") == NULL || json_array_size(json_object_get(rule, "actions")) == 0))
        sb_check_error(errors, "name", "name and actions are mandatory", "missing_field");
    if (json_array_size(json_object_get(rule, "conditions")) > 0)
        sb_check_error(errors, "conditions", "The sandbox does not model conditions", "invalid_value");
    if (!sb_check_done(response, errors))
        return false;
    json_array_foreach(json_object_get(rule, "actions"), i, action)
    {
        const char *name = json_string_value(json_object_get(action, "field_name"));
        const json_t *content = json_object_get(action, "content");
        bool typed = has_key(sb, action, content, "content_type");
        bool laid_out = has_key(sb, action, content, "content_layout");
        if (name != NULL && strcmp(name, "trigger_webhook") == 0 &&
            (!typed || !laid_out || !json_is_string(json_object_get(action, "url")) ||
             !json_is_string(json_object_get(action, "request_type")))) {
            sb_response_text(response, 500, "application/json",
                             "{\"code\":\"internal_error\",\"message\":\"Something went wrong\"}");
            return false;
        }
    }
    return true;
}

// A copy to answer with, in which the target that the options name is written out.
static json_t *shown(const struct sandbox *sb, const json_t *rule)
{
    json_t *copy = json_deep_copy(rule), *action;
    const char *target = sb->options.freshdesk_webhook_url;
    size_t i;
    json_array_foreach(json_object_get(copy, "actions"), i, action)
    {
        const char *url = json_string_value(json_object_get(action, "url"));
        if (url != NULL && url[0] == '\0' && target != NULL)
            json_object_set_new(action, "url", json_string(target));
    }
    return copy;
}

void sb_freshdesk_rule_list(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    int64_t type = rule_type(request, response);
    json_t *rules, *rule;
    size_t i;
    if (type < 0)
        return;
    rules = json_array();
    json_array_foreach(sb->rules, i, rule)
    {
        if (json_integer_value(json_object_get(rule, "automation_type_id")) == type)
            json_array_append_new(rules, shown(sb, rule));
    }
    sb_response_json(response, 200,
                     json_pack("{s:o, s:{s:I, s:b}}", "rules", rules, "meta", "count",
                               (json_int_t)json_array_size(rules), "cascading_rules", 0));
}

void sb_freshdesk_rule_get(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    size_t position;
    if (find_rule(sb, request, response, &position))
        sb_response_json(response, 200, shown(sb, json_array_get(sb->rules, position)));
}

void sb_freshdesk_rule_create(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    int64_t type = rule_type(request, response);
    char now[32];
    if (type < 0 || !check_rule(sb, request->json, true, response))
        return;
    sb_store_time_s(sb_store_wall_ms(sb) / 1000, now);
    json_t *rule =
        json_pack("{s:b, s:i, s:{s:i}, s:[], s:[], s:s}", "active", 1, "position", (int)json_array_size(sb->rules) + 1,
                  "performer", "type", 3, "events", "conditions", "operator", "all");
    json_object_update(rule, request->json);
    json_object_update_new(rule, json_pack("{s:I, s:I, s:b, s:s, s:s}", "id", (json_int_t)sb_store_object_id(sb),
                                           "automation_type_id", (json_int_t)type, "outdated", 0, "created_at", now,
                                           "updated_at", now));
    json_array_append_new(sb->rules, rule);
    sb_store_changed(sb);
    sb_response_json(response, 201, json_incref(rule));
}

void sb_freshdesk_rule_put(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    size_t position;
    if (!find_rule(sb, request, response, &position) || !check_rule(sb, request->json, false, response))
        return;
    json_t *rule = json_array_get(sb->rules, position);
    json_object_update(rule, request->json);
    sb_store_changed(sb);
    sb_response_json(response, 200, json_incref(rule));
}

void sb_freshdesk_rule_delete(struct sandbox *sb, const struct sb_request *request, struct sb_response *response)
{
    size_t position;
    if (!find_rule(sb, request, response, &position))
        return;
    json_array_remove(sb->rules, position);
    sb_store_changed(sb);
    response->status = 204;
}

// ---------------------------------------------------------------- switches
char *sandbox_rules(struct sandbox *sb)
{
    sb_lock(sb);
    char *text = json_dumps(sb->rules, JSON_COMPACT);
    sb_unlock(sb);
    if (text == NULL)
        abort();
    return text;
}

void sandbox_rules_set_active(struct sandbox *sb, bool active)
{
    sb_lock(sb);
    if (json_array_size(sb->rules) > 0)
        json_object_set_new(json_array_get(sb->rules, 0), "active", json_boolean(active));
    sb_store_changed(sb);
    sb_unlock(sb);
}
