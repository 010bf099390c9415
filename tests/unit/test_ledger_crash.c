// SPDX-License-Identifier: Apache-2.0
// What of the ledger survives: kill -9 of a process that writes, and a write that fails.
#include "test_ledger.h"

#include <signal.h>
#include <sys/resource.h>

// The child: writes batches for ever, and says each number only after its batch is on disk.
static int write_for_ever(const char *dir)
{
    char error[512];
    struct ledger *ledger = ledger_open(dir, &options, error, sizeof error);
    if (!ledger)
        return 1;
    for (;;) {
        uint64_t seq = ledger_next(ledger);
        struct pending pending = waiting(seq);
        char key[32];
        snprintf(key, sizeof key, "k%llu", (unsigned long long)seq);
        struct ledger_batch *batch = ledger_batch_new();
        ledger_put_pending(batch, &pending);
        ledger_put_seen(batch, key, SEEN_ACCEPTED, now_ms());
        if (!ledger_write(ledger, batch) || write(STDOUT_FILENO, &seq, sizeof seq) != sizeof seq)
            return 2;
        ledger_batch_free(&batch);
    }
}

static bool all_there(void *arg, const struct pending *pending)
{
    struct fixture *f = arg;
    struct seen seen;
    char key[32];
    // Both or neither: a batch is never half there.
    snprintf(key, sizeof key, "k%llu", (unsigned long long)pending->seq);
    assert_int_equal(ledger_seen(f->ledger, key, &seen), LEDGER_OK);
    return true;
}

static void kill_a_writer_after(struct fixture *f, int acks, uint64_t *first, uint64_t *last)
{
    pid_t pid = 0;
    int fd = spawn(f, "write", &pid);
    for (int i = 0; i < acks; i++) {
        assert_int_equal(read(fd, last, sizeof *last), sizeof *last);
        if (i == 0)
            *first = *last;
    }
    kill(pid, SIGKILL);
    // What it acked between our last read and its death counts, too.
    uint64_t more = 0;
    while (read(fd, &more, sizeof more) == sizeof more)
        *last = more;
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(fd);
}

static void assert_all_pending(struct fixture *f, uint64_t first, uint64_t last)
{
    struct pending pending;
    assert_true(first > 0 && first <= last);
    for (uint64_t seq = first; seq <= last; seq++) {
        arena_reset(f->arena);
        assert_int_equal(ledger_pending(f->ledger, seq, &pending, f->arena), LEDGER_OK);
    }
}

static void keeps_everything_acked_through_kill_9(void **state)
{
    struct fixture f;
    uint64_t epoch = 0;

    (void)state;
    set_up(&f);
    for (int round = 0; round < 3; round++) {
        uint64_t first = 0;
        uint64_t last = 0;
        ledger_close(&f.ledger);
        kill_a_writer_after(&f, 50 + round * 37, &first, &last);
        open_again(&f);
        assert_true(ledger_epoch(f.ledger) > last >> 40);
        assert_true(ledger_epoch(f.ledger) > epoch);
        epoch = ledger_epoch(f.ledger);
        assert_all_pending(&f, first, last);
        assert_int_equal(ledger_each_pending(f.ledger, all_there, &f), LEDGER_OK);
    }
    tear_down(&f);
}

// The child: a file size limit plays the disk that takes no more. Says each acked number. Exit code 0: a write failed
// as it should, by returning false, and so did the next one, though the disk was well again by then: RocksDB works on
// after such an error only when it is opened again, which is why a front whose writes keep failing leaves.
static int write_until_it_fails(const char *dir)
{
    char error[512];
    struct rlimit limit = {200000, RLIM_INFINITY};
    struct ledger *ledger = ledger_open(dir, &options, error, sizeof error);
    if (!ledger || signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    for (;;) {
        uint64_t seq = ledger_next(ledger);
        struct pending pending = waiting(seq);
        struct ledger_batch *batch = ledger_batch_new();
        ledger_put_pending(batch, &pending);
        bool ok = ledger_write(ledger, batch);
        ledger_batch_free(&batch);
        if (!ok)
            break;
        if (write(STDOUT_FILENO, &seq, sizeof seq) != sizeof seq)
            return 2;
    }
    limit.rlim_cur = RLIM_INFINITY;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 3;
    struct ledger_batch *probe = ledger_batch_new();
    bool works = ledger_write(ledger, probe);
    ledger_batch_free(&probe);
    ledger_close(&ledger);
    return works ? 4 : 0;
}

static void a_failed_write_returns_and_leaves_the_acked_whole(void **state)
{
    struct fixture f;
    pid_t pid = 0;
    int status = -1;
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t seq = 0;

    (void)state;
    set_up(&f);
    ledger_close(&f.ledger);
    int fd = spawn(&f, "fail", &pid);
    for (; read(fd, &seq, sizeof seq) == sizeof seq; last = seq)
        first = first ? first : seq;
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    open_again(&f);
    assert_all_pending(&f, first, last);
    struct ledger_batch *batch = ledger_batch_new();
    write_and_free(&f, &batch);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    test_program = argv[0];
    if (argc == 3 && strcmp(argv[1], "write") == 0)
        return write_for_ever(argv[2]);
    if (argc == 3 && strcmp(argv[1], "fail") == 0)
        return write_until_it_fails(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_everything_acked_through_kill_9),
        cmocka_unit_test(a_failed_write_returns_and_leaves_the_acked_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
