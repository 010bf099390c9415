// SPDX-License-Identifier: Apache-2.0
// deskbellctl as an operator meets it: what it shows, what a pause holds, a backup, and how it leaves when something is
// wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/scenario/operator.h"
#include "tests/scenario/story.h"
#include "tests/scenario/wire.h"
#include "tests/unit/metrics_text.h"

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static int64_t number_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

// The member of that list whose `key` is `value`; fails the test when there is none.
static json_t *row_of(const json_t *answer, const char *list, const char *key, const char *value)
{
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(answer, list), i, row) if (strcmp(text_at(row, key), value) == 0) return row;
    scenario_fail("%s tells of no %s %s", list, key, value);
}

// ---------------------------------------------------------------- looking
static void a_ticket_and_a_reply(struct scenario *s)
{
    customer_writes(s, "ada", "Where is my umbrella?");
    ticket_appears_within(s, "ada", 10000);
    agent_replies(s, "ada", STORY_ANNA, "<p>It is on its way</p>");
    chat_shows_within(s, "ada", "It is on its way", 10000);
    everything_settles_within(s, 10000);
}

// The first of the numbers that know of a ticket and a reply and yet stands at 0; NULL when none does.
static const char *not_counted(struct scenario *s)
{
    static const char *const counted[] = {"deskbell_delivery_seconds_count",
                                          "deskbell_reply_seconds_count",
                                          "deskbell_open_ticket_seconds_count",
                                          "deskbell_call_seconds_count",
                                          "deskbell_ready",
                                          "deskbell_ledger_batches_total"};
    const char *missing = NULL;
    char *text = NULL;
    assert_int_equal(wire_get(scenario_address(s), scenario_admin_port(s), "/metrics", &text), 200);
    struct metrics_text *numbers = metrics_parse(text);
    for (size_t i = 0; !missing && i < sizeof counted / sizeof *counted; i++) {
        double sum = 0;
        for (size_t j = 0; j < numbers->sample_count; j++)
            sum += strcmp(numbers->samples[j].name, counted[i]) == 0 ? numbers->samples[j].value : 0;
        if (sum < 1)
            missing = counted[i];
    }
    free(numbers);
    free(text);
    return missing;
}

static bool everything_is_counted(void *arg)
{
    return !not_counted(arg);
}

static void status_tells_what_happened(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    a_ticket_and_a_reply(s);
    json_t *status = operator_asks(s, "status");
    assert_true(json_is_true(json_object_get(status, "ready")));
    assert_int_equal(number_at(status, "pid"), scenario_status_now(s).front);
    assert_int_equal(json_array_size(json_object_get(status, "workers")), 2);
    assert_int_equal(number_at(status, "dead"), 0);
    json_t *desk = row_of(status, "gates", "upstream", "freshdesk");
    json_t *chat = row_of(status, "gates", "upstream", "freshchat");
    assert_true(number_at(desk, "calls") >= 2);
    assert_true(number_at(chat, "calls") >= 1);
    assert_string_equal(text_at(desk, "breaker"), "closed");
    assert_int_equal(number_at(desk, "in_flight"), 0);
    json_t *opened = row_of(status, "latency", "what", "open_ticket");
    assert_int_equal(number_at(opened, "count"), 1);
    assert_true(number_at(opened, "p99_ms") > 0);
    assert_int_equal(number_at(row_of(status, "latency", "what", "to_chat"), "count"), 1);
    for (int i = 0; i < 2; i++) {
        json_t *direction = row_of(status, "directions", "direction", i ? "desk-to-chat" : "chat-to-desk");
        assert_false(json_is_true(json_object_get(direction, "paused")));
        assert_int_equal(number_at(direction, "in_doubt"), 0);
    }
    json_decref(status);

    // Gauges and what the committer counts are refreshed by the tick, so a first look may be too early.
    if (!scenario_wait(everything_is_counted, s, 10000))
        scenario_fail("%s is not counted", not_counted(s));

    static const char *const words[] = {"status", NULL};
    char *output = NULL;
    assert_int_equal(operator_runs(s, words, &output), 0);
    assert_non_null(strstr(output, "ready"));
    assert_non_null(strstr(output, "freshdesk"));
    assert_non_null(strstr(output, "chat-to-desk"));
    free(output);
    scenario_end(s);
}

static void trace_tells_a_conversation_by_its_id_and_by_its_ticket(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    a_ticket_and_a_reply(s);
    char ticket[24];
    const char *conversation = customer_of(s, "ada")->conversation_id;
    snprintf(ticket, sizeof ticket, "%lld", (long long)ticket_of(s, "ada"));
    json_t *by_ticket = operator_asks(s, "trace", ticket);
    json_t *by_id = operator_asks(s, "trace", conversation);
    assert_string_equal(text_at(by_ticket, "conversation"), conversation);
    assert_int_equal(number_at(by_id, "ticket"), ticket_of(s, "ada"));
    assert_string_equal(text_at(by_id, "user"), customer_of(s, "ada")->user_id);
    assert_int_equal(number_at(by_id, "cart_cents"), 24950);
    assert_int_equal(json_array_size(json_object_get(by_id, "relayed_entries")), 1);
    assert_int_equal(json_array_size(json_object_get(by_id, "written_messages")), 1);
    assert_int_equal(json_array_size(json_object_get(by_id, "waiting")), 0);
    json_t *opened = row_of(by_id, "history", "what", "ticket opened");
    json_t *replied = row_of(by_id, "history", "what", "reply in chat");
    assert_true(number_at(opened, "time_ms") <= number_at(replied, "time_ms"));
    assert_true(strlen(text_at(replied, "id")) > 0);
    // One grep follows a message, and a reply, through all processes.
    const json_t *both[] = {opened, replied};
    for (int i = 0; i < 2; i++) {
        char line[80];
        const char *request = text_at(both[i], "request");
        assert_int_equal(strlen(request), 16);
        snprintf(line, sizeof line, "event=accepted request=%s", request);
        assert_int_equal(scenario_log_count(s, line), 1);
        snprintf(line, sizeof line, "event=step request=%s", request);
        assert_true(scenario_log_count(s, line) >= 2);
    }
    assert_string_not_equal(text_at(opened, "request"), text_at(replied, "request"));
    json_decref(by_ticket);
    json_decref(by_id);

    const char *const words[] = {"trace", ticket, NULL};
    char *output = NULL;
    assert_int_equal(operator_runs(s, words, &output), 0);
    assert_non_null(strstr(output, "ticket opened"));
    assert_null(strstr(output, "umbrella"));
    assert_null(strstr(output, "on its way"));
    assert_null(strstr(output, "@")); // no e-mail address
    free(output);
    operator_says(s, 1, "trace", "nobody");
    operator_says(s, 1, "trace", "999999");
    scenario_end(s);
}

static void keys_tell_when_each_was_last_used(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    json_t *before = operator_asks(s, "keys");
    assert_true(json_is_null(json_object_get(row_of(before, "keys", "source", "freshchat"), "last_used_ms")));
    json_decref(before);
    a_ticket_and_a_reply(s);
    json_t *after = operator_asks(s, "keys");
    json_t *key = row_of(after, "keys", "source", "freshchat");
    assert_true(number_at(key, "last_used_ms") > 0);
    assert_non_null(strstr(text_at(key, "name"), "freshchat.pem"));
    assert_true(number_at(row_of(after, "keys", "source", "freshdesk"), "last_used_ms") > 0);
    json_decref(after);
    // Names of files, never what is in them.
    static const char *const words[] = {"keys", NULL};
    char *output = NULL;
    assert_int_equal(operator_runs(s, words, &output), 0);
    assert_non_null(strstr(output, "hint.token"));
    assert_null(strstr(output, sandbox_hint_token(scenario_sandbox(s))));
    free(output);
    scenario_end(s);
}

// ---------------------------------------------------------------- pausing
static void a_paused_reply_is_held_over_a_restart_and_delivered_once(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "Hello?");
    ticket_appears_within(s, "ada", 10000);
    everything_settles_within(s, 10000);
    json_t *answer = operator_asks(s, "pause", "desk-to-chat");
    assert_true(json_is_true(json_object_get(answer, "changed")));
    json_decref(answer);
    answer = operator_asks(s, "pause", "desk-to-chat"); // twice is as good as once
    assert_false(json_is_true(json_object_get(answer, "changed")));
    json_decref(answer);
    agent_replies(s, "ada", STORY_ANNA, "<p>Patience, please</p>");
    operator_sees_waiting_within(s, "desk-to-chat", 1, 10000);
    // The other direction goes on.
    customer_writes(s, "ada", "Still there?");
    ticket_shows_within(s, "ada", "Still there?", 10000);
    chat_shows_times(s, "ada", "Patience, please", 0);
    scenario_stop(s);
    scenario_start(s);
    operator_sees_waiting_within(s, "desk-to-chat", 1, 10000);
    answer = operator_asks(s, "status");
    assert_true(json_is_true(json_object_get(row_of(answer, "directions", "direction", "desk-to-chat"), "paused")));
    json_decref(answer);
    // Work that came after the restart passed it on the other side.
    customer_writes(s, "ben", "And I?");
    ticket_appears_within(s, "ben", 10000);
    chat_shows_times(s, "ada", "Patience, please", 0);
    operator_says(s, 0, "resume", "desk-to-chat");
    chat_shows_within(s, "ada", "Patience, please", 10000);
    everything_settles_within(s, 10000);
    scenario_stop(s);
    scenario_start(s);
    everything_settles_within(s, 10000);
    chat_shows_times(s, "ada", "Patience, please", 1);
    no_dead_letters(s);
    scenario_end(s);
}

static void a_paused_question_is_accepted_and_becomes_one_ticket(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    operator_says(s, 0, "pause", "chat-to-desk");
    customer_writes(s, "ada", "one");
    customer_writes(s, "ada", "two");
    operator_sees_waiting_within(s, "chat-to-desk", 2, 10000);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 0);
    scenario_kill_all(s);
    scenario_start(s);
    operator_sees_waiting_within(s, "chat-to-desk", 2, 10000);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 0);
    operator_says(s, 0, "resume", "chat-to-desk");
    ticket_appears_within(s, "ada", 10000);
    ticket_shows_within(s, "ada", "two", 10000);
    everything_settles_within(s, 10000);
    static const char *const said[] = {"one", "two"};
    ticket_shows_in_order(s, "ada", said, 2);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    operator_says(s, 1, "pause", "up");
    scenario_end(s);
}

// ---------------------------------------------------------------- backup
static void a_backup_is_made_while_it_runs(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    scenario_expect_error(s, "event=backup_failed");
    a_ticket_and_a_reply(s);
    char dir[96]; // where the front may write
    snprintf(dir, sizeof dir, "%s/state/backup", scenario_folder(s));
    operator_says(s, 0, "backup", dir);
    struct stat info;
    assert_int_equal(stat(dir, &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    operator_says(s, 1, "backup", dir);                    // it is there
    operator_says(s, 1, "backup", "/proc/no/such/folder"); // it cannot be
    customer_writes(s, "ben", "still open?");
    ticket_appears_within(s, "ben", 10000);
    scenario_end(s);
}

// ---------------------------------------------------------------- leaving
static void exit_codes_are_as_promised(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    const char *const by_config[] = {"-c", scenario_config(s), "status", NULL};
    assert_int_equal(operator_types(s, by_config, NULL), 0);
    operator_expects(s, 2, (const char *const[]){NULL});
    operator_says(s, 2, "no-such-command");
    operator_says(s, 2, "status", "--all");
    operator_says(s, 2, "trace");
    operator_says(s, 2, "dead");
    operator_says(s, 2, "--no-such-option");
    static const char *const no_config[] = {"-c", "/no/such/file", "status", NULL};
    assert_int_equal(operator_types(s, no_config, NULL), 3);
    const char *path = scenario_path(s, "bad.conf");
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "front {\n  thraeds = 5\n}\n");
    fclose(file);
    const char *const bad_config[] = {"-c", path, "status", NULL};
    char *output = NULL;
    assert_int_equal(operator_types(s, bad_config, &output), 3);
    assert_non_null(strstr(output, "bad.conf:2"));
    free(output);
    static const char *const help[] = {"--help", NULL};
    assert_int_equal(operator_types(s, help, &output), 0);
    assert_non_null(strstr(output, "Exit codes"));
    free(output);

    char socket[64];
    struct stat info;
    snprintf(socket, sizeof socket, "%s/run/control.sock", scenario_folder(s));
    assert_int_equal(stat(socket, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0660);

    scenario_kill_all(s); // which leaves the socket's name behind
    operator_says(s, 4, "status");
    scenario_start(s);
    operator_says(s, 0, "status");
    scenario_stop(s);
    operator_says(s, 4, "dead", "list");
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(status_tells_what_happened, scenario_teardown),
        cmocka_unit_test_teardown(trace_tells_a_conversation_by_its_id_and_by_its_ticket, scenario_teardown),
        cmocka_unit_test_teardown(keys_tell_when_each_was_last_used, scenario_teardown),
        cmocka_unit_test_teardown(a_paused_reply_is_held_over_a_restart_and_delivered_once, scenario_teardown),
        cmocka_unit_test_teardown(a_paused_question_is_accepted_and_becomes_one_ticket, scenario_teardown),
        cmocka_unit_test_teardown(a_backup_is_made_while_it_runs, scenario_teardown),
        cmocka_unit_test_teardown(exit_codes_are_as_promised, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
