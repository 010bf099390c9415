// SPDX-License-Identifier: Apache-2.0
// Reading the command line and, for the runtime folder, the configuration.
#include "ctl/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/config.h"
#include "proto/config_table.h"

enum {
    OPTION_RUNTIME_DIR = 256,
    OPTION_JSON,
    OPTION_WATCH,
    OPTION_CAUSE,
    OPTION_ALL,
    OPTION_DRY_RUN,
    OPTION_PUBLIC_URL,
    OPTION_KEY_FILE
};

static const struct option known[] = {
    {"config", required_argument, NULL, 'c'},
    {"runtime-dir", required_argument, NULL, OPTION_RUNTIME_DIR},
    {"json", no_argument, NULL, OPTION_JSON},
    {"watch", no_argument, NULL, OPTION_WATCH},
    {"cause", required_argument, NULL, OPTION_CAUSE},
    {"all", no_argument, NULL, OPTION_ALL},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"public-url", required_argument, NULL, OPTION_PUBLIC_URL},
    {"key-file", required_argument, NULL, OPTION_KEY_FILE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

// The same rules as for an address in the configuration.
static bool take_public_url(struct options *options)
{
    static const struct config_key url = {.name = "--public-url", .check = CONFIG_CHECK_URL};
    char room[128];
    const char *wrong = config_check_string(&url, optarg, room, sizeof room);
    if (wrong) {
        fprintf(stderr, "deskbellctl: --public-url %s\n", wrong);
        return false;
    }
    size_t length = strlen(optarg);
    while (length > 0 && optarg[length - 1] == '/')
        optarg[--length] = '\0';
    options->public_url = optarg;
    return true;
}

static bool take(struct options *options, int option)
{
    switch (option) {
    case 'c':
        options->config = optarg;
        return true;
    case 'h':
        options->help = true;
        return true;
    case 'V':
        options->version = true;
        return true;
    case OPTION_RUNTIME_DIR:
        options->runtime_dir = optarg;
        return true;
    case OPTION_JSON:
        options->json = true;
        return true;
    case OPTION_WATCH:
        options->given |= TAKES_WATCH;
        return true;
    case OPTION_CAUSE:
        options->cause = optarg;
        options->given |= TAKES_CAUSE;
        return true;
    case OPTION_ALL:
        options->given |= TAKES_ALL;
        return true;
    case OPTION_DRY_RUN:
        options->given |= TAKES_DRY_RUN;
        return true;
    case OPTION_PUBLIC_URL:
        options->given |= TAKES_PUBLIC_URL;
        return take_public_url(options);
    case OPTION_KEY_FILE:
        options->key_file = optarg;
        options->given |= TAKES_KEY_FILE;
        return true;
    default:
        return false; // getopt_long said what is wrong
    }
}

bool options_read(struct options *options, int argc, char **argv)
{
    int option;
    *options = (struct options){0};
    while ((option = getopt_long(argc, argv, "c:hV", known, NULL)) != -1)
        if (!take(options, option))
            return false;
    for (int i = optind; i < argc; i++) {
        if (options->count == OPTIONS_MOST_WORDS) {
            fputs("deskbellctl: too many arguments\n", stderr);
            return false;
        }
        options->words[options->count++] = argv[i];
    }
    return true;
}

bool options_read_config(const struct options *options, struct config **config, struct config_error *error)
{
    const char *path = options->config ? options->config : DESKBELL_CONFIG;
    *config = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *error = (struct config_error){.line = 0};
        snprintf(error->file, sizeof error->file, "%s", path);
        snprintf(error->message, sizeof error->message, "cannot be read: %s", strerror(errno));
        return false;
    }
    bool ok = config_from_fd(fd, path, config, error);
    close(fd);
    return ok;
}

char *options_runtime_dir(const struct options *options)
{
    char *dir = NULL;
    struct config *config = NULL;
    struct config_error error;
    if (options->runtime_dir) {
        dir = strdup(options->runtime_dir);
        if (!dir)
            abort();
        return dir;
    }
    if (options_read_config(options, &config, &error)) {
        dir = strdup(config->runtime_dir);
        if (!dir)
            abort();
    } else {
        char text[1200];
        fprintf(stderr, "deskbellctl: %s\n", config_error_text(&error, text, sizeof text));
    }
    config_free(&config);
    return dir;
}
