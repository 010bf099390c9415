// SPDX-License-Identifier: Apache-2.0
// Forgetting a person. Dispatcher's thread, in slices, but for the last part, which has a thread of its own:
//
//   FINDING   which conversations and tickets are theirs, over all tables
//   HOLDING   their lanes hand nothing out any more, and what is out comes to its end
//   ERASING   what takes their rows out is collected into one batch
//   WRITING   that batch goes to disk; then their lanes are empty, and go on with what came meanwhile
//   SCRUBBING the engine rewrites its files, so that what was deleted is not in them either
//
// Dying before the batch is written forgets nothing, after it everything; only the files may still hold it, until later
// merges or another `forget`. What stays on disk is named in docs/ledger.md: keys of messages that were seen, the
// numbers of their tickets, and for a while a hash of each conversation's id, so that a late word about it is known.
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/dispatch/state.h"
#include "http-front/ledger/ledger_person.h"
#include "proto/clock.h"
#include "proto/log.h"

enum {
    SLICE_US = 5000, // of each turn
    REST_MS = 5,     // between turns: at most half of the thread's time
    LOOK_MS = 50,
    HOLD_MOST_MS = 30000, // what is out ends by then, or it is tried another time
    KEY_BYTES = 96,
};

enum state { FINDING, HOLDING, ERASING, WRITING, SCRUBBING, FINISHED, FAILED };

struct forget {
    struct ledger_person *person;
    struct ledger *ledger;
    bool dry_run;
    enum state state;
    uint64_t due_ms;
    uint64_t hold_until_ms;
    uint64_t before; // what was accepted later is new
    uint64_t doubts; // writes that may have happened: nobody looks for them any more
    struct ledger_batch *batch;
    char why[400];
    pthread_t thread;
    bool scrubbing;        // the thread runs, or is to be joined
    atomic_bool scrubbed;  // it is done; set last
    bool scrub_ok;         // set by it
    char scrub_error[300]; // the same
};

// ---- what is remembered of a conversation ---------------------------------------------------------------------------

static void key_of(const char *conversation, char key[KEY_BYTES])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(conversation, strlen(conversation), hash, &size, EVP_sha256(), NULL) != 1)
        abort(); // SHA-256 takes anything
    int at = snprintf(key, KEY_BYTES, "forgotten:");
    for (unsigned i = 0; i < size && at + 2 < KEY_BYTES; i++)
        at += snprintf(key + at, KEY_BYTES - (size_t)at, "%02x", hash[i]);
}

bool forget_is_gone(struct dispatcher *self, const char *conversation)
{
    char key[KEY_BYTES];
    struct seen seen;
    struct lane lane;
    key_of(conversation, key);
    if (ledger_seen(self->options.ledger, key, &seen) != LEDGER_OK || zhashx_lookup(self->conversations, conversation))
        return false;
    struct arena *arena = arena_new();
    bool begun = ledger_lane(self->options.ledger, conversation, &lane, arena) != LEDGER_ABSENT;
    arena_free(&arena);
    return !begun;
}

// ---- holding --------------------------------------------------------------------------------------------------------

// Calls `each` for all their conversations; those that are not in memory are made there, empty.
static void each_lane(struct dispatcher *self, void (*each)(struct dispatcher *self, struct conversation *conversation))
{
    size_t count = 0;
    const char *const *names = ledger_person_list(self->forget->person, PERSON_CONVERSATIONS, &count);
    for (size_t i = 0; i < count; i++) {
        struct conversation *conversation = zhashx_lookup(self->conversations, names[i]);
        if (!conversation) {
            conversation = lanes_conversation_new(names[i], NULL);
            zhashx_insert(self->conversations, conversation->id, conversation);
        }
        each(self, conversation);
    }
}

static void hold(struct dispatcher *self, struct conversation *conversation)
{
    conversation->held = true;
    for (int i = 0; i < SIDES; i++)
        schedule_consider(self, &conversation->sides[i]);
}

static void let_go(struct dispatcher *self, struct conversation *conversation)
{
    conversation->held = false;
    schedule_conversation(self, conversation); // it may be gone now
}

static bool all_idle(struct dispatcher *self)
{
    size_t count = 0;
    const char *const *names = ledger_person_list(self->forget->person, PERSON_CONVERSATIONS, &count);
    for (size_t i = 0; i < count; i++) {
        const struct conversation *conversation = zhashx_lookup(self->conversations, names[i]);
        for (int side = 0; conversation && side < SIDES; side++)
            if (conversation->sides[side].state != LANE_IDLE)
                return false;
    }
    return true;
}

// ---- erasing --------------------------------------------------------------------------------------------------------

static bool is_taken(const struct forget *forget, const struct item *item)
{
    return steps_is_poll(item->kind) || item->kind == EVENT_HINT ||
           (item->stored && ledger_person_took(forget->person, item->seq));
}

// On disk they are gone. A hint's row goes by its counter, which the committer keeps.
static void empty(struct dispatcher *self, struct conversation *conversation)
{
    for (int i = 0; i < SIDES; i++) {
        struct side *side = &conversation->sides[i];
        for (struct item *item = side->head, *next; item; item = next) {
            next = item->next;
            if (!is_taken(self->forget, item))
                continue;
            struct token token = {.kind = TOKEN_LATE};
            if (item->kind == EVENT_HINT)
                record_submit(self, ledger_batch_new(), &token, item->ticket_id, item->hint_count);
            schedule_drop(self, side, item);
        }
    }
    struct lane blank = {.conversation = conversation->id};
    lanes_set_record(conversation, &blank);
    const struct item *came = conversation->sides[SIDE_DESK].head;
    if (came && !lanes_is_own(conversation->id))
        polls_watch(self, conversation, came->time_ms);
    let_go(self, conversation);
}

static void count_doubt(struct dispatcher *self, struct conversation *conversation)
{
    for (int i = 0; i < SIDES; i++) {
        const struct item *item = conversation->sides[i].active;
        self->forget->doubts += item && (item->doubt || item->claimed);
    }
}

static void remember(struct dispatcher *self, struct ledger_batch *batch)
{
    size_t count = 0;
    const char *const *names = ledger_person_list(self->forget->person, PERSON_CONVERSATIONS, &count);
    for (size_t i = 0; i < count; i++) {
        char key[KEY_BYTES];
        key_of(names[i], key);
        ledger_put_seen(batch, key, SEEN_OURS, record_now_ms(self));
    }
}

static void count_dead(void *arg, const char *table, uint64_t rows)
{
    struct dispatcher *self = arg;
    if (strcmp(table, "dead") == 0)
        self->dead -= rows < self->dead ? rows : self->dead;
}

static void *scrub(void *arg)
{
    struct forget *forget = arg;
    forget->scrub_ok =
        ledger_person_scrub(forget->ledger, forget->person, forget->scrub_error, sizeof forget->scrub_error);
    atomic_store(&forget->scrubbed, true);
    return NULL;
}

void forget_committed(struct dispatcher *self, bool ok)
{
    struct forget *forget = self->forget;
    if (!forget || forget->state != WRITING)
        abort();
    if (!ok) {
        forget->state = FAILED; // nothing more is handed out; the next front begins with what is on disk
        snprintf(forget->why, sizeof forget->why, "The ledger cannot be written, so nobody was forgotten.");
        return;
    }
    ledger_person_rows(forget->person, count_dead, self);
    each_lane(self, empty);
    forget->state = SCRUBBING;
    forget->due_ms = (uint64_t)clock_mono_ms() + LOOK_MS;
    forget->scrubbing = pthread_create(&forget->thread, NULL, scrub, forget) == 0;
    if (!forget->scrubbing) {
        snprintf(forget->scrub_error, sizeof forget->scrub_error, "no thread could be started to rewrite the files");
        atomic_store(&forget->scrubbed, true);
    }
}

// ---- its turns ------------------------------------------------------------------------------------------------------

static void fail(struct dispatcher *self, const char *why)
{
    struct forget *forget = self->forget;
    if (forget->state != FINDING && !forget->dry_run)
        each_lane(self, let_go);
    snprintf(forget->why, sizeof forget->why, "%s", why);
    forget->state = FAILED;
}

static const char unreadable[] =
    "The ledger cannot be searched: it is damaged (the log says more), or that is no single "
    "person. Nobody was forgotten.";

static void find(struct dispatcher *self)
{
    struct forget *forget = self->forget;
    switch (ledger_person_find(self->options.ledger, forget->person, SLICE_US)) {
    case LEDGER_FAILED:
        fail(self, unreadable);
        return;
    case LEDGER_MORE:
        return;
    case LEDGER_WHOLE:
        break;
    }
    forget->state = forget->dry_run ? ERASING : HOLDING;
    forget->hold_until_ms = (uint64_t)clock_mono_ms() + HOLD_MOST_MS;
    if (forget->dry_run)
        ledger_person_erase_begin(forget->person, UINT64_MAX);
    else
        each_lane(self, hold);
    forget->before = ledger_next(self->options.ledger);
}

static void await_idle(struct dispatcher *self)
{
    struct forget *forget = self->forget;
    if (all_idle(self)) {
        forget->state = ERASING;
        forget->batch = ledger_batch_new();
        ledger_person_erase_begin(forget->person, forget->before);
    } else if ((uint64_t)clock_mono_ms() >= forget->hold_until_ms) {
        fail(self, "A job of this customer is still on its way; try again in a minute. Nobody was forgotten.");
    }
}

static void erase(struct dispatcher *self)
{
    struct forget *forget = self->forget;
    switch (ledger_person_erase(self->options.ledger, forget->person, forget->batch, record_now_ms(self), SLICE_US)) {
    case LEDGER_FAILED:
        fail(self, unreadable);
        return;
    case LEDGER_MORE:
        return;
    case LEDGER_WHOLE:
        break;
    }
    if (forget->dry_run) {
        forget->state = FINISHED;
        return;
    }
    each_lane(self, count_doubt);
    remember(self, forget->batch);
    struct token token = {.kind = TOKEN_FORGET};
    struct ledger_batch *batch = forget->batch;
    forget->batch = NULL;
    forget->state = WRITING;
    record_submit(self, batch, &token, 0, 0);
}

void forget_step(struct dispatcher *self)
{
    struct forget *forget = self->forget;
    uint64_t now = (uint64_t)clock_mono_ms();
    if (!forget || !forget->due_ms || now < forget->due_ms)
        return;
    if (forget->state == FINDING)
        find(self);
    else if (forget->state == HOLDING)
        await_idle(self);
    else if (forget->state == ERASING)
        erase(self);
    else if (forget->state == SCRUBBING && atomic_load(&forget->scrubbed)) {
        forget->state = FINISHED;
        log_info("forgotten", "scrubbed=%d", forget->scrub_ok); // not who
    }
    bool idle = forget->state == WRITING || forget->state == FINISHED || forget->state == FAILED;
    bool waits = forget->state == HOLDING || forget->state == SCRUBBING;
    forget->due_ms = idle ? 0 : (uint64_t)clock_mono_ms() + (waits ? LOOK_MS : REST_MS);
}

uint64_t forget_due_ms(const struct dispatcher *self)
{
    return self->forget ? self->forget->due_ms : 0;
}

bool forget_begin(struct dispatcher *self, const char *asked, bool dry_run, char *why, size_t why_size)
{
    if (self->forget && self->forget->state != FINISHED && self->forget->state != FAILED) {
        snprintf(why, why_size, "Somebody is being forgotten at this moment; try again when that is done.");
        return false;
    }
    struct ledger_person *person = ledger_person_new(asked, config_phone_plan(self->options.config));
    if (!person) {
        snprintf(why, why_size, "Name a Freshchat user id, an e-mail address or a phone number.");
        return false;
    }
    forget_free(self);
    struct forget *forget = calloc(1, sizeof *forget);
    if (!forget)
        abort();
    forget->person = person;
    forget->ledger = self->options.ledger;
    forget->dry_run = dry_run;
    forget->due_ms = (uint64_t)clock_mono_ms() + REST_MS;
    self->forget = forget;
    return true;
}

bool forget_scrubs(const struct dispatcher *self)
{
    return self->forget && self->forget->scrubbing && !atomic_load(&self->forget->scrubbed);
}

void forget_free(struct dispatcher *self)
{
    struct forget *old = self->forget;
    if (!old)
        return;
    if (old->scrubbing && !atomic_load(&old->scrubbed))
        ledger_expire_stop(old->ledger); // the front leaves: merging would hold it up
    if (old->scrubbing)
        pthread_join(old->thread, NULL);
    ledger_batch_free(&old->batch);
    ledger_person_free(&old->person);
    free(old);
    self->forget = NULL;
}

// ---- telling --------------------------------------------------------------------------------------------------------

static json_t *names_of(const struct ledger_person *person, enum ledger_person_list which)
{
    size_t count = 0;
    const char *const *names = ledger_person_list(person, which, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        if (which != PERSON_CONVERSATIONS || strncmp(names[i], "ticket:", 7) != 0) // no conversation by itself
            json_array_append_new(list, json_string(names[i]));
    return list;
}

static void add_rows(void *arg, const char *table, uint64_t rows)
{
    json_object_set_new(arg, table, json_integer((json_int_t)rows));
}

static json_t *finished(const struct forget *forget)
{
    size_t count = 0;
    const uint64_t *numbers = ledger_person_tickets(forget->person, &count);
    json_t *tickets = json_array();
    json_t *rows = json_object();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(tickets, json_integer((json_int_t)numbers[i]));
    ledger_person_rows(forget->person, add_rows, rows);
    json_t *answer =
        json_pack("{s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:b}", "finished", 1, "dry_run",
                  (int)forget->dry_run, "conversations", names_of(forget->person, PERSON_CONVERSATIONS), "users",
                  names_of(forget->person, PERSON_USERS), "emails", names_of(forget->person, PERSON_EMAILS), "phones",
                  names_of(forget->person, PERSON_PHONES), "tickets", tickets, "rows", rows, "in_doubt",
                  (json_int_t)forget->doubts, "unreadable", (json_int_t)ledger_person_unreadable(forget->person),
                  "scrubbed", (int)forget->scrub_ok);
    if (!forget->scrub_ok && !forget->dry_run)
        json_object_set_new(answer, "not_scrubbed", json_string(forget->scrub_error));
    return answer;
}

json_t *forget_told(struct dispatcher *self, char *why, size_t why_size)
{
    struct forget *forget = self->forget;
    json_t *answer = NULL;
    if (!forget)
        snprintf(why, why_size, "Nobody was forgotten since this front started, or it was told already.");
    else if (forget->state == FAILED)
        snprintf(why, why_size, "%s", forget->why);
    else if (forget->state != FINISHED)
        return json_pack("{s:b}", "finished", 0);
    else
        answer = finished(forget);
    forget_free(self); // ids and addresses stay no longer than they are asked for
    return answer;
}
