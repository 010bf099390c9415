// SPDX-License-Identifier: Apache-2.0
// Logging, used by every process and from any thread. A line is built in a buffer on the stack and leaves with one
// write(2). The formatter is our own because printf cannot see where a value begins and ends: here every string value
// is escaped on its way in, so no shopper's text can end a line or forge a pair, whatever the caller forgets.
#include "proto/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"

static const char *const level_names[] = {"error", "warn", "info", "debug"};
// journald's levels (sd-daemon(3)) for the same.
static const char *const journal_prefixes[] = {"<3>", "<4>", "<6>", "<7>"};

static const char *log_process = "deskbell";
static atomic_int log_level = LOG_LEVEL_INFO;
static atomic_int log_fd = STDERR_FILENO;
static atomic_bool log_to_journal;

struct line {
    char text[LOG_LINE_MAX_BYTES];
    size_t len;
    bool truncated;
};

// What is kept free at the end for " truncated=1\n".
#define LINE_TAIL_BYTES 13

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
        strcpy(out, "/");
    return out;
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

// Length in bytes of the valid UTF-8 character at p (1 to 4), its code in *code; 0 when it is not one.
static size_t utf8_character(const unsigned char *p, size_t len, uint32_t *code)
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
static bool is_unsafe(uint32_t code)
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
    size_t n = utf8_character(value, len, &code);
    size_t taken = n ? n : 1;
    char *w = piece;

    if (n && code != '"' && code != '\\' && !is_unsafe(code)) {
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
static size_t escape_into(char *out, size_t room, const char *value, size_t len, bool *cut)
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
    n = escape_into(out, size - 1, value, len, &cut);
    out[n] = '\0';
    return n;
}

static size_t line_room(const struct line *line)
{
    return sizeof line->text - LINE_TAIL_BYTES - line->len;
}

static void line_bytes(struct line *line, const char *bytes, size_t len)
{
    size_t room = line_room(line);

    if (len > room) {
        len = room;
        line->truncated = true;
    }
    memcpy(line->text + line->len, bytes, len);
    line->len += len;
}

static void line_text(struct line *line, const char *text)
{
    line_bytes(line, text, strlen(text));
}

static void line_value(struct line *line, const char *value, size_t len)
{
    if (line_room(line) < 3) {
        line->truncated = true;
        return;
    }
    line->len += escape_into(line->text + line->len, line_room(line), value, len, &line->truncated);
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

static void line_string(struct line *line, const struct conversion *c, const char *value)
{
    if (!value)
        line_text(line, "-");
    else
        line_value(line, value, c->precision >= 0 ? strnlen(value, (size_t)c->precision) : strlen(value));
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" // the pieces come from our caller's checked format
static void line_number(struct line *line, struct conversion *c, va_list *args)
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
    line_bytes(line, text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}
#pragma GCC diagnostic pop

static void line_format(struct line *line, const char *format, va_list *args)
{
    for (const char *p = format; *p;) {
        size_t plain = strcspn(p, "%");
        struct conversion c;

        line_bytes(line, p, plain);
        p += plain;
        if (!*p)
            break;
        p = conversion_read(&c, p, args);
        if (c.letter == '%') {
            line_bytes(line, "%", 1);
        } else if (c.letter == 's') {
            line_string(line, &c, va_arg(*args, const char *));
        } else if (c.letter == 'c') {
            char byte = (char)va_arg(*args, int);
            line_value(line, &byte, 1);
        } else {
            line_number(line, &c, args);
        }
    }
}

static void line_start(struct line *line, enum log_level level, const char *event)
{
    char text[CLOCK_ISO_BYTES + 128];

    line->len = 0;
    line->truncated = false;
    if (atomic_load_explicit(&log_to_journal, memory_order_relaxed)) {
        line_text(line, journal_prefixes[level]);
    } else {
        line_text(line, "time=");
        line_text(line, clock_format_iso(clock_wall_ms(), text));
        line_text(line, " ");
    }
    snprintf(text, sizeof text, "level=%s process=%s pid=%d event=", level_names[level], log_process, (int)getpid());
    line_text(line, text);
    line_text(line, event);
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    struct line line;
    va_list args;
    int saved_errno = errno;

    assert(level <= LOG_LEVEL_DEBUG);
    if (!log_enabled(level))
        return;
    line_start(&line, level, event);
    if (format) {
        line_text(&line, " ");
        va_start(args, format);
        line_format(&line, format, &args);
        va_end(args);
    }
    if (line.truncated) {
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
