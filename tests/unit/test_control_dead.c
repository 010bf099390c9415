// SPDX-License-Identifier: Apache-2.0
// Dead letters brought back: with what they had, looked for first where they may have happened, and still there after a
// crash.
#include "tests/unit/test_control.h"

enum { LETTER = 1000 };

static const char cause[] = "Freshchat refused it.";

static void dies(struct fixture *f, uint64_t seq, struct pending pending)
{
    struct ledger_batch *batch = ledger_batch_new();
    pending.seq = seq;
    struct dead dead = {.pending = pending, .cause = cause, .time_ms = wall()};
    ledger_put_dead(batch, seq, &dead);
    assert_true(ledger_write(f->ledger, batch));
    ledger_batch_free(&batch);
}

static struct event message(const char *conversation, const char *id)
{
    return (struct event){.kind = EVENT_CUSTOMER_MESSAGE,
                          .key = id,
                          .conversation = conversation,
                          .user = "u",
                          .message = id,
                          .time_ms = wall(),
                          .accepted_ms = wall()};
}

static struct record_buffer found_of(const char *entry)
{
    struct entry entries[] = {{.id = entry, .time_ms = 5, .author = 9, .text = "a reply"}};
    struct found found = {.entries = {entries, 1}, .agent_known = true};
    struct record_buffer bytes;
    assert_true(record_encode(RECORD_found, &found, &bytes));
    return bytes;
}

static struct event ticket_changed(void)
{
    return (struct event){.kind = EVENT_HINT, .conversation = "c1", .ticket_id = 42, .time_ms = wall()};
}

static void start(struct fixture *f, uint64_t generation)
{
    begin(f);
    worker(f, 1, generation);
    roster(f);
}

static void with_a_ticket(struct fixture *f)
{
    knows(f, (struct lane){.conversation = "c1", .user = "u", .ticket_id = 42, .updated_ms = wall()});
}

static json_int_t dead_left(struct fixture *f)
{
    json_t *answer = asks(f, "dead-list");
    json_int_t left = number_at(answer, "dead");
    json_decref(answer);
    return left;
}

static void what_was_refused_begins_anew_and_finds_the_ticket(void **state)
{
    struct fixture *f = *state;
    struct worker *by = NULL;
    with_a_ticket(f);
    dies(f, LETTER, (struct pending){.event = message("c1", "m1"), .step = STEP_CREATE_TICKET});
    start(f, 7);
    json_t *answer = asks(f, "dead-retry", "seq", "1000", "", "0");
    assert_int_equal(number_at(answer, "letters_matched"), 1);
    json_decref(answer);
    struct job job = expect_job(f, STEP_APPEND_NOTE, &by);
    assert_int_equal(job.events.count, 1);
    assert_string_equal(job.events.items[0].message, "m1");
    assert_int_equal(dead_left(f), 0);
    send_report(by, &job, (struct report){.outcome = OUTCOME_DONE});
    await_ack(by, job.job_id);
    end(f);
    start(f, 8);
    assert_false(next_job(f, 300, STEP_NONE, &job, &by));
    assert_int_equal(dead_left(f), 0);
}

static void what_may_have_happened_is_looked_for_first(void **state)
{
    struct fixture *f = *state;
    struct worker *by = NULL;
    with_a_ticket(f);
    dies(f, LETTER,
         (struct pending){
             .event = message("c1", "m1"), .step = STEP_APPEND_NOTE, .claimed = true, .claimed_ms = 99, .doubt = true});
    start(f, 7);
    done(f, "dead-retry", "all", "", "", "0");
    // At once; not found counts only after the settling time, then it is written.
    struct job job = expect_job(f, STEP_LOOK_NOTE, &by);
    assert_int_equal(job.since_ms, 99);
    send_report(by, &job, (struct report){.outcome = OUTCOME_NOT_FOUND});
    await_ack(by, job.job_id);
    job = expect_job(f, STEP_LOOK_NOTE, &by);
    send_report(by, &job, (struct report){.outcome = OUTCOME_NOT_FOUND});
    expect_job(f, STEP_APPEND_NOTE, &by);
}

// The look for a ticket knows only whose conversation it is: it must not take another message's ticket for this one's.
static void a_ticket_in_doubt_that_was_overtaken_is_appended(void **state)
{
    struct fixture *f = *state;
    struct worker *by = NULL;
    struct pending letter = {
        .event = message("c1", "m1"), .step = STEP_CREATE_TICKET, .claimed = true, .claimed_ms = 99, .doubt = true};
    with_a_ticket(f);
    dies(f, LETTER, letter);
    letter.event = message("c2", "m2");
    dies(f, LETTER + 1, letter);
    knows(f, (struct lane){.conversation = "c3", .user = "u", .ticket_id = 43, .rebuilt_ms = 1, .updated_ms = wall()});
    letter.event = message("c3", "m3");
    dies(f, LETTER + 2, letter);
    start(f, 7);
    done(f, "dead-retry", "seq", "1000", "", "0");
    expect_job(f, STEP_APPEND_NOTE, &by);
    done(f, "dead-retry", "seq", "1001", "", "0"); // no ticket yet
    expect_job(f, STEP_LOOK_TICKET, &by);
    done(f, "dead-retry", "seq", "1002", "", "0"); // its ticket was found by its field: it may be this very one
    expect_job(f, STEP_LOOK_TICKET, &by);
}

// A note of three messages may have been written, and its looks failed until it was given up on. A look finds a note as
// it was composed, so the three come back as one, whichever of them is named.
static void a_note_in_doubt_comes_back_whole(void **state)
{
    struct fixture *f = *state;
    struct worker *by = NULL;
    struct job job;
    with_a_ticket(f);
    f->config.timing.gather_quiet_ms = 300;
    f->config.timing.gather_max_ms = 600;
    f->config.timing.retry_give_up_hours = 0;
    start(f, 7);
    says(f, EVENT_CUSTOMER_MESSAGE, "c1", "m1");
    says(f, EVENT_CUSTOMER_MESSAGE, "c1", "m2");
    says(f, EVENT_CUSTOMER_MESSAGE, "c1", "m3");
    job = expect_job(f, STEP_APPEND_NOTE, &by);
    assert_int_equal(job.events.count, 3);
    send_report(by, &job, (struct report){.outcome = OUTCOME_DOUBT, .http_status = 504});
    job = expect_job(f, STEP_LOOK_NOTE, &by);
    job = fails_for_good(f, by, job,
                         (struct report){.outcome = OUTCOME_RETRY, .http_status = 503, .cause = "It is down."});
    await_ack(by, job.job_id);
    assert_int_equal(dead_left(f), 3);

    json_t *answer = asks(f, "dead-list");
    json_t *group = json_array_get(json_object_get(answer, "groups"), 0);
    json_t *row = json_array_get(json_object_get(group, "conversations"), 0);
    char last[24];
    snprintf(last, sizeof last, "%lld",
             (long long)json_integer_value(json_array_get(json_object_get(row, "sequences"), 2)));
    assert_string_equal(json_string_value(json_array_get(json_object_get(row, "numbers"), 2)), last);
    json_decref(answer);
    answer = asks(f, "dead-retry", "seq", last, "", "0");
    assert_int_equal(number_at(answer, "letters_matched"), 3);
    json_decref(answer);
    job = expect_job(f, STEP_LOOK_NOTE, &by);
    assert_int_equal(job.events.count, 3);
    assert_string_equal(job.events.items[0].key, "freshchat:message:m1");
    assert_string_equal(job.events.items[2].key, "freshchat:message:m3");
    assert_int_equal(dead_left(f), 0);
    // The next front has it whole, too; once found, all three are done.
    end(f);
    start(f, 8);
    job = expect_job(f, STEP_LOOK_NOTE, &by);
    assert_int_equal(job.events.count, 3);
    send_report(by, &job, (struct report){.outcome = OUTCOME_DONE});
    await_ack(by, job.job_id);
    assert_false(next_job(f, 300, STEP_NONE, &job, &by));
    end(f);
    start(f, 9);
    assert_false(next_job(f, 300, STEP_NONE, &job, &by));
}

static void a_reply_goes_on_with_its_own_entry(void **state)
{
    struct fixture *f = *state;
    struct worker *by = NULL;
    struct record_buffer bytes = found_of("77");
    with_a_ticket(f);
    dies(f, LETTER,
         (struct pending){
             .event = ticket_changed(), .step = STEP_POST_MESSAGE, .found = {bytes.data, bytes.size}, .hint_count = 1});
    start(f, 7);
    done(f, "dead-retry", "cause", "refused", "", "0");
    struct job job = expect_job(f, STEP_POST_MESSAGE, &by);
    struct found found;
    assert_int_equal(record_decode(RECORD_found, job.found.data, job.found.size, &found, f->arena), RECORD_OK);
    assert_string_equal(found.entries.items[0].id, "77");
    // A front that dies now knows of it, and that it may have been said.
    end(f);
    start(f, 8);
    job = expect_job(f, STEP_LOOK_MESSAGE, &by);
    send_report(by, &job, (struct report){.outcome = OUTCOME_DONE});
    await_ack(by, job.job_id);
    assert_int_equal(dead_left(f), 0);
    record_buffer_free(&bytes);
}

// The letter's counter is of long ago: a row of the same number must not go with it.
static void a_retried_reply_takes_no_new_hint_along(void **state)
{
    struct fixture *f = *state;
    struct worker *by = NULL;
    struct record_buffer bytes = found_of("77");
    with_a_ticket(f);
    dies(f, LETTER,
         (struct pending){
             .event = ticket_changed(), .step = STEP_POST_MESSAGE, .found = {bytes.data, bytes.size}, .hint_count = 1});
    start(f, 7);
    done(f, "dead-retry", "all", "", "", "0");
    struct job job = expect_job(f, STEP_POST_MESSAGE, &by);
    hints(f, 42); // its counter is 1
    send_report(by, &job, (struct report){.outcome = OUTCOME_DONE});
    await_ack(by, job.job_id);
    expect_job(f, STEP_LIST_ENTRIES, &by);
    // Also for the next front.
    end(f);
    start(f, 8);
    expect_job(f, STEP_LIST_ENTRIES, &by);
    record_buffer_free(&bytes);
}

static void a_change_that_died_elsewhere_lists_again(void **state)
{
    struct fixture *f = *state;
    struct worker *by = NULL;
    with_a_ticket(f);
    dies(f, LETTER, (struct pending){.event = ticket_changed(), .step = STEP_LIST_ENTRIES});
    start(f, 7);
    done(f, "dead-retry", "all", "", "", "0");
    expect_job(f, STEP_LIST_ENTRIES, &by);
}

// However it came to be given up on: a later list must not say it again beside its letter.
static void a_reply_that_was_given_up_on_for_its_age_counts_as_delivered(void **state)
{
    struct fixture *f = *state;
    struct worker *by = NULL;
    struct record_buffer bytes = found_of("77");
    f->config.timing.retry_give_up_hours = 0;
    with_a_ticket(f);
    start(f, 7);
    hints(f, 42);
    struct job job = expect_job(f, STEP_LIST_ENTRIES, &by);
    send_report(
        by, &job,
        (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_POST_MESSAGE, .found = {bytes.data, bytes.size}});
    job = expect_job(f, STEP_POST_MESSAGE, &by);
    // That others are asked to come later, or were refused before it had its turn, is no reason.
    struct report busy = {.outcome = OUTCOME_RETRY, .http_status = 429, .retry_after_known = true, .retry_after_ms = 1};
    for (int i = 0; i < 6; i++) {
        send_report(by, &job, busy);
        job = expect_job(f, STEP_POST_MESSAGE, &by);
    }
    assert_int_equal(dead_left(f), 0);
    job = fails_for_good(f, by, job,
                         (struct report){.outcome = OUTCOME_RETRY, .http_status = 503, .cause = "It is down."});
    await_ack(by, job.job_id);
    assert_int_equal(dead_left(f), 1);
    // The replies behind it pass it, and the agents are told.
    bool listed = false, told = false;
    while (!listed || !told) {
        assert_true(next_job(f, PATIENCE_MS, STEP_NONE, &job, &by));
        if (job.step == STEP_LIST_ENTRIES) {
            listed = true;
            assert_int_equal(job.lane.delivered.count, 1);
            assert_string_equal(job.lane.delivered.items[0].id, "77");
        } else {
            told = true;
            assert_int_equal(job.step, STEP_NOTICE_NOTE);
        }
    }
    json_t *answer = asks(f, "dead-list");
    const json_t *group = json_array_get(json_object_get(answer, "groups"), 0);
    assert_string_equal(text_at(group, "cause"), "It is down.");
    json_decref(answer);
    record_buffer_free(&bytes);
}

static void await_dead(struct fixture *f, json_int_t count)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    struct job job;
    struct worker *by;
    while (dead_left(f) != count) {
        assert_true(clock_mono_ms() < until);
        assert_false(next_job(f, 50, STEP_NONE, &job, &by));
    }
}

// What an agent says in a chat whose first message is a dead letter has no ticket to go to. It is not lost with it.
static void an_agents_words_go_with_the_customers_letter_and_come_back_with_it(void **state)
{
    struct fixture *f = *state;
    struct worker *by = NULL;
    f->ticket_wait_ms = 100;
    start(f, 7);
    says(f, EVENT_CUSTOMER_MESSAGE, "c1", "m1");
    struct job job = expect_job(f, STEP_READ_CUSTOMER, &by);
    send_report(by, &job, (struct report){.outcome = OUTCOME_REFUSED, .http_status = 403, .cause = "Not allowed."});
    await_dead(f, 1);
    says(f, EVENT_AGENT_MESSAGE, "c1", "m2");
    says(f, EVENT_AGENT_MESSAGE, "without-a-customer", "m3"); // finished, as ever
    await_dead(f, 2);
    end(f); // the next front knows it, too
    start(f, 8);
    says(f, EVENT_RESOLVED, "c1", "m4");
    await_dead(f, 3);
    json_t *answer = asks(f, "dead-retry", "all", "", "", "0");
    assert_int_equal(number_at(answer, "letters_matched"), 3);
    json_decref(answer);
    job = expect_job(f, STEP_READ_CUSTOMER, &by);
    send_report(by, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_TICKET});
    job = expect_job(f, STEP_CREATE_TICKET, &by);
    struct written wrote = {"42", 1};
    send_report(by, &job, (struct report){.outcome = OUTCOME_DONE, .ticket_id = 42, .desk_written = {&wrote, 1}});
    job = expect_job(f, STEP_MIRROR_CHAT_AGENT, &by);
    assert_string_equal(job.events.items[0].key, "freshchat:message:m2");
    send_report(by, &job, (struct report){.outcome = OUTCOME_DONE});
    job = expect_job(f, STEP_NOTICE_NOTE, &by);
    assert_string_equal(job.events.items[0].key, "freshchat:message:m4");
    send_report(by, &job, (struct report){.outcome = OUTCOME_DONE});
    await_ack(by, job.job_id);
    assert_int_equal(dead_left(f), 0);
}

static void many_letters_come_in_turns_and_each_once(void **state)
{
    struct fixture *f = *state;
    enum { MANY = 450 };
    char id[24], before[24] = "0";
    with_a_ticket(f);
    for (uint64_t i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "m%d", (int)i);
        dies(f, LETTER + i, (struct pending){.event = message("c1", id), .step = STEP_APPEND_NOTE});
    }
    begin(f); // no worker: what is revived waits
    json_t *answer = asks(f, "dead-retry", "all", "", "dry-run", "0");
    assert_int_equal(number_at(answer, "letters_matched"), MANY);
    json_decref(answer);
    assert_int_equal(dead_left(f), MANY);
    json_int_t revived = 0;
    bool more = true;
    while (more) {
        answer = asks(f, "dead-retry", "all", "", "", before);
        revived += number_at(answer, "letters_matched");
        more = yes_at(answer, "more");
        snprintf(before, sizeof before, "%lld", (long long)number_at(answer, "before"));
        json_decref(answer);
    }
    assert_int_equal(revived, MANY);
    assert_int_equal(dead_left(f), 0);
    answer = asks(f, "status");
    const json_t *desk = json_array_get(json_object_get(answer, "directions"), SIDE_DESK);
    assert_int_equal(number_at(desk, "waiting"), MANY);
    json_decref(answer);
    end(f);
    begin(f);
    answer = asks(f, "status");
    desk = json_array_get(json_object_get(answer, "directions"), SIDE_DESK);
    assert_int_equal(number_at(desk, "waiting"), MANY);
    json_decref(answer);
}

static void dropped_letters_are_gone_and_the_others_stay(void **state)
{
    struct fixture *f = *state;
    with_a_ticket(f);
    dies(f, LETTER, (struct pending){.event = message("c1", "m1"), .step = STEP_APPEND_NOTE});
    dies(f, LETTER + 1, (struct pending){.event = message("c2", "m2"), .step = STEP_CREATE_TICKET});
    begin(f);
    json_t *answer = asks(f, "dead-show", "1001");
    assert_string_equal(text_at(answer, "conversation"), "c2");
    assert_string_equal(text_at(answer, "cause"), cause);
    json_decref(answer);
    done(f, "dead-drop", "seq", "1000", "", "0");
    refused(f, "dead-drop", "seq", "1000", "", "0");
    assert_int_equal(dead_left(f), 1);
    answer = asks(f, "trace", "c1");
    json_t *history = json_object_get(answer, "history");
    assert_string_equal(text_at(json_array_get(history, json_array_size(history) - 1), "what"), "dead letter dropped");
    assert_int_equal(json_array_size(json_object_get(answer, "waiting")), 0);
    json_decref(answer);
    end(f);
    begin(f);
    assert_int_equal(dead_left(f), 1);
}

int main(void)
{
    zsys_init();
    zsys_handler_set(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_refused_begins_anew_and_finds_the_ticket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_may_have_happened_is_looked_for_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_in_doubt_that_was_overtaken_is_appended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_note_in_doubt_comes_back_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reply_goes_on_with_its_own_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_retried_reply_takes_no_new_hint_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_that_died_elsewhere_lists_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reply_that_was_given_up_on_for_its_age_counts_as_delivered, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_agents_words_go_with_the_customers_letter_and_come_back_with_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(many_letters_come_in_turns_and_each_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dropped_letters_are_gone_and_the_others_stay, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
