// SPDX-License-Identifier: Apache-2.0
// What a cart value and a friction score are, and what the configured rules make of them. Pure functions.
#ifndef WORKERS_RULES_H
#define WORKERS_RULES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/config.h"
#include "proto/records.h"

enum { RULES_MOST_TAGS = 30, RULES_NAMES_BYTES = 1024 }; // freshworks-api 4.3; the record's bound

// A sum of money above this is taken as this: a shop's typing error must not order the queue for good.
#define RULES_MOST_CENTS UINT64_C(99999999999)

/**
 * Reads a sum as shops write it: digits, at most one decimal sign with 1 to 6 digits behind it, thousands set apart in
 * threes by one sign that is not the decimal sign ("1,234.50" "1.234,50" "1 234,50" "1'234.50"), and before or behind
 * it one currency sign or three-letter code. Refused, because it could mean two things or nothing: "1.234" and "1,234"
 * (a thousand or one and a bit), a sign + or -, exponents, hex, inf, nan, anything else. True with *cents rounded to
 * whole cents and clamped.
 */
bool rules_money(const char *text, uint64_t *cents);

/**
 * Reads a friction score: digits with at most one decimal point or comma, perhaps a minus before them. True with *value
 * clamped to 0..100, fractions dropped; *clamped tells that the number said lay outside.
 */
bool rules_friction(const char *text, uint64_t *value, bool *clamped);

struct rules_result {
    enum config_level priority;
    int64_t group_id;        // 0: none
    const char *const *tags; // the configuration's
    size_t tag_count;
    const char *rule; // name of the rule that matched, NULL: none did
};

/**
 * The first rule that matches decides; without one, default_priority and ticket.group_id. A condition on a number that
 * is not valid does not hold. A rule that asks for friction alone gives high at most: friction alone never makes a
 * ticket urgent, whatever the rule says. So does a rule that asks for the value of a cart which the shop should have
 * signed and did not.
 */
struct rules_result rules_apply(const struct config *config, const struct context *context);

/** Whether the rule matched for the first time: `known` names no such rule, nor (from an older version) its priority.
 */
bool rules_is_new(const struct context *known, const struct rules_result *result);

/** Writes the rule and the highest priority that one gave so far into `context`, nothing while none matches; its texts
 * live in `arena`. */
void rules_remember(struct arena *arena, struct context *context, const struct rules_result *result);
#endif
