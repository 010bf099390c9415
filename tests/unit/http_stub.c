// SPDX-License-Identifier: Apache-2.0
// The raw test server: one thread, poll, no library, so that nothing tidies up what the tests want untidy.
#include "tests/unit/http_stub.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MOST = 256, SEEN_MOST = 4096, BUFFER_BYTES = 1 << 20 };

struct connection {
    int fd;
    int number;
    int requests;
    char *buffer;
    size_t size;
};

struct stub {
    int listener;
    int port;
    int wake_fd; // tells the thread to look at `stop` and `close_idle`
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t closed;
    stub_answer *answer;
    void *context;
    bool stop;
    bool close_idle;
    struct connection connections[CONNECTIONS_MOST];
    size_t open;
    int made;
    char *seen[SEEN_MOST];
    size_t seen_count;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

static void drop(struct stub *self, size_t at, bool reset)
{
    struct connection *connection = &self->connections[at];
    struct linger hard = {1, 0};
    if (reset)
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(connection->fd);
    free(connection->buffer);
    *connection = self->connections[--self->open];
}

// Length of a whole request in the buffer, 0: not whole yet. Sets where the body begins.
static size_t whole(const struct connection *connection, size_t *body_at)
{
    const char *end = memmem(connection->buffer, connection->size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    *body_at = (size_t)(end + 4 - connection->buffer);
    size_t length = 0;
    for (const char *at = connection->buffer; at < end; at++)
        if (strncasecmp(at, "\r\nContent-Length:", 17) == 0)
            length = strtoul(at + 17, NULL, 10);
    return connection->size >= *body_at + length ? *body_at + length : 0;
}

static void remember(struct stub *self, const char *request, size_t size)
{
    pthread_mutex_lock(&self->lock);
    must(self->seen_count < SEEN_MOST, "too many requests");
    self->seen[self->seen_count++] = strndup(request, size);
    pthread_mutex_unlock(&self->lock);
}

// Returns false when the connection is gone.
static bool serve(struct stub *self, size_t at, size_t size, size_t body_at)
{
    struct connection *connection = &self->connections[at];
    remember(self, connection->buffer, size);
    char *head = strndup(connection->buffer, body_at);
    char *line = strndup(connection->buffer, strcspn(connection->buffer, "\r"));
    char *body = strndup(connection->buffer + body_at, size - body_at);
    struct stub_request request = {connection->number, ++connection->requests, line, head, body};
    struct stub_reply reply = {0};
    self->answer(self->context, &request, &reply);
    for (size_t sent = 0; sent < reply.size;) {
        ssize_t bytes = send(connection->fd, reply.bytes + sent, reply.size - sent, MSG_NOSIGNAL);
        if (bytes < 0)
            break; // the client had enough
        sent += (size_t)bytes;
    }
    free(reply.bytes);
    free(head);
    free(line);
    free(body);
    connection->size -= size;
    memmove(connection->buffer, connection->buffer + size, connection->size);
    if (reply.close || reply.reset)
        drop(self, at, reply.reset);
    return !reply.close && !reply.reset;
}

static void on_bytes(struct stub *self, size_t at)
{
    struct connection *connection = &self->connections[at];
    ssize_t bytes = recv(connection->fd, connection->buffer + connection->size, BUFFER_BYTES - 1 - connection->size, 0);
    if (bytes <= 0) {
        drop(self, at, false);
        return;
    }
    connection->size += (size_t)bytes;
    size_t body_at = 0;
    for (size_t size = whole(connection, &body_at); size > 0; size = whole(connection, &body_at))
        if (!serve(self, at, size, body_at))
            return;
}

static void on_newcomer(struct stub *self)
{
    int fd = accept(self->listener, NULL, NULL);
    if (fd < 0)
        return;
    must(self->open < CONNECTIONS_MOST, "too many connections");
    pthread_mutex_lock(&self->lock);
    struct connection *connection = &self->connections[self->open++];
    *connection = (struct connection){.fd = fd, .number = ++self->made, .buffer = calloc(1, BUFFER_BYTES)};
    pthread_mutex_unlock(&self->lock);
}

// What another thread asked for. False: stop.
static bool obey(struct stub *self)
{
    eventfd_t count;
    must(eventfd_read(self->wake_fd, &count) == 0, "eventfd");
    pthread_mutex_lock(&self->lock);
    bool stop = self->stop;
    while ((stop || self->close_idle) && self->open > 0)
        drop(self, 0, false);
    self->close_idle = false;
    pthread_cond_broadcast(&self->closed);
    pthread_mutex_unlock(&self->lock);
    return !stop;
}

static void *run(void *context)
{
    struct stub *self = context;
    for (bool on = true; on;) {
        struct pollfd set[CONNECTIONS_MOST + 2] = {{self->listener, POLLIN, 0}, {self->wake_fd, POLLIN, 0}};
        size_t count = self->open;
        for (size_t i = 0; i < count; i++)
            set[i + 2] = (struct pollfd){self->connections[i].fd, POLLIN, 0};
        if (poll(set, count + 2, -1) < 0)
            continue;
        for (size_t i = count; i-- > 0;) // from the end: dropping moves the last one into the gap
            if (set[i + 2].revents)
                on_bytes(self, i);
        if (set[0].revents)
            on_newcomer(self);
        if (set[1].revents)
            on = obey(self);
    }
    return NULL;
}

struct stub *stub_new(stub_answer *answer, void *context)
{
    struct stub *self = calloc(1, sizeof *self);
    must(self != NULL, "calloc");
    self->answer = answer;
    self->context = context;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->closed, NULL);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(self->listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(self->listener, 128) == 0, "listen");
    must(getsockname(self->listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
    self->port = ntohs(address.sin_port);
    self->wake_fd = eventfd(0, EFD_CLOEXEC);
    must(pthread_create(&self->thread, NULL, run, self) == 0, "pthread_create");
    return self;
}

void stub_free(struct stub **self)
{
    struct stub *stub = *self;
    if (!stub)
        return;
    pthread_mutex_lock(&stub->lock);
    stub->stop = true;
    pthread_mutex_unlock(&stub->lock);
    eventfd_write(stub->wake_fd, 1);
    pthread_join(stub->thread, NULL);
    close(stub->listener);
    close(stub->wake_fd);
    for (size_t i = 0; i < stub->seen_count; i++)
        free(stub->seen[i]);
    pthread_mutex_destroy(&stub->lock);
    pthread_cond_destroy(&stub->closed);
    free(stub);
    *self = NULL;
}

int stub_port(const struct stub *self)
{
    return self->port;
}

int stub_requests(struct stub *self, const char *begins_with)
{
    int count = 0;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->seen_count; i++)
        count += strncmp(self->seen[i], begins_with, strlen(begins_with)) == 0;
    pthread_mutex_unlock(&self->lock);
    return count;
}

int stub_connections(struct stub *self)
{
    pthread_mutex_lock(&self->lock);
    int made = self->made;
    pthread_mutex_unlock(&self->lock);
    return made;
}

char *stub_last(struct stub *self, const char *begins_with)
{
    char *last = NULL;
    pthread_mutex_lock(&self->lock);
    for (size_t i = self->seen_count; i-- > 0 && !last;)
        if (strncmp(self->seen[i], begins_with, strlen(begins_with)) == 0)
            last = strdup(self->seen[i]);
    pthread_mutex_unlock(&self->lock);
    return last;
}

void stub_close_idle(struct stub *self)
{
    pthread_mutex_lock(&self->lock);
    self->close_idle = true;
    eventfd_write(self->wake_fd, 1);
    while (self->close_idle)
        pthread_cond_wait(&self->closed, &self->lock);
    pthread_mutex_unlock(&self->lock);
}

void stub_reply_with(struct stub_reply *reply, const char *status, const char *headers, const char *body)
{
    int size =
        asprintf(&reply->bytes, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, strlen(body), body);
    must(size > 0, "asprintf");
    reply->size = (size_t)size;
}
