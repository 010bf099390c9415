// SPDX-License-Identifier: Apache-2.0
// Strict reading of the two numbers that may raise a priority, and the rules. Strict, because they come from a browser:
// what is not plainly a number is shown to the agent as it is and counts for nothing.
#include "workers/rules.h"

#include <stdlib.h>
#include <string.h>

#include "workers/customer.h"
#include "workers/text.h"

// ---- money ----------------------------------------------------------------------------------------------------------

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

// The length of a space at `at`: ASCII, no-break (c2 a0), thin (e2 80 89) or narrow no-break (e2 80 af); 0: none.
static size_t space_length(const char *at)
{
    if (*at == ' ')
        return 1;
    if (strncmp(at, "\xc2\xa0", 2) == 0)
        return 2;
    return strncmp(at, "\xe2\x80\x89", 3) == 0 || strncmp(at, "\xe2\x80\xaf", 3) == 0 ? 3 : 0;
}

static const char *skip_spaces(const char *at)
{
    for (size_t length; (length = space_length(at)) != 0;)
        at += length;
    return at;
}

// The length of a currency sign or code at `at`; 0: none.
static size_t currency_length(const char *at)
{
    static const char *const signs[] = {"€", "$",  "£",  "¥",   "₹",   "₽", "₺", "₩",
                                        "₪", "zł", "Kč", "Fr.", "kr.", "kr",  "R$"};
    for (size_t i = sizeof signs / sizeof *signs; i-- > 0;) // "R$" and "kr." before their beginnings
        if (strncmp(at, signs[i], strlen(signs[i])) == 0 && (strcmp(signs[i], "kr") != 0 || at[2] != '.'))
            return strlen(signs[i]);
    for (int i = 0; i < 3; i++)
        if (at[i] < 'A' || at[i] > 'Z')
            return 0;
    return at[3] >= 'A' && at[3] <= 'Z' ? 0 : 3;
}

// The number's parts: groups of digits and what stands between them.
struct groups {
    const char *start[12];
    size_t length[12];
    char sign[12]; // before group i: '.', ',', '\'', ' '
    size_t count;
};

// One separator at `at`: its kind in *sign. A space counts only between digits.
static size_t separator_length(const char *at, char *sign)
{
    size_t length = space_length(at);
    *sign = ' ';
    if (!length && (*at == '.' || *at == ',' || *at == '\'')) {
        *sign = *at;
        length = 1;
    }
    if (!length && strncmp(at, "\xe2\x80\x99", 3) == 0) { // the typographic apostrophe
        *sign = '\'';
        length = 3;
    }
    return length && is_digit(at[length]) ? length : 0;
}

static const char *read_groups(const char *at, struct groups *out)
{
    *out = (struct groups){0};
    size_t length = 0;
    char sign = 0;
    do {
        at += length;
        if (out->count == sizeof out->start / sizeof *out->start)
            return NULL;
        size_t digits = strspn(at, "0123456789");
        if (digits == 0)
            return NULL;
        out->start[out->count] = at;
        out->length[out->count] = digits;
        out->sign[out->count++] = sign;
        at += digits;
        length = separator_length(at, &sign);
    } while (length);
    return at;
}

// Which of the groups are before the decimal sign; 0: it could mean two things, or nothing.
static size_t whole_groups(const struct groups *groups)
{
    if (groups->count == 1)
        return 1;
    char thousands = groups->sign[1];
    char last = groups->sign[groups->count - 1];
    size_t whole = groups->count;
    if (groups->count == 2 && (last == '.' || last == ',')) {
        bool could_be_thousands = groups->length[1] == 3 && groups->length[0] <= 3 && groups->start[0][0] != '0';
        // A page that adds up in binary says 59.800000000000004.
        return could_be_thousands || (groups->length[1] > 6 && last != '.') ? 0 : 1;
    }
    if (last != thousands) {
        if (last != '.' && last != ',')
            return 0;
        whole--;
    }
    if (groups->length[0] > 3 || groups->start[0][0] == '0' || (whole < groups->count && groups->length[whole] > 6))
        return 0;
    for (size_t i = 1; i < whole; i++)
        if (groups->length[i] != 3 || groups->sign[i] != thousands)
            return 0;
    return whole;
}

static uint64_t add_digits(uint64_t value, const char *digits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        value = value > RULES_MOST_CENTS ? value : value * 10 + (uint64_t)(digits[i] - '0');
    return value;
}

bool rules_money(const char *text, uint64_t *cents)
{
    const char *at = skip_spaces(text);
    size_t before = currency_length(at);
    at = skip_spaces(at + before);
    struct groups groups;
    at = is_digit(*at) ? read_groups(at, &groups) : NULL;
    if (!at)
        return false;
    at = skip_spaces(at);
    if (!before)
        at = skip_spaces(at + currency_length(at));
    size_t whole = *at ? 0 : whole_groups(&groups);
    if (!whole)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < whole; i++)
        value = add_digits(value, groups.start[i], groups.length[i]);
    char tail[4] = "000"; // tenths, hundredths, and what decides about rounding
    if (whole < groups.count)
        memcpy(tail, groups.start[whole], groups.length[whole] < 3 ? groups.length[whole] : 3);
    value = value > RULES_MOST_CENTS ? value : add_digits(value, tail, 2) + (tail[2] >= '5');
    *cents = value > RULES_MOST_CENTS ? RULES_MOST_CENTS : value;
    return true;
}

// ---- friction -------------------------------------------------------------------------------------------------------

bool rules_friction(const char *text, uint64_t *value, bool *clamped)
{
    const char *at = skip_spaces(text);
    bool negative = *at == '-';
    at += negative;
    size_t digits = strspn(at, "0123456789");
    uint64_t number = add_digits(0, at, digits);
    bool fraction = false;
    at += digits;
    if (digits && (*at == '.' || *at == ',')) {
        size_t decimals = strspn(at + 1, "0123456789");
        if (!decimals)
            return false;
        fraction = strspn(at + 1, "0") < decimals;
        at += 1 + decimals;
    }
    if (!digits || *skip_spaces(at))
        return false;
    *clamped = number > 100 || (number == 100 && fraction) || (negative && (number || fraction));
    *value = negative ? 0 : number > 100 ? 100 : number;
    return true;
}

// ---- rules ----------------------------------------------------------------------------------------------------------

static bool matches(const struct config_priority *rule, const struct context *context)
{
    if (rule->has_min_cart_value &&
        (!context->cart_valid || (double)context->cart_cents < rule->min_cart_value * 100.0 - 1e-6))
        return false;
    if (rule->has_min_friction && (!context->friction_valid || (double)context->friction_value < rule->min_friction))
        return false;
    return true;
}

struct rules_result rules_apply(const struct config *config, const struct context *context)
{
    struct rules_result result = {.priority = config->default_priority, .group_id = config->ticket.group_id};
    for (size_t i = 0; i < config->priority_count; i++) {
        const struct config_priority *rule = &config->priorities[i];
        if (!matches(rule, context))
            continue;
        bool asks_cart = rule->has_min_cart_value && rule->min_cart_value > 0;
        bool friction_alone = rule->has_min_friction && !asks_cart;
        bool anyones_word = asks_cart && customer_is_unsigned(context);
        result.priority = rule->level;
        if ((friction_alone || anyones_word) && rule->level == CONFIG_LEVEL_URGENT)
            result.priority = CONFIG_LEVEL_HIGH;
        if (rule->group_id)
            result.group_id = rule->group_id;
        result.tags = (const char *const *)rule->tags.items;
        result.tag_count = rule->tags.count < RULES_MOST_TAGS ? rule->tags.count : RULES_MOST_TAGS;
        result.rule = rule->name;
        break;
    }
    return result;
}

// Whether `name` is one of the lines.
static bool lists(const char *lines, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = lines; *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (strcspn(at, "\n") == length && strncmp(at, name, length) == 0)
            return true;
    return false;
}

bool rules_is_new(const struct context *known, const struct rules_result *result)
{
    if (!result->rule)
        return false;
    if (!*known->rules && known->priority)
        return (uint64_t)result->priority > known->priority;
    return !lists(known->rules, result->rule);
}

void rules_remember(struct arena *arena, struct context *context, const struct rules_result *result)
{
    if (!result->rule) // the default priority is no rule's: a record that names it would look like an older version's
        return;
    if ((uint64_t)result->priority > context->priority)
        context->priority = (uint64_t)result->priority;
    if (lists(context->rules, result->rule))
        return;
    const char *both = arena_printf(arena, "%s%s%s", context->rules, *context->rules ? "\n" : "", result->rule);
    if (strlen(both) <= RULES_NAMES_BYTES)
        context->rules = both;
}
