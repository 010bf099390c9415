// SPDX-License-Identifier: Apache-2.0
// A shopper's request to be called back, as widget.js's form or a page of the shop sends it. Nobody has signed it: what
// is not exactly what such a form sends is refused, and what it says of the shopper is a claim. Pure; any thread.
#ifndef HTTP_FRONT_INTAKE_NORMALISE_CALLBACK_H
#define HTTP_FRONT_INTAKE_NORMALISE_CALLBACK_H
#include "http-front/intake/normalise.h"

// Longest text of its kind.
#define CALLBACK_NAME_MAX   320 // 80 characters
#define CALLBACK_SCREEN_MAX 100
#define CALLBACK_VALUE_MAX  15

/**
 * Body to EVENT_CALLBACK: `id` (8 to 64 letters, digits, - or _), `phone`, and if they are there `name`, `user`
 * (Freshchat's id of the user), `screen`, `cart_value` ("349.90"), `cart_currency` ("EUR"); other members are not read.
 * The event's conversation and key are "callback:ID", `phone` is E.164, and `parts` are lines for people: "Cart, as the
 * browser says: 349.90 EUR", "Screen: checkout". Everything is in the arena. Of the options, phone_plan, now_ms and
 * mask_card_numbers count.
 */
struct normalised normalise_callback(const void *body, size_t size, const struct normalise_options *options,
                                     struct arena *arena);
#endif
