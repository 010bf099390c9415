// SPDX-License-Identifier: Apache-2.0
// One HTTP request: framing, bounded body, answer. Runs in CivetWeb's threads, one request at a time in each.
#include "http-front/intake/request.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/log.h"

#define READ_BYTES 16384
// CivetWeb keeps 64 header lines and drops the rest without a word; a request that has as many cannot be judged.
#define MOST_HEADERS 64
// Closing a socket with unread bytes in it resets the connection, and the reset may overtake the answer. So what the
// sender still pushes is taken and thrown away, up to this much and this long.
#define LINGER_BYTES (4u * 1024 * 1024)
#define LINGER_MS    1000
// An answer is small: only who never reads lets it wait.
#define WRITE_MS 10000

void request_begin(struct request *self, struct mg_connection *connection, struct deadlines *deadlines,
                   const atomic_bool *leaving)
{
    *self = (struct request){
        .connection = connection, .info = mg_get_request_info(connection), .deadlines = deadlines, .leaving = leaving};
    self->body_read = request_header_count(self, "Transfer-Encoding") == 0 && self->info->content_length <= 0;
}

const char *request_path(const struct request *self)
{
    return self->info->local_uri ? self->info->local_uri : "";
}

bool request_is(const struct request *self, const char *method)
{
    return self->info->request_method && !strcmp(self->info->request_method, method);
}

const char *request_header(const struct request *self, const char *name)
{
    return mg_get_header(self->connection, name);
}

size_t request_header_count(const struct request *self, const char *name)
{
    size_t count = 0;
    for (int i = 0; i < self->info->num_headers; i++)
        count += !strcasecmp(self->info->http_headers[i].name, name);
    return count;
}

// Whether a value of Content-Type is `type`, with or without parameters.
static bool is_type(const char *value, const char *type)
{
    if (strncasecmp(value, type, strlen(type)))
        return false;
    value += strlen(type);
    value += strspn(value, " \t");
    return !*value || *value == ';';
}

bool request_is_json(const struct request *self)
{
    const char *type = request_header(self, "Content-Type");
    return type && request_header_count(self, "Content-Type") == 1 && is_type(type, "application/json");
}

bool request_is_encoded(const struct request *self)
{
    const char *encoding = request_header(self, "Content-Encoding");
    return encoding && *encoding && strcasecmp(encoding, "identity") != 0;
}

// Checks what says how long the body is: exactly one of a plain Content-Length and "Transfer-Encoding: chunked".
static enum answer check_framing(const struct request *self, bool *chunked, size_t *length)
{
    size_t lengths = request_header_count(self, "Content-Length");
    size_t encodings = request_header_count(self, "Transfer-Encoding");
    *chunked = encodings > 0;
    *length = 0;
    if (self->info->num_headers >= MOST_HEADERS || lengths + encodings > 1)
        return ANSWER_BAD_FRAMING;
    if (lengths + encodings == 0)
        return ANSWER_LENGTH_REQUIRED;
    if (encodings) {
        bool known = !strcasecmp(request_header(self, "Transfer-Encoding"), "chunked");
        return known && !strcmp(self->info->http_version, "1.1") ? ANSWER_ACCEPTED : ANSWER_BAD_FRAMING;
    }
    const char *text = request_header(self, "Content-Length");
    size_t digits = strspn(text, "0123456789");
    if (!digits || digits > 18 || text[digits + strspn(text + digits, " \t")])
        return ANSWER_BAD_FRAMING;
    *length = (size_t)strtoull(text, NULL, 10);
    return ANSWER_ACCEPTED;
}

void request_name_connection(const struct mg_request_info *info, struct deadline *deadline)
{
    deadline->remote_port = (uint16_t)info->remote_port;
    deadline->local_port = (uint16_t)info->server_port;
    if (inet_pton(AF_INET, info->remote_addr, &deadline->remote) != 1)
        deadline->remote.s_addr = 0;
}

static void watch(struct request *self, struct deadline *deadline, int timeout_ms)
{
    request_name_connection(self->info, deadline);
    deadlines_begin(self->deadlines, deadline, timeout_ms);
}

// Reads until `length` bytes are there, or, when chunked, until the last chunk or more than `max_bytes`.
static enum answer read_watched(struct request *self, bool chunked, size_t length, size_t max_bytes,
                                struct deadline *deadline, uint8_t **body, size_t *used)
{
    size_t room = chunked ? READ_BYTES : length;
    *body = malloc(room + 1);
    if (!*body)
        abort();
    for (*used = 0; chunked || *used < length;) {
        if (chunked && room - *used < READ_BYTES) {
            room *= 2;
            *body = realloc(*body, room + 1);
            if (!*body)
                abort();
        }
        size_t want = room - *used < READ_BYTES ? room - *used : READ_BYTES;
        int got = mg_read(self->connection, *body + *used, want);
        if (atomic_load(&deadline->passed))
            return ANSWER_TIMEOUT;
        if (got < 0 || (got == 0 && !chunked))
            return ANSWER_BAD_BODY;
        *used += (size_t)got;
        if (*used > max_bytes)
            return ANSWER_TOO_LARGE;
        if (chunked && (size_t)got < want)
            break; // the last chunk was read
    }
    self->body_read = true;
    return ANSWER_ACCEPTED;
}

enum answer request_read_body(struct request *self, size_t max_bytes, int timeout_ms, uint8_t **body, size_t *size)
{
    *body = NULL;
    *size = 0;
    bool chunked;
    size_t length;
    enum answer answer = check_framing(self, &chunked, &length);
    if (answer != ANSWER_ACCEPTED) {
        self->body_read = false; // whatever follows on this connection, it is not a request
        return answer;
    }
    if (length > max_bytes)
        return ANSWER_TOO_LARGE;
    const char *expect = request_header(self, "Expect");
    if (expect && !strcasecmp(expect, "100-continue"))
        mg_printf(self->connection, "HTTP/1.1 100 Continue\r\n\r\n");

    struct deadline deadline;
    watch(self, &deadline, timeout_ms);
    answer = read_watched(self, chunked, length, max_bytes, &deadline, body, size);
    deadlines_end(self->deadlines, &deadline);
    self->cut = atomic_load(&deadline.passed);
    if (answer != ANSWER_ACCEPTED) {
        free(*body);
        *body = NULL;
        *size = 0;
    }
    return answer;
}

// Throws away what the sender still pushes, so that it can read the answer.
static void linger(struct request *self)
{
    if (self->cut)
        return;
    struct deadline deadline;
    char *waste = malloc(READ_BYTES);
    if (!waste)
        abort();
    watch(self, &deadline, LINGER_MS);
    for (size_t taken = 0; taken < LINGER_BYTES && !atomic_load(&deadline.passed);) {
        int got = mg_read(self->connection, waste, READ_BYTES);
        if (got <= 0)
            break;
        taken += (size_t)got;
    }
    deadlines_end(self->deadlines, &deadline);
    free(waste);
}

// CivetWeb's own rule, so that what the answer says is what happens.
static bool client_keeps(const struct request *self)
{
    const char *connection = request_header(self, "Connection");
    if (connection)
        return strcasestr(connection, "keep-alive") != NULL;
    return self->info->http_version && !strcmp(self->info->http_version, "1.1");
}

void request_answer(struct request *self, int status, const char *type, const char *extra, const char *text,
                    size_t size)
{
    assert(!self->status);
    self->status = status;
    bool keep =
        self->body_read && !atomic_load(self->leaving) && !deadlines_pressed(self->deadlines) && client_keeps(self);
    if (!keep)
        mg_disable_connection_keep_alive(self->connection);
    char head[1024];
    char id[LOG_REQUEST_BYTES] = "";
    if (self->id)
        log_request_text(self->id, id);
    int length =
        snprintf(head, sizeof head,
                 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
                 "X-Content-Type-Options: nosniff\r\n%s%s%sConnection: %s\r\n%s\r\n",
                 status, mg_get_response_code_text(self->connection, status), type, size,
                 extra && strstr(extra, "Cache-Control:") ? "" : "Cache-Control: no-store\r\n",
                 *id ? "X-Request-Id: " : "", id, *id ? "\r\n" : "", keep ? "keep-alive" : "close", extra ? extra : "");
    assert(length > 0 && (size_t)length < sizeof head);
    if (request_is(self, "HEAD") || status == 304)
        size = 0;
    // One write: two would let the first wait for an ack, or show a torn answer to an impatient client.
    char *whole = malloc((size_t)length + size);
    if (!whole)
        abort();
    memcpy(whole, head, (size_t)length);
    if (size)
        memcpy(whole + length, text, size);
    struct deadline deadline;
    request_name_connection(self->info, &deadline);
    deadlines_begin_write(self->deadlines, &deadline, WRITE_MS);
    int written = mg_write(self->connection, whole, (size_t)length + size);
    deadlines_end(self->deadlines, &deadline);
    free(whole);
    if (written < 0 || atomic_load(&deadline.passed)) {
        mg_disable_connection_keep_alive(self->connection);
        return; // who does not read its answer is not waited for
    }
    if (!self->body_read)
        linger(self);
}

void request_refuse(struct request *self, int status, const char *extra, const char *sentence)
{
    char text[512];
    int length = snprintf(text, sizeof text, "{\"error\":\"%s\"}", sentence);
    assert(length > 0 && (size_t)length < sizeof text);
    request_answer(self, status, "application/json", extra, text, (size_t)length);
}
