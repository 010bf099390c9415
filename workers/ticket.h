// SPDX-License-Identifier: Apache-2.0
// The ticket's settings and custom fields, and what a helpdesk that refuses some of them gets instead. Used by the
// flows that create and update tickets.
#ifndef WORKERS_TICKET_H
#define WORKERS_TICKET_H
#include <stdbool.h>

#include <jansson.h>

#include "workers/rules.h"
#include "workers/step.h"

// Bits of found.omit in these flows: what this helpdesk refused and the next attempt leaves out.
enum ticket_omit {
    TICKET_OMIT_CONVERSATION = 1 << 0,
    TICKET_OMIT_CART = 1 << 1,
    TICKET_OMIT_FRICTION = 1 << 2,
    TICKET_OMIT_SCREEN = 1 << 3,
    TICKET_OMIT_TYPE = 1 << 4,
    TICKET_OMIT_GROUP = 1 << 5,
    TICKET_OMIT_PRODUCT = 1 << 6,
    TICKET_OMIT_TAGS = 1 << 7,
    TICKET_OMIT_IDENTITY = 1 << 8,  // e-mail and phone: the Freshchat user id identifies the requester
    TICKET_OMIT_REQUESTER = 1 << 9, // the former ticket's requester_id
    TICKET_OMIT_NAME = 1 << 10,
    TICKET_TYPED_EXTRAS = 1 << 11, // ticket.fields as numbers and booleans where they look like it
    TICKET_OMIT_EXTRAS = 1 << 12,  // ticket.fields not at all
    TICKET_TEXT_CART = 1 << 13,    // the cart as text, even where it is a number
    TICKET_TEXT_FRICTION = 1 << 14,
    TICKET_SHOWS_CART = 1 << 15,   // nothing refused: an update found this cart there already
    TICKET_OMIT_SUBJECT = 1 << 16, // an update leaves the subject as it is
};

// Of tickets whose cart the shop should have signed and did not.
#define TICKET_UNSIGNED_TAG "unsigned-context"

/** Puts type, group_id, product_id and tags, as configured and as the rules say, and TICKET_UNSIGNED_TAG where due. */
void ticket_put_settings(const struct job_context *context, const struct rules_result *rules, json_t *ticket);

/**
 * Puts custom_fields: conversation (unless empty), cart, friction, screen, and those the helpdesk requires. Empty ones
 * are left out. Cart and friction go as numbers where they are, until this helpdesk says that its fields hold text;
 * that is remembered as long as the worker lives.
 */
void ticket_put_fields(struct job_context *context, const char *conversation, json_t *ticket);

/** Whether the conversation field is sent, so that a look can match it. */
bool ticket_sends_conversation(const struct job_context *context);

/**
 * Reads which of the sent extras a refusal names and marks them in found.omit, with a line in the log. False when it
 * names none that is still sent: another attempt would be refused again.
 */
bool ticket_omit(struct job_context *context, const struct response *response);

/** Whether the ticket's description holds the messages of `body`, HTML as flows write it (entries_line). */
bool ticket_describes(struct arena *arena, const json_t *ticket, const char *body);

/** One sentence about what is left out by now. */
const char *ticket_omit_sentence(const struct job_context *context);

/**
 * What came of the job's step, which creates a ticket: the ticket, borrowed from the response; then the report is the
 * caller's to fill. NULL: the report is filled (the step again without what was refused, doubt, failure).
 */
const json_t *ticket_created(struct job_context *context, const struct response *response, struct report *report);
#endif
