// SPDX-License-Identifier: Apache-2.0
// mode = "observe" as the dispatcher sees it. Dispatcher's thread. Workers make no write and report it done, without an
// id, so every event ends as it would in live mode and nothing is claimed, in doubt or given up. A lane whose ticket
// would have been opened says so (opened_ms, without a ticket): its next messages are told of as notes. Once the mode
// is live such a lane is one without a ticket, which its next message opens; what was observed is not written then.
#include <inttypes.h>

#include "http-front/dispatch/state.h"
#include "proto/log.h"

bool observe_writes(const struct dispatcher *self, uint64_t step)
{
    const struct step_info *info = steps_info(step);
    return info && info->kind == STEP_WRITE && !self->observing;
}

bool observe_take(struct dispatcher *self, struct conversation *conversation, const struct report *report,
                  struct ledger_batch *batch)
{
    if (!report->observed)
        return false;
    metrics_count_observed(report->step);
    if (report->step != STEP_CREATE_TICKET || lanes_is_own(conversation->id))
        return false;
    struct arena *arena = arena_new();
    struct lane lane = lanes_record(conversation, arena);
    bool first = !lane.opened_ms;
    if (first) {
        lane.opened_ms = lane.updated_ms = record_now_ms(self);
        lanes_set_record(conversation, &lane);
        ledger_put_lane(batch, &lane);
    }
    arena_free(&arena);
    return first;
}

void observe_give_up(struct dispatcher *self, struct out *out, const struct report *report)
{
    (void)self;
    out->given_up = true;
    log_warn("would_fail", "step=%s conversation=%s cause=%s", steps_name(out->step), out->side->conversation->id,
             report->cause);
    // A reply that is named as delivered lets those behind it pass.
    out->after = out->item->kind == EVENT_HINT && report->delivered.count ? AFTER_AGAIN : AFTER_FINISH;
}
