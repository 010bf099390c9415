// SPDX-License-Identifier: Apache-2.0
// Writes the manual page deskbell.conf(5) from the table that the parser reads, so that the page cannot name a key, a
// default or a limit that the daemon does not have. A program of the build, not installed: `deskbell-conf-page` prints
// the page.
#include <stdio.h>
#include <string.h>

#include "proto/config_table.h"

// Text for troff: what it would take for a request or an escape is spelled out.
static void print_text(const char *text)
{
    for (const char *at = text; *at; at++) {
        if (*at == '\\')
            fputs("\\e", stdout);
        else if (*at == '-')
            fputs("\\-", stdout);
        else if (*at == '"')
            fputs("\\(dq", stdout);
        else if ((*at == '.' || *at == '\'') && (at == text || at[-1] == '\n'))
            printf("\\&%c", *at);
        else if (*at == '\'')
            fputs("\\(aq", stdout);
        else
            putchar(*at);
    }
}

static void print_default(const struct config_key *key)
{
    const char *quote = key->type == CONFIG_STRING || key->type == CONFIG_WORD ? "\"" : "";

    if (key->required) {
        fputs("Must be given", stdout);
        if (key->sample) {
            fputs(", such as \\fB", stdout);
            print_text(key->sample);
            fputs("\\fR", stdout);
        }
        puts(".");
        return;
    }
    if (!key->standard)
        return;
    fputs("Default: \\fB", stdout);
    if (key->type == CONFIG_LIST) {
        print_text("{");
        print_text(key->standard[0] ? "\"" : "");
        print_text(key->standard);
        print_text(key->standard[0] ? "\"" : "");
        print_text("}");
    } else {
        print_text(quote);
        print_text(key->standard);
        print_text(quote);
    }
    puts("\\fR.");
}

static void print_limits(const struct config_key *key)
{
    if (key->type == CONFIG_WORD) {
        fputs("One of", stdout);
        for (size_t i = 0; key->words[i]; i++) {
            fputs(i ? ", \\fB" : " \\fB", stdout);
            print_text(key->words[i]);
            fputs("\\fR", stdout);
        }
        puts(".");
    } else if (key->type == CONFIG_INT || key->type == CONFIG_FLOAT) {
        printf("From %.16g to %.16g%s%s.\n", key->min, key->max, key->unit ? " " : "", key->unit ? key->unit : "");
    }
}

static void print_key(const struct config_key *key)
{
    static const char *const types[] = {
        [CONFIG_STRING] = "text",      [CONFIG_INT] = "whole number", [CONFIG_FLOAT] = "number",
        [CONFIG_BOOL] = "true, false", [CONFIG_WORD] = "word",        [CONFIG_LIST] = "list",
    };

    printf(".TP\n.BR ");
    print_text(key->name);
    printf(" \" (%s)\"\n", types[key->type]);
    print_text(key->help);
    putchar('\n');
    print_limits(key);
    print_default(key);
}

static void print_section(const struct config_section *section)
{
    bool top = section->name[0] == '\0';

    printf(".SS \"");
    print_text(top ? "Outside of a section" : section->name);
    printf("%s\"\n", section->titled ? " NAME" : "");
    if (!top) {
        print_text(section->help);
        putchar('\n');
    }
    for (size_t i = 0; i < config_key_count; i++) {
        if (strcmp(config_keys[i].section, section->name) == 0)
            print_key(&config_keys[i]);
    }
    if (section->titled && section->also) {
        puts(".PP\nFor example, without the # before each line:\n.PP\n.nf");
        print_text(section->also);
        puts(".fi");
    }
}

int main(void)
{
    puts(".\\\" SPDX-License-Identifier: Apache-2.0\n"
         ".\\\" Written by packaging/man/conf_page.c from the table in proto/config_table.c\n"
         ".TH DESKBELL.CONF 5 \"\" \"Deskbell " DESKBELL_VERSION "\" \"File formats\"\n"
         ".SH NAME\n"
         "deskbell.conf \\- configuration of Deskbell\n"
         ".SH SYNOPSIS\n"
         ".I /etc/deskbell/deskbell.conf\n"
         ".SH DESCRIPTION\n"
         "Keys and sections in the syntax of libConfuse:\n"
         ".PP\n"
         ".nf\n"
         "log_level = \\(dqinfo\\(dq                    # to the end of the line: a comment\n"
         "front { threads = 64 }\n"
         "freshchat { channels = {\\(dqone\\(dq, \\(dqtwo\\(dq} }\n"
         ".fi\n"
         ".PP\n"
         "An unknown key or a bad value is an error, told with file and line;\n"
         ".B deskbelld \\-t\n"
         "checks without starting.\n"
         "Secrets are never written here: a key that names a file wants an absolute path, and a secret file that every "
         "user\n"
         "may read is refused. Where systemd hands over a credential of the same file name, that is read instead.\n"
         ".SH KEYS");
    for (size_t i = 0; i < config_section_count; i++)
        print_section(&config_sections[i]);
    puts(".SH FILES\n"
         ".TP\n"
         ".I /etc/deskbell/deskbell.conf\n"
         "this file; the package leaves an edited one alone\n"
         ".TP\n"
         ".I /etc/deskbell/credentials\n"
         "the secrets, each root:deskbell with mode 0640\n"
         ".SH SEE ALSO\n"
         ".BR deskbelld (8),\n"
         ".BR deskbellctl (8),\n"
         ".BR deskbell (7)");
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
