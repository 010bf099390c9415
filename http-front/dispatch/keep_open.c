// SPDX-License-Identifier: Apache-2.0
// When a ticket is read to see whether it is open, after a customer's note (workers/flow_keep_open.c does the rest).
// The note's report asks for it, so that note and event are on disk in one batch. One that still waits is enough for
// all notes before it, and after a reading the next one rests as long as a few notes take to gather: a burst costs two
// readings, not one each, and every note has one behind it. Dispatcher's thread.
#include "http-front/dispatch/state.h"
#include "proto/clock.h"

enum { NOTES_A_READING = 4 };

// One that has not been read for yet, or will be read for again: after a failure it is not active.
static bool waits(const struct side *side)
{
    for (const struct item *item = side->head; item; item = item->next)
        if (item->kind == EVENT_KEEP_OPEN && side->active != item)
            return true;
    return false;
}

void keep_open_asked(struct dispatcher *self, struct conversation *conversation, struct ledger_batch *batch,
                     const struct followup *asked)
{
    if (waits(&conversation->sides[SIDE_DESK]))
        return;
    uint64_t now = (uint64_t)clock_mono_ms();
    uint64_t due =
        conversation->open_mono_ms ? conversation->open_mono_ms + NOTES_A_READING * self->rules.gather_max_ms : 0;
    struct followup followup = *asked;
    followup.delay_ms = due > now ? due - now : 0;
    followup_reported(self, conversation->id, batch, &followup);
}

void keep_open_done(struct conversation *conversation)
{
    conversation->open_mono_ms = (uint64_t)clock_mono_ms();
}
