// SPDX-License-Identifier: Apache-2.0
// deskbell-worker: the only kind of process that calls out, and the only one that knows the API keys. deskbelld starts
// it with the descriptors and arguments of proto/pipes.h. It keeps nothing: kill -9 loses no message, only time.
#include <czmq.h>
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "proto/config.h"
#include "proto/log.h"
#include "proto/pipes.h"
#include "proto/seam.h"
#include "workers/confine.h"
#include "upstream/keys.h"
#include "workers/loop.h"
#include "workers/proof.h"

enum { WHY_BYTES = 512, SPARE_DESCRIPTORS = 64 };

// Each call may need a connection of its own, and curl keeps as many for use again.
static void raise_descriptor_limit(const struct config *config)
{
    struct rlimit limit;
    rlim_t want = (rlim_t)config->workers.in_flight * 2 + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < want) {
        limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < want)
            log_warn("few_descriptors", "want=%llu have=%llu", (unsigned long long)want,
                     (unsigned long long)limit.rlim_cur);
    }
}

// Signals become data. Blocked before any library starts a thread, so no thread gets them (USR1 was blocked by
// deskbelld already). Returns the signalfd or -1.
static int open_signals(void)
{
    static const int ignored[] = {SIGPIPE, SIGHUP, SIGUSR2, SIGTTIN, SIGTTOU};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGUSR1);
    if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
        return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static struct config *read_config(void)
{
    struct config *config = NULL;
    struct config_error error;
    char text[sizeof error.file + sizeof error.message + 32];
    if (!config_from_fd(PIPES_FD_CONFIG, "snapshot", &config, &error))
        log_error("bad_configuration", "problem=%s", config_error_text(&error, text, sizeof text));
    return config;
}

static int work(const struct pipes_identity *identity, const struct config *config, int signal_fd)
{
    char why[WHY_BYTES] = "";
    if (seam_fail("worker_start"))
        return PIPES_EXIT_FAILED;
    struct keys *keys = keys_read(config, why, sizeof why);
    struct proof_key *proof_key = NULL;
    if (!keys || !proof_key_read(config, &proof_key, why, sizeof why)) {
        log_error("no_keys", "problem=%s", why);
        keys_free(&keys);
        return PIPES_EXIT_CONFIG;
    }
    if (!confine_files(config)) {
        log_error("not_started", "problem=%s", strerror(errno));
        keys_free(&keys);
        proof_key_free(&proof_key);
        return PIPES_EXIT_FAILED;
    }
    seam_try("worker");
    struct loop_settings settings = {.config = config,
                                     .keys = keys,
                                     .proof_key = proof_key,
                                     .identity = *identity,
                                     .status_fd = PIPES_FD_STATUS,
                                     .control_fd = PIPES_FD_CONTROL,
                                     .signal_fd = signal_fd,
                                     .find_step = flows_step};
    int code = PIPES_EXIT_FAILED;
    struct loop *loop = loop_new(&settings, why, sizeof why);
    if (loop)
        code = loop_run(loop);
    else
        log_error("not_started", "problem=%s", why);
    loop_free(&loop);
    keys_free(&keys);
    proof_key_free(&proof_key);
    return code;
}

int main(int argc, char **argv)
{
    struct pipes_identity identity;
    log_init("deskbell-worker", LOG_LEVEL_INFO);
    if (!pipes_parse_args(argc, argv, &identity)) {
        fprintf(stderr, "deskbell-worker is started by deskbelld, with --slot N --generation G\n");
        return PIPES_EXIT_USAGE;
    }
    int signal_fd = open_signals();
    if (signal_fd < 0 || !confine_early()) {
        log_error("not_started", "problem=%s", strerror(errno));
        return PIPES_EXIT_FAILED;
    }
    struct config *config = read_config();
    if (!config)
        return PIPES_EXIT_CONFIG;
    log_set_level(config->log_level);
    log_set_format(config->log_format);
    raise_descriptor_limit(config);
    // CZMQ's own signal handling would take SIGTERM away from the loop. Before anything else of CZMQ is used.
    zsys_handler_set(NULL);
    int code = work(&identity, config, signal_fd);
    config_free(&config);
    zsys_shutdown();
    return code;
}
