// SPDX-License-Identifier: Apache-2.0
// What a ticket must be sent to rise; see raise.h.
#include "workers/raise.h"

#include <stdlib.h>
#include <string.h>

#include "workers/fields.h"
#include "workers/text.h"

enum { PRIORITY_MOST = 4, STATUS_RESOLVED = 4, STATUS_CLOSED = 5, TAG_MAX_BYTES = 255 };

// A wanted tag as Freshdesk takes it; "" when nothing is left of it.
static const char *tag_of(struct arena *arena, const char *wanted)
{
    char *plain = arena_copy(arena, wanted, strlen(wanted));
    for (char *at = plain; *at; at++)
        if (*at == ',')
            *at = ' ';
    const char *line = text_line(arena, plain, TAG_MAX_BYTES);
    return text_line(arena, text_shortened(arena, line, RAISE_TAG_POINTS), TAG_MAX_BYTES);
}

static bool holds(const json_t *tags, const char *tag)
{
    for (size_t i = 0; i < json_array_size(tags); i++)
        if (text_same(json_string_value(json_array_get(tags, i)), tag))
            return true;
    return false;
}

// A copy of the ticket's tags; NULL when it does not tell them in a way that can be sent back whole.
static json_t *tags_there(const json_t *ticket)
{
    const json_t *tags = json_object_get(ticket, "tags");
    if (!json_is_array(tags))
        return NULL;
    for (size_t i = 0; i < json_array_size(tags); i++)
        if (!json_is_string(json_array_get(tags, i)))
            return NULL;
    return json_copy((json_t *)tags);
}

// The list of tags to send, or NULL when none is to be added.
static json_t *tags_with(struct arena *arena, const json_t *ticket, const char *const *wanted, size_t count,
                         struct raise *said)
{
    json_t *tags = tags_there(ticket);
    for (size_t i = 0; tags && i < count && json_array_size(tags) < RAISE_MOST_TAGS; i++) {
        const char *tag = tag_of(arena, wanted[i]);
        if (!*tag || holds(tags, tag))
            continue;
        if (json_array_append_new(tags, json_string(tag)) != 0)
            abort();
        said->tags[said->tag_count++] = tag;
    }
    if (said->tag_count == 0) {
        json_decref(tags);
        return NULL;
    }
    return tags;
}

json_t *raise_body(struct arena *arena, const json_t *ticket, uint64_t priority, const char *const *tags,
                   size_t tag_count, struct raise *said)
{
    struct raise unheard = {0};
    said = said ? said : &unheard;
    *said = (struct raise){.before = fields_id(ticket, "priority")};
    json_t *body = json_object();
    if (priority <= PRIORITY_MOST && said->before && priority > said->before) {
        said->priority = priority;
        fields_put_id(body, "priority", priority);
    }
    json_t *list = tags_with(arena, ticket, tags, tag_count, said);
    if (list && json_object_set_new(body, "tags", list) != 0)
        abort();
    if (json_object_size(body) > 0)
        return body;
    json_decref(body);
    return NULL;
}

bool raise_is_closed(const json_t *ticket)
{
    uint64_t status = fields_id(ticket, "status");
    return status == STATUS_RESOLVED || status == STATUS_CLOSED;
}

const char *raise_word(uint64_t priority)
{
    static const char *const words[] = {"", "low", "medium", "high", "urgent"};
    return priority <= PRIORITY_MOST ? words[priority] : "";
}
