// SPDX-License-Identifier: Apache-2.0
// deskbelld's one loop: signals, status pipes and deadlines in; starting, stopping and telling out.
#ifndef DESKBELL_SUPERVISOR_SUPERVISOR_H
#define DESKBELL_SUPERVISOR_SUPERVISOR_H

#include <stddef.h>

#include "proto/config.h"

// Runs Deskbell with this parsed configuration and the text it was parsed from, until asked to leave. `config_path` is
// read again on HUP. Returns the exit code: 0 asked to leave, 1 with a sentence on stderr when it could not start.
int supervisor_main(const struct config *config, const char *config_path, const char *text, size_t len);

// Reads, parses and checks the file and its secrets. True with *config (config_free) and, unless NULL, its text (free);
// false with *error filled.
bool supervisor_load(const char *path, struct config **config, char **text, size_t *len, struct config_error *error)
    __attribute__((warn_unused_result));

#endif
