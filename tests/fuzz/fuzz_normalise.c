// SPDX-License-Identifier: Apache-2.0
// Fuzzes all normalisers with any bytes as a body. Whatever is taken for an event must fit its record, for otherwise
// it could not be stored, and must be the same when it is read again.
#include <stdlib.h>
#include <string.h>

#include "http-front/intake/normalise_callback.h"
#include "http-front/intake/normalise_freshchat.h"
#include "http-front/intake/normalise_freshdesk.h"
#include "http-front/intake/normalise_freshcaller.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth)
        abort();
}

typedef struct normalised normaliser(const void *, size_t, const struct normalise_options *, struct arena *);

static void try_one(normaliser *normalise, const uint8_t *data, size_t size, const struct normalise_options *options)
{
    struct arena *arena = arena_new(), *other = arena_new();
    struct normalised one = normalise(data, size, options, arena), two = normalise(data, size, options, other);
    must(one.result == two.result && one.answer == two.answer);
    if (one.result == NORMALISE_EVENT) {
        struct record_buffer first, second;
        must(one.answer == ANSWER_ACCEPTED);
        must(record_encode(RECORD_event, &one.event, &first) && record_encode(RECORD_event, &two.event, &second));
        must(first.size == second.size && !memcmp(first.data, second.data, first.size));
        record_buffer_free(&first);
        record_buffer_free(&second);
        must(one.event.kind == EVENT_HINT ? one.event.ticket_id > 0 : *one.event.conversation && *one.event.key);
    } else {
        must(answer_status(one.answer) == (one.result == NORMALISE_BAD ? 400 : 200));
    }
    arena_free(&arena);
    arena_free(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const channels[] = {"ch1"};
    struct normalise_options open = {.now_ms = 1741083631000, .phone_plan.country_code = "44"};
    struct normalise_options strict = {
        .now_ms = 1741083631000, .replay_window_ms = 86400000, .channels = channels, .channel_count = 1};
    struct normalise_options masked = {.now_ms = 1741083631000, .mask_card_numbers = true};
    try_one(normalise_freshchat, data, size, &open);
    try_one(normalise_freshchat, data, size, &strict);
    try_one(normalise_freshdesk, data, size, &open);
    try_one(normalise_freshcaller, data, size, &open);
    try_one(normalise_callback, data, size, &open);
    try_one(normalise_callback, data, size, &masked);
    return 0;
}
