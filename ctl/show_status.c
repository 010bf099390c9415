// SPDX-License-Identifier: Apache-2.0
// status: the whole at a glance, once or each second.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/words.h"

static void print_head(const json_t *answer)
{
    char up[WORDS_BYTES], when[WORDS_BYTES];
    const char *state = words_yes(answer, "draining") ? "leaving" : words_yes(answer, "ready") ? "ready" : "not ready";
    printf("deskbelld %s: %s, front %" PRId64 ", up %s\n\n", words_text(answer, "version"), state,
           words_number(answer, "pid"), words_long(words_number(answer, "up_ms"), up));
    if (strcmp(words_text(answer, "mode"), "observe") == 0)
        puts("OBSERVE MODE: nothing is written to any upstream; the log says what would have been (would_write).\n");
    if (words_number(answer, "restored_ms"))
        printf("The ledger was restored from a backup of %s. It begins paused: resume both directions (deskbellctl "
               "resume), "
               "see RESTORING in deskbellctl(8). This is said until all that may have been written since is looked "
               "for.\n\n",
               words_when(words_number(answer, "restored_ms"), when));
}

static void print_workers(const json_t *answer)
{
    static const char *const heads[] = {">WORKER", ">PID", ">JOBS", "STATE", NULL};
    struct table *table = table_new(heads);
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(answer, "workers"), i, row)
    {
        table_add(table, "%" PRId64, words_number(row, "slot"));
        table_add(table, "%" PRId64, words_number(row, "pid"));
        table_add(table, "%" PRId64, words_number(row, "jobs"));
        table_add(table, "%s", words_yes(row, "leaving") ? "leaving" : words_yes(row, "ready") ? "ready" : "starting");
    }
    table_print(&table, stdout);
    putchar('\n');
}

static void print_directions(const json_t *answer)
{
    static const char *const heads[] = {"DIRECTION", ">WAITING", ">OLDEST", ">IN DOUBT", ">RETRYING", "STATE", NULL};
    struct table *table = table_new(heads);
    char age[WORDS_BYTES];
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(answer, "directions"), i, row)
    {
        table_add(table, "%s", words_text(row, "direction"));
        table_add(table, "%" PRId64, words_number(row, "waiting"));
        table_add(table, "%s%s", words_yes(row, "complete") ? "" : ">",
                  words_long(words_number(row, "oldest_age_ms"), age));
        table_add(table, "%" PRId64, words_number(row, "in_doubt"));
        table_add(table, "%" PRId64, words_number(row, "lanes_retrying"));
        table_add(table, "%s", words_yes(row, "paused") ? "PAUSED" : "running");
    }
    table_print(&table, stdout);
    putchar('\n');
}

static void print_gate_state(struct table *table, const json_t *row)
{
    char pause[WORDS_BYTES];
    int64_t paused = words_number(row, "paused_ms");
    const char *breaker = words_text(row, "breaker");
    if (words_yes(row, "shut"))
        table_add(table, "shut: the ledger takes no events");
    else if (strcmp(breaker, "closed") != 0)
        table_add(table, "breaker %s", breaker);
    else if (paused)
        table_add(table, "paused for %s", words_long(paused, pause));
    else
        table_add(table, "open");
}

static void print_gates(const json_t *answer)
{
    static const char *const heads[] = {"UPSTREAM", ">BUDGET/MIN", ">USED", ">IN FLIGHT",
                                        ">CALLS",   ">429",        "GATE",  NULL};
    struct table *table = table_new(heads);
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(answer, "gates"), i, row)
    {
        int64_t budget = words_number(row, "budget");
        table_add(table, "%s", words_text(row, "upstream"));
        if (budget)
            table_add(table, "%" PRId64, budget);
        else
            table_add(table, "not known");
        table_add(table, "%" PRId64, words_number(row, "used"));
        table_add(table, "%" PRId64, words_number(row, "in_flight"));
        table_add(table, "%" PRId64, words_number(row, "calls"));
        table_add(table, "%" PRId64, words_number(row, "answers_429"));
        print_gate_state(table, row);
    }
    table_print(&table, stdout);
    putchar('\n');
}

// The stages that used most of the time of what was late: "call 3, gate 1".
static void late_by(const json_t *row, char *out, size_t size)
{
    const char *stage;
    json_t *count;
    size_t at = 0;
    snprintf(out, size, "-");
    json_object_foreach(json_object_get(row, "late_by"), stage, count) if (at < size) at += (size_t)snprintf(
        out + at, size - at, "%s%s %" JSON_INTEGER_FORMAT, at ? ", " : "", stage, json_integer_value(count));
}

static void print_latency(const json_t *answer)
{
    static const char *const heads[] = {"LATENCY", ">COUNT", ">P50", ">P95", ">P99", ">OVER 2 S", "WHERE", NULL};
    static const char *const keys[] = {"p50_ms", "p95_ms", "p99_ms"};
    struct table *table = table_new(heads);
    char text[WORDS_BYTES], where[120];
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(answer, "latency"), i, row)
    {
        int64_t count = words_number(row, "count");
        table_add(table, "%s", words_text(row, "what"));
        table_add(table, "%" PRId64, count);
        for (size_t j = 0; j < sizeof keys / sizeof *keys; j++) {
            if (count && !json_object_get(row, keys[j]))
                table_add(table, "over 1 h");
            else
                table_add(table, "%s", words_long(words_number(row, keys[j]), text));
        }
        table_add(table, "%" PRId64, words_number(row, "late"));
        late_by(row, where, sizeof where);
        table_add(table, "%s", where);
    }
    table_print(&table, stdout);
    putchar('\n');
}

static void print_status(const json_t *answer)
{
    char text[WORDS_BYTES];
    int64_t dead = words_number(answer, "dead");
    print_head(answer);
    print_workers(answer);
    print_directions(answer);
    print_gates(answer);
    print_latency(answer);
    printf("conversations with work  %" PRId64 ", jobs out %" PRId64 "\n", words_number(answer, "lanes"),
           words_number(answer, "out"));
    printf("dead letters             %" PRId64 "%s\n", dead, dead ? "  (deskbellctl dead list)" : "");
    const json_t *polls = json_object_get(answer, "reconcile");
    int64_t missing = words_number(polls, "missing");
    printf("compared by polls        %" PRId64 ", found missing %" PRId64 ", of these not delivered yet %" PRId64
           "%s\n",
           words_number(polls, "compared"), words_number(polls, "found_missing"), missing,
           missing ? "  (deskbellctl trace, if this stays)" : "");
    printf("ledger                   %s free, intake %s\n",
           words_bytes(words_number(answer, "ledger_free_bytes"), text),
           words_yes(answer, "intake_open") ? "open" : "CLOSED: webhooks are answered 503");
}

static enum exit_code once(const struct session *session, bool redraw)
{
    json_t *answer = NULL;
    enum exit_code code = show_ask(session, "status", NULL, 0, &answer);
    if (redraw)
        fputs("\033[H\033[2J", stdout);
    if (code != EXIT_DONE)
        return code;
    if (!show_json(session, answer))
        print_status(answer);
    fflush(stdout);
    json_decref(answer);
    return EXIT_DONE;
}

enum exit_code show_status(const struct session *session)
{
    const struct timespec second = {.tv_sec = 1};
    bool watch = session->options->given & TAKES_WATCH;
    bool redraw = watch && !session->options->json && isatty(STDOUT_FILENO);
    enum exit_code code = once(session, redraw);
    // Whoever watches wants to see it come back, too. Ends with ^C, or when nobody reads any more.
    while (watch && !ferror(stdout)) {
        nanosleep(&second, NULL);
        code = once(session, redraw);
    }
    return code;
}
