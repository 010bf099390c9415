// SPDX-License-Identifier: Apache-2.0
// The admin listener's pages: GET /healthz /readyz /metrics /status. Nothing here changes anything.
#ifndef HTTP_FRONT_INTAKE_PAGES_H
#define HTTP_FRONT_INTAKE_PAGES_H
#include "http-front/intake/request.h"

/** Serves one request; always answers. Admin threads. `arg` is not used. */
void pages_handle(void *arg, struct request *request);
#endif
