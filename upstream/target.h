// SPDX-License-Identifier: Apache-2.0
// One upstream as the client sees it: where it is, whom it trusts, which headers every request carries. Part of the
// client; nothing else includes it.
#ifndef UPSTREAM_TARGET_H
#define UPSTREAM_TARGET_H
#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/config.h"
#include "proto/steps.h"
#include "upstream/keys.h"

struct target {
    const char *api_url; // borrowed from the configuration; NULL: this upstream is not called
    const char *proxy;
    const char *ca_file;
    bool plain;                   // http, to loopback
    struct curl_slist *with_body; // headers, the key among them; owned
    struct curl_slist *without_body;
};

/**
 * Fills *self for an upstream; one without a key stays closed (api_url NULL). False with one sentence in `why` when its
 * address cannot be used. Closed by target_close, also after a failure.
 */
bool target_open(struct target *self, enum upstream upstream, const struct config *config, const struct keys *keys,
                 char *why, size_t why_size) __attribute__((warn_unused_result));

/** Wipes and frees the headers. */
void target_close(struct target *self);

/** Sets what holds for every connection to that upstream: protocol, TLS, trust, proxy, no redirects. */
void target_apply(const struct target *self, CURL *easy);
#endif
