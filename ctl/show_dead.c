// SPDX-License-Identifier: Apache-2.0
// dead list, show, retry, drop.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/words.h"

// ---- list -----------------------------------------------------------------------------------------------------------

static void print_sequences(struct table *table, const json_t *row)
{
    json_t *sequences = json_object_get(row, "sequences");
    int64_t letters = words_number(row, "letters");
    int64_t first = json_integer_value(json_array_get(sequences, 0));
    if (letters > 1)
        table_add(table, "%" PRId64 " and %" PRId64 " more", first, letters - 1);
    else
        table_add(table, "%" PRId64, first);
}

static void print_group(const json_t *group)
{
    static const char *const heads[] = {"  CONVERSATION", ">TICKET", ">CART", "LETTERS", NULL};
    char first[WORDS_BYTES], last[WORDS_BYTES], cart[WORDS_BYTES];
    char *cause = strdup(words_text(group, "cause"));
    if (!cause)
        abort();
    words_clean(cause);
    int64_t affected = words_number(group, "affected");
    printf("%s\n  %" PRId64 " letter%s, %" PRId64 " customer%s, carts of %s, %s to %s\n", cause,
           words_number(group, "count"), words_number(group, "count") == 1 ? "" : "s", affected,
           affected == 1 ? "" : "s", words_money(json_object_get(group, "cart_cents"), cart),
           words_when(words_number(group, "oldest_ms"), first), words_when(words_number(group, "newest_ms"), last));
    free(cause);
    struct table *table = table_new(heads);
    json_t *conversations = json_object_get(group, "conversations"), *row;
    size_t i;
    json_array_foreach(conversations, i, row)
    {
        table_add(table, "  %s", words_text(row, "conversation"));
        table_add(table, "%" PRId64, words_number(row, "ticket"));
        table_add(table, "%s", words_money(json_object_get(row, "cart_cents"), cart));
        print_sequences(table, row);
    }
    table_print(&table, stdout);
    if ((int64_t)json_array_size(conversations) < affected)
        printf("  ... and %" PRId64 " more\n", affected - (int64_t)json_array_size(conversations));
    putchar('\n');
}

enum exit_code show_dead_list(const struct session *session)
{
    json_t *answer = NULL, *group;
    enum exit_code code = show_ask(session, "dead-list", NULL, 0, &answer);
    if (code != EXIT_DONE)
        return code;
    if (!show_json(session, answer)) {
        size_t i;
        json_array_foreach(json_object_get(answer, "groups"), i, group) print_group(group);
        int64_t dead = words_number(answer, "dead");
        printf("%" PRId64 " dead letter%s%s\n", dead, dead == 1 ? "" : "s",
               words_yes(answer, "complete") ? "" : "; only the oldest of them are shown");
    }
    json_decref(answer);
    return EXIT_DONE;
}

// ---- show -----------------------------------------------------------------------------------------------------------

static void print_line(const char *name, const char *text)
{
    char *clean = strdup(*text ? text : "-");
    if (!clean)
        abort();
    words_clean(clean);
    printf("%-13s %s\n", name, clean);
    free(clean);
}

enum exit_code show_dead_show(const struct session *session)
{
    json_t *answer = NULL;
    enum exit_code code = show_ask(session, "dead-show", session->words, session->count, &answer);
    if (code != EXIT_DONE)
        return code;
    if (!show_json(session, answer)) {
        char text[WORDS_BYTES];
        print_line("cause", words_text(answer, "cause"));
        print_line("what", words_text(answer, "kind"));
        print_line("step", words_text(answer, "step"));
        print_line("conversation", words_text(answer, "conversation"));
        printf("%-13s %" PRId64 "\n", "ticket", words_number(answer, "ticket"));
        print_line("user", words_text(answer, "user"));
        print_line("message", words_text(answer, "message"));
        print_line("entry", words_text(answer, "entry"));
        print_line("cart", words_money(json_object_get(answer, "cart_cents"), text));
        print_line("said", words_when(words_number(answer, "said_ms"), text));
        print_line("accepted", words_when(words_number(answer, "accepted_ms"), text));
        print_line("given up", words_when(words_number(answer, "dead_ms"), text));
        print_line("in doubt", words_yes(answer, "in_doubt") ? "yes: a retry looks for it first" : "no");
    }
    json_decref(answer);
    return EXIT_DONE;
}

// ---- retry and drop -------------------------------------------------------------------------------------------------

// One letter by number, or those of a cause, or all: exactly one of them.
static bool choice(const struct session *session, const char *arguments[4])
{
    unsigned given = session->options->given;
    arguments[2] = given & TAKES_DRY_RUN ? "dry-run" : "";
    arguments[3] = "0";
    int ways = (session->count == 1) + !!(given & TAKES_CAUSE) + !!(given & TAKES_ALL);
    if (ways != 1) {
        fputs("deskbellctl: name one letter by its number, or --cause TEXT, or --all\n", stderr);
        return false;
    }
    arguments[0] = session->count == 1 ? "seq" : given & TAKES_CAUSE ? "cause" : "all";
    arguments[1] = session->count == 1 ? session->words[0] : given & TAKES_CAUSE ? session->options->cause : "";
    return true;
}

static void print_letters(const json_t *letters)
{
    static const char *const heads[] = {">LETTER", "WHAT", "CONVERSATION", ">TICKET", "CAUSE", NULL};
    struct table *table = table_new(heads);
    json_t *row;
    size_t i;
    json_array_foreach(letters, i, row)
    {
        table_add(table, "%" PRId64, words_number(row, "seq"));
        table_add(table, "%s", words_text(row, "kind"));
        table_add(table, "%s", words_text(row, "conversation"));
        table_add(table, "%" PRId64, words_number(row, "ticket"));
        table_add(table, "%s", words_text(row, "cause"));
    }
    table_print(&table, stdout);
}

// deskbelld takes a bounded number at once: asks until there is no more.
static enum exit_code change(const struct session *session, const char *command, const char *done)
{
    const char *arguments[4];
    char before[24];
    json_t *letters = json_array();
    int64_t matched = 0;
    bool more = true, dry_run = session->options->given & TAKES_DRY_RUN;
    enum exit_code code = choice(session, arguments) ? EXIT_DONE : EXIT_USAGE;
    while (code == EXIT_DONE && more) {
        json_t *answer = NULL;
        code = show_ask(session, command, arguments, 4, &answer);
        if (code != EXIT_DONE)
            break;
        int64_t now = words_number(answer, "letters_matched");
        matched += now;
        json_array_extend(letters, json_object_get(answer, "letters"));
        more = words_yes(answer, "more");
        if (more && (dry_run || !now)) { // it reads a bounded number, and found nothing to do among them
            fputs("deskbellctl: there are too many dead letters to look at all of them; begin with another cause\n",
                  stderr);
            code = EXIT_REFUSED;
        }
        snprintf(before, sizeof before, "%" PRId64, words_number(answer, "before"));
        arguments[3] = before;
        json_decref(answer);
    }
    json_t *whole = json_pack("{s:I, s:b, s:O}", "letters_matched", (json_int_t)matched, "dry_run", (int)dry_run,
                              "letters", letters);
    // What was done before an error is told, too.
    if ((code == EXIT_DONE || matched) && !show_json(session, whole)) {
        print_letters(letters);
        printf("%" PRId64 " dead letter%s %s%s\n", matched, matched == 1 ? "" : "s", dry_run ? "would be " : "", done);
    }
    json_decref(whole);
    json_decref(letters);
    return code;
}

enum exit_code show_dead_retry(const struct session *session)
{
    return change(session, "dead-retry", "sent again");
}

enum exit_code show_dead_drop(const struct session *session)
{
    return change(session, "dead-drop", "dropped");
}
