// SPDX-License-Identifier: Apache-2.0
// The fault campaign: many people talk, in an order that a seed decides, while processes are killed and stopped and
// Freshworks misbehaves. Then everything is left in peace, and both sides are compared with what was said: nothing
// lost, nothing twice, no second ticket, nothing out of order, nothing private in the chat, no dead letter.
//
//   scenario_campaign [--seed N] [--seconds N] [--rate PER_SECOND] [--keep-webhooks] [--no-faults] [--valgrind]
//   [--plan]
//
// --keep-webhooks: none is dropped, so polls have nothing to repair. --no-faults: only what is said. --valgrind: front
// and workers run under it, and no process is struck. --plan: prints the plan's fingerprint only.
//
// One thread speaks for all customers and agents; the main thread deals the blows.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/scenario/campaign.h"
#include "tests/scenario/inside.h"
#include "tests/scenario/processes.h"
#include "tests/scenario/story.h"

#define PEACE_MS    240000 // after which everything must be settled
#define QUIET_MS    4000   // without any change before both sides are compared
#define PROCESSES   64
#define REVIVE_MS   60000
#define GROWN_UP_MS 1500 // a process so old is at work, sanitizers included

static struct campaign_options options = {.seed = 1, .seconds = 60, .rate = 6.0, .drop_hooks = true};
static bool plan_only;
static bool under_valgrind; // front and workers; then no process is struck, and everybody has time

struct run {
    struct scenario *s;
    struct sandbox *sb;
    struct campaign *c;
    int64_t begun_ms;
    int *faults; // numbers of the sandbox's faults, by blow
    size_t dealt[BLOW_KINDS];
    size_t missed;          // blows that found no process
    size_t killed, stopped; // processes
    size_t left;            // deskbelld left without having been killed
    size_t starts;
    int ticks; // messages per millisecond
    bool cut_short;
};

// ---------------------------------------------------------------- those who speak
static void next_millisecond(void)
{
    const struct timespec pause = {.tv_nsec = 1200000};
    nanosleep(&pause, NULL); // a webhook tells no smaller time than a millisecond
}

// Says it, if it can be said by now: agents at the desk need a ticket.
static bool speak(struct run *run, struct campaign_act *act)
{
    static const enum sandbox_entry_kind kinds[] = {[CAMPAIGN_REPLY] = SANDBOX_REPLY,
                                                    [CAMPAIGN_NOTE] = SANDBOX_PUBLIC_NOTE,
                                                    [CAMPAIGN_PRIVATE] = SANDBOX_PRIVATE_NOTE};
    const struct sandbox_customer *customer = &run->c->customers[act->conversation];
    int64_t ticket = 0;
    switch (act->kind) {
    case CAMPAIGN_CUSTOMER:
        next_millisecond();
        sandbox_customer_writes(run->sb, customer, act->text, act->message_id);
        break;
    case CAMPAIGN_TYPED:
    case CAMPAIGN_ASIDE:
        next_millisecond();
        if (!sandbox_agent_types(run->sb, customer->conversation_id, act->agent, act->text,
                                 act->kind == CAMPAIGN_TYPED ? "normal" : "private", act->message_id))
            abort();
        break;
    default:
        if (sandbox_tickets_of(run->sb, customer->conversation_id, &ticket) == 0)
            return false;
        act->entry_id = sandbox_agent_writes(run->sb, ticket, act->agent, kinds[act->kind], act->text);
        if (act->entry_id == 0)
            abort();
    }
    act->said = true;
    return true;
}

// Speaks for everybody, by the plan's clock. Within a conversation nobody overtakes: who cannot speak yet is waited
// for.
static void *speak_for_all(void *arg)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    struct run *run = arg;
    bool *waiting = calloc((size_t)run->c->conversation_count, sizeof *waiting);
    if (!waiting)
        abort();
    size_t first = 0;
    int64_t end_ms = (int64_t)options.seconds * 1000 + PEACE_MS / 2;
    for (int64_t now = 0; first < run->c->act_count && now < end_ms; now = scenario_now_ms() - run->begun_ms) {
        memset(waiting, 0, (size_t)run->c->conversation_count * sizeof *waiting);
        for (size_t i = first; i < run->c->act_count && run->c->acts[i].at_ms <= now; i++) {
            struct campaign_act *act = &run->c->acts[i];
            if (!act->said && !waiting[act->conversation])
                waiting[act->conversation] = !speak(run, act);
        }
        while (first < run->c->act_count && run->c->acts[first].said)
            first++;
        nanosleep(&pause, NULL);
    }
    run->cut_short = first < run->c->act_count;
    free(waiting);
    return NULL;
}

// ---------------------------------------------------------------- those who strike
static void log_blow(struct run *run, const char *what, pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "%s/log", scenario_folder(run->s));
    FILE *log = fopen(path, "ae");
    if (!log)
        return;
    struct timespec now;
    struct tm utc;
    char text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &utc));
    fprintf(log, "%s.%03ldZ campaign: %s, pid %d\n", text, now.tv_nsec / 1000000, what, (int)pid);
    fclose(log);
}

static void begin_again(struct run *run)
{
    scenario_kill_all(run->s);
    scenario_launch(run->s);
    run->starts++;
}

// deskbelld itself must only ever go when it was killed.
static void see_to_deskbelld(struct run *run, bool expected)
{
    int status = 0;
    pid_t pid = scenario_supervisor(run->s);
    if (pid > 0 && !processes_reap(pid, &status))
        return;
    if (!expected) {
        run->left++;
        fprintf(stderr, "  deskbelld left by itself, wait status %#x\n", (unsigned)status);
    }
    begin_again(run);
}

static bool strike(struct run *run, pid_t pid, int signal_number, const char *what)
{
    if (pid <= 1 || kill(pid, signal_number) != 0) {
        run->missed++;
        return false;
    }
    log_blow(run, what, pid);
    run->killed += signal_number == SIGKILL;
    run->stopped += signal_number == SIGSTOP;
    return true;
}

// How long a process has run; its name in *name. Negative when it is gone.
static int64_t age_of(pid_t pid, char name[32])
{
    char path[64], text[512];
    unsigned long long ticks = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[got] = '\0';
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (!open || !close ||
        sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &ticks) != 1)
        return -1;
    *close = '\0';
    snprintf(name, 32, "%s", open + 1);
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000 -
           (int64_t)(ticks * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
}

// A process of that program, 0 when there is none. Asks nobody: the front may be the one that stands still. One that
// has only just begun is left alone, or the supervisor would rightly wait longer and longer before it starts the next.
static pid_t process_named(const char *name, unsigned which)
{
    pid_t pids[PROCESSES], found[PROCESSES];
    size_t count = processes_descendants(pids, PROCESSES), found_count = 0;
    for (size_t i = 0; i < count && i < PROCESSES; i++) {
        char own[32] = "";
        if (age_of(pids[i], own) >= GROWN_UP_MS && strcmp(own, name) == 0)
            found[found_count++] = pids[i];
    }
    return found_count ? found[which % found_count] : 0;
}

static void pause_for(struct run *run, pid_t pid, int64_t ms, const char *what)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    if (!strike(run, pid, SIGSTOP, what))
        return;
    nanosleep(&pause, NULL);
    kill(pid, SIGCONT);
    log_blow(run, "goes on", pid);
}

static void kill_any(struct run *run, unsigned which)
{
    pid_t pids[PROCESSES];
    size_t count = processes_descendants(pids, PROCESSES);
    if (count > PROCESSES)
        count = PROCESSES;
    if (count == 0 || !strike(run, pids[which % count], SIGKILL, "any process killed"))
        return;
    if (pids[which % count] == scenario_supervisor(run->s)) {
        scenario_process_gone_within(run->s, scenario_supervisor(run->s), 5000);
        see_to_deskbelld(run, true);
    }
}

static void restart(struct run *run)
{
    if (!process_named("deskbell-front", 0)) {
        run->missed++;
        return;
    }
    log_blow(run, "asked to leave", scenario_supervisor(run->s));
    scenario_stop(run->s);
    scenario_launch(run->s);
    run->starts++;
}

static void deal(struct run *run, size_t number)
{
    const struct campaign_blow *blow = &run->c->blows[number];
    pid_t front = 0, worker = 0;
    size_t missed = run->missed;
    if (blow->kind == BLOW_FAULT) {
        run->faults[number] = sandbox_fault_add(run->sb, &blow->fault);
        run->dealt[BLOW_FAULT]++;
        return;
    }
    front = process_named("deskbell-front", blow->which);
    worker = process_named("deskbell-worker", blow->which);
    switch (blow->kind) {
    case BLOW_KILL_WORKER:
        strike(run, worker, SIGKILL, "worker killed");
        break;
    case BLOW_KILL_FRONT:
        strike(run, front, SIGKILL, "front killed");
        break;
    case BLOW_KILL_ANY:
        kill_any(run, blow->which);
        break;
    case BLOW_KILL_ALL:
        log_blow(run, "everything killed", scenario_supervisor(run->s));
        run->killed += processes_descendants(NULL, 0);
        begin_again(run);
        break;
    case BLOW_STOP_WORKER:
        strike(run, worker, SIGSTOP, "worker stopped");
        break;
    case BLOW_STOP_FRONT:
        strike(run, front, SIGSTOP, "front stopped");
        break;
    case BLOW_PAUSE_WORKER:
        pause_for(run, worker, blow->ms, "worker paused");
        break;
    case BLOW_PAUSE_FRONT:
        pause_for(run, front, blow->ms, "front paused");
        break;
    case BLOW_RELOAD:
        strike(run, front ? scenario_supervisor(run->s) : 0, SIGHUP, "reload");
        break;
    case BLOW_RESTART:
        restart(run);
        break;
    default:
        abort();
    }
    run->dealt[blow->kind] += run->missed == missed;
}

// By the plan's clock, which stands still while a blow takes its time: what follows must not fall all at once.
static void strike_by_plan(struct run *run)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    int64_t behind_ms = 0, end_ms = (int64_t)options.seconds * 1000 + 2000;
    for (size_t i = 0; i < run->c->blow_count;) {
        int64_t now = scenario_now_ms() - run->begun_ms;
        see_to_deskbelld(run, false);
        if (now > end_ms)
            break;
        if (now - behind_ms >= run->c->blows[i].at_ms) {
            deal(run, i++);
            behind_ms += scenario_now_ms() - run->begun_ms - now;
        } else {
            nanosleep(&pause, NULL);
        }
    }
}

// ---------------------------------------------------------------- peace
struct peace {
    struct run *run;
    size_t entries, messages;
    int64_t changed_ms, looked_ms;
    bool complete;
};

static size_t all_entries(struct run *run, size_t *messages)
{
    struct sandbox_ticket *tickets = NULL;
    size_t count = sandbox_tickets(run->sb, &tickets), entries = count;
    for (size_t i = 0; i < count; i++)
        entries += tickets[i].entry_count;
    sandbox_tickets_free(tickets, count);
    *messages = 0;
    for (int i = 0; i < run->c->conversation_count; i++)
        *messages += sandbox_messages_with(run->sb, run->c->customers[i].conversation_id, NULL);
    return entries;
}

static bool is_peaceful(void *arg)
{
    struct peace *peace = arg;
    struct scenario_status status;
    size_t messages = 0;
    int64_t now = scenario_now_ms();
    see_to_deskbelld(peace->run, false);
    if (now - peace->looked_ms < 250)
        return false;
    peace->looked_ms = now;
    size_t entries = all_entries(peace->run, &messages);
    bool idle = sandbox_webhooks_waiting(peace->run->sb) == 0 && scenario_status(peace->run->s, &status) &&
                status.waiting == 0 && status.out == 0;
    if (!idle || entries != peace->entries || messages != peace->messages) {
        peace->entries = entries;
        peace->messages = messages;
        peace->changed_ms = now;
        return false;
    }
    if (now - peace->changed_ms < QUIET_MS)
        return false;
    if (peace->complete || campaign_complete(peace->run->sb, peace->run->c))
        return true;
    // Only polls can bring what is missing now; what they bring is a change.
    return now - peace->changed_ms >= REVIVE_MS;
}

// ---------------------------------------------------------------- all of it
static void print_faults(const struct run *run)
{
    const char *names[64];
    size_t hits[64], count = 0;
    for (size_t i = 0; i < run->c->blow_count; i++) {
        const struct campaign_blow *blow = &run->c->blows[i];
        if (blow->kind != BLOW_FAULT)
            continue;
        size_t at = 0;
        while (at < count && strcmp(names[at], blow->fault_name) != 0)
            at++;
        if (at == sizeof names / sizeof *names)
            abort();
        if (at == count) {
            names[count] = blow->fault_name;
            hits[count++] = 0;
        }
        hits[at] += run->faults[i] ? sandbox_fault_hits(run->sb, run->faults[i]) : 0;
    }
    for (size_t i = 0; i < count; i++)
        printf("  requests hit: %s: %zu\n", names[i], hits[i]);
}

static void print_result(const struct run *run, const struct campaign_result *result, int64_t dead)
{
    size_t said = 0;
    for (int i = 0; i < CAMPAIGN_KINDS; i++) {
        printf("  said: %s: %zu\n", campaign_kind_names[i], result->said[i]);
        said += result->said[i];
    }
    for (int i = 0; i < BLOW_KINDS; i++)
        printf("  blows: %s: %zu\n", campaign_blow_names[i], run->dealt[i]);
    print_faults(run);
    printf("  calls: %zu; webhooks: %zu sent, %zu of them not taken; messages no webhook told of: %zu\n",
           sandbox_call_count(run->sb, SANDBOX_ANY), result->deliveries, result->deliveries_failed, result->not_told);
    printf("campaign seed=%" PRIu64 " plan=%016" PRIx64 ": %zu messages in %d conversations, %zu processes killed, %zu "
           "stopped, %zu starts, %zu blows met nobody\n",
           options.seed, run->c->fingerprint, said, run->c->conversation_count, run->killed, run->stopped, run->starts,
           run->missed);
    printf("campaign: lost %zu, twice %zu, second tickets %zu, no ticket %zu, out of order %zu, leaked %zu, stray %zu, "
           "wrong time %zu, dead letters %" PRId64 ", left by itself %zu; late %zu, passed %zu\n",
           result->lost, result->twice, result->second_tickets, result->no_ticket, result->out_of_order, result->leaked,
           result->stray, result->wrong_time, dead, run->left, result->late, result->passed);
    fflush(stdout);
}

// A folder with deskbell-front and deskbell-worker that run the real ones under valgrind.
static const char *valgrind_helpers(void)
{
    static char variable[64] = "DESKBELL_TEST_HELPERS=/tmp/dbv.XXXXXX";
    static const char *const programs[] = {"deskbell-front", "deskbell-worker"};
    char *folder = strchr(variable, '=') + 1;
    if (!mkdtemp(folder))
        scenario_fail("cannot make a folder: %s", strerror(errno));
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s/%s", folder, programs[i]);
        FILE *file = fopen(path, "we");
        if (!file)
            scenario_fail("cannot write %s: %s", path, strerror(errno));
        fprintf(file,
                "#!/bin/sh\nexec valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --num-callers=30 "
                "--error-exitcode=99 --suppressions=%s/../valgrind.supp %s/%s \"$@\"\n",
                TEST_DATA_DIR, DESKBELL_BIN_DIR, programs[i]);
        fclose(file);
        chmod(path, 0755);
    }
    return variable;
}

static void remove_helpers(const char *variable)
{
    const char *folder = strchr(variable, '=') + 1;
    char path[96];
    snprintf(path, sizeof path, "%s/deskbell-front", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/deskbell-worker", folder);
    unlink(path);
    rmdir(folder);
}

static struct scenario *begin(void **state, const char *helpers)
{
    struct scenario_options scenario;
    scenario_options_init(&scenario);
    if (helpers) {
        scenario.environment[0] = helpers;
        scenario.silent_child_seconds = 120;
        scenario.stop_seconds = 120;
        scenario.connect_timeout_ms = 20000;
        scenario.request_timeout_ms = 20000;
        scenario.settle_ms = 20000;
        scenario.context_wait_ms = 20000;
        scenario.sandbox.freshchat_timeout_ms = 20000;
    }
    scenario.workers = 3;
    scenario.freshchat_more = "  poll_seconds = 3";
    scenario.freshdesk_more = "  poll_seconds = 1";
    static const int64_t gaps[SANDBOX_MAX_RETRIES] = {200, 400, 800, 1500, 3000, 5000, 8000, 12000};
    for (int i = 0; i < SANDBOX_MAX_RETRIES; i++)
        scenario.sandbox.freshchat_gaps_ms[i] = scenario.sandbox.freshdesk_gaps_ms[i] = gaps[i];
    return scenario_begin(state, &scenario);
}

// Shows what valgrind reported and counts its lines. What it merely does not know (a hint that RocksDB gives the kernel
// about a file) is a warning.
static size_t show_valgrind(struct scenario *s)
{
    char path[64], *line = NULL;
    size_t size = 0, count = 0;
    snprintf(path, sizeof path, "%s/log", scenario_folder(s));
    FILE *file = fopen(path, "re");
    if (!file)
        scenario_fail("cannot read %s: %s", path, strerror(errno));
    while (getline(&line, &size, file) > 0) {
        if (strncmp(line, "==", 2) == 0 && !strstr(line, "== Warning: unimplemented fcntl command")) {
            fputs(line, stderr);
            count++;
        }
    }
    free(line);
    fclose(file);
    return count;
}

static void nothing_is_lost_and_nothing_is_twice(void **state)
{
    struct run run = {.c = campaign_new(&options)};
    printf("campaign seed=%" PRIu64 " plan=%016" PRIx64
           ": %zu things are said in %d conversations within %d s, %zu blows\n",
           options.seed, run.c->fingerprint, run.c->act_count, run.c->conversation_count, options.seconds,
           run.c->blow_count);
    fflush(stdout);
    const char *helpers = under_valgrind ? valgrind_helpers() : NULL;
    run.s = begin(state, helpers);
    run.sb = scenario_sandbox(run.s);
    run.faults = calloc(run.c->blow_count + 1, sizeof *run.faults);
    assert_non_null(run.faults);
    for (int i = 0; i < run.c->conversation_count; i++) {
        char name[24], email[64];
        snprintf(name, sizeof name, "Customer %d", i);
        snprintf(email, sizeof email, "customer%d@customer.example", i);
        const struct sandbox_customer_info info = {.first_name = name,
                                                   .email = i % 5 == 4 ? NULL : email,
                                                   .cart_value = i % 3 == 0 ? "249.50" : "19",
                                                   .friction_score = i % 4 == 3 ? NULL : "72",
                                                   .screen = "basket"};
        sandbox_customer_new(run.sb, &info, &run.c->customers[i]);
    }
    if (!options.no_faults)
        campaign_bend_webhooks(run.sb, run.c);
    run.begun_ms = scenario_now_ms();
    pthread_t speaker;
    if (pthread_create(&speaker, NULL, speak_for_all, &run) != 0)
        abort();
    strike_by_plan(&run);
    sandbox_faults_clear(run.sb);
    see_to_deskbelld(&run, false);
    pthread_join(speaker, NULL);

    struct peace peace = {.run = &run, .changed_ms = scenario_now_ms()};
    bool peaceful = scenario_wait(is_peaceful, &peace, PEACE_MS);
    struct scenario_status status = scenario_status_now(run.s);
    struct campaign_result result;
    campaign_compare(run.sb, run.c, stdout, &result);
    print_result(&run, &result, status.dead);
    free(run.faults);
    if (run.cut_short)
        scenario_fail("not everything was said: an agent waited for a ticket to the end");
    if (!peaceful)
        scenario_fail("not settled after %d ms: %lld waiting, %lld out, %zu webhooks under way", PEACE_MS,
                      (long long)status.waiting, (long long)status.out, sandbox_webhooks_waiting(run.sb));
    if (result.lost || result.twice || result.second_tickets || result.no_ticket || result.out_of_order ||
        result.leaked || result.stray || result.wrong_time || status.dead || run.left)
        scenario_fail("both sides are not as they should be (seed %" PRIu64 ")", options.seed);
    campaign_free(&run.c);
    if (run.stopped)
        scenario_expect_error(run.s, "event=child_silent");
    scenario_end(run.s);
    if (!helpers)
        return;
    remove_helpers(helpers);
    if (show_valgrind(run.s) > 0)
        scenario_fail("valgrind has something to say");
}

static bool read_arguments(int argc, char **argv)
{
    static const struct option names[] = {
        {"seed", required_argument, NULL, 's'},    {"seconds", required_argument, NULL, 't'},
        {"rate", required_argument, NULL, 'r'},    {"no-faults", no_argument, NULL, 'n'},
        {"keep-webhooks", no_argument, NULL, 'k'}, {"plan", no_argument, NULL, 'p'},
        {"valgrind", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 's':
            options.seed = strtoull(optarg, NULL, 10);
            break;
        case 't':
            options.seconds = atoi(optarg);
            break;
        case 'r':
            options.rate = atof(optarg);
            break;
        case 'n':
            options.no_faults = true;
            break;
        case 'k':
            options.drop_hooks = false;
            break;
        case 'p':
            plan_only = true;
            break;
        case 'v':
            under_valgrind = options.no_kills = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc && options.seconds > 0 && options.seconds <= 86400 && options.rate > 0 &&
           options.rate <= 1000;
}

int main(int argc, char **argv)
{
    if (!read_arguments(argc, argv)) {
        fprintf(stderr,
                "scenario_campaign [--seed N] [--seconds N] [--rate PER_SECOND] [--keep-webhooks] [--no-faults] "
                "[--plan]\n");
        return 2;
    }
    if (plan_only) {
        struct campaign *c = campaign_new(&options);
        printf("seed=%" PRIu64 " plan=%016" PRIx64 "\n", options.seed, c->fingerprint);
        campaign_free(&c);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_is_lost_and_nothing_is_twice, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
