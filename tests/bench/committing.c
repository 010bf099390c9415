// SPDX-License-Identifier: Apache-2.0
// The committer: how many accepts a second become durable when 1, 16 or 64 requests wait at once, beside one synced
// write at a time in the same folder, once as the ledger writes and once as the bare file system does.
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum { SLICE_US = 300000, KEPT_MAX = 20000, VARIANTS = 3, APPEND_BYTES = 700 };

static const size_t widths[VARIANTS] = {1, 16, 64};

// One thread that accepts until the slice is over.
struct accepter {
    struct store *store;
    double until_us;
    struct times times;
    size_t stored;
};

static atomic_ulong key_count;

static struct event message(char key[64], struct part *part)
{
    snprintf(key, 64, "freshchat:message:%lu", atomic_fetch_add(&key_count, 1));
    *part =
        (struct part){.kind = PART_TEXT, .text = "Do you have these shoes in size 42, and when could they be here?"};
    struct event event = {.kind = EVENT_CUSTOMER_MESSAGE,
                          .key = key,
                          .conversation = "c327498e-f713-481e-8d83-0603e03d2521",
                          .channel = "c8fddfaf-622a-4a0e-b060-4f3ccbeab606",
                          .user = "882f3926-b292-414b-a411-96380db373cd",
                          .actor = "882f3926-b292-414b-a411-96380db373cd",
                          .message = key,
                          .time_ms = 1750000000000};
    event.parts.items = part;
    event.parts.count = 1;
    return event;
}

static void *accept_until(void *arg)
{
    struct accepter *self = arg;
    char key[64];
    struct part part;
    double now = bench_now_us();
    while (now < self->until_us) {
        struct event event = message(key, &part);
        if (!store_accept(self->store, &event))
            bench_fail("an event was not stored");
        double then = now;
        now = bench_now_us();
        times_add(&self->times, now - then);
        self->stored++;
    }
    return NULL;
}

struct figures {
    struct figure append, write, accept[VARIANTS], carried[VARIANTS], p50[VARIANTS], p99[VARIANTS];
};

static void measure_accepts(struct store *store, struct figures *figures, size_t variant)
{
    static struct accepter accepters[BENCH_THREADS];
    size_t width = widths[variant];
    struct times all;
    times_init(&all, KEPT_MAX * 4);
    uint64_t batches = store_batches(store);
    double began = bench_now_us();
    for (size_t i = 0; i < width; i++) {
        accepters[i] = (struct accepter){.store = store, .until_us = began + SLICE_US};
        times_init(&accepters[i].times, KEPT_MAX);
    }
    bench_threads(accept_until, accepters, sizeof *accepters, width);
    double took = bench_now_us() - began;
    batches = store_batches(store) - batches;
    size_t stored = 0;
    for (size_t i = 0; i < width; i++) {
        stored += accepters[i].stored;
        times_append(&all, &accepters[i].times);
        times_free(&accepters[i].times);
    }
    figure_add(&figures->accept[variant], (double)stored / took * 1e6);
    figure_add(&figures->carried[variant], (double)stored / (double)batches);
    figure_add(&figures->p50[variant], times_at(&all, 0.5) / 1000);
    figure_add(&figures->p99[variant], times_at(&all, 0.99) / 1000);
    times_free(&all);
}

// What an accept writes, one at a time, in a ledger that has no committer.
static void measure_writes(struct ledger *ledger, struct figures *figures)
{
    char key[64];
    struct part part;
    size_t count = 0;
    double began = bench_now_us(), now = began;
    for (; now < began + SLICE_US; now = bench_now_us(), count++) {
        struct pending pending = {.seq = ledger_next(ledger), .event = message(key, &part)};
        struct ledger_batch *batch = ledger_batch_new();
        ledger_put_seen(batch, key, SEEN_ACCEPTED, pending.event.time_ms);
        ledger_put_pending(batch, &pending);
        if (!ledger_write(ledger, batch))
            bench_fail("the ledger cannot be written");
        ledger_batch_free(&batch);
    }
    figure_add(&figures->write, (double)count / (now - began) * 1e6);
}

static void measure_appends(int fd, struct figures *figures)
{
    static const char bytes[APPEND_BYTES];
    size_t count = 0;
    double began = bench_now_us(), now = began;
    for (; now < began + SLICE_US; now = bench_now_us(), count++) {
        if (write(fd, bytes, sizeof bytes) != sizeof bytes || fdatasync(fd) != 0)
            bench_fail("a file cannot be written");
    }
    figure_add(&figures->append, (double)count / (now - began) * 1e6);
}

static void print(const struct figures *figures)
{
    static const char *const accept[VARIANTS] = {"accepts, 1 thread", "accepts, 16 threads", "accepts, 64 threads"};
    static const char *const ratio[VARIANTS] = {"  against one ledger write at a time",
                                                "  against one ledger write at a time",
                                                "  against one ledger write at a time"};
    figure_heading("Committer");
    figure_print(&figures->append);
    figure_print(&figures->write);
    figure_print_ratio("  against the append", &figures->write, &figures->append);
    for (size_t i = 0; i < VARIANTS; i++) {
        struct figure named = figures->accept[i];
        named.name = accept[i];
        figure_print(&named);
        figure_print_ratio(ratio[i], &figures->accept[i], &figures->write);
        figure_print(&figures->carried[i]);
        figure_print(&figures->p50[i]);
        figure_print(&figures->p99[i]);
    }
}

void bench_committing(void)
{
    static struct figures figures = {.append = {.name = "append and fdatasync, one at a time", .unit = "per s"},
                                     .write = {.name = "ledger write with sync, one at a time", .unit = "per s"}};
    for (size_t i = 0; i < VARIANTS; i++) {
        figures.accept[i].unit = "per s";
        figures.carried[i] = (struct figure){.name = "  accepts that one sync carries", .unit = ""};
        figures.p50[i] = (struct figure){.name = "  one accept, p50", .unit = "ms"};
        figures.p99[i] = (struct figure){.name = "  one accept, p99", .unit = "ms"};
    }
    struct store *store = store_new("committed"), *single = store_new("single");
    char *path = bench_path("appended");
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        bench_fail("cannot make %s", path);
    for (int round = 0; round < BENCH_ROUNDS; round++) {
        measure_appends(fd, &figures);
        measure_writes(store_ledger(single), &figures);
        for (size_t i = 0; i < VARIANTS; i++)
            measure_accepts(store, &figures, i);
    }
    close(fd);
    free(path);
    store_free(&single);
    store_free(&store);
    print(&figures);
}
