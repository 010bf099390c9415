// SPDX-License-Identifier: Apache-2.0
// What the normalisers share: from a verified raw body to an event in Deskbell's own words (proto/records.h). Pure
// functions; any thread. They read only what Deskbell needs, are strict about types and lenient about absence
// (freshworks-api 1.4-1.6).
#ifndef HTTP_FRONT_INTAKE_NORMALISE_H
#define HTTP_FRONT_INTAKE_NORMALISE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http-front/intake/answers.h"
#include "proto/arena.h"
#include "proto/phone.h"
#include "proto/records.h"

enum normalise_result {
    NORMALISE_EVENT,   // `event` is filled
    NORMALISE_IGNORED, // understood and of no use: answer 200; `answer` is one of ANSWER_IGNORED_*
    NORMALISE_BAD,     // answer 400; `answer` is one of ANSWER_BAD_*
};

struct normalised {
    enum normalise_result result;
    enum answer answer; // why; ANSWER_ACCEPTED with NORMALISE_EVENT
    struct event event; // everything in it is in the arena; fits the bounds of records_table.h
};

struct normalise_options {
    const char *const *channels; // channel ids to serve; count 0: all
    size_t channel_count;
    int64_t replay_window_ms;     // greatest distance of action_time from now_ms, either way; 0: not checked
    int64_t now_ms;               // wall clock
    struct phone_plan phone_plan; // of national telephone numbers
    bool mask_card_numbers;       // in texts, labels and addresses of parts; see mask.h
};
#endif
