// SPDX-License-Identifier: Apache-2.0
// The process tree below the test program. The test program must be a child subreaper (scenario_begin sees to it), so
// that every descendant stays one when its parent dies.
#ifndef TESTS_SCENARIO_PROCESSES_H
#define TESTS_SCENARIO_PROCESSES_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Starts a program in a process group of its own, output appended to a file. arguments is NULL-terminated and leaves
// the program's name out; of `environment` the first `count` entries that are not NULL are added to our own. It is
// killed when we die. Returns its pid, or -1 with errno.
pid_t processes_start(const char *program, const char *const *arguments, const char *const *environment, size_t count,
                      const char *output);

// The same as systemd does it with two socket units (sd_listen_fds(3)): the program gets these descriptors as 3 and 4,
// under the names "front" and "admin".
pid_t processes_start_with_sockets(const char *program, const char *const *arguments, const char *const *environment,
                                   size_t count, const char *output, const int sockets[2]);

// True when that child has ended; *status is then what waitpid gave.
bool processes_reap(pid_t pid, int *status);
// Collects every ended child but those that nobody started here: orphans of a killed parent.
void processes_reap_orphans(void);

// Counts all living descendants and writes up to `size` of their pids.
size_t processes_descendants(pid_t *pids, size_t size);

// True while there is such a process that is no zombie.
bool processes_alive(pid_t pid);

// kill -9 of every descendant until none is left. False when that takes more than ten seconds.
bool processes_kill_all(void);

#endif
