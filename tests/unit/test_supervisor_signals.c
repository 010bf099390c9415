// SPDX-License-Identifier: Apache-2.0
// The real deskbelld: what HUP does and what a bad one leaves untouched, USR1, and what systemd hears.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/supervisor_daemon.h"

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
    assert_true(strstr(daemon_text, "child_died child=front slot=0") < strstr(daemon_text, "phase=opening"));
    assert_true(strstr(daemon_text, "event=reloaded") < strstr(daemon_text, "child_died child=worker slot=1"));
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
        fail_msg("not refused because of \"%s\":\n%s", why, daemon_text);
    assert_int_equal(count_of(daemon_text, "event=reloaded"), 0);
    if (count_of(daemon_text, "child_died child=front slot=0"))
        fail_msg("%s", daemon_text);
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
    still_runs_as_before(6, "deskbell.conf:7: log_file: there is no folder /nowhere/at");
    assert_int_equal(count_of(contents("log"), "event=child_started"), 3);

    write_config("");
    put("plan/worker-4", "die\n", 0600);
    kill(daemon_pid, SIGHUP);
    still_runs_as_before(7, "a worker with the new configuration did not become ready");
    put("plan/front-193", "die\n", 0600);
    kill(daemon_pid, SIGHUP);
    still_runs_as_before(8, "the front with the new configuration did not start");
    put("plan/front-193", "refuse\n", 0600);
    kill(daemon_pid, SIGHUP);
    still_runs_as_before(9, "a process refused a key, token or certificate of the new configuration");
    put("plan/front-193", "die\n", 0600);
    kill(daemon_pid, SIGHUP);
    still_runs_as_before(10, "the front with the new configuration did not start");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_TEST(a_reload_replaces_everybody_with_the_new_configuration),
        RUN_TEST(a_reload_that_cannot_be_is_refused_and_nothing_is_touched),
        RUN_TEST(a_reload_may_change_the_address),
        RUN_TEST(a_front_that_fails_with_the_ledger_in_its_hands_brings_the_old_configuration_back),
        RUN_TEST(term_ends_a_reload),
        RUN_TEST(the_log_file_is_opened_anew),
        RUN_TEST(systemd_hears_ready_reloading_and_stopping),
    };

    return cmocka_run_group_tests_name("supervisor_signals", tests, NULL, NULL);
}
