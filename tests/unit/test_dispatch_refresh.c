// SPDX-License-Identifier: Apache-2.0
// The customer is looked at again while the chat runs: how often, that messages never wait for it, and what is true
// after a crash. And the ticket that a dead letter left in doubt.
#include "tests/unit/test_dispatch.h"

static struct worker *chat_with_ticket(struct fixture *f)
{
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .user = "u", .updated_ms = 1});
    begin(f);
    struct worker *w = worker(f, 1, 7);
    roster(f);
    answer_first_polls(f);
    return w;
}

static void done(struct worker *w, const struct job *job, struct report report)
{
    report.outcome = OUTCOME_DONE;
    send_report(w, job, report);
    await_ack(w, job->job_id);
}

static void writes(struct fixture *f, const char *conversation, const char *id)
{
    says(f, EVENT_CUSTOMER_MESSAGE, conversation, id);
}

// The message's note, and that it is written.
static void noted(struct fixture *f, const char *conversation)
{
    struct worker *w;
    struct job note = expect_job(f, STEP_APPEND_NOTE, &w);
    assert_string_equal(note.lane.conversation, conversation);
    done(w, &note, (struct report){0});
}

// The same, and its customer has written.
static void running_chat(struct fixture *f)
{
    chat_with_ticket(f);
    writes(f, "c", "m1");
    noted(f, "c");
}

// A refresh that saw a change, and the event that follows from it.
static struct job changed(struct fixture *f)
{
    struct worker *w;
    struct followup followup = {.kind = EVENT_CONTEXT, .round = 4, .reason = ""};
    struct job refresh = expect_job(f, STEP_REFRESH_CUSTOMER, &w);
    assert_string_equal(refresh.lane.user, "u");
    done(w, &refresh, (struct report){.followups = {&followup, 1}});
    struct job reread = expect_job(f, STEP_REREAD_CUSTOMER, &w);
    assert_int_equal(reread.events.items[0].round, 4);
    return reread;
}

// What a step found: that cart.
static struct blob cart(struct fixture *f, const char *words)
{
    struct found found = {.context.cart = words};
    struct record_buffer bytes;
    assert_true(record_encode(RECORD_found, &found, &bytes));
    uint8_t *copy = arena_alloc(f->arena, bytes.size);
    memcpy(copy, bytes.data, bytes.size);
    struct blob blob = {copy, bytes.size};
    record_buffer_free(&bytes);
    return blob;
}

static void has_cart(struct fixture *f, const struct job *job, const char *words)
{
    struct found found;
    assert_int_equal(record_decode(RECORD_found, job->found.data, job->found.size, &found, f->arena), RECORD_OK);
    assert_string_equal(found.context.cart, words);
}

// Answers a reading of the customer: that cart is new, the ticket is read, and its update goes out.
static struct job updates(struct fixture *f, const struct job *reread, const char *words)
{
    struct worker *w;
    send_report(f->workers, reread,
                (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_READ_TO_UPDATE, .found = cart(f, words)});
    struct job job = expect_job(f, STEP_READ_TO_UPDATE, &w);
    send_report(w, &job,
                (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_UPDATE_TICKET, .found = cart(f, words)});
    return expect_job(f, STEP_UPDATE_TICKET, &w);
}

static struct lane recorded(struct fixture *f)
{
    struct lane lane;
    assert_int_equal(ledger_lane(f->ledger, "c", &lane, f->arena), LEDGER_OK);
    return lane;
}

// ---- how often ------------------------------------------------------------------------------------------------------

static void with_messages_it_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    f->config.timing.context_refresh_seconds = 1;
    running_chat(f);
    struct job refresh = expect_job(f, STEP_REFRESH_CUSTOMER, &w);
    int64_t first_ms = clock_mono_ms();
    done(w, &refresh, (struct report){0});
    for (int i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%d", i);
        writes(f, "c", id);
        noted(f, "c");
    }
    refresh = expect_job(f, STEP_REFRESH_CUSTOMER, &w);
    assert_true(clock_mono_ms() - first_ms >= 990);
    done(w, &refresh, (struct report){0});
    // By itself it is four times slower.
    struct job none;
    assert_false(next_job(f, 300, STEP_REFRESH_CUSTOMER, &none, &w));
}

static void a_message_never_waits_for_it(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    running_chat(f);
    struct job job = changed(f);
    job = updates(f, &job, "80");
    writes(f, "c", "m2"); // while the update is out, which is let come to its end
    struct job none;
    assert_false(next_job(f, 100, STEP_NONE, &none, &w));
    send_report(f->workers, &job,
                (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CHANGE_NOTE, .found = cart(f, "80")});
    noted(f, "c"); // between two steps
    job = expect_job(f, STEP_CHANGE_NOTE, &w);
    has_cart(f, &job, "80");
}

static void a_message_calls_a_read_off(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct followup followup = {.kind = EVENT_CONTEXT, .round = 4, .reason = ""};
    f->config.timing.context_refresh_seconds = 1;
    running_chat(f);
    struct job refresh = expect_job(f, STEP_REFRESH_CUSTOMER, &w);
    writes(f, "c", "m2");
    noted(f, "c"); // though the read is out still
    // What it tells after all is acked, and the next one asks anew, not at once.
    done(w, &refresh, (struct report){.followups = {&followup, 1}});
    struct job reread = changed(f);
    writes(f, "c", "m3");
    noted(f, "c");
    struct job again = expect_job(f, STEP_REREAD_CUSTOMER, &w);
    assert_true(again.job_id != reread.job_id);
    done(w, &reread, (struct report){.next_step = STEP_UPDATE_TICKET});
    done(w, &again, (struct report){0});
    struct job none;
    assert_false(next_job(f, 100, STEP_NONE, &none, &w));
}

static void a_budget_that_is_short_goes_to_messages(void **state)
{
    enum { CHATS = 4 };
    struct fixture *f = *state;
    struct worker *w;
    char id[8];
    f->config.workers.in_flight = 2; // so that what is chosen first also arrives first, but for one
    for (uint64_t i = 0; i <= CHATS; i++) {
        snprintf(id, sizeof id, "s%d", (int)i);
        knows(f, (struct lane){.conversation = id, .ticket_id = 100 + i, .user = "u", .updated_ms = 1});
    }
    running_chat(f);
    struct job reread = changed(f);
    // The helpdesk asks everybody to wait. Messages are written meanwhile, and the change, which is older, comes to its
    // turn.
    writes(f, "s0", "k0");
    struct job note = expect_job(f, STEP_APPEND_NOTE, &w);
    send_report(w, &note,
                (struct report){.outcome = OUTCOME_RETRY,
                                .cause = "wait",
                                .http_status = 429,
                                .retry_after_known = true,
                                .retry_after_ms = 2000});
    await_ack(w, note.job_id);
    for (int i = 1; i <= CHATS; i++) {
        char key[8];
        snprintf(id, sizeof id, "s%d", i);
        snprintf(key, sizeof key, "k%d", i);
        writes(f, id, key);
    }
    send_report(w, &reread, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_READ_TO_UPDATE});
    int notes = 0;
    struct job job;
    while (next_job(f, PATIENCE_MS, STEP_NONE, &job, &w) && job.step == STEP_APPEND_NOTE) {
        notes++;
        send_report(w, &job, (struct report){.outcome = OUTCOME_DONE});
    }
    assert_int_equal(job.step, STEP_READ_TO_UPDATE);
    // A note is on disk before it goes out, and a read is not: the last two, which go together, may change places.
    assert_true(notes >= CHATS);
}

// ---- what is told ---------------------------------------------------------------------------------------------------

static void one_change_at_a_time_and_a_rest_after_the_note(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    f->config.timing.context_refresh_seconds = 1;
    f->config.timing.context_note_seconds = 2;
    running_chat(f);
    struct job job = changed(f);
    struct written wrote = {.id = "500", .time_ms = 1};
    struct context context = {.cart = "80"};
    send_report(f->workers, &job,
                (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CHANGE_NOTE, .found = cart(f, "80")});
    job = expect_job(f, STEP_CHANGE_NOTE, &w);
    int64_t told_ms = clock_mono_ms();
    done(w, &job, (struct report){.desk_written = {&wrote, 1}, .context_known = true, .context = context});
    writes(f, "c", "m2");
    noted(f, "c");
    struct job refresh = expect_job(f, STEP_REFRESH_CUSTOMER, &w);
    assert_true(clock_mono_ms() - told_ms >= 1900);
    assert_string_equal(refresh.lane.context.cart, "80");
    assert_string_equal(refresh.lane.desk_written.items[0].id, "500");
}

static void a_failure_begins_anew_and_holds_up_nobody(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    running_chat(f);
    struct job job = changed(f);
    job = updates(f, &job, "80");
    for (int i = 0; i < 5; i++) { // more often than a read that found nothing would be tried
        send_report(f->workers, &job, (struct report){.outcome = OUTCOME_RETRY, .http_status = 500, .cause = "no"});
        job = expect_job(f, STEP_REREAD_CUSTOMER, &w);
        has_cart(f, &job, "80"); // what was found is known to the next attempt
        job = updates(f, &job, "80");
    }
    done(w, &job, (struct report){0});
}

static void a_look_that_fails_is_made_again(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    running_chat(f);
    struct job job = changed(f);
    send_report(f->workers, &job,
                (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CHANGE_NOTE, .found = cart(f, "80")});
    job = expect_job(f, STEP_CHANGE_NOTE, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DOUBT, .cause = "timeout"});
    for (int i = 0; i < 3; i++) {
        job = expect_job(f, STEP_LOOK_CHANGE, &w);
        has_cart(f, &job, "80");
        send_report(w, &job, (struct report){.outcome = OUTCOME_RETRY, .http_status = 500, .cause = "no"});
    }
    job = expect_job(f, STEP_LOOK_CHANGE, &w);
    done(w, &job, (struct report){0});
    // A note that was refused for the moment is put together anew, and nothing of it is in doubt.
    writes(f, "c", "m2");
    noted(f, "c");
}

static void a_customer_who_is_gone_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    f->config.timing.context_refresh_seconds = 1;
    running_chat(f);
    struct job job = expect_job(f, STEP_REFRESH_CUSTOMER, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_REFUSED, .http_status = 404, .cause = "no such user"});
    await_ack(w, job.job_id);
    writes(f, "c", "m2");
    noted(f, "c");
    assert_false(next_job(f, 1200, STEP_REFRESH_CUSTOMER, &job, &w));
}

// ---- crashes --------------------------------------------------------------------------------------------------------

static void a_crash_before_the_note_goes_on_and_one_after_it_looks(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    running_chat(f);
    struct job job = changed(f);
    // The record says that the fields may be touched, and the event goes on from there.
    struct context unsure = {.cart = "59", .unsure = true};
    send_report(f->workers, &job,
                (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_READ_TO_UPDATE, .found = cart(f, "80")});
    job = expect_job(f, STEP_READ_TO_UPDATE, &w);
    send_report(w, &job,
                (struct report){.outcome = OUTCOME_DONE,
                                .next_step = STEP_UPDATE_TICKET,
                                .found = cart(f, "80"),
                                .context_known = true,
                                .context = unsure});
    expect_job(f, STEP_UPDATE_TICKET, &w);
    end(f);
    begin(f);
    worker(f, 1, 8);
    roster(f);
    job = expect_job(f, STEP_READ_TO_UPDATE, &w); // the reading before the crash is old
    has_cart(f, &job, "80");
    assert_true(job.lane.context.unsure);
    assert_string_equal(job.lane.context.cart, "59");
    send_report(w, &job,
                (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_UPDATE_TICKET, .found = cart(f, "80")});
    job = expect_job(f, STEP_UPDATE_TICKET, &w);
    send_report(w, &job,
                (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CHANGE_NOTE, .found = cart(f, "80")});
    expect_job(f, STEP_CHANGE_NOTE, &w);
    end(f);
    begin(f);
    worker(f, 1, 9);
    roster(f);
    struct context told = {.cart = "80"};
    struct written wrote = {.id = "500", .time_ms = 1};
    job = expect_job(f, STEP_LOOK_CHANGE, &w);
    has_cart(f, &job, "80");
    done(w, &job, (struct report){.desk_written = {&wrote, 1}, .context_known = true, .context = told});
    assert_string_equal(recorded(f).context.cart, "80");
    assert_false(recorded(f).context.unsure);
    struct job none;
    assert_false(next_job(f, 200, STEP_NONE, &none, &w));
}

// ---- a ticket that nobody knows of ----------------------------------------------------------------------------------

static void a_ticket_in_doubt_outlives_its_dead_letter(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    f->config.timing.retry_give_up_hours = 0;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    answer_first_polls(f);
    writes(f, "c", "m1");
    struct job job = expect_job(f, STEP_READ_CUSTOMER, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_TICKET});
    struct job create = expect_job(f, STEP_CREATE_TICKET, &w);
    send_report(w, &create, (struct report){.outcome = OUTCOME_DOUBT, .cause = "timeout"});
    job = expect_job(f, STEP_LOOK_TICKET, &w);
    job = fails_for_good(f, w, job, (struct report){.outcome = OUTCOME_RETRY, .cause = "still no answer"});
    await_ack(w, job.job_id);
    assert_true(recorded(f).doubt_ms > 0);
    end(f); // and it is known after a restart
    f->config.timing.retry_give_up_hours = 24;
    begin(f);
    worker(f, 1, 8);
    roster(f);
    writes(f, "c", "m2");
    job = expect_job(f, STEP_READ_CUSTOMER, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_TICKET});
    job = expect_job(f, STEP_LOOK_TICKET, &w);
    assert_string_equal(job.events.items[0].key, "freshchat:message:m2");
    assert_true(job.restored); // it may have been opened with the other message
    assert_int_equal(job.since_ms, create.since_ms);
    // Found, and this message is not in it.
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_APPEND_NOTE, .ticket_id = 42});
    job = expect_job(f, STEP_APPEND_NOTE, &w);
    assert_int_equal(job.lane.ticket_id, 42);
    assert_int_equal(job.lane.doubt_ms, 0);
    done(w, &job, (struct report){0});
    writes(f, "c", "m3");
    noted(f, "c");
}

static void a_ticket_that_is_not_found_is_opened_after_the_settling_time(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    knows(f, (struct lane){.conversation = "c", .user = "u", .updated_ms = 1, .doubt_ms = wall() - DAY});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    answer_first_polls(f);
    writes(f, "c", "m2");
    struct job job = expect_job(f, STEP_READ_CUSTOMER, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_TICKET});
    for (;;) {
        if (!next_job(f, PATIENCE_MS, STEP_NONE, &job, &w))
            fail_msg("no job came");
        if (job.step != STEP_LOOK_TICKET)
            break;
        send_report(w, &job, (struct report){.outcome = OUTCOME_NOT_FOUND, .cause = "not found"});
    }
    assert_int_equal(job.step, STEP_CREATE_TICKET);
    assert_false(job.restored);
    done(w, &job, (struct report){.ticket_id = 42});
    assert_int_equal(recorded(f).doubt_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(with_messages_it_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_never_waits_for_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_calls_a_read_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_budget_that_is_short_goes_to_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_change_at_a_time_and_a_rest_after_the_note, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_begins_anew_and_holds_up_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_look_that_fails_is_made_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_customer_who_is_gone_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crash_before_the_note_goes_on_and_one_after_it_looks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_in_doubt_outlives_its_dead_letter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_that_is_not_found_is_opened_after_the_settling_time, set_up,
                                        tear_down),
    };
    zsys_init();
    zsys_handler_set(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
