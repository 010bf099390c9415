// SPDX-License-Identifier: Apache-2.0
// How values are written in log lines so that none can end a line, forge a pair or confuse a screen. Pure; any thread.
#include <assert.h>
#include <string.h>

#include "proto/log.h"
#include "proto/log_inside.h"

// Length in bytes of the valid UTF-8 character at p (1 to 4), its code in *code; 0 when it is not one.
size_t log_character(const unsigned char *p, size_t len, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : (p[0] & 0xf8) == 0xf0 ? 4 : 0;

    if (n == 0 || n > len)
        return 0;
    *code = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (p[i] & 0x3f);
    }
    return *code >= least[n] && *code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff) ? n : 0;
}

// Characters that end or reorder a line on somebody's screen: controls, line and paragraph separators, bidi marks.
bool log_is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || (code >= 0x200e && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

static bool is_plain(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = value[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr("_-./:@+,%", c))))
            return false;
    }
    return len > 0;
}

// Writes the escaped form of the character at value into piece (room for 16) and returns how many bytes it took.
static size_t escape_one(const unsigned char *value, size_t len, char piece[16], size_t *piece_len)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t code = 0;
    size_t n = log_character(value, len, &code);
    size_t taken = n ? n : 1;
    char *w = piece;

    if (n && code != '"' && code != '\\' && !log_is_unsafe(code)) {
        memcpy(piece, value, n);
        *piece_len = n;
        return n;
    }
    if (n == 1 && (code == '"' || code == '\\')) {
        *w++ = '\\';
        *w++ = (char)code;
    } else if (n == 1 && (code == '\n' || code == '\r' || code == '\t')) {
        *w++ = '\\';
        *w++ = code == '\n' ? 'n' : code == '\r' ? 'r' : 't';
    } else {
        for (size_t i = 0; i < taken; i++) {
            *w++ = '\\';
            *w++ = 'x';
            *w++ = digits[value[i] >> 4];
            *w++ = digits[value[i] & 15];
        }
    }
    *piece_len = (size_t)(w - piece);
    return taken;
}

// Escapes into out, at most room bytes without a NUL (room >= 3). Sets *cut when not all fitted.
size_t log_escape_into(char *out, size_t room, const char *value, size_t len, bool *cut)
{
    size_t n = 0;

    if (is_plain(value, len)) {
        n = len < room ? len : room;
        *cut |= n < len;
        memcpy(out, value, n);
        return n;
    }
    out[n++] = '"';
    for (size_t i = 0; i < len;) {
        char piece[16];
        size_t piece_len = 0;
        size_t taken = escape_one((const unsigned char *)value + i, len - i, piece, &piece_len);
        if (n + piece_len + 1 > room) {
            *cut = true;
            break;
        }
        memcpy(out + n, piece, piece_len);
        n += piece_len;
        i += taken;
    }
    out[n++] = '"';
    return n;
}

size_t log_escape(char *out, size_t size, const char *value, size_t len)
{
    bool cut = false;
    size_t n;

    assert(size >= 4);
    n = log_escape_into(out, size - 1, value, len, &cut);
    out[n] = '\0';
    return n;
}
