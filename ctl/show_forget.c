// SPDX-License-Identifier: Apache-2.0
// forget: has a person erased, waits until that is done, and says what is left elsewhere and must be erased there.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "ctl/show.h"
#include "ctl/words.h"

static size_t size_of(const json_t *answer, const char *list)
{
    return json_array_size(json_object_get(answer, list));
}

// "a, b, c" of a list of texts or numbers.
static void print_list(const json_t *answer, const char *list)
{
    json_t *item;
    size_t i;
    json_array_foreach(json_object_get(answer, list), i, item)
    {
        if (json_is_integer(item)) {
            printf("%s%" JSON_INTEGER_FORMAT, i ? ", " : "", json_integer_value(item));
            continue;
        }
        char text[600];
        snprintf(text, sizeof text, "%s", json_string_value(item) ? json_string_value(item) : "");
        words_clean(text);
        printf("%s%s", i ? ", " : "", text);
    }
}

// What was asked for is no news.
static void leave_out(json_t *answer, const char *list, const char *asked)
{
    json_t *names = json_object_get(answer, list);
    for (size_t i = json_array_size(names); i > 0; i--) {
        const char *name = json_string_value(json_array_get(names, i - 1));
        if (name && strcasecmp(name, asked) == 0)
            json_array_remove(names, i - 1);
    }
}

static int64_t print_rows(const json_t *answer, bool dry_run)
{
    const char *table;
    json_t *rows;
    int64_t all = 0;
    json_object_foreach(json_object_get(answer, "rows"), table, rows) all += json_integer_value(rows);
    printf(dry_run ? "would be erased:" : "erased:");
    json_object_foreach(json_object_get(answer, "rows"), table, rows)
        printf(" %s %" JSON_INTEGER_FORMAT, table, json_integer_value(rows));
    printf(" (rows)\n");
    return all;
}

static void print_elsewhere(const json_t *answer)
{
    if (size_of(answer, "tickets")) {
        printf("still in Freshdesk: ticket ");
        print_list(answer, "tickets");
        puts(": erase there, and the contact");
    }
    if (size_of(answer, "users") && size_of(answer, "conversations")) {
        printf("still in Freshchat: user ");
        print_list(answer, "users");
        puts(": erase there");
    }
    if (size_of(answer, "emails") || size_of(answer, "phones")) {
        printf("was also known by:  ");
        print_list(answer, "emails");
        printf("%s", size_of(answer, "emails") && size_of(answer, "phones") ? ", " : "");
        print_list(answer, "phones");
        puts(": forget these too, if nobody else uses them");
    }
    if (words_number(answer, "in_doubt"))
        puts("A write of theirs was in doubt: look in Freshdesk and Freshchat for what it may have made.");
    if (words_number(answer, "unreadable"))
        printf("%" PRId64 " rows of the ledger could not be read, and nobody knows whose they are.\n",
               words_number(answer, "unreadable"));
}

static void print_forgotten(const json_t *answer)
{
    bool dry_run = words_yes(answer, "dry_run");
    int64_t rows = print_rows(answer, dry_run);
    print_elsewhere(answer);
    if (dry_run)
        return;
    if (rows == 0)
        puts("Deskbell knew nothing of them.");
    puts("Not in reach: backups of the ledger (after restoring one, forget again), copies and snapshots of the disk, "
         "and\n"
         "log lines, which hold ids but no name, address or text.");
    if (!words_yes(answer, "scrubbed"))
        printf("The ledger's files still hold deleted bytes: %s.\n", words_text(answer, "not_scrubbed"));
}

enum exit_code show_forget(const struct session *session)
{
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    bool dry_run = session->options->given & TAKES_DRY_RUN;
    const char *const arguments[] = {session->words[0], dry_run ? "dry-run" : ""};
    json_t *answer = NULL;
    enum exit_code code = show_ask(session, "forget", arguments, 2, &answer);
    while (code == EXIT_DONE && !words_yes(answer, "finished")) {
        json_decref(answer);
        nanosleep(&pause, NULL);
        code = show_ask(session, "forget-last", NULL, 0, &answer);
    }
    if (code != EXIT_DONE)
        return code;
    if (!show_json(session, answer)) {
        leave_out(answer, "emails", session->words[0]);
        leave_out(answer, "phones", session->words[0]);
        print_forgotten(answer);
    }
    json_decref(answer);
    return EXIT_DONE;
}
