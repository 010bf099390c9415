// SPDX-License-Identifier: Apache-2.0
// Encoder and decoder driven by the descriptors that records_table.h yields. msgpack-c does the packing and unpacking;
// before it sees untrusted bytes, check_shape() walks them once so that no declared size can exceed what is there
// (msgpack_unpack_next would otherwise ask for hundreds of gigabytes for a dozen bytes). Used by every process that
// links msgpack; no state.
#include "proto/records.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

enum field_type { TYPE_U64, TYPE_BOOL, TYPE_STR, TYPE_BLOB, TYPE_U64S, TYPE_REC, TYPE_LIST };

struct field {
    enum field_type type;
    enum record_kind record; // of TYPE_REC and TYPE_LIST
    size_t offset;
    uint64_t max; // value, bytes or count
};

struct shape {
    const char *name;
    uint64_t version;
    size_t size;
    const struct field *fields;
    size_t count;
};

struct any_list {
    void *items;
    size_t count;
};

// NOLINTBEGIN(bugprone-macro-parentheses): the arguments are field and type names
#define FIELD_U64(name, most)          {TYPE_U64, 0, offsetof(struct HERE, name), most},
#define FIELD_BOOL(name)               {TYPE_BOOL, 0, offsetof(struct HERE, name), 1},
#define FIELD_STR(name, bytes)         {TYPE_STR, 0, offsetof(struct HERE, name), bytes},
#define FIELD_BLOB(name, bytes)        {TYPE_BLOB, 0, offsetof(struct HERE, name), bytes},
#define FIELD_U64S(name, most)         {TYPE_U64S, 0, offsetof(struct HERE, name), most},
#define FIELD_REC(name, record)        {TYPE_REC, RECORD_##record, offsetof(struct HERE, name), 1},
#define FIELD_LIST(name, record, most) {TYPE_LIST, RECORD_##record, offsetof(struct HERE, name), most},
#define FIELDS_OF(name)                                                                                                \
    static const struct field fields_##name[] = {                                                                      \
        FIELDS_##name(FIELD_U64, FIELD_BOOL, FIELD_STR, FIELD_BLOB, FIELD_U64S, FIELD_REC, FIELD_LIST)};
// NOLINTEND(bugprone-macro-parentheses)

#define HERE part
FIELDS_OF(part)
#undef HERE
#define HERE event
FIELDS_OF(event)
#undef HERE
#define HERE written
FIELDS_OF(written)
#undef HERE
#define HERE context
FIELDS_OF(context)
#undef HERE
#define HERE lane
FIELDS_OF(lane)
#undef HERE
#define HERE entry
FIELDS_OF(entry)
#undef HERE
#define HERE found
FIELDS_OF(found)
#undef HERE
#define HERE pending
FIELDS_OF(pending)
#undef HERE
#define HERE seen
FIELDS_OF(seen)
#undef HERE
#define HERE hint
FIELDS_OF(hint)
#undef HERE
#define HERE ticket
FIELDS_OF(ticket)
#undef HERE
#define HERE dead
FIELDS_OF(dead)
#undef HERE
#define HERE history
FIELDS_OF(history)
#undef HERE
#define HERE followup
FIELDS_OF(followup)
#undef HERE
#define HERE job
FIELDS_OF(job)
#undef HERE
#define HERE report
FIELDS_OF(report)
#undef HERE
#define HERE census
FIELDS_OF(census)
#undef HERE
#define HERE hello
FIELDS_OF(hello)
#undef HERE
#define HERE ack
FIELDS_OF(ack)
#undef HERE
#define HERE change
FIELDS_OF(change)
#undef HERE
#define HERE raw
FIELDS_OF(raw)
#undef HERE
#define HERE phone_call
FIELDS_OF(phone_call)
#undef HERE
#define HERE leg
FIELDS_OF(leg)
#undef HERE
#define HERE control_argument
FIELDS_OF(control_argument)
#undef HERE
#define HERE control_request
FIELDS_OF(control_request)
#undef HERE
#define HERE control_reply
FIELDS_OF(control_reply)
#undef HERE

#define SHAPE(number, version, name)                                                                                   \
    [number] = {#name, version, sizeof(struct name), fields_##name, sizeof fields_##name / sizeof *fields_##name},
static const struct shape shapes[RECORD_KINDS] = {RECORDS_TABLE(SHAPE)};

enum { MAX_DEPTH = 16 };

static bool is_frame(enum record_kind kind)
{
    return kind >= RECORD_job && kind <= RECORD_ack;
}

static const struct shape *shape_of(enum record_kind kind)
{
    if ((unsigned)kind >= RECORD_KINDS || !shapes[kind].name)
        return NULL;
    return &shapes[kind];
}

const char *record_name(enum record_kind kind)
{
    const struct shape *shape = shape_of(kind);
    return shape ? shape->name : "unknown";
}

const char *record_error_text(enum record_error error)
{
    static const char *const words[] = {"ok", "malformed", "wrong_kind", "version", "field"};
    return (unsigned)error < sizeof words / sizeof *words ? words[error] : "unknown";
}

// ---- text -----------------------------------------------------------------------------------------------------------

// Well-formed UTF-8 without NUL, surrogates, overlong forms or code points above U+10FFFF.
static bool is_text(const uint8_t *at, size_t size)
{
    if (size == 0)
        return true; // `at` may be NULL
    const uint8_t *end = at + size;
    while (at < end) {
        uint32_t first = *at++;
        if (first == 0)
            return false;
        if (first < 0x80)
            continue;
        int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        if (first < 0xc2 || first > 0xf4 || end - at < more)
            return false;
        uint32_t point = first & (0x3fu >> more);
        for (int i = 0; i < more; i++) {
            if ((*at & 0xc0) != 0x80)
                return false;
            point = point << 6 | (*at++ & 0x3fu);
        }
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
    }
    return true;
}

// ---- encoding -------------------------------------------------------------------------------------------------------

static bool pack_record(msgpack_packer *packer, enum record_kind kind, const void *record);

static bool pack_string(msgpack_packer *packer, const char *text, uint64_t max)
{
    size_t length = text ? strlen(text) : 0;
    // The decoder's rule, kept here too: what is written must be readable.
    if (length > max || !is_text((const uint8_t *)text, length))
        return false;
    msgpack_pack_str(packer, length);
    msgpack_pack_str_body(packer, text ? text : "", length);
    return true;
}

static bool pack_list(msgpack_packer *packer, const struct field *field, const struct any_list *list)
{
    if (list->count > field->max)
        return false;
    msgpack_pack_array(packer, list->count);
    size_t step = shapes[field->record].size;
    for (size_t i = 0; i < list->count; i++)
        if (!pack_record(packer, field->record, (const char *)list->items + i * step))
            return false;
    return true;
}

static bool pack_numbers(msgpack_packer *packer, const struct u64s *list, uint64_t max)
{
    if (list->count > max)
        return false;
    msgpack_pack_array(packer, list->count);
    for (size_t i = 0; i < list->count; i++)
        msgpack_pack_uint64(packer, list->items[i]);
    return true;
}

static bool pack_field(msgpack_packer *packer, const struct field *field, const void *at)
{
    const struct blob *blob = at;
    switch (field->type) {
    case TYPE_U64:
        return *(const uint64_t *)at <= field->max && msgpack_pack_uint64(packer, *(const uint64_t *)at) == 0;
    case TYPE_BOOL:
        return (*(const bool *)at ? msgpack_pack_true(packer) : msgpack_pack_false(packer)) == 0;
    case TYPE_STR:
        return pack_string(packer, *(const char *const *)at, field->max);
    case TYPE_BLOB:
        if (blob->size > field->max)
            return false;
        msgpack_pack_bin(packer, blob->size);
        return msgpack_pack_bin_body(packer, blob->data, blob->size) == 0;
    case TYPE_U64S:
        return pack_numbers(packer, at, field->max);
    case TYPE_REC:
        return pack_record(packer, field->record, at);
    case TYPE_LIST:
        return pack_list(packer, field, at);
    }
    abort();
}

static bool pack_record(msgpack_packer *packer, enum record_kind kind, const void *record)
{
    const struct shape *shape = &shapes[kind];
    msgpack_pack_array(packer, shape->count + 2);
    msgpack_pack_uint64(packer, (uint64_t)kind);
    msgpack_pack_uint64(packer, shape->version);
    for (size_t i = 0; i < shape->count; i++)
        if (!pack_field(packer, &shape->fields[i], (const char *)record + shape->fields[i].offset))
            return false;
    return true;
}

bool record_encode(enum record_kind kind, const void *record, struct record_buffer *out)
{
    if (!shape_of(kind))
        abort();
    msgpack_sbuffer buffer;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer packer;
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    bool ok = pack_record(&packer, kind, record);
    *out = (struct record_buffer){0};
    if (ok) {
        out->size = buffer.size;
        // MessagePack's buffer has 8 KB at least, and hundreds of thousands of lanes are kept encoded.
        out->data = (uint8_t *)realloc(msgpack_sbuffer_release(&buffer), out->size);
        if (!out->data)
            abort();
    }
    msgpack_sbuffer_destroy(&buffer);
    return ok;
}

void record_buffer_free(struct record_buffer *self)
{
    free(self->data);
    *self = (struct record_buffer){0};
}

// ---- bounding before unpacking --------------------------------------------------------------------------------------

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

// Reads a big-endian number of `bytes` bytes; false when the input ends first.
static bool take_number(struct cursor *in, size_t bytes, uint64_t *value)
{
    if ((size_t)(in->end - in->at) < bytes)
        return false;
    *value = 0;
    for (size_t i = 0; i < bytes; i++)
        *value = *value << 8 | *in->at++;
    return true;
}

static bool skip_bytes(struct cursor *in, uint64_t bytes)
{
    if ((uint64_t)(in->end - in->at) < bytes)
        return false;
    in->at += bytes;
    return true;
}

static bool check_shape(struct cursor *in, int depth);

static bool check_array(struct cursor *in, uint64_t count, int depth)
{
    // Every element needs at least one byte, which bounds what the unpacker may allocate.
    if (depth >= MAX_DEPTH || count > (uint64_t)(in->end - in->at))
        return false;
    for (uint64_t i = 0; i < count; i++)
        if (!check_shape(in, depth + 1))
            return false;
    return true;
}

// Accepts only what the encoder writes: unsigned numbers, booleans, text, bytes, arrays. No maps, floats, nil or
// extensions.
static bool check_shape(struct cursor *in, int depth)
{
    uint64_t type = 0;
    uint64_t size = 0;
    if (!take_number(in, 1, &type))
        return false;
    if (type <= 0x7f || type == 0xc2 || type == 0xc3)
        return true;
    if (type >= 0xa0 && type <= 0xbf)
        return skip_bytes(in, type & 0x1f);
    if (type >= 0x90 && type <= 0x9f)
        return check_array(in, type & 0x0f, depth);
    switch (type) {
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return skip_bytes(in, (uint64_t)1 << (type - 0xcc));
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return take_number(in, (size_t)1 << (type - 0xc4), &size) && skip_bytes(in, size);
    case 0xd9:
    case 0xda:
    case 0xdb:
        return take_number(in, (size_t)1 << (type - 0xd9), &size) && skip_bytes(in, size);
    case 0xdc:
    case 0xdd:
        return take_number(in, (size_t)2 << (type - 0xdc), &size) && check_array(in, size, depth);
    default:
        return false;
    }
}

// ---- decoding -------------------------------------------------------------------------------------------------------

static enum record_error read_record(enum record_kind kind, const msgpack_object *object, void *out,
                                     struct arena *arena);

static enum record_error read_list(const struct field *field, const msgpack_object *object, struct any_list *list,
                                   struct arena *arena)
{
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size > field->max)
        return RECORD_FIELD;
    size_t step = shapes[field->record].size;
    list->count = object->via.array.size;
    list->items = list->count ? arena_alloc(arena, list->count * step) : NULL;
    for (size_t i = 0; i < list->count; i++) {
        enum record_error error =
            read_record(field->record, &object->via.array.ptr[i], (char *)list->items + i * step, arena);
        if (error)
            return error;
    }
    return RECORD_OK;
}

static enum record_error read_numbers(const msgpack_object *object, uint64_t max, struct u64s *list,
                                      struct arena *arena)
{
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size > max)
        return RECORD_FIELD;
    size_t count = object->via.array.size;
    uint64_t *items = count ? arena_alloc(arena, count * sizeof *items) : NULL;
    for (size_t i = 0; i < count; i++) {
        if (object->via.array.ptr[i].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
            return RECORD_FIELD;
        items[i] = object->via.array.ptr[i].via.u64;
    }
    *list = (struct u64s){items, count};
    return RECORD_OK;
}

static enum record_error read_field(const struct field *field, const msgpack_object *object, void *at,
                                    struct arena *arena)
{
    switch (field->type) {
    case TYPE_U64:
        if (object->type != MSGPACK_OBJECT_POSITIVE_INTEGER || object->via.u64 > field->max)
            return RECORD_FIELD;
        *(uint64_t *)at = object->via.u64;
        return RECORD_OK;
    case TYPE_BOOL:
        if (object->type != MSGPACK_OBJECT_BOOLEAN)
            return RECORD_FIELD;
        *(bool *)at = object->via.boolean;
        return RECORD_OK;
    case TYPE_STR:
        if (object->type != MSGPACK_OBJECT_STR || object->via.str.size > field->max ||
            !is_text((const uint8_t *)object->via.str.ptr, object->via.str.size))
            return RECORD_FIELD;
        *(const char **)at = arena_copy(arena, object->via.str.ptr, object->via.str.size);
        return RECORD_OK;
    case TYPE_BLOB:
        if (object->type != MSGPACK_OBJECT_BIN || object->via.bin.size > field->max)
            return RECORD_FIELD;
        *(struct blob *)at = (struct blob){
            (const uint8_t *)arena_copy(arena, object->via.bin.ptr, object->via.bin.size), object->via.bin.size};
        return RECORD_OK;
    case TYPE_U64S:
        return read_numbers(object, field->max, at, arena);
    case TYPE_REC:
        return read_record(field->record, object, at, arena);
    case TYPE_LIST:
        return read_list(field, object, at, arena);
    }
    abort();
}

// Gives strings of fields that an older version lacks their empty value, in nested records too.
static void fill_absent(const struct field *field, void *at)
{
    if (field->type == TYPE_STR) {
        *(const char **)at = "";
    } else if (field->type == TYPE_REC) {
        const struct shape *shape = &shapes[field->record];
        for (size_t i = 0; i < shape->count; i++)
            fill_absent(&shape->fields[i], (char *)at + shape->fields[i].offset);
    }
}

static enum record_error read_record(enum record_kind kind, const msgpack_object *object, void *out,
                                     struct arena *arena)
{
    const struct shape *shape = &shapes[kind];
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size < 2)
        return RECORD_MALFORMED;
    const msgpack_object *items = object->via.array.ptr;
    if (items[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER || items[0].via.u64 != (uint64_t)kind)
        return RECORD_WRONG_KIND;
    if (items[1].type != MSGPACK_OBJECT_POSITIVE_INTEGER || items[1].via.u64 == 0 ||
        items[1].via.u64 > shape->version || (is_frame(kind) && items[1].via.u64 != shape->version))
        return RECORD_VERSION;
    size_t given = object->via.array.size - 2;
    bool older = items[1].via.u64 < shape->version;
    if (given > shape->count || (given < shape->count && !older))
        return RECORD_MALFORMED;
    memset(out, 0, shape->size);
    for (size_t i = 0; i < shape->count; i++) {
        void *at = (char *)out + shape->fields[i].offset;
        if (i >= given) {
            fill_absent(&shape->fields[i], at);
            continue;
        }
        enum record_error error = read_field(&shape->fields[i], &items[i + 2], at, arena);
        if (error)
            return error;
    }
    return RECORD_OK;
}

enum record_error record_decode(enum record_kind kind, const void *data, size_t size, void *out, struct arena *arena)
{
    if (!shape_of(kind))
        abort();
    struct cursor in = {data, (const uint8_t *)data + size};
    if (!check_shape(&in, 0) || in.at != in.end)
        return RECORD_MALFORMED;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t used = 0;
    enum record_error error = RECORD_MALFORMED;
    if (msgpack_unpack_next(&unpacked, data, size, &used) == MSGPACK_UNPACK_SUCCESS && used == size)
        error = read_record(kind, &unpacked.data, out, arena);
    msgpack_unpacked_destroy(&unpacked);
    return error;
}

enum record_kind record_peek(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    // [array header][record number]: an array of 16 bit size at most, a number below 128
    size_t at = size > 0 && (bytes[0] & 0xf0) == 0x90 ? 1 : size > 2 && bytes[0] == 0xdc ? 3 : 0;
    if (at == 0 || at >= size || bytes[at] > 0x7f || !shape_of((enum record_kind)bytes[at]))
        return 0;
    return (enum record_kind)bytes[at];
}
