// SPDX-License-Identifier: Apache-2.0
// workers/flow_poll_calls: which window each round asks for, how far its pages go, and where the mark goes.
#include "tests/unit/flow_case.h"

#include <inttypes.h>

#include "workers/text.h"

enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS };

static struct flow_case *polled(uint64_t mark_ago_ms, uint64_t swept_ago_ms, uint64_t begun_ago_ms)
{
    struct flow_case *c = case_new("freshcaller { enabled = true }\n");
    uint64_t now = (uint64_t)clock_wall_ms();
    c->events[0] = (struct event){.kind = EVENT_POLL_CALLS,
                                  .key = "",
                                  .conversation = "poll:freshcaller",
                                  .conversation_twin = "",
                                  .channel = "",
                                  .user = "",
                                  .actor = "",
                                  .message = "",
                                  .reason = "",
                                  .phone = "",
                                  .name = "",
                                  .call = {.from = "", .to = "", .agent = "", .recording = "", .notes = ""}};
    c->job.lane.conversation = "poll:freshcaller";
    c->job.lane.user = c->job.lane.channel = "";
    c->job.lane.mark_ms = mark_ago_ms ? now - mark_ago_ms : 0;
    c->job.lane.listed_ms = swept_ago_ms ? now - swept_ago_ms : 0;
    c->job.lane.chat_mark_ms = begun_ago_ms ? now - begun_ago_ms : 0;
    c->context.found.body = c->context.found.said = "";
    return c;
}

// How long ago the time is that follows `name` in the path; the upstream's clock is ours.
static int64_t asked_ago(const struct flow_case *c, const char *name)
{
    const char *at = strstr(c->request.path, name);
    assert_non_null(at);
    char text[64];
    size_t length = 0;
    for (at += strlen(name); *at && *at != '&' && length < sizeof text; at++) {
        bool colon = strncmp(at, "%3A", 3) == 0;
        text[length++] = colon ? ':' : *at;
        at += colon ? 2 : 0;
    }
    int64_t ms = 0;
    assert_true(clock_parse_iso(text, length, &ms));
    return clock_wall_ms() - ms;
}

static void assert_window(const struct flow_case *c, int64_t from_ago_ms, const char *page)
{
    int64_t from = asked_ago(c, "by_time%5Bfrom%5D=");
    int64_t to = asked_ago(c, "by_time%5Bto%5D=");
    assert_in_range(from + MINUTE_MS, from_ago_ms + MINUTE_MS - 100, from_ago_ms + MINUTE_MS + 20000);
    assert_in_range(to + 2 * MINUTE_MS, MINUTE_MS - 100, MINUTE_MS + 20000);
    assert_true(case_has(c->request.path, page));
}

static uint64_t now_date(void)
{
    return (uint64_t)clock_wall_ms() / 1000 * 1000;
}

static void answers(struct flow_case *c, const char *json, enum step next)
{
    case_answer(c, ANSWER_OK, 200, now_date(), json);
    case_outcome(c, OUTCOME_DONE, next);
}

#define LIST(calls, page, pages)                                                                                       \
    "{\"calls\":[" calls "],\"meta\":{\"current\":" page ",\"total_pages\":" pages ",\"total_count\":3}}"

static void the_first_look_goes_back_a_little(void **state)
{
    (void)state;
    struct flow_case *c = polled(0, 0, 0);
    assert_int_equal(case_begin(c, STEP_LIST_CALLS), STEP_CALL);
    assert_window(c, 10 * MINUTE_MS, "&per_page=100&page=1");
    answers(c, LIST("", "1", "0"), STEP_NONE);
    assert_in_range(c->report.mark_ms, clock_wall_ms() - 3000, clock_wall_ms() + 3000);
    assert_in_range(c->report.chat_mark_ms, clock_wall_ms() - 11 * MINUTE_MS - 3000, clock_wall_ms() - 9 * MINUTE_MS);
    assert_int_equal(c->report.listed_ms, c->report.mark_ms);
    case_free(c);
    // Their clock is another hour: once more, by that.
    c = polled(0, 0, 0);
    assert_int_equal(case_begin(c, STEP_LIST_CALLS), STEP_CALL);
    case_answer(c, ANSWER_OK, 200, now_date() - HOUR_MS, LIST("", "1", "0"));
    case_outcome(c, OUTCOME_DONE, STEP_LIST_CALLS);
    assert_int_equal(case_begin(c, STEP_LIST_CALLS), STEP_CALL);
    assert_in_range(asked_ago(c, "by_time%5Bto%5D="), HOUR_MS - MINUTE_MS - 3000, HOUR_MS);
    case_free(c);
}

// A round with these marks asks back so far.
static void reaches(uint64_t mark_ago_ms, uint64_t swept_ago_ms, uint64_t begun_ago_ms, int64_t from_ago_ms, bool sweep)
{
    struct flow_case *c = polled(mark_ago_ms, swept_ago_ms, begun_ago_ms);
    c->context.clock_known[UPSTREAM_FRESHCALLER] = true;
    assert_int_equal(case_begin(c, STEP_LIST_CALLS), STEP_CALL);
    assert_window(c, from_ago_ms, "&page=1");
    answers(c, LIST("{\"id\":1}", "1", "1"), STEP_NONE);
    assert_int_equal(c->report.listed_ms != 0, sweep);
    assert_int_equal(c->report.chat_mark_ms, 0);
    assert_int_equal(c->report.raws.count, 1);
    case_free(c);
}

static void windows_overlap_and_catch_up(void **state)
{
    (void)state;
    const int64_t day = 24 * (int64_t)HOUR_MS;
    reaches(15000, MINUTE_MS, (uint64_t)(30 * day), HOUR_MS + 15000, false);
    reaches(15000, 6 * MINUTE_MS, (uint64_t)(30 * day), day - MINUTE_MS, true);
    reaches(15000, 6 * MINUTE_MS, 2 * HOUR_MS, 2 * HOUR_MS, true); // not before the first look
    reaches((uint64_t)(3 * day), (uint64_t)(3 * day), (uint64_t)(30 * day), 3 * day + HOUR_MS, true); // a downtime
    reaches((uint64_t)(20 * day), (uint64_t)(20 * day), (uint64_t)(30 * day), 7 * day - MINUTE_MS, true);
}

static void pages_go_to_the_end_that_is_told(void **state)
{
    (void)state;
    struct flow_case *c = polled(15000, MINUTE_MS, 2 * HOUR_MS);
    c->context.clock_known[UPSTREAM_FRESHCALLER] = true;
    assert_int_equal(case_begin(c, STEP_LIST_CALLS), STEP_CALL);
    answers(c, LIST("{\"id\":1}", "1", "3"), STEP_LIST_CALLS); // a smaller page than was asked for
    assert_int_equal(c->report.mark_ms, 0);
    uint64_t end = c->context.found.mark_ms;
    assert_int_equal(case_begin(c, STEP_LIST_CALLS), STEP_CALL);
    assert_true(case_has(c->request.path, "&page=2"));
    assert_int_equal(c->context.found.mark_ms, end); // of the same window
    answers(c, LIST("{\"id\":2}", "2", "3"), STEP_LIST_CALLS);
    assert_int_equal(case_begin(c, STEP_LIST_CALLS), STEP_CALL);
    answers(c, LIST("{\"id\":3}", "3", "3"), STEP_NONE);
    assert_int_equal(c->report.mark_ms, end - MINUTE_MS);
    case_free(c);
    // without a word about pages only an empty one is the last
    c = polled(15000, MINUTE_MS, 2 * HOUR_MS);
    c->context.clock_known[UPSTREAM_FRESHCALLER] = true;
    assert_int_equal(case_begin(c, STEP_LIST_CALLS), STEP_CALL);
    answers(c, "{\"calls\":[{\"id\":1}]}", STEP_LIST_CALLS);
    assert_int_equal(case_begin(c, STEP_LIST_CALLS), STEP_CALL);
    answers(c, "{\"calls\":[]}", STEP_NONE);
    assert_true(c->report.mark_ms > 0);
    case_free(c);
}

static void more_than_a_report_holds_is_taken_in_turns(void **state)
{
    (void)state;
    struct flow_case *c = polled(15000, MINUTE_MS, 2 * HOUR_MS);
    c->context.clock_known[UPSTREAM_FRESHCALLER] = true;
    json_t *list = json_array();
    for (int i = 1; i <= 130; i++)
        json_array_append_new(list, json_pack("{s:i}", "id", i));
    json_t *answer = json_pack("{s:o, s:{s:i, s:i}}", "calls", list, "meta", "current", 1, "total_pages", 1);
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    assert_int_equal(case_begin(c, STEP_LIST_CALLS), STEP_CALL);
    answers(c, text, STEP_LIST_CALLS);
    assert_int_equal(c->report.raws.count, 100);
    assert_int_equal(case_begin(c, STEP_LIST_CALLS), STEP_CALL);
    assert_true(case_has(c->request.path, "&page=1"));
    answers(c, text, STEP_NONE);
    assert_int_equal(c->report.raws.count, 30);
    free(text);
    case_free(c);
}

static void a_list_that_fails_moves_no_mark(void **state)
{
    (void)state;
    struct flow_case *c = polled(15000, MINUTE_MS, 2 * HOUR_MS);
    case_fails_plainly(c, STEP_LIST_CALLS, false);
    assert_int_equal(c->report.mark_ms, 0);
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_look_goes_back_a_little),
        cmocka_unit_test(windows_overlap_and_catch_up),
        cmocka_unit_test(pages_go_to_the_end_that_is_told),
        cmocka_unit_test(more_than_a_report_holds_is_taken_in_turns),
        cmocka_unit_test(a_list_that_fails_moves_no_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
