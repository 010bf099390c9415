// SPDX-License-Identifier: Apache-2.0
// One frame between front and worker is lost: for each frame of a conversation in turn, in each direction. Every lane
// finishes, and each thing is done once. The rounds are shared out among processes, because almost all of a round is
// waiting.
//   test_lost_frames to_front | to_worker
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/scenario/story.h"

#define SHARES     6
#define ROUNDS_MAX 240

static const char *direction;
static int share;

// Returns false when the conversation has no such frame any more.
static bool talk_without_frame(void **state, int number)
{
    char drop[64];
    struct scenario_options options;
    scenario_options_init(&options);
    snprintf(drop, sizeof drop, "DESKBELL_TEST_DROP=%s:%d", direction, number);
    options.environment[0] = drop;
    options.workers = 1; // so that all frames are counted by one process
    struct scenario *s = scenario_begin(state, &options);
    customer_writes(s, "ada", "first question");
    ticket_appears_within(s, "ada", 15000);
    customer_writes(s, "ada", "second question");
    ticket_shows_within(s, "ada", "second question", 15000);
    agent_replies(s, "ada", STORY_ANNA, "<p>first answer</p>");
    chat_shows_within(s, "ada", "first answer", 15000);
    agent_types_in_chat(s, "ada", STORY_ANNA, "second answer");
    ticket_shows_within(s, "ada", "second answer", 15000);
    everything_settles_within(s, 20000);

    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    ticket_shows_times(s, "ada", "first question", 1);
    ticket_shows_times(s, "ada", "second question", 1);
    ticket_shows_times(s, "ada", "first answer", 1);
    ticket_shows_times(s, "ada", "second answer", 1);
    chat_shows_times(s, "ada", "first answer", 1);
    chat_shows_times(s, "ada", "second answer", 1);
    no_dead_letters(s);
    bool dropped = scenario_log_count(s, "seam_dropped_frame") > 0;
    scenario_end(s);
    scenario_teardown(state);
    return dropped;
}

static void each_frame_of_my_share_is_lost_once(void **state)
{
    int lost = 0, reached = 0;
    // Two rounds beyond the end: how many frames there are differs a little, with the seconds that a round takes.
    for (int number = 1 + share, missed = 0; missed < 2; number += SHARES) {
        assert_true(number <= ROUNDS_MAX);
        bool dropped = talk_without_frame(state, number);
        missed = dropped ? 0 : missed + 1;
        lost += dropped;
        reached = dropped ? number : reached;
    }
    assert_true(lost > 0); // a conversation has more frames than there are shares
    print_message("%s: %d frames lost, the last of them number %d\n", direction, lost, reached);
}

int main(int argc, char **argv)
{
    if (argc != 2 || (strcmp(argv[1], "to_front") != 0 && strcmp(argv[1], "to_worker") != 0)) {
        fprintf(stderr, "usage: test_lost_frames to_front | to_worker\n");
        return 2;
    }
    direction = argv[1];
    // Before any thread exists.
    pid_t pids[SHARES];
    for (share = 0; share < SHARES; share++) {
        pids[share] = fork();
        if (pids[share] < 0)
            return 1;
        if (pids[share] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(each_frame_of_my_share_is_lost_once, scenario_teardown),
            };
            exit(cmocka_run_group_tests(tests, NULL, NULL));
        }
    }
    int failed = 0;
    for (int i = 0; i < SHARES; i++) {
        int status = 0;
        if (waitpid(pids[i], &status, 0) != pids[i] || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
            failed++;
    }
    return failed == 0 ? 0 : 1;
}
