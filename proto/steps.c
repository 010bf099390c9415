// SPDX-License-Identifier: Apache-2.0
// The step table as data, and the few questions asked of it. No state.
#include "proto/steps.h"

#include <stddef.h>

#include "proto/records.h"

#define STEP_ROW(number, title, label, up, class, order, type, lookup, patience, next)                                 \
    [number] = {.name = (label),                                                                                       \
                .upstream = UPSTREAM_##up,                                                                             \
                .limit = LIMIT_##class,                                                                                \
                .rank = RANK_##order,                                                                                  \
                .kind = STEP_##type,                                                                                   \
                .look = STEP_##lookup,                                                                                 \
                .impatient = (patience) != 0,                                                                          \
                .otherwise = STEP_##next},
static const struct step_info rows[STEPS_END] = {STEPS_TABLE(STEP_ROW)};

const struct step_info *steps_info(uint64_t step)
{
    return step < STEPS_END && rows[step].name ? &rows[step] : NULL;
}

const char *steps_name(uint64_t step)
{
    const struct step_info *info = steps_info(step);
    return info ? info->name : step == STEP_NONE ? "none" : "unknown";
}

enum step steps_looked_for(uint64_t step)
{
    if (step == STEP_NONE)
        return STEP_NONE;
    for (int i = 1; i < STEPS_END; i++)
        if (rows[i].look == step)
            return (enum step)i;
    return STEP_NONE;
}

enum step steps_entry(uint64_t event_kind, bool has_ticket)
{
    switch (event_kind) {
    case EVENT_CUSTOMER_MESSAGE:
        return has_ticket ? STEP_APPEND_NOTE : STEP_READ_CUSTOMER;
    case EVENT_AGENT_MESSAGE:
        return has_ticket ? STEP_MIRROR_CHAT_AGENT : STEP_NONE;
    case EVENT_HINT:
        return has_ticket ? STEP_LIST_ENTRIES : STEP_READ_TICKET;
    case EVENT_CONTEXT:
        return has_ticket ? STEP_REREAD_CUSTOMER : STEP_NONE;
    case EVENT_NOTICE:
    case EVENT_RESOLVED:
    case EVENT_REOPENED:
        return has_ticket ? STEP_NOTICE_NOTE : STEP_NONE;
    case EVENT_OFFER:
        return has_ticket ? STEP_POST_OFFER : STEP_NONE;
    case EVENT_KEEP_OPEN:
        return has_ticket ? STEP_READ_WHETHER_OPEN : STEP_NONE;
    case EVENT_REFRESH:
        return has_ticket ? STEP_REFRESH_CUSTOMER : STEP_NONE;
    case EVENT_POLL_DESK:
        return STEP_LIST_TICKETS;
    case EVENT_POLL_CHAT:
        return STEP_LIST_MESSAGES;
    case EVENT_POLL_USERS:
        return STEP_LIST_USERS;
    case EVENT_POLL_CALLS:
        return STEP_LIST_CALLS;
    case EVENT_CALL:
    case EVENT_CALLBACK:
        return STEP_JOIN_CALL; // it decides itself what the ticket is
    default:
        return STEP_NONE;
    }
}

bool steps_is_poll(uint64_t event_kind)
{
    return event_kind == EVENT_POLL_DESK || event_kind == EVENT_POLL_CHAT || event_kind == EVENT_POLL_USERS ||
           event_kind == EVENT_POLL_CALLS || event_kind == EVENT_REFRESH;
}

enum lane_side steps_side(uint64_t event_kind)
{
    if (event_kind == EVENT_REFRESH)
        return SIDE_DESK; // beside the updates that follow from it
    return event_kind == EVENT_HINT || event_kind == EVENT_OFFER || steps_is_poll(event_kind) ? SIDE_CHAT : SIDE_DESK;
}

const char *steps_upstream_name(enum upstream upstream)
{
    static const char *const words[UPSTREAMS] = {"none", "freshchat", "freshdesk", "freshcaller"};
    return (unsigned)upstream < UPSTREAMS ? words[upstream] : "unknown";
}
