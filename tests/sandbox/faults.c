// SPDX-License-Identifier: Apache-2.0
// Decides which request or webhook is hit by which fault, and keeps the per-minute budgets. Runs in whichever thread
// asks, with the store locked. Promises that with the same seed and the same requests the same ones are hit.
#include "faults.h"

#include <string.h>

// splitmix64: small, and good enough to spread a probability.
static double next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) / (double)(UINT64_C(1) << 53);
}

static struct sb_fault *add(struct sandbox *sb)
{
    sb->faults = sb_grow(sb->faults, sb->fault_count, sizeof *sb->faults);
    struct sb_fault *added = &sb->faults[sb->fault_count];
    *added = (struct sb_fault){.number = (int)sb->fault_count + 1};
    sb->fault_count++;
    return added;
}

int sandbox_fault_add(struct sandbox *sb, const struct sandbox_fault *fault)
{
    sb_lock(sb);
    struct sb_fault *added = add(sb);
    added->fault = *fault;
    added->random = fault->seed;
    int number = added->number;
    sb_unlock(sb);
    return number;
}

int sandbox_webhook_fault_add(struct sandbox *sb, const struct sandbox_webhook_fault *fault)
{
    sb_lock(sb);
    struct sb_fault *added = add(sb);
    added->is_webhook = true;
    added->webhook = *fault;
    added->random = fault->seed;
    int number = added->number;
    sb_unlock(sb);
    return number;
}

size_t sandbox_fault_hits(struct sandbox *sb, int number)
{
    sb_lock(sb);
    size_t hits = number >= 1 && (size_t)number <= sb->fault_count ? sb->faults[number - 1].hits : 0;
    sb_unlock(sb);
    return hits;
}

void sandbox_fault_remove(struct sandbox *sb, int number)
{
    sb_lock(sb);
    if (number >= 1 && (size_t)number <= sb->fault_count)
        sb->faults[number - 1].removed = true;
    sb_unlock(sb);
}

void sandbox_faults_clear(struct sandbox *sb)
{
    sb_lock(sb);
    for (size_t i = 0; i < sb->fault_count; i++)
        sb->faults[i].removed = true; // kept, so that numbers and hits stay true
    sb_unlock(sb);
}

// Whether the next match of this fault is a hit: first some pass, then some are hit, each with a chance.
static bool hits_now(struct sb_fault *fault, int skip, int count, double probability)
{
    if (fault->removed || (count > 0 && fault->hits >= (size_t)count))
        return false;
    if (fault->seen++ < skip)
        return false;
    if (probability > 0.0 && probability < 1.0 && next_random(&fault->random) >= probability)
        return false;
    fault->hits++;
    return true;
}

bool sb_faults_take(struct sandbox *sb, int endpoint, enum sb_product product, struct sandbox_fault *fault)
{
    static const int any_of[] = {SANDBOX_ANY_FRESHCHAT, SANDBOX_ANY_FRESHDESK, SANDBOX_ANY_FRESHCALLER};
    for (size_t i = 0; i < sb->fault_count; i++) {
        struct sb_fault *candidate = &sb->faults[i];
        int wanted = candidate->fault.endpoint;
        bool matching = wanted == endpoint || wanted == SANDBOX_ANY || wanted == any_of[product];
        if (candidate->is_webhook || !matching)
            continue;
        if (hits_now(candidate, candidate->fault.skip, candidate->fault.count, candidate->fault.probability)) {
            *fault = candidate->fault;
            sb_store_changed(sb);
            return true;
        }
    }
    return false;
}

bool sb_faults_take_webhook(struct sandbox *sb, bool hint, struct sandbox_webhook_fault *fault)
{
    for (size_t i = 0; i < sb->fault_count; i++) {
        struct sb_fault *candidate = &sb->faults[i];
        if (!candidate->is_webhook || candidate->webhook.hints != hint)
            continue;
        if (hits_now(candidate, candidate->webhook.skip, candidate->webhook.count, candidate->webhook.probability)) {
            *fault = candidate->webhook;
            sb_store_changed(sb);
            return true;
        }
    }
    return false;
}

void sandbox_set_limit(struct sandbox *sb, enum sandbox_limit limit, int per_minute)
{
    sb_lock(sb);
    sb->limits[limit] = (struct sb_limit){.per_minute = per_minute};
    sb_unlock(sb);
}

void sandbox_set_limit_window(struct sandbox *sb, int64_t window_ms)
{
    sb_lock(sb);
    sb->limit_window_ms = window_ms;
    sb_unlock(sb);
}

int sb_faults_spend(struct sandbox *sb, enum sandbox_limit limit, int credits)
{
    struct sb_limit *budget = &sb->limits[limit];
    if (budget->per_minute == 0)
        return 0;
    int64_t now = sandbox_now_us(), window_us = sb->limit_window_ms * 1000;
    if (budget->window_started_us == 0 || now - budget->window_started_us >= window_us) {
        budget->window_started_us = now;
        budget->used = 0;
    }
    budget->used += credits; // refused requests count too
    if (budget->used <= budget->per_minute)
        return 0;
    int64_t left_us = window_us - (now - budget->window_started_us);
    return (int)((left_us + 999999) / 1000000);
}

int sb_faults_left(const struct sandbox *sb, enum sandbox_limit limit)
{
    int left = sb->limits[limit].per_minute - sb->limits[limit].used;
    return left > 0 ? left : 0;
}
