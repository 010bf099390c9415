// SPDX-License-Identifier: Apache-2.0
// One whole configuration as deskbelld keeps it, with all that children started with it inherit: the sealed snapshot,
// the log file, and descriptors of its own for the listening sockets (docs/design.md 10). Everything about a new one
// that can fail is done when it is made, before anything that runs is touched.
#ifndef DESKBELL_SUPERVISOR_EDITION_H
#define DESKBELL_SUPERVISOR_EDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/config.h"
#include "supervisor/listeners.h"

struct edition {
    uint64_t number; // from 1; never used again by this deskbelld
    struct config *config;
    int config_fd; // snapshot
    int log_fd;    // -1: no log file is set
    struct listeners listeners;
};

// Reads, parses and checks the file and its secrets. True with *config (config_free) and, unless NULL, its text (free);
// false with *error filled.
bool edition_read(const char *path, struct config **config, char **text, size_t *len, struct config_error *error)
    __attribute__((warn_unused_result));

// Makes an edition of a configuration, which it takes, and of the text it was parsed from. `before` is the one in
// force, NULL: none. NULL with one sentence in `why`, and nothing open; the configuration is freed in any case.
struct edition *edition_new(struct config **config, const char *text, size_t len, const struct edition *before,
                            char *why, size_t why_size) __attribute__((warn_unused_result));

// Closes and frees; *edition becomes NULL. A NULL *edition is fine.
void edition_free(struct edition **edition);

#endif
