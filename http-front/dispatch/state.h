// SPDX-License-Identifier: Apache-2.0
// What the dispatcher's files share; nobody else includes it.
#ifndef HTTP_FRONT_DISPATCH_STATE_H
#define HTTP_FRONT_DISPATCH_STATE_H
#include <czmq.h>

#include "http-front/admin/metrics.h"
#include "http-front/dispatch/control.h"
#include "http-front/dispatch/dispatcher.h"
#include "http-front/dispatch/gates.h"
#include "http-front/dispatch/heap.h"
#include "http-front/dispatch/jobs.h"
#include "http-front/dispatch/lanes.h"
#include "http-front/dispatch/links.h"
#include "proto/pipes.h"

// No frame from a worker is larger: a report carries at most 4 MiB of found and what its lists may hold.
enum { REPORT_MAX_BYTES = 8 * 1024 * 1024 };

struct dispatcher {
    struct dispatcher_options options;
    struct lane_rules rules;
    uint64_t retry_first_ms;
    uint64_t retry_max_ms;
    uint64_t retry_give_up_ms;

    zloop_t *loop;
    zsock_t *reports; // PULL: reports and censuses of all workers
    struct pipes_reader control;
    bool control_closed;
    bool left;        // options.leave was called
    bool ledger_lost; // a commit failed

    zhashx_t *conversations; // id -> struct conversation, those with work
    struct jobs *jobs;       // what is out
    struct links *links;
    struct gates *gates;
    struct heap *ready[UPSTREAMS][GATE_QUEUES]; // sides whose next step waits for gate and worker, best first
    struct heap *timers;                        // sides that must be looked at again at a time
    zhashx_t *unopened;             // letters.c: conversations with a customer's message among the dead letters
    zlistx_t *deferred;             // reports (struct record_buffer) whose item is being written
    zlistx_t *callers;              // callers.c: numbers that a ticket is being opened for
    zlistx_t *sections;             // sections.c: tickets that are being read and put
    zlistx_t *followups;            // followup.c: work whose batch is not on disk yet
    zlistx_t *suspects;             // sides that wait for a worker with nothing else to do
    bool hint_went[UPSTREAMS];      // of what ranks with new tickets a look for a reply went last
    uint64_t gate_wake_ms;          // when a gate that held something up should be tried again; 0 = none
    struct control *console;        // deskbellctl's socket
    uint64_t request;               // of what is being worked on, for history and log; 0: none
    struct forget *forget;          // the person who is being forgotten, or the last one; NULL: none
    bool paused[SIDES];             // an operator holds this direction
    uint64_t paused_mono_ms[SIDES]; // since when
    uint64_t backup_ms;             // when the backup was taken that this ledger was restored from, or 0
    uint64_t restored_ms;           // what was said until then may have been written already
    uint64_t resumed_mono_ms;       // both directions were, since the restoring; 0: not yet
    uint64_t asked_mono_ms;         // since then every poll has made its first round; 0: not yet
    uint64_t started_mono_ms;
    bool open;      // every worker on the roster has answered: jobs may go out
    bool observing; // mode "observe": no step writes, nothing is claimed

    uint64_t waiting[SIDES];   // items in memory, polls apart
    uint64_t busy;             // sides with such items
    uint64_t missing;          // messages that only a poll told of, not delivered yet
    uint64_t missing_since_ms; // since when there are any
    uint64_t customer_mono_ms; // when a customer last wrote
    uint64_t dead;
    uint64_t writing; // commits not yet on disk

    uint64_t backlog_mono_ms; // when it was last looked at
    uint64_t beats;
    uint64_t beat_progress; // of the committer at the last beat
    uint64_t alarm_ms;      // what the loop's alarm is set for; 0 = none
    int alarm_id;

    int wake_fd;                   // eventfd: dispatcher_drain was called
    bool draining;                 // nothing more is handed out
    bool handing_over;             // and nobody waits for what is out
    uint64_t drain_until_ms;       // 0: nobody has asked for the end yet
    _Atomic uint64_t drain_for_ms; // written before wake_fd is
};

// ---- dispatcher.c
/** Asks the front once to leave; `why` goes to the log. */
void dispatcher_leave(struct dispatcher *self, const char *why);

// ---- schedule.c
/** Looks at a side again after anything about it changed: queues it, sets its timer, or lets it rest. */
void schedule_consider(struct dispatcher *self, struct side *side);
/** The same for both sides; forgets the conversation when nothing is left. It may be gone afterwards. */
void schedule_conversation(struct dispatcher *self, struct conversation *conversation);
/** Hands out whatever gates and workers allow now, and looks at sides whose time has come. */
void schedule_pump(struct dispatcher *self);
/** The conversation, loaded from the ledger or begun. NULL when the ledger cannot be read (logged). */
struct conversation *schedule_open(struct dispatcher *self, const char *id);
/** Adds a waiting item. */
void schedule_add(struct dispatcher *self, struct conversation *conversation, struct item *item);
/** The same without looking at the side: while everything is being loaded. */
void schedule_place(struct dispatcher *self, struct conversation *conversation, struct item *item);
/** Removes a finished item from its side and frees it. */
void schedule_drop(struct dispatcher *self, struct side *side, struct item *item);
/** A hint on disk: wakes the lane of its conversation, or one of its own when the ticket is unknown. */
void schedule_hint(struct dispatcher *self, uint64_t ticket_id, uint64_t count, uint64_t request);

// ---- forget.c
/** Begins to forget, or with dry_run to count. False with a sentence: one is under way, or `asked` names nobody. */
bool forget_begin(struct dispatcher *self, const char *asked, bool dry_run, char *why, size_t why_size);
/** When it wants its next turn (monotonic ms), 0: not by itself. */
uint64_t forget_due_ms(const struct dispatcher *self);
/** Its turn: a slice of it. */
void forget_step(struct dispatcher *self);
/** What takes the person out is on disk, or could not be written. */
void forget_committed(struct dispatcher *self, bool ok);
/**
 * How it stands: a json_t * of the caller's, or NULL with a sentence. What is told as finished is told once, and
 * forgotten itself.
 */
struct json_t *forget_told(struct dispatcher *self, char *why, size_t why_size);
/** True for a conversation that was forgotten and has not begun anew. */
bool forget_is_gone(struct dispatcher *self, const char *conversation);
void forget_free(struct dispatcher *self);
/** Whether its thread is at the ledger's files. */
bool forget_scrubs(const struct dispatcher *self);

// ---- backlog.c
struct backlog {
    uint64_t oldest_ms[SIDES]; // wall clock of the oldest acceptance; 0: nothing waits
    uint64_t doubt[SIDES];
    uint64_t held[SIDES]; // lanes that wait for a retry or a look
    bool whole;
};
struct backlog backlog_look(const struct dispatcher *self);

// ---- latency.c
/** The item is in that stage from now on. */
void latency_enter(struct item *item, enum metrics_stage stage);
/** It waits in its lane: for its turn, for its next attempt, or for doubt to settle. */
void latency_waits(struct item *item);
/** Its worker has reported. */
void latency_reported(struct item *item, const struct report *report);
/** A reply of it is in the chat, and on disk; others follow. */
void latency_posted(struct item *item);
/** It is done, and on disk. */
void latency_finished(const struct out *out);
/** It was accepted: how long its webhook took. */
void latency_accepted(const struct item *item);
/** Replies that a report says are in the chat: how long that took since they were written. */
void latency_replied(const struct item *item, const struct report *report);

// ---- handout.c
enum handout { HANDOUT_DONE, HANDOUT_NO_WORKER, HANDOUT_LATER };
/** The item's write is claimed from now on, by our clock and by its upstream's. */
void handout_stamp(struct item *item, enum step write);
/** Begins the chosen step of an idle side. HANDOUT_LATER: the item waits now (ledger unreadable, echo being recorded).
 */
enum handout handout_begin(struct dispatcher *self, struct side *side, const struct lane_choice *choice);
/** The claim of `out` is on disk. */
void handout_claimed(struct dispatcher *self, struct out *out);
/** Finishes a waiting item without a step. */
void handout_finish(struct dispatcher *self, struct side *side, struct item *item, enum metric why);

// ---- mail.c
/** Everything that is in the mailbox. */
void mail_read(struct dispatcher *self);

// ---- observe.c
/** True when handing out this step may change something on the other side. */
bool observe_writes(const struct dispatcher *self, uint64_t step);
/**
 * A write that was only observed was reported: counts it, and remembers in the lane's record that its ticket would be
 * there by now. True when that went into the batch.
 */
bool observe_take(struct dispatcher *self, struct conversation *conversation, const struct report *report,
                  struct ledger_batch *batch);
/** The item of `out` cannot be done, which is told and makes no dead letter. Sets out->after. */
void observe_give_up(struct dispatcher *self, struct out *out, const struct report *report);

// ---- outcome.c
/** A report came in. */
void outcome_report(struct dispatcher *self, const struct report *report);
/** The outcome of `out` is on disk. */
void outcome_written(struct dispatcher *self, struct out *out, bool hint_left, uint64_t hint_now);
/** What the report of a job that is out does to its item. */
void outcome_apply(struct dispatcher *self, struct out *out, const struct report *report);
/** Tells that worker, if it is still there, to forget the job. */
void outcome_ack(struct dispatcher *self, uint32_t slot, uint64_t generation, uint64_t job_id);
/** The job can never be reported (its worker is dead, or the frame was lost). Reads run again, writes are in doubt. */
void outcome_lost(struct dispatcher *self, struct out *out, bool worker_died);

// ---- rebuild.c
/**
 * A ticket nobody knew was read: its conversation field is the link, and the hint goes on in that conversation's lane.
 * Sets out->after; the hint's row is the item's no more once another item has it.
 */
void rebuild_link(struct dispatcher *self, struct out *out, const struct report *report, struct ledger_batch *batch);

// ---- late.c
/**
 * A report of a job that is not out. If its item still stands there in doubt, the report settles it; a look that is on
 * its way for it is called off. Otherwise only what it wrote is kept.
 */
void late_report(struct dispatcher *self, const struct report *report);
/** Looks again at reports that came while their item was being written. */
void late_deferred(struct dispatcher *self);

// ---- letters.c
/**
 * Puts the item of `out` (each message of a note by itself) among the dead letters, and tells the agents where a reply
 * is concerned. `entry`: the id of the reply, where the report says which it is; the lane's record counts that as
 * delivered already. NULL: it does not say. Sets out->after.
 */
void letters_give_up(struct dispatcher *self, struct out *out, struct ledger_batch *batch, const char *cause,
                     const char *entry);
/**
 * An agent's word, or that the chat was resolved or reopened, waited for a ticket that nobody opens: if the customer's
 * own message is a dead letter, it becomes one, too, and true. Else nothing happens.
 */
bool letters_take_along(struct dispatcher *self, struct side *side, struct item *item);
/** A customer's message of that conversation is a dead letter: what follows on it may have to become one. */
void letters_remember(struct dispatcher *self, const struct event *event);

// ---- record.c
/** What follows, in history and log, is about the event with that request id; 0: about none. */
void record_about(struct dispatcher *self, uint64_t request);
/** Adds a line to the conversation's history. */
void record_history(struct dispatcher *self, struct ledger_batch *batch, const char *conversation, const char *what,
                    uint64_t ticket_id, const char *id, uint64_t took_ms);
/** The wall clock for records that expire: it never falls behind what was believed before. */
uint64_t record_now_ms(const struct dispatcher *self);
/** Merges what a report says of the conversation into its record and the batch. True when anything changed. */
bool record_merge(struct dispatcher *self, struct conversation *conversation, const struct report *report,
                  struct ledger_batch *batch);
/** Submits a batch; `token` comes back in its mail (a struct token). NULL fields of a hint: none. */
enum token_kind { TOKEN_CLAIM, TOKEN_OUTCOME, TOKEN_LATE, TOKEN_FINISH, TOKEN_CONTROL, TOKEN_FORGET };
struct token {
    enum token_kind kind;
    struct out *out;     // CLAIM, OUTCOME
    struct side *side;   // FINISH
    struct item *item;   // FINISH
    uint32_t slot;       // LATE: who to ack
    uint64_t generation; // LATE
    uint64_t job_id;     // LATE
    enum metric why;     // FINISH
};
void record_submit(struct dispatcher *self, struct ledger_batch *batch, const struct token *token, uint64_t hint_ticket,
                   uint64_t hint_count);
/** The same for a poll: in the same batch the hint counters of `tickets` go up. */
void record_submit_hints(struct dispatcher *self, struct ledger_batch *batch, const struct token *token,
                         const uint64_t *tickets, size_t count);
/** Puts the item's pending record into the batch. */
void record_pending(struct ledger_batch *batch, const struct item *item, const struct event *event);
/** The event of an item that has one in the ledger, or a hint's. False when the ledger cannot be read or lacks it. */
bool record_event(struct dispatcher *self, const struct side *side, const struct item *item, struct event *event,
                  struct arena *arena);

// ---- followup.c
/**
 * Adds work to the batch, and to its conversation's lane once that is on disk. Of `asked` the caller fills in the kind
 * and what is particular to it.
 */
void followup_put(struct dispatcher *self, const char *conversation, struct ledger_batch *batch,
                  const struct event *asked, uint64_t delay_ms);
/** The same for what a report asks for. */
void followup_reported(struct dispatcher *self, const char *conversation, struct ledger_batch *batch,
                       const struct followup *followup);
/** The batch goes to the committer with this token; NULL: it never will, and what was put into it is forgotten. */
void followup_submitted(struct dispatcher *self, const struct ledger_batch *batch, const struct token *token);
/** The batch with that token is on disk, or could not be written. Before anything else that follows from it. */
void followup_committed(struct dispatcher *self, const struct token *token, bool ok);
void followup_free(struct dispatcher *self);

// ---- callers.c
/** Puts into the batch which conversation, or call, the lane's number and user were last active in. */
void callers_put(const struct dispatcher *self, const struct lane *lane, struct ledger_batch *batch);
/** A call-back's lane takes a ticket: its number leads an agent's own calls there for a week. If its user led there and
 * its number did not, the lane forgets it: anybody can type anybody's, whose own calls would be noted there. */
void callers_doubt_number(struct dispatcher *self, struct lane *lane, struct ledger_batch *batch, struct arena *arena);
/** The lane of the live conversation, of the call a short while ago, or, when an agent calls, of the wish for that
 * call, of that user or number, with its ticket. */
bool callers_live(struct dispatcher *self, const struct event *event, struct lane *lane, struct arena *arena);
/** The conversation's ticket was just opened: if its customer called a short while ago, both tickets name each other.
 */
void callers_cross(struct dispatcher *self, const struct conversation *conversation, struct ledger_batch *batch);
/** The item is about to open a ticket for that number. False: another one is at it. */
bool callers_begin(struct dispatcher *self, const struct item *item, const char *phone);
/** The item goes: it opens nothing any more. */
void callers_end(struct dispatcher *self, const struct item *item);
void callers_free(struct dispatcher *self);

// ---- sections.c
/** The step that reads the ticket for a step that reads it or puts what was read (STEP_RAISE_TICKET, ...), else NONE.
 */
enum step sections_reading(enum step step);
/** The item is about to do `step`. False: not now; it waits for another one's PUT, or was set back to its reading. */
bool sections_begin(struct dispatcher *self, const struct side *side, struct item *item, enum step step);
/** What the item was doing failed, or nobody knows: if it was to put what it had read, it reads again first. */
void sections_failed(struct item *item);
/** The item goes. */
void sections_end(struct dispatcher *self, const struct item *item);
void sections_free(struct dispatcher *self);

// ---- marks.c
/** A conversation that begins now is read from shortly before its first message, not from its very beginning. */
void marks_begin(struct conversation *conversation, uint64_t said_ms, uint64_t restored_ms);
/** The poll of a chat begins, or goes on after a pause: the poll keeps when the conversation's record last changed. */
void marks_note(const struct dispatcher *self, const struct conversation *conversation, struct item *item);
/** Whether a message that the poll `out` found, and that the ledger has no key of, is known all the same. */
bool marks_passed(const struct dispatcher *self, const struct out *out, const struct event *event);

// ---- polls.c
/** Makes the polls: of the desk, of the chat's customers, and of every conversation that was lately alive. */
bool polls_begin(struct dispatcher *self);
/** Something was said in the conversation at `said_ms` (chat clock): it is polled from here on. */
void polls_watch(struct dispatcher *self, struct conversation *conversation, uint64_t said_ms);
/** Says it when messages that were missed have been undelivered for minutes. */
void polls_tick(struct dispatcher *self);
/** A poll's report. */
void polls_report(struct dispatcher *self, struct out *out, const struct report *report);
/** A poll that can never be reported. Its conversation may be gone afterwards. */
void polls_lost(struct dispatcher *self, struct out *out, bool worker_died);
/** What became of an offer of `out`. */
void polls_offered(struct dispatcher *self, struct out *out, enum accept_result result);
/** The poll's outcome is on disk, or needed none: it rests, goes on, or is over. The conversation may be gone
 * afterwards. */
void polls_rest(struct dispatcher *self, struct out *out);

// ---- refresh.c
/** The customer wrote: the context is looked at again, soon, and from then on while the chat runs. */
void refresh_watch(struct dispatcher *self, struct conversation *conversation);
/** A conversation that was alive `ago_ms` before this front began. */
void refresh_wake(struct dispatcher *self, struct conversation *conversation, uint64_t ago_ms);
/** A refresh's report: what it asks for goes into the batch and the lane, unless that waits there already. */
void refresh_found(struct dispatcher *self, struct out *out, const struct report *report, struct ledger_batch *batch);
/** The read that is out gives way: it is made again later, and what it will report is only acked. The side is idle, and
 * was considered. */
void refresh_call_off(struct dispatcher *self, struct side *side);
/** How long a refresh rests after its read. */
uint64_t refresh_rest_ms(struct dispatcher *self, struct item *item, uint64_t now);
/** Whether it was the last: the customer is silent. */
bool refresh_is_over(const struct item *item, uint64_t now);
/** `told` ends with a note: the next one rests, and what else waits to be read is taken out, in the same batch. */
void refresh_told(struct dispatcher *self, struct side *side, const struct item *told, struct ledger_batch *batch);

// ---- keep_open.c
/** A customer's note is written: a reading of its ticket goes into the batch and the lane, unless one waits there. */
void keep_open_asked(struct dispatcher *self, struct conversation *conversation, struct ledger_batch *batch,
                     const struct followup *asked);
/** The ticket was found open, or was opened again. */
void keep_open_done(struct conversation *conversation);

// ---- recover.c
/** Loads everything that waits. False with a sentence in `why`. */
bool recover_load(struct dispatcher *self, char *why, size_t why_size);
/** Every worker has answered: what nobody holds is in doubt. */
void recover_settle(struct dispatcher *self);

// ---- restore.c
/** Learns whether the ledger was restored from a backup. False when it cannot be read. */
bool restore_begin(struct dispatcher *self);
/** Puts into the batch that both directions are resumed, so that no later front begins paused for the same reason. */
void restore_put_resumed(struct dispatcher *self, struct ledger_batch *batch);
/** That is on disk. */
void restore_resumed(struct dispatcher *self);
/** Whether what was said then may have been written after the backup. */
bool restore_is_before(const struct dispatcher *self, uint64_t said_ms);
/** A conversation that was just loaded: replies that are not newer are looked for in the chat first. */
void restore_lane(struct dispatcher *self, struct conversation *conversation);
/** The item's write `step` was never claimed here but may have happened: in doubt since the backup, or since the
 * conversation's ticket is. */
void restore_doubt(struct dispatcher *self, const struct conversation *conversation, struct item *item, enum step step);
/** Every second: forgets the restoring once everything said before it is settled. */
void restore_tick(struct dispatcher *self);

// ---- status.c
void status_refresh(struct dispatcher *self);
/** What polls compared with the ledger, found missing, and still have to deliver: a json_t * of the caller's. */
struct json_t *status_reconcile(const struct dispatcher *self);
#endif
