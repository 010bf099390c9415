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

// While every thread is taken, nobody may keep one longer than this for one step: sending the headers, sending the
// body, reading the answer, being idle. Senders behind a proxy need a few milliseconds.
#define DEADLINES_PRESSED_MS 500

// One read being watched. Its owner keeps it where it is between deadlines_begin and deadlines_end.
struct deadline {
    struct deadline *next, **link;
    int64_t begun_ms, at_ms;
    bool writing; // end the writing as well as the reading
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

/** The same for one write: what still writes when the time is over fails, and the connection is of no use any more. */
void deadlines_begin_write(struct deadlines *self, struct deadline *deadline, int timeout_ms);

/** From here to deadlines_end a request of that connection is being worked on: pressure does not concern it. */
void deadlines_excuse(struct deadlines *self, struct deadline *deadline);

/**
 * Says that all threads that serve that port are taken, or (0) no longer. While they are, every time-out is at most
 * DEADLINES_PRESSED_MS, those begun too; and a connection to that port that has been there so long without a whole
 * request, and has nothing left that a thread could read, is cut.
 */
void deadlines_press(struct deadlines *self, uint16_t local_port);

/** True while all threads are taken: then a connection is closed after its answer. */
bool deadlines_pressed(const struct deadlines *self);
/**
 * Reads that have been watched for `least_ms` end now, as if their time had passed. Requests being worked on and
 * answers being written are left alone.
 */
void deadlines_end_reads(struct deadlines *self, int least_ms);

/** All reads end now, and nobody else who has not sent a whole request to that port may send any more. */
void deadlines_end_all(struct deadlines *self, uint16_t local_port);
#endif
