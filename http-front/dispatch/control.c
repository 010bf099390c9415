// SPDX-License-Identifier: Apache-2.0
// The control socket's life: binding, decoding, finding the command, answering. Dispatcher's thread. What does not
// decode is refused and counted like what no command knows; nothing a client sends can end the front.
#include "http-front/dispatch/control.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http-front/dispatch/control_commands.h"
#include "proto/clock.h"
#include "proto/log.h"
#include "proto/pipes.h"

enum { REQUEST_MAX_BYTES = 64 * 1024, LINGER_MS = 200, REQUESTS_AT_ONCE = 16, SOCKET_MODE = 0660, FOLDER_MODE = 0710 };

static const char group_name[] = "deskbell";

struct control {
    zsock_t *socket;
    struct control_call *call; // waits for its batch; NULL: none
    json_t *answer;            // of that call
    struct backup *backup;
};

struct command {
    const char *name;
    size_t least, most; // arguments
    control_fn *run;
};

static const struct command commands[] = {
    {"status", 0, 0, control_status},
    {"trace", 1, 1, control_trace},
    {"dead-list", 0, 0, control_dead_list},
    {"dead-show", 1, 1, control_dead_show},
    {"dead-retry", 4, 4, control_dead_retry},
    {"dead-drop", 4, 4, control_dead_drop},
    {"pause", 1, 1, control_pause},
    {"resume", 1, 1, control_resume},
    {"backup", 1, 1, control_backup},
    {"backup-last", 0, 0, control_backup_last},
    {"keys", 0, 0, control_keys},
    {"forget", 2, 2, control_forget},
    {"forget-last", 0, 0, control_forget_last},
};

json_t *control_refuse(struct control_call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(call->why, sizeof call->why, format, args);
    va_end(args);
    return NULL;
}

bool control_number(const char *text, uint64_t *number)
{
    char *end = NULL;
    if (!*text || strspn(text, "0123456789") != strlen(text))
        return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0;
}

struct backup **control_backup_slot(struct control *self)
{
    return &self->backup;
}

// ---- life -----------------------------------------------------------------------------------------------------------

static gid_t group_id = (gid_t)-1; // none

void control_find_group(void)
{
    const struct group *group = getgrnam(group_name);
    group_id = group ? group->gr_gid : (gid_t)-1;
}

// Lets the group in, where there is one: it may pass the folder and speak to this socket, and to none of the others
// there.
static void open_to_group(const char *runtime_dir, const char *path)
{
    if (group_id == (gid_t)-1)
        return;
    if (chown(path, (uid_t)-1, group_id) != 0 || chown(runtime_dir, (uid_t)-1, group_id) != 0 ||
        chmod(runtime_dir, FOLDER_MODE) != 0)
        log_debug("control_socket_group", "group=%s problem=%s", group_name, strerror(errno));
}

struct control *control_new(const char *runtime_dir, char *why, size_t why_size)
{
    char endpoint[PIPES_ENDPOINT_BYTES];
    if (!pipes_control_endpoint(runtime_dir, endpoint))
        abort(); // config_parse made sure that it fits
    const char *path = endpoint + strlen("ipc://");
    struct control *self = calloc(1, sizeof *self);
    if (!self || !(self->socket = zsock_new(ZMQ_REP)))
        abort();
    zsock_set_maxmsgsize(self->socket, REQUEST_MAX_BYTES);
    zsock_set_linger(self->socket, LINGER_MS); // the last answer before a restart
    zsock_set_sndtimeo(self->socket, 0);
    if (zsock_bind(self->socket, "%s", endpoint) < 0 || chmod(path, SOCKET_MODE) != 0) {
        snprintf(why, why_size, "Cannot listen for deskbellctl at %s: %s.", endpoint, strerror(errno));
        control_free(&self);
        return NULL;
    }
    open_to_group(runtime_dir, path);
    return self;
}

static void call_free(struct control_call **call)
{
    if (!*call)
        return;
    ledger_batch_free(&(*call)->batch);
    arena_free(&(*call)->arena);
    free(*call);
    *call = NULL;
}

void control_free(struct control **self)
{
    struct control *old = *self;
    if (!old)
        return;
    if (old->call && old->call->then)
        old->call->then(NULL, old->call->what, false);
    call_free(&old->call);
    json_decref(old->answer);
    control_backup_free(&old->backup);
    zsock_destroy(&old->socket);
    free(old);
    *self = NULL;
}

void *control_socket(const struct control *self)
{
    return self->socket;
}

// ---- answers --------------------------------------------------------------------------------------------------------

static void send_reply(struct control *self, bool ok, const char *json)
{
    struct control_reply reply = {.ok = ok, .json = {(const uint8_t *)json, strlen(json)}};
    struct record_buffer bytes;
    metrics_count(ok ? METRIC_CONTROL_DONE : METRIC_CONTROL_REFUSED);
    if (!record_encode(RECORD_control_reply, &reply, &bytes)) {
        static const char large[] = "{\"error\":\"The answer is too large; ask for less at once.\"}";
        reply = (struct control_reply){.ok = false, .json = {(const uint8_t *)large, sizeof large - 1}};
        if (!record_encode(RECORD_control_reply, &reply, &bytes))
            abort();
    }
    zframe_t *frame = zframe_new(bytes.data, bytes.size);
    record_buffer_free(&bytes);
    // Whoever asked may be gone: then there is nobody to answer.
    if (zframe_send(&frame, self->socket, ZFRAME_DONTWAIT) != 0)
        zframe_destroy(&frame);
}

static void answer(struct control *self, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    if (!text)
        abort(); // everything in it is valid text: it came from records
    send_reply(self, true, text);
    free(text);
}

static void refuse(struct control *self, const char *why)
{
    json_t *object = json_pack("{s:s}", "error", why);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    send_reply(self, false, text ? text : "{\"error\":\"It was refused.\"}");
    free(text);
    json_decref(object);
}

// ---- requests -------------------------------------------------------------------------------------------------------

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void run(struct dispatcher *self, const struct control_request *request, struct arena *arena)
{
    struct control *control = self->console;
    struct control_call *call = calloc(1, sizeof *call);
    if (!call)
        abort();
    call->arena = arena;
    call->count = request->arguments.count;
    for (size_t i = 0; i < call->count; i++)
        call->arguments[i] = request->arguments.items[i].text;
    const struct command *command = find_command(request->command);
    int64_t begun = clock_mono_ms();
    json_t *object = NULL;
    if (!command)
        snprintf(call->why, sizeof call->why, "This deskbelld does not know the command \"%s\".", request->command);
    else if (call->count < command->least || call->count > command->most)
        snprintf(call->why, sizeof call->why, "The command \"%s\" has other arguments.", request->command);
    else
        object = command->run(self, call);
    log_debug("control_request", "command=%s done=%d ms=%" PRId64, request->command, object != NULL,
              clock_mono_ms() - begun);
    if (object && call->batch) {
        struct token token = {.kind = TOKEN_CONTROL};
        control->call = call;
        control->answer = object;
        struct ledger_batch *batch = call->batch;
        call->batch = NULL;
        record_submit(self, batch, &token, 0, 0);
        return;
    }
    if (object)
        answer(control, object);
    else
        refuse(control, call->why);
    json_decref(object);
    call_free(&call);
}

void control_committed(struct dispatcher *self, bool ok)
{
    struct control *control = self->console;
    struct control_call *call = control->call;
    if (!call)
        abort();
    if (call->then)
        call->then(self, call->what, ok);
    if (ok)
        answer(control, control->answer);
    else
        refuse(control, "The ledger cannot be written, so nothing was changed; deskbelld starts its front anew.");
    json_decref(control->answer);
    control->answer = NULL;
    call_free(&control->call);
}

static void on_request(struct dispatcher *self, zframe_t *frame, bool more)
{
    struct arena *arena = arena_new();
    struct control_request request;
    enum record_error error = RECORD_MALFORMED;
    if (!more)
        error = record_decode(RECORD_control_request, zframe_data(frame), zframe_size(frame), &request, arena);
    if (!error) {
        run(self, &request, arena); // which owns the arena now
        return;
    }
    metrics_count(METRIC_FRAMES_BAD_REQUEST);
    log_warn("control_refused", "problem=%s bytes=%zu", record_error_text(error), zframe_size(frame));
    refuse(self->console, error == RECORD_VERSION ? "deskbellctl is newer than the deskbelld that runs; restart it."
                                                  : "This is not a request that deskbelld can read.");
    arena_free(&arena);
}

void control_read(struct dispatcher *self)
{
    struct control *control = self->console;
    for (int i = 0; i < REQUESTS_AT_ONCE && !control->call; i++) {
        zframe_t *frame = NULL;
        // Not zframe_recv alone: it would wait.
        if (!(zsock_events(control->socket) & ZMQ_POLLIN) || !(frame = zframe_recv(control->socket)))
            return;
        bool more = false;
        while (zsock_rcvmore(control->socket)) {
            zframe_t *rest = zframe_recv(control->socket);
            zframe_destroy(&rest);
            more = true;
        }
        on_request(self, frame, more);
        zframe_destroy(&frame);
    }
}
