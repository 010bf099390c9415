// SPDX-License-Identifier: Apache-2.0
// A raw HTTP/1.1 server for unit tests: it reads whole requests on loopback and does with the connection exactly what
// the test says, which real servers would not. One thread of its own; what it counted may be asked from any thread.
#ifndef TESTS_UNIT_HTTP_STUB_H
#define TESTS_UNIT_HTTP_STUB_H
#include <stdbool.h>
#include <stddef.h>

struct stub_request {
    int connection;   // from 1
    int nth;          // of this connection, from 1
    const char *line; // "POST /tickets HTTP/1.1"
    const char *head; // request line and headers, NUL-terminated
    const char *body;
};

// What the stub does next. `bytes` NULL and `close` false: it never answers. Freed with free() by the stub.
struct stub_reply {
    char *bytes;
    size_t size;
    bool close; // after the bytes
    bool reset; // with RST instead of FIN
};

typedef void stub_answer(void *context, const struct stub_request *request, struct stub_reply *reply);

struct stub;

/** Listens on a free port of 127.0.0.1 and answers with `answer`, called in the stub's thread. */
struct stub *stub_new(stub_answer *answer, void *context);
void stub_free(struct stub **self);
int stub_port(const struct stub *self);

/** How many whole requests began with that ("POST /tickets"), and how many connections were made. */
int stub_requests(struct stub *self, const char *begins_with);
int stub_connections(struct stub *self);

/** The head (and body) of the last request that began with that; to be freed with free(). NULL: none. */
char *stub_last(struct stub *self, const char *begins_with);

/** Closes all connections that are open now, as an idle timeout would. Returns when it is done. */
void stub_close_idle(struct stub *self);

/** Fills a reply with a status line, headers ("Name: value\r\n" each, may be "") and a body with its Content-Length. */
void stub_reply_with(struct stub_reply *reply, const char *status, const char *headers, const char *body);
#endif
