// SPDX-License-Identifier: Apache-2.0
// The link to the front. Runs in the worker's one thread, on CZMQ sockets.
//
// Both sockets have no high-water mark. What can pile up is bounded elsewhere: the front has at most in_flight jobs out
// here, so that many job frames, reports and acks, and one census and hello a second. With a mark, a full pipe would
// make the front block or drop, and a job would be lost between two processes that are both well. The PUSH socket takes
// frames only while a front is connected (ZMQ_IMMEDIATE): nothing old waits in it for a front to come, which has its
// own generation.
#include "workers/link.h"

#include <assert.h>
#include <czmq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/seam.h"

enum {
    FRAMES_AT_ONCE = 32,
    RECONNECT_MS = 20, // a new front waits for our census, so be quick
};

struct link {
    struct pipes_identity identity;
    struct link_listener listener;
    zsock_t *pull;
    zsock_t *push;
    char bound[PIPES_ENDPOINT_BYTES]; // our endpoint once it exists, to be removed; else ""
    uint64_t front_generation;        // of the last hello, 0: none yet
    uint64_t link_seq;                // highest received of that front
    struct link_counts counts;
};

struct link *link_new(const char *runtime_dir, const struct pipes_identity *identity, struct link_listener listener,
                      char *why, size_t why_size)
{
    char mine[PIPES_ENDPOINT_BYTES];
    char theirs[PIPES_ENDPOINT_BYTES];
    struct link *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->identity = *identity;
    self->listener = listener;
    self->pull = zsock_new(ZMQ_PULL);
    self->push = zsock_new(ZMQ_PUSH);
    if (!self->pull || !self->push) {
        snprintf(why, why_size, "ZeroMQ sockets cannot be made: %s", zmq_strerror(errno));
        goto failed;
    }
    if (!pipes_worker_endpoint(runtime_dir, identity->slot, identity->generation, mine) ||
        !pipes_front_endpoint(runtime_dir, theirs)) {
        snprintf(why, why_size, "runtime_dir %s is too long for a socket's name", runtime_dir);
        goto failed;
    }
    zsock_set_unbounded(self->pull);
    zsock_set_unbounded(self->push);
    zsock_set_linger(self->pull, 0);
    zsock_set_linger(self->push, LINK_LINGER_MS);
    zsock_set_immediate(self->push, 1);
    zsock_set_reconnect_ivl(self->push, RECONNECT_MS);
    if (zsock_bind(self->pull, "%s", mine) < 0) {
        snprintf(why, why_size, "%s cannot be bound: %s", mine, zmq_strerror(errno));
        goto failed;
    }
    strcpy(self->bound, mine);
    if (zsock_connect(self->push, "%s", theirs) < 0) {
        snprintf(why, why_size, "%s cannot be connected: %s", theirs, zmq_strerror(errno));
        goto failed;
    }
    return self;
failed:
    link_free(&self);
    return NULL;
}

void link_free(struct link **self)
{
    if (!*self)
        return;
    zsock_destroy(&(*self)->pull);
    zsock_destroy(&(*self)->push);
    // libzmq leaves the file of a named endpoint behind. Nobody else ever has this name: the generation is in it.
    if ((*self)->bound[0])
        unlink((*self)->bound + strlen("ipc://"));
    free(*self);
    *self = NULL;
}

void *link_pull(const struct link *self)
{
    return self->pull;
}

void *link_push(const struct link *self)
{
    return self->push;
}

const struct link_counts *link_counts(const struct link *self)
{
    return &self->counts;
}

// ---- receiving ------------------------------------------------------------------------------------------------------

// Counts a refused frame and says so; `count` is the counter of the reason.
static bool refuse(uint64_t *count, const char *reason, enum record_kind kind, uint64_t front, uint64_t worker,
                   uint64_t sequence)
{
    ++*count;
    log_warn("frame_refused", "reason=%s frame=%s front=%llu worker=%llu seq=%llu", reason, record_name(kind),
             (unsigned long long)front, (unsigned long long)worker, (unsigned long long)sequence);
    return false;
}

// The rules of docs/design.md 5 for the head that each frame from the front carries. True: it counts, and is the
// newest.
static bool admit(struct link *self, enum record_kind kind, uint64_t front, uint64_t worker, uint64_t sequence)
{
    struct link_counts *counts = &self->counts;
    if (worker != self->identity.generation)
        return refuse(&counts->refused_worker, "another_worker", kind, front, worker, sequence);
    if (front < self->front_generation)
        return refuse(&counts->refused_front, "earlier_front", kind, front, worker, sequence);
    if (front > self->front_generation) {
        if (kind != RECORD_hello)
            return refuse(&counts->refused_front, "front_without_hello", kind, front, worker, sequence);
        self->front_generation = front;
        self->link_seq = 0;
    }
    if (sequence <= self->link_seq)
        return refuse(&counts->refused_sequence, "sequence", kind, front, worker, sequence);
    self->link_seq = sequence;
    return true;
}

// Takes the arena.
static void take_job(struct link *self, struct arena *arena, const struct job *job)
{
    if (admit(self, RECORD_job, job->front_generation, job->worker_generation, job->link_seq))
        self->listener.job(self->listener.context, arena, job);
    else
        arena_free(&arena);
}

static void take_hello(struct link *self, const struct hello *hello)
{
    uint64_t before = self->front_generation;
    if (!admit(self, RECORD_hello, hello->front_generation, hello->worker_generation, hello->link_seq) ||
        self->front_generation == before)
        return;
    log_info("front_said_hello", "front=%llu", (unsigned long long)self->front_generation);
    self->listener.new_front(self->listener.context);
}

static void take_ack(struct link *self, const struct ack *ack)
{
    if (admit(self, RECORD_ack, ack->front_generation, ack->worker_generation, ack->link_seq))
        self->listener.ack(self->listener.context, ack->job_id);
}

static void take_frame(struct link *self, const void *data, size_t size)
{
    enum record_kind kind = record_peek(data, size);
    struct arena *arena = arena_new();
    struct job *job = NULL;
    struct ack ack;
    struct hello hello;
    enum record_error error = RECORD_WRONG_KIND;
    self->counts.received++;
    if (kind == RECORD_job) {
        job = arena_alloc(arena, sizeof *job);
        error = record_decode(kind, data, size, job, arena);
    } else if (kind == RECORD_ack) {
        error = record_decode(kind, data, size, &ack, arena);
    } else if (kind == RECORD_hello) {
        error = record_decode(kind, data, size, &hello, arena);
    }
    if (error != RECORD_OK) {
        refuse(&self->counts.refused_malformed, record_error_text(error), kind, 0, 0, 0);
    } else if (kind == RECORD_job) {
        take_job(self, arena, job);
        return;
    } else if (kind == RECORD_ack) {
        take_ack(self, &ack);
    } else {
        take_hello(self, &hello);
    }
    arena_free(&arena);
}

void link_receive(struct link *self)
{
    void *socket = zsock_resolve(self->pull);
    for (int i = 0; i < FRAMES_AT_ONCE; i++) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        bool got = zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) >= 0;
        if (got && zmq_msg_more(&message)) {
            // Nobody here sends frames of several parts. Take the rest away with it.
            while (zmq_msg_more(&message) && zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) >= 0) {
            }
            self->counts.received++;
            refuse(&self->counts.refused_malformed, "several_parts", 0, 0, 0, 0);
        } else if (got) {
            take_frame(self, zmq_msg_data(&message), zmq_msg_size(&message));
        }
        zmq_msg_close(&message);
        if (!got)
            break;
    }
}

// ---- sending --------------------------------------------------------------------------------------------------------

bool link_send(struct link *self, const void *data, size_t size)
{
    if (seam_drop_frame(SEAM_TO_FRONT))
        return true;
    bool sent = zmq_send(zsock_resolve(self->push), data, size, ZMQ_DONTWAIT) >= 0;
    ++*(sent ? &self->counts.sent : &self->counts.unsent);
    return sent;
}

bool link_census(struct link *self, const uint64_t *jobs, size_t count)
{
    if (self->front_generation == 0)
        return true;
    struct census census = {.slot = self->identity.slot,
                            .worker_generation = self->identity.generation,
                            .front_generation = self->front_generation,
                            .link_seq = self->link_seq,
                            .jobs = {jobs, count}};
    struct record_buffer frame;
    bool encoded = record_encode(RECORD_census, &census, &frame);
    assert(encoded); // HELD_MOST is the record's own bound
    if (!encoded)
        abort();
    bool sent = link_send(self, frame.data, frame.size);
    record_buffer_free(&frame);
    return sent;
}
