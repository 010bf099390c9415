// SPDX-License-Identifier: Apache-2.0
// Conversations in memory and their two lanes: what waits, in which order, and what may go next. No input or output and
// no clock of its own, so that every rule of docs/design.md 4 is a unit test. Owned by the dispatcher's thread.
#ifndef HTTP_FRONT_DISPATCH_LANES_H
#define HTTP_FRONT_DISPATCH_LANES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http-front/admin/metrics.h"
#include "http-front/dispatch/heap.h"
#include "proto/records.h"
#include "proto/steps.h"

struct out; // jobs.h

// One piece of waiting work. The event itself stays in the ledger until it is handed out, so that a million of these
// fit.
struct item {
    struct item *next; // in the lane's order
    uint64_t seq;
    uint64_t time_ms;         // said at; the order
    uint64_t accepted_ms;     // wall clock
    uint64_t arrived_mono_ms; // 0: before this front started
    uint64_t not_before_mono_ms;
    uint64_t doubt_since_mono_ms; // the write may last have been sent then
    uint64_t claimed_ms;          // wall clock of the first claim
    uint64_t claimed_there_ms;    // the same in the upstream's clock, 0: not known then
    uint64_t job_id;              // of the claim on disk
    uint64_t ticket_id;           // hints
    uint64_t hint_count;          // hints: the counter now; a list read begins with it
    uint64_t hint_listed;         // hints: the counter when the list was asked for
    int64_t alive_mono_ms;        // polls of a chat: when something was last said there, maybe before that clock began
    uint64_t known_ms;            // polls of a chat: what was said up to then is known (marks.c)
    uint64_t earliest_mono_ms;    // refreshes: not before this, whatever is said
    uint64_t worth_cents;         // cart value, once known
    uint64_t stage_mono_ms;       // since when it is in `stage`; 0: since it arrived
    uint64_t request;             // id of the request that brought it, for the log
    struct record_buffer found;   // what earlier steps found; owned
    struct record_buffer look;    // the same while a look goes through its pages; owned
    uint64_t *members;            // further sequences composed into this note, owned
    size_t member_count;
    uint16_t spent_ms[METRICS_STAGES]; // in each stage so far (latency.c)
    uint32_t attempts;
    uint8_t kind; // enum event_kind
    uint8_t step; // enum step, STEP_NONE before it began
    uint8_t deaths;
    uint8_t stage;   // enum metrics_stage
    bool claimed;    // on disk as "may have been handed out"
    bool unsent;     // claimed, but known not to have left this process
    bool doubt;      // look first
    bool missed;     // a poll found it, no webhook had told of it
    bool stored;     // has a pending record in the ledger
    bool looked_out; // the first page of the look under way was handed out after the settling time
    bool look_first; // said before the ledger was restored from a backup: its writes may be there already
    bool looked;     // and the next one is not
    bool asked;      // polls: one whole round since this front began
};

enum side_state {
    LANE_IDLE,     // nothing out: lanes_next says what could go
    LANE_CLAIMING, // the claim is being written
    LANE_OUT,      // a worker has it
    LANE_WRITING,  // the report is being written
};

struct side {
    struct conversation *conversation;
    struct item *head; // waiting, sorted by (time_ms, seq)
    struct item *last; // that was added, NULL once it is gone: most are said after it
    size_t count;
    size_t work;         // of these, those that are no polls
    struct item *active; // begun and to be finished before others; also in the list
    enum side_state state;
    struct out *out;        // while CLAIMING, OUT, WRITING
    struct heap_node ready; // in a ready heap while `queued`
    struct heap_node timer; // in the timer heap while `timed`
    uint64_t wake_mono_ms;
    uint64_t score; // order in the ready heap, lower first
    uint8_t queue;  // which ready heap
    uint8_t which;  // enum lane_side
    bool queued;
    bool timed;
};

struct conversation {
    char *id;
    uint64_t ticket_id;     // of the record; 0: none yet
    bool held;              // nothing goes out and it stays in memory: somebody is being forgotten
    bool would_have_ticket; // observe mode: one would have been opened
    uint64_t doubt_ms;      // of the record: a ticket may have been opened since that it does not know; 0: no
    uint64_t open_mono_ms;  // when it was last seen whether the ticket is open; 0: not by this front
    uint64_t doubt_mono_ms; // and that write may last have been sent then; 0: before this front began
    uint8_t *packed;        // the lane record, encoded: many conversations wait at once, few are worked on
    size_t packed_size;
    struct side sides[SIDES];
};

struct lane_rules {
    uint64_t gather_quiet_ms;
    uint64_t gather_max_ms;
    uint64_t context_wait_ms;
    uint64_t ticket_wait_ms; // how long an event that needs a ticket waits for one
    uint64_t settle_ms;
    bool restored;  // the ledger was, from a backup: tickets may exist that it does not know
    bool observing; // mode "observe": a ticket that would have been opened counts
};

enum lane_verdict {
    LANE_NOTHING, // nothing waits, or only what another event must release
    LANE_READY,   // `item` may go now with `step`
    LANE_LATER,   // look again at `wake_mono_ms`
    LANE_EXPIRED, // `item` waited too long for a ticket: finish it as "no ticket"
};

struct lane_choice {
    enum lane_verdict verdict;
    struct item *item;
    enum step step; // what to hand out: the item's step, its entry step, its look, or the step that goes on without it
    uint64_t wake_mono_ms;
};

/** A conversation with the given lane record (or a new one) and empty lanes. Copies what it needs. */
struct conversation *lanes_conversation_new(const char *id, const struct lane *record);
void lanes_conversation_free(struct conversation **self);

/** Replaces the lane record by a copy of `record`. */
void lanes_set_record(struct conversation *self, const struct lane *record);
/** The lane record; what it points to lives in `arena`. */
struct lane lanes_record(const struct conversation *self, struct arena *arena);

/**
 * True for the names of lanes that are no conversation in the chat: of polls, of tickets whose conversation is not
 * known, of calls ("call:ROOT") and of call-backs ("callback:ID"). Nobody polls them, relays into them or links tickets
 * to them.
 */
bool lanes_is_own(const char *id);

/** True for those of them whose record is kept, like a conversation's: of calls and call-backs. */
bool lanes_is_call(const char *id);

/** True when nothing waits and nothing is out on either side, so that the conversation may leave memory. */
bool lanes_is_idle(const struct conversation *self);

struct item *lanes_item_new(uint64_t event_kind, uint64_t seq);
void lanes_item_free(struct item **self);
/** Replaces `bytes` (an item's found or look) by a copy of `data`; size 0 clears. */
void lanes_set_bytes(struct record_buffer *bytes, const uint8_t *data, size_t size);
void lanes_item_set_members(struct item *self, const uint64_t *members, size_t count);

/** Puts the item into its place in the order. The side owns it from here on. */
void lanes_add(struct side *side, struct item *item);
/** Takes the item out of the side; the caller owns it then. It must be there. */
void lanes_remove(struct side *side, struct item *item);
/** The waiting item with that sequence, or NULL. */
struct item *lanes_find(const struct side *side, uint64_t seq);

/** Whether the item goes only when nothing else could (rule 8). */
bool lanes_gives_way(const struct item *item);

/** Whether what is out gives way to what comes: a read of the customer's context, which can be made again (rule 8). */
bool lanes_out_gives_way(const struct side *side);

/** The side's next move (rules 1 to 5 of docs/design.md 4). The side must be LANE_IDLE, or what is out must give way.
 */
struct lane_choice lanes_next(const struct side *side, const struct lane_rules *rules, uint64_t now_mono_ms);

/**
 * The customer messages that follow `head` and belong into the same note: those behind it in the order, up to the next
 * event that must come between, at most `most`. Returns how many were stored in `out`.
 */
size_t lanes_gather(const struct side *side, const struct item *head, struct item **out, size_t most);

/** The waiting item of that kind, or NULL; the first where there are several. */
struct item *lanes_find_kind(const struct side *side, enum event_kind kind);

/**
 * The item a ticket is opened with: while its customer was read, a message that was said earlier may have arrived; that
 * one takes over what `item` found. Returns `item` itself where none did, or where its write may have left already.
 */
struct item *lanes_first_said(struct side *side, struct item *item);

/** True when a write of this side may have reached the other side and is not yet recorded. */
bool lanes_undecided(const struct side *side);
#endif
