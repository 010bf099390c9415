// SPDX-License-Identifier: Apache-2.0
// deskbellctl provision: makes the four ticket fields and the reply rule in Freshdesk, with an administrator's key that
// is read from --key-file, used here and stored nowhere; the daemon's own key stays that of a plain agent. What is
// there and right is left alone, so running it twice changes nothing. A write whose answer was lost is looked for
// before anything else is said of it; where it is not seen, nothing more is written, and the next run finds what was
// made meanwhile and goes on. What the helpdesk names by its own rules (a field's API name) is read from its answer.
#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ask.h"
#include "ctl/desk_fields.h"
#include "ctl/desk_rule.h"
#include "ctl/doctor.h"
#include "ctl/show.h"
#include "ctl/words.h"

enum { RULE_PAGES = 10, URL_BYTES = 1200 };

struct provision {
    const struct config *config;
    struct findings *findings;
    struct ask *ask; // with the administrator's key
    bool dry_run;
    bool halted;                  // the outcome of a write is not known: nothing more is written
    char url[URL_BYTES];          // of the webhook; "" where --public-url was not given
    const struct secret *token;   // the first of webhook_token_files; NULL: it cannot be read
    struct secret *const *tokens; // all of them
    size_t token_count;
};

static const char run_again[] = "Run it again in a minute: it finds what was made meanwhile.";

static enum verdict failed(struct provision *self, const char *check, const struct reply *reply, const char *what)
{
    const char *remedy = reply->answer == ANSWER_DOUBT ? run_again
                         : reply->answer == ANSWER_AUTH
                             ? "Use the API key of a Freshdesk administrator: --key-file FILE."
                             : "See what the helpdesk says, then run it again.";
    self->halted = self->halted || reply->answer == ANSWER_DOUBT;
    findings_add(self->findings, VERDICT_FAIL, check, remedy, "%s: %s", what, reply->problem);
    return VERDICT_FAIL;
}

// ---- ticket fields --------------------------------------------------------------------------------------------------

// What is said of a field that exists. True when there is nothing to make.
static bool judge_field(struct provision *self, const struct desk_field *wanted, const json_t *list)
{
    const json_t *field = desk_fields_find(list, wanted->name), *other;
    const char *text = NULL;
    if (field) {
        enum verdict verdict = desk_fields_type(wanted, words_text(field, "type"), &text);
        findings_add(self->findings, verdict, "ticket field", NULL, "%s is there: %s.", wanted->name, text);
        if (verdict == VERDICT_FAIL)
            findings_remedy(self->findings,
                            "A field's type cannot be changed. Name another as freshdesk.%s, and run this again to "
                            "have it made.",
                            wanted->key);
        return true;
    }
    if ((other = desk_fields_namesake(list, wanted)) != NULL) {
        findings_add(self->findings, VERDICT_FAIL, "ticket field", NULL,
                     "There is no %s, but a field with its label is called %s.", wanted->name,
                     words_text(other, "name"));
        findings_remedy(self->findings, "Write %s = \"%s\" into the section freshdesk.", wanted->key,
                        words_text(other, "name"));
        return true;
    }
    return false;
}

static void made_field(struct provision *self, const struct desk_field *wanted, const char *name)
{
    if (strcmp(name, wanted->name) == 0) {
        findings_add(self->findings, VERDICT_OK, "ticket field", NULL, "%s was made (%s).", name, wanted->kind);
    } else {
        findings_add(self->findings, VERDICT_FAIL, "ticket field", NULL,
                     "It was made (%s), but the helpdesk has named it %s instead of %s.", wanted->kind, name,
                     wanted->name);
        findings_remedy(self->findings, "Write %s = \"%s\" into the section freshdesk.", wanted->key, name);
    }
}

// After a write without an answer: is the field there?
static const json_t *seek_field(struct provision *self, const struct desk_field *wanted, struct reply *list)
{
    ask_get(self->ask, UPSTREAM_FRESHDESK, "/admin/ticket_fields", list);
    if (list->answer != ANSWER_OK)
        return NULL;
    const json_t *field = desk_fields_find(list->json, wanted->name);
    return field ? field : desk_fields_namesake(list->json, wanted);
}

static void make_field(struct provision *self, const struct desk_field *wanted)
{
    char label[DESK_LABEL_BYTES];
    struct reply reply, list = {.answer = ANSWER_RETRY};
    desk_fields_label(wanted, label);
    json_t *body = json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:b}", "label", label, "label_for_customers", label,
                             "type", wanted->type, "customers_can_edit", 0, "displayed_to_customers", 0,
                             "required_for_closure", 0, "required_for_agents", 0, "required_for_customers", 0);
    if (!body)
        abort();
    ask_write(self->ask, UPSTREAM_FRESHDESK, "POST", "/admin/ticket_fields", body, &reply);
    const json_t *field = reply.answer == ANSWER_OK      ? reply.json
                          : reply.answer == ANSWER_DOUBT ? seek_field(self, wanted, &list)
                                                         : NULL;
    if (*words_text(field, "name"))
        made_field(self, wanted, words_text(field, "name"));
    else
        failed(self, "ticket field", &reply, wanted->name);
    ask_clear(&reply);
    ask_clear(&list);
}

static void provide_fields(struct provision *self)
{
    struct desk_field fields[DESK_FIELDS];
    struct reply reply;
    ask_get(self->ask, UPSTREAM_FRESHDESK, "/admin/ticket_fields", &reply);
    desk_fields_of(self->config, fields);
    if (reply.answer != ANSWER_OK || !json_is_array(reply.json)) {
        failed(self, "ticket field", &reply, "The ticket fields could not be listed");
        self->halted = true;
    }
    for (size_t i = 0; i < DESK_FIELDS && !self->halted; i++) {
        if (judge_field(self, &fields[i], reply.json))
            continue;
        if (self->dry_run)
            findings_add(self->findings, VERDICT_OK, "ticket field", NULL, "%s would be made (%s).", fields[i].name,
                         fields[i].kind);
        else
            make_field(self, &fields[i]);
    }
    ask_clear(&reply);
}

// ---- the reply rule -------------------------------------------------------------------------------------------------

static bool list_rules(struct provision *self, struct reply *reply)
{
    ask_list(self->ask, UPSTREAM_FRESHDESK, DESK_RULES_PATH, "rules", RULE_PAGES, reply);
    return reply->answer == ANSWER_OK;
}

// A rule that is good is left alone; of one that is not, what is wrong is said. True when provision may write it.
static bool may_write(struct provision *self, const json_t *rule, const struct desk_rule_state *state)
{
    const char *remedy = NULL;
    if (desk_rule_is_good(state)) {
        desk_rule_judge(self->findings, state);
        return false;
    }
    if (!state->ours && *self->url)
        remedy = "It was made by hand, so it is left alone: change it, or remove it and run this again.";
    else if (!state->ours)
        remedy =
            "It was made by hand, so it is left alone: change it, or have another made beside it with --public-url "
            "https://ADDRESS.";
    else if (!*self->url)
        remedy = "To have it put right: --public-url https://ADDRESS.";
    else if (!desk_rule_can_mend(rule, state, self->url))
        remedy = "Change it in Freshdesk's automations: it has another webhook, of which a part may not be shown and "
                 "would be lost.";
    if (!remedy)
        return true;
    desk_rule_judge(self->findings, state);
    findings_remedy(self->findings, "%s", remedy);
    return false;
}

// Whether the rule is there now as it should be.
static bool seek_rule(struct provision *self)
{
    struct reply reply;
    bool there = false;
    if (list_rules(self, &reply)) {
        const json_t *rule = desk_rule_find(reply.json, self->url);
        const struct desk_rule_state state = desk_rule_look(rule, self->url, self->tokens, self->token_count);
        there = rule && desk_rule_is_good(&state);
    }
    ask_clear(&reply);
    return there;
}

// What was or would be done with the rule; `rule` NULL: it is made.
static void tell_rule(struct provision *self, const json_t *rule, const struct desk_rule_state *state)
{
    char changes[DESK_CHANGES_BYTES] = "";
    if (rule)
        desk_rule_changes(state, self->url, changes, sizeof changes);
    findings_add(self->findings, VERDICT_OK, "reply rule", NULL, "The rule \"" DESK_RULE_NAME "\" %s %s%s%s.",
                 self->dry_run ? "would be" : "was", rule ? "put right" : "made", *changes ? ": " : "", changes);
}

// One of the two layouts is the one that this account takes; a wrong one is refused, or answered 500.
static void write_rule(struct provision *self, const json_t *rule, const struct desk_rule_state *state)
{
    int64_t id = words_number(rule, "id");
    static const enum desk_layout layouts[] = {DESK_LAYOUT_BESIDE, DESK_LAYOUT_INSIDE};
    char path[128];
    struct reply reply = {.answer = ANSWER_RETRY};
    bool there = false;
    if (id)
        snprintf(path, sizeof path, DESK_RULES_PATH "/%" PRId64, id);
    else
        snprintf(path, sizeof path, DESK_RULES_PATH);
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts && !there; i++) {
        ask_clear(&reply);
        ask_write(self->ask, UPSTREAM_FRESHDESK, id ? "PUT" : "POST", path,
                  id ? desk_rule_mended(rule, self->url, self->token, layouts[i])
                     : desk_rule_body(self->url, self->token, layouts[i]),
                  &reply);
        there = reply.answer == ANSWER_OK || (reply.answer == ANSWER_DOUBT && seek_rule(self));
        if (reply.status != 400 && reply.status != 500)
            break;
    }
    if (there)
        tell_rule(self, rule, state);
    else
        failed(self, "reply rule", &reply, "The rule could not be made");
    if (!there && reply.status)
        findings_remedy(self->findings,
                        "Make it by hand in Freshdesk, Admin, Automations, Ticket updates: when an agent sends a reply "
                        "or adds a public note, POST {\"ticket_id\": \"{{ticket.id}}\"} as JSON to %s with the header "
                        "X-Deskbell-Token.",
                        self->url);
    ask_clear(&reply);
}

static void provide_rule(struct provision *self)
{
    struct reply reply;
    const char *url = *self->url ? self->url : NULL;
    if (self->halted) {
        findings_add(self->findings, VERDICT_UNKNOWN, "reply rule", NULL, "Not looked at.");
        return;
    }
    if (!list_rules(self, &reply)) {
        failed(self, "reply rule", &reply, "The rules could not be listed");
        ask_clear(&reply);
        return;
    }
    const json_t *rule = desk_rule_find(reply.json, url);
    const struct desk_rule_state state = desk_rule_look(rule, url, self->tokens, self->token_count);
    if (rule && !may_write(self, rule, &state)) {
        // said
    } else if (!url) {
        findings_add(self->findings, VERDICT_FAIL, "reply rule",
                     "Say where Freshdesk reaches the proxy: --public-url "
                     "https://ADDRESS.",
                     "No rule posts to Deskbell, and where it is to post was not said.");
    } else if (!self->token) {
        findings_add(self->findings, VERDICT_FAIL, "reply rule",
                     "Write a long random text into the first file of webhook_token_files: openssl rand -hex 24.",
                     "There is no token that the rule could carry.");
    } else if (self->dry_run) {
        tell_rule(self, rule, &state);
    } else {
        write_rule(self, rule, &state);
    }
    char at[DESK_AT_BYTES];
    if (url && !rule && desk_rule_stranger(reply.json, NULL, at))
        findings_add(
            self->findings, VERDICT_WARN, "reply rule",
            "If it is Deskbell's former one, remove it in Freshdesk's automations; another program's is right.",
            "A rule made by hand posts to %s; it was left alone.", at);
    ask_clear(&reply);
}

// ---- keys -----------------------------------------------------------------------------------------------------------

// The daemon's own key should not be able to do what is done here.
static void look_at_own_key(struct provision *self, const struct secret *own)
{
    char why[ASK_WHY_BYTES];
    struct keys *keys = own ? keys_new(NULL, own->text, NULL) : NULL;
    struct ask *ask = keys ? ask_new(self->config, keys, why) : NULL;
    struct reply reply = {.answer = ANSWER_RETRY};
    if (ask)
        ask_get(ask, UPSTREAM_FRESHDESK, DESK_RULES_PATH, &reply);
    if (reply.answer == ANSWER_OK)
        findings_add(self->findings, VERDICT_WARN, "freshdesk key",
                     "Make a plain agent for Deskbell in Freshdesk, and put that agent's key into freshdesk.key_file.",
                     "The daemon's key is an administrator's: it may do more than Deskbell needs.");
    else if (reply.answer == ANSWER_AUTH && reply.status == 403)
        findings_add(self->findings, VERDICT_OK, "freshdesk key", NULL, "The daemon's key is a plain agent's.");
    else
        findings_add(self->findings, VERDICT_UNKNOWN, "freshdesk key", NULL,
                     "Whether the daemon's key is a plain agent's could not be seen.");
    ask_clear(&reply);
    ask_free(&ask);
    keys_free(&keys);
}

static bool try_admin_key(struct provision *self)
{
    struct reply reply;
    ask_get(self->ask, UPSTREAM_FRESHDESK, "/agents/me", &reply);
    bool works = reply.answer == ANSWER_OK;
    if (!works)
        judge_credential(self->findings, "administrator", "--key-file", &reply);
    ask_clear(&reply);
    return works;
}

// ---- what nobody can do over an interface ---------------------------------------------------------------------------

static json_t *by_hand(const struct provision *self, const char *public_url, const char *key_file)
{
    const struct config *config = self->config;
    const char *address = public_url ? public_url : "https://YOUR-ADDRESS";
    json_t *list = json_array();
    json_array_append_new(
        list,
        json_sprintf("Freshchat, Admin Settings, Marketplace and Integrations, API, Conversation Webhooks: switch "
                     "it on, with the address %s/webhooks/freshchat.",
                     address));
    json_array_append_new(list, json_sprintf("Save the RSA public key that is shown there as %s.",
                                             config->freshchat.webhook_key_files.count
                                                 ? config->freshchat.webhook_key_files.items[0]
                                                 : "the file that freshchat.webhook_key_files names"));
    json_array_append_new(list,
                          json_string("Freshchat's own link to Freshdesk (a ticket when a chat is resolved): switch "
                                      "it off, or there are two tickets for one chat."));
    json_array_append_new(list,
                          json_string("Freshdesk, Admin, Email Notifications: a reply also goes to the customer by "
                                      "e-mail. Where that is not wanted for chats, let agents answer with public "
                                      "notes, and switch off \"Agent adds comment to ticket\" for requesters."));
    if (key_file && !self->dry_run && findings_exit(self->findings) == EXIT_DONE)
        json_array_append_new(list,
                              json_sprintf("Remove %s: the administrator's key is not needed any more.", key_file));
    return list;
}

static void print_by_hand(const json_t *list)
{
    json_t *item;
    size_t i;
    puts("\nBy hand, because no interface does it:");
    json_array_foreach((json_t *)list, i, item) printf("  %zu. %s\n", i + 1, json_string_value(item));
}

// ---------------------------------------------------------------------------------------------------------------------

static void provide(struct provision *self, const char *key_file)
{
    char why[ASK_WHY_BYTES];
    struct doctor doctor = {.config = self->config};
    doctor_read_secrets(&doctor);
    struct secret *given = secret_read(key_file ? key_file : self->config->freshdesk.key_file, why, sizeof why);
    struct keys *keys = given ? keys_new(NULL, given->text, NULL) : NULL;
    if (given && !keys)
        snprintf(why, sizeof why, "The key must be one line of visible characters.");
    self->ask = keys ? ask_new(self->config, keys, why) : NULL;
    self->tokens = doctor.tokens;
    self->token_count = doctor.token_count;
    self->token = doctor.token_count ? doctor.tokens[0] : NULL;
    if (!self->ask) {
        findings_add(
            self->findings, VERDICT_FAIL, "administrator",
            "Put the API key of a Freshdesk administrator into a file that only you can read: --key-file FILE.", "%s",
            why);
    } else if (try_admin_key(self)) {
        provide_fields(self);
        provide_rule(self);
        look_at_own_key(self, doctor.keys[UPSTREAM_FRESHDESK]);
    }
    ask_free(&self->ask);
    keys_free(&keys);
    secret_free(&given);
    doctor_free_secrets(&doctor);
}

enum exit_code show_provision(const struct session *session)
{
    const struct options *options = session->options;
    struct config *config = NULL;
    struct config_error error;
    if (!options_read_config(options, &config, &error)) {
        char text[1200];
        fprintf(stderr, "deskbellctl: %s\n", config_error_text(&error, text, sizeof text));
        return EXIT_CONFIG;
    }
    struct provision self = {.config = config, .findings = findings_new(), .dry_run = options->given & TAKES_DRY_RUN};
    if (options->public_url)
        snprintf(self.url, sizeof self.url, "%s" DESK_HINT_PATH, options->public_url);
    provide(&self, options->key_file);
    json_t *hand = by_hand(&self, options->public_url, options->key_file);
    json_t *json = findings_json(self.findings);
    json_object_set(json, "by_hand", hand);
    json_object_set_new(json, "dry_run", json_boolean(self.dry_run));
    if (!show_json(session, json)) {
        findings_print(self.findings);
        print_by_hand(hand);
    }
    json_decref(json);
    json_decref(hand);
    enum exit_code code = findings_exit(self.findings);
    findings_free(&self.findings);
    config_free(&config);
    return code;
}
