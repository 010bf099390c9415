// SPDX-License-Identifier: Apache-2.0
// What ledger_person.c and ledger_scrub.c share; nobody else includes it.
#ifndef HTTP_FRONT_LEDGER_LEDGER_PERSON_INSIDE_H
#define HTTP_FRONT_LEDGER_LEDGER_PERSON_INSIDE_H
#include "http-front/ledger/ledger_person.h"
#include "http-front/ledger/ledger_tables.h"
#include "proto/phone.h"

enum { PERSON_DIGITS = 32 };

// Sorted, each once.
struct names {
    char **items;
    size_t count;
};

struct ledger_person {
    char email[513];            // asked for, or ""
    char digits[PERSON_DIGITS]; // of the phone number asked for, or ""
    char phone[PHONE_BYTES];    // the same in E.164, or ""
    char country_code[8];       // of national numbers, or ""
    char trunk_prefix[8];
    struct phone_plan plan; // the two
    struct names names[PERSON_LISTS];
    uint64_t *tickets;
    size_t ticket_count;
    uint64_t *taken; // sequences of waiting work that was taken out, ascending
    size_t taken_count;
    uint64_t rows[TABLES];
    uint64_t unreadable;
    uint64_t before;
    bool indexed;  // rows of ledger_by were taken out
    bool grew;     // in this pass, by a conversation or a user
    bool too_much; // more than MOST_NAMES of one kind: no single person
    int table;     // where the pass is
    char *resume;  // the first key that was not looked at; NULL: the table's begin
    size_t resume_size;
    struct arena *arena; // of the row that is looked at
};

/** Whether rows of persons are in that table at all. */
bool ledger_person_is_in(enum ledger_table table);
#endif
