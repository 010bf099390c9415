// SPDX-License-Identifier: Apache-2.0
// doctor's look at the two accounts: one cheap call for each key, and then what these keys may see. Nothing is written
// there.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/desk_fields.h"
#include "ctl/desk_rule.h"
#include "ctl/doctor.h"
#include "ctl/words.h"
#include "proto/clock.h"

enum { RULE_PAGES = 10, GROUPS = 32 };

struct account {
    struct doctor *doctor;
    struct findings *findings;
    const struct config *config;
    struct ask *ask;
    bool chat, desk; // the key works
    struct judge_generation generation;
    int64_t now_ms; // the helpdesk's clock
};

static const char *const upstream_names[UPSTREAMS] = {"", "Freshchat", "Freshdesk", "Freshcaller"};

// ---- keys -----------------------------------------------------------------------------------------------------------

static bool try_key(struct account *self, enum upstream upstream, const char *check, const char *key, const char *path,
                    struct reply *reply)
{
    *reply = (struct reply){.answer = ANSWER_RETRY};
    if (!self->doctor->keys[upstream]) {
        findings_add(self->findings, VERDICT_UNKNOWN, check, NULL, "Not tried: the key in %s could not be read.", key);
        return false;
    }
    ask_get(self->ask, upstream, path, reply);
    bool works = judge_credential(self->findings, check, key, reply);
    judge_clock(self->findings, upstream_names[upstream], reply->clock_known, reply->ahead_ms);
    return works;
}

// Where what the key's owner writes is kept from customers, the owner must be nobody who answers them.
static void look_at_key_owner(struct account *self, const char *email)
{
    static const char check[] = "freshdesk key owner";
    if (self->config->freshdesk.key_owner_answers || !*email || !self->chat)
        return;
    struct reply reply;
    ask_get(self->ask, UPSTREAM_FRESHCHAT, "/agents?items_per_page=50", &reply);
    const json_t *list = json_is_array(reply.json) ? reply.json : json_object_get(reply.json, "agents");
    bool answers = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *one = json_string_value(json_object_get(json_array_get(list, i), "email"));
        answers = answers || (one && strcasecmp(one, email) == 0);
    }
    if (answers)
        findings_add(self->findings, VERDICT_WARN, check,
                     "Use the key of an account that no person uses, or leave freshdesk.key_owner_answers out.",
                     "The key's owner is an agent in Freshchat too, and freshdesk.key_owner_answers = false keeps what "
                     "they write in tickets from the customers.");
    ask_clear(&reply);
}

static void try_keys(struct account *self)
{
    struct reply reply;
    self->chat =
        try_key(self, UPSTREAM_FRESHCHAT, "freshchat key", "freshchat.token_file", "/accounts/configuration", &reply);
    self->generation.chat_asked = reply.asked;
    self->generation.chat = reply.answer;
    self->generation.chat_status = reply.status;
    ask_clear(&reply);
    self->desk = try_key(self, UPSTREAM_FRESHDESK, "freshdesk key", "freshdesk.key_file", "/agents/me", &reply);
    self->now_ms = clock_wall_ms() + (reply.clock_known ? reply.ahead_ms : 0);
    if (self->desk) {
        const char *email = json_string_value(json_object_get(json_object_get(reply.json, "contact"), "email"));
        judge_desk_agent(self->findings, reply.json);
        look_at_key_owner(self, email ? email : "");
    }
    ask_clear(&reply);
    if (self->config->freshcaller.enabled) {
        try_key(self, UPSTREAM_FRESHCALLER, "freshcaller key", "freshcaller.key_file", "/users", &reply);
        ask_clear(&reply);
    }
}

// ---- the account's kind ---------------------------------------------------------------------------------------------

static void look_at_tickets(struct account *self)
{
    struct reply list = {.answer = ANSWER_RETRY}, one = {.answer = ANSWER_RETRY};
    char path[64];
    if (self->desk)
        ask_get(self->ask, UPSTREAM_FRESHDESK, "/tickets?order_by=created_at&order_type=desc&per_page=50", &list);
    const json_t *tickets = list.answer == ANSWER_OK && json_is_array(list.json) ? list.json : NULL;
    int64_t newest = words_number(json_array_get(tickets, 0), "id");
    if (newest) {
        snprintf(path, sizeof path, "/tickets/%" PRId64, newest);
        ask_get(self->ask, UPSTREAM_FRESHDESK, path, &one);
        self->generation.ticket_seen = one.answer == ANSWER_OK;
        self->generation.structured = json_is_object(json_object_get(one.json, "structured_description"));
    }
    judge_generation(self->findings, &self->generation);
    if (self->desk)
        judge_native_link(self->findings, tickets, self->config->freshdesk.conversation_field, self->now_ms,
                          list.problem);
    ask_clear(&list);
    ask_clear(&one);
}

// ---- what the configuration names -----------------------------------------------------------------------------------

static void look_at_chat_agent(struct account *self)
{
    char path[512];
    struct reply reply;
    const char *id = self->config->freshchat.agent_id;
    if (!self->chat)
        return;
    if (!*id) {
        judge_chat_agent(self->findings, NULL);
        return;
    }
    if (strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != strlen(id)) {
        findings_add(self->findings, VERDICT_FAIL, "chat agent", "Copy the agent's id from Freshchat.",
                     "freshchat.agent_id has characters that are in no id.");
        return;
    }
    snprintf(path, sizeof path, "/agents/%.400s", id);
    ask_get(self->ask, UPSTREAM_FRESHCHAT, path, &reply);
    judge_chat_agent(self->findings, &reply);
    ask_clear(&reply);
}

static void look_at_fields(struct account *self)
{
    struct reply reply;
    ask_get(self->ask, UPSTREAM_FRESHDESK, "/ticket_fields", &reply);
    if (reply.answer == ANSWER_OK && json_is_array(reply.json)) {
        desk_fields_judge(self->findings, self->config, reply.json);
        desk_fields_judge_required(self->findings, self->config, reply.json);
    } else {
        findings_add(self->findings, VERDICT_UNKNOWN, "ticket field", NULL, "The ticket fields could not be listed: %s",
                     reply.problem);
    }
    ask_clear(&reply);
}

static void look_at_named(struct account *self, const char *check, const char *kind, int64_t id)
{
    char path[64], what[64];
    struct reply reply;
    snprintf(path, sizeof path, "/%ss/%" PRId64, kind, id);
    snprintf(what, sizeof what, "%s %" PRId64, kind, id);
    ask_get(self->ask, UPSTREAM_FRESHDESK, path, &reply);
    judge_named(self->findings, check, what, strcmp(kind, "group") == 0, &reply);
    ask_clear(&reply);
}

static void look_at_groups(struct account *self)
{
    int64_t groups[GROUPS] = {self->config->ticket.group_id};
    size_t count = groups[0] != 0;
    for (size_t i = 0; i < self->config->priority_count && count < GROUPS; i++) {
        int64_t id = self->config->priorities[i].group_id;
        bool known = id == 0;
        for (size_t j = 0; j < count; j++)
            known = known || groups[j] == id;
        if (!known)
            groups[count++] = id;
    }
    for (size_t i = 0; i < count; i++)
        look_at_named(self, "group", "group", groups[i]);
    if (self->config->ticket.product_id)
        look_at_named(self, "product", "product", self->config->ticket.product_id);
}

// ---- the reply rule -------------------------------------------------------------------------------------------------

static void tell_no_rule(struct account *self, const json_t *rules)
{
    char at[DESK_AT_BYTES];
    findings_add(self->findings, VERDICT_FAIL, "reply rule", "Let deskbellctl provision make it.",
                 "No automation rule for ticket updates posts to Deskbell.");
    if (desk_rule_stranger(rules, NULL, at))
        findings_remedy(self->findings,
                        "Let deskbellctl provision make it. The rule that posts to %s was made by hand: if it is "
                        "Deskbell's former one, remove it.",
                        at);
}

static void look_at_rules(struct account *self, struct ask *ask, bool own_key)
{
    static const char check[] = "reply rule";
    struct doctor *doctor = self->doctor;
    char url[1200];
    struct reply reply;
    ask_list(ask, UPSTREAM_FRESHDESK, DESK_RULES_PATH, "rules", RULE_PAGES, &reply);
    if (doctor->public_url)
        snprintf(url, sizeof url, "%s" DESK_HINT_PATH, doctor->public_url);
    const char *wanted = doctor->public_url ? url : NULL;
    const json_t *rule = reply.answer == ANSWER_OK ? desk_rule_find(reply.json, wanted) : NULL;
    if (reply.answer == ANSWER_AUTH && own_key)
        findings_add(self->findings, VERDICT_UNKNOWN, check,
                     "To look at it: deskbellctl doctor --key-file FILE, with an administrator's key in FILE.",
                     "The daemon's key may not read automation rules, as it should be.");
    else if (reply.answer != ANSWER_OK)
        findings_add(self->findings, VERDICT_UNKNOWN, check, NULL, "The rules could not be listed: %s", reply.problem);
    else if (!rule)
        tell_no_rule(self, reply.json);
    else {
        const struct desk_rule_state state = desk_rule_look(rule, wanted, doctor->tokens, doctor->token_count);
        desk_rule_judge(self->findings, &state);
    }
    if (reply.answer == ANSWER_OK && own_key)
        findings_add(self->findings, VERDICT_WARN, "freshdesk key",
                     "Make a plain agent for Deskbell in Freshdesk, and put that agent's key into freshdesk.key_file.",
                     "The daemon's key is an administrator's: it may do more than Deskbell needs.");
    ask_clear(&reply);
}

static void look_with_admin_key(struct account *self)
{
    char why[ASK_WHY_BYTES];
    struct secret *key = secret_read(self->doctor->key_file, why, sizeof why);
    struct keys *keys = key ? keys_new(NULL, key->text, NULL) : NULL;
    struct ask *ask = keys ? ask_new(self->config, keys, why) : NULL;
    if (ask)
        look_at_rules(self, ask, false);
    else
        findings_add(self->findings, VERDICT_UNKNOWN, "reply rule", NULL, "The key in --key-file cannot be used: %s",
                     key && !keys ? "it must be one line of visible characters" : why);
    ask_free(&ask);
    keys_free(&keys);
    secret_free(&key);
}

// ---------------------------------------------------------------------------------------------------------------------

static const char *usable(const struct secret *key)
{
    struct keys *keys = key ? keys_new(key->text, NULL, NULL) : NULL;
    const char *text = keys ? key->text : NULL;
    keys_free(&keys);
    return text;
}

void doctor_account(struct doctor *self)
{
    char why[ASK_WHY_BYTES];
    struct account account = {.doctor = self, .findings = self->findings, .config = self->config};
    for (enum upstream up = UPSTREAM_FRESHCHAT; up < UPSTREAMS; up++)
        if (self->keys[up] && !usable(self->keys[up])) {
            findings_add(self->findings, VERDICT_FAIL, "secrets", "Write the key into its file on one line, alone.",
                         "The key file of %s holds something other than one line of visible characters.",
                         steps_upstream_name(up));
            secret_free(&self->keys[up]);
        }
    struct keys *keys = keys_new(usable(self->keys[UPSTREAM_FRESHCHAT]), usable(self->keys[UPSTREAM_FRESHDESK]),
                                 usable(self->keys[UPSTREAM_FRESHCALLER]));
    if (!keys)
        abort(); // each was usable
    account.ask = ask_new(self->config, keys, why);
    if (account.ask) {
        try_keys(&account);
        look_at_tickets(&account);
        look_at_chat_agent(&account);
        if (account.desk) {
            look_at_fields(&account);
            look_at_groups(&account);
            if (!self->key_file)
                look_at_rules(&account, account.ask, true);
        }
        if (self->key_file)
            look_with_admin_key(&account);
    } else {
        findings_add(self->findings, VERDICT_FAIL, "api_url", "Correct it in the configuration.", "%s.", why);
    }
    ask_free(&account.ask);
    keys_free(&keys);
}
