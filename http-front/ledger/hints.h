// SPDX-License-Identifier: Apache-2.0
// Inside the ledger folder only: the hint counters, in memory, of every hint row on disk. The committer's thread alone
// uses them. Changes are tentative until hints_settle tells whether the batch that holds them is on disk.
#ifndef HTTP_FRONT_LEDGER_HINTS_H
#define HTTP_FRONT_LEDGER_HINTS_H
#include <stdbool.h>
#include <stdint.h>

#include "http-front/ledger/ledger.h"

struct hints;

/** Reads the rows of `ledger`; rows that cannot be read are logged and begin again at 1 when their ticket rings. */
struct hints *hints_new(struct ledger *ledger);
void hints_free(struct hints **self);

/**
 * Raises the ticket's counter to a number that it never had, puts the row in `batch` and returns the counter. A row
 * that the same batch has finished is back.
 */
uint64_t hints_raise(struct hints *self, uint64_t ticket_id, uint64_t now_ms, uint64_t request,
                     struct ledger_batch *batch);

/**
 * Deletes the ticket's row in `batch` if its counter is still `count`. Returns 0 when the row is gone with this batch
 * or was gone before, else the counter it has now.
 */
uint64_t hints_finish(struct hints *self, uint64_t ticket_id, uint64_t count, struct ledger_batch *batch);

/**
 * Ends a batch. Written: finished rows are forgotten. Not written: they stay. Raised counters stay raised either way: a
 * counter that runs ahead of its row costs one list read, one that falls back would lose a wake-up.
 */
void hints_settle(struct hints *self, bool written);
#endif
