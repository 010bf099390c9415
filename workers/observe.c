// SPDX-License-Identifier: Apache-2.0
// Observing: the one place where a step's request is weighed before it may become a call. A worker's thread. A write
// is done as far as the front is concerned, with no id; so nothing is claimed, doubted, tried again or given up. The
// client of a worker in observe mode refuses every method but GET once more (client_forbid_writes).
#include "workers/observe.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "proto/log.h"
#include "workers/reports.h"

static const char *with(struct arena *arena, const char *names, const char *prefix, const char *name,
                        const json_t *value)
{
    const char *comma = *names ? "," : "";
    if (!*prefix && json_is_integer(value))
        return arena_printf(arena, "%s%s%s=%" JSON_INTEGER_FORMAT, names, comma, name, json_integer_value(value));
    return arena_printf(arena, "%s%s%s%s", names, comma, prefix, name);
}

const char *observe_fields(struct arena *arena, const char *body)
{
    const char *names = "";
    json_t *object = body ? json_loads(body, 0, NULL) : NULL;
    const char *name, *inner;
    json_t *value, *field;
    json_object_foreach(object, name, value)
    {
        if (strcmp(name, "custom_fields") != 0)
            names = with(arena, names, "", name, value);
        else
            json_object_foreach(value, inner, field) names = with(arena, names, "custom_fields.", inner, field);
    }
    json_decref(object);
    return names;
}

bool observe_instead(struct job_context *context, const struct request *request, struct report *report)
{
    const struct job *job = context->job;
    const struct step_info *info = steps_info(job->step);
    if (!context->observing || (info->kind == STEP_READ && strcmp(request->method, "GET") == 0))
        return false;
    log_info("would_write", "step=%s conversation=%s ticket=%" PRIu64 " upstream=%s method=%s fields=%s", info->name,
             reports_conversation(job), job->lane.ticket_id, steps_upstream_name(request->upstream), request->method,
             observe_fields(context->arena, request->body));
    if (!report->outcome)
        report->outcome = OUTCOME_DONE;
    report->observed = true;
    report->what = "observed: nothing was written";
    return true;
}
