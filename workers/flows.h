// SPDX-License-Identifier: Apache-2.0
// The tables of all flows, joined by flows.c; each ends with a row of STEP_NONE.
#ifndef WORKERS_FLOWS_H
#define WORKERS_FLOWS_H
#include "workers/step.h"

extern const struct step_code flow_open_ticket_steps[];
extern const struct step_code flow_append_steps[];
extern const struct step_code flow_context_steps[];
extern const struct step_code flow_keep_open_steps[];
extern const struct step_code flow_relay_steps[];
extern const struct step_code flow_repeat_steps[];
extern const struct step_code flow_post_steps[];
extern const struct step_code flow_mirror_steps[];
extern const struct step_code flow_notice_steps[];
extern const struct step_code flow_offer_steps[];
extern const struct step_code flow_poll_steps[];
extern const struct step_code flow_poll_calls_steps[];
extern const struct step_code flow_call_join_steps[];
extern const struct step_code flow_call_ticket_steps[];
extern const struct step_code flow_call_note_steps[];
#endif
