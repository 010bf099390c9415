// SPDX-License-Identifier: Apache-2.0
// Finds payment card numbers in text. Runs in request threads and in the dispatcher (polls), on verified input.
//
// A run is a row of blocks of ASCII digits with separators between them. A card number is some neighbouring blocks of a
// run, whole ones, that have 13 to 19 digits together, begin and measure as an issuer's numbers do, pass the Luhn check
// and are grouped as people group card numbers. A block longer than 19 digits is never part of one. Each block is
// looked at from at most 19 blocks before it, so the time is linear.
//
// One number in ten passes the Luhn check by chance. What keeps order numbers, telephone numbers, times and bank
// accounts whole is the issuer's prefix and length, the grouping, a "+" in front, and the IBAN's own check sum.
#include "http-front/intake/mask.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum {
    CARD_MIN = 13,
    CARD_MAX = 19,
    SHOWN_FIRST = 6,
    SHOWN_LAST = 4,
    SEPARATOR_MAX = 3, // "4111 - 1111"
    GROUP_MIN = 3,
    GROUP_USUAL = 4,
    IBAN_MIN = 15,
    IBAN_MAX = 34,
};

// First four digits from..to, and the lengths that issuer uses. Sorted out of ISO/IEC 7812 ranges as published by the
// schemes. 1, 7, 80, 83 to 96 and 0 begin no card that people type.
static const struct issuer {
    uint16_t from, to;
    uint8_t shortest, longest;
} issuers[] = {
    {2200, 2204, 16, 19},                       // Mir
    {2221, 2720, 16, 16},                       // Mastercard
    {3000, 3059, 14, 14},                       // Diners Club
    {3095, 3095, 14, 14}, {3400, 3499, 15, 15}, // American Express
    {3528, 3589, 16, 19},                       // JCB
    {3600, 3699, 14, 19},                       // Diners Club
    {3700, 3799, 15, 15},                       // American Express
    {3800, 3999, 14, 19},                       // Diners Club
    {4000, 4999, 13, 19},                       // Visa
    {5000, 5099, 13, 19},                       // Maestro, Verve, RuPay, Elo
    {5100, 5599, 16, 16},                       // Mastercard
    {5600, 5899, 13, 19},                       // Maestro
    {6000, 6999, 13, 19},                       // Discover, UnionPay, Maestro, RuPay, Elo
    {8100, 8299, 16, 19},                       // UnionPay, RuPay
    {9792, 9792, 16, 16},                       // Troy
};

// What separates two blocks: spaces alone, or one kind of mark with or without spaces.
enum separator { NONE, SPACE, HYPHEN, DOT };

struct block {
    size_t at;
    size_t digits;
    enum separator before; // NONE: first of its run
};

struct text {
    const unsigned char *bytes;
    size_t size;
    enum mask_kind kind;
};

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool starts(const struct text *text, size_t at, const char *with)
{
    size_t length = strlen(with);
    return text->size - at >= length && strncasecmp((const char *)text->bytes + at, with, length) == 0;
}

// The separator character at `at`, its size in *size; NONE when it is something else.
static enum separator separator_at(const struct text *text, size_t at, size_t *size)
{
    static const struct {
        const char *bytes;
        enum separator separator;
        bool url_only;
    } known[] = {
        {" ", SPACE, false},
        {"-", HYPHEN, false},
        {".", DOT, false},
        {"\xc2\xa0", SPACE, false},      // no-break space
        {"\xe2\x80\xaf", SPACE, false},  // narrow no-break space
        {"\xe2\x80\x87", SPACE, false},  // figure space
        {"\xe2\x80\x89", SPACE, false},  // thin space
        {"\xe2\x80\x90", HYPHEN, false}, // hyphen
        {"\xe2\x80\x91", HYPHEN, false}, // no-break hyphen
        {"\xe2\x80\x93", HYPHEN, false}, // en dash
        {"&nbsp;", SPACE, false},        // agents' texts hold HTML
        {"+", SPACE, true},
        {"%20", SPACE, true},
        {"%2d", HYPHEN, true},
        {"%2e", DOT, true},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if ((known[i].url_only && text->kind != MASK_URL) || !starts(text, at, known[i].bytes))
            continue;
        *size = strlen(known[i].bytes);
        return known[i].separator;
    }
    return NONE;
}

// The separator between a block that ends at `at` and the next one, whose place goes to *next. NONE: the run ends.
static enum separator separator_between(const struct text *text, size_t at, size_t *next)
{
    enum separator found = NONE;
    for (int i = 0; i < SEPARATOR_MAX && at < text->size && !is_digit(text->bytes[at]); i++) {
        size_t size;
        enum separator one = separator_at(text, at, &size);
        if (one == NONE || (found > SPACE && one > SPACE))
            return NONE;
        if (one > found)
            found = one;
        at += size;
    }
    if (at >= text->size || !is_digit(text->bytes[at]))
        return NONE;
    *next = at;
    return found;
}

static bool known_issuer(const char *digits, size_t count)
{
    int first = (digits[0] - '0') * 1000 + (digits[1] - '0') * 100 + (digits[2] - '0') * 10 + (digits[3] - '0');
    for (size_t i = 0; i < sizeof issuers / sizeof *issuers; i++)
        if (first >= issuers[i].from && first <= issuers[i].to)
            return count >= issuers[i].shortest && count <= issuers[i].longest;
    return false;
}

static bool luhn(const char *digits, size_t count)
{
    int sum = 0;
    for (size_t i = 0; i < count; i++) {
        int value = digits[count - 1 - i] - '0';
        if (i % 2)
            value = value > 4 ? value * 2 - 9 : value * 2;
        sum += value;
    }
    return sum % 10 == 0;
}

// Whether people group card numbers so: no separators; or one kind of them between blocks of three or more, the last as
// it comes; or any kinds between blocks of four; or anything, where the run has nothing else in it.
static bool grouped_well(const struct block *blocks, size_t count, bool whole_run)
{
    bool one_kind = true, usual = true, large = true;
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count;
        one_kind = one_kind && (i < 2 || blocks[i].before == blocks[1].before);
        large = large && (last || blocks[i].digits >= GROUP_MIN);
        usual = usual && (last ? blocks[i].digits <= GROUP_USUAL : blocks[i].digits == GROUP_USUAL);
    }
    return count == 1 || usual || (one_kind && (large || whole_run));
}

// Where the number of the blocks begins and ends, it must not be joined to something that makes it another thing.
static bool stands_alone(const struct text *text, size_t from, size_t to)
{
    unsigned char before = from ? text->bytes[from - 1] : ' ', after = to < text->size ? text->bytes[to] : ' ';
    if (text->kind == MASK_URL)
        return !is_letter(before) && !is_letter(after) && before != '_' && after != '_';
    return before != '+'; // a telephone number with its country
}

// Masks the digits of a card that lie from..to.
static void hide(const struct text *text, size_t from, size_t to, size_t count, char *out)
{
    size_t seen = 0;
    for (size_t at = from; out && at < to;) {
        size_t skip;
        if (!is_digit(text->bytes[at])) {
            at += separator_at(text, at, &skip) == NONE ? 1 : skip; // "%20" has digits of its own
            continue;
        }
        if (seen >= SHOWN_FIRST && seen < count - SHOWN_LAST)
            out[at] = '*';
        seen++;
        at++;
    }
}

// The longest card number that begins with the first of the blocks; returns how many blocks it takes, 0: none.
static size_t card_at(const struct text *text, const struct block *blocks, size_t count, bool first, bool last,
                      size_t *digits)
{
    char number[CARD_MAX];
    size_t used = 0, best = 0;
    for (size_t i = 0; i < count && used + blocks[i].digits <= CARD_MAX; i++) {
        memcpy(number + used, text->bytes + blocks[i].at, blocks[i].digits);
        used += blocks[i].digits;
        if (used >= CARD_MIN && known_issuer(number, used) && luhn(number, used) &&
            grouped_well(blocks, i + 1, first && last && i + 1 == count) &&
            stands_alone(text, blocks[0].at, blocks[i].at + blocks[i].digits)) {
            best = i + 1;
            *digits = used;
        }
    }
    return best;
}

static unsigned feed_97(unsigned rest, unsigned char c)
{
    if (is_digit(c))
        return (rest * 10 + (unsigned)(c - '0')) % 97;
    return (rest * 100 + (unsigned)((c | 0x20) - 'a') + 10) % 97;
}

// How many bytes an IBAN at `at` has: two letters, two check digits, letters and digits, in one piece or with single
// spaces; 0: there is none whose check sum is right.
static size_t iban_at(const struct text *text, size_t at)
{
    unsigned char plain[IBAN_MAX];
    size_t used = 0, best = 0;
    if (at && (is_letter(text->bytes[at - 1]) || is_digit(text->bytes[at - 1])))
        return 0;
    for (size_t i = at; i < text->size && used < IBAN_MAX; i++) {
        unsigned char c = text->bytes[i];
        if (c == ' ' && used && text->bytes[i - 1] != ' ')
            continue;
        if (!is_digit(c) && !is_letter(c))
            break;
        if ((used < 2 && !is_letter(c)) || (used >= 2 && used < 4 && !is_digit(c)))
            return 0;
        plain[used++] = c;
        bool ends = i + 1 == text->size || !(is_digit(text->bytes[i + 1]) || is_letter(text->bytes[i + 1]));
        if (!ends || used < IBAN_MIN)
            continue;
        unsigned rest = 0;
        for (size_t j = 4; j < used + 4; j++)
            rest = feed_97(rest, plain[j % used]);
        if (rest == 1)
            best = i + 1 - at;
    }
    return best;
}

// Takes a run that begins at `at`, block by block: never more than the window of CARD_MAX blocks is kept. Returns where
// the run ends.
static size_t take_run(const struct text *text, size_t at, char *out, size_t *masked)
{
    struct block window[CARD_MAX + 1];
    size_t count = 0;
    bool first = true, more = true;
    enum separator before = NONE;
    while (more || count) {
        // Fill the window; one block more than a card can have tells whether the run ends with it.
        while (more && count < CARD_MAX + 1) {
            size_t from = at, next;
            while (at < text->size && is_digit(text->bytes[at]))
                at++;
            window[count++] = (struct block){from, at - from, before};
            before = separator_between(text, at, &next);
            more = before != NONE;
            if (more)
                at = next;
        }
        size_t digits = 0, used = card_at(text, window, count, first, !more, &digits);
        if (used) {
            hide(text, window[0].at, window[used - 1].at + window[used - 1].digits, digits, out);
            ++*masked;
        }
        size_t drop = used ? used : 1;
        assert(drop <= count);
        count -= drop;
        for (size_t i = 0; i < count; i++)
            window[i] = window[i + drop];
        first = false;
    }
    return at;
}

size_t mask_cards(const char *text, size_t size, enum mask_kind kind, char *out)
{
    struct text input = {(const unsigned char *)text, size, kind};
    size_t masked = 0;
    if (out && out != text)
        memcpy(out, text, size);
    for (size_t at = 0; at < size;) {
        size_t skip = 0;
        if (kind == MASK_TEXT && is_letter(input.bytes[at]))
            skip = iban_at(&input, at);
        else if (kind == MASK_URL && input.bytes[at] == '%' && separator_at(&input, at, &skip) == NONE)
            skip = 1;
        if (skip)
            at += skip;
        else if (is_digit(input.bytes[at]))
            at = take_run(&input, at, out, &masked);
        else
            at++;
    }
    return masked;
}
