// SPDX-License-Identifier: Apache-2.0
// The few response headers whose values need reading: Link, Retry-After and plain counts. Pure functions.
#ifndef UPSTREAM_HEADERS_H
#define UPSTREAM_HEADERS_H
#include <stdbool.h>
#include <stdint.h>

enum { HEADERS_RETRY_AFTER_MAX_MS = 24 * 3600 * 1000 };

/**
 * Finds the target with rel="next" in a Link header's value (freshworks-api 4.1) and returns a copy to be freed with
 * free(), or NULL when there is none.
 */
char *headers_link_next(const char *value);

/**
 * Reads Retry-After: seconds, or an HTTP date, which is compared with `now_ms` (the answer's own Date where it had
 * one). What lies in the past is 0; more than a day is a day. False, *ms untouched, for anything else.
 */
bool headers_retry_after(const char *value, int64_t now_ms, uint64_t *ms);

/** Reads a decimal number without sign, spaces around it allowed; too large ones become UINT64_MAX. */
bool headers_count(const char *value, uint64_t *count);
#endif
