// SPDX-License-Identifier: Apache-2.0
// Freshchat's conversation webhooks (freshworks-api 1.3-1.6) as events.
#ifndef HTTP_FRONT_INTAKE_NORMALISE_FRESHCHAT_H
#define HTTP_FRONT_INTAKE_NORMALISE_FRESHCHAT_H
#include "http-front/intake/normalise.h"

/**
 * Normalises one raw body. A customer's message becomes EVENT_CUSTOMER_MESSAGE, an agent's EVENT_AGENT_MESSAGE, both
 * with the key "freshchat:message:ID"; a chat that was resolved or reopened EVENT_RESOLVED or EVENT_REOPENED, with its
 * conversation and time as the key; all else is ignored or bad. Text beyond the record's bounds is cut at a whole
 * character, parts beyond them are replaced by one that says so.
 */
struct normalised normalise_freshchat(const void *body, size_t size, const struct normalise_options *options,
                                      struct arena *arena) __attribute__((warn_unused_result));
#endif
