// SPDX-License-Identifier: Apache-2.0
// Backups of a ledger that is being written, and what their restoring leaves: a whole state of one moment, numbers that
// were never used, and the knowledge that it is a restored one.
#include "test_ledger.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

enum { BACKUPS = 6 };

static void path_in(struct fixture *f, const char *name, char out[96])
{
    snprintf(out, 96, "%.*s/%s", (int)(strrchr(f->dir, '/') - f->dir), f->dir, name);
}

static void backup(struct fixture *f, const char *dir)
{
    char error[512] = "";
    bool ok = ledger_backup(f->ledger, dir, error, sizeof error);
    if (!ok)
        print_message("%s\n", error);
    assert_true(ok);
}

static struct ledger *open_at(const char *dir)
{
    char error[512] = "";
    struct ledger *ledger = ledger_open(dir, &options, error, sizeof error);
    if (!ledger)
        print_message("%s\n", error);
    assert_non_null(ledger);
    return ledger;
}

// The only writer of the ledger in its test: records 1, 2, 3, ... each in several tables, two batches apart from each
// other by a deletion, so that a state of one moment is told from a mixture.
struct writer {
    struct fixture *f;
    pthread_t thread;
    atomic_bool stop;
    _Atomic uint64_t written;
};

static void put_number(struct ledger_batch *batch, uint64_t number)
{
    char key[32];
    struct pending pending = waiting(number);
    snprintf(key, sizeof key, "k%llu", (unsigned long long)number);
    ledger_put_pending(batch, &pending);
    ledger_put_seen(batch, key, SEEN_ACCEPTED, test_now_ms);
    ledger_put_hint(batch, 1, &(struct hint){.count = number, .time_ms = 1});
    ledger_put_lane(batch, &(struct lane){.conversation = "c1", .ticket_id = number, .updated_ms = test_now_ms});
}

static void *write_numbers(void *arg)
{
    struct writer *writer = arg;
    for (uint64_t number = 1; !atomic_load(&writer->stop); number++) {
        struct ledger_batch *batch = ledger_batch_new();
        put_number(batch, number);
        assert_true(ledger_write(writer->f->ledger, batch));
        ledger_batch_free(&batch);
        atomic_store(&writer->written, number);
    }
    return NULL;
}

struct seen_so_far {
    struct ledger *ledger;
    uint64_t last;
};

static bool next_in_row(void *arg, const struct pending *pending)
{
    struct seen_so_far *so_far = arg;
    struct seen seen;
    char key[32];
    assert_int_equal(pending->seq, so_far->last + 1);
    so_far->last = pending->seq;
    snprintf(key, sizeof key, "k%llu", (unsigned long long)pending->seq);
    assert_int_equal(ledger_seen(so_far->ledger, key, &seen), LEDGER_OK);
    return true;
}

static bool count_is(void *arg, uint64_t ticket_id, const struct hint *hint)
{
    assert_int_equal(ticket_id, 1);
    assert_int_equal(hint->count, *(uint64_t *)arg);
    return true;
}

// Everything up to one batch is there, in every table, and nothing after it. Returns that batch's number.
static uint64_t assert_one_moment(struct ledger *ledger, struct arena *arena)
{
    struct seen_so_far so_far = {ledger, 0};
    struct seen seen;
    struct lane lane;
    char key[32];
    assert_int_equal(ledger_each_pending(ledger, next_in_row, &so_far), LEDGER_OK);
    assert_int_equal(ledger_each_hint(ledger, count_is, &so_far.last), LEDGER_OK);
    assert_int_equal(ledger_lane(ledger, "c1", &lane, arena), LEDGER_OK);
    assert_int_equal(lane.ticket_id, so_far.last);
    snprintf(key, sizeof key, "k%llu", (unsigned long long)so_far.last + 1);
    assert_int_equal(ledger_seen(ledger, key, &seen), LEDGER_ABSENT);
    return so_far.last;
}

static void a_copy_made_while_writing_is_whole(void **state)
{
    struct fixture f;
    struct writer writer = {.f = &f};
    uint64_t at_least[BACKUPS];
    uint64_t at_most[BACKUPS];
    char dir[96];
    char name[32];

    (void)state;
    set_up(&f);
    assert_int_equal(pthread_create(&writer.thread, NULL, write_numbers, &writer), 0);
    for (size_t i = 0; i < rather(BACKUPS, 2); i++) {
        // Each copy at another place of the stream, also across a flush of the tables.
        uint64_t from = atomic_load(&writer.written);
        while (atomic_load(&writer.written) < from + 50)
            sched_yield();
        at_least[i] = atomic_load(&writer.written);
        snprintf(name, sizeof name, "copy%zu", i);
        path_in(&f, name, dir);
        backup(&f, dir);
        at_most[i] = atomic_load(&writer.written) + 1;
    }
    atomic_store(&writer.stop, true);
    pthread_join(writer.thread, NULL);
    for (size_t i = 0; i < rather(BACKUPS, 2); i++) {
        snprintf(name, sizeof name, "copy%zu", i);
        path_in(&f, name, dir);
        struct ledger *copy = open_at(dir);
        arena_reset(f.arena);
        uint64_t last = assert_one_moment(copy, f.arena);
        assert_true(last >= at_least[i] && last <= at_most[i]);
        ledger_close(&copy);
    }
    // The original went on undisturbed.
    assert_int_equal(assert_one_moment(f.ledger, f.arena), atomic_load(&writer.written));
    tear_down(&f);
}

static void a_restored_ledger_uses_no_number_twice(void **state)
{
    struct fixture f;
    char dir[96];
    char second[96];

    (void)state;
    set_up(&f);
    path_in(&f, "copy", dir);
    path_in(&f, "second", second);
    backup(&f, dir);
    backup(&f, second);                        // another copy of the same state
    for (size_t i = 0; i < rather(50, 3); i++) // the original goes on
        open_again(&f);
    uint64_t used = ledger_epoch(f.ledger);

    struct ledger *copy = open_at(dir);
    uint64_t first = ledger_epoch(copy);
    assert_true(first > used);
    assert_true(ledger_next(copy) > ledger_next(f.ledger));
    assert_true(first < used + (UINT64_C(1) << 23)); // and keeps enough for the years to come
    ledger_close(&copy);
    copy = open_at(dir);
    assert_int_equal(ledger_epoch(copy), first + 1); // one jump per restoring, not per opening
    ledger_close(&copy);

    // Restored again a month later, after the first restored one went on, too.
    test_now_ms += 30 * DAY_MS;
    copy = open_at(second);
    assert_true(ledger_epoch(copy) != first && ledger_epoch(copy) != first + 1);
    assert_true(ledger_epoch(copy) > used);
    ledger_close(&copy);
    test_now_ms -= 30 * DAY_MS;
    tear_down(&f);
}

static void a_copy_of_a_restored_ledger_jumps_again(void **state)
{
    struct fixture f;
    char dir[96];
    char deeper[96];

    (void)state;
    set_up(&f);
    path_in(&f, "copy", dir);
    path_in(&f, "deeper", deeper);
    backup(&f, dir);
    struct ledger *copy = open_at(dir);
    uint64_t first = ledger_epoch(copy);
    char error[512];
    test_now_ms += 5; // it tells when it was taken itself
    assert_true(ledger_backup(copy, deeper, error, sizeof error));
    struct ledger *copy_of_copy = open_at(deeper);
    assert_true(ledger_epoch(copy_of_copy) > first + 1000);
    assert_int_equal(ledger_restored_ms(copy_of_copy), test_now_ms);
    ledger_close(&copy_of_copy);
    ledger_close(&copy);
    test_now_ms -= 5;
    tear_down(&f);
}

static void remembers_that_it_was_restored_until_told(void **state)
{
    struct fixture f;
    char dir[96];
    char marker[128];
    uint64_t taken_ms = test_now_ms;
    struct stat info;

    (void)state;
    set_up(&f);
    path_in(&f, "copy", dir);
    assert_int_equal(ledger_restored_ms(f.ledger), 0);
    backup(&f, dir);
    assert_int_equal(ledger_restored_ms(f.ledger), 0); // the original was not
    assert_int_equal(stat(dir, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    snprintf(marker, sizeof marker, "%s/RESTORED-FROM-BACKUP", dir);
    assert_int_equal(stat(marker, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);

    test_now_ms += DAY_MS;
    struct ledger *copy = NULL;
    for (int i = 0; i < 3; i++) { // restarts while paused change nothing
        copy = open_at(dir);
        assert_int_equal(ledger_restored_ms(copy), taken_ms);
        if (i < 2)
            ledger_close(&copy);
    }
    assert_true(ledger_restored_done(copy));
    assert_int_equal(ledger_restored_ms(copy), 0);
    assert_true(ledger_restored_done(copy)); // and again is no error
    uint64_t epoch = ledger_epoch(copy);
    ledger_close(&copy);
    assert_int_not_equal(stat(marker, &info), 0);
    copy = open_at(dir);
    assert_int_equal(ledger_restored_ms(copy), 0);
    assert_int_equal(ledger_epoch(copy), epoch + 1);
    ledger_close(&copy);
    test_now_ms -= DAY_MS;
    tear_down(&f);
}

static size_t entries_in(const char *dir)
{
    size_t count = 0;
    DIR *folder = opendir(dir);
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void assert_no_backup(struct fixture *f, const char *dir, const char *part_of_sentence)
{
    char error[512] = "";
    assert_false(ledger_backup(f->ledger, dir, error, sizeof error));
    if (!strstr(error, part_of_sentence))
        print_message("got: %s\n", error);
    assert_non_null(strstr(error, part_of_sentence));
    assert_null(strchr(error, '\n'));
}

static void refuses_targets_that_would_harm(void **state)
{
    struct fixture f;
    char dir[96];
    char deeper[160];
    char outer[96];

    (void)state;
    set_up(&f);
    path_in(&f, "", outer);
    path_in(&f, "taken", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    size_t before = entries_in(outer);
    assert_no_backup(&f, dir, "exists already");
    snprintf(deeper, sizeof deeper, "%s/no/such", dir);
    assert_no_backup(&f, deeper, "should hold it does not exist");
    assert_int_equal(entries_in(outer), before);
    // What an interrupted backup left is neither used nor silently removed.
    path_in(&f, "new.partial", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    path_in(&f, "new", dir);
    assert_no_backup(&f, dir, "was interrupted");
    path_in(&f, "new.partial", dir);
    assert_int_equal(rmdir(dir), 0);
    path_in(&f, "new", dir);
    backup(&f, dir);
    tear_down(&f);
}

static void refuses_a_spoilt_marker(void **state)
{
    struct fixture f;
    char dir[96];
    char marker[128];
    char error[512] = "";

    (void)state;
    set_up(&f);
    path_in(&f, "copy", dir);
    backup(&f, dir);
    snprintf(marker, sizeof marker, "%s/RESTORED-FROM-BACKUP", dir);
    assert_int_equal(truncate(marker, 40), 0);
    assert_null(ledger_open(dir, &options, error, sizeof error));
    assert_non_null(strstr(error, "restore the backup again"));
    tear_down(&f);
}

int main(int argc, char **argv)
{
    (void)argc;
    test_program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_made_while_writing_is_whole),
        cmocka_unit_test(a_restored_ledger_uses_no_number_twice),
        cmocka_unit_test(a_copy_of_a_restored_ledger_jumps_again),
        cmocka_unit_test(remembers_that_it_was_restored_until_told),
        cmocka_unit_test(refuses_targets_that_would_harm),
        cmocka_unit_test(refuses_a_spoilt_marker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
