// SPDX-License-Identifier: Apache-2.0
// The entries of a ticket as Freshdesk lists them (freshworks-api 4.5): read, sorted, told apart, turned into text.
// Pure functions.
#ifndef WORKERS_ENTRIES_H
#define WORKERS_ENTRIES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/arena.h"
#include "proto/records.h"
#include "workers/step.h"

// Entries so much older than the mark are looked at again: two agents' entries may become visible out of order.
enum { ENTRIES_OVERLAP_MS = 300000 };

struct entries_item {
    const char *id;
    uint64_t number;  // the same as a number
    uint64_t time_ms; // created_at, helpdesk clock
    bool incoming;
    bool is_private;
    int source;         // -1: not said
    uint64_t author;    // 0: nobody, an automation
    const json_t *json; // borrowed from the answer
};

struct entries_items {
    struct entries_item *items;
    size_t count;
    bool more; // there is a further page
};

/** The entries of one answered page, sorted by time, then id. False when the answer holds no list. */
bool entries_read(struct arena *arena, const struct response *response, struct entries_items *out);

/** Whether this is an agent speaking to the customer: public, not incoming, a reply or a note, by somebody. */
bool entries_is_agent(const struct entries_item *item);

/** Whether the id is among those. */
bool entries_has(const struct written *items, size_t count, const char *id);

/** What the entry says, in plain text with links and attachments as lines; replies without quoted history. "": nothing.
 */
const char *entries_text(struct arena *arena, const struct entries_item *item);

// What a look for a note of ours wants.
struct entries_wanted {
    bool incoming;
    bool is_private;
    uint64_t author;   // 0: any
    uint64_t floor_ms; // created_at at least, helpdesk clock
    const char *body;  // the HTML that was sent
    // In a ledger that was restored from a backup: what entries of an unknown composition must hold, whoever wrote them
    // and whatever is known of them already (entries_line). NULL: the body as a whole.
    const char *line;
};

/**
 * The earliest entry that is what was sent: right kind and author, not older than the floor, not yet known as ours,
 * after the newest that is ours, and with the same words. NULL: none on this page.
 */
const struct entries_item *entries_find(struct arena *arena, const struct entries_items *page, const struct lane *lane,
                                        const struct entries_wanted *wanted);

/** text_words without the dates that stand before times in UTC: a note says the same with and without them. */
const char *entries_words(struct arena *arena, const char *text);

/** What tells a message's line in a note or description: its time and words, or of a mirrored agent what follows the
 * name. */
const char *entries_line(struct arena *arena, const char *body);
/** Whether these words (entries_words) hold the line as a whole, among others or alone. */
bool entries_holds(const char *words, const char *line);

/** Whether the entry looks like the mirror of an agent's chat message, by the form that flow_mirror.c gives it. */
bool entries_is_mirror(struct arena *arena, const struct entries_item *item);

// A note that has the form of a mirror and nothing else.
struct entries_mirror {
    const char *name;  // text_words of the agent's name
    uint64_t second;   // of the day, UTC, when it was said in the chat
    const char *words; // text_words of what was said
};

/** Reads such a note. False: it is none, or nothing was said in it, or there is more to it. */
bool entries_mirror(struct arena *arena, const struct entries_item *item, struct entries_mirror *out);
/** The same of the text that entries_text made of it. */
bool entries_mirror_text(struct arena *arena, const char *text, struct entries_mirror *out);

/**
 * The agent's entry that is not yet known to be in the chat and whose words are those of an agent's message in the chat
 * (`said`: text_words), whole, behind an agent's name, or as a piece of a long one. Not written after `until_ms`
 * (helpdesk clock). NULL: none on this page.
 */
const struct entries_item *entries_find_said(struct arena *arena, const struct entries_items *page,
                                             const struct lane *lane, const char *said, uint64_t until_ms);
#endif
