// SPDX-License-Identifier: Apache-2.0
// See children.h. The machine is the table `actions` in the middle of this file; everything else fires events into it.
// What a child reports is gossip: it moves its own slot only. What our own table says must be right, or we abort.
#include "supervisor/children.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/log.h"

enum event {
    EVENT_WANTED, // a process is wished for
    EVENT_DUE,    // due_ms has passed
    EVENT_READY,  // the process said READY
    EVENT_STAGED, // the process said STAGED
    EVENT_SIGN,   // the process said anything else
    EVENT_OPEN,   // the ledger is free for it
    EVENT_REAPED, // waitpid
    EVENT_LEAVE,  // finish what it has, or hand over, and leave
    EVENT_FREED,  // the front has no job of it out any more
    EVENT_STOP,   // leave in order
    EVENT_KILL,   // leave now
    EVENTS,
};

void children_init(struct children *children, const struct children_ops *ops, void *context, uint64_t edition,
                   int64_t silent_ms, int64_t stop_ms)
{
    memset(children, 0, sizeof *children);
    children->ops = ops;
    children->context = context;
    children->front = PIPES_FRONT_SLOT;
    children->edition = edition;
    children->silent_ms = silent_ms;
    children->stop_ms = stop_ms;
    roster_init(&children->roster);
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++) {
        children->slots[slot].slot = slot;
        children->slots[slot].status_fd = -1;
        children->slots[slot].control_fd = -1;
        children->slots[slot].due_ms = INT64_MAX;
    }
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void children_close(struct children *children)
{
    roster_detach(&children->roster);
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++) {
        close_fd(&children->slots[slot].status_fd);
        close_fd(&children->slots[slot].control_fd);
    }
}

static bool is_leaving(const struct children *children, const struct child *c)
{
    return c->edition != children->edition || c->state >= CHILD_LEAVING;
}

static void publish_roster(struct children *children)
{
    struct roster_worker workers[CHILDREN_WORKER_SLOTS];
    size_t count = 0;

    if (children->roster.fd < 0)
        return; // the next front is told when it opens
    for (uint32_t slot = 1; slot <= CHILDREN_WORKER_SLOTS; slot++) {
        struct child *c = &children->slots[slot];
        // Also one that is asked to leave or killed: until waitpid it may still write.
        if (!c->pid || !c->was_ready || (!c->joined && c->edition != children->edition))
            continue;
        c->joined = true;
        workers[count++] = (struct roster_worker){slot, c->generation, (uint32_t)c->pid, is_leaving(children, c)};
    }
    roster_publish(&children->roster, workers, count);
}

static void wait_for_restart(struct children *children, struct child *c, int64_t ready_ms, int64_t now_ms)
{
    int64_t wait = throttle_died(&c->throttle, ready_ms, children->ops->random(children->context));

    if (wait > 0)
        log_warn("child_throttled", "child=%s slot=%u wait_ms=%lld failures=%u", children_role(c->slot), c->slot,
                 (long long)wait, c->throttle.failures);
    c->state = CHILD_WAITING;
    c->due_ms = now_ms + wait;
}

static void do_forget(struct children *children, struct child *c, int64_t now_ms)
{
    (void)children, (void)now_ms;
    c->wanted = false;
    c->state = CHILD_IDLE;
    c->due_ms = INT64_MAX;
}

// The front in c may have the ledger: it is told so, and who works.
static void open_front(struct children *children, struct child *c)
{
    roster_attach(&children->roster, c->control_fd);
    roster_say(&children->roster, PIPES_CONTROL_OPEN);
    publish_roster(children);
}

static void do_start(struct children *children, struct child *c, int64_t now_ms)
{
    uint64_t generation = children->ops->next_generation(children->context);
    pid_t pid;

    assert(generation > c->generation);
    c->edition = c->wanted_edition;
    c->generation = generation;
    c->was_ready = c->joined = c->released = c->refused = false;
    c->progress = c->jobs = c->resident_mb = 0;
    c->jitter = children->ops->random(children->context) % 1024;
    memset(&c->reader, 0, sizeof c->reader);
    pid = children->ops->spawn(children->context, c->slot, generation, c->edition, &c->status_fd, &c->control_fd);
    if (pid < 0) {
        // No process, no descriptors: a full process table. As bad as a death before READY.
        if (c->wanted)
            wait_for_restart(children, c, -1, now_ms);
        else
            do_forget(children, c, now_ms);
        return;
    }
    c->pid = pid;
    c->starts++;
    c->state = CHILD_STARTING;
    c->started_ms = now_ms;
    c->due_ms = now_ms + CHILDREN_START_MS;
    log_info("child_started", "child=%s slot=%u generation=%llu child_pid=%d", children_role(c->slot), c->slot,
             (unsigned long long)generation, (int)pid);
    if (c->slot == children->front)
        open_front(children, c);
}

static void do_want(struct children *children, struct child *c, int64_t now_ms)
{
    c->wanted = true;
    do_start(children, c, now_ms);
}

static void do_staged(struct children *children, struct child *c, int64_t now_ms)
{
    if (!children_is_front(c->slot) || c->slot == children->front) {
        c->due_ms = now_ms + CHILDREN_START_MS; // a step on its way
        return;
    }
    c->state = CHILD_STAGED;
    c->due_ms = INT64_MAX; // how long it stands by is not its business
}

static void do_open(struct children *children, struct child *c, int64_t now_ms)
{
    c->state = CHILD_STARTING;
    c->due_ms = now_ms + CHILDREN_START_MS;
    open_front(children, c);
}

static void do_ready(struct children *children, struct child *c, int64_t now_ms)
{
    c->state = CHILD_READY;
    c->was_ready = true;
    c->ready_ms = now_ms;
    c->due_ms = now_ms + children->silent_ms;
    log_info("child_ready", "child=%s slot=%u generation=%llu child_pid=%d after_ms=%lld", children_role(c->slot),
             c->slot, (unsigned long long)c->generation, (int)c->pid, (long long)(now_ms - c->started_ms));
    if (!children_is_front(c->slot) && c->edition == children->edition)
        publish_roster(children);
}

static void do_sign_starting(struct children *children, struct child *c, int64_t now_ms)
{
    (void)children;
    c->due_ms = now_ms + CHILDREN_START_MS;
}

static void do_sign(struct children *children, struct child *c, int64_t now_ms)
{
    c->due_ms = now_ms + children->silent_ms;
}

static void do_ignore(struct children *children, struct child *c, int64_t now_ms)
{
    (void)children, (void)c, (void)now_ms;
}

static void do_bug(struct children *children, struct child *c, int64_t now_ms)
{
    (void)children, (void)now_ms;
    log_error("bug", "slot=%u state=%s says=%s", c->slot, children_state_name(c->state),
              "an event that cannot happen in this state");
    abort();
}

static void do_abort(struct children *children, struct child *c, int64_t now_ms)
{
    log_error("child_silent", "child=%s slot=%u generation=%llu child_pid=%d state=%s progress=%llu does=%s",
              children_role(c->slot), c->slot, (unsigned long long)c->generation, (int)c->pid,
              children_state_name(c->state), (unsigned long long)c->progress, "abort it, then kill it");
    children->ops->signal(children->context, c->pid, SIGABRT);
    c->state = CHILD_ABORTED;
    c->due_ms = now_ms + CHILDREN_ABORT_MS;
}

static void do_kill(struct children *children, struct child *c, int64_t now_ms)
{
    (void)now_ms;
    log_warn("child_killed", "child=%s slot=%u generation=%llu child_pid=%d state=%s", children_role(c->slot), c->slot,
             (unsigned long long)c->generation, (int)c->pid, children_state_name(c->state));
    children->ops->signal(children->context, c->pid, SIGKILL);
    c->state = CHILD_KILLED;
    c->due_ms = INT64_MAX;
}

static void do_kill_unwanted(struct children *children, struct child *c, int64_t now_ms)
{
    c->wanted = false;
    do_kill(children, c, now_ms);
}

static void do_terminate(struct children *children, struct child *c, int64_t now_ms)
{
    c->wanted = false;
    children->ops->signal(children->context, c->pid, SIGTERM);
    c->state = CHILD_STOPPING;
    c->due_ms = now_ms + children->stop_ms;
}

static void do_unwant(struct children *children, struct child *c, int64_t now_ms)
{
    (void)children, (void)now_ms;
    c->wanted = false;
}

static void do_want_again(struct children *children, struct child *c, int64_t now_ms)
{
    (void)children, (void)now_ms;
    c->wanted = true;
}

// It has nothing to finish any more. A deadline that it was given before stays.
static void do_let_go(struct children *children, struct child *c, int64_t now_ms)
{
    children->ops->signal(children->context, c->pid, SIGTERM);
    c->state = CHILD_STOPPING;
    if (c->due_ms < now_ms + CHILDREN_TERM_MS)
        c->due_ms = now_ms + CHILDREN_TERM_MS;
}

static void do_leave(struct children *children, struct child *c, int64_t now_ms)
{
    c->wanted = false;
    if (c->slot == children->front) {
        roster_say(&children->roster, PIPES_CONTROL_HANDOVER);
        c->state = CHILD_STOPPING;
        c->due_ms = now_ms + CHILDREN_HANDOVER_MS;
        return;
    }
    if (children_is_front(c->slot) || !c->joined) { // it has nothing
        do_terminate(children, c, now_ms);
        return;
    }
    c->state = CHILD_LEAVING;
    c->due_ms = now_ms + children->stop_ms;
    publish_roster(children);
    if (c->released)
        do_let_go(children, c, now_ms);
}

static void do_note_freed(struct children *children, struct child *c, int64_t now_ms)
{
    (void)now_ms;
    c->released = c->edition != children->edition; // asked for by its edition alone: nothing new will come
}

// The working front is gone: what it said of workers says nothing of the next one's jobs.
static void forget_front(struct children *children)
{
    roster_detach(&children->roster);
    for (uint32_t slot = 1; slot <= CHILDREN_WORKER_SLOTS; slot++)
        children->slots[slot].released = false;
}

// The process is dead and reaped. Its status pipe was read to the end before, so was_ready is the last word.
static void do_reaped(struct children *children, struct child *c, int64_t now_ms)
{
    int64_t ready_ms = c->was_ready ? now_ms - c->ready_ms : -1;

    if (c->slot == children->front)
        forget_front(children);
    close_fd(&c->status_fd);
    close_fd(&c->control_fd);
    children->ops->buried(children->context, c);
    c->pid = 0;
    c->was_ready = false;
    if (c->joined) {
        roster_reaped(&children->roster, c->slot, c->generation);
        publish_roster(children);
    }
    c->joined = c->released = false;
    if (c->wanted)
        wait_for_restart(children, c, ready_ms, now_ms);
    else
        do_forget(children, c, now_ms);
}

typedef void action(struct children *children, struct child *c, int64_t now_ms);

// clang-format off
static action *const actions[CHILD_STATES][EVENTS] = {
    [CHILD_IDLE] = {
        [EVENT_WANTED] = do_want, [EVENT_DUE] = do_bug, [EVENT_READY] = do_bug, [EVENT_STAGED] = do_bug,
        [EVENT_SIGN] = do_bug, [EVENT_OPEN] = do_bug, [EVENT_REAPED] = do_bug, [EVENT_LEAVE] = do_ignore,
        [EVENT_FREED] = do_bug, [EVENT_STOP] = do_ignore, [EVENT_KILL] = do_ignore},
    [CHILD_WAITING] = {
        [EVENT_WANTED] = do_ignore, [EVENT_DUE] = do_start, [EVENT_READY] = do_bug, [EVENT_STAGED] = do_bug,
        [EVENT_SIGN] = do_bug, [EVENT_OPEN] = do_bug, [EVENT_REAPED] = do_bug, [EVENT_LEAVE] = do_forget,
        [EVENT_FREED] = do_bug, [EVENT_STOP] = do_forget, [EVENT_KILL] = do_forget},
    [CHILD_STARTING] = {
        [EVENT_WANTED] = do_ignore, [EVENT_DUE] = do_abort, [EVENT_READY] = do_ready, [EVENT_STAGED] = do_staged,
        [EVENT_SIGN] = do_sign_starting, [EVENT_OPEN] = do_bug, [EVENT_REAPED] = do_reaped, [EVENT_LEAVE] = do_leave,
        [EVENT_FREED] = do_ignore, [EVENT_STOP] = do_terminate, [EVENT_KILL] = do_kill_unwanted},
    [CHILD_STAGED] = {
        [EVENT_WANTED] = do_bug, [EVENT_DUE] = do_bug, [EVENT_READY] = do_ignore, [EVENT_STAGED] = do_ignore,
        [EVENT_SIGN] = do_ignore, [EVENT_OPEN] = do_open, [EVENT_REAPED] = do_reaped, [EVENT_LEAVE] = do_leave,
        [EVENT_FREED] = do_ignore, [EVENT_STOP] = do_terminate, [EVENT_KILL] = do_kill_unwanted},
    [CHILD_READY] = {
        [EVENT_WANTED] = do_ignore, [EVENT_DUE] = do_abort, [EVENT_READY] = do_sign, [EVENT_STAGED] = do_sign,
        [EVENT_SIGN] = do_sign, [EVENT_OPEN] = do_bug, [EVENT_REAPED] = do_reaped, [EVENT_LEAVE] = do_leave,
        [EVENT_FREED] = do_note_freed, [EVENT_STOP] = do_terminate, [EVENT_KILL] = do_kill_unwanted},
    [CHILD_LEAVING] = {
        [EVENT_WANTED] = do_want_again, [EVENT_DUE] = do_kill, [EVENT_READY] = do_ignore, [EVENT_STAGED] = do_ignore,
        [EVENT_SIGN] = do_ignore, [EVENT_OPEN] = do_bug, [EVENT_REAPED] = do_reaped, [EVENT_LEAVE] = do_ignore,
        [EVENT_FREED] = do_let_go, [EVENT_STOP] = do_terminate, [EVENT_KILL] = do_kill_unwanted},
    [CHILD_STOPPING] = {
        [EVENT_WANTED] = do_want_again, [EVENT_DUE] = do_kill, [EVENT_READY] = do_ignore, [EVENT_STAGED] = do_ignore,
        [EVENT_SIGN] = do_ignore, [EVENT_OPEN] = do_bug, [EVENT_REAPED] = do_reaped, [EVENT_LEAVE] = do_unwant,
        [EVENT_FREED] = do_ignore, [EVENT_STOP] = do_unwant, [EVENT_KILL] = do_kill_unwanted},
    [CHILD_ABORTED] = {
        [EVENT_WANTED] = do_want_again, [EVENT_DUE] = do_kill, [EVENT_READY] = do_ignore, [EVENT_STAGED] = do_ignore,
        [EVENT_SIGN] = do_ignore, [EVENT_OPEN] = do_bug, [EVENT_REAPED] = do_reaped, [EVENT_LEAVE] = do_unwant,
        [EVENT_FREED] = do_ignore, [EVENT_STOP] = do_unwant, [EVENT_KILL] = do_kill_unwanted},
    [CHILD_KILLED] = {
        [EVENT_WANTED] = do_want_again, [EVENT_DUE] = do_bug, [EVENT_READY] = do_ignore, [EVENT_STAGED] = do_ignore,
        [EVENT_SIGN] = do_ignore, [EVENT_OPEN] = do_bug, [EVENT_REAPED] = do_reaped, [EVENT_LEAVE] = do_unwant,
        [EVENT_FREED] = do_ignore, [EVENT_STOP] = do_unwant, [EVENT_KILL] = do_unwant},
};
// clang-format on

static void fire(struct children *children, uint32_t slot, enum event event, int64_t now_ms)
{
    struct child *c;

    if (slot >= CHILDREN_SLOTS)
        abort();
    c = &children->slots[slot];
    if (c->state >= CHILD_STATES)
        abort();
    actions[c->state][event](children, c, now_ms);
}

void children_want(struct children *children, uint32_t slot, uint64_t edition, int64_t now_ms)
{
    children->slots[slot].wanted_edition = edition;
    fire(children, slot, EVENT_WANTED, now_ms);
}

void children_try(struct children *children, uint32_t slot, uint64_t edition, int64_t now_ms)
{
    struct child *c = &children->slots[slot];

    assert(c->state == CHILD_IDLE && slot != children->front);
    c->wanted_edition = edition;
    do_start(children, c, now_ms);
}

void children_keep(struct children *children, uint32_t slot)
{
    children->slots[slot].wanted = true;
}

void children_open(struct children *children, uint32_t slot, uint64_t edition, int64_t now_ms)
{
    assert(children->slots[children->front].pid == 0 && children_is_front(slot));
    children->front = slot;
    children->edition = edition;
    fire(children, slot, EVENT_OPEN, now_ms);
}

void children_revert(struct children *children, uint32_t front, uint64_t edition)
{
    assert(children->slots[children->front].pid == 0 && children->slots[front].state == CHILD_IDLE);
    children->front = front;
    children->edition = edition;
}

void children_leave(struct children *children, uint32_t slot, int64_t now_ms)
{
    fire(children, slot, EVENT_LEAVE, now_ms);
}

void children_stop(struct children *children, uint32_t slot, int64_t now_ms)
{
    fire(children, slot, EVENT_STOP, now_ms);
}

void children_kill(struct children *children, uint32_t slot, int64_t now_ms)
{
    fire(children, slot, EVENT_KILL, now_ms);
}

// The working front says of one of its workers that it has nothing out there. Gossip, if it names nobody.
static void take_released(struct children *children, uint64_t generation, int64_t now_ms)
{
    for (uint32_t slot = 1; slot <= CHILDREN_WORKER_SLOTS; slot++) {
        if (children->slots[slot].pid && children->slots[slot].generation == generation)
            fire(children, slot, EVENT_FREED, now_ms);
    }
}

static void take_status(struct children *children, struct child *c, const struct pipes_status *record, int64_t now_ms)
{
    bool stands_still = record->progress == c->progress;

    c->progress = record->progress;
    switch (record->kind) {
    case PIPES_STATUS_READY:
        fire(children, c->slot, EVENT_READY, now_ms);
        break;
    case PIPES_STATUS_BEAT:
        // What turns without getting anywhere is stuck as well.
        if (!stands_still)
            fire(children, c->slot, EVENT_SIGN, now_ms);
        if (!children_is_front(c->slot))
            c->jobs = record->value, c->resident_mb = record->resident_mb;
        break;
    case PIPES_STATUS_RELEASED:
        if (c->slot == children->front)
            take_released(children, record->value, now_ms);
        break;
    default:
        log_info(record->kind == PIPES_STATUS_STAGED ? "child_staged" : "child_drained",
                 "child=%s slot=%u generation=%llu child_pid=%d", children_role(c->slot), c->slot,
                 (unsigned long long)c->generation, (int)c->pid);
        fire(children, c->slot, record->kind == PIPES_STATUS_STAGED ? EVENT_STAGED : EVENT_SIGN, now_ms);
    }
}

void children_read(struct children *children, uint32_t slot, int64_t now_ms)
{
    struct child *c = &children->slots[slot];
    struct pipes_status record;

    while (c->status_fd >= 0) {
        switch (pipes_read_status(&c->reader, c->status_fd, &record)) {
        case PIPES_RECORD:
            take_status(children, c, &record, now_ms);
            break;
        case PIPES_NOTHING:
            return;
        case PIPES_EOF:
            // It is dying, or it closed what it must not close: then it falls silent and is killed.
            close_fd(&c->status_fd);
            return;
        case PIPES_BROKEN:
            log_error("status_pipe_broken", "child=%s slot=%u generation=%llu child_pid=%d does=%s",
                      children_role(slot), slot, (unsigned long long)c->generation, (int)c->pid,
                      "listen to it no longer");
            close_fd(&c->status_fd);
            return;
        }
    }
}

// One line for each dead child, whatever it died of.
static void write_obituary(const struct child *c, int wait_status, int64_t now_ms)
{
    bool peaceful = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0 && c->state == CHILD_STOPPING;
    char cause[64] = "";

    if (WIFSIGNALED(wait_status))
        snprintf(cause, sizeof cause, "signal %d (%s)%s", WTERMSIG(wait_status), sigdescr_np(WTERMSIG(wait_status)),
                 WCOREDUMP(wait_status) ? ", core dumped" : "");
    else
        snprintf(cause, sizeof cause, "exit code %d", WEXITSTATUS(wait_status));
    log_write(peaceful ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "child_died",
              "child=%s slot=%u generation=%llu child_pid=%d state=%s was_ready=%d cause=%s uptime_ms=%lld",
              children_role(c->slot), c->slot, (unsigned long long)c->generation, (int)c->pid,
              children_state_name(c->state), c->was_ready, cause, (long long)(now_ms - c->started_ms));
}

bool children_reap(struct children *children, pid_t pid, int wait_status, int64_t now_ms)
{
    for (uint32_t slot = 0; pid > 0 && slot < CHILDREN_SLOTS; slot++) {
        if (children->slots[slot].pid != pid)
            continue;
        // Its last words may still be in the pipe: whether it had been READY decides how soon it is replaced.
        children_read(children, slot, now_ms);
        write_obituary(&children->slots[slot], wait_status, now_ms);
        children->slots[slot].refused =
            !children->slots[slot].was_ready && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == PIPES_EXIT_CONFIG;
        fire(children, slot, EVENT_REAPED, now_ms);
        return true;
    }
    return false;
}

void children_tick(struct children *children, int64_t now_ms)
{
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++) {
        if (children->slots[slot].due_ms <= now_ms)
            fire(children, slot, EVENT_DUE, now_ms);
    }
}
