// SPDX-License-Identifier: Apache-2.0
// Serves HTTP with CivetWeb: reads a request whole, finds its endpoint, lets a fault have its way, and writes the
// answer in one piece. Runs in CivetWeb's threads, one per connection. Promises that work done without an answer is the
// same work as with one.
#include "faults.h"
#include "freshcaller.h"
#include "freshchat.h"
#include "freshdesk.h"
#include "http.h"
#include "pages.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BODY_LIMIT (20u * 1024 * 1024)

struct sb_http {
    struct mg_context *context;
    int late; // threads that do work after their connection is gone
};

struct late_work {
    struct sandbox *sb;
    struct sb_request *request;
    const struct sb_endpoint *endpoint;
    enum sb_product product;
    int64_t ms;
};

static void request_free(struct sb_request *request)
{
    free(request->path);
    free(request->query);
    free(request->target);
    free(request->authorization);
    free(request->api_auth);
    free(request->content_type);
    free(request->accept);
    free(request->host);
    free(request->body);
    free(request->segments_buffer);
    json_decref(request->json);
    free(request);
}

static bool read_body(struct mg_connection *connection, struct sb_request *request)
{
    size_t room = 4096;
    request->body = sb_alloc(room + 1);
    for (;;) {
        int got = mg_read(connection, request->body + request->body_length, room - request->body_length);
        if (got < 0)
            return false;
        if (got == 0)
            break;
        request->body_length += (size_t)got;
        if (request->body_length > BODY_LIMIT)
            return false;
        if (request->body_length == room) {
            room *= 2;
            request->body = realloc(request->body, room + 1);
            if (request->body == NULL)
                abort();
        }
    }
    request->body[request->body_length] = '\0';
    return true;
}

static struct sb_request *read_request(struct mg_connection *connection)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    struct sb_request *request = sb_alloc(sizeof *request);
    char target[2048];
    snprintf(request->method, sizeof request->method, "%s", info->request_method);
    request->path = sb_copy(info->local_uri != NULL ? info->local_uri : "");
    request->query = sb_copy(info->query_string != NULL ? info->query_string : "");
    snprintf(target, sizeof target, "%s%s%s", request->path, request->query[0] != '\0' ? "?" : "", request->query);
    request->target = sb_copy(target);
    request->authorization = sb_copy(mg_get_header(connection, "Authorization"));
    request->api_auth = sb_copy(mg_get_header(connection, "X-Api-Auth"));
    request->content_type = sb_copy(mg_get_header(connection, "Content-Type"));
    request->accept = sb_copy(mg_get_header(connection, "Accept"));
    request->host = sb_copy(mg_get_header(connection, "Host"));
    if (!read_body(connection, request)) {
        request_free(request);
        return NULL;
    }
    request->json = json_loadb(request->body, request->body_length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    return request;
}

static void split_path(struct sb_request *request, size_t base_length)
{
    request->segments_buffer = sb_copy(request->path + base_length);
    char *save = NULL;
    for (char *part = strtok_r(request->segments_buffer, "/", &save); part != NULL; part = strtok_r(NULL, "/", &save)) {
        if (request->segment_count < SB_SEGMENTS)
            request->segments[request->segment_count] = part;
        request->segment_count++;
    }
}

static bool matches(const char *pattern, const struct sb_request *request)
{
    int i = 0;
    for (const char *at = pattern; *at != '\0'; i++) {
        size_t length = strcspn(at, "/");
        if (i >= request->segment_count || i >= SB_SEGMENTS)
            return false;
        const char *segment = request->segments[i];
        if (!(length == 1 && *at == '*') && (strlen(segment) != length || memcmp(segment, at, length) != 0))
            return false;
        at += length;
        at += *at == '/';
    }
    return i == request->segment_count;
}

// Finds the endpoint. *other says that the path exists under another method.
static const struct sb_endpoint *find_endpoint(const struct sb_endpoint *table, const struct sb_request *request,
                                               bool *other)
{
    *other = false;
    for (const struct sb_endpoint *endpoint = table; endpoint->method != NULL; endpoint++) {
        if (!matches(endpoint->pattern, request))
            continue;
        if (strcmp(endpoint->method, request->method) == 0)
            return endpoint;
        *other = true;
    }
    return NULL;
}

// The work of a request, as the product does it. Locks the store.
static void work(struct sandbox *sb, const struct sb_request *request, const struct sb_endpoint *endpoint, bool other,
                 enum sb_product product, struct sb_response *response)
{
    sb_lock(sb);
    if (product == SB_FRESHDESK)
        sb_freshdesk_serve(sb, request, endpoint, other, response);
    else if (product == SB_FRESHCALLER)
        sb_freshcaller_serve(sb, request, endpoint, other, response);
    else
        sb_freshchat_serve(sb, request, endpoint, other, response);
    sb_unlock(sb);
}

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {{200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {302, "Found"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {406, "Not Acceptable"},
                   {409, "Conflict"},
                   {415, "Unsupported Media Type"},
                   {422, "Unprocessable Entity"},
                   {429, "Too Many Requests"},
                   {500, "Internal Server Error"},
                   {502, "Bad Gateway"},
                   {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Status";
}

static void write_response(struct sandbox *sb, struct mg_connection *connection, const struct sb_response *response)
{
    char date[64], head[2048];
    sb_lock(sb);
    time_t now = (time_t)(sb_store_wall_ms(sb) / 1000);
    sb_unlock(sb);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    const char *wanted = mg_get_header(connection, "Connection");
    bool closing = wanted != NULL && strcasecmp(wanted, "close") == 0;
    int length = snprintf(
        head, sizeof head, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Length: %zu\r\nConnection: %s\r\n%s%s%s%s\r\n",
        response->status, reason(response->status), date, response->length, closing ? "close" : "keep-alive",
        response->type != NULL ? "Content-Type: " : "", response->type != NULL ? response->type : "",
        response->type != NULL ? "\r\n" : "", response->headers);
    if (length >= (int)sizeof head)
        abort();
    char *whole = sb_alloc((size_t)length + response->length);
    memcpy(whole, head, (size_t)length);
    if (response->length > 0)
        memcpy(whole + length, response->body, response->length);
    mg_write(connection, whole, (size_t)length + response->length);
    free(whole);
}

static void *late_main(void *argument)
{
    struct late_work *late = argument;
    struct sandbox *sb = late->sb;
    struct sb_response response = {0};
    if (sb_store_pause(sb, late->ms))
        work(sb, late->request, late->endpoint, false, late->product, &response);
    sb_response_clear(&response);
    request_free(late->request);
    free(late);
    sb_lock(sb);
    sb->http->late--;
    sb_store_changed(sb);
    sb_unlock(sb);
    return NULL;
}

// Takes the request over.
static void work_later(struct sandbox *sb, struct sb_request *request, const struct sb_endpoint *endpoint,
                       enum sb_product product, int64_t ms)
{
    struct late_work *late = sb_alloc(sizeof *late);
    *late = (struct late_work){.sb = sb, .request = request, .endpoint = endpoint, .product = product, .ms = ms};
    sb_lock(sb);
    sb->http->late++;
    sb_unlock(sb);
    pthread_t thread;
    SB_NEED(pthread_create(&thread, NULL, late_main, late));
    SB_NEED(pthread_detach(thread));
}

static void html_page(struct sb_response *response)
{
    sb_response_clear(response);
    sb_response_text(
        response, 200, "text/html; charset=utf-8",
        "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in to the portal.</body></html>");
}

static void fault_status(struct sb_response *response, const struct sandbox_fault *fault, enum sb_product product)
{
    sb_response_clear(response);
    response->status = fault->status;
    if (!fault->no_body && product == SB_FRESHCALLER)
        sb_freshcaller_error(response, fault->status, "sandbox_fault", "A fault was asked for");
    else if (!fault->no_body && product == SB_FRESHDESK)
        sb_freshdesk_error(response, fault->status, fault->status == 429 ? "too_many_requests" : "sandbox_fault",
                           "A fault was asked for");
    else if (!fault->no_body)
        sb_freshchat_error(response, fault->status, fault->status == 429 ? "TOO_MANY_REQUESTS" : "SANDBOX_FAULT",
                           "A fault was asked for");
    if (fault->retry_after > 0)
        sb_response_header(response, "Retry-After", "%d", fault->retry_after);
}

// Lets the fault have its way with a request. Returns false when the connection is to be closed without an answer. A
// request that was given away to be worked on later is NULL afterwards.
static bool suffer(struct sandbox *sb, struct sb_request **request, const struct sb_endpoint *endpoint, bool other,
                   enum sb_product product, const struct sandbox_fault *fault, struct sb_response *response)
{
    if (fault->kind == SANDBOX_FAULT_DROP)
        return false;
    if (fault->kind == SANDBOX_FAULT_LATE_WORK) {
        if (endpoint != NULL) {
            work_later(sb, *request, endpoint, product, fault->ms);
            *request = NULL;
        }
        return false;
    }
    if (fault->kind == SANDBOX_FAULT_SLOW && !sb_store_pause(sb, fault->ms))
        return false;
    bool works = fault->after_work || fault->kind == SANDBOX_FAULT_LOST || fault->kind == SANDBOX_FAULT_SLOW ||
                 fault->kind == SANDBOX_FAULT_SLOW_ANSWER;
    if (works)
        work(sb, *request, endpoint, other, product, response);
    switch (fault->kind) {
    case SANDBOX_FAULT_STATUS:
        fault_status(response, fault, product);
        return true;
    case SANDBOX_FAULT_HTML:
        html_page(response);
        return true;
    case SANDBOX_FAULT_HANG:
        sb_store_pause(sb, fault->ms);
        return false;
    case SANDBOX_FAULT_SLOW_ANSWER:
        return sb_store_pause(sb, fault->ms);
    case SANDBOX_FAULT_SLOW:
        return true;
    default:
        return false;
    }
}

static int serve_api(struct sandbox *sb, struct mg_connection *connection, struct sb_request *request,
                     enum sb_product product)
{
    bool other, answered = true;
    struct sb_response response = {0};
    static const struct {
        const char *base;
        const struct sb_endpoint *endpoints;
        int other;
    } products[] = {[SB_FRESHCHAT] = {"/v2", sb_freshchat_endpoints, SANDBOX_FC_OTHER},
                    [SB_FRESHDESK] = {"/api/v2", sb_freshdesk_endpoints, SANDBOX_FD_OTHER},
                    [SB_FRESHCALLER] = {"/api/v1", sb_freshcaller_endpoints, SANDBOX_PHONE_OTHER}};
    split_path(request, strlen(products[product].base));
    const struct sb_endpoint *endpoint = find_endpoint(products[product].endpoints, request, &other);
    int kind = endpoint != NULL ? endpoint->kind : products[product].other;
    struct sandbox_fault fault;
    sb_lock(sb);
    size_t call = sb_store_log_call(sb, request->method, request->target, kind);
    bool faulty = sb_faults_take(sb, kind, product, &fault);
    sb_unlock(sb);
    if (faulty)
        answered = suffer(sb, &request, endpoint, other, product, &fault, &response);
    else
        work(sb, request, endpoint, other, product, &response);
    sb_lock(sb);
    sb->calls[call].status = answered ? response.status : 0;
    sb_store_changed(sb);
    sb_unlock(sb);
    int status = response.status > 0 ? response.status : 200;
    if (answered)
        write_response(sb, connection, &response);
    else
        mg_disable_connection_keep_alive(connection);
    sb_response_clear(&response);
    if (request != NULL)
        request_free(request);
    return status;
}

static int serve_page(struct sandbox *sb, struct mg_connection *connection, struct sb_request *request)
{
    struct sb_response response = {0};
    int status = 200;
    if (strcmp(request->path, "/sandbox/events") == 0) {
        sb_pages_stream(sb, connection);
        mg_disable_connection_keep_alive(connection);
    } else {
        sb_pages_serve(sb, request, &response);
        status = response.status;
        write_response(sb, connection, &response);
        sb_response_clear(&response);
    }
    request_free(request);
    return status;
}

static bool below(const char *path, const char *base)
{
    size_t length = strlen(base);
    return strncmp(path, base, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

// CivetWeb's callback, in a connection's thread. Returning a positive number says that the request is dealt with.
static int begin_request(struct mg_connection *connection)
{
    struct sandbox *sb = mg_get_user_data(mg_get_context(connection));
    struct sb_request *request = read_request(connection);
    if (request == NULL) {
        mg_disable_connection_keep_alive(connection);
        return 400;
    }
    if (below(request->path, "/api/v2"))
        return serve_api(sb, connection, request, SB_FRESHDESK);
    if (below(request->path, "/v2"))
        return serve_api(sb, connection, request, SB_FRESHCHAT);
    if (below(request->path, "/api/v1"))
        return serve_api(sb, connection, request, SB_FRESHCALLER);
    return serve_page(sb, connection, request);
}

static int quiet(const struct mg_connection *connection, const char *message)
{
    (void)connection;
    (void)message;
    return 1;
}

bool sb_http_start(struct sandbox *sb)
{
    char listen[64], threads[16];
    snprintf(listen, sizeof listen, "%s:%d", sb->options.host, sb->options.port);
    snprintf(threads, sizeof threads, "%d", sb->options.threads);
    const char *options[] = {"listening_ports",
                             listen,
                             "num_threads",
                             threads,
                             "enable_keep_alive",
                             "yes",
                             "tcp_nodelay",
                             "1",
                             "listen_backlog",
                             "1024",
                             "connection_queue",
                             "1024",
                             "keep_alive_timeout_ms",
                             "60000",
                             "request_timeout_ms",
                             "120000",
                             NULL};
    struct mg_callbacks callbacks = {.begin_request = begin_request, .log_message = quiet};
    struct mg_server_port port;
    mg_init_library(0);
    sb->http = sb_alloc(sizeof *sb->http);
    sb->http->context = mg_start(&callbacks, sb, options);
    if (sb->http->context == NULL || mg_get_server_ports(sb->http->context, 1, &port) != 1) {
        fprintf(stderr, "sandbox: cannot listen on %s\n", listen);
        return false;
    }
    sb->port = port.port;
    return true;
}

// CivetWeb looks at its stop flag only when a poll of up to two seconds ends. Shutting down every socket of ours, the
// listening one included, ends those polls now; tests start and stop many sandboxes.
static void end_connections(int port)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return;
    for (struct dirent *item = readdir(folder); item != NULL; item = readdir(folder)) {
        int fd = (int)sb_number(item->d_name);
        struct sockaddr_in address;
        socklen_t length = sizeof address;
        if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &length) != 0 || address.sin_family != AF_INET)
            continue;
        if (ntohs(address.sin_port) == port)
            shutdown(fd, SHUT_RDWR);
    }
    closedir(folder);
}

void sb_http_stop(struct sandbox *sb)
{
    if (sb->http == NULL)
        return;
    if (sb->http->context != NULL) {
        end_connections(sb->port);
        mg_stop(sb->http->context);
    }
    sb_lock(sb);
    while (sb->http->late > 0)
        SB_NEED(pthread_cond_wait(&sb->changed, &sb->lock));
    sb_unlock(sb);
    free(sb->http);
    sb->http = NULL;
    mg_exit_library();
}
