// SPDX-License-Identifier: Apache-2.0
// Settings that an operator changes while Deskbell runs and that must outlive it: named numbers in the ledger's meta
// table.
#ifndef HTTP_FRONT_LEDGER_LEDGER_SETTINGS_H
#define HTTP_FRONT_LEDGER_LEDGER_SETTINGS_H
#include <stdint.h>

#include "http-front/ledger/ledger.h"

enum { LEDGER_SETTING_NAME_BYTES = 64 };

/** Puts a setting into the batch, or with 0 takes it away. `name`: at most LEDGER_SETTING_NAME_BYTES bytes. */
void ledger_put_setting(struct ledger_batch *self, const char *name, uint64_t value);

/** Reads a setting; *value is 0 when there is none. Any thread. */
enum ledger_result ledger_setting(struct ledger *self, const char *name, uint64_t *value);
#endif
