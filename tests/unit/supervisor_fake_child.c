// SPDX-License-Identifier: Apache-2.0
// A child for tests of deskbelld, under the names deskbell-front and deskbell-worker. It checks what it was given,
// writes what it sees to the journal $DESKBELL_TEST_JOURNAL, one line per event, and misbehaves as the file
// $DESKBELL_TEST_PLAN/ROLE-SLOT says: one word per life, the first line is taken off by each process that starts.
//   die       leave with code 7 before READY      exec-late  say READY, then leave with code 9
//   mute      say READY, then never beat          stubborn   ignore SIGTERM
//   die-open  a front: leave instead of opening
//   late      never say READY
//   stop      say READY, then stop with SIGSTOP       deaf       say READY, then neither see nor hear for a minute
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/config.h"
#include "proto/pipes.h"

static struct pipes_identity self;
static char role[32];

static bool children_front(void)
{
    return strcmp(role, "front") == 0;
}

static void journal(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void journal(const char *format, ...)
{
    char line[1024];
    int n = snprintf(line, sizeof line, "%s-%u g%llu pid%d ", role, self.slot, (unsigned long long)self.generation,
                     (int)getpid());
    int fd = open(getenv("DESKBELL_TEST_JOURNAL"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    va_list args;

    va_start(args, format);
    n += vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
    va_end(args);
    line[n++] = '\n';
    if (fd < 0 || write(fd, line, (size_t)n) != n)
        abort();
    close(fd);
}

// Takes the first line off this slot's plan; "" when there is none.
static void take_plan(char word[32])
{
    char path[512], text[512] = "";
    size_t n, cut;
    FILE *file;

    word[0] = '\0';
    snprintf(path, sizeof path, "%s/%s-%u", getenv("DESKBELL_TEST_PLAN"), role, self.slot);
    file = fopen(path, "r");
    if (!file)
        return;
    n = fread(text, 1, sizeof text - 1, file);
    text[n] = '\0';
    fclose(file);
    cut = strcspn(text, "\n");
    snprintf(word, 32, "%.*s", (int)cut, text);
    file = fopen(path, "w");
    if (!file)
        abort();
    fputs(text[cut] ? text + cut + 1 : "", file);
    fclose(file);
}

// The numbers of all open descriptors, as "0 1 2 3"; the one that looks is left out.
static void list_descriptors(char *out, size_t size)
{
    size_t n = 0;

    for (int fd = 0; fd < 1024; fd++) {
        if (fcntl(fd, F_GETFD) != -1)
            n += (size_t)snprintf(out + n, size - n, "%s%d", n ? " " : "", fd);
    }
}

static void tell_inheritance(void)
{
    char fds[256] = "";
    struct config *config = NULL;
    struct config_error error;
    int death = 0, listening[2] = {0, 0}, blocked = 0;
    socklen_t len = sizeof(int);
    sigset_t mask;

    list_descriptors(fds, sizeof fds);
    if (!config_from_fd(PIPES_FD_CONFIG, "snapshot", &config, &error))
        journal("config refused %s", error.message);
    prctl(PR_GET_PDEATHSIG, &death);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int s = 1; s < NSIG; s++)
        blocked += sigismember(&mask, s) == 1;
    for (int i = 0; children_front() && i < 2; i++)
        getsockopt(PIPES_FD_LISTEN + i, SOL_SOCKET, SO_ACCEPTCONN, &listening[i], &len);
    journal(
        "inherits fds=%s seals=%d config=%s death=%d blocked=%d listening=%d,%d secret=%s notify=%s status_nonblock=%d",
        fds, fcntl(PIPES_FD_CONFIG, F_GET_SEALS), config ? config->freshdesk.api_url : "-", death, blocked,
        listening[0], listening[1], getenv("TEST_SECRET") ? "leaked" : "none",
        getenv("NOTIFY_SOCKET") ? "leaked" : "none", (fcntl(PIPES_FD_STATUS, F_GETFL) & O_NONBLOCK) != 0);
    config_free(&config);
}

static void say(enum pipes_status_kind kind, uint64_t progress)
{
    if (!pipes_write_status(PIPES_FD_STATUS, kind, progress)) {
        journal("supervisor gone");
        exit(1);
    }
}

// Journals the control pipe; false at its end.
static bool read_control(struct pipes_reader *reader)
{
    static char roster[512];
    struct pipes_control record;
    enum pipes_result result;
    size_t n = strlen(roster);

    while ((result = pipes_read_control(reader, PIPES_FD_CONTROL, &record)) == PIPES_RECORD) {
        if (record.kind == PIPES_CONTROL_ROSTER_BEGIN)
            roster[n = 0] = '\0';
        else if (record.kind == PIPES_CONTROL_ROSTER_WORKER)
            n += (size_t)snprintf(roster + n, sizeof roster - n, " %u:g%llu:pid%u", record.slot,
                                  (unsigned long long)record.generation, record.pid);
        else if (record.kind == PIPES_CONTROL_ROSTER_LEAVING) {
            n += (size_t)snprintf(roster + n, sizeof roster - n, " %u:g%llu:leaving", record.slot,
                                  (unsigned long long)record.generation);
            if (!pipes_write_released(PIPES_FD_STATUS, 0, record.generation))
                return false;
        } else if (record.kind == PIPES_CONTROL_ROSTER_END)
            journal("roster%s;", roster);
        else if (record.kind == PIPES_CONTROL_HANDOVER) {
            journal("handover");
            exit(0);
        } else if (record.kind == PIPES_CONTROL_REAPED)
            journal("reaped %u:g%llu", record.slot, (unsigned long long)record.generation);
    }
    return result == PIPES_NOTHING;
}

// A front stands by until it may open the ledger. False: it is to leave instead.
static bool wait_for_open(struct pipes_reader *reader)
{
    struct pollfd fd = {.fd = PIPES_FD_CONTROL, .events = POLLIN};
    struct pipes_control record;
    enum pipes_result result;

    while ((result = pipes_read_control(reader, PIPES_FD_CONTROL, &record)) == PIPES_NOTHING)
        poll(&fd, 1, -1);
    if (result != PIPES_RECORD || record.kind != PIPES_CONTROL_OPEN)
        return false;
    journal("open");
    return true;
}

static int live(const char *plan, struct pipes_reader *reader)
{
    int64_t beat_ms = clock_mono_ms() + 200;
    uint64_t progress = 0;
    sigset_t set;
    int signals;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals < 0)
        abort();
    for (;;) {
        struct pollfd fds[] = {{.fd = PIPES_FD_CONTROL, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        struct signalfd_siginfo info;
        poll(fds, 2, 200);
        if (!read_control(reader)) {
            journal("supervisor gone");
            return 1;
        }
        if (read(signals, &info, sizeof info) == sizeof info) {
            bool leave = info.ssi_signo != SIGUSR1;
            journal(info.ssi_signo == SIGTERM ? "term" : leave ? "quit" : "usr1");
            if (leave && strcmp(plan, "stubborn") != 0) {
                say(PIPES_STATUS_DRAINED, progress);
                return 0;
            }
        }
        if (clock_mono_ms() >= beat_ms && strcmp(plan, "mute") != 0) {
            say(PIPES_STATUS_BEAT, ++progress);
            beat_ms = clock_mono_ms() + 200;
        }
    }
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    char plan[32];
    struct pipes_reader reader = {0};

    signal(SIGPIPE, SIG_IGN);
    snprintf(role, sizeof role, "%s", strrchr(slash ? slash : argv[0], '-') + 1);
    if (!pipes_parse_args(argc, argv, &self))
        return PIPES_EXIT_USAGE;
    take_plan(plan);
    journal("start plan=%s", plan);
    if (strcmp(plan, "refuse") == 0)
        exit(PIPES_EXIT_CONFIG);
    if (strcmp(plan, "die") == 0)
        return 7;
    tell_inheritance();
    if (children_front())
        say(PIPES_STATUS_STAGED, 0);
    while (strcmp(plan, "late") == 0)
        pause();
    if (children_front() && !wait_for_open(&reader))
        return 0;
    if (strcmp(plan, "die-open") == 0)
        return 8;
    say(PIPES_STATUS_READY, 0);
    journal("ready");
    if (strcmp(plan, "exec-late") == 0)
        return 9;
    if (strcmp(plan, "stop") == 0)
        raise(SIGSTOP);
    if (strcmp(plan, "deaf") == 0) {
        signal(SIGTERM, SIG_IGN);
        alarm(60);
        for (;;)
            pause();
    }
    return live(plan, &reader);
}
