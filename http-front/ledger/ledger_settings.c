// SPDX-License-Identifier: Apache-2.0
// Settings: rows "setting:NAME" of the meta table, each eight bytes, big-endian. Written through a batch like
// everything else; read by any thread.
#include "http-front/ledger/ledger_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http-front/ledger/ledger_engine.h"
#include "proto/log.h"

// Room for the prefix, a name and the NUL.
enum { KEY_BYTES = 8 + LEDGER_SETTING_NAME_BYTES + 1 };

static size_t key_of(char key[KEY_BYTES], const char *name)
{
    int length = snprintf(key, KEY_BYTES, "setting:%s", name);
    if (length < 0 || length >= KEY_BYTES)
        abort(); // names are constants of ours
    return (size_t)length;
}

void ledger_put_setting(struct ledger_batch *self, const char *name, uint64_t value)
{
    char key[KEY_BYTES];
    uint8_t bytes[LEDGER_NUMBER_BYTES];
    ledger_put_number(bytes, value);
    size_t size = key_of(key, name);
    ledger_batch_add(self, TABLE_META, key, size, value ? bytes : NULL, value ? sizeof bytes : 0);
}

enum ledger_result ledger_setting(struct ledger *self, const char *name, uint64_t *value)
{
    char key[KEY_BYTES];
    char *problem = NULL;
    size_t key_size = key_of(key, name);
    size_t size = 0;
    char *bytes = rocksdb_get_cf(self->db, self->reading, self->tables[TABLE_META], key, key_size, &size, &problem);
    enum ledger_result result = bytes ? LEDGER_OK : LEDGER_ABSENT;

    *value = 0;
    if (problem || (bytes && size != LEDGER_NUMBER_BYTES)) {
        log_error("ledger_unreadable", "setting=%s error=%s", name, problem ? problem : "wrong size");
        result = LEDGER_ERROR;
    } else if (bytes) {
        *value = ledger_get_number((const uint8_t *)bytes);
    }
    rocksdb_free(problem);
    rocksdb_free(bytes);
    return result;
}
