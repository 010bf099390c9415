// SPDX-License-Identifier: Apache-2.0
// Finding a person and taking them out of every table; see ledger_person.h. One thread drives a person at a time. Each
// slice goes on behind the last row it saw, over the ledger as it is then: what is written meanwhile is new, and not
// meant.
#include "http-front/ledger/ledger_person.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http-front/ledger/ledger_engine.h"
#include "http-front/ledger/ledger_person_inside.h"
#include "proto/clock.h"
#include "proto/log.h"

enum { MOST_NAMES = 10000, MOST_ROWS = 500000, LEAST_DIGITS = 6, ROWS_PER_LOOK = 32 };

// ---- names ----------------------------------------------------------------------------------------------------------

static size_t place_of(const struct names *names, const char *name)
{
    size_t low = 0, high = names->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(names->items[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has(const struct names *names, const char *name)
{
    size_t at = place_of(names, name);
    return at < names->count && strcmp(names->items[at], name) == 0;
}

static void add(struct ledger_person *self, enum ledger_person_list list, const char *name)
{
    struct names *names = &self->names[list];
    if (!*name || has(names, name))
        return;
    if (names->count == MOST_NAMES) {
        self->too_much = true;
        return;
    }
    size_t at = place_of(names, name);
    char **items = realloc(names->items, (names->count + 1) * sizeof *items);
    char *copy = strdup(name);
    if (!items || !copy)
        abort();
    memmove(items + at + 1, items + at, (names->count - at) * sizeof *items);
    items[at] = copy;
    names->items = items;
    names->count++;
    self->grew = self->grew || list == PERSON_CONVERSATIONS || list == PERSON_USERS;
}

static bool has_number(const uint64_t *numbers, size_t count, uint64_t number)
{
    for (size_t i = 0; i < count; i++)
        if (numbers[i] == number)
            return true;
    return false;
}

static void add_number(uint64_t **numbers, size_t *count, uint64_t number)
{
    if ((*count & (*count - 1)) == 0) { // a power of two is full
        uint64_t *longer = realloc(*numbers, (*count ? *count * 2 : 1) * sizeof *longer);
        if (!longer)
            abort();
        *numbers = longer;
    }
    (*numbers)[(*count)++] = number;
}

static bool has_ticket(const struct ledger_person *self, uint64_t ticket)
{
    return ticket && has_number(self->tickets, self->ticket_count, ticket);
}

// The ticket is theirs, and so is the lane of a hint for it.
static void add_ticket(struct ledger_person *self, uint64_t ticket)
{
    char lane[32];
    if (!ticket || has_ticket(self, ticket))
        return;
    add_number(&self->tickets, &self->ticket_count, ticket);
    snprintf(lane, sizeof lane, "ticket:%" PRIu64, ticket);
    add(self, PERSON_CONVERSATIONS, lane);
}

// ---- who it is ------------------------------------------------------------------------------------------------------

// The digits of a phone number, without the ways to write an international one; "" for what is none.
static void digits_of(const char *phone, char out[PERSON_DIGITS])
{
    size_t count = 0;
    *out = '\0';
    for (; *phone; phone++) {
        if (isdigit((unsigned char)*phone) && count + 1 < PERSON_DIGITS)
            out[count++] = *phone;
        else if (!strchr("+-. ()/", *phone))
            return;
    }
    out[count] = '\0';
    if (strncmp(out, "00", 2) == 0)
        memmove(out, out + 2, count - 1);
    if (strlen(out) < LEAST_DIGITS)
        *out = '\0';
}

// Written alike, or the same number once both are completed with the country's code.
static bool is_phone(const struct ledger_person *self, const char *phone)
{
    char digits[PERSON_DIGITS], whole[PHONE_BYTES];
    digits_of(phone, digits);
    return (*self->digits && strcmp(self->digits, digits) == 0) ||
           (*self->phone && phone_e164(phone, self->plan, whole) && strcmp(self->phone, whole) == 0);
}

static bool is_context(const struct ledger_person *self, const struct context *context)
{
    return (*self->email && strcasecmp(self->email, context->email) == 0) || is_phone(self, context->phone);
}

static void list_context(struct ledger_person *self, const struct context *context)
{
    add(self, PERSON_EMAILS, context->email);
    add(self, PERSON_PHONES, context->phone);
}

struct ledger_person *ledger_person_new(const char *asked, struct phone_plan plan)
{
    while (isspace((unsigned char)*asked))
        asked++;
    size_t length = strlen(asked);
    while (length && isspace((unsigned char)asked[length - 1]))
        length--;
    if (!length)
        return NULL;
    struct ledger_person *self = calloc(1, sizeof *self);
    char *name = strndup(asked, length);
    if (!self || !name || !(self->arena = arena_new()))
        abort();
    if (strchr(name, '@'))
        snprintf(self->email, sizeof self->email, "%s", name);
    else
        add(self, PERSON_USERS, name);
    snprintf(self->country_code, sizeof self->country_code, "%s", plan.country_code ? plan.country_code : "");
    snprintf(self->trunk_prefix, sizeof self->trunk_prefix, "%s", plan.trunk_prefix ? plan.trunk_prefix : "0");
    self->plan = (struct phone_plan){self->country_code, self->trunk_prefix};
    digits_of(name, self->digits);
    (void)phone_e164(name, self->plan, self->phone);
    free(name);
    self->grew = false;
    return self;
}

void ledger_person_free(struct ledger_person **self)
{
    struct ledger_person *old = *self;
    if (!old)
        return;
    for (int i = 0; i < PERSON_LISTS; i++) {
        for (size_t j = 0; j < old->names[i].count; j++)
            free(old->names[i].items[j]);
        free(old->names[i].items);
    }
    free(old->tickets);
    free(old->taken);
    free(old->resume);
    arena_free(&old->arena);
    free(old);
    *self = NULL;
}

// ---- the rules, one for each way that LEDGER_TABLES names -----------------------------------------------------------

struct row {
    const char *key, *value;
    size_t key_size, value_size;
};

// `find` learns from a row; `is_theirs` tells whether it goes. Both NULL: nobody is in there.
struct rule {
    void (*find)(struct ledger_person *self, const struct row *row);
    bool (*is_theirs)(struct ledger_person *self, const struct row *row);
};

static bool decode(struct ledger_person *self, enum record_kind kind, const struct row *row, void *out)
{
    arena_reset(self->arena);
    if (record_decode(kind, row->value, row->value_size, out, self->arena) == RECORD_OK)
        return true;
    self->unreadable++;
    return false;
}

static bool is_event(const struct ledger_person *self, const struct event *event)
{
    return has(&self->names[PERSON_CONVERSATIONS], event->conversation) || has_ticket(self, event->ticket_id);
}

static void find_event(struct ledger_person *self, const struct pending *pending)
{
    const struct event *event = &pending->event;
    struct found found;
    bool theirs = is_event(self, event) || has(&self->names[PERSON_USERS], event->user) || is_phone(self, event->phone);
    bool read = pending->found.size &&
                record_decode(RECORD_found, pending->found.data, pending->found.size, &found, self->arena) == RECORD_OK;
    if (!theirs && !(read && is_context(self, &found.context)))
        return;
    add(self, PERSON_CONVERSATIONS, event->conversation);
    add(self, PERSON_USERS, event->user);
    add(self, PERSON_PHONES, event->phone);
    if (read)
        list_context(self, &found.context);
}

static void find_PENDING(struct ledger_person *self, const struct row *row)
{
    struct pending pending;
    if (decode(self, RECORD_pending, row, &pending))
        find_event(self, &pending);
}

static bool theirs_PENDING(struct ledger_person *self, const struct row *row)
{
    struct pending pending;
    uint64_t seq = row->key_size == LEDGER_NUMBER_BYTES ? ledger_get_number((const uint8_t *)row->key) : UINT64_MAX;
    if (!decode(self, RECORD_pending, row, &pending) || !is_event(self, &pending.event))
        return false;
    // What a job that was waited for asked for at its end is old, whatever its number.
    if (seq >= self->before && pending.event.kind != EVENT_CONTEXT && pending.event.kind != EVENT_NOTICE)
        return false;
    add_number(&self->taken, &self->taken_count, seq); // in order: the keys are
    return true;
}

static void find_DEAD(struct ledger_person *self, const struct row *row)
{
    struct dead dead;
    if (decode(self, RECORD_dead, row, &dead))
        find_event(self, &dead.pending);
}

static bool theirs_DEAD(struct ledger_person *self, const struct row *row)
{
    struct dead dead;
    return decode(self, RECORD_dead, row, &dead) && is_event(self, &dead.pending.event);
}

static void find_LANE(struct ledger_person *self, const struct row *row)
{
    struct lane lane;
    if (!decode(self, RECORD_lane, row, &lane) ||
        (!has(&self->names[PERSON_CONVERSATIONS], lane.conversation) && !has(&self->names[PERSON_USERS], lane.user) &&
         !is_context(self, &lane.context)))
        return;
    add(self, PERSON_CONVERSATIONS, lane.conversation);
    add(self, PERSON_USERS, lane.user);
    add_ticket(self, lane.ticket_id);
    list_context(self, &lane.context);
}

static bool theirs_LANE(struct ledger_person *self, const struct row *row)
{
    char name[ID_MAX + 1];
    if (row->key_size > ID_MAX)
        return false;
    memcpy(name, row->key, row->key_size);
    name[row->key_size] = '\0';
    return has(&self->names[PERSON_CONVERSATIONS], name);
}

// Else it is a row of ledger_by, whose key is a number or a user.
static bool is_numbered(const struct row *row)
{
    return row->key_size == LEDGER_NUMBER_BYTES;
}

// What follows `prefix` in the key of a row of ledger_by; false when it is a row of another kind.
static bool key_after(const struct row *row, const char *prefix, char out[LEDGER_BY_BYTES])
{
    size_t length = strlen(prefix);
    if (row->key_size <= length || row->key_size - length >= LEDGER_BY_BYTES || memcmp(row->key, prefix, length) != 0)
        return false;
    memcpy(out, row->key + length, row->key_size - length);
    out[row->key_size - length] = '\0';
    return true;
}

// Whose row of ledger_by it is, by its whole key: ticket 1 is not ticket 10.
static bool is_keyed_by_person(const struct ledger_person *self, const struct row *row)
{
    char what[LEDGER_BY_BYTES];
    if (key_after(row, "by-user:", what) || key_after(row, "by-asker:", what))
        return has(&self->names[PERSON_USERS], what);
    return (key_after(row, "by-phone:", what) || key_after(row, "by-caller:", what)) && is_phone(self, what);
}

// It goes with the number, and leads to nobody: the number may have been typed by anybody.
static bool is_keyed_by_typed_number(const struct ledger_person *self, const struct row *row)
{
    char what[LEDGER_BY_BYTES];
    return key_after(row, "by-wish:", what) && is_phone(self, what);
}

static bool is_keyed_by_ticket(const struct ledger_person *self, const struct row *row)
{
    char what[LEDGER_BY_BYTES];
    return key_after(row, "by-ticket:", what) && has_ticket(self, strtoull(what, NULL, 10));
}

static void find_TICKET(struct ledger_person *self, const struct row *row)
{
    struct ticket ticket;
    bool keyed = !is_numbered(row) && is_keyed_by_person(self, row);
    if ((!keyed && !is_numbered(row)) || !decode(self, RECORD_ticket, row, &ticket))
        return;
    if (keyed) // made from whole numbers, where the lane may have the number as the customer wrote it
        add(self, PERSON_CONVERSATIONS, ticket.conversation);
    else if (has(&self->names[PERSON_CONVERSATIONS], ticket.conversation))
        add_ticket(self, ledger_get_number((const uint8_t *)row->key));
}

static bool theirs_TICKET(struct ledger_person *self, const struct row *row)
{
    struct ticket ticket;
    return (decode(self, RECORD_ticket, row, &ticket) &&
            has(&self->names[PERSON_CONVERSATIONS], ticket.conversation)) ||
           (!is_numbered(row) &&
            (is_keyed_by_person(self, row) || is_keyed_by_typed_number(self, row) || is_keyed_by_ticket(self, row)));
}

// The key is the conversation, NUL, and two numbers.
static bool theirs_HISTORY(struct ledger_person *self, const struct row *row)
{
    const char *end = memchr(row->key, '\0', row->key_size);
    return end && has(&self->names[PERSON_CONVERSATIONS], row->key); // it ends with that NUL
}

static const struct rule rule_NOBODY = {NULL, NULL};
static const struct rule rule_PENDING = {find_PENDING, theirs_PENDING};
static const struct rule rule_LANE = {find_LANE, theirs_LANE};
static const struct rule rule_TICKET = {find_TICKET, theirs_TICKET};
static const struct rule rule_DEAD = {find_DEAD, theirs_DEAD};
static const struct rule rule_HISTORY = {NULL, theirs_HISTORY};

// A table without a rule does not compile.
#define TABLE_RULE(name, text, person) [TABLE_##name] = &rule_##person,
static const struct rule *const rules[TABLES] = {LEDGER_TABLES(TABLE_RULE)};
#undef TABLE_RULE
#define TABLE_NAME(name, text, person) [TABLE_##name] = (text),
static const char *const table_names[TABLES] = {LEDGER_TABLES(TABLE_NAME)};
#undef TABLE_NAME

bool ledger_person_is_in(enum ledger_table table)
{
    return rules[table]->is_theirs != NULL;
}

// ---- slices ---------------------------------------------------------------------------------------------------------

struct pass {
    bool erase;
    struct ledger_batch *batch;
    uint64_t now_ms;
};

static void take_out(struct ledger_person *self, enum ledger_table table, const struct row *row,
                     const struct pass *pass)
{
    self->rows[table]++;
    self->indexed = self->indexed || (table == TABLE_TICKETS && !is_numbered(row));
    if (!pass->batch)
        return;
    struct ticket nobodys = {.conversation = "", .time_ms = pass->now_ms};
    if (table == TABLE_TICKETS &&
        is_numbered(row)) // a hint for it finds that it is nobody's, and not that it is unknown
        ledger_put_ticket(pass->batch, ledger_get_number((const uint8_t *)row->key), &nobodys);
    else
        ledger_batch_add(pass->batch, table, row->key, row->key_size, NULL, 0);
}

static void visit(struct ledger_person *self, enum ledger_table table, const struct row *row, const struct pass *pass)
{
    if (!pass->erase)
        rules[table]->find(self, row);
    else if (rules[table]->is_theirs(self, row))
        take_out(self, table, row, pass);
}

static void resume_at(struct ledger_person *self, const rocksdb_iterator_t *at)
{
    size_t size = 0;
    const char *key = rocksdb_iter_key(at, &size);
    free(self->resume);
    self->resume = malloc(size + 1);
    if (!self->resume)
        abort();
    memcpy(self->resume, key, size);
    self->resume_size = size;
}

// Goes through the rest of one table. True when it came to its end in time.
static bool go_through(struct ledger_person *self, rocksdb_iterator_t *at, const struct pass *pass, int64_t until_us)
{
    uint64_t seen = 0;
    if (self->resume)
        rocksdb_iter_seek(at, self->resume, self->resume_size); // the row that was not looked at yet, or the next one
    else
        rocksdb_iter_seek_to_first(at);
    for (; rocksdb_iter_valid(at); rocksdb_iter_next(at)) {
        if (++seen % ROWS_PER_LOOK == 0 && clock_mono_us() >= until_us) {
            resume_at(self, at);
            return false;
        }
        struct row row;
        row.key = rocksdb_iter_key(at, &row.key_size);
        row.value = rocksdb_iter_value(at, &row.value_size);
        visit(self, (enum ledger_table)self->table, &row, pass);
    }
    return true;
}

static enum ledger_progress slice(struct ledger *ledger, struct ledger_person *self, const struct pass *pass,
                                  int64_t budget_us)
{
    int64_t until_us = clock_mono_us() + budget_us;
    char *problem = NULL;
    bool whole = true;
    rocksdb_readoptions_t *reading = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(reading, 1);
    rocksdb_readoptions_set_fill_cache(reading, 0);
    while (self->table < TABLES && whole && !problem) {
        const struct rule *rule = rules[self->table];
        if (pass->erase ? rule->is_theirs != NULL : rule->find != NULL) {
            rocksdb_iterator_t *at = rocksdb_create_iterator_cf(ledger->db, reading, ledger->tables[self->table]);
            whole = go_through(self, at, pass, until_us);
            rocksdb_iter_get_error(at, &problem);
            rocksdb_iter_destroy(at);
        }
        if (whole) {
            free(self->resume);
            self->resume = NULL;
            self->table++;
        }
    }
    rocksdb_readoptions_destroy(reading);
    if (problem)
        log_error("ledger_damaged", "dir=%s error=%s advice=\"restore a backup\"", ledger->dir, problem);
    bool failed = problem || self->too_much || self->taken_count > MOST_ROWS;
    rocksdb_free(problem);
    return failed ? LEDGER_FAILED : whole ? LEDGER_WHOLE : LEDGER_MORE;
}

static void begin_pass(struct ledger_person *self)
{
    free(self->resume);
    self->resume = NULL;
    self->table = 0;
    self->unreadable = 0;
    self->grew = false;
}

enum ledger_progress ledger_person_find(struct ledger *ledger, struct ledger_person *self, int64_t budget_us)
{
    if (self->table == TABLES)
        begin_pass(self);
    enum ledger_progress progress = slice(ledger, self, &(struct pass){0}, budget_us);
    // A user or conversation that was met late may have rows that were passed already.
    return progress == LEDGER_WHOLE && self->grew ? LEDGER_MORE : progress;
}

void ledger_person_erase_begin(struct ledger_person *self, uint64_t before)
{
    begin_pass(self);
    self->before = before;
    self->taken_count = 0;
    memset(self->rows, 0, sizeof self->rows);
}

enum ledger_progress ledger_person_erase(struct ledger *ledger, struct ledger_person *self, struct ledger_batch *batch,
                                         uint64_t now_ms, int64_t budget_us)
{
    return slice(ledger, self, &(struct pass){true, batch, now_ms}, budget_us);
}

// ---- what was found -------------------------------------------------------------------------------------------------

const char *const *ledger_person_list(const struct ledger_person *self, enum ledger_person_list list, size_t *count)
{
    *count = self->names[list].count;
    return (const char *const *)self->names[list].items;
}

const uint64_t *ledger_person_tickets(const struct ledger_person *self, size_t *count)
{
    *count = self->ticket_count;
    return self->tickets;
}

bool ledger_person_took(const struct ledger_person *self, uint64_t seq)
{
    size_t low = 0, high = self->taken_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (self->taken[middle] < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < self->taken_count && self->taken[low] == seq;
}

void ledger_person_rows(const struct ledger_person *self, void (*each)(void *arg, const char *table, uint64_t rows),
                        void *arg)
{
    for (int i = 0; i < TABLES; i++)
        if (rules[i]->is_theirs)
            each(arg, table_names[i], self->rows[i]);
}

uint64_t ledger_person_unreadable(const struct ledger_person *self)
{
    return self->unreadable;
}
