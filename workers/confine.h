// SPDX-License-Identifier: Apache-2.0
// What deskbell-worker gives up before it calls out. Called by main() only, in this order, while there is one thread.
#ifndef WORKERS_CONFINE_H
#define WORKERS_CONFINE_H
#include <stdbool.h>

struct config;

/** Before any key is read: no core files, no debugger, no new privileges, files for this user alone. False: errno. */
bool confine_early(void) __attribute__((warn_unused_result));

/**
 * When the keys are read: from here on the process can make sockets in runtime_dir and read what name resolution and
 * TLS need; it can write no file, and read neither the ledger nor anybody's home. False: errno.
 */
bool confine_files(const struct config *config) __attribute__((warn_unused_result));

#endif
