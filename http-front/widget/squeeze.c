// SPDX-License-Identifier: Apache-2.0
// Leaves out of a script what only its readers need. See squeeze.h. The one danger is a line break that ends a
// statement: a break goes only where the character before or after it says that the statement goes on or was over
// anyway.
#include "http-front/widget/squeeze.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct squeeze {
    const char *from;
    char *out;
    size_t used;
};

static char last(const struct squeeze *self)
{
    return self->used ? self->out[self->used - 1] : '\0';
}

static void take(struct squeeze *self)
{
    self->out[self->used++] = *self->from++;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '#' || (unsigned char)c >= 0x80;
}

static bool one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

// A slash that does not divide: nothing stands before it that could be divided.
static bool begins_expression(const struct squeeze *self)
{
    return !self->used || one_of(last(self), "(,=:[!&|?{};+-*%<>~^\n") ||
           (self->used >= 6 && !memcmp(self->out + self->used - 6, "return", 6));
}

static void take_string(struct squeeze *self)
{
    char quote = *self->from;
    take(self);
    while (*self->from && *self->from != quote) {
        if (*self->from == '\\' && self->from[1])
            take(self);
        take(self);
    }
    if (*self->from)
        take(self);
}

static void take_regex(struct squeeze *self)
{
    bool in_class = false;
    do {
        in_class = *self->from == '[' || (in_class && *self->from != ']');
        if (*self->from == '\\' && self->from[1])
            take(self);
        take(self);
    } while (*self->from && (in_class || *self->from != '/'));
    if (*self->from)
        take(self);
}

static void take_template(struct squeeze *self)
{
    int depth = 0;
    take(self);
    while (*self->from && (depth || *self->from != '`')) {
        depth += *self->from == '{' && (depth || self->from[-1] == '$');
        depth -= depth && *self->from == '}';
        if (*self->from == '\\' && self->from[1])
            take(self);
        take(self);
        if (self->from[-1] == '\n')
            self->from += strspn(self->from, " ");
    }
    if (*self->from)
        take(self);
}

// Steps over blanks and comments. True when there was a line break among them.
static bool skip(struct squeeze *self)
{
    bool broken = false;
    for (;;) {
        if (one_of(*self->from, " \t\r\n")) {
            broken |= *self->from++ == '\n';
        } else if (!strncmp(self->from, "//", 2)) {
            self->from += strcspn(self->from, "\n");
        } else if (!strncmp(self->from, "/*", 2)) {
            const char *end = strstr(self->from + 2, "*/");
            self->from = end ? end + 2 : self->from + strlen(self->from);
        } else {
            return broken;
        }
    }
}

// What must stand between the last character and the next one, where blanks were.
static void separate(struct squeeze *self, bool broken)
{
    char before = last(self), after = *self->from;
    if (broken && !one_of(before, "{;,([=>&|?:<") && !one_of(after, "})];,.?:=&|"))
        self->out[self->used++] = '\n';
    else if ((is_word(before) && is_word(after)) || (one_of(before, "+-") && before == after) ||
             (isdigit((unsigned char)before) && after == '.'))
        self->out[self->used++] = ' ';
}

char *squeeze_script(const char *script)
{
    struct squeeze self = {.from = script, .out = malloc(strlen(script) + 1)};
    if (!self.out)
        abort();
    skip(&self);
    while (*self.from) {
        if (*self.from == '\'' || *self.from == '"')
            take_string(&self);
        else if (*self.from == '`')
            take_template(&self);
        else if (*self.from == '/' && begins_expression(&self))
            take_regex(&self);
        else
            take(&self);
        const char *end = self.from;
        bool broken = skip(&self);
        if (last(&self) == ';' && *self.from == '}')
            self.used--;
        else if (self.from != end && *self.from)
            separate(&self, broken);
    }
    self.out[self.used] = '\0';
    return self.out;
}
