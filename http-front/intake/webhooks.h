// SPDX-License-Identifier: Apache-2.0
// POST /webhooks/freshchat and /webhooks/freshdesk: read, verify, parse, normalise, make durable, answer. In that
// order.
#ifndef HTTP_FRONT_INTAKE_WEBHOOKS_H
#define HTTP_FRONT_INTAKE_WEBHOOKS_H
#include "http-front/admin/metrics.h"
#include "http-front/intake/http.h"
#include "http-front/intake/request.h"

/** Serves one request to the webhook of `source`; always answers. Request threads. */
void webhooks_handle(const struct http_options *options, enum metrics_source source, struct request *request);
#endif
