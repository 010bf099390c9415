// SPDX-License-Identifier: Apache-2.0
// POST /callback: a shopper asks to be called. Public and unsigned, so it is off unless the configuration switches it
// on, takes requests from the shop's own pages only, is bounded in size and rate, and logs no number. Runs in
// CivetWeb's threads; a request is whole in one thread until the event is on disk.
#ifndef HTTP_FRONT_INTAKE_CALLBACK_H
#define HTTP_FRONT_INTAKE_CALLBACK_H
#include <stdbool.h>

#include "http-front/intake/request.h"
#include "proto/config.h"

struct callback;
struct http_options;

/** NULL when call-backs are off. Borrows `config`, which must outlive it. Freed by callback_free. */
struct callback *callback_new(const struct config *config);
/** Frees it and sets *self to NULL. A NULL *self is fine. */
void callback_free(struct callback **self);

/** Serves one request for /callback, CORS included; always answers. Any thread. */
void callback_handle(const struct callback *self, const struct http_options *options, struct request *request);

/**
 * May a page of this origin ask? `listed`: the configured origins. Where there are none: when the browser says that the
 * page is of the same site (`fetch_site`, the header Sec-Fetch-Site), or, where it does not say, when the origin's host
 * is `host`. Each may be NULL for a header that is missing; without an origin nobody may.
 */
bool callback_origin_allowed(const struct config_list *listed, const char *origin, const char *fetch_site,
                             const char *host);
#endif
