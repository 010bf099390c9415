// SPDX-License-Identifier: Apache-2.0
// Makes a configuration's text fit for libConfuse 3.3, whose scanner counts the lines of comments twice, reads through
// a NULL pointer at an empty first comment, takes //word for a value and expands ${VARIABLES}. So comments are blanked
// here, line by line, and what it would misread is refused. Strings are skipped by the scanner's own rules.
#include "proto/config_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scan {
    char *p;
    char *end;
    int line;
    bool word; // inside an unquoted word, where // and /* begin no comment
};

static char next_byte(const struct scan *s)
{
    return s->p + 1 < s->end ? s->p[1] : '\0';
}

// Steps over one byte, overwriting it with a space when `blank`.
static void step(struct scan *s, bool blank)
{
    if (*s->p == '\n')
        s->line++;
    else if (blank)
        *s->p = ' ';
    s->p++;
}

static void blank_line(struct scan *s)
{
    while (s->p < s->end && *s->p != '\n')
        step(s, true);
}

static const char *blank_block(struct scan *s, int *line)
{
    *line = s->line;
    step(s, true);
    step(s, true);
    while (s->p < s->end && !(*s->p == '*' && next_byte(s) == '/'))
        step(s, true);
    if (s->p == s->end)
        return "this comment is not closed: add */";
    step(s, true);
    step(s, true);
    return NULL;
}

static const char *skip_string(struct scan *s, int *line)
{
    char quote = *s->p;

    *line = s->line;
    step(s, false);
    while (s->p < s->end && *s->p != quote) {
        if (*s->p == '$' && next_byte(s) == '{' && quote == '"')
            return "${...} is not available: write the value itself";
        // A NUL byte written as \0 or \x00 would end the text early and in silence.
        if (*s->p == '\\' && quote == '"' && next_byte(s) && strchr("0123456789x", next_byte(s)))
            return "a character written as \\ and a number is not available: write the character itself";
        if (*s->p == '\\' && s->p + 1 < s->end)
            step(s, false);
        step(s, false);
    }
    if (s->p == s->end)
        return "this text is not closed: add its second quote";
    step(s, false);
    return NULL;
}

// Takes the next thing outside strings and comments. Returns what is wrong with it, at *line, or NULL.
static const char *scan_one(struct scan *s, int *line)
{
    char c = *s->p;

    *line = s->line;
    if (c == '#' || (!s->word && c == '/' && next_byte(s) == '/')) {
        blank_line(s);
        s->word = false;
    } else if (!s->word && c == '/' && next_byte(s) == '*') {
        return blank_block(s, line);
    } else if (c == '"' || c == '\'') {
        s->word = false;
        return skip_string(s, line);
    } else if (c == '$' && next_byte(s) == '{') {
        // Each process would see its own environment, and then another configuration.
        return "${...} is not available: write the value itself";
    } else {
        s->word = !strchr(" \t\r\n={}()+,*", c);
        step(s, false);
    }
    return NULL;
}

char *config_text_clean(const char *text, size_t len, int *line, const char **wrong)
{
    char *copy = malloc(len + 1);
    struct scan s = {copy, copy + len, 1, false};

    if (!copy)
        abort();
    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    *wrong = len && memchr(text, '\0', len) ? "the file holds NUL bytes: it must be plain text" : NULL;
    *line = 0;
    while (!*wrong && s.p < s.end)
        *wrong = scan_one(&s, line);
    if (*wrong) {
        free(copy);
        return NULL;
    }
    *line = s.line;
    return copy;
}
