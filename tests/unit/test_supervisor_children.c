// SPDX-License-Identifier: Apache-2.0
// supervisor/children: the child table's state machine, with a clock, a spawn and a kill of our own. A child's side of
// its status pipe is played by the test.
#include "tests/unit/children_case.h"

#include "supervisor/throttle.h"

static void a_child_counts_only_when_it_says_ready(void **state)
{
    (void)state;
    children_want(&children, 1, 1, now_ms);
    children_want(&children, 0, 1, now_ms);
    expect_story("start 1 g101; start 0 g102; ");
    assert_int_equal(children_running(&children), 2);
    assert_int_equal(children_ready_workers(&children), 0);
    says(0, PIPES_STATUS_STAGED);
    assert_false(children_front_ready(&children));
    says(1, PIPES_STATUS_BEAT);
    assert_int_equal(children_ready_workers(&children), 0);
    says(1, PIPES_STATUS_READY);
    says(0, PIPES_STATUS_READY);
    assert_int_equal(children_ready_workers(&children), 1);
    assert_true(children_front_ready(&children));
    assert_true(children.slots[1].progress >= 7);
}

static void the_front_learns_who_is_ready_and_who_is_reaped(void **state)
{
    (void)state;
    children_want(&children, 0, 1, now_ms);
    assert_string_equal(control_story(), "open [ ] ");
    children_want(&children, 1, 1, now_ms);
    children_want(&children, 2, 1, now_ms);
    assert_string_equal(control_story(), "");
    says(2, PIPES_STATUS_READY);
    assert_string_equal(control_story(), "[ 2:g103:1002 ] ");
    says(1, PIPES_STATUS_READY);
    assert_string_equal(control_story(), "[ 1:g102:1001 2:g103:1002 ] ");
    now_ms += 60000;
    dies(2, SIGKILL);
    assert_string_equal(control_story(), "reaped 2:g103 [ 1:g102:1001 ] ");
    says(1, PIPES_STATUS_BEAT);
    pass(0);
    says(2, PIPES_STATUS_READY);
    assert_string_equal(control_story(), "[ 1:g102:1001 2:g104:1003 ] ");
}

static void a_new_front_gets_the_whole_roster_first(void **state)
{
    (void)state;
    start_ready(1);
    start_ready(2);
    start_ready(0);
    now_ms += 60000;
    dies(0, SIGSEGV);
    // While there is no front a worker dies; its successor is not ready yet.
    dies(2, SIGSEGV);
    pass(0);
    assert_string_equal(control_story(), "open [ 1:g101:1000 ] ");
}

// A worker that is killed but not reaped may still write: no front may take its jobs away.
static void a_killed_worker_stays_on_the_roster_until_it_is_reaped(void **state)
{
    (void)state;
    start_ready(1);
    start_ready(0);
    control_story();
    pass(SILENT_MS - 1);
    says(0, PIPES_STATUS_BEAT);
    pass(1);
    assert_int_equal(children.slots[1].state, CHILD_ABORTED);
    dies(0, 0);
    pass(0);
    assert_int_equal(children.slots[1].state, CHILD_ABORTED);
    assert_string_equal(control_story(), "open [ 1:g101:leaving ] ");
    pass(CHILDREN_ABORT_MS);
    assert_int_equal(children.slots[1].state, CHILD_KILLED);
    assert_string_equal(control_story(), "");
    dies(1, SIGKILL);
    assert_string_equal(control_story(), "reaped 1:g101 [ ] ");
}

static void a_silent_child_is_aborted_then_killed_then_replaced(void **state)
{
    (void)state;
    start_ready(1);
    expect_story("start 1 g101; ");
    for (int i = 0; i < 30; i++) {
        pass(SILENT_MS - 1);
        says(1, PIPES_STATUS_BEAT);
    }
    expect_story("");
    pass(SILENT_MS - 1);
    expect_story("");
    pass(1);
    expect_story("ABRT 1000; ");
    pass(CHILDREN_ABORT_MS - 1);
    expect_story("");
    pass(1);
    expect_story("KILL 1000; ");
    // However long the kernel takes: no successor before waitpid.
    pass(1000000);
    expect_story("");
    dies(1, SIGKILL);
    pass(0);
    expect_story("buried 1 g101; start 1 g102; ");
}

// A loop that turns and gets nowhere sends beats too.
static void a_beat_without_progress_is_no_sign_of_life(void **state)
{
    (void)state;
    start_ready(1);
    for (int ms = 0; ms < SILENT_MS; ms += 1000) {
        expect_story(ms ? "" : "start 1 g101; ");
        assert_true(pipes_write_beat(status_fds[1], 5000, 3, 40));
        children_read(&children, 1, now_ms);
        pass(1000);
    }
    // The first of them said something new.
    assert_int_equal(children.slots[1].jobs, 3);
    assert_int_equal(children.slots[1].resident_mb, 40);
    expect_story("ABRT 1000; ");
}

static void a_word_after_the_abort_changes_nothing(void **state)
{
    (void)state;
    start_ready(1);
    pass(SILENT_MS);
    expect_story("start 1 g101; ABRT 1000; ");
    says(1, PIPES_STATUS_BEAT);
    says(1, PIPES_STATUS_READY);
    pass(CHILDREN_ABORT_MS);
    expect_story("KILL 1000; ");
}

static void a_child_that_never_says_anything_is_killed_too(void **state)
{
    (void)state;
    children_want(&children, 1, 1, now_ms);
    pass(CHILDREN_START_MS - 1);
    says(1, PIPES_STATUS_STAGED);
    pass(CHILDREN_START_MS - 1);
    expect_story("start 1 g101; ");
    pass(1);
    expect_story("ABRT 1000; ");
}

static void a_death_before_ready_is_throttled(void **state)
{
    static const int64_t waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};

    (void)state;
    children_want(&children, 1, 1, now_ms);
    story[0] = '\0';
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "buried 1 g%d; ", (int)(101 + i));
        dies(1, 7 << 8);
        expect_story(expected);
        assert_int_equal(children_due_ms(&children), now_ms + waits[i]);
        pass(waits[i] - 1);
        expect_story("");
        snprintf(expected, sizeof expected, "start 1 g%d; ", (int)(102 + i));
        pass(1);
        expect_story(expected);
    }
}

static void a_death_after_real_work_is_repaired_at_once(void **state)
{
    (void)state;
    children_want(&children, 1, 1, now_ms);
    dies(1, 1 << 8);
    pass(1000);
    says(1, PIPES_STATUS_READY);
    now_ms += 60000;
    story[0] = '\0';
    dies(1, SIGSEGV);
    pass(0);
    expect_story("buried 1 g102; start 1 g103; ");
    // And the throttle begins anew.
    dies(1, 1 << 8);
    assert_int_equal(children_due_ms(&children), now_ms + 1000);
}

static void a_child_that_keeps_dying_young_is_throttled(void **state)
{
    (void)state;
    start_ready(1);
    for (int i = 0; i < THROTTLE_YOUNG; i++) {
        dies(1, SIGSEGV);
        pass(0);
        assert_int_equal(children.slots[1].state, CHILD_STARTING);
        says(1, PIPES_STATUS_READY);
    }
    dies(1, SIGSEGV);
    pass(0);
    assert_int_equal(children.slots[1].state, CHILD_WAITING);
    assert_int_equal(children_due_ms(&children), now_ms + 1000);
}

static void ready_in_the_last_breath_counts(void **state)
{
    (void)state;
    children_want(&children, 1, 1, now_ms);
    // Written, not yet read, when waitpid already knows.
    assert_true(pipes_write_status(status_fds[1], PIPES_STATUS_READY, 1));
    dies(1, SIGSEGV);
    pass(0);
    assert_int_equal(children.slots[1].state, CHILD_STARTING);
}

static void a_failed_fork_is_tried_again(void **state)
{
    (void)state;
    fork_fails = true;
    children_want(&children, 1, 1, now_ms);
    expect_story("fork failed; ");
    pass(1000);
    expect_story("fork failed; ");
    fork_fails = false;
    pass(1999);
    expect_story("");
    pass(1);
    expect_story("start 1 g103; ");
}

static void stopping_asks_first_and_kills_at_the_deadline(void **state)
{
    (void)state;
    start_ready(1);
    children_stop(&children, 1, now_ms);
    children_stop(&children, 1, now_ms);
    expect_story("start 1 g101; TERM 1000; ");
    says(1, PIPES_STATUS_DRAINED);
    pass(STOP_MS - 1);
    expect_story("");
    pass(1);
    expect_story("KILL 1000; ");
    dies(1, SIGKILL);
    pass(100000);
    expect_story("buried 1 g101; ");
    assert_int_equal(children.slots[1].state, CHILD_IDLE);
    assert_int_equal(children_running(&children), 0);
    assert_true(children_due_ms(&children) == INT64_MAX);
}

static void what_waits_for_its_throttle_is_not_started_after_a_stop(void **state)
{
    (void)state;
    children_want(&children, 1, 1, now_ms);
    dies(1, 1 << 8);
    children_stop(&children, 1, now_ms);
    story[0] = '\0';
    pass(1000000);
    expect_story("");
}

static void leaving_now_kills_in_every_state(void **state)
{
    (void)state;
    children_want(&children, 1, 1, now_ms); // starting
    start_ready(2);
    start_ready(3);
    children_stop(&children, 3, now_ms); // stopping
    start_ready(4);
    children_want(&children, 5, 1, now_ms);
    dies(5, 0); // waiting
    story[0] = '\0';
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++)
        children_kill(&children, slot, now_ms);
    expect_story("KILL 1000; KILL 1001; KILL 1002; KILL 1003; ");
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++)
        children_kill(&children, slot, now_ms);
    expect_story("");
    for (uint32_t slot = 1; slot <= 4; slot++)
        dies(slot, SIGKILL);
    pass(1000000);
    assert_int_equal(children_running(&children), 0);
    assert_null(strstr(story, "start"));
}

static void a_slot_wanted_again_while_it_stops_is_filled_again(void **state)
{
    (void)state;
    start_ready(1);
    children_stop(&children, 1, now_ms);
    children_want(&children, 1, 1, now_ms);
    now_ms += 10000;
    dies(1, 0);
    pass(0);
    expect_story("start 1 g101; TERM 1000; buried 1 g101; start 1 g102; ");
}

static void gossip_and_strangers_are_ignored(void **state)
{
    (void)state;
    start_ready(1);
    assert_false(children_reap(&children, 4711, 0, now_ms));
    assert_false(children_reap(&children, 0, 0, now_ms));
    assert_int_equal(write(status_fds[1], "nonsense nonsense nonsense nonsense", 32), 32);
    children_read(&children, 1, now_ms);
    assert_int_equal(children.slots[1].state, CHILD_READY);
    // Nothing is believed from this pipe any more, so it falls silent.
    assert_int_equal(children.slots[1].status_fd, -1);
    pass(SILENT_MS);
    expect_story("start 1 g101; ABRT 1000; ");
}

static void a_front_that_does_not_read_holds_up_nobody(void **state)
{
    bool waits = false;

    (void)state;
    start_ready(0);
    for (int i = 0; i < 3000; i++) {
        start_ready(1);
        children_stop(&children, 1, now_ms);
        dies(1, 0);
        waits = roster_flush(&children.roster);
    }
    assert_true(waits);
    // It reads at last, and misses nothing: the last word is an empty roster.
    for (int i = 0; i < 100 && waits; i++) {
        char bytes[65536];
        assert_true(read(control_fds[0], bytes, sizeof bytes) > 0);
        waits = roster_flush(&children.roster);
    }
    assert_false(waits);
}

static void the_throttle_stays_within_its_bounds(void **state)
{
    (void)state;
    for (uint32_t random = 0; random < 3000; random += 7) {
        struct throttle t = {0};
        int64_t base = 1000;
        for (int i = 0; i < 12; i++) {
            int64_t wait = throttle_died(&t, -1, random);
            assert_true(wait >= base * 3 / 4 && wait <= base * 5 / 4);
            base = base * 2 > 60000 ? 60000 : base * 2;
        }
        assert_int_equal(throttle_died(&t, 60000, random), 0);
    }
}

#define TABLE_TEST(f) cmocka_unit_test_setup_teardown(f, open_table, close_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLE_TEST(a_child_counts_only_when_it_says_ready),
        TABLE_TEST(the_front_learns_who_is_ready_and_who_is_reaped),
        TABLE_TEST(a_new_front_gets_the_whole_roster_first),
        TABLE_TEST(a_killed_worker_stays_on_the_roster_until_it_is_reaped),
        TABLE_TEST(a_silent_child_is_aborted_then_killed_then_replaced),
        TABLE_TEST(a_beat_without_progress_is_no_sign_of_life),
        TABLE_TEST(a_word_after_the_abort_changes_nothing),
        TABLE_TEST(a_child_that_never_says_anything_is_killed_too),
        TABLE_TEST(a_death_before_ready_is_throttled),
        TABLE_TEST(a_death_after_real_work_is_repaired_at_once),
        TABLE_TEST(a_child_that_keeps_dying_young_is_throttled),
        TABLE_TEST(ready_in_the_last_breath_counts),
        TABLE_TEST(a_failed_fork_is_tried_again),
        TABLE_TEST(stopping_asks_first_and_kills_at_the_deadline),
        TABLE_TEST(what_waits_for_its_throttle_is_not_started_after_a_stop),
        TABLE_TEST(leaving_now_kills_in_every_state),
        TABLE_TEST(a_slot_wanted_again_while_it_stops_is_filled_again),
        TABLE_TEST(gossip_and_strangers_are_ignored),
        TABLE_TEST(a_front_that_does_not_read_holds_up_nobody),
        cmocka_unit_test(the_throttle_stays_within_its_bounds),
    };

    return cmocka_run_group_tests_name("supervisor_children", tests, NULL, NULL);
}
