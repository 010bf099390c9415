// SPDX-License-Identifier: Apache-2.0
// Secrets come from files of their own, never from the configuration. A file is refused when others can read it. Where
// systemd hands out credentials ($CREDENTIALS_DIRECTORY), a file of the same base name there is taken instead.
#ifndef DESKBELL_PROTO_SECRET_H
#define DESKBELL_PROTO_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/config.h"

// A secret file holds at most this many bytes; a public key file at most four times as many.
#define SECRET_MAX_BYTES 16384

// A secret in memory. `text` has `len` bytes and a NUL after them.
struct secret {
    char *text;
    size_t len;
};

// Reads the secret file `path` (or its namesake in $CREDENTIALS_DIRECTORY): regular, no access at all for others (group
// is allowed), not empty, at most SECRET_MAX_BYTES, no NUL bytes; white space around it is trimmed. Returns a secret to
// be freed with secret_free, or NULL with one sentence in `why`, which names the file and never its contents.
struct secret *secret_read(const char *path, char *why, size_t why_size) __attribute__((warn_unused_result));

// Reads a public key file: as secret_read, but others may read it (not write it).
struct secret *secret_read_public(const char *path, char *why, size_t why_size) __attribute__((warn_unused_result));

// Wipes and frees; *secret becomes NULL. A NULL *secret is fine.
void secret_free(struct secret **secret);

// True when both are the same bytes; takes the same time wherever they differ.
bool secret_equal(const struct secret *secret, const char *text, size_t len);

// Checks every secret, key and certificate file the configuration names, by opening it, without reading it, and that
// log_file has a folder. False with *error filled (the line is where the file is named) at the first that is missing or
// refused.
bool config_check_files(const struct config *config, struct config_error *error) __attribute__((warn_unused_result));

#endif
