// SPDX-License-Identifier: Apache-2.0
// Damage that is no torn tail: bits that changed in the middle of a log or a table, files that are gone or cut short.
// The ledger does not open then, with a sentence, and never without a part of what it held.
#include "test_ledger.h"

#include <dirent.h>

#include "http-front/ledger/ledger_wal.h"

enum { FRAGMENT_HEADER = 7, BLOCK = 32768, RECORDS = 40 };

// ---- files ----------------------------------------------------------------------------------------------------------

struct bytes {
    uint8_t *data;
    size_t size;
};

static struct bytes read_all(const char *path)
{
    struct bytes bytes = {0};
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    bytes.size = (size_t)info.st_size;
    bytes.data = malloc(bytes.size + 1);
    assert_non_null(bytes.data);
    assert_int_equal(read(fd, bytes.data, bytes.size), bytes.size);
    close(fd);
    return bytes;
}

static void write_all(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

// Paths of the files whose names end so, oldest first.
struct paths {
    char items[32][160];
    size_t count;
};

static int compare_paths(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct paths files(struct fixture *f, const char *end)
{
    struct paths paths = {0};
    DIR *folder = opendir(f->dir);
    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        size_t length = strlen(entry->d_name);
        if (length > strlen(end) && strcmp(entry->d_name + length - strlen(end), end) == 0) {
            assert_true(paths.count < 32);
            snprintf(paths.items[paths.count++], sizeof paths.items[0], "%s/%.64s", f->dir, entry->d_name);
        }
    }
    closedir(folder);
    qsort(paths.items, paths.count, sizeof paths.items[0], compare_paths);
    return paths;
}

// ---- what it holds --------------------------------------------------------------------------------------------------

static void put_records(struct fixture *f, uint64_t from, uint64_t until)
{
    char text[3001];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (uint64_t seq = from; seq <= until; seq++) {
        struct part part = {.kind = PART_TEXT, .text = text};
        struct pending pending = waiting(seq);
        struct ledger_batch *batch = ledger_batch_new();
        char key[32];
        snprintf(key, sizeof key, "k%llu", (unsigned long long)seq);
        pending.event.parts.items = &part;
        pending.event.parts.count = 1;
        ledger_put_pending(batch, &pending);
        ledger_put_seen(batch, key, SEEN_ACCEPTED, test_now_ms);
        write_and_free(f, &batch);
    }
}

static bool count_one(void *arg, const struct pending *pending)
{
    uint64_t *count = arg;
    assert_int_equal(pending->seq, *count + 1); // in a row from 1: only an end may be missing
    (*count)++;
    return true;
}

// Opens it and says how many records there are; -1 when it is refused with the sentence for damage.
static int records_or_refused(struct fixture *f)
{
    char error[512] = "";
    uint64_t count = 0;
    struct ledger *ledger = ledger_open(f->dir, &options, error, sizeof error);
    if (!ledger) {
        if (!strstr(error, "is damaged") || !strstr(error, "restore a backup"))
            print_message("got: %s\n", error);
        assert_non_null(strstr(error, "is damaged"));
        assert_non_null(strstr(error, "restore a backup"));
        assert_null(strchr(error, '\n'));
        return -1;
    }
    assert_int_equal(ledger_each_pending(ledger, count_one, &count), LEDGER_OK);
    ledger_close(&ledger);
    return (int)count;
}

static size_t fragment_bytes(const uint8_t *at)
{
    return FRAGMENT_HEADER + (size_t)at[4] + ((size_t)at[5] << 8);
}

// ---- tests ----------------------------------------------------------------------------------------------------------

// Every header byte of every fragment and a byte of each one's middle, in turn, by the log's own reader; what this
// calls whole may only be a log whose last fragment looks cut off.
static void any_spoilt_byte_of_a_log_is_noticed(void **state)
{
    struct fixture f;
    char why[256];
    size_t tried = 0;
    size_t passed = 0;

    (void)state;
    set_up(&f);
    put_records(&f, 1, RECORDS);
    ledger_close(&f.ledger);
    struct paths logs = files(&f, ".log");
    assert_int_equal(logs.count, 1);
    struct bytes log = read_all(logs.items[0]);
    assert_true(log.size > 3 * (size_t)BLOCK);
    assert_true(ledger_wal_whole(f.dir, why, sizeof why));
    for (size_t at = 0; at + FRAGMENT_HEADER <= log.size;) {
        size_t bytes = fragment_bytes(log.data + at);
        bool last = at + bytes >= log.size;
        for (size_t i = 0; i <= FRAGMENT_HEADER; i++) {
            size_t place = at + (i < FRAGMENT_HEADER ? i : bytes / 2);
            for (size_t bit = 0; bit < 8; bit += i == FRAGMENT_HEADER ? 8 : rather(1, 5)) {
                log.data[place] ^= (uint8_t)(1 << bit);
                write_all(logs.items[0], log.data, log.size);
                bool whole = ledger_wal_whole(f.dir, why, sizeof why);
                log.data[place] ^= (uint8_t)(1 << bit);
                tried++;
                passed += whole;
                // Only a longer length, which looks like a write that was cut off, and only at the end.
                assert_true(!whole || (last && (i == 4 || i == 5)));
            }
        }
        at += bytes;
        if (BLOCK - at % BLOCK < FRAGMENT_HEADER)
            at += BLOCK - at % BLOCK;
    }
    print_message("%zu spoilt bits, %zu taken for a torn tail\n", tried, passed);
    free(log.data);
    tear_down(&f);
}

// What RocksDB itself would take for the end of the log, though records follow.
static void damage_that_looks_like_the_end_is_refused(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    put_records(&f, 1, RECORDS);
    ledger_close(&f.ledger);
    struct paths logs = files(&f, ".log");
    struct bytes log = read_all(logs.items[0]);
    // The length of a record in the last block: it seems to go on behind the end.
    size_t at = log.size / BLOCK * BLOCK;
    at += fragment_bytes(log.data + at);
    uint8_t length = log.data[at + 5];
    log.data[at + 5] = 0x7f;
    write_all(logs.items[0], log.data, log.size);
    assert_int_equal(records_or_refused(&f), -1);
    assert_int_equal(records_or_refused(&f), -1); // being refused changed nothing
    log.data[at + 5] = length;
    // Zeros over a record: space that seems not yet used.
    memset(log.data + at, 0, fragment_bytes(log.data + at));
    write_all(logs.items[0], log.data, log.size);
    assert_int_equal(records_or_refused(&f), -1);
    free(log.data);
    tear_down(&f);
}

static void a_torn_end_opens_without_the_torn_record(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    put_records(&f, 1, RECORDS);
    ledger_close(&f.ledger);
    struct paths logs = files(&f, ".log");
    struct stat info;
    assert_int_equal(stat(logs.items[0], &info), 0);
    assert_int_equal(truncate(logs.items[0], info.st_size - 100), 0);
    assert_int_equal(records_or_refused(&f), RECORDS - 1);
    tear_down(&f);
}

// Expiry writes the tables of seen keys, not those of waiting work: two logs are needed then.
static void make_two_logs(struct fixture *f, struct paths *logs)
{
    put_records(f, 1, RECORDS / 2);
    ledger_expire(f->ledger);
    put_records(f, RECORDS / 2 + 1, RECORDS);
    ledger_close(&f->ledger);
    *logs = files(f, ".log");
    assert_int_equal(logs->count, 2);
}

static void an_older_log_that_was_cut_short_is_refused(void **state)
{
    struct fixture f;
    struct paths logs;

    (void)state;
    set_up(&f);
    make_two_logs(&f, &logs);
    struct bytes older = read_all(logs.items[0]);
    // In the middle of a record, and exactly behind one, where nothing looks torn.
    write_all(logs.items[0], older.data, older.size - 100);
    assert_int_equal(records_or_refused(&f), -1);
    size_t at = 0;
    while (at + fragment_bytes(older.data + at) < BLOCK / 2)
        at += fragment_bytes(older.data + at);
    write_all(logs.items[0], older.data, at);
    assert_int_equal(records_or_refused(&f), -1);
    write_all(logs.items[0], older.data, older.size);
    assert_int_equal(records_or_refused(&f), RECORDS);
    free(older.data);
    tear_down(&f);
}

// Puts everything into tables.
static void flush_by_backup(struct fixture *f)
{
    char error[512];
    char dir[96];
    snprintf(dir, sizeof dir, "%.*s/copy", (int)(strrchr(f->dir, '/') - f->dir), f->dir);
    assert_true(ledger_backup(f->ledger, dir, error, sizeof error));
}

static void a_damaged_table_of_waiting_work_is_refused(void **state)
{
    struct fixture f;
    struct seen seen;
    int refused = 0;
    int opened = 0;

    (void)state;
    set_up(&f);
    put_records(&f, 1, RECORDS);
    flush_by_backup(&f);
    ledger_close(&f.ledger);
    struct paths tables = files(&f, ".sst");
    assert_true(tables.count >= 2);
    for (size_t i = 0; i < tables.count; i++) {
        struct bytes table = read_all(tables.items[i]);
        // The first block holds records; a copy in a new file, since the backup shares this one.
        table.data[20] ^= 0x10;
        assert_int_equal(unlink(tables.items[i]), 0);
        write_all(tables.items[i], table.data, table.size);
        if (records_or_refused(&f) == -1) {
            refused++;
        } else {
            // Seen keys are not read at the start: but asked for, one is an error and not an absence.
            open_again(&f);
            assert_int_equal(ledger_seen(f.ledger, "k1", &seen), LEDGER_ERROR);
            ledger_close(&f.ledger);
            opened++;
        }
        // Cut short, or gone: never opened.
        write_all(tables.items[i], table.data, table.size / 2);
        assert_int_equal(records_or_refused(&f), -1);
        assert_int_equal(unlink(tables.items[i]), 0);
        assert_int_equal(records_or_refused(&f), -1);
        table.data[20] ^= 0x10;
        write_all(tables.items[i], table.data, table.size);
        assert_int_equal(records_or_refused(&f), RECORDS);
        free(table.data);
    }
    assert_true(refused >= 1);
    assert_true(opened >= 1);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    (void)argc;
    test_program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_spoilt_byte_of_a_log_is_noticed),
        cmocka_unit_test(damage_that_looks_like_the_end_is_refused),
        cmocka_unit_test(a_torn_end_opens_without_the_torn_record),
        cmocka_unit_test(an_older_log_that_was_cut_short_is_refused),
        cmocka_unit_test(a_damaged_table_of_waiting_work_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
