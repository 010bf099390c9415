// SPDX-License-Identifier: Apache-2.0
// The parts of a Freshchat message, flattened. A kind that this version does not know becomes PART_OTHER, so that the
// agent at least learns that there was something. Pure; any thread.
#include "http-front/intake/parts.h"

#include <string.h>

#include "http-front/intake/mask.h"
#include "http-front/intake/payload.h"

// The bounds of struct part's fields in records_table.h.
#define PART_TEXT_MAX  TEXT_MAX
#define PART_URL_MAX   8192
#define PART_LABEL_MAX 4096

struct parts parts_new(struct arena *arena)
{
    return (struct parts){.items = arena_alloc(arena, PARTS_MAX * sizeof(struct part))};
}

static void put(struct parts *self, struct part part)
{
    if (self->count == PARTS_MAX) {
        self->left_out++;
        return;
    }
    self->items[self->count++] = part;
}

static const char *either(const char *first, const char *second)
{
    return *first ? first : second;
}

static struct part simple(enum part_kind kind, const char *text, const char *url, const char *label)
{
    return (struct part){.kind = kind, .text = text, .url = url, .label = label};
}

static void put_text(struct parts *self, const json_t *value, struct arena *arena)
{
    const char *text = payload_text(value, "content", PART_TEXT_MAX, arena);
    if (*text)
        put(self, simple(PART_TEXT, text, "", ""));
}

static const char *link_of(const json_t *value, struct arena *arena)
{
    return either(payload_text(value, "url", PART_URL_MAX, arena),
                  payload_text(value, "download_url", PART_URL_MAX, arena));
}

static void put_image(struct parts *self, const json_t *value, struct arena *arena)
{
    put(self, simple(PART_IMAGE, "", link_of(value, arena), ""));
}

static void put_video(struct parts *self, const json_t *value, struct arena *arena)
{
    put(self, simple(PART_VIDEO, "", link_of(value, arena), ""));
}

static void put_file(struct parts *self, const json_t *value, struct arena *arena)
{
    put(self, simple(PART_FILE, payload_text(value, "content_type", PART_TEXT_MAX, arena), link_of(value, arena),
                     payload_text(value, "name", PART_LABEL_MAX, arena)));
}

static void put_email(struct parts *self, const json_t *value, struct arena *arena)
{
    put(self, simple(PART_EMAIL, payload_text(value, "content", PART_TEXT_MAX, arena), "",
                     payload_text(value, "subject", PART_LABEL_MAX, arena)));
}

static void put_button(struct parts *self, const json_t *value, struct arena *arena)
{
    put(self, simple(PART_BUTTON, "", payload_text(value, "url", PART_URL_MAX, arena),
                     payload_text(value, "label", PART_LABEL_MAX, arena)));
}

static void put_choice(struct parts *self, const json_t *value, struct arena *arena)
{
    put(self, simple(PART_CHOICE, payload_text(value, "custom_reply_text", PART_TEXT_MAX, arena), "",
                     payload_text(value, "label", PART_LABEL_MAX, arena)));
}

static void put_callback(struct parts *self, const json_t *value, struct arena *arena)
{
    put(self, simple(PART_CALLBACK, "", "", payload_text(value, "label", PART_LABEL_MAX, arena)));
}

static void put_reference(struct parts *self, const json_t *value, struct arena *arena)
{
    put(self, simple(PART_REFERENCE, "", "", payload_text(value, "label", PART_LABEL_MAX, arena)));
}

static void put_collection(struct parts *self, const json_t *value, struct arena *arena)
{
    if (!parts_add(self, payload_get(value, "sub_parts"), arena))
        put(self, simple(PART_OTHER, "", "", "collection"));
}

static void put_template(struct parts *self, const json_t *value, struct arena *arena)
{
    put(self, simple(PART_TEMPLATE, "", "", payload_text(value, "type", PART_LABEL_MAX, arena)));
    const json_t *sections = payload_get(value, "sections");
    for (size_t i = 0; i < json_array_size(sections); i++)
        if (!parts_add(self, payload_get(json_array_get(sections, i), "parts"), arena))
            put(self, simple(PART_OTHER, "", "", "template_content"));
}

static const struct {
    const char *key;
    void (*put)(struct parts *self, const json_t *value, struct arena *arena);
} kinds[] = {
    {"text", put_text},
    {"image", put_image},
    {"video", put_video},
    {"file", put_file},
    {"email", put_email},
    {"url_button", put_button},
    {"quick_reply_button", put_choice},
    {"callback", put_callback},
    {"collection", put_collection},
    {"reference", put_reference},
    {"template_content", put_template},
};

static void put_other(struct parts *self, const char *key, struct arena *arena)
{
    put(self, simple(PART_OTHER, "", "", arena_copy(arena, key, payload_clamp(key, strlen(key), PART_LABEL_MAX))));
}

// One member of an element: its key is the kind. Elements have exactly one, says the documentation; several are taken
// in order.
static void put_member(struct parts *self, const char *key, const json_t *value, struct arena *arena)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].key, key))
            continue;
        if (json_is_object(value))
            kinds[i].put(self, value, arena);
        else if (!json_is_null(value))
            put_other(self, key, arena);
        return;
    }
    put_other(self, key, arena);
}

bool parts_add(struct parts *self, const json_t *array, struct arena *arena)
{
    if (!array)
        return true;
    if (!json_is_array(array))
        return false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *element = json_array_get(array, i);
        const char *key;
        json_t *value;
        if (!json_is_object(element)) {
            put(self, simple(PART_OTHER, "", "", "unreadable"));
            continue;
        }
        json_object_foreach(element, key, value) put_member(self, key, value, arena);
    }
    return true;
}

bool parts_add_version_1(struct parts *self, const json_t *array, struct arena *arena)
{
    if (!array)
        return true;
    if (!json_is_array(array))
        return false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *element = json_array_get(array, i);
        const char *kind = payload_text(element, "part_type", PART_LABEL_MAX, arena);
        const char *text = payload_text(payload_get(element, "properties"), "text", PART_TEXT_MAX, arena);
        if (*text)
            put(self, simple(PART_TEXT, text, "", ""));
        else if (strcasecmp(kind, "text"))
            put(self, simple(PART_OTHER, "", "", either(kind, "unreadable")));
    }
    return true;
}

void parts_finish(struct parts *self, struct arena *arena)
{
    if (!self->left_out)
        return;
    const char *words = arena_printf(arena, "[%zu more parts of this message are not shown]", self->left_out + 1);
    self->items[PARTS_MAX - 1] = simple(PART_TEXT, words, "", "");
    self->left_out = 0;
}

static const char *masked(const char *text, enum mask_kind kind, struct arena *arena)
{
    size_t size = strlen(text);
    if (!mask_cards(text, size, kind, NULL)) // nearly always
        return text;
    char *copy = arena_copy(arena, text, size);
    mask_cards(copy, size, kind, copy);
    return copy;
}

void parts_mask_cards(struct parts *self, struct arena *arena)
{
    for (size_t i = 0; i < self->count; i++) {
        struct part *part = &self->items[i];
        part->text = masked(part->text, MASK_TEXT, arena);
        part->label = masked(part->label, MASK_TEXT, arena);
        part->url = masked(part->url, MASK_URL, arena);
    }
}

// The code point at *at, which moves past it. The text is valid UTF-8: payload_parse saw to that.
static unsigned next_point(const char **at)
{
    const unsigned char *text = (const unsigned char *)*at;
    int more = *text >= 0xf0 ? 3 : *text >= 0xe0 ? 2 : *text >= 0xc0 ? 1 : 0;
    unsigned point = more ? *text & (0x3fu >> more) : *text;
    int i = 1;
    for (; i <= more && text[i]; i++)
        point = point << 6 | (text[i] & 0x3fu);
    *at += i;
    return point;
}

// White space of any script, controls, and what takes no room: joiners, marks of direction, selectors, fillers.
static bool is_invisible(unsigned point)
{
    static const struct {
        unsigned first, last;
    } ranges[] = {{0x00, 0x20},     {0x7f, 0xa0},     {0xad, 0xad},     {0x34f, 0x34f},   {0x61c, 0x61c},
                  {0x115f, 0x1160}, {0x1680, 0x1680}, {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x2000, 0x200f},
                  {0x2028, 0x202f}, {0x205f, 0x206f}, {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},
                  {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

// Whether the parts are text alone, of `count` visible characters that all are `only`.
static bool shows_only(const struct parts *self, size_t count, unsigned only)
{
    size_t seen = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (self->items[i].kind != PART_TEXT)
            return false;
        for (const char *at = self->items[i].text; *at;) {
            unsigned point = next_point(&at);
            if (!is_invisible(point) && (++seen > count || point != only))
                return false;
        }
    }
    return seen == count;
}

bool parts_blank(const struct parts *self)
{
    return shows_only(self, 0, 0);
}

bool parts_full_stop(const struct parts *self)
{
    return shows_only(self, 1, '.');
}
