// SPDX-License-Identifier: Apache-2.0
// Freshdesk's automation webhooks (freshworks-api 5) as hints: "ticket 42 changed".
#ifndef HTTP_FRONT_INTAKE_NORMALISE_FRESHDESK_H
#define HTTP_FRONT_INTAKE_NORMALISE_FRESHDESK_H
#include "http-front/intake/normalise.h"

/**
 * Normalises one raw body: {"ticket_id": 42} or {"ticket_id": "42"}, also inside "freshdesk_webhook" (the simple
 * layout). Gives EVENT_HINT with an empty key and time_ms = options->now_ms; ANSWER_BAD_TICKET unless it is an integer
 * of 1 to 2^63-1.
 */
struct normalised normalise_freshdesk(const void *body, size_t size, const struct normalise_options *options,
                                      struct arena *arena) __attribute__((warn_unused_result));
#endif
