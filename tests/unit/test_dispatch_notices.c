// SPDX-License-Identifier: Apache-2.0
// What agents are told: which reply was given up on, and that a second ticket is not the chat's. What the notice says
// is all in its event.
#include "tests/unit/test_dispatch.h"

static struct worker *starts(struct fixture *f, uint64_t generation)
{
    begin(f);
    struct worker *w = worker(f, 1, generation);
    roster(f);
    answer_first_polls(f);
    return w;
}

static struct job lists(struct fixture *f, struct found *found)
{
    struct worker *w;
    struct record_buffer bytes;
    struct job list = expect_job(f, STEP_LIST_ENTRIES, &w);
    assert_true(record_encode(RECORD_found, found, &bytes));
    send_report(
        w, &list,
        (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_POST_MESSAGE, .found = {bytes.data, bytes.size}});
    record_buffer_free(&bytes);
    return expect_job(f, STEP_POST_MESSAGE, &w);
}

static struct job expect_notice(struct fixture *f, struct worker *w, enum notice notice, const char *quote)
{
    struct job job = expect_job(f, STEP_NOTICE_NOTE, &w);
    const struct event *event = &job.events.items[0];
    assert_int_equal(event->notice, notice);
    assert_string_equal(event->quote, quote);
    assert_int_equal(event->ticket_id, 0);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE});
    await_ack(w, job.job_id);
    return job;
}

// Two replies, refused for the same reason: each has a notice of its own, which says which one it was.
static void each_lost_reply_is_told_by_itself(void **state)
{
    struct fixture *f = *state;
    struct entry entries[] = {{.id = "7", .time_ms = 1000, .text = "the first"},
                              {.id = "8", .time_ms = 2000, .text = "the second"}};
    struct found found = {.agent_known = true, .agent_name = "Anna", .entries = {entries, 2}};
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = 1});
    struct worker *w = starts(f, 7);
    hints(f, 42);
    for (int i = 0; i < 2; i++) {
        struct job post = lists(f, &found);
        struct written named = {.id = entries[i].id, .time_ms = entries[i].time_ms};
        send_report(w, &post,
                    (struct report){.outcome = OUTCOME_REFUSED, .cause = "too long", .delivered = {&named, 1}});
        // The list is read again for what is behind it, and the notice is written: in whichever order.
        struct job job[2];
        for (int k = 0; k < 2; k++)
            assert_true(next_job(f, PATIENCE_MS, STEP_NONE, &job[k], &w));
        const struct job *told = job[0].step == STEP_NOTICE_NOTE ? &job[0] : &job[1];
        const struct job *list = told == &job[0] ? &job[1] : &job[0];
        assert_int_equal(told->step, STEP_NOTICE_NOTE);
        assert_int_equal(list->step, STEP_LIST_ENTRIES);
        const struct event *event = &told->events.items[0];
        assert_int_equal(event->notice, NOTICE_REPLY_LOST);
        assert_string_equal(event->quote, entries[i].text);
        assert_int_equal(event->quote_ms, entries[i].time_ms);
        assert_string_equal(event->name, "Anna");
        assert_string_equal(event->reason, "too long");
        send_report(w, told, (struct report){.outcome = OUTCOME_DONE});
        send_report(w, list, (struct report){.outcome = OUTCOME_DONE});
        await_ack(w, told->job_id);
        if (i == 0)
            hints(f, 42); // found still names both, as if the list had been read before: the report says which it is
    }
}

static void a_long_reply_is_quoted_to_a_whole_character(void **state)
{
    struct fixture *f = *state;
    char text[3000] = "", quote[1001] = "x";
    text[0] = 'x';
    for (size_t i = 1; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    memcpy(quote, text, 999); // the thousandth byte is the first half of one
    struct entry entry = {.id = "7", .time_ms = 1000, .text = text};
    struct found found = {.agent_known = true, .part = 1, .entries = {&entry, 1}};
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = 1});
    struct worker *w = starts(f, 7);
    hints(f, 42);
    struct job post = lists(f, &found);
    send_report(w, &post, (struct report){.outcome = OUTCOME_REFUSED, .cause = "no"});
    struct job list = expect_job(f, STEP_LIST_ENTRIES, &w);
    send_report(w, &list, (struct report){.outcome = OUTCOME_DONE});
    expect_notice(f, w, NOTICE_REPLY_CUT, quote);
}

// A look that is refused settles nothing: the agent must not be told that the reply is lost.
static void a_reply_in_doubt_is_not_called_lost(void **state)
{
    struct fixture *f = *state;
    struct entry entry = {.id = "7", .time_ms = 1000, .text = "perhaps"};
    struct found found = {.agent_known = true, .entries = {&entry, 1}};
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = 1});
    struct worker *w = starts(f, 7);
    hints(f, 42);
    struct job post = lists(f, &found);
    send_report(w, &post, (struct report){.outcome = OUTCOME_DOUBT, .http_status = 500});
    struct job look = expect_job(f, STEP_LOOK_MESSAGE, &w);
    send_report(w, &look, (struct report){.outcome = OUTCOME_REFUSED, .cause = "no"});
    struct job list = expect_job(f, STEP_LIST_ENTRIES, &w);
    send_report(w, &list, (struct report){.outcome = OUTCOME_DONE});
    expect_notice(f, w, NOTICE_REPLY_UNSURE, "perhaps");
}

static void read_as_one_of(struct fixture *f, struct worker *w, uint64_t ticket_id, const char *conversation)
{
    struct job read;
    hints(f, ticket_id);
    read = expect_job(f, STEP_READ_TICKET, &w);
    send_report(w, &read,
                (struct report){.outcome = OUTCOME_DONE, .ticket_id = ticket_id, .link_conversation = conversation});
}

// Once for each ticket, whatever changes there and whoever starts again.
static void a_second_ticket_is_told_once(void **state)
{
    struct fixture *f = *state;
    struct job none;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = wall()});
    struct worker *w = starts(f, 7);
    for (uint64_t second = 43; second <= 44; second++) {
        read_as_one_of(f, w, second, "c");
        struct job told = expect_job(f, STEP_NOTICE_NOTE, &w);
        const struct event *event = &told.events.items[0];
        assert_int_equal(event->ticket_id, second);
        assert_int_equal(event->notice, NOTICE_PLAIN);
        assert_string_equal(event->reason, "Replies in this ticket do not reach the chat; the chat's ticket is #42.");
        assert_string_equal(told.lane.conversation, "c");
        send_report(w, &told, (struct report){.outcome = OUTCOME_DONE});
        await_ack(w, told.job_id);
        read_as_one_of(f, w, second, "c");
        assert_false(next_job(f, 200, STEP_NONE, &none, &w));
    }
    end(f);
    w = starts(f, 8);
    read_as_one_of(f, w, 43, "c");
    assert_false(next_job(f, 200, STEP_NONE, &none, &w));
    // The chat's own ticket is as ever.
    hints(f, 42);
    expect_job(f, STEP_LIST_ENTRIES, &w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_lost_reply_is_told_by_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_reply_is_quoted_to_a_whole_character, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reply_in_doubt_is_not_called_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_ticket_is_told_once, set_up, tear_down),
    };
    zsys_init();
    zsys_handler_set(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
