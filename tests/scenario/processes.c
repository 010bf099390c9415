// SPDX-License-Identifier: Apache-2.0
// See processes.h. Reads /proc, because only that knows grandchildren.
#include "tests/scenario/processes.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX   16
#define PROCESSES_MAX   4096
#define DESCENDANTS_MAX 256

// In the child of a fork: descriptors 3 and 4, and its own pid behind "LISTEN_PID=".
static bool pass_sockets(const int sockets[2], char *listen_pid)
{
    char digits[16];
    size_t n = 0;
    int first = fcntl(sockets[0], F_DUPFD, 32), second = fcntl(sockets[1], F_DUPFD, 32);
    for (pid_t left = getpid(); left > 0; left /= 10)
        digits[n++] = (char)('0' + left % 10);
    while (n > 0)
        *listen_pid++ = digits[--n];
    *listen_pid = '\0';
    return dup2(first, 3) == 3 && dup2(second, 4) == 4 && close(first) == 0 && close(second) == 0;
}

pid_t processes_start(const char *program, const char *const *arguments, const char *const *environment, size_t count,
                      const char *output)
{
    return processes_start_with_sockets(program, arguments, environment, count, output, NULL);
}

pid_t processes_start_with_sockets(const char *program, const char *const *arguments, const char *const *environment,
                                   size_t count, const char *output, const int sockets[2])
{
    // Made before fork: the child of a program with threads may only call what is async-signal-safe.
    char *argv[ARGUMENTS_MAX + 2] = {(char *)(uintptr_t)program};
    for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i]; i++)
        argv[i + 1] = (char *)(uintptr_t)arguments[i];
    size_t inherited = 0;
    while (environ[inherited])
        inherited++;
    char **envp = calloc(inherited + count + 4, sizeof *envp);
    if (!envp)
        abort();
    memcpy(envp, environ, inherited * sizeof *envp);
    for (size_t i = 0; i < count; i++) {
        if (environment[i])
            envp[inherited++] = (char *)(uintptr_t)environment[i];
    }
    char listen_pid[32] = "LISTEN_PID=", listen_fds[] = "LISTEN_FDS=2", listen_names[] = "LISTEN_FDNAMES=front:admin";
    if (sockets) {
        envp[inherited++] = listen_pid;
        envp[inherited++] = listen_fds;
        envp[inherited++] = listen_names;
    }
    int log = open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_t parent = getpid();
    pid_t pid = log < 0 || nothing < 0 ? -1 : fork();
    if (pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_DFL);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (getppid() != parent || dup2(nothing, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 ||
            (sockets && !pass_sockets(sockets, listen_pid + strlen("LISTEN_PID="))))
            _exit(126);
        execve(program, argv, envp);
        _exit(127);
    }
    int error = errno;
    if (log >= 0)
        close(log);
    if (nothing >= 0)
        close(nothing);
    free(envp);
    errno = error;
    return pid;
}

bool processes_reap(pid_t pid, int *status)
{
    return waitpid(pid, status, WNOHANG) == pid;
}

// The parent of a process, its state in *state; 0 when it is gone.
static pid_t parent_of(pid_t pid, char *state)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[got] = '\0';
    // The name between parentheses may hold anything, parentheses too: look from the end.
    const char *after = strrchr(text, ')');
    int parent = 0;
    if (!after || sscanf(after + 1, " %c %d", state, &parent) != 2)
        return 0;
    return parent;
}

// All descendants, zombies included; their states beside them.
static size_t list_descendants(pid_t *found, char *states, size_t size)
{
    static pid_t pids[PROCESSES_MAX], parents[PROCESSES_MAX];
    static char letters[PROCESSES_MAX];
    size_t all = 0, count = 0;
    DIR *directory = opendir("/proc");
    if (!directory)
        abort();
    struct dirent *entry;
    while (all < PROCESSES_MAX && (entry = readdir(directory))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        pids[all] = (pid_t)strtol(entry->d_name, NULL, 10);
        parents[all] = parent_of(pids[all], &letters[all]);
        all += parents[all] != 0;
    }
    closedir(directory);
    // Generation by generation, until one adds nothing.
    pid_t known[DESCENDANTS_MAX + 1] = {getpid()};
    size_t known_count = 1;
    for (size_t i = 0; i < known_count; i++) {
        for (size_t j = 0; j < all && known_count <= DESCENDANTS_MAX; j++) {
            if (parents[j] != known[i])
                continue;
            known[known_count++] = pids[j];
            if (count < size) {
                found[count] = pids[j];
                states[count] = letters[j];
                count++;
            }
        }
    }
    return count;
}

size_t processes_descendants(pid_t *pids, size_t size)
{
    pid_t found[DESCENDANTS_MAX];
    char states[DESCENDANTS_MAX];
    size_t all = list_descendants(found, states, DESCENDANTS_MAX), count = 0;
    for (size_t i = 0; i < all; i++) {
        if (states[i] == 'Z' || states[i] == 'X')
            continue;
        if (count < size)
            pids[count] = found[i];
        count++;
    }
    return count;
}

void processes_reap_orphans(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

bool processes_alive(pid_t pid)
{
    char state = 'X';
    return parent_of(pid, &state) != 0 && state != 'Z' && state != 'X';
}

bool processes_kill_all(void)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int round = 0; round < 2000; round++) {
        // Zombies too: the leader of a process is one while its other threads still end, and with them its locks.
        pid_t pids[DESCENDANTS_MAX];
        char states[DESCENDANTS_MAX];
        size_t count = list_descendants(pids, states, DESCENDANTS_MAX);
        // Stopped first, so that no supervisor replaces a child between two of our kills.
        for (size_t i = 0; i < count; i++)
            kill(pids[i], SIGSTOP);
        for (size_t i = 0; i < count; i++)
            kill(pids[i], SIGKILL);
        processes_reap_orphans();
        if (count == 0)
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}
