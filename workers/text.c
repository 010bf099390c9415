// SPDX-License-Identifier: Apache-2.0
// Text made safe and comparable; see text.h. The tables of combining characters cover the scripts and emoji that shops
// meet, not all of Unicode: a wrong cut shows an odd last character, nothing worse.
#include "workers/text.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

// ---- code points ----------------------------------------------------------------------------------------------------

unsigned text_next(const char **at)
{
    const unsigned char *in = (const unsigned char *)*at;
    unsigned first = in[0];
    if (first == 0)
        return 0;
    (*at)++;
    if (first < 0x80)
        return first;
    if (first < 0xc2 || first > 0xf4)
        return 0xfffd;
    int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    unsigned point = first & (0x3fu >> more);
    for (int i = 1; i <= more; i++) {
        if ((in[i] & 0xc0) != 0x80) // also true for the NUL at the end
            return 0xfffd;
        point = point << 6 | (in[i] & 0x3fu);
    }
    static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
    if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0xfffd;
    *at += more;
    return point;
}

struct range {
    unsigned first;
    unsigned last;
};

static bool in_ranges(unsigned point, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

static bool is_space(unsigned point)
{
    static const struct range spaces[] = {{0x09, 0x0d},     {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},
                                          {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
                                          {0x205f, 0x205f}, {0x3000, 0x3000}};
    return in_ranges(point, spaces, sizeof spaces / sizeof *spaces);
}

// Characters that change the direction of the text around them: a name with one could make the rest of a subject
// unreadable.
static bool is_turning(unsigned point)
{
    return (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

static bool is_control(unsigned point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0xfeff || point == 0xfffe || point == 0xffff ||
           (point >= 0xfff9 && point <= 0xfffb);
}

// Shown together with the character before it.
static bool is_joined(unsigned point)
{
    static const struct range marks[] = {
        {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},     {0x5bf, 0x5c7},     {0x610, 0x61a},
        {0x64b, 0x65f},   {0x670, 0x670},   {0x6d6, 0x6dc},     {0x6df, 0x6e8},     {0x900, 0x903},
        {0x93a, 0x93c},   {0x93e, 0x94f},   {0x951, 0x957},     {0x981, 0x983},     {0x9bc, 0x9cd},
        {0xa3c, 0xa4d},   {0xabc, 0xacd},   {0xb3c, 0xb57},     {0xbbe, 0xbcd},     {0xc3e, 0xc56},
        {0xcbc, 0xcd6},   {0xd3b, 0xd4d},   {0xe31, 0xe31},     {0xe34, 0xe3a},     {0xe47, 0xe4e},
        {0xeb1, 0xebc},   {0x102b, 0x103e}, {0x1160, 0x11ff},   {0x17b4, 0x17d3},   {0x1ab0, 0x1aff},
        {0x1dc0, 0x1dff}, {0x200c, 0x200d}, {0x20d0, 0x20ff},   {0x302a, 0x302f},   {0x3099, 0x309a},
        {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0x1f3fb, 0x1f3ff}, {0xe0020, 0xe007f}, {0xe0100, 0xe01ef},
    };
    return in_ranges(point, marks, sizeof marks / sizeof *marks);
}

static bool is_flag_half(unsigned point)
{
    return point >= 0x1f1e6 && point <= 0x1f1ff;
}

// ---- clean ----------------------------------------------------------------------------------------------------------

const char *text_clean(struct arena *arena, const char *text, size_t max_bytes)
{
    struct text_buf out = text_buf_new(arena);
    const char *at = text ? text : "";
    unsigned point;
    while ((point = text_next(&at)) != 0) {
        if (point == '\r') {
            if (*at == '\n')
                continue;
            point = '\n';
        } else if (point == 0x2028 || point == 0x2029 || point == 0x85 || point == 0x0b || point == 0x0c) {
            point = '\n';
        } else if (is_control(point) && point != '\n' && point != '\t') {
            continue;
        }
        size_t before = out.length;
        text_buf_add_point(&out, point);
        if (out.length > max_bytes) {
            text_buf_cut(&out, before);
            break;
        }
    }
    return out.data;
}

const char *text_line(struct arena *arena, const char *text, size_t max_bytes)
{
    struct text_buf out = text_buf_new(arena);
    const char *at = text ? text : "";
    bool gap = false;
    unsigned point;
    while ((point = text_next(&at)) != 0) {
        if (is_space(point)) {
            gap = out.length > 0;
            continue;
        }
        if (is_control(point) || is_turning(point))
            continue;
        size_t before = out.length;
        if (gap)
            text_buf_add(&out, " ");
        gap = false;
        text_buf_add_point(&out, point);
        if (out.length > max_bytes) {
            text_buf_cut(&out, before);
            break;
        }
    }
    return out.data;
}

// ---- cut ------------------------------------------------------------------------------------------------------------

size_t text_points(const char *text)
{
    size_t count = 0;
    while (text_next(&text))
        count++;
    return count;
}

size_t text_cut(const char *text, size_t points)
{
    const char *at = text;
    const char *good = text; // the last place where a character ends, among those not too far back
    unsigned previous = 0;
    size_t flags = 0; // halves of flags directly before `at`
    size_t count = 0;
    size_t good_count = 0;
    for (;; count++) {
        const char *here = at;
        unsigned point = text_next(&at);
        bool inside = point && (is_joined(point) || previous == 0x200d || (is_flag_half(point) && flags % 2 == 1));
        if (!inside) {
            good = here;
            good_count = count;
        }
        if (!point || count == points)
            return (size_t)((count - good_count > 32 ? here : good) - text);
        flags = is_flag_half(point) ? flags + 1 : 0;
        previous = point;
    }
}

char *text_shortened(struct arena *arena, const char *text, size_t points)
{
    return arena_copy(arena, text, text_cut(text, points));
}

size_t text_piece(const char *text, size_t points, size_t *skip)
{
    size_t room = text_cut(text, points);
    *skip = 0;
    if (text[room] == '\0')
        return room;
    if (room == 0) // points was 0, or the first character alone is longer
        room = strlen(text);
    size_t least = room / 2;
    size_t paragraph = 0;
    size_t line = 0;
    size_t word = 0;
    for (size_t i = least; i <= room; i++) {
        if (text[i] == '\n' && text[i + 1] == '\n')
            paragraph = i;
        if (text[i] == '\n')
            line = i;
        if (text[i] == ' ' || text[i] == '\n' || text[i] == '\t')
            word = i;
    }
    size_t end = paragraph ? paragraph : line ? line : word ? word : room;
    while (text[end + *skip] == ' ' || text[end + *skip] == '\n' || text[end + *skip] == '\t')
        (*skip)++;
    while (end > 1 && (text[end - 1] == ' ' || text[end - 1] == '\n' || text[end - 1] == '\t')) {
        end--;
        (*skip)++;
    }
    return end;
}

const char *text_words(struct arena *arena, const char *text)
{
    struct text_buf out = text_buf_new(arena);
    unsigned point;
    while ((point = text_next(&text)) != 0)
        if (!is_space(point) && !is_control(point) && !is_turning(point) && point != 0x200b && point != 0x200e &&
            point != 0x200f && point != 0x2060 && point != 0xad)
            text_buf_add_point(&out, point);
    return out.data;
}

// ---- escape ---------------------------------------------------------------------------------------------------------

void text_add_html(struct text_buf *out, const char *text)
{
    unsigned point;
    while ((point = text_next(&text)) != 0) {
        switch (point) {
        case '&':
            text_buf_add(out, "&amp;");
            break;
        case '<':
            text_buf_add(out, "&lt;");
            break;
        case '>':
            text_buf_add(out, "&gt;");
            break;
        case '"':
            text_buf_add(out, "&quot;");
            break;
        case '\'':
            text_buf_add(out, "&#39;");
            break;
        case '\n':
            text_buf_add(out, "<br>");
            break;
        default:
            if (!is_control(point) || point == '\t')
                text_buf_add_point(out, point);
        }
    }
}

bool text_is_link(const char *url)
{
    size_t scheme = strncasecmp(url, "https://", 8) == 0 ? 8 : strncasecmp(url, "http://", 7) == 0 ? 7 : 0;
    if (!scheme)
        return false;
    const char *host = url + scheme;
    size_t host_length = strcspn(host, "/?#");
    if (host_length == 0 || host[0] == '.' || host[0] == ':' || memchr(host, '@', host_length))
        return false;
    const char *at = url;
    unsigned point;
    while ((point = text_next(&at)) != 0)
        if (is_space(point) || is_control(point) || is_turning(point) || point == 0xfffd ||
            (point < 0x80 && strchr("\"'<>\\`{}|^", (int)point)))
            return false;
    return true;
}

const char *text_url(struct arena *arena, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    struct text_buf out = text_buf_new(arena);
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                     strchr("-._~", byte);
        char escaped[3] = {'%', hex[byte >> 4], hex[byte & 15]};
        text_buf_add_bytes(&out, plain ? text : escaped, plain ? 1 : 3);
    }
    return out.data;
}

bool text_same(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}
