// SPDX-License-Identifier: Apache-2.0
// A process dies, or everything does, at one moment of one write: worker before and after the call, front between claim
// and handing out, between report and record, between record and ack. Whatever the moment, the write is done once. Each
// of the four writes has a process of its own here, because almost all of a conversation is waiting.
//   test_deaths before_call | after_call | claimed | reported | recorded
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/scenario/story.h"

static const char *const writes[] = {"create_ticket", "append_note", "post_message", "mirror_note"};
enum { WRITES = sizeof writes / sizeof *writes };

static const char *moment;
static const char *write_step;
static bool everything; // dies, not only the process

static bool has_died(void *arg)
{
    return scenario_log_count(arg, "seam_killed") > 0;
}

// After a sentence that the death may come behind: sees to it that the dead are replaced.
static void live_on(struct scenario *s, bool *died)
{
    if (!everything || *died || !has_died(s))
        return;
    *died = true;
    scenario_kill_all(s);
    scenario_start(s);
}

static void a_conversation_with_a_death_in_it(void **state)
{
    char folder[64], kill[96], once[128];
    snprintf(folder, sizeof folder, "/tmp/dbs.once.%d", (int)getpid());
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(kill, sizeof kill, "DESKBELL_TEST_KILL=%s%s:%s", everything ? "tree_" : "", moment, write_step);
    snprintf(once, sizeof once, "DESKBELL_TEST_ONCE_FILE=%s/mark", folder);
    struct scenario_options options;
    scenario_options_init(&options);
    options.environment[0] = kill;
    options.environment[1] = once;
    struct scenario *s = scenario_begin(state, &options);
    bool died = false;

    customer_writes(s, "ada", "first question");
    if (strcmp(write_step, "create_ticket") == 0)
        assert_true(scenario_wait(has_died, s, 10000));
    live_on(s, &died);
    ticket_appears_within(s, "ada", 10000);
    customer_writes(s, "ada", "second question");
    if (strcmp(write_step, "append_note") == 0)
        assert_true(scenario_wait(has_died, s, 10000));
    live_on(s, &died);
    ticket_shows_within(s, "ada", "second question", 10000);
    agent_replies(s, "ada", STORY_ANNA, "<p>first answer</p>");
    if (strcmp(write_step, "post_message") == 0)
        assert_true(scenario_wait(has_died, s, 10000));
    live_on(s, &died);
    chat_shows_within(s, "ada", "first answer", 10000);
    agent_types_in_chat(s, "ada", STORY_ANNA, "second answer");
    if (strcmp(write_step, "mirror_note") == 0)
        assert_true(scenario_wait(has_died, s, 10000));
    live_on(s, &died);
    ticket_shows_within(s, "ada", "second answer", 10000);
    everything_settles_within(s, 20000);

    assert_int_equal(scenario_log_count(s, "seam_killed"), 1); // else nothing was tested
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    static const char *const questions[] = {"first question", "second question"};
    ticket_shows_in_order(s, "ada", questions, 2);
    ticket_shows_times(s, "ada", "first answer", 1);
    ticket_shows_times(s, "ada", "second answer", 1);
    chat_shows_times(s, "ada", "first answer", 1);
    chat_shows_times(s, "ada", "second answer", 1);
    no_dead_letters(s);
    scenario_end(s);
    char mark[96];
    snprintf(mark, sizeof mark, "%s/mark", folder);
    unlink(mark);
    rmdir(folder);
}

static void one_process_dies(void **state)
{
    everything = false;
    a_conversation_with_a_death_in_it(state);
}

static void everything_dies(void **state)
{
    everything = true;
    a_conversation_with_a_death_in_it(state);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test_deaths before_call | after_call | claimed | reported | recorded\n");
        return 2;
    }
    moment = argv[1];
    // Before any thread exists.
    pid_t pids[WRITES];
    for (int i = 0; i < WRITES; i++) {
        write_step = writes[i];
        pids[i] = fork();
        if (pids[i] < 0)
            return 1;
        if (pids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(one_process_dies, scenario_teardown),
                cmocka_unit_test_teardown(everything_dies, scenario_teardown),
            };
            exit(cmocka_run_group_tests_name(write_step, tests, NULL, NULL));
        }
    }
    int failed = 0;
    for (int i = 0; i < WRITES; i++) {
        int status = 0;
        if (waitpid(pids[i], &status, 0) != pids[i] || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
            failed++;
    }
    return failed == 0 ? 0 : 1;
}
