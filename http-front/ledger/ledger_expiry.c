// SPDX-License-Identifier: Apache-2.0
// Expiry: a compaction filter per table that has a lifetime, over the time inside the value (not the time of writing,
// so a restored backup keeps its ages). Runs in RocksDB's threads; each compaction gets a filter of its own. A value
// that cannot be read is kept: expiry never destroys what it does not understand, nor anything while the clock cannot
// be believed.
#include <stdlib.h>

#include "http-front/ledger/ledger_engine.h"
#include "proto/log.h"

// What intake may write while a table is merged.
static const uint64_t spare_bytes = (uint64_t)64 << 20;

struct lifetime {
    enum record_kind kind;
    uint64_t keep_ms;
    struct ledger_clock *clock;
};

// One compaction, one thread.
struct sweep {
    enum record_kind kind;
    uint64_t before_ms; // older values go
    struct arena *arena;
};

// The time that a value's lifetime is counted from; false when the value cannot be read.
static bool time_of(const struct sweep *sweep, const void *value, size_t size, uint64_t *time_ms)
{
    union {
        struct seen seen;
        struct lane lane;
        struct ticket ticket;
        struct history history;
    } record;

    arena_reset(sweep->arena);
    if (record_decode(sweep->kind, value, size, &record, sweep->arena) != RECORD_OK)
        return false;
    switch (sweep->kind) {
    case RECORD_seen:
        *time_ms = record.seen.time_ms;
        return true;
    case RECORD_lane:
        *time_ms = record.lane.updated_ms;
        return true;
    case RECORD_ticket:
        *time_ms = record.ticket.time_ms;
        return true;
    case RECORD_history:
        *time_ms = record.history.time_ms;
        return true;
    default:
        abort();
    }
}

static unsigned char sweep_one(void *arg, int level, const char *key, size_t key_size, const char *value,
                               size_t value_size, char **new_value, size_t *new_size, unsigned char *changed)
{
    const struct sweep *sweep = arg;
    uint64_t time_ms;

    (void)level;
    (void)key;
    (void)key_size;
    (void)new_value;
    (void)new_size;
    *changed = 0;
    return time_of(sweep, value, value_size, &time_ms) && time_ms < sweep->before_ms;
}

static void sweep_free(void *arg)
{
    struct sweep *sweep = arg;
    arena_free(&sweep->arena);
    free(sweep);
}

static const char *expiry_name(void *arg)
{
    (void)arg;
    return "deskbell.expiry";
}

static rocksdb_compactionfilter_t *sweep_new(void *arg, rocksdb_compactionfiltercontext_t *context)
{
    const struct lifetime *lifetime = arg;
    struct sweep *sweep = malloc(sizeof *sweep);
    uint64_t now = 0;
    bool believed = ledger_clock_read(lifetime->clock, &now);

    (void)context;
    if (!sweep)
        abort();
    *sweep =
        (struct sweep){lifetime->kind, believed && now > lifetime->keep_ms ? now - lifetime->keep_ms : 0, arena_new()};
    return rocksdb_compactionfilter_create(sweep, sweep_free, sweep_one, expiry_name);
}

void ledger_expiry_install(rocksdb_options_t *options, enum ledger_table table, struct ledger *self)
{
    const struct ledger_options *times = &self->options;
    struct lifetime lifetime = {.clock = &self->clock};
    switch (table) {
    case TABLE_SEEN:
        lifetime.kind = RECORD_seen;
        lifetime.keep_ms = times->dedup_ms;
        break;
    case TABLE_LANES:
        lifetime.kind = RECORD_lane;
        lifetime.keep_ms = times->retention_ms;
        break;
    case TABLE_TICKETS:
        lifetime.kind = RECORD_ticket;
        lifetime.keep_ms = times->retention_ms;
        break;
    case TABLE_HISTORY:
        lifetime.kind = RECORD_history;
        lifetime.keep_ms = times->history_ms;
        break;
    default:
        return;
    }
    struct lifetime *owned = malloc(sizeof *owned);
    if (!owned)
        abort();
    *owned = lifetime;
    rocksdb_options_set_compaction_filter_factory(
        options, rocksdb_compactionfilterfactory_create(owned, free, sweep_new, expiry_name));
}

// Merging a whole table takes its size once more until it is done. Without room for that the old stays; intake is
// refused near the floor anyway.
bool ledger_has_room(struct ledger *self, enum ledger_table table)
{
    uint64_t bytes = 0;
    if (rocksdb_property_int_cf(self->db, self->tables[table], "rocksdb.total-sst-files-size", &bytes) != 0)
        return false;
    uint64_t free_bytes = ledger_free_bytes(self);
    if (free_bytes >= bytes + spare_bytes)
        return true;
    log_warn("ledger_expiry_waits", "free_bytes=%llu needed_bytes=%llu", (unsigned long long)free_bytes,
             (unsigned long long)(bytes + spare_bytes));
    return false;
}

// A table that is damaged is left alone: merging it would stop all writing, and what is readable in it still is read.
static void expire_table(struct ledger *self, rocksdb_compactoptions_t *how, enum ledger_table table)
{
    char *problem = ledger_damage(self, table);
    if (!problem && !ledger_has_room(self, table))
        return;
    if (!problem) {
        rocksdb_compact_range_cf_opt(self->db, self->tables[table], how, NULL, 0, NULL, 0);
        return;
    }
    log_error("ledger_damaged", "dir=%s error=%s advice=\"restore a backup\"", self->dir, problem);
    rocksdb_free(problem);
}

void ledger_expire(struct ledger *self)
{
    static const enum ledger_table tables[] = {TABLE_SEEN, TABLE_LANES, TABLE_TICKETS, TABLE_HISTORY};
    rocksdb_compactoptions_t *how = rocksdb_compactoptions_create();
    // Not alone: the engine's own merging of what intake writes meanwhile must go on, else it would slow writing down.
    rocksdb_compactoptions_set_exclusive_manual_compaction(how, 0);
    for (size_t i = 0; i < sizeof tables / sizeof *tables && !atomic_load(&self->stop_expiring); i++)
        expire_table(self, how, tables[i]);
    rocksdb_compactoptions_destroy(how);
}

void ledger_expire_stop(struct ledger *self)
{
    atomic_store(&self->stop_expiring, true);
    rocksdb_disable_manual_compaction(self->db);
}
