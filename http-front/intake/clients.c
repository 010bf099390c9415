// SPDX-License-Identifier: Apache-2.0
// Who a request came from. See clients.h.
#include "http-front/intake/clients.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// CivetWeb keeps no more headers than this.
#define MOST_HEADERS 64
// Longer than any address with brackets and port.
#define HOP_MAX 64

struct clients {
    struct in_addr *proxies;
    size_t count;
};

struct clients *clients_new(const struct config *config)
{
    const struct config_list *list = &config->front.trusted_proxies;
    struct clients *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->proxies = calloc(list->count + 1, sizeof *self->proxies);
    if (!self->proxies)
        abort();
    for (size_t i = 0; i < list->count; i++)
        self->count += inet_pton(AF_INET, list->items[i], &self->proxies[self->count]) == 1;
    return self;
}

void clients_free(struct clients **self)
{
    if (!*self)
        return;
    free((*self)->proxies);
    free(*self);
    *self = NULL;
}

// An address as 16 bytes, IPv4 mapped into them.
static bool parse(const char *text, uint8_t bytes[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct in_addr v4;
    if (inet_pton(AF_INET6, text, bytes) == 1)
        return true;
    if (inet_pton(AF_INET, text, &v4) != 1)
        return false;
    memcpy(bytes, mapped, sizeof mapped);
    memcpy(bytes + sizeof mapped, &v4, sizeof v4);
    return true;
}

static bool is_v4(const uint8_t bytes[16])
{
    return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)bytes);
}

static bool trusted(const struct clients *self, const uint8_t bytes[16])
{
    struct in_addr v4;
    if (!is_v4(bytes))
        return IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)(const void *)bytes);
    memcpy(&v4, bytes + 12, sizeof v4);
    if (ntohl(v4.s_addr) >> 24 == 127)
        return true;
    for (size_t i = 0; self && i < self->count; i++)
        if (self->proxies[i].s_addr == v4.s_addr)
            return true;
    return false;
}

// One hop as proxies write it: an address, perhaps with a port, IPv6 then in brackets.
static bool parse_hop(const char *text, size_t size, uint8_t bytes[16])
{
    char hop[HOP_MAX];
    while (size && strchr(" \t", *text))
        text++, size--;
    while (size && strchr(" \t", text[size - 1]))
        size--;
    if (!size || size >= sizeof hop)
        return false;
    memcpy(hop, text, size);
    hop[size] = '\0';
    char *colon = strchr(hop, ':');
    if (*hop == '[') {
        char *close = strchr(hop, ']');
        if (!close || (close[1] && close[1] != ':'))
            return false;
        *close = '\0';
        return parse(hop + 1, bytes);
    }
    if (colon && !strchr(colon + 1, ':'))
        *colon = '\0';
    return parse(hop, bytes);
}

void clients_find(const struct clients *self, const char *peer, const char *const *forwarded, size_t count,
                  struct client *client)
{
    uint8_t bytes[16] = {0}, hop[16];
    bool known = parse(peer, bytes), on = known && trusted(self, bytes);
    for (size_t i = count; on && i-- > 0;) {
        for (const char *end = forwarded[i] + strlen(forwarded[i]), *at = end; on;) {
            while (at > forwarded[i] && at[-1] != ',')
                at--;
            // What is no address was written by nobody we know.
            on = parse_hop(at, (size_t)(end - at), hop);
            if (on) {
                memcpy(bytes, hop, sizeof bytes);
                on = trusted(self, bytes);
            }
            if (at == forwarded[i])
                break;
            end = --at;
        }
    }
    bool v4 = is_v4(bytes);
    if (!known || !inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + 12 : bytes, client->text, sizeof client->text))
        snprintf(client->text, sizeof client->text, "unknown");
    memcpy(client->key, bytes, sizeof client->key);
    if (!v4)
        memset(client->key + 8, 0, 8);
}

void clients_of(const struct clients *self, const struct request *request, struct client *client)
{
    const char *forwarded[MOST_HEADERS];
    size_t count = 0;
    for (int i = 0; i < request->info->num_headers && count < MOST_HEADERS; i++)
        if (!strcasecmp(request->info->http_headers[i].name, "X-Forwarded-For"))
            forwarded[count++] = request->info->http_headers[i].value;
    clients_find(self, request->info->remote_addr, forwarded, count, client);
}

bool clients_unsure(const struct config *config)
{
    struct sockaddr_in address;
    return config->front.trusted_proxies.count == 0 && config_listen_address(config->front.listen, &address) &&
           ntohl(address.sin_addr.s_addr) >> 24 != 127;
}
