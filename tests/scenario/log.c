// SPDX-License-Identifier: Apache-2.0
// What a scenario's processes logged. deskbelld and its children write into one file, over all their starts.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/inside.h"

static FILE *open_log(const struct scenario *s)
{
    char path[64];
    snprintf(path, sizeof path, "%s/log", s->folder);
    return fopen(path, "re");
}

size_t scenario_log_count(struct scenario *s, const char *text)
{
    char *line = NULL;
    size_t size = 0, count = 0;
    FILE *file = open_log(s);
    if (!file)
        return 0;
    while (getline(&line, &size, file) > 0)
        count += strstr(line, text) != NULL;
    free(line);
    fclose(file);
    return count;
}

void scenario_expect_error(struct scenario *s, const char *text)
{
    if (s->error_count == INSIDE_ERRORS)
        abort();
    s->errors[s->error_count++] = text;
}

static bool is_expected(const struct scenario *s, const char *line)
{
    bool expected = false;
    for (size_t i = 0; i < s->error_count && !expected; i++)
        expected = strstr(line, s->errors[i]) != NULL;
    return expected;
}

// The level is among the first words of a line, in text and as JSON; what follows may quote anything.
static bool is_error(const char *line)
{
    static const char *const levels[] = {" level=error ", "\"level\":\"error\""};
    bool error = false;
    for (size_t i = 0; i < sizeof levels / sizeof *levels && !error; i++) {
        const char *level = strstr(line, levels[i]);
        error = level && level - line < 60;
    }
    return error;
}

char *inside_unexpected_error(const struct scenario *s)
{
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    FILE *file = open_log(s);
    if (!file)
        return NULL;
    while (!found && getline(&line, &size, file) > 0)
        found = is_error(line) && !is_expected(s, line);
    fclose(file);
    if (!found) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\n")] = '\0';
    return line;
}
