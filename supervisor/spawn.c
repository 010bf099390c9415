// SPDX-License-Identifier: Apache-2.0
// See spawn.h. deskbelld has one thread, so between fork and exec the child may use all of libc.
#include "supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/pipes.h"
#include "supervisor/children.h"

#ifndef DESKBELL_LIBEXEC
#define DESKBELL_LIBEXEC "/usr/libexec/deskbell"
#endif

// Sources are first moved above all target numbers, so that no dup2 overwrites one that is still needed.
#define FIRST_FREE_FD 32
#define EXIT_NO_EXEC  127

extern char **environ;

// Variables a child may see: what finds programs and names time zones, systemd's credentials and log stream, and what
// steers sanitizers. Proxy variables and the like are left out on purpose: the configuration says such things.
static const char *const passed_on[] = {"PATH",           "TZ",           "LANG",         "CREDENTIALS_DIRECTORY",
                                        "JOURNAL_STREAM", "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS",
                                        "UBSAN_OPTIONS"};

static bool is_passed_on(const char *variable)
{
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++) {
        size_t len = strlen(passed_on[i]);
        if (strncmp(variable, passed_on[i], len) == 0 && variable[len] == '=')
            return true;
    }
#ifdef DESKBELL_SEAMS
    if (strncmp(variable, "DESKBELL_TEST_", 14) == 0)
        return true;
#endif
    return false;
}

static char **gather_environment(void)
{
    size_t count = 0, n = 0;
    char **list;

    for (char **e = environ; *e; e++)
        count += is_passed_on(*e);
    list = calloc(count + 1, sizeof *list);
    if (!list)
        abort();
    for (char **e = environ; *e; e++) {
        if (is_passed_on(*e) && !(list[n++] = strdup(*e)))
            abort();
    }
    return list;
}

static void program_path(const char *folder, uint32_t slot, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", folder, children_is_front(slot) ? "deskbell-front" : "deskbell-worker");
}

static bool has_helpers(const char *folder)
{
    char front[1100], worker[1100];

    program_path(folder, PIPES_FRONT_SLOT, front, sizeof front);
    program_path(folder, 1, worker, sizeof worker);
    return access(front, X_OK) == 0 && access(worker, X_OK) == 0;
}

bool spawn_init(struct spawn *spawn, char *why, size_t why_size)
{
    char self[1000] = "";
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    memset(spawn, 0, sizeof *spawn);
    self[n > 0 ? n : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
#ifdef DESKBELL_SEAMS
    if (getenv("DESKBELL_TEST_HELPERS"))
        snprintf(self, sizeof self, "%s", getenv("DESKBELL_TEST_HELPERS"));
#endif
    snprintf(spawn->folder, sizeof spawn->folder, "%s", has_helpers(self) ? self : DESKBELL_LIBEXEC);
    if (!has_helpers(spawn->folder)) {
        snprintf(
            why, why_size,
            "the programs deskbell-front and deskbell-worker are neither beside deskbelld in %s nor in %s: install "
            "them together",
            self, DESKBELL_LIBEXEC);
        return false;
    }
    spawn->environment = gather_environment();
    return true;
}

void spawn_free(struct spawn *spawn)
{
    for (char **e = spawn->environment; e && *e; e++)
        free(*e);
    free(spawn->environment);
    spawn->environment = NULL;
}

// In the child: descriptor `source` becomes `target`, without close-on-exec.
static bool place(int source, int target)
{
    return source >= 0 && dup2(source, target) == target;
}

// In the child: exactly the descriptors of proto/pipes.h, and nothing above them.
static bool place_descriptors(const struct spawn *spawn, uint32_t slot, int status_fd, int control_fd)
{
    bool front = children_is_front(slot);
    int config = fcntl(spawn->config_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    int status = fcntl(status_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    int control = fcntl(control_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    int lock = fcntl(spawn->lock_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    int listen = front ? fcntl(spawn->listen_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD) : -1;
    int admin = front ? fcntl(spawn->admin_listen_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD) : -1;
    int log = fcntl(spawn->log_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD); // it may itself have one of the numbers

    if (!place(config, PIPES_FD_CONFIG) || !place(status, PIPES_FD_STATUS) || !place(control, PIPES_FD_CONTROL) ||
        !place(lock, PIPES_FD_LOCK) || !place(log, STDERR_FILENO))
        return false;
    if (front && (!place(listen, PIPES_FD_LISTEN) || !place(admin, PIPES_FD_ADMIN_LISTEN)))
        return false;
    return close_range(front ? PIPES_FD_ADMIN_LISTEN + 1 : PIPES_FD_LISTEN, ~0U, 0) == 0;
}

// In the child: nothing of deskbelld's signal handling stays. USR1 (open the log anew) comes blocked: it waits until
// the child can take it, instead of ending it.
static void reset_signals(void)
{
    sigset_t blocked;

    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL); // fails for those that cannot be changed
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

// In the child. Does not return.
static void become_child(const struct spawn *spawn, uint32_t slot, uint64_t generation, pid_t parent, int status_fd,
                         int control_fd)
{
    char path[1100], slot_text[16], generation_text[32];
    char *arguments[] = {path, (char[]){"--slot"}, slot_text, (char[]){"--generation"}, generation_text, NULL};

    // When deskbelld is killed, its children are told; when it was killed before the prctl, the parent is another.
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
        _exit(PIPES_EXIT_FAILED);
    // A ^C at the terminal is for deskbelld alone, which then stops us in order.
    setpgid(0, 0);
    reset_signals();
    program_path(spawn->folder, slot, path, sizeof path);
    snprintf(slot_text, sizeof slot_text, "%u", slot);
    snprintf(generation_text, sizeof generation_text, "%llu", (unsigned long long)generation);
    if (!place_descriptors(spawn, slot, status_fd, control_fd))
        log_error("descriptors_failed", "slot=%u error=%s", slot, strerror(errno));
    else if (execve(path, arguments, spawn->environment) != 0)
        log_error("exec_failed", "program=%s error=%s", path, strerror(errno));
    _exit(EXIT_NO_EXEC);
}

static void close_both(int pipe_fds[2])
{
    for (int i = 0; i < 2; i++) {
        if (pipe_fds[i] >= 0)
            close(pipe_fds[i]);
    }
}

pid_t spawn_child(const struct spawn *spawn, uint32_t slot, uint64_t generation, int *status_fd, int *control_fd)
{
    int status[2] = {-1, -1}, control[2] = {-1, -1};
    pid_t parent = getpid(), pid = -1;

    *status_fd = -1;
    *control_fd = -1;
    // O_NONBLOCK belongs to the open file description, so each end has its own and both are non-blocking.
    if (pipe2(status, O_CLOEXEC | O_NONBLOCK) == 0 && pipe2(control, O_CLOEXEC | O_NONBLOCK) == 0)
        pid = fork();
    if (pid < 0) {
        log_error("spawn_failed", "slot=%u error=%s", slot, strerror(errno));
        close_both(status);
        close_both(control);
        return -1;
    }
    if (pid == 0)
        become_child(spawn, slot, generation, parent, status[1], control[0]);
    close(status[1]);
    close(control[0]);
    *status_fd = status[0];
    *control_fd = control[1];
    return pid;
}
