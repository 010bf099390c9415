// SPDX-License-Identifier: Apache-2.0
// What in a reply's HTML was said before: how Freshdesk and mail programs mark quoted history, and how the line that
// introduces it reads. Knows marks and words only; text_html.c decides with them. Pure.
#ifndef WORKERS_TEXT_HISTORY_H
#define WORKERS_TEXT_HISTORY_H
#include <libxml/tree.h>
#include <stdbool.h>

#include "proto/arena.h"

enum text_history {
    TEXT_HISTORY_NONE,
    TEXT_HISTORY_QUOTE,     // holds history; some programs let answers stand between quotes in it
    TEXT_HISTORY_FRESHDESK, // holds history and nothing else: Freshdesk's own
    TEXT_HISTORY_CITED,     // a blockquote that a mail program cites with, or a person with its button
    TEXT_HISTORY_HEADER,    // introduces the quote that follows
    TEXT_HISTORY_REST,      // from here to the end of the document
    TEXT_HISTORY_SIGNATURE,
};

/** How an element is marked, by its class, id, type or form. */
enum text_history text_history_mark(struct arena *arena, const xmlNode *node);

/**
 * Whether `line`, white space collapsed, introduces a quoted mail: "On Mon, 3 Mar 2025 at 10:20, Ann <ann@x> wrote:",
 * and the same in other languages. Before a quote that bears a mark less is asked for. What a person could write of an
 * own accord ("On Monday you wrote:") is none.
 */
bool text_history_introduces(const char *line, bool marked);

/** Whether the element's own words begin with such a line, as Apple Mail writes it. */
bool text_history_begins(struct arena *arena, const xmlNode *node, bool marked);

/**
 * Where the last words stand that are neither marked as history nor as a signature: the text node, NULL when there are
 * none. A cited quote after them has nothing but history behind it.
 */
const xmlNode *text_history_last_words(struct arena *arena, const xmlNode *root);

/**
 * The first blockquote of a TEXT_HISTORY_QUOTE element if answers stand between or behind its quotes, as Gmail puts
 * them: what precedes it and every quote is history, the rest is not. NULL: all of it is history.
 */
xmlNode *text_history_answered(struct arena *arena, const xmlNode *node);
#endif
