// SPDX-License-Identifier: Apache-2.0
// How a request that brought an event, or should have, ends: counted, answered, and its refusal logged now and then.
#ifndef HTTP_FRONT_INTAKE_CONCLUDE_H
#define HTTP_FRONT_INTAKE_CONCLUDE_H
#include "http-front/admin/metrics.h"
#include "http-front/intake/clients.h"
#include "http-front/intake/request.h"
#include "proto/records.h"

/**
 * Counts and sends `answer`: {"status":"accepted"} and the like with 200, else {"error":"..."}. `extra` is NULL or
 * whole header lines with \r\n. A refusal of one kind is logged at most once a minute, with the client as `clients`
 * knows it.
 */
void conclude(enum metrics_source source, struct request *request, enum answer answer, const char *extra,
              const struct clients *clients);

/** The event was accepted: conclude will log its ids, once the answer is out. Whoever waits for it waits for no log. */
void conclude_event(struct request *request, const struct event *event);
#endif
