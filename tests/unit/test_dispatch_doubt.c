// SPDX-License-Identifier: Apache-2.0
// When a write counts as not done, and what waits behind one that must wait.
#include "tests/unit/test_dispatch.h"

// A look that goes through several pages settles nothing unless its first page was asked for after the settling time:
// the write may have come into that page after it was read.
static void a_look_of_several_pages_settles_by_its_first(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct job none;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = 1});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job note = expect_job(f, STEP_APPEND_NOTE, &w);
    send_report(w, &note, (struct report){.outcome = OUTCOME_DOUBT, .http_status = 500});
    struct job page = expect_job(f, STEP_LOOK_NOTE, &w);
    assert_false(next_job(f, 2 * (int)f->config.timing.settle_ms, STEP_NONE, &none, &w)); // the answer is slow
    struct found more = {.page = 2};
    struct record_buffer found;
    assert_true(record_encode(RECORD_found, &more, &found));
    send_report(
        w, &page,
        (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_LOOK_NOTE, .found = {found.data, found.size}});
    page = expect_job(f, STEP_LOOK_NOTE, &w);
    assert_int_equal(page.found.size, found.size);
    send_report(w, &page, (struct report){.outcome = OUTCOME_NOT_FOUND});
    page = expect_job(f, STEP_LOOK_NOTE, &w); // from its first page
    assert_int_equal(page.found.size, 0);
    send_report(
        w, &page,
        (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_LOOK_NOTE, .found = {found.data, found.size}});
    page = expect_job(f, STEP_LOOK_NOTE, &w);
    send_report(w, &page, (struct report){.outcome = OUTCOME_NOT_FOUND});
    expect_job(f, STEP_APPEND_NOTE, &w); // now it is certain
    record_buffer_free(&found);
}

// A notice that must wait is passed over, and a front that dies meanwhile finds one doubtful write at most.
static void a_notice_that_waits_holds_up_no_message(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = 1});
    f->config.timing.retry_first_ms = f->config.timing.retry_max_ms = 24 * 60 * 60 * 1000;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job note = expect_job(f, STEP_APPEND_NOTE, &w);
    struct followup notice = {.kind = EVENT_NOTICE, .reason = "it could not be done"};
    send_report(w, &note, (struct report){.outcome = OUTCOME_DONE, .followups = {&notice, 1}});
    struct job told = expect_job(f, STEP_NOTICE_NOTE, &w);
    send_report(w, &told, (struct report){.outcome = OUTCOME_RETRY, .http_status = 503, .cause = "later"});
    await_ack(w, told.job_id);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m2");
    note = expect_job(f, STEP_APPEND_NOTE, &w);
    assert_string_equal(note.events.items[0].key, "freshchat:message:m2");
    end(f);

    begin(f);
    worker(f, 1, 8);
    roster(f);
    struct job look = expect_job(f, STEP_LOOK_NOTE, &w);
    send_report(w, &look, (struct report){.outcome = OUTCOME_DONE});
    await_ack(w, look.job_id);
    struct job none;
    assert_false(next_job(f, 300, STEP_NONE, &none, &w)); // the notice still waits for its time
}

// The helpdesk's hint overtakes the report of the ticket's creation: the link is learnt from the ticket's field, but
// nothing can have been relayed there before, so the first reply is not looked for (and waits for no settling time).
static void a_hint_that_overtakes_the_creation_is_no_rebuilt_link(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job read = expect_job(f, STEP_READ_CUSTOMER, &w);
    send_report(w, &read, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_TICKET});
    struct job create = expect_job(f, STEP_CREATE_TICKET, &w); // and its answer is on the way
    hints(f, 42);
    struct job ticket = expect_job(f, STEP_READ_TICKET, &w);
    send_report(
        w, &ticket,
        (struct report){.outcome = OUTCOME_DONE, .ticket_id = 42, .link_conversation = "c", .rebuilt_ms = 1000000});
    struct job list = expect_job(f, STEP_LIST_ENTRIES, &w);
    assert_int_equal(list.lane.ticket_id, 42);
    assert_int_equal(list.lane.rebuilt_ms, 0);
    send_report(w, &create, (struct report){.outcome = OUTCOME_DONE, .ticket_id = 42});
    await_ack(w, create.job_id);
}

// When a write was claimed is kept in the clock of whoever it goes to: ours may be set before anybody looks.
static void a_claim_is_kept_in_the_upstreams_clock(void **state)
{
    enum { AHEAD_MS = 60 * 60 * 1000, NEAR_MS = 60 * 1000 };
    struct fixture *f = *state;
    struct worker *w;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = 1});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job note = expect_job(f, STEP_APPEND_NOTE, &w);
    assert_int_equal(note.since_there_ms, 0); // it never told its time
    send_report(w, &note, (struct report){.outcome = OUTCOME_DONE, .date_ms = wall() + AHEAD_MS});
    await_ack(w, note.job_id);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m2");
    note = expect_job(f, STEP_APPEND_NOTE, &w);
    assert_in_range(note.since_ms, wall() - NEAR_MS, wall());
    assert_in_range(note.since_there_ms, wall() + AHEAD_MS - NEAR_MS, wall() + AHEAD_MS + NEAR_MS);
    send_report(w, &note, (struct report){.outcome = OUTCOME_DOUBT, .http_status = 500});
    struct job look = expect_job(f, STEP_LOOK_NOTE, &w);
    assert_int_equal(look.since_there_ms, note.since_there_ms);
    end(f);

    begin(f);
    worker(f, 1, 8);
    roster(f);
    look = expect_job(f, STEP_LOOK_NOTE, &w);
    assert_int_equal(look.since_there_ms, note.since_there_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_look_of_several_pages_settles_by_its_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_notice_that_waits_holds_up_no_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hint_that_overtakes_the_creation_is_no_rebuilt_link, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_claim_is_kept_in_the_upstreams_clock, set_up, tear_down), // clocks apart
    };
    zsys_init();
    zsys_handler_set(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
