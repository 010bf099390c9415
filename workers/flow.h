// SPDX-License-Identifier: Apache-2.0
// What the flows have in common: short ways to fill a report, the upstreams' clocks, looks page by page.
#ifndef WORKERS_FLOW_H
#define WORKERS_FLOW_H
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "workers/step.h"

enum {
    FLOW_STATUS_OPEN = 2,          // of a ticket, freshworks-api 4.2
    FLOW_ROUND_CHANGED = 4,        // a context event that reads in any case; lower rounds complete a new ticket
    FLOW_PAGE_SIZE = 100,          // of Freshdesk's lists, the most it gives
    FLOW_CHAT_PAGE_SIZE = 50,      // of Freshchat's
    FLOW_MOST_PAGES = 300,         // Freshdesk refuses pages beyond it
    FLOW_LOOK_REACH_MS = 600000,   // looks ask for what is newer than this before the write
    FLOW_CLOCK_APART_MS = 300000,  // clocks further apart than this make a look ask again
    FLOW_MARGIN_KNOWN_MS = 5000,   // how much older than the write a match may seem, with the upstream's clock known
    FLOW_MARGIN_UNKNOWN_MS = 60000 // and without
};

// ---- reports --------------------------------------------------------------------------------------------------------

/** Done; go on with `next` (0: the event is finished). `what` (a constant) goes to the history, "" tells nothing. */
void flow_done(struct report *report, enum step next, const char *what);

/** Ends a step with that outcome and a sentence as its cause, on one line and within its bound. */
void flow_end(struct job_context *context, struct report *report, enum outcome outcome, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** A good answer that lacks what it must have: doubt for a write, another try for the rest. `lacks`: "a ticket id". */
void flow_unexpected(struct job_context *context, struct report *report, const char *lacks);

/** Records an id that Deskbell wrote, or delivered. time_ms 0: unknown, then now in that upstream's clock stands for
 * it. */
void flow_wrote_desk(struct job_context *context, struct report *report, const char *id, uint64_t time_ms);
void flow_wrote_chat(struct job_context *context, struct report *report, const char *id, uint64_t time_ms);

/** Asks for more work in the same conversation. At most 8 a report. */
void flow_followup(struct job_context *context, struct report *report, enum event_kind kind, uint64_t delay_ms,
                   uint64_t round);

// ---- answers --------------------------------------------------------------------------------------------------------

/** The ticket takes nothing any more: deleted, archived, marked as spam. */
bool flow_ticket_gone(const struct response *response);
/** It will never be allowed: refused, or a 403 that concerns this thing, since the same key does other work. */
bool flow_is_denied(const struct response *response);

/** Whether a refusal's list of errors names the field (with or without "custom_fields."). */
bool flow_refuses(const struct response *response, const char *field);

/** The same, and the reason is the value's type. */
bool flow_mistypes(const struct response *response, const char *field);

enum flow_raw {
    FLOW_RAW_TAKEN,
    FLOW_RAW_NONE,      // no object
    FLOW_RAW_TOO_LARGE, // by itself: *out holds its size
    FLOW_RAW_FULL,      // it does not fit into this report any more
};
enum { FLOW_RAWS_MOST = 100 }; // of one report, the bound of its list

/** One object of a list, as JSON for the normaliser. `total`: bytes that the report holds already, counted on. */
enum flow_raw flow_raw(struct arena *arena, const json_t *object, size_t *total, struct blob *out);

// ---- clocks ---------------------------------------------------------------------------------------------------------

/** How far that upstream's clock is ahead of ours, 0 when not known. Looks keep in `found` what they once used. */
int64_t flow_ahead_ms(const struct job_context *context, enum upstream upstream);

/** Now, in that upstream's clock. */
uint64_t flow_now_ms(const struct job_context *context, enum upstream upstream);

/** Our time moved into an upstream's clock; never below 0. */
uint64_t flow_moved(uint64_t ms, int64_t by_ms);

// ---- looks ----------------------------------------------------------------------------------------------------------

/** Begins a look: settles which clock it uses. Returns the page to ask for, from 1. */
uint64_t flow_look_begin(struct job_context *context, enum upstream upstream);

/** Takes the answer's Date when the upstream's clock was not known. True when the clocks are far apart. */
bool flow_look_learn(struct job_context *context, const struct response *response);

/**
 * The same for looks whose request asks for a time: when the clocks are far apart it asked for the wrong one, and the
 * report repeats the look from its first page. True then.
 */
bool flow_look_again(struct job_context *context, const struct response *response, enum step look,
                     struct report *report);

/**
 * The earliest time, in the upstream's clock, that what the write made may carry: when it was claimed, in that clock as
 * the front knew it then. Our own clock may have been set since, so a claim of which only our time is known counts for
 * nothing if something better is: `cause_ms`, when that was said which led to the write, in this upstream's clock (0:
 * nothing was, or nobody knows).
 */
uint64_t flow_look_floor(const struct job_context *context, uint64_t cause_ms);

/** When the customer's or agent's words were said that the job's write is about, in the helpdesk's clock; 0: it is
 * about none. */
uint64_t flow_cause_ms(const struct job_context *context);

/** A time that one upstream told, in the clock of the other, which the look reads. As far as both are known; else they
 * are taken to agree. */
uint64_t flow_told_ms(const struct job_context *context, uint64_t ms, enum upstream by, enum upstream to);

/** The floor of something begun at `since_ms` of our clock, which is taken to have been right. */
uint64_t flow_floor_since(const struct job_context *context, uint64_t since_ms);

/** Ends a page of a look without a match: goes on to the next page, or says not found. */
void flow_look_next(struct job_context *context, enum step look, bool more, struct report *report);

/** Ends a look that found its write: forgets the look's own state. The caller fills the report like the write's. */
void flow_look_found(struct job_context *context);
#endif
