// SPDX-License-Identifier: Apache-2.0
// What this worker knows of the agents on both sides, so that a reply seldom costs more than its own call. Filled by
// the steps that read agents; asked by the same steps before they call. Lives in the worker's one thread and is lost
// with it. An agent is kept for AGENTS_KEEP_MS, the knowledge that there is none for AGENTS_KEEP_ABSENT_MS, and at most
// AGENTS_MOST entries at all: the one put longest ago goes first.
#ifndef WORKERS_AGENTS_H
#define WORKERS_AGENTS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/steps.h"

enum { AGENTS_KEEP_MS = 3600 * 1000, AGENTS_KEEP_ABSENT_MS = 300 * 1000, AGENTS_MOST = 8192 };

// Strings are never NULL in what the cache returns; NULL counts as "" in what is put.
struct agent {
    bool exists;            // false: it is known that there is no such agent
    const char *id;         // Freshchat: UUID; Freshdesk: decimal number
    const char *email;      // as it was written there
    const char *name;       // the full name
    const char *first_name; // may be empty
};

struct agents;

/** Returns an empty cache. `now_ms` is a monotonic clock in ms, clock_mono_ms in the worker. Never NULL. */
struct agents *agents_new(int64_t (*now_ms)(void));

/** Frees the cache and sets *self to NULL; NULL inside is fine. */
void agents_free(struct agents **self);

/**
 * Remembers an agent of that side (UPSTREAM_FRESHCHAT or UPSTREAM_FRESHDESK) under its id and, unless empty, its
 * e-mail; replaces what was known under either. Everything is copied. An agent with an empty id is ignored.
 */
void agents_put(struct agents *self, enum upstream side, const struct agent *agent);

/** Remembers that the side has no agent with that id, or with that e-mail. */
void agents_put_absent_id(struct agents *self, enum upstream side, const char *id);
void agents_put_absent_email(struct agents *self, enum upstream side, const char *email);

/**
 * The agent with that id, or that e-mail (letter case does not count). NULL: not known, ask the upstream. An answer
 * with exists == false: known to be absent. Borrowed until the next call of an agents_ function: copy what must live
 * longer.
 */
const struct agent *agents_by_id(struct agents *self, enum upstream side, const char *id);
const struct agent *agents_by_email(struct agents *self, enum upstream side, const char *email);

/** The agent's telephone number on that side, and whether one has it. Only the last AGENTS_DIGITS digits count, so that
 * it does not matter how it was written. */
enum { AGENTS_DIGITS = 9 };
void agents_put_phone(struct agents *self, enum upstream side, const char *number);
bool agents_have_phone(struct agents *self, enum upstream side, const char *number);

// The list of all agents of the helpdesk, read page by page by whichever job needs it.
enum { AGENTS_MOST_PAGES = 20 };
/** The page of the list to read next, from 1; 0: all of it was read within AGENTS_KEEP_MS. */
uint64_t agents_wanted_page(struct agents *self);
/** The list cannot be read: nobody wants a page of it for AGENTS_KEEP_ABSENT_MS. */
void agents_put_unlisted(struct agents *self);
/** That page was read and its agents were put. Ignored when it is not the one that is wanted. */
void agents_put_page(struct agents *self, uint64_t page, bool more);

/** Who owns the helpdesk's key: kept as long as the cache. 0: it cannot be told, for AGENTS_KEEP_ABSENT_MS. */
void agents_put_owner(struct agents *self, uint64_t id);
/** False: not known, ask the helpdesk. */
bool agents_owner(struct agents *self, uint64_t *id);
#endif
