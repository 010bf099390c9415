// SPDX-License-Identifier: Apache-2.0
// Runs the real deskbelld, with its front and workers, against a sandbox inside the test program. Each scenario has its
// own temporary folder, its own loopback address and its own configuration with short waits, so that several programs
// can run side by side. A story (story.h) is told between scenario_begin and scenario_end; what a story that failed
// leaves behind is shown and cleared away by scenario_teardown. Everything here is called from the test program's main
// thread.
#ifndef TESTS_SCENARIO_SCENARIO_H
#define TESTS_SCENARIO_SCENARIO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/sandbox/sandbox.h"

struct scenario;

#define SCENARIO_ENVIRONMENT 8
#define SCENARIO_WORKERS     16

struct scenario_options {
    struct sandbox_options sandbox; // targets of webhooks and credentials are filled in by scenario_begin
    int workers;
    int in_flight;
    int gather_quiet_ms, gather_max_ms;
    int context_wait_ms;
    int connect_timeout_ms, request_timeout_ms, settle_ms;
    int retry_first_ms, retry_max_ms;
    int silent_child_seconds, stop_seconds;
    int max_body_bytes;
    int64_t replay_window_seconds;
    bool fail_seam;               // DESKBELL_TEST_FAIL is the state folder (proto/seam.h), in the first run only
    bool socket_units;            // the test holds both listening sockets, as systemd would
    const char *log_level;        // NULL: "debug"
    const char *workers_more;     // further words for the section workers; NULL: none
    const char *webhook_key_file; // a further public key; NULL: only the sandbox's
    const char *freshchat_more;   // further lines for the section freshchat, "poll_seconds = 1"; NULL: none
    const char *freshdesk_more;   // the same for freshdesk
    const char *freshcaller_more; // calls are read, with these further lines in section freshcaller; NULL: they are not
    const char *more;             // further lines before the first section, "mode = \"observe\""; NULL: none
    const char *timing_more;      // the same for timing
    const char *context_key;      // what the shop signs carts with, for widget.context_key_file; NULL: none
    const char *priorities;       // rules in the configuration's own words; NULL: the two of the documentation
    const char *environment[SCENARIO_ENVIRONMENT]; // "NAME=value" for deskbelld, in the first run only
};

// The defaults: two workers, notes gathered for 100 ms, two seconds of settling.
void scenario_options_init(struct scenario_options *options);

// Starts a sandbox and deskbelld and waits until /readyz says 200. NULL options: the defaults. *state becomes the
// scenario, for scenario_teardown. Fails the test when deskbelld does not become ready.
struct scenario *scenario_begin(void **state, const struct scenario_options *options);

// The end of a story: stops deskbelld (if it runs) as scenario_stop does and looks through its log for reports of
// sanitizers and for errors that nobody expected.
void scenario_end(struct scenario *s);

// cmocka's teardown: ends every process that is left and removes the folder. Shows the log if the story did not reach
// its end.
int scenario_teardown(void **state);

// Starts deskbelld again on the same state folder, without the environment of the first run, and waits for /readyz.
void scenario_start(struct scenario *s);
// The same without waiting.
void scenario_launch(struct scenario *s);
void scenario_await_ready(struct scenario *s);

// Writes the configuration anew with these options (only what is in the file counts), for a reload or the next start.
void scenario_configure(struct scenario *s, const struct scenario_options *options);
const struct scenario_options *scenario_options(const struct scenario *s);

// SIGTERM; fails the test unless deskbelld leaves with 0 in time and leaves no process behind.
void scenario_stop(struct scenario *s);
// In two parts, for what should happen meanwhile.
void scenario_ask_to_stop(struct scenario *s);
void scenario_await_stopped(struct scenario *s);

// kill -9 of everything at once, as a power cut would.
void scenario_kill_all(struct scenario *s);
// Writes the configuration anew with these lines before its first section; deskbelld reads it at its next start.
void scenario_reconfigure(struct scenario *s, const char *more);
// Throws the ledger away; deskbelld must not run.
void scenario_forget_state(struct scenario *s);

struct sandbox *scenario_sandbox(struct scenario *s);
pid_t scenario_supervisor(const struct scenario *s);
const char *scenario_folder(const struct scenario *s);
const char *scenario_config(const struct scenario *s);  // path of deskbell.conf
const char *scenario_address(const struct scenario *s); // of the front, "127.1.2.3"
int scenario_port(const struct scenario *s);
int scenario_admin_port(const struct scenario *s);

// The path of a file in the scenario's folder that does not exist yet; it belongs to the scenario. For seams that act
// once.
const char *scenario_path(struct scenario *s, const char *name);

// What GET /status says.
struct scenario_worker {
    int slot;
    uint64_t generation;
    pid_t pid;
    int jobs;
    bool ready;
};
struct scenario_status {
    pid_t front;
    uint64_t generation;
    size_t worker_count;
    struct scenario_worker workers[SCENARIO_WORKERS];
    int64_t lanes, waiting, out, dead;
};
// False when the front does not answer, or not yet with a whole picture.
bool scenario_status(struct scenario *s, struct scenario_status *status);
// The same, but fails the test when there is none within five seconds.
struct scenario_status scenario_status_now(struct scenario *s);

// The pid of a worker that holds a job, as soon as there is one; fails the test after timeout_ms.
pid_t scenario_busy_worker(struct scenario *s, int timeout_ms);

// Fails the test unless the process is gone within timeout_ms.
void scenario_process_gone_within(struct scenario *s, pid_t pid, int timeout_ms);

// How many lines of the log contain the text. deskbelld and its children write into one file.
size_t scenario_log_count(struct scenario *s, const char *text);

// The story provokes errors: lines of level error that contain the text (a constant) are no surprise to scenario_end.
void scenario_expect_error(struct scenario *s, const char *text);

// Runs deskbelld once more with these arguments (NULL-terminated, without the program's name) and waits for its end.
// Returns its exit code, or -1 when it had to be killed after timeout_ms; *output is what it wrote, to be freed.
int scenario_run_deskbelld(struct scenario *s, const char *const *arguments, int timeout_ms, char **output);

// Calls predicate every few milliseconds until it is true or the time is over; returns its last word. For what is not
// in the sandbox; for that use sandbox_wait.
bool scenario_wait(bool (*predicate)(void *arg), void *arg, int timeout_ms);

int64_t scenario_now_ms(void); // monotonic

// Fails the test with a sentence. The place named is the story's, as told by scenario_at.
void scenario_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void scenario_at(const char *file, int line);

#endif
