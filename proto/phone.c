// SPDX-License-Identifier: Apache-2.0
// Numbers to E.164; see phone.h. Pure; any thread.
#include "proto/phone.h"

#include <string.h>

enum { LEAST_DIGITS = 7, MOST_DIGITS = 15, ROOM = 32 };

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
        if (far && strncmp(text, "(0)", 3) == 0) { // the national 0, which is left out from abroad
            text += 2;
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

bool phone_e164(const char *text, const char *country_code, char out[PHONE_BYTES])
{
    char plain[ROOM] = "";
    const char *code = "";
    out[0] = '\0';
    if (!text || !strip(text, plain))
        return false;
    const char *digits = plain;
    if (*digits == '+') {
        digits++;
    } else if (strncmp(digits, "00", 2) == 0) {
        digits += 2;
    } else if (*digits == '0' && country_code && *country_code) {
        code = country_code;
        digits++;
    } else {
        return false;
    }
    size_t length = strlen(code) + strlen(digits);
    if (*digits == '0' || length < LEAST_DIGITS || length > MOST_DIGITS)
        return false; // no country's code begins with 0, and no national number with two
    out[0] = '+';
    memcpy(out + 1, code, strlen(code));
    memcpy(out + 1 + strlen(code), digits, strlen(digits) + 1);
    return true;
}
