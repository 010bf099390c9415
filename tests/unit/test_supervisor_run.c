// SPDX-License-Identifier: Apache-2.0
// The real deskbelld: starting, inheriting, dying, silence, stopping in order, and what happens when deskbelld itself
// is killed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "tests/unit/supervisor_daemon.h"

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
    assert_int_equal(count_of(contents("journal"), " term\n") + count_of(daemon_text, " quit\n"), 3);
    assert_true(first_is(" term\n", "front-0 "));
    // And the front was dead and reaped before a worker was asked.
    wait_for("log", "event=stopped", 1);
    contents("log");
    assert_true(strstr(daemon_text, "child_drained child=front") < strstr(daemon_text, "child_drained child=worker"));
    assert_true(strstr(daemon_text, "child_died child=front") < strstr(daemon_text, "child_died child=worker"));
    assert_int_equal(count_of(daemon_text, "event=child_died"), 3);
    assert_int_equal(count_of(daemon_text, "cause=\"exit code 0\""), 3);
}

static void a_child_gets_the_written_list_and_nothing_more(void **state)
{
    const char *front, *worker;

    (void)state;
    start_and_wait();
    wait_for("journal", "inherits", 3);
    contents("journal");
    front =
        strstr(daemon_text, "inherits fds=0 1 2 3 4 5 6 7 8 seals=15 config=http://127.0.0.1:1/desk death=15 blocked=1 "
                            "listening=1,1 secret=none notify=none status_nonblock=1\n");
    worker =
        strstr(daemon_text, "inherits fds=0 1 2 3 4 5 6 seals=15 config=http://127.0.0.1:1/desk death=15 blocked=1 "
                            "listening=0,0 secret=none notify=none status_nonblock=1\n");
    if (!front || !worker)
        fail_msg("%s", daemon_text);
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
    assert_null(strstr(daemon_text, "child_started"));
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
    assert_non_null(strstr(daemon_text, "chmod 0640"));
    assert_int_equal(access(in_folder("journal"), F_OK), -1);
}

// Only the process that uses a key can tell that it is none: before anything has worked once, that ends the start.
static void what_a_child_refuses_ends_the_first_start_only(void **state)
{
    (void)state;
    put("plan/front-0", "refuse\n", 0600);
    start();
    assert_int_equal(exit_code(), 3);
    assert_non_null(strstr(contents("log"), "a child refused what the configuration names"));
    assert_int_equal(count_of(daemon_text, "child_started child=front"), 1);
    unlink(in_folder("log"));
    unlink(in_folder("journal"));

    start_and_wait();
    put("plan/worker-1", "refuse\n", 0600);
    kill(pid_of("worker-1", 1), SIGKILL);
    wait_for("log", "event=child_ready child=worker slot=1", 2);
    assert_int_equal(count_of(contents("log"), "cause=\"exit code 3\""), 1);
    kill(daemon_pid, SIGTERM);
    assert_int_equal(exit_code(), 0);
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
    assert_non_null(strstr(daemon_text, "Address already in use"));
    close(fd);
    assert_int_equal(access(in_folder("journal"), F_OK), -1);
}

// As systemd starts it with sockets: from descriptor 3 on. SIGCHLD arrives ignored, as from a careless starter.
static void start_with_sockets(const int *fds, int count, const char *names)
{
    daemon_pid = fork();
    if (daemon_pid == 0) {
        char number[32];
        int out = open(in_folder("log"), O_WRONLY | O_CREAT | O_APPEND, 0600), copies[2];
        for (int i = 0; i < count; i++)
            copies[i] = fcntl(fds[i], F_DUPFD, 20);
        dup2(out, 1);
        dup2(out, 2);
        for (int i = 0; i < count; i++)
            dup2(copies[i], 3 + i);
        snprintf(number, sizeof number, "%d", (int)getpid());
        setenv("LISTEN_PID", number, 1);
        snprintf(number, sizeof number, "%d", count);
        setenv("LISTEN_FDS", number, 1);
        setenv("LISTEN_FDNAMES", names, 1);
        signal(SIGCHLD, SIG_IGN);
        execl(DESKBELLD, "deskbelld", "-c", in_folder("deskbell.conf"), (char *)NULL);
        _exit(126);
    }
    assert_true(daemon_pid > 0);
}

// Socket activation: 3 is the admin's by its name, 4 the front's.
static void sockets_from_systemd_are_taken(void **state)
{
    unsigned front_port, admin_port;
    int front = listening_socket(&front_port), admin = listening_socket(&admin_port);
    char expected[128];

    (void)state;
    start_with_sockets((const int[]){admin, front}, 2, "admin:front");
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

// What `ListenStream=8080` makes of it. CivetWeb knows IPv4 only, and would answer everything that it serves nobody.
static void an_ipv6_socket_from_systemd_is_refused(void **state)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    if (fd < 0)
        skip(); // a kernel without IPv6
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    start_with_sockets((const int[]){fd}, 1, "front");
    close(fd);
    assert_int_equal(exit_code(), 1);
    assert_non_null(strstr(contents("log"), "is no IPv4 socket: write ListenStream=127.0.0.1:PORT"));
    assert_int_equal(access(in_folder("journal"), F_OK), -1);
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
        RUN_TEST(what_a_child_refuses_ends_the_first_start_only),
        RUN_TEST(t_checks_and_starts_nothing),
        RUN_TEST(missing_helpers_and_taken_ports_are_said),
        RUN_TEST(sockets_from_systemd_are_taken),
        RUN_TEST(an_ipv6_socket_from_systemd_is_refused),
        RUN_TEST(workers_are_added_and_removed),
    };

    return cmocka_run_group_tests_name("supervisor_run", tests, NULL, NULL);
}
