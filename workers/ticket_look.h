// SPDX-License-Identifier: Apache-2.0
// The look for a ticket that may have been opened: it reads the list of tickets changed since (never the search index,
// which lags) and matches the conversation field exactly, or the description where that field is not sent.
#ifndef WORKERS_TICKET_LOOK_H
#define WORKERS_TICKET_LOOK_H
#include <jansson.h>

#include "workers/step.h"

/** The next call of the look. */
enum step_choice ticket_look_begin(struct job_context *context, struct request *request);

/**
 * The oldest ticket whose conversation field holds `conversation`, borrowed from the response: then the report is the
 * caller's to fill like the write's. NULL: the report is filled (further page, not found, failure).
 */
const json_t *ticket_look_finish(struct job_context *context, const char *conversation, const struct response *response,
                                 struct report *report);
#endif
