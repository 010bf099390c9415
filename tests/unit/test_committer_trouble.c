// SPDX-License-Identifier: Apache-2.0
// The committer in trouble: writes that fail, a disk that fills, and the end.
#include "test_committer.h"

static void a_failed_write_is_told_to_all_and_overcome(void **state)
{
    struct fixture f;
    struct request holder;
    struct request same[4];
    struct seen seen;
    struct event ring = hint(5);

    (void)state;
    set_up(&f, 0);
    assert_int_equal(committer_accept(f.committer, &ring), ACCEPT_STORED);
    assert_int_equal(accept_key(&f, "before"), ACCEPT_STORED);
    uint64_t rung = next_mail(&f).hint_count;
    (void)next_mail(&f);
    hold(&f, &holder);
    for (size_t i = 0; i < 4; i++)
        request_start(&same[i], &f, message("twice"));
    UNTIL(committer_waiting(f.committer) == 5);
    atomic_store(&fail_writes, true);
    atomic_store(&hold_writes, false);
    assert_int_equal(request_end(&holder), ACCEPT_UNAVAILABLE);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(request_end(&same[i]), ACCEPT_UNAVAILABLE);
    assert_no_mail(&f);
    assert_false(committer_healthy(f.committer));
    assert_true(committer_failing_ms(f.committer) > 0);
    assert_int_equal(ledger_seen(f.ledger, "twice", &seen), LEDGER_ABSENT);
    // What is on disk is still a duplicate; a commit is tried and told; its hint stays.
    assert_int_equal(accept_key(&f, "before"), ACCEPT_DUPLICATE);
    submit(&f, NULL, 5, rung, NULL);
    struct mail mail = next_mail(&f);
    assert_int_equal(mail.kind, MAIL_COMMITTED);
    assert_false(mail.ok);

    // No one has to ask: the committer's own probe finds the disk working again.
    atomic_store(&fail_writes, false);
    UNTIL(committer_healthy(f.committer));
    assert_int_equal(committer_failing_ms(f.committer), 0);
    assert_int_equal(accept_key(&f, "twice"), ACCEPT_STORED);
    assert_int_equal(next_mail(&f).kind, MAIL_ACCEPTED);
    assert_int_equal(committer_accept(f.committer, &ring), ACCEPT_STORED);
    assert_true(next_mail(&f).hint_count > rung);
    // The dispatcher's memory is ahead of the disk since its commit failed: nothing of it is written any more.
    submit(&f, NULL, 5, 1, NULL);
    mail = next_mail(&f);
    assert_int_equal(mail.kind, MAIL_COMMITTED);
    assert_false(mail.ok);
    tear_down(&f);
}

static void the_floor_refuses_accepts_but_not_commits(void **state)
{
    struct fixture f;
    struct lane lane;

    (void)state;
    set_up(&f, 1000);
    assert_int_equal(accept_key(&f, "k1"), ACCEPT_STORED);
    (void)next_mail(&f);
    atomic_store(&free_bytes, 999);
    UNTIL(!committer_healthy(f.committer)); // noticed without traffic
    assert_int_equal(accept_key(&f, "k2"), ACCEPT_UNAVAILABLE);
    struct event ring = hint(1);
    assert_int_equal(committer_accept(f.committer, &ring), ACCEPT_UNAVAILABLE);
    assert_int_equal(accept_key(&f, "k1"), ACCEPT_DUPLICATE);
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_lane(batch, &(struct lane){.conversation = "c", .updated_ms = fixed_now_ms()});
    submit(&f, batch, 0, 0, NULL);
    assert_true(next_mail(&f).ok);
    assert_int_equal(ledger_lane(f.ledger, "c", &lane, f.arena), LEDGER_OK);

    // Not open again just above the floor: a quarter more.
    uint64_t before = committer_progress(f.committer);
    atomic_store(&free_bytes, 1249);
    UNTIL(committer_progress(f.committer) >= before + 4);
    assert_false(committer_healthy(f.committer));
    atomic_store(&free_bytes, 1250);
    UNTIL(committer_healthy(f.committer));
    assert_int_equal(accept_key(&f, "k2"), ACCEPT_STORED);
    tear_down(&f);
}

static void *free_run(void *arg)
{
    struct fixture *f = arg;
    committer_free(&f->committer);
    return NULL;
}

static void stopping_writes_what_waits(void **state)
{
    struct fixture f;
    struct request holder;
    struct request late;
    struct seen seen;
    pthread_t thread;
    int token = 0;

    (void)state;
    set_up(&f, 0);
    hold(&f, &holder);
    snprintf(late.key, sizeof late.key, "late");
    request_start(&late, &f, message(late.key));
    UNTIL(committer_waiting(f.committer) == 2);
    submit(&f, NULL, 0, 0, &token);
    assert_int_equal(pthread_create(&thread, NULL, free_run, &f), 0);
    atomic_store(&hold_writes, false);
    pthread_join(thread, NULL);
    assert_int_equal(request_end(&holder), ACCEPT_STORED);
    assert_int_equal(request_end(&late), ACCEPT_STORED);
    assert_int_equal(ledger_seen(f.ledger, "late", &seen), LEDGER_OK);
    assert_int_equal(next_mail(&f).kind, MAIL_ACCEPTED);
    assert_int_equal(next_mail(&f).kind, MAIL_ACCEPTED);
    assert_ptr_equal(next_mail(&f).token, &token);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_write_is_told_to_all_and_overcome),
        cmocka_unit_test(the_floor_refuses_accepts_but_not_commits),
        cmocka_unit_test(stopping_writes_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
