// SPDX-License-Identifier: Apache-2.0
// The fault campaign in three parts: the plan, made from a seed before anything starts (campaign_plan.c); its run
// against the real processes (test_campaign.c); and the comparison of both sides with what was sent
// (campaign_compare.c).
#ifndef TESTS_SCENARIO_CAMPAIGN_H
#define TESTS_SCENARIO_CAMPAIGN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/sandbox/sandbox.h"

// ---------------------------------------------------------------- the plan
struct campaign_options {
    uint64_t seed;
    int seconds;     // in which it is all said
    double rate;     // things said per second, on average
    bool no_faults;  // only what is said, for a look at the campaign itself
    bool no_kills;   // Freshworks misbehaves, but no process is struck
    bool drop_hooks; // a share of webhooks is never sent; polls repair that
};

enum campaign_kind {
    CAMPAIGN_CUSTOMER, // writes in the chat
    CAMPAIGN_REPLY,    // an agent in Freshdesk
    CAMPAIGN_NOTE,     // public
    CAMPAIGN_PRIVATE,
    CAMPAIGN_TYPED, // an agent inside Freshchat
    CAMPAIGN_ASIDE, // the same, for agents' eyes only
    CAMPAIGN_KINDS
};

// One thing that is said. `word` is in no other, but for a small share of common words that return in their own
// conversation.
struct campaign_act {
    int conversation;
    enum campaign_kind kind;
    bool common;
    int64_t at_ms; // in the plan
    char word[24];
    char text[160];    // as said; HTML at the desk
    const char *agent; // NULL: the customer
    // Written while it runs, under no lock: by the actors' thread, read after it has ended.
    bool said;
    char message_id[SANDBOX_ID_SIZE];
    int64_t entry_id;
    // Filled in by the comparison.
    int64_t said_ms, said_us, tried_us, accepted_us; // 0: never
};

enum campaign_blow_kind {
    BLOW_KILL_WORKER,
    BLOW_KILL_FRONT,
    BLOW_KILL_ANY, // any process, at any moment of its life
    BLOW_KILL_ALL,
    BLOW_STOP_WORKER, // until the supervisor kills it
    BLOW_STOP_FRONT,
    BLOW_PAUSE_WORKER, // and lets it go on
    BLOW_PAUSE_FRONT,
    BLOW_RELOAD,  // SIGHUP
    BLOW_RESTART, // SIGTERM and a new start
    BLOW_FAULT,
    BLOW_KINDS
};

struct campaign_blow {
    enum campaign_blow_kind kind;
    int64_t at_ms;
    unsigned which; // worker or process, as a number to be taken modulo
    int64_t ms;     // of a pause
    const char *fault_name;
    struct sandbox_fault fault;
};

struct campaign {
    struct campaign_options options;
    int conversation_count;
    struct sandbox_customer *customers;
    struct campaign_act *acts; // by time
    size_t act_count;
    struct campaign_blow *blows; // by time
    size_t blow_count;
    uint64_t fingerprint; // of the plan: the same for the same seed
};

extern const char *const campaign_blow_names[BLOW_KINDS];
extern const char *const campaign_kind_names[CAMPAIGN_KINDS];

// splitmix64
uint64_t campaign_random(uint64_t *state);

// Makes the plan. Free it with campaign_free.
struct campaign *campaign_new(const struct campaign_options *options);
void campaign_free(struct campaign **campaign);

// Standing faults of the webhooks.
void campaign_bend_webhooks(struct sandbox *sb, const struct campaign *campaign);

// ---------------------------------------------------------------- the comparison
struct campaign_result {
    size_t said[CAMPAIGN_KINDS];
    size_t lost, twice, leaked; // leaked: private words, or words in another conversation
    size_t no_ticket, second_tickets;
    size_t out_of_order;
    size_t late;       // arrived when a successor was out already; their printed time was compared
    size_t passed;     // customers' words that went before an agent's that waited for a relay
    size_t wrong_time; // printed time is not when it was said
    size_t not_told;   // no webhook of it was ever answered 200
    size_t stray;      // entries, messages or tickets that nobody in the plan said
    size_t deliveries, deliveries_failed;
};

// Compares the sandbox with the plan. Each finding is one line on `out`.
void campaign_compare(struct sandbox *sb, struct campaign *campaign, FILE *out, struct campaign_result *result);

// Whether everything that was said is where it belongs, however often: for knowing when to look closer.
bool campaign_complete(struct sandbox *sb, struct campaign *campaign);

#endif
