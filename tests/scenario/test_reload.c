// SPDX-License-Identifier: Apache-2.0
// Signals and restarts with the real processes: a reload, good or bad, a restart, workers that come and go. Whoever
// sends webhooks or scrapes meanwhile notices nothing, and no write is done twice or lost.
//
//   scenario_reload                          the stories, short
//   scenario_reload --load [RELOADS RESTARTS WAITING]   the big run: 50 20 100000, for a release build
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/scenario/story.h"
#include "tests/scenario/traffic.h"
#include "tests/scenario/wire.h"

enum { WITHIN_MS = 30000 };

static const struct traffic_options some_traffic = {
    .kept = 3, .fresh = 2, .gap_ms = 20, .scrapers = 1, .dawdlers = 1, .conversations = 8};

static struct scenario_options usual(void)
{
    struct scenario_options options;
    scenario_options_init(&options);
    options.replay_window_seconds = 0; // the traffic's messages are old
    return options;
}

// ---------------------------------------------------------------- waiting
struct line {
    struct scenario *s;
    const char *text;
    size_t times;
};

static bool is_logged(void *arg)
{
    const struct line *line = arg;
    return scenario_log_count(line->s, line->text) >= line->times;
}

static void logs_within(struct scenario *s, const char *text, size_t times, int timeout_ms)
{
    struct line line = {s, text, times};
    if (!scenario_wait(is_logged, &line, timeout_ms))
        scenario_fail("\"%s\" was not logged %zu times within %d ms", text, times, timeout_ms);
}
#define logs_within(...) (HERE, logs_within(__VA_ARGS__))

static void signals(struct scenario *s, int number)
{
    assert_int_equal(kill(scenario_supervisor(s), number), 0);
}

struct crew {
    struct scenario *s;
    size_t workers;
};

static bool is_crew(void *arg)
{
    const struct crew *crew = arg;
    struct scenario_status now;
    size_t ready = 0;
    if (!scenario_status(crew->s, &now) || now.worker_count != crew->workers)
        return false;
    for (size_t i = 0; i < now.worker_count; i++)
        ready += now.workers[i].ready;
    return ready == crew->workers;
}

static void workers_are_within(struct scenario *s, size_t workers, int timeout_ms)
{
    struct crew crew = {s, workers};
    if (!scenario_wait(is_crew, &crew, timeout_ms))
        scenario_fail("there are not %zu workers, all ready, after %d ms", workers, timeout_ms);
}
#define workers_are_within(...) (HERE, workers_are_within(__VA_ARGS__))

// Makes the next start of that kind fail, once.
static void fails_once(struct scenario *s, const char *moment)
{
    char path[256];
    snprintf(path, sizeof path, "%s/state/%s", scenario_folder(s), moment);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fclose(file);
}

// ---------------------------------------------------------------- stories
static void a_good_reload_under_traffic(void **state)
{
    struct scenario_options options = usual();
    struct scenario *s = scenario_begin(state, &options);
    struct scenario_status before = scenario_status_now(s);
    struct traffic *traffic = traffic_begin(s, &some_traffic);
    options = *scenario_options(s);
    options.workers = 3;
    options.in_flight = 8;
    scenario_configure(s, &options);
    signals(s, SIGHUP);
    logs_within(s, "event=reloaded", 1, WITHIN_MS);
    workers_are_within(s, 3, WITHIN_MS);
    assert_int_not_equal(scenario_status_now(s).front, before.front);
    for (size_t i = 0; i < before.worker_count; i++)
        scenario_process_gone_within(s, before.workers[i].pid, WITHIN_MS);
    // One more and one fewer, and one more reload for two signals that come together.
    signals(s, SIGTTIN);
    workers_are_within(s, 4, WITHIN_MS);
    signals(s, SIGTTOU);
    workers_are_within(s, 3, WITHIN_MS);
    signals(s, SIGHUP);
    logs_within(s, "event=reloading", 2, WITHIN_MS);
    signals(s, SIGHUP);
    logs_within(s, "event=reloaded", 3, WITHIN_MS);
    workers_are_within(s, 3, WITHIN_MS);
    struct traffic_result result = traffic_end(&traffic);
    traffic_was_served(&result);
    assert_int_equal(scenario_log_count(s, "event=child_killed"), 0);
    customer_writes(s, "ada", "after all that");
    ticket_appears_within(s, "ada", WITHIN_MS);
    no_dead_letters(s);
    scenario_end(s);
}

// What the operator is told, and that the same processes go on.
static void is_refused(struct scenario *s, size_t times, const char *why)
{
    logs_within(s, "event=reload_refused", times, WITHIN_MS);
    if (scenario_log_count(s, why) == 0)
        scenario_fail("no reload was refused because of \"%s\"", why);
    workers_are_within(s, 2, WITHIN_MS);
}

static void a_reload_that_fails_leaves_everything_as_it_was(void **state)
{
    struct scenario_options options = usual();
    options.fail_seam = true;
    struct scenario *s = scenario_begin(state, &options);
    scenario_expect_error(s, "event=reload_refused");
    struct scenario_status before = scenario_status_now(s);
    struct traffic *traffic = traffic_begin(s, &some_traffic);

    options = *scenario_options(s);
    options.more = "nosuch = 1";
    scenario_configure(s, &options);
    signals(s, SIGHUP);
    is_refused(s, 1, "unknown key 'nosuch'");
    options.more = "";
    scenario_configure(s, &options);

    fails_once(s, "worker_start");
    signals(s, SIGHUP);
    is_refused(s, 2, "a worker with the new configuration did not become ready");
    fails_once(s, "front_stage");
    signals(s, SIGHUP);
    is_refused(s, 3, "the front with the new configuration did not start");
    assert_int_equal(scenario_status_now(s).front, before.front);

    // The old front has closed the ledger: its configuration comes back with another process.
    fails_once(s, "front_open");
    signals(s, SIGHUP);
    is_refused(s, 4, "the front with the new configuration could not serve");
    assert_int_not_equal(scenario_status_now(s).front, before.front);
    for (size_t i = 0; i < before.worker_count; i++)
        assert_int_equal(kill(before.workers[i].pid, 0), 0);

    // And nothing is in the way of a good one.
    signals(s, SIGHUP);
    logs_within(s, "event=reloaded", 1, WITHIN_MS);
    workers_are_within(s, 2, WITHIN_MS);
    struct traffic_result result = traffic_end(&traffic);
    traffic_was_served(&result);
    customer_writes(s, "ada", "after all that");
    ticket_appears_within(s, "ada", WITHIN_MS);
    scenario_end(s);
}

// Every customer has a write out at a worker that is about to leave.
static void what_is_out_during_a_reload_is_done_once(void **state)
{
    static const char *const who[] = {"ada", "ben", "cem", "dan", "eva", "fay", "gil", "hal"};
    enum { CUSTOMERS = sizeof who / sizeof *who };
    struct scenario_options options = usual();
    options.request_timeout_ms = 8000;
    options.settle_ms = 8000;
    struct scenario *s = scenario_begin(state, &options);
    struct scenario_status before = scenario_status_now(s);
    const struct sandbox_fault slow = {
        .endpoint = SANDBOX_FD_TICKET_CREATE, .kind = SANDBOX_FAULT_SLOW, .ms = 2500, .count = CUSTOMERS};
    sandbox_fault_add(scenario_sandbox(s), &slow);
    for (size_t i = 0; i < CUSTOMERS; i++)
        customer_writes(s, who[i], "a slow helpdesk");
    assert_true(sandbox_wait_calls(scenario_sandbox(s), SANDBOX_FD_TICKET_CREATE, CUSTOMERS, WITHIN_MS) ||
                scenario_busy_worker(s, WITHIN_MS));
    signals(s, SIGHUP);
    logs_within(s, "event=reloaded", 1, WITHIN_MS);
    // The old workers are still there, with what they have, and known to the new front.
    assert_int_not_equal(scenario_status_now(s).front, before.front);
    for (size_t i = 0; i < CUSTOMERS; i++)
        ticket_appears_within(s, who[i], WITHIN_MS);
    for (size_t i = 0; i < before.worker_count; i++)
        scenario_process_gone_within(s, before.workers[i].pid, WITHIN_MS);
    everything_settles_within(s, WITHIN_MS);
    calls_are(s, SANDBOX_FD_TICKET_CREATE, CUSTOMERS);
    assert_int_equal(sandbox_ticket_count(scenario_sandbox(s)), CUSTOMERS);
    // Nothing was in doubt: the census named it all, and nobody was killed.
    assert_int_equal(scenario_log_count(s, "event=write_settled"), 0);
    assert_int_equal(scenario_log_count(s, "event=job_lost"), 0);
    assert_int_equal(scenario_log_count(s, "event=child_killed"), 0);
    no_dead_letters(s);
    scenario_end(s);
}

static void a_worker_that_has_done_enough_is_replaced(void **state)
{
    struct scenario_options options = usual();
    options.workers = 1;
    options.workers_more = "recycle_jobs = 12";
    struct scenario *s = scenario_begin(state, &options);
    struct scenario_status before = scenario_status_now(s);
    for (int i = 0; i < 6; i++) {
        char who[16];
        snprintf(who, sizeof who, "customer-%d", i);
        customer_writes(s, who, "one of many");
        ticket_appears_within(s, who, WITHIN_MS);
    }
    logs_within(s, "event=worker_recycled", 1, WITHIN_MS);
    assert_int_equal(scenario_log_count(s, "resident_mb=0"), 0); // confined, it can still say what it occupies
    scenario_process_gone_within(s, before.workers[0].pid, WITHIN_MS);
    workers_are_within(s, 1, WITHIN_MS);
    customer_writes(s, "ada", "to the new one");
    ticket_appears_within(s, "ada", WITHIN_MS);
    assert_int_equal(scenario_log_count(s, "event=child_killed"), 0);
    no_dead_letters(s);
    scenario_end(s);
}

// With the sockets of a socket unit a restart of the whole service refuses nobody.
static void a_restart_with_socket_units_under_traffic(void **state)
{
    struct scenario_options options = usual();
    options.socket_units = true;
    struct scenario *s = scenario_begin(state, &options);
    struct traffic *traffic = traffic_begin(s, &some_traffic);
    for (int i = 0; i < 2; i++) {
        customer_writes(s, i ? "ben" : "ada", "right before it");
        scenario_stop(s);
        scenario_start(s);
        signals(s, SIGHUP);
        logs_within(s, "event=reloaded", (size_t)i + 1, WITHIN_MS);
    }
    struct traffic_result result = traffic_end(&traffic);
    traffic_was_served(&result);
    ticket_appears_within(s, "ada", WITHIN_MS);
    ticket_appears_within(s, "ben", WITHIN_MS);
    no_dead_letters(s);
    scenario_end(s);
}

// As if a later CivetWeb kept its descriptor to itself: then the front binds the address, and says what that costs.
static void without_civetwebs_descriptor_a_reload_still_works(void **state)
{
    struct scenario_options options = usual();
    options.fail_seam = true;
    struct scenario *s = scenario_begin(state, &options);
    assert_int_equal(scenario_log_count(s, "seamless=1"), 1);
    for (size_t i = 1; i <= 2; i++) {
        fails_once(s, "hide_listener"); // for as long as the file is there
        signals(s, SIGHUP);
        logs_within(s, "event=reloaded", i, WITHIN_MS);
        assert_int_equal(scenario_log_count(s, "seamless=0"), i);
        assert_int_equal(scenario_log_count(s, "event=restarts_not_seamless listener=webhooks"), i);
        scenario_await_ready(s);
        customer_writes(s, i == 1 ? "ada" : "ben", "to a front that bound the address itself");
        ticket_appears_within(s, i == 1 ? "ada" : "ben", WITHIN_MS);
    }
    char path[256];
    snprintf(path, sizeof path, "%s/state/hide_listener", scenario_folder(s));
    assert_int_equal(remove(path), 0);
    signals(s, SIGHUP);
    logs_within(s, "event=reloaded", 3, WITHIN_MS);
    assert_int_equal(scenario_log_count(s, "seamless=1"), 2);
    customer_writes(s, "cem", "as it was before");
    ticket_appears_within(s, "cem", WITHIN_MS);
    scenario_end(s);
}

// ---------------------------------------------------------------- the big run
static int load_reloads = 50, load_restarts = 20, load_waiting = 100000;

static bool waits(void *arg)
{
    const struct line *line = arg;
    struct scenario_status now;
    return scenario_status(line->s, &now) && now.waiting >= (int64_t)line->times;
}

// Against a helpdesk that needs a second for each call, so that what waits goes on waiting while jobs are always out.
static void reloads_and_restarts_with_much_waiting(void **state)
{
    struct scenario_options options = usual();
    options.socket_units = true;
    options.log_level = "info";
    options.request_timeout_ms = 5000;
    options.settle_ms = 5000;
    options.retry_max_ms = 60000;
    struct scenario *s = scenario_begin(state, &options);
    struct traffic_options traffic_options = {
        .kept = 6, .fresh = 4, .gap_ms = 25, .scrapers = 1, .dawdlers = 1, .conversations = load_waiting / 5 + 1};
    const struct sandbox_fault slow = {.endpoint = SANDBOX_ANY, .kind = SANDBOX_FAULT_SLOW, .ms = 1000};
    int fault = sandbox_fault_add(scenario_sandbox(s), &slow);
    int64_t began_ms = scenario_now_ms();
    traffic_fill(s, (size_t)load_waiting, 32, traffic_options.conversations);
    print_message("filled with %d in %lld ms\n", load_waiting, (long long)(scenario_now_ms() - began_ms));
    struct line enough = {s, "", (size_t)load_waiting * 9 / 10};
    if (!scenario_wait(waits, &enough, WITHIN_MS))
        scenario_fail("not as many events wait as were sent");

    struct traffic *traffic = traffic_begin(s, &traffic_options);
    int64_t worst_reload_ms = 0, worst_restart_ms = 0;
    for (int i = 0; i < load_reloads || i < load_restarts; i++) {
        if (i < load_reloads) {
            began_ms = scenario_now_ms();
            signals(s, SIGHUP);
            logs_within(s, "event=reloaded", (size_t)i + 1, 2 * WITHIN_MS);
            int64_t took_ms = scenario_now_ms() - began_ms;
            worst_reload_ms = took_ms > worst_reload_ms ? took_ms : worst_reload_ms;
        }
        if (i < load_restarts) {
            began_ms = scenario_now_ms();
            scenario_stop(s);
            scenario_start(s);
            int64_t took_ms = scenario_now_ms() - began_ms;
            worst_restart_ms = took_ms > worst_restart_ms ? took_ms : worst_restart_ms;
        }
        struct traffic_result now = traffic_so_far(traffic);
        print_message("%d: %lu requests, worst %lld ms, %lu late, %lu unanswered\n", i + 1, now.requests,
                      (long long)now.worst_ms, now.late, now.unanswered);
    }
    struct traffic_result result = traffic_end(&traffic);
    print_message("%d reloads (the longest %lld ms), %d restarts (the longest %lld ms), %lld events waiting\n",
                  load_reloads, (long long)worst_reload_ms, load_restarts, (long long)worst_restart_ms,
                  (long long)scenario_status_now(s).waiting);
    traffic_was_served(&result);
    assert_int_equal(result.cut, 0);
    assert_int_equal(scenario_log_count(s, "event=child_killed"), 0);
    sandbox_fault_remove(scenario_sandbox(s), fault);
    scenario_end(s);
}

#define STORY(f) cmocka_unit_test_teardown(f, scenario_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        STORY(a_good_reload_under_traffic),
        STORY(a_reload_that_fails_leaves_everything_as_it_was),
        STORY(what_is_out_during_a_reload_is_done_once),
        STORY(a_worker_that_has_done_enough_is_replaced),
        STORY(a_restart_with_socket_units_under_traffic),
        STORY(without_civetwebs_descriptor_a_reload_still_works),
    };
    const struct CMUnitTest load[] = {STORY(reloads_and_restarts_with_much_waiting)};
    if (argc > 1 && strcmp(argv[1], "--load") == 0) {
        load_reloads = argc > 2 ? atoi(argv[2]) : load_reloads;
        load_restarts = argc > 3 ? atoi(argv[3]) : load_restarts;
        load_waiting = argc > 4 ? atoi(argv[4]) : load_waiting;
        return cmocka_run_group_tests_name("reload_load", load, NULL, NULL);
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]); // one story
    return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
