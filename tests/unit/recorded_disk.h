// SPDX-License-Identifier: Apache-2.0
// A disk that remembers: the calls by which the ledger's engine changes files in one folder (write, fsync, fdatasync,
// rename, unlink) stand in this file, do what they always do, and are recorded in order. Afterwards the folder can be
// made again as a power cut would have left it at any of these calls.
#ifndef TESTS_UNIT_RECORDED_DISK_H
#define TESTS_UNIT_RECORDED_DISK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_call { DISK_WRITE, DISK_SYNC, DISK_SYNC_FOLDER, DISK_RENAME, DISK_UNLINK, DISK_MARK };

struct disk_op {
    enum disk_call call;
    char name[32];
    char to[32];   // rename
    uint8_t *data; // write
    size_t size;   // write: bytes; sync: how much of the file this made durable
    uint64_t mark; // what the test was promised at this moment
};

/** Records from now on what happens in `dir`, which is empty. */
void disk_record(const char *dir);
void disk_mark(uint64_t mark);
/** Ends the recording. From then on fsync and fdatasync cost nothing. The operations live until disk_forget. */
const struct disk_op *disk_recorded(size_t *count);
void disk_forget(void);

// The folder while the record is played again. All writes append: RocksDB never goes back in a file.
struct disk_state;
struct disk_state *disk_state_new(void);
void disk_state_free(struct disk_state **self);
void disk_state_apply(struct disk_state *self, const struct disk_op *op);

enum disk_left {
    DISK_ALL,           // everything that was written, in order: what kill -9 leaves, and a lucky power cut
    DISK_SYNCED,        // names as they were, of each file only what was synced
    DISK_SYNCED_FOLDER, // likewise, and names as they were when the folder was last synced
};
/**
 * Makes the folder `dir` (which must not exist) as the disk holds it. With DISK_ALL the first `part` bytes of the write
 * `last` are there, too, if that is not NULL. Returns false when a file cannot be written.
 */
bool disk_state_make(const struct disk_state *self, const char *dir, enum disk_left left, const struct disk_op *last,
                     size_t part);
#endif
