// SPDX-License-Identifier: Apache-2.0
// The ledger: everything Deskbell must not forget. Engine-neutral; RocksDB is the embedded engine (ledger_rocksdb.c).
// Reads may come from any thread; ledger_write is called by the committer's thread alone.
#ifndef HTTP_FRONT_LEDGER_LEDGER_H
#define HTTP_FRONT_LEDGER_LEDGER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/records.h"

struct ledger;
struct ledger_batch;

struct ledger_options {
    uint64_t dedup_ms;        // how long a seen key is kept
    uint64_t retention_ms;    // how long a lane is kept after its last change
    uint64_t history_ms;      // 7 days
    uint64_t (*now_ms)(void); // wall clock of the expiry; NULL: the real one
};

enum ledger_result { LEDGER_ERROR = -1, LEDGER_ABSENT = 0, LEDGER_OK = 1 };

/**
 * Opens or creates the ledger in `dir` (made 0700), raises the epoch and syncs it. NULL on failure with one sentence in
 * `error` that says what to do (in use, corrupt, no space, permission).
 */
struct ledger *ledger_open(const char *dir, const struct ledger_options *options, char *error, size_t error_size);
void ledger_close(struct ledger **self);

/**
 * Raised at every opening; never the same twice for one ledger, and after a backup was restored beyond any that the
 * original used since (unless that was opened more than 16000 times).
 */
uint64_t ledger_epoch(const struct ledger *self);

/** The next sequence or job id: epoch << 40 | counter. Any thread. */
uint64_t ledger_next(struct ledger *self);

// ---- look up: what is returned lives in `arena`; an unreadable value is LEDGER_ERROR and logged
// --------------------------
enum ledger_result ledger_seen(struct ledger *self, const char *key, struct seen *out);
enum ledger_result ledger_lane(struct ledger *self, const char *conversation, struct lane *out, struct arena *arena);
enum ledger_result ledger_pending(struct ledger *self, uint64_t seq, struct pending *out, struct arena *arena);
enum ledger_result ledger_ticket(struct ledger *self, uint64_t ticket_id, struct ticket *out, struct arena *arena);
// Which conversation, or call, somebody was last active in.
enum ledger_by {
    LEDGER_BY_PHONE,  // a conversation, by the customer's number in E.164
    LEDGER_BY_USER,   // a conversation, by the customer's id in the chat
    LEDGER_BY_CALLER, // a call or call-back, by the number
    LEDGER_BY_ASKER,  // a call-back, by the user who asked for it
    LEDGER_BY_TICKET, // a call or call-back, by the number of the ticket that it is on
    LEDGER_BY_WISH,   // a call-back, by the number that was typed into its form, whosever it is
};
enum ledger_result ledger_by(struct ledger *self, enum ledger_by by, const char *what, struct ticket *out,
                             struct arena *arena);
enum ledger_result ledger_dead(struct ledger *self, uint64_t seq, struct dead *out, struct arena *arena);

/**
 * Calls `each` for every pending record, in sequence order; stops when it returns false. `pending` lives until it
 * returns. All scans: one view of the ledger, as it was when the scan began; LEDGER_OK also when there was nothing. A
 * record that cannot be read is logged, left where it is and passed over, and the scan ends with LEDGER_ERROR: the
 * caller decides.
 */
typedef bool ledger_pending_fn(void *arg, const struct pending *pending);
enum ledger_result ledger_each_pending(struct ledger *self, ledger_pending_fn *each, void *arg);
typedef bool ledger_lane_fn(void *arg, const struct lane *lane);
enum ledger_result ledger_each_lane(struct ledger *self, ledger_lane_fn *each, void *arg);
typedef bool ledger_hint_fn(void *arg, uint64_t ticket_id, const struct hint *hint);
enum ledger_result ledger_each_hint(struct ledger *self, ledger_hint_fn *each, void *arg);
typedef bool ledger_dead_fn(void *arg, uint64_t seq, const struct dead *dead);
enum ledger_result ledger_each_dead(struct ledger *self, ledger_dead_fn *each, void *arg);
typedef bool ledger_history_fn(void *arg, const struct history *history);
enum ledger_result ledger_each_history(struct ledger *self, const char *conversation, ledger_history_fn *each,
                                       void *arg);

// ---- batches: built by anyone, written by the committer
// --------------------------------------------------------------
struct ledger_batch *ledger_batch_new(void);
void ledger_batch_free(struct ledger_batch **self);
bool ledger_batch_empty(const struct ledger_batch *self);
/** What the batch holds in memory, so that its builder can stop in time. */
size_t ledger_batch_bytes(const struct ledger_batch *self);
/** Appends all operations of `more` to `self`. */
void ledger_batch_append(struct ledger_batch *self, const struct ledger_batch *more);

// Each encodes its record; a record that breaks its own bounds is a bug and aborts, so callers clamp what upstreams
// say.
void ledger_put_seen(struct ledger_batch *self, const char *key, enum seen_outcome outcome, uint64_t time_ms);
void ledger_put_pending(struct ledger_batch *self, const struct pending *pending);
void ledger_delete_pending(struct ledger_batch *self, uint64_t seq);
void ledger_put_hint(struct ledger_batch *self, uint64_t ticket_id, const struct hint *hint);
void ledger_delete_hint(struct ledger_batch *self, uint64_t ticket_id);
void ledger_put_lane(struct ledger_batch *self, const struct lane *lane);
void ledger_put_ticket(struct ledger_batch *self, uint64_t ticket_id, const struct ticket *ticket);
/** The row of ledger_by; expires like a lane, by its time. */
void ledger_put_by(struct ledger_batch *self, enum ledger_by by, const char *what, const struct ticket *ticket);
void ledger_put_dead(struct ledger_batch *self, uint64_t seq, const struct dead *dead);
void ledger_delete_dead(struct ledger_batch *self, uint64_t seq);
/** `seq` (ledger_next) keeps two entries of one millisecond apart. */
void ledger_put_history(struct ledger_batch *self, uint64_t seq, const struct history *history);

/**
 * Writes the batch atomically and syncs it. An empty batch writes a mark of its own, so it tells whether writing works.
 * False: nothing is promised, logged once per streak of failures; the caller answers 503. What failed is not seen by
 * later reads of this process, but may be found by the next opening (its log can hold it), so a failure is never a
 * "no". RocksDB goes back to work by itself after some errors (no space) and after others only when it is opened again:
 * a process whose writes keep failing has to leave and be restarted, which also loads its memory from what is on disk.
 */
bool ledger_write(struct ledger *self, const struct ledger_batch *batch) __attribute__((warn_unused_result));

/**
 * Drops everything that is past its time now, instead of when the engine next compacts, and looks for damage on the way
 * (logged; what is damaged is left alone). Slow; any thread, see expirer.h.
 */
void ledger_expire(struct ledger *self);
/** Makes a running ledger_expire return soon, and later ones at once. */
void ledger_expire_stop(struct ledger *self);

/**
 * Nothing expires, and no seen key is taken for an old one, while the wall clock cannot be believed: after a jump of
 * more than an hour, before the last believed time, or more than a week after it at an opening. `right`: an upstream's
 * clock agrees with ours, so it is believed from now on; else it is not. Whoever reads upstream dates says so, as often
 * as it likes. Any thread.
 */
void ledger_trust_clock(struct ledger *self, bool right);
bool ledger_clock_trusted(struct ledger *self);

/**
 * The time to put into records that expire (seen, lane.updated_ms, ticket, history): now_ms, but never before the last
 * believed time. A clock that was set back would else make them look old, and expire early, once it is right again.
 */
uint64_t ledger_stamp_ms(const struct ledger *self, uint64_t now_ms);

/** Bytes free for the ledger's file system; 0 when that cannot be told. */
uint64_t ledger_free_bytes(const struct ledger *self);

// ---- backups
// ---------------------------------------------------------------------------------------------------------

/**
 * Makes a whole copy of the ledger, as it is at one moment, in the new folder `dir` (0700; its parent must exist). May
 * run while the committer writes; slow, any thread. On the ledger's own file system the copy shares its files. False,
 * with a sentence in `error`: there is no `dir` then.
 */
bool ledger_backup(struct ledger *self, const char *dir, char *error, size_t error_size)
    __attribute__((warn_unused_result));

/**
 * When the backup was taken (wall clock) that this ledger was restored from, also after further openings, until
 * ledger_restored_done; 0 when it was not. Such a ledger knows nothing of what was written upstream since: the
 * dispatcher starts paused, with every lane in doubt.
 */
uint64_t ledger_restored_ms(const struct ledger *self);
/** Durably forgets that; called when an operator has resumed. False: it could not be, and is still said. */
bool ledger_restored_done(struct ledger *self) __attribute__((warn_unused_result));
#endif
