// SPDX-License-Identifier: Apache-2.0
// A dispatcher on a ledger that was restored from a backup: what is looked for, how long, and what it remembers of that
// over restarts.
#include "http-front/ledger/ledger_settings.h"
#include "tests/unit/test_control.h"

// What is in the ledger now is the backup; the open ledger becomes the one that was restored from it.
static void restore(struct fixture *f)
{
    char dir[96], why[512] = "";
    snprintf(dir, sizeof dir, "%s/copy", f->folder);
    assert_true(ledger_backup(f->ledger, dir, why, sizeof why));
    ledger_close(&f->ledger);
    snprintf(why, sizeof why, "%s/ledger", f->folder);
    assert_int_equal(nftw(why, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(rename(dir, why), 0);
    open_ledger(f);
    assert_true(ledger_restored_ms(f->ledger) > 0);
}

static void resume(struct fixture *f)
{
    done(f, "resume", "desk-to-chat");
    done(f, "resume", "chat-to-desk");
}

static void forgotten_within(struct fixture *f, int ms)
{
    struct job none;
    struct worker *w;
    for (int64_t until = clock_mono_ms() + ms; ledger_restored_ms(f->ledger) && clock_mono_ms() < until;)
        assert_false(next_job(f, 100, STEP_NONE, &none, &w)); // answers polls
    assert_int_equal(ledger_restored_ms(f->ledger), 0);
}

static void a_message_is_looked_for_before_it_is_written(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct job none;
    f->restored_least_ms = 1;
    f->config.freshchat.poll_seconds = 1;
    knows(f, (struct lane){.conversation = "c", .user = "u", .ticket_id = 42, .updated_ms = wall()});
    restore(f);
    uint64_t taken = ledger_restored_ms(f->ledger);
    begin(f);
    worker(f, 1, 7);
    roster(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m2");
    assert_false(next_job(f, 300, STEP_LIST_MESSAGES, &none, &w)); // nothing is even read
    resume(f);
    struct job look = expect_job(f, STEP_LOOK_NOTE, &w);
    assert_true(look.restored);
    assert_int_equal(look.events.count, 1);
    assert_true(look.since_ms < taken);
    send_report(w, &look, (struct report){.outcome = OUTCOME_NOT_FOUND}); // one look settles it
    struct job note = expect_job(f, STEP_APPEND_NOTE, &w);
    assert_int_equal(note.events.count, 1);
    assert_string_equal(note.events.items[0].key, "freshchat:message:m1");
    assert_true(note.since_ms > taken); // from now on it may have been sent
    struct written entry = {"77", 1000};
    send_report(w, &note, (struct report){.outcome = OUTCOME_DONE, .desk_written = {&entry, 1}});
    // A front that begins in between goes on where it was, and does not begin paused.
    await_ack(w, note.job_id);
    end(f);
    begin(f);
    worker(f, 1, 8);
    roster(f);
    look = expect_job(f, STEP_LOOK_NOTE, &w);
    assert_string_equal(look.events.items[0].key, "freshchat:message:m2");
    assert_true(look.lane.rebuilt_ms >= taken); // replies are looked for as well
    assert_true(ledger_restored_ms(f->ledger) > 0);
    entry.id = "78";
    send_report(w, &look, (struct report){.outcome = OUTCOME_DONE, .desk_written = {&entry, 1}});
    await_ack(w, look.job_id);
    forgotten_within(f, 30000);
    // From now on everything is as always.
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m3");
    note = expect_job(f, STEP_APPEND_NOTE, &w);
    assert_string_equal(note.events.items[0].key, "freshchat:message:m3");
    uint64_t opened = 1;
    assert_int_equal(ledger_setting(f->ledger, "restored-opened", &opened), LEDGER_ABSENT);
}

static void no_ticket_is_opened_without_a_look(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    restore(f);
    begin(f);
    worker(f, 1, 7);
    roster(f);
    resume(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    struct job read = expect_job(f, STEP_READ_CUSTOMER, &w);
    send_report(w, &read, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_TICKET});
    struct job look = expect_job(f, STEP_LOOK_TICKET, &w);
    assert_true(look.restored);
    // A ticket that was opened with another message: this one is appended, after its own look.
    send_report(w, &look,
                (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_APPEND_NOTE, .ticket_id = 42, .user = "u"});
    look = expect_job(f, STEP_LOOK_NOTE, &w);
    assert_int_equal(look.lane.ticket_id, 42);
    send_report(w, &look, (struct report){.outcome = OUTCOME_NOT_FOUND});
    expect_job(f, STEP_APPEND_NOTE, &w);
}

// The setting that an earlier restoring left is in the backup, too: that one was resumed, this one was not.
static void a_backup_of_a_restored_ledger_begins_paused(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct job none;
    knows(f, (struct lane){.conversation = "c", .user = "u", .ticket_id = 42, .updated_ms = wall()});
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_setting(batch, "restored-opened", wall());
    assert_true(ledger_write(f->ledger, batch));
    ledger_batch_free(&batch);
    restore(f);
    begin(f);
    worker(f, 1, 7);
    roster(f);
    hints(f, 42);
    assert_false(next_job(f, 300, STEP_LIST_TICKETS, &none, &w));
    resume(f);
    expect_job(f, STEP_LIST_ENTRIES, &w);
}

// Whatever waits from before holds the end up, however long ago it was resumed.
static void it_is_not_forgotten_while_anything_of_before_waits(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct job none;
    f->restored_least_ms = 1;
    f->config.freshchat.poll_seconds = 1;
    knows(f, (struct lane){.conversation = "c", .user = "u", .ticket_id = 42, .updated_ms = wall()});
    restore(f);
    begin(f);
    worker(f, 1, 7);
    roster(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "m1");
    resume(f);
    struct job look = expect_job(f, STEP_LOOK_NOTE, &w);
    assert_false(next_job(f, 12000, STEP_NONE, &none, &w));
    assert_true(ledger_restored_ms(f->ledger) > 0);
    send_report(w, &look, (struct report){.outcome = OUTCOME_DONE});
    await_ack(w, look.job_id);
    forgotten_within(f, 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_is_looked_for_before_it_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_ticket_is_opened_without_a_look, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_backup_of_a_restored_ledger_begins_paused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_not_forgotten_while_anything_of_before_waits, set_up, tear_down),
    };
    zsys_init();
    zsys_handler_set(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
