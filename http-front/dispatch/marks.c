// SPDX-License-Identifier: Apache-2.0
// What of a chat is known. A poll reads again what was said shortly before its mark; keys in the ledger tell what of it
// is known, but they are kept for dedup_days only. A customer may come back after longer. So what is older than half of
// that time is known by the mark itself, and by when the conversation's record last changed before it was polled:
// what was known then had been written to the ticket, even if no poll had come by since. Dispatcher's thread.
#include <string.h>

#include "http-front/admin/health.h"
#include "http-front/dispatch/state.h"
#include "proto/clock.h"

enum { DAY_MS = 24 * 60 * 60 * 1000, BEFORE_FIRST_MS = 10 * 60 * 1000 };

void marks_begin(struct conversation *conversation, uint64_t said_ms, uint64_t restored_ms)
{
    struct arena *arena = arena_new();
    struct lane lane = lanes_record(conversation, arena);
    if (restored_ms && restored_ms < said_ms)
        said_ms = restored_ms; // it may have begun at any time since
    if (!lane.chat_mark_ms && said_ms > BEFORE_FIRST_MS) {
        lane.chat_mark_ms = said_ms - BEFORE_FIRST_MS;
        lanes_set_record(conversation, &lane);
    }
    arena_free(&arena);
}

void marks_note(const struct dispatcher *self, const struct conversation *conversation, struct item *item)
{
    struct arena *arena = arena_new();
    struct lane lane = lanes_record(conversation, arena);
    // After a backup was restored, what is known is what the backup knows: its marks. Writes are looked for first.
    item->known_ms = lane.ticket_id && !self->backup_ms ? lane.updated_ms : 0;
    arena_free(&arena);
}

// Never below 0.
static uint64_t moved(uint64_t ms, int64_t by_ms)
{
    return by_ms < 0 && ms < (uint64_t)-by_ms ? 0 : ms + (uint64_t)by_ms;
}

static bool is_ours(const struct lane *lane, const char *message)
{
    for (size_t i = 0; i < lane->chat_written.count; i++)
        if (*message && strcmp(lane->chat_written.items[i].id, message) == 0)
            return true;
    return false;
}

bool marks_passed(const struct dispatcher *self, const struct out *out, const struct event *event)
{
    int64_t ahead_ms = 0;
    (void)health_ahead_ms("freshchat", &ahead_ms);
    // Half of the time, since a key may go earlier by what our clock jumped across a stop (ledger_clock.c).
    int64_t window_ms = self->options.config->dedup_days * (int64_t)DAY_MS;
    uint64_t horizon_ms = moved((uint64_t)clock_wall_ms(), ahead_ms - window_ms / 2);
    struct arena *arena = arena_new();
    struct lane lane = lanes_record(out->side->conversation, arena);
    // A record is stamped with our time or the upstreams', whichever is later.
    uint64_t known_ms = moved(out->item->known_ms, ahead_ms < 0 ? ahead_ms : 0);
    if (known_ms < lane.chat_mark_ms)
        known_ms = lane.chat_mark_ms;
    bool passed = is_ours(&lane, event->message) || (event->time_ms < horizon_ms && event->time_ms <= known_ms);
    arena_free(&arena);
    return passed;
}
