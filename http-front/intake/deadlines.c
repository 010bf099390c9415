// SPDX-License-Identifier: Apache-2.0
// Bounds how long a connection may keep a thread reading. CivetWeb does not tell a connection's descriptor, so the late
// one is found by its addresses among all of the process; that is rare, and the list's lock is held meanwhile, so that
// no reader can go on to close its socket and have the number used again.
#include "http-front/intake/deadlines.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "http-front/admin/metrics.h"
#include "http-front/intake/sockets.h"
#include "proto/clock.h"

struct deadlines {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    struct deadline *first; // in no order: there are never more than threads
    int64_t wakes_ms;       // when the thread will look next, 0: when it is told to
    bool stopping;
    _Atomic uint16_t pressed_port; // 0: there are threads left
    struct stranger *strangers;    // by descriptor, as many as there can be; made at the first sweep
};

// While pressed, every so often.
#define SWEEP_MS 100
// A request being worked on has no deadline here, and counts as just begun under any pressure.
#define NEVER_MS (24 * 60 * 60 * 1000)

// A connection without a whole request: since when it is known, 0: not, or a request of it was seen since.
struct stranger {
    struct in_addr remote;
    uint16_t port;
    int64_t since_ms;
};

static void cut(struct deadline *deadline, int64_t now_ms)
{
    atomic_store(&deadline->passed, true);
    metrics_count(now_ms < deadline->at_ms ? METRIC_HTTP_CUT_FULL : METRIC_HTTP_CUT_LATE);
    int fd = sockets_find_connection(deadline->remote, deadline->remote_port, deadline->local_port);
    if (fd >= 0)
        shutdown(fd, deadline->writing ? SHUT_RDWR : SHUT_RD);
}

static int64_t ends_ms(const struct deadlines *self, const struct deadline *deadline)
{
    int64_t pressed_ms = deadline->begun_ms + DEADLINES_PRESSED_MS;
    return deadlines_pressed(self) && pressed_ms < deadline->at_ms ? pressed_ms : deadline->at_ms;
}

// Cuts all that are late and returns when the next one will be, 0 for none.
static int64_t cut_late(struct deadlines *self)
{
    int64_t now_ms = clock_mono_ms(), next_ms = 0;
    for (struct deadline *at = self->first; at; at = at->next) {
        if (atomic_load(&at->passed))
            continue;
        int64_t end_ms = ends_ms(self, at);
        if (end_ms <= now_ms)
            cut(at, now_ms);
        else if (!next_ms || end_ms < next_ms)
            next_ms = end_ms;
    }
    return next_ms;
}

bool deadlines_pressed(const struct deadlines *self)
{
    return atomic_load(&self->pressed_port) != 0;
}

static bool is_known(const struct deadlines *self, struct in_addr remote, uint16_t port)
{
    const struct deadline *at = self->first;
    while (at && (at->remote.s_addr != remote.s_addr || at->remote_port != port))
        at = at->next;
    return at != NULL;
}

// One connection to the pressed port. Who has sent something that nobody has read yet is waiting for us, not we for
// him.
static void look_at(void *arg, int fd, struct in_addr remote, uint16_t port)
{
    struct deadlines *self = arg;
    struct stranger *stranger = &self->strangers[fd];
    int64_t now_ms = clock_mono_ms();
    bool same = stranger->remote.s_addr == remote.s_addr && stranger->port == port;
    if (is_known(self, remote, port) || !same || !stranger->since_ms)
        *stranger = (struct stranger){remote, port, now_ms};
    else if (now_ms - stranger->since_ms >= DEADLINES_PRESSED_MS && sockets_end_if_idle(fd, remote, port)) {
        metrics_count(METRIC_HTTP_CUT_FULL);
        stranger->since_ms = 0;
    }
}

// CivetWeb does not say which connections wait for a request's headers, so those are all that are no known ones.
static int64_t sweep(struct deadlines *self)
{
    uint16_t port = atomic_load(&self->pressed_port);
    if (!port)
        return 0;
    if (!self->strangers) {
        self->strangers = calloc((size_t)sockets_descriptors_end(), sizeof *self->strangers);
        if (!self->strangers)
            abort();
    }
    sockets_each_connection(port, look_at, self);
    return clock_mono_ms() + SWEEP_MS;
}

static void *watch(void *arg)
{
    struct deadlines *self = arg;
    pthread_mutex_lock(&self->lock);
    while (!self->stopping) {
        int64_t next_ms = cut_late(self), sweep_ms = sweep(self);
        if (sweep_ms && (!next_ms || sweep_ms < next_ms))
            next_ms = sweep_ms;
        self->wakes_ms = next_ms;
        if (!next_ms) {
            pthread_cond_wait(&self->changed, &self->lock);
            continue;
        }
        struct timespec until = {.tv_sec = next_ms / 1000, .tv_nsec = next_ms % 1000 * 1000000};
        pthread_cond_timedwait(&self->changed, &self->lock, &until);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

struct deadlines *deadlines_new(void)
{
    struct deadlines *self = calloc(1, sizeof *self);
    pthread_condattr_t attributes;
    if (!self || pthread_mutex_init(&self->lock, NULL) || pthread_condattr_init(&attributes) ||
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) || pthread_cond_init(&self->changed, &attributes) ||
        pthread_create(&self->thread, NULL, watch, self))
        abort();
    pthread_condattr_destroy(&attributes);
    return self;
}

void deadlines_free(struct deadlines **self)
{
    if (!*self)
        return;
    pthread_mutex_lock(&(*self)->lock);
    (*self)->stopping = true;
    pthread_cond_signal(&(*self)->changed);
    pthread_mutex_unlock(&(*self)->lock);
    pthread_join((*self)->thread, NULL);
    free((*self)->strangers);
    pthread_cond_destroy(&(*self)->changed);
    pthread_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}

static void begin(struct deadlines *self, struct deadline *deadline, int timeout_ms, bool writing)
{
    deadline->at_ms = clock_mono_ms() + timeout_ms;
    deadline->begun_ms = timeout_ms == NEVER_MS ? deadline->at_ms : deadline->at_ms - timeout_ms;
    deadline->writing = writing;
    atomic_init(&deadline->passed, false);
    pthread_mutex_lock(&self->lock);
    deadline->next = self->first;
    deadline->link = &self->first;
    if (deadline->next)
        deadline->next->link = &deadline->next;
    self->first = deadline;
    // Nearly every read ends long before its deadline, and the thread then finds nothing to do at it: no need to wake
    // it for each one, as long as it looks before this deadline anyway.
    if (!self->wakes_ms || ends_ms(self, deadline) < self->wakes_ms)
        pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

void deadlines_begin(struct deadlines *self, struct deadline *deadline, int timeout_ms)
{
    begin(self, deadline, timeout_ms, false);
}

void deadlines_begin_write(struct deadlines *self, struct deadline *deadline, int timeout_ms)
{
    begin(self, deadline, timeout_ms, true);
}

void deadlines_excuse(struct deadlines *self, struct deadline *deadline)
{
    begin(self, deadline, NEVER_MS, false);
}

void deadlines_press(struct deadlines *self, uint16_t local_port)
{
    if (atomic_load(&self->pressed_port) == local_port)
        return;
    pthread_mutex_lock(&self->lock);
    atomic_store(&self->pressed_port, local_port);
    if (local_port)
        pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static bool is_excused(const struct deadline *deadline)
{
    return deadline->begun_ms == deadline->at_ms;
}

static void end_reads(struct deadlines *self, int64_t begun_by_ms)
{
    for (struct deadline *at = self->first; at; at = at->next) {
        if (at->writing || is_excused(at) || at->begun_ms > begun_by_ms || atomic_exchange(&at->passed, true))
            continue;
        int fd = sockets_find_connection(at->remote, at->remote_port, at->local_port);
        if (fd >= 0)
            shutdown(fd, SHUT_RD);
    }
}

void deadlines_end_reads(struct deadlines *self, int least_ms)
{
    pthread_mutex_lock(&self->lock);
    end_reads(self, clock_mono_ms() - least_ms);
    pthread_mutex_unlock(&self->lock);
}

// Nobody knows it: it has not sent all of its headers, or is between two requests.
static void end_stranger(void *arg, int fd, struct in_addr remote, uint16_t port)
{
    if (!is_known(arg, remote, port))
        (void)sockets_end_reading(fd, remote, port); // else it has just ended
}

void deadlines_end_all(struct deadlines *self, uint16_t local_port)
{
    pthread_mutex_lock(&self->lock);
    end_reads(self, INT64_MAX);
    sockets_each_connection(local_port, end_stranger, self);
    pthread_mutex_unlock(&self->lock);
}

void deadlines_end(struct deadlines *self, struct deadline *deadline)
{
    pthread_mutex_lock(&self->lock);
    *deadline->link = deadline->next;
    if (deadline->next)
        deadline->next->link = deadline->link;
    pthread_mutex_unlock(&self->lock);
}
