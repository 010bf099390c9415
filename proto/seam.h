// SPDX-License-Identifier: Apache-2.0
// Fault seams of front and workers, for scenario tests only: a build without DESKBELL_SEAMS has nothing of this in it.
// What goes wrong is said in the environment, read at the first question:
//   DESKBELL_TEST_DROP       "to_front:N" or "to_worker:N": the N-th frame (from 1, of any kind) that this process
//   sends in
//                            that direction is not sent, though its sender believes so
//   DESKBELL_TEST_KILL       "MOMENT:STEP": SIGKILL at that moment (the words of enum seam_moment in lower case,
//                            "before_call") of the step of that name (steps.h). "tree_MOMENT:STEP": it stops dead there
//                            with the same line in the log, and the test kills everything
//   DESKBELL_TEST_ONCE_FILE  the kill happens only to the process that creates this file, so not to its successor too
//   DESKBELL_TEST_OPEN       paths with ':' between: what the process can still do once it is confined is tried and
//                            logged, by seam_try
//   DESKBELL_TEST_FAIL       a folder: what fails is named by files in it, see seam_fail and seam_says
// One thread of a process asks; seam_try any.
#ifndef PROTO_SEAM_H
#define PROTO_SEAM_H
#include <stdbool.h>

enum seam_direction { SEAM_TO_FRONT, SEAM_TO_WORKER };
enum seam_moment {
    SEAM_BEFORE_CALL, // worker: the request is not made yet
    SEAM_AFTER_CALL,  // worker: its answer has come, its report is not sent
    SEAM_CLAIMED,     // front: the claim is on disk, the job is not sent
    SEAM_REPORTED,    // front: the report has come and is not on disk
    SEAM_RECORDED,    // front: its outcome is on disk, the worker has no ack
};

#ifdef DESKBELL_SEAMS
/** Counts one frame of that direction; true when it must be dropped. */
bool seam_drop_frame(enum seam_direction direction);

/** Does not return when the environment wants this process dead at this moment of this step. */
void seam_kill(enum seam_moment moment, const char *step_name);

/** Tries to open each of the paths, to run a program and to make an IP socket; logs the errno of each (0: it could). */
void seam_try(const char *thread_name);

/** True, once, when the folder has a file of that name ("worker_start", "front_stage", "front_open"); it takes it away.
 */
bool seam_fail(const char *moment);

/** True as long as the folder has a file of that name ("hide_listener"). */
bool seam_says(const char *name);

/** The folder of DESKBELL_TEST_ONCE_FILE, which a confined process must be allowed to write to; "" without one. */
const char *seam_once_folder(void);
#else
static inline const char *seam_once_folder(void)
{
    return "";
}

static inline void seam_try(const char *thread_name)
{
    (void)thread_name;
}

static inline bool seam_fail(const char *moment)
{
    (void)moment;
    return false;
}

static inline bool seam_says(const char *name)
{
    (void)name;
    return false;
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
