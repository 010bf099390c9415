// SPDX-License-Identifier: Apache-2.0
// Freshdesk's automation webhooks as hints. They are unsigned, late, repeated and cannot carry the reply itself
// (freshworks-api 5), so all that is taken from them is which ticket to look at. Pure; any thread.
#include "http-front/intake/normalise_freshdesk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/intake/payload.h"

// A positive integer as a number, or as text of digits (advanced templates give text only). 0 when it is neither.
static uint64_t ticket_of(const json_t *value)
{
    if (json_is_integer(value))
        return json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
    const char *text = json_string_value(value);
    if (!text || !*text || *text == '0' || strlen(text) != json_string_length(value) ||
        text[strspn(text, "0123456789")])
        return 0;
    errno = 0;
    intmax_t number = strtoimax(text, NULL, 10);
    return errno || number > INT64_MAX ? 0 : (uint64_t)number;
}

struct normalised normalise_freshdesk(const void *body, size_t size, const struct normalise_options *options,
                                      struct arena *arena)
{
    (void)arena;
    json_t *root = payload_parse(body, size);
    if (!root)
        return (struct normalised){.result = NORMALISE_BAD, .answer = ANSWER_BAD_JSON};
    const json_t *value = payload_get(root, "ticket_id");
    if (!value)
        value = payload_get(payload_get(root, "freshdesk_webhook"), "ticket_id");
    uint64_t ticket = ticket_of(value);
    bool object = json_is_object(root);
    json_decref(root);
    if (!ticket)
        return (struct normalised){.result = NORMALISE_BAD, .answer = object ? ANSWER_BAD_TICKET : ANSWER_BAD_EVENT};
    return (struct normalised){
        .result = NORMALISE_EVENT,
        .answer = ANSWER_ACCEPTED,
        .event = {.kind = EVENT_HINT,
                  .ticket_id = ticket,
                  .time_ms = (uint64_t)options->now_ms,
                  .key = "",
                  .conversation = "",
                  .conversation_twin = "",
                  .channel = "",
                  .user = "",
                  .actor = "",
                  .message = "",
                  .reason = ""},
    };
}
