// SPDX-License-Identifier: Apache-2.0
// RocksDB tells a torn tail from damage by where the bytes end, and so lets pass as a tail: a spoilt length in the last
// block, zeros, a log that was cut short though another follows it. Each of these would open a ledger without writes
// that were answered. This file reads the logs itself, before the engine does, by the published format (RocksDB wiki,
// "Write Ahead Log File Format"): blocks of 32 KB; in a block fragments of checksum (crc32c, masked), length, type,
// bytes; a record begins with the sequence number of its first operation and the count of its operations, so that
// records of all logs together count without a gap. What ends in the middle of a fragment is a tail only if no record
// follows it.
#include "http-front/ledger/ledger_wal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BLOCK_BYTES = 32768,
    FRAGMENT_HEADER = 7,
    RECORD_HEADER = 12, // sequence, count
    LISTINGS = 5,       // a log that vanishes while we look is one the engine of another process has finished with
};

enum fragment_type { NOTHING = 0, WHOLE = 1, FIRST = 2, MIDDLE = 3, LAST = 4 };

// One log while it is read.
struct reader {
    const uint8_t *data;
    size_t size;
    uint64_t *expected; // sequence that the next record must not lie above; 0: not known yet
    bool inside;        // between the first and the last fragment of a record
    uint8_t head[RECORD_HEADER];
    size_t head_size;
    const char *damage;
};

// ---- the checksum ---------------------------------------------------------------------------------------------------

struct crc {
    uint32_t table[256];
};

// Castagnoli's polynomial, reversed; of the type byte and what follows it, rotated and shifted as RocksDB stores it.
static struct crc crc_new(void)
{
    struct crc crc;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? value >> 1 ^ 0x82f63b78u : value >> 1;
        crc.table[i] = value;
    }
    return crc;
}

static uint32_t checksum(const struct crc *crc, const uint8_t *data, size_t size)
{
    uint32_t value = UINT32_MAX;
    for (size_t i = 0; i < size; i++)
        value = value >> 8 ^ crc->table[(value ^ data[i]) & 255];
    value = ~value;
    return (value >> 15 | value << 17) + 0xa282ead8u;
}

static uint64_t little_endian(const uint8_t *bytes, int count)
{
    uint64_t number = 0;
    while (count-- > 0)
        number = number << 8 | bytes[count];
    return number;
}

// ---- one log --------------------------------------------------------------------------------------------------------

static size_t length_at(const struct reader *reader, size_t at)
{
    return (size_t)little_endian(reader->data + at + 4, 2);
}

static bool sound(const struct reader *reader, const struct crc *crc, size_t at, size_t length)
{
    return little_endian(reader->data + at, 4) == checksum(crc, reader->data + at + 6, length + 1);
}

static bool all_zero(const struct reader *reader, size_t from)
{
    while (from < reader->size && reader->data[from] == 0)
        from++;
    return from == reader->size;
}

// Whether a sound beginning of a record lies anywhere behind `at` in its block, which is the last. A customer's text
// that was cut off cannot play one: a sequence number holds zero bytes, and texts do not.
static bool record_follows(const struct reader *reader, const struct crc *crc, size_t at)
{
    for (at++; at + FRAGMENT_HEADER + RECORD_HEADER <= reader->size; at++) {
        size_t length = length_at(reader, at);
        uint8_t type = reader->data[at + 6];
        uint64_t sequence = little_endian(reader->data + at + FRAGMENT_HEADER, 8);
        if ((type == WHOLE || type == FIRST) && length >= RECORD_HEADER &&
            length <= reader->size - at - FRAGMENT_HEADER && sequence >= *reader->expected && sequence >> 56 == 0 &&
            sound(reader, crc, at, length))
            return true;
    }
    return false;
}

// Takes the bytes of a sound fragment; false when it does not continue what came before.
static bool take_fragment(struct reader *reader, enum fragment_type type, const uint8_t *bytes, size_t length)
{
    bool begins = type == WHOLE || type == FIRST;
    if (begins == reader->inside) {
        reader->damage = "a record without its end or its beginning";
        return false;
    }
    if (begins)
        reader->head_size = 0;
    size_t taken = RECORD_HEADER - reader->head_size;
    if (taken > length)
        taken = length;
    if (taken > 0)
        memcpy(reader->head + reader->head_size, bytes, taken);
    reader->head_size += taken;
    reader->inside = type == FIRST || type == MIDDLE;
    if (reader->inside)
        return true;
    if (reader->head_size < RECORD_HEADER) {
        reader->damage = "a record too short";
        return false;
    }
    uint64_t sequence = little_endian(reader->head, 8);
    if (*reader->expected != 0 && sequence > *reader->expected) {
        reader->damage = "records are missing before it";
        return false;
    }
    *reader->expected = sequence + little_endian(reader->head + 8, 4);
    return true;
}

// Reads one fragment at *at and moves *at on. False: the log ends here, torn, or damaged if `damage` is set.
static bool read_fragment(struct reader *reader, const struct crc *crc, size_t *at)
{
    size_t in_block = BLOCK_BYTES - *at % BLOCK_BYTES;
    size_t left = reader->size - *at;
    if (in_block < FRAGMENT_HEADER) {
        *at += in_block < left ? in_block : left;
        return true;
    }
    if (left < FRAGMENT_HEADER)
        return false;
    size_t length = length_at(reader, *at);
    uint8_t type = reader->data[*at + 6];
    if (type == NOTHING && length == 0) {
        // Space that a file system gave but nothing was written to; behind it nothing can be.
        if (!all_zero(reader, *at))
            reader->damage = "zeros in the middle";
        return false;
    }
    if (type < WHOLE || type > LAST || FRAGMENT_HEADER + length > in_block) {
        reader->damage = "no record where one should begin";
        return false;
    }
    if (FRAGMENT_HEADER + length > left) {
        if (record_follows(reader, crc, *at))
            reader->damage = "a spoilt length";
        return false;
    }
    if (!sound(reader, crc, *at, length)) {
        reader->damage = "a wrong checksum";
        return false;
    }
    if (!take_fragment(reader, (enum fragment_type)type, reader->data + *at + FRAGMENT_HEADER, length))
        return false;
    *at += FRAGMENT_HEADER + length;
    return true;
}

// ---- all logs -------------------------------------------------------------------------------------------------------

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// The numbers of the logs in `dir`, ascending; NULL with errno when the folder cannot be read.
static uint64_t *list(const char *dir, size_t *count)
{
    size_t room = 16;
    uint64_t *numbers = malloc(room * sizeof *numbers);
    DIR *folder = opendir(dir);
    *count = 0;
    if (!numbers)
        abort();
    if (!folder) {
        free(numbers);
        return NULL;
    }
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char *end = NULL;
        uint64_t number = strtoull(entry->d_name, &end, 10);
        if (end == entry->d_name || strcmp(end, ".log") != 0)
            continue;
        if (*count == room) {
            uint64_t *more = realloc(numbers, 2 * room * sizeof *numbers);
            if (!more)
                abort();
            numbers = more;
            room *= 2;
        }
        numbers[(*count)++] = number;
    }
    closedir(folder);
    qsort(numbers, *count, sizeof *numbers, compare_numbers);
    return numbers;
}

enum verdict { LOG_WHOLE, LOG_DAMAGED, LOG_GONE };

// Reads one log whose descriptor and size are known.
static enum verdict check_open(int fd, size_t size, uint64_t number, uint64_t *expected, char *why, size_t why_size)
{
    const struct crc crc = crc_new();
    struct reader reader = {.size = size, .expected = expected};
    size_t at = 0;
    if (size == 0)
        return LOG_WHOLE;
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
        snprintf(why, why_size, "%06" PRIu64 ".log: %s", number, strerror(errno));
        return LOG_DAMAGED;
    }
    reader.data = data;
    while (at < size && read_fragment(&reader, &crc, &at))
        ;
    munmap(data, size);
    if (!reader.damage)
        return LOG_WHOLE;
    snprintf(why, why_size, "%06" PRIu64 ".log, byte %zu: %s", number, at, reader.damage);
    return LOG_DAMAGED;
}

static enum verdict check_log(const char *dir, uint64_t number, uint64_t *expected, char *why, size_t why_size)
{
    char path[PATH_MAX];
    struct stat info;
    enum verdict verdict = LOG_DAMAGED;
    snprintf(path, sizeof path, "%s/%06" PRIu64 ".log", dir, number);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return LOG_GONE;
    if (fd < 0 || fstat(fd, &info) != 0)
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
    else
        verdict = check_open(fd, (size_t)info.st_size, number, expected, why, why_size);
    if (fd >= 0)
        close(fd);
    return verdict;
}

bool ledger_wal_whole(const char *dir, char *why, size_t why_size)
{
    enum verdict verdict = LOG_GONE;
    for (int attempt = 0; verdict == LOG_GONE && attempt < LISTINGS; attempt++) {
        size_t count = 0;
        uint64_t expected = 0;
        uint64_t *numbers = list(dir, &count);
        if (!numbers) {
            snprintf(why, why_size, "%s", strerror(errno));
            return false;
        }
        verdict = LOG_WHOLE;
        for (size_t i = 0; verdict == LOG_WHOLE && i < count; i++)
            verdict = check_log(dir, numbers[i], &expected, why, why_size);
        free(numbers);
    }
    if (verdict == LOG_GONE)
        snprintf(why, why_size, "logs come and go");
    return verdict == LOG_WHOLE;
}
