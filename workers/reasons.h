// SPDX-License-Identifier: Apache-2.0
// The reasons of a friction score, as a browser says them (docs/friction.md): believed only as far as they are of the
// page's own words, so that nobody can put sentences into a ticket under Deskbell's name. Pure functions.
#ifndef WORKERS_REASONS_H
#define WORKERS_REASONS_H
#include <stdint.h>

#include "proto/arena.h"

/**
 * What follows the score and its level in "73, high: payment declined twice, rage click on Pay": one to three of the
 * page's signals, each perhaps with how often and on which control (at most 40 characters). What is not one is left
 * out, as is what follows the third. "" when the text does not begin with exactly this score and level.
 */
const char *reasons_of(struct arena *arena, const char *said, uint64_t score);
#endif
