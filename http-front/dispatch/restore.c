// SPDX-License-Identifier: Apache-2.0
// A ledger that was restored from a backup knows nothing of what was written since. Until everything that was said
// before this front began is settled, nothing of that is written without its look, no ticket is opened without looking
// for one, and no reply is posted without looking for it in the chat. Dispatcher's thread. What is known of it outlives
// the front: the ledger's own mark, and a setting that says when it was first opened.
#include <inttypes.h>

#include "http-front/dispatch/state.h"
#include "http-front/ledger/ledger_settings.h"
#include "proto/clock.h"
#include "proto/log.h"

// When the restored ledger was first opened (wall clock), there since both directions were resumed.
static const char opened_setting[] = "restored-opened";

enum {
    CLOCKS_APART_MS = 60 * 1000, // upstreams' clocks may be ahead of ours
    BEFORE_BACKUP_MS = 5 * 60 * 1000,
    LEAST_MS = 5 * 60 * 1000,
    HINTS_COME_MS = 5 * 1000, // what a poll saw is a hint by then
};

bool restore_begin(struct dispatcher *self)
{
    uint64_t opened = 0;
    self->backup_ms = ledger_restored_ms(self->options.ledger);
    if (!self->backup_ms)
        return true;
    if (ledger_setting(self->options.ledger, opened_setting, &opened) == LEDGER_ERROR)
        return false;
    self->rules.restored = true;
    // One from before the backup is of an earlier restoring, and came with it.
    if (opened > self->backup_ms) {
        self->resumed_mono_ms = (uint64_t)clock_mono_ms();
    } else {
        uint64_t now = (uint64_t)clock_wall_ms();
        opened = now > self->backup_ms ? now : self->backup_ms;
    }
    self->restored_ms = opened + CLOCKS_APART_MS;
    log_warn("restored", "backup_ms=%" PRIu64 " said_until_ms=%" PRIu64 " resumed=%d", self->backup_ms,
             self->restored_ms, self->resumed_mono_ms != 0);
    return true;
}

void restore_put_resumed(struct dispatcher *self, struct ledger_batch *batch)
{
    if (self->backup_ms)
        ledger_put_setting(batch, opened_setting, self->restored_ms - CLOCKS_APART_MS);
}

void restore_resumed(struct dispatcher *self)
{
    if (self->backup_ms && !self->resumed_mono_ms)
        self->resumed_mono_ms = (uint64_t)clock_mono_ms();
}

bool restore_is_before(const struct dispatcher *self, uint64_t said_ms)
{
    return self->backup_ms && said_ms <= self->restored_ms;
}

void restore_lane(struct dispatcher *self, struct conversation *conversation)
{
    if (!self->backup_ms || lanes_is_own(conversation->id))
        return;
    struct arena *arena = arena_new();
    struct lane lane = lanes_record(conversation, arena);
    if (lane.rebuilt_ms < self->restored_ms) {
        lane.rebuilt_ms = self->restored_ms;
        lanes_set_record(conversation, &lane);
    }
    arena_free(&arena);
}

void restore_doubt(struct dispatcher *self, const struct conversation *conversation, struct item *item, enum step step)
{
    bool restored = item->look_first || self->rules.restored;
    uint64_t since = item->time_ms;
    if (self->backup_ms && since > self->backup_ms)
        since = self->backup_ms; // what a later message opened or said may have been there long before it
    item->step = (uint8_t)step;
    item->claimed = item->doubt = true;
    item->unsent = false;
    item->job_id = 0;
    item->claimed_ms = since > BEFORE_BACKUP_MS ? since - BEFORE_BACKUP_MS : 1;
    item->claimed_there_ms = 0;    // it was nobody's claim
    item->doubt_since_mono_ms = 0; // whoever may have written it is long gone: one look settles it
    if ((step != STEP_CREATE_TICKET && step != STEP_CREATE_CALL_TICKET) || !conversation->doubt_ms)
        return;
    // An earlier message may have opened the ticket, up to the time its dead letter was in doubt since.
    // Which may be told by our clock, where the helpdesk's was not known: the two are taken to be less than this apart.
    if (conversation->doubt_ms < item->claimed_ms || !restored) {
        item->claimed_ms = conversation->doubt_ms;
        item->claimed_there_ms =
            conversation->doubt_ms > CLOCKS_APART_MS ? conversation->doubt_ms - CLOCKS_APART_MS : 1;
    }
    item->doubt_since_mono_ms = conversation->doubt_mono_ms ? conversation->doubt_mono_ms : self->started_mono_ms;
}

// ---- its end --------------------------------------------------------------------------------------------------------

static bool each_item(const struct dispatcher *self, bool (*is_open)(const struct dispatcher *, const struct item *))
{
    for (struct conversation *c = zhashx_first(self->conversations); c; c = zhashx_next(self->conversations))
        for (int i = 0; i < SIDES; i++)
            for (const struct item *item = c->sides[i].head; item; item = item->next)
                if (is_open(self, item))
                    return true;
    return false;
}

static bool is_unasked(const struct dispatcher *self, const struct item *item)
{
    (void)self;
    return steps_is_poll(item->kind) && !item->asked;
}

// Waiting work of before, and the hints that the first round of polls raised: once their lists were read, their lanes
// say on disk which replies are to be looked for.
static bool is_unsettled(const struct dispatcher *self, const struct item *item)
{
    if (item->kind == EVENT_HINT)
        return item->arrived_mono_ms <= self->asked_mono_ms + HINTS_COME_MS;
    return item->look_first || is_unasked(self, item);
}

static void forget(struct dispatcher *self)
{
    if (!ledger_restored_done(self->options.ledger))
        return; // logged; the next second
    log_info("restored_settled", "backup_ms=%" PRIu64, self->backup_ms);
    self->backup_ms = self->restored_ms = self->resumed_mono_ms = self->asked_mono_ms = 0;
    self->rules.restored = false;
    struct ledger_batch *batch = ledger_batch_new();
    struct token token = {.kind = TOKEN_LATE};
    ledger_put_setting(batch, opened_setting, 0);
    record_submit(self, batch, &token, 0, 0);
}

void restore_tick(struct dispatcher *self)
{
    uint64_t now = (uint64_t)clock_mono_ms();
    uint64_t least = self->options.restored_least_ms ? self->options.restored_least_ms : LEAST_MS;
    if (!self->resumed_mono_ms || now - self->resumed_mono_ms < least || !self->open || self->ledger_lost ||
        self->paused[SIDE_DESK] || self->paused[SIDE_CHAT])
        return;
    if (!self->asked_mono_ms && !each_item(self, is_unasked))
        self->asked_mono_ms = now;
    if (self->asked_mono_ms && now > self->asked_mono_ms + HINTS_COME_MS && !each_item(self, is_unsettled))
        forget(self);
}
