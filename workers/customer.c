// SPDX-License-Identifier: Apache-2.0
// Reads Freshchat's user object; see customer.h.
#include "workers/customer.h"

#include <string.h>

#include "workers/fields.h"
#include "workers/rules.h"
#include "workers/text.h"

enum { NAME_MAX_BYTES = 512, EMAIL_MAX_BYTES = 512, PHONE_MAX_BYTES = 128, SHOWN_MAX_BYTES = 255 };

// The property's value on one line; also under the name that custom contact fields have. "" when missing or empty.
static const char *property(struct arena *arena, const json_t *user, const char *name)
{
    const json_t *properties = json_object_get(user, "properties");
    const char *long_name = arena_printf(arena, "cf_%s", name);
    const json_t *value = json_object_get(properties, name);
    if (!value)
        value = json_object_get(properties, long_name);
    size_t index;
    json_t *item;
    json_array_foreach((json_t *)properties, index, item)
    {
        const char *said = fields_raw(item, "name");
        if (strcmp(said, name) == 0 || (!value && strcmp(said, long_name) == 0))
            value = json_object_get(item, "value");
    }
    return text_line(arena, fields_scalar(arena, value), SHOWN_MAX_BYTES);
}

static void read_cart(struct arena *arena, const json_t *user, struct context *context)
{
    context->cart = property(arena, user, "cart_value");
    const char *currency = property(arena, user, "currency");
    bool bare = *context->cart && strspn(context->cart, "0123456789.,' ") == strlen(context->cart);
    if (bare && *currency && strlen(currency) <= 8)
        context->cart = text_line(arena, arena_printf(arena, "%s %s", context->cart, currency), SHOWN_MAX_BYTES);
    context->cart_valid = rules_money(context->cart, &context->cart_cents);
}

static void read_friction(struct arena *arena, const json_t *user, struct context *context)
{
    bool clamped = false;
    context->friction = property(arena, user, "friction_score");
    context->friction_valid = rules_friction(context->friction, &context->friction_value, &clamped);
    if (context->friction_valid && clamped)
        context->friction = arena_printf(arena, "%u", (unsigned)context->friction_value);
}

struct context customer_unknown(void)
{
    return (struct context){.name = "", .email = "", .phone = "", .cart = "", .friction = "", .screen = ""};
}

struct context customer_read(struct arena *arena, const json_t *user)
{
    struct context context = customer_unknown();
    context.read = true;
    const char *first = fields_line(arena, user, "first_name", NAME_MAX_BYTES);
    const char *last = fields_line(arena, user, "last_name", NAME_MAX_BYTES);
    context.name = text_line(arena, arena_printf(arena, "%s %s", first, last), NAME_MAX_BYTES);
    context.email = fields_line(arena, user, "email", EMAIL_MAX_BYTES);
    context.phone = fields_line(arena, user, "phone", PHONE_MAX_BYTES);
    read_cart(arena, user, &context);
    read_friction(arena, user, &context);
    context.screen = property(arena, user, "screen");
    return context;
}

static const char *newer(const char *known, const char *now)
{
    return *now ? now : known;
}

struct context customer_merge(const struct context *known, const struct context *now)
{
    struct context merged = *known;
    merged.read = known->read || now->read;
    merged.name = newer(known->name, now->name);
    merged.email = newer(known->email, now->email);
    merged.phone = newer(known->phone, now->phone);
    merged.screen = newer(known->screen, now->screen);
    if (*now->cart) {
        merged.cart = now->cart;
        merged.cart_valid = now->cart_valid;
        merged.cart_cents = now->cart_cents;
    }
    if (*now->friction) {
        merged.friction = now->friction;
        merged.friction_valid = now->friction_valid;
        merged.friction_value = now->friction_value;
    }
    return merged;
}

bool customer_differs(const struct context *a, const struct context *b)
{
    return strcmp(a->cart, b->cart) != 0 || strcmp(a->friction, b->friction) != 0 || strcmp(a->screen, b->screen) != 0;
}

bool customer_complete(const struct context *context)
{
    return context->read && *context->cart && *context->friction && *context->screen;
}

bool customer_is_email(const char *text)
{
    const char *at = strchr(text, '@');
    if (!at || at == text || strchr(at + 1, '@') || strlen(text) > 254 || at - text > 64)
        return false;
    const char *dot = strrchr(at, '.');
    return dot && dot > at + 1 && dot[1] && !strpbrk(text, " ,;:<>()[]\\\"");
}

bool customer_is_phone(const char *text)
{
    size_t digits = 0;
    for (const char *at = text; *at; at++)
        digits += *at >= '0' && *at <= '9';
    return digits >= 5 && digits <= 20 && strspn(text, "+0123456789 ()-./") == strlen(text);
}
