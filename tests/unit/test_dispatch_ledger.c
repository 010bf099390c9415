// SPDX-License-Identifier: Apache-2.0
// A ledger that fails once and works again: what is in memory was ahead of the disk then, and must not get there.
#include "tests/unit/test_dispatch.h"

static atomic_bool fail_once;

bool __real_ledger_write(struct ledger *self, const struct ledger_batch *batch);
bool __wrap_ledger_write(struct ledger *self, const struct ledger_batch *batch);

bool __wrap_ledger_write(struct ledger *self, const struct ledger_batch *batch)
{
    return !atomic_exchange(&fail_once, false) && __real_ledger_write(self, batch);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(after_a_failed_write_nothing_more_is_written, set_up, tear_down),
    };
    zsys_init();
    zsys_handler_set(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
