// SPDX-License-Identifier: Apache-2.0
// deskbelld, the supervisor: owns the listening sockets, the configuration, the processes and the instance lock. It has
// no network traffic of its own, no API key and no database.
//
//   deskbelld -c FILE        run in the foreground
//   deskbelld -t [-c FILE]   check the configuration
//   deskbelld --print-sample print the sample configuration
//   deskbelld -V             print the version
//
// Exit codes: 0 asked to leave, 1 could not start, 2 usage, 3 bad configuration (do not retry).
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/config.h"
#include "proto/log.h"
#include "proto/pipes.h"
#include "supervisor/edition.h"
#include "supervisor/supervisor.h"

#define CONFIG_PATH "/etc/deskbell/deskbell.conf"

struct options {
    const char *config_path;
    bool check, version, sample, help;
};

static void print_usage(FILE *out)
{
    fputs("usage: deskbelld [-c FILE]       run in the foreground\n"
          "       deskbelld -t [-c FILE]    check the configuration and say what is wrong\n"
          "       deskbelld --print-sample  print the sample configuration\n"
          "       deskbelld -V | -h         print the version | this\n"
          "FILE is " CONFIG_PATH " unless given.\n",
          out);
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {{"config", required_argument, NULL, 'c'}, {"test", no_argument, NULL, 't'},
                                          {"version", no_argument, NULL, 'V'},      {"help", no_argument, NULL, 'h'},
                                          {"print-sample", no_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
    int c;

    *options = (struct options){.config_path = CONFIG_PATH};
    while ((c = getopt_long(argc, argv, "c:tVh", longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            options->config_path = optarg;
            break;
        case 't':
            options->check = true;
            break;
        case 'V':
            options->version = true;
            break;
        case 'h':
            options->help = true;
            break;
        case 's':
            options->sample = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}

// A missing 0, 1 or 2 would be taken by the next descriptor opened, and a log line would then go into it.
static void open_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static int print_sample(void)
{
    char *sample = config_sample();
    bool written = fputs(sample, stdout) >= 0 && fflush(stdout) == 0;

    free(sample);
    return written ? PIPES_EXIT_ASKED : PIPES_EXIT_FAILED;
}

static int run_or_check(const struct options *options)
{
    struct config *config = NULL;
    struct config_error error;
    char *text = NULL, message[1100];
    size_t len = 0;
    int code = PIPES_EXIT_ASKED;

    if (!edition_read(options->config_path, &config, &text, &len, &error)) {
        fprintf(stderr, "deskbelld: %s\n", config_error_text(&error, message, sizeof message));
        return PIPES_EXIT_CONFIG;
    }
    log_set_level(config->log_level);
    log_set_format(config->log_format);
    if (options->check)
        printf("configuration %s is correct\n", options->config_path);
    else
        code = supervisor_main(&config, options->config_path, text, len);
    free(text);
    config_free(&config);
    return code;
}

int main(int argc, char **argv)
{
    struct options options;

    open_standard_descriptors();
    log_init("deskbelld", LOG_LEVEL_INFO);
    if (!parse_options(argc, argv, &options)) {
        print_usage(stderr);
        return PIPES_EXIT_USAGE;
    }
    if (options.help) {
        print_usage(stdout);
        return PIPES_EXIT_ASKED;
    }
    if (options.version) {
        puts("deskbelld " DESKBELL_VERSION);
        return PIPES_EXIT_ASKED;
    }
    if (options.sample)
        return print_sample();
    return run_or_check(&options);
}
