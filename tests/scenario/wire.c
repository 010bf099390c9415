// SPDX-License-Identifier: Apache-2.0
// See wire.h. Responses are read to the end of their declared length, or to the end of the connection.
#include "tests/scenario/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_BYTES 262144
#define WITHIN_MS    10000

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_for(int fd, short events, long long end)
{
    struct pollfd poller = {.fd = fd, .events = events};
    long long left = end - now_ms();
    return left <= 0 ? 0 : poll(&poller, 1, (int)left);
}

// True when what was read is a whole response: the header and as many bytes as it declares.
static int is_whole(const char *text, size_t length)
{
    const char *end = strstr(text, "\r\n\r\n");
    if (!end)
        return 0;
    const char *declared = strcasestr(text, "\r\ncontent-length:");
    if (!declared || declared > end)
        return 0;
    return length >= (size_t)(end + 4 - text) + strtoul(declared + 17, NULL, 10);
}

int wire_send(const char *address, int port, const void *request, size_t length, char **response)
{
    int status = 0;
    char *text = malloc(ANSWER_BYTES + 1);
    size_t got = 0;
    if (response)
        *response = NULL;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!text || fd < 0)
        abort();
    text[0] = '\0';
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        goto done;

    long long end = now_ms() + WITHIN_MS;
    const char *left = request;
    while (length > 0) {
        // A server that refuses early may close while we still write; its answer is what counts.
        ssize_t sent = wait_for(fd, POLLOUT, end) > 0 ? send(fd, left, length, MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
        if (sent <= 0)
            break;
        left += sent;
        length -= (size_t)sent;
    }
    while (got < ANSWER_BYTES && !is_whole(text, got) && wait_for(fd, POLLIN, end) > 0) {
        ssize_t more = recv(fd, text + got, ANSWER_BYTES - got, 0);
        if (more <= 0)
            break;
        got += (size_t)more;
        text[got] = '\0';
    }
    if (strncmp(text, "HTTP/1.", 7) == 0 && got > 12)
        status = (int)strtol(text + 9, NULL, 10);
done:
    if (response) {
        const char *body = strstr(text, "\r\n\r\n");
        *response = strdup(body ? body + 4 : "");
        if (!*response)
            abort();
    }
    close(fd);
    free(text);
    return status;
}

int wire_get(const char *address, int port, const char *path, char **response)
{
    char request[512];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n\r\n", path,
                          address, port);
    return wire_send(address, port, request, (size_t)length, response);
}

int wire_post(const char *address, int port, const char *path, const char *headers, const void *body, size_t length,
              char **response)
{
    char *request = malloc(length + strlen(headers) + strlen(path) + 256);
    if (!request)
        abort();
    int head = sprintf(request, "POST %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n",
                       path, address, port, headers, length);
    if (length > 0)
        memcpy(request + head, body, length);
    int status = wire_send(address, port, request, (size_t)head + length, response);
    free(request);
    return status;
}
