// SPDX-License-Identifier: Apache-2.0
// What test_gates.c and test_gates_minute.c share: gates of given budgets, and answers.
#ifndef TESTS_UNIT_TEST_GATES_H
#define TESTS_UNIT_TEST_GATES_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http-front/dispatch/gates.h"

#define DESK UPSTREAM_FRESHDESK
#define CHAT UPSTREAM_FRESHCHAT

static inline struct gates *gates_with(int64_t chat_calls, int64_t desk_calls, double max_share)
{
    struct config config = {0};
    config.freshchat.calls_per_minute = chat_calls;
    config.freshdesk.calls_per_minute = desk_calls;
    config.freshdesk.max_share = max_share;
    return gates_new(&config);
}

static inline struct gate_status status_of(struct gates *gates, enum upstream upstream, uint64_t now_ms)
{
    struct gate_status status;
    gates_status(gates, upstream, now_ms, &status);
    return status;
}

static inline struct report answer(enum upstream upstream, uint64_t http_status)
{
    return (struct report){.upstream = upstream,
                           .http_status = http_status,
                           .sent = true,
                           .outcome = http_status == 200 ? OUTCOME_DONE : OUTCOME_RETRY};
}
#endif
