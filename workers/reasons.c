// SPDX-License-Identifier: Apache-2.0
// Strict reading of friction reasons; see reasons.h.
#include "workers/reasons.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "workers/customer.h"
#include "workers/text.h"
#include "workers/text_buf.h"

enum { MOST = 3, LABEL_POINTS = 40, TIMES_DIGITS = 5 };

// The words of http-front/widget/widget.js.
static const char *const signals[] = {
    "payment declined",  "rage click", "promo code refused",     "field refused", "checkout step entered again",
    "error after click", "dead click", "long pause in checkout",
};

// The length of the signal's words at `at`; 0: none.
static size_t signal_length(const char *at)
{
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (strncmp(at, signals[i], strlen(signals[i])) == 0)
            return strlen(signals[i]);
    return 0;
}

// " twice", " 12 times", or nothing.
static size_t times_length(const char *at)
{
    if (strncmp(at, " twice", 6) == 0)
        return 6;
    size_t digits = *at == ' ' ? strspn(at + 1, "0123456789") : 0;
    return digits && digits <= TIMES_DIGITS && strncmp(at + 1 + digits, " times", 6) == 0 ? 1 + digits + 6 : 0;
}

// Where the next reason begins, behind ", "; NULL: this is the last one.
static const char *next_reason(const char *at)
{
    while ((at = strstr(at, ", ")) != NULL) {
        at += 2;
        if (signal_length(at))
            return at;
    }
    return NULL;
}

// Whether the reason at `at`, which ends at `end`, is of the page's words.
static bool is_reason(struct arena *arena, const char *at, const char *end)
{
    size_t length = signal_length(at);
    if (!length)
        return false;
    at += length;
    at += times_length(at);
    if (at == end)
        return true;
    if (strncmp(at, " on ", 4) != 0 || at + 4 >= end)
        return false;
    return text_points(arena_copy(arena, at + 4, (size_t)(end - at - 4))) <= LABEL_POINTS;
}

const char *reasons_of(struct arena *arena, const char *said, uint64_t score)
{
    const char *begin = arena_printf(arena, "%u, %s: ", (unsigned)score, customer_level_word(score));
    struct text_buf out = text_buf_new(arena);
    if (strncmp(said, begin, strlen(begin)) != 0)
        return "";
    size_t count = 0;
    for (const char *at = said + strlen(begin), *next; at && count < MOST; at = next) {
        next = next_reason(at);
        const char *end = next ? next - 2 : at + strlen(at);
        if (is_reason(arena, at, end))
            text_buf_add(&out, arena_printf(arena, "%s%.*s", count++ ? ", " : "", (int)(end - at), at));
    }
    return out.data;
}
