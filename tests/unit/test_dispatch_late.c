// SPDX-License-Identifier: Apache-2.0
// Reports that come late: of an earlier front's jobs, and of workers that are dead by then.
#include "tests/unit/test_dispatch.h"

// A look only reads. If what it found went to the lane's record without its event, the next look would take that for
// somebody else's and the write would be repeated.
static void a_late_look_leaves_what_it_found_to_the_next_look(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = wall()});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job note = expect_job(f, STEP_APPEND_NOTE, &w);
    send_report(w, &note, (struct report){.outcome = OUTCOME_DOUBT, .http_status = 500});
    struct job look = expect_job(f, STEP_LOOK_NOTE, &w);
    end(f); // the front dies, the look is still with its worker

    begin(f);
    w = worker(f, 1, 7);
    struct written found = {.id = "77", .time_ms = wall()};
    struct report late = {.outcome = OUTCOME_DONE, .what = "messages appended", .desk_written = {&found, 1}};
    send_report(w, &look, late);
    roster(f);
    struct job again = expect_job(f, STEP_LOOK_NOTE, &w);
    assert_int_equal(again.lane.desk_written.count, 0);
    assert_int_not_equal(again.job_id, look.job_id);
    send_report(w, &again, late);
    await_ack(w, again.job_id);
}

// The mark of a poll must not pass messages that its late report brings, since nobody takes them out of it.
static void a_late_poll_moves_no_mark(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .chat_mark_ms = 1000, .updated_ms = wall()});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    struct job poll = expect_job(f, STEP_LIST_MESSAGES, &w);
    assert_string_equal(poll.lane.conversation, "c");
    end(f);

    begin(f);
    w = worker(f, 1, 7);
    send_report(w, &poll, (struct report){.outcome = OUTCOME_DONE, .chat_mark_ms = 900000});
    roster(f);
    struct job again = expect_job(f, STEP_LIST_MESSAGES, &w);
    assert_int_equal(again.lane.chat_mark_ms, 1000);
    send_report(w, &poll, (struct report){.outcome = OUTCOME_DONE, .chat_mark_ms = 900000}); // as nobody acked it
    await_ack(w, poll.job_id);
}

// A write that was done and reported, but by a worker that was dead when its report was read: it settles the doubt.
static void a_late_write_settles_its_doubt(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = wall()});
    begin(f);
    struct worker *first = worker(f, 1, 7);
    roster(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job note = expect_job(f, STEP_APPEND_NOTE, &w);
    assert_ptr_equal(w, first);
    worker(f, 2, 8);
    reaped(first);
    struct job look = expect_job(f, STEP_LOOK_NOTE, &w);
    struct written wrote = {.id = "77", .time_ms = wall()};
    send_report(first, &note,
                (struct report){.outcome = OUTCOME_DONE, .what = "messages appended", .desk_written = {&wrote, 1}});
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m2");
    struct job next = expect_job(f, STEP_APPEND_NOTE, &w);
    assert_int_equal(next.events.count, 1);
    assert_string_equal(next.events.items[0].key, "freshchat:message:m2");
    assert_int_equal(next.lane.desk_written.count, 1);
    send_report(w, &look, (struct report){.outcome = OUTCOME_NOT_FOUND});
    await_ack(w, look.job_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_late_look_leaves_what_it_found_to_the_next_look, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_late_poll_moves_no_mark, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_late_write_settles_its_doubt, set_up, tear_down),
    };
    zsys_init();
    zsys_handler_set(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
