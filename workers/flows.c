// SPDX-License-Identifier: Apache-2.0
// Finds the code of a step in the flows' tables.
#include "workers/flows.h"

const struct step_code *flows_step(uint64_t step)
{
    static const struct step_code *const tables[] = {
        flow_open_ticket_steps, flow_append_steps,      flow_context_steps,  flow_keep_open_steps,
        flow_relay_steps,       flow_repeat_steps,      flow_post_steps,     flow_mirror_steps,
        flow_notice_steps,      flow_offer_steps,       flow_poll_steps,     flow_poll_calls_steps,
        flow_call_join_steps,   flow_call_ticket_steps, flow_call_note_steps};
    if (step == STEP_NONE)
        return NULL;
    for (size_t table = 0; table < sizeof tables / sizeof *tables; table++)
        for (const struct step_code *code = tables[table]; code->step != STEP_NONE; code++)
            if (code->step == step)
                return code;
    return NULL;
}
