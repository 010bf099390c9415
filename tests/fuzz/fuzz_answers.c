// SPDX-License-Identifier: Apache-2.0
// Fuzzes what the upstreams answer. The first byte chooses the step, the second what is known before it and the HTTP
// status, the rest is the body: each step makes of it a report and findings that fit their records, whatever it was.
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "workers/agents.h"
#include "workers/step.h"

#define CONVERSATION "5e0b8f9e-0000-4000-8000-0000000000d1"
#define USER         "5e0b8f9e-0000-4000-8000-000000000001"
#define SAID_MS      UINT64_C(1741083630456)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth)
        abort();
}

static struct config *settings(void)
{
    static struct config *config;
    static const char text[] =
        "freshchat { api_url = \"https://acme.freshchat.com/v2\" agent_id = \"a1\" }\n"
        "freshdesk { api_url = \"https://acme.freshdesk.com/api/v2\" }\n"
        "priority high-value { min_cart_value = 200.0 level = \"urgent\" tags = {\"high-value\"} }\n";
    struct config_error error;
    if (!config) {
        log_init("fuzz", LOG_LEVEL_ERROR);
        must(config_parse(text, strlen(text), "fuzz.conf", &config, &error));
    }
    return config;
}

// A record of which nothing is known: numbers 0, texts empty.
static void empty(enum record_kind kind, void *record, size_t size, struct arena *arena)
{
    struct record_buffer buffer;
    memset(record, 0, size);
    must(record_encode(kind, record, &buffer));
    must(record_decode(kind, buffer.data, buffer.size, record, arena) == RECORD_OK);
    record_buffer_free(&buffer);
}

static void fill_job(struct job *job, struct event *event, struct part *part, bool known, struct arena *arena)
{
    empty(RECORD_job, job, sizeof(struct job), arena);
    empty(RECORD_event, event, sizeof(struct event), arena);
    empty(RECORD_part, part, sizeof(struct part), arena);
    part->kind = PART_TEXT;
    part->text = "My boiler is cold";
    event->kind = EVENT_CUSTOMER_MESSAGE;
    event->key = "freshchat:message:e1";
    event->conversation = CONVERSATION;
    event->user = event->actor = USER;
    event->message = "e1";
    event->time_ms = SAID_MS;
    event->accepted_ms = SAID_MS + 100;
    event->ticket_id = known ? 42 : 0;
    event->parts.items = part;
    event->parts.count = 1;
    job->job_id = 1;
    job->events.items = event;
    job->events.count = 1;
    job->since_ms = SAID_MS + 200;
    job->lane.conversation = CONVERSATION;
    job->lane.user = USER;
    job->lane.ticket_id = known ? 42 : 0;
    job->lane.requester_id = known ? 7 : 0;
}

static void must_fit(enum record_kind kind, const void *record)
{
    struct record_buffer buffer;
    must(record_encode(kind, record, &buffer));
    record_buffer_free(&buffer);
}

static void answer(const struct step_code *code, uint8_t known, const uint8_t *body, size_t size)
{
    static const struct {
        enum answer answer;
        long status;
    } rows[] = {{ANSWER_OK, 200},        {ANSWER_OK, 201},    {ANSWER_REFUSED, 400},
                {ANSWER_NOT_FOUND, 404}, {ANSWER_RETRY, 429}, {ANSWER_DOUBT, 500}};
    struct arena *arena = arena_new();
    struct agents *agents = agents_new(clock_mono_ms);
    struct job job;
    struct event event;
    struct part part;
    struct request request = {0};
    struct report report;
    fill_job(&job, &event, &part, known & 1, arena);
    job.step = code->step;
    struct job_context context = {.config = settings(), .job = &job, .arena = arena, .agents = agents};
    empty(RECORD_found, &context.found, sizeof(struct found), arena);
    empty(RECORD_report, &report, sizeof(struct report), arena);
    if (code->begin(&context, &request, &report) == STEP_CALL) {
        size_t row = known / 2 % (sizeof rows / sizeof *rows);
        json_t *json = json_loadb((const char *)body, size, JSON_ALLOW_NUL, NULL);
        struct response response = {.answer = rows[row].answer,
                                    .status = rows[row].status,
                                    .json = json,
                                    .problem = rows[row].answer == ANSWER_OK ? NULL : "freshdesk said no."};
        if (json || rows[row].answer != ANSWER_OK)
            code->finish(&context, &response, &report);
        json_decref(json); // what the step keeps must be its own
    }
    must_fit(RECORD_found, &context.found);
    must_fit(RECORD_report, &report);
    agents_free(&agents);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct step_code *code = flows_step(data[0] % STEPS_END);
    if (code)
        answer(code, data[1], data + 2, size - 2);
    return 0;
}
