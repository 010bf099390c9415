// SPDX-License-Identifier: Apache-2.0
// The customer in words; see words.h.
#include "workers/words.h"

#include <stdbool.h>
#include <string.h>

#include "workers/customer.h"
#include "workers/text.h"

// The page sends ten lines and "and 3 more".
enum {
    MOST_LINES = 11,
    SHOWN_BYTES = 255,
    NOTE_ITEMS_POINTS = 400,
    SUBJECT_CART = 40,
    SUBJECT_NAME = 80,
    SUBJECT_BYTES = 1024,
    NAME_BYTES = 512,
};

static const char between[] = "; ";

static const char *remark(const struct context *context)
{
    return context->proof == PROOF_UNSIGNED  ? "not signed by the shop"
           : context->proof == PROOF_EXPIRED ? "the shop's signature is out of date"
                                             : "";
}

// What can stand between quotation marks and does not end them.
static const char *inner(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_copy(arena, text, length);
    for (char *at = strchr(copy, '"'); at; at = strchr(at, '"'))
        *at = '\'';
    return copy;
}

static const char *said(struct arena *arena, const char *text)
{
    return arena_printf(arena, "\"%s\", as the browser says", inner(arena, text, strlen(text)));
}

const char *words_cart(struct arena *arena, const struct context *context, size_t points)
{
    const char *cart = text_line(arena, context->cart, SHOWN_BYTES);
    cart = text_shortened(arena, cart, points);
    return !*cart || context->cart_valid || context->proof == PROOF_SIGNED ? cart : said(arena, cart);
}

// The whole of it.
static const char *whole_cart(struct arena *arena, const struct context *context)
{
    return words_cart(arena, context, SHOWN_BYTES);
}

const char *words_friction(struct arena *arena, const struct context *context)
{
    if (!context->friction_valid)
        return *context->friction ? said(arena, context->friction) : "";
    return arena_printf(arena, "%u, %s%s%s", (unsigned)context->friction_value,
                        customer_level_word(context->friction_value), *context->reasons ? ": " : "", context->reasons);
}

static const char *cart_words(struct arena *arena, const struct context *context)
{
    const char *more = remark(context);
    const char *cart = whole_cart(arena, context);
    return *cart && *more ? arena_printf(arena, "%s (%s)", cart, more) : cart;
}

static const char *short_name(struct arena *arena, const struct context *context)
{
    return text_shortened(arena, text_line(arena, context->name, NAME_BYTES), SUBJECT_NAME);
}

const char *words_subject(struct arena *arena, const struct context *context, const char *words, uint64_t *words_at)
{
    const char *cart = words_cart(arena, context, SUBJECT_CART);
    const char *name = short_name(arena, context);
    const char *before = arena_printf(arena, "%s%s%s%s", cart, *cart ? " · " : "", name, *name ? ": " : "");
    *words_at = strlen(before);
    return text_line(arena, arena_printf(arena, "%s%s", before, words), SUBJECT_BYTES);
}

static void add_line(struct text_buf *out, const char *label, const char *value)
{
    if (!*value)
        return;
    text_buf_add(out, "<br>");
    text_add_html(out, label);
    text_buf_add(out, ": ");
    text_add_html(out, value);
}

void words_add_customer(struct text_buf *out, const struct context *context)
{
    add_line(out, "Name", context->name);
    add_line(out, "E-mail", context->email);
    add_line(out, "Phone", context->phone);
    add_line(out, "Cart value", cart_words(out->arena, context));
    add_line(out, "Friction", words_friction(out->arena, context));
    add_line(out, "Screen", context->screen);
}

void words_add_cart(struct text_buf *out, const struct context *context)
{
    const char *at = context->items;
    if (*at)
        text_buf_add(out, "<div>In the cart, as the browser says:</div><ul>");
    for (size_t i = 0; *at && i < MOST_LINES; i++) {
        const char *end = i + 1 < MOST_LINES ? strstr(at, between) : NULL;
        size_t length = end ? (size_t)(end - at) : strlen(at);
        text_buf_add(out, "<li>");
        text_add_html(out, arena_copy(out->arena, at, length));
        text_buf_add(out, "</li>");
        at += end ? length + sizeof between - 1 : length;
    }
    if (*context->items)
        text_buf_add(out, "</ul>");
    if (!text_is_link(context->cart_url))
        return;
    text_buf_add(out, "<div>Cart page, as the browser says: <a href=\"");
    text_add_html(out, context->cart_url);
    text_buf_add(out, "\" rel=\"nofollow noopener noreferrer\">");
    text_add_html(out, context->cart_url);
    text_buf_add(out, "</a></div>");
}

// ---- what changed ---------------------------------------------------------------------------------------------------

// "Ada Byron, ada@example.com, +44 20 7946 0958": what has not the shape of an address or number is the browser's
// words.
static const char *person(struct arena *arena, const struct context *context)
{
    const char *email = text_line(arena, context->email, SHOWN_BYTES);
    const char *phone = text_line(arena, context->phone, SHOWN_BYTES);
    const char *name = short_name(arena, context);
    if (*email && !customer_is_email(email))
        email = said(arena, email);
    if (*phone && !customer_is_phone(phone))
        phone = said(arena, phone);
    return arena_printf(arena, "%s%s%s%s%s", name, *name && *email ? ", " : "", email,
                        (*name || *email) && *phone ? ", " : "", phone);
}

static const char *person_sentence(struct arena *arena, const struct context *known, const struct context *now)
{
    if (!customer_is_other(known, now))
        return "";
    const char *before = person(arena, known);
    return *before ? arena_printf(arena, "The customer is now %s (was %s).", person(arena, now), before)
                   : arena_printf(arena, "The customer is %s.", person(arena, now));
}

static const char *cart_sentence(struct arena *arena, const struct context *known, const struct context *now)
{
    if (!*now->cart)
        return "";
    const char *state = remark(now);
    if (!*state && customer_is_unsigned(known))
        state = now->proof == PROOF_SIGNED ? "signed by the shop" : "";
    const char *comma = *state ? ", " : "";
    if (!*known->cart)
        return arena_printf(arena, "The cart is %s%s%s.", whole_cart(arena, now), comma, state);
    if (customer_cart_changed(known, now))
        return arena_printf(arena, "The cart is now %s (was %s)%s%s.", whole_cart(arena, now), whole_cart(arena, known),
                            comma, state);
    return customer_is_unsigned(known) == customer_is_unsigned(now)
               ? ""
               : arena_printf(arena, "The cart, %s, is now %s.", whole_cart(arena, now),
                              *state ? state : "not asked to be signed");
}

static const char *items_sentence(struct arena *arena, const struct context *known, const struct context *now)
{
    if (!*now->items || strcmp(known->items, now->items) == 0)
        return "";
    size_t length = text_cut(now->items, NOTE_ITEMS_POINTS);
    const char *items = inner(arena, now->items, length);
    return arena_printf(arena, "In it, as the browser says: \"%s%s\".", items, now->items[length] ? " ..." : "");
}

static bool level_rises(const struct context *known, const struct context *now)
{
    unsigned before = known->friction_valid ? customer_level(known->friction_value) : 0;
    return now->friction_valid && customer_level(now->friction_value) > before;
}

static const char *friction_sentence(struct arena *arena, const struct context *known, const struct context *now)
{
    bool same = known->friction_valid && now->friction_valid &&
                customer_level(known->friction_value) == customer_level(now->friction_value);
    if (!now->friction_valid || same || (!known->friction_valid && customer_level(now->friction_value) == 0))
        return "";
    const char *words = words_friction(arena, now);
    if (!known->friction_valid)
        return arena_printf(arena, "Friction is %s.", words);
    return arena_printf(arena, "Friction is now %s (was %u, %s).", words, (unsigned)known->friction_value,
                        customer_level_word(known->friction_value));
}

static void add_sentence(struct text_buf *out, const char *sentence)
{
    if (!*sentence)
        return;
    text_buf_add(out, " ");
    text_add_html(out, sentence);
}

const char *words_change(struct arena *arena, const struct context *known, const struct context *now, const char *said)
{
    const char *cart = customer_cart_changed(known, now) || *said ? cart_sentence(arena, known, now) : "";
    const char *items = items_sentence(arena, known, now);
    const char *who = person_sentence(arena, known, now);
    if (!*cart && !*known->items)
        items = ""; // nothing says that they are others
    if (!*who && !*cart && !*items && !*said && !level_rises(known, now))
        return "";
    if (*items && !*cart) // what "it" is
        cart = arena_printf(arena, "The cart has changed%s.", *now->cart ? ", its value has not" : "");
    struct text_buf out = text_buf_new(arena);
    text_buf_add(&out, "<div><b>Deskbell:</b>");
    add_sentence(&out, who);
    add_sentence(&out, cart);
    add_sentence(&out, items);
    add_sentence(&out, friction_sentence(arena, known, now));
    add_sentence(&out, said);
    text_buf_add(&out, "</div>");
    return out.data;
}
