// SPDX-License-Identifier: Apache-2.0
// Who a request came from, where a proxy stands between: the one place that decides whether X-Forwarded-For is
// believed. It is where the peer is this machine or a proxy that the configuration names (front.trusted_proxies); what
// others write into that header is their own invention. Made once, then read by any thread.
#ifndef HTTP_FRONT_INTAKE_CLIENTS_H
#define HTTP_FRONT_INTAKE_CLIENTS_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http-front/intake/request.h"
#include "proto/config.h"

struct client {
    char text[INET6_ADDRSTRLEN]; // for logs
    uint8_t key[16];             // for counting: an IPv6 client is its /64, which one household has to itself
};

struct clients;

/** The proxies of front.trusted_proxies. Never NULL. */
struct clients *clients_new(const struct config *config);
/** Frees it and sets *self to NULL. A NULL *self is fine. */
void clients_free(struct clients **self);

/**
 * The client of a request whose peer is `peer` and that carries these X-Forwarded-For values, in the order in which
 * they came. The hops are read from the last one: the first that is no proxy of ours is the client. A NULL self trusts
 * loopback alone.
 */
void clients_find(const struct clients *self, const char *peer, const char *const *forwarded, size_t count,
                  struct client *client);

/** The same for a request. */
void clients_of(const struct clients *self, const struct request *request, struct client *client);

/**
 * True where front.listen can be reached from elsewhere and no proxy is named: then a proxy on another machine would
 * be taken for the one client there is. The front says so when it starts.
 */
bool clients_unsure(const struct config *config);
#endif
