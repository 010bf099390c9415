// SPDX-License-Identifier: Apache-2.0
// See reload.h. Run by deskbelld's one thread. A phase is looked at each round, not waited for.
#include "supervisor/reload.h"

#include <assert.h>

#include "proto/log.h"

static const char worker_failed[] = "a worker with the new configuration did not become ready";
static const char refused[] =
    "a process refused a key, token or certificate of the new configuration; its own line in the log says which";
static const char front_failed[] = "the front with the new configuration did not start";
static const char front_failed_open[] = "the front with the new configuration could not serve";

const char *reload_phase_name(enum reload_phase phase)
{
    static const char *const names[] = {"none", "workers", "staging", "handover", "opening"};

    assert(phase < RELOAD_PHASES);
    return names[phase];
}

int64_t reload_due_ms(const struct reload *reload)
{
    return reload->phase == RELOAD_NONE ? INT64_MAX : reload->due_ms;
}

static void enter(struct reload *reload, enum reload_phase phase, int64_t due_ms)
{
    log_info("reload_phase", "phase=%s edition=%llu", reload_phase_name(phase), (unsigned long long)reload->edition);
    reload->phase = phase;
    reload->due_ms = due_ms;
}

static uint32_t other_front(const struct children *children)
{
    return children->front == PIPES_FRONT_SLOT ? CHILDREN_OTHER_FRONT : PIPES_FRONT_SLOT;
}

bool reload_has_room(const struct children *children)
{
    size_t idle = 0;

    for (uint32_t slot = 1; slot <= CHILDREN_WORKER_SLOTS; slot++)
        idle += children->slots[slot].state == CHILD_IDLE;
    return idle >= CHILDREN_MOST_WORKERS && children->slots[other_front(children)].state == CHILD_IDLE;
}

void reload_begin(struct reload *reload, struct children *children, uint64_t edition, size_t count, int64_t now_ms)
{
    assert(reload->phase == RELOAD_NONE && count > 0 && count <= CHILDREN_MOST_WORKERS && reload_has_room(children));
    *reload = (struct reload){.edition_before = children->edition,
                              .edition = edition,
                              .worker_count = count,
                              .front = other_front(children),
                              .front_before = children->front};
    // All slots first: one whose fork fails is idle again at once.
    for (size_t i = 0, slot = 1; i < count; slot++) {
        if (children->slots[slot].state == CHILD_IDLE)
            reload->workers[i++] = (uint32_t)slot;
    }
    for (size_t i = 0; i < count; i++)
        children_try(children, reload->workers[i], edition, now_ms);
    enter(reload, RELOAD_WORKERS, now_ms + RELOAD_WAIT_MS);
}

// The new workers that are in this state.
static size_t count_workers(const struct reload *reload, const struct children *children, enum child_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < reload->worker_count; i++)
        n += children->slots[reload->workers[i]].state == state;
    return n;
}

// Every new worker still is on its way or there.
static bool workers_live(const struct reload *reload, const struct children *children)
{
    return count_workers(reload, children, CHILD_READY) + count_workers(reload, children, CHILD_STARTING) ==
           reload->worker_count;
}

static enum reload_result refuse(struct reload *reload, struct children *children, const char *why, int64_t now_ms)
{
    reload->why = children->slots[reload->front].refused ? refused : why;
    for (size_t i = 0; i < reload->worker_count; i++) {
        if (children->slots[reload->workers[i]].refused)
            reload->why = refused;
    }
    for (size_t i = 0; i < reload->worker_count; i++)
        children_leave(children, reload->workers[i], now_ms);
    children_stop(children, reload->front, now_ms);
    reload->phase = RELOAD_NONE;
    return RELOAD_REFUSED;
}

static enum reload_result step_workers(struct reload *reload, struct children *children, int64_t now_ms)
{
    if (!workers_live(reload, children) || now_ms >= reload->due_ms)
        return refuse(reload, children, worker_failed, now_ms);
    if (count_workers(reload, children, CHILD_READY) == reload->worker_count) {
        children_try(children, reload->front, reload->edition, now_ms);
        enter(reload, RELOAD_STAGING, now_ms + RELOAD_WAIT_MS);
    }
    return RELOAD_GOES_ON;
}

static enum reload_result step_staging(struct reload *reload, struct children *children, int64_t now_ms)
{
    enum child_state fresh = children->slots[reload->front].state;
    enum child_state old = children->slots[reload->front_before].state;

    if (!workers_live(reload, children))
        return refuse(reload, children, worker_failed, now_ms);
    if ((fresh != CHILD_STARTING && fresh != CHILD_STAGED) || (fresh == CHILD_STARTING && now_ms >= reload->due_ms))
        return refuse(reload, children, front_failed, now_ms);
    if (fresh != CHILD_STAGED)
        return RELOAD_GOES_ON;
    reload->due_ms = INT64_MAX;
    // One that just opens the ledger, or dies, is waited for: its own deadlines see to it that it comes to an end.
    if (old == CHILD_READY || old == CHILD_WAITING || old == CHILD_IDLE) {
        children_leave(children, reload->front_before, now_ms);
        enter(reload, RELOAD_HANDOVER, INT64_MAX);
    }
    return RELOAD_GOES_ON;
}

// The old edition is in force again, and its front is started.
static enum reload_result go_back(struct reload *reload, struct children *children, const char *why, int64_t now_ms)
{
    children_revert(children, reload->front_before, reload->edition_before);
    children_want(children, reload->front_before, reload->edition_before, now_ms);
    return refuse(reload, children, why, now_ms);
}

static enum reload_result step_handover(struct reload *reload, struct children *children, int64_t now_ms)
{
    if (!reload->why && !workers_live(reload, children))
        reload->why = worker_failed;
    if (!reload->why && children->slots[reload->front].state != CHILD_STAGED)
        reload->why = front_failed;
    if (children->slots[reload->front_before].pid)
        return RELOAD_GOES_ON;
    if (reload->why)
        return go_back(reload, children, reload->why, now_ms);
    for (size_t i = 0; i < reload->worker_count; i++)
        children_keep(children, reload->workers[i]);
    children_open(children, reload->front, reload->edition, now_ms);
    enter(reload, RELOAD_OPENING, INT64_MAX);
    return RELOAD_GOES_ON;
}

static enum reload_result step_opening(struct reload *reload, struct children *children, int64_t now_ms)
{
    const struct child *front = &children->slots[reload->front];

    if (front->pid == 0)
        return go_back(reload, children, front_failed_open, now_ms);
    if (front->state != CHILD_READY)
        return RELOAD_GOES_ON; // its own deadline sees to it that it comes to an end
    children_keep(children, reload->front);
    for (uint32_t slot = 1; slot <= CHILDREN_WORKER_SLOTS; slot++) {
        if (children->slots[slot].wanted && children->slots[slot].wanted_edition == reload->edition_before)
            children_leave(children, slot, now_ms);
    }
    reload->phase = RELOAD_NONE;
    return RELOAD_DONE;
}

enum reload_result reload_step(struct reload *reload, struct children *children, int64_t now_ms)
{
    switch (reload->phase) {
    case RELOAD_WORKERS:
        return step_workers(reload, children, now_ms);
    case RELOAD_STAGING:
        return step_staging(reload, children, now_ms);
    case RELOAD_HANDOVER:
        return step_handover(reload, children, now_ms);
    case RELOAD_OPENING:
        return step_opening(reload, children, now_ms);
    default:
        return RELOAD_GOES_ON;
    }
}

void reload_abandon(struct reload *reload, struct children *children, int64_t now_ms)
{
    if (reload->phase == RELOAD_NONE)
        return;
    // In OPENING the new front has the ledger: it is the one that leaves in order.
    if (reload->phase != RELOAD_OPENING)
        children_stop(children, reload->front, now_ms);
    reload->phase = RELOAD_NONE;
}
