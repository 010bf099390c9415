// SPDX-License-Identifier: Apache-2.0
// deskbelld's one loop: signals, status pipes and deadlines in; starting, stopping and telling out.
#ifndef DESKBELL_SUPERVISOR_SUPERVISOR_H
#define DESKBELL_SUPERVISOR_SUPERVISOR_H

#include <stddef.h>

#include "proto/config.h"

// Runs Deskbell with this parsed configuration, which it takes, and the text it was parsed from, until asked to leave.
// `config_path` is read again on HUP. Returns the exit code: 0 asked to leave, 1 with a sentence on stderr when it
// could not start.
int supervisor_main(struct config **config, const char *config_path, const char *text, size_t len);

#endif
