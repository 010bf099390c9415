// SPDX-License-Identifier: Apache-2.0
// A ledger that fails once and works again, and one that is slow: what is in memory is ahead of the disk then. It must
// not get there after a failure, and nobody may be given it before.
#include "tests/unit/test_dispatch.h"

static atomic_bool fail_once;
static atomic_bool hold, is_held; // the next write waits while `hold`
static atomic_int absent;         // events that were asked for and are not on disk

bool __real_ledger_write(struct ledger *self, const struct ledger_batch *batch);
bool __wrap_ledger_write(struct ledger *self, const struct ledger_batch *batch);
enum ledger_result __real_ledger_pending(struct ledger *self, uint64_t seq, struct pending *pending,
                                         struct arena *arena);
enum ledger_result __wrap_ledger_pending(struct ledger *self, uint64_t seq, struct pending *pending,
                                         struct arena *arena);

bool __wrap_ledger_write(struct ledger *self, const struct ledger_batch *batch)
{
    while (atomic_load(&hold)) {
        atomic_store(&is_held, true);
        sched_yield();
    }
    return !atomic_exchange(&fail_once, false) && __real_ledger_write(self, batch);
}

enum ledger_result __wrap_ledger_pending(struct ledger *self, uint64_t seq, struct pending *pending,
                                         struct arena *arena)
{
    enum ledger_result result = __real_ledger_pending(self, seq, pending, arena);
    if (result == LEDGER_ABSENT)
        atomic_fetch_add(&absent, 1);
    return result;
}

static bool is_left(struct fixture *f)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    while (!atomic_load(&f->left) && clock_mono_ms() < until)
        sched_yield();
    return atomic_exchange(&f->left, false);
}

// The lane's record is written whole. With an id in it whose event the disk still holds as claimed, the next front's
// look would take what it finds for another's, and the reply would be said twice.
static void after_a_failed_write_nothing_more_is_written(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct lane lane;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = 1});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    hints(f, 42);
    struct job list = expect_job(f, STEP_LIST_ENTRIES, &w);
    struct found reply = {.agent_known = true};
    struct record_buffer found;
    assert_true(record_encode(RECORD_found, &reply, &found));
    send_report(
        w, &list,
        (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_POST_MESSAGE, .found = {found.data, found.size}});
    record_buffer_free(&found);
    struct job post = expect_job(f, STEP_POST_MESSAGE, &w);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job note = expect_job(f, STEP_APPEND_NOTE, &w);

    atomic_store(&fail_once, true);
    struct written said = {.id = "9", .time_ms = wall()};
    send_report(w, &post, (struct report){.outcome = OUTCOME_DONE, .chat_written = {&said, 1}});
    assert_true(is_left(f));
    struct written wrote = {.id = "77", .time_ms = wall()};
    send_report(w, &note, (struct report){.outcome = OUTCOME_DONE, .desk_written = {&wrote, 1}});
    struct job none;
    assert_false(next_job(f, 500, STEP_NONE, &none, &w));
    end(f);

    open_ledger(f);
    struct seen seen;
    assert_int_equal(ledger_lane(f->ledger, "c", &lane, f->arena), LEDGER_OK);
    assert_int_equal(lane.chat_written.count, 0);
    assert_int_equal(ledger_seen(f->ledger, "freshchat:message:9", &seen), LEDGER_ABSENT);
}

// Two hellos: between them the dispatcher has handed out what it can.
static void no_job_for_two_ticks(struct worker *w)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    for (int hellos = 0; hellos < 2;) {
        struct job job;
        uint64_t acked = 0;
        assert_true(clock_mono_ms() < until);
        enum frame frame = take(w, 50, &job, &acked);
        assert_int_not_equal(frame, FRAME_JOB);
        hellos += frame == FRAME_OTHER && !acked;
    }
}

// Reports that opened a ticket and asks for an offer and a notice, and comes back when that batch is being written.
static struct worker *opens_while_the_disk_is_slow(struct fixture *f)
{
    static struct followup asked[] = {{.kind = EVENT_OFFER, .reason = ""},
                                      {.kind = EVENT_NOTICE, .reason = "somebody called"}};
    struct worker *w;
    atomic_store(&absent, 0);
    begin(f);
    worker(f, 1, 7);
    roster(f);
    answer_first_polls(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job read = expect_job(f, STEP_READ_CUSTOMER, &w);
    send_report(w, &read, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_TICKET});
    struct job create = expect_job(f, STEP_CREATE_TICKET, &w);
    atomic_store(&is_held, false);
    atomic_store(&hold, true);
    send_report(w, &create, (struct report){.outcome = OUTCOME_DONE, .ticket_id = 42, .followups = {asked, 2}});
    while (!atomic_load(&is_held))
        sched_yield();
    no_job_for_two_ticks(w);
    return w;
}

// Both lanes are free for them: the chat's has nothing out, the desk's only what is being written.
static void what_a_report_asks_for_waits_for_the_disk(void **state)
{
    struct fixture *f = *state;
    struct worker *w = opens_while_the_disk_is_slow(f);
    atomic_store(&hold, false);
    struct job job[2];
    for (int i = 0; i < 2; i++)
        assert_true(next_job(f, PATIENCE_MS, STEP_NONE, &job[i], &w));
    if (job[0].step != STEP_POST_OFFER) {
        struct job other = job[0];
        job[0] = job[1];
        job[1] = other;
    }
    assert_int_equal(job[0].step, STEP_POST_OFFER);
    assert_int_equal(job[0].events.items[0].kind, EVENT_OFFER);
    assert_int_equal(job[1].step, STEP_NOTICE_NOTE);
    assert_string_equal(job[1].events.items[0].reason, "somebody called");
    assert_int_equal(absent, 0);
}

static void what_a_report_asks_for_is_lost_with_its_batch(void **state)
{
    struct fixture *f = *state;
    struct worker *w = opens_while_the_disk_is_slow(f);
    atomic_store(&fail_once, true);
    atomic_store(&hold, false);
    assert_true(is_left(f));
    struct job none;
    assert_false(next_job(f, 300, STEP_NONE, &none, &w));
    assert_int_equal(absent, 0);
    end(f);

    // The ticket is in doubt, as if the front had died before the report.
    begin(f);
    worker(f, 1, 8);
    roster(f);
    struct job look = expect_job(f, STEP_LOOK_TICKET, &w);
    struct followup asked = {.kind = EVENT_OFFER, .reason = ""};
    send_report(w, &look, (struct report){.outcome = OUTCOME_DONE, .ticket_id = 42, .followups = {&asked, 1}});
    expect_job(f, STEP_POST_OFFER, &w);
    assert_false(next_job(f, 300, STEP_NONE, &none, &w)); // and only what this report asked for
    assert_int_equal(absent, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(after_a_failed_write_nothing_more_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_report_asks_for_waits_for_the_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_report_asks_for_is_lost_with_its_batch, set_up, tear_down),
    };
    zsys_init();
    zsys_handler_set(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
