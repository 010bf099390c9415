// SPDX-License-Identifier: Apache-2.0
// The committer: the one thread that writes to the ledger. It takes everything that waits, decides duplicates, writes
// one batch, syncs once and wakes those who wait. Nothing is answered, handed out or forgotten that is not on disk.
#ifndef HTTP_FRONT_LEDGER_COMMITTER_H
#define HTTP_FRONT_LEDGER_COMMITTER_H
#include <stdbool.h>
#include <stdint.h>

#include "http-front/ledger/ledger.h"
#include "http-front/ledger/mailbox.h"

struct committer;

enum accept_result {
    ACCEPT_STORED,      // on disk now: answer 200 accepted
    ACCEPT_DUPLICATE,   // was on disk already, or went there with this batch: answer 200 duplicate
    ACCEPT_UNAVAILABLE, // could not be made durable (disk, free-space floor, shutting down): answer 503 with
                        // Retry-After
};

struct committer_options {
    uint64_t min_free_bytes;  // below it accepts are refused; the dispatcher's commits still go through
    uint64_t (*now_ms)(void); // wall clock; NULL: the real one
};

/** Starts the thread. Mail goes to `mailbox`, which must outlive the committer. Loads the hint counters from the
 * ledger. */
struct committer *committer_new(struct ledger *ledger, struct mailbox *mailbox,
                                const struct committer_options *options);
/** Refuses new accepts, writes what waits, wakes everyone, joins the thread. */
void committer_free(struct committer **self);

/**
 * Makes `event` durable and returns when it is. Called from request threads; the event stays the caller's. The
 * committer sets accepted_ms and the sequence. EVENT_HINT bypasses dedup and raises the ticket's counter. Duplicates
 * cost no write; a duplicate of something in the batch being written is answered when that batch is on disk (with its
 * result).
 */
enum accept_result committer_accept(struct committer *self, const struct event *event);

/**
 * As committer_accept, for the dispatcher, which may not block: what a poll found. The event is copied; it must have a
 * key and is never a hint. Exactly one MAIL_OFFERED with `token` and the result follows (after the MAIL_ACCEPTED of a
 * stored one). Any thread, but not while committer_free runs.
 */
void committer_offer(struct committer *self, const struct event *event, void *token);

/**
 * What the dispatcher wants written. Conditional: hint_ticket's row is deleted only if its counter is still hint_count.
 * The batch itself holds no hint rows: the committer alone counts. In one ledger batch accepts go before commits, so a
 * SEEN_OURS of a commit outweighs the SEEN_ACCEPTED of an echo that arrived with it, and a new hint outweighs a
 * deletion.
 */
struct commit {
    struct ledger_batch *batch; // owned
    uint64_t hint_ticket;       // 0: none
    uint64_t hint_count;
    void *token;           // comes back in MAIL_COMMITTED
    const uint64_t *raise; // tickets whose hint counters go up in this very batch; owned (malloc)
    size_t raise_count;
    uint64_t request; // of the poll that raises them
};
/**
 * Takes ownership of `commit` (malloc'ed) and its batch. Commits go to disk in the order submitted; one that fails does
 * not hold up those behind it. Exactly one MAIL_COMMITTED follows, also for a commit submitted while the committer
 * stops. Any thread.
 */
void committer_submit(struct committer *self, struct commit *commit);

/**
 * Raises whenever a batch is finished and at least every second while there is none; stands still while one hangs. And
 * how many wait now. For heartbeat and metrics.
 */
uint64_t committer_progress(const struct committer *self);
uint64_t committer_waiting(const struct committer *self);
/** Batches that were written and synced, and that could not be, since it was started. */
void committer_counts(const struct committer *self, uint64_t *batches, uint64_t *errors);
/** False while accepts are refused (free-space floor, failed write). For /readyz. */
bool committer_healthy(const struct committer *self);
/**
 * Milliseconds since writing began to fail, 0 while it works. The committer tries a write of its own once a second
 * then. What does not come back by itself needs the ledger opened again (ledger_write): the front leaves after a while.
 */
uint64_t committer_failing_ms(const struct committer *self);
#endif
