// SPDX-License-Identifier: Apache-2.0
// The ledger on a real RocksDB in a folder of its own: every call, what survives kill -9, expiry, and what is refused.
// The killed writer is this program executed again with "write DIR" (a forked RocksDB would have no threads).
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
#include <rocksdb/c.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http-front/ledger/ledger.h"

extern char **environ;

#define DAY_MS UINT64_C(86400000)

// How this program was called; /proc/self/exe would be valgrind when that runs it.
static const char *program;

static uint64_t test_now_ms = 1000 * DAY_MS;

static uint64_t now_ms(void)
{
    return test_now_ms;
}

static const struct ledger_options options = {30 * DAY_MS, 400 * DAY_MS, 7 * DAY_MS, now_ms};

struct fixture {
    char dir[64];
    struct ledger *ledger;
    struct arena *arena;
};

static struct ledger *open_again(struct fixture *f)
{
    char error[512] = "";
    ledger_close(&f->ledger);
    f->ledger = ledger_open(f->dir, &options, error, sizeof error);
    if (!f->ledger)
        print_message("%s\n", error);
    assert_non_null(f->ledger);
    return f->ledger;
}

static void set_up(struct fixture *f)
{
    *f = (struct fixture){.arena = arena_new()};
    strcpy(f->dir, "/tmp/deskbell-ledger-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    strcat(f->dir, "/db");
    open_again(f);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static void tear_down(struct fixture *f)
{
    ledger_close(&f->ledger);
    assert_null(f->ledger);
    arena_free(&f->arena);
    *strrchr(f->dir, '/') = 0;
    assert_int_equal(nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void write_and_free(struct fixture *f, struct ledger_batch **batch)
{
    assert_true(ledger_write(f->ledger, *batch));
    ledger_batch_free(batch);
    assert_null(*batch);
}

static struct pending waiting(uint64_t seq)
{
    return (struct pending){
        .seq = seq,
        .event = {.kind = EVENT_CUSTOMER_MESSAGE, .key = "freshchat:message:1", .conversation = "c1"},
        .step = 2,
        .found = {(const uint8_t *)"\0\1", 2}};
}

static void puts_and_reads_every_record(void **state)
{
    struct fixture f;
    struct seen seen;
    struct lane lane;
    struct pending pending;
    struct ticket ticket;

    (void)state;
    set_up(&f);
    assert_int_equal(ledger_seen(f.ledger, "k", &seen), LEDGER_ABSENT);
    assert_int_equal(ledger_lane(f.ledger, "c1", &lane, f.arena), LEDGER_ABSENT);
    assert_int_equal(ledger_pending(f.ledger, 7, &pending, f.arena), LEDGER_ABSENT);
    assert_int_equal(ledger_ticket(f.ledger, 42, &ticket, f.arena), LEDGER_ABSENT);

    struct ledger_batch *batch = ledger_batch_new();
    assert_true(ledger_batch_empty(batch));
    ledger_put_seen(batch, "k", SEEN_OURS, test_now_ms);
    ledger_put_lane(batch, &(struct lane){.conversation = "c1", .ticket_id = 42, .updated_ms = test_now_ms});
    struct pending seven = waiting(7);
    ledger_put_pending(batch, &seven);
    ledger_put_ticket(batch, 42, &(struct ticket){.conversation = "c1", .time_ms = test_now_ms});
    assert_false(ledger_batch_empty(batch));
    assert_true(ledger_batch_bytes(batch) > 100);
    write_and_free(&f, &batch);

    for (int round = 0; round < 2; round++) {
        assert_int_equal(ledger_seen(f.ledger, "k", &seen), LEDGER_OK);
        assert_int_equal(seen.outcome, SEEN_OURS);
        assert_int_equal(seen.time_ms, test_now_ms);
        assert_int_equal(ledger_lane(f.ledger, "c1", &lane, f.arena), LEDGER_OK);
        assert_int_equal(lane.ticket_id, 42);
        assert_int_equal(ledger_pending(f.ledger, 7, &pending, f.arena), LEDGER_OK);
        assert_string_equal(pending.event.key, "freshchat:message:1");
        assert_int_equal(pending.found.size, 2);
        assert_memory_equal(pending.found.data, "\0\1", 2);
        assert_int_equal(ledger_ticket(f.ledger, 42, &ticket, f.arena), LEDGER_OK);
        assert_string_equal(ticket.conversation, "c1");
        open_again(&f);
    }
    tear_down(&f);
}

struct numbers {
    uint64_t got[16];
    size_t count;
    size_t stop_after;
};

static bool take(struct numbers *numbers, uint64_t number)
{
    assert_true(numbers->count < 16);
    numbers->got[numbers->count++] = number;
    return numbers->count != numbers->stop_after;
}

static bool take_pending(void *arg, const struct pending *pending)
{
    return take(arg, pending->seq);
}

static bool take_hint(void *arg, uint64_t ticket_id, const struct hint *hint)
{
    assert_int_equal(hint->count, ticket_id + 1);
    return take(arg, ticket_id);
}

static bool take_dead(void *arg, uint64_t seq, const struct dead *dead)
{
    assert_int_equal(dead->pending.seq, seq);
    assert_string_equal(dead->cause, "the helpdesk says no");
    return take(arg, seq);
}

static bool take_history(void *arg, const struct history *history)
{
    return take(arg, history->took_ms);
}

static void assert_numbers(struct numbers *numbers, size_t count, const uint64_t *expected)
{
    assert_int_equal(numbers->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(numbers->got[i], expected[i]);
    *numbers = (struct numbers){0};
}

static void scans_in_order_and_deletes(void **state)
{
    struct fixture f;
    struct numbers got = {0};
    const uint64_t all[] = {1, 255, 256, UINT64_C(1) << 40};

    (void)state;
    set_up(&f);
    assert_int_equal(ledger_each_pending(f.ledger, take_pending, &got), LEDGER_OK);
    assert_int_equal(got.count, 0);
    struct ledger_batch *batch = ledger_batch_new();
    struct ledger_batch *more = ledger_batch_new();
    for (size_t i = 4; i-- > 0;) { // backwards: the order is the keys', not the writing's
        struct pending pending = waiting(all[i]);
        ledger_put_pending(batch, &pending);
        ledger_put_hint(more, all[i], &(struct hint){.count = all[i] + 1, .time_ms = 5});
        ledger_put_dead(more, all[i], &(struct dead){.pending = pending, .cause = "the helpdesk says no"});
    }
    ledger_batch_append(batch, more);
    ledger_batch_free(&more);
    write_and_free(&f, &batch);

    assert_int_equal(ledger_each_pending(f.ledger, take_pending, &got), LEDGER_OK);
    assert_numbers(&got, 4, all);
    assert_int_equal(ledger_each_hint(f.ledger, take_hint, &got), LEDGER_OK);
    assert_numbers(&got, 4, all);
    assert_int_equal(ledger_each_dead(f.ledger, take_dead, &got), LEDGER_OK);
    assert_numbers(&got, 4, all);
    got.stop_after = 2;
    assert_int_equal(ledger_each_pending(f.ledger, take_pending, &got), LEDGER_OK);
    assert_numbers(&got, 2, all);

    batch = ledger_batch_new();
    ledger_delete_pending(batch, 1);
    ledger_delete_hint(batch, 1);
    ledger_delete_dead(batch, 1);
    ledger_delete_dead(batch, 999); // was never there
    write_and_free(&f, &batch);
    assert_int_equal(ledger_each_pending(f.ledger, take_pending, &got), LEDGER_OK);
    assert_numbers(&got, 3, all + 1);
    assert_int_equal(ledger_each_hint(f.ledger, take_hint, &got), LEDGER_OK);
    assert_numbers(&got, 3, all + 1);
    assert_int_equal(ledger_each_dead(f.ledger, take_dead, &got), LEDGER_OK);
    assert_numbers(&got, 3, all + 1);
    tear_down(&f);
}

static void keeps_the_history_of_each_conversation_apart(void **state)
{
    struct fixture f;
    struct numbers got = {0};
    const uint64_t expected[] = {1, 2, 3};

    (void)state;
    set_up(&f);
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_history(batch, 3, &(struct history){.conversation = "c1", .time_ms = 300, .took_ms = 3});
    ledger_put_history(batch, 2, &(struct history){.conversation = "c1", .time_ms = 200, .took_ms = 2});
    ledger_put_history(batch, 1, &(struct history){.conversation = "c1", .time_ms = 200, .took_ms = 1});
    ledger_put_history(batch, 4, &(struct history){.conversation = "c10", .time_ms = 1, .took_ms = 4});
    ledger_put_history(batch, 5, &(struct history){.conversation = "c", .time_ms = 1, .took_ms = 5});
    write_and_free(&f, &batch);
    assert_int_equal(ledger_each_history(f.ledger, "c1", take_history, &got), LEDGER_OK);
    assert_numbers(&got, 3, expected);
    tear_down(&f);
}

static void raises_the_epoch_at_each_opening(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    uint64_t first = ledger_epoch(f.ledger);
    uint64_t a = ledger_next(f.ledger);
    uint64_t b = ledger_next(f.ledger);
    assert_int_equal(a >> 40, first);
    assert_true(b > a);
    open_again(&f);
    assert_int_equal(ledger_epoch(f.ledger), first + 1);
    assert_true(ledger_next(f.ledger) > b);
    tear_down(&f);
}

static void hides_expired_keys_and_drops_them_by_compaction(void **state)
{
    struct fixture f;
    struct seen seen;
    struct lane lane;
    struct ticket ticket;
    struct numbers got = {0};
    const uint64_t young[] = {2};

    (void)state;
    set_up(&f);
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_seen(batch, "old", SEEN_ACCEPTED, test_now_ms - 30 * DAY_MS - 1);
    ledger_put_seen(batch, "young", SEEN_ACCEPTED, test_now_ms - 30 * DAY_MS);
    ledger_put_lane(batch, &(struct lane){.conversation = "old", .updated_ms = test_now_ms - 400 * DAY_MS - 1});
    ledger_put_lane(batch, &(struct lane){.conversation = "young", .updated_ms = test_now_ms - 400 * DAY_MS});
    ledger_put_ticket(batch, 1, &(struct ticket){.conversation = "old", .time_ms = test_now_ms - 400 * DAY_MS - 1});
    ledger_put_ticket(batch, 2, &(struct ticket){.conversation = "young", .time_ms = test_now_ms - 400 * DAY_MS});
    ledger_put_history(batch, 1,
                       &(struct history){.conversation = "c", .time_ms = test_now_ms - 7 * DAY_MS - 1, .took_ms = 1});
    ledger_put_history(batch, 2,
                       &(struct history){.conversation = "c", .time_ms = test_now_ms - 7 * DAY_MS, .took_ms = 2});
    struct pending pending = waiting(1); // waiting work never expires
    ledger_put_pending(batch, &pending);
    write_and_free(&f, &batch);

    assert_int_equal(ledger_seen(f.ledger, "old", &seen), LEDGER_ABSENT);
    assert_int_equal(ledger_seen(f.ledger, "young", &seen), LEDGER_OK);
    assert_int_equal(ledger_lane(f.ledger, "old", &lane, f.arena), LEDGER_OK);
    ledger_expire(f.ledger);
    assert_int_equal(ledger_lane(f.ledger, "old", &lane, f.arena), LEDGER_ABSENT);
    assert_int_equal(ledger_lane(f.ledger, "young", &lane, f.arena), LEDGER_OK);
    assert_int_equal(ledger_ticket(f.ledger, 1, &ticket, f.arena), LEDGER_ABSENT);
    assert_int_equal(ledger_ticket(f.ledger, 2, &ticket, f.arena), LEDGER_OK);
    assert_int_equal(ledger_each_history(f.ledger, "c", take_history, &got), LEDGER_OK);
    assert_numbers(&got, 1, young);
    assert_int_equal(ledger_pending(f.ledger, 1, &pending, f.arena), LEDGER_OK);

    // Gone from the disk, not only hidden: a clock set back does not bring it back.
    test_now_ms -= 20 * DAY_MS;
    assert_int_equal(ledger_seen(f.ledger, "old", &seen), LEDGER_ABSENT);
    assert_int_equal(ledger_seen(f.ledger, "young", &seen), LEDGER_OK);
    test_now_ms += 20 * DAY_MS;
    tear_down(&f);
}

// ---- crashes --------------------------------------------------------------------------------------------------------

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

// Runs this program again with `what` and the folder; its standard output can be read from the descriptor returned.
static int spawn(struct fixture *f, const char *what, pid_t *pid)
{
    int pipe_fds[2];
    char command[16];
    char *argv[] = {"test_ledger", command, f->dir, NULL};
    posix_spawn_file_actions_t actions;

    snprintf(command, sizeof command, "%s", what);
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
    assert_int_equal(posix_spawn(pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[1]);
    return pipe_fds[0];
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

// ---- refusals -------------------------------------------------------------------------------------------------------

static void assert_refused(const char *dir, const char *part_of_sentence)
{
    char error[512] = "";
    struct ledger *ledger = ledger_open(dir, &options, error, sizeof error);
    assert_null(ledger);
    if (!strstr(error, part_of_sentence))
        print_message("got: %s\n", error);
    assert_non_null(strstr(error, part_of_sentence));
    assert_null(strchr(error, '\n'));
}

static void refuses_a_second_opening(void **state)
{
    struct fixture f;
    pid_t pid = 0;
    char text[512] = "";

    (void)state;
    set_up(&f);
    assert_refused(f.dir, "in use by another process");
    int fd = spawn(&f, "try", &pid); // and from another process
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "in use by another process"));
    close(fd);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    tear_down(&f);
}

static void refuses_a_newer_format(void **state)
{
    struct fixture f;
    char *problem = NULL;

    (void)state;
    set_up(&f);
    ledger_close(&f.ledger);
    rocksdb_options_t *raw = rocksdb_options_create();
    const char *names[] = {"default", "seen", "pending", "hints", "lanes", "tickets", "dead", "history"};
    rocksdb_column_family_handle_t *handles[8];
    const rocksdb_options_t *each[8] = {raw, raw, raw, raw, raw, raw, raw, raw};
    rocksdb_t *db = rocksdb_open_column_families(raw, f.dir, 8, names, each, handles, &problem);
    assert_null(problem);
    rocksdb_writeoptions_t *how = rocksdb_writeoptions_create();
    rocksdb_put(db, how, "format", 6, "\0\0\0\0\0\0\0\2", 8, &problem);
    assert_null(problem);
    rocksdb_column_family_handle_t *newer = rocksdb_create_column_family(db, raw, "newer", &problem);
    assert_null(problem);
    rocksdb_drop_column_family(db, newer, &problem);
    rocksdb_column_family_handle_destroy(newer);
    for (int i = 0; i < 8; i++)
        rocksdb_column_family_handle_destroy(handles[i]);
    rocksdb_close(db);
    rocksdb_writeoptions_destroy(how);
    rocksdb_options_destroy(raw);
    assert_refused(f.dir, "install the newer version");
    tear_down(&f);
}

static void refuses_tables_it_does_not_know(void **state)
{
    struct fixture f;
    char *problem = NULL;

    (void)state;
    set_up(&f);
    ledger_close(&f.ledger);
    rocksdb_options_t *raw = rocksdb_options_create();
    const char *names[] = {"default", "seen", "pending", "hints", "lanes", "tickets", "dead", "history"};
    rocksdb_column_family_handle_t *handles[9];
    const rocksdb_options_t *each[8] = {raw, raw, raw, raw, raw, raw, raw, raw};
    rocksdb_t *db = rocksdb_open_column_families(raw, f.dir, 8, names, each, handles, &problem);
    assert_null(problem);
    handles[8] = rocksdb_create_column_family(db, raw, "newer", &problem);
    assert_null(problem);
    for (int i = 0; i < 9; i++)
        rocksdb_column_family_handle_destroy(handles[i]);
    rocksdb_close(db);
    rocksdb_options_destroy(raw);
    assert_refused(f.dir, "newer Deskbell");
    tear_down(&f);
}

static int spoil_manifest(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)type;
    if (info->st_size > 40 && strncmp(path + where->base, "MANIFEST-", 9) == 0) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, "damaged!", 8, 20), 8);
        close(fd);
    }
    return 0;
}

static void refuses_a_damaged_ledger(void **state)
{
    struct fixture f;
    char path[128];

    (void)state;
    set_up(&f);
    ledger_close(&f.ledger);
    assert_int_equal(nftw(f.dir, spoil_manifest, 16, FTW_PHYS), 0);
    assert_refused(f.dir, "restore a backup");
    // Without CURRENT, RocksDB would begin anew and forget everything.
    snprintf(path, sizeof path, "%s/CURRENT", f.dir);
    assert_int_equal(unlink(path), 0);
    assert_refused(f.dir, "restore a backup");
    tear_down(&f);
}

static void refuses_folders_it_cannot_use(void **state)
{
    struct fixture f;
    char path[128];

    (void)state;
    set_up(&f);
    snprintf(path, sizeof path, "%s/missing/deeper", f.dir);
    assert_refused(path, "does not exist");
    snprintf(path, sizeof path, "%s/CURRENT", f.dir);
    assert_refused(path, "something else");
    tear_down(&f);
}

static void keeps_the_folder_private(void **state)
{
    struct fixture f;
    struct stat info;

    (void)state;
    set_up(&f);
    assert_int_equal(stat(f.dir, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    assert_int_equal(chmod(f.dir, 0755), 0);
    open_again(&f);
    assert_int_equal(stat(f.dir, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    assert_true(ledger_free_bytes(f.ledger) > 0);
    tear_down(&f);
}

static void tells_an_unreadable_value_from_an_absent_one(void **state)
{
    struct fixture f;
    char *problem = NULL;
    struct seen seen;
    struct numbers got = {0};
    const uint64_t readable[] = {9};

    (void)state;
    set_up(&f);
    struct ledger_batch *batch = ledger_batch_new();
    struct pending nine = waiting(9);
    ledger_put_pending(batch, &nine);
    write_and_free(&f, &batch);
    ledger_close(&f.ledger);
    rocksdb_options_t *raw = rocksdb_options_create();
    const char *names[] = {"default", "seen", "pending", "hints", "lanes", "tickets", "dead", "history"};
    rocksdb_column_family_handle_t *handles[8];
    const rocksdb_options_t *each[8] = {raw, raw, raw, raw, raw, raw, raw, raw};
    rocksdb_t *db = rocksdb_open_column_families(raw, f.dir, 8, names, each, handles, &problem);
    assert_null(problem);
    rocksdb_writeoptions_t *how = rocksdb_writeoptions_create();
    rocksdb_put_cf(db, how, handles[1], "k", 1, "junk", 4, &problem);
    assert_null(problem);
    rocksdb_put_cf(db, how, handles[2], "\0\0\0\0\0\0\0\1", 8, "junk", 4, &problem);
    assert_null(problem);
    for (int i = 0; i < 8; i++)
        rocksdb_column_family_handle_destroy(handles[i]);
    rocksdb_close(db);
    rocksdb_writeoptions_destroy(how);
    rocksdb_options_destroy(raw);

    open_again(&f);
    assert_int_equal(ledger_seen(f.ledger, "k", &seen), LEDGER_ERROR);
    assert_int_equal(ledger_each_pending(f.ledger, take_pending, &got), LEDGER_ERROR);
    assert_numbers(&got, 1, readable);
    ledger_expire(f.ledger); // keeps what it cannot read
    assert_int_equal(ledger_seen(f.ledger, "k", &seen), LEDGER_ERROR);
    tear_down(&f);
}

static void an_empty_batch_is_a_probe(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    struct ledger_batch *batch = ledger_batch_new();
    write_and_free(&f, &batch);
    open_again(&f);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc == 3 && strcmp(argv[1], "write") == 0)
        return write_for_ever(argv[2]);
    if (argc == 3 && strcmp(argv[1], "fail") == 0)
        return write_until_it_fails(argv[2]);
    if (argc == 3 && strcmp(argv[1], "try") == 0) {
        char error[512] = "";
        struct ledger *ledger = ledger_open(argv[2], &options, error, sizeof error);
        puts(ledger ? "opened" : error);
        ledger_close(&ledger);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_and_reads_every_record),
        cmocka_unit_test(scans_in_order_and_deletes),
        cmocka_unit_test(keeps_the_history_of_each_conversation_apart),
        cmocka_unit_test(raises_the_epoch_at_each_opening),
        cmocka_unit_test(hides_expired_keys_and_drops_them_by_compaction),
        cmocka_unit_test(keeps_everything_acked_through_kill_9),
        cmocka_unit_test(a_failed_write_returns_and_leaves_the_acked_whole),
        cmocka_unit_test(refuses_a_second_opening),
        cmocka_unit_test(refuses_a_newer_format),
        cmocka_unit_test(refuses_tables_it_does_not_know),
        cmocka_unit_test(refuses_a_damaged_ledger),
        cmocka_unit_test(refuses_folders_it_cannot_use),
        cmocka_unit_test(keeps_the_folder_private),
        cmocka_unit_test(tells_an_unreadable_value_from_an_absent_one),
        cmocka_unit_test(an_empty_batch_is_a_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
