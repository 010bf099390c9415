// SPDX-License-Identifier: Apache-2.0
// One at a time reads a ticket and puts what follows from that reading. Freshdesk has no conditional change and takes a
// list of tags as a whole, so of two lanes that raise one ticket (a call that joined a chat's ticket, and that chat's
// context) the second PUT would take back what the first one raised. A section is one item's read and PUT of a ticket:
// others wait before their own reading. It ends with the PUT's report, with any failure (who failed reads again), and
// when its holder did not go on for HOLDS_MS: that one reads again, too. Dispatcher's thread; nothing is on disk, a new
// front lets everybody read again.
#include <stdlib.h>

#include "http-front/dispatch/state.h"
#include "proto/clock.h"

enum { HOLDS_MS = 10000, OTHER_SECTION_MS = 300 };

struct section {
    struct item *item;
    const struct side *side; // of the item
    uint64_t ticket_id;
    uint64_t since_mono_ms; // last seen at work
};

enum step sections_reading(enum step step)
{
    switch (step) {
    case STEP_READ_TO_RAISE:
    case STEP_RAISE_TICKET:
        return STEP_READ_TO_RAISE;
    case STEP_READ_WHETHER_OPEN:
    case STEP_REOPEN_TICKET:
        return STEP_READ_WHETHER_OPEN;
    case STEP_READ_TO_UPDATE:
    case STEP_UPDATE_TICKET:
        return STEP_READ_TO_UPDATE;
    default:
        return STEP_NONE;
    }
}

// Whether the section still keeps others out.
static bool is_held(struct section *section, uint64_t now)
{
    const struct item *item = section->item;
    enum step step = (enum step)item->step;
    if (sections_reading(step) == STEP_NONE)
        return false;
    if (section->side->active == item && section->side->state != LANE_IDLE) {
        section->since_mono_ms = now;
        return true;
    }
    return step != sections_reading(step) && now - section->since_mono_ms < HOLDS_MS; // it has read
}

static struct section *of_ticket(struct dispatcher *self, uint64_t ticket_id)
{
    for (struct section *section = zlistx_first(self->sections); section; section = zlistx_next(self->sections))
        if (section->ticket_id == ticket_id)
            return section;
    return NULL;
}

// The item reads again before it puts anything. What it found stays: it says what an earlier PUT raised.
static void read_again(struct item *item)
{
    enum step reading = sections_reading((enum step)item->step);
    if (reading != STEP_NONE)
        item->step = (uint8_t)reading;
}

bool sections_begin(struct dispatcher *self, const struct side *side, struct item *item, enum step step)
{
    uint64_t ticket_id = side->conversation->ticket_id;
    uint64_t now = (uint64_t)clock_mono_ms();
    enum step reading = sections_reading(step);
    if (reading == STEP_NONE || !ticket_id)
        return true;
    struct section *section = of_ticket(self, ticket_id);
    bool own = section && section->item == item;
    if (step != reading) {
        if (!own) // of an earlier front, or it lost its section meanwhile
            item->step = (uint8_t)reading;
        else
            section->since_mono_ms = now;
        return own;
    }
    if (section && !own && is_held(section, now)) {
        item->not_before_mono_ms = now + OTHER_SECTION_MS;
        return false;
    }
    if (section && !own)
        read_again(section->item);
    if (!own)
        sections_end(self, item); // of the ticket that it was on before
    if (!section) {
        section = calloc(1, sizeof *section);
        if (!section)
            abort();
        zlistx_add_end(self->sections, section);
    }
    *section = (struct section){item, side, ticket_id, now};
    return true;
}

void sections_failed(struct item *item)
{
    read_again(item);
}

void sections_end(struct dispatcher *self, const struct item *item)
{
    if (item->kind != EVENT_CALL && item->kind != EVENT_CALLBACK && item->kind != EVENT_CONTEXT &&
        item->kind != EVENT_KEEP_OPEN)
        return;
    struct section *section = zlistx_first(self->sections);
    while (section && section->item != item)
        section = zlistx_next(self->sections);
    if (!section)
        return;
    zlistx_detach_cur(self->sections);
    free(section);
}

void sections_free(struct dispatcher *self)
{
    for (struct section *section; self->sections && (section = zlistx_detach(self->sections, NULL));)
        free(section);
    zlistx_destroy(&self->sections);
}
