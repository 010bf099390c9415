// SPDX-License-Identifier: Apache-2.0
// One CivetWeb server on a socket that it did not open itself.
//
// CivetWeb's master thread sits in poll() on its listening descriptors, up to two seconds at a time, and calls accept()
// on the number that was readable. It is started on two loopback ports that the kernel chooses; then those numbers are
// made to refer to something else. The first, the slot, in turn to
//
//   parked   an eventfd that is not raised: poll() sleeps, nothing is accepted. The socket it replaces is shut down
//   first,
//            which ends the poll() that is on it.
//   open     the inherited socket. Raising the eventfd ends the poll() on it at once.
//   closed   the eventfd again, at 0. The poll() on the inherited socket may go on for up to two seconds, or until
//   someone
//            connects; accept() then meets an eventfd and fails, and the connection stays in the kernel's queue for the
//            next front. So nobody is refused and nothing is lost, and nothing has to be waited for.
//
// The second refers to an eventfd of its own, the bell, which is raised once, to end the last poll() when the server
// stops. dup3 exchanges the file atomically, and a poll() keeps the files it sleeps on, so no moment is unsafe.
// Measured: from listener_open to the first answer 0.6 to 0.8 ms, against up to 2 s for waiting until the poll() ends
// by itself.
#include "http-front/intake/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http-front/admin/metrics.h"
#include "http-front/intake/sockets.h"
#include "proto/log.h"

#define BACKLOG "1024"

struct listener {
    struct listener_options options;
    struct deadlines *deadlines;
    struct mg_context *context;
    int slot;   // CivetWeb's listening descriptor: its number, but what it refers to is ours to say; -1: not found
    int park;   // eventfd
    int bell;   // eventfd
    int own_fd; // our own listening socket where none was inherited, else -1
    uint16_t port;
    bool seamless;
    atomic_bool serving, leaving;
    atomic_long open_connections;
};

#ifdef DESKBELL_SEAMS
bool listener_seam_hide_descriptor;
#endif

static struct listener *listener_of(const struct mg_connection *connection)
{
    return mg_get_user_data(mg_get_context(connection));
}

static int on_request(struct mg_connection *connection)
{
    struct listener *self = listener_of(connection);
    struct request request;
    request_begin(&request, connection, self->deadlines, &self->leaving);
    if (atomic_load(&self->serving))
        self->options.handle(self->options.arg, &request);
    else
        request_refuse(&request, 503, "Retry-After: 5\r\n", "starting");
    return request.status ? request.status : 500;
}

// Requests that CivetWeb itself could not make sense of. It closes the connection after this.
static int on_error(struct mg_connection *connection, int status, const char *message)
{
    (void)message;
    char text[256];
    const char *words = mg_get_response_code_text(connection, status);
    int size = snprintf(text, sizeof text, "{\"error\":\"%s\"}", words);
    mg_printf(connection,
              "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nCache-Control: no-store\r\n"
              "Connection: close\r\n\r\n%s",
              status, words, size, text);
    mg_disable_connection_keep_alive((struct mg_connection *)connection);
    metrics_count(METRIC_HTTP_MALFORMED);
    return 0;
}

static int on_log(const struct mg_connection *connection, const char *message)
{
    (void)connection;
    log_debug("civetweb", "text=%s", message);
    return 1;
}

static int on_connected(const struct mg_connection *connection, void **data)
{
    (void)data;
    struct listener *self = listener_of(connection);
    if (self->options.counted) {
        metrics_count(METRIC_HTTP_CONNECTIONS);
        metrics_set(GAUGE_HTTP_OPEN, atomic_fetch_add(&self->open_connections, 1) + 1);
    }
    return 0;
}

static void on_disconnected(const struct mg_connection *connection)
{
    struct listener *self = listener_of(connection);
    if (self->options.counted)
        metrics_set(GAUGE_HTTP_OPEN, atomic_fetch_sub(&self->open_connections, 1) - 1);
}

// Starts CivetWeb on an address. No document root: it has no files to serve, and every request goes to on_request.
static bool start(struct listener *self, const char *address)
{
    char threads[16], request_timeout[16], keep_alive[16];
    snprintf(threads, sizeof threads, "%d", self->options.threads);
    snprintf(request_timeout, sizeof request_timeout, "%d", self->options.request_timeout_ms);
    snprintf(keep_alive, sizeof keep_alive, "%d", self->options.keep_alive_ms);
    const char *options[] = {"listening_ports",
                             address,
                             "num_threads",
                             threads,
                             "listen_backlog",
                             BACKLOG,
                             "connection_queue",
                             "32", //
                             "enable_keep_alive",
                             "yes",
                             "keep_alive_timeout_ms",
                             keep_alive,
                             "request_timeout_ms",
                             request_timeout, //
                             "tcp_nodelay",
                             "1",
                             "decode_url",
                             "no",
                             "decode_query_string",
                             "no",
                             "max_request_size",
                             "32768", //
                             "enable_directory_listing",
                             "no",
                             "allow_sendfile_call",
                             "no",
                             NULL};
    struct mg_callbacks callbacks = {
        .begin_request = on_request,
        .http_error = on_error,
        .log_message = on_log,
        .init_connection = on_connected,
        .connection_closed = on_disconnected,
    };
    self->context = mg_start(&callbacks, self, options);
    // A sender that is gone must cost a failed write, not the process. CivetWeb sets this itself, but in its own
    // threads' time.
    signal(SIGPIPE, SIG_IGN);
    return self->context != NULL;
}

// Makes CivetWeb's descriptor for that port refer to `file`. Returns its number, or -1 when it is not found.
static int exchange(uint16_t port, int file)
{
    struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    int slot = sockets_find_listener(loopback, port);
    if (slot < 0)
        return -1;
    shutdown(slot, SHUT_RDWR);
    if (dup3(file, slot, O_CLOEXEC) != slot)
        abort(); // both are open descriptors of ours
    return slot;
}

// Finds the descriptors CivetWeb listens on and parks them.
static void park(struct listener *self)
{
    struct mg_server_port ports[2];
    self->slot = -1;
#ifdef DESKBELL_SEAMS
    if (listener_seam_hide_descriptor)
        return;
#endif
    if (mg_get_server_ports(self->context, 2, ports) == 2 && exchange((uint16_t)ports[1].port, self->bell) >= 0)
        self->slot = exchange((uint16_t)ports[0].port, self->park);
}

struct listener *listener_new(const struct listener_options *options, char *why, size_t why_size)
{
    struct listener *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->options = *options;
    self->own_fd = -1;
    self->slot = -1;
    self->deadlines = deadlines_new();
    self->park = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);
    if (self->park < 0 || self->bell < 0 || mg_init_library(MG_FEATURES_DEFAULT) != MG_FEATURES_DEFAULT ||
        !start(self, "127.0.0.1:0,127.0.0.1:0")) {
        snprintf(why, why_size, "the HTTP server (%s) does not start: %s", options->name, strerror(errno));
        listener_free(&self);
        return NULL;
    }
    park(self);
    if (self->slot < 0) {
        mg_stop(self->context);
        self->context = NULL;
    }
    return self;
}

static int bind_address(const struct sockaddr_in *address)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) &&
        !bind(fd, (const struct sockaddr *)address, sizeof *address) && !listen(fd, atoi(BACKLOG)))
        return fd;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

// The way without adoption: CivetWeb binds the address itself. It cannot while an inherited socket holds it.
static bool open_without_slot(struct listener *self, char *why, size_t why_size)
{
    char host[INET_ADDRSTRLEN], address[INET_ADDRSTRLEN + 8];
    inet_ntop(AF_INET, &self->options.address.sin_addr, host, sizeof host);
    snprintf(address, sizeof address, "%s:%u", host, ntohs(self->options.address.sin_port));
    log_warn("restarts_not_seamless", "listener=%s address=%s", self->options.name, address);
    struct mg_server_port port;
    if (!start(self, address) || mg_get_server_ports(self->context, 1, &port) != 1) {
        snprintf(why, why_size, "the HTTP server (%s) cannot use %s itself, and its descriptor was not found",
                 self->options.name, address);
        return false;
    }
    self->port = (uint16_t)port.port;
    atomic_store(&self->serving, true);
    return true;
}

bool listener_open(struct listener *self, char *why, size_t why_size)
{
    if (self->slot < 0)
        return open_without_slot(self, why, why_size);
    int fd = self->options.inherited_fd;
    if (fd < 0) {
        self->own_fd = fd = bind_address(&self->options.address);
        if (fd < 0) {
            snprintf(why, why_size, "cannot listen (%s): %s", self->options.name, strerror(errno));
            return false;
        }
    }
    // With a blocking socket, two fronts that wake for one connection would leave one of them stuck in accept().
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        snprintf(why, why_size, "the inherited socket (%s) is not usable: %s", self->options.name, strerror(errno));
        return false;
    }
    self->port = sockets_port(fd);
    self->seamless = self->options.inherited_fd >= 0;
    atomic_store(&self->serving, true);
    if (dup3(fd, self->slot, O_CLOEXEC) != self->slot || eventfd_write(self->park, 1))
        abort();
    return true;
}

void listener_close(struct listener *self)
{
    eventfd_t value;
    atomic_store(&self->leaving, true);
    if (self->slot < 0)
        return;
    eventfd_read(self->park, &value); // back to 0; it fails when it is 0 already
    if (dup3(self->park, self->slot, O_CLOEXEC) != self->slot)
        abort();
    if (self->own_fd >= 0) {
        close(self->own_fd);
        self->own_fd = -1;
    }
}

size_t listener_connections(const struct listener *self)
{
    return self->port ? sockets_count_connections(self->port) : 0;
}

uint16_t listener_port(const struct listener *self)
{
    return self->port;
}

bool listener_seamless(const struct listener *self)
{
    return self->seamless;
}

void listener_free(struct listener **self)
{
    struct listener *listener = *self;
    if (!listener)
        return;
    if (listener->context) {
        listener_close(listener);
        eventfd_write(listener->bell, 1); // ends the poll() of the master thread, which then sees that it must stop
        mg_stop(listener->context);
    }
    if (listener->park >= 0)
        close(listener->park);
    if (listener->bell >= 0)
        close(listener->bell);
    deadlines_free(&listener->deadlines);
    mg_exit_library();
    free(listener);
    *self = NULL;
}
