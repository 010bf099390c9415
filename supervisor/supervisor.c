// SPDX-License-Identifier: Apache-2.0
// See supervisor.h. One thread, one poll(): signals arrive as data from a signalfd, each child speaks through its
// status pipe, and every deadline is in the child table. The order within a round matters: all pipes are read before
// any deadline is looked at, so that a word in time counts even when deskbelld itself was held up.
#include "supervisor/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "proto/pipes.h"
#include "proto/secret.h"
#include "supervisor/children.h"
#include "supervisor/instance.h"
#include "supervisor/listeners.h"
#include "supervisor/notify.h"
#include "supervisor/snapshot.h"
#include "supervisor/spawn.h"

// The front closes the ledger before workers are asked; those hold nothing that is not on disk and get little time.
#define WORKERS_STOP_MS 2000
// After SIGKILL only the kernel is waited for.
#define KILLED_WAIT_MS 5000

enum phase {
    PHASE_RUNNING,
    PHASE_DRAINING, // the front was asked to leave: it takes nothing new and waits for what is out
    PHASE_WORKERS,  // the front is gone, the workers were asked
    PHASE_KILLING,  // everything got SIGKILL
};

struct supervisor {
    const struct config *config;
    const char *config_path;
    struct instance instance;
    struct listeners listeners;
    struct spawn spawn;
    struct children children;
    int config_fd;
    int signal_fd;
    enum phase phase;
    bool was_ready;                       // READY=1 was sent
    int64_t killed_by_ms;                 // PHASE_KILLING: when to stop waiting
    int64_t watchdog_ms, watchdog_due_ms; // 0: no watchdog
    size_t told_workers;                  // what STATUS= said last
    bool told_front;
};

static pid_t on_spawn(void *context, uint32_t slot, uint64_t generation, int *status_fd, int *control_fd)
{
    struct supervisor *s = context;

    return spawn_child(&s->spawn, slot, generation, status_fd, control_fd);
}

static void on_signal(void *context, pid_t pid, int signal_number)
{
    (void)context;
    if (kill(pid, signal_number) != 0)
        log_error("kill_failed", "child_pid=%d signal=%d error=%s", (int)pid, signal_number, strerror(errno));
}

static uint64_t on_next_generation(void *context)
{
    struct supervisor *s = context;

    return instance_next_generation(&s->instance);
}

static uint32_t on_random(void *context)
{
    uint32_t value = 0;

    (void)context;
    if (getrandom(&value, sizeof value, GRND_NONBLOCK) != sizeof value)
        value = (uint32_t)clock_mono_us();
    return value;
}

static void on_buried(void *context, const struct child *child)
{
    struct supervisor *s = context;

    if (child->slot != PIPES_FRONT_SLOT)
        instance_remove_socket(&s->instance, child->slot, child->generation);
}

static const struct children_ops ops = {on_spawn, on_signal, on_next_generation, on_random, on_buried};

bool supervisor_load(const char *path, struct config **config, char **text, size_t *len, struct config_error *error)
{
    char *read_text;
    size_t read_len = 0;
    bool ok;

    memset(error, 0, sizeof *error);
    *config = NULL;
    snprintf(error->file, sizeof error->file, "%s", path);
    read_text = snapshot_read_file(path, &read_len, error->message, sizeof error->message);
    if (!read_text)
        return false;
    ok = config_parse(read_text, read_len, path, config, error);
    if (ok && !config_check_secrets(*config, error)) {
        config_free(config);
        ok = false;
    }
    if (ok && text) {
        *text = read_text;
        *len = read_len;
    } else {
        free(read_text);
    }
    return ok;
}

static int open_signals(void)
{
    static const int taken[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        sigaddset(&set, taken[i]);
        // Whoever started us may have ignored some; an ignored SIGCHLD would leave nothing for waitpid.
        signal(taken[i], SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, &set, NULL);
    // A pipe whose reader is gone is an error of that write, not the end of us.
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static bool open_all(struct supervisor *s, const char *text, size_t len, char *why, size_t why_size)
{
    if (!spawn_init(&s->spawn, why, why_size) ||
        !instance_open(&s->instance, s->config->state_dir, s->config->runtime_dir, why, why_size) ||
        !listeners_open(&s->listeners, &s->config->front, why, why_size))
        return false;
    s->config_fd = snapshot_new(text, len);
    s->signal_fd = open_signals();
    if (s->config_fd < 0 || s->signal_fd < 0) {
        snprintf(why, why_size, "cannot open the configuration's snapshot or the signals: %s", strerror(errno));
        return false;
    }
    s->spawn.config_fd = s->config_fd;
    s->spawn.lock_fd = s->instance.lock_fd;
    s->spawn.listen_fd = s->listeners.front;
    s->spawn.admin_listen_fd = s->listeners.admin;
    return true;
}

static void close_all(struct supervisor *s)
{
    children_close(&s->children);
    listeners_close(&s->listeners);
    if (s->config_fd >= 0)
        close(s->config_fd);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    spawn_free(&s->spawn);
    instance_close(&s->instance);
}

static void start_all(struct supervisor *s, int64_t now_ms)
{
    for (uint32_t slot = 1; slot <= (uint32_t)s->config->workers.count; slot++)
        children_want(&s->children, slot, now_ms);
    children_want(&s->children, PIPES_FRONT_SLOT, now_ms);
}

static void kill_all(struct supervisor *s, const char *reason, int64_t now_ms)
{
    if (s->phase == PHASE_KILLING)
        return;
    log_warn("stopping_now", "reason=%s", reason);
    s->phase = PHASE_KILLING;
    s->killed_by_ms = now_ms + KILLED_WAIT_MS;
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++)
        children_kill(&s->children, slot, now_ms);
}

static void begin_stop(struct supervisor *s, int64_t now_ms)
{
    log_info("stopping", "deadline_s=%lld", (long long)s->config->timing.stop_seconds);
    notify_send("STOPPING=1\nSTATUS=finishing what was taken");
    s->phase = PHASE_DRAINING;
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++) {
        // A worker that dies from now on is not replaced, and one that waits for its throttle is forgotten.
        s->children.slots[slot].wanted = false;
        if (slot == PIPES_FRONT_SLOT || s->children.slots[slot].state == CHILD_WAITING)
            children_stop(&s->children, slot, now_ms);
    }
}

// Moves the stop on when what it waited for has happened. Draining is a phase looked at each round, not a wait.
static void step_stop(struct supervisor *s, int64_t now_ms)
{
    if (s->phase == PHASE_DRAINING && s->children.slots[PIPES_FRONT_SLOT].pid == 0) {
        s->phase = PHASE_WORKERS;
        s->children.stop_ms = WORKERS_STOP_MS;
        for (uint32_t slot = 1; slot < CHILDREN_SLOTS; slot++)
            children_stop(&s->children, slot, now_ms);
    }
}

static void add_worker(struct supervisor *s, int64_t now_ms)
{
    for (uint32_t slot = 1; slot < CHILDREN_SLOTS; slot++) {
        if (s->children.slots[slot].wanted)
            continue;
        log_info("worker_added", "slot=%u", slot);
        children_want(&s->children, slot, now_ms);
        return;
    }
    log_warn("worker_not_added", "reason=%s", "there are as many as there can be");
}

static void remove_worker(struct supervisor *s, int64_t now_ms)
{
    uint32_t last = 0, wanted = 0;

    for (uint32_t slot = 1; slot < CHILDREN_SLOTS; slot++) {
        wanted += s->children.slots[slot].wanted;
        last = s->children.slots[slot].wanted ? slot : last;
    }
    if (wanted <= 1) {
        log_warn("worker_not_removed", "reason=%s", "it is the last one");
        return;
    }
    log_info("worker_removed", "slot=%u", last);
    children_stop(&s->children, last, now_ms);
}

// A whole new configuration cannot be put in place yet, but the operator learns whether the file is good.
static void check_file_again(struct supervisor *s)
{
    struct config *config = NULL;
    struct config_error error;
    char text[1100];

    if (supervisor_load(s->config_path, &config, NULL, NULL, &error))
        log_warn("reload_not_available", "file=%s says=%s", s->config_path,
                 "the file is correct, but this version cannot reload it: restart to use it");
    else
        log_error("reload_not_available", "error=%s says=%s", config_error_text(&error, text, sizeof text),
                  "this file is wrong, and this version cannot reload it: the running configuration stays");
    config_free(&config);
}

static void write_state(const struct supervisor *s, int64_t now_ms)
{
    static const char *const phases[] = {"running", "draining", "stopping workers", "killing"};

    log_info("state", "phase=%s ready_workers=%zu front_ready=%d running=%zu", phases[s->phase],
             children_ready_workers(&s->children), children_front_ready(&s->children), children_running(&s->children));
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++) {
        const struct child *c = &s->children.slots[slot];
        if (c->state == CHILD_IDLE)
            continue;
        log_info("child_state",
                 "child=%s slot=%u state=%s child_pid=%d generation=%llu starts=%llu failures=%u progress=%llu "
                 "uptime_ms=%lld due_in_ms=%lld",
                 children_role(slot), slot, children_state_name(c->state), (int)c->pid,
                 (unsigned long long)c->generation, (unsigned long long)c->starts, c->throttle.failures,
                 (unsigned long long)c->progress, c->pid ? (long long)(now_ms - c->started_ms) : -1LL,
                 c->due_ms == INT64_MAX ? -1LL : (long long)(c->due_ms - now_ms));
    }
}

static void reap(struct supervisor *s, int64_t now_ms)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (!children_reap(&s->children, pid, status, now_ms))
            log_debug("stranger_reaped", "child_pid=%d", (int)pid); // as pid 1 of a container
    }
}

static void take_signal(struct supervisor *s, int number, int64_t now_ms)
{
    switch (number) {
    case SIGCHLD:
        reap(s, now_ms);
        break;
    case SIGTERM:
        if (s->phase == PHASE_RUNNING)
            begin_stop(s, now_ms);
        else
            kill_all(s, "a second TERM", now_ms);
        break;
    case SIGINT:
    case SIGQUIT:
        kill_all(s, number == SIGINT ? "INT" : "QUIT", now_ms);
        break;
    case SIGHUP:
        check_file_again(s);
        break;
    case SIGUSR2:
        write_state(s, now_ms);
        break;
    case SIGTTIN:
        if (s->phase == PHASE_RUNNING)
            add_worker(s, now_ms);
        break;
    case SIGTTOU:
        if (s->phase == PHASE_RUNNING)
            remove_worker(s, now_ms);
        break;
    default:
        break; // USR1 reopens a log file, and we log to stderr
    }
}

// Waits for a signal, a word of a child, room in the control pipe or the next deadline.
static void wait_for_something(struct supervisor *s, bool control_full)
{
    struct pollfd fds[CHILDREN_SLOTS + 2];
    nfds_t n = 0;
    int64_t now_ms = clock_mono_ms(), due = children_due_ms(&s->children);

    if (s->phase == PHASE_KILLING && s->killed_by_ms < due)
        due = s->killed_by_ms;
    if (s->watchdog_ms && s->watchdog_due_ms < due)
        due = s->watchdog_due_ms;
    fds[n++] = (struct pollfd){.fd = s->signal_fd, .events = POLLIN};
    if (control_full)
        fds[n++] = (struct pollfd){.fd = s->children.roster.fd, .events = POLLOUT};
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++) {
        if (s->children.slots[slot].status_fd >= 0)
            fds[n++] = (struct pollfd){.fd = s->children.slots[slot].status_fd, .events = POLLIN};
    }
    // What poll found is not looked at: everything is non-blocking and asked in order below.
    (void)poll(fds, n, due == INT64_MAX ? -1 : due <= now_ms ? 0 : due - now_ms > 60000 ? 60000 : (int)(due - now_ms));
}

static void read_children(struct supervisor *s, int64_t now_ms)
{
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++)
        children_read(&s->children, slot, now_ms);
}

static void read_signals(struct supervisor *s, int64_t now_ms)
{
    struct signalfd_siginfo info;

    while (read(s->signal_fd, &info, sizeof info) == sizeof info)
        take_signal(s, (int)info.ssi_signo, now_ms);
}

// Tells systemd, and the log once, when Deskbell first works, and later what is missing.
static void tell(struct supervisor *s, int64_t now_ms)
{
    size_t workers = children_ready_workers(&s->children);
    bool front = children_front_ready(&s->children);
    char text[160];

    if (s->watchdog_ms && now_ms >= s->watchdog_due_ms) {
        notify_send("WATCHDOG=1");
        s->watchdog_due_ms = now_ms + s->watchdog_ms;
    }
    if (s->phase != PHASE_RUNNING || (workers == s->told_workers && front == s->told_front))
        return;
    s->told_workers = workers;
    s->told_front = front;
    if (!s->was_ready && front && workers > 0) {
        s->was_ready = true;
        log_info("ready", "workers=%zu", workers);
        notify_send("READY=1");
    }
    snprintf(text, sizeof text, "STATUS=front %s, %zu of %lld workers ready", front ? "ready" : "not ready", workers,
             (long long)s->config->workers.count);
    notify_send(text);
}

// True when there is nothing left to wait for.
static bool is_done(const struct supervisor *s, int64_t now_ms)
{
    if (s->phase == PHASE_KILLING && now_ms >= s->killed_by_ms) {
        log_error("children_left_behind", "count=%zu", children_running(&s->children));
        return true;
    }
    return (s->phase == PHASE_WORKERS || s->phase == PHASE_KILLING) && children_running(&s->children) == 0;
}

static void run(struct supervisor *s)
{
    bool control_full = false;

    start_all(s, clock_mono_ms());
    while (!is_done(s, clock_mono_ms())) {
        wait_for_something(s, control_full);
        read_children(s, clock_mono_ms());
        read_signals(s, clock_mono_ms());
        children_tick(&s->children, clock_mono_ms());
        step_stop(s, clock_mono_ms());
        control_full = roster_flush(&s->children.roster);
        tell(s, clock_mono_ms());
    }
}

int supervisor_main(const struct config *config, const char *config_path, const char *text, size_t len)
{
    struct supervisor s = {.config = config,
                           .config_path = config_path,
                           .instance.lock_fd = -1,
                           .listeners = {-1, -1},
                           .config_fd = -1,
                           .signal_fd = -1};
    char why[2048] = "";

    umask(0077);
    children_init(&s.children, &ops, &s, config->timing.silent_child_seconds * 1000,
                  config->timing.stop_seconds * 1000);
    if (!open_all(&s, text, len, why, sizeof why)) {
        fprintf(stderr, "deskbelld: %s\n", why);
        close_all(&s);
        return PIPES_EXIT_FAILED;
    }
    s.watchdog_ms = notify_watchdog_ms();
    log_info("starting", "version=%s workers=%lld state_dir=%s helpers=%s", DESKBELL_VERSION,
             (long long)config->workers.count, config->state_dir, s.spawn.folder);
    run(&s);
    log_info("stopped", NULL);
    close_all(&s);
    return PIPES_EXIT_ASKED;
}
