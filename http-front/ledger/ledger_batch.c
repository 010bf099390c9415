// SPDX-License-Identifier: Apache-2.0
// Batches: what is to be written, as one growing run of operations (header, key, value), encoded when it is added.
// Built by any thread, one at a time; read by the engine. Knows the records and their keys, not the engine.
#include "http-front/ledger/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "http-front/ledger/ledger_tables.h"
#include "proto/log.h"

struct ledger_batch {
    uint8_t *data;
    size_t size;
    size_t room;
};

struct header {
    uint32_t table;
    uint32_t remove;
    uint32_t key_size;
    uint32_t value_size;
};

void ledger_put_number(uint8_t out[LEDGER_NUMBER_BYTES], uint64_t number)
{
    for (int i = LEDGER_NUMBER_BYTES - 1; i >= 0; i--, number >>= 8)
        out[i] = (uint8_t)number;
}

uint64_t ledger_get_number(const uint8_t in[LEDGER_NUMBER_BYTES])
{
    uint64_t number = 0;
    for (int i = 0; i < LEDGER_NUMBER_BYTES; i++)
        number = number << 8 | in[i];
    return number;
}

struct ledger_batch *ledger_batch_new(void)
{
    struct ledger_batch *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    return self;
}

void ledger_batch_free(struct ledger_batch **self)
{
    if (!*self)
        return;
    free((*self)->data);
    free(*self);
    *self = NULL;
}

bool ledger_batch_empty(const struct ledger_batch *self)
{
    return self->size == 0;
}

size_t ledger_batch_bytes(const struct ledger_batch *self)
{
    return self->size;
}

// Bytes at the batch's end for the caller to fill.
static uint8_t *extend(struct ledger_batch *self, size_t bytes)
{
    if (self->room - self->size < bytes) {
        size_t room = self->room ? self->room : 1024;
        while (room - self->size < bytes)
            room *= 2;
        uint8_t *data = realloc(self->data, room);
        if (!data)
            abort();
        self->data = data;
        self->room = room;
    }
    uint8_t *start = self->data + self->size;
    self->size += bytes;
    return start;
}

void ledger_batch_append(struct ledger_batch *self, const struct ledger_batch *more)
{
    size_t bytes = more->size;
    if (bytes > 0)
        memcpy(extend(self, bytes), more->data, bytes);
}

bool ledger_batch_next(const struct ledger_batch *self, size_t *at, struct ledger_op *op)
{
    struct header header;
    if (*at == self->size)
        return false;
    memcpy(&header, self->data + *at, sizeof header);
    const uint8_t *key = self->data + *at + sizeof header;
    *op = (struct ledger_op){(enum ledger_table)header.table, header.remove != 0, key, header.key_size,
                             key + header.key_size,           header.value_size};
    *at += sizeof header + header.key_size + header.value_size;
    return true;
}

void ledger_batch_add(struct ledger_batch *self, enum ledger_table table, const void *key, size_t key_size,
                      const void *value, size_t value_size)
{
    struct header header = {(uint32_t)table, value == NULL, (uint32_t)key_size, (uint32_t)value_size};
    uint8_t *out = extend(self, sizeof header + key_size + value_size);
    memcpy(out, &header, sizeof header);
    memcpy(out + sizeof header, key, key_size);
    if (value)
        memcpy(out + sizeof header + key_size, value, value_size);
}

// Who puts a record in the ledger clamps what upstreams say; one that still breaks its bounds is a bug, and a ledger
// that silently lacks it would be worse than a restart.
static void put(struct ledger_batch *self, enum ledger_table table, const void *key, size_t key_size,
                enum record_kind kind, const void *record)
{
    struct record_buffer value;
    if (!record_encode(kind, record, &value)) {
        log_error("ledger_record_out_of_bounds", "record=%s", record_name(kind));
        abort();
    }
    ledger_batch_add(self, table, key, key_size, value.data, value.size);
    record_buffer_free(&value);
}

static void put_numbered(struct ledger_batch *self, enum ledger_table table, uint64_t number, enum record_kind kind,
                         const void *record)
{
    uint8_t key[LEDGER_NUMBER_BYTES];
    ledger_put_number(key, number);
    put(self, table, key, sizeof key, kind, record);
}

static void delete_numbered(struct ledger_batch *self, enum ledger_table table, uint64_t number)
{
    uint8_t key[LEDGER_NUMBER_BYTES];
    ledger_put_number(key, number);
    ledger_batch_add(self, table, key, sizeof key, NULL, 0);
}

void ledger_put_seen(struct ledger_batch *self, const char *key, enum seen_outcome outcome, uint64_t time_ms)
{
    struct seen seen = {.outcome = outcome, .time_ms = time_ms};
    put(self, TABLE_SEEN, key, strlen(key), RECORD_seen, &seen);
}

void ledger_put_pending(struct ledger_batch *self, const struct pending *pending)
{
    put_numbered(self, TABLE_PENDING, pending->seq, RECORD_pending, pending);
}

void ledger_delete_pending(struct ledger_batch *self, uint64_t seq)
{
    delete_numbered(self, TABLE_PENDING, seq);
}

void ledger_put_hint(struct ledger_batch *self, uint64_t ticket_id, const struct hint *hint)
{
    put_numbered(self, TABLE_HINTS, ticket_id, RECORD_hint, hint);
}

void ledger_delete_hint(struct ledger_batch *self, uint64_t ticket_id)
{
    delete_numbered(self, TABLE_HINTS, ticket_id);
}

void ledger_put_lane(struct ledger_batch *self, const struct lane *lane)
{
    put(self, TABLE_LANES, lane->conversation, strlen(lane->conversation), RECORD_lane, lane);
}

void ledger_put_ticket(struct ledger_batch *self, uint64_t ticket_id, const struct ticket *ticket)
{
    put_numbered(self, TABLE_TICKETS, ticket_id, RECORD_ticket, ticket);
}

size_t ledger_by_key(char out[LEDGER_BY_BYTES], enum ledger_by by, const char *what)
{
    static const char *const prefixes[] = {
        "by-phone:", "by-user:", "by-caller:", "by-asker:", "by-ticket:", "by-wish:"};
    size_t size = strlen(what);
    size_t prefix = strlen(prefixes[by]);
    if (size == 0 || size > ID_MAX)
        abort();
    memcpy(out, prefixes[by], prefix);
    memcpy(out + prefix, what, size);
    return prefix + size;
}

void ledger_put_by(struct ledger_batch *self, enum ledger_by by, const char *what, const struct ticket *ticket)
{
    char key[LEDGER_BY_BYTES];
    put(self, TABLE_TICKETS, key, ledger_by_key(key, by, what), RECORD_ticket, ticket);
}

void ledger_put_dead(struct ledger_batch *self, uint64_t seq, const struct dead *dead)
{
    put_numbered(self, TABLE_DEAD, seq, RECORD_dead, dead);
}

void ledger_delete_dead(struct ledger_batch *self, uint64_t seq)
{
    delete_numbered(self, TABLE_DEAD, seq);
}

// Conversation, NUL (text in records has none), time, sequence: one conversation's entries lie together, oldest first.
void ledger_put_history(struct ledger_batch *self, uint64_t seq, const struct history *history)
{
    uint8_t key[ID_MAX + 1 + 2 * LEDGER_NUMBER_BYTES];
    size_t length = history->conversation ? strlen(history->conversation) : 0;
    if (length > ID_MAX)
        abort();
    if (length > 0)
        memcpy(key, history->conversation, length);
    key[length++] = 0;
    ledger_put_number(key + length, history->time_ms);
    ledger_put_number(key + length + LEDGER_NUMBER_BYTES, seq);
    put(self, TABLE_HISTORY, key, length + (size_t)2 * LEDGER_NUMBER_BYTES, RECORD_history, history);
}
