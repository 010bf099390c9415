// SPDX-License-Identifier: Apache-2.0
// See status.h. Run by deskbelld's one thread.
#include "supervisor/status.h"

#include <stdio.h>
#include <string.h>

#include "proto/log.h"
#include "supervisor/notify.h"

void status_complain(struct status *status, const char *why)
{
    snprintf(status->complaint, sizeof status->complaint, "%s", why);
    // systemd reads one assignment from each line.
    for (char *c = status->complaint; (c = strpbrk(c, "\r\n")); c++)
        *c = ' ';
}

void status_tell(struct status *status, const struct children *children, bool reloading)
{
    char text[sizeof status->told];

    snprintf(text, sizeof text, "STATUS=front %s, %zu of %zu workers ready%s%s%s",
             children_front_ready(children) ? "ready" : "not ready", children_ready_workers(children),
             children_wanted_workers(children), reloading ? "; reloading the configuration" : "",
             *status->complaint ? "; the last reload was refused, the configuration from before goes on: " : "",
             status->complaint);
    if (strcmp(text, status->told) == 0)
        return;
    memcpy(status->told, text, sizeof text);
    notify_send(text);
}

void status_write(const struct status *status, const struct children *children, const char *phase,
                  const char *reload_phase, int64_t now_ms)
{
    log_info("state", "phase=%s ready_workers=%zu front_ready=%d running=%zu edition=%llu reload=%s refused=%s", phase,
             children_ready_workers(children), children_front_ready(children), children_running(children),
             (unsigned long long)children->edition, reload_phase, status->complaint);
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++) {
        const struct child *c = &children->slots[slot];
        if (c->state == CHILD_IDLE)
            continue;
        log_info("child_state",
                 "child=%s slot=%u state=%s child_pid=%d generation=%llu edition=%llu starts=%llu failures=%u "
                 "progress=%llu jobs=%llu resident_mb=%llu uptime_ms=%lld due_in_ms=%lld",
                 children_role(slot), slot, children_state_name(c->state), (int)c->pid,
                 (unsigned long long)c->generation, (unsigned long long)c->edition, (unsigned long long)c->starts,
                 c->throttle.failures, (unsigned long long)c->progress, (unsigned long long)c->jobs,
                 (unsigned long long)c->resident_mb, c->pid ? (long long)(now_ms - c->started_ms) : -1LL,
                 c->due_ms == INT64_MAX ? -1LL : (long long)(c->due_ms - now_ms));
    }
}
