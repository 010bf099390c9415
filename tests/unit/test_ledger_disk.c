// SPDX-License-Identifier: Apache-2.0
// Disks that fail and disks that fill, below a committer at work. First by a seam: write and fdatasync stand in this
// file and fail on demand for the ledger's files. Then a real small file system, a tmpfs in a mount namespace of its
// own, where the machine allows that.
#include "test_ledger.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "http-front/ledger/committer.h"
#include "proto/clock.h"

enum { PATIENCE_MS = 60000, NOT_PERMITTED = 77, TEXT_BYTES = 60000, MEGABYTE = 1 << 20 };

#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        int64_t until_ms = clock_mono_ms() + PATIENCE_MS;                                                              \
        while (!(condition)) {                                                                                         \
            assert_true(clock_mono_ms() < until_ms);                                                                   \
            sched_yield();                                                                                             \
        }                                                                                                              \
    } while (0)

// ---- the seam -------------------------------------------------------------------------------------------------------

static atomic_int sync_error;  // errno of each fdatasync of a file that ends with `spoilt`; 0: none
static atomic_int write_error; // likewise, after half of the bytes
static atomic_int failed_calls;
static const char *_Atomic spoilt = ".log";

static bool is_spoilt(int fd)
{
    char link[64];
    char path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    const char *end = atomic_load(&spoilt);
    size_t end_length = strlen(end);
    if (length <= (ssize_t)end_length)
        return false;
    path[length] = 0;
    // Not the test's own output, wherever that goes.
    return strstr(path, "/deskbell-ledger-") && strcmp(path + length - end_length, end) == 0;
}

int fdatasync(int fd)
{
    int error = atomic_load(&sync_error);
    if (error && is_spoilt(fd)) {
        atomic_fetch_add(&failed_calls, 1);
        errno = error;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

ssize_t write(int fd, const void *data, size_t size)
{
    int error = atomic_load(&write_error);
    if (error && is_spoilt(fd)) {
        atomic_fetch_add(&failed_calls, 1);
        // A full disk takes what fits before it says so.
        if (size > 1 && atomic_load(&failed_calls) == 1)
            return syscall(SYS_write, fd, data, size / 2);
        errno = error;
        return -1;
    }
    return syscall(SYS_write, fd, data, size);
}

// ---- a committer on it ----------------------------------------------------------------------------------------------

struct desk {
    struct fixture f;
    struct mailbox *mailbox;
    struct committer *committer;
    uint64_t floor;
};

static void begin(struct desk *desk)
{
    open_again(&desk->f);
    desk->mailbox = mailbox_new();
    desk->committer = committer_new(desk->f.ledger, desk->mailbox, &(struct committer_options){desk->floor, now_ms});
}

static void end(struct desk *desk)
{
    committer_free(&desk->committer);
    mailbox_free(&desk->mailbox);
    ledger_close(&desk->f.ledger);
}

static enum accept_result accept_number(struct desk *desk, size_t number, const char *text)
{
    char key[32];
    struct part part = {.kind = PART_TEXT, .text = text};
    struct event event = {.kind = EVENT_CUSTOMER_MESSAGE, .key = key, .conversation = "c", .parts = {&part, 1}};
    snprintf(key, sizeof key, "k%zu", number);
    return committer_accept(desk->committer, &event);
}

static bool has_number(struct desk *desk, size_t number)
{
    char key[32];
    struct seen seen;
    snprintf(key, sizeof key, "k%zu", number);
    return ledger_seen(desk->f.ledger, key, &seen) == LEDGER_OK;
}

// A commit as the dispatcher makes them: a lane changed. True when it is on disk.
static bool commit_lane(struct desk *desk, uint64_t ticket)
{
    struct commit *commit = calloc(1, sizeof *commit);
    bool ok = false;
    assert_non_null(commit);
    commit->batch = ledger_batch_new();
    commit->token = desk;
    ledger_put_lane(commit->batch, &(struct lane){.conversation = "c", .ticket_id = ticket, .updated_ms = test_now_ms});
    committer_submit(desk->committer, commit);
    for (bool told = false; !told;) {
        for (struct mail *mail = mailbox_take_all(desk->mailbox); mail;) {
            struct mail *next = mail->next;
            if (mail->kind == MAIL_COMMITTED) {
                told = true;
                ok = mail->ok;
            }
            mail_free(&mail);
            mail = next;
        }
        sched_yield();
    }
    return ok;
}

static void set_up_desk(struct desk *desk, uint64_t floor)
{
    *desk = (struct desk){.floor = floor};
    set_up(&desk->f);
    begin(desk);
}

static void tear_down_desk(struct desk *desk)
{
    end(desk);
    tear_down(&desk->f);
}

// ---- failing calls --------------------------------------------------------------------------------------------------

// After a failed sync the kernel may have dropped what it could not write and call the next sync a success. So nothing
// is promised by this opening of the ledger any more, though the disk seems well again.
static void a_failed_sync_is_never_glossed_over(void **state)
{
    struct desk desk;

    (void)state;
    set_up_desk(&desk, 0);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(accept_number(&desk, i, "text"), ACCEPT_STORED);
    atomic_store(&failed_calls, 0);
    atomic_store(&spoilt, ".log");
    atomic_store(&sync_error, EIO);
    assert_int_equal(accept_number(&desk, 20, "text"), ACCEPT_UNAVAILABLE);
    assert_true(atomic_load(&failed_calls) > 0);
    assert_false(committer_healthy(desk.committer));
    assert_true(committer_failing_ms(desk.committer) > 0);
    assert_int_equal(accept_number(&desk, 3, "text"), ACCEPT_DUPLICATE); // what was promised still is
    assert_false(commit_lane(&desk, 1));
    atomic_store(&sync_error, 0);
    uint64_t failing = committer_failing_ms(desk.committer);
    UNTIL(committer_failing_ms(desk.committer) > failing + 2500); // two probes of its own
    assert_false(committer_healthy(desk.committer));
    assert_int_equal(accept_number(&desk, 21, "text"), ACCEPT_UNAVAILABLE);

    // The front leaves and its successor opens: all that was promised, and it works.
    end(&desk);
    begin(&desk);
    for (size_t i = 0; i < 20; i++)
        assert_true(has_number(&desk, i));
    assert_false(has_number(&desk, 21));
    assert_true(committer_healthy(desk.committer));
    assert_true(commit_lane(&desk, 1));
    // The sender sends again what it got no 200 for.
    enum accept_result again = accept_number(&desk, 20, "text");
    assert_true(again == ACCEPT_STORED || again == ACCEPT_DUPLICATE);
    tear_down_desk(&desk);
}

static void write_fails(const char *file_end, int error)
{
    struct desk desk;
    size_t stored = 0;
    char *text = malloc(TEXT_BYTES + 1);

    assert_non_null(text);
    memset(text, 'x', TEXT_BYTES);
    text[TEXT_BYTES] = 0;
    set_up_desk(&desk, 0);
    for (; stored < 20; stored++)
        assert_int_equal(accept_number(&desk, stored, "text"), ACCEPT_STORED);
    atomic_store(&failed_calls, 0);
    atomic_store(&spoilt, file_end);
    atomic_store(&write_error, error);
    // A table is written only when enough has come together; a log is written at once.
    enum accept_result result = ACCEPT_STORED;
    for (; stored < 2000 && result == ACCEPT_STORED; stored += result == ACCEPT_STORED)
        result = accept_number(&desk, stored, text);
    assert_int_equal(result, ACCEPT_UNAVAILABLE);
    assert_true(atomic_load(&failed_calls) > 0);
    assert_false(committer_healthy(desk.committer));
    atomic_store(&write_error, 0);
    end(&desk);
    begin(&desk);
    for (size_t i = 0; i < stored; i++)
        assert_true(has_number(&desk, i));
    assert_int_equal(accept_number(&desk, stored + 1, "text"), ACCEPT_STORED);
    assert_true(commit_lane(&desk, 1));
    tear_down_desk(&desk);
    free(text);
}

static void a_log_that_cannot_be_written_loses_nothing_promised(void **state)
{
    (void)state;
    write_fails(".log", ENOSPC);
    write_fails(".log", EIO);
}

static void a_table_that_cannot_be_written_loses_nothing_promised(void **state)
{
    (void)state;
    write_fails(".sst", ENOSPC);
    write_fails(".sst", EIO);
}

// ---- a real small disk ----------------------------------------------------------------------------------------------

struct sender {
    struct desk *desk;
    pthread_t thread;
    size_t first;
    size_t stored;
};

static void *send_until_refused(void *arg)
{
    struct sender *sender = arg;
    char *text = malloc(TEXT_BYTES + 1);
    unsigned seed = (unsigned)sender->first;
    if (!text)
        abort();
    text[TEXT_BYTES] = 0;
    do {
        for (size_t i = 0; i < TEXT_BYTES; i++) // nothing that a table could pack
            text[i] = (char)(' ' + rand_r(&seed) % 90);
    } while (accept_number(sender->desk, sender->first + sender->stored, text) == ACCEPT_STORED && ++sender->stored);
    free(text);
    return NULL;
}

static void make_filler(const char *path, uint64_t bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(posix_fallocate(fd, 0, (off_t)bytes), 0);
    close(fd);
}

static bool own_small_disk(const char *dir)
{
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return false;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=160m,mode=0700") == 0;
}

// The child. Intake at full speed runs against the floor: the lowest that free space gets is reported.
static int fill_small_disk(const char *dir)
{
    enum { SENDERS = 8, FLOOR = 64 * MEGABYTE };
    struct desk desk = {.floor = FLOOR};
    struct sender senders[SENDERS];
    char filler[128];
    size_t stored = 0;

    if (!own_small_disk(dir))
        return NOT_PERMITTED;
    desk.f.arena = arena_new();
    snprintf(desk.f.dir, sizeof desk.f.dir, "%s/db", dir);
    snprintf(filler, sizeof filler, "%s/filler", dir);
    begin(&desk);
    make_filler(filler, 70 * (uint64_t)MEGABYTE);
    for (size_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.desk = &desk, .first = (i + 1) * 1000000};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_until_refused, &senders[i]), 0);
    }
    for (size_t i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        stored += senders[i].stored;
    }
    uint64_t lowest = ledger_free_bytes(desk.f.ledger);
    assert_true(stored > 100);
    assert_false(committer_healthy(desk.committer));
    assert_int_equal(committer_failing_ms(desk.committer), 0); // refused by the floor, not by a failure
    // At the floor what was begun is finished: more commits than events wait.
    for (uint64_t i = 1; i <= 2 * stored; i++) {
        assert_true(commit_lane(&desk, i));
        uint64_t free_bytes = ledger_free_bytes(desk.f.ledger);
        lowest = free_bytes < lowest ? free_bytes : lowest;
    }
    assert_int_equal(accept_number(&desk, 1, "text"), ACCEPT_UNAVAILABLE);
    ledger_expire(desk.f.ledger); // skips what there is no room for
    assert_true(lowest > FLOOR / 4);

    // Space is back: nobody has to do anything.
    assert_int_equal(unlink(filler), 0);
    UNTIL(committer_healthy(desk.committer));
    assert_int_equal(accept_number(&desk, 1, "text"), ACCEPT_STORED);
    end(&desk);
    begin(&desk);
    for (size_t i = 0; i < SENDERS; i++)
        for (size_t k = 0; k < senders[i].stored; k++)
            assert_true(has_number(&desk, senders[i].first + k));
    end(&desk);
    arena_free(&desk.f.arena);
    printf("%zu events of 60 KB, floor 64 MB, lowest free %.1f MB", stored, (double)lowest / MEGABYTE);
    return 0;
}

// The child. Something else fills the disk to the last byte, which no floor prevents.
static int fill_it_wholly(const char *dir)
{
    struct desk desk = {.floor = 0};
    char filler[128];
    size_t stored = 0;

    if (!own_small_disk(dir))
        return NOT_PERMITTED;
    desk.f.arena = arena_new();
    snprintf(desk.f.dir, sizeof desk.f.dir, "%s/db", dir);
    snprintf(filler, sizeof filler, "%s/filler", dir);
    begin(&desk);
    make_filler(filler, ledger_free_bytes(desk.f.ledger) - 4 * (uint64_t)MEGABYTE);
    struct sender sender = {.desk = &desk, .first = 1};
    (void)send_until_refused(&sender);
    stored = sender.stored;
    assert_false(committer_healthy(desk.committer));
    assert_int_equal(accept_number(&desk, 1, "text"), ACCEPT_DUPLICATE);
    assert_int_equal(unlink(filler), 0);
    // By itself or by an opening, both are right; in any case with all that was promised.
    int64_t until_ms = clock_mono_ms() + 10000;
    while (!committer_healthy(desk.committer) && clock_mono_ms() < until_ms)
        sched_yield();
    bool by_itself = committer_healthy(desk.committer);
    if (by_itself)
        assert_int_equal(accept_number(&desk, 9000001, "text"), ACCEPT_STORED);
    end(&desk);
    begin(&desk);
    for (size_t i = 0; i < stored; i++)
        assert_true(has_number(&desk, 1 + i));
    assert_true(!by_itself || has_number(&desk, 9000001));
    assert_int_equal(accept_number(&desk, 9000002, "text"), ACCEPT_STORED);
    end(&desk);
    arena_free(&desk.f.arena);
    printf("%zu events, then full; works again %s", stored, by_itself ? "by itself" : "after an opening");
    return 0;
}

static void run_on_small_disk(const char *what)
{
    struct fixture f = {0};
    char said[256] = "";
    pid_t pid = 0;
    int status = -1;

    strcpy(f.dir, "/tmp/deskbell-small-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    int fd = spawn(&f, what, &pid);
    size_t length = 0;
    for (ssize_t more = 1; more > 0 && length<sizeof said - 1; length += more> 0 ? (size_t)more : 0)
        more = read(fd, said + length, sizeof said - 1 - length);
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(rmdir(f.dir), 0); // the mount was the child's own
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_PERMITTED) {
        print_message("no mount is permitted here: %s not tried on a real file system\n", what);
        skip();
    }
    print_message("%s\n", said);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void the_floor_holds_on_a_real_disk(void **state)
{
    (void)state;
    run_on_small_disk("floor");
}

static void a_real_disk_filled_by_others_loses_nothing_promised(void **state)
{
    (void)state;
    run_on_small_disk("full");
}

int main(int argc, char **argv)
{
    test_program = argv[0];
    if (argc == 3 && strcmp(argv[1], "floor") == 0)
        return fill_small_disk(argv[2]);
    if (argc == 3 && strcmp(argv[1], "full") == 0)
        return fill_it_wholly(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_sync_is_never_glossed_over),
        cmocka_unit_test(a_log_that_cannot_be_written_loses_nothing_promised),
        cmocka_unit_test(a_table_that_cannot_be_written_loses_nothing_promised),
        cmocka_unit_test(the_floor_holds_on_a_real_disk),
        cmocka_unit_test(a_real_disk_filled_by_others_loses_nothing_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
