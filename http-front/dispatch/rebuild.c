// SPDX-License-Identifier: Apache-2.0
// A hint about a ticket that no conversation knows: what was read of the ticket makes the link again. Dispatcher's
// thread.
#include <inttypes.h>

#include "http-front/dispatch/state.h"
#include "proto/clock.h"
#include "proto/log.h"

// The hint becomes one of that conversation's lane, or joins the one that is there.
static void pass_hint_on(struct dispatcher *self, struct conversation *conversation, const struct item *item)
{
    for (struct item *known = conversation->sides[SIDE_CHAT].head; known; known = known->next)
        if (known->ticket_id == item->ticket_id) {
            if (item->hint_count > known->hint_count)
                known->hint_count = item->hint_count;
            return;
        }
    struct item *hint = lanes_item_new(EVENT_HINT, ledger_next(self->options.ledger));
    hint->ticket_id = item->ticket_id;
    hint->hint_count = item->hint_count;
    hint->request = item->request;
    hint->time_ms = item->time_ms;
    hint->accepted_ms = item->accepted_ms;
    hint->arrived_mono_ms = item->arrived_mono_ms;
    schedule_add(self, conversation, hint);
}

// Agents who reply there write into the void: they are told, once. The row says that they were, in the same batch.
static void tell_second(struct dispatcher *self, const struct conversation *conversation, uint64_t ticket_id,
                        struct ledger_batch *batch)
{
    struct arena *arena = arena_new();
    struct ticket row;
    enum ledger_result result = ledger_ticket(self->options.ledger, ticket_id, &row, arena);
    bool told = result == LEDGER_OK && row.told;
    if (result != LEDGER_ERROR && !told && !self->observing && !conversation->held) {
        row = (struct ticket){.conversation = conversation->id, .time_ms = record_now_ms(self), .told = true};
        ledger_put_ticket(batch, ticket_id, &row);
        struct event notice = {
            .kind = EVENT_NOTICE,
            .ticket_id = ticket_id,
            .reason =
                arena_printf(arena, "Replies in this ticket do not reach the chat; the chat's ticket is #%" PRIu64 ".",
                             conversation->ticket_id)};
        followup_put(self, conversation->id, batch, &notice, 0);
    }
    arena_free(&arena);
}

void rebuild_link(struct dispatcher *self, struct out *out, const struct report *report, struct ledger_batch *batch)
{
    struct item *item = out->item;
    out->after = AFTER_FINISH;
    // Agents can write anything into that field; the lanes of polls and unknown tickets are no conversations.
    if (!*report->link_conversation || lanes_is_own(report->link_conversation) ||
        forget_is_gone(self, report->link_conversation)) {
        metrics_count(METRIC_HINTS_UNLINKED);
        log_info("hint_unlinked", "ticket=%" PRIu64, item->ticket_id);
        return;
    }
    struct conversation *conversation = schedule_open(self, report->link_conversation);
    if (!conversation) {
        out->after = AFTER_AGAIN;
        return;
    }
    // A ticket that this lane is opening at this moment was relayed by nobody yet: its first reply needs no look.
    const struct item *opening = conversation->sides[SIDE_DESK].active;
    bool is_new = opening && opening->claimed && opening->step == STEP_CREATE_TICKET && !self->restored_ms;
    struct report link = {.ticket_id = item->ticket_id,
                          .requester_id = report->requester_id,
                          .rebuilt_ms = is_new ? 0 : report->rebuilt_ms,
                          .user = ""};
    if (conversation->ticket_id && conversation->ticket_id != item->ticket_id) {
        log_warn("second_ticket", "conversation=%s ticket=%" PRIu64 " other_ticket=%" PRIu64, conversation->id,
                 conversation->ticket_id, item->ticket_id);
        tell_second(self, conversation, item->ticket_id, batch);
        schedule_conversation(self, conversation);
    } else {
        if (!conversation->ticket_id) {
            record_merge(self, conversation, &link, batch);
            record_history(self, batch, conversation->id, "link rebuilt from the ticket", item->ticket_id, "",
                           report->took_ms);
        } // else its ticket was recorded meanwhile, though perhaps not on disk yet: so not by schedule_hint
        // The hint goes on in the conversation's own lane; its row stays until that is done.
        pass_hint_on(self, conversation, item);
        item->ticket_id = 0; // this lane's item leaves without the row
    }
}
