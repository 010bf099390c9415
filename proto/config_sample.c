// SPDX-License-Identifier: Apache-2.0
// Writes the sample configuration from the table: what `deskbelld --print-sample` prints and etc/deskbell.conf holds.
// A key is shown with its default, behind a # unless it must be given.
#include "proto/config_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_limits(FILE *out, const struct config_key *key)
{
    if (key->type == CONFIG_WORD) {
        fputs(" One of", out);
        for (size_t i = 0; key->words[i]; i++)
            fprintf(out, "%s \"%s\"", i ? "," : "", key->words[i]);
        fputs(".", out);
    } else if (key->type == CONFIG_INT || key->type == CONFIG_FLOAT) {
        fprintf(out, " (%.16g to %.16g%s%s)", key->min, key->max, key->unit ? " " : "", key->unit ? key->unit : "");
    }
}

static void print_value(FILE *out, const struct config_key *key)
{
    const char *value = key->sample ? key->sample : key->standard;

    if (key->type == CONFIG_STRING || key->type == CONFIG_WORD)
        fprintf(out, "%s = \"%s\"\n", key->name, value);
    else if (key->type == CONFIG_LIST)
        fprintf(out, value[0] ? "%s = {\"%s\"}\n" : "%s = {%s}\n", key->name, value);
    else
        fprintf(out, "%s = %s\n", key->name, value);
}

// A titled section has no defaults to show: its keys are explained, and an example follows.
static void print_titled(FILE *out, const struct config_section *section)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (strcmp(key->section, section->name) != 0)
            continue;
        fprintf(out, "#   %s: %s", key->name, key->help);
        print_limits(out, key);
        fputs("\n", out);
    }
    fputs(section->also, out);
}

static void print_section(FILE *out, const struct config_section *section)
{
    bool top = section->name[0] == '\0';
    const char *indent = top ? "" : "    ";

    fprintf(out, "# %s\n", section->help);
    if (section->titled) {
        print_titled(out, section);
        return;
    }
    if (top)
        fputs("\n", out);
    else
        fprintf(out, "%s {\n", section->name);
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (strcmp(key->section, section->name) != 0)
            continue;
        fprintf(out, "%s# %s", indent, key->help);
        print_limits(out, key);
        fprintf(out, "\n%s%s", indent, key->required ? "" : "#");
        print_value(out, key);
    }
    fputs(top ? "" : "}\n", out);
}

char *config_sample(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        abort();
    for (size_t i = 0; i < config_section_count; i++) {
        if (i)
            fputs("\n", out);
        print_section(out, &config_sections[i]);
    }
    if (fclose(out) != 0)
        abort();
    return text;
}
