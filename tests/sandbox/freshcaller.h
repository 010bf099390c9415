// SPDX-License-Identifier: Apache-2.0
// The Freshcaller side of the sandbox, API v1 as far as calls go. Everything here runs with the store locked.
#pragma once
#include "http.h"

// Answers a request: budget, key, endpoint.
void sb_freshcaller_serve(struct sandbox *sb, const struct sb_request *request, const struct sb_endpoint *endpoint,
                          bool other, struct sb_response *response);
// {"error_type":"...","message":"..."}: Freshcaller's error shape.
void sb_freshcaller_error(struct sb_response *response, int status, const char *type, const char *message);
// The call's document; NULL when there is none.
json_t *sb_freshcaller_call(struct sandbox *sb, int64_t id);
