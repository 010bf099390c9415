// SPDX-License-Identifier: Apache-2.0
// See workforce.h. Run by deskbelld's one thread, and not while a reload is going on.
#include "supervisor/workforce.h"

#include "proto/log.h"

void workforce_add(struct children *children, int64_t now_ms)
{
    uint32_t slot = children_idle_worker(children);

    if (slot == 0 || children_wanted_workers(children) >= CHILDREN_MOST_WORKERS) {
        log_warn("worker_not_added", "reason=%s", "there are as many as there can be");
        return;
    }
    log_info("worker_added", "slot=%u", slot);
    children_want(children, slot, children->edition, now_ms);
}

void workforce_remove(struct children *children, int64_t now_ms)
{
    uint32_t last = 0;

    if (children_wanted_workers(children) <= 1) {
        log_warn("worker_not_removed", "reason=%s", "it is the last one");
        return;
    }
    for (uint32_t slot = 1; slot <= CHILDREN_WORKER_SLOTS; slot++)
        last = children->slots[slot].wanted ? slot : last;
    log_info("worker_removed", "slot=%u", last);
    children_leave(children, last, now_ms);
}

// Up to a fifth less than the limit, so that workers that were started together do not leave together.
static int64_t limit_of(const struct child *c, int64_t limit)
{
    return limit - limit * (int64_t)c->jitter / (5 * 1024);
}

static bool is_due(const struct child *c, const struct workforce_limits *limits)
{
    return (limits->jobs && (int64_t)c->jobs >= limit_of(c, limits->jobs)) ||
           (limits->mb && (int64_t)c->resident_mb >= limit_of(c, limits->mb));
}

static void look(struct workforce *workforce, struct children *children, const struct workforce_limits *limits,
                 int64_t now_ms)
{
    workforce->look_ms = now_ms + WORKFORCE_LOOK_MS;
    for (uint32_t slot = 1; slot <= CHILDREN_WORKER_SLOTS; slot++) {
        const struct child *c = &children->slots[slot];
        uint32_t fresh = children_idle_worker(children);
        if (c->state != CHILD_READY || !c->wanted || fresh == 0 || !is_due(c, limits))
            continue;
        *workforce = (struct workforce){
            .old_slot = slot, .new_slot = fresh, .old_generation = c->generation, .look_ms = workforce->look_ms};
        log_info("worker_recycled", "slot=%u generation=%llu jobs=%llu resident_mb=%llu", slot,
                 (unsigned long long)c->generation, (unsigned long long)c->jobs, (unsigned long long)c->resident_mb);
        children_try(children, fresh, children->edition, now_ms);
        return; // one at a time
    }
}

static void go_on(struct workforce *workforce, struct children *children, int64_t now_ms)
{
    const struct child *old = &children->slots[workforce->old_slot], *fresh = &children->slots[workforce->new_slot];
    bool died = old->generation != workforce->old_generation || old->pid == 0;

    if (fresh->state != CHILD_STARTING && fresh->state != CHILD_READY) {
        log_warn("worker_not_recycled", "slot=%u reason=%s", workforce->old_slot,
                 "its replacement did not become ready");
        children_stop(children, workforce->new_slot, now_ms);
        workforce->look_ms = now_ms + WORKFORCE_AGAIN_MS;
    } else if (died || fresh->state == CHILD_READY) {
        // When the old one died meanwhile, its place is not filled a second time.
        children_keep(children, workforce->new_slot);
        children_leave(children, workforce->old_slot, now_ms);
    } else {
        return;
    }
    workforce->old_slot = workforce->new_slot = 0;
}

void workforce_recycle(struct workforce *workforce, struct children *children, const struct workforce_limits *limits,
                       int64_t now_ms)
{
    if (workforce->new_slot)
        go_on(workforce, children, now_ms);
    else if ((limits->jobs || limits->mb) && now_ms >= workforce->look_ms)
        look(workforce, children, limits, now_ms);
}

void workforce_call_off(struct workforce *workforce, struct children *children, int64_t now_ms)
{
    if (workforce->new_slot)
        children_stop(children, workforce->new_slot, now_ms);
    workforce->old_slot = workforce->new_slot = 0;
}

int64_t workforce_due_ms(const struct workforce *workforce, const struct workforce_limits *limits)
{
    return limits->jobs || limits->mb ? workforce->look_ms : INT64_MAX;
}
