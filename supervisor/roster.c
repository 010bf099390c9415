// SPDX-License-Identifier: Apache-2.0
// See roster.h. Run by deskbelld's one thread.
#include "supervisor/roster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/log.h"

void roster_init(struct roster *roster)
{
    memset(roster, 0, sizeof *roster);
    roster->fd = -1;
}

void roster_attach(struct roster *roster, int fd)
{
    roster->count = 0;
    roster->fd = fd;
}

void roster_detach(struct roster *roster)
{
    free(roster->queue);
    roster_init(roster);
}

static void queue_add(struct roster *roster, enum pipes_control_kind kind, uint32_t slot, uint64_t generation,
                      uint32_t pid)
{
    if (roster->fd < 0 || roster->count == ROSTER_QUEUE_MAX)
        return;
    if (roster->count == roster->room) {
        roster->room = roster->room ? 2 * roster->room : 64;
        roster->queue = reallocarray(roster->queue, roster->room, sizeof *roster->queue);
        if (!roster->queue)
            abort();
    }
    roster->queue[roster->count++] =
        (struct pipes_control){.kind = kind, .slot = slot, .generation = generation, .pid = pid};
}

void roster_publish(struct roster *roster, const struct roster_worker *workers, size_t count)
{
    queue_add(roster, PIPES_CONTROL_ROSTER_BEGIN, 0, 0, 0);
    for (size_t i = 0; i < count; i++)
        queue_add(roster, workers[i].leaving ? PIPES_CONTROL_ROSTER_LEAVING : PIPES_CONTROL_ROSTER_WORKER,
                  workers[i].slot, workers[i].generation, workers[i].pid);
    queue_add(roster, PIPES_CONTROL_ROSTER_END, 0, 0, 0);
}

void roster_say(struct roster *roster, enum pipes_control_kind kind)
{
    queue_add(roster, kind, 0, 0, 0);
}

void roster_reaped(struct roster *roster, uint32_t slot, uint64_t generation)
{
    queue_add(roster, PIPES_CONTROL_REAPED, slot, generation, 0);
}

bool roster_flush(struct roster *roster)
{
    size_t done = 0;

    while (done < roster->count) {
        const struct pipes_control *r = &roster->queue[done];
        if (pipes_write_control(roster->fd, r->kind, r->slot, r->generation, r->pid)) {
            done++;
            continue;
        }
        if (errno == EAGAIN)
            break;
        // The front closed its end: it is dying, and waitpid will say so. Nobody reads this any more.
        log_debug("control_pipe_closed", "error=%s", strerror(errno));
        done = roster->count;
    }
    if (done == 0)
        return roster->count > 0;
    memmove(roster->queue, roster->queue + done, (roster->count - done) * sizeof *roster->queue);
    roster->count -= done;
    return roster->count > 0;
}
