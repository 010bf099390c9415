// SPDX-License-Identifier: Apache-2.0
// The control socket: what deskbellctl asks and what is answered. A ZeroMQ REP socket at RUNTIME_DIR/control.sock, mode
// 0660, for the group "deskbell" where there is one. Everything runs in the dispatcher's thread, so that a command sees
// lanes as they are between two moves; each is short. One request at a time: whoever comes meanwhile waits his turn.
// What is asked is a control_request of records_table.h, what is answered a control_reply.
#ifndef HTTP_FRONT_DISPATCH_CONTROL_H
#define HTTP_FRONT_DISPATCH_CONTROL_H
#include <stdbool.h>
#include <stddef.h>

struct control;
struct dispatcher;

/**
 * Looks up the group that may use the socket. Called before the process gives up reading /etc and before any thread
 * runs; without it nobody but the owner may.
 */
void control_find_group(void);

/** Binds the socket. NULL with a sentence in `why` when that fails. */
struct control *control_new(const char *runtime_dir, char *why, size_t why_size);
/** Closes the socket; waits for a backup that is being made. */
void control_free(struct control **self);

/** The socket (zsock_t *) for the dispatcher's loop. */
void *control_socket(const struct control *self);

/** Takes what has come in and answers it, at once or when what it changed is on disk. */
void control_read(struct dispatcher *self);

/** The change that a request waits for is on disk (`ok`) or could not be written: it is answered now. */
void control_committed(struct dispatcher *self, bool ok);

/**
 * Reads from the ledger what operators switched, and pauses accordingly: a ledger that was restored from a backup
 * begins paused. False when it cannot be read.
 */
bool control_recall(struct dispatcher *self) __attribute__((warn_unused_result));
#endif
