// SPDX-License-Identifier: Apache-2.0
// One question to the running deskbelld over its control socket, and its answer.
#ifndef CTL_CALL_H
#define CTL_CALL_H
#include <jansson.h>
#include <stddef.h>

enum { CALL_TIMEOUT_MS = 5000, CALL_WHY_BYTES = 1024 };

enum call_result {
    CALL_DONE,
    CALL_REFUSED,     // `why` is deskbelld's sentence
    CALL_UNREACHABLE, // nobody answered in time
};

/** Whether somebody listens on the control socket: 0, or errno (ENOENT, ECONNREFUSED: nobody). */
int call_knock(const char *runtime_dir);

/**
 * Asks for `command` with its arguments at RUNTIME_DIR/control.sock and waits CALL_TIMEOUT_MS at most, one
 * second where nobody listens. *answer is the
 * answer, to be released with json_decref, where the result is CALL_DONE, else NULL and `why` holds a sentence.
 */
enum call_result call_ask(const char *runtime_dir, const char *command, const char *const *arguments, size_t count,
                          json_t **answer, char why[CALL_WHY_BYTES]);
#endif
