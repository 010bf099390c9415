// SPDX-License-Identifier: Apache-2.0
// Inside the ledger folder only: which tables there are, how their keys are made, and what a batch is for the engine
// that writes it. Nothing here knows the engine.
#ifndef HTTP_FRONT_LEDGER_LEDGER_TABLES_H
#define HTTP_FRONT_LEDGER_LEDGER_TABLES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http-front/ledger/ledger.h"

// Table, its name on disk, and how a person is found in it, who may have to be forgotten (ledger_person.c):
//   NOBODY    holds no person: numbers, ids of messages and of tickets
//   PENDING, LANE, TICKET, DEAD, HISTORY   as the rows of that table are made
// The first is the one RocksDB always has; it holds the format version and the epoch.
#define LEDGER_TABLES(X)                                                                                               \
    X(META, "default", NOBODY)                                                                                         \
    X(SEEN, "seen", NOBODY)                                                                                            \
    X(PENDING, "pending", PENDING)                                                                                     \
    X(HINTS, "hints", NOBODY)                                                                                          \
    X(LANES, "lanes", LANE)                                                                                            \
    X(TICKETS, "tickets", TICKET)                                                                                      \
    X(DEAD, "dead", DEAD)                                                                                              \
    X(HISTORY, "history", HISTORY)
#define LEDGER_TABLE_ENUM(name, text, person) TABLE_##name,
enum ledger_table { LEDGER_TABLES(LEDGER_TABLE_ENUM) TABLES };
#undef LEDGER_TABLE_ENUM

enum { LEDGER_NUMBER_BYTES = 8 };

enum { LEDGER_BY_BYTES = 10 + ID_MAX + 1 };

/**
 * The key of ledger_by in the table of tickets, whose rows it shares: a text, longer than any ticket's number, so that
 * neither is ever taken for the other. Returns its size; aborts when `what` is empty or longer than an id.
 */
size_t ledger_by_key(char out[LEDGER_BY_BYTES], enum ledger_by by, const char *what);

/** Big-endian, so that the order of the keys is the order of the numbers. */
void ledger_put_number(uint8_t out[LEDGER_NUMBER_BYTES], uint64_t number);
uint64_t ledger_get_number(const uint8_t in[LEDGER_NUMBER_BYTES]);

// One operation of a batch; the bytes belong to the batch.
struct ledger_op {
    enum ledger_table table;
    bool remove;
    const uint8_t *key;
    size_t key_size;
    const uint8_t *value;
    size_t value_size;
};

/** Adds an operation; the bytes are copied. value NULL: a deletion. */
void ledger_batch_add(struct ledger_batch *self, enum ledger_table table, const void *key, size_t key_size,
                      const void *value, size_t value_size);

/** Reads the operation at *at (0 first) into `op` and moves *at on; false at the end. */
bool ledger_batch_next(const struct ledger_batch *self, size_t *at, struct ledger_op *op);
#endif
