// SPDX-License-Identifier: Apache-2.0
// The two listening sockets. deskbelld opens them once, or takes them from systemd (socket activation,
// sd_listen_fds(3)), and every front inherits them: while one front is replaced by the next, the kernel queues
// newcomers.
#ifndef DESKBELL_SUPERVISOR_LISTENERS_H
#define DESKBELL_SUPERVISOR_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/config.h"

struct listeners {
    int front; // -1: not open
    int admin;
    bool front_passed, admin_passed; // by systemd, which decided their addresses
};

// Opens both, non-blocking and close-on-exec. Sockets that systemd passed are told apart by the names "front" and
// "admin" (FileDescriptorName=), else by their order; one that is missing is opened here. False with one sentence in
// `why`, and nothing open.
bool listeners_open(struct listeners *listeners, const struct config_front *config, char *why, size_t why_size)
    __attribute__((warn_unused_result));

// For a new configuration: what keeps its address (or was passed) is the same socket by another descriptor, the rest is
// opened. False with one sentence in `why`, and nothing open; `before` stays as it is in any case.
bool listeners_follow(struct listeners *listeners, const struct config_front *config, const struct listeners *before,
                      const struct config_front *config_before, char *why, size_t why_size)
    __attribute__((warn_unused_result));

// A front that could not adopt a socket has ended its listening, to bind its address itself. Before they are given back
// to systemd they listen again; otherwise this changes nothing.
void listeners_revive(const struct listeners *listeners);

void listeners_close(struct listeners *listeners);

#endif
