// SPDX-License-Identifier: Apache-2.0
// The committer's thread in deskbell-front. A round: take what waits, decide duplicates, fill one batch (accepts first,
// then commits in their order), write and sync it, wake the waiters, mail the dispatcher. Requests block in
// committer_accept meanwhile, so that one sync serves all that came during the last one. The order "disk, then wake,
// then mail" is the product's promise; everything else here is bookkeeping.
#include "http-front/ledger/committer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http-front/ledger/hints.h"
#include "http-front/ledger/tree.h"
#include "proto/clock.h"
#include "proto/log.h"

enum {
    BATCH_ITEMS = 512,             // accepts, and commits, of one batch
    BATCH_BYTES = 4 * 1024 * 1024, // a batch is closed once it is that large
    SPACE_SAMPLE_MS = 200,
    IDLE_MS = 1000, // without work: how often health and progress are brought up to date
    SICK_MS = 200,
    PROBE_MS = 1000, // while writing fails: how often it is tried
};

// One request thread, waiting on its own stack; or an offer, which nobody waits for.
struct waiter {
    struct arena *arena; // of an offer: owns the event and is freed with it; NULL for a request
    void *token;         // of an offer
    const struct event *event;
    struct waiter *next;
    struct waiter *original; // the same key, earlier in this batch
    pthread_cond_t wake;
    bool done; // under the lock
    enum accept_result result;
    uint64_t seq;
    uint64_t accepted_ms;
    uint64_t hint_count;
};

struct queued {
    struct commit *commit;
    uint64_t *raised; // the counters after commit->raise; owned
    struct queued *next;
    uint64_t hint_now;
};

struct committer {
    struct ledger *ledger;
    struct mailbox *mailbox;
    struct committer_options options;
    struct hints *hints; // the thread's own, as are the three below
    bool failing;
    bool commits_refused; // one could not be written: the dispatcher's memory is ahead of the disk for good
    int64_t next_probe_ms;
    int64_t next_sample_ms;

    pthread_mutex_t lock;
    pthread_cond_t work; // something waits, or stopping
    pthread_cond_t left; // the last request has left committer_accept
    struct waiter *waiters;
    struct waiter **waiters_end;
    struct queued *commits;
    struct queued **commits_end;
    size_t inside; // requests in committer_accept
    bool stopping;
    pthread_t thread;

    _Atomic uint64_t progress;
    _Atomic uint64_t waiting;
    _Atomic int64_t failing_since_ms; // monotonic; 0 while writing works
    _Atomic uint64_t batches;         // written
    _Atomic uint64_t errors;          // that could not be
    atomic_bool space_low;
};

// What one round took from the queues.
struct round {
    struct waiter *waiters;
    struct queued *commits;
    struct ledger_batch *batch;
    void *keys; // tree of the waiters that are being stored, by key
    bool written;
};

// ---- taking ---------------------------------------------------------------------------------------------------------

static bool sick(const struct committer *self)
{
    return self->failing || atomic_load(&self->space_low);
}

// Waits for work, or until health is due. False when stopping and nothing is left to do.
static bool wait_for_work(struct committer *self, struct round *round)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (sick(self) ? SICK_MS : IDLE_MS) * 1000000LL;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;

    pthread_mutex_lock(&self->lock);
    while (!self->waiters && !self->commits && !self->stopping)
        if (pthread_cond_timedwait(&self->work, &self->lock, &until) == ETIMEDOUT)
            break;
    struct waiter **waiter = &self->waiters;
    for (size_t i = 0; *waiter && i < BATCH_ITEMS; i++)
        waiter = &(*waiter)->next;
    struct queued **commit = &self->commits;
    for (size_t i = 0; *commit && i < BATCH_ITEMS; i++)
        commit = &(*commit)->next;
    round->waiters = self->waiters;
    round->commits = self->commits;
    self->waiters = *waiter;
    self->commits = *commit;
    *waiter = NULL;
    *commit = NULL;
    // A queue that was emptied hangs the next one at its own head again.
    if (!self->waiters)
        self->waiters_end = &self->waiters;
    if (!self->commits)
        self->commits_end = &self->commits;
    bool more = !self->stopping || round->waiters || round->commits;
    pthread_mutex_unlock(&self->lock);
    return more;
}

// Gives what did not fit into the batch back to the head of its queue, in order.
static void give_back(struct committer *self, struct waiter *waiters, struct queued *commits)
{
    if (!waiters && !commits)
        return;
    pthread_mutex_lock(&self->lock);
    if (waiters) {
        struct waiter *last = waiters;
        while (last->next)
            last = last->next;
        last->next = self->waiters;
        if (!self->waiters)
            self->waiters_end = &last->next;
        self->waiters = waiters;
    }
    if (commits) {
        struct queued *last = commits;
        while (last->next)
            last = last->next;
        last->next = self->commits;
        if (!self->commits)
            self->commits_end = &last->next;
        self->commits = commits;
    }
    pthread_mutex_unlock(&self->lock);
}

// ---- health ---------------------------------------------------------------------------------------------------------

// The floor keeps room for completions: RocksDB cannot be trusted to survive a full disk. It opens again only a quarter
// above, so that intake does not flutter.
static void sample_space(struct committer *self)
{
    int64_t now = clock_mono_ms();
    uint64_t floor = self->options.min_free_bytes;
    if (floor == 0 || now < self->next_sample_ms)
        return;
    self->next_sample_ms = now + SPACE_SAMPLE_MS;
    uint64_t free_bytes = ledger_free_bytes(self->ledger);
    bool was_low = atomic_load(&self->space_low);
    bool low = free_bytes < (was_low ? floor + floor / 4 : floor);
    if (low == was_low)
        return;
    atomic_store(&self->space_low, low);
    if (low)
        log_error("ledger_space_low", "free_bytes=%llu floor_bytes=%llu", (unsigned long long)free_bytes,
                  (unsigned long long)floor);
    else
        log_info("ledger_space_back", "free_bytes=%llu", (unsigned long long)free_bytes);
}

static void write_batch(struct committer *self, struct round *round)
{
    round->written = ledger_write(self->ledger, round->batch);
    hints_settle(self->hints, round->written);
    atomic_fetch_add(round->written ? &self->batches : &self->errors, 1);
    if (!round->written)
        self->next_probe_ms = clock_mono_ms() + PROBE_MS;
    if (round->written == !self->failing)
        return;
    self->failing = !round->written;
    atomic_store(&self->failing_since_ms, self->failing ? clock_mono_ms() : 0);
}

// ---- filling the batch ----------------------------------------------------------------------------------------------

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const struct waiter *)a)->event->key, ((const struct waiter *)b)->event->key);
}

static void keep_key(void *key)
{
    (void)key; // the waiters live on their threads' stacks
}

static void store(struct committer *self, struct round *round, struct waiter *waiter)
{
    struct pending pending = {.event = *waiter->event};
    waiter->seq = pending.seq = ledger_next(self->ledger);
    pending.event.accepted_ms = waiter->accepted_ms;
    ledger_put_seen(round->batch, waiter->event->key, SEEN_ACCEPTED,
                    ledger_stamp_ms(self->ledger, waiter->accepted_ms));
    ledger_put_pending(round->batch, &pending);
    waiter->result = ACCEPT_STORED;
}

// Decides one request. What is on disk already is a duplicate even while nothing new can be stored.
static void decide(struct committer *self, struct round *round, struct waiter *waiter)
{
    bool hint = waiter->event->kind == EVENT_HINT;
    struct seen seen;

    waiter->accepted_ms = self->options.now_ms();
    enum ledger_result known = hint ? LEDGER_ABSENT : ledger_seen(self->ledger, waiter->event->key, &seen);
    if (known == LEDGER_OK) {
        waiter->result = ACCEPT_DUPLICATE;
        return;
    }
    waiter->result = ACCEPT_UNAVAILABLE;
    if (known == LEDGER_ERROR || sick(self))
        return;
    if (hint) {
        waiter->hint_count = hints_raise(self->hints, waiter->event->ticket_id, waiter->accepted_ms,
                                         waiter->event->request, round->batch);
        waiter->result = ACCEPT_STORED;
        return;
    }
    struct waiter **same = tsearch(waiter, &round->keys, compare_keys);
    if (!same)
        abort();
    if (*same == waiter)
        store(self, round, waiter);
    else
        waiter->original = *same;
}

static void raise_hints(struct committer *self, struct queued *queued, struct ledger_batch *batch)
{
    const struct commit *commit = queued->commit;
    if (!commit->raise_count)
        return;
    queued->raised = calloc(commit->raise_count, sizeof *queued->raised);
    if (!queued->raised)
        abort();
    for (size_t i = 0; i < commit->raise_count; i++)
        queued->raised[i] = hints_raise(self->hints, commit->raise[i], self->options.now_ms(), commit->request, batch);
}

static void fill(struct committer *self, struct round *round)
{
    struct waiter **waiter = &round->waiters;
    while (*waiter && ledger_batch_bytes(round->batch) < BATCH_BYTES) {
        decide(self, round, *waiter);
        waiter = &(*waiter)->next;
    }
    struct queued **queued = &round->commits;
    // At least one commit goes with each batch, so a flood of accepts cannot keep the dispatcher waiting.
    while (*queued && (queued == &round->commits || ledger_batch_bytes(round->batch) < BATCH_BYTES)) {
        struct commit *commit = (*queued)->commit;
        if (self->commits_refused) {
            queued = &(*queued)->next;
            continue;
        }
        if (commit->batch)
            ledger_batch_append(round->batch, commit->batch);
        raise_hints(self, *queued, round->batch);
        if (commit->hint_ticket != 0)
            (*queued)->hint_now = hints_finish(self->hints, commit->hint_ticket, commit->hint_count, round->batch);
        queued = &(*queued)->next;
    }
    give_back(self, *waiter, *queued);
    *waiter = NULL;
    *queued = NULL;
    tdestroy(round->keys, keep_key);
    round->keys = NULL;
}

// ---- telling --------------------------------------------------------------------------------------------------------

static struct mail *mail_new(enum mail_kind kind)
{
    struct mail *mail = calloc(1, sizeof *mail);
    if (!mail)
        abort();
    mail->kind = kind;
    return mail;
}

static struct mail *mail_of(const struct waiter *waiter)
{
    const struct event *event = waiter->event;
    struct mail *mail = mail_new(event->kind == EVENT_HINT ? MAIL_HINT : MAIL_ACCEPTED);
    mail->seq = waiter->seq;
    mail->ticket_id = event->ticket_id;
    mail->hint_count = waiter->hint_count;
    mail->time_ms = event->time_ms;
    mail->accepted_ms = waiter->accepted_ms;
    mail->request = event->request;
    mail->event_kind = event->kind;
    mail->token = waiter->token; // an offer's; whoever made it may tell it from a webhook
    mail->conversation = strdup(event->conversation ? event->conversation : "");
    if (!mail->conversation)
        abort();
    mail->ok = true;
    return mail;
}

// Sets every waiter's last word. Mail is made while the events are still there: a woken waiter takes its own away.
static struct mail *conclude(struct round *round)
{
    struct mail *first = NULL;
    struct mail **end = &first;

    for (struct waiter *waiter = round->waiters; waiter; waiter = waiter->next) {
        if (waiter->original)
            waiter->result = round->written ? ACCEPT_DUPLICATE : ACCEPT_UNAVAILABLE;
        else if (waiter->result == ACCEPT_STORED && !round->written)
            waiter->result = ACCEPT_UNAVAILABLE;
        if (!waiter->original && waiter->result == ACCEPT_STORED) {
            *end = mail_of(waiter);
            end = &(*end)->next;
        }
        if (waiter->arena) {
            *end = mail_new(MAIL_OFFERED);
            (*end)->token = waiter->token;
            (*end)->result = waiter->result;
            end = &(*end)->next;
        }
    }
    return first;
}

static void wake(struct committer *self, struct round *round)
{
    pthread_mutex_lock(&self->lock);
    for (struct waiter *waiter = round->waiters; waiter;) {
        struct waiter *next = waiter->next; // not ours any more once it is done
        if (waiter->arena) {
            arena_free(&waiter->arena);
            free(waiter);
            atomic_fetch_sub(&self->waiting, 1);
        } else {
            waiter->done = true;
            pthread_cond_signal(&waiter->wake);
        }
        waiter = next;
    }
    pthread_mutex_unlock(&self->lock);
}

static void tell_commits(struct committer *self, struct round *round)
{
    while (round->commits) {
        struct queued *queued = round->commits;
        for (size_t i = 0; round->written && queued->raised && i < queued->commit->raise_count; i++) {
            struct mail *hint = mail_new(MAIL_HINT);
            hint->ticket_id = queued->commit->raise[i];
            hint->hint_count = queued->raised[i];
            hint->request = queued->commit->request;
            mailbox_put(self->mailbox, hint);
        }
        struct mail *mail = mail_new(MAIL_COMMITTED);
        mail->token = queued->commit->token;
        mail->ticket_id = queued->commit->hint_ticket;
        mail->ok = round->written && !self->commits_refused;
        mail->hint_now = queued->hint_now;
        mail->hint_left = queued->hint_now != 0;
        mailbox_put(self->mailbox, mail);
        round->commits = queued->next;
        ledger_batch_free(&queued->commit->batch);
        free((void *)(uintptr_t)queued->commit->raise);
        free(queued->raised);
        free(queued->commit);
        free(queued);
        atomic_fetch_sub(&self->waiting, 1);
    }
}

// ---- the thread -----------------------------------------------------------------------------------------------------

static void work_round(struct committer *self, struct round *round)
{
    sample_space(self);
    round->batch = ledger_batch_new();
    fill(self, round);
    bool probe = self->failing && clock_mono_ms() >= self->next_probe_ms;
    // Nothing to write is written, too; that is what a commit without operations or a round of duplicates comes to.
    round->written = true;
    if (!ledger_batch_empty(round->batch) || probe)
        write_batch(self, round);
    if (!round->written && round->commits)
        self->commits_refused = true;
    struct mail *mail = conclude(round);
    wake(self, round);
    while (mail) {
        struct mail *next = mail->next;
        mailbox_put(self->mailbox, mail);
        mail = next;
    }
    tell_commits(self, round);
    ledger_batch_free(&round->batch);
    atomic_fetch_add(&self->progress, 1);
}

static void *run(void *arg)
{
    struct committer *self = arg;
    struct round round = {0};
    while (wait_for_work(self, &round)) {
        work_round(self, &round);
        round = (struct round){0};
    }
    return NULL;
}

static uint64_t real_now_ms(void)
{
    return (uint64_t)clock_wall_ms();
}

struct committer *committer_new(struct ledger *ledger, struct mailbox *mailbox, const struct committer_options *options)
{
    struct committer *self = calloc(1, sizeof *self);
    pthread_condattr_t monotonic;
    if (!self)
        abort();
    self->ledger = ledger;
    self->mailbox = mailbox;
    self->options = *options;
    if (!self->options.now_ms)
        self->options.now_ms = real_now_ms;
    self->hints = hints_new(ledger);
    self->waiters_end = &self->waiters;
    self->commits_end = &self->commits;
    sample_space(self);
    if (pthread_mutex_init(&self->lock, NULL) != 0 || pthread_condattr_init(&monotonic) != 0 ||
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(&self->work, &monotonic) != 0 || pthread_cond_init(&self->left, NULL) != 0 ||
        pthread_create(&self->thread, NULL, run, self) != 0)
        abort(); // no thread at start-up: nothing to go on with
    pthread_condattr_destroy(&monotonic);
    return self;
}

void committer_free(struct committer **self)
{
    struct committer *committer = *self;
    if (!committer)
        return;
    pthread_mutex_lock(&committer->lock);
    committer->stopping = true;
    pthread_cond_signal(&committer->work);
    pthread_mutex_unlock(&committer->lock);
    pthread_join(committer->thread, NULL);
    pthread_mutex_lock(&committer->lock);
    while (committer->inside > 0)
        pthread_cond_wait(&committer->left, &committer->lock);
    pthread_mutex_unlock(&committer->lock);
    // Submitted after the thread's last look at its queue: told that nothing was written.
    struct round late = {.commits = committer->commits};
    tell_commits(committer, &late);
    pthread_cond_destroy(&committer->work);
    pthread_cond_destroy(&committer->left);
    pthread_mutex_destroy(&committer->lock);
    hints_free(&committer->hints);
    free(committer);
    *self = NULL;
}

enum accept_result committer_accept(struct committer *self, const struct event *event)
{
    struct waiter waiter = {.event = event, .result = ACCEPT_UNAVAILABLE};
    if (event->kind != EVENT_HINT && (!event->key || !*event->key))
        abort(); // a normaliser that made no key: it would swallow every other such event
    if (pthread_cond_init(&waiter.wake, NULL) != 0)
        abort();
    pthread_mutex_lock(&self->lock);
    if (!self->stopping) {
        self->inside++;
        atomic_fetch_add(&self->waiting, 1);
        *self->waiters_end = &waiter;
        self->waiters_end = &waiter.next;
        pthread_cond_signal(&self->work);
        while (!waiter.done)
            pthread_cond_wait(&waiter.wake, &self->lock);
        atomic_fetch_sub(&self->waiting, 1);
        if (--self->inside == 0)
            pthread_cond_signal(&self->left);
    }
    pthread_mutex_unlock(&self->lock);
    pthread_cond_destroy(&waiter.wake);
    return waiter.result;
}

void committer_offer(struct committer *self, const struct event *event, void *token)
{
    struct record_buffer bytes;
    struct waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter || !*event->key || !record_encode(RECORD_event, event, &bytes))
        abort(); // a normaliser that made no key, or broke the record's bounds
    waiter->arena = arena_new();
    struct event *copy = arena_alloc(waiter->arena, sizeof *copy);
    if (record_decode(RECORD_event, bytes.data, bytes.size, copy, waiter->arena) != RECORD_OK)
        abort();
    record_buffer_free(&bytes);
    waiter->event = copy;
    waiter->token = token;
    waiter->result = ACCEPT_UNAVAILABLE;
    atomic_fetch_add(&self->waiting, 1);
    pthread_mutex_lock(&self->lock);
    *self->waiters_end = waiter;
    self->waiters_end = &waiter->next;
    pthread_cond_signal(&self->work);
    pthread_mutex_unlock(&self->lock);
}

void committer_submit(struct committer *self, struct commit *commit)
{
    struct queued *queued = calloc(1, sizeof *queued);
    if (!queued)
        abort();
    queued->commit = commit;
    atomic_fetch_add(&self->waiting, 1);
    pthread_mutex_lock(&self->lock);
    *self->commits_end = queued;
    self->commits_end = &queued->next;
    pthread_cond_signal(&self->work);
    pthread_mutex_unlock(&self->lock);
}

uint64_t committer_progress(const struct committer *self)
{
    return atomic_load(&self->progress);
}

void committer_counts(const struct committer *self, uint64_t *batches, uint64_t *errors)
{
    *batches = atomic_load(&self->batches);
    *errors = atomic_load(&self->errors);
}

uint64_t committer_waiting(const struct committer *self)
{
    return atomic_load(&self->waiting);
}

uint64_t committer_failing_ms(const struct committer *self)
{
    int64_t since = atomic_load(&self->failing_since_ms);
    return since == 0 ? 0 : (uint64_t)(clock_mono_ms() - since) + 1;
}

bool committer_healthy(const struct committer *self)
{
    return atomic_load(&self->failing_since_ms) == 0 && !atomic_load(&self->space_low);
}
