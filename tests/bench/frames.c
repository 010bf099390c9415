// SPDX-License-Identifier: Apache-2.0
// The frames between front and worker: a job with one message and its lane, and the report of a ticket that was opened.
#include <string.h>

#include "proto/arena.h"
#include "proto/records.h"
#include "proto/steps.h"
#include "tests/bench/bench.h"

enum { SLICE_US = 100000, BATCH = 100 };

struct frame {
    enum record_kind kind;
    const void *record;
    struct figure encode, decode;
};

static void measure(struct frame *frame)
{
    struct record_buffer buffer;
    size_t count = 0;
    double began = bench_now_us(), now = began;
    for (; now < began + SLICE_US; now = bench_now_us()) {
        for (int i = 0; i < BATCH; i++, count++) {
            if (!record_encode(frame->kind, frame->record, &buffer))
                bench_fail("a %s cannot be encoded", record_name(frame->kind));
            record_buffer_free(&buffer);
        }
    }
    figure_add(&frame->encode, (double)count / (now - began) * 1e6);

    if (!record_encode(frame->kind, frame->record, &buffer))
        bench_fail("a %s cannot be encoded", record_name(frame->kind));
    union {
        struct job job;
        struct report report;
    } out;
    struct arena *arena = arena_new();
    count = 0;
    for (now = began = bench_now_us(); now < began + SLICE_US; now = bench_now_us()) {
        for (int i = 0; i < BATCH; i++, count++) {
            if (record_decode(frame->kind, buffer.data, buffer.size, &out, arena) != RECORD_OK)
                bench_fail("a %s cannot be decoded", record_name(frame->kind));
            arena_reset(arena);
        }
    }
    figure_add(&frame->decode, (double)count / (now - began) * 1e6);
    arena_free(&arena);
    record_buffer_free(&buffer);
}

void bench_frames(void)
{
    static const char conversation[] = "c327498e-f713-481e-8d83-0603e03d2521";
    static const char user[] = "882f3926-b292-414b-a411-96380db373cd";
    struct part part = {.kind = PART_TEXT, .text = "Do you have these shoes in size 42, and when could they be here?"};
    struct event event = {.kind = EVENT_CUSTOMER_MESSAGE,
                          .key = "freshchat:message:7a454fde-c720-4c97-a61d-0ffe70449eb6",
                          .conversation = conversation,
                          .channel = "c8fddfaf-622a-4a0e-b060-4f3ccbeab606",
                          .user = user,
                          .actor = user,
                          .message = "7a454fde-c720-4c97-a61d-0ffe70449eb6",
                          .time_ms = 1750000000000,
                          .accepted_ms = 1750000000100};
    event.parts.items = &part;
    event.parts.count = 1;
    const struct context context = {.read = true,
                                    .name = "Ada Ek",
                                    .email = "ada@customer.example",
                                    .cart = "249.50",
                                    .cart_valid = true,
                                    .cart_cents = 24950,
                                    .friction = "72",
                                    .friction_valid = true,
                                    .friction_value = 72,
                                    .screen = "basket",
                                    .priority = 4};
    struct job job = {.front_generation = 7,
                      .worker_generation = 9,
                      .link_seq = 1234,
                      .job_id = 7ull << 40 | 99,
                      .step = STEP_CREATE_TICKET,
                      .age_ms = 12,
                      .lane = {.conversation = conversation, .user = user, .context = context}};
    job.events.items = &event;
    job.events.count = 1;
    struct written written = {.id = "103000000001", .time_ms = 1750000000000};
    struct report report = {.slot = 1,
                            .worker_generation = 9,
                            .job_id = 7ull << 40 | 99,
                            .conversation = conversation,
                            .step = STEP_CREATE_TICKET,
                            .outcome = OUTCOME_DONE,
                            .upstream = UPSTREAM_FRESHDESK,
                            .http_status = 201,
                            .sent = true,
                            .date_ms = 1750000000000,
                            .took_ms = 120,
                            .ticket_id = 4711,
                            .requester_id = 103000000001,
                            .user = user,
                            .context_known = true,
                            .context = context,
                            .what = "ticket opened"};
    report.desk_written.items = &written;
    report.desk_written.count = 1;

    struct frame frames[] = {
        {RECORD_job, &job, {.name = "a job encoded", .unit = "per s"}, {.name = "a job decoded", .unit = "per s"}},
        {RECORD_report,
         &report,
         {.name = "a report encoded", .unit = "per s"},
         {.name = "a report decoded", .unit = "per s"}},
    };
    for (int round = 0; round < BENCH_ROUNDS; round++) {
        measure(&frames[0]);
        measure(&frames[1]);
    }
    figure_heading("Frames, one processor");
    for (size_t i = 0; i < 2; i++) {
        figure_print(&frames[i].encode);
        figure_print(&frames[i].decode);
        figure_print_ratio("  decoding against encoding", &frames[i].decode, &frames[i].encode);
    }
}
