// SPDX-License-Identifier: Apache-2.0
// The one table of everything that crosses a process border or is stored in the ledger. From it come the structs, the
// encoder and the strict decoder (records.c). A record on the wire is a msgpack array: [record number, version, field,
// field, ...].
//
// To change a record: raise its version, append the field at its end, and let the decoder's defaults (0, "", empty)
// stand for what an older version lacks. A field is never removed, reordered or given another meaning: ledgers of every
// earlier version must stay readable. Frames between processes must carry the present version exactly; front and
// workers are always of one package.
//
// Field kinds:
//   U64(name, max)          unsigned number not above max
//   BOOL(name)
//   STR(name, bytes)        UTF-8 text without NUL, at most `bytes` bytes
//   BLOB(name, bytes)       bytes
//   U64S(name, count)       list of numbers
//   REC(name, record)       one nested record
//   LIST(name, record, n)   at most n nested records
#ifndef PROTO_RECORDS_TABLE_H
#define PROTO_RECORDS_TABLE_H

#define TEXT_MAX (256u * 1024u) // more than a webhook body may hold after its own bound is applied field by field
#define ID_MAX   128u
#define ANY_U64  UINT64_MAX

// number, version, name; a record stands below those it nests. Frames, from job on, are never stored: their numbers may
// move.
#define RECORDS_TABLE(X)                                                                                               \
    X(1, 1, part)                                                                                                      \
    X(17, 1, phone_call)                                                                                               \
    X(2, 4, event)                                                                                                     \
    X(3, 1, written)                                                                                                   \
    X(4, 3, context)                                                                                                   \
    X(18, 1, leg)                                                                                                      \
    X(5, 4, lane)                                                                                                      \
    X(6, 2, entry)                                                                                                     \
    X(7, 4, found)                                                                                                     \
    X(8, 2, pending)                                                                                                   \
    X(9, 1, seen)                                                                                                      \
    X(10, 2, hint)                                                                                                     \
    X(11, 2, ticket)                                                                                                   \
    X(12, 1, dead)                                                                                                     \
    X(13, 2, history)                                                                                                  \
    X(14, 1, followup)                                                                                                 \
    X(15, 1, change)                                                                                                   \
    X(16, 1, raw)                                                                                                      \
    X(19, 5, job)                                                                                                      \
    X(20, 5, report)                                                                                                   \
    X(21, 1, census)                                                                                                   \
    X(22, 1, hello)                                                                                                    \
    X(23, 1, ack)                                                                                                      \
    X(24, 1, control_argument)                                                                                         \
    X(25, 1, control_request)                                                                                          \
    X(26, 1, control_reply)

// One readable piece of a message (freshworks-api 1.6); collections and templates are flattened into their pieces.
#define FIELDS_part(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                             \
    U64(kind, 64) /* enum part_kind */                                                                                 \
    STR(text, TEXT_MAX)                                                                                                \
    STR(url, 8192)                                                                                                     \
    STR(label, 4096)

// One call of Freshcaller, or one leg of it (freshworks-api 6.2).
#define FIELDS_phone_call(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                       \
    U64(id, ANY_U64)                                                                                                   \
    U64(root_id, ANY_U64)   /* of the whole call; the legs of a transfer are calls of their own */                     \
    U64(parent_id, ANY_U64) /* 0: not a leg of another call */                                                         \
    BOOL(outgoing)                                                                                                     \
    STR(from, 64) /* as Freshcaller says them */                                                                       \
    STR(to, 64)                                                                                                        \
    U64(started_ms, ANY_U64) /* Freshcaller's clock, as are the next two */                                            \
    U64(ended_ms, ANY_U64)   /* 0: not known */                                                                        \
    U64(updated_ms, ANY_U64)                                                                                           \
    U64(seconds, ANY_U64)                                                                                              \
    STR(agent, 512)                                                                                                    \
    U64(state, 15)          /* enum call_state */                                                                      \
    STR(recording, 8192)    /* address, empty: none yet */                                                             \
    U64(ticket_id, ANY_U64) /* that Freshcaller's own integration names, 0: none */                                    \
    STR(notes, 8192)        /* what the agent wrote about it there */

// What a webhook or a poll said, in Deskbell's own words.
#define FIELDS_event(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                            \
    U64(kind, 255) /* enum event_kind */                                                                               \
    STR(key, 200)  /* idempotency key, "freshchat:message:ID" */                                                       \
    STR(conversation, ID_MAX)                                                                                          \
    STR(conversation_twin, ID_MAX) /* the numeric twin, may be empty */                                                \
    STR(channel, ID_MAX)                                                                                               \
    STR(user, ID_MAX) /* the customer */                                                                               \
    STR(actor, ID_MAX)                                                                                                 \
    STR(message, ID_MAX)                                                                                               \
    U64(ticket_id, ANY_U64)   /* hints; v4: notices for another ticket than the conversation's */                      \
    U64(time_ms, ANY_U64)     /* said at, in the upstream's clock; the lane is sorted by it */                         \
    U64(accepted_ms, ANY_U64) /* our wall clock */                                                                     \
    LIST(parts, part, 128)                                                                                             \
    U64(round, 1000)       /* context reads: which try this is */                                                      \
    STR(reason, 1024)      /* notices: what could not be done, and why; of NOTICE_REPLY_x: only why */                 \
    STR(phone, 32)         /* v2: calls and call-backs: the customer's, E.164; empty: none that could be read */       \
    STR(name, 512)         /* v2: the customer's, as it was said; of a notice: who wrote the reply */                  \
    REC(call, phone_call)  /* v2 */                                                                                    \
    U64(request, ANY_U64)  /* v3: of the request that brought it, for logs; 0: none */                                 \
    U64(notice, 15)        /* v4: notices: enum notice */                                                              \
    STR(quote, 1024)       /* v4: notices: how the reply begins that they are about */                                 \
    U64(quote_ms, ANY_U64) /* v4: and when it was written, helpdesk clock */

// Something Deskbell wrote or delivered: its id there and the upstream's time.
#define FIELDS_written(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                          \
    STR(id, ID_MAX)                                                                                                    \
    U64(time_ms, ANY_U64)

// What is known of the customer. `cart` and `friction` are kept as they were said; the numbers count only if `*_valid`.
#define FIELDS_context(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                          \
    BOOL(read) /* the customer was read at least once */                                                               \
    STR(name, 512)                                                                                                     \
    STR(email, 512)                                                                                                    \
    STR(phone, 128)                                                                                                    \
    STR(cart, 255)                                                                                                     \
    BOOL(cart_valid)                                                                                                   \
    U64(cart_cents, ANY_U64)                                                                                           \
    STR(friction, 255)                                                                                                 \
    BOOL(friction_valid)                                                                                               \
    U64(friction_value, 100)                                                                                           \
    STR(screen, 255)                                                                                                   \
    U64(priority, 4)    /* the ticket priority the rules gave, 0 before */                                             \
    STR(currency, 16)   /* v2: as it was said beside a bare number in `cart`, which holds it too */                    \
    STR(cart_url, 2048) /* v2: as it was said */                                                                       \
    STR(items, 3072)    /* v2: the lines of the cart, "; " between them */                                             \
    STR(reasons, 1024)  /* v2: why there is friction, in the page's words; empty: it gave none that fit the score */   \
    U64(proof, 7)       /* v2: enum proof: whether the shop signed the cart */                                         \
    BOOL(unsure)        /* v2: an update of the ticket's fields was begun and not recorded as done */                  \
    STR(rules, 1024)    /* v2: names of the rules that ever matched, a line each */                                    \
    STR(subject, 1024)  /* v3: of the ticket, as Deskbell wrote it last; empty: it is an agent's, or not known */      \
    U64(words_at, 1024) /* v3: where in it the customer's words begin */

// What the ticket was told of one leg of a call.
#define FIELDS_leg(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                              \
    U64(id, ANY_U64)   /* of the call */                                                                               \
    U64(told, ANY_U64) /* bit set, enum call_told */

// One conversation, as long as retention_days after its last change.
#define FIELDS_lane(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                             \
    STR(conversation, ID_MAX)                                                                                          \
    STR(conversation_twin, ID_MAX)                                                                                     \
    STR(channel, ID_MAX)                                                                                               \
    STR(user, ID_MAX)                                                                                                  \
    U64(ticket_id, ANY_U64) /* 0: no ticket yet */                                                                     \
    U64(requester_id, ANY_U64)                                                                                         \
    REC(context, context)                                                                                              \
    U64(mark_ms, ANY_U64)             /* entries up to this time (helpdesk clock) are settled but for the overlap */   \
    LIST(delivered, written, 4096)    /* entry ids above the mark that are in the chat */                              \
    LIST(desk_written, written, 4096) /* entry ids above the mark that Deskbell wrote */                               \
    LIST(chat_written, written, 1024) /* newest message ids that Deskbell posted */                                    \
    U64(rebuilt_ms, ANY_U64) /* helpdesk clock; entries not newer are looked for in the chat before they are posted */ \
    U64(opened_ms, ANY_U64)                                                                                            \
    U64(updated_ms, ANY_U64)                                                                                           \
    U64(chat_mark_ms, ANY_U64) /* v2: messages up to this time (chat clock) are known but for the overlap */           \
    U64(listed_ms, ANY_U64)    /* v2: helpdesk clock at the last list of the entries */                                \
    LIST(legs, leg, 64)        /* v3: lanes of calls: what the ticket was told of each leg */                          \
    U64(doubt_ms, ANY_U64)     /* v4: a ticket may have been opened since (helpdesk clock) that is not known here */

// One public agent entry on its way to the chat.
#define FIELDS_entry(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                            \
    STR(id, ID_MAX)                                                                                                    \
    U64(time_ms, ANY_U64)                                                                                              \
    U64(author, ANY_U64)                                                                                               \
    STR(text, TEXT_MAX) /* plain text */                                                                               \
    BOOL(look_first)    /* may be in the chat already: look before posting */                                          \
    BOOL(repeats)       /* v2: has the form of our own note about a chat message: not said if that is in the chat */

// What earlier steps of a job found. The front keeps it as bytes; only workers read it.
#define FIELDS_found(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                            \
    REC(context, context)                                                                                              \
    LIST(entries, entry, 500) /* relay: still to be posted, oldest first */                                            \
    U64(part, 10000)          /* relay: piece of entries[0] to be posted next */                                       \
    U64(page, 100000)         /* list steps: the page to read next, 0 = first */                                       \
    U64(mark_ms, ANY_U64)     /* relay: where the mark goes once all is posted */                                      \
    STR(agent_email, 512)                                                                                              \
    STR(agent_name, 512)                                                                                               \
    STR(chat_agent, ID_MAX)                                                                                            \
    U64(desk_agent, ANY_U64)                                                                                           \
    BOOL(agent_known)            /* the agent look-ups are done, whatever they gave */                                 \
    U64(omit, ANY_U64)           /* create ticket: bit set of fields this helpdesk refused */                          \
    U64(clock_ahead_ms, ANY_U64) /* looks: upstream clock minus ours, in two's complement */                           \
    BOOL(clock_known)                                                                                                  \
    STR(closed_ticket, 32)    /* open: the ticket that is gone and that this one follows */                            \
    LIST(users, written, 200) /* v2: polls: customers whose conversations are still to be listed */                    \
    U64(contact, ANY_U64)     /* v3: calls: the contact with that number, 0: none, or not asked yet */                 \
    STR(body, 65536)          /* v3: calls: the PUT that raises the ticket, made of what was just read */              \
    STR(said, 1024)           /* v3: calls: what became of that, for the note; of a rule, too */                       \
    STR(note, 32768)          /* v4: context: the note about what changed, exactly as it is written */                 \
    U64(read_ms, ANY_U64)     /* v4: context: our wall clock when the ticket was read that `body` was made of */

// Waiting work.
#define FIELDS_pending(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                          \
    U64(seq, ANY_U64)                                                                                                  \
    REC(event, event)                                                                                                  \
    U64(step, 255) /* enum step: the next one */                                                                       \
    BLOB(found, 4u << 20)                                                                                              \
    U64(attempts, ANY_U64)         /* failed attempts of this step */                                                  \
    U64(not_before_ms, ANY_U64)    /* our wall clock */                                                                \
    BOOL(claimed)                  /* `step` is a write that may have been handed out */                               \
    U64(claimed_ms, ANY_U64)       /* our wall clock when it was first handed out */                                   \
    U64(job_id, ANY_U64)           /* of the claim: a later front knows it in a census or report */                    \
    BOOL(doubt)                    /* look before `step` is done (again) */                                            \
    U64S(members, 256)             /* note: sequences of the further events composed into it */                        \
    U64(deaths, 255)               /* workers that died holding it alone */                                            \
    U64(hint_count, ANY_U64)       /* relay: the hint counter when the list was asked for */                           \
    U64(claimed_there_ms, ANY_U64) /* v2: claimed_ms in the upstream's clock: looks start there; 0: not known then */

#define FIELDS_seen(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                             \
    U64(outcome, 255) /* enum seen_outcome */                                                                          \
    U64(time_ms, ANY_U64)

#define FIELDS_hint(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                             \
    U64(count, ANY_U64)                                                                                                \
    U64(time_ms, ANY_U64)                                                                                              \
    U64(request, ANY_U64) /* v2: of the last request that raised it */

#define FIELDS_ticket(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                           \
    STR(conversation, ID_MAX)                                                                                          \
    U64(time_ms, ANY_U64)                                                                                              \
    BOOL(told) /* v2: it is not its conversation's ticket, and a notice there says so */

#define FIELDS_dead(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                             \
    REC(pending, pending)                                                                                              \
    STR(cause, 1024)                                                                                                   \
    U64(time_ms, ANY_U64)

#define FIELDS_history(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                          \
    STR(conversation, ID_MAX)                                                                                          \
    U64(time_ms, ANY_U64)                                                                                              \
    STR(what, 200)                                                                                                     \
    U64(ticket_id, ANY_U64)                                                                                            \
    STR(id, ID_MAX)                                                                                                    \
    U64(took_ms, ANY_U64) /* from webhook to this, or of the call */                                                   \
    U64(request, ANY_U64) /* v2: of the event that led to this */

// A ticket that a poll saw changed.
#define FIELDS_change(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                           \
    U64(ticket_id, ANY_U64)                                                                                            \
    U64(time_ms, ANY_U64)     /* updated_at, helpdesk clock */                                                         \
    STR(conversation, ID_MAX) /* its conversation field, may be empty */

// One message object of Freshchat's list, as JSON: only the front's normaliser says what it means.
#define FIELDS_raw(U64, BOOL, STR, BLOB, U64S, REC, LIST) BLOB(json, 1u << 20)

// Work that a report asks for beside the next step, in the same conversation.
#define FIELDS_followup(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                         \
    U64(kind, 255) /* enum event_kind: EVENT_CONTEXT, _NOTICE, _OFFER, _KEEP_OPEN */                                   \
    U64(delay_ms, 604800000)                                                                                           \
    U64(round, 1000)                                                                                                   \
    STR(reason, 1024)

// front -> worker: do this one step.
#define FIELDS_job(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                              \
    U64(front_generation, ANY_U64)                                                                                     \
    U64(worker_generation, ANY_U64)                                                                                    \
    U64(link_seq, ANY_U64) /* counts the frames of this link, so that a census tells what was lost */                  \
    U64(job_id, ANY_U64)   /* never used again, not even by a later front */                                           \
    U64(step, 255)                                                                                                     \
    U64(attempt, ANY_U64)                                                                                              \
    U64(age_ms, ANY_U64)     /* since the first event was accepted */                                                  \
    U64(since_ms, ANY_U64)   /* looks: our wall clock when the write was first handed out */                           \
    LIST(events, event, 256) /* one, or those composed into one note, in chat order */                                 \
    REC(lane, lane)                                                                                                    \
    BLOB(found, 4u << 20)                                                                                              \
    BOOL(restored) /* v2: a look: an older backup was put in place since; another job may have written it */           \
    U64(live_ticket, ANY_U64) /* v3: calls: of the live conversation with that number or user, 0: none */              \
    U64(live_requester, ANY_U64)                                                                                       \
    STR(live_conversation, ID_MAX)                                                                                     \
    BOOL(observe)                /* v4: nothing is written, whatever the worker's own configuration says */            \
    U64(since_there_ms, ANY_U64) /* v5: looks: since_ms in the upstream's clock as it was known then, 0: it was not */

// worker -> front: what came of it. Kept and sent again until it is acked.
#define FIELDS_report(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                           \
    U64(slot, 65535)                                                                                                   \
    U64(worker_generation, ANY_U64)                                                                                    \
    U64(job_id, ANY_U64)                                                                                               \
    STR(conversation, ID_MAX) /* of the job's lane: where a late report's ids belong */                                \
    U64(step, 255)                                                                                                     \
    U64(outcome, 255)   /* enum outcome */                                                                             \
    U64(next_step, 255) /* after OUTCOME_DONE: 0 = the event is finished */                                            \
    BLOB(found, 4u << 20)                                                                                              \
    STR(cause, 1024)         /* one plain sentence where the outcome is not DONE */                                    \
    U64(upstream, 8)         /* enum upstream that was called, 0 = none */                                             \
    U64(http_status, 999)    /* 0 = no answer */                                                                       \
    BOOL(sent)               /* the call left this machine, so it counts against the budget */                         \
    U64(rate_total, ANY_U64) /* 0 = header absent */                                                                   \
    BOOL(rate_known)                                                                                                   \
    U64(rate_remaining, ANY_U64)                                                                                       \
    BOOL(retry_after_known)                                                                                            \
    U64(retry_after_ms, 86400000)                                                                                      \
    U64(date_ms, ANY_U64) /* the answer's Date, 0 = none */                                                            \
    U64(took_ms, ANY_U64)                                                                                              \
    U64(ticket_id, ANY_U64) /* 0 = unchanged; likewise below */                                                        \
    U64(requester_id, ANY_U64)                                                                                         \
    STR(user, ID_MAX)                                                                                                  \
    BOOL(context_known)                                                                                                \
    REC(context, context)                                                                                              \
    LIST(desk_written, written, 16)                                                                                    \
    LIST(chat_written, written, 16)                                                                                    \
    LIST(delivered, written, 500)                                                                                      \
    U64(mark_ms, ANY_U64)                                                                                              \
    U64(rebuilt_ms, ANY_U64)                                                                                           \
    STR(link_conversation, ID_MAX) /* read ticket: the conversation it belongs to, empty = none */                     \
    U64(worth_cents, ANY_U64)      /* cart value, for the order under scarcity */                                      \
    LIST(followups, followup, 8)                                                                                       \
    STR(what, 200)                    /* for the history: "ticket opened", empty = nothing to tell */                  \
    LIST(changes, change, 100)        /* v2: polls: tickets that changed */                                            \
    LIST(raws, raw, 100)              /* v2: polls: chat messages as Freshchat gave them, for the normaliser */        \
    LIST(conversations, written, 200) /* v2: polls: conversations of the customers that changed */                     \
    U64(chat_mark_ms, ANY_U64)        /* v2 */                                                                         \
    U64(listed_ms, ANY_U64)           /* v2 */                                                                         \
    REC(leg, leg)                     /* v3: calls: what the ticket was told; id 0: nothing new */                     \
    U64(delay_ms, 86400000)           /* v3: after DONE: the next step waits this long */                              \
    BOOL(observed)                    /* v4: the step would have written, and did not: mode "observe" */               \
    BOOL(cut_short)                   /* v5: no answer while its own short patience lasted: tells nothing of it */

// worker -> front, every second: everything this worker still holds, unacked reports included.
#define FIELDS_census(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                           \
    U64(slot, 65535)                                                                                                   \
    U64(worker_generation, ANY_U64)                                                                                    \
    U64(front_generation, ANY_U64) /* of the last hello */                                                             \
    U64(link_seq, ANY_U64)         /* the highest received from that front */                                          \
    U64S(jobs, 8192)

// front -> worker, at connection and every second: who the front is. Frames of an earlier front are refused from here
// on.
#define FIELDS_hello(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                            \
    U64(front_generation, ANY_U64)                                                                                     \
    U64(worker_generation, ANY_U64)                                                                                    \
    U64(link_seq, ANY_U64)

// front -> worker: the report is on disk, forget it.
#define FIELDS_ack(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                              \
    U64(front_generation, ANY_U64)                                                                                     \
    U64(worker_generation, ANY_U64)                                                                                    \
    U64(link_seq, ANY_U64)                                                                                             \
    U64(job_id, ANY_U64)

// deskbellctl -> front, over the control socket: one command and what it is about.
#define FIELDS_control_argument(U64, BOOL, STR, BLOB, U64S, REC, LIST) STR(text, 4096)

#define FIELDS_control_request(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                  \
    STR(command, 32)                                                                                                   \
    LIST(arguments, control_argument, 8)

// front -> deskbellctl. `json`: an object; of a refusal {"error": "one sentence"}.
#define FIELDS_control_reply(U64, BOOL, STR, BLOB, U64S, REC, LIST)                                                    \
    BOOL(ok)                                                                                                           \
    BLOB(json, 4u << 20)
#endif
