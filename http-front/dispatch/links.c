// SPDX-License-Identifier: Apache-2.0
// Links to the workers. ZeroMQ's PUSH is not delivery: a frame counts only when a report or a census shows it
// (design.md 5), so sending never blocks and never fails here; what is lost is found.
#include "http-front/dispatch/links.h"

#include <assert.h>
#include <czmq.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/admin/metrics.h"
#include "proto/log.h"
#include "proto/pipes.h"
#ifdef DESKBELL_SEAMS
#include "proto/seam.h"
#endif

struct links {
    char *runtime_dir;
    uint64_t front_generation;
    uint32_t in_flight;
    struct link *head;
    bool have_roster;
};

struct links *links_new(const char *runtime_dir, uint64_t front_generation, uint32_t in_flight)
{
    struct links *self = calloc(1, sizeof *self);
    if (!self || !(self->runtime_dir = strdup(runtime_dir)))
        abort();
    self->front_generation = front_generation;
    self->in_flight = in_flight;
    return self;
}

static void link_close(struct link *link)
{
    zsock_t *push = link->push;
    zsock_destroy(&push);
    free(link);
}

void links_free(struct links **self)
{
    if (!*self)
        return;
    while ((*self)->head) {
        struct link *link = (*self)->head;
        (*self)->head = link->next;
        link_close(link);
    }
    free((*self)->runtime_dir);
    free(*self);
    *self = NULL;
}

struct link *links_first(const struct links *self)
{
    return self->head;
}

struct link *links_find(const struct links *self, uint32_t slot, uint64_t generation)
{
    struct link *link = self->head;
    while (link && (link->slot != slot || link->generation != generation))
        link = link->next;
    return link;
}

static void send_frame(struct link *link, enum record_kind kind, const void *record)
{
    struct record_buffer bytes;
    if (!record_encode(kind, record, &bytes)) {
        log_error("frame_unencodable", "frame=%s slot=%u", record_name(kind), link->slot);
        abort();
    }
#ifdef DESKBELL_SEAMS
    if (seam_drop_frame(SEAM_TO_WORKER)) {
        record_buffer_free(&bytes);
        return;
    }
#endif
    zframe_t *frame = zframe_new(bytes.data, bytes.size);
    record_buffer_free(&bytes);
    if (zframe_send(&frame, link->push, ZFRAME_DONTWAIT) != 0) {
        // Lost, as any frame may be: the census will say so.
        zframe_destroy(&frame);
        metrics_count(METRIC_FRAMES_UNSENT);
    }
}

static void say_hello(struct links *self, struct link *link)
{
    struct hello hello = {self->front_generation, link->generation, ++link->link_seq};
    send_frame(link, RECORD_hello, &hello);
}

void links_hello(struct links *self)
{
    for (struct link *link = self->head; link; link = link->next)
        say_hello(self, link);
}

void links_send_job(struct links *self, struct link *link, struct job *job)
{
    job->front_generation = self->front_generation;
    job->worker_generation = link->generation;
    job->link_seq = ++link->link_seq;
    send_frame(link, RECORD_job, job);
}

void links_send_ack(struct links *self, struct link *link, uint64_t job_id)
{
    struct ack ack = {self->front_generation, link->generation, ++link->link_seq, job_id};
    send_frame(link, RECORD_ack, &ack);
}

void links_roster_begin(struct links *self)
{
    for (struct link *link = self->head; link; link = link->next)
        link->listed = false;
}

void links_roster_add(struct links *self, uint32_t slot, uint64_t generation, uint32_t pid, bool leaving)
{
    struct link *known = links_find(self, slot, generation);
    if (known) {
        known->listed = true;
        if (leaving && !known->leaving)
            log_info("worker_leaving", "slot=%u generation=%llu jobs=%u", slot, (unsigned long long)generation,
                     known->jobs);
        known->leaving = leaving;
        known->released = known->released && leaving;
        return;
    }
    char endpoint[PIPES_ENDPOINT_BYTES];
    if (!pipes_worker_endpoint(self->runtime_dir, slot, generation, endpoint))
        abort();
    struct link *link = calloc(1, sizeof *link);
    zsock_t *push = zsock_new(ZMQ_PUSH);
    if (!link || !push)
        abort();
    // No high-water mark: what may wait here is bounded by in_flight jobs and their acks. Linger 0: what a closed link
    // still holds belongs to a dead worker.
    zsock_set_sndhwm(push, 0);
    zsock_set_linger(push, 0);
    if (zsock_connect(push, "%s", endpoint) != 0)
        abort();
    *link = (struct link){
        .slot = slot, .pid = pid, .generation = generation, .push = push, .listed = true, .leaving = leaving};
    link->next = self->head;
    self->head = link;
    log_info("worker_joined", "slot=%u generation=%llu worker_pid=%u leaving=%d", slot, (unsigned long long)generation,
             pid, leaving);
    say_hello(self, link);
}

void links_roster_end(struct links *self)
{
    for (struct link *link = self->head; link; link = link->next)
        link->leaving = link->leaving || !link->listed;
    self->have_roster = true;
}

bool links_settled(const struct links *self)
{
    if (!self->have_roster)
        return false;
    for (const struct link *link = self->head; link; link = link->next)
        if (!link->said_ms)
            return false;
    return true;
}

void links_remove(struct links *self, struct link **link)
{
    assert(!(*link)->outs);
    struct link **at = &self->head;
    while (*at != *link)
        at = &(*at)->next;
    *at = (*link)->next;
    link_close(*link);
    *link = NULL;
}

static bool usable(const struct link *link)
{
    return link->said_ms && !link->leaving && !link->alone;
}

// The worker for a suspect: an empty one. Where there is none, nobody, and one is kept free of new jobs until it is.
static struct link *pick_alone(struct links *self)
{
    struct link *best = NULL;
    bool reserved = false;
    for (struct link *link = self->head; link; link = link->next) {
        if (!usable(link))
            continue;
        reserved = reserved || link->reserved;
        if (!best || link->jobs < best->jobs)
            best = link;
    }
    if (!best)
        return NULL;
    if (best->jobs == 0) {
        links_unreserve(self);
        return best;
    }
    best->reserved = best->reserved || !reserved;
    return NULL;
}

struct link *links_pick(struct links *self, bool alone)
{
    if (alone)
        return pick_alone(self);
    struct link *best = NULL;
    for (struct link *link = self->head; link; link = link->next)
        if (usable(link) && !link->reserved && link->jobs < self->in_flight && (!best || link->jobs < best->jobs))
            best = link;
    return best;
}

void links_unreserve(struct links *self)
{
    for (struct link *link = self->head; link; link = link->next)
        link->reserved = false;
}

bool links_has_room(const struct links *self)
{
    for (const struct link *link = self->head; link; link = link->next)
        if (usable(link) && !link->reserved && link->jobs < self->in_flight)
            return true;
    return false;
}

uint64_t links_slots(const struct links *self)
{
    uint64_t slots = 0;
    for (const struct link *link = self->head; link; link = link->next)
        if (usable(link) && !link->reserved)
            slots += self->in_flight;
    return slots;
}

uint32_t links_ready(const struct links *self)
{
    uint32_t count = 0;
    for (const struct link *link = self->head; link; link = link->next)
        count += link->said_ms && !link->leaving;
    return count;
}

struct link *links_census(struct links *self, const struct census *census, uint64_t now_mono_ms)
{
    struct link *link = links_find(self, (uint32_t)census->slot, census->worker_generation);
    if (!link || census->front_generation != self->front_generation)
        return NULL;
    if (!link->said_ms)
        log_info("worker_answered", "slot=%u generation=%llu jobs=%zu", link->slot,
                 (unsigned long long)link->generation, census->jobs.count);
    link->said_ms = now_mono_ms;
    return link;
}
