// SPDX-License-Identifier: Apache-2.0
// What deskbell-front gives up before it listens. Called by main() only, in this order, while there is one thread.
#ifndef HTTP_FRONT_CONFINE_H
#define HTTP_FRONT_CONFINE_H
#include <stdbool.h>

struct config;

/** Before any secret is read: no core files, no debugger, no new privileges, files for us alone. Logs what fails. */
void confine_early(void);

/**
 * When all secrets are read and before any thread runs: from here on the process can open what is below state_dir,
 * runtime_dir and backup_dir, and read what its libraries read at run time; nothing else, the credentials least of all.
 * False, logged, when the kernel could do that and did not.
 */
bool confine_files(const struct config *config) __attribute__((warn_unused_result));

/**
 * When both listeners serve: no thread of this process can open an IP socket of its own, run a program or trace one any
 * more. It takes what comes to the sockets it has. Where the kernel has no seccomp, that is logged and no error.
 */
void confine_calls(void);

#endif
