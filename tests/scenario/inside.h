// SPDX-License-Identifier: Apache-2.0
// What a scenario is made of; only for scenario*.c and story.c.
#ifndef TESTS_SCENARIO_INSIDE_H
#define TESTS_SCENARIO_INSIDE_H
#include "tests/scenario/scenario.h"

#define INSIDE_PATHS     8
#define INSIDE_CUSTOMERS 256
#define INSIDE_ERRORS    8

struct inside_customer {
    char name[32];
    struct sandbox_customer customer;
};

struct scenario {
    struct scenario_options options;
    struct sandbox *sandbox;
    char folder[32];
    char address[24];
    int port, admin_port;
    int sockets[2];   // with socket_units: listening
    pid_t supervisor; // 0: does not run
    int exit_status;  // of the last one, as waitpid gave it
    bool told;        // the story reached its end
    char *paths[INSIDE_PATHS];
    size_t path_count;
    struct inside_customer customers[INSIDE_CUSTOMERS];
    size_t customer_count;
    const char *errors[INSIDE_ERRORS]; // that are no surprise in the log
    size_t error_count;
};

// The first line of the log with level error that nobody expected, to be freed; NULL: there is none.
char *inside_unexpected_error(const struct scenario *s);

#endif
