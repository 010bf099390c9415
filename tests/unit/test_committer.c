// SPDX-License-Identifier: Apache-2.0
// The committer while all is well: duplicates, batches, order, hint counters.
#include "test_committer.h"

static void stores_an_event_before_it_answers(void **state)
{
    struct fixture f;
    struct pending pending;
    struct seen seen;

    (void)state;
    set_up(&f, 0);
    assert_true(committer_healthy(f.committer));
    assert_int_equal(accept_key(&f, "k1"), ACCEPT_STORED);
    assert_int_equal(ledger_seen(f.ledger, "k1", &seen), LEDGER_OK);
    assert_int_equal(seen.outcome, SEEN_ACCEPTED);
    struct mail mail = next_mail(&f);
    assert_int_equal(mail.kind, MAIL_ACCEPTED);
    assert_int_equal(mail.time_ms, 77);
    assert_int_equal(mail.accepted_ms, fixed_now_ms());
    assert_int_equal(mail.event_kind, EVENT_CUSTOMER_MESSAGE);
    assert_int_equal(ledger_pending(f.ledger, mail.seq, &pending, f.arena), LEDGER_OK);
    assert_string_equal(pending.event.key, "k1");
    assert_string_equal(pending.event.conversation, "c1");
    assert_int_equal(pending.event.accepted_ms, fixed_now_ms());
    assert_int_equal(pending.step, 0);

    assert_int_equal(accept_key(&f, "k1"), ACCEPT_DUPLICATE);
    assert_no_mail(&f);
    UNTIL(committer_progress(f.committer) >= 2); // counted when the answers are out already
    assert_int_equal(committer_waiting(f.committer), 0);
    tear_down(&f);
}

static void one_key_eight_times_at_once_is_stored_once(void **state)
{
    struct fixture f;
    struct request holder;
    struct request same[8];
    int stored = 0;

    (void)state;
    set_up(&f, 0);
    for (int round = 0; round < 20; round++) {
        char key[32];
        stored = 0;
        snprintf(key, sizeof key, "round %d", round);
        // Even rounds meet in one batch for certain, odd ones as they come.
        if (round == 0)
            hold(&f, &holder);
        for (size_t i = 0; i < 8; i++)
            request_start(&same[i], &f, message(key));
        if (round == 0) {
            UNTIL(committer_waiting(f.committer) == 9);
            atomic_store(&hold_writes, false);
            assert_int_equal(request_end(&holder), ACCEPT_STORED);
        }
        for (size_t i = 0; i < 8; i++) {
            enum accept_result result = request_end(&same[i]);
            assert_true(result == ACCEPT_STORED || result == ACCEPT_DUPLICATE);
            stored += result == ACCEPT_STORED;
        }
        assert_int_equal(stored, 1);
    }
    for (int i = 0; i < 21; i++)
        (void)next_mail(&f);
    assert_no_mail(&f);
    tear_down(&f);
}

static void all_that_wait_share_one_write(void **state)
{
    struct fixture f;
    struct request holder;
    struct request many[32];

    (void)state;
    set_up(&f, 0);
    hold(&f, &holder);
    for (size_t i = 0; i < 32; i++) {
        snprintf(many[i].key, sizeof many[i].key, "k%zu", i);
        request_start(&many[i], &f, message(many[i].key));
    }
    UNTIL(committer_waiting(f.committer) == 33);
    int before = atomic_load(&writes_done);
    atomic_store(&hold_writes, false);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(request_end(&many[i]), ACCEPT_STORED);
    assert_int_equal(request_end(&holder), ACCEPT_STORED);
    assert_int_equal(atomic_load(&writes_done) - before, 2); // the held one and theirs
    uint64_t last = 0;
    for (size_t i = 0; i < 33; i++) {
        struct mail mail = next_mail(&f);
        assert_true(mail.seq > last); // mail comes in the order of the sequence
        last = mail.seq;
    }
    tear_down(&f);
}

struct crowd {
    struct fixture *f;
    pthread_t thread;
    int number;
    int stored;
};

enum { CROWD = 16, EACH = 100 };

// Every thread sends its own keys and, with its neighbour, one shared key per step.
static void *crowd_run(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < EACH; i++) {
        char key[32];
        snprintf(key, sizeof key, "own %d %d", crowd->number, i);
        assert_int_equal(accept_key(crowd->f, key), ACCEPT_STORED);
        snprintf(key, sizeof key, "shared %d %d", crowd->number / 2, i);
        enum accept_result result = accept_key(crowd->f, key);
        assert_true(result == ACCEPT_STORED || result == ACCEPT_DUPLICATE);
        crowd->stored += 1 + (result == ACCEPT_STORED);
    }
    return NULL;
}

static void many_threads_lose_and_double_nothing(void **state)
{
    struct fixture f;
    struct crowd crowd[CROWD];
    int stored = 0;
    int mails = 0;
    uint64_t last = 0;

    (void)state;
    set_up(&f, 0);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = (struct crowd){.f = &f, .number = i};
        assert_int_equal(pthread_create(&crowd[i].thread, NULL, crowd_run, &crowd[i]), 0);
    }
    for (int i = 0; i < CROWD; i++) {
        pthread_join(crowd[i].thread, NULL);
        stored += crowd[i].stored;
    }
    assert_int_equal(stored, CROWD * EACH + CROWD / 2 * EACH);
    for (; mails < stored; mails++) {
        struct pending pending;
        struct mail mail = next_mail(&f);
        assert_true(mail.seq > last);
        last = mail.seq;
        arena_reset(f.arena);
        assert_int_equal(ledger_pending(f.ledger, mail.seq, &pending, f.arena), LEDGER_OK);
    }
    assert_no_mail(&f);
    tear_down(&f);
}

static void counts_hints_and_finishes_only_the_unchanged(void **state)
{
    struct fixture f;
    struct event ring = hint(42);
    int token = 0;

    (void)state;
    set_up(&f, 0);
    uint64_t counts[6] = {0};
    for (int i = 1; i <= 3; i++) { // hints are never duplicates
        assert_int_equal(committer_accept(f.committer, &ring), ACCEPT_STORED);
        struct mail mail = next_mail(&f);
        assert_int_equal(mail.kind, MAIL_HINT);
        assert_int_equal(mail.ticket_id, 42);
        assert_true(mail.hint_count > counts[i - 1]);
        counts[i] = mail.hint_count;
    }
    submit(&f, NULL, 42, counts[2], &token);
    struct mail mail = next_mail(&f);
    assert_int_equal(mail.kind, MAIL_COMMITTED);
    assert_ptr_equal(mail.token, &token);
    assert_true(mail.ok);
    assert_true(mail.hint_left);
    assert_int_equal(mail.hint_now, counts[3]);

    // The counter is on disk: a new committer goes on with it.
    stop(&f);
    start(&f, 0);
    assert_int_equal(committer_accept(f.committer, &ring), ACCEPT_STORED);
    counts[4] = next_mail(&f).hint_count;
    assert_true(counts[4] > counts[3]);
    submit(&f, NULL, 42, counts[3], NULL);
    assert_true(next_mail(&f).hint_left);
    submit(&f, NULL, 42, counts[4], NULL);
    assert_false(next_mail(&f).hint_left);
    submit(&f, NULL, 42, counts[4], NULL); // gone already: nothing is left
    assert_false(next_mail(&f).hint_left);
    stop(&f);
    start(&f, 0);
    assert_int_equal(committer_accept(f.committer, &ring), ACCEPT_STORED);
    // The row was deleted on disk, too; its numbers do not begin again.
    assert_true(next_mail(&f).hint_count > counts[4]);
    tear_down(&f);
}

static void an_offer_is_stored_once_and_answered_by_mail(void **state)
{
    struct fixture f;
    struct event said = message("poll-1");
    int token = 0;

    (void)state;
    set_up(&f, 0);
    committer_offer(f.committer, &said, &token);
    struct mail mail = next_mail(&f);
    assert_int_equal(mail.kind, MAIL_ACCEPTED);
    mail = next_mail(&f);
    assert_int_equal(mail.kind, MAIL_OFFERED);
    assert_ptr_equal(mail.token, &token);
    assert_int_equal(mail.result, ACCEPT_STORED);
    // The webhook of the same message comes late, the poll comes again: both are duplicates.
    assert_int_equal(committer_accept(f.committer, &said), ACCEPT_DUPLICATE);
    committer_offer(f.committer, &said, NULL);
    mail = next_mail(&f);
    assert_int_equal(mail.kind, MAIL_OFFERED);
    assert_int_equal(mail.result, ACCEPT_DUPLICATE);
    UNTIL(committer_waiting(f.committer) == 0);
    tear_down(&f);
}

static void a_commit_may_raise_hints(void **state)
{
    struct fixture f;
    struct event ring = hint(8);

    (void)state;
    set_up(&f, 0);
    assert_int_equal(committer_accept(f.committer, &ring), ACCEPT_STORED);
    uint64_t first = next_mail(&f).hint_count;
    uint64_t *raise = malloc(2 * sizeof *raise);
    struct commit *commit = calloc(1, sizeof *commit);
    assert_non_null(raise);
    assert_non_null(commit);
    raise[0] = 8;
    raise[1] = 9;
    *commit = (struct commit){.raise = raise, .raise_count = 2};
    committer_submit(f.committer, commit);
    struct mail mail = next_mail(&f);
    assert_int_equal(mail.kind, MAIL_HINT);
    assert_int_equal(mail.ticket_id, 8);
    assert_true(mail.hint_count > first);
    mail = next_mail(&f);
    assert_int_equal(mail.ticket_id, 9);
    assert_true(mail.hint_count > 0);
    assert_int_equal(next_mail(&f).kind, MAIL_COMMITTED);
    tear_down(&f);
}

static void a_hint_beside_its_deletion_survives(void **state)
{
    struct fixture f;
    struct request holder;
    struct request ring;
    struct event first = hint(7);

    (void)state;
    set_up(&f, 0);
    assert_int_equal(committer_accept(f.committer, &first), ACCEPT_STORED);
    uint64_t count = next_mail(&f).hint_count;
    hold(&f, &holder);
    submit(&f, NULL, 7, count, NULL);  // finished ...
    request_start(&ring, &f, hint(7)); // ... and it rings again before that is on disk
    UNTIL(committer_waiting(f.committer) == 3);
    atomic_store(&hold_writes, false);
    assert_int_equal(request_end(&holder), ACCEPT_STORED);
    assert_int_equal(request_end(&ring), ACCEPT_STORED);
    assert_int_equal(next_mail(&f).kind, MAIL_ACCEPTED);
    uint64_t again = next_mail(&f).hint_count;
    assert_true(again > count);
    struct mail mail = next_mail(&f);
    assert_true(mail.hint_left);
    assert_int_equal(mail.hint_now, again);
    tear_down(&f);
}

static void a_hint_raised_behind_its_deletion_is_back(void **state)
{
    struct fixture f;
    struct request holder;
    struct event ring = hint(7);

    (void)state;
    set_up(&f, 0);
    assert_int_equal(committer_accept(f.committer, &ring), ACCEPT_STORED);
    uint64_t count = next_mail(&f).hint_count;
    hold(&f, &holder);
    submit(&f, NULL, 7, count, NULL); // finished, and a poll raises it in the same batch
    uint64_t *raise = malloc(sizeof *raise);
    struct commit *commit = calloc(1, sizeof *commit);
    assert_non_null(raise);
    assert_non_null(commit);
    raise[0] = 7;
    *commit = (struct commit){.raise = raise, .raise_count = 1};
    committer_submit(f.committer, commit);
    atomic_store(&hold_writes, false);
    assert_int_equal(request_end(&holder), ACCEPT_STORED);
    assert_int_equal(next_mail(&f).kind, MAIL_ACCEPTED);
    assert_int_equal(next_mail(&f).kind, MAIL_COMMITTED);
    struct mail mail = next_mail(&f);
    assert_int_equal(mail.kind, MAIL_HINT);
    uint64_t again = mail.hint_count;
    assert_true(again > count);
    assert_int_equal(next_mail(&f).kind, MAIL_COMMITTED);
    // Its row is on disk with that number, and only that number ends it.
    submit(&f, NULL, 7, count, NULL);
    mail = next_mail(&f);
    assert_true(mail.hint_left);
    assert_int_equal(mail.hint_now, again);
    tear_down(&f);
}

static void an_echo_that_arrives_with_its_id_is_known_as_ours(void **state)
{
    struct fixture f;
    struct request holder;
    struct request echo;
    struct seen seen;

    (void)state;
    set_up(&f, 0);
    hold(&f, &holder);
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_seen(batch, "echo", SEEN_OURS, fixed_now_ms());
    submit(&f, batch, 0, 0, NULL);
    request_start(&echo, &f, message("echo"));
    UNTIL(committer_waiting(f.committer) == 3);
    atomic_store(&hold_writes, false);
    assert_int_equal(request_end(&holder), ACCEPT_STORED);
    assert_int_equal(request_end(&echo), ACCEPT_STORED);
    assert_int_equal(ledger_seen(f.ledger, "echo", &seen), LEDGER_OK);
    assert_int_equal(seen.outcome, SEEN_OURS);
    assert_int_equal(accept_key(&f, "echo"), ACCEPT_DUPLICATE);
    tear_down(&f);
}

static void commits_go_to_disk_in_order(void **state)
{
    struct fixture f;
    struct lane lane;
    uint64_t tokens[600];

    (void)state;
    set_up(&f, 0);
    for (uint64_t i = 0; i < 600; i++) { // more than one batch takes
        struct ledger_batch *batch = ledger_batch_new();
        ledger_put_lane(batch, &(struct lane){.conversation = "c", .ticket_id = i, .updated_ms = fixed_now_ms()});
        submit(&f, batch, 0, 0, &tokens[i]);
    }
    for (uint64_t i = 0; i < 600; i++) {
        struct mail mail = next_mail(&f);
        assert_ptr_equal(mail.token, &tokens[i]);
        assert_true(mail.ok);
    }
    assert_int_equal(ledger_lane(f.ledger, "c", &lane, f.arena), LEDGER_OK);
    assert_int_equal(lane.ticket_id, 599);
    tear_down(&f);
}

static void big_events_are_split_over_batches(void **state)
{
    struct fixture f;
    struct request holder;
    struct request big[12];
    size_t size = 250000;
    char *text = malloc(size + 1);
    struct part parts[4];

    (void)state;
    set_up(&f, 0);
    assert_non_null(text);
    memset(text, 'x', size);
    text[size] = 0;
    for (size_t i = 0; i < 4; i++)
        parts[i] = (struct part){.kind = PART_TEXT, .text = text};
    hold(&f, &holder);
    int before = atomic_load(&writes_done);
    for (size_t i = 0; i < 12; i++) {
        snprintf(big[i].key, sizeof big[i].key, "big%zu", i);
        struct event event = message(big[i].key);
        event.parts.items = parts;
        event.parts.count = 4;
        request_start(&big[i], &f, event);
    }
    UNTIL(committer_waiting(f.committer) == 13);
    submit(&f, NULL, 0, 0, NULL);
    atomic_store(&hold_writes, false);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(request_end(&big[i]), ACCEPT_STORED);
    assert_int_equal(request_end(&holder), ACCEPT_STORED);
    assert_true(atomic_load(&writes_done) - before >= 4); // the held one, and 12 MB in pieces of about 4
    int committed = 0;
    for (int i = 0; i < 14; i++)
        committed += next_mail(&f).kind == MAIL_COMMITTED;
    assert_int_equal(committed, 1);
    free(text);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_an_event_before_it_answers),
        cmocka_unit_test(one_key_eight_times_at_once_is_stored_once),
        cmocka_unit_test(all_that_wait_share_one_write),
        cmocka_unit_test(many_threads_lose_and_double_nothing),
        cmocka_unit_test(counts_hints_and_finishes_only_the_unchanged),
        cmocka_unit_test(an_offer_is_stored_once_and_answered_by_mail),
        cmocka_unit_test(a_commit_may_raise_hints),
        cmocka_unit_test(a_hint_beside_its_deletion_survives),
        cmocka_unit_test(a_hint_raised_behind_its_deletion_is_back),
        cmocka_unit_test(an_echo_that_arrives_with_its_id_is_known_as_ours),
        cmocka_unit_test(commits_go_to_disk_in_order),
        cmocka_unit_test(big_events_are_split_over_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
