// SPDX-License-Identifier: Apache-2.0
// What a new front finds on disk. Dispatcher's thread (before its loop runs), or main before there is one; the
// committer may accept events meanwhile, which are told of by mail and left alone here. A claimed write may be with a
// worker that outlived the last front: it counts as out until every worker has sent its census; what none of them names
// is in doubt.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/dispatch/state.h"
#include "proto/clock.h"
#include "proto/log.h"

enum { MOST_WAIT_MS = 5 * 60 * 1000, BEAT_EVERY = 10000 };

struct loading {
    struct dispatcher *dispatcher;
    zhashx_t *members; // sequences that are part of another item's note
    uint64_t loaded;
    uint64_t claimed;
    bool failed;
};

static const char *text_of(uint64_t seq, char out[24])
{
    snprintf(out, 24, "%" PRIu64, seq);
    return out;
}

// Accepted since the front serves: on disk like the others, but the mail that waits will tell of it.
static bool comes_by_mail(const struct loading *loading, const struct pending *pending)
{
    uint64_t before = loading->dispatcher->options.load_before;
    return before && pending->seq >= before;
}

static bool note_members(void *arg, const struct pending *pending)
{
    struct loading *loading = arg;
    char text[24];
    if (comes_by_mail(loading, pending))
        return true;
    for (size_t i = 0; i < pending->members.count; i++)
        zhashx_insert(loading->members, text_of(pending->members.items[i], text), loading);
    return true;
}

// How long an item must still wait. A wall clock that was set back must not hold it for days.
static uint64_t still_to_wait(uint64_t wall_ms)
{
    uint64_t now = (uint64_t)clock_wall_ms();
    uint64_t ms = wall_ms > now ? wall_ms - now : 0;
    return ms < MOST_WAIT_MS ? ms : MOST_WAIT_MS;
}

// Loading millions takes minutes: deskbelld hears that it goes on.
static void tell_progress(struct dispatcher *self, uint64_t loaded)
{
    if (loaded % BEAT_EVERY || self->options.status_fd < 0)
        return;
    if (!pipes_write_status(self->options.status_fd, PIPES_STATUS_BEAT, ++self->beats))
        log_debug("status_pipe", "problem=%s", strerror(errno));
}

static bool load_one(void *arg, const struct pending *pending)
{
    struct loading *loading = arg;
    struct dispatcher *self = loading->dispatcher;
    char text[24];
    if (comes_by_mail(loading, pending) || zhashx_lookup(loading->members, text_of(pending->seq, text)))
        return true;
    struct conversation *conversation = schedule_open(self, pending->event.conversation);
    if (!conversation) {
        loading->failed = true;
        return false;
    }
    struct item *item = lanes_item_new(pending->event.kind, pending->seq);
    item->time_ms = pending->event.time_ms;
    item->accepted_ms = pending->event.accepted_ms;
    item->request = pending->event.request;
    item->arrived_mono_ms = (uint64_t)clock_mono_ms();
    item->not_before_mono_ms = item->arrived_mono_ms + still_to_wait(pending->not_before_ms);
    item->ticket_id = pending->event.ticket_id;
    item->hint_count = item->hint_listed = pending->hint_count;
    item->step = (uint8_t)pending->step;
    item->attempts = (uint32_t)pending->attempts;
    item->deaths = (uint8_t)pending->deaths;
    item->claimed = pending->claimed && steps_info(pending->step);
    item->claimed_ms = pending->claimed_ms;
    item->claimed_there_ms = pending->claimed_there_ms;
    item->job_id = pending->job_id;
    item->stored = true;
    lanes_set_bytes(&item->found, pending->found.data, pending->found.size);
    lanes_item_set_members(item, pending->members.items, pending->members.count);
    struct side *side = &conversation->sides[steps_side(item->kind)];
    schedule_place(self, conversation, item);
    tell_progress(self, ++loading->loaded);
    if (item->step != STEP_NONE && !side->active)
        side->active = item;
    if (item->claimed) {
        loading->claimed++;
        side->active = item;
        item->doubt = pending->doubt;
        item->doubt_since_mono_ms = item->arrived_mono_ms;
        if (item->job_id && !item->doubt) {
            side->out = jobs_add(self->jobs, item->job_id, side, item, NULL);
            side->out->step = item->step;
            const struct step_info *info = steps_info(item->step);
            side->out->pass = gates_take(self->gates, info->upstream, gates_queue(info), item->arrived_mono_ms);
            side->state = LANE_OUT;
        } else {
            item->doubt = true;
        }
    }
    return true;
}

static bool load_hint(void *arg, uint64_t ticket_id, const struct hint *hint)
{
    struct loading *loading = arg;
    schedule_hint(loading->dispatcher, ticket_id, hint->count, hint->request);
    loading->loaded++;
    return true;
}

static bool count_dead(void *arg, uint64_t seq, const struct dead *dead)
{
    (void)seq;
    struct dispatcher *self = ((struct loading *)arg)->dispatcher;
    self->dead++;
    letters_remember(self, &dead->pending.event);
    return true;
}

bool recover_load(struct dispatcher *self, char *why, size_t why_size)
{
    struct loading loading = {.dispatcher = self, .members = zhashx_new()};
    bool ok = ledger_each_pending(self->options.ledger, note_members, &loading) == LEDGER_OK &&
              ledger_each_pending(self->options.ledger, load_one, &loading) == LEDGER_OK && !loading.failed &&
              ledger_each_hint(self->options.ledger, load_hint, &loading) == LEDGER_OK &&
              ledger_each_dead(self->options.ledger, count_dead, &loading) == LEDGER_OK;
    zhashx_destroy(&loading.members);
    if (!ok) {
        snprintf(why, why_size,
                 "The ledger holds records that cannot be read; restore a backup or look at the errors above.");
        return false;
    }
    if (!polls_begin(self))
        log_warn("polls", "problem=%s", "some conversations cannot be read and are not polled");
    for (struct conversation *c = zhashx_first(self->conversations); c; c = zhashx_next(self->conversations))
        for (int i = 0; i < SIDES; i++)
            schedule_consider(self, &c->sides[i]);
    log_info("ledger_loaded", "events=%" PRIu64 " claimed=%" PRIu64 " dead=%" PRIu64, loading.loaded, loading.claimed,
             self->dead);
    return true;
}

static void settle_one(void *arg, struct out *out)
{
    if (!out->link && !out->link_seq && out->side->state == LANE_OUT)
        outcome_lost(arg, out, false);
}

void recover_settle(struct dispatcher *self)
{
    self->open = true;
    jobs_each(self->jobs, settle_one, self);
    log_info("dispatch_open", "workers=%u conversations=%zu", links_ready(self->links),
             zhashx_size(self->conversations));
}
