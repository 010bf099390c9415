// SPDX-License-Identifier: Apache-2.0
// Log lines as JSON, one object a line, made of the same formats as the text lines: what stands before a = is a key,
// what an argument or a literal puts behind it is its value. Whole numbers that an argument gives are numbers, all else
// is a string. No allocation; any thread.
#include <stdio.h>
#include <string.h>

#include "proto/log_inside.h"

static size_t room(const struct log_line *line)
{
    return sizeof line->text - LOG_TAIL_BYTES - line->len;
}

// All of it or nothing.
static bool put(struct log_line *line, const char *bytes, size_t len)
{
    if (line->truncated || len > room(line)) {
        line->truncated = true;
        return false;
    }
    memcpy(line->text + line->len, bytes, len);
    line->len += len;
    return true;
}

static size_t escape(const unsigned char *value, size_t len, char piece[16], size_t *piece_len)
{
    uint32_t code = 0;
    size_t taken = log_character(value, len, &code);
    if (!taken) {
        memcpy(piece, "\\ufffd", 6);
        *piece_len = 6;
        return 1;
    }
    if (code == '"' || code == '\\') {
        piece[0] = '\\';
        piece[1] = (char)code;
        *piece_len = 2;
    } else if (log_is_unsafe(code)) { // all of these have four digits
        *piece_len = (size_t)snprintf(piece, 16, "\\u%04x", (unsigned)(code & 0xffff));
    } else {
        memcpy(piece, value, taken);
        *piece_len = taken;
    }
    return taken;
}

// A string that does not fit ends early, at a whole character, and stays a string.
static void put_string(struct log_line *line, const char *value, size_t len)
{
    if (!put(line, "\"", 1))
        return;
    for (size_t i = 0; i < len;) {
        char piece[16];
        size_t piece_len = 0;
        size_t taken = escape((const unsigned char *)value + i, len - i, piece, &piece_len);
        if (piece_len + 1 > room(line)) {
            line->truncated = true;
            break;
        }
        memcpy(line->text + line->len, piece, piece_len);
        line->len += piece_len;
        i += taken;
    }
    line->text[line->len++] = '"';
}

static void emit(struct log_line *line)
{
    size_t needed = line->key_len + sizeof ",\"\":\"\"";
    if (line->key_len && !line->truncated && room(line) > needed + (line->number ? line->value_len : 0)) {
        put(line, line->text[line->len - 1] == '{' ? "\"" : ",\"", line->text[line->len - 1] == '{' ? 1 : 2);
        put(line, line->key, line->key_len);
        put(line, "\":", 2);
        if (line->number)
            put(line, line->value, line->value_len);
        else
            put_string(line, line->value, line->value_len);
    } else if (line->key_len) {
        line->truncated = true;
    }
    line->key_len = line->value_len = 0;
    line->in_value = line->in_quotes = line->number = false;
}

static void add_value(struct log_line *line, const char *bytes, size_t len)
{
    size_t left = sizeof line->value - line->value_len;
    if (len > left)
        len = left; // emitted as it is; so long a value shows that it was cut
    memcpy(line->value + line->value_len, bytes, len);
    line->value_len += len;
}

void log_json_begin(struct log_line *line)
{
    line->key_len = line->value_len = 0;
    line->in_value = line->in_quotes = line->number = false;
    put(line, "{", 1);
}

void log_json_literal(struct log_line *line, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!line->in_value && text[i] == '=') {
            line->in_value = true;
        } else if (!line->in_value) {
            if (text[i] != ' ' && line->key_len < sizeof line->key)
                line->key[line->key_len++] = text[i];
        } else if (text[i] == '"') {
            line->in_quotes = !line->in_quotes;
        } else if (text[i] == ' ' && !line->in_quotes) {
            emit(line);
        } else {
            line->number = false;
            add_value(line, text + i, 1);
        }
    }
}

void log_json_string(struct log_line *line, const char *value, size_t len)
{
    line->number = false;
    add_value(line, value, len);
}

void log_json_number(struct log_line *line, const char *text, size_t len)
{
    line->number = line->value_len == 0;
    add_value(line, text, len);
}

void log_json_end(struct log_line *line)
{
    static const char cut[] = ",\"truncated\":true";
    emit(line);
    if (line->truncated) {
        memcpy(line->text + line->len, cut, sizeof cut - 1); // the tail was kept free for this
        line->len += sizeof cut - 1;
    }
    line->text[line->len++] = '}';
}

void log_json_pair(struct log_line *line, const char *key, const char *value)
{
    log_json_literal(line, key, strlen(key));
    line->in_value = true;
    log_json_string(line, value, strlen(value));
    emit(line);
}
