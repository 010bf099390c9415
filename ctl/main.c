// SPDX-License-Identifier: Apache-2.0
// deskbellctl: what operators ask deskbelld and tell it to do, over its control socket. A short-lived program. Only
// doctor and provision read keys, to try them; every other command opens no file but the configuration.
#include <czmq.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/show.h"
#include "proto/log.h"

struct command {
    const char *name, *second; // second word, or NULL
    size_t least, most;        // words behind it
    unsigned takes;            // options beside the common ones
    show_fn *run;
    const char *about, *help;
};

static const struct command commands[] = {
    {"status", NULL, 0, 0, TAKES_WATCH, show_status, "[--watch]", "processes, lanes, gates, latency, dead letters"},
    {"trace", NULL, 1, 1, 0, show_trace, "CONVERSATION|TICKET", "a conversation's life over both systems"},
    {"dead", "list", 0, 0, 0, show_dead_list, "", "what was given up on, by cause"},
    {"dead", "show", 1, 1, 0, show_dead_show, "LETTER", "one dead letter, without any text"},
    {"dead", "retry", 0, 1, TAKES_CAUSE | TAKES_ALL | TAKES_DRY_RUN, show_dead_retry,
     "LETTER|--cause TEXT|--all [--dry-run]", "send again; TEXT: any part of the cause"},
    {"dead", "drop", 0, 1, TAKES_CAUSE | TAKES_ALL | TAKES_DRY_RUN, show_dead_drop,
     "LETTER|--cause TEXT|--all [--dry-run]", "forget"},
    {"pause", NULL, 1, 1, 0, show_pause, "chat-to-desk|desk-to-chat", "accept and hold, over restarts too"},
    {"resume", NULL, 1, 1, 0, show_resume, "chat-to-desk|desk-to-chat", "deliver what was held"},
    {"backup", NULL, 1, 1, 0, show_backup, "DIR", "a whole copy of the ledger, while it runs, in the new folder DIR"},
    {"forget", NULL, 1, 1, TAKES_DRY_RUN, show_forget, "CUSTOMER [--dry-run]",
     "erase a person: Freshchat user id, e-mail or phone"},
    {"keys", NULL, 0, 0, 0, show_keys, "", "which webhook key and token was last used when"},
    {"doctor", NULL, 0, 0, READS_CONFIG | TAKES_PUBLIC_URL | TAKES_KEY_FILE, show_doctor,
     "[--public-url URL] [--key-file FILE]",
     "looks at configuration, keys, accounts, addresses and this machine; says what to do"},
    {"provision", NULL, 0, 0, READS_CONFIG | TAKES_PUBLIC_URL | TAKES_KEY_FILE | TAKES_DRY_RUN, show_provision,
     "[--dry-run] [--key-file FILE] [--public-url URL]",
     "makes the ticket fields and the reply rule in Freshdesk, with an administrator's key"},
};

static void usage(FILE *out)
{
    fputs("usage: deskbellctl [-c FILE | --runtime-dir DIR] [--json] COMMAND ...\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct command *c = &commands[i];
        fprintf(out, "  %s%s%s %s\n        %s\n", c->name, c->second ? " " : "", c->second ? c->second : "", c->about,
                c->help);
    }
    fputs("\n"
          "  -c, --config FILE   the configuration that names the runtime folder\n"
          "                      (default: /etc/deskbell/deskbell.conf)\n"
          "  --runtime-dir DIR   the runtime folder itself, for all but doctor and provision\n"
          "  --public-url URL    where Freshworks reaches the proxy: https://chat.example.com\n"
          "  --key-file FILE     the API key of a Freshdesk administrator; read once, stored nowhere\n"
          "  --json              the answer as JSON, on one line\n"
          "  -h, --help          this\n"
          "  -V, --version       the version\n"
          "\n"
          "Exit codes: 0 done, 1 failed or refused (of doctor: something failed), 2 wrong usage, 3 bad configuration,\n"
          "4 deskbelld did not answer within five seconds.\n",
          out);
}

static const struct command *find(const struct options *options, size_t *used)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct command *c = &commands[i];
        *used = c->second ? 2 : 1;
        if (options->count >= *used && strcmp(options->words[0], c->name) == 0 &&
            (!c->second || strcmp(options->words[1], c->second) == 0))
            return c;
    }
    return NULL;
}

static enum exit_code run(const struct options *options)
{
    size_t used = 0;
    const struct command *command = find(options, &used);
    if (!command) {
        if (options->count)
            fprintf(stderr, "deskbellctl: no such command: %s\n", options->words[0]);
        usage(stderr);
        return EXIT_USAGE;
    }
    size_t words = options->count - used;
    if (words < command->least || words > command->most || (options->given & ~command->takes)) {
        fprintf(stderr, "usage: deskbellctl %s%s%s %s\n", command->name, command->second ? " " : "",
                command->second ? command->second : "", command->about);
        return EXIT_USAGE;
    }
    bool reads_config = command->takes & READS_CONFIG;
    char *runtime_dir = reads_config ? NULL : options_runtime_dir(options);
    if (!runtime_dir && !reads_config)
        return EXIT_CONFIG;
    struct session session = {options, runtime_dir, options->words + used, words};
    enum exit_code code = command->run(&session);
    free(runtime_dir);
    return code;
}

int main(int argc, char **argv)
{
    struct options options;
    log_init("deskbellctl", LOG_LEVEL_ERROR);
    if (!options_read(&options, argc, argv)) {
        fputs("Try deskbellctl --help.\n", stderr);
        return EXIT_USAGE;
    }
    if (options.help) {
        usage(stdout);
        return EXIT_DONE;
    }
    if (options.version) {
        puts("deskbellctl " DESKBELL_VERSION);
        return EXIT_DONE;
    }
    signal(SIGPIPE, SIG_IGN); // a reader that leaves ends --watch, not a write half done
    zsys_init();
    zsys_handler_set(NULL); // ^C ends a client at once
    enum exit_code code = run(&options);
    if (fflush(stdout) != 0 && code == EXIT_DONE)
        code = EXIT_REFUSED;
    zsys_shutdown();
    return (int)code;
}
