// SPDX-License-Identifier: Apache-2.0
// Further words for stories about the telephone: which ticket a call is on, and what that says.
#ifndef TESTS_SCENARIO_CALLING_H
#define TESTS_SCENARIO_CALLING_H
#include "tests/scenario/story.h"

// A scenario in which calls are read every second, and Freshcaller's own link gets a second.
struct scenario *calling_begin(void **state, struct scenario_options *options);

// "Freshcaller call 51", by which the words about a call are known.
const char *call_mark(int64_t call_id, char text[64]);
// The one ticket on which the call is told, in the description or in a note, within timeout_ms. Returns its id.
int64_t call_is_told_within(struct scenario *s, int64_t call_id, int timeout_ms);
// So many notes and descriptions tell of the call, in all tickets.
void call_is_told_times(struct scenario *s, int64_t call_id, size_t times);
// The call is on this ticket, in so many private notes, and nothing of it is public.
void call_is_noted(struct scenario *s, int64_t ticket_id, int64_t call_id, size_t times, int timeout_ms);
// What a ticket says of itself.
void ticket_is_raised(struct scenario *s, int64_t ticket_id, int priority, const char *tag);
void ticket_says(struct scenario *s, int64_t ticket_id, const char *words);
// Deskbell has listed the calls so many times more since.
void polls_pass(struct scenario *s, size_t count);
// A shopper asks to be called back; fails the test unless the answer is that status.
void shopper_asks(struct scenario *s, const char *id, const char *phone, const char *name, const char *user,
                  int status);
#endif
