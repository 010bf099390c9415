// SPDX-License-Identifier: Apache-2.0
// Numbers to E.164; see phone.h. Pure; any thread.
#include "proto/phone.h"

#include <string.h>

enum { LEAST_DIGITS = 7, MOST_DIGITS = 15, AMERICAN_DIGITS = 10, ROOM = 32 };

// Italy and San Marino: the 0 is the number's first digit, from abroad, too. Without it somebody else's phone rings.
static bool keeps_zero(const char *code)
{
    return strncmp(code, "39", 2) == 0 || strncmp(code, "378", 3) == 0;
}

// The digits of `text` behind a leading "+" (which is kept), without what may stand between them. False when anything
// else is there, or too much.
static bool strip(const char *text, char out[ROOM])
{
    size_t length = 0;
    while (*text == ' ')
        text++;
    if (*text == '+')
        out[length++] = *text++;
    bool far = length > 0 || strncmp(text, "00", 2) == 0;
    for (; *text; text++) {
        if (far && strncmp(text, "(0)", 3) == 0 && !keeps_zero(out + (*out == '+' ? 1 : 2))) {
            text += 2; // the national 0, which is left out from abroad
            continue;
        }
        if (strchr(" -./()", *text))
            continue;
        if (*text < '0' || *text > '9' || length == ROOM - 1)
            return false;
        out[length++] = *text;
    }
    out[length] = '\0';
    return true;
}

// The digits that follow the country's code: those of a national number without its trunk prefix. NULL: it is none.
static const char *national(const char *digits, const char *code, const char *trunk)
{
    size_t length = strlen(trunk);
    if (strcmp(code, "1") == 0) { // at home the 1 may stand before a number, and its last seven digits are often all
        digits += *digits == '1';
        return *digits > '1' && strlen(digits) == AMERICAN_DIGITS ? digits : NULL;
    }
    if (keeps_zero(code))
        return digits;
    if (strncmp(digits, trunk, length) != 0 || (length && digits[length] == '0'))
        return NULL; // no national number begins with two zeros
    return digits + length;
}

bool phone_e164(const char *text, struct phone_plan plan, char out[PHONE_BYTES])
{
    char plain[ROOM] = "";
    const char *code = "";
    out[0] = '\0';
    if (!text || !strip(text, plain))
        return false;
    const char *digits = plain;
    bool far = *digits == '+' || strncmp(digits, "00", 2) == 0;
    if (far) {
        digits += *digits == '+' ? 1 : 2;
        if (*digits == '0') // no country's code begins with it
            return false;
    } else if (plan.country_code && *plan.country_code) {
        code = plan.country_code;
        digits = national(digits, code, plan.trunk_prefix ? plan.trunk_prefix : "0");
    } else {
        return false;
    }
    size_t length = digits ? strlen(code) + strlen(digits) : 0;
    if (length < LEAST_DIGITS || length > MOST_DIGITS)
        return false;
    out[0] = '+';
    memcpy(out + 1, code, strlen(code));
    memcpy(out + 1 + strlen(code), digits, strlen(digits) + 1);
    return true;
}
