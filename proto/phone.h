// SPDX-License-Identifier: Apache-2.0
// Telephone numbers as one text each, so that a caller and a customer in the chat can be told to be the same. Strict
// and small on purpose: what is not plainly a whole number is no number, for a wrong one would put somebody's call on
// somebody else's ticket. libphonenumber would know every country's plan, but it is C++ with protobuf, boost and ICU
// behind it (some 30 MB), for a rule that Freshcaller's own numbers, which are E.164 already, do not need.
#ifndef PROTO_PHONE_H
#define PROTO_PHONE_H
#include <stdbool.h>
#include <stddef.h>

// "+", at most fifteen digits (E.164) and the NUL.
enum { PHONE_BYTES = 17 };

// How national numbers are written.
struct phone_plan {
    const char *country_code; // "44"; "" or NULL: not set, none is taken
    const char *trunk_prefix; // what stands before one inside the country, and is left out from abroad; NULL: "0".
                              // "": nothing (Spain, Poland, Denmark). Countries 1, 39 and 378 have their own rule
};

/**
 * `text` in E.164, "+442079460000", in `out`; "" and false when it is no whole number. Taken are "+" or "00" before a
 * country's code, and national numbers of `plan`; where nothing stands before those, any number that could be one; in
 * country 1 ten digits, alone or behind a 1; in Italy (39) and San Marino (378) any, with the 0 that it begins with.
 * Spaces and the signs -./() between digits do not count, nor does a
 * "(0)" after the country's code. Anything else ("anonymous", a number without its beginning, an extension) is none.
 */
bool phone_e164(const char *text, struct phone_plan plan, char out[PHONE_BYTES]);
#endif
