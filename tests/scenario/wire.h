// SPDX-License-Identifier: Apache-2.0
// A small HTTP client that sends exactly the bytes it is given, for requests that no proper client would send.
#ifndef TESTS_SCENARIO_WIRE_H
#define TESTS_SCENARIO_WIRE_H
#include <stddef.h>

// Sends a whole request and reads one response, ten seconds at most. Returns the status; 0 when there was no connection
// or no status line. *response (may be NULL) is the body, NUL-terminated, to be freed; "" when there is none.
int wire_send(const char *address, int port, const void *request, size_t length, char **response);

// GET with Connection: close. Returns as wire_send.
int wire_get(const char *address, int port, const char *path, char **response);

// POST with these further header lines ("Name: value\r\n", may be ""). Returns as wire_send.
int wire_post(const char *address, int port, const char *path, const char *headers, const void *body, size_t length,
              char **response);

#endif
