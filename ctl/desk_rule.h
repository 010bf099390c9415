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

enum { DESK_AT_BYTES = 256, DESK_CHANGES_BYTES = 2 * DESK_AT_BYTES + 256 };

/** A new rule's body; `url` is the whole address of the webhook. It holds the token. To be released. */
json_t *desk_rule_body(const char *url, const struct secret *token, enum desk_layout layout);

/**
 * The rule among `rules` that posts to Deskbell: at `url` where one does, else by its name; without a `url`, else by
 * the end of its address. An active one before one that is switched off. NULL: there is none. Borrowed.
 */
const json_t *desk_rule_find(const json_t *rules, const char *url);

/** Whether an active rule other than `ours` (NULL: there is none), not made by provision, posts to an address that ends
 * like Deskbell's: Deskbell's former one, or another program's. Its address without what may be a secret in `at`. */
bool desk_rule_stranger(const json_t *rules, const json_t *ours, char at[DESK_AT_BYTES]);

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
    char at[DESK_AT_BYTES]; // its address, without what may be a secret
};

/** Looks at a rule. `url` NULL: whatever address it has is right. `tokens` are those of webhook_token_files. */
struct desk_rule_state desk_rule_look(const json_t *rule, const char *url, struct secret *const *tokens, size_t count);
/** Whether nothing is wrong with it, as far as it can be seen. Conditions are their owner's: they are told, not undone.
 */
bool desk_rule_is_good(const struct desk_rule_state *state);
/** Adds what is wrong with it, or that it is good. */
void desk_rule_judge(struct findings *findings, const struct desk_rule_state *state);

/** Whether desk_rule_mended loses nothing: false where the rule has another webhook that may carry a secret which the
 * interface did not show, or one of which it is not known whether it was ours. */
bool desk_rule_can_mend(const json_t *rule, const struct desk_rule_state *state, const char *url);
/** The body that puts a listed rule right: its own actions, events and conditions stay, our webhook is replaced or
 * added, missing events are added, and it is switched on. It holds the token. To be released. */
json_t *desk_rule_mended(const json_t *rule, const char *url, const struct secret *token, enum desk_layout layout);
/** What that changes, in words: "OLD -> NEW; it was switched off"; "" for nothing. */
void desk_rule_changes(const struct desk_rule_state *state, const char *url, char *out, size_t size);
#endif
