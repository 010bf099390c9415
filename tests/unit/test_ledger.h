// SPDX-License-Identifier: Apache-2.0
// What the programs test_ledger*.c share: a ledger in a folder of its own, made-up time, a waiting record, and a way to
// run the program itself again as another process (a forked RocksDB would have no threads).
#ifndef TESTS_UNIT_TEST_LEDGER_H
#define TESTS_UNIT_TEST_LEDGER_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http-front/ledger/ledger.h"

extern char **environ;

#define DAY_MS UINT64_C(86400000)

// How this program was called; /proc/self/exe would be valgrind when that runs it.
static const char *test_program;

static uint64_t test_now_ms = 1000 * DAY_MS;

static inline uint64_t now_ms(void)
{
    return test_now_ms;
}

static const struct ledger_options options = {30 * DAY_MS, 400 * DAY_MS, 7 * DAY_MS, now_ms};

struct fixture {
    char dir[64];
    struct ledger *ledger;
    struct arena *arena;
};

// Under valgrind an opening takes seconds: fewer of everything.
static inline size_t rather(size_t many, size_t few)
{
    return getenv("DESKBELL_TEST_SLOW") ? few : many;
}

static inline struct ledger *open_again(struct fixture *f)
{
    char error[512] = "";
    ledger_close(&f->ledger);
    f->ledger = ledger_open(f->dir, &options, error, sizeof error);
    if (!f->ledger)
        print_message("%s\n", error);
    assert_non_null(f->ledger);
    return f->ledger;
}

static inline void set_up(struct fixture *f)
{
    *f = (struct fixture){.arena = arena_new()};
    strcpy(f->dir, "/tmp/deskbell-ledger-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    strcat(f->dir, "/db");
    open_again(f);
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
    ledger_close(&f->ledger);
    assert_null(f->ledger);
    arena_free(&f->arena);
    *strrchr(f->dir, '/') = 0;
    assert_int_equal(nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void write_and_free(struct fixture *f, struct ledger_batch **batch)
{
    assert_true(ledger_write(f->ledger, *batch));
    ledger_batch_free(batch);
    assert_null(*batch);
}

static inline struct pending waiting(uint64_t seq)
{
    return (struct pending){
        .seq = seq,
        .event = {.kind = EVENT_CUSTOMER_MESSAGE, .key = "freshchat:message:1", .conversation = "c1"},
        .step = 2,
        .found = {(const uint8_t *)"\0\1", 2}};
}

// Runs this program again with `what` and the folder; its standard output can be read from the descriptor returned.
static inline int spawn(struct fixture *f, const char *what, pid_t *pid)
{
    int pipe_fds[2];
    char command[16];
    char *argv[] = {(char *)test_program, command, f->dir, NULL};
    posix_spawn_file_actions_t actions;

    snprintf(command, sizeof command, "%s", what);
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
    assert_int_equal(posix_spawn(pid, test_program, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[1]);
    return pipe_fds[0];
}

// What a scan gave, in its order.
struct numbers {
    uint64_t got[16];
    size_t count;
    size_t stop_after;
};

static inline bool take(struct numbers *numbers, uint64_t number)
{
    assert_true(numbers->count < 16);
    numbers->got[numbers->count++] = number;
    return numbers->count != numbers->stop_after;
}

static inline bool take_pending(void *arg, const struct pending *pending)
{
    return take(arg, pending->seq);
}

static inline void assert_numbers(struct numbers *numbers, size_t count, const uint64_t *expected)
{
    assert_int_equal(numbers->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(numbers->got[i], expected[i]);
    *numbers = (struct numbers){0};
}
#endif
