// SPDX-License-Identifier: Apache-2.0
// The command line of deskbellctl, and what its commands share.
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H
#include <stdbool.h>
#include <stddef.h>

// The configuration that is read where none is named: the packages'.
#ifndef DESKBELL_CONFIG
#define DESKBELL_CONFIG "/etc/deskbell/deskbell.conf"
#endif

enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3,
    EXIT_UNREACHABLE = 4,
};

// Options that some commands take; bits, for the table of commands.
enum {
    TAKES_WATCH = 1,
    TAKES_CAUSE = 2,
    TAKES_ALL = 4,
    TAKES_DRY_RUN = 8,
    TAKES_PUBLIC_URL = 16,
    TAKES_KEY_FILE = 32,
    READS_CONFIG = 64, // no option: the command reads the configuration itself, and tells what is wrong with it
};

enum { OPTIONS_MOST_WORDS = 8 };

struct options {
    const char *config;      // NULL: the installed one
    const char *runtime_dir; // NULL: as the configuration says
    const char *cause;
    const char *public_url; // where the proxy is reached, without a slash at the end; checked
    const char *key_file;
    bool json, help, version;
    unsigned given;                        // bits of TAKES_*
    const char *words[OPTIONS_MOST_WORDS]; // the command and what it is about
    size_t count;
};

/** Reads the command line; options may stand anywhere. False when it is wrong (said on stderr). */
bool options_read(struct options *options, int argc, char **argv);

struct config;
struct config_error;

/** Reads the configuration, to be freed with config_free. False with *error filled. */
bool options_read_config(const struct options *options, struct config **config, struct config_error *error);

/** The runtime folder to use, to be freed; NULL when the configuration is to blame (said on stderr). */
char *options_runtime_dir(const struct options *options);
#endif
