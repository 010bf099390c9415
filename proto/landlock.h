// SPDX-License-Identifier: Apache-2.0
// Landlock: a process gives up the file system but for what it names. The kernel keeps the promise, whatever the
// process is made to do later. For main(), while the process has one thread: threads and children made afterwards are
// bound as well, threads that exist already would not be.
#ifndef DESKBELL_PROTO_LANDLOCK_H
#define DESKBELL_PROTO_LANDLOCK_H
#include <stdbool.h>
#include <stddef.h>

enum landlock_access {
    LANDLOCK_READ,   // read files, list folders, below the path or the file itself
    LANDLOCK_DEVICE, // read and write that device
    LANDLOCK_APPEND, // write files that are there, below the path: the log's folder
    LANDLOCK_SOCKET, // a folder for unix sockets: make, remove, use
    LANDLOCK_OWN,    // everything that changes or reads files and folders below the path; never execution
};

struct landlock_path {
    const char *path; // a path that does not exist allows nothing, which is no error
    enum landlock_access access;
};

/**
 * Allows this process the listed paths and nothing else of the file system, no execution, and, where the kernel knows
 * these, no abstract unix socket or signal of a process that is not confined with it. Descriptors that are open stay
 * usable. Sets no_new_privs. Logs once at info what the kernel has: "landlock" with abi=N, or that it has none.
 * Returns false only when the kernel has Landlock and refuses; errno says why. There is no way back.
 */
bool landlock_confine(const struct landlock_path *paths, size_t count) __attribute__((warn_unused_result));

/** Which version of Landlock this kernel has; 0: none, or switched off. */
int landlock_abi(void);

#endif
