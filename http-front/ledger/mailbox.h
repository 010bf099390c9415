// SPDX-License-Identifier: Apache-2.0
// The queue from the committer (and other threads) to the dispatcher: a locked list and an eventfd that the loop polls.
#ifndef HTTP_FRONT_LEDGER_MAILBOX_H
#define HTTP_FRONT_LEDGER_MAILBOX_H
#include <stdbool.h>
#include <stdint.h>

enum mail_kind {
    MAIL_ACCEPTED,  // an event is on disk: `pending` record with sequence `seq`; `token` of the offer, if it was one
    MAIL_HINT,      // a hint is on disk: `ticket_id`, `hint_count`
    MAIL_OFFERED,   // what became of committer_offer: `token`, `result` (enum accept_result)
    MAIL_COMMITTED, // the dispatcher's own commit `token` is on disk (`ok`) or could not be written
};

struct mail {
    struct mail *next;
    enum mail_kind kind;
    uint64_t seq;
    uint64_t ticket_id;
    uint64_t hint_count;
    uint64_t time_ms; // event.time_ms
    uint64_t accepted_ms;
    uint64_t event_kind;
    uint64_t request;   // of the event or hint
    char *conversation; // owned by the mail
    void *token;
    int result;
    bool ok;
    bool hint_left; // MAIL_COMMITTED with a finished hint: its counter had changed, the row stays
    uint64_t hint_now;
};

struct mailbox;
struct mailbox *mailbox_new(void);
void mailbox_free(struct mailbox **self);
/** The descriptor that is readable while mail waits. Owned by the mailbox. */
int mailbox_fd(const struct mailbox *self);
/** Takes ownership of `mail`. Any thread. */
void mailbox_put(struct mailbox *self, struct mail *mail);
/** Takes everything that waits, oldest first, and clears the descriptor. Free each with mail_free. */
struct mail *mailbox_take_all(struct mailbox *self);
void mail_free(struct mail **self);
#endif
