// SPDX-License-Identifier: Apache-2.0
// The real deskbelld, with children of our own making (supervisor_fake_child.c): starting, inheriting, dying, silence,
// stopping in order, and what happens when deskbelld itself is killed. Every wait is for a line in the children's
// journal or in deskbelld's log, with a deadline.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/clock.h"

#define PATIENCE_MS 20000

static char folder[64];
static pid_t daemon_pid;
static char text[262144];

static char *in_folder(const char *name)
{
    static char paths[4][160];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *content, mode_t mode)
{
    FILE *out = fopen(in_folder(name), "w");

    assert_non_null(out);
    fputs(content, out);
    fclose(out);
    assert_int_equal(chmod(in_folder(name), mode), 0);
}

static const char *contents(const char *name)
{
    FILE *in = fopen(in_folder(name), "r");
    size_t n = in ? fread(text, 1, sizeof text - 1, in) : 0;

    text[n] = '\0';
    if (in)
        fclose(in);
    return text;
}

static void write_config(const char *more)
{
    char config[4096];

    snprintf(config, sizeof config,
             "state_dir = \"%1$s/state\"\nruntime_dir = \"%1$s/run\"\n"
             "front { listen = \"127.0.0.1:0\" admin_listen = \"127.0.0.1:0\" }\n"
             "freshchat { api_url = \"http://127.0.0.1:1/v2\" token_file = \"%1$s/token\" webhook_key_files = "
             "{\"%1$s/key\"} }\n"
             "freshdesk { api_url = \"http://127.0.0.1:1/desk\" key_file = \"%1$s/token\" webhook_token_files = "
             "{\"%1$s/token\"} }\n"
             "timing { silent_child_seconds = 2 stop_seconds = 2 }\n%2$s\n",
             folder, more);
    put("deskbell.conf", config, 0600);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/deskbell-run-XXXXXX");
    assert_non_null(mkdtemp(folder));
    put("token", "secret", 0600);
    put("key", "public", 0644);
    assert_int_equal(mkdir(in_folder("plan"), 0700), 0);
    setenv("DESKBELL_TEST_HELPERS", HELPERS, 1);
    setenv("DESKBELL_TEST_JOURNAL", in_folder("journal"), 1);
    setenv("DESKBELL_TEST_PLAN", in_folder("plan"), 1);
    setenv("TEST_SECRET", "must not reach a child", 1);
    unsetenv("NOTIFY_SOCKET");
    write_config("");
    daemon_pid = 0;
    return 0;
}

static void start_with(const char *option, const char *log)
{
    daemon_pid = fork();
    if (daemon_pid == 0) {
        int fd = open(in_folder(log), O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        // A stray descriptor that no child may see.
        dup2(fd, 77);
        close_range(3, 76, 0); // as whoever starts it leaves it: its own descriptors have the lowest numbers
        execl(DESKBELLD, "deskbelld", "-c", in_folder("deskbell.conf"), option, (char *)NULL);
        _exit(126);
    }
    assert_true(daemon_pid > 0);
}

static void start(void)
{
    start_with(NULL, "log");
}

// Waits for the process to end; returns its exit code, or minus its signal.
static int exit_code_of(pid_t pid)
{
    int64_t deadline = clock_mono_ms() + PATIENCE_MS;
    int status;

    while (clock_mono_ms() < deadline) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        assert_int_equal(got, 0);
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    fail_msg("pid %d did not end", (int)pid);
    return -1;
}

static int exit_code(void)
{
    int code = exit_code_of(daemon_pid);

    daemon_pid = 0;
    return code;
}

static int remove_folder(void **state)
{
    char command[128];

    (void)state;
    if (daemon_pid > 0) {
        kill(daemon_pid, SIGQUIT);
        exit_code();
    }
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static size_t count_of(const char *content, const char *words)
{
    size_t n = 0;

    for (const char *at = content; (at = strstr(at, words)); at += strlen(words))
        n++;
    return n;
}

// Waits until `words` stand in the file at least `times` times.
static void wait_for(const char *name, const char *words, size_t times)
{
    int64_t deadline = clock_mono_ms() + PATIENCE_MS;

    while (count_of(contents(name), words) < times) {
        if (clock_mono_ms() > deadline)
            fail_msg("no \"%s\" (%zu times) in %s; journal and log:\n%s\n", words, times, name, contents("journal"));
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

static void start_and_wait(void)
{
    start();
    wait_for("log", "event=ready workers=", 1);
    wait_for("log", "event=child_ready", 3);
}

// The pid that the journal gives for the n-th start of a child such as "worker-1".
static pid_t pid_of(const char *child, int nth)
{
    const char *at = contents("journal");
    char start_of_line[64];

    snprintf(start_of_line, sizeof start_of_line, "%s g", child);
    for (const char *line = at; *line; line += strcspn(line, "\n") + 1) {
        const char *pid = strstr(line, " pid");
        if (strncmp(line, start_of_line, strlen(start_of_line)) != 0 || !pid ||
            strncmp(strchr(pid + 1, ' '), " start", 6) != 0)
            continue;
        if (--nth == 0)
            return (pid_t)atoi(pid + 4);
    }
    fail_msg("no start of %s in the journal", child);
    return -1;
}

static bool is_gone(pid_t pid)
{
    char path[64], state = 'X';
    FILE *in;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    in = fopen(path, "r");
    if (!in)
        return true;
    if (fscanf(in, "%*d %*s %c", &state) != 1)
        state = 'X';
    fclose(in);
    return state == 'Z' || state == 'X';
}

static void wait_gone(pid_t pid)
{
    int64_t deadline = clock_mono_ms() + PATIENCE_MS;

    while (!is_gone(pid)) {
        if (clock_mono_ms() > deadline)
            fail_msg("pid %d is still there", (int)pid);
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

// Whether the first line of the journal that ends with these words begins with `child`.
static bool first_is(const char *words, const char *child)
{
    char *content = (char *)(uintptr_t)contents("journal"), *at = strstr(content, words), *line;

    if (!at)
        fail_msg("no \"%s\" in the journal:\n%s", words, content);
    *at = '\0';
    line = strrchr(content, '\n');
    return strncmp(line ? line + 1 : content, child, strlen(child)) == 0;
}

static void all_start_and_leave_in_order(void **state)
{
    (void)state;
    start_and_wait();
    // The front has heard of both workers.
    wait_for("journal", " 1:g", 1);
    wait_for("journal", " 2:g", 1);
    kill(daemon_pid, SIGTERM);
    assert_int_equal(exit_code(), 0);
    // Workers are told to leave at once too, since they can report to nobody any more: they heed what they see first.
    assert_int_equal(count_of(contents("journal"), " term\n") + count_of(text, " quit\n"), 3);
    assert_true(first_is(" term\n", "front-0 "));
    // And the front was dead and reaped before a worker was asked.
    wait_for("log", "event=stopped", 1);
    contents("log");
    assert_true(strstr(text, "child_drained child=front") < strstr(text, "child_drained child=worker"));
    assert_true(strstr(text, "child_died child=front") < strstr(text, "child_died child=worker"));
    assert_int_equal(count_of(text, "event=child_died"), 3);
    assert_int_equal(count_of(text, "cause=\"exit code 0\""), 3);
}

static void a_child_gets_the_written_list_and_nothing_more(void **state)
{
    const char *front, *worker;

    (void)state;
    start_and_wait();
    wait_for("journal", "inherits", 3);
    contents("journal");
    front = strstr(text, "inherits fds=0 1 2 3 4 5 6 7 8 seals=15 config=http://127.0.0.1:1/desk death=15 blocked=1 "
                         "listening=1,1 secret=none notify=none status_nonblock=1\n");
    worker = strstr(text, "inherits fds=0 1 2 3 4 5 6 seals=15 config=http://127.0.0.1:1/desk death=15 blocked=1 "
                          "listening=0,0 secret=none notify=none status_nonblock=1\n");
    if (!front || !worker)
        fail_msg("%s", text);
}

static void a_killed_worker_is_replaced_and_the_front_told(void **state)
{
    char reaped[64];
    const char *g;

    (void)state;
    start_and_wait();
    kill(pid_of("worker-1", 1), SIGKILL);
    wait_for("log", "cause=\"signal 9 (Killed)\"", 1);
    wait_for("log", "child_ready child=worker slot=1", 2);
    g = strstr(contents("journal"), "worker-1 g") + 9;
    snprintf(reaped, sizeof reaped, "reaped 1:%.*s\n", (int)strcspn(g, " "), g);
    wait_for("journal", reaped, 1);
    assert_int_equal(count_of(contents("log"), "child_throttled"), 0);
    kill(pid_of("front-0", 1), SIGKILL);
    wait_for("log", "child_ready child=front slot=0", 2);
    // The new front hears of both workers in its first roster.
    snprintf(reaped, sizeof reaped, "pid%d roster", (int)pid_of("front-0", 2));
    wait_for("journal", reaped, 1);
    g = strstr(contents("journal"), reaped);
    assert_non_null(memmem(g, strcspn(g, "\n"), " 1:g", 4));
    assert_non_null(memmem(g, strcspn(g, "\n"), " 2:g", 4));
    kill(daemon_pid, SIGTERM);
    assert_int_equal(exit_code(), 0);
}

static void a_death_before_ready_is_throttled_and_not_counted(void **state)
{
    int64_t begin;

    (void)state;
    put("plan/worker-2", "die\ndie\n", 0600);
    begin = clock_mono_ms();
    start();
    wait_for("log", "event=ready workers=1", 1);
    wait_for("log", "child_ready child=worker slot=2", 1);
    // 1 s and 2 s, a quarter less at most.
    assert_true(clock_mono_ms() - begin >= 2250);
    assert_int_equal(count_of(contents("log"), "event=child_throttled child=worker slot=2"), 2);
    assert_int_equal(count_of(contents("log"), "cause=\"exit code 7\""), 2);
}

// A child that says READY and then dies at once again and again is no incident any more.
static void a_crash_loop_after_ready_is_throttled(void **state)
{
    (void)state;
    put("plan/worker-1", "exec-late\nexec-late\nexec-late\nexec-late\n", 0600);
    start();
    wait_for("log", "child_ready child=worker slot=1", 5);
    assert_int_equal(count_of(contents("log"), "event=child_throttled child=worker slot=1"), 1);
    assert_int_equal(count_of(contents("log"), "was_ready=1 cause=\"exit code 9\""), 4);
    assert_int_equal(count_of(contents("log"), "child_died child=worker slot=2"), 0);
}

static void a_silent_child_is_killed_and_replaced(void **state)
{
    (void)state;
    put("plan/worker-1", "stop\n", 0600);
    put("plan/front-0", "mute\n", 0600);
    start();
    wait_for("log", "event=child_silent child=worker slot=1", 1);
    wait_for("log", "event=child_silent child=front slot=0", 1);
    // A stopped process takes SIGKILL only; a mute one dies of SIGABRT.
    wait_for("log", "cause=\"signal 9 (Killed)\"", 1);
    wait_for("log", "cause=\"signal 6 (Aborted)", 1);
    wait_for("log", "child_ready child=worker slot=1", 2);
    wait_for("log", "child_ready child=front slot=0", 2);
    assert_true(is_gone(pid_of("worker-1", 1)));
    assert_true(is_gone(pid_of("front-0", 1)));
}

static void a_stubborn_child_is_killed_at_the_deadline(void **state)
{
    int64_t begin;

    (void)state;
    put("plan/front-0", "stubborn\n", 0600);
    put("plan/worker-1", "stubborn\n", 0600);
    start_and_wait();
    begin = clock_mono_ms();
    kill(daemon_pid, SIGTERM);
    assert_int_equal(exit_code(), 0);
    assert_true(clock_mono_ms() - begin >= 4000);
    assert_true(clock_mono_ms() - begin < 10000);
    assert_int_equal(count_of(contents("log"), "event=child_killed"), 2);
}

static void a_second_term_leaves_now(void **state)
{
    int64_t begin;

    (void)state;
    write_config("retention_days = 1");
    put("plan/front-0", "stubborn\n", 0600);
    start_and_wait();
    begin = clock_mono_ms();
    kill(daemon_pid, SIGTERM);
    wait_for("journal", " term\n", 1);
    kill(daemon_pid, SIGTERM);
    assert_int_equal(exit_code(), 0);
    assert_true(clock_mono_ms() - begin < 1900);
    assert_true(is_gone(pid_of("front-0", 1)) && is_gone(pid_of("worker-1", 1)) && is_gone(pid_of("worker-2", 1)));
}

static void int_leaves_now(void **state)
{
    (void)state;
    start_and_wait();
    kill(daemon_pid, SIGINT);
    assert_int_equal(exit_code(), 0);
    assert_int_equal(count_of(contents("journal"), " term\n"), 0);
    assert_true(is_gone(pid_of("front-0", 1)) && is_gone(pid_of("worker-1", 1)) && is_gone(pid_of("worker-2", 1)));
}

static void a_second_instance_is_refused(void **state)
{
    pid_t first;

    (void)state;
    start_and_wait();
    first = daemon_pid;
    start_with(NULL, "log2");
    assert_int_equal(exit_code(), 1);
    assert_non_null(strstr(contents("log2"), "another deskbelld (pid "));
    assert_null(strstr(text, "child_started"));
    daemon_pid = first;
}

static void children_leave_when_deskbelld_is_killed(void **state)
{
    pid_t front, worker, stubborn;

    (void)state;
    put("plan/worker-2", "stubborn\n", 0600);
    start_and_wait();
    front = pid_of("front-0", 1);
    worker = pid_of("worker-1", 1);
    stubborn = pid_of("worker-2", 1);
    kill(daemon_pid, SIGKILL);
    assert_int_equal(exit_code(), -SIGKILL);
    // By the death signal, or where that is ignored by the end of the control pipe.
    wait_gone(front);
    wait_gone(worker);
    wait_gone(stubborn);
    // And the next instance finds the lock free.
    unlink(in_folder("log"));
    unlink(in_folder("journal"));
    start_and_wait();
}

static void the_lock_is_held_while_a_child_lives(void **state)
{
    pid_t worker;

    (void)state;
    put("plan/worker-1", "deaf\n", 0600);
    start_and_wait();
    worker = pid_of("worker-1", 1);
    kill(daemon_pid, SIGKILL);
    assert_int_equal(exit_code(), -SIGKILL);
    // This one takes no notice of anything.
    wait_gone(pid_of("front-0", 1));
    start_with(NULL, "log2");
    assert_int_equal(exit_code(), 1);
    assert_non_null(strstr(contents("log2"), "or one of its processes is running"));
    kill(worker, SIGKILL);
    wait_gone(worker);
    start_with(NULL, "log3");
    wait_for("log3", "event=ready workers=", 1);
}

static void bad_configuration_starts_nothing(void **state)
{
    (void)state;
    write_config("workers { count = none }");
    start();
    assert_int_equal(exit_code(), 3);
    assert_non_null(strstr(contents("log"), "deskbell.conf:7: invalid integer value for option 'count'"));
    assert_int_equal(access(in_folder("journal"), F_OK), -1);
    assert_int_equal(access(in_folder("state"), F_OK), -1);
    unlink(in_folder("log"));

    write_config("");
    chmod(in_folder("token"), 0644);
    start();
    assert_int_equal(exit_code(), 3);
    assert_non_null(strstr(contents("log"), "deskbell.conf:4: token_file: "));
    assert_non_null(strstr(text, "chmod 0640"));
    assert_int_equal(access(in_folder("journal"), F_OK), -1);
}

static void t_checks_and_starts_nothing(void **state)
{
    (void)state;
    start_with("-t", "log");
    assert_int_equal(exit_code(), 0);
    assert_non_null(strstr(contents("log"), "deskbell.conf is correct\n"));
    assert_int_equal(access(in_folder("state"), F_OK), -1);
    write_config("nosuch = 1");
    start_with("-t", "log2");
    assert_int_equal(exit_code(), 3);
    assert_non_null(strstr(contents("log2"), "deskbell.conf:7: unknown key 'nosuch'"));
    start_with("--nonsense", "log3");
    assert_int_equal(exit_code(), 2);
    start_with("extra", "log4");
    assert_int_equal(exit_code(), 2);
    start_with("-V", "log5");
    assert_int_equal(exit_code(), 0);
    assert_string_equal(contents("log5"), "deskbelld " DESKBELL_VERSION "\n");
}

static int listening_socket(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void missing_helpers_and_taken_ports_are_said(void **state)
{
    unsigned port;
    int fd = listening_socket(&port);
    char config[4096], front[100], *at;

    (void)state;
    setenv("DESKBELL_TEST_HELPERS", folder, 1);
    start();
    assert_int_equal(exit_code(), 1);
    assert_non_null(strstr(contents("log"), "deskbell-front and deskbell-worker are neither"));
    setenv("DESKBELL_TEST_HELPERS", HELPERS, 1);

    snprintf(config, sizeof config, "%s", contents("deskbell.conf"));
    at = strstr(config, "127.0.0.1:0");
    snprintf(front, sizeof front, "127.0.0.1:%u", port);
    memmove(at + strlen(front), at + strlen("127.0.0.1:0"), strlen(at + strlen("127.0.0.1:0")) + 1);
    memcpy(at, front, strlen(front));
    put("deskbell.conf", config, 0600);
    start_with(NULL, "log2");
    assert_int_equal(exit_code(), 1);
    assert_non_null(strstr(contents("log2"), front));
    assert_non_null(strstr(text, "Address already in use"));
    close(fd);
    assert_int_equal(access(in_folder("journal"), F_OK), -1);
}

// Socket activation: 3 is the admin's by its name, 4 the front's. SIGCHLD arrives ignored, as from a careless starter.
static void sockets_from_systemd_are_taken(void **state)
{
    unsigned front_port, admin_port;
    int front = listening_socket(&front_port), admin = listening_socket(&admin_port);
    char expected[128];

    (void)state;
    daemon_pid = fork();
    if (daemon_pid == 0) {
        char pid[32];
        int fd = open(in_folder("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        int front_copy = fcntl(front, F_DUPFD, 20), admin_copy = fcntl(admin, F_DUPFD, 20);
        dup2(fd, 1);
        dup2(fd, 2);
        dup2(admin_copy, 3);
        dup2(front_copy, 4);
        snprintf(pid, sizeof pid, "%d", (int)getpid());
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", "2", 1);
        setenv("LISTEN_FDNAMES", "admin:front", 1);
        signal(SIGCHLD, SIG_IGN);
        execl(DESKBELLD, "deskbelld", "-c", in_folder("deskbell.conf"), (char *)NULL);
        _exit(126);
    }
    close(front);
    close(admin);
    snprintf(expected, sizeof expected, "event=listening role=front address=127.0.0.1 port=%u\n", front_port);
    wait_for("log", expected, 1);
    snprintf(expected, sizeof expected, "event=listening role=admin address=127.0.0.1 port=%u\n", admin_port);
    wait_for("log", expected, 1);
    wait_for("log", "event=child_ready", 3);
    kill(daemon_pid, SIGTERM);
    assert_int_equal(exit_code(), 0);
}

static void workers_are_added_and_removed(void **state)
{
    (void)state;
    start_and_wait();
    kill(daemon_pid, SIGTTIN);
    wait_for("log", "child_ready child=worker slot=3", 1);
    kill(daemon_pid, SIGTTOU);
    wait_for("log", "child_died child=worker slot=3", 1);
    kill(daemon_pid, SIGTTOU);
    wait_for("log", "child_died child=worker slot=2", 1);
    kill(daemon_pid, SIGTTOU);
    wait_for("log", "event=worker_not_removed", 1);
    kill(daemon_pid, SIGUSR2);
    wait_for("log", "event=child_state child=worker slot=1 state=ready", 1);
    wait_for("log", "event=state phase=running ready_workers=1 front_ready=1 running=2", 1);
    kill(daemon_pid, SIGTERM);
    assert_int_equal(exit_code(), 0);
}

// The journal's lines of one child, from its n-th start on, contain the words.
static bool child_says(const char *child, int nth, const char *words)
{
    char pid[32];

    snprintf(pid, sizeof pid, "pid%d ", (int)pid_of(child, nth));
    for (const char *at = contents("journal"); *at; at += strcspn(at, "\n") + 1) {
        size_t len = strcspn(at, "\n");
        const char *mine = memmem(at, len, pid, strlen(pid));
        if (mine && memmem(mine, len - (size_t)(mine - at), words, strlen(words)))
            return true;
    }
    return false;
}

static void a_reload_replaces_everybody_with_the_new_configuration(void **state)
{
    (void)state;
    start_and_wait();
    write_config("workers { count = 3 }");
    kill(daemon_pid, SIGHUP);
    wait_for("log", "event=reloaded", 1);
    wait_for("log", "event=child_ready child=worker slot=5", 1);
    // Three new workers, the old ones asked by LEAVING and then TERM, the old front by HANDOVER.
    wait_for("log", "child_died child=worker slot=1", 1);
    wait_for("log", "child_died child=worker slot=2", 1);
    assert_true(child_says("front-0", 1, "handover"));
    assert_false(child_says("front-0", 1, " term"));
    assert_true(child_says("worker-1", 1, "term"));
    assert_true(child_says("front-193", 1, ":leaving"));
    contents("log");
    // The ledger is given on only when its owner is reaped.
    assert_true(strstr(text, "child_died child=front slot=0") < strstr(text, "phase=opening"));
    assert_true(strstr(text, "event=reloaded") < strstr(text, "child_died child=worker slot=1"));
    kill(daemon_pid, SIGUSR2);
    wait_for("log", "event=state phase=running ready_workers=3 front_ready=1 running=4 edition=2 reload=none", 1);
    // And back again, twice in a row: the second is remembered.
    write_config("workers { count = 1 }");
    kill(daemon_pid, SIGHUP);
    wait_for("log", "event=reloading", 2);
    kill(daemon_pid, SIGHUP);
    wait_for("log", "event=reloaded", 3);
    kill(daemon_pid, SIGTERM);
    assert_int_equal(exit_code(), 0);
    assert_int_equal(count_of(contents("log"), "event=child_killed"), 0);
}

// Whatever is wrong with a new configuration, the old generation goes on.
static void still_runs_as_before(size_t refusals, const char *why)
{
    wait_for("log", "event=reload_refused", refusals);
    if (!strstr(contents("log"), why))
        fail_msg("not refused because of \"%s\":\n%s", why, text);
    assert_int_equal(count_of(text, "event=reloaded"), 0);
    if (count_of(text, "child_died child=front slot=0"))
        fail_msg("%s", text);
    assert_false(is_gone(pid_of("front-0", 1)));
    assert_false(is_gone(pid_of("worker-1", 1)));
    assert_false(is_gone(pid_of("worker-2", 1)));
    assert_false(child_says("front-0", 1, "handover"));
}

static void a_reload_that_cannot_be_is_refused_and_nothing_is_touched(void **state)
{
    char config[4096], *at;
    unsigned port;
    int taken = listening_socket(&port);

    (void)state;
    start_and_wait();
    write_config("nosuch = 1");
    kill(daemon_pid, SIGHUP);
    still_runs_as_before(1, "deskbell.conf:7: unknown key 'nosuch'");

    write_config("");
    chmod(in_folder("token"), 0644);
    kill(daemon_pid, SIGHUP);
    still_runs_as_before(2, "deskbell.conf:4: token_file: ");
    chmod(in_folder("token"), 0600);

    snprintf(config, sizeof config, "%s", contents("deskbell.conf"));
    memcpy(strstr(config, "/state\""), "/stale\"", 7);
    put("deskbell.conf", config, 0600);
    kill(daemon_pid, SIGHUP);
    still_runs_as_before(3, "deskbell.conf:1: state_dir cannot change while deskbelld runs: restart it");
    memcpy(strstr(config, "/stale\""), "/state\"", 7);
    memcpy(strstr(config, "/run\""), "/ran\"", 5);
    put("deskbell.conf", config, 0600);
    kill(daemon_pid, SIGHUP);
    still_runs_as_before(4, "runtime_dir cannot change while deskbelld runs: restart it");
    memcpy(strstr(config, "/ran\""), "/run\"", 5);

    at = strstr(config, "127.0.0.1:0");
    memmove(at + 15, at + 11, strlen(at + 11) + 1);
    snprintf(at, 16, "127.0.0.1:%05u", port);
    at[15] = '"';
    put("deskbell.conf", config, 0600);
    kill(daemon_pid, SIGHUP);
    still_runs_as_before(5, "(front.listen): Address already in use");
    close(taken);

    write_config("log_file = \"/nowhere/at/all\"");
    kill(daemon_pid, SIGHUP);
    still_runs_as_before(6, "deskbell.conf:7: log_file cannot be opened: No such file or directory");
    assert_int_equal(count_of(contents("log"), "event=child_started"), 3);

    write_config("");
    put("plan/worker-4", "die\n", 0600);
    kill(daemon_pid, SIGHUP);
    still_runs_as_before(7, "a worker with the new configuration did not become ready");
    put("plan/front-193", "die\n", 0600);
    kill(daemon_pid, SIGHUP);
    still_runs_as_before(8, "the front with the new configuration did not start");
    kill(daemon_pid, SIGUSR2);
    wait_for("log", "refused=\"the front with the new configuration did not start\"", 1);
    kill(daemon_pid, SIGTERM);
    assert_int_equal(exit_code(), 0);
}

static bool answers_at(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;

    close(fd);
    return ok;
}

static void a_reload_may_change_the_address(void **state)
{
    char config[4096], *at;
    unsigned before, after;

    (void)state;
    start_and_wait();
    at = strstr(contents("log"), "role=front address=127.0.0.1 port=");
    before = (unsigned)strtoul(at + strlen("role=front address=127.0.0.1 port="), NULL, 10);
    close(listening_socket(&after)); // free for us now
    snprintf(config, sizeof config, "%s", contents("deskbell.conf"));
    at = strstr(config, "127.0.0.1:0");
    memmove(at + 15, at + 11, strlen(at + 11) + 1);
    snprintf(at, 16, "127.0.0.1:%05u", after);
    at[15] = '"';
    put("deskbell.conf", config, 0600);
    assert_true(answers_at(before) && !answers_at(after));
    kill(daemon_pid, SIGHUP);
    wait_for("log", "event=reloaded", 1);
    assert_true(answers_at(after));
    // Nobody holds the old socket any more, once the old workers, which never had it, and the old front are gone.
    assert_false(answers_at(before));
    kill(daemon_pid, SIGTERM);
    assert_int_equal(exit_code(), 0);
}

static void a_front_that_fails_with_the_ledger_in_its_hands_brings_the_old_configuration_back(void **state)
{
    (void)state;
    start_and_wait();
    write_config("workers { count = 3 }");
    put("plan/front-193", "die-open\n", 0600);
    kill(daemon_pid, SIGHUP);
    wait_for("log", "event=reload_refused", 1);
    assert_non_null(strstr(contents("log"), "the front with the new configuration could not serve"));
    wait_for("log", "child_ready child=front slot=0", 2);
    assert_false(is_gone(pid_of("worker-1", 1)));
    assert_false(is_gone(pid_of("worker-2", 1)));
    wait_for("log", "event=child_died", 5); // both fronts, and the three new workers
    kill(daemon_pid, SIGUSR2);
    wait_for("log", "event=state phase=running ready_workers=2 front_ready=1 running=3 edition=1 reload=none", 1);
    kill(daemon_pid, SIGTERM);
    assert_int_equal(exit_code(), 0);
}

static void term_ends_a_reload(void **state)
{
    (void)state;
    start_and_wait();
    put("plan/worker-3", "late\n", 0600);
    kill(daemon_pid, SIGHUP);
    wait_for("journal", "plan=late", 1);
    kill(daemon_pid, SIGTERM);
    assert_int_equal(exit_code(), 0);
    assert_int_equal(count_of(contents("log"), "event=child_killed"), 0);
    assert_true(is_gone(pid_of("worker-3", 1)));
}

static void the_log_file_is_opened_anew(void **state)
{
    char config[160];

    (void)state;
    snprintf(config, sizeof config, "log_file = \"%s\"", in_folder("file.log"));
    write_config(config);
    start();
    wait_for("file.log", "event=child_ready", 3);
    const char *const children[] = {"front-0", "worker-1", "worker-2"};
    for (size_t i = 0; i < 3; i++) {
        char link[64], is[256] = "";
        snprintf(link, sizeof link, "/proc/%d/fd/2", (int)pid_of(children[i], 1));
        assert_true(readlink(link, is, sizeof is - 1) > 0);
        assert_string_equal(is, in_folder("file.log"));
    }
    assert_int_equal(rename(in_folder("file.log"), in_folder("file.log.1")), 0);
    kill(daemon_pid, SIGUSR1);
    wait_for("file.log", "event=log_reopened", 1);
    // Children were told as well.
    wait_for("journal", " usr1", 3);
    // The next configuration has no file: what deskbelld says goes where it went at first.
    write_config("");
    kill(daemon_pid, SIGHUP);
    wait_for("log", "event=reloaded", 1);
    kill(daemon_pid, SIGUSR1);
    wait_for("log", "event=log_not_reopened", 1);
    kill(daemon_pid, SIGTERM);
    assert_int_equal(exit_code(), 0);
}

static void systemd_hears_ready_reloading_and_stopping(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char told[16384] = "";
    size_t n = 0;

    (void)state;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", folder);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    start_and_wait();
    while (!strstr(told, "READY=1")) {
        ssize_t got = recv(fd, told + n, sizeof told - n - 1, 0);
        assert_true(got > 0);
        told[n += (size_t)got] = '\0';
    }
    write_config("nosuch = 1");
    kill(daemon_pid, SIGHUP);
    while (!strstr(told, "unknown key 'nosuch'")) {
        ssize_t got = recv(fd, told + n, sizeof told - n - 1, 0);
        assert_true(got > 0);
        told[n += (size_t)got] = '\0';
    }
    assert_null(strstr(told, "RELOADING=1"));
    write_config("");
    kill(daemon_pid, SIGHUP);
    while (!strstr(told, "RELOADING=1") || !strstr(strstr(told, "RELOADING=1"), "READY=1")) {
        ssize_t got = recv(fd, told + n, sizeof told - n - 1, 0);
        assert_true(got > 0);
        told[n += (size_t)got] = '\0';
    }
    assert_non_null(strstr(told, "RELOADING=1\nMONOTONIC_USEC="));
    kill(daemon_pid, SIGTERM);
    while (!strstr(told, "STOPPING=1")) {
        ssize_t got = recv(fd, told + n, sizeof told - n - 1, 0);
        assert_true(got > 0);
        told[n += (size_t)got] = '\0';
    }
    assert_int_equal(exit_code(), 0);
    unsetenv("NOTIFY_SOCKET");
    close(fd);
}

#define RUN_TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_TEST(all_start_and_leave_in_order),
        RUN_TEST(a_child_gets_the_written_list_and_nothing_more),
        RUN_TEST(a_killed_worker_is_replaced_and_the_front_told),
        RUN_TEST(a_death_before_ready_is_throttled_and_not_counted),
        RUN_TEST(a_crash_loop_after_ready_is_throttled),
        RUN_TEST(a_silent_child_is_killed_and_replaced),
        RUN_TEST(a_stubborn_child_is_killed_at_the_deadline),
        RUN_TEST(a_second_term_leaves_now),
        RUN_TEST(int_leaves_now),
        RUN_TEST(a_second_instance_is_refused),
        RUN_TEST(children_leave_when_deskbelld_is_killed),
        RUN_TEST(the_lock_is_held_while_a_child_lives),
        RUN_TEST(bad_configuration_starts_nothing),
        RUN_TEST(t_checks_and_starts_nothing),
        RUN_TEST(missing_helpers_and_taken_ports_are_said),
        RUN_TEST(sockets_from_systemd_are_taken),
        RUN_TEST(workers_are_added_and_removed),
        RUN_TEST(a_reload_replaces_everybody_with_the_new_configuration),
        RUN_TEST(a_reload_that_cannot_be_is_refused_and_nothing_is_touched),
        RUN_TEST(a_reload_may_change_the_address),
        RUN_TEST(a_front_that_fails_with_the_ledger_in_its_hands_brings_the_old_configuration_back),
        RUN_TEST(term_ends_a_reload),
        RUN_TEST(the_log_file_is_opened_anew),
        RUN_TEST(systemd_hears_ready_reloading_and_stopping),
    };

    return cmocka_run_group_tests_name("supervisor_run", tests, NULL, NULL);
}
