// SPDX-License-Identifier: Apache-2.0
// The embedded engine: opening, writing and closing one RocksDB with a column family per table. What it promises: a
// batch is on disk, whole, when ledger_write returned true; memory and the engine's own log files stay small; a ledger
// that is in use, damaged or from a newer Deskbell is refused with a sentence, never repaired silently.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "http-front/ledger/ledger_backup.h"
#include "http-front/ledger/ledger_engine.h"
#include "http-front/ledger/ledger_wal.h"
#include "proto/clock.h"
#include "proto/log.h"

// Raised when what is on disk changes in a way that older programs cannot read: also whenever a record's version rises.
// 1: the first (tests/data/ledger-v1). 2: lanes have their version 2. 3: events
// version 3, lanes and what steps found 4, hints and history 2; calls. 4: pending has its version 2.
enum { LEDGER_FORMAT = 4 };

// One server of a shop: 16 MB of cache and at most 24 MB of unwritten tables, however many column families there are.
static const size_t cache_bytes = (size_t)16 << 20;
static const size_t buffers_bytes = (size_t)24 << 20;
static const size_t buffer_bytes = (size_t)8 << 20;
static const uint64_t wal_bytes = (uint64_t)32 << 20;
static const uint64_t table_file_bytes = (uint64_t)8 << 20;
static const uint64_t first_level_bytes = (uint64_t)64 << 20;
static const double bloom_bits = 10.0;

enum { COUNTER_BITS = 40, CLOCK_EVERY_MS = 10 * 60 * 1000 };

static uint64_t real_now_ms(void)
{
    return (uint64_t)clock_wall_ms();
}

// ---- options --------------------------------------------------------------------------------------------------------

static rocksdb_options_t *options_new(rocksdb_cache_t *cache)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_create_missing_column_families(options, 1);
    // A write that was cut off by a crash is dropped; damage anywhere else refuses the start. Recycled log files would
    // make old records look like damage.
    rocksdb_options_set_wal_recovery_mode(options, rocksdb_tolerate_corrupted_tail_records_recovery);
    rocksdb_options_set_recycle_log_file_num(options, 0);
    rocksdb_options_set_max_total_wal_size(options, wal_bytes);
    rocksdb_options_set_db_write_buffer_size(options, buffers_bytes);
    rocksdb_options_set_write_buffer_size(options, buffer_bytes);
    rocksdb_options_set_arena_block_size(options, (size_t)256 << 10);
    rocksdb_options_set_max_background_jobs(options, 2);
    // One merge at a time, and of bounded size, so that it fits below the free-space floor with what is written
    // meanwhile.
    rocksdb_options_set_target_file_size_base(options, table_file_bytes);
    rocksdb_options_set_max_bytes_for_level_base(options, first_level_bytes);
    rocksdb_options_set_max_compaction_bytes(options, first_level_bytes);
    rocksdb_options_set_max_open_files(options, 256);
    rocksdb_options_set_max_manifest_file_size(options, (size_t)4 << 20);
    // RocksDB's own log: warnings, three files of a megabyte.
    rocksdb_options_set_info_log_level(options, 2);
    rocksdb_options_set_keep_log_file_num(options, 3);
    rocksdb_options_set_max_log_file_size(options, (size_t)1 << 20);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);

    rocksdb_block_based_table_options_t *tables = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(tables, cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(tables, 1);
    // Nearly every key asked for in `seen` is new; the filter saves the disk that question.
    rocksdb_block_based_options_set_filter_policy(tables, rocksdb_filterpolicy_create_bloom_full(bloom_bits));
    rocksdb_options_set_block_based_table_factory(options, tables);
    rocksdb_block_based_options_destroy(tables);
    return options;
}

// ---- opening --------------------------------------------------------------------------------------------------------

// Turns the engine's message into a sentence that says what to do.
static void explain(const char *dir, const char *message, char *error, size_t error_size)
{
    if (strstr(message, "lock hold by current process") || strstr(message, "While lock file"))
        snprintf(error, error_size, "the ledger in %s is in use by another process; stop that one first (%s)", dir,
                 message);
    else if (strstr(message, "No space left"))
        snprintf(error, error_size, "no space left for the ledger in %s; free some and start again", dir);
    else if (strstr(message, "Permission denied") || strstr(message, "Read-only file system"))
        snprintf(error, error_size,
                 "the ledger in %s cannot be written; make the folder and all in it belong to the user Deskbell runs "
                 "as (%s)",
                 dir, message);
    else if (strstr(message, "Column families not opened"))
        snprintf(error, error_size,
                 "the ledger in %s was written by a newer Deskbell; install that version or newer (%s)", dir, message);
    else if (strstr(message, "Corruption") || strstr(message, "does not exist") || strstr(message, "No such file"))
        snprintf(error, error_size,
                 "the ledger in %s is damaged and Deskbell does not start on it: restore a backup of the folder, or "
                 "move it away to begin empty, which forgets everything undelivered (%s)",
                 dir, message);
    else
        snprintf(error, error_size, "the ledger in %s cannot be opened: %s", dir, message);
}

static bool make_dir(const char *dir, char *error, size_t error_size)
{
    struct stat info;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        if (errno == ENOENT)
            snprintf(error, error_size, "the folder that should hold the ledger %s does not exist; make it", dir);
        else
            explain(dir, strerror(errno), error, error_size);
        return false;
    }
    if (stat(dir, &info) != 0 || !S_ISDIR(info.st_mode)) {
        snprintf(error, error_size, "%s must be a folder for the ledger, and is something else", dir);
        return false;
    }
    if ((info.st_mode & 07777) != 0700 && chmod(dir, 0700) != 0) {
        explain(dir, strerror(errno), error, error_size);
        return false;
    }
    return true;
}

// RocksDB begins a new database where its CURRENT file is missing, even with everything else still there. That would
// forget all silently, so it is taken as the damage it is. A manifest alone is no such thing: the very first opening
// was interrupted, which writes CURRENT before any log or table.
static bool check_whole(const char *dir, char *error, size_t error_size)
{
    bool current = false;
    bool more = false;
    DIR *folder = opendir(dir);
    if (!folder) {
        explain(dir, strerror(errno), error, error_size);
        return false;
    }
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        current = current || strcmp(entry->d_name, "CURRENT") == 0;
        more = more || strstr(entry->d_name, ".log") || strstr(entry->d_name, ".sst");
    }
    closedir(folder);
    if (!more || current)
        return true;
    explain(dir, "Corruption: CURRENT is missing", error, error_size);
    return false;
}

static bool check_log(const char *dir, char *error, size_t error_size)
{
    char why[256];
    char message[300];
    if (ledger_wal_whole(dir, why, sizeof why))
        return true;
    snprintf(message, sizeof message, "Corruption: %s", why);
    explain(dir, message, error, error_size);
    return false;
}

static bool open_tables(struct ledger *self, char *error, size_t error_size)
{
#define TABLE_NAME(name, text, person) text,
    static const char *const names[TABLES] = {LEDGER_TABLES(TABLE_NAME)};
#undef TABLE_NAME
    rocksdb_cache_t *cache = rocksdb_cache_create_lru(cache_bytes);
    rocksdb_options_t *options = options_new(cache);
    rocksdb_options_t *each[TABLES];
    char *problem = NULL;

    for (int i = 0; i < TABLES; i++) {
        each[i] = options_new(cache);
        ledger_expiry_install(each[i], (enum ledger_table)i, self);
    }
    self->db = rocksdb_open_column_families(options, self->dir, TABLES, names, (const rocksdb_options_t *const *)each,
                                            self->tables, &problem);
    for (int i = 0; i < TABLES; i++)
        rocksdb_options_destroy(each[i]);
    rocksdb_options_destroy(options);
    rocksdb_cache_destroy(cache); // the tables hold it
    if (problem) {
        explain(self->dir, problem, error, error_size);
        rocksdb_free(problem);
        self->db = NULL;
        return false;
    }
    return true;
}

// A number of the meta table; 0 when it is not there yet.
static bool get_meta(struct ledger *self, const char *name, uint64_t *value, char *error, size_t error_size)
{
    char *problem = NULL;
    size_t size = 0;
    char *bytes =
        rocksdb_get_cf(self->db, self->reading, self->tables[TABLE_META], name, strlen(name), &size, &problem);
    *value = 0;
    if (problem || (bytes && size != LEDGER_NUMBER_BYTES)) {
        explain(self->dir, problem ? problem : "Corruption: meta record", error, error_size);
        rocksdb_free(problem);
        rocksdb_free(bytes);
        return false;
    }
    if (bytes)
        *value = ledger_get_number((const uint8_t *)bytes);
    rocksdb_free(bytes);
    return true;
}

static void put_meta(struct ledger *self, rocksdb_writebatch_t *batch, const char *name, uint64_t value)
{
    uint8_t bytes[LEDGER_NUMBER_BYTES];
    ledger_put_number(bytes, value);
    rocksdb_writebatch_put_cf(batch, self->tables[TABLE_META], name, strlen(name), (const char *)bytes, sizeof bytes);
}

// Keeps the last believed time on disk, not much older than it is.
static void put_clock(struct ledger *self, rocksdb_writebatch_t *batch)
{
    uint64_t now = 0;
    if (!ledger_clock_read(&self->clock, &now))
        return;
    uint64_t highest = atomic_load(&self->clock.highest_ms);
    if (highest < self->clock_written_ms + CLOCK_EVERY_MS && highest >= self->clock_written_ms)
        return;
    put_meta(self, batch, "clock", highest);
    self->clock_written_ms = highest;
}

// Reads everything that waits, before any of it is handed out: a damaged block would hide work that was answered. Lanes
// and seen keys are not read here, there may be years of them; a damaged block there is an error when it is asked for,
// never an absence, and the daily expiry looks for it.
static bool check_work(struct ledger *self, char *error, size_t error_size)
{
    static const enum ledger_table tables[] = {TABLE_META, TABLE_PENDING, TABLE_HINTS, TABLE_DEAD};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char *problem = ledger_damage(self, tables[i]);
        if (problem) {
            explain(self->dir, problem, error, error_size);
            rocksdb_free(problem);
            return false;
        }
    }
    return true;
}

// Checks the format and makes this opening's epoch durable: from here on no number handed out was ever handed out
// before.
static bool begin_epoch(struct ledger *self, char *error, size_t error_size)
{
    uint64_t format = 0;
    uint64_t restored = 0;
    uint64_t believed_ms = 0;
    struct ledger_marker marker;
    if (!get_meta(self, "format", &format, error, error_size) ||
        !get_meta(self, "epoch", &self->epoch, error, error_size) ||
        !get_meta(self, "restored", &restored, error, error_size) ||
        !get_meta(self, "clock", &believed_ms, error, error_size) ||
        !ledger_marker_read(self->dir, &marker, error, error_size))
        return false;
    if (format > LEDGER_FORMAT) {
        snprintf(error, error_size,
                 "the ledger in %s has format %llu and this Deskbell knows formats up to %d; install the newer version",
                 self->dir, (unsigned long long)format, LEDGER_FORMAT);
        return false;
    }
    ledger_clock_begin(&self->clock, self->options.now_ms, believed_ms);
    // The first opening of this copy; later ones find its number in the ledger.
    bool jump = marker.number != 0 && marker.number != restored;
    self->epoch = jump ? ledger_epoch_after_restore(self->epoch, self->options.now_ms()) : self->epoch + 1;
    atomic_store(&self->restored_ms, marker.taken_ms);
    if (self->epoch >> (64 - COUNTER_BITS)) {
        snprintf(error, error_size, "the ledger in %s was opened too often; begin with an empty one", self->dir);
        return false;
    }
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    put_meta(self, batch, "format", LEDGER_FORMAT);
    put_meta(self, batch, "epoch", self->epoch);
    if (jump)
        put_meta(self, batch, "restored", marker.number);
    put_clock(self, batch);
    char *problem = NULL;
    rocksdb_write(self->db, self->synced, batch, &problem);
    rocksdb_writebatch_destroy(batch);
    if (problem) {
        explain(self->dir, problem, error, error_size);
        rocksdb_free(problem);
        return false;
    }
    return true;
}

struct ledger *ledger_open(const char *dir, const struct ledger_options *options, char *error, size_t error_size)
{
    if (!make_dir(dir, error, error_size) || !check_whole(dir, error, error_size) || !check_log(dir, error, error_size))
        return NULL;
    struct ledger *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->options = *options;
    if (!self->options.now_ms)
        self->options.now_ms = real_now_ms;
    self->clock.now_ms = self->options.now_ms; // not believed before begin_epoch: no filter drops anything until then
    self->dir = strdup(dir);
    if (!self->dir)
        abort();
    self->synced = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(self->synced, 1);
    self->reading = rocksdb_readoptions_create();
    if (!open_tables(self, error, error_size) || !check_work(self, error, error_size) ||
        !begin_epoch(self, error, error_size))
        ledger_close(&self);
    return self;
}

void ledger_close(struct ledger **self)
{
    struct ledger *ledger = *self;
    if (!ledger)
        return;
    if (ledger->db) {
        for (int i = 0; i < TABLES; i++)
            rocksdb_column_family_handle_destroy(ledger->tables[i]);
        rocksdb_close(ledger->db);
    }
    rocksdb_writeoptions_destroy(ledger->synced);
    rocksdb_readoptions_destroy(ledger->reading);
    free(ledger->dir);
    free(ledger);
    *self = NULL;
}

// ---- working --------------------------------------------------------------------------------------------------------

uint64_t ledger_epoch(const struct ledger *self)
{
    return self->epoch;
}

uint64_t ledger_next(struct ledger *self)
{
    uint64_t counter = atomic_fetch_add(&self->counter, 1) + 1;
    if (counter >> COUNTER_BITS)
        abort(); // a trillion in one run: the next opening has a new epoch
    return self->epoch << COUNTER_BITS | counter;
}

bool ledger_write(struct ledger *self, const struct ledger_batch *batch)
{
    rocksdb_writebatch_t *out = rocksdb_writebatch_create();
    struct ledger_op op;
    char *problem = NULL;

    for (size_t at = 0; ledger_batch_next(batch, &at, &op);) {
        rocksdb_column_family_handle_t *table = self->tables[op.table];
        if (op.remove)
            rocksdb_writebatch_delete_cf(out, table, (const char *)op.key, op.key_size);
        else
            rocksdb_writebatch_put_cf(out, table, (const char *)op.key, op.key_size, (const char *)op.value,
                                      op.value_size);
    }
    if (ledger_batch_empty(batch))
        put_meta(self, out, "probe", self->options.now_ms());
    put_clock(self, out);
    rocksdb_write(self->db, self->synced, out, &problem);
    rocksdb_writebatch_destroy(out);
    if (problem && !self->failing)
        log_error("ledger_write_failed", "dir=%s error=%s", self->dir, problem);
    else if (!problem && self->failing)
        log_info("ledger_write_works_again", "dir=%s", self->dir);
    self->failing = problem != NULL;
    rocksdb_free(problem);
    return !self->failing;
}

void ledger_trust_clock(struct ledger *self, bool right)
{
    ledger_clock_judge(&self->clock, right);
}

bool ledger_clock_trusted(struct ledger *self)
{
    uint64_t now = 0;
    return ledger_clock_read(&self->clock, &now);
}

uint64_t ledger_stamp_ms(const struct ledger *self, uint64_t now_ms)
{
    uint64_t highest = atomic_load(&self->clock.highest_ms);
    return now_ms < highest ? highest : now_ms;
}

uint64_t ledger_free_bytes(const struct ledger *self)
{
    struct statvfs info;
    if (statvfs(self->dir, &info) != 0)
        return 0;
    return (uint64_t)info.f_bavail * info.f_frsize;
}
