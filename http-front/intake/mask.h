// SPDX-License-Identifier: Apache-2.0
// Payment card numbers in what people write: found and made unreadable before anything is stored. Pure functions, any
// thread, time linear in the text.
#ifndef HTTP_FRONT_INTAKE_MASK_H
#define HTTP_FRONT_INTAKE_MASK_H
#include <stddef.h>

// In a URL, "%20" and "+" separate too, and digits beside a letter are part of an identifier, not a card number.
enum mask_kind { MASK_TEXT, MASK_URL };

/**
 * Writes the `size` bytes of `text` to `out` with every card number reduced to its first six and last four digits, the
 * digits between as '*'; separators stay, so the length stays. `out` may be `text` itself, or NULL to count only.
 * Returns how many numbers were masked. What counts as a card number: see mask.c and docs/security.md.
 */
size_t mask_cards(const char *text, size_t size, enum mask_kind kind, char *out);

#endif
