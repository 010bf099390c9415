// SPDX-License-Identifier: Apache-2.0
// What a flow's step is to the worker: it makes one request out of a job, and a report out of the response. A flow is a table of
// steps in its file flow_*.c; flows.c joins the tables. Steps run in the worker's one thread and never block.
#ifndef WORKERS_STEP_H
#define WORKERS_STEP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/config.h"
#include "proto/records.h"
#include "proto/steps.h"

struct agents; // agents.h: the cache of agents on both sides

struct job_context {
    const struct config *config;
    const struct job *job;  // decoded, with its events and lane
    struct found found;     // decoded from job->found (zeroed with "" strings when empty); steps change it, the core encodes it
    struct arena *arena;    // lives until the report is acked
    struct agents *agents;  // cache shared by all jobs of this worker
    int64_t clock_ahead_ms[UPSTREAMS]; // upstream's Date minus our wall clock; valid where known
    bool clock_known[UPSTREAMS];
};

struct request {
    enum upstream upstream;
    const char *method; // "GET", "POST", "PUT"
    const char *path;   // after api_url, with query, already escaped: "/tickets/42/notes"
    const char *body;   // JSON or NULL
    uint64_t timeout_ms; // 0: the configured one
};

// What an answer means for a step, before the step looks at it; decided in one table, answers.c.
enum answer {
    ANSWER_OK,        // 2xx with JSON (or an empty body where the step allows it)
    ANSWER_RETRY,     // did not happen: refused connection, 429, 503 with a plain refusal
    ANSWER_DOUBT,     // may have happened: broken connection after sending, timeout, 5xx, unknown status, HTML with 200
    ANSWER_REFUSED,   // 4xx that will never work
    ANSWER_NOT_FOUND, // 404
    ANSWER_AUTH,      // 401, 403: the key, not the message, is wrong; retried slowly, said loudly
};

struct response {
    enum answer answer;
    long status;          // 0: none
    void *json;           // json_t *, borrowed; NULL when the body was not JSON
    const char *link_next; // Link rel="next" target or NULL
    uint64_t date_ms;     // 0: none
    const char *problem;  // one plain sentence when not ANSWER_OK
};

enum step_choice {
    STEP_CALL,   // `request` is filled: make the call
    STEP_ANSWER, // no call is needed: `report` is filled
};

struct step_code {
    enum step step;
    enum step_choice (*begin)(struct job_context *context, struct request *request, struct report *report);
    void (*finish)(struct job_context *context, const struct response *response, struct report *report);
};

/** The code of a step; NULL for numbers that are none. */
const struct step_code *flows_step(uint64_t step);

/**
 * What every step does with an answer that is not ANSWER_OK and means nothing special to it: sets report->outcome
 * (RETRY, DOUBT only for STEP_WRITE, REFUSED) and cause. In answers.c.
 */
void answers_default(const struct job_context *context, const struct response *response, struct report *report);
#endif
