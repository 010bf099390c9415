// SPDX-License-Identifier: Apache-2.0
// Fuzzes the configuration: any bytes as deskbell.conf. What is refused is refused with a place and a sentence; what is
// taken keeps to the limits that the table gives.
#include <stdlib.h>
#include <string.h>

#include "proto/config.h"
#include "proto/config_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    struct config_error error;
    char words[1200];
    memset(&error, 0, sizeof error);
    if (!config_parse((const char *)data, size, "fuzz.conf", &config, &error)) {
        must(!config && *error.message && error.line >= 0);
        must(strlen(config_error_text(&error, words, sizeof words)) > strlen(error.message));
        return 0;
    }
    must(config && !*error.message);
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (key->type != CONFIG_INT || strcmp(key->section, "priority") == 0)
            continue;
        long long value = *(const int64_t *)(const void *)((const char *)config + key->offset);
        must((double)value >= key->min && (double)value <= key->max);
    }
    config_free(&config);
    must(!config);
    return 0;
}
