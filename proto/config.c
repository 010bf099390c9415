// SPDX-License-Identifier: Apache-2.0
// Reads a configuration: libConfuse does the syntax, the table in config_table.c says what may be there, and the checks
// between keys are at the end of this file. Run by deskbelld on the file and by each child on the snapshot, in main()
// before any thread: libConfuse's scanner is not thread-safe. Nothing here prints; the caller gets one sentence.
#include "proto/config.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/config_table.h"

#define SECTION_MAX 16
#define KEY_MAX     96

// What libConfuse's callbacks need; they take no argument of ours, hence `current`.
struct parse {
    struct config_error *error;
    const char *filename;
    int end_line; // where the end mark stands
    bool ended;   // it was read at the top level: every section is closed
    bool failed;
    int lines[KEY_MAX];           // where each key was given, 0: not yet
    unsigned list_count[KEY_MAX]; // elements of a list when it was last looked at
    bool list_closed[KEY_MAX];
    bool section_seen[SECTION_MAX];
};

static struct parse *current;

// libConfuse takes the end of the text for the end of every open section. So a key of our own is appended: where it is
// read tells whether all is closed.
#define END_MARK "end_of_configuration"

static void error_fill(struct config_error *error, const char *file, int line, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));

static void error_fill(struct config_error *error, const char *file, int line, const char *format, va_list args)
{
    snprintf(error->file, sizeof error->file, "%s", file);
    error->line = line;
    vsnprintf(error->message, sizeof error->message, format, args);
}

char *config_error_text(const struct config_error *error, char *out, size_t size)
{
    if (error->line > 0)
        snprintf(out, size, "%s:%d: %s", error->file, error->line, error->message);
    else
        snprintf(out, size, "%s: %s", error->file, error->message);
    return out;
}

void config_error_at(struct config_error *error, const struct config *config, const char *section, const char *key,
                     const char *format, ...)
{
    int i = config_key_find(section, key);
    va_list args;

    assert(i >= 0);
    va_start(args, format);
    error_fill(error, config->filename, config->lines[i], format, args);
    va_end(args);
}

// Keeps the first thing that is wrong; returns what libConfuse wants for "stop".
static int parse_fail(const cfg_t *cfg, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int parse_fail(const cfg_t *cfg, const char *format, ...)
{
    va_list args;

    if (!current->failed) {
        va_start(args, format);
        error_fill(current->error, current->filename, cfg->line < current->end_line ? cfg->line : current->end_line - 1,
                   format, args);
        va_end(args);
        current->failed = true;
    }
    return -1;
}

// The name of the section cfg is, as the table has it.
static const char *section_name(const cfg_t *cfg)
{
    return strcmp(cfg->name, "root") == 0 ? "" : cfg->name;
}

// "listen, threads, ..." for the sentence about an unknown key; at top level the sections too.
static void known_keys(const char *section, char *out, size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < config_key_count && n < size; i++) {
        if (strcmp(config_keys[i].section, section) == 0)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", config_keys[i].name);
    }
    for (size_t i = 1; section[0] == '\0' && i < config_section_count && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, ", %s {}", config_sections[i].name);
}

// libConfuse's own complaints: syntax, unknown keys, numbers that are none.
static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    char text[256], keys[400];
    const char *section = section_name(cfg);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(text, sizeof text, format, args);
#pragma GCC diagnostic pop
    if (strncmp(format, "no such option", 14) == 0 && cfg->line == current->end_line) {
        parse_fail(cfg, "section %s is not closed: add a } behind its last key", section);
    } else if (cfg->line >= current->end_line) {
        parse_fail(cfg, "a list or a section is not closed at the end of the file: add a }");
    } else if (strncmp(format, "no such option", 14) == 0) {
        known_keys(section, keys, sizeof keys);
        parse_fail(cfg, "unknown key%s%s%s: correct its spelling or remove it; known here: %s", text + 14,
                   section[0] ? " in section " : "", section, keys);
    } else if (strstr(format, "out of range")) {
        parse_fail(cfg, "%s: write a smaller number", text);
    } else if (strstr(format, "invalid integer")) {
        parse_fail(cfg, "%s: write a whole number without quotes or unit", text);
    } else if (strstr(format, "invalid floating")) {
        parse_fail(cfg, "%s: write a number like 0.7", text);
    } else if (strstr(format, "invalid boolean")) {
        parse_fail(cfg, "%s: write true or false", text);
    } else if (strstr(format, "duplicate title")) {
        parse_fail(cfg, "%s: give each section a name of its own", text);
    } else {
        parse_fail(cfg, "%s: check quotes, braces and = signs here and on the line before", text);
    }
}

// A key may be given once. libConfuse calls for each element of a list and once more at its closing brace, so a list
// is given again only when it changes after it was closed or shrinks.
static bool given_twice(int i, const cfg_opt_t *opt)
{
    bool twice;

    if (config_keys[i].type != CONFIG_LIST)
        return current->lines[i] != 0;
    twice = current->list_closed[i] || opt->nvalues < current->list_count[i];
    current->list_closed[i] = opt->nvalues == current->list_count[i];
    current->list_count[i] = opt->nvalues;
    return twice;
}

static int check_number(cfg_t *cfg, const struct config_key *key, double value)
{
    if (isfinite(value) && value >= key->min && value <= key->max)
        return 0;
    return parse_fail(cfg, "%s must be from %.16g to %.16g%s%s", key->name, key->min, key->max, key->unit ? " " : "",
                      key->unit ? key->unit : "");
}

static int check_word(cfg_t *cfg, const struct config_key *key, const char *value)
{
    char words[128] = "";
    size_t n = 0;

    for (size_t i = 0; key->words[i]; i++) {
        if (strcmp(value, key->words[i]) == 0)
            return 0;
        n += (size_t)snprintf(words + n, sizeof words - n, "%s%s", i ? ", " : "", key->words[i]);
    }
    return parse_fail(cfg, "%s must be one of: %s", key->name, words);
}

// Called by libConfuse when a key's value (or an element of a list) was read; cfg->line is then where it stands.
static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
    int i = config_key_find(section_name(cfg), opt->name);
    const struct config_key *key = &config_keys[i < 0 ? 0 : i];
    unsigned last = opt->nvalues - 1;
    char room[128];
    const char *wrong = NULL;

    if (strcmp(opt->name, END_MARK) == 0 && cfg->line == current->end_line) {
        current->ended = true;
        return 0;
    }
    // libConfuse also understands section|key = value; one way to write a thing is enough.
    if (i < 0)
        return parse_fail(cfg, "key %s does not belong here: put it inside its section", opt->name);
    if (given_twice(i, opt))
        return parse_fail(cfg, "%s is given twice (first on line %d): keep one", key->name, current->lines[i]);
    if (current->lines[i] == 0)
        current->lines[i] = cfg->line;
    switch (key->type) {
    case CONFIG_INT:
        return check_number(cfg, key, (double)cfg_opt_getnint(opt, 0));
    case CONFIG_FLOAT:
        return check_number(cfg, key, cfg_opt_getnfloat(opt, 0));
    case CONFIG_WORD:
        return check_word(cfg, key, cfg_opt_getnstr(opt, 0));
    case CONFIG_STRING:
    case CONFIG_LIST:
        wrong = config_check_string(key, cfg_opt_getnstr(opt, last), room, sizeof room);
        return wrong ? parse_fail(cfg, "%s %s", key->name, wrong) : 0;
    case CONFIG_BOOL:
        return 0;
    }
    abort(); // a type that this function does not know
}

static void forget_section(const char *section)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if (strcmp(config_keys[i].section, section) == 0) {
            current->lines[i] = 0;
            current->list_count[i] = 0;
            current->list_closed[i] = false;
        }
    }
}

static int check_rule(cfg_t *cfg, cfg_opt_t *opt)
{
    cfg_t *rule = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    const char *name = cfg_title(rule);

    if (name[0] == '\0' || strlen(name) > 64)
        return parse_fail(cfg, "a priority rule needs a name of 1 to 64 bytes: priority high-value { ... }");
    if (cfg_size(rule, "level") == 0)
        return parse_fail(cfg, "priority %s sets no level: add level = \"high\" (or low, medium, urgent)", name);
    // The next rule gives the same keys.
    forget_section("priority");
    return 0;
}

// Called by libConfuse at a section's closing brace.
static int on_section(cfg_t *cfg, cfg_opt_t *opt)
{
    for (size_t i = 0; i < config_section_count; i++) {
        if (strcmp(config_sections[i].name, opt->name) != 0)
            continue;
        if (config_sections[i].titled)
            return check_rule(cfg, opt);
        // libConfuse would forget the first one.
        if (current->section_seen[i])
            return parse_fail(cfg, "section %s is given twice: put its keys into one", opt->name);
        current->section_seen[i] = true;
        return 0;
    }
    abort(); // libConfuse knows a section that is not in our table
}

static cfg_opt_t option_for_key(const struct config_key *key)
{
    cfg_flag_t flags = key->standard ? CFGF_NONE : CFGF_NODEFAULT;

    switch (key->type) {
    case CONFIG_STRING:
    case CONFIG_WORD:
        return (cfg_opt_t)CFG_STR(key->name, key->standard, flags);
    case CONFIG_INT:
        return (cfg_opt_t)CFG_INT(key->name, strtol(key->standard, NULL, 10), flags);
    case CONFIG_FLOAT:
        return (cfg_opt_t)CFG_FLOAT(key->name, key->standard ? strtod(key->standard, NULL) : 0, flags);
    case CONFIG_BOOL:
        return (cfg_opt_t)CFG_BOOL(key->name, strcmp(key->standard, "true") == 0 ? cfg_true : cfg_false, flags);
    case CONFIG_LIST:
        return (cfg_opt_t)CFG_STR_LIST(key->name, NULL, flags);
    }
    abort(); // a type that this function does not know
}

// libConfuse's view of the table. cfg_init copies all of it, so it may live on the stack. The sections' arrays lie one
// after the other in `room`.
static cfg_t *options_init(void)
{
    static cfg_opt_t room[KEY_MAX + 2 * SECTION_MAX + 1];
    cfg_opt_t *at = room, *first[SECTION_MAX];
    const cfg_opt_t end = CFG_END();
    cfg_t *cfg;

    assert(config_key_count <= KEY_MAX && config_section_count <= SECTION_MAX);
    // The top level is section 0 and comes last, since it points to the others.
    for (size_t s = config_section_count; s-- > 0;) {
        first[s] = at;
        for (size_t i = 0; i < config_key_count; i++) {
            if (strcmp(config_keys[i].section, config_sections[s].name) == 0) {
                *at = option_for_key(&config_keys[i]);
                at++->validcb = on_value;
            }
        }
        for (size_t sub = 1; s == 0 && sub < config_section_count; sub++) {
            cfg_flag_t flags = config_sections[sub].titled ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NONE;
            *at = (cfg_opt_t)CFG_SEC(config_sections[sub].name, first[sub], flags);
            at++->validcb = on_section;
        }
        if (s == 0) {
            *at = (cfg_opt_t)CFG_STR(END_MARK, "", CFGF_NONE);
            at++->validcb = on_value;
        }
        *at++ = end;
    }
    cfg = cfg_init(first[0], CFGF_NONE);
    if (!cfg)
        abort(); // out of memory at start
    return cfg;
}

// Runs libConfuse over a cleaned text of so many lines; false with *parse->error filled.
static bool parse_text(cfg_t *cfg, const char *text, int lines, struct parse *parse)
{
    char *marked = NULL;
    FILE *in;
    int n = asprintf(&marked, "%s\n%s = \"\"\n", text, END_MARK);

    parse->end_line = lines + 1;
    in = n > 0 ? fmemopen(marked, (size_t)n, "r") : NULL;
    if (!in)
        abort(); // out of memory
    cfg_set_error_function(cfg, on_error);
    current = parse;
    if (cfg_parse_fp(cfg, in) != CFG_SUCCESS)
        parse_fail(cfg, "this is not a configuration: compare it with the sample");
    assert(parse->failed || parse->ended);
    // An empty list calls nothing of ours, so one that replaced another shows only now.
    for (size_t i = 0; i < config_key_count && !parse->failed; i++) {
        if (config_keys[i].type == CONFIG_LIST && parse->list_count[i] > 0 &&
            cfg_size(config_keys[i].section[0] ? cfg_getsec(cfg, config_keys[i].section) : cfg, config_keys[i].name) ==
                0) {
            cfg->line = parse->lines[i];
            parse_fail(cfg, "%s is given twice: keep one", config_keys[i].name);
        }
    }
    current = NULL;
    fclose(in);
    free(marked);
    return !parse->failed;
}

bool config_parse(const char *text, size_t len, const char *filename, struct config **out, struct config_error *error)
{
    struct parse *parse = calloc(1, sizeof *parse);
    const char *wrong = "the file is too long: at most 1048576 bytes";
    int lines = 0;
    char *clean;
    cfg_t *cfg;

    if (!parse)
        abort();
    *out = NULL;
    memset(error, 0, sizeof *error);
    clean = len <= CONFIG_MAX_BYTES ? config_text_clean(text, len, &lines, &wrong) : NULL;
    if (!clean) {
        snprintf(error->file, sizeof error->file, "%s", filename);
        error->line = lines;
        snprintf(error->message, sizeof error->message, "%s", wrong);
        free(parse);
        return false;
    }
    parse->error = error;
    parse->filename = filename;
    cfg = options_init();
    if (parse_text(cfg, clean, lines, parse)) {
        *out = config_store(cfg, filename, parse->lines);
        if (!config_check_together(*out, error))
            config_free(out);
    }
    cfg_free(cfg);
    free(clean);
    free(parse);
    return *out != NULL;
}

bool config_from_fd(int fd, const char *filename, struct config **out, struct config_error *error)
{
    struct stat st;
    char *text = NULL;
    size_t len = 0;
    bool ok = false;

    *out = NULL;
    memset(error, 0, sizeof *error);
    snprintf(error->file, sizeof error->file, "%s", filename);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > CONFIG_MAX_BYTES) {
        snprintf(error->message, sizeof error->message, "is no regular file of at most %d bytes", CONFIG_MAX_BYTES);
        return false;
    }
    text = malloc((size_t)st.st_size + 1);
    if (!text)
        abort();
    while (len < (size_t)st.st_size) {
        ssize_t n = pread(fd, text + len, (size_t)st.st_size - len, (off_t)len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            snprintf(error->message, sizeof error->message, "cannot be read: %s",
                     n < 0 ? strerror(errno) : "it shrank");
            goto done;
        }
        len += (size_t)n;
    }
    ok = config_parse(text, len, filename, out, error);
done:
    free(text);
    return ok;
}

const char *config_level_name(enum config_level level)
{
    static const char *const names[] = {"low", "medium", "high", "urgent"};

    assert(level >= CONFIG_LEVEL_LOW && level <= CONFIG_LEVEL_URGENT);
    return names[level - CONFIG_LEVEL_LOW];
}
