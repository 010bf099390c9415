// SPDX-License-Identifier: Apache-2.0
// The steps that flows are made of, as far as the front must know them: which upstream and limit class a step costs,
// what it ranks when the budget is short, whether it writes, and which look settles it when it is in doubt. The front
// knows no more of a flow than this table; what a step says and means is in workers/flow_*.c.
#ifndef PROTO_STEPS_H
#define PROTO_STEPS_H
#include <stdbool.h>
#include <stdint.h>

enum upstream { UPSTREAM_NONE = 0, UPSTREAM_FRESHCHAT, UPSTREAM_FRESHDESK, UPSTREAM_FRESHCALLER, UPSTREAMS };

// Limit classes that the helpdesk counts apart inside the account's budget (freshworks-api 4.13).
enum limit_class { LIMIT_ANY = 0, LIMIT_TICKET_CREATE, LIMIT_TICKET_UPDATE, LIMIT_TICKET_LIST, LIMIT_CLASSES };

// Who goes first when the budget is short. Lower goes first.
enum rank {
    RANK_REPLY = 0, // known to be one
    RANK_OPEN,
    RANK_HINT, // a look whether there is one, turn by turn with RANK_OPEN
    RANK_TRANSCRIPT,
    RANK_CONTEXT,
    RANK_POLL,
    RANKS
};

enum step_kind {
    STEP_READ,       // changes nothing there
    STEP_WRITE,      // must not be repeated without its look
    STEP_REPEATABLE, // changes something, but doing it again changes nothing more
};

enum lane_side { SIDE_DESK = 0, SIDE_CHAT, SIDES };

//  number, NAME, name, upstream (NONE: the worker decides without a call), limit class, rank, kind, look, patience in
//  ms (0: as long as it takes), step to go on with then
#define STEPS_TABLE(X)                                                                                                 \
    X(1, READ_CUSTOMER, "read_customer", FRESHCHAT, ANY, OPEN, READ, NONE, 1, CREATE_TICKET)                           \
    X(2, CREATE_TICKET, "create_ticket", FRESHDESK, TICKET_CREATE, OPEN, WRITE, LOOK_TICKET, 0, NONE)                  \
    X(3, LOOK_TICKET, "look_ticket", FRESHDESK, TICKET_LIST, OPEN, READ, NONE, 0, NONE)                                \
    X(4, APPEND_NOTE, "append_note", FRESHDESK, ANY, TRANSCRIPT, WRITE, LOOK_NOTE, 0, NONE)                            \
    X(5, LOOK_NOTE, "look_note", FRESHDESK, ANY, TRANSCRIPT, READ, NONE, 0, NONE)                                      \
    X(6, REREAD_CUSTOMER, "reread_customer", FRESHCHAT, ANY, CONTEXT, READ, NONE, 0, NONE)                             \
    X(7, UPDATE_TICKET, "update_ticket", FRESHDESK, TICKET_UPDATE, TRANSCRIPT, REPEATABLE, NONE, 0, NONE)              \
    X(8, READ_TICKET, "read_ticket", FRESHDESK, ANY, HINT, READ, NONE, 0, NONE)                                        \
    X(9, LIST_ENTRIES, "list_entries", FRESHDESK, ANY, HINT, READ, NONE, 0, NONE)                                      \
    X(10, READ_DESK_AGENT, "read_desk_agent", FRESHDESK, ANY, REPLY, READ, NONE, 0, NONE)                              \
    X(11, LIST_CHAT_AGENTS, "list_chat_agents", FRESHCHAT, ANY, REPLY, READ, NONE, 0, NONE)                            \
    X(12, POST_MESSAGE, "post_message", FRESHCHAT, ANY, REPLY, WRITE, LOOK_MESSAGE, 0, NONE)                           \
    X(13, LOOK_MESSAGE, "look_message", FRESHCHAT, ANY, REPLY, READ, NONE, 0, NONE)                                    \
    X(14, MIRROR_CHAT_AGENT, "mirror_chat_agent", FRESHCHAT, ANY, TRANSCRIPT, READ, NONE, 0, NONE)                     \
    X(15, MIRROR_DESK_AGENT, "mirror_desk_agent", FRESHDESK, ANY, TRANSCRIPT, READ, NONE, 0, NONE)                     \
    X(16, MIRROR_NOTE, "mirror_note", FRESHDESK, ANY, TRANSCRIPT, WRITE, LOOK_MIRROR, 0, NONE)                         \
    X(17, LOOK_MIRROR, "look_mirror", FRESHDESK, ANY, TRANSCRIPT, READ, NONE, 0, NONE)                                 \
    X(18, NOTICE_NOTE, "notice_note", FRESHDESK, ANY, TRANSCRIPT, WRITE, LOOK_NOTICE, 0, NONE)                         \
    X(19, LOOK_NOTICE, "look_notice", FRESHDESK, ANY, TRANSCRIPT, READ, NONE, 0, NONE)                                 \
    X(20, LIST_TICKETS, "list_tickets", FRESHDESK, TICKET_LIST, POLL, READ, NONE, 0, NONE)                             \
    X(21, LIST_MESSAGES, "list_messages", FRESHCHAT, ANY, POLL, READ, NONE, 0, NONE)                                   \
    X(22, LIST_USERS, "list_users", FRESHCHAT, ANY, POLL, READ, NONE, 0, NONE)                                         \
    X(23, LIST_USER_CHATS, "list_user_chats", FRESHCHAT, ANY, POLL, READ, NONE, 0, NONE)                               \
    X(24, LIST_CALLS, "list_calls", FRESHCALLER, ANY, POLL, READ, NONE, 0, NONE)                                       \
    X(25, JOIN_CALL, "join_call", NONE, ANY, OPEN, READ, NONE, 0, NONE)                                                \
    X(26, READ_CALL, "read_call", FRESHCALLER, ANY, OPEN, READ, NONE, 0, NONE)                                         \
    X(27, FIND_CALLER, "find_caller", FRESHDESK, ANY, OPEN, READ, NONE, 0, NONE)                                       \
    X(28, FIND_TICKET, "find_ticket", FRESHDESK, TICKET_LIST, OPEN, READ, NONE, 0, NONE)                               \
    X(29, CREATE_CALL_TICKET, "create_call_ticket", FRESHDESK, TICKET_CREATE, OPEN, WRITE, LOOK_CALL_TICKET, 0, NONE)  \
    X(30, LOOK_CALL_TICKET, "look_call_ticket", FRESHDESK, TICKET_LIST, OPEN, READ, NONE, 0, NONE)                     \
    X(31, READ_TO_RAISE, "read_to_raise", FRESHDESK, ANY, OPEN, READ, NONE, 0, NONE)                                   \
    X(32, RAISE_TICKET, "raise_ticket", FRESHDESK, TICKET_UPDATE, OPEN, REPEATABLE, NONE, 0, NONE)                     \
    X(33, CALL_NOTE, "call_note", FRESHDESK, ANY, TRANSCRIPT, WRITE, LOOK_CALL_NOTE, 0, NONE)                          \
    X(34, LOOK_CALL_NOTE, "look_call_note", FRESHDESK, ANY, TRANSCRIPT, READ, NONE, 0, NONE)                           \
    X(35, REFRESH_CUSTOMER, "refresh_customer", FRESHCHAT, ANY, POLL, READ, NONE, 0, NONE)                             \
    X(36, READ_TO_UPDATE, "read_to_update", FRESHDESK, ANY, CONTEXT, READ, NONE, 0, NONE)                              \
    X(37, CHANGE_NOTE, "change_note", FRESHDESK, ANY, TRANSCRIPT, WRITE, LOOK_CHANGE, 0, NONE)                         \
    X(38, LOOK_CHANGE, "look_change", FRESHDESK, ANY, TRANSCRIPT, READ, NONE, 0, NONE)                                 \
    X(39, POST_OFFER, "post_offer", FRESHCHAT, ANY, TRANSCRIPT, WRITE, LOOK_OFFER, 0, NONE)                            \
    X(40, LOOK_OFFER, "look_offer", FRESHCHAT, ANY, TRANSCRIPT, READ, NONE, 0, NONE)                                   \
    X(41, READ_LIVE, "read_live", FRESHDESK, ANY, OPEN, READ, NONE, 0, NONE)                                           \
    X(42, READ_CHAT, "read_chat", FRESHCHAT, ANY, REPLY, READ, NONE, 0, NONE)                                          \
    X(43, READ_WHETHER_OPEN, "read_whether_open", FRESHDESK, ANY, TRANSCRIPT, READ, NONE, 0, NONE)                     \
    X(44, REOPEN_TICKET, "reopen_ticket", FRESHDESK, TICKET_UPDATE, TRANSCRIPT, REPEATABLE, NONE, 0, NONE)             \
    X(45, LIST_DESK_AGENTS, "list_desk_agents", FRESHDESK, ANY, OPEN, READ, NONE, 1, CREATE_TICKET)                    \
    X(46, READ_KEY_OWNER, "read_key_owner", FRESHDESK, ANY, REPLY, READ, NONE, 0, NONE)

#define STEP_ENUM(number, title, name, up, class, order, type, lookup, patience, next) STEP_##title = number,
enum step { STEP_NONE = 0, STEPS_TABLE(STEP_ENUM) STEPS_END };
#undef STEP_ENUM

struct step_info {
    const char *name; // "create_ticket", as in logs and metrics
    enum upstream upstream;
    enum limit_class limit;
    enum rank rank;
    enum step_kind kind;
    enum step look;      // of a STEP_WRITE: the step that settles doubt
    bool impatient;      // waits timing.context_wait_ms at most, counted from the event's acceptance; then `otherwise`
    enum step otherwise; // the step that goes on without this one
};

/** The table's row; NULL for numbers that are no step. */
const struct step_info *steps_info(uint64_t step);

/** "create_ticket"; "none" for 0, "unknown" for others. */
const char *steps_name(uint64_t step);

/** The write that `step` looks for, or STEP_NONE when `step` is no look. */
enum step steps_looked_for(uint64_t step);

/**
 * Where an event of that kind begins. `has_ticket`: the conversation has a ticket. STEP_NONE: it must wait for the
 * ticket. EVENT_HINT without a ticket in the ledger begins with STEP_READ_TICKET.
 */
enum step steps_entry(uint64_t event_kind, bool has_ticket);

/** The lane an event of that kind joins. */
enum lane_side steps_side(uint64_t event_kind);

/** True for the kinds that ask whether anything was missed: they hold up nothing and are never stored. */
bool steps_is_poll(uint64_t event_kind);

/** "freshchat", "freshdesk", "freshcaller", "none". */
const char *steps_upstream_name(enum upstream upstream);
#endif
