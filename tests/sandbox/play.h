// SPDX-License-Identifier: Apache-2.0
// Plays a conversation by itself, as the demo and CI want it.
#pragma once
#include "sandbox.h"

// Waits until something answers HTTP at the address, at most this long. ready_ok: only 200 counts.
bool play_wait_for(const char *url, bool ready_ok, int64_t timeout_ms, const volatile bool *stop);
// Plays rounds conversations one after the other and prints times. Returns 0, or 1 when a step took over limit_ms or
// did not happen. calls: a single round also has the customer call; that Deskbell asks for once in a while, so it may
// take longer.
int play(struct sandbox *sb, int rounds, int64_t limit_ms, bool calls, const volatile bool *stop);
