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

#ifndef DESKBELL_CONFIG
#define DESKBELL_CONFIG "/etc/deskbell/deskbell.conf"
#endif

enum { OPTION_RUNTIME_DIR = 256, OPTION_JSON, OPTION_WATCH, OPTION_CAUSE, OPTION_ALL, OPTION_DRY_RUN };

static const struct option known[] = {
    {"config", required_argument, NULL, 'c'},
    {"runtime-dir", required_argument, NULL, OPTION_RUNTIME_DIR},
    {"json", no_argument, NULL, OPTION_JSON},
    {"watch", no_argument, NULL, OPTION_WATCH},
    {"cause", required_argument, NULL, OPTION_CAUSE},
    {"all", no_argument, NULL, OPTION_ALL},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

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

char *options_runtime_dir(const struct options *options)
{
    char *dir = NULL;
    if (options->runtime_dir) {
        dir = strdup(options->runtime_dir);
        if (!dir)
            abort();
        return dir;
    }
    const char *path = options->config ? options->config : DESKBELL_CONFIG;
    struct config *config = NULL;
    struct config_error error;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "deskbellctl: %s cannot be read: %s\n", path, strerror(errno));
        return NULL;
    }
    if (config_from_fd(fd, path, &config, &error)) {
        dir = strdup(config->runtime_dir);
        if (!dir)
            abort();
    } else {
        char text[1200];
        fprintf(stderr, "deskbellctl: %s\n", config_error_text(&error, text, sizeof text));
    }
    config_free(&config);
    close(fd);
    return dir;
}
