// SPDX-License-Identifier: Apache-2.0
// What test_committer*.c share: a committer over a real ledger, with the disk's failures played by wrapped functions:
// __wrap_ledger_write can hold a batch back or fail it, __wrap_ledger_free_bytes says what is free. Nothing waits for a
// guess of time: tests hold a batch until the state they want is reached.
#ifndef TESTS_UNIT_TEST_COMMITTER_H
#define TESTS_UNIT_TEST_COMMITTER_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "http-front/ledger/committer.h"
#include "proto/clock.h"

enum { PATIENCE_MS = 20000 };

static atomic_bool fail_writes;
static atomic_bool hold_writes;
static atomic_int writes_held;
static atomic_int writes_done;
static _Atomic uint64_t free_bytes = UINT64_MAX;

bool __real_ledger_write(struct ledger *self, const struct ledger_batch *batch);
bool __wrap_ledger_write(struct ledger *self, const struct ledger_batch *batch);
uint64_t __wrap_ledger_free_bytes(const struct ledger *self);

bool __wrap_ledger_write(struct ledger *self, const struct ledger_batch *batch)
{
    atomic_fetch_add(&writes_held, 1);
    while (atomic_load(&hold_writes))
        sched_yield();
    atomic_fetch_sub(&writes_held, 1);
    if (atomic_load(&fail_writes))
        return false;
    atomic_fetch_add(&writes_done, 1);
    return __real_ledger_write(self, batch);
}

uint64_t __wrap_ledger_free_bytes(const struct ledger *self)
{
    (void)self;
    return atomic_load(&free_bytes);
}

#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        int64_t until_ms = clock_mono_ms() + PATIENCE_MS;                                                              \
        while (!(condition)) {                                                                                         \
            assert_true(clock_mono_ms() < until_ms);                                                                   \
            sched_yield();                                                                                             \
        }                                                                                                              \
    } while (0)

struct fixture {
    char dir[64];
    struct ledger *ledger;
    struct mailbox *mailbox;
    struct committer *committer;
    struct arena *arena;
    struct mail *mail; // taken and not yet read
};

static inline uint64_t fixed_now_ms(void)
{
    return 1750000000000;
}

static const struct ledger_options ledger_options = {86400000, 86400000, 86400000, fixed_now_ms};

static inline void start(struct fixture *f, uint64_t floor)
{
    char error[512] = "";
    f->ledger = ledger_open(f->dir, &ledger_options, error, sizeof error);
    if (!f->ledger)
        print_message("%s\n", error);
    assert_non_null(f->ledger);
    f->mailbox = mailbox_new();
    f->committer = committer_new(f->ledger, f->mailbox, &(struct committer_options){floor, fixed_now_ms});
}

static inline void stop(struct fixture *f)
{
    while (f->mail) {
        struct mail *next = f->mail->next;
        mail_free(&f->mail);
        f->mail = next;
    }
    committer_free(&f->committer);
    assert_null(f->committer);
    mailbox_free(&f->mailbox);
    ledger_close(&f->ledger);
}

static inline void set_up(struct fixture *f, uint64_t floor)
{
    *f = (struct fixture){.arena = arena_new()};
    atomic_store(&fail_writes, false);
    atomic_store(&hold_writes, false);
    atomic_store(&free_bytes, UINT64_MAX);
    strcpy(f->dir, "/tmp/deskbell-committer-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    start(f, floor);
}

static inline int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static inline void tear_down(struct fixture *f)
{
    stop(f);
    arena_free(&f->arena);
    assert_int_equal(nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

// The next piece of mail; waits for it.
static inline struct mail next_mail(struct fixture *f)
{
    if (!f->mail) {
        struct pollfd fd = {.fd = mailbox_fd(f->mailbox), .events = POLLIN};
        assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
        f->mail = mailbox_take_all(f->mailbox);
    }
    assert_non_null(f->mail);
    struct mail *next = f->mail->next;
    struct mail copy = *f->mail;
    mail_free(&f->mail);
    f->mail = next;
    copy.conversation = NULL;
    return copy;
}

static inline void assert_no_mail(struct fixture *f)
{
    struct pollfd fd = {.fd = mailbox_fd(f->mailbox), .events = POLLIN};
    assert_null(f->mail);
    assert_int_equal(poll(&fd, 1, 0), 0);
}

static inline struct event message(const char *key)
{
    return (struct event){.kind = EVENT_CUSTOMER_MESSAGE, .key = key, .conversation = "c1", .time_ms = 77};
}

static inline struct event hint(uint64_t ticket_id)
{
    return (struct event){.kind = EVENT_HINT, .ticket_id = ticket_id};
}

static inline enum accept_result accept_key(struct fixture *f, const char *key)
{
    struct event event = message(key);
    return committer_accept(f->committer, &event);
}

static inline void submit(struct fixture *f, struct ledger_batch *batch, uint64_t ticket, uint64_t count, void *token)
{
    struct commit *commit = calloc(1, sizeof *commit);
    assert_non_null(commit);
    *commit = (struct commit){
        .batch = batch ? batch : ledger_batch_new(), .hint_ticket = ticket, .hint_count = count, .token = token};
    committer_submit(f->committer, commit);
}

// A request thread.
struct request {
    struct fixture *f;
    pthread_t thread;
    struct event event;
    char key[32];
    enum accept_result result;
};

static inline void *request_run(void *arg)
{
    struct request *request = arg;
    request->result = committer_accept(request->f->committer, &request->event);
    return NULL;
}

static inline void request_start(struct request *request, struct fixture *f, struct event event)
{
    request->f = f;
    request->event = event;
    assert_int_equal(pthread_create(&request->thread, NULL, request_run, request), 0);
}

static inline enum accept_result request_end(struct request *request)
{
    pthread_join(request->thread, NULL);
    return request->result;
}

// Brings the committer's thread to stand in a write, so that what follows meets in one batch.
static inline void hold(struct fixture *f, struct request *holder)
{
    atomic_store(&hold_writes, true);
    strcpy(holder->key, "holder");
    request_start(holder, f, message(holder->key));
    UNTIL(atomic_load(&writes_held) == 1);
}
#endif
