// SPDX-License-Identifier: Apache-2.0
// Freshcaller's call objects as events: who called, how it went, and what of them is none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "http-front/intake/normalise_freshcaller.h"

#define UPDATED_MS INT64_C(1741083790000) // 2025-03-04T10:23:10Z
#define MINUTE_MS  INT64_C(60000)

static struct normalise_options options;
static struct arena *arena;

static int fresh(void **state)
{
    (void)state;
    options = (struct normalise_options){.now_ms = UPDATED_MS + 5000, .phone_plan.country_code = "44"};
    arena = arena_new();
    return 0;
}

static int done(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct normalised say(const char *body)
{
    struct normalised result = normalise_freshcaller(body, strlen(body), &options, arena);
    if (result.result == NORMALISE_EVENT) {
        struct record_buffer buffer;
        assert_true(record_encode(RECORD_event, &result.event, &buffer));
        record_buffer_free(&buffer);
    }
    return result;
}

#define TIMES  "\"created_time\":\"2025-03-04T10:22:00.000Z\",\"updated_time\":\"2025-03-04T11:23:10.000+01:00\""
#define HEAD   "{\"id\":51,\"direction\":\"incoming\",\"phone_number\":\"+440000000001\"," TIMES
#define PEOPLE ",\"participants\":["
#define CUSTOMER(status, took)                                                                                         \
    "{\"participant_type\":\"Customer\",\"caller_number\":\"+440000000099\",\"caller_name\":\"Ada\",\"call_"           \
    "status\":" status ",\"duration\":" took "}"
#define AGENT(status, took)                                                                                            \
    ",{\"participant_type\":\"Agent\",\"participant_id\":9,\"caller_name\":\"R. Mills\",\"call_status\":" status       \
    ",\"duration\":" took "}"
#define END "]}"

static uint64_t state_of(const char *body)
{
    struct normalised got = say(body);
    assert_int_equal(got.result, NORMALISE_EVENT);
    return got.event.call.state;
}

static void an_answered_call_is_told_whole(void **state)
{
    (void)state;
    struct normalised got =
        say("{\"call\":{\"id\":51,\"direction\":\"incoming\",\"phone_number\":\"+440000000001\"," TIMES
            ",\"assigned_agent_name\":\"R. Mills\",\"bill_duration\":64,\"bill_duration_unit\":\"seconds\","
            "\"call_notes\":\"wants an invoice\","
            "\"recording\":{\"id\":1,\"url\":\"https://x.freshcaller.com/r/1\",\"duration\":60},"
            "\"integrated_resources\":[{\"integration_name\":\"hubspot\",\"type\":\"ticket\",\"id\":1},"
            "{\"integration_name\":\"Freshdesk\",\"type\":\"Ticket\",\"id\":\"77\"}]" PEOPLE CUSTOMER("1", "64")
                AGENT("1", "60") END "}");
    assert_int_equal(got.result, NORMALISE_EVENT);
    const struct event *event = &got.event;
    assert_int_equal(event->kind, EVENT_CALL);
    assert_string_equal(event->key, "freshcaller:call:51:1741083790000");
    assert_string_equal(event->conversation, "call:51");
    assert_string_equal(event->phone, "+440000000099");
    assert_string_equal(event->name, "Ada");
    assert_int_equal(event->time_ms, UPDATED_MS);
    const struct phone_call *call = &event->call;
    assert_int_equal(call->id, 51);
    assert_int_equal(call->root_id, 51);
    assert_int_equal(call->state, CALL_ANSWERED);
    assert_int_equal(call->seconds, 64);
    assert_int_equal(call->started_ms, UPDATED_MS - 70000);
    assert_int_equal(call->ended_ms, UPDATED_MS - 6000);
    assert_string_equal(call->agent, "R. Mills");
    assert_string_equal(call->from, "+440000000099");
    assert_string_equal(call->to, "+440000000001");
    assert_string_equal(call->recording, "https://x.freshcaller.com/r/1");
    assert_string_equal(call->notes, "wants an invoice");
    assert_int_equal(call->ticket_id, 77);
    assert_false(call->outgoing);
}

static void how_it_went_is_read_from_the_participants(void **state)
{
    (void)state;
    assert_int_equal(state_of(HEAD PEOPLE CUSTOMER("1", "64") AGENT("1", "60") END), CALL_ANSWERED);
    assert_int_equal(state_of(HEAD PEOPLE CUSTOMER("3", "20") AGENT("3", "0") END), CALL_MISSED);
    assert_int_equal(state_of(HEAD PEOPLE CUSTOMER("3", "null") END), CALL_MISSED);
    assert_int_equal(state_of(HEAD PEOPLE CUSTOMER("1", "40") END), CALL_MISSED); // a menu, a queue, a voicemail
    assert_int_equal(state_of(HEAD PEOPLE CUSTOMER("1", "null") AGENT("1", "null") END), CALL_ONGOING);
    assert_int_equal(state_of(HEAD PEOPLE END), CALL_ONGOING);
    assert_int_equal(state_of(HEAD "}"), CALL_ONGOING);
}

static void unknown_numbers_are_decided_by_length_and_agent(void **state)
{
    (void)state;
    assert_int_equal(state_of(HEAD PEOPLE CUSTOMER("17", "64") AGENT("10", "60") END), CALL_ANSWERED);
    assert_int_equal(state_of(HEAD PEOPLE CUSTOMER("17", "64") AGENT("3", "0") END), CALL_MISSED);
    assert_int_equal(state_of(HEAD PEOPLE CUSTOMER("17", "64") END), CALL_MISSED);
    assert_int_equal(state_of(HEAD PEOPLE CUSTOMER("17", "0") AGENT("10", "0") END), CALL_ONGOING);
    assert_int_equal(state_of(HEAD PEOPLE CUSTOMER("-5", "\"64\"") AGENT("\"x\"", "60.0") END), CALL_ANSWERED);
}

static void a_call_that_never_ends_is_over_after_a_while(void **state)
{
    (void)state;
    const char *ringing = HEAD PEOPLE CUSTOMER("10", "null") END;
    const char *talking = HEAD PEOPLE CUSTOMER("1", "null") AGENT("1", "null") END;
    options.now_ms = UPDATED_MS + 29 * MINUTE_MS;
    assert_int_equal(state_of(ringing), CALL_ONGOING);
    options.now_ms = UPDATED_MS + 31 * MINUTE_MS;
    assert_int_equal(state_of(ringing), CALL_MISSED);
    assert_string_equal(say(ringing).event.key, "freshcaller:call:51:1741083790000:over");
    assert_int_equal(state_of(talking), CALL_ONGOING);
    options.now_ms = UPDATED_MS + 241 * MINUTE_MS;
    assert_int_equal(state_of(talking), CALL_OTHER);
}

static void the_legs_of_a_transfer_are_one_call(void **state)
{
    (void)state;
    struct normalised got = say("{\"id\":53,\"parent_call_id\":52,\"root_call_id\":51," TIMES "}");
    assert_string_equal(got.event.conversation, "call:51");
    assert_int_equal(got.event.call.parent_id, 52);
    got = say("{\"id\":52,\"parent_call_id\":\"51\",\"root_call_id\":null," TIMES "}");
    assert_string_equal(got.event.conversation, "call:51");
}

static void an_outgoing_call_is_to_the_customer(void **state)
{
    (void)state;
    struct normalised got =
        say("{\"id\":51,\"direction\":\"Outgoing\",\"phone_number\":\"+440000000001\"," TIMES PEOPLE CUSTOMER("1", "64")
                END);
    assert_true(got.event.call.outgoing);
    assert_int_equal(got.event.call.state, CALL_ANSWERED);
    assert_string_equal(got.event.call.to, "+440000000099");
    assert_int_equal(
        state_of("{\"id\":51,\"direction\":\"outgoing\"," TIMES PEOPLE CUSTOMER("3", "12") AGENT("1", "12") END),
        CALL_MISSED);
    assert_string_equal(got.event.phone, "+440000000099");
}

static void a_withheld_number_is_none(void **state)
{
    (void)state;
    struct normalised got =
        say(HEAD PEOPLE "{\"participant_type\":\"Customer\",\"caller_number\":\"anonymous\",\"call_status\":3}" END);
    assert_string_equal(got.event.phone, "");
    assert_string_equal(got.event.call.from, "anonymous");
    assert_int_equal(got.event.call.state, CALL_MISSED);
    got = say(HEAD PEOPLE "{\"participant_type\":\"Customer\",\"caller_number\":\"020 7946 0000\"}" END);
    assert_string_equal(got.event.phone, "+442079460000");
}

static void addresses_that_are_none_are_left_out(void **state)
{
    (void)state;
    static const char *const none[] = {"\"x\"", "{\"url\":null}", "{\"url\":\"javascript:alert(1)\"}", "[]",
                                       "{\"url\":\"https://a b\"}"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct normalised got = say(arena_printf(arena, "%s,\"recording\":%s}", HEAD, none[i]));
        assert_string_equal(got.event.call.recording, "");
    }
}

static void what_is_no_call_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum answer answer;
    } rows[] = {
        {"", ANSWER_BAD_JSON},
        {"nonsense", ANSWER_BAD_JSON},
        {"[]", ANSWER_BAD_EVENT},
        {"{}", ANSWER_BAD_ID},
        {"{\"id\":0," TIMES "}", ANSWER_BAD_ID},
        {"{\"id\":\"5x\"," TIMES "}", ANSWER_BAD_ID},
        {"{\"id\":5}", ANSWER_BAD_TIME},
        {"{\"id\":5,\"updated_time\":\"yesterday\"}", ANSWER_BAD_TIME},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct normalised got = say(rows[i].body);
        assert_int_equal(got.result, NORMALISE_BAD);
        assert_int_equal(got.answer, rows[i].answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answered_call_is_told_whole, fresh, done),
        cmocka_unit_test_setup_teardown(how_it_went_is_read_from_the_participants, fresh, done),
        cmocka_unit_test_setup_teardown(unknown_numbers_are_decided_by_length_and_agent, fresh, done),
        cmocka_unit_test_setup_teardown(a_call_that_never_ends_is_over_after_a_while, fresh, done),
        cmocka_unit_test_setup_teardown(the_legs_of_a_transfer_are_one_call, fresh, done),
        cmocka_unit_test_setup_teardown(an_outgoing_call_is_to_the_customer, fresh, done),
        cmocka_unit_test_setup_teardown(a_withheld_number_is_none, fresh, done),
        cmocka_unit_test_setup_teardown(addresses_that_are_none_are_left_out, fresh, done),
        cmocka_unit_test_setup_teardown(what_is_no_call_is_refused, fresh, done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
