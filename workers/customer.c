// SPDX-License-Identifier: Apache-2.0
// Reads Freshchat's user object; see customer.h.
#include "workers/customer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "workers/fields.h"
#include "workers/flow.h"
#include "workers/proof.h"
#include "workers/reasons.h"
#include "workers/rules.h"
#include "workers/text.h"

// Within the bounds of their record, records_table.h.
enum {
    NAME_MAX_BYTES = 512,
    EMAIL_MAX_BYTES = 512,
    PHONE_MAX_BYTES = 128,
    SHOWN_MAX_BYTES = 255,
    URL_MAX_BYTES = 2048,
    ITEMS_MAX_BYTES = 3072,
    REASONS_MAX_BYTES = 1024,
};

// The property's value, exactly as it was said; also under the name that custom contact fields have. "" when missing.
static const char *property_raw(struct arena *arena, const json_t *user, const char *name)
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
    return fields_scalar(arena, value);
}

// The same on one line, for people.
static const char *property(struct arena *arena, const json_t *user, const char *name, size_t max_bytes)
{
    return text_line(arena, property_raw(arena, user, name), max_bytes);
}

// A currency's code in capitals; "" for anything else. Where the shop signs carts, only the property that it signs.
static const char *currency_of(struct arena *arena, const json_t *user, bool proved)
{
    const char *said = property(arena, user, "cart_currency", SHOWN_MAX_BYTES);
    if (!*said && !proved)
        said = property(arena, user, "currency", SHOWN_MAX_BYTES);
    if (strlen(said) != 3)
        return "";
    char *code = arena_copy(arena, said, 3);
    for (char *at = code; *at; at++) {
        if (!isalpha((unsigned char)*at))
            return "";
        *at = (char)toupper((unsigned char)*at);
    }
    return code;
}

static void read_cart(struct arena *arena, const json_t *user, bool proved, struct context *context)
{
    context->cart = property(arena, user, "cart_value", SHOWN_MAX_BYTES);
    bool bare = *context->cart && strspn(context->cart, "0123456789.,' ") == strlen(context->cart);
    context->currency = bare ? currency_of(arena, user, proved) : "";
    if (*context->currency)
        context->cart =
            text_line(arena, arena_printf(arena, "%s %s", context->cart, context->currency), SHOWN_MAX_BYTES);
    context->cart_valid = rules_money(context->cart, &context->cart_cents);
    context->items = property(arena, user, "cart_items", ITEMS_MAX_BYTES);
    const char *url = property_raw(arena, user, "cart_url");
    bool fits = strlen(url) <= URL_MAX_BYTES && text_is_link(url); // half an address would lead elsewhere
    context->cart_url = fits ? arena_copy(arena, url, strlen(url)) : "";
}

static void read_friction(struct arena *arena, const json_t *user, struct context *context)
{
    bool clamped = false;
    context->friction = property(arena, user, "friction_score", SHOWN_MAX_BYTES);
    context->friction_valid = rules_friction(context->friction, &context->friction_value, &clamped);
    if (context->friction_valid && clamped)
        context->friction = arena_printf(arena, "%u", (unsigned)context->friction_value);
    if (context->friction_valid)
        context->reasons =
            reasons_of(arena, property(arena, user, "friction_reasons", REASONS_MAX_BYTES), context->friction_value);
}

struct context customer_unknown(void)
{
    return (struct context){.name = "",
                            .email = "",
                            .phone = "",
                            .cart = "",
                            .friction = "",
                            .screen = "",
                            .currency = "",
                            .cart_url = "",
                            .items = "",
                            .reasons = "",
                            .rules = "",
                            .subject = ""};
}

static struct context read_user(struct arena *arena, const json_t *user, bool proved)
{
    struct context context = customer_unknown();
    context.read = true;
    const char *first = fields_line(arena, user, "first_name", NAME_MAX_BYTES);
    const char *last = fields_line(arena, user, "last_name", NAME_MAX_BYTES);
    context.name = text_line(arena, arena_printf(arena, "%s %s", first, last), NAME_MAX_BYTES);
    context.email = fields_line(arena, user, "email", EMAIL_MAX_BYTES);
    context.phone = fields_line(arena, user, "phone", PHONE_MAX_BYTES);
    read_cart(arena, user, proved, &context);
    read_friction(arena, user, &context);
    context.screen = property(arena, user, "screen", SHOWN_MAX_BYTES);
    return context;
}

struct context customer_read(struct arena *arena, const json_t *user)
{
    return read_user(arena, user, false);
}

// By the upstream's clock, however far from it ours is; by ours where the answer has no time.
static uint64_t time_of(const struct response *response)
{
    return response->date_ms ? response->date_ms : (uint64_t)clock_wall_ms();
}

struct context customer_answered(const struct job_context *context, const struct response *response)
{
    struct arena *arena = context->arena;
    const json_t *user = response->json;
    struct context now = read_user(arena, user, context->proof_key != NULL);
    if (!context->proof_key || !*now.cart)
        return now;
    static const enum proof proofs[] = {
        [PROOF_GOOD] = PROOF_SIGNED, [PROOF_OVER] = PROOF_EXPIRED, [PROOF_WRONG] = PROOF_UNSIGNED};
    now.proof = proofs[proof_judge(context->proof_key, arena, property_raw(arena, user, "cart_proof"),
                                   property_raw(arena, user, "cart_value"), property_raw(arena, user, "cart_currency"),
                                   property_raw(arena, user, "cart_url"), time_of(response))];
    return now;
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
        bool proved = known->proof == PROOF_SIGNED && now->proof == PROOF_EXPIRED &&
                      strcmp(known->cart, now->cart) == 0 && strcmp(known->cart_url, now->cart_url) == 0;
        merged.cart = now->cart;
        merged.cart_valid = now->cart_valid;
        merged.cart_cents = now->cart_cents;
        merged.currency = now->currency;
        merged.cart_url = now->cart_url;
        merged.items = now->items;
        merged.proof = proved ? PROOF_SIGNED : now->proof;
    }
    if (*now->friction) {
        merged.friction = now->friction;
        merged.friction_valid = now->friction_valid;
        merged.friction_value = now->friction_value;
        merged.reasons = now->reasons;
    }
    return merged;
}

bool customer_cart_changed(const struct context *known, const struct context *now)
{
    if (!known->cart_valid || !now->cart_valid)
        return strcmp(known->cart, now->cart) != 0;
    return known->cart_cents != now->cart_cents ||
           (*known->currency && *now->currency && strcmp(known->currency, now->currency) != 0);
}

static bool friction_changed(const struct context *known, const struct context *now)
{
    if (!known->friction_valid || !now->friction_valid)
        return strcmp(known->friction, now->friction) != 0;
    uint64_t a = known->friction_value;
    uint64_t b = now->friction_value;
    return (a > b ? a - b : b - a) >= CUSTOMER_FRICTION_STEP || customer_level(a) != customer_level(b);
}

bool customer_is_other(const struct context *known, const struct context *now)
{
    return strcmp(known->name, now->name) != 0 || strcmp(known->email, now->email) != 0 ||
           strcmp(known->phone, now->phone) != 0;
}

bool customer_changed(const struct context *known, const struct context *now)
{
    return customer_is_other(known, now) || customer_cart_changed(known, now) ||
           strcmp(known->items, now->items) != 0 || customer_is_unsigned(known) != customer_is_unsigned(now) ||
           friction_changed(known, now) || strcmp(known->screen, now->screen) != 0;
}

bool customer_complete(const struct context *context)
{
    bool named = *context->name && (*context->email || *context->phone);
    return context->read && named && *context->cart && *context->friction && *context->screen;
}

bool customer_is_unsigned(const struct context *context)
{
    return context->proof == PROOF_UNSIGNED || context->proof == PROOF_EXPIRED;
}

uint64_t customer_worth(const struct context *context)
{
    return context->cart_valid && !customer_is_unsigned(context) ? context->cart_cents : 0;
}

unsigned customer_level(uint64_t friction)
{
    return friction < 30 ? 0 : friction < 60 ? 1 : 2;
}

const char *customer_level_word(uint64_t friction)
{
    static const char *const words[] = {"low", "medium", "high"};
    return words[customer_level(friction)];
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
