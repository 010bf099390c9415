// SPDX-License-Identifier: Apache-2.0
// One CivetWeb server on a socket that it did not open itself.
//
// CivetWeb's master thread sits in poll() on its listening descriptors, up to two seconds at a time, and calls accept()
// on the number that was readable. It is started on three loopback ports that the kernel chooses. Then dup3 makes those
// numbers refer to something else, which is atomic. The first, the slot, in turn refers to
// - parked: an eventfd that is never raised. Nothing is accepted.
// - open: the inherited socket.
// - closed: the eventfd again. Who connects now stays in the kernel's queue for the next front: nobody is refused,
//   nothing is lost, and nothing has to be waited for.
//
// A poll() that sleeps is woken only by the files it began with, but then asks the files that the numbers refer to now
// (the kernel looks them up again each time). So after opening, the poll() that began on the parked slot must end once.
// The second number is for that: one connection to its port ends the poll(), and when CivetWeb has closed that
// connection, it has ended; then that port is closed too. The third refers to an eventfd, the bell, which is raised to
// end the last poll() when the server stops. Measured: from listener_open to the first answer about 1 ms, against up to
// 2 s if the poll() were left alone.
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

#define BACKLOG           "1024"
#define INHERITED_BACKLOG 4096 // deskbelld's, and the socket units'

struct listener {
    struct listener_options options;
    struct deadlines *deadlines;
    struct mg_context *context;
    int slot,
        second; // CivetWeb's listening descriptors: its numbers, but what they refer to is ours to say; -1: not found
    int park;   // eventfd, never raised
    int bell;   // eventfd
    uint16_t second_port;
    int own_fd;            // our own listening socket where none was inherited, else -1
    _Atomic uint16_t port; // 0 before listener_open
    bool seamless;
    atomic_bool leaving;
    atomic_bool serving; // from when CivetWeb was woken, so that our own connection is not in the numbers
    atomic_long open_connections;
};

#ifdef DESKBELL_SEAMS
bool listener_seam_hide_descriptor;
#endif

static struct listener *listener_of(const struct mg_connection *connection)
{
    return mg_get_user_data(mg_get_context(connection));
}

// False for what came to the loopback ports that CivetWeb was started on, which serve nobody.
static bool is_ours(const struct listener *self, const struct mg_connection *connection)
{
    return mg_get_request_info(connection)->server_port == atomic_load(&self->port);
}

static int on_request(struct mg_connection *connection)
{
    struct listener *self = listener_of(connection);
    struct request request;
    struct deadline here;
    request_name_connection(mg_get_request_info(connection), &here);
    deadlines_excuse(self->deadlines, &here);
    request_begin(&request, connection, self->deadlines, &self->leaving);
    if (is_ours(self, connection))
        self->options.handle(self->options.arg, &request);
    else
        request_refuse(&request, 503, "Retry-After: 5\r\n", "not served here");
    deadlines_end(self->deadlines, &here);
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

// A thread takes a connection. When all have one, others may be waiting: from then on nobody may dawdle.
static int on_connected(const struct mg_connection *connection, void **data)
{
    struct listener *self = listener_of(connection);
    if (!atomic_load(&self->serving))
        return 0;
    long open = atomic_fetch_add(&self->open_connections, 1) + 1;
    if (self->options.counted) {
        metrics_count(METRIC_HTTP_CONNECTIONS);
        metrics_set(GAUGE_HTTP_OPEN, open);
    }
    if (open >= self->options.threads)
        deadlines_press(self->deadlines, atomic_load(&self->port));
    *data = self; // it was counted
    return 0;
}

static void on_disconnect(const struct mg_connection *connection)
{
    struct listener *self = mg_get_user_connection_data(connection);
    if (!self)
        return;
    long open = atomic_fetch_sub(&self->open_connections, 1) - 1;
    if (self->options.counted)
        metrics_set(GAUGE_HTTP_OPEN, open);
    // Not at the first that leaves: the next one may wait already.
    if (open < self->options.threads - self->options.threads / 4)
        deadlines_press(self->deadlines, 0);
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
        .connection_close = on_disconnect,
    };
    self->context = mg_start(&callbacks, self, options);
    // A sender that is gone must cost a failed write, not the process. CivetWeb sets this itself, but in its own
    // threads' time.
    signal(SIGPIPE, SIG_IGN);
    return self->context != NULL;
}

// Finds the descriptors CivetWeb listens on, parks the slot and hangs up the bell.
static void park(struct listener *self)
{
    struct mg_server_port ports[3];
    struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
#ifdef DESKBELL_SEAMS
    if (listener_seam_hide_descriptor)
        return;
#endif
    if (mg_get_server_ports(self->context, 3, ports) != 3)
        return;
    int slot = sockets_find_listener(loopback, (uint16_t)ports[0].port);
    int second = sockets_find_listener(loopback, (uint16_t)ports[1].port);
    int third = sockets_find_listener(loopback, (uint16_t)ports[2].port);
    if (slot < 0 || second < 0 || third < 0)
        return;
    // All are open descriptors of this process: this cannot fail.
    if (dup3(self->park, slot, O_CLOEXEC) != slot || dup3(self->bell, third, O_CLOEXEC) != third)
        abort();
    self->slot = slot;
    self->second = second;
    self->second_port = (uint16_t)ports[1].port;
}

// Ends the poll() that CivetWeb is in, and returns when it has ended.
static void wake(const struct listener *self)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(self->second_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 2};
    char byte;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ||
        connect(fd, (struct sockaddr *)&address, sizeof address) || shutdown(fd, SHUT_WR) || recv(fd, &byte, 1, 0) != 0)
        log_info("http_wake_failed", "listener=%s error=%s", self->options.name,
                 strerror(errno)); // it ends by itself then
    if (fd >= 0)
        close(fd);
}

// Closes the second port. The shutdown also wakes a poll() that began before anything was exchanged.
static void close_second(struct listener *self)
{
    if (self->second < 0)
        return;
    shutdown(self->second, SHUT_RDWR);
    if (dup3(self->park, self->second, O_CLOEXEC) != self->second)
        abort();
    self->second = -1;
}

struct listener *listener_new(const struct listener_options *options, char *why, size_t why_size)
{
    struct listener *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->options = *options;
    self->own_fd = -1;
    self->slot = self->second = -1;
    self->deadlines = deadlines_new();
    self->park = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);
    if (self->park < 0 || self->bell < 0 || mg_init_library(MG_FEATURES_DEFAULT) != MG_FEATURES_DEFAULT ||
        !start(self, "127.0.0.1:0,127.0.0.1:0,127.0.0.1:0")) {
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

// The way without adoption: CivetWeb binds the address itself. It cannot while the inherited socket listens there, so
// that one's listening is ended, for all who hold it; whoever waits in its queue is reset. listen() begins it anew.
static bool open_without_slot(struct listener *self, char *why, size_t why_size)
{
    char host[INET_ADDRSTRLEN], address[INET_ADDRSTRLEN + 8];
    struct sockaddr_in at = self->options.address;
    socklen_t size = sizeof at;
    int inherited = self->options.inherited_fd;
    if (inherited >= 0 &&
        (getsockname(inherited, (struct sockaddr *)&at, &size) != 0 || shutdown(inherited, SHUT_RDWR) != 0))
        log_info("inherited_socket", "listener=%s problem=%s", self->options.name, strerror(errno));
    inet_ntop(AF_INET, &at.sin_addr, host, sizeof host);
    snprintf(address, sizeof address, "%s:%u", host, ntohs(at.sin_port));
    log_warn("restarts_not_seamless", "listener=%s address=%s meaning=%s", self->options.name, address,
             "CivetWeb's descriptor was not found; while a front is replaced, connections are refused");
    struct mg_server_port port;
    if (!start(self, address) || mg_get_server_ports(self->context, 1, &port) != 1) {
        snprintf(why, why_size, "the HTTP server (%s) cannot use %s itself, and its descriptor was not found",
                 self->options.name, address);
        if (inherited >= 0 && listen(inherited, INHERITED_BACKLOG) != 0)
            log_info("inherited_socket", "listener=%s problem=%s", self->options.name, strerror(errno));
        return false;
    }
    atomic_store(&self->port, (uint16_t)port.port);
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
    // A front before us that could not adopt it has ended its listening.
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        (self->options.inherited_fd >= 0 && listen(fd, INHERITED_BACKLOG) != 0)) {
        snprintf(why, why_size, "the inherited socket (%s) is not usable: %s", self->options.name, strerror(errno));
        return false;
    }
    atomic_store(&self->port, sockets_port(fd));
    self->seamless = self->options.inherited_fd >= 0;
    if (dup3(fd, self->slot, O_CLOEXEC) != self->slot)
        abort();
    wake(self);
    atomic_store(&self->serving, true);
    close_second(self);
    return true;
}

void listener_close(struct listener *self)
{
    atomic_store(&self->leaving, true);
    if (self->slot < 0)
        return;
    if (dup3(self->park, self->slot, O_CLOEXEC) != self->slot)
        abort();
    if (self->own_fd >= 0) {
        close(self->own_fd);
        self->own_fd = -1;
    }
}

void listener_hurry(struct listener *self, int least_ms)
{
    deadlines_end_reads(self->deadlines, least_ms);
}

void listener_cut(struct listener *self)
{
    uint16_t port = atomic_load(&self->port);
    if (port)
        deadlines_end_all(self->deadlines, port);
}

size_t listener_connections(const struct listener *self)
{
    uint16_t port = atomic_load(&self->port);
    return port ? sockets_count_connections(port) : 0;
}

uint16_t listener_port(const struct listener *self)
{
    return atomic_load(&self->port);
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
        eventfd_write(listener->bell,
                      1); // ends the last poll(), and all that follow, until CivetWeb sees that it must stop
        close_second(listener);
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
