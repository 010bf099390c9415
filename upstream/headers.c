// SPDX-License-Identifier: Apache-2.0
// Readers for response header values. They come from outside: whatever does not fit is "absent", never an error.
#include "upstream/headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/clock.h"

static const char *skip_spaces(const char *at)
{
    return at + strspn(at, " \t");
}

// True when the parameters between `at` and `end` (";name=value" pairs) hold a rel that names "next".
static bool is_next(const char *at, const char *end)
{
    while (at < end && *at == ';') {
        at = skip_spaces(at + 1);
        bool rel = end - at > 4 && strncasecmp(at, "rel=", 4) == 0;
        while (at < end && *at != '=' && *at != ';')
            at++;
        if (at >= end || *at == ';')
            continue;
        at++;
        bool quoted = at < end && *at == '"';
        const char *value = quoted ? ++at : at;
        while (at < end && (quoted ? *at != '"' : *at != ';' && *at != ' '))
            at++;
        // rel may list several relations, parted by spaces
        for (const char *word = value; rel && word < at;) {
            size_t length = strcspn(word, " \"");
            if (length > (size_t)(at - word))
                length = (size_t)(at - word);
            if (length == 4 && strncasecmp(word, "next", 4) == 0)
                return true;
            word += length + 1;
        }
        while (at < end && *at != ';')
            at++;
    }
    return false;
}

char *headers_link_next(const char *value)
{
    for (const char *at = skip_spaces(value); *at == '<'; at = skip_spaces(at)) {
        const char *target = at + 1;
        const char *close = strchr(target, '>');
        if (!close)
            return NULL;
        const char *end = close + 1;
        for (bool quoted = false; *end && (quoted || *end != ','); end++)
            quoted ^= *end == '"';
        if (is_next(skip_spaces(close + 1), end) && close > target)
            return strndup(target, (size_t)(close - target));
        at = *end == ',' ? end + 1 : end;
    }
    return NULL;
}

bool headers_count(const char *value, uint64_t *count)
{
    const char *at = skip_spaces(value);
    size_t digits = strspn(at, "0123456789");
    if (digits == 0 || *skip_spaces(at + digits))
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < digits; i++) {
        uint64_t digit = (uint64_t)(at[i] - '0');
        number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
        if (number == UINT64_MAX)
            break;
    }
    *count = number;
    return true;
}

bool headers_retry_after(const char *value, int64_t now_ms, uint64_t *ms)
{
    uint64_t seconds = 0;
    int64_t when = 0;
    uint64_t wait = 0;
    const char *at = skip_spaces(value);
    size_t length = strlen(at);
    while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t'))
        length--;
    if (headers_count(value, &seconds))
        wait = seconds > HEADERS_RETRY_AFTER_MAX_MS / 1000 ? HEADERS_RETRY_AFTER_MAX_MS : seconds * 1000;
    else if (clock_parse_http(at, length, &when))
        wait = when > now_ms ? (uint64_t)(when - now_ms) : 0;
    else
        return false;
    *ms = wait > HEADERS_RETRY_AFTER_MAX_MS ? HEADERS_RETRY_AFTER_MAX_MS : wait;
    return true;
}
