// SPDX-License-Identifier: Apache-2.0
// mode = "observe": what a step would have written is told in the log and left undone.
#ifndef WORKERS_OBSERVE_H
#define WORKERS_OBSERVE_H
#include <stdbool.h>

#include "workers/step.h"

/**
 * True when the request would change something and context->observing: then it was logged as "would_write", and
 * `report` is filled (its step may have begun that) and says `observed`. False: the call may be made.
 */
bool observe_instead(struct job_context *context, const struct request *request, struct report *report);

/**
 * The names of a request body's fields, comma-separated, custom fields as "custom_fields.NAME"; whole numbers at its
 * top (status, priority, ids) with their value, everything else without. Never a text or a name of anybody. Lives in
 * `arena`.
 */
const char *observe_fields(struct arena *arena, const char *body);
#endif
