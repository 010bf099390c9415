// SPDX-License-Identifier: Apache-2.0
// Time for all Deskbell processes. Monotonic time measures, wall time labels; all times are int64_t milliseconds (wall:
// since 1970-01-01 UTC) unless the name says microseconds. Any thread may call these.
#ifndef DESKBELL_PROTO_CLOCK_H
#define DESKBELL_PROTO_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Milliseconds on a clock that never steps; comparable between processes of one host since boot.
int64_t clock_mono_ms(void);

// The same clock in microseconds.
int64_t clock_mono_us(void);

// Milliseconds on a clock that never steps and counts the time that the machine slept, too.
int64_t clock_running_ms(void);

// Milliseconds since the epoch. With fault seams compiled in, $DESKBELL_TEST_CLOCK_OFFSET_MS (read at the first call)
// is added, so that tests can run a process with a wrong clock.
int64_t clock_wall_ms(void);

// Room for the text of clock_format_iso, NUL included: "2026-11-22T08:14:04.123Z".
#define CLOCK_ISO_BYTES 25

// Writes UTC with milliseconds and Z. `ms` must lie in the years 1970 to 9999 (else it is clamped). Returns out.
char *clock_format_iso(int64_t ms, char out[CLOCK_ISO_BYTES]);

// Reads an ISO-8601 / RFC 3339 date and time of exactly `len` bytes: YYYY-MM-DDThh:mm:ss, optionally .fraction (1 to 9
// digits, cut to ms), then Z or +hh:mm or -hh:mm (also +hhmm). T and Z may be lower case. Years 1970 to 2199; a leap
// second counts as :59. Returns false, *ms untouched, for anything else.
bool clock_parse_iso(const char *text, size_t len, int64_t *ms) __attribute__((warn_unused_result));

// Reads an HTTP date (RFC 7231 7.1.1.1: the preferred form "Sun, 06 Nov 1994 08:49:37 GMT"; the two obsolete forms
// too), years 1970 to 2199. Returns false, *ms untouched, for anything else.
bool clock_parse_http(const char *text, size_t len, int64_t *ms) __attribute__((warn_unused_result));

#endif
