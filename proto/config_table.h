// SPDX-License-Identifier: Apache-2.0
// The one table of all configuration keys. Parser, checks, sample and manual page all read it; a key is added here and
// in struct config, nowhere else. Private to proto/config*.c and to what prints documentation.
#ifndef DESKBELL_PROTO_CONFIG_TABLE_H
#define DESKBELL_PROTO_CONFIG_TABLE_H

#include <stddef.h>

#include "proto/config.h"

enum config_type {
    CONFIG_STRING, // char *
    CONFIG_INT,    // int64_t
    CONFIG_FLOAT,  // double
    CONFIG_BOOL,   // bool
    CONFIG_WORD,   // an enum: the index in `words` plus `min`
    CONFIG_LIST,   // struct config_list
};

// What a string (or each string of a list) must be.
enum config_check {
    CONFIG_CHECK_NONE, // any text without control characters, may be empty
    CONFIG_CHECK_DIR,  // absolute path
    CONFIG_CHECK_FILE, // absolute path of a file: a secret itself, pasted here, is refused by this
    CONFIG_CHECK_FILE_OR_EMPTY,
    CONFIG_CHECK_LISTEN, // IPv4 address and port
    CONFIG_CHECK_URL,    // https, or http on loopback
    CONFIG_CHECK_URL_OR_EMPTY,
    CONFIG_CHECK_PROXY,   // URL of a proxy, or empty
    CONFIG_CHECK_FIELD,   // name of a custom field: cf_...
    CONFIG_CHECK_PAIR,    // "cf_name=value"
    CONFIG_CHECK_PHONE,   // digits, or empty
    CONFIG_CHECK_COUNTRY, // a country's dialling code, or empty
    CONFIG_CHECK_TRUNK,   // one to three digits, or empty
    CONFIG_CHECK_TAG,     // 1 to 32 characters without a comma
    CONFIG_CHECK_ORIGIN,  // https://host[:port] of a page, or http on loopback
    CONFIG_CHECK_IPV4,    // address without a port
};

struct config_key {
    const char *section; // "" for the top level
    const char *name;
    enum config_type type;
    enum config_check check;
    const char
        *standard; // the default as in a file, without quotes; a list's one element or ""; NULL: optional, no default
    const char *sample; // NULL, or what the sample shows instead
    bool required;      // must be given: the default is no usable value
    double min, max;    // for numbers, both allowed
    const char *const *words;
    const char *unit; // NULL, or what the number counts
    const char *help; // one line
    size_t offset;    // in struct config; in section "priority" in struct config_priority
};

// One section, in the order of the sample. Its keys are neighbours in config_keys.
struct config_section {
    const char *name;
    const char *help;
    bool titled;      // "priority NAME { }", any number of them
    const char *also; // NULL, or lines added to the sample as they are
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;
extern const struct config_section config_sections[];
extern const size_t config_section_count;

// Returns the index of a key in config_keys, or -1.
int config_key_find(const char *section, const char *name);

// Checks one string against what the key wants. Returns NULL, or what is wrong with it as the end of a sentence that
// begins with the key's name ("must be ..."); `room` is where that is put together.
const char *config_check_string(const struct config_key *key, const char *value, char *room, size_t size);

// Copies a configuration's text with its comments blanked, for libConfuse. Returns the copy, to be freed with free(),
// and in *line its number of lines; or NULL, with a sentence in *wrong about what stands at *line.
char *config_text_clean(const char *text, size_t len, int *line, const char **wrong);

struct cfg_t; // libConfuse's

// Copies everything libConfuse read into a new struct config, with `lines` as the lines where keys were given.
struct config *config_store(struct cfg_t *cfg, const char *filename, const int *lines);

// Checks what concerns more than one key. False with *error filled.
bool config_check_together(const struct config *c, struct config_error *error);

// True when host is this machine: 127.0.0.0/8, localhost or ::1.
bool config_host_is_loopback(const char *host, size_t len);

#endif
