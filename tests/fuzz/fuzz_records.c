// SPDX-License-Identifier: Apache-2.0
// Fuzzes the record decoder: any bytes, as any record. What it accepts must be something the encoder writes again, that
// reads back and is then written the same.
#include <stdlib.h>
#include <string.h>

#include "proto/records.h"

union any {
#define MEMBER(number, version, name) struct name name;
    RECORDS_TABLE(MEMBER)
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth)
        abort();
}

static void try_kind(enum record_kind kind, const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    union any record;
    union any again;
    struct record_buffer first;
    struct record_buffer second;

    if (record_decode(kind, data, size, &record, arena) == RECORD_OK) {
        must(record_peek(data, size) == kind || size > 5); // peek knows the short headers only
        must(record_encode(kind, &record, &first));
        must(record_decode(kind, first.data, first.size, &again, arena) == RECORD_OK);
        must(record_encode(kind, &again, &second));
        must(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
        record_buffer_free(&first);
        record_buffer_free(&second);
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum record_kind said = record_peek(data, size);
    if (said)
        try_kind(said, data, size);
    try_kind(RECORD_pending, data, size);
    return 0;
}
