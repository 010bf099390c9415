// SPDX-License-Identifier: Apache-2.0
// Common parts of all flows; see flow.h. Runs in the worker's one thread.
#include "workers/flow.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "workers/fields.h"
#include "workers/text.h"

enum {
    CAUSE_MAX_BYTES = 1024,
    WRITTEN_MOST = 16,
    FOLLOWUPS_MOST = 8,
    RAW_BYTES = 256 << 10,
    RAWS_BYTES = 3 << 20, // of one report, well below what a frame may have
};

// ---- reports --------------------------------------------------------------------------------------------------------

void flow_done(struct report *report, enum step next, const char *what)
{
    report->outcome = OUTCOME_DONE;
    report->next_step = next;
    report->what = what;
}

void flow_end(struct job_context *context, struct report *report, enum outcome outcome, const char *format, ...)
{
    char sentence[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    report->outcome = outcome;
    report->next_step = STEP_NONE;
    report->cause = text_line(context->arena, sentence, CAUSE_MAX_BYTES);
}

void flow_unexpected(struct job_context *context, struct report *report, const char *lacks)
{
    const struct step_info *info = steps_info(context->job->step);
    flow_end(context, report, info && info->kind == STEP_WRITE ? OUTCOME_DOUBT : OUTCOME_RETRY,
             "The answer of %s to %s lacks %s.", info ? steps_upstream_name(info->upstream) : "the upstream",
             steps_name(context->job->step), lacks);
}

static void add_written(struct job_context *context, struct written **items, size_t *count, const char *id,
                        uint64_t time_ms, enum upstream upstream)
{
    if (!*items)
        *items = arena_alloc(context->arena, WRITTEN_MOST * sizeof **items);
    assert(*count < WRITTEN_MOST);
    (*items)[(*count)++] = (struct written){.id = id, .time_ms = time_ms ? time_ms : flow_now_ms(context, upstream)};
}

void flow_wrote_desk(struct job_context *context, struct report *report, const char *id, uint64_t time_ms)
{
    add_written(context, &report->desk_written.items, &report->desk_written.count, id, time_ms, UPSTREAM_FRESHDESK);
}

void flow_wrote_chat(struct job_context *context, struct report *report, const char *id, uint64_t time_ms)
{
    add_written(context, &report->chat_written.items, &report->chat_written.count, id, time_ms, UPSTREAM_FRESHCHAT);
}

void flow_followup(struct job_context *context, struct report *report, enum event_kind kind, uint64_t delay_ms,
                   uint64_t round)
{
    if (!report->followups.items)
        report->followups.items = arena_alloc(context->arena, FOLLOWUPS_MOST * sizeof *report->followups.items);
    assert(report->followups.count < FOLLOWUPS_MOST);
    report->followups.items[report->followups.count++] =
        (struct followup){.kind = kind, .delay_ms = delay_ms, .round = round, .reason = ""};
}

// ---- answers --------------------------------------------------------------------------------------------------------

bool flow_ticket_gone(const struct response *response)
{
    return response->answer == ANSWER_NOT_FOUND || response->status == 404 || response->status == 405;
}

bool flow_is_denied(const struct response *response)
{
    return response->answer == ANSWER_REFUSED || response->status == 403;
}

static bool names_error(const struct response *response, const char *field, const char *code)
{
    static const char prefix[] = "custom_fields.";
    const json_t *errors = json_object_get(response->json, "errors");
    size_t index;
    json_t *error;
    json_array_foreach((json_t *)errors, index, error)
    {
        const char *named = fields_raw(error, "field");
        if (strncmp(named, prefix, sizeof prefix - 1) == 0)
            named += sizeof prefix - 1;
        if (*field && strcmp(named, field) == 0 && (!code || strcmp(fields_raw(error, "code"), code) == 0))
            return true;
    }
    return false;
}

bool flow_refuses(const struct response *response, const char *field)
{
    return names_error(response, field, NULL);
}

bool flow_mistypes(const struct response *response, const char *field)
{
    return names_error(response, field, "datatype_mismatch");
}

enum flow_raw flow_raw(struct arena *arena, const json_t *object, size_t *total, struct blob *out)
{
    size_t bytes = fields_is_object(object) ? json_dumpb(object, NULL, 0, JSON_COMPACT) : 0;
    *out = (struct blob){NULL, bytes};
    if (bytes == 0)
        return FLOW_RAW_NONE;
    if (bytes > RAW_BYTES)
        return FLOW_RAW_TOO_LARGE;
    if (*total + bytes > RAWS_BYTES)
        return FLOW_RAW_FULL;
    *total += bytes;
    char *json = arena_alloc(arena, bytes);
    if (json_dumpb(object, json, bytes, JSON_COMPACT) != bytes)
        abort();
    out->data = (const uint8_t *)json;
    return FLOW_RAW_TAKEN;
}

// ---- clocks ---------------------------------------------------------------------------------------------------------

int64_t flow_ahead_ms(const struct job_context *context, enum upstream upstream)
{
    return context->clock_known[upstream] ? context->clock_ahead_ms[upstream] : 0;
}

uint64_t flow_moved(uint64_t ms, int64_t by_ms)
{
    if (by_ms < 0)
        return ms > (uint64_t)-by_ms ? ms - (uint64_t)-by_ms : 0;
    return ms > UINT64_MAX - (uint64_t)by_ms ? UINT64_MAX : ms + (uint64_t)by_ms;
}

uint64_t flow_now_ms(const struct job_context *context, enum upstream upstream)
{
    return flow_moved((uint64_t)clock_wall_ms(), flow_ahead_ms(context, upstream));
}

// ---- looks ----------------------------------------------------------------------------------------------------------

uint64_t flow_look_begin(struct job_context *context, enum upstream upstream)
{
    struct found *found = &context->found;
    if (!found->clock_known && context->clock_known[upstream]) {
        found->clock_known = true;
        found->clock_ahead_ms = (uint64_t)context->clock_ahead_ms[upstream];
    }
    return found->page ? found->page : 1;
}

bool flow_look_learn(struct job_context *context, const struct response *response)
{
    struct found *found = &context->found;
    if (found->clock_known || !response->date_ms)
        return false;
    int64_t ahead = (int64_t)response->date_ms - clock_wall_ms();
    found->clock_known = true;
    found->clock_ahead_ms = (uint64_t)ahead;
    return ahead > FLOW_CLOCK_APART_MS || ahead < -FLOW_CLOCK_APART_MS;
}

bool flow_look_again(struct job_context *context, const struct response *response, enum step look,
                     struct report *report)
{
    if (!flow_look_learn(context, response))
        return false;
    context->found.page = 0;
    flow_done(report, look, "");
    return true;
}

uint64_t flow_floor_since(const struct job_context *context, uint64_t since_ms)
{
    const struct found *found = &context->found;
    if (!found->clock_known)
        return flow_moved(since_ms, -FLOW_MARGIN_UNKNOWN_MS);
    return flow_moved(since_ms, (int64_t)found->clock_ahead_ms - FLOW_MARGIN_KNOWN_MS);
}

// Both were measured against our clock as it is now, so its steps cancel out.
uint64_t flow_told_ms(const struct job_context *context, uint64_t ms, enum upstream by, enum upstream to)
{
    const struct found *found = &context->found;
    if (!context->clock_known[by] || (!found->clock_known && !context->clock_known[to]))
        return ms;
    int64_t ahead_ms = found->clock_known ? (int64_t)found->clock_ahead_ms : context->clock_ahead_ms[to];
    return flow_moved(ms, ahead_ms - context->clock_ahead_ms[by]);
}

uint64_t flow_cause_ms(const struct job_context *context)
{
    const struct job *job = context->job;
    uint64_t kind = job->events.count ? job->events.items[0].kind : 0;
    if (kind != EVENT_CUSTOMER_MESSAGE && kind != EVENT_AGENT_MESSAGE)
        return 0;
    return flow_told_ms(context, job->events.items[0].time_ms, UPSTREAM_FRESHCHAT, UPSTREAM_FRESHDESK);
}

uint64_t flow_look_floor(const struct job_context *context, uint64_t cause_ms)
{
    const struct job *job = context->job;
    if (job->since_there_ms)
        return flow_moved(job->since_there_ms, -FLOW_MARGIN_KNOWN_MS);
    if (cause_ms && !job->restored) // another ledger's write may be older than what is known here
        return flow_moved(cause_ms, -FLOW_MARGIN_UNKNOWN_MS);
    uint64_t accepted_ms = job->events.count ? job->events.items[0].accepted_ms : 0;
    return flow_floor_since(context, job->since_ms ? job->since_ms : accepted_ms);
}

static void forget_look(struct found *found)
{
    found->page = 0;
    found->clock_known = false;
    found->clock_ahead_ms = 0;
}

void flow_look_next(struct job_context *context, enum step look, bool more, struct report *report)
{
    struct found *found = &context->found;
    uint64_t page = found->page ? found->page : 1;
    if (more && page < FLOW_MOST_PAGES) {
        found->page = page + 1;
        flow_done(report, look, "");
        return;
    }
    if (more) {
        // Never "not found" without having seen everything: that would repeat a write that may be there.
        found->page = 0;
        flow_end(context, report, OUTCOME_RETRY, "The list that %s reads has no end within %d pages.", steps_name(look),
                 FLOW_MOST_PAGES);
        return;
    }
    forget_look(found);
    flow_end(context, report, OUTCOME_NOT_FOUND, "%s did not find what %s may have written.", steps_name(look),
             steps_name(steps_looked_for(look)));
}

void flow_look_found(struct job_context *context)
{
    forget_look(&context->found);
}
