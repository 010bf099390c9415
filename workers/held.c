// SPDX-License-Identifier: Apache-2.0
// The table of held jobs: hash buckets for the look-up by id, one doubly linked list for each state. One thread.
#include "workers/held.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS = 1024 };

struct list {
    struct held_job *first;
    struct held_job *last;
    size_t count;
};

struct held {
    struct list lists[HELD_STATES];
    struct held_job *buckets[BUCKETS];
};

static size_t bucket_of(uint64_t job_id)
{
    return (size_t)(job_id * 0x9e3779b97f4a7c15u >> 54); // the top 10 bits
}

static void append(struct held *self, struct held_job *job, enum held_state state)
{
    struct list *list = &self->lists[state];
    job->state = state;
    job->before = list->last;
    job->after = NULL;
    *(list->last ? &list->last->after : &list->first) = job;
    list->last = job;
    list->count++;
}

static void unlink_job(struct held *self, struct held_job *job)
{
    struct list *list = &self->lists[job->state];
    *(job->before ? &job->before->after : &list->first) = job->after;
    *(job->after ? &job->after->before : &list->last) = job->before;
    list->count--;
}

struct held *held_new(void)
{
    struct held *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    return self;
}

void held_free(struct held **self)
{
    if (!*self)
        return;
    for (int state = 0; state < HELD_STATES; state++)
        while ((*self)->lists[state].first) {
            struct held_job *job = (*self)->lists[state].first;
            held_remove(*self, &job);
        }
    free(*self);
    *self = NULL;
}

struct held_job *held_find(const struct held *self, uint64_t job_id)
{
    struct held_job *job = self->buckets[bucket_of(job_id)];
    while (job && job->job_id != job_id)
        job = job->chain;
    return job;
}

struct held_job *held_add(struct held *self, uint64_t job_id, struct arena *arena)
{
    if (held_total(self) >= HELD_MOST || held_find(self, job_id))
        return NULL;
    struct held_job *job = calloc(1, sizeof *job);
    if (!job)
        abort();
    job->job_id = job_id;
    job->arena = arena;
    job->context.arena = arena;
    job->chain = self->buckets[bucket_of(job_id)];
    self->buckets[bucket_of(job_id)] = job;
    append(self, job, HELD_QUEUED);
    return job;
}

void held_move(struct held *self, struct held_job *job, enum held_state state)
{
    unlink_job(self, job);
    append(self, job, state);
}

void held_remove(struct held *self, struct held_job **job)
{
    struct held_job **at = &self->buckets[bucket_of((*job)->job_id)];
    while (*at != *job) {
        assert(*at);
        at = &(*at)->chain;
    }
    *at = (*job)->chain;
    unlink_job(self, *job);
    record_buffer_free(&(*job)->frame);
    arena_free(&(*job)->arena);
    free(*job);
    *job = NULL;
}

struct held_job *held_first(const struct held *self, enum held_state state)
{
    return self->lists[state].first;
}

size_t held_count(const struct held *self, enum held_state state)
{
    return self->lists[state].count;
}

size_t held_total(const struct held *self)
{
    size_t total = 0;
    for (int state = 0; state < HELD_STATES; state++)
        total += self->lists[state].count;
    return total;
}

size_t held_ids(const struct held *self, uint64_t *ids)
{
    size_t count = 0;
    for (int state = 0; state < HELD_STATES; state++)
        for (const struct held_job *job = self->lists[state].first; job; job = job->after)
            ids[count++] = job->job_id;
    return count;
}
