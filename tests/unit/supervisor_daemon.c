// SPDX-License-Identifier: Apache-2.0
// See supervisor_daemon.h.
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/clock.h"
#include "tests/unit/supervisor_daemon.h"

#define PATIENCE_MS 20000

char folder[64];
pid_t daemon_pid;
char daemon_text[262144];

char *in_folder(const char *name)
{
    static char paths[4][160];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void put(const char *name, const char *content, mode_t mode)
{
    FILE *out = fopen(in_folder(name), "w");

    assert_non_null(out);
    fputs(content, out);
    fclose(out);
    assert_int_equal(chmod(in_folder(name), mode), 0);
}

const char *contents(const char *name)
{
    FILE *in = fopen(in_folder(name), "r");
    size_t n = in ? fread(daemon_text, 1, sizeof daemon_text - 1, in) : 0;

    daemon_text[n] = '\0';
    if (in)
        fclose(in);
    return daemon_text;
}

void write_config(const char *more)
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

int make_folder(void **state)
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

void start_with(const char *option, const char *log)
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

void start(void)
{
    start_with(NULL, "log");
}

int exit_code_of(pid_t pid)
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

int exit_code(void)
{
    int code = exit_code_of(daemon_pid);

    daemon_pid = 0;
    return code;
}

int remove_folder(void **state)
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

size_t count_of(const char *content, const char *words)
{
    size_t n = 0;

    for (const char *at = content; (at = strstr(at, words)); at += strlen(words))
        n++;
    return n;
}

void wait_for(const char *name, const char *words, size_t times)
{
    int64_t deadline = clock_mono_ms() + PATIENCE_MS;

    while (count_of(contents(name), words) < times) {
        if (clock_mono_ms() > deadline)
            fail_msg("no \"%s\" (%zu times) in %s; journal and log:\n%s\n", words, times, name, contents("journal"));
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

void start_and_wait(void)
{
    start();
    wait_for("log", "event=ready workers=", 1);
    wait_for("log", "event=child_ready", 3);
}

pid_t pid_of(const char *child, int nth)
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

bool is_gone(pid_t pid)
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

void wait_gone(pid_t pid)
{
    int64_t deadline = clock_mono_ms() + PATIENCE_MS;

    while (!is_gone(pid)) {
        if (clock_mono_ms() > deadline)
            fail_msg("pid %d is still there", (int)pid);
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

bool first_is(const char *words, const char *child)
{
    char *content = (char *)(uintptr_t)contents("journal"), *at = strstr(content, words), *line;

    if (!at)
        fail_msg("no \"%s\" in the journal:\n%s", words, content);
    *at = '\0';
    line = strrchr(content, '\n');
    return strncmp(line ? line + 1 : content, child, strlen(child)) == 0;
}

int listening_socket(unsigned *port)
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
