// SPDX-License-Identifier: Apache-2.0
// What doctor and provision found, in the order in which it was found: a verdict, a sentence, and what to do about it.
#ifndef CTL_FINDINGS_H
#define CTL_FINDINGS_H
#include <jansson.h>
#include <stddef.h>

#include "ctl/options.h"

enum verdict {
    VERDICT_OK,
    VERDICT_UNKNOWN, // could not be seen from here
    VERDICT_WARN,
    VERDICT_FAIL,
};

enum { FINDINGS_TEXT_BYTES = 1024 };

struct finding {
    const char *check; // what was looked at: "freshdesk key"; constant
    enum verdict verdict;
    char *text;   // one sentence
    char *remedy; // one sentence that says what to do; "" where there is nothing to do
};

struct findings {
    struct finding *items;
    size_t count;
};

/** An empty list; freed with findings_free, which sets *self to NULL. */
struct findings *findings_new(void);
void findings_free(struct findings **self);

/** Adds one. The sentence is printf's, cut at FINDINGS_TEXT_BYTES; `remedy` is copied, NULL for none. */
void findings_add(struct findings *self, enum verdict verdict, const char *check, const char *remedy,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));
/** Gives the last finding another remedy, as printf writes it. */
void findings_remedy(struct findings *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The worst verdict of a check, or of all where `check` is NULL; VERDICT_OK where there is none. */
enum verdict findings_worst(const struct findings *self, const char *check);

/** Prints them for people: a line each, the remedy below. What could steer a terminal is taken out. */
void findings_print(const struct findings *self);
/** {"ok": false, "checks": [{"check", "verdict", "text", "remedy"}, ...]}; to be released. */
json_t *findings_json(const struct findings *self);
/** EXIT_DONE, or EXIT_REFUSED when something failed. */
enum exit_code findings_exit(const struct findings *self);
#endif
