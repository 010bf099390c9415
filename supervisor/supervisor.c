// SPDX-License-Identifier: Apache-2.0
// See supervisor.h. One thread, one poll(): signals arrive as data from a signalfd, each child speaks through its
// status pipe, and every deadline is in the child table. The order within a round matters: all pipes are read before
// any deadline is looked at, so that a word in time counts even when deskbelld itself was held up.
#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
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
#include "supervisor/children.h"
#include "supervisor/edition.h"
#include "supervisor/instance.h"
#include "supervisor/listeners.h"
#include "supervisor/notify.h"
#include "supervisor/reload.h"
#include "supervisor/spawn.h"
#include "supervisor/status.h"
#include "supervisor/workforce.h"

// The front closes the ledger before workers are asked; those leave at once, and get little time for it.
#define WORKERS_STOP_MS 2000
// After SIGKILL only the kernel is waited for.
#define KILLED_WAIT_MS 5000

enum phase {
    PHASE_RUNNING,
    PHASE_DRAINING, // the front was asked to leave: it takes nothing new and waits for what is out
    PHASE_WORKERS,  // the front is gone, the workers were asked
    PHASE_KILLING,  // everything got SIGKILL
};

static const char *const phases[] = {"running", "draining", "stopping workers", "killing"};

struct supervisor {
    const char *config_path;
    struct edition *edition; // in force; while a reload opens the next one's front, still the one before
    struct edition *next;    // of a reload, else NULL
    struct instance instance;
    struct spawn spawn;
    struct children children;
    struct reload reload;
    struct workforce workforce;
    struct status status;
    bool reload_asked; // HUP, not begun
    int stderr_fd;     // what descriptor 2 was at the start
    int signal_fd;
    enum phase phase;
    bool was_ready;                       // READY=1 was sent
    bool refused;                         // nothing ever worked, and a child says that the configuration is why
    int64_t killed_by_ms;                 // PHASE_KILLING: when to stop waiting
    int64_t watchdog_ms, watchdog_due_ms; // 0: no watchdog
};

static pid_t on_spawn(void *context, uint32_t slot, uint64_t generation, uint64_t number, int *status_fd,
                      int *control_fd)
{
    struct supervisor *s = context;
    const struct edition *edition = s->next && s->next->number == number ? s->next : s->edition;

    if (edition->number != number)
        abort();
    s->spawn.config_fd = edition->config_fd;
    s->spawn.log_fd = edition->log_fd >= 0 ? edition->log_fd : s->stderr_fd;
    s->spawn.listen_fd = edition->listeners.front;
    s->spawn.admin_listen_fd = edition->listeners.admin;
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

    if (!children_is_front(child->slot))
        instance_remove_socket(&s->instance, child->slot, child->generation);
}

static const struct children_ops ops = {on_spawn, on_signal, on_next_generation, on_random, on_buried};

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

static bool open_all(struct supervisor *s, struct config **config, const char *text, size_t len, char *why,
                     size_t why_size)
{
    const char *state_dir = (*config)->state_dir, *runtime_dir = (*config)->runtime_dir;

    // The lock first: who comes second is to be told so, and not that an address is taken.
    if (!spawn_init(&s->spawn, why, why_size) || !instance_open(&s->instance, state_dir, runtime_dir, why, why_size) ||
        !(s->edition = edition_new(config, text, len, NULL, why, why_size)))
        return false;
    s->signal_fd = open_signals();
    s->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (s->signal_fd < 0 || s->stderr_fd < 0) {
        snprintf(why, why_size, "cannot open the signals: %s", strerror(errno));
        return false;
    }
    s->spawn.lock_fd = s->instance.lock_fd;
    return true;
}

static void close_all(struct supervisor *s)
{
    children_close(&s->children);
    if (s->edition)
        listeners_revive(&s->edition->listeners);
    edition_free(&s->next);
    edition_free(&s->edition);
    if (s->stderr_fd >= 0)
        close(s->stderr_fd);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    spawn_free(&s->spawn);
    instance_close(&s->instance);
}

// What of the edition in force concerns deskbelld itself.
static void heed(struct supervisor *s)
{
    const struct config *config = s->edition->config;

    log_set_level(config->log_level);
    log_set_format(config->log_format);
    if (!log_use(s->edition->log_fd >= 0 ? s->edition->log_fd : s->stderr_fd))
        log_error("log_not_changed", "error=%s", strerror(errno));
    s->children.silent_ms = config->timing.silent_child_seconds * 1000;
    s->children.stop_ms = config->timing.stop_seconds * 1000;
}

static void start_all(struct supervisor *s, int64_t now_ms)
{
    for (uint32_t slot = 1; slot <= (uint32_t)s->edition->config->workers.count; slot++)
        children_want(&s->children, slot, s->edition->number, now_ms);
    children_want(&s->children, PIPES_FRONT_SLOT, s->edition->number, now_ms);
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
    reload_abandon(&s->reload, &s->children, now_ms);
    workforce_call_off(&s->workforce, &s->children, now_ms);
    log_info("stopping", "deadline_s=%lld", (long long)s->edition->config->timing.stop_seconds);
    notify_send("STOPPING=1\nSTATUS=finishing what was taken");
    s->phase = PHASE_DRAINING;
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++) {
        // A worker that dies from now on is not replaced, and one that waits for its throttle is forgotten.
        s->children.slots[slot].wanted = false;
        if (children_is_front(slot) || s->children.slots[slot].state == CHILD_WAITING)
            children_stop(&s->children, slot, now_ms);
    }
}

// Moves the stop on when what it waited for has happened. Draining is a phase looked at each round, not a wait.
static void step_stop(struct supervisor *s, int64_t now_ms)
{
    if (s->phase == PHASE_DRAINING && s->children.slots[PIPES_FRONT_SLOT].pid == 0 &&
        s->children.slots[CHILDREN_OTHER_FRONT].pid == 0) {
        s->phase = PHASE_WORKERS;
        s->children.stop_ms = WORKERS_STOP_MS;
        for (uint32_t slot = 1; slot <= CHILDREN_WORKER_SLOTS; slot++) {
            children_stop(&s->children, slot, now_ms);
            // What a worker still has was in doubt when the front closed the ledger: nobody is left to report it to.
            if (s->children.slots[slot].pid)
                on_signal(s, s->children.slots[slot].pid, SIGQUIT);
        }
    }
}

// A reload that ended, or never began, for this reason. The operator reads it in the log and in `systemctl status`.
static void refuse_reload(struct supervisor *s, const char *why)
{
    log_error("reload_refused", "error=%s does=%s", why, "go on with the configuration from before");
    status_complain(&s->status, why);
}

static void begin_reload(struct supervisor *s, int64_t now_ms)
{
    struct config *config = NULL;
    struct config_error error;
    char *text = NULL, why[1200] = "", told[96];
    size_t len = 0;

    s->reload_asked = false;
    if (!edition_read(s->config_path, &config, &text, &len, &error)) {
        refuse_reload(s, config_error_text(&error, why, sizeof why));
        return;
    }
    s->next = edition_new(&config, text, len, s->edition, why, sizeof why);
    free(text);
    if (!s->next) {
        refuse_reload(s, why);
        return;
    }
    snprintf(told, sizeof told, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
    notify_send(told);
    log_info("reloading", "edition=%llu workers=%lld", (unsigned long long)s->next->number,
             (long long)s->next->config->workers.count);
    workforce_call_off(&s->workforce, &s->children, now_ms);
    reload_begin(&s->reload, &s->children, s->next->number, (size_t)s->next->config->workers.count, now_ms);
}

static void step_reload(struct supervisor *s, int64_t now_ms)
{
    enum reload_result result = reload_step(&s->reload, &s->children, now_ms);

    if (result == RELOAD_DONE) {
        // The old sockets too: nobody serves what is not in the new configuration.
        edition_free(&s->edition);
        s->edition = s->next;
        s->next = NULL;
        heed(s);
        log_info("reloaded", "edition=%llu", (unsigned long long)s->edition->number);
        status_complain(&s->status, "");
    } else if (result == RELOAD_REFUSED) {
        edition_free(&s->next);
        refuse_reload(s, s->reload.why);
    }
    if (result != RELOAD_GOES_ON && s->was_ready)
        notify_send("READY=1");
    if (s->reload_asked && s->reload.phase == RELOAD_NONE && s->phase == PHASE_RUNNING && reload_has_room(&s->children))
        begin_reload(s, now_ms);
}

static struct workforce_limits recycle_limits(const struct supervisor *s)
{
    const struct config_workers *workers = &s->edition->config->workers;

    return (struct workforce_limits){workers->recycle_jobs, workers->recycle_mb};
}

static void step_workforce(struct supervisor *s, int64_t now_ms)
{
    struct workforce_limits limits = recycle_limits(s);

    if (s->phase == PHASE_RUNNING && s->reload.phase == RELOAD_NONE)
        workforce_recycle(&s->workforce, &s->children, &limits, now_ms);
}

static bool reopen_edition_log(struct edition *edition, bool in_use)
{
    const char *path = edition->config->log_file;
    int fd;

    if (!*path)
        return false;
    fd = log_open_file(path);
    if (fd < 0 || (in_use && !log_use(fd))) {
        log_error("log_not_reopened", "file=%s error=%s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    close(edition->log_fd);
    edition->log_fd = fd;
    log_info("log_reopened", "file=%s", path);
    return true;
}

// Ours first, so that the file is there; the children open it themselves. During a reload that of the next edition,
// too: it is in use by its children, and will be by us.
static void reopen_log(struct supervisor *s)
{
    bool opened = reopen_edition_log(s->edition, true);

    opened = (s->next && reopen_edition_log(s->next, false)) || opened;
    if (!opened) {
        log_info("log_not_reopened", "reason=%s", "no log_file is set, or it cannot be opened");
        return;
    }
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++) {
        if (s->children.slots[slot].pid)
            on_signal(s, s->children.slots[slot].pid, SIGUSR1);
    }
}

static void change_workers(struct supervisor *s, bool more, int64_t now_ms)
{
    if (s->reload.phase != RELOAD_NONE || s->workforce.new_slot)
        log_warn(more ? "worker_not_added" : "worker_not_removed", "reason=%s",
                 "workers are just being replaced; ask again");
    else if (more)
        workforce_add(&s->children, now_ms);
    else
        workforce_remove(&s->children, now_ms);
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
        s->reload_asked = s->phase == PHASE_RUNNING;
        break;
    case SIGUSR1:
        reopen_log(s);
        break;
    case SIGUSR2:
        status_write(&s->status, &s->children, phases[s->phase], reload_phase_name(s->reload.phase), now_ms);
        break;
    case SIGTTIN:
    case SIGTTOU:
        if (s->phase == PHASE_RUNNING)
            change_workers(s, number == SIGTTIN, now_ms);
        break;
    default:
        break;
    }
}

// Until something has worked once, a configuration that a child refuses is the operator's to mend: trying again and
// again would only hide that.
static void heed_refusals(struct supervisor *s, int64_t now_ms)
{
    for (uint32_t slot = 0; !s->was_ready && s->phase == PHASE_RUNNING && slot < CHILDREN_SLOTS; slot++) {
        if (!s->children.slots[slot].refused)
            continue;
        s->refused = true;
        notify_send(
            "STATUS=not started: a key, token or certificate that the configuration names was refused, see the log");
        kill_all(s, "a child refused what the configuration names", now_ms);
    }
}

static void be_due(int64_t *due_ms, int64_t ms)
{
    if (ms < *due_ms)
        *due_ms = ms;
}

// When there is something to do even if nobody says anything.
static int64_t next_due_ms(const struct supervisor *s)
{
    struct workforce_limits limits = recycle_limits(s);
    int64_t due_ms = children_due_ms(&s->children);

    be_due(&due_ms, reload_due_ms(&s->reload));
    be_due(&due_ms, workforce_due_ms(&s->workforce, &limits));
    if (s->phase == PHASE_KILLING)
        be_due(&due_ms, s->killed_by_ms);
    if (s->watchdog_ms)
        be_due(&due_ms, s->watchdog_due_ms);
    return due_ms;
}

// Waits for a signal, a word of a child, room in the control pipe or the next deadline.
static void wait_for_something(struct supervisor *s, bool control_full)
{
    struct pollfd fds[CHILDREN_SLOTS + 2];
    nfds_t n = 0;
    int64_t now_ms = clock_mono_ms(), due = next_due_ms(s);

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

    if (s->watchdog_ms && now_ms >= s->watchdog_due_ms) {
        notify_send("WATCHDOG=1");
        s->watchdog_due_ms = now_ms + s->watchdog_ms;
    }
    if (s->phase != PHASE_RUNNING)
        return;
    if (!s->was_ready && children_front_ready(&s->children) && workers > 0) {
        s->was_ready = true;
        log_info("ready", "workers=%zu", workers);
        notify_send("READY=1");
    }
    status_tell(&s->status, &s->children, s->reload.phase != RELOAD_NONE);
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
        heed_refusals(s, clock_mono_ms());
        children_tick(&s->children, clock_mono_ms());
        step_reload(s, clock_mono_ms());
        step_workforce(s, clock_mono_ms());
        step_stop(s, clock_mono_ms());
        control_full = roster_flush(&s->children.roster);
        tell(s, clock_mono_ms());
    }
}

int supervisor_main(struct config **config, const char *config_path, const char *text, size_t len)
{
    struct supervisor s = {
        .config_path = config_path, .instance = {.lock_fd = -1, .runtime_fd = -1}, .stderr_fd = -1, .signal_fd = -1};
    char why[2048] = "";

    umask(0077);
    // The edition and the times follow.
    children_init(&s.children, &ops, &s, 0, 0, 0);
    if (!open_all(&s, config, text, len, why, sizeof why)) {
        fprintf(stderr, "deskbelld: %s\n", why);
        close_all(&s);
        return PIPES_EXIT_FAILED;
    }
    s.children.edition = s.edition->number;
    heed(&s);
    s.watchdog_ms = notify_watchdog_ms();
    log_info("starting", "version=%s workers=%lld state_dir=%s helpers=%s", DESKBELL_VERSION,
             (long long)s.edition->config->workers.count, s.edition->config->state_dir, s.spawn.folder);
    run(&s);
    log_info("stopped", NULL);
    close_all(&s);
    return s.refused ? PIPES_EXIT_CONFIG : PIPES_EXIT_ASKED;
}
