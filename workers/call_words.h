// SPDX-License-Identifier: Apache-2.0
// A call, or the wish to be called back, in words for agents: what is new, a subject, a note. Pure functions.
#ifndef WORKERS_CALL_WORDS_H
#define WORKERS_CALL_WORDS_H
#include <stdbool.h>
#include <stdint.h>

#include "workers/step.h"

/** The job's event; never NULL. */
const struct event *call_words_event(const struct job_context *context);

/** True when the event is the wish to be called back, no call. */
bool call_words_is_wish(const struct job_context *context);

/**
 * What of the event a reader of the ticket does not know yet, as a set of enum call_told; 0: nothing, as while the call
 * rings or is talked. A wish is told once.
 */
uint64_t call_words_news(const struct job_context *context);

/** Of that, what a new ticket's description tells. The customer reads it in the portal and in every quoted mail, so an
 * agent's notes and the recording's link are not among it: they are told in a private note behind it. */
uint64_t call_words_opening(const struct job_context *context);

/** Whether somebody must call back: nobody answered the customer, in no leg of the call, or they asked for it. */
bool call_words_urgent(const struct job_context *context);

/** The tag for an urgent one: "missed-call" or "call-back". */
const char *call_words_tag(const struct job_context *context);

/** "Missed call from Ada (+442079460000)", in one line. */
const char *call_words_subject(struct job_context *context);

/** The event's news as HTML, with what became of raising the ticket (found.said) and the call's own number at its end,
 * which tells this note from any other. */
const char *call_words_html(struct job_context *context);

/** The same of call_words_opening alone. */
const char *call_words_description(struct job_context *context);

/** The call's own number alone. */
const char *call_words_mark(struct job_context *context);

/** What the customer's number is dialled as: E.164 where it could be read, else as it was said; "" when withheld. */
const char *call_words_number(const struct job_context *context);
#endif
