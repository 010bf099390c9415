// SPDX-License-Identifier: Apache-2.0
// The automation rule that tells Deskbell of an agent's reply (freshworks-api 4.11 and 5): what it must be, and what a
// rule found in the helpdesk lacks. Pure functions over JSON.
#ifndef CTL_DESK_RULE_H
#define CTL_DESK_RULE_H
#include <jansson.h>
#include <stdbool.h>

#include "ctl/findings.h"
#include "proto/secret.h"

#define DESK_RULE_NAME  "Deskbell: an agent replied"
#define DESK_RULES_PATH "/automations/4/rules"
#define DESK_HINT_PATH  "/webhooks/freshdesk"

// Where the helpdesk wants to be told the layout of a webhook's content: its reference and a live account disagree.
enum desk_layout { DESK_LAYOUT_BESIDE, DESK_LAYOUT_INSIDE };

/** The rule's body for POST and PUT; `url` is the whole address of the webhook. It holds the token. To be released. */
json_t *desk_rule_body(const char *url, const struct secret *token, enum desk_layout layout);

/**
 * The rule among `rules` that posts to Deskbell: at `url` where one does, else by the end of its address, else by its
 * name. NULL: there is none. Borrowed.
 */
const json_t *desk_rule_find(const json_t *rules, const char *url);

// How a rule's token compares with those that Deskbell accepts.
enum desk_token { DESK_TOKEN_RIGHT, DESK_TOKEN_WRONG, DESK_TOKEN_HIDDEN };

struct desk_rule_state {
    bool ours; // carries the name that provision gives
    bool active;
    bool performer; // fires for what agents do
    bool reply, note;
    bool conditions; // it has some, which nobody but its owner understands
    bool url;        // at the address asked for; true where none was
    bool content;    // says {{ticket.id}} under ticket_id
    enum desk_token token;
    char at[256]; // its address, without what may be a secret
};

/** Looks at a rule. `url` NULL: whatever address it has is right. `tokens` are those of webhook_token_files. */
struct desk_rule_state desk_rule_look(const json_t *rule, const char *url, struct secret *const *tokens, size_t count);
/** Whether nothing is wrong with it, as far as it can be seen. Conditions are their owner's: they are told, not undone.
 */
bool desk_rule_is_good(const struct desk_rule_state *state);
/** Adds what is wrong with it, or that it is good. */
void desk_rule_judge(struct findings *findings, const struct desk_rule_state *state);
#endif
