// SPDX-License-Identifier: Apache-2.0
// What a flow's step is to the worker: it makes one request out of a job, and a report out of the response. A flow is a
// table of steps in its file flow_*.c; flows.c joins the tables. Steps run in the worker's one thread and never block.
#ifndef WORKERS_STEP_H
#define WORKERS_STEP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/config.h"
#include "proto/records.h"
#include "proto/steps.h"
#include "upstream/request.h"

struct agents;    // agents.h: the cache of agents on both sides
struct proof_key; // proof.h: what the shop's server signs carts with

struct job_context {
    const struct config *config;
    const struct job *job; // decoded, with its events and lane
    struct found
        found; // decoded from job->found (zeroed with "" strings when empty); steps change it, the core encodes it
    struct arena *arena;               // lives until the report is acked
    struct agents *agents;             // cache shared by all jobs of this worker
    const struct proof_key *proof_key; // NULL: carts are not signed
    int64_t clock_ahead_ms[UPSTREAMS]; // upstream's Date minus our wall clock; valid where known
    bool clock_known[UPSTREAMS];
    uint64_t written_ms; // our wall clock when the step was begun: what it writes is of this day. 0: not known
    // No write is made: `begin` of one may say in its report how the flow goes on without it, beside its request.
    // Where it says nothing, the event is finished.
    bool observing;
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
 * (RETRY, DOUBT only for STEP_WRITE, REFUSED) and cause.
 */
void answers_default(const struct job_context *context, const struct response *response, struct report *report);
#endif
