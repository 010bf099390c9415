// SPDX-License-Identifier: Apache-2.0
// Polls that fail, that die with their front or their worker, and what they must not hold up.
#include "tests/unit/test_dispatch.h"

// A conversation that nobody wrote in for days is looked at once by each front: once with an answer.
static void a_poll_that_fails_is_asked_again(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    f->config.freshchat.poll_seconds = 1;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = wall() - 2 * (uint64_t)DAY});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    struct job poll = expect_job(f, STEP_LIST_MESSAGES, &w);
    send_report(w, &poll, (struct report){.outcome = OUTCOME_RETRY, .http_status = 500});
    poll = expect_job(f, STEP_LIST_MESSAGES, &w);
    send_report(w, &poll, (struct report){.outcome = OUTCOME_DONE});
    await_ack(w, poll.job_id);
    struct job none;
    assert_false(next_job(f, 8000, STEP_LIST_MESSAGES, &none, &w)); // answered: that was all
}

// What the poll of customers found is on disk before the mark of that poll has passed it.
static void a_conversation_nobody_told_of_outlives_the_front(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    knows(f, (struct lane){.conversation = "poll:freshchat-users", .chat_mark_ms = 1000, .updated_ms = wall()});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    struct job users = expect_job(f, STEP_LIST_USERS, &w);
    assert_int_equal(users.lane.chat_mark_ms, 1000);
    struct written chat = {.id = "x"};
    send_report(w, &users, (struct report){.outcome = OUTCOME_DONE, .chat_mark_ms = 2000, .conversations = {&chat, 1}});
    struct job poll = expect_job(f, STEP_LIST_MESSAGES, &w);
    assert_string_equal(poll.lane.conversation, "x");
    await_ack(w, users.job_id);
    end(f);

    begin(f);
    worker(f, 1, 7);
    roster(f);
    poll = expect_job(f, STEP_LIST_MESSAGES, &w);
    assert_string_equal(poll.lane.conversation, "x");
    assert_int_equal(poll.lane.chat_mark_ms, 1000);
}

// A known conversation that fell asleep long ago, in which a customer writes while no webhook comes.
static void a_sleeping_conversation_of_a_customer_who_changed_is_asked(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    knows(f, (struct lane){.conversation = "poll:freshchat-users", .chat_mark_ms = 1000, .updated_ms = wall()});
    knows(f,
          (struct lane){
              .conversation = "old", .ticket_id = 42, .chat_mark_ms = 500, .updated_ms = wall() - 20 * (uint64_t)DAY});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    struct job users = expect_job(f, STEP_LIST_USERS, &w);
    struct written chat = {.id = "old"};
    send_report(w, &users, (struct report){.outcome = OUTCOME_DONE, .chat_mark_ms = 2000, .conversations = {&chat, 1}});
    struct job poll = expect_job(f, STEP_LIST_MESSAGES, &w);
    assert_string_equal(poll.lane.conversation, "old");
    assert_int_equal(poll.lane.chat_mark_ms, 500);
}

// A reply never waits behind a poll of its conversation that has died with its worker.
static void a_poll_whose_worker_died_holds_up_no_reply(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    f->config.workers.in_flight = 1;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = wall()});
    begin(f);
    struct worker *first = worker(f, 1, 7);
    roster(f);
    expect_job(f, STEP_LIST_MESSAGES, &w);
    reaped(first);
    hints(f, 42);
    struct job none;
    assert_false(next_job(f, 200, STEP_LIST_MESSAGES, &none, &w));
    worker(f, 2, 8);
    roster(f);
    struct job list;
    assert_true(next_job(f, PATIENCE_MS, STEP_LIST_MESSAGES, &list, &w));
    assert_int_equal(list.step, STEP_LIST_ENTRIES);
    send_report(w, &list, (struct report){.outcome = OUTCOME_DONE});
    expect_job(f, STEP_LIST_MESSAGES, &w);
}

// With more to poll than the budget allows, each has its turn before any has its second.
static void scarce_polls_go_round(void **state)
{
    enum { CHATS = 30 };
    struct fixture *f = *state;
    struct worker *w;
    struct job poll;
    bool polled[CHATS] = {false};
    f->config.freshchat.poll_seconds = 1;
    f->config.freshchat.calls_per_minute = 120; // twenty at once, then two a second
    for (int i = 0; i < CHATS; i++) {
        char id[8];
        snprintf(id, sizeof id, "c%d", i);
        knows(f, (struct lane){.conversation = id, .ticket_id = 42 + (uint64_t)i, .updated_ms = wall()});
    }
    begin(f);
    worker(f, 1, 7);
    roster(f);
    for (int i = 0; i < CHATS; i++) {
        poll = expect_job(f, STEP_LIST_MESSAGES, &w);
        int chat = atoi(poll.lane.conversation + 1);
        assert_false(polled[chat]);
        polled[chat] = true;
        send_report(w, &poll, (struct report){.outcome = OUTCOME_DONE});
    }
}

// Four workers died of it: it rests, and the fifth lives.
static void a_poll_that_kills_its_workers_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct job none;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .updated_ms = wall()});
    begin(f);
    for (uint64_t generation = 7; generation < 11; generation++) {
        worker(f, 1, generation);
        roster(f);
        expect_job(f, STEP_LIST_MESSAGES, &w);
        reaped(w);
    }
    worker(f, 1, 11);
    roster(f);
    assert_false(next_job(f, 1000, STEP_LIST_MESSAGES, &none, &w));
    hints(f, 42);
    expect_job(f, STEP_LIST_ENTRIES, &w);
}

// An agent can write anything into the ticket's conversation field.
static void a_ticket_cannot_be_linked_to_a_lane_of_ours(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct ticket ticket;
    begin(f);
    worker(f, 1, 7);
    roster(f);
    hints(f, 42);
    struct job read = expect_job(f, STEP_READ_TICKET, &w);
    send_report(w, &read,
                (struct report){.outcome = OUTCOME_DONE, .ticket_id = 42, .link_conversation = "poll:freshdesk"});
    await_ack(w, read.job_id);
    assert_int_equal(ledger_ticket(f->ledger, 42, &ticket, f->arena), LEDGER_ABSENT);
}

// ---- what is known --------------------------------------------------------------------------------------------------

static struct raw message(struct fixture *f, const char *id, const char *actor, uint64_t said_ms)
{
    char said[CLOCK_ISO_BYTES];
    clock_format_iso((int64_t)said_ms, said);
    char *json = arena_printf(f->arena,
                              "{\"id\":\"%s\",\"conversation_id\":\"c\",\"channel_id\":\"ch\",\"user_id\":\"u\","
                              "\"actor_type\":\"%s\",\"actor_id\":\"u\",\"message_type\":\"normal\","
                              "\"created_time\":\"%s\",\"message_parts\":[{\"text\":{\"content\":\"words\"}}]}",
                              id, actor, said);
    return (struct raw){{(const uint8_t *)json, strlen(json)}};
}

static struct report list_of(struct raw *raws, size_t count, uint64_t mark_ms)
{
    return (struct report){
        .outcome = OUTCOME_DONE, .raws = {raws, count}, .chat_mark_ms = mark_ms, .date_ms = wall() / 1000 * 1000};
}

static void note_is_written(struct fixture *f, const char *key)
{
    struct worker *w;
    struct job note = expect_job(f, STEP_APPEND_NOTE, &w);
    assert_int_equal(note.events.count, 1);
    assert_string_equal(note.events.items[0].key, key);
    send_report(w, &note, (struct report){.outcome = OUTCOME_DONE});
    await_ack(w, note.job_id);
}

// The keys of that time are gone. What was known then is not said again; what came after it, and no webhook told of,
// is.
static void a_customer_who_comes_back_after_the_keys_are_gone_hears_no_echo(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    struct job none;
    uint64_t then = wall() - 31 * (uint64_t)DAY;
    f->config.freshchat.poll_seconds = 1;
    struct written ours = {.id = "reply", .time_ms = then + 90000};
    knows(f, (struct lane){.conversation = "c",
                           .ticket_id = 42,
                           .chat_mark_ms = then,
                           .chat_written = {&ours, 1},
                           .updated_ms = then + 60000});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    says(f, EVENT_CUSTOMER_MESSAGE, "c", "back");
    note_is_written(f, "freshchat:message:back");
    struct job poll = expect_job(f, STEP_LIST_MESSAGES, &w);
    struct raw raws[] = {
        message(f, "before", "user", then - 60000), message(f, "at", "user", then),
        message(f, "told", "user", then + 30000),   message(f, "typed", "agent", then + 40000),
        message(f, "reply", "agent", then + 90000), message(f, "lost", "user", then + 5 * (uint64_t)DAY),
        message(f, "back", "user", wall() - 1000)};
    send_report(w, &poll, list_of(raws, sizeof raws / sizeof *raws, wall() - 1000));
    note_is_written(f, "freshchat:message:lost");
    assert_false(next_job(f, 1000, STEP_NONE, &none, &w));
}

// A message that became visible late is older than the mark.
static void a_message_shortly_before_a_young_mark_is_offered(void **state)
{
    struct fixture *f = *state;
    struct worker *w;
    uint64_t mark = wall() - 60000;
    knows(f, (struct lane){.conversation = "c", .ticket_id = 42, .chat_mark_ms = mark, .updated_ms = wall()});
    begin(f);
    worker(f, 1, 7);
    roster(f);
    struct job poll = expect_job(f, STEP_LIST_MESSAGES, &w);
    struct raw late = message(f, "late", "user", mark - 120000);
    send_report(w, &poll, list_of(&late, 1, 0));
    note_is_written(f, "freshchat:message:late");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_poll_that_fails_is_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_conversation_nobody_told_of_outlives_the_front, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sleeping_conversation_of_a_customer_who_changed_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_poll_whose_worker_died_holds_up_no_reply, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scarce_polls_go_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_poll_that_kills_its_workers_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_cannot_be_linked_to_a_lane_of_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_customer_who_comes_back_after_the_keys_are_gone_hears_no_echo, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_message_shortly_before_a_young_mark_is_offered, set_up, tear_down),
    };
    zsys_init();
    zsys_handler_set(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
