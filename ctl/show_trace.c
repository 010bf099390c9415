// SPDX-License-Identifier: Apache-2.0
// trace: one conversation's life.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/words.h"

static void print_head(const json_t *answer)
{
    char when[WORDS_BYTES];
    int64_t ticket = words_number(answer, "ticket");
    printf("conversation  %s", words_text(answer, "conversation"));
    if (*words_text(answer, "conversation_twin"))
        printf(" (%s)", words_text(answer, "conversation_twin"));
    printf("\nuser          %s, channel %s\n", words_text(answer, "user"), words_text(answer, "channel"));
    if (ticket)
        printf("ticket        %" PRId64 ", requester %" PRId64 ", since %s\n", ticket,
               words_number(answer, "requester"), words_when(words_number(answer, "opened_ms"), when));
    else
        puts("ticket        none yet");
    printf("cart          %s\n", words_money(json_object_get(answer, "cart_cents"), when));
    printf("relayed up to %s (helpdesk clock)\n\n", words_when(words_number(answer, "mark_ms"), when));
}

static void print_history(const json_t *answer)
{
    static const char *const heads[] = {"TIME", "WHAT", ">TICKET", "ID", ">TOOK", "REQUEST", NULL};
    struct table *table = table_new(heads);
    char text[WORDS_BYTES];
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(answer, "history"), i, row)
    {
        table_add(table, "%s", words_when(words_number(row, "time_ms"), text));
        table_add(table, "%s", words_text(row, "what"));
        table_add(table, "%" PRId64, words_number(row, "ticket"));
        table_add(table, "%s", *words_text(row, "id") ? words_text(row, "id") : "-");
        table_add(table, "%s", words_long(words_number(row, "took_ms"), text));
        table_add(table, "%s", *words_text(row, "request") ? words_text(row, "request") : "-");
    }
    table_print(&table, stdout);
}

static void print_waiting(const json_t *answer)
{
    static const char *const heads[] = {"WAITING",   "DIRECTION", "STEP",     "STATE",
                                        ">ATTEMPTS", "ACCEPTED",  "AGAIN IN", NULL};
    struct table *table = table_new(heads);
    char text[WORDS_BYTES];
    json_t *row;
    size_t i;
    if (json_array_size(json_object_get(answer, "waiting")))
        putchar('\n');
    json_array_foreach(json_object_get(answer, "waiting"), i, row)
    {
        table_add(table, "%s", words_text(row, "kind"));
        table_add(table, "%s", words_text(row, "direction"));
        table_add(table, "%s", words_text(row, "step"));
        table_add(table, "%s%s", words_text(row, "state"), words_yes(row, "in_doubt") ? ", in doubt" : "");
        table_add(table, "%" PRId64, words_number(row, "attempts"));
        table_add(table, "%s", words_when(words_number(row, "accepted_ms"), text));
        table_add(table, "%s", words_long(words_number(row, "again_in_ms"), text));
    }
    table_print(&table, stdout);
}

static void print_dead(const json_t *answer)
{
    static const char *const heads[] = {">DEAD LETTER", "WHAT", "SINCE", "CAUSE", NULL};
    struct table *table = table_new(heads);
    char text[WORDS_BYTES];
    json_t *row;
    size_t i;
    if (json_array_size(json_object_get(answer, "dead")))
        putchar('\n');
    json_array_foreach(json_object_get(answer, "dead"), i, row)
    {
        table_add(table, "%" PRId64, words_number(row, "seq"));
        table_add(table, "%s", words_text(row, "kind"));
        table_add(table, "%s", words_when(words_number(row, "dead_ms"), text));
        table_add(table, "%s", words_text(row, "cause"));
    }
    table_print(&table, stdout);
}

enum exit_code show_trace(const struct session *session)
{
    json_t *answer = NULL;
    enum exit_code code = show_ask(session, "trace", session->words, session->count, &answer);
    if (code != EXIT_DONE)
        return code;
    if (!show_json(session, answer)) {
        print_head(answer);
        print_history(answer);
        print_waiting(answer);
        print_dead(answer);
    }
    json_decref(answer);
    return EXIT_DONE;
}
