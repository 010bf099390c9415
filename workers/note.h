// SPDX-License-Identifier: Apache-2.0
// A note on a ticket, written and looked for: what the flows append, mirror and notice share.
#ifndef WORKERS_NOTE_H
#define WORKERS_NOTE_H
#include <stdbool.h>
#include <stdint.h>

#include "workers/entries.h"
#include "workers/step.h"

// Bit of found.omit in these flows: the author's id was refused, the note is written as the key's owner.
enum { NOTE_OMIT_AUTHOR = 1 << 0 };

struct note {
    const char *body; // HTML
    bool is_private;
    bool incoming;
    uint64_t author; // user_id; 0: the key's owner
    // Looks in a ledger that was restored from a backup (job.restored):
    bool by_line;     // the note may be part of another, and another job may have adopted that one
    const char *said; // what an agent's entry may say that is in the chat since (text_words); NULL or "": not asked for
    uint64_t said_ms; // when that was said, in the chat's clock
};

/** The ticket that the job's notes are for: the lane's, or the one that a notice names. */
uint64_t note_ticket(const struct job_context *context);

/** POST /tickets/{id}/notes of that ticket. */
enum step_choice note_begin(struct job_context *context, const struct note *note, struct request *request);

/**
 * What every note does with its answer. True when the note is written: its id is in the report, which is otherwise the
 * caller's to fill. False: the report is filled, unless flow_ticket_gone(response), which is the caller's to decide.
 */
bool note_finish(struct job_context *context, const struct note *note, const struct response *response,
                 struct report *report);

/** GET of the ticket's entries, page by page. */
enum step_choice note_look_begin(struct job_context *context, struct request *request, struct report *report);

/** True when the note was found: adopted like a written one. False: the report is filled (further page, not found,
 * failure). */
bool note_look_finish(struct job_context *context, const struct note *note, const struct response *response,
                      struct report *report);
#endif
