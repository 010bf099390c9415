// SPDX-License-Identifier: Apache-2.0
// The customer as Freshchat knows them: name, e-mail, phone, and what the shop's page said of the cart. All of it is a
// claim of a browser: shown, compared with rules, never trusted further. Pure functions.
#ifndef WORKERS_CUSTOMER_H
#define WORKERS_CUSTOMER_H
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/arena.h"
#include "proto/records.h"

/** The user object of freshworks-api 2.5 as a context with read = true, every field within its record's bound. */
struct context customer_read(struct arena *arena, const json_t *user);

/** A context with nothing in it, read = false. */
struct context customer_unknown(void);

/** What is newly said over what was known; a field that is missing now keeps its former value. */
struct context customer_merge(const struct context *known, const struct context *now);

/** Whether the agent would see a difference: cart, friction, screen. */
bool customer_differs(const struct context *a, const struct context *b);

/** Read, and none of cart, friction and screen missing. */
bool customer_complete(const struct context *context);

/** Whether the text has the shape of one plain e-mail address, or of a phone number. */
bool customer_is_email(const char *text);
bool customer_is_phone(const char *text);
#endif
