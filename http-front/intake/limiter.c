// SPDX-License-Identifier: Apache-2.0
// Buckets of tokens in a table of fixed size. See limiter.h. A client's bucket is in one of the few slots that a hash
// of its key names; the hash has a secret, so that nobody can choose whom to push out.
#include "http-front/intake/limiter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SETS  512
#define SLOTS 8 // of one set

struct bucket {
    uint8_t key[16];
    double tokens;
    int64_t at_ms; // when there were so many
    bool used;
};

struct rate {
    double most;   // tokens of a full bucket
    double per_ms; // how many are added
};

struct limiter {
    pthread_mutex_t lock; // over all below
    uint64_t secret;
    struct rate each, all;
    struct bucket every;
    struct bucket clients[SETS][SLOTS];
};

struct limiter *limiter_new(int64_t each, int64_t each_ms, int64_t all, int64_t all_ms)
{
    struct limiter *self = calloc(1, sizeof *self);
    if (!self || getrandom(&self->secret, sizeof self->secret, 0) != sizeof self->secret)
        abort();
    pthread_mutex_init(&self->lock, NULL);
    self->each = (struct rate){.most = (double)each, .per_ms = (double)each / (double)each_ms};
    self->all = (struct rate){.most = (double)all, .per_ms = (double)all / (double)all_ms};
    return self;
}

void limiter_free(struct limiter **self)
{
    if (!*self)
        return;
    pthread_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}

// What is in a bucket now; one that was never used is full.
static double fill(const struct bucket *bucket, const struct rate *rate, int64_t now_ms)
{
    if (!bucket->used)
        return rate->most;
    double passed = now_ms > bucket->at_ms ? (double)(now_ms - bucket->at_ms) : 0;
    double tokens = bucket->tokens + passed * rate->per_ms;
    return tokens < rate->most ? tokens : rate->most;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static struct bucket *set_of(struct limiter *self, const uint8_t key[16])
{
    uint64_t halves[2];
    memcpy(halves, key, sizeof halves);
    return self->clients[mix(mix(halves[0] ^ self->secret) + halves[1] + self->secret) % SETS];
}

// The client's slot, or the fullest of its set, which then is taken over.
static struct bucket *find(struct limiter *self, const uint8_t key[16], int64_t now_ms)
{
    struct bucket *set = set_of(self, key);
    struct bucket *fullest = &set[0];
    for (size_t i = 0; i < SLOTS; i++) {
        if (set[i].used && !memcmp(set[i].key, key, sizeof set[i].key))
            return &set[i];
        if (fill(&set[i], &self->each, now_ms) > fill(fullest, &self->each, now_ms))
            fullest = &set[i];
    }
    *fullest = (struct bucket){0};
    memcpy(fullest->key, key, sizeof fullest->key);
    return fullest;
}

static void put(struct bucket *bucket, double tokens, int64_t now_ms)
{
    bucket->tokens = tokens;
    bucket->at_ms = now_ms;
    bucket->used = true;
}

// How long until there is a whole token, rounded up.
static int64_t wait_for(double have, const struct rate *rate)
{
    return have >= 1 ? 0 : (int64_t)((1 - have) / rate->per_ms) + 1;
}

bool limiter_take(struct limiter *self, const uint8_t client[16], int64_t now_ms, int64_t *wait_ms)
{
    pthread_mutex_lock(&self->lock);
    struct bucket *own = find(self, client, now_ms);
    double have = fill(own, &self->each, now_ms), all = fill(&self->every, &self->all, now_ms);
    bool enough = have >= 1 && all >= 1;
    int64_t own_ms = wait_for(have, &self->each), all_ms = wait_for(all, &self->all);
    *wait_ms = own_ms > all_ms ? own_ms : all_ms;
    if (enough) {
        put(own, have - 1, now_ms);
        put(&self->every, all - 1, now_ms);
    }
    pthread_mutex_unlock(&self->lock);
    return enough;
}

static void give(struct bucket *bucket, const struct rate *rate, int64_t now_ms)
{
    double tokens = fill(bucket, rate, now_ms) + 1;
    put(bucket, tokens < rate->most ? tokens : rate->most, now_ms > bucket->at_ms ? now_ms : bucket->at_ms);
}

void limiter_give(struct limiter *self, const uint8_t client[16], int64_t now_ms)
{
    pthread_mutex_lock(&self->lock);
    struct bucket *set = set_of(self, client);
    for (size_t i = 0; i < SLOTS; i++)
        if (set[i].used && !memcmp(set[i].key, client, sizeof set[i].key))
            give(&set[i], &self->each, now_ms);
    give(&self->every, &self->all, now_ms);
    pthread_mutex_unlock(&self->lock);
}
