// SPDX-License-Identifier: Apache-2.0
// What the files of the call's flow share: flow_call_join.c finds the ticket, flow_call_ticket.c opens one,
// flow_call_note.c raises it and says so.
#ifndef WORKERS_FLOW_CALL_H
#define WORKERS_FLOW_CALL_H
#include "workers/step.h"

/** The ticket is known: raise it first, when somebody must call back, or write the note at once. */
enum step flow_call_next(const struct job_context *context);

/** Records that the call belongs to that ticket, and whose it is; goes on with flow_call_next. requester 0: not known.
 */
void flow_call_take(struct job_context *context, uint64_t ticket, uint64_t requester, const char *what,
                    struct report *report);

/** Records that the ticket knows the event's news. */
void flow_call_told(const struct job_context *context, struct report *report);

/** The ticket takes nothing any more: another one is looked for, or opened. */
void flow_call_gone(struct job_context *context, struct report *report);
#endif
