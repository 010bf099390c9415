// SPDX-License-Identifier: Apache-2.0
// Table of what is out, by job number, threaded through the links that hold it. Dispatcher's thread only.
#include "http-front/dispatch/jobs.h"

#include <czmq.h>
#include <stdlib.h>

struct jobs {
    zhashx_t *by_id;
};

static size_t hash_id(const void *key)
{
    uint64_t id = *(const uint64_t *)key;
    id ^= id >> 33;
    id *= 0xff51afd7ed558ccdULL;
    return (size_t)(id ^ id >> 33);
}

static int compare_id(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

struct jobs *jobs_new(void)
{
    struct jobs *self = calloc(1, sizeof *self);
    if (!self || !(self->by_id = zhashx_new()))
        abort();
    // The key is the job_id inside the record itself: nothing to copy or free.
    zhashx_set_key_duplicator(self->by_id, NULL);
    zhashx_set_key_destructor(self->by_id, NULL);
    zhashx_set_key_hasher(self->by_id, hash_id);
    zhashx_set_key_comparator(self->by_id, compare_id);
    return self;
}

void jobs_free(struct jobs **self)
{
    if (!*self)
        return;
    struct out *out;
    while ((out = zhashx_first((*self)->by_id)))
        jobs_remove(*self, &out);
    zhashx_destroy(&(*self)->by_id);
    free(*self);
    *self = NULL;
}

void jobs_move(struct out *out, struct link *link)
{
    if (out->link) {
        struct out **at = &out->link->outs;
        while (*at != out)
            at = &(*at)->next;
        *at = out->next;
        out->link->jobs--;
        if (out->alone)
            out->link->alone = false;
    }
    out->link = link;
    out->next = NULL;
    if (link) {
        out->next = link->outs;
        link->outs = out;
        link->jobs++;
        if (out->alone)
            link->alone = true;
    }
}

struct out *jobs_add(struct jobs *self, uint64_t job_id, struct side *side, struct item *item, struct link *link)
{
    struct out *out = calloc(1, sizeof *out);
    if (!out)
        abort();
    out->job_id = job_id;
    out->side = side;
    out->item = item;
    if (zhashx_insert(self->by_id, &out->job_id, out) != 0)
        abort(); // a number used twice
    jobs_move(out, link);
    return out;
}

void jobs_remove(struct jobs *self, struct out **out)
{
    struct out *old = *out;
    jobs_move(old, NULL);
    zhashx_delete(self->by_id, &old->job_id);
    arena_free(&old->arena);
    record_buffer_free(&old->kept);
    free(old);
    *out = NULL;
}

struct out *jobs_find(const struct jobs *self, uint64_t job_id)
{
    return zhashx_lookup(self->by_id, &job_id);
}

size_t jobs_count(const struct jobs *self)
{
    return zhashx_size(self->by_id);
}

void jobs_each(struct jobs *self, void (*each)(void *arg, struct out *out), void *arg)
{
    // A copy of the numbers, because `each` may remove records.
    size_t count = zhashx_size(self->by_id);
    uint64_t *ids = calloc(count ? count : 1, sizeof *ids);
    if (!ids)
        abort();
    size_t i = 0;
    for (struct out *out = zhashx_first(self->by_id); out; out = zhashx_next(self->by_id))
        ids[i++] = out->job_id;
    for (i = 0; i < count; i++) {
        struct out *out = jobs_find(self, ids[i]);
        if (out)
            each(arg, out);
    }
    free(ids);
}
