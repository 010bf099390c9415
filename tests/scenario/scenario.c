// SPDX-License-Identifier: Apache-2.0
// A scenario's life: folder, credentials, configuration, deskbelld's start and stop, and what is left when a story
// fails.
#include "tests/scenario/scenario.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/scenario/wire.h"
#include "tests/scenario/inside.h"
#include "tests/scenario/processes.h"

#define READY_MS   30000 // sanitizers and a busy machine included
#define TAIL_BYTES 60000 // of the log, when a story fails
#define PATH_BYTES 160

static const char *at_file = "?";
static int at_line;

// A test that failed was left in the middle: what it leaks is no news.
static bool failed;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return failed;
}

void scenario_at(const char *file, int line)
{
    at_file = file;
    at_line = line;
}

void scenario_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%d: ", at_file, at_line);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    _fail(at_file, at_line);
    abort(); // not reached: cmocka jumps back to its runner
}

int64_t scenario_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool scenario_wait(bool (*predicate)(void *arg), void *arg, int timeout_ms)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    int64_t end = scenario_now_ms() + timeout_ms;
    for (;;) {
        if (predicate(arg))
            return true;
        if (scenario_now_ms() >= end)
            return false;
        nanosleep(&pause, NULL);
    }
}

void scenario_options_init(struct scenario_options *options)
{
    *options = (struct scenario_options){
        .workers = 2,
        .in_flight = 16,
        .gather_quiet_ms = 100,
        .gather_max_ms = 150,
        .context_wait_ms = 1000,
        .connect_timeout_ms = 1000,
        .request_timeout_ms = 1500,
        .settle_ms = 2000,
        .retry_first_ms = 50,
        .retry_max_ms = 500,
        .silent_child_seconds = 3,
        .stop_seconds = 10,
        .max_body_bytes = 65536,
        .replay_window_seconds = 86400,
        .priorities = "priority high-value { min_cart_value = 200.0  level = \"urgent\"  tags = {\"high-value\"} }\n"
                      "priority struggling { min_cart_value = 50.0  min_friction = 60  level = \"high\" }\n",
    };
    sandbox_options_init(&options->sandbox);
    options->sandbox.echo = true;
    options->sandbox.default_rule = true;
    // A webhook that met a front between two lives comes again soon, not after minutes.
    options->sandbox.freshchat_retries = SANDBOX_MAX_RETRIES;
    options->sandbox.freshdesk_retries = SANDBOX_MAX_RETRIES;
    for (int i = 0; i < SANDBOX_MAX_RETRIES; i++)
        options->sandbox.freshchat_gaps_ms[i] = options->sandbox.freshdesk_gaps_ms[i] = 250 * (i + 1);
    options->sandbox.freshdesk_clock_scale = 1;
}

// ---------------------------------------------------------------- files
static void write_file(struct scenario *s, const char *name, mode_t mode, const char *text)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) != 0)
        scenario_fail("cannot write %s: %s", path, strerror(errno));
}

static void write_config(struct scenario *s)
{
    const struct scenario_options *o = &s->options;
    char agent[SANDBOX_ID_SIZE] = "";
    if (!sandbox_chat_agent(s->sandbox, SANDBOX_ASSISTANT, agent))
        scenario_fail("the sandbox has no assistant");
    char more_keys[PATH_BYTES] = "";
    if (o->webhook_key_file)
        snprintf(more_keys, sizeof more_keys, ", \"%s\"", o->webhook_key_file);
    char *caller = NULL;
    if (o->freshcaller_more &&
        asprintf(&caller,
                 "freshcaller {\n  enabled = true\n  api_url = \"%s\"\n  key_file = \"%s/freshcaller.key\"\n%s\n}\n",
                 sandbox_freshcaller_url(s->sandbox), s->folder, o->freshcaller_more) < 0)
        abort();
    char widget[PATH_BYTES] = "";
    if (o->context_key) {
        write_file(s, "context.key", 0600, o->context_key);
        snprintf(widget, sizeof widget, "widget { context_key_file = \"%.200s/context.key\" }\n", s->folder);
    }
    char *text = NULL;
    int length = asprintf(
        &text,
        "state_dir = \"%s/state\"\nruntime_dir = \"%s/run\"\nlog_level = \"%s\"\n%s\n"
        "front {\n  listen = \"%s:%d\"\n  admin_listen = \"%s:%d\"\n  max_body_bytes = %d\n  min_free_bytes = "
        "1048576\n}\n"
        "workers { count = %d  in_flight = %d  %s }\n"
        "freshchat {\n  api_url = \"%s\"\n  token_file = \"%s/freshchat.token\"\n"
        "  webhook_key_files = {\"%s/freshchat.pem\"%s}\n  agent_id = \"%s\"\n  replay_window_seconds = %lld\n%s\n}\n"
        "freshdesk {\n  api_url = \"%s\"\n  key_file = \"%s/freshdesk.key\"\n"
        "  webhook_token_files = {\"%s/hint.token\"}\n%s\n}\n%s%s%s"
        "timing {\n  gather_quiet_ms = %d\n  gather_max_ms = %d\n  context_wait_ms = %d\n  connect_timeout_ms = %d\n"
        "  request_timeout_ms = %d\n  settle_ms = %d\n  retry_first_ms = %d\n  retry_max_ms = %d\n"
        "  silent_child_seconds = %d\n  stop_seconds = %d\n%s\n}\n",
        s->folder, s->folder, o->log_level ? o->log_level : "debug", o->more ? o->more : "", s->address, s->port,
        s->address, s->admin_port, o->max_body_bytes, o->workers, o->in_flight, o->workers_more ? o->workers_more : "",
        sandbox_freshchat_url(s->sandbox), s->folder, s->folder, more_keys, agent, (long long)o->replay_window_seconds,
        o->freshchat_more ? o->freshchat_more : "", sandbox_freshdesk_url(s->sandbox), s->folder, s->folder,
        o->freshdesk_more ? o->freshdesk_more : "", caller ? caller : "", widget, o->priorities ? o->priorities : "",
        o->gather_quiet_ms, o->gather_max_ms, o->context_wait_ms, o->connect_timeout_ms, o->request_timeout_ms,
        o->settle_ms, o->retry_first_ms, o->retry_max_ms, o->silent_child_seconds, o->stop_seconds,
        o->timing_more ? o->timing_more : "");
    if (length < 0)
        abort();
    write_file(s, "deskbell.conf", 0600, text);
    free(text);
    free(caller);
}

void scenario_reconfigure(struct scenario *s, const char *more)
{
    s->options.more = more;
    write_config(s);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static void make_folder(const char *path)
{
    if (mkdir(path, 0700) != 0)
        scenario_fail("cannot make %s: %s", path, strerror(errno));
}

void scenario_forget_state(struct scenario *s)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/state", s->folder);
    if (s->supervisor != 0)
        scenario_fail("a running deskbelld's state cannot be thrown away");
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        scenario_fail("cannot remove %s: %s", path, strerror(errno));
    make_folder(path);
}

const char *scenario_path(struct scenario *s, const char *name)
{
    if (s->path_count == INSIDE_PATHS)
        abort();
    char *path = NULL;
    if (asprintf(&path, "%s/%s", s->folder, name) < 0)
        abort();
    s->paths[s->path_count++] = path;
    return path;
}

void scenario_configure(struct scenario *s, const struct scenario_options *options)
{
    s->options = *options;
    write_config(s);
}

const struct scenario_options *scenario_options(const struct scenario *s)
{
    return &s->options;
}

// ---------------------------------------------------------------- start
static int listen_on(const char *address, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, address, &to.sin_addr);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&to, sizeof to) != 0 || listen(fd, 4096) != 0)
        scenario_fail("cannot listen on %s:%d: %s", address, port, strerror(errno));
    return fd;
}

struct scenario *scenario_begin(void **state, const struct scenario_options *options)
{
    static int count;
    struct scenario *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    *state = s;
    if (options)
        s->options = *options;
    else
        scenario_options_init(&s->options);

    // Orphans of a killed deskbelld become ours, so that nothing can be left behind.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGPIPE, SIG_IGN);

    // A short path: sockets live below it.
    snprintf(s->folder, sizeof s->folder, "/tmp/dbs.XXXXXX");
    if (!mkdtemp(s->folder))
        scenario_fail("cannot make a folder: %s", strerror(errno));
    // The whole of 127/8 is this machine's: an address made from our pid collides with no other program's.
    unsigned pid = (unsigned)getpid();
    snprintf(s->address, sizeof s->address, "127.%u.%u.%u", 1 + (pid >> 16) % 250, pid >> 8 & 255, pid & 255);
    s->port = 8080 + 2 * count;
    s->admin_port = 8081 + 2 * count;
    count++;

    char freshchat[80], freshdesk[80];
    snprintf(freshchat, sizeof freshchat, "http://%s:%d/webhooks/freshchat", s->address, s->port);
    snprintf(freshdesk, sizeof freshdesk, "http://%s:%d/webhooks/freshdesk", s->address, s->port);
    s->options.sandbox.freshchat_webhook_url = freshchat;
    s->options.sandbox.freshdesk_webhook_url = freshdesk;
    s->sandbox = sandbox_new(&s->options.sandbox);
    s->options.sandbox.freshchat_webhook_url = s->options.sandbox.freshdesk_webhook_url = NULL;
    if (!s->sandbox)
        scenario_fail("the sandbox does not start");

    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/state", s->folder);
    make_folder(path);
    snprintf(path, sizeof path, "%s/run", s->folder);
    make_folder(path);
    write_file(s, "freshchat.token", 0600, sandbox_freshchat_token(s->sandbox));
    write_file(s, "freshcaller.key", 0600, sandbox_freshcaller_key(s->sandbox));
    write_file(s, "freshdesk.key", 0600, sandbox_freshdesk_key(s->sandbox));
    write_file(s, "hint.token", 0600, sandbox_hint_token(s->sandbox));
    write_file(s, "freshchat.pem", 0644, sandbox_public_key(s->sandbox));
    write_config(s);

    s->sockets[0] = s->sockets[1] = -1;
    if (s->options.socket_units) {
        s->sockets[0] = listen_on(s->address, s->port);
        s->sockets[1] = listen_on(s->address, s->admin_port);
    }
    char fail[PATH_BYTES];
    snprintf(fail, sizeof fail, "DESKBELL_TEST_FAIL=%s/state", s->folder);
    if (s->options.fail_seam)
        s->options.environment[SCENARIO_ENVIRONMENT - 1] = fail;
    scenario_launch(s);
    memset(s->options.environment, 0, sizeof s->options.environment);
    scenario_await_ready(s);
    return s;
}

void scenario_launch(struct scenario *s)
{
    if (s->supervisor != 0)
        scenario_fail("deskbelld runs already");
    char log[PATH_BYTES];
    snprintf(log, sizeof log, "%s/log", s->folder);
    const char *arguments[] = {"-c", scenario_config(s), NULL};
    s->supervisor =
        processes_start_with_sockets(DESKBELL_BIN_DIR "/deskbelld", arguments, s->options.environment,
                                     SCENARIO_ENVIRONMENT, log, s->options.socket_units ? s->sockets : NULL);
    if (s->supervisor < 0)
        scenario_fail("cannot start deskbelld: %s", strerror(errno));
}

static bool is_ready_or_gone(void *arg)
{
    struct scenario *s = arg;
    if (processes_reap(s->supervisor, &s->exit_status)) {
        s->supervisor = 0;
        return true;
    }
    return wire_get(s->address, s->admin_port, "/readyz", NULL) == 200;
}

void scenario_await_ready(struct scenario *s)
{
    if (!scenario_wait(is_ready_or_gone, s, READY_MS))
        scenario_fail("deskbelld was not ready within %d ms", READY_MS);
    if (s->supervisor == 0)
        scenario_fail("deskbelld left instead of becoming ready (wait status %#x)", (unsigned)s->exit_status);
}

void scenario_start(struct scenario *s)
{
    scenario_launch(s);
    scenario_await_ready(s);
}

// ---------------------------------------------------------------- stop
static bool is_gone(void *arg)
{
    struct scenario *s = arg;
    return processes_reap(s->supervisor, &s->exit_status);
}

static bool is_alone(void *arg)
{
    (void)arg;
    processes_reap_orphans();
    return processes_descendants(NULL, 0) == 0;
}

void scenario_ask_to_stop(struct scenario *s)
{
    if (s->supervisor == 0 || kill(s->supervisor, SIGTERM) != 0)
        scenario_fail("deskbelld does not run");
}

void scenario_await_stopped(struct scenario *s)
{
    int within_ms = s->options.stop_seconds * 1000 + 10000;
    if (!scenario_wait(is_gone, s, within_ms))
        scenario_fail("deskbelld has not left %d ms after SIGTERM", within_ms);
    s->supervisor = 0;
    if (!WIFEXITED(s->exit_status) || WEXITSTATUS(s->exit_status) != 0)
        scenario_fail("deskbelld left with wait status %#x instead of exit 0", (unsigned)s->exit_status);
    if (!scenario_wait(is_alone, NULL, 1000))
        scenario_fail("deskbelld left processes behind");
}

void scenario_stop(struct scenario *s)
{
    scenario_ask_to_stop(s);
    scenario_await_stopped(s);
}

void scenario_kill_all(struct scenario *s)
{
    if (!processes_kill_all())
        scenario_fail("there are processes that cannot be killed");
    s->supervisor = 0;
}

void scenario_end(struct scenario *s)
{
    if (s->supervisor != 0)
        scenario_stop(s);
    static const char *const reports[] = {"AddressSanitizer", "LeakSanitizer", "runtime error:", "ThreadSanitizer"};
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        if (scenario_log_count(s, reports[i]) > 0)
            scenario_fail("%s has something to say in the log", reports[i]);
    }
    char *error = inside_unexpected_error(s);
    if (error)
        scenario_fail("the log has an error that nobody expected: %s", error); // leaks it, with all the rest
    s->told = true;
}

static void show_log(struct scenario *s)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/log", s->folder);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    fprintf(stderr, "---------------- deskbelld's log (%s)\n", path);
    if (fseek(file, -TAIL_BYTES, SEEK_END) == 0)
        fprintf(stderr, "...");
    else
        rewind(file);
    char buffer[8192];
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        fwrite(buffer, 1, got, stderr);
    fprintf(stderr, "---------------- end of log\n");
    fclose(file);
}

int scenario_teardown(void **state)
{
    struct scenario *s = *state;
    if (!s)
        return 0;
    *state = NULL;
    if (!s->told) {
        failed = true;
        show_log(s);
    }
    int result = processes_kill_all() ? 0 : -1;
    sandbox_free(&s->sandbox);
    for (int i = 0; s->options.socket_units && i < 2; i++)
        close(s->sockets[i]);
    if (!getenv("DESKBELL_SCENARIO_KEEP"))
        nftw(s->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < s->path_count; i++)
        free(s->paths[i]);
    free(s);
    return result;
}

struct sandbox *scenario_sandbox(struct scenario *s)
{
    return s->sandbox;
}

pid_t scenario_supervisor(const struct scenario *s)
{
    return s->supervisor;
}

const char *scenario_folder(const struct scenario *s)
{
    return s->folder;
}

const char *scenario_config(const struct scenario *s)
{
    static char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/deskbell.conf", s->folder);
    return path;
}

const char *scenario_address(const struct scenario *s)
{
    return s->address;
}

int scenario_port(const struct scenario *s)
{
    return s->port;
}

int scenario_admin_port(const struct scenario *s)
{
    return s->admin_port;
}
