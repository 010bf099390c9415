// SPDX-License-Identifier: Apache-2.0
// One instance at a time: the folders, the lock that keeps a second one out, and the numbers that must never come
// twice.
#ifndef DESKBELL_SUPERVISOR_INSTANCE_H
#define DESKBELL_SUPERVISOR_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct instance {
    int lock_fd;         // every child inherits it, so the lock lives as long as any of them
    int runtime_fd;      // the folder of the sockets, locked: by deskbelld alone, whose death ends its children
    uint64_t generation; // the last one given out
    uint64_t reserved;   // up to here they are noted in the lock file
    char *runtime_dir;
};

// Makes the folders where they are missing (0700, their parents must exist), takes the lock STATE_DIR/lock and one
// on RUNTIME_DIR itself, and clears that of sockets that a killed instance left. False with one sentence in `why`.
bool instance_open(struct instance *instance, const char *state_dir, const char *runtime_dir, char *why,
                   size_t why_size) __attribute__((warn_unused_result));

// Lets go of our descriptors of the locks, and frees.
void instance_close(struct instance *instance);

// Returns a number larger than any before, also by an earlier instance on this state_dir, whatever the clock does.
uint64_t instance_next_generation(struct instance *instance);

// Removes the socket of a worker that is dead.
void instance_remove_socket(const struct instance *instance, uint32_t slot, uint64_t generation);

#endif
