// SPDX-License-Identifier: Apache-2.0
// Steady traffic against a running front, for stories in which nobody may notice what happens behind it: senders of
// signed webhooks on kept connections and on fresh ones, a scraper of the admin's metrics, and one who sends a byte a
// second. Each is a thread.
#ifndef TESTS_SCENARIO_TRAFFIC_H
#define TESTS_SCENARIO_TRAFFIC_H
#include "tests/scenario/scenario.h"

// Nobody may wait longer. Sanitizers make every start of a process many times as long.
#ifdef __SANITIZE_ADDRESS__
#define TRAFFIC_LIMIT_MS 9000
#else
#define TRAFFIC_LIMIT_MS 3000
#endif

struct traffic_options {
    int kept, fresh;   // senders of webhooks with a kept connection, and with a new one each time
    int gap_ms;        // between two requests of one sender
    int scrapers;      // of /metrics
    int dawdlers;      // a byte a second
    int conversations; // that the webhooks' messages belong to
};

struct traffic_result {
    unsigned long requests, answered; // webhooks and scrapes; 200 is the only good answer
    unsigned long refused;            // no connection
    unsigned long unanswered;         // a request was sent and no whole answer came
    unsigned long other;              // another answer than 200
    unsigned long late;               // longer than TRAFFIC_LIMIT_MS, from the first attempt to the answer
    unsigned long closed;             // a kept connection was closed before the request; sent again on a new one
    unsigned long dawdled, cut;       // requests of dawdlers that were answered, and that were not
    int64_t worst_ms;
    int last_other; // status
};

struct traffic;

// Starts the senders. Scenario and sandbox must outlive it.
struct traffic *traffic_begin(struct scenario *s, const struct traffic_options *options);
// What was counted so far.
struct traffic_result traffic_so_far(struct traffic *traffic);
// Stops them all, once each has its last answer. *traffic becomes NULL.
struct traffic_result traffic_end(struct traffic **traffic);
// Fails the test unless every request was answered with 200 in time.
void traffic_was_served(const struct traffic_result *result);

// Sends `count` webhooks as fast as they are answered, from `threads` threads; all must be accepted.
void traffic_fill(struct scenario *s, size_t count, int threads, int conversations);

#endif
