// SPDX-License-Identifier: Apache-2.0
// `deskbellctl pause|resume|backup|keys`. Dispatcher's thread, but for the copying of a backup, which has one of its
// own. A pause holds one direction: everything is accepted and kept, nothing of that side is handed out; what is out
// already comes to its end. It is a row in the ledger, so it outlives every restart.
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/dispatch/control_commands.h"
#include "http-front/ledger/ledger_settings.h"
#include "proto/clock.h"
#include "proto/log.h"

static const char *const pause_settings[SIDES] = {
    [SIDE_DESK] = "paused-chat-to-desk", [SIDE_CHAT] = "paused-desk-to-chat"};

// ---- pause and resume -----------------------------------------------------------------------------------------------

static void begin_pause(struct dispatcher *self, int side)
{
    self->paused[side] = true;
    self->paused_mono_ms[side] =
        (uint64_t)clock_mono_ms(); // sides that wait for a gate are put aside when their turn comes
}

// The time of the pause does not count: not as age that gives up, not as waiting for a ticket, not as latency.
static void end_pause(struct dispatcher *self, int which)
{
    uint64_t now = (uint64_t)clock_mono_ms();
    self->paused[which] = false;
    for (struct conversation *c = zhashx_first(self->conversations); c; c = zhashx_next(self->conversations)) {
        struct side *side = &c->sides[which];
        for (struct item *item = side->head; item; item = item->next) {
            uint64_t since = self->paused_mono_ms[which];
            if (item->arrived_mono_ms > since)
                since = item->arrived_mono_ms;
            item->arrived_mono_ms += now > since ? now - since : 0;
            item->stage_mono_ms = now;
            if (item->kind == EVENT_POLL_CHAT)
                marks_note(self, c, item);
        }
        schedule_consider(self, side);
    }
}

bool control_recall(struct dispatcher *self)
{
    bool restored = self->backup_ms && !self->resumed_mono_ms;
    for (int side = 0; side < SIDES; side++) {
        uint64_t since_ms = 0;
        if (ledger_setting(self->options.ledger, pause_settings[side], &since_ms) == LEDGER_ERROR)
            return false;
        if (!since_ms && !restored)
            continue;
        begin_pause(self, side);
        log_warn("paused", "direction=%s restored=%d", control_direction(side), restored);
    }
    return true;
}

struct turn {
    int side;
    bool pause;
};

static void take_turn(struct dispatcher *self, void *what, bool ok)
{
    struct turn *turn = what;
    if (ok && turn->pause != self->paused[turn->side]) {
        log_info(turn->pause ? "paused" : "resumed", "direction=%s", control_direction(turn->side));
        if (turn->pause)
            begin_pause(self, turn->side);
        else
            end_pause(self, turn->side);
        if (!self->paused[SIDE_DESK] && !self->paused[SIDE_CHAT])
            restore_resumed(self);
    }
    free(turn);
}

static json_t *turn(struct dispatcher *self, struct control_call *call, bool pause)
{
    int side = SIDES;
    for (int i = 0; i < SIDES; i++)
        if (strcmp(call->arguments[0], control_direction(i)) == 0)
            side = i;
    if (side == SIDES)
        return control_refuse(call, "\"%.40s\" is no direction: say chat-to-desk or desk-to-chat.", call->arguments[0]);
    bool changed = self->paused[side] != pause;
    if (changed) {
        struct turn *what = calloc(1, sizeof *what);
        if (!what)
            abort();
        *what = (struct turn){side, pause};
        call->batch = ledger_batch_new();
        call->then = take_turn;
        call->what = what;
        ledger_put_setting(call->batch, pause_settings[side], pause ? (uint64_t)clock_wall_ms() : 0);
        // The last word on a restored ledger: whoever resumes it has been told what it may lack.
        if (!pause && !self->paused[1 - side])
            restore_put_resumed(self, call->batch);
    }
    return json_pack("{s:s, s:b, s:b, s:I}", "direction", control_direction(side), "paused", (int)pause, "changed",
                     (int)changed, "waiting", (json_int_t)self->waiting[side]);
}

json_t *control_pause(struct dispatcher *self, struct control_call *call)
{
    return turn(self, call, true);
}

json_t *control_resume(struct dispatcher *self, struct control_call *call)
{
    return turn(self, call, false);
}

// ---- backup ---------------------------------------------------------------------------------------------------------

struct backup {
    pthread_t thread;
    struct ledger *ledger;
    char *dir;
    int64_t begun_ms;
    // Set by the thread, `finished` last.
    int64_t ended_ms;
    bool ok;
    char why[512];
    atomic_bool finished;
};

static void *make_backup(void *arg)
{
    struct backup *backup = arg;
    backup->ok = ledger_backup(backup->ledger, backup->dir, backup->why, sizeof backup->why);
    backup->ended_ms = clock_wall_ms();
    if (backup->ok)
        log_info("backup_made", "dir=%s ms=%" PRId64, backup->dir, backup->ended_ms - backup->begun_ms);
    else
        log_error("backup_failed", "dir=%s why=%s", backup->dir, backup->why);
    atomic_store(&backup->finished, true);
    return NULL;
}

bool control_backup_runs(const struct backup *backup)
{
    return !atomic_load(&((struct backup *)(uintptr_t)backup)->finished);
}

void control_backup_free(struct backup **self)
{
    if (!*self)
        return;
    pthread_join((*self)->thread, NULL);
    free((*self)->dir);
    free(*self);
    *self = NULL;
}

json_t *control_backup_last(struct dispatcher *self, struct control_call *call)
{
    const struct backup *backup = *control_backup_slot(self->console);
    if (!backup)
        return control_refuse(call, "No backup was begun since this front started; a reload starts another front: "
                                    "a backup begun before it is whole if its folder is there without .partial.");
    if (!atomic_load(&backup->finished))
        return json_pack("{s:s, s:b, s:I}", "dir", backup->dir, "finished", 0, "begun_ms",
                         (json_int_t)backup->begun_ms);
    if (!backup->ok)
        return control_refuse(call, "No backup was made: %s.", backup->why);
    return json_pack("{s:s, s:b, s:I, s:I}", "dir", backup->dir, "finished", 1, "begun_ms",
                     (json_int_t)backup->begun_ms, "ended_ms", (json_int_t)backup->ended_ms);
}

json_t *control_backup(struct dispatcher *self, struct control_call *call)
{
    struct backup **slot = control_backup_slot(self->console);
    const char *dir = call->arguments[0];
    if (*dir != '/')
        return control_refuse(call, "Name the backup's folder from the root on: deskbelld has another working folder.");
    if (*slot && !atomic_load(&(*slot)->finished))
        return control_refuse(call, "A backup to %s is being made.", (*slot)->dir);
    control_backup_free(slot);
    struct backup *backup = calloc(1, sizeof *backup);
    if (!backup || !(backup->dir = strdup(dir)))
        abort();
    backup->ledger = self->options.ledger;
    backup->begun_ms = clock_wall_ms();
    if (pthread_create(&backup->thread, NULL, make_backup, backup) != 0) {
        free(backup->dir);
        free(backup);
        return control_refuse(call, "No thread could be started for the backup.");
    }
    *slot = backup;
    return json_pack("{s:s, s:b, s:I}", "dir", dir, "finished", 0, "begun_ms", (json_int_t)backup->begun_ms);
}

// ---- keys -----------------------------------------------------------------------------------------------------------

static void add_key(void *arg, const char *source, const char *name, int64_t last_used_ms)
{
    json_t *used = last_used_ms ? json_integer(last_used_ms) : json_null();
    json_array_append_new(arg, json_pack("{s:s, s:s, s:o}", "source", source, "name", name, "last_used_ms", used));
}

json_t *control_keys(struct dispatcher *self, struct control_call *call)
{
    (void)call;
    json_t *list = json_array();
    if (self->options.each_key)
        self->options.each_key(self->options.keys_arg, add_key, list);
    return json_pack("{s:I, s:o}", "since_ms",
                     (json_int_t)(clock_wall_ms() - (clock_mono_ms() - (int64_t)self->started_mono_ms)), "keys", list);
}
