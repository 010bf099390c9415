// SPDX-License-Identifier: Apache-2.0
// pause, resume, backup, keys, and what all commands share.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/words.h"

enum { BACKUP_LOOK_MS = 200 };

static bool changes(const char *command)
{
    static const char *const those[] = {"pause", "resume", "dead-retry", "dead-drop", "backup", "forget"};
    for (size_t i = 0; i < sizeof those / sizeof *those; i++)
        if (strcmp(command, those[i]) == 0)
            return true;
    return false;
}

enum exit_code show_ask(const struct session *session, const char *command, const char *const *arguments, size_t count,
                        json_t **answer)
{
    char why[CALL_WHY_BYTES];
    enum call_result result = call_ask(session->runtime_dir, command, arguments, count, answer, why);
    if (result == CALL_DONE)
        return EXIT_DONE;
    words_clean(why);
    fprintf(stderr, "deskbellctl: %s\n", why);
    if (result == CALL_UNREACHABLE && changes(command))
        fputs("deskbellctl: if it only was too slow, it does what was asked of it nevertheless\n", stderr);
    return result == CALL_REFUSED ? EXIT_REFUSED : EXIT_UNREACHABLE;
}

bool show_json(const struct session *session, const json_t *answer)
{
    if (!session->options->json)
        return false;
    json_dumpf(answer, stdout, JSON_COMPACT);
    putchar('\n');
    return true;
}

// ---- pause and resume -----------------------------------------------------------------------------------------------

static enum exit_code turn(const struct session *session, const char *command)
{
    json_t *answer = NULL;
    enum exit_code code = show_ask(session, command, session->words, session->count, &answer);
    if (code != EXIT_DONE)
        return code;
    if (!show_json(session, answer)) {
        bool paused = words_yes(answer, "paused");
        printf("%s %s %s; %" PRId64 " waiting\n", words_text(answer, "direction"),
               words_yes(answer, "changed") ? "is" : "was already", paused ? "paused" : "running",
               words_number(answer, "waiting"));
    }
    json_decref(answer);
    return EXIT_DONE;
}

enum exit_code show_pause(const struct session *session)
{
    return turn(session, "pause");
}

enum exit_code show_resume(const struct session *session)
{
    return turn(session, "resume");
}

// ---- backup ---------------------------------------------------------------------------------------------------------

enum exit_code show_backup(const struct session *session)
{
    const struct timespec pause = {.tv_nsec = BACKUP_LOOK_MS * 1000000L};
    json_t *answer = NULL;
    // deskbelld works elsewhere; a name from here on means a folder here.
    char here[4096], *dir = NULL;
    const char *asked = session->words[0];
    if (*asked == '/' || !getcwd(here, sizeof here))
        dir = strdup(asked);
    else if (asprintf(&dir, "%s/%s", here, asked) < 0)
        dir = NULL;
    if (!dir)
        abort();
    const char *const arguments[] = {dir};
    enum exit_code code = show_ask(session, "backup", arguments, 1, &answer);
    free(dir);
    while (code == EXIT_DONE && !words_yes(answer, "finished")) {
        json_decref(answer);
        nanosleep(&pause, NULL);
        code = show_ask(session, "backup-last", NULL, 0, &answer);
    }
    if (code != EXIT_DONE)
        return code;
    char took[WORDS_BYTES];
    if (!show_json(session, answer))
        printf("backup made in %s (%s)\n", words_text(answer, "dir"),
               words_long(words_number(answer, "ended_ms") - words_number(answer, "begun_ms"), took));
    json_decref(answer);
    return EXIT_DONE;
}

// ---- keys -----------------------------------------------------------------------------------------------------------

enum exit_code show_keys(const struct session *session)
{
    static const char *const heads[] = {"SOURCE", "LAST USED", "FILE", NULL};
    json_t *answer = NULL, *key;
    enum exit_code code = show_ask(session, "keys", NULL, 0, &answer);
    if (code != EXIT_DONE)
        return code;
    if (!show_json(session, answer)) {
        char when[WORDS_BYTES];
        size_t i;
        struct table *table = table_new(heads);
        json_array_foreach(json_object_get(answer, "keys"), i, key)
        {
            int64_t used = words_number(key, "last_used_ms");
            table_add(table, "%s", words_text(key, "source"));
            table_add(table, "%s", used ? words_when(used, when) : "not since the start");
            table_add(table, "%s", words_text(key, "name"));
        }
        table_print(&table, stdout);
        printf("(since %s)\n", words_when(words_number(answer, "since_ms"), when));
    }
    json_decref(answer);
    return EXIT_DONE;
}
