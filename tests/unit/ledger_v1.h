// SPDX-License-Identifier: Apache-2.0
// What tests/data/ledger-v1 holds: every kind of record, with a value in every field that the first format had. Used by
// the tool that wrote it (ledger_v1_make.c, with the sources of that time) and by the test that reads it, so only
// fields of the first format are named here, and numbers stand where an enum could change.
#ifndef TESTS_UNIT_LEDGER_V1_H
#define TESTS_UNIT_LEDGER_V1_H
#include <stdint.h>
#include <stdlib.h>

#include "http-front/ledger/ledger.h"

#define V1_NOW_MS UINT64_C(1763800000000)
#define V1_SEQ    ((UINT64_C(2) << 40) + 17)

static struct part v1_parts[] = {
    {.kind = 1, .text = "Grüße & <b>ok</b> 🙂", .url = "https://shop.example/a?b=c", .label = "first"},
    {.kind = 2, .url = "https://files.example/image.png", .label = "image.png"},
};

static struct written v1_delivered[] = {{"note-1", 1763799000001}, {"note-2", 1763799000002}};
static struct written v1_desk_written[] = {{"9001", 1763799000003}};
static struct written v1_chat_written[] = {{"b1c2", 1763799000004}, {"d3e4", 1763799000005}, {"f5", 1763799000006}};
static const uint64_t v1_members[] = {V1_SEQ + 1, V1_SEQ + 2};
static struct entry v1_entries[] = {{"77", 1763799000007, 31, "answer", true, false},
                                    {"78", 1763799000008, 32, "more", false, false}};

static const struct context v1_context = {.read = true,
                                          .name = "Ada Müller",
                                          .email = "ada@example.org",
                                          .phone = "+49 30 1234",
                                          .cart = "1.234,50",
                                          .cart_valid = true,
                                          .cart_cents = 123450,
                                          .friction = "61",
                                          .friction_valid = true,
                                          .friction_value = 61,
                                          .screen = "checkout",
                                          .priority = 3};

static inline struct event v1_event(void)
{
    return (struct event){.kind = 1,
                          .key = "freshchat:message:v1",
                          .conversation = "conversation-v1",
                          .conversation_twin = "4711",
                          .channel = "channel",
                          .user = "user",
                          .actor = "actor",
                          .message = "message",
                          .ticket_id = 41,
                          .time_ms = V1_NOW_MS - 5000,
                          .accepted_ms = V1_NOW_MS - 4000,
                          .parts = {v1_parts, 2},
                          .round = 3,
                          .reason = "reason"};
}

static inline struct found v1_found(void)
{
    return (struct found){.context = v1_context,
                          .entries = {v1_entries, 2},
                          .part = 4,
                          .page = 5,
                          .mark_ms = 1763799000009,
                          .agent_email = "agent@example.org",
                          .agent_name = "Grace",
                          .chat_agent = "agent-7",
                          .desk_agent = 808,
                          .agent_known = true,
                          .omit = 9,
                          .clock_ahead_ms = UINT64_MAX - 12,
                          .clock_known = true,
                          .closed_ticket = "40"};
}

// `found` holds v1_found as it was encoded.
static inline struct pending v1_pending(struct blob found)
{
    return (struct pending){.seq = V1_SEQ,
                            .event = v1_event(),
                            .step = 2,
                            .found = found,
                            .attempts = 6,
                            .not_before_ms = V1_NOW_MS + 60000,
                            .claimed = true,
                            .claimed_ms = V1_NOW_MS - 3000,
                            .job_id = V1_SEQ + 5,
                            .doubt = true,
                            .members = {v1_members, 2},
                            .deaths = 2,
                            .hint_count = 7};
}

static inline struct lane v1_lane(void)
{
    return (struct lane){.conversation = "conversation-v1",
                         .conversation_twin = "4711",
                         .channel = "channel",
                         .user = "user",
                         .ticket_id = 41,
                         .requester_id = 5150,
                         .context = v1_context,
                         .mark_ms = 1763799000010,
                         .delivered = {v1_delivered, 2},
                         .desk_written = {v1_desk_written, 1},
                         .chat_written = {v1_chat_written, 3},
                         .rebuilt_ms = 1763799000011,
                         .opened_ms = 1763799000012,
                         .updated_ms = V1_NOW_MS};
}

static inline struct history v1_history(uint64_t number)
{
    return (struct history){.conversation = "conversation-v1",
                            .time_ms = V1_NOW_MS - 2000 + number,
                            .what = "ticket opened",
                            .ticket_id = 41,
                            .id = "entry",
                            .took_ms = 123 + number};
}

static const struct hint v1_hint = {.count = 8, .time_ms = V1_NOW_MS - 1000};
static const struct ticket v1_ticket = {.conversation = "conversation-v1", .time_ms = V1_NOW_MS};
#endif
