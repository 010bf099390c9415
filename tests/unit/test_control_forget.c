// SPDX-License-Identifier: Apache-2.0
// `deskbellctl forget` over a real dispatcher and ledger: who is meant, what goes, what waits for its job, what came
// meanwhile, and that the loop stays free on a large ledger.
#include "http-front/ledger/ledger_person.h"
#include "tests/unit/test_control.h"

// Begins, and asks until it is finished. Release it with json_decref.
static json_t *forgotten(struct fixture *f, const char *who, const char *how)
{
    json_t *answer = asks(f, "forget", who, how);
    int64_t until = clock_mono_ms() + PATIENCE_MS;
    while (!yes_at(answer, "finished")) {
        assert_true(clock_mono_ms() < until);
        json_decref(answer);
        answer = asks(f, "forget-last");
    }
    return answer;
}

static json_int_t rows_of(const json_t *answer, const char *table)
{
    return number_at(json_object_get(answer, "rows"), table);
}

static struct lane lane_of(const char *conversation, const char *user, const char *email, const char *phone)
{
    return (struct lane){
        .conversation = conversation, .user = user, .context = {.email = email, .phone = phone}, .updated_ms = wall()};
}

static bool has_lane(struct fixture *f, const char *conversation)
{
    struct lane lane;
    return ledger_lane(f->ledger, conversation, &lane, f->arena) == LEDGER_OK;
}

static void begins(struct fixture *f)
{
    begin(f);
    worker(f, 1, 7);
    roster(f);
}

static void a_person_is_known_by_user_address_and_number(void **state)
{
    struct fixture *f = *state;
    struct lane lane = lane_of("c1", "u1", "Ann@Example.com", "+49 (30) 1234-567");
    lane.ticket_id = 42;
    knows(f, lane);
    knows(f, lane_of("c2", "u1", "", "")); // the same user, whose address was not read there
    knows(f, lane_of("c3", "u3", "bob@example.com", "+49 30 1234568"));
    knows(f, lane_of("c4", "u4", "", "0049301234567"));
    struct ticket row = {.conversation = "c1", .time_ms = wall()}, other = {.conversation = "c3", .time_ms = wall()};
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_by(batch, LEDGER_BY_USER, "u1", &row);
    ledger_put_by(batch, LEDGER_BY_PHONE, "+49301234567", &row);
    ledger_put_by(batch, LEDGER_BY_USER, "u3", &other);
    assert_true(ledger_write(f->ledger, batch));
    ledger_batch_free(&batch);
    begins(f);
    json_t *answer = forgotten(f, "nobody@example.com", "dry-run");
    assert_int_equal(rows_of(answer, "lanes"), 0);
    json_decref(answer);
    answer = forgotten(f, " ann@example.COM ", "dry-run");
    assert_int_equal(rows_of(answer, "lanes"), 2);
    assert_int_equal(rows_of(answer, "tickets"), 3); // its number, the user, the phone
    json_decref(answer);
    answer = forgotten(f, "u1", "dry-run");
    assert_int_equal(rows_of(answer, "lanes"), 2);
    json_decref(answer);
    answer = forgotten(f, "+49 30 1234567", "dry-run");
    assert_int_equal(rows_of(answer, "lanes"), 3);
    assert_int_equal(json_array_size(json_object_get(answer, "users")), 3); // u1, u4, and what was asked for
    json_decref(answer);
    assert_true(has_lane(f, "c1"));
    answer = forgotten(f, "ann@example.com", "");
    assert_int_equal(rows_of(answer, "lanes"), 2);
    assert_true(yes_at(answer, "scrubbed"));
    json_decref(answer);
    assert_false(has_lane(f, "c1"));
    assert_false(has_lane(f, "c2"));
    assert_true(has_lane(f, "c3"));
    assert_true(has_lane(f, "c4"));
    struct ticket ticket;
    assert_int_equal(ledger_ticket(f->ledger, 42, &ticket, f->arena), LEDGER_OK);
    assert_string_equal(ticket.conversation, "");
    assert_int_equal(ledger_by(f->ledger, LEDGER_BY_USER, "u1", &ticket, f->arena), LEDGER_ABSENT);
    assert_int_equal(ledger_by(f->ledger, LEDGER_BY_PHONE, "+49301234567", &ticket, f->arena), LEDGER_ABSENT);
    assert_int_equal(ledger_by(f->ledger, LEDGER_BY_USER, "u3", &ticket, f->arena), LEDGER_OK);
    refused(f, "forget-last"); // told once
    refused(f, "forget", "", "");
    refused(f, "forget", "u3", "perhaps");
}

static bool has_by(struct fixture *f, enum ledger_by by, const char *what)
{
    struct ticket ticket;
    return ledger_by(f->ledger, by, what, &ticket, f->arena) == LEDGER_OK;
}

// Rows of strangers that hold what was asked for, or an id that was found, as a part of theirs.
static void names_are_compared_whole(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum ledger_by by;
        const char *what, *conversation;
    } theirs[] = {{LEDGER_BY_CALLER, "+4930123456", "call:5"},
                  {LEDGER_BY_ASKER, "u1", "call:5"},
                  {LEDGER_BY_TICKET, "1", "call:5"},
                  {LEDGER_BY_WISH, "+4930123456", "callback:typed-by-another"}},
      others[] = {{LEDGER_BY_CALLER, "+49301234567", "call:51"},
                  {LEDGER_BY_CALLER, "+49301234561", "call:52"},
                  {LEDGER_BY_PHONE, "+49301234561", "c2"},
                  {LEDGER_BY_ASKER, "u12", "call:51"},
                  {LEDGER_BY_USER, "u11", "c2"},
                  {LEDGER_BY_TICKET, "10", "call:51"},
                  {LEDGER_BY_WISH, "+49301234567", "callback:typed-by-another"},
                  {LEDGER_BY_TICKET, "11", "call:52"}};
    struct lane lane = lane_of("call:5", "u1", "", "+49 30 123456");
    lane.ticket_id = 1;
    knows(f, lane);
    knows(f, lane_of("callback:typed-by-another", "u13", "", ""));
    lane = lane_of("call:51", "u12", "", "+49 30 1234567");
    lane.ticket_id = 10;
    knows(f, lane);
    struct ledger_batch *batch = ledger_batch_new();
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
        ledger_put_by(batch, theirs[i].by, theirs[i].what,
                      &(struct ticket){.conversation = theirs[i].conversation, .time_ms = wall()});
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ledger_put_by(batch, others[i].by, others[i].what,
                      &(struct ticket){.conversation = others[i].conversation, .time_ms = wall()});
    assert_true(ledger_write(f->ledger, batch));
    ledger_batch_free(&batch);
    begins(f);
    json_t *answer = forgotten(f, "1", "dry-run"); // nobody's id
    assert_int_equal(rows_of(answer, "tickets"), 0);
    json_decref(answer);
    answer = forgotten(f, "+49 30 123456", "");
    assert_int_equal(rows_of(answer, "lanes"), 1);
    assert_int_equal(rows_of(answer, "tickets"), 5); // and the ticket's own
    json_decref(answer);
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
        assert_false(has_by(f, theirs[i].by, theirs[i].what));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(has_by(f, others[i].by, others[i].what));
    assert_true(has_lane(f, "call:51"));
    assert_true(has_lane(f, "callback:typed-by-another"));
}

// Freshchat keeps a number as its customer wrote it; the rows by number hold it whole.
static void a_national_number_is_theirs_too(void **state)
{
    struct fixture *f = *state;
    knows(f, lane_of("c1", "u1", "", "030 1234567"));
    knows(f, lane_of("c2", "u2", "", "030 1234568"));
    knows(f, lane_of("c3", "u3", "", "030 12345"));
    knows(f, lane_of("c4", "u4", "", "030/1234567")); // no row names it
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_by(batch, LEDGER_BY_PHONE, "+49301234567", &(struct ticket){.conversation = "c1", .time_ms = wall()});
    ledger_put_by(batch, LEDGER_BY_PHONE, "+49301234568", &(struct ticket){.conversation = "c2", .time_ms = wall()});
    assert_true(ledger_write(f->ledger, batch));
    ledger_batch_free(&batch);
    begins(f);
    json_t *answer = forgotten(f, "+49301234567", ""); // no country code: by the row that names the conversation
    assert_int_equal(rows_of(answer, "lanes"), 1);
    assert_int_equal(rows_of(answer, "tickets"), 1);
    json_decref(answer);
    assert_false(has_lane(f, "c1"));
    end(f);
    f->config.freshcaller.country_code = (char[]){"49"};
    begins(f);
    answer = forgotten(f, "+49301234567", "dry-run");
    assert_int_equal(rows_of(answer, "lanes"), 1);
    json_decref(answer);
    answer = forgotten(f, "030 1234567", "");
    assert_int_equal(rows_of(answer, "lanes"), 1);
    json_decref(answer);
    assert_false(has_lane(f, "c4"));
    assert_true(has_lane(f, "c2"));
    assert_true(has_lane(f, "c3"));
}

// A ticket that is nobody's any more rings, and another one names the conversation.
static void what_is_gone_is_not_rebuilt(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct lane lane = lane_of("c1", "u1", "", "");
    lane.ticket_id = 42;
    knows(f, lane);
    begins(f);
    json_decref(forgotten(f, "u1", ""));
    hints(f, 42);
    hints(f, 43);
    struct job job = expect_job(f, STEP_READ_TICKET, &w);
    assert_string_equal(job.lane.conversation, "ticket:43");
    send_report(
        w, &job,
        (struct report){.outcome = OUTCOME_DONE, .ticket_id = 43, .rebuilt_ms = wall(), .link_conversation = "c1"});
    await_ack(w, job.job_id);
    assert_false(has_lane(f, "c1"));
    // A late word about it, of a job that nobody has.
    struct job late = {.job_id = 12345, .step = STEP_CREATE_TICKET, .lane = {.conversation = "c1"}};
    send_report(w, &late, (struct report){.outcome = OUTCOME_DONE, .ticket_id = 44, .user = "u1"});
    await_ack(w, late.job_id);
    assert_false(has_lane(f, "c1"));
    end(f);
    begins(f);
    assert_false(next_job(f, 300, STEP_NONE, &job, &w));
    // Until it begins anew.
    says(f, EVENT_CUSTOMER_MESSAGE, "c1", "m9");
    job = expect_job(f, STEP_READ_CUSTOMER, &w);
}

// A job that is out is waited for, and what is said meanwhile is new: it opens a ticket afterwards.
static void a_job_that_is_out_is_waited_for(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    begins(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c1", "m1");
    struct job job = expect_job(f, STEP_READ_CUSTOMER, &w);
    done(f, "forget", "u", ""); // the user of says()
    refused(f, "forget", "u", "");
    for (int i = 0; i < 40; i++) {
        json_t *answer = asks(f, "forget-last");
        assert_false(yes_at(answer, "finished"));
        json_decref(answer);
    }
    says(f, EVENT_CUSTOMER_MESSAGE, "c1", "m2");
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_TICKET});
    struct job next = expect_job(f, STEP_READ_CUSTOMER, &w);
    assert_string_equal(next.events.items[0].key, "freshchat:message:m2");
    assert_int_equal(next.lane.ticket_id, 0);
    json_t *answer = asks(f, "forget-last");
    for (int64_t until = clock_mono_ms() + PATIENCE_MS; !yes_at(answer, "finished");) {
        assert_true(clock_mono_ms() < until);
        json_decref(answer);
        answer = asks(f, "forget-last");
    }
    assert_int_equal(rows_of(answer, "pending"), 1);
    json_decref(answer);
}

// Dead letters are found by what was read of the customer before they died.
static void a_dead_letter_goes_too(void **state)
{
    struct fixture *f = *state;
    struct found found = {.context = {.email = "ann@example.com"}, .closed_ticket = ""};
    struct record_buffer bytes;
    assert_true(record_encode(RECORD_found, &found, &bytes));
    struct dead dead = {.cause = "No.", .time_ms = wall()};
    dead.pending = (struct pending){.seq = 9, .found = {bytes.data, bytes.size}};
    dead.pending.event = (struct event){.kind = EVENT_CUSTOMER_MESSAGE, .conversation = "c9", .user = "u9"};
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_dead(batch, 9, &dead);
    ledger_put_history(batch, 10, &(struct history){.conversation = "c9", .time_ms = wall(), .what = "dead letter"});
    ledger_put_history(batch, 11, &(struct history){.conversation = "c90", .time_ms = wall(), .what = "ticket opened"});
    assert_true(ledger_write(f->ledger, batch));
    ledger_batch_free(&batch);
    record_buffer_free(&bytes);
    begins(f);
    json_t *answer = forgotten(f, "ann@example.com", "");
    assert_int_equal(rows_of(answer, "dead"), 1);
    assert_int_equal(rows_of(answer, "history"), 1);
    json_decref(answer);
    answer = asks(f, "status");
    assert_int_equal(number_at(answer, "dead"), 0);
    json_decref(answer);
    answer = asks(f, "dead-list");
    assert_int_equal(json_array_size(json_object_get(answer, "groups")), 0);
    json_decref(answer);
}

// Slices: with no time at all each goes a few rows, and the loop answers others in between.
static void a_large_ledger_is_searched_in_slices(void **state)
{
    struct fixture *f = *state;
    enum { LANES = 3000 };
    struct ledger_batch *batch = ledger_batch_new();
    char name[32], user[32];
    for (int i = 0; i < LANES; i++) {
        snprintf(name, sizeof name, "c%05d", i);
        snprintf(user, sizeof user, "u%d", i % 100);
        struct lane lane = lane_of(name, user, "", "");
        lane.updated_ms = wall() - (uint64_t)30 * DAY; // so long ago that it is not loaded
        ledger_put_lane(batch, &lane);
    }
    assert_true(ledger_write(f->ledger, batch));
    ledger_batch_free(&batch);
    struct ledger_person *person = ledger_person_new("u7", (struct phone_plan){0});
    size_t slices = 0, count = 0;
    enum ledger_progress progress = LEDGER_MORE;
    while ((progress = ledger_person_find(f->ledger, person, 0)) == LEDGER_MORE)
        slices++;
    assert_int_equal(progress, LEDGER_WHOLE);
    assert_true(slices > LANES / 100);
    ledger_person_list(person, PERSON_CONVERSATIONS, &count);
    assert_int_equal(count, LANES / 100);
    ledger_person_free(&person);
    begins(f);
    json_t *answer = forgotten(f, "u7", "");
    assert_int_equal(rows_of(answer, "lanes"), LANES / 100);
    json_decref(answer);
    assert_false(has_lane(f, "c00007"));
    assert_true(has_lane(f, "c00008"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_person_is_known_by_user_address_and_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_compared_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_national_number_is_theirs_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_gone_is_not_rebuilt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_job_that_is_out_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_letter_goes_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_ledger_is_searched_in_slices, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
