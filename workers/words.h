// SPDX-License-Identifier: Apache-2.0
// What a ticket says of its customer, in words for agents: the description's lines, and the note about what changed
// while the chat runs. Everything that a browser said is escaped, bounded and named as what it is. Pure functions.
#ifndef WORKERS_WORDS_H
#define WORKERS_WORDS_H
#include <stdint.h>

#include "proto/arena.h"
#include "proto/records.h"
#include "workers/text_buf.h"

/** "73, high: payment declined twice, rage click on Pay"; without reasons where the page gave none that fit; in
 * quotation marks, as the browser's words, where it is no score; "" when nothing was said. Plain text. */
const char *words_friction(struct arena *arena, const struct context *context);

/** The cart's value, cut to so many code points; what is no sum of money and not signed stands in quotation marks, as
 * the browser's words. "" when nothing was said. Plain text, one line. */
const char *words_cart(struct arena *arena, const struct context *context, size_t points);

/**
 * The ticket's subject: "{cart} · {name}: {words}" without what is missing, within its record's bound. `words`: of the
 * first message, shortened. *words_at: where they begin. Plain text, one line.
 */
const char *words_subject(struct arena *arena, const struct context *context, const char *words, uint64_t *words_at);

/** Appends lines "<br>Label: value" of the customer, the cart and the friction, as far as they are known. */
void words_add_customer(struct text_buf *out, const struct context *context);

/** Appends the cart's lines as a list, and the link to it, where there are any. */
void words_add_cart(struct text_buf *out, const struct context *context);

/**
 * The note that tells an agent what is not as it was `known`, as HTML: who it is, the cart, its lines, friction that
 * reached a higher level, and `said`: sentences about a rule, "" for none. "" when there is nothing an agent would care
 * for.
 */
const char *words_change(struct arena *arena, const struct context *known, const struct context *now, const char *said);
#endif
