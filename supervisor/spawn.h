// SPDX-License-Identifier: Apache-2.0
// Starting a child: fork and exec of a helper program, with exactly the descriptors that proto/pipes.h lists, a clean
// signal state and a short list of environment variables. Nothing else of deskbelld reaches a child.
#ifndef DESKBELL_SUPERVISOR_SPAWN_H
#define DESKBELL_SUPERVISOR_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// What children inherit; all descriptors are borrowed.
struct spawn {
    char folder[1024]; // where the helper programs are
    char **environment;
    int config_fd;
    int log_fd; // becomes the child's descriptor 2
    int lock_fd;
    int listen_fd;
    int admin_listen_fd;
};

// Finds deskbell-front and deskbell-worker beside our own program, else in the libexec folder (with fault seams:
// $DESKBELL_TEST_HELPERS before both), and gathers the children's environment. False with one sentence in `why`.
bool spawn_init(struct spawn *spawn, char *why, size_t why_size) __attribute__((warn_unused_result));

// Frees the environment; the descriptors stay their owners'.
void spawn_free(struct spawn *spawn);

// Starts the program for the slot. Returns its pid and the parent's ends of its status pipe (read) and
// control pipe (write), both non-blocking and close-on-exec; or -1, logged, with both -1.
pid_t spawn_child(const struct spawn *spawn, uint32_t slot, uint64_t generation, int *status_fd, int *control_fd);

#endif
