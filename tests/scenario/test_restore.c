// SPDX-License-Identifier: Apache-2.0
// A backup is put in place after the world has gone on: Deskbell begins paused, and resumed it repeats nothing that was
// written since, loses nothing that was said, and goes on.
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/operator.h"
#include "tests/scenario/story.h"

// Longer than polls rest, and than a write in doubt takes to settle.
enum { QUIET_MS = 3500, SETTLES_WITHIN_MS = 60000 };

static struct scenario *begin_polling(void **state)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.freshchat_more = "poll_seconds = 1";
    options.freshdesk_more = "poll_seconds = 1";
    return scenario_begin(state, &options);
}

static void back_up(struct scenario *s)
{
    char dir[128];
    snprintf(dir, sizeof dir, "%s/state/backup", scenario_folder(s));
    operator_says(s, 0, "backup", dir);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

// As docs/ledger.md says: stop, put the copy in the ledger's place.
static void put_backup_in_place(struct scenario *s)
{
    char dir[128], ledger[128];
    snprintf(dir, sizeof dir, "%s/state/backup", scenario_folder(s));
    snprintf(ledger, sizeof ledger, "%s/state/ledger", scenario_folder(s));
    assert_int_equal(nftw(ledger, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(rename(dir, ledger), 0);
}

// Requests that change something in either product.
static size_t writes_so_far(struct scenario *s)
{
    static const int endpoints[] = {SANDBOX_FD_TICKET_CREATE, SANDBOX_FD_TICKET_PUT,   SANDBOX_FD_NOTE,
                                    SANDBOX_FD_REPLY,         SANDBOX_FC_MESSAGE_POST, SANDBOX_FC_CONVERSATION_PUT};
    size_t count = 0;
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++)
        count += sandbox_call_count(scenario_sandbox(s), endpoints[i]);
    return count;
}

struct quiet {
    struct scenario *s;
    size_t writes;
    int64_t since_ms;
};

static bool is_quiet(void *arg)
{
    struct quiet *quiet = arg;
    struct scenario_status status;
    size_t writes = writes_so_far(quiet->s);
    if (sandbox_webhooks_waiting(scenario_sandbox(quiet->s)) || !scenario_status(quiet->s, &status) || status.waiting ||
        writes != quiet->writes) {
        quiet->writes = writes;
        quiet->since_ms = scenario_now_ms();
    }
    return scenario_now_ms() - quiet->since_ms >= QUIET_MS;
}

// Nothing waits and nothing was written for longer than the polls rest: what they could find, they have found.
static void nothing_more_is_written(struct scenario *s)
{
    struct quiet quiet = {.s = s, .since_ms = scenario_now_ms()};
    if (!scenario_wait(is_quiet, &quiet, SETTLES_WITHIN_MS))
        scenario_fail("it does not come to rest within %d ms", SETTLES_WITHIN_MS);
}

static void is_paused(struct scenario *s, bool paused)
{
    json_t *row;
    size_t i;
    json_t *status = operator_asks(s, "status");
    assert_int_equal(json_array_size(json_object_get(status, "directions")), 2);
    json_array_foreach(json_object_get(status, "directions"), i, row)
    {
        assert_int_equal(json_is_true(json_object_get(row, "paused")), paused);
    }
    assert_true(json_integer_value(json_object_get(status, "restored_ms")) > 0);
    json_decref(status);
}

static void resume(struct scenario *s)
{
    operator_says(s, 0, "resume", "chat-to-desk");
    operator_says(s, 0, "resume", "desk-to-chat");
}

// What the backup holds: a conversation of both sides.
static void before_the_backup(struct scenario *s)
{
    customer_writes(s, "ada", "before one");
    ticket_appears_within(s, "ada", 10000);
    customer_writes(s, "ada", "before two");
    agent_replies(s, "ada", STORY_ANNA, "<p>before answer</p>");
    agent_notes_privately(s, "ada", STORY_ANNA, "<p>before secret</p>");
    agent_types_in_chat(s, "ada", STORY_CHRIS, "before typed");
    ticket_shows_within(s, "ada", "before two", 10000);
    ticket_shows_within(s, "ada", "before typed", 10000);
    chat_shows_within(s, "ada", "before answer", 10000);
    nothing_more_is_written(s);
}

// What the backup does not know, though all of it was written.
static void after_the_backup(struct scenario *s)
{
    customer_writes(s, "ada", "since one"); // together in one note
    customer_writes(s, "ada", "since two");
    customer_writes(s, "ada", "since three");
    agent_types_in_chat(s, "ada", STORY_CHRIS, "since typed");
    agent_replies(s, "ada", STORY_ANNA, "<p>since <b>answer</b></p>");
    agent_notes(s, "ada", STORY_BEN, "<p>since note of Ben</p>");
    agent_notes_privately(s, "ada", STORY_ANNA, "<p>since secret</p>");
    customer_writes(s, "bob", "begun since");
    ticket_appears_within(s, "bob", 10000);
    customer_writes(s, "bob", "bob again");
    agent_replies(s, "bob", STORY_ANNA, "<p>answer to bob</p>");
    agent_types_in_chat(s, "bob", STORY_CHRIS, "typed to bob");
    ticket_shows_within(s, "ada", "since three", 10000);
    ticket_shows_within(s, "ada", "since typed", 10000);
    chat_shows_within(s, "ada", "since answer", 10000);
    chat_shows_within(s, "ada", "since note of Ben", 10000);
    ticket_shows_within(s, "bob", "bob again", 10000);
    ticket_shows_within(s, "bob", "typed to bob", 10000);
    chat_shows_within(s, "bob", "answer to bob", 10000);
    nothing_more_is_written(s);
}

static void while_it_is_paused(struct scenario *s)
{
    customer_writes(s, "ada", "paused one");
    agent_replies(s, "ada", STORY_ANNA, "<p>paused answer</p>");
    agent_types_in_chat(s, "ada", STORY_CHRIS, "paused typed");
    customer_writes(s, "bob", "bob paused");
    agent_replies(s, "bob", STORY_BEN, "<p>paused to bob</p>");
    customer_writes(s, "cleo", "begun while paused");
}

static void restore(struct scenario *s)
{
    scenario_stop(s);
    put_backup_in_place(s);
    size_t before = writes_so_far(s);
    scenario_start(s);
    is_paused(s, true);
    while_it_is_paused(s);
    operator_sees_waiting_within(s, "chat-to-desk", 3 + 1, 10000); // ada's, what was typed, bob's, cleo's
    is_paused(s, true);
    assert_int_equal(writes_so_far(s), before);
    static const char *const words[] = {"status", NULL};
    char *output = NULL;
    assert_int_equal(operator_runs(s, words, &output), 0);
    assert_non_null(strstr(output, "restored from a backup"));
    free(output);
}

// Everything that was said, on both sides, exactly once; `later` too.
static void everything_is_there_once(struct scenario *s)
{
    static const char *const of_ada[] = {"before one", "before two", "since one",    "since two",   "since three",
                                         "paused one", "later one",  "before typed", "since typed", "paused typed"};
    static const char *const of_bob[] = {"begun since", "bob again", "typed to bob", "bob paused", "later bob"};
    static const char *const to_ada[] = {"before answer", "since answer", "since note of Ben", "paused answer",
                                         "later answer"};
    static const char *const to_bob[] = {"answer to bob", "paused to bob"};
    for (size_t i = 0; i < sizeof of_ada / sizeof *of_ada; i++) {
        ticket_shows_times(s, "ada", of_ada[i], 1);
        chat_shows_times(s, "ada", of_ada[i], 1);
    }
    for (size_t i = 0; i < sizeof of_bob / sizeof *of_bob; i++) {
        ticket_shows_times(s, "bob", of_bob[i], 1);
        chat_shows_times(s, "bob", of_bob[i], 1);
    }
    for (size_t i = 0; i < sizeof to_ada / sizeof *to_ada; i++) {
        ticket_shows_times(s, "ada", to_ada[i], 1);
        chat_shows_times(s, "ada", to_ada[i], 1);
    }
    for (size_t i = 0; i < sizeof to_bob / sizeof *to_bob; i++) {
        ticket_shows_times(s, "bob", to_bob[i], 1);
        chat_shows_times(s, "bob", to_bob[i], 1);
    }
    ticket_shows_times(s, "cleo", "begun while paused", 1);
    chat_shows_times(s, "ada", "before secret", 0);
    chat_shows_times(s, "ada", "since secret", 0);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 3);
    assert_int_equal(sandbox_ticket_count(scenario_sandbox(s)), 3);
    no_dead_letters(s);
}

static void goes_on(struct scenario *s)
{
    customer_writes(s, "ada", "later one");
    customer_writes(s, "bob", "later bob");
    agent_replies(s, "ada", STORY_ANNA, "<p>later answer</p>");
    ticket_shows_within(s, "ada", "later one", 20000);
    ticket_shows_within(s, "bob", "later bob", 20000);
    chat_shows_within(s, "ada", "later answer", 20000);
}

static void arrived_what_was_said_while_paused(struct scenario *s)
{
    ticket_shows_within(s, "ada", "paused one", 30000);
    ticket_shows_within(s, "ada", "paused typed", 30000);
    ticket_shows_within(s, "bob", "bob paused", 30000);
    ticket_appears_within(s, "cleo", 30000);
    chat_shows_within(s, "ada", "paused answer", 30000);
    chat_shows_within(s, "bob", "paused to bob", 30000);
}

static void a_restored_backup_repeats_nothing(void **state)
{
    struct scenario *s = begin_polling(state);
    before_the_backup(s);
    back_up(s);
    after_the_backup(s);
    restore(s);
    resume(s);
    arrived_what_was_said_while_paused(s);
    nothing_more_is_written(s);
    is_paused(s, false);
    goes_on(s);
    nothing_more_is_written(s);
    everything_is_there_once(s);
    scenario_end(s);
}

static void nor_does_a_front_that_dies_while_it_looks(void **state)
{
    struct scenario *s = begin_polling(state);
    before_the_backup(s);
    back_up(s);
    after_the_backup(s);
    restore(s);
    // A front that begins again before it was resumed is paused still.
    scenario_kill_all(s);
    scenario_start(s);
    is_paused(s, true);
    resume(s);
    scenario_kill_all(s);
    scenario_start(s);
    is_paused(s, false); // it was told
    ticket_shows_within(s, "ada", "paused one", 30000);
    scenario_kill_all(s);
    scenario_start(s);
    arrived_what_was_said_while_paused(s);
    nothing_more_is_written(s);
    goes_on(s);
    nothing_more_is_written(s);
    everything_is_there_once(s);
    scenario_end(s);
}

// The newest message opens nothing new, whichever side is resumed first: the desk's lane knows nothing of bob's ticket
// while no poll may run.
static void one_side_alone_repeats_nothing(void **state)
{
    struct scenario *s = begin_polling(state);
    before_the_backup(s);
    back_up(s);
    after_the_backup(s);
    restore(s);
    operator_says(s, 0, "resume", "chat-to-desk");
    ticket_shows_within(s, "bob", "bob paused", 30000);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 3); // cleo's too
    operator_says(s, 0, "resume", "desk-to-chat");
    arrived_what_was_said_while_paused(s);
    nothing_more_is_written(s);
    goes_on(s);
    nothing_more_is_written(s);
    everything_is_there_once(s);
    scenario_end(s);
}

// The backup is taken while all of it is under way; a reply goes into the chat in pieces; the same words are said
// again.
static void a_backup_in_the_midst_of_things_repeats_nothing(void **state)
{
    enum { LONG = 9000 };
    static char html[LONG + 32];
    struct scenario *s = begin_polling(state);
    customer_writes(s, "ada", "are you there");
    ticket_appears_within(s, "ada", 10000);
    strcpy(html, "<p>first words");
    for (size_t length = strlen(html); length < LONG; length = strlen(html))
        snprintf(html + length, sizeof html - length, " %zu", length);
    strcat(html, " last words</p>");
    customer_writes(s, "ada", "yes");
    customer_writes(s, "ada", "a crossing question");
    agent_types_in_chat(s, "ada", STORY_CHRIS, "a crossing word");
    agent_replies(s, "ada", STORY_ANNA, html);
    agent_replies(s, "ada", STORY_ANNA, "<p>you are welcome</p>");
    back_up(s);
    chat_shows_within(s, "ada", "you are welcome", 20000);
    customer_writes(s, "ada", "thank you");
    customer_writes(s, "bob", "crossing too");
    ticket_appears_within(s, "bob", 10000);
    nothing_more_is_written(s);
    customer_writes(s, "ada", "yes");
    nothing_more_is_written(s);
    scenario_stop(s);
    put_backup_in_place(s);
    scenario_start(s);
    is_paused(s, true);
    customer_writes(s, "ada", "yes");
    agent_replies(s, "ada", STORY_ANNA, "<p>you are welcome</p>"); // which is another one
    resume(s);
    nothing_more_is_written(s);
    static const char *const once[] = {"are you there", "a crossing question", "a crossing word", "thank you"};
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        ticket_shows_times(s, "ada", once[i], 1);
        chat_shows_times(s, "ada", once[i], 1);
    }
    ticket_shows_times(s, "ada", "yes", 3);
    chat_shows_times(s, "ada", "yes", 3);
    ticket_shows_times(s, "ada", "you are welcome", 2);
    chat_shows_times(s, "ada", "you are welcome", 2);
    ticket_shows_times(s, "ada", "first words", 1);
    chat_shows_times(s, "ada", "first words", 1);
    ticket_shows_times(s, "ada", "last words", 1);
    chat_shows_times(s, "ada", "last words", 1);
    ticket_shows_times(s, "bob", "crossing too", 1);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 2);
    no_dead_letters(s);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_restored_backup_repeats_nothing, scenario_teardown),
        cmocka_unit_test_teardown(nor_does_a_front_that_dies_while_it_looks, scenario_teardown),
        cmocka_unit_test_teardown(one_side_alone_repeats_nothing, scenario_teardown),
        cmocka_unit_test_teardown(a_backup_in_the_midst_of_things_repeats_nothing, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
