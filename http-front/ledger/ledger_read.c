// SPDX-License-Identifier: Apache-2.0
// Reading the ledger: single records and scans. Any thread; RocksDB's reads need no lock of ours. A written batch is
// seen by reads only after it was synced, so what is read here is durable.
#include <stdlib.h>
#include <string.h>

#include "http-front/ledger/ledger_engine.h"
#include "proto/log.h"

static enum ledger_result unreadable(enum record_kind kind, const char *why)
{
    log_error("ledger_unreadable", "record=%s error=%s", record_name(kind), why);
    return LEDGER_ERROR;
}

static enum ledger_result get(struct ledger *self, enum ledger_table table, const void *key, size_t key_size,
                              enum record_kind kind, void *out, struct arena *arena)
{
    char *problem = NULL;
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned_cf(self->db, self->reading, self->tables[table], key, key_size, &problem);
    if (problem) {
        enum ledger_result result = unreadable(kind, problem);
        rocksdb_free(problem);
        return result;
    }
    if (!slice)
        return LEDGER_ABSENT;
    size_t size = 0;
    const char *value = rocksdb_pinnableslice_value(slice, &size);
    enum record_error error = record_decode(kind, value, size, out, arena);
    rocksdb_pinnableslice_destroy(slice);
    return error == RECORD_OK ? LEDGER_OK : unreadable(kind, record_error_text(error));
}

static enum ledger_result get_numbered(struct ledger *self, enum ledger_table table, uint64_t number,
                                       enum record_kind kind, void *out, struct arena *arena)
{
    uint8_t key[LEDGER_NUMBER_BYTES];
    ledger_put_number(key, number);
    return get(self, table, key, sizeof key, kind, out, arena);
}

enum ledger_result ledger_seen(struct ledger *self, const char *key, struct seen *out)
{
    // A seen record is numbers only; decoding takes nothing from an arena.
    enum ledger_result result = get(self, TABLE_SEEN, key, strlen(key), RECORD_seen, out, NULL);
    uint64_t now = 0;
    // Compaction has not come by yet, but the promise is the window.
    if (result == LEDGER_OK && ledger_clock_read(&self->clock, &now) && now > self->options.dedup_ms &&
        out->time_ms < now - self->options.dedup_ms)
        return LEDGER_ABSENT;
    return result;
}

enum ledger_result ledger_lane(struct ledger *self, const char *conversation, struct lane *out, struct arena *arena)
{
    return get(self, TABLE_LANES, conversation, strlen(conversation), RECORD_lane, out, arena);
}

enum ledger_result ledger_pending(struct ledger *self, uint64_t seq, struct pending *out, struct arena *arena)
{
    return get_numbered(self, TABLE_PENDING, seq, RECORD_pending, out, arena);
}

enum ledger_result ledger_ticket(struct ledger *self, uint64_t ticket_id, struct ticket *out, struct arena *arena)
{
    return get_numbered(self, TABLE_TICKETS, ticket_id, RECORD_ticket, out, arena);
}

enum ledger_result ledger_by(struct ledger *self, enum ledger_by by, const char *what, struct ticket *out,
                             struct arena *arena)
{
    char key[LEDGER_BY_BYTES];
    return get(self, TABLE_TICKETS, key, ledger_by_key(key, by, what), RECORD_ticket, out, arena);
}

enum ledger_result ledger_dead(struct ledger *self, uint64_t seq, struct dead *out, struct arena *arena)
{
    return get_numbered(self, TABLE_DEAD, seq, RECORD_dead, out, arena);
}

// ---- scans ----------------------------------------------------------------------------------------------------------

// Hands one decoded record to the caller's function; `number` is the key's last eight bytes.
typedef bool visit_fn(const void *caller, uint64_t number, const void *record);

struct caller {
    void *arg;
    union {
        ledger_pending_fn *pending;
        ledger_lane_fn *lane;
        ledger_hint_fn *hint;
        ledger_dead_fn *dead;
        ledger_history_fn *history;
    } each;
};

// Decodes the record under the iterator into `record`; an error is logged.
static enum ledger_result read_at(const rocksdb_iterator_t *at, enum record_kind kind, void *record,
                                  struct arena *arena, uint64_t *number)
{
    size_t key_size = 0;
    size_t size = 0;
    const char *key = rocksdb_iter_key(at, &key_size);
    const char *value = rocksdb_iter_value(at, &size);
    if (kind != RECORD_lane) { // its key is a conversation's name; all others end with a number
        if (key_size < LEDGER_NUMBER_BYTES)
            return unreadable(kind, "key too short");
        *number = ledger_get_number((const uint8_t *)key + key_size - LEDGER_NUMBER_BYTES);
    }
    enum record_error error = record_decode(kind, value, size, record, arena);
    return error == RECORD_OK ? LEDGER_OK : unreadable(kind, record_error_text(error));
}

static bool has_prefix(const rocksdb_iterator_t *at, const char *prefix, size_t prefix_size)
{
    size_t size = 0;
    const char *key = rocksdb_iter_key(at, &size);
    return size >= prefix_size && (prefix_size == 0 || memcmp(key, prefix, prefix_size) == 0);
}

static enum ledger_result scan(struct ledger *self, enum ledger_table table, const char *prefix, size_t prefix_size,
                               enum record_kind kind, void *record, visit_fn *visit, const struct caller *caller)
{
    enum ledger_result result = LEDGER_OK;
    struct arena *arena = arena_new();
    rocksdb_iterator_t *at = rocksdb_create_iterator_cf(self->db, self->reading, self->tables[table]);

    for (rocksdb_iter_seek(at, prefix, prefix_size); rocksdb_iter_valid(at) && has_prefix(at, prefix, prefix_size);
         rocksdb_iter_next(at)) {
        uint64_t number = 0;
        arena_reset(arena);
        if (read_at(at, kind, record, arena, &number) != LEDGER_OK)
            result = LEDGER_ERROR;
        else if (!visit(caller, number, record))
            break;
    }
    char *problem = NULL;
    rocksdb_iter_get_error(at, &problem);
    if (problem) {
        result = unreadable(kind, problem);
        rocksdb_free(problem);
    }
    rocksdb_iter_destroy(at);
    arena_free(&arena);
    return result;
}

char *ledger_damage(struct ledger *self, enum ledger_table table)
{
    char *problem = NULL;
    rocksdb_readoptions_t *reading = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(reading, 1);
    rocksdb_readoptions_set_fill_cache(reading, 0);
    rocksdb_iterator_t *at = rocksdb_create_iterator_cf(self->db, reading, self->tables[table]);
    for (rocksdb_iter_seek_to_first(at); rocksdb_iter_valid(at);)
        rocksdb_iter_next(at);
    rocksdb_iter_get_error(at, &problem);
    rocksdb_iter_destroy(at);
    rocksdb_readoptions_destroy(reading);
    return problem;
}

static bool visit_pending(const void *arg, uint64_t number, const void *record)
{
    const struct caller *caller = arg;
    (void)number;
    return caller->each.pending(caller->arg, record);
}

enum ledger_result ledger_each_pending(struct ledger *self, ledger_pending_fn *each, void *arg)
{
    struct caller caller = {arg, {.pending = each}};
    struct pending record;
    return scan(self, TABLE_PENDING, "", 0, RECORD_pending, &record, visit_pending, &caller);
}

static bool visit_lane(const void *arg, uint64_t number, const void *record)
{
    const struct caller *caller = arg;
    (void)number;
    return caller->each.lane(caller->arg, record);
}

enum ledger_result ledger_each_lane(struct ledger *self, ledger_lane_fn *each, void *arg)
{
    struct caller caller = {arg, {.lane = each}};
    struct lane record;
    return scan(self, TABLE_LANES, "", 0, RECORD_lane, &record, visit_lane, &caller);
}

static bool visit_hint(const void *arg, uint64_t number, const void *record)
{
    const struct caller *caller = arg;
    return caller->each.hint(caller->arg, number, record);
}

enum ledger_result ledger_each_hint(struct ledger *self, ledger_hint_fn *each, void *arg)
{
    struct caller caller = {arg, {.hint = each}};
    struct hint record;
    return scan(self, TABLE_HINTS, "", 0, RECORD_hint, &record, visit_hint, &caller);
}

static bool visit_dead(const void *arg, uint64_t number, const void *record)
{
    const struct caller *caller = arg;
    return caller->each.dead(caller->arg, number, record);
}

enum ledger_result ledger_each_dead(struct ledger *self, ledger_dead_fn *each, void *arg)
{
    struct caller caller = {arg, {.dead = each}};
    struct dead record;
    return scan(self, TABLE_DEAD, "", 0, RECORD_dead, &record, visit_dead, &caller);
}

static bool visit_history(const void *arg, uint64_t number, const void *record)
{
    const struct caller *caller = arg;
    (void)number;
    return caller->each.history(caller->arg, record);
}

enum ledger_result ledger_each_history(struct ledger *self, const char *conversation, ledger_history_fn *each,
                                       void *arg)
{
    struct caller caller = {arg, {.history = each}};
    struct history record;
    // With its NUL: the entries of "c1" do not begin like those of "c10".
    return scan(self, TABLE_HISTORY, conversation, strlen(conversation) + 1, RECORD_history, &record, visit_history,
                &caller);
}
