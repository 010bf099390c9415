// SPDX-License-Identifier: Apache-2.0
// See expirer.h. Waits on a condition with a timeout, so that stopping wakes it; measures by the monotonic clock, so
// that a wall clock that jumps neither hurries nor delays it.
#include "http-front/ledger/expirer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "proto/clock.h"
#include "proto/log.h"

static const uint64_t hour_ms = UINT64_C(60) * 60 * 1000;
static const uint64_t default_look_ms = 10000;

struct expirer {
    struct ledger *ledger;
    struct expirer_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; // under the lock
    _Atomic uint64_t runs;
};

static uint64_t real_mono_ms(void)
{
    return (uint64_t)clock_mono_ms();
}

// Waits until the clock is to be looked at again; false when stopping.
static bool wait_a_while(struct expirer *self)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(self->options.look_ms / 1000);
    until.tv_nsec += (long)(self->options.look_ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&self->lock);
    while (!self->stopping && pthread_cond_timedwait(&self->wake, &self->lock, &until) != ETIMEDOUT)
        ;
    bool go_on = !self->stopping;
    pthread_mutex_unlock(&self->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct expirer *self = arg;
    uint64_t next_ms = self->options.mono_ms() + self->options.first_ms;
    while (wait_a_while(self)) {
        if (self->options.mono_ms() < next_ms)
            continue;
        uint64_t began_ms = self->options.mono_ms();
        ledger_expire(self->ledger);
        next_ms = began_ms + self->options.every_ms;
        atomic_fetch_add(&self->runs, 1);
        log_info("ledger_expired", "took_ms=%llu", (unsigned long long)(self->options.mono_ms() - began_ms));
    }
    return NULL;
}

struct expirer *expirer_new(struct ledger *ledger, const struct expirer_options *options)
{
    struct expirer *self = calloc(1, sizeof *self);
    pthread_condattr_t monotonic;
    if (!self)
        abort();
    self->ledger = ledger;
    self->options = *options;
    if (self->options.first_ms == 0)
        self->options.first_ms = hour_ms;
    if (self->options.every_ms == 0)
        self->options.every_ms = 24 * hour_ms;
    if (self->options.look_ms == 0)
        self->options.look_ms = default_look_ms;
    if (!self->options.mono_ms)
        self->options.mono_ms = real_mono_ms;
    if (pthread_mutex_init(&self->lock, NULL) != 0 || pthread_condattr_init(&monotonic) != 0 ||
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(&self->wake, &monotonic) != 0 || pthread_create(&self->thread, NULL, run, self) != 0)
        abort(); // no thread at start-up: nothing to go on with
    pthread_condattr_destroy(&monotonic);
    return self;
}

void expirer_free(struct expirer **self)
{
    struct expirer *expirer = *self;
    if (!expirer)
        return;
    pthread_mutex_lock(&expirer->lock);
    expirer->stopping = true;
    pthread_cond_signal(&expirer->wake);
    pthread_mutex_unlock(&expirer->lock);
    ledger_expire_stop(expirer->ledger);
    pthread_join(expirer->thread, NULL);
    pthread_cond_destroy(&expirer->wake);
    pthread_mutex_destroy(&expirer->lock);
    free(expirer);
    *self = NULL;
}

uint64_t expirer_runs(const struct expirer *self)
{
    return atomic_load(&self->runs);
}
