// SPDX-License-Identifier: Apache-2.0
// What the ledger refuses to open, with which sentence, and how it takes values it cannot read.
#include "test_ledger.h"

#include <rocksdb/c.h>

// The database below a closed ledger, opened without any of its rules, to put in what the ledger never would.
static const char *const table_names[] = {"default", "seen", "pending", "hints", "lanes", "tickets", "dead", "history"};
enum { RAW_TABLES = 8 };

struct rawdb {
    rocksdb_options_t *options;
    rocksdb_writeoptions_t *how;
    rocksdb_column_family_handle_t *tables[RAW_TABLES];
    rocksdb_t *db;
};

static void raw_open(struct rawdb *raw, struct fixture *f)
{
    char *problem = NULL;
    const rocksdb_options_t *each[RAW_TABLES];

    ledger_close(&f->ledger);
    raw->options = rocksdb_options_create();
    raw->how = rocksdb_writeoptions_create();
    for (int i = 0; i < RAW_TABLES; i++)
        each[i] = raw->options;
    raw->db = rocksdb_open_column_families(raw->options, f->dir, RAW_TABLES, table_names, each, raw->tables, &problem);
    assert_null(problem);
}

static void raw_put(struct rawdb *raw, int table, const char *key, size_t key_size, const char *value, size_t size)
{
    char *problem = NULL;
    rocksdb_put_cf(raw->db, raw->how, raw->tables[table], key, key_size, value, size, &problem);
    assert_null(problem);
}

static void raw_close(struct rawdb *raw)
{
    for (int i = 0; i < RAW_TABLES; i++)
        rocksdb_column_family_handle_destroy(raw->tables[i]);
    rocksdb_close(raw->db);
    rocksdb_writeoptions_destroy(raw->how);
    rocksdb_options_destroy(raw->options);
}

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
    struct rawdb raw;

    (void)state;
    set_up(&f);
    raw_open(&raw, &f);
    raw_put(&raw, 0, "format", 6, "\0\0\0\0\0\0\1\0", 8);
    raw_close(&raw);
    assert_refused(f.dir, "install the newer version");
    tear_down(&f);
}

static void refuses_tables_it_does_not_know(void **state)
{
    struct fixture f;
    struct rawdb raw;
    char *problem = NULL;

    (void)state;
    set_up(&f);
    raw_open(&raw, &f);
    rocksdb_column_family_handle_t *newer = rocksdb_create_column_family(raw.db, raw.options, "newer", &problem);
    assert_null(problem);
    rocksdb_column_family_handle_destroy(newer);
    raw_close(&raw);
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
    struct rawdb raw;
    struct seen seen;
    struct numbers got = {0};
    const uint64_t readable[] = {9};

    (void)state;
    set_up(&f);
    struct ledger_batch *batch = ledger_batch_new();
    struct pending nine = waiting(9);
    ledger_put_pending(batch, &nine);
    write_and_free(&f, &batch);
    raw_open(&raw, &f);
    raw_put(&raw, 1, "k", 1, "junk", 4);
    raw_put(&raw, 2, "\0\0\0\0\0\0\0\1", 8, "junk", 4);
    raw_close(&raw);

    open_again(&f);
    assert_int_equal(ledger_seen(f.ledger, "k", &seen), LEDGER_ERROR);
    assert_int_equal(ledger_each_pending(f.ledger, take_pending, &got), LEDGER_ERROR);
    assert_numbers(&got, 1, readable);
    ledger_expire(f.ledger); // keeps what it cannot read
    assert_int_equal(ledger_seen(f.ledger, "k", &seen), LEDGER_ERROR);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    test_program = argv[0];
    if (argc == 3 && strcmp(argv[1], "try") == 0) {
        char error[512] = "";
        struct ledger *ledger = ledger_open(argv[2], &options, error, sizeof error);
        puts(ledger ? "opened" : error);
        ledger_close(&ledger);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_second_opening),
        cmocka_unit_test(refuses_a_newer_format),
        cmocka_unit_test(refuses_tables_it_does_not_know),
        cmocka_unit_test(refuses_a_damaged_ledger),
        cmocka_unit_test(refuses_folders_it_cannot_use),
        cmocka_unit_test(keeps_the_folder_private),
        cmocka_unit_test(tells_an_unreadable_value_from_an_absent_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
