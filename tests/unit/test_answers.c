// SPDX-License-Identifier: Apache-2.0
// What answers mean: every status, with every body, for every kind of step; and the sentences about them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/answers.h"
#include "workers/step.h"

static const enum step_kind kinds[] = {STEP_READ, STEP_WRITE, STEP_REPEATABLE};
static const enum answer_body bodies[] = {ANSWER_BODY_NONE, ANSWER_BODY_JSON, ANSWER_BODY_CUT, ANSWER_BODY_ELSE};

// The rule said once more, in another form than the table's.
static enum answer expected(enum step_kind kind, const struct answer_facts *facts)
{
    enum answer unsure = kind == STEP_WRITE ? ANSWER_DOUBT : ANSWER_RETRY;
    long status = facts->status;
    if (status == 0)
        return facts->sent ? unsure : ANSWER_RETRY;
    if (status >= 200 && status < 300 && facts->body == ANSWER_BODY_JSON)
        return ANSWER_OK;
    if (status >= 200 && status < 300 && facts->body == ANSWER_BODY_NONE && kind == STEP_REPEATABLE)
        return ANSWER_OK;
    if (status < 400 || status > 599 || status == 408)
        return unsure;
    if (status == 401 || status == 403)
        return ANSWER_AUTH;
    if (status == 404)
        return ANSWER_NOT_FOUND;
    if (status == 425 || status == 429)
        return ANSWER_RETRY;
    if (status < 500)
        return ANSWER_REFUSED;
    return status == 503 && facts->retry_after ? ANSWER_RETRY : unsure;
}

static void every_answer_has_its_meaning(void **state)
{
    (void)state;
    for (long status = 0; status <= 1000; status++)
        for (size_t k = 0; k < 3; k++)
            for (size_t b = 0; b < 4; b++)
                for (int bits = 0; bits < 4; bits++) {
                    struct answer_facts facts = {
                        .sent = bits & 1, .status = status, .body = bodies[b], .retry_after = (bits & 2) != 0};
                    enum answer answer = answers_classify(kinds[k], &facts);
                    if (answer != expected(kinds[k], &facts))
                        fail_msg("status %ld kind %d body %d bits %d: %d", status, kinds[k], bodies[b], bits, answer);
                    assert_true(strlen(answers_sentence(&facts)) > 3);
                }
}

// Spelled out, because these are what a second ticket or a lost message hangs on.
static void writes_are_repeated_only_when_nothing_happened(void **state)
{
    (void)state;
    static const struct {
        struct answer_facts facts;
        enum answer answer;
    } cases[] = {
        {{.sent = false, .status = 0}, ANSWER_RETRY},                                // refused connection
        {{.sent = true, .status = 0}, ANSWER_DOUBT},                                 // broken after sending, timeout
        {{.sent = true, .status = 201, .body = ANSWER_BODY_JSON}, ANSWER_OK},        //
        {{.sent = true, .status = 201, .body = ANSWER_BODY_CUT}, ANSWER_DOUBT},      // it exists, but which is it?
        {{.sent = true, .status = 200, .body = ANSWER_BODY_ELSE}, ANSWER_DOUBT},     // HTML
        {{.sent = true, .status = 204, .body = ANSWER_BODY_NONE}, ANSWER_DOUBT},     //
        {{.sent = true, .status = 302, .body = ANSWER_BODY_NONE}, ANSWER_DOUBT},     //
        {{.sent = true, .status = 400, .body = ANSWER_BODY_JSON}, ANSWER_REFUSED},   //
        {{.sent = true, .status = 401, .body = ANSWER_BODY_JSON}, ANSWER_AUTH},      //
        {{.sent = true, .status = 403, .body = ANSWER_BODY_NONE}, ANSWER_AUTH},      //
        {{.sent = true, .status = 404, .body = ANSWER_BODY_NONE}, ANSWER_NOT_FOUND}, //
        {{.sent = true, .status = 408, .body = ANSWER_BODY_NONE}, ANSWER_DOUBT},     //
        {{.sent = true, .status = 409, .body = ANSWER_BODY_JSON}, ANSWER_REFUSED},   //
        {{.sent = true, .status = 429, .body = ANSWER_BODY_CUT}, ANSWER_RETRY},      //
        {{.sent = true, .status = 500, .body = ANSWER_BODY_JSON}, ANSWER_DOUBT},     //
        {{.sent = true, .status = 502, .body = ANSWER_BODY_ELSE}, ANSWER_DOUBT},     //
        {{.sent = true, .status = 503, .body = ANSWER_BODY_ELSE}, ANSWER_DOUBT},     //
        {{.sent = true, .status = 503, .retry_after = true}, ANSWER_RETRY},          //
        {{.sent = true, .status = 504, .retry_after = true}, ANSWER_DOUBT},          //
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(answers_classify(STEP_WRITE, &cases[i].facts), cases[i].answer);
}

static struct report by_default(enum step step, enum answer answer, const char *problem)
{
    struct job job = {.step = step};
    struct job_context context = {.job = &job};
    struct response response = {.answer = answer, .problem = problem};
    struct report report = {0};
    answers_default(&context, &response, &report);
    return report;
}

static void default_reports(void **state)
{
    (void)state;
    static const struct {
        enum step step;
        enum answer answer;
        enum outcome outcome;
    } cases[] = {
        {STEP_CREATE_TICKET, ANSWER_RETRY, OUTCOME_RETRY},
        {STEP_CREATE_TICKET, ANSWER_DOUBT, OUTCOME_DOUBT},
        {STEP_CREATE_TICKET, ANSWER_REFUSED, OUTCOME_REFUSED},
        {STEP_CREATE_TICKET, ANSWER_NOT_FOUND, OUTCOME_REFUSED},
        {STEP_CREATE_TICKET, ANSWER_AUTH, OUTCOME_RETRY},
        {STEP_CREATE_TICKET, ANSWER_OK, OUTCOME_DOUBT}, // JSON, but without the id that was looked for
        {STEP_READ_CUSTOMER, ANSWER_OK, OUTCOME_RETRY},
        {STEP_READ_CUSTOMER, ANSWER_DOUBT, OUTCOME_RETRY},
        {STEP_READ_CUSTOMER, ANSWER_REFUSED, OUTCOME_REFUSED},
        {STEP_UPDATE_TICKET, ANSWER_OK, OUTCOME_RETRY},
        {STEP_UPDATE_TICKET, ANSWER_DOUBT, OUTCOME_RETRY},
        {(enum step)200, ANSWER_DOUBT, OUTCOME_RETRY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct report report = by_default(cases[i].step, cases[i].answer, "why");
        assert_int_equal(report.outcome, cases[i].outcome);
        if (cases[i].answer != ANSWER_OK)
            assert_string_equal(report.cause, "why");
    }
    assert_true(strlen(by_default(STEP_CREATE_TICKET, ANSWER_RETRY, NULL).cause) > 0);
    assert_true(strlen(by_default(STEP_CREATE_TICKET, ANSWER_OK, NULL).cause) > 0);
}

static const char *problem(enum upstream upstream, long status, const char *body, const char *request)
{
    static char out[1000];
    struct answer_facts facts = {.sent = true, .status = status, .body = ANSWER_BODY_JSON};
    json_t *json = body ? json_loads(body, 0, NULL) : NULL;
    if (body)
        assert_non_null(json);
    answers_problem(out, sizeof out, upstream, &facts, NULL, json, request);
    json_decref(json);
    return out;
}

static void sentences_say_what_the_other_side_said(void **state)
{
    (void)state;
    assert_string_equal(
        problem(UPSTREAM_FRESHDESK, 400,
                "{\"description\":\"Validation failed\",\"errors\":[{\"field\":\"custom_fields.cf_x\","
                "\"message\":\"It should be one of these values: 'a,b'\",\"code\":\"invalid_value\"},"
                "{\"code\":\"missing_field\",\"field\":\"type\"}]}",
                NULL),
        "Freshdesk refused the request (status 400): Validation failed; custom_fields.cf_x: It should be "
        "one of these values: 'a,b' (invalid_value); type (missing_field)");
    assert_string_equal(
        problem(UPSTREAM_FRESHDESK, 401,
                "{\"code\":\"invalid_credentials\",\"message\":\"You have to be logged in to perform this action.\"}",
                NULL),
        "Freshdesk does not accept the API key (status 401): invalid_credentials; You have to be logged in to perform "
        "this action.");
    assert_string_equal(problem(UPSTREAM_FRESHCHAT, 404,
                                "{\"code\":404,\"status\":\"AGENT_NOT_FOUND\",\"message\":\"no such agent\"}", NULL),
                        "Freshchat does not know what was asked for (status 404): AGENT_NOT_FOUND; no such agent");
    assert_string_equal(problem(UPSTREAM_FRESHCHAT, 500, NULL, NULL), "Freshchat failed (status 500)");
    assert_string_equal(problem(UPSTREAM_FRESHCHAT, 400, "[1]", NULL), "Freshchat refused the request (status 400)");
    assert_string_equal(problem(UPSTREAM_FRESHCHAT, 400, "{\"errors\":[1,{},{\"field\":2}],\"message\":{}}", NULL),
                        "Freshchat refused the request (status 400)");
}

static void customers_words_are_taken_out(void **state)
{
    (void)state;
    const char *request = "{\"subject\":\"My boiler is cold\",\"name\":\"Ann Lee\",\"tags\":[\"secret-tag\"],"
                          "\"custom_fields\":{\"cf_screen\":\"checkout\"},\"status\":2,\"source\":\"7\"}";
    assert_string_equal(
        problem(UPSTREAM_FRESHDESK, 400,
                "{\"errors\":[{\"field\":\"subject\",\"message\":\"'My boiler is cold' of Ann Lee has a "
                "secret-tag on checkout, 7\"}]}",
                request),
        "Freshdesk refused the request (status 400); subject: '[...]' of [...] has a [...] on [...], 7");
    assert_string_equal(
        problem(UPSTREAM_FRESHDESK, 409,
                "{\"message\":\"bob@example.org, <ann@example.org> and (\\\"c@d.example\\\") exist; ask a@b@c\"}",
                NULL),
        "Freshdesk refused the request (status 409): [...], <[...]> and (\"[...]\") exist; ask [...]");
}

static void sentences_are_one_bounded_line(void **state)
{
    (void)state;
    char *body = malloc(200000);
    int at = sprintf(body, "{\"description\":\"line\\r\\nline\\t\\u001b[31m\\u0000x\",\"message\":\"");
    for (int i = 0; i < 30000; i++)
        at += sprintf(body + at, "\xc3\xa9");
    sprintf(body + at, "\"}");
    char out[1000];
    struct answer_facts facts = {.sent = true, .status = 400};
    json_t *json = json_loads(body, JSON_ALLOW_NUL, NULL);
    assert_non_null(json);
    answers_problem(out, sizeof out, UPSTREAM_FRESHDESK, &facts, NULL, json, NULL);
    assert_non_null(strstr(out, ": line  line  [31m x; \xc3\xa9\xc3\xa9"));
    assert_in_range(strlen(out), 400, 500);
    for (const char *c = out; *c; c++)
        assert_true((unsigned char)*c >= 0x20);
    // whatever the room, whole characters only
    for (size_t size = 1; size < 300; size++) {
        answers_problem(out, size, UPSTREAM_FRESHDESK, &facts, "transport \xc3\xa9", json, NULL);
        assert_true(strlen(out) < size);
        json_t *text = json_string(out); // refuses broken UTF-8
        assert_non_null(text);
        json_decref(text);
    }
    json_decref(json);
    free(body);
}

static void hostile_error_bodies_do_no_harm(void **state)
{
    (void)state;
    char out[1000];
    struct answer_facts facts = {.sent = true, .status = 400};
    // a request whose every value is in the answer, many times, one the beginning of the other
    json_t *request = json_object();
    json_t *answer = json_object();
    char *text = malloc(100001);
    memset(text, 'a', 100000);
    text[100000] = '\0';
    for (int i = 0; i < 200; i++) {
        char key[20];
        snprintf(key, sizeof key, "k%d", i);
        json_object_set_new(request, key, json_stringn(text, (size_t)i + 1));
    }
    json_object_set_new(answer, "message", json_string(text));
    char *request_text = json_dumps(request, 0);
    answers_problem(out, sizeof out, UPSTREAM_FRESHDESK, &facts, NULL, answer, request_text);
    assert_non_null(strstr(out, "[...]"));
    assert_null(strstr(out, "aaaaa"));
    answers_problem(out, sizeof out, (enum upstream)99, &facts, "", answer, "not json");
    assert_non_null(strstr(out, "The other side refused the request"));
    free(request_text);
    free(text);
    json_decref(request);
    json_decref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_has_its_meaning),
        cmocka_unit_test(writes_are_repeated_only_when_nothing_happened),
        cmocka_unit_test(default_reports),
        cmocka_unit_test(sentences_say_what_the_other_side_said),
        cmocka_unit_test(customers_words_are_taken_out),
        cmocka_unit_test(sentences_are_one_bounded_line),
        cmocka_unit_test(hostile_error_bodies_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
