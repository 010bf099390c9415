// SPDX-License-Identifier: Apache-2.0
// What the processes can no longer do once they run, and what nobody finds who reads their logs, their arguments, their
// environment or the ledger's files.
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/scenario/processes.h"
#include "tests/scenario/story.h"
#include "tests/scenario/wire.h"

#define JSON "Content-Type: application/json\r\n"

// ---------------------------------------------------------------- what is in files
// Reads a file of any kind whole; "" when it cannot be read.
static char *contents(const char *path, size_t *size)
{
    size_t room = 1 << 16;
    char *text = malloc(room + 1);
    *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (!text)
        abort();
    for (ssize_t got = fd < 0 ? 0 : 1; got > 0; *size += (size_t)got) {
        if (*size == room && !(text = realloc(text, (room *= 2) + 1)))
            abort();
        got = read(fd, text + *size, room - *size);
        if (got < 0)
            break;
    }
    if (fd >= 0)
        close(fd);
    text[*size] = '\0';
    return text;
}

static bool file_has(const char *path, const char *text)
{
    size_t size;
    char *all = contents(path, &size);
    bool has = memmem(all, size, text, strlen(text)) != NULL;
    free(all);
    return has;
}

static const char *sought;
static int found_in;

static int look_into(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)where;
    found_in += kind == FTW_F && file_has(path, sought);
    return 0;
}

// In how many files of the ledger these bytes are.
static int ledger_files_with(struct scenario *s, const char *text)
{
    char folder[256];
    snprintf(folder, sizeof folder, "%s/state", scenario_folder(s));
    sought = text;
    found_in = 0;
    assert_int_equal(nftw(folder, look_into, 16, FTW_PHYS), 0);
    return found_in;
}

// ---------------------------------------------------------------- what the processes can do
static void tried(struct scenario *s, const char *what, const char *thread, const char *path, int expected)
{
    char line[512];
    if (path)
        snprintf(line, sizeof line, "%s thread=%s path=%s errno=%d", what, thread, path, expected);
    else
        snprintf(line, sizeof line, "%s thread=%s errno=%d", what, thread, expected);
    if (scenario_log_count(s, line) == 0)
        scenario_fail("the log has no line \"%s\"", line);
}

static const char *below(struct scenario *s, const char *name)
{
    return scenario_path(s, name);
}

static void nobody_opens_what_is_not_his(void **state)
{
    if (syscall(444, NULL, 0, 1) < 1)
        skip(); // no Landlock in this kernel
    struct scenario *s = scenario_begin(state, NULL);
    scenario_stop(s);
    const char *token = below(s, "freshchat.token"), *key = below(s, "freshdesk.key"), *hint = below(s, "hint.token");
    const char *ledger = below(s, "state/ledger"), *config = scenario_config(s), *run = below(s, "run");
    char wishes[2048];
    snprintf(wishes, sizeof wishes, "%s:%s:%s:%s:%s:%s:/etc/passwd:/", token, key, hint, config, ledger, run);
    setenv("DESKBELL_TEST_OPEN", wishes, 1);
    scenario_start(s);
    unsetenv("DESKBELL_TEST_OPEN");
    customer_writes(s, "ada", "still at work");
    ticket_appears_within(s, "ada", 3000);

    static const char *const front_threads[] = {"main", "dispatcher"};
    for (size_t i = 0; i < 2; i++) {
        const char *thread = front_threads[i];
        tried(s, "seam_open", thread, token, EACCES);
        tried(s, "seam_open", thread, key, EACCES);
        tried(s, "seam_open", thread, hint, EACCES);
        tried(s, "seam_open", thread, config, EACCES);
        tried(s, "seam_open", thread, "/etc/passwd", EACCES);
        tried(s, "seam_open", thread, "/", EACCES);
        tried(s, "seam_open", thread, ledger, 0); // the same question, where the answer is yes
        char made[300];
        snprintf(made, sizeof made, "%s.made", token);
        tried(s, "seam_make", thread, made, EACCES);
    }
    tried(s, "seam_run", "main", NULL, EPERM);
    tried(s, "seam_socket", "main", NULL, EPERM);

    tried(s, "seam_open", "worker", token, EACCES);
    tried(s, "seam_open", "worker", hint, EACCES);
    tried(s, "seam_open", "worker", ledger, EACCES);
    tried(s, "seam_open", "worker", config, EACCES);
    tried(s, "seam_open", "worker", run, 0);
    tried(s, "seam_make", "worker", "/etc/passwd.made", EACCES);
    char made[300];
    snprintf(made, sizeof made, "%s.made", ledger);
    tried(s, "seam_make", "worker", made, EACCES);
    tried(s, "seam_socket", "worker", NULL, 0);
    scenario_end(s);
}

static void status_says(pid_t pid, const char *thread, const char *line)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)pid, thread);
    if (!file_has(path, line))
        scenario_fail("process %d thread %s is not \"%s\"", (int)pid, thread, line);
}

static pid_t looked_at;
static int threads_seen;

static int look_at_thread(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind;
    if (where->level != 1)
        return 0;
    threads_seen++;
    status_says(looked_at, path + where->base, "\nNoNewPrivs:\t1\n");
    status_says(looked_at, path + where->base, "\nSeccomp:\t2\n");
    return FTW_SKIP_SUBTREE;
}

static void every_thread_has_shed_its_rights(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    struct scenario_status now = scenario_status_now(s);
    char folder[64], path[64];
    looked_at = now.front;
    threads_seen = 0;
    snprintf(folder, sizeof folder, "/proc/%d/task", (int)now.front);
    nftw(folder, look_at_thread, 16, FTW_PHYS | FTW_ACTIONRETVAL);
    assert_in_range(threads_seen, 20, 10000);
    snprintf(path, sizeof path, "/proc/%d/limits", (int)now.front);
    assert_true(file_has(path, "Max core file size        0                    0 "));
    for (size_t i = 0; i < now.worker_count; i++) {
        char thread[16];
        snprintf(thread, sizeof thread, "%d", (int)now.workers[i].pid);
        status_says(now.workers[i].pid, thread, "\nNoNewPrivs:\t1\n");
        snprintf(path, sizeof path, "/proc/%d/limits", (int)now.workers[i].pid);
        assert_true(file_has(path, "Max core file size        0                    0 "));
    }
    // Not dumpable: the files in /proc are root's, whoever runs the process. To root himself that says nothing.
#ifndef __SANITIZE_ADDRESS__
    struct stat info;
    if (geteuid() != 0) {
        snprintf(path, sizeof path, "/proc/%d/environ", (int)now.front);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_uid, 0);
    }
#endif
    scenario_end(s);
}

static void loose_secrets_are_refused(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    scenario_stop(s);
    static const char *const names[] = {"freshchat.token", "freshdesk.key", "hint.token"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path = below(s, names[i]);
        const char *const run[] = {"-c", scenario_config(s), NULL};
        char *output = NULL;
        assert_int_equal(chmod(path, 0644), 0);
        assert_int_equal(scenario_run_deskbelld(s, run, 10000, &output), 3);
        assert_non_null(strstr(output, path));
        assert_non_null(strstr(output, "chmod 0640"));
        free(output);
        assert_int_equal(chmod(path, 0640), 0);
    }
    scenario_start(s);
    scenario_end(s);
}

// ---------------------------------------------------------------- what is written down
// Words that are nowhere else on this machine.
#define MAIL      "Zebulon.Quill@xylograph-test.example"
#define MAIL_NAME "Quill@xylograph"
#define PHONE     "+4915199887766"
#define SAID      "marzipan-hovercraft"
#define REPLIED   "turquoise-abacus"
#define NOTED     "clandestine-walrus"
#define TYPED     "vermilion-trombone"
#define INTRUDER  "intruder-obelisk"
#define CARD      "4111 1111 1111 1111"

// Everything that may not be in a log, in arguments or in an environment.
static void is_clean(struct scenario *s, const char *name, const char *path)
{
    const struct sandbox *sandbox = scenario_sandbox(s);
    const char *const words[] = {MAIL,
                                 MAIL_NAME,
                                 "Zebulon",
                                 PHONE + 1,
                                 SAID,
                                 REPLIED,
                                 NOTED,
                                 TYPED,
                                 INTRUDER,
                                 CARD,
                                 sandbox_freshchat_token(sandbox),
                                 sandbox_freshdesk_key(sandbox),
                                 sandbox_hint_token(sandbox)};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (file_has(path, words[i]))
            scenario_fail("\"%s\" is in %s", words[i], name);
}

static void strangers_knock(struct scenario *s)
{
    const char *address = scenario_address(s);
    int port = scenario_port(s);
    char headers[4096], signature[SANDBOX_SIGNATURE_SIZE];
    snprintf(headers, sizeof headers, JSON "X-Freshchat-Signature: " INTRUDER "\r\n");
    assert_int_equal(wire_post(address, port, "/webhooks/freshchat", headers, SAID, strlen(SAID), NULL), 401);
    snprintf(headers, sizeof headers, JSON "X-Deskbell-Token: " INTRUDER "\r\n");
    assert_int_equal(wire_post(address, port, "/webhooks/freshdesk", headers, SAID, strlen(SAID), NULL), 401);
    assert_int_equal(wire_post(address, port, "/webhooks/freshdesk?token=" INTRUDER, JSON, SAID, strlen(SAID), NULL),
                     401);
    assert_int_equal(wire_get(address, port, "/" INTRUDER, NULL), 404);
    assert_int_equal(wire_get(address, scenario_admin_port(s), "/" INTRUDER, NULL), 404);
    // Rightly signed, and wrong in each way that the normaliser complains about.
    static const char *const bodies[] = {
        "{\"" SAID "\":",
        "{\"action\":\"" SAID "\"}",
        "{\"action\":\"message_create\",\"action_time\":\"" SAID "\",\"data\":{\"message\":{\"id\":\"" SAID "\"}}}",
        "{\"action\":\"message_create\",\"action_time\":\"2019-01-01T00:00:00Z\",\"data\":{\"message\":{}}}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        sandbox_sign(scenario_sandbox(s), bodies[i], strlen(bodies[i]), signature);
        snprintf(headers, sizeof headers, JSON "X-Freshchat-Signature: %s\r\n", signature);
        int status = wire_post(address, port, "/webhooks/freshchat", headers, bodies[i], strlen(bodies[i]), NULL);
        assert_true(status == 400 || status == 200);
        if (scenario_log_count(s, signature))
            scenario_fail("a signature is in the log");
    }
    static const char broken[] = "GET /" INTRUDER " HTTP/9.9\r\n" INTRUDER "\r\n\r\n";
    wire_send(address, port, broken, sizeof broken - 1, NULL);
}

static void nothing_personal_and_nothing_secret_is_logged(void **state)
{
    struct scenario *s = scenario_begin(state, NULL); // at log_level debug, which has all that info has
    struct sandbox *sandbox = scenario_sandbox(s);
    const struct sandbox_customer_info zebulon = {.first_name = "Zebulon",
                                                  .last_name = "Quill",
                                                  .email = MAIL,
                                                  .phone = PHONE,
                                                  .cart_value = "10.00",
                                                  .friction_score = "1",
                                                  .screen = "basket"};
    customer_arrives(s, "zebulon", &zebulon);
    customer_writes(s, "zebulon", SAID " my number is " PHONE " and my card " CARD);
    ticket_appears_within(s, "zebulon", 5000);
    agent_replies(s, "zebulon", STORY_ANNA, "<p>" REPLIED "</p>");
    chat_shows_within(s, "zebulon", REPLIED, 5000);
    agent_notes_privately(s, "zebulon", STORY_BEN, "<p>" NOTED "</p>");
    agent_types_in_chat(s, "zebulon", STORY_CHRIS, TYPED);
    ticket_shows_within(s, "zebulon", TYPED, 5000);
    // Trouble makes programs talkative: answers lost, refused, torn, and a page where JSON was due.
    const struct sandbox_fault troubles[] = {
        {.endpoint = SANDBOX_FD_NOTE, .kind = SANDBOX_FAULT_LOST, .count = 1},
        {.endpoint = SANDBOX_FD_NOTE, .kind = SANDBOX_FAULT_STATUS, .count = 1, .status = 500},
        {.endpoint = SANDBOX_FC_MESSAGE_POST,
         .kind = SANDBOX_FAULT_STATUS,
         .count = 1,
         .status = 429,
         .retry_after = 1},
        {.endpoint = SANDBOX_FC_MESSAGE_POST, .kind = SANDBOX_FAULT_HTML, .count = 1},
    };
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++)
        sandbox_fault_add(sandbox, &troubles[i]);
    customer_writes(s, "zebulon", SAID " again");
    agent_replies(s, "zebulon", STORY_ANNA, "<p>" REPLIED " again</p>");
    ticket_shows_within(s, "zebulon", SAID " again", 20000);
    chat_shows_within(s, "zebulon", REPLIED " again", 20000);
    // One that no helpdesk takes: refused for good, with a cause.
    const struct sandbox_customer_info odd = {.first_name = "Zebulon", .email = "Quill@xylograph", .screen = "basket"};
    customer_arrives(s, "odd", &odd);
    customer_writes(s, "odd", SAID " from one with an odd address");
    strangers_knock(s);
    everything_settles_within(s, 20000);

    char path[256];
    snprintf(path, sizeof path, "%s/log", scenario_folder(s));
    assert_true(scenario_log_count(s, "freshdesk") > 0); // it is the right file
    is_clean(s, "the log", path);
    pid_t pids[32];
    size_t count = processes_descendants(pids, 32);
    assert_in_range(count, 4, 32); // deskbelld, front, two workers
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "/proc/%d/cmdline", (int)pids[i]);
        is_clean(s, name, name);
        snprintf(name, sizeof name, "/proc/%d/environ", (int)pids[i]);
        is_clean(s, name, name);
    }
    // What the admin port shows is no place for them either.
    static const char *const pages[] = {"/metrics", "/status", "/healthz", "/readyz"};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        char *body = NULL;
        wire_get(scenario_address(s), scenario_admin_port(s), pages[i], &body);
        const char *shown = scenario_path(s, pages[i] + 1);
        FILE *file = fopen(shown, "we");
        assert_non_null(file);
        fputs(body, file);
        fclose(file);
        free(body);
        is_clean(s, pages[i], shown);
    }
    scenario_end(s);
}

static void card_numbers_reach_neither_ticket_nor_ledger(void **state)
{
    struct scenario *s = scenario_begin(state, NULL);
    customer_writes(s, "ada", "umbrella-stand, pay with " CARD " or 5555555555554444, order 4111111111111112");
    ticket_appears_within(s, "ada", 3000);
    ticket_shows_times(s, "ada", "4111 11** **** 1111", 1);
    ticket_shows_times(s, "ada", "555555******4444", 1);
    ticket_shows_times(s, "ada", "4111111111111112", 1);
    agent_types_in_chat(s, "ada", STORY_CHRIS, "did you mean 3782-822463-10005?");
    ticket_shows_within(s, "ada", "3782-82****-*0005", 3000);
    // As a power cut leaves it: the log of what was accepted is still there, word for word.
    scenario_kill_all(s);
    assert_true(ledger_files_with(s, "umbrella-stand") > 0);
    assert_true(ledger_files_with(s, "4111 11** **** 1111") > 0);
    assert_int_equal(ledger_files_with(s, CARD), 0);
    assert_int_equal(ledger_files_with(s, "5555555555554444"), 0);
    assert_int_equal(ledger_files_with(s, "3782-822463-10005"), 0);
    scenario_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nobody_opens_what_is_not_his, scenario_teardown),
        cmocka_unit_test_teardown(every_thread_has_shed_its_rights, scenario_teardown),
        cmocka_unit_test_teardown(loose_secrets_are_refused, scenario_teardown),
        cmocka_unit_test_teardown(nothing_personal_and_nothing_secret_is_logged, scenario_teardown),
        cmocka_unit_test_teardown(card_numbers_reach_neither_ticket_nor_ledger, scenario_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
