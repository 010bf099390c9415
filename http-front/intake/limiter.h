// SPDX-License-Identifier: Apache-2.0
// How often strangers may make us write something: a bucket of tokens for each client and one for all. In memory and
// bounded: it knows some thousand clients, and forgets first those that have used up least. Any thread; what it decides
// is lost with the process, which only ever errs in the clients' favour.
#ifndef HTTP_FRONT_INTAKE_LIMITER_H
#define HTTP_FRONT_INTAKE_LIMITER_H
#include <stdbool.h>
#include <stdint.h>

struct limiter;

/** Lets each client do something `each` times in `each_ms`, and all together `all` times in `all_ms`. Never NULL. */
struct limiter *limiter_new(int64_t each, int64_t each_ms, int64_t all, int64_t all_ms);
/** Frees it and sets *self to NULL. A NULL *self is fine. */
void limiter_free(struct limiter **self);

/**
 * Takes one from both buckets at `now_ms` of the monotonic clock; or from neither, with false and, in *wait_ms, how
 * long until there is one again.
 */
bool limiter_take(struct limiter *self, const uint8_t client[16], int64_t now_ms, int64_t *wait_ms)
    __attribute__((warn_unused_result));

/** Gives back what limiter_take took for something that then was not done. A client that is forgotten by now has a full
 * bucket anyway. */
void limiter_give(struct limiter *self, const uint8_t client[16], int64_t now_ms);
#endif
