// SPDX-License-Identifier: Apache-2.0
// Inside the ledger folder only: whether the engine's write-ahead log is whole, asked before the engine opens it.
#ifndef HTTP_FRONT_LEDGER_LEDGER_WAL_H
#define HTTP_FRONT_LEDGER_LEDGER_WAL_H
#include <stdbool.h>
#include <stddef.h>

/**
 * Reads every log in `dir` from end to end. True when nothing is missing but, at most, a write that was cut off at the
 * end. False: `why` says in a few words which file is damaged and where, and the ledger must not be opened: RocksDB
 * would take some kinds of damage for the end of the log and go on without what follows it.
 */
bool ledger_wal_whole(const char *dir, char *why, size_t why_size) __attribute__((warn_unused_result));
#endif
