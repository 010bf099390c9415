// SPDX-License-Identifier: Apache-2.0
// How long things took, and where the time went. Dispatcher's thread. An item is in one stage at a time; whoever moves
// it says so, and what is late is counted under the stage that used most of its time. The upstreams' own delay, from
// what happened there to its webhook here, is measured apart, in the upstream's clock.
#include <string.h>

#include "http-front/admin/health.h"
#include "http-front/dispatch/state.h"
#include "proto/clock.h"

enum { PROMISE_MS = 2000 };

static void spend(struct item *item, enum metrics_stage stage, uint64_t ms)
{
    uint64_t sum = item->spent_ms[stage] + ms;
    item->spent_ms[stage] = sum < UINT16_MAX ? (uint16_t)sum : UINT16_MAX; // a minute in one stage decides anyway
}

void latency_enter(struct item *item, enum metrics_stage stage)
{
    uint64_t now = (uint64_t)clock_mono_ms();
    uint64_t since = item->stage_mono_ms ? item->stage_mono_ms : item->arrived_mono_ms;
    spend(item, (enum metrics_stage)item->stage, now > since ? now - since : 0);
    item->stage = (uint8_t)stage;
    item->stage_mono_ms = now;
}

void latency_waits(struct item *item)
{
    latency_enter(item, item->doubt ? METRICS_STAGE_SETTLE : item->attempts ? METRICS_STAGE_RETRY : METRICS_STAGE_LANE);
}

void latency_reported(struct item *item, const struct report *report)
{
    uint64_t now = (uint64_t)clock_mono_ms();
    uint64_t since = item->stage_mono_ms ? item->stage_mono_ms : now;
    uint64_t away = now > since ? now - since : 0;
    uint64_t call = report->took_ms < away ? report->took_ms : away;
    if (item->stage == METRICS_STAGE_WORKER) { // what was not the call was the way there and back, and the queue there
        spend(item, METRICS_STAGE_CALL, call);
        spend(item, METRICS_STAGE_WORKER, away - call);
    } else {
        spend(item, (enum metrics_stage)item->stage, away);
    }
    item->stage = METRICS_STAGE_LEDGER;
    item->stage_mono_ms = now;
}

static void observe(const struct item *item, enum histogram histogram, enum metrics_direction direction)
{
    uint64_t took = (uint64_t)clock_mono_ms() - item->arrived_mono_ms;
    enum metrics_stage most = METRICS_STAGE_LANE;
    metrics_observe(histogram, took);
    if (took <= PROMISE_MS)
        return;
    for (int stage = 0; stage < METRICS_STAGES; stage++)
        if (item->spent_ms[stage] > item->spent_ms[most])
            most = (enum metrics_stage)stage;
    metrics_count_late(direction, most);
}

void latency_posted(struct item *item)
{
    latency_enter(item, METRICS_STAGE_LEDGER);
    observe(item, HISTOGRAM_TO_CHAT, METRICS_DESK_TO_CHAT);
}

void latency_finished(const struct out *out)
{
    struct item *item = out->item;
    if (out->given_up)
        return; // it did not get there
    latency_enter(item, METRICS_STAGE_LEDGER);
    if (item->kind == EVENT_CUSTOMER_MESSAGE || item->kind == EVENT_AGENT_MESSAGE)
        observe(item, HISTOGRAM_TO_DESK, METRICS_CHAT_TO_DESK);
    if (item->kind == EVENT_CUSTOMER_MESSAGE && item->step == STEP_CREATE_TICKET)
        metrics_observe(HISTOGRAM_OPEN_TICKET, (uint64_t)clock_mono_ms() - item->arrived_mono_ms);
    if (item->kind == EVENT_HINT && out->step == STEP_POST_MESSAGE)
        observe(item, HISTOGRAM_TO_CHAT, METRICS_DESK_TO_CHAT); // the last of the replies
}

// From `then` in that upstream's clock to our `wall_ms`. False while that clock is not known; never below 0.
static bool since(enum upstream upstream, uint64_t then_ms, uint64_t wall_ms, uint64_t *ms)
{
    int64_t ahead = 0;
    if (!then_ms || !health_ahead_ms(steps_upstream_name(upstream), &ahead))
        return false;
    int64_t delay = (int64_t)wall_ms + ahead - (int64_t)then_ms;
    *ms = delay > 0 ? (uint64_t)delay : 0;
    return true;
}

void latency_accepted(const struct item *item)
{
    uint64_t ms = 0;
    bool from_chat = item->kind == EVENT_CUSTOMER_MESSAGE || item->kind == EVENT_AGENT_MESSAGE;
    if (from_chat && !item->missed && since(UPSTREAM_FRESHCHAT, item->time_ms, (uint64_t)clock_wall_ms(), &ms))
        metrics_observe(HISTOGRAM_DELAY_FRESHCHAT, ms);
}

void latency_replied(const struct item *item, const struct report *report)
{
    uint64_t ms = 0;
    if (item->kind != EVENT_HINT || report->outcome != OUTCOME_DONE || report->observed)
        return;
    for (size_t i = 0; report->chat_written.count && i < report->delivered.count; i++) {
        uint64_t written = report->delivered.items[i].time_ms;
        if (since(UPSTREAM_FRESHDESK, written, (uint64_t)clock_wall_ms(), &ms))
            metrics_observe(HISTOGRAM_REPLY, ms);
        if (since(UPSTREAM_FRESHDESK, written, item->accepted_ms, &ms) && ms)
            metrics_observe(HISTOGRAM_DELAY_FRESHDESK, ms); // 0: it was written after the hint that found it
    }
}
