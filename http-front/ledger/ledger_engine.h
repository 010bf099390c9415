// SPDX-License-Identifier: Apache-2.0
// Inside the ledger folder only: the opened RocksDB, shared by the files that open, read and expire it.
#ifndef HTTP_FRONT_LEDGER_LEDGER_ENGINE_H
#define HTTP_FRONT_LEDGER_LEDGER_ENGINE_H
#include <rocksdb/c.h>
#include <stdatomic.h>

#include "http-front/ledger/ledger_clock.h"
#include "http-front/ledger/ledger_tables.h"

struct ledger {
    rocksdb_t *db;
    rocksdb_column_family_handle_t *tables[TABLES];
    rocksdb_writeoptions_t *synced;
    rocksdb_readoptions_t *reading;
    struct ledger_options options;
    char *dir;
    uint64_t epoch;
    _Atomic uint64_t counter;     // of ledger_next
    _Atomic uint64_t restored_ms; // when the backup was taken that this ledger was restored from; 0: none
    struct ledger_clock clock;
    atomic_bool stop_expiring;
    uint64_t clock_written_ms; // the writing thread's own, as is the next: the last believed time on disk
    bool failing;              // the last write failed, and that was logged
};

/** Gives `options` of `table` the compaction filter that drops what is past its time; does nothing for the other
 * tables. The filter uses the ledger's lifetimes and clock as long as the database is open. */
void ledger_expiry_install(rocksdb_options_t *options, enum ledger_table table, struct ledger *self);

/** Whether there is room to merge the whole table, which takes its size once more; logged when there is none. */
bool ledger_has_room(struct ledger *self, enum ledger_table table);

/** Reads a table from end to end, past the cache. NULL when all of it can be read, else the engine's words for what
 * cannot, for rocksdb_free. */
char *ledger_damage(struct ledger *self, enum ledger_table table) __attribute__((warn_unused_result));
#endif
