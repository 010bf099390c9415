// SPDX-License-Identifier: Apache-2.0
// Faults and budgets: what goes wrong on purpose. Called with the store locked.
#pragma once
#include "store.h"

// Finds the fault for a request to this endpoint and uses one of its hits up. False: none.
bool sb_faults_take(struct sandbox *sb, int endpoint, enum sb_product product, struct sandbox_fault *fault);
// The same for a webhook that is about to be queued.
bool sb_faults_take_webhook(struct sandbox *sb, bool hint, struct sandbox_webhook_fault *fault);
// Uses credits of a budget. Returns 0 when there was enough, else the seconds until there is again.
int sb_faults_spend(struct sandbox *sb, enum sandbox_limit limit, int credits);
// What is left of a budget in this window.
int sb_faults_left(const struct sandbox *sb, enum sandbox_limit limit);
