// SPDX-License-Identifier: Apache-2.0
// The records between deskbelld and its children, for both sides. A record is 24 or 32 bytes, far below PIPE_BUF, so a
// write is whole or not at all; the reader still takes any split of the bytes, because nothing forbids a short read.
#include "proto/pipes.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_MAGIC  0x54424b44u // "DKBT"
#define CONTROL_MAGIC 0x45424b44u // "DKBE"

static_assert(sizeof(struct pipes_status) == 32 && sizeof(struct pipes_control) == 24, "records have no holes");
static_assert(sizeof(struct pipes_control) <= PIPE_BUF, "one write is one record");
static_assert(sizeof(struct pipes_control) <= sizeof(((struct pipes_reader *)0)->bytes), "a reader holds a record");

static bool write_record(int fd, const void *record, size_t size)
{
    ssize_t n;

    do
        n = write(fd, record, size);
    while (n < 0 && errno == EINTR);
    // POSIX: up to PIPE_BUF bytes a write to a pipe is atomic.
    assert(n < 0 || (size_t)n == size);
    return n >= 0;
}

static bool write_status(int fd, enum pipes_status_kind kind, uint64_t progress, uint64_t value, uint64_t resident_mb)
{
    struct pipes_status record = {STATUS_MAGIC, kind, progress, value, resident_mb};

    return write_record(fd, &record, sizeof record) || (errno == EAGAIN && kind == PIPES_STATUS_BEAT);
}

bool pipes_write_status(int fd, enum pipes_status_kind kind, uint64_t progress)
{
    return write_status(fd, kind, progress, 0, 0);
}

bool pipes_write_beat(int fd, uint64_t progress, uint64_t jobs, uint64_t resident_mb)
{
    return write_status(fd, PIPES_STATUS_BEAT, progress, jobs, resident_mb);
}

bool pipes_write_released(int fd, uint64_t progress, uint64_t generation)
{
    return write_status(fd, PIPES_STATUS_RELEASED, progress, generation, 0);
}

bool pipes_write_control(int fd, enum pipes_control_kind kind, uint32_t slot, uint64_t generation, uint32_t pid)
{
    struct pipes_control record = {CONTROL_MAGIC, kind, slot, pid, generation};

    return write_record(fd, &record, sizeof record);
}

// Reads until `size` bytes are there and hands them out. Never reads further, so the rest stays in the pipe.
static enum pipes_result read_record(struct pipes_reader *reader, int fd, void *record, size_t size)
{
    while (reader->len < size) {
        ssize_t n = read(fd, reader->bytes + reader->len, size - reader->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? PIPES_NOTHING : PIPES_BROKEN;
        if (n == 0)
            return PIPES_EOF;
        reader->len += (size_t)n;
    }
    memcpy(record, reader->bytes, size);
    reader->len = 0;
    return PIPES_RECORD;
}

enum pipes_result pipes_read_status(struct pipes_reader *reader, int fd, struct pipes_status *record)
{
    enum pipes_result result = read_record(reader, fd, record, sizeof *record);

    if (result == PIPES_RECORD &&
        (record->magic != STATUS_MAGIC || record->kind < PIPES_STATUS_STAGED || record->kind > PIPES_STATUS_RELEASED))
        return PIPES_BROKEN;
    return result;
}

enum pipes_result pipes_read_control(struct pipes_reader *reader, int fd, struct pipes_control *record)
{
    enum pipes_result result = read_record(reader, fd, record, sizeof *record);

    if (result == PIPES_RECORD && (record->magic != CONTROL_MAGIC || record->kind < PIPES_CONTROL_ROSTER_BEGIN ||
                                   record->kind > PIPES_CONTROL_HANDOVER))
        return PIPES_BROKEN;
    return result;
}

// Decimal digits only, so neither a sign nor white space slips through strtoull.
static bool parse_number(const char *text, uint64_t max, uint64_t *value)
{
    char *end = NULL;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *value <= max;
}

bool pipes_parse_args(int argc, char **argv, struct pipes_identity *identity)
{
    bool has_slot = false, has_generation = false;
    uint64_t value;

    if (argc != 5)
        return false;
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--slot") == 0 && !has_slot && parse_number(argv[i + 1], UINT32_MAX, &value)) {
            identity->slot = (uint32_t)value;
            has_slot = true;
        } else if (strcmp(argv[i], "--generation") == 0 && !has_generation &&
                   parse_number(argv[i + 1], UINT64_MAX, &value)) {
            identity->generation = value;
            has_generation = true;
        } else {
            return false;
        }
    }
    return has_slot && has_generation;
}

static bool endpoint_fits(int n)
{
    return n > 0 && n < PIPES_ENDPOINT_BYTES;
}

bool pipes_worker_endpoint(const char *runtime_dir, uint32_t slot, uint64_t generation, char out[PIPES_ENDPOINT_BYTES])
{
    return endpoint_fits(snprintf(out, PIPES_ENDPOINT_BYTES, "ipc://%s/worker-%lu-%llu.sock", runtime_dir,
                                  (unsigned long)slot, (unsigned long long)generation));
}

bool pipes_front_endpoint(const char *runtime_dir, char out[PIPES_ENDPOINT_BYTES])
{
    return endpoint_fits(snprintf(out, PIPES_ENDPOINT_BYTES, "ipc://%s/front.sock", runtime_dir));
}

bool pipes_control_endpoint(const char *runtime_dir, char out[PIPES_ENDPOINT_BYTES])
{
    return endpoint_fits(snprintf(out, PIPES_ENDPOINT_BYTES, "ipc://%s/control.sock", runtime_dir));
}

bool pipes_runtime_dir_fits(const char *runtime_dir)
{
    char endpoint[PIPES_ENDPOINT_BYTES];

    // The longest name of all.
    return pipes_worker_endpoint(runtime_dir, UINT32_MAX, UINT64_MAX, endpoint);
}
