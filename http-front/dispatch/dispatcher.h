// SPDX-License-Identifier: Apache-2.0
// The dispatcher: hands waiting work to workers, records what came of it, and knows who holds what. One thread with one
// CZMQ loop; lanes, gates and links belong to it alone.
#ifndef HTTP_FRONT_DISPATCH_DISPATCHER_H
#define HTTP_FRONT_DISPATCH_DISPATCHER_H
#include <stdbool.h>
#include <stdint.h>

#include "http-front/ledger/committer.h"
#include "proto/config.h"

struct dispatcher;

typedef void dispatcher_key_fn(void *arg, const char *source, const char *name, int64_t last_used_ms);

struct dispatcher_options {
    const struct config *config; // borrowed, like all below
    struct ledger *ledger;
    struct committer *committer;
    struct mailbox *mailbox;
    int control_fd; // from the supervisor: roster, REAPED, STOP; end of file: the supervisor is gone
    int status_fd;  // to the supervisor: a BEAT each second; below 0: none
    // Called in the dispatcher's thread when the supervisor says STOP or is gone, or (handing_over) that another front
    // takes over; then nothing more is handed out.
    void (*leave)(void *arg, bool handing_over);
    void *leave_arg;
    // Calls `each` for every webhook key and token, with the wall time of its last use (0: not since the start). NULL:
    // none.
    void (*each_key)(void *keys_arg, dispatcher_key_fn *each, void *arg);
    void *keys_arg;
    // Events from this sequence on are left to the mail: the committer accepts already. 0: all on disk are loaded.
    uint64_t load_before;
    uint64_t ticket_wait_ms;    // how long what needs a ticket waits for one; 0: an hour
    uint64_t restored_least_ms; // how long a restored ledger is looked after, at least, once resumed; 0: five minutes
};

/**
 * Loads what waits from the ledger and binds the reports' socket. NULL with a sentence in `why` when that fails.
 * Everything claimed is in doubt until a census names it.
 */
struct dispatcher *dispatcher_new(const struct dispatcher_options *options, char *why, size_t why_size);

/** The thread's work; returns after dispatcher_drain has been asked for and is done. */
void dispatcher_run(struct dispatcher *self);

/**
 * Asks it to hand out nothing more, to wait for the reports of what is out, at most `deadline_ms`, and to return from
 * dispatcher_run. Any thread; returns at once. After leave(handing_over) what is out stays with its workers, and only
 * what is being written is waited for.
 */
void dispatcher_drain(struct dispatcher *self, uint64_t deadline_ms);

/** After dispatcher_run has returned: a backup or the files' scrubbing goes on in a thread of its own, in the ledger.
 */
bool dispatcher_ledger_in_use(const struct dispatcher *self);

/** After dispatcher_run has returned, and before the committer is freed: what it wrote must find its mailbox. */
void dispatcher_free(struct dispatcher **self);
#endif
