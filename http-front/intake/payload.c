// SPDX-License-Identifier: Apache-2.0
// Reading other people's JSON safely. Pure; any thread.
#include "http-front/intake/payload.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// jansson recurses once per level: bound the levels before it starts. A malformed text may be counted wrongly, and is
// then refused by jansson or by this, both rightly.
static bool depth_bounded(const char *text, size_t size)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > PAYLOAD_MAX_DEPTH)
                return false;
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        }
    }
    return true;
}

// The value of the \uXXXX at text[at], or -1.
static long escape_at(const char *text, size_t size, size_t at)
{
    if (at + 6 > size || text[at] != '\\' || text[at + 1] != 'u')
        return -1;
    char digits[5];
    memcpy(digits, text + at + 2, 4);
    digits[4] = 0;
    if (strspn(digits, "0123456789abcdefABCDEF") != 4)
        return -1;
    return strtol(digits, NULL, 16);
}

// Length of the UTF-8 character at text[at], or 0 when there is none (RFC 3629: no overlongs, no surrogates).
static size_t utf8_at(const unsigned char *text, size_t size, size_t at)
{
    unsigned char lead = text[at];
    if (lead < 0x80)
        return 1;
    size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                    : lead >= 0xe0 && lead <= 0xef ? 3
                    : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                   : 0;
    if (!length || at + length > size)
        return 0;
    unsigned char second = text[at + 1];
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
        (lead == 0xf4 && second > 0x8f))
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[at + i] & 0xc0) != 0x80)
            return 0;
    return length;
}

// Copies the text with every lone surrogate escape and every byte that is not UTF-8 replaced by U+FFFD. Returns a
// malloc'ed text of *out_size bytes.
static char *mend(const char *text, size_t size, size_t *out_size)
{
    char *out = malloc(size * 3 + 1); // a bad byte becomes three
    if (!out)
        abort();
    size_t used = 0, i = 0;
    while (i < size) {
        size_t take = utf8_at((const unsigned char *)text, size, i);
        if (!take) {
            memcpy(out + used, "\xef\xbf\xbd", 3);
            used += 3;
            i++;
            continue;
        }
        if (text[i] == '\\' && i + 1 < size) {
            long code = escape_at(text, size, i);
            long next = code >= 0xd800 && code <= 0xdbff ? escape_at(text, size, i + 6) : -1;
            if (code >= 0xd800 && code <= 0xdfff && !(next >= 0xdc00 && next <= 0xdfff)) {
                memcpy(out + used, "\\ufffd", 6);
                used += 6;
                i += 6;
                continue;
            }
            take = code < 0 ? 2 : next >= 0 ? 12 : 6; // an escape is copied whole, so that \\ud800 stays text
            if (code < 0 && utf8_at((const unsigned char *)text, size, i + 1) != 1)
                take = 1;
        }
        memcpy(out + used, text + i, take);
        used += take;
        i += take;
    }
    *out_size = used;
    return out;
}

json_t *payload_parse(const void *body, size_t size)
{
    if (!size || !depth_bounded(body, size))
        return NULL;
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_t *root = json_loadb(body, size, flags, NULL);
    if (root)
        return root;
    // Rare: only now is it worth a look whether the text itself was cut in the middle of a character.
    size_t mended_size;
    char *mended = mend(body, size, &mended_size);
    if (mended_size != size || memcmp(mended, body, size))
        root = json_loadb(mended, mended_size, flags, NULL);
    free(mended);
    return root;
}

const json_t *payload_get(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

size_t payload_clamp(const char *text, size_t size, size_t max)
{
    if (size <= max)
        return size;
    while (max && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--;
    return max;
}

const char *payload_text(const json_t *object, const char *key, size_t max, struct arena *arena)
{
    const json_t *value = payload_get(object, key);
    if (!json_is_string(value))
        return "";
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (!memchr(text, 0, size))
        return arena_copy(arena, text, payload_clamp(text, size, max));
    char *copy = arena_alloc(arena, size + 1);
    size_t used = 0;
    for (size_t i = 0; i < size; i++)
        if (text[i])
            copy[used++] = text[i];
    copy[payload_clamp(copy, used, max)] = 0;
    return copy;
}

enum payload_id payload_id(const json_t *object, const char *key, size_t max, struct arena *arena, const char **out)
{
    *out = "";
    const json_t *value = payload_get(object, key);
    if (!value)
        return PAYLOAD_ABSENT;
    if (json_is_integer(value) && json_integer_value(value) > 0) {
        *out = arena_printf(arena, "%lld", (long long)json_integer_value(value));
        return PAYLOAD_FOUND;
    }
    if (!json_is_string(value))
        return PAYLOAD_WRONG;
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (!size)
        return PAYLOAD_ABSENT;
    if (size > max)
        return PAYLOAD_WRONG;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return PAYLOAD_WRONG;
    *out = arena_copy(arena, text, size);
    return PAYLOAD_FOUND;
}

bool payload_true(const json_t *object, const char *key)
{
    const json_t *value = payload_get(object, key);
    return json_is_true(value) || (json_is_string(value) && !strcmp(json_string_value(value), "true"));
}
