// SPDX-License-Identifier: Apache-2.0
// Fault seams of front and workers, for scenario tests only: a build without DESKBELL_SEAMS has nothing of this in it.
// What goes wrong is said in the environment, read at the first question:
//   DESKBELL_TEST_DROP       "to_front:N" or "to_worker:N": the N-th frame (from 1, of any kind) that this process
//   sends in
//                            that direction is not sent, though its sender believes so
//   DESKBELL_TEST_KILL       "before_call:STEP" or "after_call:STEP": SIGKILL before the HTTP request of that step (its
//   name
//                            in steps.h) is made, or when its answer has come and before the report is sent
//   DESKBELL_TEST_ONCE_FILE  the kill happens only to the process that creates this file, so not to its successor too
//   DESKBELL_TEST_OPEN       paths with ':' between: what the process can still do once it is confined is tried and
//                            logged, by seam_try
// One thread of a process asks; seam_try any.
#ifndef PROTO_SEAM_H
#define PROTO_SEAM_H
#include <stdbool.h>

enum seam_direction { SEAM_TO_FRONT, SEAM_TO_WORKER };
enum seam_moment { SEAM_BEFORE_CALL, SEAM_AFTER_CALL };

#ifdef DESKBELL_SEAMS
/** Counts one frame of that direction; true when it must be dropped. */
bool seam_drop_frame(enum seam_direction direction);

/** Does not return when the environment wants this process dead at this moment of this step. */
void seam_kill(enum seam_moment moment, const char *step_name);

/** Tries to open each of the paths, to run a program and to make an IP socket; logs the errno of each (0: it could). */
void seam_try(const char *thread_name);
#else
static inline void seam_try(const char *thread_name)
{
    (void)thread_name;
}

static inline bool seam_drop_frame(enum seam_direction direction)
{
    (void)direction;
    return false;
}

static inline void seam_kill(enum seam_moment moment, const char *step_name)
{
    (void)moment;
    (void)step_name;
}
#endif
#endif
