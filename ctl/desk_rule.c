// SPDX-License-Identifier: Apache-2.0
// Making and judging the reply rule.
#include "ctl/desk_rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/words.h"

#define TOKEN_HEADER "X-Deskbell-Token"

static json_t *action_of(const char *url, const struct secret *token, enum desk_layout layout)
{
    json_t *content = json_pack("{s:s}", "ticket_id", "{{ticket.id}}");
    json_t *action = json_pack("{s:s, s:s, s:s, s:{s:s%}}", "field_name", "trigger_webhook", "request_type", "POST",
                               "url", url, "custom_headers", TOKEN_HEADER, token->text, token->len);
    if (!content || !action)
        abort();
    json_t *place = layout == DESK_LAYOUT_BESIDE ? action : content;
    json_object_set_new(place, "content_type", json_string("JSON"));
    json_object_set_new(place, "content_layout", json_string("2")); // a template of our own
    json_object_set_new(action, "content", content);
    return action;
}

json_t *desk_rule_body(const char *url, const struct secret *token, enum desk_layout layout)
{
    json_t *rule = json_pack("{s:s, s:b, s:{s:i}, s:[{s:s}, {s:s, s:s}], s:[o]}", "name", DESK_RULE_NAME, "active", 1,
                             "performer", "type", 1, "events", "field_name", "reply_sent", "field_name", "note_type",
                             "value", "public", "actions", action_of(url, token, layout));
    if (!rule)
        abort();
    return rule;
}

// Without what may be a secret: a query, and a user with a password.
static void show_address(const char *url, char at[DESK_AT_BYTES])
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t scheme = (size_t)(host - url), authority = strcspn(host, "/?#");
    const char *user = memrchr(host, '@', authority);
    const char *rest = user ? user + 1 : host;
    size_t length = strcspn(rest, "?#");
    snprintf(at, DESK_AT_BYTES, "%.*s%.*s", scheme < 16 ? (int)scheme : 16, url,
             length < DESK_AT_BYTES ? (int)length : DESK_AT_BYTES, rest);
}

// The rule's webhook action: to `url` where one is given, else the first that posts to a path like ours.
static const json_t *webhook_of(const json_t *rule, const char *url)
{
    json_t *action;
    size_t i;
    json_array_foreach(json_object_get(rule, "actions"), i, action)
    {
        const char *at = words_text(action, "url");
        size_t length = strlen(at), ours = strlen(DESK_HINT_PATH);
        if (strcmp(words_text(action, "field_name"), "trigger_webhook") != 0)
            continue;
        if (url ? strcmp(at, url) == 0 : length > ours && strcmp(at + length - ours, DESK_HINT_PATH) == 0)
            return action;
    }
    return NULL;
}

static bool calls(const json_t *rule, const char *url)
{
    return webhook_of(rule, url) != NULL;
}

static bool is_named_ours(const json_t *rule, const char *unused)
{
    (void)unused;
    return strcmp(words_text(rule, "name"), DESK_RULE_NAME) == 0;
}

// An active one before one that is switched off.
static const json_t *first_that(const json_t *rules, bool (*matches)(const json_t *rule, const char *url),
                                const char *url)
{
    const json_t *idle = NULL;
    json_t *rule;
    size_t i;
    json_array_foreach((json_t *)rules, i, rule)
    {
        if (!matches(rule, url))
            continue;
        if (words_yes(rule, "active"))
            return rule;
        if (!idle)
            idle = rule;
    }
    return idle;
}

const json_t *desk_rule_find(const json_t *rules, const char *url)
{
    const json_t *found = url ? first_that(rules, calls, url) : NULL;
    if (!found)
        found = first_that(rules, is_named_ours, NULL);
    return found || url ? found : first_that(rules, calls, NULL);
}

bool desk_rule_stranger(const json_t *rules, const json_t *ours, char at[DESK_AT_BYTES])
{
    json_t *rule;
    size_t i;
    json_array_foreach((json_t *)rules, i, rule)
    {
        const json_t *action = webhook_of(rule, NULL);
        if (!action || rule == ours || is_named_ours(rule, NULL) || !words_yes(rule, "active"))
            continue;
        show_address(words_text(action, "url"), at);
        return true;
    }
    return false;
}

// ---- looking --------------------------------------------------------------------------------------------------------

static bool has_event(const json_t *rule, const char *name, const char *value)
{
    json_t *event;
    size_t i;
    json_array_foreach(json_object_get(rule, "events"), i, event)
    {
        const char *is = words_text(event, "value");
        if (strcmp(words_text(event, "field_name"), name) == 0 &&
            (!value || strcmp(is, value) == 0 || strcmp(is, "--") == 0))
            return true;
    }
    return false;
}

// Where an interface shows a secret it shows, at most, that there is one.
static bool is_hidden(const char *text)
{
    return !*text || strspn(text, "*xX.\xe2\x80\xa2") == strlen(text);
}

static enum desk_token token_of(const json_t *action, struct secret *const *tokens, size_t count)
{
    const char *name, *text = NULL;
    json_t *value;
    json_object_foreach(json_object_get(action, "custom_headers"), name, value)
    {
        if (strcasecmp(name, TOKEN_HEADER) == 0)
            text = json_string_value(value);
    }
    if (!text)
        text = json_string_value(json_object_get(json_object_get(action, "auth_header"), "password"));
    if (!text && !json_object_get(action, "custom_headers") && !json_object_get(action, "auth_header"))
        return DESK_TOKEN_HIDDEN;
    if (!text)
        return DESK_TOKEN_WRONG;
    if (is_hidden(text))
        return DESK_TOKEN_HIDDEN;
    for (size_t i = 0; i < count; i++)
        if (tokens[i] && secret_equal(tokens[i], text, strlen(text)))
            return DESK_TOKEN_RIGHT;
    return count ? DESK_TOKEN_WRONG : DESK_TOKEN_HIDDEN;
}

struct desk_rule_state desk_rule_look(const json_t *rule, const char *url, struct secret *const *tokens, size_t count)
{
    const json_t *action = url ? webhook_of(rule, url) : NULL;
    struct desk_rule_state state = {.url = action || !url};
    if (!action)
        action = webhook_of(rule, NULL);
    int64_t performer = words_number(json_object_get(rule, "performer"), "type");
    state.ours = strcmp(words_text(rule, "name"), DESK_RULE_NAME) == 0;
    state.active = words_yes(rule, "active");
    state.performer = performer == 1 || performer == 3;
    state.reply = has_event(rule, "reply_sent", NULL);
    state.note = has_event(rule, "note_type", "public");
    state.conditions = json_array_size(json_object_get(rule, "conditions")) > 0;
    state.url = state.url && action;
    state.content = strstr(words_text(json_object_get(action, "content"), "ticket_id"), "{{ticket.id}}") != NULL;
    state.token = token_of(action, tokens, count);
    show_address(words_text(action, "url"), state.at);
    return state;
}

bool desk_rule_is_good(const struct desk_rule_state *state)
{
    return state->active && state->performer && state->reply && state->note && state->url && state->content &&
           state->token != DESK_TOKEN_WRONG;
}

void desk_rule_judge(struct findings *findings, const struct desk_rule_state *state)
{
    static const char check[] = "reply rule";
    const char *again =
        state->ours ? "Let deskbellctl provision put it right, or change it in Freshdesk's automations."
                    : "It was made by hand: change it in Freshdesk's automations. If it is another program's, say "
                      "which address is Deskbell's: --public-url https://ADDRESS.";
    if (!*state->at)
        findings_add(findings, VERDICT_FAIL, check, again, "The rule \"" DESK_RULE_NAME "\" posts to no webhook.");
    else if (!state->active)
        findings_add(findings, VERDICT_FAIL, check, "Switch it on in Freshdesk: Admin, Automations, Ticket updates.",
                     "The rule that posts to %s is switched off.", state->at);
    else if (!state->url)
        findings_add(findings, VERDICT_FAIL, check, again, "The rule posts to %s, which is not the public address.",
                     state->at);
    else if (!state->performer || !state->reply)
        findings_add(findings, VERDICT_FAIL, check, again, "The rule does not fire when an agent replies.");
    else if (!state->content)
        findings_add(findings, VERDICT_FAIL, check, again,
                     "The rule does not send {\"ticket_id\": \"{{ticket.id}}\"}.");
    else if (state->token == DESK_TOKEN_WRONG)
        findings_add(findings, VERDICT_FAIL, check, again,
                     "The rule carries no token of webhook_token_files, so Deskbell refuses what it sends.");
    else if (!state->note)
        findings_add(findings, VERDICT_WARN, check, again,
                     "The rule does not fire for public notes: these reach the chat only with the next poll.");
    else if (state->conditions)
        findings_add(findings, VERDICT_WARN, check, "See that they hold for every ticket that comes out of a chat.",
                     "The rule posts to %s under conditions of its own.", state->at);
    else if (state->token == DESK_TOKEN_HIDDEN)
        findings_add(findings, VERDICT_OK, check, NULL,
                     "The rule is active and posts to %s; its token is not shown, so it was not compared.", state->at);
    else
        findings_add(findings, VERDICT_OK, check, NULL, "The rule is active and posts to %s.", state->at);
}

// ---- putting right --------------------------------------------------------------------------------------------------

static void add_event(json_t *events, const char *name, const char *value)
{
    json_t *event = json_pack("{s:s}", "field_name", name);
    if (!event)
        abort();
    if (value)
        json_object_set_new(event, "value", json_string(value));
    json_array_append_new(events, event);
}

bool desk_rule_can_mend(const json_t *rule, const struct desk_rule_state *state, const char *url)
{
    const json_t *ours = webhook_of(rule, url);
    json_t *action;
    size_t i;
    if (!ours)
        ours = webhook_of(rule, NULL);
    json_array_foreach(json_object_get(rule, "actions"), i, action)
    {
        if (action != ours && strcmp(words_text(action, "field_name"), "trigger_webhook") == 0 &&
            (!ours || state->token == DESK_TOKEN_HIDDEN))
            return false;
    }
    return true;
}

json_t *desk_rule_mended(const json_t *rule, const char *url, const struct secret *token, enum desk_layout layout)
{
    static const char *const kept[] = {"name", "performer", "conditions", "operator"};
    const struct desk_rule_state state = desk_rule_look(rule, url, NULL, 0);
    const json_t *ours = webhook_of(rule, url);
    json_t *body = json_pack("{s:b, s:[], s:[]}", "active", 1, "events", "actions"), *item;
    json_t *action = action_of(url, token, layout);
    size_t i;
    bool placed = false;
    if (!body)
        abort();
    json_t *events = json_object_get(body, "events"), *actions = json_object_get(body, "actions");
    for (i = 0; i < sizeof kept / sizeof *kept; i++)
        if (json_object_get(rule, kept[i]))
            json_object_set(body, kept[i], json_object_get(rule, kept[i]));
    if (!state.conditions) { // they are what the operator joins
        json_object_del(body, "conditions");
        json_object_del(body, "operator");
    }
    if (!state.performer)
        json_object_set_new(body, "performer", json_pack("{s:i}", "type", 1));
    json_array_extend(events, json_object_get(rule, "events"));
    if (!state.reply)
        add_event(events, "reply_sent", NULL);
    if (!state.note)
        add_event(events, "note_type", "public");
    if (!ours)
        ours = webhook_of(rule, NULL);
    json_array_foreach(json_object_get(rule, "actions"), i, item)
    {
        json_array_append(actions, item == ours ? action : item);
        placed = placed || item == ours;
    }
    if (!placed)
        json_array_append(actions, action);
    json_decref(action);
    return body;
}

void desk_rule_changes(const struct desk_rule_state *state, const char *url, char *out, size_t size)
{
    const struct {
        bool wrong;
        const char *text;
    } rows[] = {
        {!state->active, "it was switched off"},
        {!state->performer, "it did not fire for what agents do"},
        {!state->reply, "it did not fire for replies"},
        {!state->note, "it did not fire for public notes"},
        {!state->content && *state->at, "it did not send the ticket's number"},
        {state->token == DESK_TOKEN_WRONG && *state->at, "it carried a wrong token"},
    };
    char to[DESK_AT_BYTES];
    size_t used = 0;
    show_address(url, to);
    *out = '\0';
    if (!*state->at)
        used = (size_t)snprintf(out, size, "it posted to no webhook, now %s", to);
    else if (!state->url)
        used = (size_t)snprintf(out, size, "%s -> %s", state->at, to);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].wrong && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "; " : "", rows[i].text);
}
