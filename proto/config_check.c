// SPDX-License-Identifier: Apache-2.0
// What a configured string must look like, one small function per kind. Each returns NULL or the rest of a sentence
// that begins with the key's name and says what to write instead. The value itself is not repeated: it might be a
// secret that somebody pasted where a file's name belongs.
#include "proto/config_table.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/pipes.h"

#define PATH_MAX_BYTES 1024
#define URL_MAX_BYTES  1024
#define TEXT_MAX_BYTES 1024
#define TAG_MAX_BYTES  32 // Freshdesk's own limit

bool config_host_is_loopback(const char *host, size_t len)
{
    char copy[64];
    struct in_addr v4;
    struct in6_addr v6;

    if (len >= sizeof copy)
        return false;
    memcpy(copy, host, len);
    copy[len] = '\0';
    if (strcasecmp(copy, "localhost") == 0)
        return true;
    // inet_pton, not a comparison of prefixes: 127.0.0.1.example.com is not this machine.
    if (inet_pton(AF_INET, copy, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, copy, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool config_listen_address(const char *text, struct sockaddr_in *address)
{
    const char *colon = strrchr(text, ':');
    char host[INET_ADDRSTRLEN];
    unsigned long port = 0;

    if (!colon || (size_t)(colon - text) >= sizeof host || colon[1] == '\0' || strlen(colon + 1) > 5)
        return false;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    for (const char *p = colon + 1; *p; p++) {
        if (*p < '0' || *p > '9')
            return false;
        port = port * 10 + (unsigned long)(*p - '0');
    }
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_port = htons((uint16_t)port);
    return port <= 65535 && inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

static bool has_control_characters(const char *value)
{
    for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            return true;
    }
    return false;
}

static const char *check_path(const char *value)
{
    if (value[0] != '/')
        return "must be an absolute path, beginning with /";
    if (strlen(value) > PATH_MAX_BYTES)
        return "is too long a path; at most 1024 bytes";
    return NULL;
}

static const char *check_dir(const struct config_key *key, const char *value)
{
    const char *wrong = check_path(value);

    if (wrong)
        return wrong;
    if (strspn(value, "/") == strlen(value))
        return "must not be the root folder; give Deskbell a folder of its own";
    if (strcmp(key->name, "runtime_dir") == 0 && !pipes_runtime_dir_fits(value))
        return "is too long: a socket's path may have 107 bytes in all, so choose a folder with at most 63 bytes, such "
               "as /run/deskbell";
    return NULL;
}

static const char *check_file(const char *value)
{
    if (value[0] == '\0')
        return "must name a file";
    if (value[0] != '/')
        return "must be the absolute path of a file, beginning with /; a secret itself never belongs in the "
               "configuration";
    return check_path(value);
}

// Cuts "scheme://host:port/rest" apart. Returns what is wrong, or NULL with host and its length set.
static const char *split_url(const char *value, size_t scheme_len, const char **host, size_t *host_len,
                             const char **rest)
{
    const char *authority = value + scheme_len;
    size_t len = strcspn(authority, "/?#");
    const char *end = authority + len;
    const char *port = NULL;

    if (memchr(authority, '@', len))
        return "must not contain a user name or password; secrets have files of their own";
    if (*authority == '[') {
        const char *close = memchr(authority, ']', len);
        if (!close)
            return "has an IPv6 address without its closing bracket";
        *host = authority + 1;
        *host_len = (size_t)(close - authority - 1);
        port = close + 1 < end ? close + 1 : NULL;
    } else {
        port = memchr(authority, ':', len);
        *host = authority;
        *host_len = port ? (size_t)(port - authority) : len;
    }
    if (*host_len == 0)
        return "names no host; write it like https://acme.freshdesk.com/api/v2";
    if (port) {
        size_t digits = strspn(port + 1, "0123456789");
        if (*port != ':' || digits == 0 || digits > 5 || port + 1 + digits != end || atol(port + 1) < 1 ||
            atol(port + 1) > 65535)
            return "has a port that is no number from 1 to 65535";
    }
    for (const char *p = *host; p < *host + *host_len; p++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:", *p))
            return "has a host name with characters that cannot be in one";
    }
    *rest = end;
    return NULL;
}

static const char *check_url(const char *value)
{
    bool https = strncmp(value, "https://", 8) == 0;
    bool http = strncmp(value, "http://", 7) == 0;
    const char *host = NULL, *rest = NULL, *wrong;
    size_t host_len = 0;

    if (!https && !http)
        return "must be an address that begins with https://";
    if (strlen(value) > URL_MAX_BYTES)
        return "is too long an address; at most 1024 bytes";
    if (strpbrk(value, " \"'<>\\^`{|}"))
        return "has characters that cannot be in an address";
    wrong = split_url(value, https ? 8 : 7, &host, &host_len, &rest);
    if (wrong)
        return wrong;
    if (strpbrk(rest, "?#"))
        return "must be an address without ? and #";
    if (http && !config_host_is_loopback(host, host_len))
        return "must begin with https://, because API keys travel with it; plain http is for this machine only "
               "(127.0.0.1, localhost)";
    return NULL;
}

static const char *check_proxy(const char *value)
{
    static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};
    const char *host = NULL, *rest = NULL, *wrong;
    size_t host_len = 0;

    if (value[0] == '\0')
        return NULL;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strncmp(value, schemes[i], strlen(schemes[i])) != 0)
            continue;
        wrong = split_url(value, strlen(schemes[i]), &host, &host_len, &rest);
        if (wrong)
            return wrong;
        return rest[0] == '\0' || strcmp(rest, "/") == 0 ? NULL : "must be a proxy's address without a path";
    }
    return "must be empty or a proxy's address like http://proxy.example:3128";
}

static size_t field_name_len(const char *value)
{
    return strncmp(value, "cf_", 3) == 0 ? 3 + strspn(value + 3, "abcdefghijklmnopqrstuvwxyz0123456789_") : 0;
}

static const char *check_field(const char *value)
{
    size_t len = field_name_len(value);

    if (len <= 3 || value[len] != '\0' || len > 128)
        return "must be a custom field's name: cf_ and then small letters, digits and _";
    return NULL;
}

static const char *check_pair(const char *value)
{
    size_t len = field_name_len(value);

    if (len <= 3 || len > 128 || value[len] != '=')
        return "must be written \"cf_name=value\", with the custom field's name before the =";
    return NULL;
}

static const char *check_phone(const char *value)
{
    if (value[0] != '\0' &&
        (strspn(value, "+0123456789 ()-./") != strlen(value) || strlen(value) > 32 || !strpbrk(value, "0123456789")))
        return "must be a telephone number like +44 20 7946 0000, or empty";
    return NULL;
}

static const char *check_country(const char *value)
{
    size_t digits = strspn(value, "0123456789");

    if (value[0] != '\0' && (value[digits] != '\0' || digits > 3 || value[0] == '0'))
        return "must be a country's dialling code without + and zeros, such as \"44\", or empty";
    return NULL;
}

static const char *check_trunk(const char *value)
{
    if (strlen(value) <= 3 && strspn(value, "0123456789") == strlen(value))
        return NULL;
    return "must be the one to three digits that national numbers begin with, such as \"0\", or empty";
}

static const char *check_tag(const char *value)
{
    if (value[0] == '\0' || strlen(value) > TAG_MAX_BYTES || strchr(value, ','))
        return "must have tags of 1 to 32 bytes without a comma";
    return NULL;
}

// As a browser writes it in Origin: it is compared byte by byte.
static const char *check_origin(const char *value)
{
    bool https = strncmp(value, "https://", 8) == 0;
    const char *host = NULL, *rest = NULL, *wrong;
    size_t host_len = 0;

    if (!https && strncmp(value, "http://", 7) != 0)
        return "must have pages' origins like https://shop.example";
    wrong = split_url(value, https ? 8 : 7, &host, &host_len, &rest);
    if (wrong)
        return wrong;
    if (rest[0] != '\0')
        return "must have origins without anything behind the host: https://shop.example, and no slash at the end";
    if (strpbrk(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        return "must have origins in small letters, as browsers send them";
    if (!https && !config_host_is_loopback(host, host_len))
        return "must have origins that begin with https://; plain http is for this machine only";
    return NULL;
}

static const char *check_ipv4(const char *value)
{
    struct in_addr address;

    return inet_pton(AF_INET, value, &address) == 1 ? NULL : "must have IPv4 addresses without a port, like 10.0.0.5";
}

const char *config_check_string(const struct config_key *key, const char *value, char *room, size_t size)
{
    struct sockaddr_in address;

    if (has_control_characters(value))
        return "must not contain control characters";
    if (strlen(value) > TEXT_MAX_BYTES) {
        snprintf(room, size, "is too long; at most %d bytes", TEXT_MAX_BYTES);
        return room;
    }
    switch (key->check) {
    case CONFIG_CHECK_NONE:
        return NULL;
    case CONFIG_CHECK_DIR:
        return check_dir(key, value);
    case CONFIG_CHECK_FILE:
        return check_file(value);
    case CONFIG_CHECK_FILE_OR_EMPTY:
        return value[0] == '\0' ? NULL : check_file(value);
    case CONFIG_CHECK_LISTEN:
        if (config_listen_address(value, &address))
            return NULL;
        return "must be an IPv4 address and a port, like 127.0.0.1:8080 or 0.0.0.0:8080 (the HTTP library of this "
               "system has no IPv6; let the proxy listen on IPv6)";
    case CONFIG_CHECK_URL_OR_EMPTY:
        return value[0] == '\0' ? NULL : check_url(value);
    case CONFIG_CHECK_URL:
        return check_url(value);
    case CONFIG_CHECK_PROXY:
        return check_proxy(value);
    case CONFIG_CHECK_FIELD:
        return check_field(value);
    case CONFIG_CHECK_PAIR:
        return check_pair(value);
    case CONFIG_CHECK_PHONE:
        return check_phone(value);
    case CONFIG_CHECK_COUNTRY:
        return check_country(value);
    case CONFIG_CHECK_TRUNK:
        return check_trunk(value);
    case CONFIG_CHECK_TAG:
        return check_tag(value);
    case CONFIG_CHECK_ORIGIN:
        return check_origin(value);
    case CONFIG_CHECK_IPV4:
        return check_ipv4(value);
    }
    abort(); // a kind of check that this function does not know
}
