// SPDX-License-Identifier: Apache-2.0
// deskbelld as an operator meets it: what it says of a bad configuration, that there is one instance, that children are
// replaced, and that it leaves when asked.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>

#include <cmocka.h>

#include "tests/scenario/story.h"
#include "tests/scenario/wire.h"

static void one_instance_for_one_state_folder(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    char *output = NULL;
    const char *const arguments[] = {"-c", scenario_config(s), NULL};
    int code = scenario_run_deskbelld(s, arguments, 10000, &output);
    assert_true(code > 0);
    assert_true(strlen(output) > 20); // a sentence
    free(output);
    // The first is none the worse for it.
    customer_writes(s, "ada", "still there?");
    ticket_appears_within(s, "ada", 2000);
    scenario_end(s);
}

static void a_bad_configuration_is_named_with_file_and_line(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    char *output = NULL;
    const char *const check[] = {"-t", "-c", scenario_config(s), NULL};
    assert_int_equal(scenario_run_deskbelld(s, check, 10000, &output), 0);
    free(output);

    const char *path = scenario_path(s, "bad.conf");
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "state_dir = \"/tmp\"\nfront {\n  thraeds = 5\n}\n");
    fclose(file);
    const char *const check_bad[] = {"-t", "-c", path, NULL};
    assert_int_equal(scenario_run_deskbelld(s, check_bad, 10000, &output), 3);
    assert_non_null(strstr(output, "bad.conf:3"));
    assert_non_null(strstr(output, "thraeds"));
    free(output);
    const char *const run_bad[] = {"-c", path, NULL};
    assert_int_equal(scenario_run_deskbelld(s, run_bad, 10000, &output), 3);
    free(output);
    scenario_end(s);
}

struct replaced {
    struct scenario *s;
    struct scenario_status before;
};

static bool are_all_replaced(void *arg)
{
    struct replaced *replaced = arg;
    struct scenario_status now;
    if (!scenario_status(replaced->s, &now) || now.worker_count != replaced->before.worker_count)
        return false;
    for (size_t i = 0; i < now.worker_count; i++) {
        if (!now.workers[i].ready)
            return false;
        for (size_t j = 0; j < replaced->before.worker_count; j++) {
            if (now.workers[i].pid == replaced->before.workers[j].pid)
                return false;
        }
    }
    return true;
}

static void dead_workers_are_replaced(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "before");
    ticket_appears_within(s, "ada", 2000);
    struct replaced replaced = {s, scenario_status_now(s)};
    assert_int_equal(replaced.before.worker_count, 2);
    for (size_t i = 0; i < replaced.before.worker_count; i++)
        assert_int_equal(kill(replaced.before.workers[i].pid, SIGKILL), 0);
    assert_true(scenario_wait(are_all_replaced, &replaced, 15000));
    customer_writes(s, "ada", "after");
    ticket_shows_within(s, "ada", "after", 4000);
    scenario_end(s);
}

static void health_readiness_and_metrics_are_told(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    char *body = NULL;
    assert_int_equal(wire_get(scenario_address(s), scenario_admin_port(s), "/healthz", NULL), 200);
    assert_int_equal(wire_get(scenario_address(s), scenario_admin_port(s), "/readyz", NULL), 200);
    customer_writes(s, "ada", "count me");
    ticket_appears_within(s, "ada", 2000);
    assert_int_equal(wire_get(scenario_address(s), scenario_admin_port(s), "/metrics", &body), 200);
    assert_non_null(strstr(body, "# TYPE deskbell_"));
    free(body);
    // Nothing of the admin's is on the public address, and the other way round.
    assert_int_equal(wire_get(scenario_address(s), scenario_port(s), "/metrics", NULL), 404);
    assert_int_equal(wire_get(scenario_address(s), scenario_port(s), "/status", NULL), 404);
    assert_int_equal(wire_post(scenario_address(s), scenario_admin_port(s), "/webhooks/freshdesk", "", "{}", 2, NULL),
                     404);
    scenario_end(s);
}

static void secrets_are_not_in_the_log(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "hello");
    ticket_appears_within(s, "ada", 2000);
    agent_replies(s, "ada", STORY_ANNA, "<p>hello back</p>");
    chat_shows_within(s, "ada", "hello back", 2000);
    everything_settles_within(s, 10000);
    assert_int_equal(scenario_log_count(s, sandbox_freshchat_token(scenario_sandbox(s))), 0);
    assert_int_equal(scenario_log_count(s, sandbox_freshdesk_key(scenario_sandbox(s))), 0);
    assert_int_equal(scenario_log_count(s, sandbox_hint_token(scenario_sandbox(s))), 0);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(one_instance_for_one_state_folder, scenario_teardown),
        cmocka_unit_test_teardown(a_bad_configuration_is_named_with_file_and_line, scenario_teardown),
        cmocka_unit_test_teardown(dead_workers_are_replaced, scenario_teardown),
        cmocka_unit_test_teardown(health_readiness_and_metrics_are_told, scenario_teardown),
        cmocka_unit_test_teardown(secrets_are_not_in_the_log, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
