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
    bool pressed; // all threads are taken
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
    return self->pressed && pressed_ms < deadline->at_ms ? pressed_ms : deadline->at_ms;
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

static void *watch(void *arg)
{
    struct deadlines *self = arg;
    pthread_mutex_lock(&self->lock);
    while (!self->stopping) {
        int64_t next_ms = cut_late(self);
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
    pthread_cond_destroy(&(*self)->changed);
    pthread_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}

static void begin(struct deadlines *self, struct deadline *deadline, int timeout_ms, bool writing)
{
    deadline->begun_ms = clock_mono_ms();
    deadline->at_ms = deadline->begun_ms + timeout_ms;
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

void deadlines_press(struct deadlines *self, bool pressed)
{
    pthread_mutex_lock(&self->lock);
    if (pressed && !self->pressed)
        pthread_cond_signal(&self->changed);
    self->pressed = pressed;
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
