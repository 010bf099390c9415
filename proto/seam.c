// SPDX-License-Identifier: Apache-2.0
// The fault seams. Empty without DESKBELL_SEAMS.
#include "proto/seam.h"

#ifdef DESKBELL_SEAMS
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/log.h"

// Returns what follows "PREFIX:" in the variable, or NULL when it says something else.
static const char *wish(const char *variable, const char *prefix)
{
    const char *text = getenv(variable);
    size_t length = strlen(prefix);
    return text && strncmp(text, prefix, length) == 0 && text[length] == ':' ? text + length + 1 : NULL;
}

bool seam_drop_frame(enum seam_direction direction)
{
    static const char *const words[] = {"to_front", "to_worker"};
    static unsigned long counts[2];
    counts[direction]++;
    const char *number = wish("DESKBELL_TEST_DROP", words[direction]);
    bool drop = number && strtoul(number, NULL, 10) == counts[direction];
    if (drop)
        log_warn("seam_dropped_frame", "direction=%s number=%lu", words[direction], counts[direction]);
    return drop;
}

void seam_kill(enum seam_moment moment, const char *step_name)
{
    static const char *const words[] = {"before_call", "after_call", "claimed", "reported", "recorded"};
    char tree[32];
    snprintf(tree, sizeof tree, "tree_%s", words[moment]);
    const char *all = wish("DESKBELL_TEST_KILL", tree);
    const char *step = all ? all : wish("DESKBELL_TEST_KILL", words[moment]);
    if (!step || strcmp(step, step_name) != 0)
        return;
    const char *once = getenv("DESKBELL_TEST_ONCE_FILE");
    if (once) {
        int fd = open(once, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
            return; // it has happened
        close(fd);
    }
    log_warn("seam_killed", "moment=%s step=%s", words[moment], step_name);
    while (all)
        pause(); // the test sees the line in the log and kills everything
    raise(SIGKILL);
}

static const char *in_fail_folder(const char *name, char path[4096])
{
    const char *folder = getenv("DESKBELL_TEST_FAIL");
    if (!folder)
        return NULL;
    snprintf(path, 4096, "%s/%s", folder, name);
    return path;
}

bool seam_fail(const char *moment)
{
    char path[4096];
    bool fail = in_fail_folder(moment, path) && unlink(path) == 0;
    if (fail)
        log_warn("seam_failed", "moment=%s", moment);
    return fail;
}

bool seam_says(const char *name)
{
    char path[4096];
    return in_fail_folder(name, path) && access(path, F_OK) == 0;
}

const char *seam_once_folder(void)
{
    static char folder[4096];
    const char *once = getenv("DESKBELL_TEST_ONCE_FILE");
    const char *slash = once ? strrchr(once, '/') : NULL;
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - once), once);
    return folder;
}

void seam_try(const char *thread_name)
{
    const char *wishes = getenv("DESKBELL_TEST_OPEN");
    char *paths = wishes ? strdup(wishes) : NULL, *rest = NULL;
    if (!paths)
        return;
    for (const char *path = strtok_r(paths, ":", &rest); path; path = strtok_r(NULL, ":", &rest)) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        log_warn("seam_open", "thread=%s path=%s errno=%d", thread_name, path, fd < 0 ? errno : 0);
        if (fd >= 0)
            close(fd);
        // Made beside it, or written to: the name tells a test what it is.
        char beside[4096];
        snprintf(beside, sizeof beside, "%s.made", path);
        fd = open(beside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        log_warn("seam_make", "thread=%s path=%s errno=%d", thread_name, beside, fd < 0 ? errno : 0);
        if (fd >= 0)
            close(fd);
    }
    free(paths);
    // There is no such program, so it is not run where it may be.
    char *const none[] = {NULL};
    execve("/nonexistent/program", none, none);
    log_warn("seam_run", "thread=%s errno=%d", thread_name, errno);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    log_warn("seam_socket", "thread=%s errno=%d", thread_name, fd < 0 ? errno : 0);
    if (fd >= 0)
        close(fd);
}
#else
typedef int seam_is_empty; // ISO C wants something in a file
#endif
