// SPDX-License-Identifier: Apache-2.0
// When things expire: by a thread, once a day; and never by a clock that jumped.
#include "test_ledger.h"

#include <sched.h>
#include <stdatomic.h>

#include "http-front/ledger/committer.h"
#include "http-front/ledger/expirer.h"
#include "proto/clock.h"

static _Atomic uint64_t mono_ms = 1000000;

static uint64_t played_mono_ms(void)
{
    return atomic_load(&mono_ms);
}

#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        int64_t until_ms = clock_mono_ms() + 20000;                                                                    \
        while (!(condition)) {                                                                                         \
            assert_true(clock_mono_ms() < until_ms);                                                                   \
            sched_yield();                                                                                             \
        }                                                                                                              \
    } while (0)

static void put_seen(struct fixture *f, const char *key, uint64_t time_ms)
{
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_seen(batch, key, SEEN_ACCEPTED, time_ms);
    write_and_free(f, &batch);
}

static enum ledger_result seen(struct fixture *f, const char *key)
{
    struct seen out;
    return ledger_seen(f->ledger, key, &out);
}

// Whether it is on disk at all, however old: a lane is never hidden, so one stands for all tables here.
static void put_lane(struct fixture *f, const char *conversation, uint64_t time_ms)
{
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_lane(batch, &(struct lane){.conversation = conversation, .updated_ms = time_ms});
    write_and_free(f, &batch);
}

static bool has_lane(struct fixture *f, const char *conversation)
{
    struct lane lane;
    enum ledger_result result = ledger_lane(f->ledger, conversation, &lane, f->arena);
    assert_true(result != LEDGER_ERROR);
    return result == LEDGER_OK;
}

static void expires_an_hour_after_the_start_and_then_daily(void **state)
{
    const uint64_t hour_ms = 3600000;
    struct fixture f;

    (void)state;
    set_up(&f);
    put_lane(&f, "old", test_now_ms - 401 * DAY_MS);
    put_lane(&f, "young", test_now_ms - 399 * DAY_MS);
    struct expirer *expirer = expirer_new(f.ledger, &(struct expirer_options){.look_ms = 1, .mono_ms = played_mono_ms});
    // The thread reads its clock at its start, which may be after we moved it once: it moves on in steps.
    atomic_fetch_add(&mono_ms, hour_ms - 1);
    for (int i = 0; i < 100; i++) {
        put_seen(&f, "busy", test_now_ms);
        assert_int_equal(expirer_runs(expirer), 0);
    }
    assert_true(has_lane(&f, "old"));
    atomic_fetch_add(&mono_ms, hour_ms);
    UNTIL(expirer_runs(expirer) == 1);
    assert_false(has_lane(&f, "old"));
    assert_true(has_lane(&f, "young"));

    put_lane(&f, "old again", test_now_ms - 401 * DAY_MS);
    atomic_fetch_add(&mono_ms, 22 * hour_ms);
    for (int i = 0; i < 100; i++) {
        put_seen(&f, "busy", test_now_ms);
        assert_int_equal(expirer_runs(expirer), 1);
    }
    atomic_fetch_add(&mono_ms, 2 * hour_ms);
    UNTIL(expirer_runs(expirer) == 2);
    assert_false(has_lane(&f, "old again"));
    expirer_free(&expirer);
    assert_null(expirer);
    ledger_expire(f.ledger); // after the stop: returns, harms nothing
    assert_true(has_lane(&f, "young"));
    tear_down(&f);
}

static void stops_at_once_when_told(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    struct expirer *expirer = expirer_new(f.ledger, &(struct expirer_options){0}); // looks only in ten seconds
    int64_t begin = clock_mono_ms();
    expirer_free(&expirer);
    assert_true(clock_mono_ms() - begin < 9000);
    tear_down(&f);
}

// 60 days forward, while it runs.
static void a_jump_forward_expires_nothing(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    put_seen(&f, "k", test_now_ms);
    put_lane(&f, "c", test_now_ms - 390 * DAY_MS);
    assert_true(ledger_clock_trusted(f.ledger));
    test_now_ms += 60 * DAY_MS;
    assert_int_equal(seen(&f, "k"), LEDGER_OK);
    assert_false(ledger_clock_trusted(f.ledger));
    ledger_expire(f.ledger);
    assert_int_equal(seen(&f, "k"), LEDGER_OK);
    assert_true(has_lane(&f, "c"));
    // Also not after restarts with the wrong clock.
    for (int i = 0; i < 3; i++) {
        open_again(&f);
        assert_false(ledger_clock_trusted(f.ledger));
        put_seen(&f, "busy", test_now_ms);
        ledger_expire(f.ledger);
        assert_int_equal(seen(&f, "k"), LEDGER_OK);
    }
    // Right again: believed again at the next start.
    test_now_ms -= 60 * DAY_MS;
    open_again(&f);
    assert_true(ledger_clock_trusted(f.ledger));
    ledger_expire(f.ledger);
    assert_int_equal(seen(&f, "k"), LEDGER_OK);
    assert_true(has_lane(&f, "c"));
    tear_down(&f);
}

// The stop was really that long: an upstream's clock says so, and what is old goes.
static void an_upstream_clock_settles_it(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    put_seen(&f, "k", test_now_ms);
    ledger_close(&f.ledger);
    test_now_ms += 60 * DAY_MS;
    open_again(&f);
    assert_int_equal(seen(&f, "k"), LEDGER_OK);
    ledger_trust_clock(f.ledger, false);
    assert_int_equal(seen(&f, "k"), LEDGER_OK);
    ledger_trust_clock(f.ledger, true);
    assert_true(ledger_clock_trusted(f.ledger));
    assert_int_equal(seen(&f, "k"), LEDGER_ABSENT);
    put_seen(&f, "busy", test_now_ms);
    open_again(&f); // and is remembered
    assert_true(ledger_clock_trusted(f.ledger));
    ledger_trust_clock(f.ledger, false); // the upstream disagrees later on
    assert_false(ledger_clock_trusted(f.ledger));
    test_now_ms -= 60 * DAY_MS;
    tear_down(&f);
}

// 60 days back: what is written meanwhile must not look 60 days old once the clock is right again.
static void a_jump_back_does_not_age_what_is_written_meanwhile(void **state)
{
    struct fixture f;
    struct event event = {.kind = EVENT_CUSTOMER_MESSAGE, .key = "said meanwhile", .conversation = "c"};

    (void)state;
    set_up(&f);
    put_seen(&f, "k", test_now_ms);
    for (int restarted = 0; restarted < 2; restarted++) {
        test_now_ms -= 60 * DAY_MS;
        if (restarted)
            open_again(&f);
        assert_false(ledger_clock_trusted(f.ledger));
        assert_int_equal(ledger_stamp_ms(f.ledger, test_now_ms), test_now_ms + 60 * DAY_MS);
        struct mailbox *mailbox = mailbox_new();
        struct committer *committer = committer_new(f.ledger, mailbox, &(struct committer_options){0, now_ms});
        event.key = restarted ? "said after a restart" : "said meanwhile";
        assert_int_equal(committer_accept(committer, &event), ACCEPT_STORED);
        committer_free(&committer);
        mailbox_free(&mailbox);
        test_now_ms += 60 * DAY_MS;
        ledger_trust_clock(f.ledger, true);
        ledger_expire(f.ledger);
        assert_int_equal(seen(&f, event.key), LEDGER_OK);
        assert_int_equal(seen(&f, "k"), LEDGER_OK);
    }
    tear_down(&f);
}

static void small_steps_and_a_weekend_off_are_nothing(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    for (int i = 0; i < 20; i++) {
        test_now_ms += (uint64_t)50 * 60000; // summer time set by hand, fifty minutes at a time
        assert_true(ledger_clock_trusted(f.ledger));
    }
    put_seen(&f, "k", test_now_ms);
    test_now_ms += 6 * DAY_MS;
    open_again(&f);
    assert_true(ledger_clock_trusted(f.ledger));
    tear_down(&f);
}

int main(int argc, char **argv)
{
    (void)argc;
    test_program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expires_an_hour_after_the_start_and_then_daily),
        cmocka_unit_test(stops_at_once_when_told),
        cmocka_unit_test(a_jump_forward_expires_nothing),
        cmocka_unit_test(an_upstream_clock_settles_it),
        cmocka_unit_test(a_jump_back_does_not_age_what_is_written_meanwhile),
        cmocka_unit_test(small_steps_and_a_weekend_off_are_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
