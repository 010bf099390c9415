// SPDX-License-Identifier: Apache-2.0
// Logging for all Deskbell processes: one event is one line of key=value pairs on stderr, written with one write(2),
// so lines of several processes never mix and journald takes them as they are. No allocation, safe from any thread
// (not from a signal handler). Values cannot forge a line: see log_write. Secrets are never logged, at any level.
#ifndef DESKBELL_PROTO_LOG_H
#define DESKBELL_PROTO_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

// A line is cut at this many bytes, line end included, and then carries truncated=1.
#define LOG_LINE_MAX_BYTES 4096

// Names the process in every line (a string that lives as long as the process, like "deskbelld") and sets the least
// important level that is written. Call once, before other threads run.
void log_init(const char *process, enum log_level level);

// Changes the level; may be called from any thread.
void log_set_level(enum log_level level);

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
// Lines as key=value pairs, or each as one JSON object with the same keys. May be called from any thread.
void log_set_format(enum log_format format);

// A request id, made where an event comes in (request_id.h), is 16 hexadecimal digits.
#define LOG_REQUEST_BYTES 17
char *log_request_text(uint64_t id, char out[LOG_REQUEST_BYTES]);
// From here on every line of this thread says request=ID, or all of several (as many as fit); 0, or none: no longer.
void log_request(uint64_t id);
void log_requests(const uint64_t *ids, size_t count);

// Takes "error", "warn", "info" or "debug"; returns false and leaves *level alone for anything else.
bool log_level_parse(const char *text, enum log_level *level);

// Returns the level's name.
const char *log_level_name(enum log_level level);

// Opens a file to append to (mode 0640), for log_use. Returns its descriptor, close-on-exec, or -1 with errno.
int log_open_file(const char *path);

// From now on descriptor 2, and with it the log, is what `fd` refers to, in one step: no line is lost. False with
// errno.
bool log_use(int fd);

// Opens the file anew and uses it, so that one that was renamed is let go. False with errno, and the old one stays.
bool log_reopen(const char *path);

// The folder of a log file, for those who may open no other file: written to `out` (room for a path), "" for "".
char *log_folder(const char *path, char *out, size_t size);

// For tests: where lines go instead of stderr (descriptor 2).
void log_set_fd(int fd);

// True when a line of this level would be written: for values that cost something to work out.
bool log_enabled(enum log_level level);

// Writes one line: `event` is a constant snake_case name, `format` a constant list of pairs such as
//   log_info("ticket_opened", "conversation=%s ticket=%llu ms=%lld", id, ticket, ms);
// or NULL for an event without pairs. Each %s value (also %.*s, %.10s) is quoted and escaped where it contains anything
// but plain word characters, so write key=%s without quotes of your own, and never put outside text into the format.
// A NULL %s prints "-". Known conversions: %s %c %d %i %u %x %o %p %f %g %e %%, with the lengths hh h l ll z j t and
// flags, width and precision; anything else is a bug and aborts.
void log_write(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_error(event, ...) log_write(LOG_LEVEL_ERROR, (event), __VA_ARGS__)
#define log_warn(event, ...)  log_write(LOG_LEVEL_WARN, (event), __VA_ARGS__)
#define log_info(event, ...)  log_write(LOG_LEVEL_INFO, (event), __VA_ARGS__)
#define log_debug(event, ...) log_write(LOG_LEVEL_DEBUG, (event), __VA_ARGS__)

// Escapes `len` bytes the way %s values are: plain words as they are, all else "quoted" with \" \\ \n \r \t and \xNN
// for control bytes, for bytes that are not UTF-8 and for characters that reorder or break lines. Writes at most `size`
// bytes including the final NUL (size >= 4), cut at a whole character when it does not fit. Returns the length written.
// Not needed for %s arguments of log_write: they would be escaped twice.
size_t log_escape(char *out, size_t size, const char *value, size_t len);

#endif
