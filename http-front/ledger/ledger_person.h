// SPDX-License-Identifier: Apache-2.0
// A person in the ledger: which conversations, tickets and rows are theirs, found by Freshchat user id, e-mail address
// or phone number, and taken out. Works in slices, so that whoever drives it stays free for other work; keeps only ids.
// Which table holds persons, and how one is recognised there, is said for every table in LEDGER_TABLES.
#ifndef HTTP_FRONT_LEDGER_LEDGER_PERSON_H
#define HTTP_FRONT_LEDGER_LEDGER_PERSON_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http-front/ledger/ledger.h"
#include "proto/phone.h"

struct ledger_person;

enum ledger_progress {
    LEDGER_FAILED = -1, // something cannot be read (logged), or it would be too much
    LEDGER_MORE,        // go on later
    LEDGER_WHOLE,       // all tables were gone through
};

enum ledger_person_list { PERSON_CONVERSATIONS, PERSON_USERS, PERSON_EMAILS, PERSON_PHONES, PERSON_LISTS };

/**
 * Who is asked for: an e-mail address (with an @), a phone number or a Freshchat user id. NULL when it is empty.
 * `plan` completes numbers in national form, as in phone_e164.
 */
struct ledger_person *ledger_person_new(const char *asked, struct phone_plan plan);
void ledger_person_free(struct ledger_person **self);

/**
 * Learns which conversations and tickets are theirs, for about `budget_us` microseconds. A lane that is theirs tells
 * further conversations through its user. Addresses and numbers that were met are only listed, not searched for.
 */
enum ledger_progress ledger_person_find(struct ledger *ledger, struct ledger_person *self, int64_t budget_us);

/** Begins to take out; of waiting work only what is older than the sequence `before`. */
void ledger_person_erase_begin(struct ledger_person *self, uint64_t before);
/**
 * Puts into `batch` what takes their rows out of every table, for about `budget_us` microseconds; with a NULL batch it
 * only counts. A ticket's row stays with its number and no conversation, so that the ticket is known to be nobody's.
 * Nothing of theirs may be changed meanwhile.
 */
enum ledger_progress ledger_person_erase(struct ledger *ledger, struct ledger_person *self, struct ledger_batch *batch,
                                         uint64_t now_ms, int64_t budget_us);

/** What was found; borrowed until the person is freed or searched on. Conversations include "ticket:ID" lanes. */
const char *const *ledger_person_list(const struct ledger_person *self, enum ledger_person_list list, size_t *count);
const uint64_t *ledger_person_tickets(const struct ledger_person *self, size_t *count);
/** Whether the waiting work with that sequence was taken out. */
bool ledger_person_took(const struct ledger_person *self, uint64_t seq);
/** Rows taken out, or counted, by table. */
void ledger_person_rows(const struct ledger_person *self, void (*each)(void *arg, const char *table, uint64_t rows),
                        void *arg);
/** Rows that could not be decoded, so that nobody knows whose they are. */
uint64_t ledger_person_unreadable(const struct ledger_person *self);

/**
 * After the batch was written: makes the engine rewrite its files, so that nothing of what was taken out, and nothing
 * of waiting work that was finished long ago, is left in tables or log. Slow; any thread. False with a sentence.
 */
bool ledger_person_scrub(struct ledger *ledger, const struct ledger_person *self, char *error, size_t error_size)
    __attribute__((warn_unused_result));
#endif
