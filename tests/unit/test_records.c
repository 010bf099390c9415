// SPDX-License-Identifier: Apache-2.0
// Records: every kind there and back, every bound, and the strictness of the decoder. Filling and comparing are made
// from the same table as the records, so that a record added there is tested here at once.
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/records.h"

// ---- filling with anything ------------------------------------------------------------------------------------------

enum fill_mode {
    FILL_EMPTY,
    FILL_RANDOM, // within the bounds, lists of at most three
    FILL_BOUND,  // as random, but the field `chosen` of the outermost record is at its bound
    FILL_ABOVE,  // and one above it
};

struct filler {
    struct arena *arena;
    unsigned seed;
    enum fill_mode mode;
    int chosen;
    int field; // the running number of the field, in the outermost record
    int depth;
    bool cannot; // FILL_ABOVE of a field that has nothing above
};

static uint64_t random_u64(struct filler *f)
{
    uint64_t bits = 0;
    for (int i = 0; i < 4; i++)
        bits = bits << 16 | ((unsigned)rand_r(&f->seed) & 0xffff);
    return bits >> ((unsigned)rand_r(&f->seed) % 64); // all lengths
}

static bool is_chosen(const struct filler *f)
{
    return f->mode >= FILL_BOUND && f->depth == 1 && f->field == f->chosen;
}

// How many bytes, items or how large a number, for a field with this bound.
static uint64_t amount(struct filler *f, uint64_t most, uint64_t usual)
{
    if (is_chosen(f) && f->mode == FILL_BOUND)
        return most;
    if (is_chosen(f)) {
        f->cannot = most == UINT64_MAX;
        return f->cannot ? most : most + 1;
    }
    if (f->mode == FILL_EMPTY)
        return 0;
    uint64_t limit = most < usual ? most : usual;
    return limit == UINT64_MAX ? random_u64(f) : random_u64(f) % (limit + 1);
}

static const char *fill_text(struct filler *f, uint64_t most)
{
    static const char *const pieces[] = {"a", "Z", " ", "\n", "\x7f", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x94\x94"};
    size_t size = amount(f, most, 40);
    char *text = arena_alloc(f->arena, size + 1);
    for (size_t at = 0; at < size;) {
        const char *piece = pieces[(unsigned)rand_r(&f->seed) % 8];
        if (strlen(piece) > size - at)
            piece = "x";
        memcpy(text + at, piece, strlen(piece));
        at += strlen(piece);
    }
    return text;
}

static struct blob fill_blob(struct filler *f, uint64_t most)
{
    size_t size = amount(f, most, 40);
    uint8_t *bytes = arena_alloc(f->arena, size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)rand_r(&f->seed);
    return (struct blob){size || f->mode != FILL_EMPTY ? bytes : NULL, size};
}

static struct u64s fill_numbers(struct filler *f, uint64_t most)
{
    size_t count = amount(f, most, 3);
    uint64_t *items = arena_alloc(f->arena, count * sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = random_u64(f);
    return (struct u64s){items, count};
}

#define FILL_U64(name, most)   f->field++, r->name = amount(f, (most), UINT64_MAX);
#define FILL_BOOL(name)        f->field++, r->name = f->mode != FILL_EMPTY && rand_r(&f->seed) % 2;
#define FILL_STR(name, most)   f->field++, r->name = fill_text(f, (most));
#define FILL_BLOB(name, most)  f->field++, r->name = fill_blob(f, (most));
#define FILL_U64S(name, most)  f->field++, r->name = fill_numbers(f, (most));
#define FILL_REC(name, record) f->field++, fill_##record(f, &r->name);
#define FILL_LIST(name, record, most)                                                                                  \
    f->field++, r->name.count = amount(f, (most), 3);                                                                  \
    r->name.items = arena_alloc(f->arena, r->name.count * sizeof *r->name.items);                                      \
    for (size_t i = 0; i < r->name.count && (i < 3 || !is_chosen(f)); i++)                                             \
        fill_##record(f, &r->name.items[i]);
#define FILL(number, version, name)                                                                                    \
    static void fill_##name(struct filler *f, struct name *r)                                                          \
    {                                                                                                                  \
        int field = f->field;                                                                                          \
        f->depth++;                                                                                                    \
        if (f->depth == 1)                                                                                             \
            f->field = -1;                                                                                             \
        FIELDS_##name(FILL_U64, FILL_BOOL, FILL_STR, FILL_BLOB, FILL_U64S, FILL_REC, FILL_LIST) if (f->depth > 1)      \
            f->field = field;                                                                                          \
        f->depth--;                                                                                                    \
    }
RECORDS_TABLE(FILL)

// ---- comparing ------------------------------------------------------------------------------------------------------

static bool same_text(const char *a, const char *b)
{
    return b && strcmp(a ? a : "", b) == 0; // a decoded string is never NULL
}

static bool same_bytes(const void *a, const void *b, size_t size)
{
    return size == 0 || memcmp(a, b, size) == 0;
}

#define SAME_VALUE(name, most) &&a->name == b->name
#define SAME_BOOL(name)        &&a->name == b->name
#define SAME_STR(name, most)   &&same_text(a->name, b->name)
#define SAME_BLOB(name, most)  &&a->name.size == b->name.size &&same_bytes(a->name.data, b->name.data, a->name.size)
#define SAME_U64S(name, most)                                                                                          \
    &&a->name.count == b->name.count &&same_bytes(a->name.items, b->name.items, a->name.count * sizeof(uint64_t))
#define SAME_REC(name, record) &&same_##record(&a->name, &b->name)
#define SAME_LIST(name, record, most)                                                                                  \
    &&a->name.count == b->name.count &&same_list_##record(a->name.items, b->name.items, a->name.count)
#define SAME(number, version, name)                                                                                    \
    static bool same_##name(const struct name *a, const struct name *b)                                                \
    {                                                                                                                  \
        return true FIELDS_##name(SAME_VALUE, SAME_BOOL, SAME_STR, SAME_BLOB, SAME_U64S, SAME_REC, SAME_LIST);         \
    }                                                                                                                  \
    __attribute__((unused)) static bool same_list_##name(const struct name *a, const struct name *b, size_t count)     \
    {                                                                                                                  \
        for (size_t i = 0; i < count; i++)                                                                             \
            if (!same_##name(&a[i], &b[i]))                                                                            \
                return false;                                                                                          \
        return true;                                                                                                   \
    }
RECORDS_TABLE(SAME)

// ---- one record of any kind -----------------------------------------------------------------------------------------

union any {
#define MEMBER(number, version, name) struct name name;
    RECORDS_TABLE(MEMBER)
};

static void fill_any(struct filler *f, enum record_kind kind, union any *out)
{
    memset(out, 0, sizeof *out);
    switch (kind) {
#define FILL_CASE(number, version, name)                                                                               \
    case RECORD_##name:                                                                                                \
        fill_##name(f, &out->name);                                                                                    \
        return;
        RECORDS_TABLE(FILL_CASE)
    default:
        fail();
    }
}

static bool same_any(enum record_kind kind, const union any *a, const union any *b)
{
    switch (kind) {
#define SAME_CASE(number, version, name)                                                                               \
    case RECORD_##name:                                                                                                \
        return same_##name(&a->name, &b->name);
        RECORDS_TABLE(SAME_CASE)
    default:
        return false;
    }
}

static int fields_of(enum record_kind kind)
{
#define ONE(...)                     +1
#define COUNT(number, version, name) [number] = 0 FIELDS_##name(ONE, ONE, ONE, ONE, ONE, ONE, ONE),
    static const int counts[RECORD_KINDS] = {RECORDS_TABLE(COUNT)};
    return counts[kind];
}

static uint64_t version_of(enum record_kind kind)
{
#define VERSION(number, version, name) [number] = version,
    static const uint64_t versions[RECORD_KINDS] = {RECORDS_TABLE(VERSION)};
    return versions[kind];
}

static enum record_error decode(enum record_kind kind, const void *data, size_t size, union any *out,
                                struct arena *arena)
{
    // A copy of exactly that size, so that the sanitizer sees a byte read too far.
    void *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, data, size);
    enum record_error error = record_decode(kind, exact, size, out, arena);
    free(exact);
    return error;
}

// ---- there and back -------------------------------------------------------------------------------------------------

static void round_trip(enum record_kind kind, struct filler *f)
{
    union any in;
    union any out;
    struct record_buffer buffer;

    fill_any(f, kind, &in);
    assert_true(record_encode(kind, &in, &buffer));
    assert_int_equal(record_peek(buffer.data, buffer.size), kind);
    assert_int_equal(decode(kind, buffer.data, buffer.size, &out, f->arena), RECORD_OK);
    assert_true(same_any(kind, &in, &out));
    record_buffer_free(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.size, 0);
}

static void every_record_comes_back_as_it_was(void **state)
{
    struct filler f = {.arena = arena_new(), .seed = 1};

    (void)state;
    for (enum record_kind kind = 1; kind < RECORD_KINDS; kind++) {
        f.mode = FILL_EMPTY;
        round_trip(kind, &f);
        f.mode = FILL_RANDOM;
        for (int i = 0; i < 50; i++) {
            arena_reset(f.arena);
            round_trip(kind, &f);
        }
    }
    arena_free(&f.arena);
}

// The dispatcher keeps every lane it knows encoded: what is written with must not be what is kept.
static void an_encoded_record_takes_the_room_it_needs(void **state)
{
    (void)state;
    struct lane lane = {.conversation = "5e0b8f9e-0000-4000-8000-000000000001"};
    struct record_buffer bytes;
    assert_true(record_encode(RECORD_lane, &lane, &bytes));
    assert_true(bytes.size < 512);
    assert_true(malloc_usable_size(bytes.data) < bytes.size + 64);
    record_buffer_free(&bytes);
}

static void every_field_holds_its_bound_and_no_more(void **state)
{
    (void)state;
    for (enum record_kind kind = 1; kind < RECORD_KINDS; kind++) {
        for (int field = 0; field < fields_of(kind); field++) {
            struct filler f = {.arena = arena_new(), .seed = 7, .mode = FILL_BOUND, .chosen = field};
            union any in;
            struct record_buffer buffer;
            round_trip(kind, &f);
            f.mode = FILL_ABOVE;
            fill_any(&f, kind, &in);
            bool encoded = record_encode(kind, &in, &buffer);
            // What has nothing above its bound: numbers of 64 bits, booleans, nested records.
            assert_true(encoded || !f.cannot);
            if (!encoded) {
                assert_null(buffer.data);
                assert_int_equal(buffer.size, 0);
            } else {
                union any out;
                assert_int_equal(decode(kind, buffer.data, buffer.size, &out, f.arena), RECORD_OK);
                assert_true(same_any(kind, &in, &out));
            }
            record_buffer_free(&buffer);
            arena_free(&f.arena);
        }
    }
}

// ---- strictness -----------------------------------------------------------------------------------------------------

static void every_truncation_and_every_extra_byte_is_refused(void **state)
{
    struct filler f = {.arena = arena_new(), .seed = 3, .mode = FILL_RANDOM};
    struct arena *scratch = arena_new();

    (void)state;
    for (enum record_kind kind = 1; kind < RECORD_KINDS; kind++) {
        union any in;
        union any out;
        struct record_buffer buffer;
        fill_any(&f, kind, &in);
        assert_true(record_encode(kind, &in, &buffer));
        for (size_t size = 0; size < buffer.size; size++) {
            arena_reset(scratch);
            assert_int_not_equal(decode(kind, buffer.data, size, &out, scratch), RECORD_OK);
        }
        uint8_t *longer = malloc(buffer.size + 1);
        assert_non_null(longer);
        memcpy(longer, buffer.data, buffer.size);
        for (int byte = 0; byte < 256; byte++) {
            arena_reset(scratch);
            longer[buffer.size] = (uint8_t)byte;
            assert_int_equal(decode(kind, longer, buffer.size + 1, &out, scratch), RECORD_MALFORMED);
        }
        free(longer);
        record_buffer_free(&buffer);
    }
    arena_free(&scratch);
    arena_free(&f.arena);
}

static void another_record_is_refused(void **state)
{
    struct filler f = {.arena = arena_new(), .seed = 4, .mode = FILL_RANDOM};

    (void)state;
    for (enum record_kind kind = 1; kind < RECORD_KINDS; kind++) {
        union any in;
        union any out;
        struct record_buffer buffer;
        fill_any(&f, kind, &in);
        assert_true(record_encode(kind, &in, &buffer));
        for (enum record_kind other = 1; other < RECORD_KINDS; other++)
            if (other != kind)
                assert_int_equal(decode(other, buffer.data, buffer.size, &out, f.arena), RECORD_WRONG_KIND);
        record_buffer_free(&buffer);
    }
    arena_free(&f.arena);
}

static void other_versions_are_refused(void **state)
{
    struct filler f = {.arena = arena_new(), .seed = 5};

    (void)state;
    for (enum record_kind kind = 1; kind < RECORD_KINDS; kind++) {
        union any in;
        union any out;
        struct record_buffer buffer;
        fill_any(&f, kind, &in);
        assert_true(record_encode(kind, &in, &buffer));
        size_t at = (buffer.data[0] & 0xf0) == 0x90 ? 2 : 4; // [array header][kind][version]
        assert_int_equal(buffer.data[at], version_of(kind));
        buffer.data[at] = (uint8_t)(version_of(kind) + 1);
        assert_int_equal(decode(kind, buffer.data, buffer.size, &out, f.arena), RECORD_VERSION);
        buffer.data[at] = 0;
        assert_int_equal(decode(kind, buffer.data, buffer.size, &out, f.arena), RECORD_VERSION);
        record_buffer_free(&buffer);
    }
    arena_free(&f.arena);
}

// Changes bytes of good records at random. Whatever still decodes must be a good record in turn.
static void changed_bytes_never_do_harm(void **state)
{
    struct filler f = {.arena = arena_new(), .seed = 6, .mode = FILL_RANDOM};
    struct arena *scratch = arena_new();
    size_t decoded = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        enum record_kind kind = 1 + (unsigned)rand_r(&f.seed) % (RECORD_KINDS - 1);
        union any in;
        union any out;
        struct record_buffer buffer;
        arena_reset(f.arena);
        arena_reset(scratch);
        fill_any(&f, kind, &in);
        assert_true(record_encode(kind, &in, &buffer));
        for (int changes = 1 + rand_r(&f.seed) % 3; changes > 0; changes--)
            buffer.data[(size_t)rand_r(&f.seed) % buffer.size] = (uint8_t)rand_r(&f.seed);
        if (decode(kind, buffer.data, buffer.size, &out, scratch) == RECORD_OK) {
            struct record_buffer again;
            union any third;
            decoded++;
            assert_true(record_encode(kind, &out, &again));
            assert_int_equal(decode(kind, again.data, again.size, &third, scratch), RECORD_OK);
            assert_true(same_any(kind, &out, &third));
            record_buffer_free(&again);
        }
        record_buffer_free(&buffer);
    }
    assert_true(decoded > 100 && decoded < 19900); // both ways were taken
    arena_free(&scratch);
    arena_free(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_comes_back_as_it_was),
        cmocka_unit_test(an_encoded_record_takes_the_room_it_needs),
        cmocka_unit_test(every_field_holds_its_bound_and_no_more),
        cmocka_unit_test(every_truncation_and_every_extra_byte_is_refused),
        cmocka_unit_test(another_record_is_refused),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(changed_bytes_never_do_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
