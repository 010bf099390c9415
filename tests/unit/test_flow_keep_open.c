// SPDX-License-Identifier: Apache-2.0
// workers/flow_keep_open: a customer's note asks for it, and nothing else does; a closed ticket is opened again, once;
// what answers are lost, refused or late.
#include "tests/unit/flow_case.h"

#include "workers/flow.h"

#define TICKET       "/tickets/42"
#define REOPENED     "{\"id\":42,\"status\":2}"
#define OPEN_BODY    "{\"status\":2}"
#define WRITTEN_NOTE "{\"id\":7,\"created_at\":\"2025-03-04T10:22:00Z\"}"

static struct flow_case *with_ticket(void)
{
    struct flow_case *c = case_new("");
    c->job.lane.ticket_id = 42;
    c->job.lane.requester_id = 77;
    c->context.clock_known[UPSTREAM_FRESHDESK] = true;
    return c;
}

static size_t asked(const struct flow_case *c, enum event_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < c->report.followups.count; i++)
        count += c->report.followups.items[i].kind == kind;
    return count;
}

// The customer is read again whatever was known: the ticket was not told what changed while it rested.
static void is_reopened(const struct flow_case *c)
{
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.what, "ticket reopened");
    assert_int_equal(c->report.followups.count, 1);
    assert_int_equal(asked(c, EVENT_CONTEXT), 1);
    assert_int_equal(c->report.followups.items[0].round, FLOW_ROUND_CHANGED);
}

static void is_left_alone(const struct flow_case *c)
{
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_string_equal(c->report.what, "");
    assert_int_equal(c->report.followups.count, 0);
}

static void reads(struct flow_case *c, const char *answer)
{
    case_calls(c, STEP_READ_WHETHER_OPEN, "GET", TICKET, NULL);
    case_ok(c, answer);
}

static void a_customers_note_asks_for_it(void **state)
{
    (void)state;
    struct flow_case *c = with_ticket();
    case_begin(c, STEP_APPEND_NOTE);
    case_ok(c, WRITTEN_NOTE);
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(asked(c, EVENT_KEEP_OPEN), 1);
    // its answer was lost, a look finds it
    case_begin(c, STEP_LOOK_NOTE);
    case_ok(c, "[{\"id\":9,\"created_at\":\"2025-03-04T10:20:31Z\",\"incoming\":true,\"private\":false,\"user_id\":77,"
               "\"body_text\":\"10:20:30 UTC My boiler is cold\"}]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(asked(c, EVENT_KEEP_OPEN), 1);
    // a note that was written before the backup that was restored: its agents have seen it
    c->job.restored = true;
    case_begin(c, STEP_LOOK_NOTE);
    case_ok(c, "[{\"id\":9,\"created_at\":\"2025-03-04T10:20:31Z\",\"incoming\":true,\"private\":false,\"user_id\":77,"
               "\"body_text\":\"10:20:30 UTC My boiler is cold\"}]");
    case_outcome(c, OUTCOME_DONE, STEP_NONE);
    assert_int_equal(c->report.followups.count, 0);
    case_free(c);
}

static void what_others_write_does_not(void **state)
{
    static const enum step steps[] = {STEP_MIRROR_NOTE, STEP_NOTICE_NOTE, STEP_CHANGE_NOTE};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct flow_case *c = with_ticket();
        c->events[0].reason = "A reply could not be delivered.";
        c->context.found.note = "<div><b>Deskbell:</b> The cart is now 80.</div>";
        assert_int_equal(case_begin(c, steps[i]), STEP_CALL);
        case_ok(c, WRITTEN_NOTE);
        case_outcome(c, OUTCOME_DONE, STEP_NONE);
        assert_int_equal(asked(c, EVENT_KEEP_OPEN), 0);
        case_free(c);
    }
}

static void a_closed_ticket_is_opened_again(void **state)
{
    static const char *const closed[] = {"{\"id\":42,\"status\":4}", "{\"id\":42,\"status\":5}"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct flow_case *c = with_ticket();
        reads(c, closed[i]);
        case_outcome(c, OUTCOME_DONE, STEP_REOPEN_TICKET);
        case_calls(c, STEP_REOPEN_TICKET, "PUT", TICKET, OPEN_BODY);
        case_ok(c, REOPENED);
        is_reopened(c);
        case_free(c);
    }
}

static void an_open_one_is_left_alone(void **state)
{
    static const char *const open[] = {"{\"id\":42,\"status\":2}", "{\"id\":42,\"status\":3}",
                                       "{\"id\":42,\"status\":17}"};
    (void)state;
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        struct flow_case *c = with_ticket();
        reads(c, open[i]);
        is_left_alone(c);
        case_free(c);
    }
}

static void an_answer_that_was_lost_is_looked_for(void **state)
{
    (void)state;
    struct flow_case *c = with_ticket();
    reads(c, "{\"id\":42,\"status\":5}");
    case_begin(c, STEP_REOPEN_TICKET);
    case_answer(c, ANSWER_RETRY, 0, 0, NULL);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    reads(c, "{\"id\":42,\"status\":2}"); // it happened
    is_reopened(c);
    reads(c, "{\"id\":42,\"status\":5}"); // it did not
    case_outcome(c, OUTCOME_DONE, STEP_REOPEN_TICKET);
    case_free(c);
}

static void failures_of_both_calls(void **state)
{
    (void)state;
    struct flow_case *c = with_ticket();
    case_fails_plainly(c, STEP_READ_WHETHER_OPEN, false);
    case_begin(c, STEP_READ_WHETHER_OPEN);
    case_answer(c, ANSWER_NOT_FOUND, 404, 0, NULL);
    is_left_alone(c);
    case_begin(c, STEP_READ_WHETHER_OPEN);
    case_answer(c, ANSWER_REFUSED, 400, 0, NULL);
    is_left_alone(c);
    case_begin(c, STEP_REOPEN_TICKET);
    case_answer(c, ANSWER_RETRY, 500, 0, NULL);
    case_outcome(c, OUTCOME_RETRY, STEP_NONE);
    case_begin(c, STEP_REOPEN_TICKET);
    case_answer(c, ANSWER_REFUSED, 405, 0, NULL); // deleted
    is_left_alone(c);
    // Nobody would ever see what the customer wrote: an operator is told.
    case_begin(c, STEP_REOPEN_TICKET);
    case_answer(c, ANSWER_REFUSED, 400, 0, "{\"errors\":[{\"field\":\"status\"}]}");
    case_outcome(c, OUTCOME_REFUSED, STEP_NONE);
    assert_true(case_has(c->report.cause, "The customer wrote into ticket 42, which is closed and could not be opened "
                                          "again: freshdesk said no."));
    case_free(c);
}

static void nothing_of_before_a_restored_backup_opens_a_ticket(void **state)
{
    (void)state;
    struct flow_case *c = with_ticket();
    c->job.restored = true;
    reads(c, "{\"id\":42,\"status\":5}");
    is_left_alone(c);
    c->job.lane.ticket_id = 0;
    assert_int_equal(case_begin(c, STEP_READ_WHETHER_OPEN), STEP_ANSWER);
    is_left_alone(c);
    case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_customers_note_asks_for_it),
        cmocka_unit_test(what_others_write_does_not),
        cmocka_unit_test(a_closed_ticket_is_opened_again),
        cmocka_unit_test(an_open_one_is_left_alone),
        cmocka_unit_test(an_answer_that_was_lost_is_looked_for),
        cmocka_unit_test(failures_of_both_calls),
        cmocka_unit_test(nothing_of_before_a_restored_backup_opens_a_ticket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
