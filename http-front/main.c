// SPDX-License-Identifier: Apache-2.0
// deskbell-front: the only process that listens, and the only owner of the ledger. Started by deskbelld with the
// descriptors of proto/pipes.h. Knows webhook keys and tokens; knows no API key, and cannot open one. main() reads in
// the order of a life: read the keys, shed what is not needed, stage, wait until nobody else has the ledger, open it,
// serve, drain, close.
#include <czmq.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "http-front/admin/health.h"
#include "http-front/confine.h"
#include "http-front/dispatch/control.h"
#include "http-front/dispatch/dispatcher.h"
#include "http-front/intake/callback.h"
#include "http-front/intake/clients.h"
#include "http-front/intake/http.h"
#include "http-front/intake/listener.h"
#include "http-front/intake/signature.h"
#include "http-front/intake/tokens.h"
#include "http-front/ledger/committer.h"
#include "http-front/ledger/expirer.h"
#include "http-front/ledger/ledger.h"
#include "proto/clock.h"
#include "proto/config.h"
#include "proto/log.h"
#include "proto/pipes.h"
#include "proto/seam.h"
#include "proto/secret.h"

enum {
    DAY_MS = 24 * 60 * 60 * 1000,
    HISTORY_DAYS = 7,
    HTTP_DRAIN_MS = 1000,
    STOP_MARGIN_MS = 3000, // between the end of waiting for what is out and the supervisor's deadline
    COMMIT_MS = 1000,      // for what is being written when another front takes over
};

struct front {
    struct config *config;
    struct signature_keys *keys;
    struct tokens *tokens;
    struct widget *widget;
    struct callback *callback;
    struct clients *clients;
    struct http *http;
    struct ledger *ledger;
    struct mailbox *mailbox;
    struct committer *committer;
    struct expirer *expirer;
    struct dispatcher *dispatcher;
    pthread_t dispatcher_thread;
    bool dispatching;
    int leave_fd; // eventfd: the dispatcher says that it is time to go
    int signal_fd;
    atomic_bool handing_over; // set before leave_fd is raised: another front is waiting for the ledger
};

static bool fail(const char *event, const char *why)
{
    log_error(event, "why=%s", why);
    return false;
}

static bool block_signals(struct front *front)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGUSR1);
    // Blocked before any thread runs: they inherit it, and signals become data.
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return false;
    front->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    front->leave_fd = eventfd(0, EFD_CLOEXEC);
    return front->signal_fd >= 0 && front->leave_fd >= 0;
}

static bool load_config(struct front *front)
{
    struct config_error error;
    if (!config_from_fd(PIPES_FD_CONFIG, "configuration", &front->config, &error)) {
        char text[1200];
        return fail("configuration", config_error_text(&error, text, sizeof text));
    }
    log_set_level(front->config->log_level);
    log_set_format(front->config->log_format);
    return true;
}

static bool load_keys(struct front *front)
{
    const struct config *config = front->config;
    char why[512];
    front->keys = signature_keys_new();
    for (size_t i = 0; i < config->freshchat.webhook_key_files.count; i++) {
        const char *path = config->freshchat.webhook_key_files.items[i];
        struct secret *text = secret_read_public(path, why, sizeof why);
        bool ok = text && signature_keys_add(front->keys, path, text->text, text->len, why, sizeof why);
        secret_free(&text);
        if (!ok)
            return fail("webhook_key", why);
    }
    front->tokens = tokens_new();
    for (size_t i = 0; i < config->freshdesk.webhook_token_files.count; i++) {
        const char *path = config->freshdesk.webhook_token_files.items[i];
        struct secret *text = secret_read(path, why, sizeof why);
        bool ok = text && tokens_add(front->tokens, path, text->text, text->len);
        secret_free(&text);
        if (!ok)
            return fail("webhook_token", why);
    }
    return true;
}

static bool use_czmq(void)
{
    zsys_handler_set(NULL); // CZMQ's own SIGINT and SIGTERM handlers would fight the signalfd
    return zsys_init() != NULL;
}

static enum accept_result accept_event(void *arg, const struct event *event)
{
    struct front *front = arg;
    return committer_accept(front->committer, event);
}

static bool stage(struct front *front)
{
    const struct config *config = front->config;
    front->widget = widget_new(config);
    front->callback = callback_new(config);
    front->clients = clients_new(config);
    if (clients_unsure(config))
        log_warn("no_trusted_proxy", "listen=%s hint=%s", config->front.listen,
                 "whoever connects is taken for the client: name your proxy in front.trusted_proxies, or listen on a "
                 "loopback address");
    struct http_options options = {
        .listen_fd = PIPES_FD_LISTEN,
        .admin_listen_fd = PIPES_FD_ADMIN_LISTEN,
        .threads = (int)config->front.threads,
        .max_body_bytes = (size_t)config->front.max_body_bytes,
        .freshchat_keys = front->keys,
        .freshdesk_tokens = front->tokens,
        .widget = front->widget,
        .callback = front->callback,
        .clients = front->clients,
        .channels = (const char *const *)config->freshchat.channels.items,
        .channel_count = config->freshchat.channels.count,
        .replay_window_ms = config->freshchat.replay_window_seconds * 1000,
        .mask_card_numbers = config->mask_card_numbers,
        .accept = accept_event,
        .accept_arg = front,
    };
    char why[512];
    front->http = http_new(&options, why, sizeof why);
    if (!front->http)
        return fail("http", why);
    return pipes_write_status(PIPES_FD_STATUS, PIPES_STATUS_STAGED, 0);
}

// True when a signal says that it is time to leave. USR1: the log file is opened anew.
static bool signals_say_leave(const struct front *front)
{
    struct signalfd_siginfo info;
    while (read(front->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo != SIGUSR1)
            return true;
        if (*front->config->log_file && !log_reopen(front->config->log_file))
            log_error("log_not_reopened", "problem=%s", strerror(errno));
    }
    return false;
}

enum go { GO_OPEN, GO_LEAVE, GO_FAIL };

// Stands by, with everything but the ledger, until the supervisor says that nobody else has that. OPEN is the first
// record on the control pipe; what follows it is the dispatcher's.
static enum go stand_by(const struct front *front)
{
    struct pollfd fds[] = {{front->signal_fd, POLLIN, 0}, {PIPES_FD_CONTROL, POLLIN, 0}};
    struct pipes_reader reader = {0};
    struct pipes_control record;
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return GO_FAIL;
        if (signals_say_leave(front))
            return GO_LEAVE;
        enum pipes_result result = pipes_read_control(&reader, PIPES_FD_CONTROL, &record);
        if (result == PIPES_RECORD && record.kind == PIPES_CONTROL_OPEN)
            return GO_OPEN;
        if (result == PIPES_EOF) {
            log_info("leaving", "why=%s", "the supervisor is gone");
            return GO_LEAVE;
        }
        if (result != PIPES_NOTHING) {
            log_error("control", "problem=%s", "the first word of the supervisor is not OPEN");
            return GO_FAIL;
        }
    }
}

static uint64_t wall_ms(void)
{
    return (uint64_t)clock_wall_ms();
}

static bool open_ledger(struct front *front)
{
    const struct config *config = front->config;
    char dir[4096];
    snprintf(dir, sizeof dir, "%s/ledger", config->state_dir);
    struct ledger_options options = {.dedup_ms = (uint64_t)config->dedup_days * DAY_MS,
                                     .retention_ms = (uint64_t)config->retention_days * DAY_MS,
                                     .history_ms = (uint64_t)HISTORY_DAYS * DAY_MS,
                                     .now_ms = wall_ms};
    char why[512];
    front->ledger = ledger_open(dir, &options, why, sizeof why);
    if (!front->ledger)
        return fail("ledger", why);
    if (seam_fail("front_open"))
        return false;
    struct committer_options committing = {.min_free_bytes = (uint64_t)config->front.min_free_bytes,
                                           .now_ms = health_stamp_ms};
    front->mailbox = mailbox_new();
    front->committer = committer_new(front->ledger, front->mailbox, &committing);
    front->expirer = expirer_new(front->ledger, &(struct expirer_options){0});
    return front->committer != NULL;
}

static void ask_to_leave(void *arg, bool handing_over)
{
    struct front *front = arg;
    uint64_t one = 1;
    atomic_store(&front->handing_over, handing_over);
    if (write(front->leave_fd, &one, sizeof one) != (ssize_t)sizeof one)
        log_error("leave", "problem=%s", strerror(errno));
}

static void *dispatch(void *arg)
{
    seam_try("dispatcher");
    dispatcher_run(arg);
    return NULL;
}

static void each_key(void *arg, dispatcher_key_fn *each, void *each_arg)
{
    const struct front *front = arg;
    for (size_t i = 0; i < signature_keys_count(front->keys); i++)
        each(each_arg, "freshchat", signature_key_name(front->keys, i), signature_key_last_used_ms(front->keys, i));
    for (size_t i = 0; i < tokens_count(front->tokens); i++)
        each(each_arg, "freshdesk", tokens_name(front->tokens, i), tokens_last_used_ms(front->tokens, i));
}

// Intake first: whoever waited while there was no front is answered while what waits on disk is still being read.
static bool serve(struct front *front)
{
    struct dispatcher_options options = {.config = front->config,
                                         .ledger = front->ledger,
                                         .committer = front->committer,
                                         .mailbox = front->mailbox,
                                         .control_fd = PIPES_FD_CONTROL,
                                         .status_fd = PIPES_FD_STATUS,
                                         .leave = ask_to_leave,
                                         .leave_arg = front,
                                         .each_key = each_key,
                                         .keys_arg = front,
                                         .load_before = ledger_next(front->ledger)};
    char why[512];
    if (!http_open(front->http, why, sizeof why))
        return fail("http", why);
    log_info("serving", "port=%u admin_port=%u seamless=%d", (unsigned)http_port(front->http),
             (unsigned)http_admin_port(front->http), http_seamless(front->http));
    confine_calls(); // what was opened until here needed sockets; nothing after it does
    front->dispatcher = dispatcher_new(&options, why, sizeof why);
    if (!front->dispatcher)
        return fail("dispatcher", why);
    if (pthread_create(&front->dispatcher_thread, NULL, dispatch, front->dispatcher) != 0)
        return fail("dispatcher", strerror(errno));
    front->dispatching = true;
    return pipes_write_status(PIPES_FD_STATUS, PIPES_STATUS_READY, 0);
}

// Waits until a signal, the supervisor's word or its end says so.
static void wait_to_leave(const struct front *front)
{
    struct pollfd fds[] = {{front->signal_fd, POLLIN, 0}, {front->leave_fd, POLLIN, 0}};
    do
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            abort();
    while (!signals_say_leave(front) && !(fds[1].revents & POLLIN));
}

static void end_dispatching(struct front *front, int64_t until_ms)
{
    int64_t now = clock_mono_ms();
    dispatcher_drain(front->dispatcher, until_ms > now ? (uint64_t)(until_ms - now) : 0);
    pthread_join(front->dispatcher_thread, NULL);
}

// What is out first, then intake, then the ledger: whoever was answered 200 is on disk, what is not finished is in
// doubt, and nobody has to wait for both. When another front takes over, what is out stays with its workers, and nobody
// is waited for but the disk; what comes in until intake ends is recorded still.
static void drain(struct front *front)
{
    bool handing_over = atomic_load(&front->handing_over);
    int64_t until = clock_mono_ms() + front->config->timing.stop_seconds * 1000 - STOP_MARGIN_MS;
    health_set_draining(true);
    if (front->dispatching && !handing_over)
        end_dispatching(front, until);
    size_t left = front->http ? http_drain(front->http, HTTP_DRAIN_MS) : 0;
    if (front->dispatching && handing_over)
        end_dispatching(front, clock_mono_ms() + COMMIT_MS);
    // A request that hangs in a sync would use the committer after it is gone; what it holds was not answered.
    if (front->http && !http_quiet(front->http))
        _exit(PIPES_EXIT_ASKED);
    committer_free(&front->committer);
    // Nobody waits for a backup, or for files that are being scrubbed, while another front is to take over: all that
    // was promised is synced, and the end of the process closes the ledger. A backup that is cut is made anew.
    bool cut = handing_over && front->dispatching && dispatcher_ledger_in_use(front->dispatcher);
    if (cut)
        log_warn("cut_short", "what=%s", "a backup, or the scrubbing after forget: ask for it again");
    if (!handing_over) // what waits in memory may be much, and nobody needs it freed
        dispatcher_free(&front->dispatcher);
    if (!cut) {
        expirer_free(&front->expirer);
        ledger_close(&front->ledger);
    }
    log_info("drained", "connections_left=%zu handing_over=%d", left, handing_over);
    if (!pipes_write_status(PIPES_FD_STATUS, PIPES_STATUS_DRAINED, 0))
        log_debug("status_pipe", "problem=%s", strerror(errno));
    if (left || handing_over)
        _exit(PIPES_EXIT_ASKED); // a request still running would be waited for, and has nothing left to ask
}

int main(int argc, char **argv)
{
    struct pipes_identity identity;
    log_init("deskbell-front", LOG_LEVEL_INFO);
    if (!pipes_parse_args(argc, argv, &identity)) {
        fputs("deskbell-front is started by deskbelld; see deskbelld(8).\n", stderr);
        return PIPES_EXIT_USAGE;
    }
    struct front front = {.leave_fd = -1, .signal_fd = -1};
    confine_early();
    control_find_group();
    if (!block_signals(&front) || !load_config(&front))
        return PIPES_EXIT_FAILED;
#ifdef DESKBELL_SEAMS
    listener_seam_hide_descriptor = seam_says("hide_listener");
#endif
    // No thread and nothing of CZMQ before the files are confined: what runs already would not be.
    bool has_keys = load_keys(&front);
    bool ok = !seam_fail("front_stage") && has_keys && confine_files(front.config) && use_czmq() && stage(&front);
    enum go go = ok ? stand_by(&front) : GO_FAIL;
    ok = go == GO_LEAVE || (go == GO_OPEN && open_ledger(&front) && serve(&front));
    if (ok && go == GO_OPEN) {
        seam_try("main");
        wait_to_leave(&front);
    }
    drain(&front);
    http_free(&front.http);
    widget_free(&front.widget);
    callback_free(&front.callback);
    clients_free(&front.clients);
    mailbox_free(&front.mailbox);
    tokens_free(&front.tokens);
    signature_keys_free(&front.keys);
    config_free(&front.config);
    zsys_shutdown();
    return ok ? PIPES_EXIT_ASKED : has_keys ? PIPES_EXIT_FAILED : PIPES_EXIT_CONFIG;
}
