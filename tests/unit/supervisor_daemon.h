// SPDX-License-Identifier: Apache-2.0
// The real deskbelld with children of our own making (supervisor_fake_child.c), in a folder of each test's own. Every
// wait is for a line in the children's journal or in deskbelld's log, with a deadline.
#ifndef TESTS_UNIT_SUPERVISOR_DAEMON_H
#define TESTS_UNIT_SUPERVISOR_DAEMON_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RUN_TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

extern char folder[64];
extern pid_t daemon_pid;         // 0 while none runs
extern char daemon_text[262144]; // of the last contents()

// A path in the test's folder; kept for the next three calls.
char *in_folder(const char *name);
// Writes a file into the folder.
void put(const char *name, const char *content, mode_t mode);
// What a file of the folder holds, in daemon_text; empty when there is none.
const char *contents(const char *name);
// deskbell.conf of one front and the usual workers, and `more`.
void write_config(const char *more);
// Fixtures of a test: the folder with configuration and secrets; deskbelld is ended and the folder removed.
int make_folder(void **state);
// Forks and execs deskbelld; its output is appended to that file of the folder.
void start_with(const char *option, const char *log);
void start(void);
// Waits for the process to end; returns its exit code, or minus its signal.
int exit_code_of(pid_t pid);
// Of deskbelld, which must end.
int exit_code(void);
int remove_folder(void **state);
size_t count_of(const char *content, const char *words);
// Waits until `words` stand in the file at least `times` times.
void wait_for(const char *name, const char *words, size_t times);
// Until front and both workers are ready.
void start_and_wait(void);
// The pid that the journal gives for the n-th start of a child such as "worker-1".
pid_t pid_of(const char *child, int nth);
bool is_gone(pid_t pid);
void wait_gone(pid_t pid);
// Whether the first line of the journal that ends with these words begins with `child`.
bool first_is(const char *words, const char *child);
// On loopback, at a port of the machine's choosing.
int listening_socket(unsigned *port);
#endif
