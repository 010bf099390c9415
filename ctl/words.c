// SPDX-License-Identifier: Apache-2.0
// Numbers and times in words.
#include "ctl/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void words_clean(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        if (*at < 0x20 || *at == 0x7f) {
            *at = '?';
        } else if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) { // C1 controls, as UTF-8
            at[0] = '?';
            at[1] = '?';
        }
    }
}

int64_t words_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

const char *words_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

bool words_yes(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

char *words_when(int64_t ms, char out[WORDS_BYTES])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm local;
    snprintf(out, WORDS_BYTES, "-");
    if (ms > 0 && localtime_r(&seconds, &local) && !strftime(out, WORDS_BYTES, "%Y-%m-%d %H:%M:%S", &local))
        snprintf(out, WORDS_BYTES, "%" PRId64 " ms", ms);
    return out;
}

char *words_long(int64_t ms, char out[WORDS_BYTES])
{
    const int64_t second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
    if (ms <= 0)
        snprintf(out, WORDS_BYTES, "-");
    else if (ms < second)
        snprintf(out, WORDS_BYTES, "%" PRId64 " ms", ms);
    else if (ms < minute)
        snprintf(out, WORDS_BYTES, "%" PRId64 ".%" PRId64 " s", ms / second, ms % second / 100);
    else if (ms < 2 * hour)
        snprintf(out, WORDS_BYTES, "%" PRId64 " min", ms / minute);
    else if (ms < 2 * day)
        snprintf(out, WORDS_BYTES, "%" PRId64 " h", ms / hour);
    else
        snprintf(out, WORDS_BYTES, "%" PRId64 " d", ms / day);
    return out;
}

char *words_money(const json_t *cents, char out[WORDS_BYTES])
{
    int64_t value = json_integer_value(cents);
    if (json_is_integer(cents))
        snprintf(out, WORDS_BYTES, "%" PRId64 ".%02" PRId64, value / 100, value % 100);
    else
        snprintf(out, WORDS_BYTES, "-");
    return out;
}

char *words_bytes(int64_t bytes, char out[WORDS_BYTES])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1000;
        unit++;
    }
    snprintf(out, WORDS_BYTES, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return out;
}
