// SPDX-License-Identifier: Apache-2.0
// The agents cache: CZMQ hash tables from "side:id" and from "side:lower-case e-mail" to entries, and one list of all
// entries in the order they were put, which bounds it. Runs in the worker's one thread.
#include "workers/agents.h"

#include <czmq.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct agent agent;
    char *by_id;    // key in the table, or NULL
    char *by_email; // likewise
    int64_t until_ms;
    struct entry *older;
    struct entry *newer;
};

struct agents {
    zhashx_t *table; // both kinds of keys; owns nothing
    struct entry *oldest;
    struct entry *newest;
    size_t count;
    uint64_t pages;         // of the list of the helpdesk's agents that were read
    int64_t pages_until_ms; // when what they said is out of date
    bool listed;            // they were all
    uint64_t owner;         // of the helpdesk's key
    int64_t owner_until_ms; // 0: nobody asked; while the owner is not known: when to ask again
    int64_t (*now_ms)(void);
};

static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static char *copy(const char *text)
{
    return must(strdup(text ? text : ""));
}

// "2i:ID" or "2e:address in lower case" (ASCII letters; others are compared as they are).
static char *key_of(enum upstream side, char what, const char *text)
{
    char *key = NULL;
    if (asprintf(&key, "%d%c:%s", (int)side, what, text) < 0)
        abort();
    for (char *at = key; what == 'e' && *at; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at + 32);
    return key;
}

static void drop_key(struct agents *self, char **key, const struct entry *entry)
{
    if (*key && zhashx_lookup(self->table, *key) == entry)
        zhashx_delete(self->table, *key);
    free(*key);
    *key = NULL;
}

static void drop(struct agents *self, struct entry *entry)
{
    drop_key(self, &entry->by_id, entry);
    drop_key(self, &entry->by_email, entry);
    *(entry->older ? &entry->older->newer : &self->oldest) = entry->newer;
    *(entry->newer ? &entry->newer->older : &self->newest) = entry->older;
    self->count--;
    free((char *)entry->agent.id);
    free((char *)entry->agent.email);
    free((char *)entry->agent.name);
    free((char *)entry->agent.first_name);
    free(entry);
}

struct agents *agents_new(int64_t (*now_ms)(void))
{
    struct agents *self = must(calloc(1, sizeof *self));
    self->table = must(zhashx_new());
    self->now_ms = now_ms;
    return self;
}

void agents_free(struct agents **self)
{
    if (!*self)
        return;
    while ((*self)->oldest)
        drop(*self, (*self)->oldest);
    zhashx_destroy(&(*self)->table);
    free(*self);
    *self = NULL;
}

// Takes both keys (either may be NULL).
static void insert(struct agents *self, const struct agent *agent, char *by_id, char *by_email, int64_t keep_ms)
{
    struct entry *entry = must(calloc(1, sizeof *entry));
    entry->agent = (struct agent){.exists = agent->exists,
                                  .id = copy(agent->id),
                                  .email = copy(agent->email),
                                  .name = copy(agent->name),
                                  .first_name = copy(agent->first_name)};
    entry->until_ms = self->now_ms() + keep_ms;
    char *keys[] = {by_id, by_email};
    for (size_t i = 0; i < 2; i++) {
        struct entry *before = keys[i] ? zhashx_lookup(self->table, keys[i]) : NULL;
        if (before)
            drop(self, before);
    }
    entry->by_id = by_id;
    entry->by_email = by_email;
    for (size_t i = 0; i < 2; i++)
        if (keys[i])
            zhashx_update(self->table, keys[i], entry);
    entry->older = self->newest;
    *(self->newest ? &self->newest->newer : &self->oldest) = entry;
    self->newest = entry;
    if (++self->count > AGENTS_MOST)
        drop(self, self->oldest);
}

void agents_put(struct agents *self, enum upstream side, const struct agent *agent)
{
    if (!agent->id || !*agent->id)
        return;
    bool addressed = agent->email && *agent->email;
    insert(self, agent, key_of(side, 'i', agent->id), addressed ? key_of(side, 'e', agent->email) : NULL,
           agent->exists ? AGENTS_KEEP_MS : AGENTS_KEEP_ABSENT_MS);
}

void agents_put_absent_id(struct agents *self, enum upstream side, const char *id)
{
    insert(self, &(struct agent){.exists = false, .id = id}, key_of(side, 'i', id), NULL, AGENTS_KEEP_ABSENT_MS);
}

void agents_put_absent_email(struct agents *self, enum upstream side, const char *email)
{
    insert(self, &(struct agent){.exists = false, .email = email}, NULL, key_of(side, 'e', email),
           AGENTS_KEEP_ABSENT_MS);
}

static const struct agent *look_up(struct agents *self, enum upstream side, char what, const char *text)
{
    if (!text || !*text)
        return NULL;
    char *key = key_of(side, what, text);
    struct entry *entry = zhashx_lookup(self->table, key);
    free(key);
    if (entry && self->now_ms() >= entry->until_ms) {
        drop(self, entry);
        entry = NULL;
    }
    return entry ? &entry->agent : NULL;
}

const struct agent *agents_by_id(struct agents *self, enum upstream side, const char *id)
{
    return look_up(self, side, 'i', id);
}

const struct agent *agents_by_email(struct agents *self, enum upstream side, const char *email)
{
    return look_up(self, side, 'e', email);
}

// ---- telephone numbers ----------------------------------------------------------------------------------------------

// The last digits of a number, in `out`; false: too few to tell anybody by.
static bool last_digits(const char *number, char out[AGENTS_DIGITS + 1])
{
    size_t count = 0;
    for (const char *at = number ? number : ""; *at; at++) {
        if (*at < '0' || *at > '9')
            continue;
        if (count == AGENTS_DIGITS)
            memmove(out, out + 1, AGENTS_DIGITS - 1);
        else
            count++;
        out[count - 1] = *at;
    }
    out[count] = '\0';
    return count >= 5;
}

void agents_put_phone(struct agents *self, enum upstream side, const char *number)
{
    char digits[AGENTS_DIGITS + 1];
    if (last_digits(number, digits))
        insert(self, &(struct agent){.exists = true}, NULL, key_of(side, 'p', digits), AGENTS_KEEP_MS);
}

bool agents_have_phone(struct agents *self, enum upstream side, const char *number)
{
    char digits[AGENTS_DIGITS + 1];
    return last_digits(number, digits) && look_up(self, side, 'p', digits);
}

// ---- the list of the helpdesk's agents, the key's owner -------------------------------------------------------------

uint64_t agents_wanted_page(struct agents *self)
{
    if (self->pages && self->now_ms() >= self->pages_until_ms) {
        self->pages = 0;
        self->listed = false;
    }
    return self->listed ? 0 : self->pages + 1;
}

void agents_put_page(struct agents *self, uint64_t page, bool more)
{
    if (page != agents_wanted_page(self))
        return;
    if (page == 1) // before its agents are forgotten
        self->pages_until_ms = self->now_ms() + AGENTS_KEEP_MS - AGENTS_KEEP_ABSENT_MS;
    self->pages = page;
    self->listed = !more || page >= AGENTS_MOST_PAGES;
}

void agents_put_unlisted(struct agents *self)
{
    self->pages = self->pages ? self->pages : 1; // what was read of it still counts
    self->pages_until_ms = self->now_ms() + AGENTS_KEEP_ABSENT_MS;
    self->listed = true;
}

void agents_put_owner(struct agents *self, uint64_t id)
{
    self->owner = id;
    self->owner_until_ms = self->now_ms() + AGENTS_KEEP_ABSENT_MS;
}

bool agents_owner(struct agents *self, uint64_t *id)
{
    *id = self->owner;
    return self->owner || self->now_ms() < self->owner_until_ms;
}
