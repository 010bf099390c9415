// SPDX-License-Identifier: Apache-2.0
// See normalise_freshcaller.c.
#ifndef HTTP_FRONT_INTAKE_NORMALISE_FRESHCALLER_H
#define HTTP_FRONT_INTAKE_NORMALISE_FRESHCALLER_H
#include "http-front/intake/normalise.h"

/**
 * One call object as Freshcaller's list gives it (freshworks-api 6.2), bare or inside {"call": ...}, as EVENT_CALL with
 * the key "freshcaller:call:ID:UPDATED_MS" in the lane "call:ROOT_ID". Of the options phone_plan and now_ms count. A
 * call that rings or is talked is CALL_ONGOING; one that nobody ended although nothing was heard of it for long enough
 * is over, under a key of its own.
 */
struct normalised normalise_freshcaller(const void *body, size_t size, const struct normalise_options *options,
                                        struct arena *arena);
#endif
