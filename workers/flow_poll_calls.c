// SPDX-License-Identifier: Apache-2.0
// Asks Freshcaller which calls there are (freshworks-api 6.1). A list is a window of the time when calls were made,
// while what they become (ended, recorded, noted) shows only in the call; so every round asks for the last hour, and
// every few minutes one asks for the last day. The lane of this poll remembers how far calls are known (mark_ms), when
// the last day was last asked for (listed_ms) and where all began (chat_mark_ms), all in Freshcaller's clock: nothing
// that was called before Deskbell was first told to look is ever taken. Runs in the worker's one thread.
#include "workers/flows.h"

#include <inttypes.h>
#include <stdlib.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/text.h"

enum {
    MINUTE_MS = 60000,
    FIRST_REACH_MS = 10 * MINUTE_MS, // before the very first look
    OVERLAP_MS = 60 * MINUTE_MS,     // longer than nearly every call
    SWEEP_EVERY_MS = 5 * MINUTE_MS,
    SWEEP_REACH_MS = 24 * 60 * MINUTE_MS,
    LONGEST_REACH_MS = 7 * SWEEP_REACH_MS, // after a downtime
    AHEAD_MS = MINUTE_MS,                  // clocks are not quite the same
    PAGE_SIZE = 100,                       // some accounts give no more (freshworks-api 6.1)
    LIST_MOST = 1000,
    POLL_SWEEP = 1 << 0, // bit of found.omit: this round is one
};

// ---- the window -----------------------------------------------------------------------------------------------------

static uint64_t now_of(const struct job_context *context)
{
    const struct found *found = &context->found;
    return flow_moved((uint64_t)clock_wall_ms(), found->clock_known ? (int64_t)found->clock_ahead_ms : 0);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// The round's window is the same for all its pages: found.mark_ms is its end.
static uint64_t window_from(const struct job_context *context)
{
    const struct lane *lane = &context->job->lane;
    uint64_t to = context->found.mark_ms;
    if (!lane->mark_ms)
        return flow_moved(to, -FIRST_REACH_MS - AHEAD_MS);
    uint64_t from = flow_moved(earlier(lane->mark_ms, to), -OVERLAP_MS);
    if (context->found.omit & POLL_SWEEP)
        from = earlier(from, flow_moved(to, -SWEEP_REACH_MS));
    uint64_t least = flow_moved(to, -(int64_t)LONGEST_REACH_MS);
    if (lane->chat_mark_ms > least)
        least = lane->chat_mark_ms;
    return from > least ? from : least;
}

static enum step_choice calls_begin(struct job_context *context, struct request *request, struct report *report)
{
    (void)report;
    struct found *found = &context->found;
    uint64_t page = flow_look_begin(context, UPSTREAM_FRESHCALLER);
    if (!found->page) {
        uint64_t now = now_of(context);
        found->mark_ms = now + AHEAD_MS;
        found->part = 0;
        found->omit = now >= context->job->lane.listed_ms + SWEEP_EVERY_MS ? POLL_SWEEP : 0;
    }
    char from[CLOCK_ISO_BYTES];
    char to[CLOCK_ISO_BYTES];
    clock_format_iso((int64_t)window_from(context), from);
    clock_format_iso((int64_t)found->mark_ms, to);
    *request = (struct request){
        .upstream = UPSTREAM_FRESHCALLER,
        .method = "GET",
        .path =
            arena_printf(context->arena, "/calls?by_time%%5Bfrom%%5D=%s&by_time%%5Bto%%5D=%s&per_page=%d&page=%" PRIu64,
                         text_url(context->arena, from), text_url(context->arena, to), PAGE_SIZE, page),
    };
    return STEP_CALL;
}

// ---- what it tells --------------------------------------------------------------------------------------------------

// Reports the page's calls from `first` on, as far as one report holds them. Returns the index of the first that did
// not fit, or the list's size.
static size_t take_calls(struct job_context *context, const json_t *list, size_t first, struct report *report)
{
    size_t total = 0;
    size_t i = first;
    report->raws.items = arena_alloc(context->arena, FLOW_RAWS_MOST * sizeof *report->raws.items);
    for (; i < json_array_size(list) && report->raws.count < FLOW_RAWS_MOST; i++) {
        const json_t *call = json_array_get(list, i);
        struct blob json;
        enum flow_raw taken = flow_raw(context->arena, call, &total, &json);
        if (taken == FLOW_RAW_FULL)
            break;
        if (taken == FLOW_RAW_TOO_LARGE)
            log_warn("call_too_large", "call=%" PRIu64 " bytes=%zu", fields_id(call, "id"), json.size);
        if (taken == FLOW_RAW_TAKEN)
            report->raws.items[report->raws.count++] = (struct raw){.json = json};
    }
    return i;
}

// Where the answer does not say how many pages there are, only an empty one is the last.
static bool is_last(const struct response *response, size_t size, uint64_t page)
{
    const json_t *meta = json_object_get(response->json, "meta");
    const json_t *pages = json_object_get(meta, "total_pages");
    if (json_is_integer(pages))
        return page >= (uint64_t)json_integer_value(pages);
    return size == 0;
}

static void calls_finish(struct job_context *context, const struct response *response, struct report *report)
{
    struct found *found = &context->found;
    const struct lane *lane = &context->job->lane;
    if (response->answer != ANSWER_OK) {
        answers_default(context, response, report);
        return;
    }
    const json_t *list = fields_list(response->json, "calls");
    if (!list || json_array_size(list) > LIST_MOST) {
        flow_unexpected(context, report, "a list of calls");
        return;
    }
    uint64_t page = found->page ? found->page : 1;
    if (page == 1 && flow_look_again(context, response, STEP_LIST_CALLS, report))
        return; // the window was of our clock, which is not theirs
    size_t next = take_calls(context, list, found->part, report);
    found->page = page;
    if (next < json_array_size(list)) { // the same page again, for the rest of it
        found->part = next;
        flow_done(report, STEP_LIST_CALLS, "");
        return;
    }
    found->part = 0;
    if (!is_last(response, json_array_size(list), page) && page < FLOW_MOST_PAGES) {
        found->page = page + 1;
        flow_done(report, STEP_LIST_CALLS, "");
        return;
    }
    if (page >= FLOW_MOST_PAGES)
        log_error("calls_too_many", "pages=%" PRIu64, page);
    report->mark_ms = flow_moved(found->mark_ms, -AHEAD_MS);
    if (!lane->chat_mark_ms)
        report->chat_mark_ms = window_from(context);
    if (found->omit & POLL_SWEEP)
        report->listed_ms = report->mark_ms;
    found->page = 0;
    found->omit = 0;
    flow_done(report, STEP_NONE, "");
}

const struct step_code flow_poll_calls_steps[] = {
    {STEP_LIST_CALLS, calls_begin, calls_finish},
    {STEP_NONE, NULL, NULL},
};
