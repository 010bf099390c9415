// SPDX-License-Identifier: Apache-2.0
// The number by which one event is followed through all processes: made here where it comes in, never taken from a
// sender, told in the answer (X-Request-Id), kept with the event, and in each log line about it (log_request).
#ifndef HTTP_FRONT_INTAKE_REQUEST_ID_H
#define HTTP_FRONT_INTAKE_REQUEST_ID_H
#include <stdint.h>

/** A new one, random, never 0. Any thread. */
uint64_t request_id_new(void);
#endif
