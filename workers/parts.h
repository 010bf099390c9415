// SPDX-License-Identifier: Apache-2.0
// A chat message's parts (freshworks-api 1.6) as people read them: every kind has a readable form, none can do anything
// in an agent's browser, and a link is a link only when it is http or https. Pure functions.
#ifndef WORKERS_PARTS_H
#define WORKERS_PARTS_H
#include <stdbool.h>

#include "proto/records.h"
#include "workers/text_buf.h"

// One message shows at most so many bytes of HTML in a ticket; what is cut is said.
enum { PARTS_MAX_BYTES = 60000 };

/** Appends the message as HTML. `from_agent`: text parts may hold simple HTML (freshworks-api 1.6) and are read as
 * such. */
void parts_add_html(struct text_buf *out, const struct event *event, bool from_agent);

/** The message on one line of plain text, for a subject; "" when nothing can be read in it. */
const char *parts_line(struct arena *arena, const struct event *event);

/**
 * Appends "10:20:30 UTC", the message's chat time, with "2026-11-22 " before it when it is not the day of
 * `written_ms` (0: not known). A later attempt may thus give the same note another form: entries_words makes both
 * alike.
 */
void parts_add_time(struct text_buf *out, const struct event *event, uint64_t written_ms);
#endif
