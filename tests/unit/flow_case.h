// SPDX-License-Identifier: Apache-2.0
// The bench on which flows are tested: one job with one event in one lane, a step begun, its request compared, a
// hand-made answer given to it, its report looked at. Every report and every finding is also encoded and decoded, as
// the worker does.
#ifndef TESTS_UNIT_FLOW_CASE_H
#define TESTS_UNIT_FLOW_CASE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "workers/agents.h"
#include "workers/customer.h"
#include "workers/step.h"

#define CONVERSATION "5e0b8f9e-0000-4000-8000-0000000000d1"
#define USER         "5e0b8f9e-0000-4000-8000-000000000001"
#define AGENT        "5e0b8f9e-0000-4000-8000-0000000000a7"
#define OTHER_AGENT  "5e0b8f9e-0000-4000-8000-0000000000b8"

// 2025-03-04T10:20:30.456Z
#define SAID_MS UINT64_C(1741083630456)

struct flow_case {
    struct config *config;
    struct arena *arena;
    struct agents *agents;
    struct job job;
    struct event events[4];
    struct part parts[4];
    struct job_context context;
    struct request request;
    struct report report;
};

static inline struct config *case_config(const char *more)
{
    static const char base[] = "freshchat { api_url = \"https://acme.freshchat.com/v2\" agent_id = \"" OTHER_AGENT
                               "\" }\nfreshdesk { api_url = \"https://acme.freshdesk.com/api/v2\" }\n";
    static const char no_agent[] = "freshchat { api_url = \"https://acme.freshchat.com/v2\" }\n"
                                   "freshdesk { api_url = \"https://acme.freshdesk.com/api/v2\" }\n";
    char text[4096];
    char words[1200];
    struct config *config = NULL;
    struct config_error error;
    bool without = strncmp(more, "no agent", 8) == 0;
    snprintf(text, sizeof text, "%s%s", without ? no_agent : base, without ? more + 8 : more);
    if (!config_parse(text, strlen(text), "test.conf", &config, &error))
        fail_msg("%s", config_error_text(&error, words, sizeof words));
    return config;
}

static inline struct event case_event(struct part *part, const char *text)
{
    *part = (struct part){.kind = PART_TEXT, .text = text, .url = "", .label = ""};
    return (struct event){.kind = EVENT_CUSTOMER_MESSAGE,
                          .key = "freshchat:message:e1",
                          .conversation = CONVERSATION,
                          .conversation_twin = "",
                          .channel = "c1",
                          .user = USER,
                          .actor = USER,
                          .message = "e1",
                          .time_ms = SAID_MS,
                          .accepted_ms = SAID_MS + 100,
                          .parts = {part, 1},
                          .reason = ""};
}

static inline struct context case_nobody(void)
{
    return customer_unknown();
}

static inline struct flow_case *case_new(const char *config)
{
    struct flow_case *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->config = case_config(config);
    self->arena = arena_new();
    self->agents = agents_new(clock_mono_ms);
    agents_put_page(self->agents, 1, false); // the helpdesk's agents are listed: nobody
    self->events[0] = case_event(&self->parts[0], "My boiler is cold");
    self->job = (struct job){
        .job_id = 1, .events = {self->events, 1}, .since_ms = SAID_MS + 200, .since_there_ms = SAID_MS + 200};
    self->job.lane = (struct lane){.conversation = CONVERSATION,
                                   .conversation_twin = "",
                                   .channel = "c1",
                                   .user = USER,
                                   .ticket_id = 0,
                                   .context = case_nobody()};
    self->context =
        (struct job_context){.config = self->config, .job = &self->job, .arena = self->arena, .agents = self->agents};
    self->context.found = (struct found){.context = case_nobody(),
                                         .agent_email = "",
                                         .agent_name = "",
                                         .chat_agent = "",
                                         .closed_ticket = "",
                                         .body = "",
                                         .said = "",
                                         .note = ""};
    return self;
}

static inline void case_free(struct flow_case *self)
{
    config_free(&self->config);
    arena_free(&self->arena);
    agents_free(&self->agents);
    free(self);
}

// Encodes and decodes what the step left, so that nothing borrowed and nothing beyond its bound gets through.
static inline void case_keep(struct flow_case *self)
{
    struct record_buffer found, report;
    if (!record_encode(RECORD_found, &self->context.found, &found))
        fail_msg("what step %s found cannot be encoded", steps_name(self->job.step));
    if (!record_encode(RECORD_report, &self->report, &report))
        fail_msg("the report of step %s cannot be encoded", steps_name(self->job.step));
    assert_int_equal(record_decode(RECORD_found, found.data, found.size, &self->context.found, self->arena), RECORD_OK);
    assert_int_equal(record_decode(RECORD_report, report.data, report.size, &self->report, self->arena), RECORD_OK);
    record_buffer_free(&found);
    record_buffer_free(&report);
}

static inline enum step_choice case_begin(struct flow_case *self, enum step step)
{
    self->job.step = step;
    self->report = (struct report){0};
    self->request = (struct request){0};
    const struct step_code *code = flows_step(step);
    assert_non_null(code);
    enum step_choice choice = code->begin(&self->context, &self->request, &self->report);
    if (choice == STEP_ANSWER)
        case_keep(self);
    return choice;
}

// Begins a step that must make this call. `body` NULL: none.
static inline void case_calls(struct flow_case *self, enum step step, const char *method, const char *path,
                              const char *body)
{
    assert_int_equal(case_begin(self, step), STEP_CALL);
    assert_int_equal(self->request.upstream, steps_info(step)->upstream);
    assert_string_equal(self->request.method, method);
    assert_string_equal(self->request.path, path);
    if (body) {
        assert_non_null(self->request.body);
        assert_string_equal(self->request.body, body);
    } else {
        assert_null(self->request.body);
    }
}

static inline void case_finish(struct flow_case *self, const struct response *response)
{
    flows_step(self->job.step)->finish(&self->context, response, &self->report);
}

// Answers the step that was begun. `json` may be NULL: then the body was not JSON.
static inline void case_answer(struct flow_case *self, enum answer answer, long status, uint64_t date_ms,
                               const char *json)
{
    json_error_t error;
    json_t *body = json ? json_loads(json, 0, &error) : NULL;
    if (json && !body)
        fail_msg("the test's JSON: %s at %d", error.text, error.position);
    struct response response = {.answer = answer,
                                .status = status,
                                .json = body,
                                .date_ms = date_ms,
                                .problem = answer == ANSWER_OK ? NULL : "freshdesk said no."};
    case_finish(self, &response);
    json_decref(body); // what the step keeps must be its own
    case_keep(self);
}

static inline void case_ok(struct flow_case *self, const char *json)
{
    case_answer(self, ANSWER_OK, 200, 0, json);
}

static inline void case_outcome(const struct flow_case *self, enum outcome outcome, enum step next)
{
    if (self->report.outcome != outcome || self->report.next_step != next)
        fail_msg("step %s ended with outcome %d, next %s (%s)", steps_name(self->job.step), (int)self->report.outcome,
                 steps_name(self->report.next_step), self->report.cause);
}

// What a step does with answers that mean nothing special to it.
static inline void case_fails_plainly(struct flow_case *self, enum step step, bool write)
{
    const struct {
        enum answer answer;
        long status;
        enum outcome outcome;
    } rows[] = {
        {ANSWER_RETRY, 429, OUTCOME_RETRY},
        {ANSWER_RETRY, 0, OUTCOME_RETRY},
        {ANSWER_AUTH, 401, OUTCOME_RETRY},
        {write ? ANSWER_DOUBT : ANSWER_RETRY, 0, write ? OUTCOME_DOUBT : OUTCOME_RETRY},   // timeout
        {write ? ANSWER_DOUBT : ANSWER_RETRY, 200, write ? OUTCOME_DOUBT : OUTCOME_RETRY}, // HTML
        {write ? ANSWER_DOUBT : ANSWER_RETRY, 500, write ? OUTCOME_DOUBT : OUTCOME_RETRY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct found before = self->context.found;
        assert_int_equal(case_begin(self, step), STEP_CALL);
        case_answer(self, rows[i].answer, rows[i].status, 0, NULL);
        case_outcome(self, rows[i].outcome, STEP_NONE);
        assert_string_not_equal(self->report.cause, "");
        self->context.found = before;
    }
    // JSON that is not what was asked for
    struct found before = self->context.found;
    assert_int_equal(case_begin(self, step), STEP_CALL);
    case_ok(self, "{\"surprise\":[1,{}]}");
    case_outcome(self, write ? OUTCOME_DOUBT : OUTCOME_RETRY, STEP_NONE);
    self->context.found = before;
}

static inline bool case_has(const char *text, const char *words)
{
    return strstr(text, words) != NULL;
}
#endif
