// SPDX-License-Identifier: Apache-2.0
// What log.c, log_escape.c and log_json.c share; nobody else includes it.
#ifndef DESKBELL_PROTO_LOG_INSIDE_H
#define DESKBELL_PROTO_LOG_INSIDE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/log.h"

// One line in the making.
struct log_line {
    char text[LOG_LINE_MAX_BYTES];
    size_t len;
    bool truncated;
    // As JSON: the pair that is being read from the format's literal parts and the arguments between them.
    bool json;
    char key[64];
    size_t key_len;
    char value[2048];
    size_t value_len;
    bool in_value;  // behind the key's =
    bool in_quotes; // of a literal value
    bool number;    // the value is one whole number and nothing else
};

// What is kept free at the end for " truncated=1\n" or ",\"truncated\":true}\n".
#define LOG_TAIL_BYTES 20

/** Length in bytes of the valid UTF-8 character at p (1 to 4), its code in *code; 0 when it is not one. */
size_t log_character(const unsigned char *p, size_t len, uint32_t *code);
/** Characters that end or reorder a line on somebody's screen. */
bool log_is_unsafe(uint32_t code);
/** Escapes into out, at most room bytes without a NUL (room >= 3). Sets *cut when not all fitted. */
size_t log_escape_into(char *out, size_t room, const char *value, size_t len, bool *cut);

// A line as one JSON object: pieces of the format and its arguments, in their order.
void log_json_begin(struct log_line *line);
void log_json_literal(struct log_line *line, const char *text, size_t len);
void log_json_string(struct log_line *line, const char *value, size_t len);
void log_json_number(struct log_line *line, const char *text, size_t len);
void log_json_end(struct log_line *line);
/** A whole pair. */
void log_json_pair(struct log_line *line, const char *key, const char *value);
#endif
