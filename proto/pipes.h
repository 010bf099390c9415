// SPDX-License-Identifier: Apache-2.0
// What deskbelld and its children say to each other: the complete written list of the descriptors a child receives, its
// arguments, and the fixed-size records on the status pipe (child -> supervisor) and the control pipe (supervisor ->
// front). Each record is one write(2) of less than PIPE_BUF bytes, so it arrives whole or not at all; both ends are the
// same build, so the layout is the host's. End of file on either pipe says that the other process is gone.
#ifndef DESKBELL_PROTO_PIPES_H
#define DESKBELL_PROTO_PIPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Descriptors at fixed numbers in every child. Besides these and 0, 1, 2 a child has none.
enum {
    PIPES_FD_CONFIG = 3,  // configuration snapshot: sealed memfd, for config_from_fd
    PIPES_FD_STATUS = 4,  // status pipe, write end, non-blocking
    PIPES_FD_CONTROL = 5, // control pipe, read end, non-blocking; workers get one too: only its end of file matters
    PIPES_FD_LOCK = 6,    // instance lock: keep it open and untouched
    PIPES_FD_LISTEN = 7,  // front only: listening socket for webhooks and widget, non-blocking
    PIPES_FD_ADMIN_LISTEN = 8, // front only: listening socket of the admin port, non-blocking
};

// The first slot is the front's; workers count from 1. A slot is a place in the supervisor's table and is used again;
// a generation never is: it grows over all slots and across restarts of the supervisor.
#define PIPES_FRONT_SLOT 0u

// Exit codes with a meaning to the supervisor and to those who script against it.
enum { PIPES_EXIT_ASKED = 0, PIPES_EXIT_FAILED = 1, PIPES_EXIT_USAGE = 2, PIPES_EXIT_CONFIG = 3 };

enum pipes_status_kind {
    PIPES_STATUS_STAGED = 1,   // front only: all but the ledger is open
    PIPES_STATUS_READY = 2,    // handlers, sockets and store work
    PIPES_STATUS_BEAT = 3,     // every second, from the loop that does the work, never from a thread of its own
    PIPES_STATUS_DRAINED = 4,  // intake stopped and nothing out any more; exit follows
    PIPES_STATUS_RELEASED = 5, // front only: the leaving worker of generation `value` has no job of ours any more
};

struct pipes_status {
    uint32_t magic;       // filled in and checked by the functions below
    uint32_t kind;        // enum pipes_status_kind
    uint64_t progress;    // grows with the work done; what it counts is the child's business
    uint64_t value;       // a worker's BEAT: the jobs it has reported since its start; RELEASED: a generation; else 0
    uint64_t resident_mb; // a worker's BEAT: the memory it occupies; else 0
};

enum pipes_control_kind {
    PIPES_CONTROL_ROSTER_BEGIN = 1,   // a complete roster follows and replaces the one before
    PIPES_CONTROL_ROSTER_WORKER = 2,  // slot, generation, pid: a worker that said READY and is not reaped
    PIPES_CONTROL_ROSTER_END = 3,     // the roster counts from here
    PIPES_CONTROL_REAPED = 4,         // slot, generation: waitpid saw this worker dead; it can write nothing any more
    PIPES_CONTROL_STOP = 5,           // leave in order, as on SIGTERM, which is what deskbelld sends today
    PIPES_CONTROL_ROSTER_LEAVING = 6, // as ROSTER_WORKER, but it is to get no new job; RELEASED answers it
    PIPES_CONTROL_OPEN = 7,           // nobody has the ledger: open it and serve. The first record that a front gets
    PIPES_CONTROL_HANDOVER = 8,       // another front takes over: leave without waiting for what is out
};

struct pipes_control {
    uint32_t magic; // filled in and checked by the functions below
    uint32_t kind;  // enum pipes_control_kind
    uint32_t slot;
    uint32_t pid;
    uint64_t generation;
};

// Writes one status record. Returns true when it was written, or when the pipe is full and a BEAT was left out (the
// supervisor is then behind, not gone). False with errno otherwise: EPIPE when the supervisor is gone (SIGPIPE must be
// ignored), EAGAIN when another kind than BEAT did not fit: try again.
bool pipes_write_status(int fd, enum pipes_status_kind kind, uint64_t progress) __attribute__((warn_unused_result));
// A worker's BEAT.
bool pipes_write_beat(int fd, uint64_t progress, uint64_t jobs, uint64_t resident_mb)
    __attribute__((warn_unused_result));
// A front's RELEASED.
bool pipes_write_released(int fd, uint64_t progress, uint64_t generation) __attribute__((warn_unused_result));

// Writes one control record. Returns false with errno (EAGAIN: pipe full) when it was not written.
bool pipes_write_control(int fd, enum pipes_control_kind kind, uint32_t slot, uint64_t generation, uint32_t pid)
    __attribute__((warn_unused_result));

enum pipes_result {
    PIPES_RECORD,  // *record holds the next record
    PIPES_NOTHING, // all that has arrived was read; poll again
    PIPES_EOF,     // the other process is gone (a torn last record counts as end of file)
    PIPES_BROKEN,  // bytes that are no record, or a read error: treat like end of file, but log it
};

// Collects bytes until a record is whole. Zero it before use; it owns nothing. One per descriptor.
struct pipes_reader {
    unsigned char bytes[64];
    size_t len;
};

// Takes the next status (control) record from the non-blocking descriptor fd. Call until the result is not
// PIPES_RECORD.
enum pipes_result pipes_read_status(struct pipes_reader *reader, int fd, struct pipes_status *record)
    __attribute__((warn_unused_result));
enum pipes_result pipes_read_control(struct pipes_reader *reader, int fd, struct pipes_control *record)
    __attribute__((warn_unused_result));

// A child's arguments: NAME --slot N --generation G.
struct pipes_identity {
    uint32_t slot;
    uint64_t generation;
};

// Reads a child's arguments strictly. False when they are anything but those two options once each; the child then says
// that deskbelld starts it and leaves with PIPES_EXIT_USAGE.
bool pipes_parse_args(int argc, char **argv, struct pipes_identity *identity) __attribute__((warn_unused_result));

// sockaddr_un leaves this many bytes for a socket's path, its NUL not counted.
#define PIPES_SOCKET_PATH_MAX 107

// Room for an endpoint's text: "ipc://", a path and the NUL.
#define PIPES_ENDPOINT_BYTES (6 + PIPES_SOCKET_PATH_MAX + 1)

// ipc://RUNTIME_DIR/worker-SLOT-GENERATION.sock: bound by that worker, the front connects and pushes jobs to it.
// False when it does not fit (config_parse refuses such a runtime_dir, so in a child that is a bug).
bool pipes_worker_endpoint(const char *runtime_dir, uint32_t slot, uint64_t generation, char out[PIPES_ENDPOINT_BYTES])
    __attribute__((warn_unused_result));

// ipc://RUNTIME_DIR/front.sock: bound by the front, all workers connect and push reports to it.
bool pipes_front_endpoint(const char *runtime_dir, char out[PIPES_ENDPOINT_BYTES]) __attribute__((warn_unused_result));

// ipc://RUNTIME_DIR/control.sock: bound by the front, deskbellctl connects and asks.
bool pipes_control_endpoint(const char *runtime_dir, char out[PIPES_ENDPOINT_BYTES])
    __attribute__((warn_unused_result));

// True when every endpoint fits for this runtime_dir, whatever slot and generation.
bool pipes_runtime_dir_fits(const char *runtime_dir);

#endif
