// SPDX-License-Identifier: Apache-2.0
// Work that a report or a dead letter asks for: a notice, a context read, an offer. It goes to disk with the batch that
// asks for it, and joins its lane when that batch has come back, as events that were accepted do: until then nobody
// could read it. A batch that fails takes it along; so does the front's end, and the next one finds what is on disk.
// Dispatcher's thread.
#include <stdlib.h>
#include <string.h>

#include "http-front/dispatch/state.h"
#include "proto/clock.h"

struct waiting {
    const struct ledger_batch *batch; // until it is submitted
    const struct token *token;        // from then on
    char *conversation;
    struct item *item;
};

static void discard(struct waiting **waiting)
{
    lanes_item_free(&(*waiting)->item);
    free((*waiting)->conversation);
    free(*waiting);
    *waiting = NULL;
}

void followup_put(struct dispatcher *self, const char *conversation, struct ledger_batch *batch,
                  const struct event *asked, uint64_t delay_ms)
{
    uint64_t now = (uint64_t)clock_wall_ms();
    struct item *item = lanes_item_new(asked->kind, ledger_next(self->options.ledger));
    item->time_ms = now;
    item->accepted_ms = now;
    item->arrived_mono_ms = (uint64_t)clock_mono_ms();
    item->not_before_mono_ms = item->arrived_mono_ms + delay_ms;
    item->stored = true;
    item->request = self->request; // a part of what asked for it
    struct event event = *asked;
    event.conversation = conversation;
    event.request = item->request;
    event.time_ms = event.accepted_ms = now;
    record_pending(batch, item, &event);
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (!waiting)
        abort();
    waiting->batch = batch;
    waiting->item = item;
    waiting->conversation = strdup(conversation);
    if (!waiting->conversation)
        abort();
    zlistx_add_end(self->followups, waiting);
}

void followup_reported(struct dispatcher *self, const char *conversation, struct ledger_batch *batch,
                       const struct followup *followup)
{
    struct event asked = {.kind = followup->kind, .round = followup->round, .reason = followup->reason};
    followup_put(self, conversation, batch, &asked, followup->delay_ms);
}

void followup_submitted(struct dispatcher *self, const struct ledger_batch *batch, const struct token *token)
{
    for (size_t i = zlistx_size(self->followups); i > 0; i--) {
        struct waiting *waiting = zlistx_detach(self->followups, NULL);
        if (waiting->batch == batch) {
            waiting->batch = NULL; // whose address another one may have soon
            waiting->token = token;
        }
        if (waiting->batch || waiting->token)
            zlistx_add_end(self->followups, waiting);
        else
            discard(&waiting);
    }
}

void followup_committed(struct dispatcher *self, const struct token *token, bool ok)
{
    for (size_t i = zlistx_size(self->followups); i > 0; i--) {
        struct waiting *waiting = zlistx_detach(self->followups, NULL);
        if (waiting->token != token) {
            zlistx_add_end(self->followups, waiting);
            continue;
        }
        struct conversation *conversation = ok ? schedule_open(self, waiting->conversation) : NULL;
        if (conversation) { // else logged; what is on disk is found at the next start
            schedule_add(self, conversation, waiting->item);
            waiting->item = NULL;
        }
        discard(&waiting);
    }
}

void followup_free(struct dispatcher *self)
{
    for (struct waiting *waiting; self->followups && (waiting = zlistx_detach(self->followups, NULL));)
        discard(&waiting);
    zlistx_destroy(&self->followups);
}
