// SPDX-License-Identifier: Apache-2.0
// The admin listener's pages: GET /healthz /readyz /metrics /status; and what shoppers get from the webhook listener:
// GET /widget.js /support. Nothing here changes anything.
#ifndef HTTP_FRONT_INTAKE_PAGES_H
#define HTTP_FRONT_INTAKE_PAGES_H
#include "http-front/intake/request.h"
#include "http-front/widget/widget.h"

/** Serves one request; always answers. Admin threads. `arg` is not used. */
void pages_handle(void *arg, struct request *request);

/** Serves the request when its path is one of the widget's pages; else false, and nothing is answered. Any thread. */
bool pages_public(const struct widget *widget, struct request *request);
#endif
