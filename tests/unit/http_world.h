// SPDX-License-Identifier: Apache-2.0
// The front's HTTP listeners, started for real on loopback, with a committer of the test's own behind them, and a
// client of raw sockets, because most of what is tested here no well-behaved client would send.
#ifndef TESTS_UNIT_HTTP_WORLD_H
#define TESTS_UNIT_HTTP_WORLD_H
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http-front/intake/http.h"

#define TOKEN    "a-long-token-for-tests"
#define MAX_BODY 4096
#define WAIT_MS  8000 // any answer of a test must come within it

// What measures time would measure valgrind's: ./dev test says when it runs the tests under that.
#define NOT_UNDER_VALGRIND()                                                                                           \
    do {                                                                                                               \
        if (getenv("DESKBELL_TEST_SLOW"))                                                                              \
            skip();                                                                                                    \
    } while (0)

// What the next world serves to shoppers.
extern const struct widget *stage_widget;

struct world {
    struct http_options options;
    struct http *http;
    uint16_t port, admin_port;
    // what accept does and saw
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum accept_result result;
    bool hold; // accept blocks while it is set
    int inside, calls;
    char last_key[256];
    uint64_t last_kind, last_ticket;
};

struct answer_read {
    int status; // 0: the connection ended without an answer
    char head[4096];
    char body[262144];
    bool closed; // the connection was closed after it
};

// Fixtures of a whole group: the keys.
int world_load(void **state);
int world_unload(void **state);
// Whether accept keeps its callers waiting.
void hold(struct world *world, bool on);
// Until that many callers wait in accept; fails the test when they do not come.
void wait_inside(struct world *world, int count);
// How often accept was called.
int calls(struct world *world);
// On loopback, at a port of the machine's choosing.
int listening_socket(uint16_t *port);
// Listeners that exist and serve nobody yet; -1 for a descriptor that is not inherited.
struct world *world_stage(int listen_fd, int admin_fd);
// They serve.
void world_open(struct world *world);
// Fixtures of cmocka, *state is the world; the patient one gives a request three seconds instead of one.
int world_new(void **state);
int world_new_patient(void **state);
void world_end(struct world *world);
int world_free(void **state);
// A connection of the caller's.
int dial(uint16_t port);
void send_bytes(int fd, const char *bytes, size_t size);
void send_text(int fd, const char *text);
// Reads one answer: head, then as many bytes as Content-Length says. `head_only` for HEAD. Kept until the next call.
struct answer_read *read_answer(int fd, bool head_only);
// Whether the server has closed that connection, or does when we do.
bool is_closed(int fd);
// Whether the head has that text.
bool says(const struct answer_read *answer, const char *line);
// Sends one raw request on a connection of its own and reads the answer.
struct answer_read *ask(uint16_t port, const char *request);
// As X-FreshChat-Signature; kept until the next call, like what the next three give.
char *signature_of(const char *body, size_t size);
// A message_create of Freshchat.
char *message(const char *id, const char *text);
// A whole signed Freshchat request; extra header lines may be given.
char *signed_request(const char *body, const char *extra);
char *desk_request(const char *headers, const char *body);
// That status, and a body with that text; fails the test otherwise.
void expect(struct answer_read *answer, int status, const char *body);
#endif
