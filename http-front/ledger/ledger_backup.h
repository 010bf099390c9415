// SPDX-License-Identifier: Apache-2.0
// Inside the ledger folder only: what opening a ledger needs to know of backups.
#ifndef HTTP_FRONT_LEDGER_LEDGER_BACKUP_H
#define HTTP_FRONT_LEDGER_LEDGER_BACKUP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What the file in a backup says. `number` tells one backup from every other; 0: there is no such file.
struct ledger_marker {
    uint64_t taken_ms;
    uint64_t number;
};

/** Reads the marker of the ledger in `dir`. False, with a sentence, when there is one that cannot be read. */
bool ledger_marker_read(const char *dir, struct ledger_marker *out, char *error, size_t error_size)
    __attribute__((warn_unused_result));

/** The epoch that the first opening of a restored copy begins with, given the copy's own and the wall clock. */
uint64_t ledger_epoch_after_restore(uint64_t epoch, uint64_t now_ms);
#endif
