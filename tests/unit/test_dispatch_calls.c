// SPDX-License-Identifier: Apache-2.0
// Calls in the dispatcher: whose ticket is named to the worker, one ticket for who dials again, what a lane remembers,
// and that none of it is taken for a conversation in the chat.
#include "tests/unit/test_dispatch.h"

#include "http-front/ledger/ledger.h"

#define PHONE "+442079460101"

static void rings(struct fixture *f, const char *id, const char *user)
{
    char key[64], lane[64];
    bool wish = *user != '\0';
    snprintf(key, sizeof key, "freshcaller:call:%s:1", id);
    snprintf(lane, sizeof lane, "%s:%s", wish ? "callback" : "call", id);
    struct event event = {.kind = wish ? EVENT_CALLBACK : EVENT_CALL,
                          .key = key,
                          .conversation = lane,
                          .user = user,
                          .phone = wish ? "" : PHONE,
                          .time_ms = wall(),
                          .call = {.id = strtoull(id, NULL, 10), .state = CALL_MISSED}};
    assert_int_equal(committer_accept(f->committer, &event), ACCEPT_STORED);
}

// Opens the ticket of a conversation whose customer has that number.
static void chats(struct fixture *f, const char *conversation, uint64_t ticket, const char *phone)
{
    struct worker *w;
    says(f, EVENT_CUSTOMER_MESSAGE, conversation, conversation);
    struct job job = expect_job(f, STEP_READ_CUSTOMER, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_TICKET});
    job = expect_job(f, STEP_CREATE_TICKET, &w);
    send_report(w, &job,
                (struct report){.outcome = OUTCOME_DONE,
                                .ticket_id = ticket,
                                .requester_id = 7,
                                .context_known = true,
                                .context = {.read = true, .phone = phone}});
    await_ack(w, job.job_id);
}

static void the_live_conversations_ticket_is_named(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct lane lane;
    f->config.freshcaller.country_code = (char[]){"44"};
    begin(f);
    worker(f, 1, 7);
    roster(f);
    rings(f, "50", "");
    struct job job = expect_job(f, STEP_JOIN_CALL, &w);
    assert_int_equal(job.live_ticket, 0);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE});
    chats(f, "c1", 42, "020 7946 0101"); // as people write it
    chats(f, "c2", 43, "+31 20 123 45 67");
    rings(f, "51", "");
    job = expect_job(f, STEP_JOIN_CALL, &w);
    assert_int_equal(job.live_ticket, 42);
    assert_int_equal(job.live_requester, 7);
    assert_string_equal(job.live_conversation, "c1");
    send_report(
        w, &job,
        (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CALL_NOTE, .ticket_id = 42, .requester_id = 7});
    job = expect_job(f, STEP_CALL_NOTE, &w);
    assert_int_equal(job.lane.ticket_id, 42);
    struct written note = {"500", 1};
    send_report(w, &job,
                (struct report){.outcome = OUTCOME_DONE, .leg = {51, CALL_TOLD_MISSED}, .desk_written = {&note, 1}});
    await_ack(w, job.job_id);

    // The ticket stays the conversation's, and what the call's lane knows outlives the front.
    struct ticket ticket;
    assert_int_equal(ledger_ticket(f->ledger, 42, &ticket, f->arena), LEDGER_OK);
    assert_string_equal(ticket.conversation, "c1");
    end(f);
    begin(f);
    worker(f, 1, 7);
    roster(f);
    assert_int_equal(ledger_lane(f->ledger, "call:51", &lane, f->arena), LEDGER_OK);
    assert_int_equal(lane.legs.count, 1);
    assert_int_equal(lane.legs.items[0].told, CALL_TOLD_MISSED);
    // By the chat's user: the fixture's "u" wrote in c2 last.
    rings(f, "52", "u");
    job = expect_job(f, STEP_JOIN_CALL, &w);
    assert_string_equal(job.live_conversation, "c2");
}

// Somebody with that user id types PHONE into the form.
static void asks(struct fixture *f, const char *id, const char *user)
{
    char lane[64];
    snprintf(lane, sizeof lane, "callback:%s", id);
    struct event event = {.kind = EVENT_CALLBACK,
                          .key = lane,
                          .conversation = lane,
                          .user = user,
                          .phone = PHONE,
                          .time_ms = wall(),
                          .call = {.state = CALL_ONGOING}};
    assert_int_equal(committer_accept(f->committer, &event), ACCEPT_STORED);
}

// The ticket that a call from PHONE is said to join.
static uint64_t joined_by_call(struct fixture *f, const char *id)
{
    struct worker *w;
    rings(f, id, "");
    struct job job = expect_job(f, STEP_JOIN_CALL, &w);
    uint64_t ticket = job.live_ticket;
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE});
    await_ack(w, job.job_id);
    return ticket;
}

static void a_number_that_anybody_typed_leads_to_nobody_elses_ticket(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    const struct context typed = {.phone = PHONE};
    f->config.freshcaller.country_code = (char[]){"44"};
    begin(f);
    worker(f, 1, 7);
    roster(f);
    chats(f, "c1", 42, "+31 20 123 45 67"); // of the fixture's user "u"
    static const char *const wishes[] = {"a", "b", "e"}, *const calls[] = {"51", "52", "55"};
    for (int i = 0; i < 3; i++) { // the second joins by the first, too; the third another ticket of that customer
        asks(f, wishes[i], "u");
        struct job job = expect_job(f, STEP_JOIN_CALL, &w);
        assert_int_equal(job.live_ticket, 42);
        send_report(w, &job,
                    (struct report){.outcome = OUTCOME_DONE,
                                    .ticket_id = i == 2 ? 44 : 42,
                                    .requester_id = 7,
                                    .context_known = true,
                                    .context = typed});
        await_ack(w, job.job_id);
        assert_int_equal(joined_by_call(f, calls[i]), 0);
    }
    // A call-back that opens a ticket of its own is what its number's calls are about.
    asks(f, "c", "v");
    struct job job = expect_job(f, STEP_JOIN_CALL, &w);
    assert_int_equal(job.live_ticket, 0);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_CALL_TICKET});
    job = expect_job(f, STEP_CREATE_CALL_TICKET, &w);
    send_report(w, &job,
                (struct report){.outcome = OUTCOME_DONE, .ticket_id = 43, .context_known = true, .context = typed});
    await_ack(w, job.job_id);
    assert_int_equal(joined_by_call(f, "53"), 43);
    // And so is one whose number leads there, too.
    asks(f, "d", "v");
    job = expect_job(f, STEP_JOIN_CALL, &w);
    assert_int_equal(job.live_ticket, 43);
    send_report(w, &job,
                (struct report){.outcome = OUTCOME_DONE, .ticket_id = 43, .context_known = true, .context = typed});
    await_ack(w, job.job_id);
    assert_int_equal(joined_by_call(f, "54"), 43);
}

// The ticket that an agent's call to PHONE is said to join.
static uint64_t joined_by_agents_call(struct fixture *f, const char *id)
{
    struct worker *w;
    char key[64], lane[64];
    snprintf(key, sizeof key, "freshcaller:call:%s:1", id);
    snprintf(lane, sizeof lane, "call:%s", id);
    struct event event = {.kind = EVENT_CALL,
                          .key = key,
                          .conversation = lane,
                          .phone = PHONE,
                          .time_ms = wall(),
                          .call = {.id = strtoull(id, NULL, 10), .outgoing = true, .state = CALL_ANSWERED}};
    assert_int_equal(committer_accept(f->committer, &event), ACCEPT_STORED);
    struct job job = expect_job(f, STEP_JOIN_CALL, &w);
    uint64_t ticket = job.live_ticket;
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE});
    await_ack(w, job.job_id);
    return ticket;
}

static void an_agents_call_finds_the_ticket_of_who_asked_for_it(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    f->config.freshcaller.country_code = (char[]){"44"};
    begin(f);
    worker(f, 1, 7);
    roster(f);
    chats(f, "c1", 42, "+31 20 123 45 67"); // of the fixture's user "u"
    asks(f, "a", "u");
    struct job job = expect_job(f, STEP_JOIN_CALL, &w);
    send_report(
        w, &job,
        (struct report){.outcome = OUTCOME_DONE, .ticket_id = 42, .context_known = true, .context = {.phone = PHONE}});
    await_ack(w, job.job_id);
    assert_int_equal(joined_by_call(f, "51"), 0); // anybody's
    assert_int_equal(joined_by_agents_call(f, "52"), 42);
    // Asked for in the evening, and called after two days, by another front.
    struct lane lane, later;
    assert_int_equal(ledger_lane(f->ledger, "callback:a", &lane, f->arena), LEDGER_OK);
    assert_string_equal(lane.context.phone, "");
    lane.updated_ms -= 2 * (uint64_t)DAY;
    knows(f, lane);
    end(f);
    begin(f);
    worker(f, 1, 7);
    roster(f);
    assert_int_equal(joined_by_call(f, "53"), 0);
    assert_int_equal(joined_by_agents_call(f, "54"), 42);
    // What is later than the wish is what the agent's call is about.
    rings(f, "55", "");
    job = expect_job(f, STEP_JOIN_CALL, &w);
    send_report(
        w, &job,
        (struct report){.outcome = OUTCOME_DONE, .ticket_id = 43, .context_known = true, .context = {.phone = PHONE}});
    await_ack(w, job.job_id);
    assert_int_equal(joined_by_agents_call(f, "56"), 43);
    assert_int_equal(ledger_lane(f->ledger, "call:55", &later, f->arena), LEDGER_OK);
    lane.updated_ms -= 6 * (uint64_t)DAY;
    knows(f, lane);
    later.updated_ms -= (uint64_t)DAY;
    knows(f, later);
    end(f);
    begin(f);
    worker(f, 1, 7);
    roster(f);
    assert_int_equal(joined_by_agents_call(f, "57"), 0);
}

static void who_was_silent_for_a_day_is_not_live(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct lane old = {.conversation = "old",
                       .user = "u",
                       .ticket_id = 42,
                       .updated_ms = wall() - (uint64_t)DAY - 60000,
                       .context = {.read = true, .phone = PHONE}};
    knows(f, old);
    struct ledger_batch *batch = ledger_batch_new();
    ledger_put_by(batch, LEDGER_BY_PHONE, PHONE, &(struct ticket){.conversation = "old", .time_ms = old.updated_ms});
    assert_true(ledger_write(f->ledger, batch));
    ledger_batch_free(&batch);
    begin(f);
    worker(f, 1, 7);
    roster(f);
    rings(f, "51", "");
    struct job job = expect_job(f, STEP_JOIN_CALL, &w);
    assert_int_equal(job.live_ticket, 0);
}

static void who_dials_again_gets_one_ticket(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct job job, none;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    rings(f, "51", "");
    rings(f, "52", "");
    for (int i = 0; i < 2; i++) {
        job = expect_job(f, STEP_JOIN_CALL, &w);
        send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_CALL_TICKET});
    }
    job = expect_job(f, STEP_CREATE_CALL_TICKET, &w);
    struct job second;
    assert_false(next_job(f, 450, STEP_NONE, &second, &w)); // waits for that ticket
    send_report(w, &job,
                (struct report){.outcome = OUTCOME_DONE,
                                .ticket_id = 42,
                                .context_known = true,
                                .context = {.phone = PHONE},
                                .leg = {51, CALL_TOLD_MISSED}});
    second = expect_job(f, STEP_JOIN_CALL, &w);
    assert_int_equal(second.live_ticket, 42);
    // One that was refused makes room, too.
    send_report(w, &second, (struct report){.outcome = OUTCOME_DONE});
    assert_false(next_job(f, 200, STEP_NONE, &none, &w));
}

static void a_calls_ticket_in_doubt_outlives_its_dead_letter(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct lane lane;
    f->config.timing.retry_give_up_hours = 0;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    rings(f, "51", "");
    struct job job = expect_job(f, STEP_JOIN_CALL, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_CALL_TICKET});
    struct job create = expect_job(f, STEP_CREATE_CALL_TICKET, &w);
    send_report(w, &create, (struct report){.outcome = OUTCOME_DOUBT, .cause = "timeout"});
    job = expect_job(f, STEP_LOOK_CALL_TICKET, &w);
    job = fails_for_good(f, w, job, (struct report){.outcome = OUTCOME_RETRY, .cause = "still no answer"});
    await_ack(w, job.job_id);
    assert_int_equal(ledger_lane(f->ledger, "call:51", &lane, f->arena), LEDGER_OK);
    assert_true(lane.doubt_ms > 0);
    end(f); // and it is known after a restart
    f->config.timing.retry_give_up_hours = 24;
    begin(f);
    worker(f, 1, 8);
    roster(f);
    struct event later = {.kind = EVENT_CALL,
                          .key = "freshcaller:call:51:2",
                          .conversation = "call:51",
                          .user = "",
                          .phone = PHONE,
                          .time_ms = wall(),
                          .call = {.id = 51, .state = CALL_MISSED}};
    assert_int_equal(committer_accept(f->committer, &later), ACCEPT_STORED);
    job = expect_job(f, STEP_JOIN_CALL, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_CALL_TICKET});
    job = expect_job(f, STEP_LOOK_CALL_TICKET, &w);
    assert_int_equal(job.since_ms, create.since_ms); // it may be as old as the first try
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .ticket_id = 42, .leg = {51, CALL_TOLD_MISSED}});
    await_ack(w, job.job_id);
    assert_int_equal(ledger_lane(f->ledger, "call:51", &lane, f->arena), LEDGER_OK);
    assert_int_equal(lane.ticket_id, 42);
    assert_int_equal(lane.doubt_ms, 0);
}

static void a_step_can_be_put_off(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct job none;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    rings(f, "51", "");
    struct job job = expect_job(f, STEP_JOIN_CALL, &w);
    int64_t from = clock_mono_ms();
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_READ_CALL, .delay_ms = 600});
    assert_false(next_job(f, 300, STEP_NONE, &none, &w));
    job = expect_job(f, STEP_READ_CALL, &w);
    assert_true(clock_mono_ms() - from >= 590);
}

static void a_calls_ticket_is_no_conversations(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct job none;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    hints(f, 77);
    struct job job = expect_job(f, STEP_READ_TICKET, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .ticket_id = 77, .link_conversation = "call:51"});
    await_ack(w, job.job_id);
    assert_false(next_job(f, 200, STEP_NONE, &none, &w)); // nothing is listed, nothing goes to any chat
    struct ticket ticket;
    assert_int_equal(ledger_ticket(f->ledger, 77, &ticket, f->arena), LEDGER_ABSENT);
}

static void calls_that_a_poll_lists_enter_once(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct job job, none;
    static const char json[] = "{\"id\":51,\"direction\":\"incoming\",\"created_time\":\"2025-03-04T10:22:00Z\","
                               "\"updated_time\":\"2025-03-04T10:23:00Z\",\"participants\":[{\"participant_type\":"
                               "\"Customer\",\"caller_number\":\"" PHONE "\",\"call_status\":3,\"duration\":20}]}";
    struct raw raws[] = {{.json = {(const uint8_t *)json, sizeof json - 1}},
                         {.json = {(const uint8_t *)"{}", 2}}, // no call: passed over
                         {.json = {(const uint8_t *)json, sizeof json - 1}}};
    f->config.freshcaller.enabled = true;
    f->config.freshcaller.poll_seconds = 1;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    struct job poll = expect_job(f, STEP_LIST_CALLS, &w);
    assert_string_equal(poll.lane.conversation, "poll:freshcaller");
    send_report(w, &poll,
                (struct report){.outcome = OUTCOME_DONE, .mark_ms = 5000, .listed_ms = 4000, .raws = {raws, 3}});
    assert_true(next_job(f, PATIENCE_MS, STEP_NONE, &job, &w));
    assert_int_equal(job.step, STEP_JOIN_CALL);
    assert_int_equal(job.events.items[0].call.state, CALL_MISSED);
    assert_string_equal(job.events.items[0].phone, PHONE);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE});
    poll = expect_job(f, STEP_LIST_CALLS, &w);
    assert_int_equal(poll.lane.mark_ms, 5000);
    assert_int_equal(poll.lane.listed_ms, 4000);
    send_report(w, &poll, (struct report){.outcome = OUTCOME_DONE, .mark_ms = 6000, .raws = {raws, 3}});
    assert_false(next_job(f, 200, STEP_NONE, &none, &w)); // known by its key
}

static void a_chat_after_a_call_names_its_ticket(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    rings(f, "51", "");
    struct job job = expect_job(f, STEP_JOIN_CALL, &w);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_CREATE_CALL_TICKET});
    job = expect_job(f, STEP_CREATE_CALL_TICKET, &w);
    send_report(w, &job,
                (struct report){.outcome = OUTCOME_DONE,
                                .ticket_id = 42,
                                .context_known = true,
                                .context = {.phone = PHONE},
                                .leg = {51, CALL_TOLD_MISSED}});
    await_ack(w, job.job_id);
    chats(f, "c1", 43, PHONE);
    bool on_chat = false, on_call = false;
    for (int i = 0; i < 2; i++) {
        job = expect_job(f, STEP_NOTICE_NOTE, &w);
        on_chat |= job.lane.ticket_id == 43 && strstr(job.events.items[0].reason, "#42");
        on_call |= job.lane.ticket_id == 42 && strstr(job.events.items[0].reason, "#43");
    }
    assert_true(on_chat && on_call);
}

// ---- who raises a ticket
// ----------------------------------------------------------------------------------------------

// Brings a call to its reading of ticket 42, which is c1's.
static void joins_42(struct fixture *f, const char *id)
{
    struct worker *w;
    rings(f, id, "");
    struct job job = expect_job(f, STEP_JOIN_CALL, &w);
    assert_int_equal(job.live_ticket, 42);
    send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_READ_TO_RAISE, .ticket_id = 42});
}

static struct job goes_on(struct fixture *f, struct worker *w, const struct job *job, enum step next)
{
    send_report(w, job, (struct report){.outcome = OUTCOME_DONE, .next_step = next});
    return expect_job(f, next, NULL);
}

static void one_at_a_time_reads_and_puts_a_ticket(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct job other, none;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    chats(f, "c1", 42, PHONE);
    joins_42(f, "51");
    struct job call = expect_job(f, STEP_READ_TO_RAISE, &w);
    joins_42(f, "52");
    assert_false(next_job(f, 350, STEP_NONE, &none, &w)); // the other call waits
    call = goes_on(f, w = &f->workers[0], &call, STEP_RAISE_TICKET);
    // So does what the chat's lane has to tell, which has its reads of the customer all the same.
    struct event event = {
        .kind = EVENT_CONTEXT, .key = "context:1", .conversation = "c1", .user = "u", .time_ms = wall(), .round = 4};
    assert_int_equal(committer_accept(f->committer, &event), ACCEPT_STORED);
    struct job context = expect_job(f, STEP_REREAD_CUSTOMER, &w);
    send_report(w, &context, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_READ_TO_UPDATE});
    assert_false(next_job(f, 350, STEP_NONE, &none, &w));
    call = goes_on(f, &f->workers[0], &call, STEP_CALL_NOTE);
    send_report(&f->workers[0], &call, (struct report){.outcome = OUTCOME_DONE});
    // Then each of the two in its turn, never both at once.
    for (int i = 0; i < 2; i++) {
        assert_true(next_job(f, PATIENCE_MS, STEP_NONE, &other, &w));
        assert_true(other.step == STEP_READ_TO_RAISE || other.step == STEP_READ_TO_UPDATE);
        assert_false(next_job(f, 350, STEP_NONE, &none, &w));
        other = goes_on(f, &f->workers[0], &other,
                        other.step == STEP_READ_TO_RAISE ? STEP_RAISE_TICKET : STEP_UPDATE_TICKET);
        assert_int_equal(other.lane.ticket_id, 42);
        assert_false(next_job(f, 350, STEP_NONE, &none, &w));
        send_report(&f->workers[0], &other, (struct report){.outcome = OUTCOME_DONE});
    }
    assert_false(next_job(f, 200, STEP_NONE, &none, &w));
}

static void what_failed_to_put_reads_again(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    chats(f, "c1", 42, PHONE);
    joins_42(f, "51");
    struct job job = expect_job(f, STEP_READ_TO_RAISE, &w);
    job = goes_on(f, w, &job, STEP_RAISE_TICKET);
    send_report(w, &job, (struct report){.outcome = OUTCOME_RETRY, .http_status = 503, .cause = "later"});
    job = expect_job(f, STEP_READ_TO_RAISE, &w);
    job = goes_on(f, w, &job, STEP_RAISE_TICKET);
    worker(f, 2, 8);
    reaped(w); // it may have put it, and an agent has the ticket open
    job = expect_job(f, STEP_READ_TO_RAISE, &w);
    job = goes_on(f, w, &job, STEP_RAISE_TICKET);
    // Another front does not put what was read for the one before, either.
    end(f);
    begin(f);
    worker(f, 3, 9);
    roster(f);
    for (enum step step = STEP_NONE; step != STEP_READ_TO_RAISE;) {
        job = (struct job){0};
        assert_true(next_job(f, PATIENCE_MS, STEP_NONE, &job, &w));
        step = (enum step)job.step;
        assert_true(step == STEP_JOIN_CALL || step == STEP_READ_TO_RAISE);
        if (step == STEP_JOIN_CALL)
            send_report(w, &job, (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_READ_TO_RAISE});
    }
}

// ---- the poll
// ---------------------------------------------------------------------------------------------------------

static void a_page_that_fails_is_asked_for_again(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct record_buffer bytes;
    struct found found = {.page = 5, .mark_ms = 7000};
    assert_true(record_encode(RECORD_found, &found, &bytes));
    f->config.freshcaller.enabled = true;
    f->config.freshcaller.poll_seconds = 1;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    struct job poll = expect_job(f, STEP_LIST_CALLS, &w);
    assert_int_equal(poll.found.size, 0);
    send_report(
        w, &poll,
        (struct report){.outcome = OUTCOME_DONE, .next_step = STEP_LIST_CALLS, .found = {bytes.data, bytes.size}});
    record_buffer_free(&bytes);
    for (int i = 0; i < 2; i++) { // it stays where it was, and rests
        int64_t from = clock_mono_ms();
        poll = expect_job(f, STEP_LIST_CALLS, &w);
        assert_true(i == 0 || clock_mono_ms() - from >= 900);
        assert_int_equal(record_decode(RECORD_found, poll.found.data, poll.found.size, &found, f->arena), RECORD_OK);
        assert_int_equal(found.page, 5);
        assert_int_equal(found.mark_ms, 7000);
        if (i == 0)
            send_report(w, &poll, (struct report){.outcome = OUTCOME_RETRY, .http_status = 503, .cause = "busy"});
    }
    send_report(w, &poll, (struct report){.outcome = OUTCOME_DONE, .mark_ms = 6000});
    poll = expect_job(f, STEP_LIST_CALLS, &w);
    assert_int_equal(poll.found.size, 0);
    assert_int_equal(poll.lane.mark_ms, 6000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_live_conversations_ticket_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_number_that_anybody_typed_leads_to_nobody_elses_ticket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_agents_call_finds_the_ticket_of_who_asked_for_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_was_silent_for_a_day_is_not_live, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_dials_again_gets_one_ticket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_calls_ticket_in_doubt_outlives_its_dead_letter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_step_can_be_put_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_calls_ticket_is_no_conversations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(calls_that_a_poll_lists_enter_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_chat_after_a_call_names_its_ticket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_at_a_time_reads_and_puts_a_ticket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_failed_to_put_reads_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_that_fails_is_asked_for_again, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
