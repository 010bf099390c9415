// SPDX-License-Identifier: Apache-2.0
// The fault seams. Empty without DESKBELL_SEAMS.
#include "proto/seam.h"

#ifdef DESKBELL_SEAMS
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
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
    static const char *const words[] = {"before_call", "after_call"};
    const char *step = wish("DESKBELL_TEST_KILL", words[moment]);
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
    raise(SIGKILL);
}
#else
typedef int seam_is_empty; // ISO C wants something in a file
#endif
