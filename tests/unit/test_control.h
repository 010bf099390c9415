// SPDX-License-Identifier: Apache-2.0
// deskbellctl's place, played by a test: asks a dispatcher of test_dispatch.h over its control socket.
#ifndef TESTS_UNIT_TEST_CONTROL_H
#define TESTS_UNIT_TEST_CONTROL_H
#include <jansson.h>

#include "tests/unit/test_dispatch.h"

// Sends these frames (NULL-terminated) and returns the answer's object; *ok is what the reply says.
static inline json_t *ask_frames(struct fixture *f, zframe_t **frames, bool *ok)
{
    char endpoint[PIPES_ENDPOINT_BYTES];
    assert_true(pipes_control_endpoint(f->runtime, endpoint));
    zsock_t *socket = zsock_new(ZMQ_REQ);
    zsock_set_linger(socket, 0);
    zsock_set_rcvtimeo(socket, PATIENCE_MS);
    assert_int_equal(zsock_connect(socket, "%s", endpoint), 0);
    for (size_t i = 0; frames[i]; i++)
        assert_int_equal(zframe_send(&frames[i], socket, frames[i + 1] ? ZFRAME_MORE : 0), 0);
    zframe_t *frame = zframe_recv(socket);
    assert_non_null(frame);
    struct control_reply reply;
    assert_int_equal(record_decode(RECORD_control_reply, zframe_data(frame), zframe_size(frame), &reply, f->arena),
                     RECORD_OK);
    json_t *answer = json_loadb((const char *)reply.json.data, reply.json.size, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_object(answer));
    zframe_destroy(&frame);
    zsock_destroy(&socket);
    *ok = reply.ok;
    return answer;
}

static inline json_t *ask_bytes(struct fixture *f, const void *data, size_t size, bool *ok)
{
    zframe_t *frames[] = {zframe_new(data, size), NULL};
    return ask_frames(f, frames, ok);
}

static inline json_t *ask_words(struct fixture *f, const char *const *words, bool *ok)
{
    struct control_argument arguments[8];
    struct control_request request = {.command = words[0], .arguments = {arguments, 0}};
    while (words[request.arguments.count + 1]) {
        arguments[request.arguments.count].text = words[request.arguments.count + 1];
        request.arguments.count++;
    }
    struct record_buffer bytes;
    assert_true(record_encode(RECORD_control_request, &request, &bytes));
    json_t *answer = ask_bytes(f, bytes.data, bytes.size, ok);
    record_buffer_free(&bytes);
    return answer;
}

// The answer to a command that must be done, or must be refused; release it with json_decref.
static inline json_t *ask_for(struct fixture *f, bool expected, const char *const *words)
{
    bool ok = !expected;
    json_t *answer = ask_words(f, words, &ok);
    if (ok != expected)
        fail_msg("%s: ok=%d, %s", words[0], ok, json_dumps(answer, 0));
    return answer;
}
#define asks(f, ...)    ask_for(f, true, (const char *const[]){__VA_ARGS__, NULL})
#define refused(f, ...) json_decref(ask_for(f, false, (const char *const[]){__VA_ARGS__, NULL}))
#define done(f, ...)    json_decref(ask_for(f, true, (const char *const[]){__VA_ARGS__, NULL}))

static inline json_int_t number_at(const json_t *object, const char *key)
{
    assert_true(json_is_integer(json_object_get(object, key)));
    return json_integer_value(json_object_get(object, key));
}

static inline const char *text_at(const json_t *object, const char *key)
{
    assert_true(json_is_string(json_object_get(object, key)));
    return json_string_value(json_object_get(object, key));
}

static inline bool yes_at(const json_t *object, const char *key)
{
    assert_true(json_is_boolean(json_object_get(object, key)));
    return json_is_true(json_object_get(object, key));
}
#endif
