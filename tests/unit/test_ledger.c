// SPDX-License-Identifier: Apache-2.0
// The ledger on a real RocksDB in a folder of its own: every call, the epoch, and expiry.
#include "test_ledger.h"

static void puts_and_reads_every_record(void **state)
{
    struct fixture f;
    struct seen seen;
    struct lane lane;
    struct pending pending;
    struct ticket ticket;

    (void)state;
    set_up(&f);
    assert_int_equal(ledger_seen(f.ledger, "k", &seen), LEDGER_ABSENT);
    assert_int_equal(ledger_lane(f.ledger, "c1", &lane, f.arena), LEDGER_ABSENT);
    assert_int_equal(ledger_pending(f.ledger, 7, &pending, f.arena), LEDGER_ABSENT);
    assert_int_equal(ledger_ticket(f.ledger, 42, &ticket, f.arena), LEDGER_ABSENT);

    struct ledger_batch *batch = ledger_batch_new();
    assert_true(ledger_batch_empty(batch));
    ledger_put_seen(batch, "k", SEEN_OURS, test_now_ms);
    ledger_put_lane(batch, &(struct lane){.conversation = "c1", .ticket_id = 42, .updated_ms = test_now_ms});
    struct pending seven = waiting(7);
    ledger_put_pending(batch, &seven);
    ledger_put_ticket(batch, 42, &(struct ticket){.conversation = "c1", .time_ms = test_now_ms});
    assert_false(ledger_batch_empty(batch));
    assert_true(ledger_batch_bytes(batch) > 100);
    write_and_free(&f, &batch);

    for (int round = 0; round < 2; round++) {
        assert_int_equal(ledger_seen(f.ledger, "k", &seen), LEDGER_OK);
        assert_int_equal(seen.outcome, SEEN_OURS);
        assert_int_equal(seen.time_ms, test_now_ms);
        assert_int_equal(ledger_lane(f.ledger, "c1", &lane, f.arena), LEDGER_OK);
        assert_int_equal(lane.ticket_id, 42);
        assert_int_equal(ledger_pending(f.ledger, 7, &pending, f.arena), LEDGER_OK);
        assert_string_equal(pending.event.key, "freshchat:message:1");
        assert_int_equal(pending.found.size, 2);
        assert_memory_equal(pending.found.data, "\0\1", 2);
        assert_int_equal(ledger_ticket(f.ledger, 42, &ticket, f.arena), LEDGER_OK);
        assert_string_equal(ticket.conversation, "c1");
        open_again(&f);
    }
    tear_down(&f);
}

static bool take_hint(void *arg, uint64_t ticket_id, const struct hint *hint)
{
    assert_int_equal(hint->count, ticket_id + 1);
    return take(arg, ticket_id);
}

static bool take_dead(void *arg, uint64_t seq, const struct dead *dead)
{
    assert_int_equal(dead->pending.seq, seq);
    assert_string_equal(dead->cause, "the helpdesk says no");
    return take(arg, seq);
}

static bool take_history(void *arg, const struct history *history)
{
    return take(arg, history->took_ms);
}

static void scans_in_order_and_deletes(void **state)
{
    struct fixture f;
    struct numbers got = {0};
    const uint64_t all[] = {1, 255, 256, UINT64_C(1) << 40};

    (void)state;
    set_up(&f);
    assert_int_equal(ledger_each_pending(f.ledger, take_pending, &got), LEDGER_OK);
    assert_int_equal(got.count, 0);
    struct ledger_batch *batch = ledger_batch_new();
    struct ledger_batch *more = ledger_batch_new();
    for (size_t i = 4; i-- > 0;) { // backwards: the order is the keys', not the writing's
        struct pending pending = waiting(all[i]);
        ledger_put_pending(batch, &pending);
        ledger_put_hint(more, all[i], &(struct hint){.count = all[i] + 1, .time_ms = 5});
        ledger_put_dead(more, all[i], &(struct dead){.pending = pending, .cause = "the helpdesk says no"});
    }
    ledger_batch_append(batch, more);
    ledger_batch_free(&more);
    write_and_free(&f, &batch);

    assert_int_equal(ledger_each_pending(f.ledger, take_pending, &got), LEDGER_OK);
    assert_numbers(&got, 4, all);
    assert_int_equal(ledger_each_hint(f.ledger, take_hint, &got), LEDGER_OK);
    assert_numbers(&got, 4, all);
    assert_int_equal(ledger_each_dead(f.ledger, take_dead, &got), LEDGER_OK);
    assert_numbers(&got, 4, all);
    got.stop_after = 2;
    assert_int_equal(ledger_each_pending(f.ledger, take_pending, &got), LEDGER_OK);
    assert_numbers(&got, 2, all);

    batch = ledger_batch_new();
    ledger_delete_pending(batch, 1);
    ledger_delete_hint(batch, 1);
    ledger_delete_dead(batch, 1);
    ledger_delete_dead(batch, 999); // was never there
    write_and_free(&f, &batch);
    assert_int_equal(ledger_each_pending(f.ledger, take_pending, &got), LEDGER_OK);
    assert_numbers(&got, 3, all + 1);
    assert_int_equal(ledger_each_hint(f.ledger, take_hint, &got), LEDGER_OK);
    assert_numbers(&got, 3, all + 1);
    assert_int_equal(ledger_each_dead(f.ledger, take_dead, &got), LEDGER_OK);
    assert_numbers(&got, 3, all + 1);
    tear_down(&f);
}

static void keeps_the_history_of_each_conversation_apart(void **state)
{
    struct fixture f;
    struct numbers got = {0};
    const uint64_t expected[] = {1, 2, 3};

    (void)state;
    set_up(&f);
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_history(batch, 3, &(struct history){.conversation = "c1", .time_ms = 300, .took_ms = 3});
    ledger_put_history(batch, 2, &(struct history){.conversation = "c1", .time_ms = 200, .took_ms = 2});
    ledger_put_history(batch, 1, &(struct history){.conversation = "c1", .time_ms = 200, .took_ms = 1});
    ledger_put_history(batch, 4, &(struct history){.conversation = "c10", .time_ms = 1, .took_ms = 4});
    ledger_put_history(batch, 5, &(struct history){.conversation = "c", .time_ms = 1, .took_ms = 5});
    write_and_free(&f, &batch);
    assert_int_equal(ledger_each_history(f.ledger, "c1", take_history, &got), LEDGER_OK);
    assert_numbers(&got, 3, expected);
    tear_down(&f);
}

static void raises_the_epoch_at_each_opening(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    uint64_t first = ledger_epoch(f.ledger);
    uint64_t a = ledger_next(f.ledger);
    uint64_t b = ledger_next(f.ledger);
    assert_int_equal(a >> 40, first);
    assert_true(b > a);
    open_again(&f);
    assert_int_equal(ledger_epoch(f.ledger), first + 1);
    assert_true(ledger_next(f.ledger) > b);
    tear_down(&f);
}

static void hides_expired_keys_and_drops_them_by_compaction(void **state)
{
    struct fixture f;
    struct seen seen;
    struct lane lane;
    struct ticket ticket;
    struct numbers got = {0};
    const uint64_t young[] = {2};

    (void)state;
    set_up(&f);
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_seen(batch, "old", SEEN_ACCEPTED, test_now_ms - 30 * DAY_MS - 1);
    ledger_put_seen(batch, "young", SEEN_ACCEPTED, test_now_ms - 30 * DAY_MS);
    ledger_put_lane(batch, &(struct lane){.conversation = "old", .updated_ms = test_now_ms - 400 * DAY_MS - 1});
    ledger_put_lane(batch, &(struct lane){.conversation = "young", .updated_ms = test_now_ms - 400 * DAY_MS});
    ledger_put_ticket(batch, 1, &(struct ticket){.conversation = "old", .time_ms = test_now_ms - 400 * DAY_MS - 1});
    ledger_put_ticket(batch, 2, &(struct ticket){.conversation = "young", .time_ms = test_now_ms - 400 * DAY_MS});
    ledger_put_history(batch, 1,
                       &(struct history){.conversation = "c", .time_ms = test_now_ms - 7 * DAY_MS - 1, .took_ms = 1});
    ledger_put_history(batch, 2,
                       &(struct history){.conversation = "c", .time_ms = test_now_ms - 7 * DAY_MS, .took_ms = 2});
    struct pending pending = waiting(1); // waiting work never expires
    ledger_put_pending(batch, &pending);
    write_and_free(&f, &batch);

    assert_int_equal(ledger_seen(f.ledger, "old", &seen), LEDGER_ABSENT);
    assert_int_equal(ledger_seen(f.ledger, "young", &seen), LEDGER_OK);
    assert_int_equal(ledger_lane(f.ledger, "old", &lane, f.arena), LEDGER_OK);
    ledger_expire(f.ledger);
    assert_int_equal(ledger_lane(f.ledger, "old", &lane, f.arena), LEDGER_ABSENT);
    assert_int_equal(ledger_lane(f.ledger, "young", &lane, f.arena), LEDGER_OK);
    assert_int_equal(ledger_ticket(f.ledger, 1, &ticket, f.arena), LEDGER_ABSENT);
    assert_int_equal(ledger_ticket(f.ledger, 2, &ticket, f.arena), LEDGER_OK);
    assert_int_equal(ledger_each_history(f.ledger, "c", take_history, &got), LEDGER_OK);
    assert_numbers(&got, 1, young);
    assert_int_equal(ledger_pending(f.ledger, 1, &pending, f.arena), LEDGER_OK);

    // Gone from the disk, not only hidden: a clock set back does not bring it back.
    test_now_ms -= 20 * DAY_MS;
    assert_int_equal(ledger_seen(f.ledger, "old", &seen), LEDGER_ABSENT);
    assert_int_equal(ledger_seen(f.ledger, "young", &seen), LEDGER_OK);
    test_now_ms += 20 * DAY_MS;
    tear_down(&f);
}

static void an_empty_batch_is_a_probe(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    struct ledger_batch *batch = ledger_batch_new();
    write_and_free(&f, &batch);
    open_again(&f);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    test_program = argv[0];
    (void)argc;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_and_reads_every_record),
        cmocka_unit_test(scans_in_order_and_deletes),
        cmocka_unit_test(keeps_the_history_of_each_conversation_apart),
        cmocka_unit_test(raises_the_epoch_at_each_opening),
        cmocka_unit_test(hides_expired_keys_and_drops_them_by_compaction),
        cmocka_unit_test(an_empty_batch_is_a_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
