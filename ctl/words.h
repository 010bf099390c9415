// SPDX-License-Identifier: Apache-2.0
// Numbers and times as people read them, out of deskbelld's answers.
#ifndef CTL_WORDS_H
#define CTL_WORDS_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { WORDS_BYTES = 40 };

/** Replaces what would steer a terminal (control characters, escape sequences' beginnings) by '?', in place. */
void words_clean(char *text);

/** A member of an object: 0, "" or false where it is not there or of another type. */
int64_t words_number(const json_t *object, const char *key);
const char *words_text(const json_t *object, const char *key);
bool words_yes(const json_t *object, const char *key);

// Each writes into `out` and returns it. A time or a duration of 0 is "-".
/** "2026-11-22 09:14:06", local time, of wall-clock milliseconds. */
char *words_when(int64_t ms, char out[WORDS_BYTES]);
/** "350 ms", "12.5 s", "14 min", "6 h", "9 d". */
char *words_long(int64_t ms, char out[WORDS_BYTES]);
/** "249.50"; "-" for a number that is not there. */
char *words_money(const json_t *cents, char out[WORDS_BYTES]);
/** "12.3 GB". */
char *words_bytes(int64_t bytes, char out[WORDS_BYTES]);
#endif
