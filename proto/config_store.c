// SPDX-License-Identifier: Apache-2.0
// Moves what libConfuse read into struct config, key by key as the table says, and frees it again. A wrong pointer here
// would be a bug in the table, so there are no errors, only aborts. See config.c for who runs it and when.
#include "proto/config_table.h"

#include <assert.h>
#include <confuse.h>
#include <stdlib.h>
#include <string.h>

static char *copy_text(const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        abort();
    return copy;
}

// A copy without slashes at the end for what others are appended to.
static char *copy_string(const struct config_key *key, const char *value)
{
    char *copy = copy_text(value);
    size_t len = strlen(copy);

    while (
        (key->check == CONFIG_CHECK_DIR || key->check == CONFIG_CHECK_URL || key->check == CONFIG_CHECK_URL_OR_EMPTY) &&
        len > 1 && copy[len - 1] == '/')
        copy[--len] = '\0';
    return copy;
}

static enum config_level word_index(const struct config_key *key, const char *value)
{
    for (unsigned i = 0; key->words[i]; i++) {
        if (strcmp(key->words[i], value) == 0)
            return i + (unsigned)key->min;
    }
    abort(); // on_value let another word pass
}

// A list's default is ours to set: libConfuse would call on_value for the elements of its own.
static void store_list(const struct config_key *key, cfg_opt_t *opt, struct config_list *list)
{
    bool given = (opt->flags & CFGF_MODIFIED) != 0; // also by an empty list
    const char *standard = !given && key->standard[0] ? key->standard : NULL;

    list->count = standard ? 1 : cfg_opt_size(opt);
    list->items = calloc(list->count + 1, sizeof *list->items);
    if (!list->items)
        abort();
    for (unsigned i = 0; i < list->count; i++)
        list->items[i] = copy_text(standard ? standard : cfg_opt_getnstr(opt, i));
}

// Copies one key's value (given or default) from libConfuse to its place in the struct at base.
static void store_key(const struct config_key *key, cfg_t *cfg, void *base)
{
    void *place = (char *)base + key->offset;
    cfg_opt_t *opt = cfg_getopt(cfg, key->name);

    assert(opt);
    if (cfg_opt_size(opt) == 0 && key->type != CONFIG_LIST)
        return; // optional and not given
    switch (key->type) {
    case CONFIG_STRING:
        *(char **)place = copy_string(key, cfg_opt_getnstr(opt, 0));
        break;
    case CONFIG_INT:
        *(int64_t *)place = cfg_opt_getnint(opt, 0);
        break;
    case CONFIG_FLOAT:
        *(double *)place = cfg_opt_getnfloat(opt, 0);
        break;
    case CONFIG_BOOL:
        *(bool *)place = cfg_opt_getnbool(opt, 0) == cfg_true;
        break;
    case CONFIG_WORD:
        *(unsigned *)place = word_index(key, cfg_opt_getnstr(opt, 0));
        break;
    case CONFIG_LIST:
        store_list(key, opt, place);
        break;
    }
}

static_assert(sizeof(enum config_level) == sizeof(unsigned) && sizeof(enum log_level) == sizeof(unsigned) &&
                  sizeof(enum config_mode) == sizeof(unsigned),
              "CONFIG_WORD stores an unsigned");

static void store_rules(cfg_t *cfg, struct config *config)
{
    config->priority_count = cfg_size(cfg, "priority");
    config->priorities = calloc(config->priority_count + 1, sizeof *config->priorities);
    if (!config->priorities)
        abort();
    for (unsigned r = 0; r < config->priority_count; r++) {
        cfg_t *section = cfg_getnsec(cfg, "priority", r);
        struct config_priority *rule = &config->priorities[r];
        rule->name = copy_text(cfg_title(section));
        rule->has_min_cart_value = cfg_size(section, "min_cart_value") > 0;
        rule->has_min_friction = cfg_size(section, "min_friction") > 0;
        for (size_t i = 0; i < config_key_count; i++) {
            if (strcmp(config_keys[i].section, "priority") == 0)
                store_key(&config_keys[i], section, rule);
        }
    }
}

struct config *config_store(struct cfg_t *cfg, const char *filename, const int *lines)
{
    struct config *config = calloc(1, sizeof *config);

    if (!config)
        abort();
    config->filename = copy_text(filename);
    config->lines = calloc(config_key_count, sizeof *config->lines);
    if (!config->lines)
        abort();
    memcpy(config->lines, lines, config_key_count * sizeof *config->lines);
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (strcmp(key->section, "priority") == 0)
            continue;
        store_key(key, key->section[0] ? cfg_getsec(cfg, key->section) : cfg, config);
    }
    store_rules(cfg, config);
    return config;
}

static void free_key(const struct config_key *key, void *base)
{
    void *place = (char *)base + key->offset;

    if (key->type == CONFIG_STRING) {
        free(*(char **)place);
    } else if (key->type == CONFIG_LIST) {
        struct config_list *list = place;
        for (size_t i = 0; i < list->count; i++)
            free(list->items[i]);
        free(list->items);
    }
}

void config_free(struct config **config)
{
    struct config *c = *config;

    if (!c)
        return;
    for (size_t i = 0; i < config_key_count; i++) {
        if (strcmp(config_keys[i].section, "priority") != 0) {
            free_key(&config_keys[i], c);
            continue;
        }
        for (size_t r = 0; r < c->priority_count; r++)
            free_key(&config_keys[i], &c->priorities[r]);
    }
    for (size_t r = 0; r < c->priority_count; r++)
        free(c->priorities[r].name);
    free(c->priorities);
    free(c->lines);
    free(c->filename);
    free(c);
    *config = NULL;
}
