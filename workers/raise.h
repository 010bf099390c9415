// SPDX-License-Identifier: Apache-2.0
// Raising a ticket without taking anything from its agents: the priority goes up or stays, tags are added to those that
// are there. Freshdesk replaces the whole list of tags and sets whatever priority it is given, so whoever raises reads
// the ticket first (GET /tickets/{id}) and sends what this makes of it (PUT /tickets/{id}). Pure functions.
#ifndef WORKERS_RAISE_H
#define WORKERS_RAISE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/arena.h"

enum { RAISE_MOST_TAGS = 30, RAISE_TAG_POINTS = 32 }; // freshworks-api 4.3

// What a body changes, so that a note can say it.
struct raise {
    uint64_t priority;                 // what the ticket gets, 0: it keeps what it has
    uint64_t before;                   // what it has, 0: it does not tell
    const char *tags[RAISE_MOST_TAGS]; // that are added, as they are sent
    size_t tag_count;
};

/**
 * The body of the PUT that raises `ticket` (a ticket object as read) to `priority` (1..4; 0: none wanted) and adds
 * `tags`: a new object of the caller's, for fields_body, or NULL when nothing is to change. The priority is left out
 * where it would not rise. The tags are all of the ticket's, as they are, and behind them the wanted ones that it lacks
 * (compared without letter case), each on one line, without commas, within Freshdesk's length; when it has as many as
 * Freshdesk takes, no more are added. A ticket that does not tell its priority or its list of tags keeps it. `said` may
 * be NULL; its texts live in `arena`.
 */
json_t *raise_body(struct arena *arena, const json_t *ticket, uint64_t priority, const char *const *tags,
                   size_t tag_count, struct raise *said);

/** Whether nobody works on the ticket any more: resolved or closed. Raising it would tell no one. */
bool raise_is_closed(const json_t *ticket);

/** "low", "medium", "high", "urgent"; "" for other numbers. */
const char *raise_word(uint64_t priority);
#endif
