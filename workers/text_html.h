// SPDX-License-Identifier: Apache-2.0
// HTML as people read it, in plain text. libxml2 parses; nothing is ever loaded over it. Pure.
#ifndef WORKERS_TEXT_HTML_H
#define WORKERS_TEXT_HTML_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/arena.h"

enum text_html_flags {
    TEXT_HTML_ALL = 0,
    TEXT_HTML_NO_QUOTES = 1, // leave out quoted history and signatures (text_history.h); other quotes stay
};

/**
 * The plain text of `html`, trimmed, at most `max_bytes` bytes: blocks and <br> become lines, paragraphs are set apart
 * by an empty line, list items begin with "- " or their number, quotes with "> ", links are "label (https://...)"
 * unless the label is the address. Links of other schemes than http, https, mailto and tel are their label only.
 * Scripts, styles and comments are left out. Hostile, broken and deeply nested input gives some text, never more than
 * that.
 */
const char *text_html_plain(struct arena *arena, const char *html, unsigned flags, size_t max_bytes);

/**
 * Whether a text that may be either is HTML: it has a complete tag of those that editors write, or an element of a
 * whole document with its end. For fields that may hold either; what is documented as the one or the other needs no
 * look.
 */
bool text_html_is(const char *text);

/** Whether it has one of the entities that every HTML writer makes of & < > " ' and the like. */
bool text_html_has_entity(const char *text);
#endif
