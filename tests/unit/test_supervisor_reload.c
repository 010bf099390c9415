// SPDX-License-Identifier: Apache-2.0
// supervisor/reload and supervisor/workforce on the child table: each phase of a reload, and what dies or is late in
// each; workers added, removed and recycled.
#include "tests/unit/children_case.h"

#include "supervisor/reload.h"
#include "supervisor/workforce.h"

// Two workers in slots 1 and 2 with edition 1 run, and their front; the reload is for edition 2.
static struct reload reload;
static struct workforce workforce;

#define FRONT_BEFORE PIPES_FRONT_SLOT
#define FRONT_AFTER  CHILDREN_OTHER_FRONT

static int run_edition_1(void **state)
{
    open_table(state);
    memset(&reload, 0, sizeof reload);
    memset(&workforce, 0, sizeof workforce);
    start_ready(1);
    start_ready(2);
    start_ready(FRONT_BEFORE);
    control_story();
    story[0] = '\0';
    return 0;
}

static enum child_state state_of(uint32_t slot)
{
    return children.slots[slot].state;
}

static void beat_all(void)
{
    for (uint32_t slot = 0; slot < CHILDREN_SLOTS; slot++) {
        if (state_of(slot) == CHILD_READY)
            says(slot, PIPES_STATUS_BEAT);
    }
}

// A round of deskbelld's loop, `ms` later.
static enum reload_result step(int64_t ms)
{
    now_ms += ms;
    beat_all();
    children_tick(&children, now_ms);
    return reload_step(&reload, &children, now_ms);
}

static void releases(uint32_t front, uint32_t slot)
{
    assert_true(pipes_write_released(status_fds[front], 0, children.slots[slot].generation));
    children_read(&children, front, now_ms);
}

// What the front in `slot` has been told.
static const char *told(uint32_t slot)
{
    int front = control_fds[0];
    const char *text;

    control_fds[0] = control_fds[slot];
    text = control_story();
    control_fds[0] = front;
    return text;
}

static void begin(void)
{
    assert_true(reload_has_room(&children));
    reload_begin(&reload, &children, 2, 2, now_ms);
    expect_story("start 3 g104; start 4 g105; ");
    assert_int_equal(step(0), RELOAD_GOES_ON);
    assert_int_equal(last_edition, 2);
}

static void begin_and_stage(void)
{
    begin();
    says(3, PIPES_STATUS_READY);
    assert_int_equal(step(100), RELOAD_GOES_ON);
    assert_int_equal(reload.phase, RELOAD_WORKERS);
    says(4, PIPES_STATUS_READY);
    assert_int_equal(step(100), RELOAD_GOES_ON);
    assert_int_equal(reload.phase, RELOAD_STAGING);
    expect_story("start 193 g106; ");
}

static void begin_and_hand_over(void)
{
    begin_and_stage();
    says(FRONT_AFTER, PIPES_STATUS_STAGED);
    assert_int_equal(step(100), RELOAD_GOES_ON);
    assert_int_equal(reload.phase, RELOAD_HANDOVER);
    assert_string_equal(told(FRONT_BEFORE), "handover ");
    expect_story("");
}

static void begin_and_open(void)
{
    begin_and_hand_over();
    dies(FRONT_BEFORE, 0);
    assert_int_equal(step(0), RELOAD_GOES_ON);
    assert_int_equal(reload.phase, RELOAD_OPENING);
    assert_string_equal(told(FRONT_AFTER), "open [ 1:g101:leaving 2:g102:leaving 3:g104:1003 4:g105:1004 ] ");
    expect_story("buried 0 g103; ");
}

// Nothing of edition 2 is left, edition 1 works as before, and its front has heard of nothing.
static void nothing_has_happened(const char *why)
{
    assert_string_equal(reload.why, why);
    assert_int_equal(reload.phase, RELOAD_NONE);
    assert_int_equal(children.edition, 1);
    assert_int_equal(children.front, FRONT_BEFORE);
    assert_int_equal(children_ready_workers(&children), 2);
    assert_true(children_front_ready(&children));
    assert_string_equal(told(FRONT_BEFORE), "");
    story[0] = '\0';
    for (uint32_t slot = 3; slot < CHILDREN_SLOTS; slot++) {
        if (children.slots[slot].pid)
            dies(slot, 0);
        assert_int_equal(state_of(slot), CHILD_IDLE);
    }
    pass(0);
    assert_null(strstr(story, "start"));
    assert_true(reload_has_room(&children));
}

static void a_good_reload_goes_through_its_phases(void **state)
{
    (void)state;
    begin_and_open();
    // The new front says already that it has nothing of an old worker: that one waits until the reload is done.
    releases(FRONT_AFTER, 1);
    assert_int_equal(step(0), RELOAD_GOES_ON);
    expect_story("");
    says(FRONT_AFTER, PIPES_STATUS_READY);
    assert_int_equal(step(0), RELOAD_DONE);
    expect_story("TERM 1000; ");
    assert_int_equal(state_of(1), CHILD_STOPPING);
    assert_int_equal(state_of(2), CHILD_LEAVING);
    assert_int_equal(children.edition, 2);
    assert_int_equal(children_ready_workers(&children), 2);
    assert_true(children_front_ready(&children));
    dies(1, 0);
    releases(FRONT_AFTER, 2);
    expect_story("buried 1 g101; TERM 1001; ");
    dies(2, 0);
    assert_int_equal(children_running(&children), 3);
    // From here on the new ones are replaced with what they are.
    story[0] = '\0';
    now_ms += 60000;
    dies(3, SIGSEGV);
    beat_all();
    pass(0);
    expect_story("buried 3 g104; start 3 g107; ");
    assert_int_equal(last_edition, 2);
    dies(FRONT_AFTER, SIGSEGV);
    pass(0);
    assert_int_equal(last_edition, 2);
    assert_string_equal(told(FRONT_AFTER), "open [ 4:g105:1004 ] ");
    // And the next reload goes back to the first places.
    says(FRONT_AFTER, PIPES_STATUS_READY);
    assert_true(reload_has_room(&children));
    reload_begin(&reload, &children, 3, 1, now_ms);
    assert_int_equal(reload.workers[0], 1);
    assert_int_equal(reload.front, FRONT_BEFORE);
}

static void new_workers_are_on_no_roster_before_their_front(void **state)
{
    (void)state;
    begin_and_stage();
    assert_string_equal(told(FRONT_BEFORE), "");
    // One of the old dies: its successor is of the old edition and on the roster, the new ones still are not.
    now_ms += 60000;
    beat_all();
    dies(2, SIGSEGV);
    pass(0);
    assert_int_equal(last_edition, 1);
    says(2, PIPES_STATUS_READY);
    assert_string_equal(told(FRONT_BEFORE), "reaped 2:g102 [ 1:g101:1000 ] [ 1:g101:1000 2:g107:1006 ] ");
}

static void a_new_worker_that_dies_is_a_refusal(void **state)
{
    (void)state;
    begin();
    says(3, PIPES_STATUS_READY);
    dies(4, 1 << 8);
    assert_int_equal(step(0), RELOAD_REFUSED);
    expect_story("buried 4 g105; TERM 1003; ");
    nothing_has_happened("a worker with the new configuration did not become ready");
}

static void a_new_worker_that_refuses_its_keys_is_told_as_such(void **state)
{
    (void)state;
    begin();
    dies(3, PIPES_EXIT_CONFIG << 8);
    assert_int_equal(step(0), RELOAD_REFUSED);
    expect_story("buried 3 g104; TERM 1004; ");
    nothing_has_happened("a process refused a key, token or certificate of the new configuration; its own line in the "
                         "log says which");
}

static void a_new_worker_that_is_late_is_a_refusal(void **state)
{
    (void)state;
    begin();
    says(3, PIPES_STATUS_READY);
    for (int i = 0; i < 29; i++)
        assert_int_equal(step(1000), RELOAD_GOES_ON);
    assert_true(reload_due_ms(&reload) == now_ms + 1000);
    assert_int_equal(step(1000), RELOAD_REFUSED);
    nothing_has_happened("a worker with the new configuration did not become ready");
}

static void a_fork_that_fails_is_a_refusal(void **state)
{
    (void)state;
    fork_fails = true;
    reload_begin(&reload, &children, 2, 2, now_ms);
    assert_int_equal(step(0), RELOAD_REFUSED);
    fork_fails = false;
    nothing_has_happened("a worker with the new configuration did not become ready");
}

static void a_new_front_that_dies_or_is_late_is_a_refusal(void **state)
{
    (void)state;
    begin_and_stage();
    dies(FRONT_AFTER, 1 << 8);
    assert_int_equal(step(0), RELOAD_REFUSED);
    nothing_has_happened("the front with the new configuration did not start");

    reload_begin(&reload, &children, 3, 1, now_ms);
    says(3, PIPES_STATUS_READY);
    assert_int_equal(step(0), RELOAD_GOES_ON);
    for (int i = 0; i < 29; i++)
        assert_int_equal(step(1000), RELOAD_GOES_ON);
    assert_int_equal(step(1000), RELOAD_REFUSED);
    nothing_has_happened("the front with the new configuration did not start");
}

static void a_new_worker_that_dies_while_the_front_stages_is_a_refusal(void **state)
{
    (void)state;
    begin_and_stage();
    dies(3, SIGSEGV);
    assert_int_equal(step(0), RELOAD_REFUSED);
    nothing_has_happened("a worker with the new configuration did not become ready");
}

static void an_old_front_that_dies_is_waited_for_or_passed_over(void **state)
{
    (void)state;
    begin_and_stage();
    now_ms += 10000;
    beat_all();
    dies(FRONT_BEFORE, SIGSEGV);
    says(FRONT_AFTER, PIPES_STATUS_STAGED);
    pass(0);
    assert_int_equal(last_edition, 1);
    assert_int_equal(step(0), RELOAD_GOES_ON); // it opens the ledger just now
    assert_int_equal(reload.phase, RELOAD_STAGING);
    // It dies again, and waits for its throttle: nobody has the ledger.
    dies(FRONT_BEFORE, 1 << 8);
    assert_int_equal(state_of(FRONT_BEFORE), CHILD_WAITING);
    assert_int_equal(step(0), RELOAD_GOES_ON);
    assert_int_equal(step(0), RELOAD_GOES_ON);
    assert_int_equal(reload.phase, RELOAD_OPENING);
    says(FRONT_AFTER, PIPES_STATUS_READY);
    assert_int_equal(step(0), RELOAD_DONE);
    assert_int_equal(state_of(FRONT_BEFORE), CHILD_IDLE);
}

static void a_front_that_does_not_hand_over_is_killed(void **state)
{
    (void)state;
    begin_and_hand_over();
    assert_int_equal(step(CHILDREN_HANDOVER_MS - 1), RELOAD_GOES_ON);
    expect_story("");
    assert_int_equal(step(1), RELOAD_GOES_ON);
    expect_story("KILL 1002; ");
    dies(FRONT_BEFORE, SIGKILL);
    assert_int_equal(step(0), RELOAD_GOES_ON);
    assert_int_equal(reload.phase, RELOAD_OPENING);
}

// Too late to take anything back: the old front comes to its end, and one like it is started.
static void a_new_front_that_dies_during_the_hand_over_brings_the_old_edition_back(void **state)
{
    (void)state;
    begin_and_hand_over();
    dies(FRONT_AFTER, SIGSEGV);
    assert_int_equal(step(0), RELOAD_GOES_ON);
    dies(FRONT_BEFORE, 0);
    story[0] = '\0';
    assert_int_equal(step(0), RELOAD_REFUSED);
    expect_story("start 0 g107; TERM 1003; TERM 1004; ");
    assert_int_equal(last_edition, 1);
    assert_string_equal(told(FRONT_BEFORE), "open [ 1:g101:1000 2:g102:1001 ] ");
    says(FRONT_BEFORE, PIPES_STATUS_READY);
    nothing_has_happened("the front with the new configuration did not start");
}

static void a_new_worker_that_dies_during_the_hand_over_too(void **state)
{
    (void)state;
    begin_and_hand_over();
    dies(4, SIGSEGV);
    assert_int_equal(step(0), RELOAD_GOES_ON);
    dies(FRONT_BEFORE, 0);
    story[0] = '\0';
    assert_int_equal(step(0), RELOAD_REFUSED);
    // The new front never opened anything.
    expect_story("start 0 g107; TERM 1003; TERM 1005; ");
    assert_string_equal(told(FRONT_BEFORE), "open [ 1:g101:1000 2:g102:1001 ] ");
    says(FRONT_BEFORE, PIPES_STATUS_READY);
    nothing_has_happened("a worker with the new configuration did not become ready");
}

static void a_new_front_that_cannot_open_brings_the_old_edition_back(void **state)
{
    (void)state;
    begin_and_open();
    releases(FRONT_AFTER, 1); // of the new front; it says nothing of what the next one will find
    dies(FRONT_AFTER, 1 << 8);
    story[0] = '\0';
    assert_int_equal(step(0), RELOAD_REFUSED);
    expect_story("start 0 g107; ");
    assert_int_equal(last_edition, 1);
    assert_false(children.slots[1].released);
    // The new workers may have got jobs: they finish them, and the front that knows says when.
    assert_int_equal(state_of(3), CHILD_LEAVING);
    says(FRONT_BEFORE, PIPES_STATUS_READY);
    assert_non_null(strstr(told(FRONT_BEFORE), "[ 1:g101:1000 2:g102:1001 3:g104:leaving 4:g105:leaving ] "));
    releases(FRONT_BEFORE, 3);
    releases(FRONT_BEFORE, 4);
    expect_story("TERM 1003; TERM 1004; ");
    nothing_has_happened("the front with the new configuration could not serve");
}

static void a_new_front_that_hangs_while_it_opens_is_killed_first(void **state)
{
    (void)state;
    begin_and_open();
    assert_int_equal(step(CHILDREN_START_MS), RELOAD_GOES_ON);
    expect_story("ABRT 1005; ");
    assert_int_equal(step(CHILDREN_ABORT_MS), RELOAD_GOES_ON);
    expect_story("KILL 1005; ");
    dies(FRONT_AFTER, SIGKILL);
    assert_int_equal(step(0), RELOAD_REFUSED);
    assert_int_equal(children.edition, 1);
}

static void workers_that_die_while_the_new_front_opens_are_dealt_with(void **state)
{
    (void)state;
    begin_and_open();
    now_ms += 10000;
    beat_all();
    dies(3, SIGSEGV); // new: started again with the new edition
    dies(1, SIGSEGV); // old: as before, and leaves with the others
    assert_int_equal(step(0), RELOAD_GOES_ON);
    assert_int_equal(children.slots[3].edition, 2);
    assert_int_equal(children.slots[1].edition, 1);
    says(FRONT_AFTER, PIPES_STATUS_READY);
    assert_int_equal(step(0), RELOAD_DONE);
    assert_int_equal(state_of(1), CHILD_STOPPING); // it never was on a roster
    assert_int_equal(state_of(2), CHILD_LEAVING);
    assert_int_equal(state_of(3), CHILD_STARTING);
}

static void a_worker_that_does_not_finish_is_killed(void **state)
{
    (void)state;
    begin_and_open();
    says(FRONT_AFTER, PIPES_STATUS_READY);
    assert_int_equal(step(0), RELOAD_DONE);
    for (int ms = 1000; ms < STOP_MS; ms += 1000)
        step(1000);
    expect_story("");
    step(1000);
    expect_story("KILL 1000; KILL 1001; ");
}

static void leaving_during_a_reload_stops_what_is_new(void **state)
{
    (void)state;
    begin_and_stage();
    reload_abandon(&reload, &children, now_ms);
    expect_story("TERM 1005; ");
    assert_int_equal(step(0), RELOAD_GOES_ON);
    assert_int_equal(state_of(FRONT_BEFORE), CHILD_READY);
}

// The new front has the ledger: it is not stopped before the others.
static void leaving_while_the_new_front_opens_leaves_it(void **state)
{
    (void)state;
    begin_and_open();
    reload_abandon(&reload, &children, now_ms);
    expect_story("");
    assert_int_equal(state_of(FRONT_AFTER), CHILD_STARTING);
}

static void there_is_no_room_while_many_leave(void **state)
{
    (void)state;
    for (uint32_t slot = 1; slot <= CHILDREN_WORKER_SLOTS; slot++)
        children.slots[slot].state = slot > 2 * CHILDREN_MOST_WORKERS - 1 ? CHILD_IDLE : CHILD_LEAVING;
    assert_true(reload_has_room(&children));
    children.slots[2 * CHILDREN_MOST_WORKERS].state = children.slots[2 * CHILDREN_MOST_WORKERS + 1].state =
        CHILD_LEAVING;
    assert_false(reload_has_room(&children));
}

// ---- workforce

static void a_removed_worker_finishes_first(void **state)
{
    (void)state;
    workforce_add(&children, now_ms);
    expect_story("start 3 g104; ");
    says(3, PIPES_STATUS_READY);
    control_story();
    workforce_remove(&children, now_ms);
    expect_story("");
    assert_string_equal(control_story(), "[ 1:g101:1000 2:g102:1001 3:g104:leaving ] ");
    releases(FRONT_BEFORE, 3);
    expect_story("TERM 1003; ");
    dies(3, 0);
    workforce_remove(&children, now_ms);
    workforce_remove(&children, now_ms); // never the last one
    assert_int_equal(state_of(1), CHILD_READY);
    assert_int_equal(state_of(2), CHILD_LEAVING);
}

static void there_are_at_most_64(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        workforce_add(&children, now_ms);
    assert_int_equal(children_wanted_workers(&children), 64);
}

static void has_grown(uint32_t slot, uint64_t jobs, uint64_t resident_mb)
{
    static uint64_t progress = 1000000;

    assert_true(pipes_write_beat(status_fds[slot], ++progress, jobs, resident_mb));
    children_read(&children, slot, now_ms);
}

static void has_done(uint32_t slot, uint64_t jobs)
{
    has_grown(slot, jobs, 10);
}

static void look(const struct workforce_limits *limits)
{
    now_ms += WORKFORCE_LOOK_MS;
    workforce_recycle(&workforce, &children, limits, now_ms);
}

static void a_worker_that_did_enough_is_replaced_once_its_successor_is_ready(void **state)
{
    // The jitter is in the middle: a tenth less.
    const struct workforce_limits limits = {.jobs = 1000};

    (void)state;
    has_done(1, 899);
    has_done(2, 902);
    look(&limits);
    expect_story("start 3 g104; ");
    has_done(1, 950);
    look(&limits); // one at a time
    expect_story("");
    assert_int_equal(state_of(2), CHILD_READY);
    control_story();
    says(3, PIPES_STATUS_READY);
    look(&limits);
    assert_string_equal(control_story(),
                        "[ 1:g101:1000 2:g102:1001 3:g104:1003 ] [ 1:g101:1000 2:g102:leaving 3:g104:1003 ] ");
    look(&limits);
    expect_story("start 4 g105; ");
    assert_int_equal(children.slots[3].wanted, true);
    assert_int_equal(children_wanted_workers(&children), 2);
}

static void a_worker_that_grew_is_replaced(void **state)
{
    const struct workforce_limits limits = {.mb = 100};

    (void)state;
    has_grown(2, 1, 89);
    look(&limits);
    expect_story("");
    has_grown(2, 1, 91);
    look(&limits);
    expect_story("start 3 g104; ");
    // The old one dies by itself: its successor is there already.
    dies(2, SIGKILL);
    look(&limits);
    says(3, PIPES_STATUS_READY);
    pass(0);
    beat_all();
    pass(100000);
    assert_int_equal(state_of(2), CHILD_IDLE);
    assert_int_equal(children_wanted_workers(&children), 2);
}

static void a_successor_that_does_not_start_is_tried_again_later(void **state)
{
    const struct workforce_limits limits = {.jobs = 10};

    (void)state;
    has_done(1, 20);
    look(&limits);
    expect_story("start 3 g104; ");
    dies(3, 1 << 8);
    look(&limits);
    look(&limits);
    expect_story("buried 3 g104; ");
    assert_int_equal(state_of(1), CHILD_READY);
    assert_true(workforce_due_ms(&workforce, &limits) > now_ms);
    now_ms += WORKFORCE_AGAIN_MS;
    look(&limits);
    expect_story("start 3 g105; ");
    workforce_call_off(&workforce, &children, now_ms);
    expect_story("TERM 1004; ");
}

#define RELOAD_TEST(f) cmocka_unit_test_setup_teardown(f, run_edition_1, close_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELOAD_TEST(a_good_reload_goes_through_its_phases),
        RELOAD_TEST(new_workers_are_on_no_roster_before_their_front),
        RELOAD_TEST(a_new_worker_that_dies_is_a_refusal),
        RELOAD_TEST(a_new_worker_that_refuses_its_keys_is_told_as_such),
        RELOAD_TEST(a_new_worker_that_is_late_is_a_refusal),
        RELOAD_TEST(a_fork_that_fails_is_a_refusal),
        RELOAD_TEST(a_new_front_that_dies_or_is_late_is_a_refusal),
        RELOAD_TEST(a_new_worker_that_dies_while_the_front_stages_is_a_refusal),
        RELOAD_TEST(an_old_front_that_dies_is_waited_for_or_passed_over),
        RELOAD_TEST(a_front_that_does_not_hand_over_is_killed),
        RELOAD_TEST(a_new_front_that_dies_during_the_hand_over_brings_the_old_edition_back),
        RELOAD_TEST(a_new_worker_that_dies_during_the_hand_over_too),
        RELOAD_TEST(a_new_front_that_cannot_open_brings_the_old_edition_back),
        RELOAD_TEST(a_new_front_that_hangs_while_it_opens_is_killed_first),
        RELOAD_TEST(workers_that_die_while_the_new_front_opens_are_dealt_with),
        RELOAD_TEST(a_worker_that_does_not_finish_is_killed),
        RELOAD_TEST(leaving_during_a_reload_stops_what_is_new),
        RELOAD_TEST(leaving_while_the_new_front_opens_leaves_it),
        RELOAD_TEST(there_is_no_room_while_many_leave),
        RELOAD_TEST(a_removed_worker_finishes_first),
        RELOAD_TEST(there_are_at_most_64),
        RELOAD_TEST(a_worker_that_did_enough_is_replaced_once_its_successor_is_ready),
        RELOAD_TEST(a_worker_that_grew_is_replaced),
        RELOAD_TEST(a_successor_that_does_not_start_is_tried_again_later),
    };

    return cmocka_run_group_tests_name("supervisor_reload", tests, NULL, NULL);
}
