// SPDX-License-Identifier: Apache-2.0
// The configuration as every child sees it: a copy in memory, sealed, so that no child can change it for the others and
// a file edited meanwhile is not read by halves.
#ifndef DESKBELL_SUPERVISOR_SNAPSHOT_H
#define DESKBELL_SUPERVISOR_SNAPSHOT_H

#include <stddef.h>

// Returns a sealed memfd (close-on-exec) that holds the text, to be closed by the caller; -1 with errno.
int snapshot_new(const char *text, size_t len);

// Reads a whole configuration file, at most CONFIG_MAX_BYTES. Returns the text (NUL behind it), to be freed with
// free(), and its length; NULL with one sentence in `why`.
char *snapshot_read_file(const char *path, size_t *len, char *why, size_t why_size);

#endif
