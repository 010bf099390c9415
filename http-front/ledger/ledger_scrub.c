// SPDX-License-Identifier: Apache-2.0
// The engine keeps what was deleted or replaced until it merges the files that hold it, and in its log until that is
// let go. This makes it merge: whole tables where rows come and go (whose keys nobody knows any more), elsewhere the
// files that hold the person's keys. Any thread; the committer writes on meanwhile.
#include <stdio.h>
#include <string.h>

#include "http-front/ledger/ledger_engine.h"
#include "http-front/ledger/ledger_person_inside.h"

enum { MOST_RANGES = 64, FORCE = 2 /* kForce of BottommostLevelCompaction */ };

static void compact(struct ledger *ledger, rocksdb_compactoptions_t *how, enum ledger_table table, const char *from,
                    const char *to, size_t size)
{
    rocksdb_compact_range_cf_opt(ledger->db, ledger->tables[table], how, from, from ? size : 0, to, to ? size : 0);
}

static void compact_whole(struct ledger *ledger, rocksdb_compactoptions_t *how, enum ledger_table table)
{
    compact(ledger, how, table, NULL, NULL, 0);
}

// The conversation's rows: its record under its name, its history under its name and a NUL.
static void compact_conversation(struct ledger *ledger, rocksdb_compactoptions_t *how, const char *name)
{
    char from[ID_MAX + 2], to[ID_MAX + 2];
    size_t length = strlen(name);
    compact(ledger, how, TABLE_LANES, name, name, length);
    memcpy(from, name, length + 1);
    memcpy(to, name, length);
    to[length] = 1;
    compact(ledger, how, TABLE_HISTORY, from, to, length + 1);
}

// False when there was no room to merge a table.
static bool merge(struct ledger *ledger, const struct ledger_person *person, rocksdb_compactoptions_t *how)
{
    bool all = true;
    const struct names *conversations = &person->names[PERSON_CONVERSATIONS];
    bool few = conversations->count <= MOST_RANGES && person->ticket_count <= MOST_RANGES;
    for (int table = 0; table < TABLES; table++) {
        bool by_key =
            few && (table == TABLE_LANES || table == TABLE_HISTORY || (table == TABLE_TICKETS && !person->indexed));
        if (by_key || !ledger_person_is_in((enum ledger_table)table))
            continue;
        if (ledger_has_room(ledger, (enum ledger_table)table))
            compact_whole(ledger, how, (enum ledger_table)table);
        else
            all = false;
    }
    for (size_t i = 0; few && i < conversations->count; i++)
        compact_conversation(ledger, how, conversations->items[i]);
    for (size_t i = 0; few && i < person->ticket_count; i++) {
        uint8_t key[LEDGER_NUMBER_BYTES];
        ledger_put_number(key, person->tickets[i]);
        compact(ledger, how, TABLE_TICKETS, (const char *)key, (const char *)key, sizeof key);
    }
    return all;
}

// What is in memory goes to tables, and each log file that held it is let go.
static bool flush(struct ledger *ledger, char *error, size_t error_size)
{
    rocksdb_flushoptions_t *how = rocksdb_flushoptions_create();
    char *problem = NULL;
    rocksdb_flushoptions_set_wait(how, 1);
    for (int table = 0; table < TABLES && !problem; table++)
        rocksdb_flush_cf(ledger->db, how, ledger->tables[table], &problem);
    rocksdb_flushoptions_destroy(how);
    if (problem)
        snprintf(error, error_size, "the ledger's files could not be rewritten: %s", problem);
    bool ok = problem == NULL;
    rocksdb_free(problem);
    return ok;
}

bool ledger_person_scrub(struct ledger *ledger, const struct ledger_person *self, char *error, size_t error_size)
{
    if (!flush(ledger, error, error_size))
        return false;
    rocksdb_compactoptions_t *how = rocksdb_compactoptions_create();
    rocksdb_compactoptions_set_exclusive_manual_compaction(how, 0);
    rocksdb_compactoptions_set_bottommost_level_compaction(how, FORCE);
    bool all = merge(ledger, self, how);
    rocksdb_compactoptions_destroy(how);
    if (all && !atomic_load(&ledger->stop_expiring))
        return true;
    snprintf(error, error_size, "%s; the rest goes with later merges, or when it is asked again",
             all ? "the front is leaving" : "there is no room on the disk to rewrite the ledger's files");
    return false;
}
