// SPDX-License-Identifier: Apache-2.0
// Bounds how long a connection may keep a thread reading. CivetWeb's own time-out counts from byte to byte, so one byte
// now and then could hold a thread for hours; here one thread watches whole reads and closes the receiving side of
// those that are late.
#ifndef HTTP_FRONT_INTAKE_DEADLINES_H
#define HTTP_FRONT_INTAKE_DEADLINES_H
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct deadlines;

// One read being watched. Lives on the reader's stack between deadlines_begin and deadlines_end.
struct deadline {
    struct deadline *next, **link;
    int64_t at_ms;
    struct in_addr remote;
    uint16_t remote_port, local_port; // host order; with `remote` they name the connection
    atomic_bool passed;
};

/** Starts the thread. deadlines_free joins it; no read may be watched any more then. */
struct deadlines *deadlines_new(void);
void deadlines_free(struct deadlines **self);

/**
 * Watches the reads of one connection, which its thread must not close before deadlines_end: when `timeout_ms` pass
 * first, `passed` becomes true and reading ends as if the sender had stopped sending. Writing still works.
 */
void deadlines_begin(struct deadlines *self, struct deadline *deadline, int timeout_ms);
void deadlines_end(struct deadlines *self, struct deadline *deadline);
#endif
