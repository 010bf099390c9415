// SPDX-License-Identifier: Apache-2.0
// Logging, used by every process and from any thread. A line is built in a buffer on the stack and leaves with one
// write(2). The formatter is our own because printf cannot see where a value begins and ends: here every string value
// is escaped on its way in, so no shopper's text can end a line or forge a pair, whatever the caller forgets.
#include "proto/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/log_inside.h"

static const char *const level_names[] = {"error", "warn", "info", "debug"};
// journald's levels (sd-daemon(3)) for the same.
static const char *const journal_prefixes[] = {"<3>", "<4>", "<6>", "<7>"};

static const char *log_process = "deskbell";
static atomic_int log_level = LOG_LEVEL_INFO;
static atomic_int log_fd = STDERR_FILENO;
static atomic_bool log_to_journal;
static atomic_bool log_as_json;

// What every line of this thread carries beside its own pairs: "request=..." or "".
enum { CONTEXT_BYTES = 320 };
static _Thread_local char log_context[CONTEXT_BYTES];

// True when descriptor 2 is the stream journald gave us: then it adds the time itself and reads level prefixes.
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    unsigned long long device = 0, inode = 0;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

void log_init(const char *process, enum log_level level)
{
    log_process = process;
    atomic_store(&log_level, (int)level);
    atomic_store(&log_to_journal, stderr_is_journal());
}

void log_set_level(enum log_level level)
{
    atomic_store(&log_level, (int)level);
}

void log_set_format(enum log_format format)
{
    atomic_store(&log_as_json, format == LOG_FORMAT_JSON);
}

void log_requests(const uint64_t *ids, size_t count)
{
    size_t at = 0;
    log_context[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (!ids[i])
            continue;
        if (at + LOG_REQUEST_BYTES + 2 > sizeof log_context - (at ? 0 : sizeof "request="))
            break;
        at +=
            (size_t)snprintf(log_context + at, sizeof log_context - at, "%s%016" PRIx64, at ? "," : "request=", ids[i]);
    }
}

void log_request(uint64_t id)
{
    log_requests(&id, id ? 1 : 0);
}

char *log_request_text(uint64_t id, char out[LOG_REQUEST_BYTES])
{
    snprintf(out, LOG_REQUEST_BYTES, "%016" PRIx64, id);
    return out;
}

bool log_level_parse(const char *text, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

const char *log_level_name(enum log_level level)
{
    assert(level <= LOG_LEVEL_DEBUG);
    return level_names[level];
}

void log_set_fd(int fd)
{
    atomic_store(&log_fd, fd);
}

int log_open_file(const char *path)
{
    // O_NONBLOCK: a fifo that nobody reads is refused, not waited for.
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    struct stat st;

    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

bool log_use(int fd)
{
    if (dup2(fd, STDERR_FILENO) != STDERR_FILENO)
        return false;
    atomic_store(&log_to_journal, stderr_is_journal());
    return true;
}

bool log_reopen(const char *path)
{
    int fd = log_open_file(path);
    bool ok = fd >= 0 && log_use(fd);
    int saved = errno;

    if (fd >= 0)
        close(fd);
    errno = saved;
    return ok;
}

char *log_folder(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');

    snprintf(out, size, "%.*s", slash ? (int)(slash - path) : 0, path);
    if (slash == path && size > 1)
        memcpy(out, "/", 2);
    return out;
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

static size_t line_room(const struct log_line *line)
{
    return sizeof line->text - LOG_TAIL_BYTES - line->len;
}

static void line_bytes(struct log_line *line, const char *bytes, size_t len)
{
    size_t room = line_room(line);

    if (len > room) {
        len = room;
        line->truncated = true;
    }
    memcpy(line->text + line->len, bytes, len);
    line->len += len;
}

static void line_text(struct log_line *line, const char *text)
{
    line_bytes(line, text, strlen(text));
}

static void line_value(struct log_line *line, const char *value, size_t len)
{
    if (line_room(line) < 3) {
        line->truncated = true;
        return;
    }
    line->len += log_escape_into(line->text + line->len, line_room(line), value, len, &line->truncated);
}

// One conversion of a format: % flags width .precision length letter.
struct conversion {
    char spec[24]; // without the length modifier, for snprintf with the widest type
    size_t spec_len;
    int precision; // -1: none
    char length;   // 0, 'H' (hh), 'h', 'l', 'q' (ll), 'z', 'j', 't'
    char letter;
};

// A format is a constant of ours, so what this does not know is a bug.
static void conversion_add(struct conversion *c, char letter)
{
    if (c->spec_len + 12 >= sizeof c->spec)
        abort();
    c->spec[c->spec_len++] = letter;
}

// Widths and precisions given as * are taken from the arguments here. Returns the first byte behind the conversion.
static const char *conversion_read(struct conversion *c, const char *p, va_list *args)
{
    memset(c, 0, sizeof *c);
    c->precision = -1;
    conversion_add(c, *p++); // the %
    while (*p && strchr("-+ #0", *p))
        conversion_add(c, *p++);
    if (*p == '*') {
        int width = va_arg(*args, int);
        c->spec_len += (size_t)snprintf(c->spec + c->spec_len, 8, "%d",
                                        width < -999  ? -999
                                        : width > 999 ? 999
                                                      : width);
        p++;
    }
    while (*p >= '0' && *p <= '9')
        conversion_add(c, *p++);
    if (*p == '.') {
        p++;
        if (*p == '*') {
            c->precision = va_arg(*args, int);
            p++;
        } else {
            for (c->precision = 0; *p >= '0' && *p <= '9'; p++)
                c->precision = c->precision * 10 + (*p - '0');
        }
    }
    if (*p && strchr("hlzjt", *p)) {
        c->length = *p++;
        if ((c->length == 'h' || c->length == 'l') && *p == c->length) {
            c->length = c->length == 'h' ? 'H' : 'q';
            p++;
        }
    }
    c->letter = *p;
    if (!*p)
        abort();
    return p + 1;
}

static intmax_t take_signed(char length, va_list *args)
{
    switch (length) {
    case 'H':
        return (signed char)va_arg(*args, int);
    case 'h':
        return (short)va_arg(*args, int);
    case 'l':
        return va_arg(*args, long);
    case 'q':
        return va_arg(*args, long long);
    case 'z':
        return va_arg(*args, ssize_t);
    case 'j':
        return va_arg(*args, intmax_t);
    case 't':
        return va_arg(*args, ptrdiff_t);
    default:
        return va_arg(*args, int);
    }
}

static uintmax_t take_unsigned(char length, va_list *args)
{
    switch (length) {
    case 'H':
        return (unsigned char)va_arg(*args, unsigned);
    case 'h':
        return (unsigned short)va_arg(*args, unsigned);
    case 'l':
        return va_arg(*args, unsigned long);
    case 'q':
        return va_arg(*args, unsigned long long);
    case 'z':
    case 't':
        return va_arg(*args, size_t);
    case 'j':
        return va_arg(*args, uintmax_t);
    default:
        return va_arg(*args, unsigned);
    }
}

static void line_string(struct log_line *line, const struct conversion *c, const char *value)
{
    if (!value)
        value = "-";
    size_t len = c->precision >= 0 ? strnlen(value, (size_t)c->precision) : strlen(value);
    if (line->json)
        log_json_string(line, value, len);
    else
        line_value(line, value, len);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" // the pieces come from our caller's checked format
static void line_number(struct log_line *line, struct conversion *c, va_list *args)
{
    char text[400]; // the longest double with %f and precision capped below
    int n = 0;

    if (c->precision >= 0)
        c->spec_len += (size_t)snprintf(c->spec + c->spec_len, 6, ".%d", c->precision > 60 ? 60 : c->precision);
    if (strchr("di", c->letter)) {
        memcpy(c->spec + c->spec_len, "jd", 3);
        n = snprintf(text, sizeof text, c->spec, take_signed(c->length, args));
    } else if (strchr("uxXo", c->letter)) {
        memcpy(c->spec + c->spec_len, (char[]){'j', c->letter, 0}, 3);
        n = snprintf(text, sizeof text, c->spec, take_unsigned(c->length, args));
    } else if (strchr("fFgGeE", c->letter)) {
        memcpy(c->spec + c->spec_len, (char[]){c->letter, 0}, 2);
        n = snprintf(text, sizeof text, c->spec, va_arg(*args, double));
    } else if (c->letter == 'p') {
        n = snprintf(text, sizeof text, "%p", va_arg(*args, void *));
    } else {
        abort(); // an unknown conversion in one of our own formats
    }
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    if (!line->json)
        line_bytes(line, text, len);
    else if (strchr("diu", c->letter))
        log_json_number(line, text, len);
    else
        log_json_string(line, text, len); // hexadecimal, and fractions that a locale may have written with a comma
}
#pragma GCC diagnostic pop

static void line_literal(struct log_line *line, const char *text, size_t len)
{
    if (line->json)
        log_json_literal(line, text, len);
    else
        line_bytes(line, text, len);
}

static void line_format(struct log_line *line, const char *format, va_list *args)
{
    for (const char *p = format; *p;) {
        size_t plain = strcspn(p, "%");
        struct conversion c;

        line_literal(line, p, plain);
        p += plain;
        if (!*p)
            break;
        p = conversion_read(&c, p, args);
        if (c.letter == '%') {
            line_literal(line, "%", 1);
        } else if (c.letter == 's') {
            line_string(line, &c, va_arg(*args, const char *));
        } else if (c.letter == 'c') {
            char byte = (char)va_arg(*args, int);
            if (line->json)
                log_json_string(line, &byte, 1);
            else
                line_value(line, &byte, 1);
        } else {
            line_number(line, &c, args);
        }
    }
}

static void json_start(struct log_line *line, enum log_level level, const char *event)
{
    char text[CLOCK_ISO_BYTES + 32];

    log_json_begin(line);
    log_json_pair(line, "time", clock_format_iso(clock_wall_ms(), text));
    log_json_pair(line, "level", level_names[level]);
    log_json_pair(line, "process", log_process);
    log_json_literal(line, "pid=", 4);
    snprintf(text, sizeof text, "%d", (int)getpid());
    log_json_number(line, text, strlen(text));
    log_json_literal(line, " ", 1);
    log_json_pair(line, "event", event);
    if (*log_context) {
        log_json_literal(line, log_context, strlen(log_context));
        log_json_literal(line, " ", 1);
    }
}

static void line_start(struct log_line *line, enum log_level level, const char *event)
{
    char text[CLOCK_ISO_BYTES + 128];
    bool journal = atomic_load_explicit(&log_to_journal, memory_order_relaxed);

    line->len = 0;
    line->truncated = false;
    line->json = atomic_load_explicit(&log_as_json, memory_order_relaxed);
    if (journal)
        line_text(line, journal_prefixes[level]);
    if (line->json) {
        json_start(line, level, event);
        return;
    }
    if (!journal) {
        line_text(line, "time=");
        line_text(line, clock_format_iso(clock_wall_ms(), text));
        line_text(line, " ");
    }
    snprintf(text, sizeof text, "level=%s process=%s pid=%d event=", level_names[level], log_process, (int)getpid());
    line_text(line, text);
    line_text(line, event);
    if (*log_context) {
        line_text(line, " ");
        line_text(line, log_context);
    }
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    struct log_line line;
    va_list args;
    int saved_errno = errno;

    assert(level <= LOG_LEVEL_DEBUG);
    if (!log_enabled(level))
        return;
    line_start(&line, level, event);
    if (format) {
        if (!line.json)
            line_text(&line, " ");
        va_start(args, format);
        line_format(&line, format, &args);
        va_end(args);
    }
    if (line.json) {
        log_json_end(&line);
    } else if (line.truncated) {
        // The tail was kept free for this.
        memcpy(line.text + line.len, " truncated=1", 12);
        line.len += 12;
    }
    line.text[line.len++] = '\n';
    // Nobody is left to tell when the log itself cannot be written.
    while (write(atomic_load(&log_fd), line.text, line.len) < 0 && errno == EINTR)
        ;
    errno = saved_errno;
}
