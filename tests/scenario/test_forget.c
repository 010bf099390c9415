// SPDX-License-Identifier: Apache-2.0
// A customer is forgotten: nothing of them is left in the ledger nor in its files, what they had is not done again, and
// what they write afterwards is a new customer's.
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/operator.h"
#include "tests/scenario/story.h"

static const char *const marks[] = {"Quokkarina", "QUOKKA.91@example.com", "umbrellaword", "refusedword", "replyword"};
enum { MARKS = sizeof marks / sizeof *marks };

static size_t found[MARKS];

static int search_file(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)where;
    if (kind != FTW_F || info->st_size == 0)
        return 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return 0; // the engine deletes files while we look
    char *bytes = malloc((size_t)info->st_size);
    assert_non_null(bytes);
    size_t size = fread(bytes, 1, (size_t)info->st_size, file);
    for (int i = 0; i < MARKS; i++)
        found[i] += memmem(bytes, size, marks[i], strlen(marks[i])) != NULL;
    free(bytes);
    fclose(file);
    return 0;
}

// Files below the state folder that hold any of the marks.
static size_t files_with_marks(struct scenario *s)
{
    char path[64];
    size_t files = 0;
    snprintf(path, sizeof path, "%s/state", scenario_folder(s));
    memset(found, 0, sizeof found);
    assert_int_equal(nftw(path, search_file, 16, FTW_PHYS), 0);
    for (int i = 0; i < MARKS; i++)
        files += found[i];
    return files;
}

static bool is_clean(void *arg)
{
    return files_with_marks(arg) == 0;
}

static int64_t number_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void refuse_notes(struct scenario *s, int count)
{
    struct sandbox_fault fault = {
        .endpoint = SANDBOX_FD_NOTE, .kind = SANDBOX_FAULT_STATUS, .status = 400, .count = count};
    sandbox_fault_add(scenario_sandbox(s), &fault);
}

static void a_forgotten_customer_is_gone_and_begins_anew(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.freshchat_more = "  poll_seconds = 1";
    struct scenario *s = scenario_begin(state, &options);
    scenario_expect_error(s, "event=dead_letter");
    struct sandbox_customer_info quokka = {.first_name = "Quokkarina",
                                           .email = "QUOKKA.91@example.com",
                                           .cart_value = "9.50",
                                           .friction_score = "3",
                                           .screen = "shop"}; // complete: nothing is read again later
    customer_arrives(s, "ada", &quokka);
    customer_writes(s, "ada", "My umbrellaword is broken");
    customer_writes(s, "ben", "And mine is blue");
    int64_t first = ticket_appears_within(s, "ada", 10000);
    ticket_appears_within(s, "ben", 10000);
    agent_replies(s, "ada", STORY_ANNA, "<p>replyword, a new one comes</p>");
    chat_shows_within(s, "ada", "replyword", 10000);
    everything_settles_within(s, 10000);
    refuse_notes(s, 1);
    customer_writes(s, "ada", "a refusedword");
    operator_sees_dead_within(s, 1, 10000);
    everything_settles_within(s, 10000);
    files_with_marks(s);
    for (int i = 0; i < 4; i++) // (the reply is kept by its id alone, as it was posted at once)
        if (!found[i])
            scenario_fail("%s is in no file, so nothing would be proved", marks[i]);

    operator_says(s, 1, "forget", " ");
    json_t *answer = operator_asks(s, "forget", "quokka.91@EXAMPLE.com", "--dry-run");
    assert_true(json_is_true(json_object_get(answer, "dry_run")));
    json_t *rows = json_object_get(answer, "rows");
    assert_int_equal(number_at(rows, "lanes"), 1);
    assert_int_equal(number_at(rows, "tickets"), 2); // by its number, and by the user
    assert_int_equal(number_at(rows, "dead"), 1);
    assert_true(number_at(rows, "history") >= 2);
    json_decref(answer);
    operator_says(s, 0, "trace", customer_of(s, "ada")->conversation_id); // it only counted
    operator_sees_dead_within(s, 1, 10000);

    answer = operator_asks(s, "forget", "quokka.91@EXAMPLE.com");
    assert_true(json_is_true(json_object_get(answer, "scrubbed")));
    assert_int_equal(json_integer_value(json_array_get(json_object_get(answer, "tickets"), 0)), first);
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "users"), 0)),
                        customer_of(s, "ada")->user_id);
    json_decref(answer);
    if (!scenario_wait(is_clean, s, 5000))
        scenario_fail("after forgetting, files hold name %zu, address %zu, words %zu, %zu and %zu times", found[0],
                      found[1], found[2], found[3], found[4]);
    char ticket[24];
    snprintf(ticket, sizeof ticket, "%lld", (long long)first);
    operator_says(s, 1, "trace", customer_of(s, "ada")->conversation_id);
    operator_says(s, 1, "trace", ticket);
    operator_sees_dead_within(s, 0, 10000);
    operator_says(s, 0, "trace", customer_of(s, "ben")->conversation_id);
    for (int i = 0; i < MARKS; i++)
        assert_int_equal(scenario_log_count(s, marks[i]), 0);

    // A change of the old ticket is nobody's; what was said is not said again, over a restart neither.
    scenario_stop(s);
    scenario_start(s);
    agent_replies(s, "ada", STORY_ANNA, "<p>Are you still there?</p>");
    everything_settles_within(s, 10000);
    chat_shows_times(s, "ada", "replyword", 1);
    chat_shows_times(s, "ada", "Are you still there?", 0);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 2);

    // New words are a new customer's; the polls that list the old ones find them seen.
    customer_writes(s, "ada", "Something new");
    int64_t second = 0;
    for (int64_t until = scenario_now_ms() + 10000; scenario_now_ms() < until && !second;)
        if (sandbox_ticket_count(scenario_sandbox(s)) == 3)
            second = first + 2;
    if (!second)
        scenario_fail("no new ticket");
    everything_settles_within(s, 10000);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 3);
    answer = operator_asks(s, "trace", customer_of(s, "ada")->conversation_id);
    assert_int_not_equal(number_at(answer, "ticket"), first);
    assert_int_equal(json_array_size(json_object_get(answer, "written_entries")), 0);
    json_decref(answer);
    no_dead_letters(s);
    char *text = NULL;
    assert_int_equal(operator_runs(s, (const char *const[]){"forget", "nobody@example.com", NULL}, &text), 0);
    assert_non_null(strstr(text, "knew nothing"));
    free(text);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_forgotten_customer_is_gone_and_begins_anew, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
