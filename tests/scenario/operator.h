// SPDX-License-Identifier: Apache-2.0
// The operator: runs deskbellctl against a scenario's deskbelld.
#ifndef TESTS_SCENARIO_OPERATOR_H
#define TESTS_SCENARIO_OPERATOR_H
#include <jansson.h>

#include "tests/scenario/scenario.h"

#define OPERATOR_WORDS 12

// Runs deskbellctl with this scenario's runtime folder and these arguments (NULL-terminated, at most OPERATOR_WORDS).
// Returns its exit code; what it wrote, errors included, goes to *output (may be NULL), to be freed.
int operator_runs(struct scenario *s, const char *const *arguments, char **output);
// The same without the runtime folder: all arguments are the story's.
int operator_types(struct scenario *s, const char *const *arguments, char **output);

// Fails the test unless deskbellctl leaves with this code. operator_says(s, 0, "dead", "list")
#define operator_says(s, code, ...) operator_expects(s, code, (const char *const[]){__VA_ARGS__, NULL})
void operator_expects(struct scenario *s, int code, const char *const *arguments);

// The answer to these words with --json; fails the test unless deskbellctl leaves with 0. Release it with json_decref.
#define operator_asks(s, ...) operator_answer(s, (const char *const[]){"--json", __VA_ARGS__, NULL})
json_t *operator_answer(struct scenario *s, const char *const *arguments);

// Waits until that many dead letters are told of; fails the test after timeout_ms.
void operator_sees_dead_within(struct scenario *s, int64_t dead, int timeout_ms);
// Waits until that direction ("chat-to-desk") holds so many waiting events.
void operator_sees_waiting_within(struct scenario *s, const char *direction, int64_t waiting, int timeout_ms);

#endif
