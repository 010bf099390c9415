// SPDX-License-Identifier: Apache-2.0
// Completes, checks and encodes reports. Each frame is decoded once before it leaves: a report that the front could not
// read would be sent again every second for ever, and its lane would stand still.
#include "workers/reports.h"

#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "proto/steps.h"

enum { CAUSE_BYTES = 1024 }; // the bound of report.cause

static bool decodes(enum record_kind kind, const struct record_buffer *frame, void *out)
{
    struct arena *arena = arena_new();
    bool ok = record_decode(kind, frame->data, frame->size, out, arena) == RECORD_OK;
    arena_free(&arena);
    return ok;
}

bool reports_read_found(const struct job *job, struct arena *arena, struct found *found)
{
    if (job->found.size > 0)
        return record_decode(RECORD_found, job->found.data, job->found.size, found, arena) == RECORD_OK;
    // Decoding an empty record gives every string, nested ones too, its "".
    struct found empty;
    memset(&empty, 0, sizeof empty);
    struct record_buffer bytes;
    bool ok = record_encode(RECORD_found, &empty, &bytes) &&
              record_decode(RECORD_found, bytes.data, bytes.size, found, arena) == RECORD_OK;
    record_buffer_free(&bytes);
    return ok;
}

// Cuts a cause to its bound at a whole character.
static const char *bounded(const char *cause, struct arena *arena)
{
    if (!cause || strlen(cause) <= CAUSE_BYTES)
        return cause;
    size_t length = CAUSE_BYTES;
    while (length > 0 && ((unsigned char)cause[length] & 0xc0) == 0x80)
        length--;
    return arena_copy(arena, cause, length);
}

// What is wrong with a report as its step made it, or NULL.
static const char *fault_of(const struct step_info *info, const struct report *report)
{
    if (report->outcome < OUTCOME_DONE || report->outcome > OUTCOME_REFUSED)
        return "has no outcome";
    if (report->next_step != STEP_NONE && (report->outcome != OUTCOME_DONE || !steps_info(report->next_step)))
        return "names a next step it cannot have";
    if (report->outcome == OUTCOME_DOUBT && (!info || info->kind != STEP_WRITE))
        return "doubts a step that writes nothing";
    return NULL;
}

static void complete(const struct pipes_identity *identity, const struct job *job, struct report *report)
{
    report->slot = identity->slot;
    report->worker_generation = identity->generation;
    report->job_id = job->job_id;
    report->step = job->step;
}

// Encodes report and found; NULL when the front can read it, else what is wrong.
static const char *try_encode(const struct job_context *context, struct report *report, struct record_buffer *frame)
{
    struct record_buffer found = {0};
    struct report copy;
    struct found found_copy;
    const char *fault = NULL;
    *frame = (struct record_buffer){0};
    bool finished = report->outcome == OUTCOME_DONE && report->next_step == STEP_NONE;
    if (!finished &&
        (!record_encode(RECORD_found, &context->found, &found) || !decodes(RECORD_found, &found, &found_copy)))
        fault = "left a finding that breaks a bound";
    report->found = (struct blob){found.data, found.size};
    if (!fault && (!record_encode(RECORD_report, report, frame) || !decodes(RECORD_report, frame, &copy)))
        fault = "breaks a bound or is not valid text";
    if (fault)
        record_buffer_free(frame);
    record_buffer_free(&found);
    report->found = (struct blob){0};
    return fault;
}

void reports_encode(const struct pipes_identity *identity, const struct job_context *context, struct report *report,
                    struct record_buffer *frame)
{
    const struct job *job = context->job;
    const struct step_info *info = steps_info(job->step);
    complete(identity, job, report);
    report->cause = bounded(report->cause, context->arena);
    const char *fault = fault_of(info, report);
    if (!fault)
        fault = try_encode(context, report, frame);
    if (!fault)
        return;
    log_error("report_impossible", "step=%s job=%llu fault=%s", steps_name(job->step), (unsigned long long)job->job_id,
              fault);
    // The ids are numbers and stay: what exists there is not forgotten.
    struct report plain = {.outcome = OUTCOME_REFUSED,
                           .cause = arena_printf(context->arena, "a bug in Deskbell: the report of step %s %s",
                                                 steps_name(job->step), fault),
                           .upstream = report->upstream,
                           .http_status = report->http_status,
                           .sent = report->sent,
                           .rate_total = report->rate_total,
                           .rate_known = report->rate_known,
                           .rate_remaining = report->rate_remaining,
                           .retry_after_known = report->retry_after_known,
                           .retry_after_ms = report->retry_after_ms,
                           .date_ms = report->date_ms,
                           .took_ms = report->took_ms,
                           .ticket_id = report->ticket_id,
                           .requester_id = report->requester_id};
    complete(identity, job, &plain);
    *report = plain;
    if (!record_encode(RECORD_report, report, frame))
        abort(); // numbers within their bounds and a short sentence
}

const char *reports_conversation(const struct job *job)
{
    if (job->lane.conversation && job->lane.conversation[0])
        return job->lane.conversation;
    return job->events.count > 0 ? job->events.items[0].conversation : "";
}

const char *reports_outcome_name(uint64_t outcome)
{
    static const char *const names[] = {"none", "done", "not_found", "retry", "doubt", "refused"};
    return outcome < sizeof names / sizeof *names ? names[outcome] : "unknown";
}
