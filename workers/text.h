// SPDX-License-Identifier: Apache-2.0
// Text as it crosses from one product to the other: made clean, cut at whole characters, escaped, compared. Whatever
// comes from a customer, an agent or an upstream passes through here before it is shown to anyone. Pure functions.
#ifndef WORKERS_TEXT_H
#define WORKERS_TEXT_H
#include <stdbool.h>
#include <stddef.h>

#include "proto/arena.h"
#include "workers/text_buf.h"

/**
 * Reads the code point at *at and moves *at behind it; 0 at the end. Bytes that are not UTF-8 give U+FFFD, one for each
 * byte that begins nothing valid.
 */
unsigned text_next(const char **at);

/**
 * A copy that is valid UTF-8 without control characters, at most `max_bytes` bytes, cut at a whole character. Line
 * breaks become \n, tabs stay. NULL counts as "".
 */
const char *text_clean(struct arena *arena, const char *text, size_t max_bytes);

/**
 * The same on one line: every run of white space is one space, none at the ends, and no characters that turn the
 * direction of what follows. For names, subjects, fields.
 */
const char *text_line(struct arena *arena, const char *text, size_t max_bytes);

/** How many code points. */
size_t text_points(const char *text);

/**
 * How many bytes the first `points` code points take, or fewer so that no character people see as one is cut apart
 * (combining marks, joined emoji, flags). Not fewer than that by more than 32 code points: then it is cut all the same.
 */
size_t text_cut(const char *text, size_t points);

/** A copy of those bytes. */
char *text_shortened(struct arena *arena, const char *text, size_t points);

/**
 * The bytes of the next piece of a text that is sent in several: all of it when it has no more than `points` code
 * points, else up to a paragraph's, line's or word's end (in the second half of the room), else text_cut. *skip: white
 * space after the piece that belongs to neither. At least one byte unless the text is empty.
 */
size_t text_piece(const char *text, size_t points, size_t *skip);

/**
 * The words of a text for comparing: white space of any kind and invisible characters are taken out, so that neither
 * wrapping nor a renderer's spaces make a difference. Empty when there is nothing to see.
 */
const char *text_words(struct arena *arena, const char *text);

/** Appends text so that HTML shows exactly it: & < > " ' escaped, line breaks as <br>. */
void text_add_html(struct text_buf *out, const char *text);

/** Whether a link may be shown as one: http or https, a host, no credentials in it, nothing that could end an
 * attribute. */
bool text_is_link(const char *url);

/** Percent-encodes everything but letters, digits and -._~ for one path segment or query value. */
const char *text_url(struct arena *arena, const char *text);

/** Whether both are equal but for ASCII letter case. */
bool text_same(const char *a, const char *b);
#endif
