// SPDX-License-Identifier: Apache-2.0
// The commands of deskbellctl: each asks deskbelld and shows its answer, as tables or, with --json, as it came.
#ifndef CTL_SHOW_H
#define CTL_SHOW_H
#include <jansson.h>

#include "ctl/call.h"
#include "ctl/options.h"

struct session {
    const struct options *options;
    const char *runtime_dir; // NULL where the command reads the configuration by itself
    // What the command is about: the words behind its name.
    const char *const *words;
    size_t count;
};

typedef enum exit_code show_fn(const struct session *session);

show_fn show_status;
show_fn show_trace;
show_fn show_dead_list;
show_fn show_dead_show;
show_fn show_dead_retry;
show_fn show_dead_drop;
show_fn show_pause;
show_fn show_resume;
show_fn show_backup;
show_fn show_keys;
show_fn show_forget;
show_fn show_doctor;
show_fn show_provision;

/**
 * Asks; *answer is released by the caller where EXIT_DONE is returned. Everything else has been said on stderr and is
 * the command's exit code.
 */
enum exit_code show_ask(const struct session *session, const char *command, const char *const *arguments, size_t count,
                        json_t **answer);
/** With --json: prints the answer as it came, on one line, and returns true. */
bool show_json(const struct session *session, const json_t *answer);
#endif
