// SPDX-License-Identifier: Apache-2.0
// The worker's main loop: jobs come in over the link, steps make requests of them, the client makes the calls, reports
// go back and stay until they are acked. One CZMQ zloop, one thread, nothing blocks.
#ifndef WORKERS_LOOP_H
#define WORKERS_LOOP_H
#include <stddef.h>
#include <stdint.h>

#include "proto/config.h"
#include "proto/pipes.h"
#include "upstream/keys.h"
#include "workers/step.h"

struct loop;

// Everything is borrowed and must outlive the loop. Descriptors stay the caller's.
struct loop_settings {
    const struct config *config;
    const struct keys *keys;
    const struct proof_key *proof_key; // NULL: none
    struct pipes_identity identity;
    int status_fd;                                       // PIPES_FD_STATUS
    int control_fd;                                      // PIPES_FD_CONTROL
    int signal_fd;                                       // a signalfd for SIGTERM, SIGINT, SIGQUIT and SIGUSR1, or -1
    const struct step_code *(*find_step)(uint64_t step); // flows_step
};

/** Opens link and client. NULL with one sentence in `why`. */
struct loop *loop_new(const struct loop_settings *settings, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/** Says READY, works until it is asked to leave or the supervisor is gone, and returns the exit code. */
int loop_run(struct loop *self);

/** Closes everything it opened; *self becomes NULL. */
void loop_free(struct loop **self);
#endif
