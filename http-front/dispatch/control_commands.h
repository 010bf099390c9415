// SPDX-License-Identifier: Apache-2.0
// What the control socket's files share; nobody else includes it. A command is a function that looks at the dispatcher
// and returns what is to be answered.
#ifndef HTTP_FRONT_DISPATCH_CONTROL_COMMANDS_H
#define HTTP_FRONT_DISPATCH_CONTROL_COMMANDS_H
#include <jansson.h>

#include "http-front/dispatch/control.h"
#include "http-front/dispatch/state.h"
#include "proto/log.h"

struct control_call {
    const char *arguments[8];
    size_t count;
    struct arena *arena; // of this call; lives until it is answered
    char why[512];       // a command that returns NULL says here why, in one sentence

    // A command that changes something fills these: the answer goes out when `batch` is on disk, after `then`.
    struct ledger_batch *batch;
    void (*then)(struct dispatcher *self, void *what, bool ok); // owns `what`; ok false: nothing was written
    void *what;
};

/** Returns the answer (a new reference), or NULL with call->why. */
typedef json_t *control_fn(struct dispatcher *self, struct control_call *call);

control_fn control_status;      // control_status.c
control_fn control_trace;       // control_trace.c
control_fn control_dead_list;   // control_dead.c
control_fn control_dead_show;   // control_dead.c
control_fn control_dead_retry;  // control_revive.c
control_fn control_dead_drop;   // control_revive.c
control_fn control_pause;       // control_service.c
control_fn control_resume;      // control_service.c
control_fn control_backup;      // control_service.c
control_fn control_backup_last; // control_service.c
control_fn control_keys;        // control_service.c
control_fn control_forget;      // control_forget.c
control_fn control_forget_last; // control_forget.c

/** "chat-to-desk" or "desk-to-chat". */
const char *control_direction(int side);

/** Says why a command does not do what it was asked to. Always NULL, for `return control_refuse(...)`. */
json_t *control_refuse(struct control_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** A number in plain digits; false for anything else. */
bool control_number(const char *text, uint64_t *number);

// The backup in the making, or the last one.
struct backup;
struct backup **control_backup_slot(struct control *self);
/** Whether it is still being made. */
bool control_backup_runs(const struct backup *backup);
/** Waits for its end. */
void control_backup_free(struct backup **self);

// ---- what an item or a dead letter is, in words (control_words.c)
/** The request id as log lines show it; "" for none. Returns `out`. */
const char *control_request(uint64_t request, char out[LOG_REQUEST_BYTES]);
/** "customer message", "agent message", "ticket change", "context read", "notice". */
const char *control_kind(uint64_t event_kind);
/** "idle", "claiming", "out", "recording". */
const char *control_side_state(enum side_state state);
/** The conversation a dead letter is about: the ticket's, where the event names only a ticket. Lives in `arena`. */
const char *control_conversation_of(struct dispatcher *self, const struct event *event, struct arena *arena);
/** The lane record: as it is in memory, else as it is on disk. False when there is none. */
bool control_lane(struct dispatcher *self, const char *conversation, struct lane *lane, struct arena *arena);
/** A letter without any text: its sequence, kind, conversation, ticket, step, times and cause. */
json_t *control_letter(struct dispatcher *self, uint64_t seq, const struct dead *dead, struct arena *arena);
/** Adds a line to the conversation's history, unless it is a lane of a ticket nobody knows. */
void control_tell(struct dispatcher *self, struct ledger_batch *batch, const char *conversation, const char *what,
                  uint64_t ticket_id);
#endif
