// SPDX-License-Identifier: Apache-2.0
// The customer as Freshchat knows them: name, e-mail, phone, and what the shop's page said of the cart and of what is
// in the way (docs/widget.md). All of it is a claim of a browser: shown, compared with rules, never trusted further,
// unless the shop's server has signed it. Pure functions.
#ifndef WORKERS_CUSTOMER_H
#define WORKERS_CUSTOMER_H
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/arena.h"
#include "proto/records.h"
#include "workers/step.h"

enum { CUSTOMER_FRICTION_STEP = 5 }; // a score that moved by less has not changed

/** The user object of freshworks-api 2.5 as a context with read = true, every field within its record's bound. */
struct context customer_read(struct arena *arena, const json_t *user);

/** The same of an answer, and whether the shop signed the cart: judged by the answer's own time, since the shop's and
 * ours may both be wrong. */
struct context customer_answered(const struct job_context *context, const struct response *response);

/** A context with nothing in it, read = false. */
struct context customer_unknown(void);

/**
 * What is newly said over what was known; a field that is missing now keeps its former value, but a cart comes whole. A
 * proof whose time is over still holds for the cart that it proved.
 */
struct context customer_merge(const struct context *known, const struct context *now);

/** Whether the cart's value or currency is another, as far as both are known. */
bool customer_cart_changed(const struct context *known, const struct context *now);

/** Whether name, e-mail or phone is another. */
bool customer_is_other(const struct context *known, const struct context *now);

/** Whether the ticket should be changed, or its agent told: name, e-mail, phone, cart, its lines, whether it is signed,
 * screen, friction by CUSTOMER_FRICTION_STEP or to another level. */
bool customer_changed(const struct context *known, const struct context *now);

/** Read, and nothing missing of name, e-mail or phone, cart, friction and screen: it is read again else. */
bool customer_complete(const struct context *context);

/** The shop should have signed the cart, and did not, or too long ago. */
bool customer_is_unsigned(const struct context *context);

/** What the cart counts when those are served first who would buy most: nothing where anyone could have said it. */
uint64_t customer_worth(const struct context *context);

/** The level of a friction score, docs/friction.md: 0 low, 1 medium, 2 high; and its word. */
unsigned customer_level(uint64_t friction);
const char *customer_level_word(uint64_t friction);

/** Whether the text has the shape of one plain e-mail address, or of a phone number. */
bool customer_is_email(const char *text);
bool customer_is_phone(const char *text);
#endif
