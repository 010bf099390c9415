// SPDX-License-Identifier: Apache-2.0
// A ticket's entries; see entries.h.
#include "workers/entries.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/text.h"
#include "workers/text_html.h"

enum {
    SOURCE_REPLY = 0,
    SOURCE_NOTE = 2,
    NAME_BYTES = 600,  // an agent's name before a mirror's time, or before a relayed message
    LONG_BYTES = 2500, // what may have been said in several messages
    STAMP_BYTES = 11,  // "12:34:56UTC"
    DATE_BYTES = 10,   // "2026-11-22"
};

static int by_age(const void *a, const void *b)
{
    const struct entries_item *left = a;
    const struct entries_item *right = b;
    if (left->time_ms != right->time_ms)
        return left->time_ms < right->time_ms ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

bool entries_read(struct arena *arena, const struct response *response, struct entries_items *out)
{
    *out = (struct entries_items){0};
    const json_t *list = fields_list(response->json, "conversations");
    if (!list)
        return false;
    size_t size = json_array_size(list);
    out->items = arena_alloc(arena, (size + 1) * sizeof *out->items);
    out->more = size > 0 && (response->link_next || size >= FLOW_PAGE_SIZE);
    for (size_t i = 0; i < size; i++) {
        const json_t *json = json_array_get(list, i);
        const json_t *source = json_object_get(json, "source");
        uint64_t number = fields_id(json, "id");
        uint64_t time_ms = fields_time(json, "created_at");
        if (!number || !time_ms)
            continue;
        out->items[out->count++] = (struct entries_item){
            .id = arena_printf(arena, "%" PRIu64, number),
            .number = number,
            .time_ms = time_ms,
            // what does not say that it is public is not: a private word must never get out
            .incoming = !json_is_false(json_object_get(json, "incoming")),
            .is_private = !json_is_false(json_object_get(json, "private")),
            .source = json_is_integer(source) && json_integer_value(source) >= 0 && json_integer_value(source) < 1000
                          ? (int)json_integer_value(source)
                          : -1,
            .author = fields_id(json, "user_id"),
            .json = json,
        };
    }
    qsort(out->items, out->count, sizeof *out->items, by_age);
    return true;
}

bool entries_is_agent(const struct entries_item *item)
{
    return !item->is_private && !item->incoming && item->author &&
           (item->source == SOURCE_REPLY || item->source == SOURCE_NOTE);
}

bool entries_has(const struct written *items, size_t count, const char *id)
{
    assert(items || !count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(items[i].id, id) == 0)
            return true;
    return false;
}

static const char *body_text(struct arena *arena, const struct entries_item *item, unsigned flags)
{
    const char *text = text_html_plain(arena, fields_raw(item->json, "body"), flags, TEXT_MAX / 2);
    if (!*text && flags) // nothing but a quote: then the quote is what was meant
        text = text_html_plain(arena, fields_raw(item->json, "body"), TEXT_HTML_ALL, TEXT_MAX / 2);
    if (!*text)
        text = text_clean(arena, fields_raw(item->json, "body_text"), TEXT_MAX / 2);
    return text;
}

static bool is_blank(struct arena *arena, const char *text)
{
    return !*text_words(arena, text);
}

const char *entries_text(struct arena *arena, const struct entries_item *item)
{
    const char *body = body_text(arena, item, item->source == SOURCE_REPLY ? TEXT_HTML_NO_QUOTES : TEXT_HTML_ALL);
    struct text_buf out = text_buf_new(arena);
    if (!is_blank(arena, body))
        text_buf_add(&out, body);
    const json_t *attachments = json_object_get(item->json, "attachments");
    size_t index;
    json_t *attachment;
    json_array_foreach((json_t *)attachments, index, attachment)
    {
        const char *url = fields_line(arena, attachment, "attachment_url", 8192);
        const char *name = fields_line(arena, attachment, "name", 255);
        if (!text_is_link(url) || out.length > TEXT_MAX - 16384)
            continue;
        if (out.length)
            text_buf_add(&out, "\n");
        text_buf_add(&out, *name ? name : "attachment");
        text_buf_add(&out, ": ");
        text_buf_add(&out, url);
    }
    return out.data;
}

static const struct written *newest(const struct lane *lane)
{
    const struct written *last = NULL;
    for (size_t i = 0; i < lane->desk_written.count; i++) {
        const struct written *one = &lane->desk_written.items[i];
        if (!last || one->time_ms > last->time_ms ||
            (one->time_ms == last->time_ms && strtoull(one->id, NULL, 10) > strtoull(last->id, NULL, 10)))
            last = one;
    }
    return last;
}

// ---- after a backup was restored -----------------------------------------------------------------------------------

static bool has_form(const char *words, const char *form)
{
    for (; *form; words++, form++)
        if (*form == '0' ? *words < '0' || *words > '9' : *words != *form)
            return false;
    return true;
}

static bool begins_with_time(const char *words)
{
    return has_form(words, "00:00:00UTC");
}

const char *entries_words(struct arena *arena, const char *text)
{
    const char *words = text_words(arena, text);
    if (!strstr(words, "UTC"))
        return words;
    struct text_buf out = text_buf_new(arena);
    for (const char *at = words; *at; at++) {
        if (has_form(at, "0000-00-00") && begins_with_time(at + DATE_BYTES))
            at += DATE_BYTES;
        text_buf_add_bytes(&out, at, 1);
    }
    return out.data;
}

// "(inchat,12:34:56UTC):...", or NULL.
static const char *mirror_of(const char *words)
{
    static const char open[] = "(inchat,";
    const char *at = strstr(words, open);
    if (!at || at - words > NAME_BYTES || !begins_with_time(at + sizeof open - 1))
        return NULL;
    return strncmp(at + sizeof open - 1 + STAMP_BYTES, "):", 2) == 0 ? at : NULL;
}

static const char *words_of(struct arena *arena, const struct entries_item *item)
{
    const char *html = fields_raw(item->json, "body");
    const char *words = entries_words(arena, text_html_plain(arena, html, TEXT_HTML_ALL, TEXT_MAX));
    return *words ? words : entries_words(arena, fields_raw(item->json, "body_text"));
}

const char *entries_line(struct arena *arena, const char *body)
{
    const char *words = entries_words(arena, text_html_plain(arena, body, TEXT_HTML_ALL, TEXT_MAX));
    const char *mirror = mirror_of(words);
    return mirror ? mirror : words;
}

bool entries_holds(const char *words, const char *line)
{
    static const char below[] = "Fromtheshop'schat"; // what stands below the messages in a description
    size_t length = strlen(line);
    if (!length)
        return false;
    for (const char *at = words; (at = strstr(at, line)); at++) {
        const char *rest = at + length;
        while (*rest == '-' || *rest == '_') // a rule
            rest++;
        if (!*rest || begins_with_time(rest) || strncmp(rest, below, sizeof below - 1) == 0)
            return true;
    }
    return false;
}

bool entries_is_mirror(struct arena *arena, const struct entries_item *item)
{
    return item->source == SOURCE_NOTE && mirror_of(words_of(arena, item));
}

bool entries_mirror_text(struct arena *arena, const char *text, struct entries_mirror *out)
{
    const char *words = entries_words(arena, text);
    const char *at = mirror_of(words);
    if (!at || at == words)
        return false;
    const char *stamp = strchr(at, ',') + 1;
    unsigned parts[3];
    for (size_t i = 0; i < 3; i++)
        parts[i] = (unsigned)(stamp[3 * i] - '0') * 10 + (unsigned)(stamp[3 * i + 1] - '0');
    *out = (struct entries_mirror){
        .name = arena_copy(arena, words, (size_t)(at - words)),
        .second = parts[0] * 3600 + parts[1] * 60 + parts[2],
        .words = stamp + STAMP_BYTES + 2,
    };
    return *out->words && out->second < 86400;
}

bool entries_mirror(struct arena *arena, const struct entries_item *item, struct entries_mirror *out)
{
    return item->source == SOURCE_NOTE && json_array_size(json_object_get(item->json, "attachments")) == 0 &&
           entries_mirror_text(arena, entries_text(arena, item), out);
}

// Whether `whole` ends with `end`, behind nothing or an agent's name.
static bool is_said_by_name(const char *whole, const char *end)
{
    size_t length = strlen(whole);
    size_t end_length = strlen(end);
    if (!end_length || end_length > length || strcmp(whole + length - end_length, end) != 0)
        return false;
    size_t name = length - end_length;
    return name == 0 || (name <= NAME_BYTES && whole[name - 1] == ':');
}

static bool is_piece(const char *words, const char *said)
{
    if (strlen(words) <= LONG_BYTES)
        return false;
    const char *colon = strchr(said, ':');
    return strstr(words, said) || (colon && colon - said <= NAME_BYTES && strstr(words, colon + 1));
}

const struct entries_item *entries_find_said(struct arena *arena, const struct entries_items *page,
                                             const struct lane *lane, const char *said, uint64_t until_ms)
{
    for (size_t i = 0; *said && i < page->count; i++) {
        const struct entries_item *item = &page->items[i];
        if (!entries_is_agent(item) || item->time_ms > until_ms ||
            item->time_ms + ENTRIES_OVERLAP_MS <= lane->mark_ms ||
            entries_has(lane->desk_written.items, lane->desk_written.count, item->id) ||
            entries_has(lane->delivered.items, lane->delivered.count, item->id) || entries_is_mirror(arena, item))
            continue;
        const char *words = text_words(arena, entries_text(arena, item));
        if (is_said_by_name(said, words) || is_piece(words, said))
            return item;
    }
    return NULL;
}

// ---- looks ----------------------------------------------------------------------------------------------------------

const struct entries_item *entries_find(struct arena *arena, const struct entries_items *page, const struct lane *lane,
                                        const struct entries_wanted *wanted)
{
    const struct written *last = newest(lane);
    uint64_t last_id = last ? strtoull(last->id, NULL, 10) : 0;
    const char *words = entries_words(arena, text_html_plain(arena, wanted->body, TEXT_HTML_ALL, TEXT_MAX));
    for (size_t i = 0; i < page->count; i++) {
        const struct entries_item *item = &page->items[i];
        if (item->incoming != wanted->incoming || item->is_private != wanted->is_private ||
            (wanted->author && !wanted->line && item->author != wanted->author) || item->time_ms < wanted->floor_ms)
            continue;
        if (wanted->line) {
            if (entries_holds(words_of(arena, item), wanted->line))
                return item;
            continue;
        }
        if (last && (item->time_ms < last->time_ms || (item->time_ms == last->time_ms && item->number < last_id)))
            continue;
        if (entries_has(lane->desk_written.items, lane->desk_written.count, item->id))
            continue;
        if (strcmp(words, words_of(arena, item)) == 0)
            return item;
    }
    return NULL;
}
