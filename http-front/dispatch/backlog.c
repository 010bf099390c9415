// SPDX-License-Identifier: Apache-2.0
// How old what waits is, and how much of it is in doubt. Dispatcher's thread; looks at a bounded number of lanes.
#include "http-front/dispatch/state.h"
#include "proto/clock.h"

enum { MOST_LOOKED_AT = 100000 };

// Whether an item is work that somebody waits for: no poll, and no read of a customer that comes again in a while.
static bool is_awaited(const struct item *item)
{
    return !steps_is_poll(item->kind) && (item->kind != EVENT_CONTEXT || item->attempts);
}

static void look_at(struct backlog *backlog, const struct side *side, uint64_t now)
{
    uint64_t *oldest = &backlog->oldest_ms[side->which];
    const struct item *item = side->head;
    while (item && !is_awaited(item))
        item = item->next;
    if (!item)
        return;
    if (!*oldest || item->accepted_ms < *oldest)
        *oldest = item->accepted_ms;
    const struct item *first = side->active ? side->active : item;
    backlog->doubt[side->which] += first->doubt;
    backlog->held[side->which] += first->attempts && first->not_before_mono_ms > now;
}

struct backlog backlog_look(const struct dispatcher *self)
{
    struct backlog backlog = {.whole = true};
    uint64_t now = (uint64_t)clock_mono_ms();
    size_t seen = 0;
    for (struct conversation *c = zhashx_first(self->conversations); c; c = zhashx_next(self->conversations)) {
        if (++seen > MOST_LOOKED_AT) {
            backlog.whole = false;
            break;
        }
        for (int i = 0; i < SIDES; i++)
            look_at(&backlog, &c->sides[i], now);
    }
    return backlog;
}
