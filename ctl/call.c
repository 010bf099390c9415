// SPDX-License-Identifier: Apache-2.0
// A REQ socket for each question: what was not answered in time leaves nothing behind that could be taken for the
// answer of the next one.
#include "ctl/call.h"

#include <czmq.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/pipes.h"
#include "proto/records.h"

enum { ANSWER_MAX_BYTES = 8 * 1024 * 1024, LISTENER_WAIT_MS = 1000 };

int call_knock(const char *runtime_dir)
{
    char endpoint[PIPES_ENDPOINT_BYTES];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!pipes_control_endpoint(runtime_dir, endpoint))
        return ENAMETOOLONG;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", endpoint + strlen("ipc://"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int code = fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return code;
}

// ZeroMQ would wait for a listener as long as for an answer. One front follows another within this time.
static bool somebody_listens(const char *runtime_dir)
{
    int64_t until_ms = clock_mono_ms() + LISTENER_WAIT_MS;
    int code;
    while ((code = call_knock(runtime_dir)) == ENOENT || code == ECONNREFUSED) {
        if (clock_mono_ms() >= until_ms) {
            errno = code;
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    errno = code;
    return code == 0 || code == EAGAIN; // EAGAIN: its queue is full
}

static zframe_t *encode(const char *command, const char *const *arguments, size_t count)
{
    struct control_argument items[8];
    struct control_request request = {.command = command, .arguments = {items, count}};
    struct record_buffer bytes;
    if (count > sizeof items / sizeof *items)
        abort();
    for (size_t i = 0; i < count; i++)
        items[i].text = arguments[i];
    if (!record_encode(RECORD_control_request, &request, &bytes))
        return NULL;
    zframe_t *frame = zframe_new(bytes.data, bytes.size);
    record_buffer_free(&bytes);
    return frame;
}

static enum call_result decode(zframe_t *frame, json_t **answer, char why[CALL_WHY_BYTES])
{
    enum call_result result = CALL_REFUSED;
    struct arena *arena = arena_new();
    struct control_reply reply;
    json_error_t problem;
    json_t *json = NULL;
    enum record_error error =
        record_decode(RECORD_control_reply, zframe_data(frame), zframe_size(frame), &reply, arena);
    if (!error)
        json = json_loadb((const char *)reply.json.data, reply.json.size, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(json)) {
        snprintf(why, CALL_WHY_BYTES, "deskbelld's answer cannot be read; are both of the same version?");
    } else if (!reply.ok) {
        const char *sentence = json_string_value(json_object_get(json, "error"));
        snprintf(why, CALL_WHY_BYTES, "%s", sentence ? sentence : "It was refused.");
    } else {
        *answer = json_incref(json);
        result = CALL_DONE;
    }
    json_decref(json);
    arena_free(&arena);
    return result;
}

static void unreachable(const char *path, char why[CALL_WHY_BYTES])
{
    if (errno == ENOENT || errno == ECONNREFUSED)
        snprintf(why, CALL_WHY_BYTES, "Nobody listens at %s: does deskbelld run?", path);
    else if (access(path, F_OK) == 0 && access(path, R_OK | W_OK) != 0)
        snprintf(why, CALL_WHY_BYTES, "%s may not be used by you: be root, or a member of the group deskbell.", path);
    else if (errno == EACCES)
        snprintf(why, CALL_WHY_BYTES, "The folder of %s is closed to you: be root, or a member of the group deskbell.",
                 path);
    else
        snprintf(why, CALL_WHY_BYTES, "deskbelld does not answer at %s within %d seconds: does it run?", path,
                 CALL_TIMEOUT_MS / 1000);
}

enum call_result call_ask(const char *runtime_dir, const char *command, const char *const *arguments, size_t count,
                          json_t **answer, char why[CALL_WHY_BYTES])
{
    char endpoint[PIPES_ENDPOINT_BYTES];
    *answer = NULL;
    if (!pipes_control_endpoint(runtime_dir, endpoint)) {
        snprintf(why, CALL_WHY_BYTES, "The name of the runtime folder is too long for a socket's.");
        return CALL_UNREACHABLE;
    }
    zframe_t *frame = encode(command, arguments, count);
    if (!frame) {
        snprintf(why, CALL_WHY_BYTES, "An argument is too long, or is not UTF-8.");
        return CALL_REFUSED;
    }
    enum call_result result = CALL_UNREACHABLE;
    if (!somebody_listens(runtime_dir)) {
        unreachable(endpoint + strlen("ipc://"), why);
        zframe_destroy(&frame);
        return result;
    }
    zsock_t *socket = zsock_new(ZMQ_REQ);
    if (!socket)
        abort();
    zsock_set_linger(socket, 0);
    zsock_set_rcvtimeo(socket, CALL_TIMEOUT_MS);
    zsock_set_sndtimeo(socket, CALL_TIMEOUT_MS);
    zsock_set_maxmsgsize(socket, ANSWER_MAX_BYTES);
    if (zsock_connect(socket, "%s", endpoint) == 0 && zframe_send(&frame, socket, 0) == 0)
        frame = zframe_recv(socket);
    if (frame)
        result = decode(frame, answer, why);
    else
        unreachable(endpoint + strlen("ipc://"), why);
    zframe_destroy(&frame);
    zsock_destroy(&socket);
    return result;
}
