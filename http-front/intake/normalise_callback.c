// SPDX-License-Identifier: Apache-2.0
// From what the form "Call me back" sends to an event. See normalise_callback.h. Pure; any thread.
#include "http-front/intake/normalise_callback.h"

#include <stdio.h>
#include <string.h>

#include "http-front/intake/mask.h"
#include "http-front/intake/payload.h"
#include "proto/phone.h"

#define KEY_PREFIX   "callback:"
#define ID_BYTES     64
#define NUMBER_BYTES 64
#define DIGITS       "0123456789"
#define LETTERS      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool usable_id(const char *id)
{
    size_t length = strlen(id);
    return length >= 8 && length <= ID_BYTES && strspn(id, DIGITS LETTERS "-_") == length;
}

// object[key] for people: control characters become blanks, ends are trimmed, card numbers masked if so asked.
static const char *line(const json_t *object, const char *key, size_t max, const struct normalise_options *options,
                        struct arena *arena)
{
    const char *text = payload_text(object, key, max, arena);
    size_t size = strlen(text);
    char *copy = arena_copy(arena, text, size);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)copy[i] < 0x20 || copy[i] == 0x7f)
            copy[i] = ' ';
    while (*copy == ' ')
        copy++, size--;
    while (size && copy[size - 1] == ' ')
        copy[--size] = '\0';
    if (options->mask_card_numbers)
        mask_cards(copy, size, MASK_TEXT, copy);
    return copy;
}

// "349.90": digits, and perhaps a point and digits. "" when it is anything else.
static const char *value(const json_t *object, struct arena *arena)
{
    const char *text = payload_text(object, "cart_value", CALLBACK_VALUE_MAX + 1, arena);
    size_t whole = strspn(text, DIGITS), more = text[whole] == '.' ? 1 + strspn(text + whole + 1, DIGITS) : 0;
    bool good = whole && more != 1 && strlen(text) == whole + more && whole + more <= CALLBACK_VALUE_MAX;
    return good ? text : "";
}

static const char *currency(const json_t *object, struct arena *arena)
{
    const char *text = payload_text(object, "cart_currency", 4, arena);
    return strlen(text) == 3 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3 ? text : "";
}

// An id that may be missing or unusable; a claim that cannot be true is none.
static const char *identity(const json_t *object, const char *key, struct arena *arena)
{
    const char *id;
    return payload_id(object, key, ID_MAX, arena, &id) == PAYLOAD_FOUND ? id : "";
}

static void add_part(struct event *event, struct arena *arena, const char *label, const char *text, const char *unit)
{
    size_t size = strlen(label) + strlen(text) + strlen(unit) + 4;
    char *words = arena_alloc(arena, size);
    if (!*text)
        return;
    snprintf(words, size, "%s: %s%s%s", label, text, *unit ? " " : "", unit);
    event->parts.items[event->parts.count++] = (struct part){.kind = PART_TEXT, .text = words, .url = "", .label = ""};
}

static struct normalised bad(enum answer answer)
{
    return (struct normalised){.result = NORMALISE_BAD, .answer = answer};
}

static struct normalised read_object(const json_t *root, const struct normalise_options *options, struct arena *arena)
{
    const char *id = payload_text(root, "id", ID_BYTES + 1, arena);
    const char *number = payload_text(root, "phone", NUMBER_BYTES, arena);
    char phone[PHONE_BYTES];
    if (!usable_id(id))
        return bad(ANSWER_BAD_REQUEST_ID);
    // What was cut may have been anything.
    if (strlen(number) == NUMBER_BYTES || !phone_e164(number, options->phone_plan, phone))
        return bad(ANSWER_BAD_PHONE);
    size_t size = sizeof KEY_PREFIX + strlen(id);
    char *key = arena_alloc(arena, size);
    snprintf(key, size, KEY_PREFIX "%s", id);
    struct normalised out = {
        .result = NORMALISE_EVENT,
        .answer = ANSWER_ACCEPTED,
        .event = {.kind = EVENT_CALLBACK,
                  .key = key,
                  .conversation = key,
                  .conversation_twin = "",
                  .channel = "",
                  .user = identity(root, "user", arena),
                  .actor = "",
                  .message = "",
                  .time_ms = (uint64_t)options->now_ms,
                  .reason = "",
                  .phone = arena_copy(arena, phone, strlen(phone)),
                  .name = line(root, "name", CALLBACK_NAME_MAX, options, arena),
                  .parts.items = arena_alloc(arena, 2 * sizeof(struct part))},
    };
    const char *worth = value(root, arena);
    add_part(&out.event, arena, "Cart, as the browser says", worth, *worth ? currency(root, arena) : "");
    add_part(&out.event, arena, "Screen", line(root, "screen", CALLBACK_SCREEN_MAX, options, arena), "");
    return out;
}

struct normalised normalise_callback(const void *body, size_t size, const struct normalise_options *options,
                                     struct arena *arena)
{
    json_t *root = payload_parse(body, size);
    if (!root)
        return bad(ANSWER_BAD_JSON);
    struct normalised out = json_is_object(root) ? read_object(root, options, arena) : bad(ANSWER_BAD_EVENT);
    json_decref(root);
    return out;
}
