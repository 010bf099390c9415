// SPDX-License-Identifier: Apache-2.0
// Message parts in readable form; see parts.h.
#include "workers/parts.h"

#include <string.h>

#include "proto/clock.h"
#include "workers/text.h"
#include "workers/text_html.h"

enum { SUBJECT_SOURCE_BYTES = 4096, DAY_MS = 24 * 3600 * 1000 };

// What stands before or instead of a part's own words, for kinds that need a name.
static const char *kind_word(uint64_t kind)
{
    switch (kind) {
    case PART_IMAGE:
        return "Image";
    case PART_VIDEO:
        return "Video";
    case PART_FILE:
        return "File";
    case PART_BUTTON:
        return "Button";
    case PART_CHOICE:
        return "Choice";
    case PART_CALLBACK:
        return "Callback";
    case PART_REFERENCE:
        return "Reference";
    case PART_TEMPLATE:
        return "Template";
    default:
        return "";
    }
}

static void add_link(struct text_buf *out, const char *url, const char *label)
{
    if (!text_is_link(url)) {
        text_add_html(out, label);
        if (*url && strcmp(url, label) != 0) {
            text_buf_add(out, *label ? " (" : "(");
            text_add_html(out, url);
            text_buf_add(out, ")");
        }
        return;
    }
    text_buf_add(out, "<a href=\"");
    text_add_html(out, url);
    text_buf_add(out, "\" rel=\"noopener noreferrer nofollow\">");
    text_add_html(out, *label ? label : url);
    text_buf_add(out, "</a>");
}

// The words of a field that may hold text or HTML: an agent's text (freshworks-api 1.6), an e-mail's content. Without a
// tag the lines are as they were typed, though the characters may have been escaped.
static const char *words_of(struct arena *arena, const char *text)
{
    if (text_html_is(text))
        return text_html_plain(arena, text, TEXT_HTML_ALL, TEXT_MAX);
    if (text_html_has_entity(text)) {
        struct text_buf pre = text_buf_new(arena);
        text_buf_add(&pre, "<pre>");
        for (const char *at = text; *at; at++) // what looks like a tag here is none
            text_buf_add_bytes(&pre, *at == '<' ? "&lt;" : at, *at == '<' ? 4 : 1);
        text_buf_add(&pre, "</pre>");
        return text_html_plain(arena, pre.data, TEXT_HTML_ALL, TEXT_MAX);
    }
    return text_clean(arena, text, TEXT_MAX);
}

// What a customer typed is text, whatever it looks like.
static void add_text(struct text_buf *out, const char *text, bool may_be_html)
{
    text_add_html(out, may_be_html ? words_of(out->arena, text) : text_clean(out->arena, text, TEXT_MAX));
}

static void add_part(struct text_buf *out, const struct part *part, bool from_agent)
{
    struct arena *arena = out->arena;
    const char *label = text_line(arena, part->label, 4096);
    const char *text = text_line(arena, part->text, 4096);
    const char *url = text_line(arena, part->url, 8192);
    const char *word = kind_word(part->kind);
    switch (part->kind) {
    case PART_TEXT:
        add_text(out, part->text, from_agent);
        return;
    case PART_EMAIL:
        if (*label) {
            text_buf_add(out, "<b>");
            text_add_html(out, label);
            text_buf_add(out, "</b><br>");
        }
        add_text(out, part->text, true);
        return;
    case PART_IMAGE:
    case PART_VIDEO:
    case PART_FILE:
    case PART_BUTTON:
        text_buf_add(out, word);
        text_buf_add(out, ": ");
        if (*url || *label)
            add_link(out, url, label);
        else
            text_buf_add(out, "(without a link: open the conversation in Freshchat)");
        if (part->kind == PART_FILE && *text)
            text_add_html(out, arena_printf(arena, " (%s)", text));
        return;
    case PART_CHOICE:
    case PART_CALLBACK:
    case PART_REFERENCE:
    case PART_TEMPLATE:
        text_buf_add(out, "[");
        text_add_html(out, *label ? arena_printf(arena, "%s: %s", word, label) : word);
        if (*text && strcmp(text, label) != 0)
            text_add_html(out, arena_printf(arena, " (%s)", text));
        text_buf_add(out, "]");
        return;
    default:
        text_buf_add(out, "[");
        text_add_html(out, *label ? arena_printf(arena, "A message part of the kind \"%s\"", label)
                                  : "A message part of an unknown kind");
        text_buf_add(out, ", to be seen in Freshchat]");
    }
}

// Whether a link is open at the end. Text cannot contain a tag: it is escaped.
static bool in_link(const char *html)
{
    bool open = false;
    for (const char *at = strchr(html, '<'); at; at = strchr(at + 1, '<'))
        open = strncmp(at, "<a ", 3) == 0 || (open && strncmp(at, "</a>", 4) != 0);
    return open;
}

void parts_add_html(struct text_buf *out, const struct event *event, bool from_agent)
{
    struct text_buf html = text_buf_new(out->arena);
    for (size_t i = 0; i < event->parts.count; i++) {
        if (i)
            text_buf_add(&html, "<br>");
        add_part(&html, &event->parts.items[i], from_agent);
    }
    if (html.length > PARTS_MAX_BYTES) {
        size_t length = PARTS_MAX_BYTES;
        while (length > 0 && (html.data[length] & 0xc0) == 0x80)
            length--;
        // neither a tag nor an entity may be left open: go back to before the last one that is not closed
        for (size_t back = length; back > 0 && length - back < 20000; back--) {
            char byte = html.data[back - 1];
            if (byte == '<' && !memchr(html.data + back, '>', length - back))
                length = back - 1;
            if (byte == '&' && length - back < 8 && !memchr(html.data + back, ';', length - back))
                length = back - 1;
        }
        text_buf_cut(&html, length);
        if (in_link(html.data))
            text_buf_add(&html, "</a>");
        text_buf_add(&html, "<br>[Cut here: the whole message is in Freshchat]");
    }
    if (!html.length)
        text_buf_add(&html, "[A message without content]");
    text_buf_add(out, html.data);
}

const char *parts_line(struct arena *arena, const struct event *event)
{
    struct text_buf line = text_buf_new(arena);
    for (size_t i = 0; i < event->parts.count && line.length < SUBJECT_SOURCE_BYTES; i++) {
        const struct part *part = &event->parts.items[i];
        const char *word = kind_word(part->kind);
        const char *own = part->kind == PART_TEXT ? part->text : part->label;
        if (part->kind == PART_EMAIL && !*own)
            own = words_of(arena, part->text);
        const char *text = text_line(arena, own, SUBJECT_SOURCE_BYTES);
        text_buf_add(&line, " ");
        text_buf_add(&line, *word && *text ? arena_printf(arena, "%s: %s", word, text) : *word ? word : text);
    }
    return text_line(arena, line.data, SUBJECT_SOURCE_BYTES);
}

void parts_add_time(struct text_buf *out, const struct event *event, uint64_t written_ms)
{
    char iso[CLOCK_ISO_BYTES];
    clock_format_iso(event->time_ms > INT64_MAX ? 0 : (int64_t)event->time_ms, iso);
    if (written_ms && written_ms / DAY_MS != event->time_ms / DAY_MS) {
        text_buf_add_bytes(out, iso, 10);
        text_buf_add(out, " ");
    }
    text_buf_add_bytes(out, iso + 11, 8);
    text_buf_add(out, " UTC");
}
