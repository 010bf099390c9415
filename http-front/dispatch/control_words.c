// SPDX-License-Identifier: Apache-2.0
// What the operator's commands say of items, letters and conversations: ids, times and words of our own, never a text
// that somebody wrote. Dispatcher's thread.
#include "http-front/dispatch/control_commands.h"
#include "proto/clock.h"

#include <string.h>

const char *control_direction(int side)
{
    return side == SIDE_DESK ? "chat-to-desk" : "desk-to-chat";
}

const char *control_kind(uint64_t event_kind)
{
    switch (event_kind) {
    case EVENT_CUSTOMER_MESSAGE:
        return "customer message";
    case EVENT_AGENT_MESSAGE:
        return "agent message";
    case EVENT_HINT:
        return "ticket change";
    case EVENT_CONTEXT:
        return "context read";
    case EVENT_NOTICE:
        return "notice";
    case EVENT_OFFER:
        return "offer to call";
    case EVENT_KEEP_OPEN:
        return "look whether the ticket is open";
    case EVENT_POLL_DESK:
    case EVENT_POLL_CHAT:
    case EVENT_POLL_USERS:
    case EVENT_POLL_CALLS:
    case EVENT_REFRESH:
        return "poll";
    case EVENT_CALL:
        return "call";
    case EVENT_CALLBACK:
        return "call-back request";
    default:
        return "unknown";
    }
}

const char *control_side_state(enum side_state state)
{
    static const char *const words[] = {
        [LANE_IDLE] = "idle", [LANE_CLAIMING] = "claiming", [LANE_OUT] = "out", [LANE_WRITING] = "recording"};
    return (unsigned)state < sizeof words / sizeof *words ? words[state] : "unknown";
}

static bool is_ticket_lane(const char *conversation)
{
    return strncmp(conversation, "ticket:", 7) == 0;
}

const char *control_conversation_of(struct dispatcher *self, const struct event *event, struct arena *arena)
{
    struct ticket ticket;
    if ((!*event->conversation || is_ticket_lane(event->conversation)) && event->ticket_id &&
        ledger_ticket(self->options.ledger, event->ticket_id, &ticket, arena) == LEDGER_OK)
        return ticket.conversation;
    return event->conversation;
}

bool control_lane(struct dispatcher *self, const char *conversation, struct lane *lane, struct arena *arena)
{
    const struct conversation *known = zhashx_lookup(self->conversations, conversation);
    if (!known)
        return ledger_lane(self->options.ledger, conversation, lane, arena) == LEDGER_OK;
    *lane = lanes_record(known, arena);
    return true;
}

const char *control_request(uint64_t request, char out[LOG_REQUEST_BYTES])
{
    *out = '\0';
    return request ? log_request_text(request, out) : out;
}

json_t *control_letter(struct dispatcher *self, uint64_t seq, const struct dead *dead, struct arena *arena)
{
    const struct pending *pending = &dead->pending;
    const char *conversation = control_conversation_of(self, &pending->event, arena);
    struct lane lane = {.user = pending->event.user};
    bool known = control_lane(self, conversation, &lane, arena);
    uint64_t ticket = known && lane.ticket_id ? lane.ticket_id : pending->event.ticket_id;
    char request[LOG_REQUEST_BYTES];
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:b, s:s}", "seq", (json_int_t)seq,
                     "request", control_request(pending->event.request, request), "kind",
                     control_kind(pending->event.kind), "conversation", conversation, "user",
                     known && *lane.user ? lane.user : pending->event.user, "ticket", (json_int_t)ticket, "step",
                     steps_name(pending->step), "message", pending->event.message, "said_ms",
                     (json_int_t)pending->event.time_ms, "accepted_ms", (json_int_t)pending->event.accepted_ms,
                     "dead_ms", (json_int_t)dead->time_ms, "in_doubt",
                     (int)((pending->claimed || pending->doubt) && steps_info(pending->step)), "cause", dead->cause);
}

void control_tell(struct dispatcher *self, struct ledger_batch *batch, const char *conversation, const char *what,
                  uint64_t ticket_id)
{
    if (!*conversation || is_ticket_lane(conversation))
        return;
    struct history history = {conversation, (uint64_t)clock_wall_ms(), what, ticket_id, "", 0, 0};
    ledger_put_history(batch, ledger_next(self->options.ledger), &history);
}
