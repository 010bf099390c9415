// SPDX-License-Identifier: Apache-2.0
// What the committer tells the dispatcher: events that are on disk, hints, and batches that are or never will be.
// Dispatcher's thread.
#include <stdlib.h>

#include "http-front/dispatch/control_commands.h"
#include "http-front/dispatch/state.h"
#include "proto/clock.h"
#include "proto/log.h"

static void on_accepted(struct dispatcher *self, const struct mail *mail)
{
    struct conversation *conversation = schedule_open(self, mail->conversation);
    if (!conversation)
        return; // logged; the event is on disk and is found at the next start
    struct item *item = lanes_item_new(mail->event_kind, mail->seq);
    item->time_ms = mail->time_ms;
    item->accepted_ms = mail->accepted_ms;
    item->request = mail->request;
    item->arrived_mono_ms = (uint64_t)clock_mono_ms();
    item->stored = true;
    item->missed = mail->token != NULL && item->kind != EVENT_CALL; // calls have no webhook that could be missed
    if (item->missed && self->missing++ == 0)
        self->missing_since_ms = item->arrived_mono_ms;
    if (item->kind == EVENT_CUSTOMER_MESSAGE)
        self->customer_mono_ms = item->arrived_mono_ms;
    latency_accepted(item);
    schedule_add(self, conversation, item);
    if (lanes_is_own(mail->conversation))
        return;
    polls_watch(self, conversation, mail->time_ms);
    if (mail->event_kind == EVENT_CUSTOMER_MESSAGE)
        refresh_watch(self, conversation);
}

static void on_committed(struct dispatcher *self, const struct mail *mail)
{
    struct token *token = mail->token;
    self->writing--;
    followup_committed(self, token, mail->ok);
    if (!mail->ok) {
        // What is in memory is ahead of the disk, and RocksDB writes nothing more until it is opened anew. The next
        // front begins with what is on disk; what was handed out is in doubt then.
        self->ledger_lost = true;
        if (token->kind == TOKEN_CONTROL)
            control_committed(self, false);
        if (token->kind == TOKEN_FORGET)
            forget_committed(self, false);
        free(token);
        dispatcher_leave(self, "the ledger cannot be written");
        return;
    }
    switch (token->kind) {
    case TOKEN_CLAIM:
        handout_claimed(self, token->out);
        break;
    case TOKEN_OUTCOME:
        outcome_written(self, token->out, mail->hint_left, mail->hint_now);
        late_deferred(self);
        break;
    case TOKEN_LATE:
        if (token->job_id) {
            struct link *link = links_find(self->links, token->slot, token->generation);
            if (link)
                links_send_ack(self->links, link, token->job_id);
        }
        break;
    case TOKEN_CONTROL:
        control_committed(self, true);
        break;
    case TOKEN_FORGET:
        forget_committed(self, true);
        break;
    case TOKEN_FINISH:
        metrics_count(token->why);
        token->side->state = LANE_IDLE;
        schedule_drop(self, token->side, token->item);
        schedule_conversation(self, token->side->conversation);
        break;
    }
    free(token);
}

void mail_read(struct dispatcher *self)
{
    struct mail *mail = mailbox_take_all(self->options.mailbox);
    while (mail) {
        struct mail *next = mail->next;
        switch (mail->kind) {
        case MAIL_ACCEPTED:
            on_accepted(self, mail);
            break;
        case MAIL_HINT:
            schedule_hint(self, mail->ticket_id, mail->hint_count, mail->request);
            break;
        case MAIL_OFFERED:
            polls_offered(self, mail->token, (enum accept_result)mail->result);
            break;
        case MAIL_COMMITTED:
            on_committed(self, mail);
            break;
        }
        mail_free(&mail);
        mail = next;
    }
}
