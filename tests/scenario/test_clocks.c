// SPDX-License-Identifier: Apache-2.0
// This host's clock is sixty days wrong, and then right again: nothing is refused for its age, forgotten or given up
// on, and what was seen once is still known.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/scenario/story.h"

static void talk_across_a_jump(void **state, const char *environment)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.environment[0] = environment;
    struct scenario *s = scenario_begin(state, &options);
    struct draft draft = customer_drafts(s, "ada", "what time is it");
    delivered_at_once(s, &draft, 1, 1);
    assert_int_equal(draft.status, 200);
    ticket_appears_within(s, "ada", 5000);
    agent_replies(s, "ada", STORY_ANNA, "<p>that depends</p>");
    chat_shows_within(s, "ada", "that depends", 5000);
    customer_writes(s, "ada", "on what");
    ticket_shows_within(s, "ada", "on what", 5000);
    everything_settles_within(s, 15000);
    assert_true(scenario_log_count(s, "clock_disagrees") > 0);
    scenario_stop(s);

    scenario_start(s); // the clock is right again
    delivered_at_once(s, &draft, 1, 2);
    assert_int_equal(draft.status, 200);
    customer_writes(s, "ada", "now it is right");
    ticket_shows_within(s, "ada", "now it is right", 5000);
    agent_replies(s, "ada", STORY_ANNA, "<p>so it is</p>");
    chat_shows_within(s, "ada", "so it is", 5000);
    everything_settles_within(s, 15000);
    static const char *const said[] = {"what time is it", "on what", "now it is right"};
    ticket_shows_in_order(s, "ada", said, 3);
    chat_shows_times(s, "ada", "that depends", 1);
    chat_shows_times(s, "ada", "so it is", 1);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, 1);
    no_dead_letters(s);
    draft_clear(&draft);
    scenario_end(s);
}

static void sixty_days_ahead(void **state)
{
    talk_across_a_jump(state, "DESKBELL_TEST_CLOCK_OFFSET_MS=5184000000");
}

static void sixty_days_behind(void **state)
{
    talk_across_a_jump(state, "DESKBELL_TEST_CLOCK_OFFSET_MS=-5184000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(sixty_days_ahead, scenario_teardown),
        cmocka_unit_test_teardown(sixty_days_behind, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
