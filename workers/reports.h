// SPDX-License-Identifier: Apache-2.0
// From a step's report to the bytes of its frame, and from a job's bytes to what earlier steps found. Whatever a step
// made of an answer from outside, what leaves here is a frame that the front can decode. Pure but for the log; the
// worker's thread.
#ifndef WORKERS_REPORTS_H
#define WORKERS_REPORTS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/pipes.h"
#include "proto/records.h"
#include "workers/step.h"

/** Decodes job->found into `found`; empty bytes give an empty record with "" strings. False when it does not decode. */
bool reports_read_found(const struct job *job, struct arena *arena, struct found *found)
    __attribute__((warn_unused_result));

/**
 * Completes `report` (identity, job, step, the changed context->found) and encodes it into `frame` (freed by
 * record_buffer_free). A report that breaks a bound, is not valid text, or says what its step cannot say is a bug of
 * the step: it is logged, and `report` becomes a plain OUTCOME_REFUSED that names the bug. It always succeeds.
 */
void reports_encode(const struct pipes_identity *identity, const struct job_context *context, struct report *report,
                    struct record_buffer *frame);

/** The conversation a job belongs to, for logs; never NULL. */
const char *reports_conversation(const struct job *job);

/** "done", "not_found", "retry", "doubt", "refused". */
const char *reports_outcome_name(uint64_t outcome);
#endif
