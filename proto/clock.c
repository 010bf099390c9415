// SPDX-License-Identifier: Apache-2.0
// Time and its texts, for every process and any thread. The readers are strict: what upstreams and webhooks send is
// outside input, and a date that is only almost one must not become some other moment.
#include "proto/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define YEAR_MIN 1970
#define YEAR_MAX 2199
// 9999-12-31T23:59:59.999Z
#define FORMAT_MAX_MS INT64_C(253402300799999)

int64_t clock_mono_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

int64_t clock_running_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#ifdef DESKBELL_SEAMS
// Read once; two threads that race here read the same environment and store the same value.
static int64_t test_offset_ms(void)
{
    static _Atomic int64_t offset;
    static atomic_bool known;

    if (!atomic_load(&known)) {
        const char *text = getenv("DESKBELL_TEST_CLOCK_OFFSET_MS");
        atomic_store(&offset, text ? strtoll(text, NULL, 10) : 0);
        atomic_store(&known, true);
    }
    return atomic_load(&offset);
}
#endif

int64_t clock_wall_ms(void)
{
    struct timespec ts;
    int64_t ms;

    clock_gettime(CLOCK_REALTIME, &ts);
    ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
#ifdef DESKBELL_SEAMS
    ms += test_offset_ms();
#endif
    return ms;
}

char *clock_format_iso(int64_t ms, char out[CLOCK_ISO_BYTES])
{
    struct tm tm;
    time_t seconds;
    char text[64];

    ms = ms < 0 ? 0 : ms > FORMAT_MAX_MS ? FORMAT_MAX_MS : ms;
    seconds = (time_t)(ms / 1000);
    gmtime_r(&seconds, &tm);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000));
    memcpy(out, text, CLOCK_ISO_BYTES);
    return out;
}

// What is left of a text while it is read.
struct cursor {
    const char *p;
    const char *end;
};

// Exactly n digits.
static bool take_number(struct cursor *c, int n, int *value)
{
    int v = 0;

    if (c->end - c->p < n)
        return false;
    for (int i = 0; i < n; i++, c->p++) {
        if (*c->p < '0' || *c->p > '9')
            return false;
        v = v * 10 + (*c->p - '0');
    }
    *value = v;
    return true;
}

static bool take_char(struct cursor *c, char wanted)
{
    if (c->p == c->end || *c->p != wanted)
        return false;
    c->p++;
    return true;
}

static bool take_text(struct cursor *c, const char *wanted)
{
    size_t n = strlen(wanted);

    if ((size_t)(c->end - c->p) < n || memcmp(c->p, wanted, n) != 0)
        return false;
    c->p += n;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

// A date that exists, as seconds since the epoch; a leap second counts as the second before it.
static bool seconds_of(int year, int month, int day, int hour, int minute, int second, int64_t *seconds)
{
    int64_t days = 0;

    if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
        hour > 23 || minute > 59 || second > 60)
        return false;
    for (int y = YEAR_MIN; y < year; y++)
        days += 337 + days_in_month(y, 2);
    for (int m = 1; m < month; m++)
        days += days_in_month(year, m);
    days += day - 1;
    *seconds = ((days * 24 + hour) * 60 + minute) * 60 + (second == 60 ? 59 : second);
    return true;
}

// ".digits" as milliseconds, cut, not rounded; nothing there is 0.
static bool take_fraction(struct cursor *c, int *ms)
{
    int digits = 0;

    *ms = 0;
    if (!take_char(c, '.') && !take_char(c, ','))
        return true;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++, digits++) {
        if (digits < 3)
            *ms = *ms * 10 + (*c->p - '0');
    }
    for (int i = digits; i < 3; i++)
        *ms *= 10;
    return digits >= 1 && digits <= 9;
}

// Z, +hh:mm, -hh:mm or without the colon, as seconds east of UTC.
static bool take_zone(struct cursor *c, int *east)
{
    int hours = 0, minutes = 0, sign;

    *east = 0;
    if (take_char(c, 'Z') || take_char(c, 'z'))
        return true;
    sign = take_char(c, '+') ? 1 : take_char(c, '-') ? -1 : 0;
    if (sign == 0 || !take_number(c, 2, &hours))
        return false;
    (void)take_char(c, ':');
    if (!take_number(c, 2, &minutes) || hours > 14 || minutes > 59)
        return false;
    *east = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool clock_parse_iso(const char *text, size_t len, int64_t *ms)
{
    struct cursor c = {text, text + len};
    int year, month, day, hour, minute, second, fraction, east;
    int64_t seconds;

    if (!take_number(&c, 4, &year) || !take_char(&c, '-') || !take_number(&c, 2, &month) || !take_char(&c, '-') ||
        !take_number(&c, 2, &day) || !(take_char(&c, 'T') || take_char(&c, 't')) || !take_number(&c, 2, &hour) ||
        !take_char(&c, ':') || !take_number(&c, 2, &minute) || !take_char(&c, ':') || !take_number(&c, 2, &second) ||
        !take_fraction(&c, &fraction) || !take_zone(&c, &east) || c.p != c.end ||
        !seconds_of(year, month, day, hour, minute, second, &seconds) || seconds < east)
        return false;
    *ms = (seconds - east) * 1000 + fraction;
    return true;
}

static bool take_month(struct cursor *c, int *month)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

    for (int i = 0; i < 12; i++) {
        if (take_text(c, names[i])) {
            *month = i + 1;
            return true;
        }
    }
    return false;
}

// The day's name, long or short; nothing checks that it fits the date, since nothing could be done about it.
static bool take_weekday(struct cursor *c, bool full)
{
    static const char *const names[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

    for (int i = 0; i < 7; i++) {
        char name[10];
        snprintf(name, sizeof name, "%.*s", full ? 9 : 3, names[i]);
        if (take_text(c, name))
            return true;
    }
    return false;
}

static bool take_time(struct cursor *c, int *hour, int *minute, int *second)
{
    return take_number(c, 2, hour) && take_char(c, ':') && take_number(c, 2, minute) && take_char(c, ':') &&
           take_number(c, 2, second);
}

// Sun, 06 Nov 1994 08:49:37 GMT
static bool parse_imf(struct cursor c, int64_t *seconds)
{
    int year, month, day, hour, minute, second;

    return take_weekday(&c, false) && take_text(&c, ", ") && take_number(&c, 2, &day) && take_char(&c, ' ') &&
           take_month(&c, &month) && take_char(&c, ' ') && take_number(&c, 4, &year) && take_char(&c, ' ') &&
           take_time(&c, &hour, &minute, &second) && take_text(&c, " GMT") && c.p == c.end &&
           seconds_of(year, month, day, hour, minute, second, seconds);
}

// Sunday, 06-Nov-94 08:49:37 GMT; two digits of a year below 70 are this century's.
static bool parse_rfc850(struct cursor c, int64_t *seconds)
{
    int year, month, day, hour, minute, second;

    return take_weekday(&c, true) && take_text(&c, ", ") && take_number(&c, 2, &day) && take_char(&c, '-') &&
           take_month(&c, &month) && take_char(&c, '-') && take_number(&c, 2, &year) && take_char(&c, ' ') &&
           take_time(&c, &hour, &minute, &second) && take_text(&c, " GMT") && c.p == c.end &&
           seconds_of(year + (year < 70 ? 2000 : 1900), month, day, hour, minute, second, seconds);
}

// Sun Nov  6 08:49:37 1994
static bool parse_asctime(struct cursor c, int64_t *seconds)
{
    int year, month, day, hour, minute, second;

    return take_weekday(&c, false) && take_char(&c, ' ') && take_month(&c, &month) && take_char(&c, ' ') &&
           (take_char(&c, ' ') ? take_number(&c, 1, &day) : take_number(&c, 2, &day)) && take_char(&c, ' ') &&
           take_time(&c, &hour, &minute, &second) && take_char(&c, ' ') && take_number(&c, 4, &year) && c.p == c.end &&
           seconds_of(year, month, day, hour, minute, second, seconds);
}

bool clock_parse_http(const char *text, size_t len, int64_t *ms)
{
    struct cursor c = {text, text + len};
    int64_t seconds;

    if (!parse_imf(c, &seconds) && !parse_rfc850(c, &seconds) && !parse_asctime(c, &seconds))
        return false;
    *ms = seconds * 1000;
    return true;
}
