// SPDX-License-Identifier: Apache-2.0
// Upstreams as curl options: address, key, trust and proxy. Used by the client, in the worker's one thread.
#include "upstream/target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    // Idle connections older than this are not used again: proxies and load balancers drop them silently after a minute
    // or so, and a write on a dead connection costs a look.
    IDLE_SECONDS = 30,
};

static bool is_loopback(const char *host)
{
    struct in_addr address;
    if (inet_pton(AF_INET, host, &address) == 1)
        return ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0;
}

// Checks the address: https anywhere, http only on this machine, where tests and the demo live.
static bool check_url(struct target *target, char *why, size_t why_size)
{
    CURLU *url = curl_url();
    char *scheme = NULL;
    char *host = NULL;
    bool ok = url && curl_url_set(url, CURLUPART_URL, target->api_url, 0) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    target->plain = ok && strcmp(scheme, "http") == 0;
    if (ok)
        ok = strcmp(scheme, "https") == 0 || (target->plain && is_loopback(host));
    if (!ok)
        snprintf(why, why_size, "api_url %s cannot be used: it must be https (or http to this machine)",
                 target->api_url);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    return ok;
}

static struct curl_slist *header_list(const char *authorization, bool with_body)
{
    // "Expect:" keeps curl from waiting for 100 Continue before long bodies.
    static const char *const lines[] = {"Accept: application/json", "Expect:", "Content-Type: application/json"};
    struct curl_slist *list = curl_slist_append(NULL, authorization);
    for (size_t i = 0; list && i < (with_body ? 3u : 1u); i++) {
        struct curl_slist *longer = curl_slist_append(list, lines[i]);
        if (!longer)
            abort();
        list = longer;
    }
    if (!list)
        abort();
    return list;
}

static void free_header_list(struct curl_slist **list)
{
    for (struct curl_slist *item = *list; item; item = item->next)
        explicit_bzero(item->data, strlen(item->data)); // one of them is the key
    curl_slist_free_all(*list);
    *list = NULL;
}

// Copies what the configuration says of that upstream.
static void read_config(struct target *self, enum upstream upstream, const struct config *config)
{
    switch (upstream) {
    case UPSTREAM_FRESHCHAT:
        *self = (struct target){.api_url = config->freshchat.api_url,
                                .proxy = config->freshchat.proxy,
                                .ca_file = config->freshchat.ca_file};
        break;
    case UPSTREAM_FRESHDESK:
        *self = (struct target){.api_url = config->freshdesk.api_url,
                                .proxy = config->freshdesk.proxy,
                                .ca_file = config->freshdesk.ca_file};
        break;
    case UPSTREAM_FRESHCALLER:
        *self = (struct target){.api_url = config->freshcaller.api_url,
                                .proxy = config->freshcaller.proxy,
                                .ca_file = config->freshcaller.ca_file};
        break;
    default:
        *self = (struct target){.api_url = NULL};
        break;
    }
}

bool target_open(struct target *self, enum upstream upstream, const struct config *config, const struct keys *keys,
                 char *why, size_t why_size)
{
    *self = (struct target){.api_url = NULL};
    if (!keys->authorization[upstream])
        return true;
    read_config(self, upstream, config);
    if (!check_url(self, why, why_size))
        return false;
    self->with_body = header_list(keys->authorization[upstream], true);
    self->without_body = header_list(keys->authorization[upstream], false);
    return true;
}

void target_close(struct target *self)
{
    free_header_list(&self->with_body);
    free_header_list(&self->without_body);
    self->api_url = NULL;
}

void target_apply(const struct target *self, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, self->plain ? "http" : "https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (self->ca_file[0]) { // this file and nothing else
        curl_easy_setopt(easy, CURLOPT_CAINFO, self->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    // An empty proxy also keeps $http_proxy and its relatives out: the configuration is all that counts.
    curl_easy_setopt(easy, CURLOPT_PROXY, self->proxy);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_SECONDS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    // A call that ends while its name is still being looked up would otherwise hold up the whole loop until the
    // resolver gives up: curl waits for its thread. So the thread is left to end, and to clean up, by itself.
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}
