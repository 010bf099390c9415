// SPDX-License-Identifier: Apache-2.0
// deskbell-bench: what Deskbell costs on this machine, in about a minute. Figures of a machine that others share say
// little by themselves; the ratios within one run say more. See docs/performance.md. Only loopback is used, and
// everything is bounded in count or time.
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "http-front/ledger/committer.h"
#include "proto/clock.h"
#include "proto/log.h"
#include "tests/bench/bench.h"

enum { DAY_MS = 24 * 60 * 60 * 1000, TIME_LIMIT_SECONDS = 170 };

static char folder[] = "/tmp/deskbell-bench.XXXXXX";

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static void clear_away(void)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

char *bench_path(const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        abort();
    return path;
}

void bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("deskbell-bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(EXIT_FAILURE);
}

double bench_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

double bench_cpu_us(void)
{
    struct timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec * 1e6 + (double)spent.tv_nsec / 1e3;
}

size_t bench_processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > BENCH_THREADS ? BENCH_THREADS : (size_t)count;
}

void bench_threads(void *(*run)(void *arg), void *elements, size_t size, size_t count)
{
    pthread_t threads[BENCH_THREADS];
    if (count > BENCH_THREADS)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, run, (char *)elements + i * size) != 0)
            bench_fail("no thread");
    }
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

// ---------------------------------------------------------------- a ledger with its committer
struct store {
    struct ledger *ledger;
    struct mailbox *mailbox;
    struct committer *committer;
    pthread_t reader;
    atomic_bool stop;
};

static uint64_t wall_ms(void)
{
    return (uint64_t)clock_wall_ms();
}

static void *read_mail(void *arg)
{
    struct store *self = arg;
    struct pollfd fd = {.fd = mailbox_fd(self->mailbox), .events = POLLIN};
    while (!atomic_load(&self->stop)) {
        if (poll(&fd, 1, 50) < 1)
            continue;
        for (struct mail *mail = mailbox_take_all(self->mailbox), *next; mail; mail = next) {
            next = mail->next;
            mail_free(&mail);
        }
    }
    return NULL;
}

struct store *store_new(const char *name)
{
    struct store *self = calloc(1, sizeof *self);
    char *dir = bench_path(name), why[512];
    if (!self)
        abort();
    const struct ledger_options options = {DAY_MS, DAY_MS, DAY_MS, wall_ms};
    self->ledger = ledger_open(dir, &options, why, sizeof why);
    if (!self->ledger)
        bench_fail("%s", why);
    free(dir);
    self->mailbox = mailbox_new();
    self->committer = committer_new(self->ledger, self->mailbox, &(struct committer_options){.now_ms = wall_ms});
    if (!self->committer || pthread_create(&self->reader, NULL, read_mail, self) != 0)
        bench_fail("the committer does not start");
    return self;
}

void store_free(struct store **self)
{
    struct store *store = *self;
    *self = NULL;
    committer_free(&store->committer);
    atomic_store(&store->stop, true);
    pthread_join(store->reader, NULL);
    mailbox_free(&store->mailbox);
    ledger_close(&store->ledger);
    free(store);
}

bool store_accept(struct store *self, const struct event *event)
{
    return committer_accept(self->committer, event) == ACCEPT_STORED;
}

uint64_t store_batches(const struct store *self)
{
    return committer_progress(self->committer);
}

struct ledger *store_ledger(struct store *self)
{
    return self->ledger;
}

// ---------------------------------------------------------------- the program
// Ended from outside, or hung: nothing is left behind.
static void *await_signal(void *arg)
{
    int number;
    while (sigwait(arg, &number) != 0)
        ;
    fprintf(stderr, "deskbell-bench: ended by signal %d\n", number);
    bench_whole_way_abandon();
    clear_away();
    _exit(EXIT_FAILURE);
}

static void watch_signals(void)
{
    static sigset_t set;
    pthread_t thread;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGALRM);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || pthread_create(&thread, NULL, await_signal, &set) != 0)
        bench_fail("no thread");
    pthread_detach(thread);
    alarm(TIME_LIMIT_SECONDS);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        fputs("deskbell-bench takes no arguments\n", stderr);
        return 2;
    }
    log_init("deskbell-bench", LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        bench_fail("cannot make a folder in /tmp");
    atexit(clear_away);
    watch_signals();
    double began = bench_now_us(), load = 0;
    if (getloadavg(&load, 1) != 1)
        load = -1;
    printf("%zu processors, load before %.1f; %d rounds, every variant in every round\n", bench_processors(), load,
           BENCH_ROUNDS);
    bench_committing();
    bench_receiving();
    bench_whole_way();
    bench_frames();
    printf("\n%.0f s in all\n", (bench_now_us() - began) / 1e6);
    return 0;
}
