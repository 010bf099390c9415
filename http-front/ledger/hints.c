// SPDX-License-Identifier: Apache-2.0
// Hint counters in a tree of libc's <search.h>, ordered by ticket. Rows that a batch deletes are marked and linked
// until the batch is settled.
#include "http-front/ledger/hints.h"

#include <stdlib.h>

#include "http-front/ledger/tree.h"

struct row {
    uint64_t ticket_id;
    uint64_t count;
    bool finished; // its row goes with the batch that is being made
    bool linked;   // in the list of those to be settled
    struct row *next_finished;
};

struct hints {
    struct ledger *ledger;
    void *tree;
    struct row *finished;
};

static int compare(const void *a, const void *b)
{
    uint64_t x = ((const struct row *)a)->ticket_id;
    uint64_t y = ((const struct row *)b)->ticket_id;
    return (x > y) - (x < y);
}

static struct row *find(struct hints *self, uint64_t ticket_id)
{
    struct row wanted = {.ticket_id = ticket_id};
    struct row **at = tfind(&wanted, &self->tree, compare);
    return at ? *at : NULL;
}

static struct row *add(struct hints *self, uint64_t ticket_id, uint64_t count)
{
    struct row *row = calloc(1, sizeof *row);
    if (!row)
        abort();
    row->ticket_id = ticket_id;
    row->count = count;
    if (!tsearch(row, &self->tree, compare))
        abort();
    return row;
}

static bool load(void *arg, uint64_t ticket_id, const struct hint *hint)
{
    add(arg, ticket_id, hint->count);
    return true;
}

struct hints *hints_new(struct ledger *ledger)
{
    struct hints *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->ledger = ledger;
    (void)ledger_each_hint(ledger, load, self); // logged there; what was readable is loaded
    return self;
}

void hints_free(struct hints **self)
{
    if (!*self)
        return;
    tdestroy((*self)->tree, free);
    free(*self);
    *self = NULL;
}

uint64_t hints_raise(struct hints *self, uint64_t ticket_id, uint64_t now_ms, uint64_t request,
                     struct ledger_batch *batch)
{
    struct row *row = find(self, ticket_id);
    if (!row)
        row = add(self, ticket_id, 0);
    // Never the same twice for a ticket, not even after its row was deleted and began anew: who finishes with an old
    // number can match nothing that came later.
    row->count = ledger_next(self->ledger);
    row->finished = false;
    ledger_put_hint(batch, ticket_id, &(struct hint){.count = row->count, .time_ms = now_ms, .request = request});
    return row->count;
}

uint64_t hints_finish(struct hints *self, uint64_t ticket_id, uint64_t count, struct ledger_batch *batch)
{
    struct row *row = find(self, ticket_id);
    if (!row || row->finished)
        return 0;
    if (row->count != count)
        return row->count;
    ledger_delete_hint(batch, ticket_id);
    row->finished = true;
    if (!row->linked) {
        row->linked = true;
        row->next_finished = self->finished;
        self->finished = row;
    }
    return 0;
}

void hints_settle(struct hints *self, bool written)
{
    while (self->finished) {
        struct row *row = self->finished;
        self->finished = row->next_finished;
        row->linked = false;
        if (!row->finished)
            continue; // raised again in the same batch
        row->finished = false;
        if (written) {
            tdelete(row, &self->tree, compare);
            free(row);
        }
    }
}
