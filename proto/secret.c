// SPDX-License-Identifier: Apache-2.0
// Reads secret files for the processes that need them, and checks them for deskbelld, which must not read them. What a
// file holds never appears in a message. Called in main() before threads.
#include "proto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { KIND_SECRET, KIND_PUBLIC, KIND_AUTHORITIES };

static const char *const called[] = {"secret", "key", "certificates"};

// A distribution's whole bundle has a quarter of it.
#define AUTHORITIES_MAX_BYTES (1024 * 1024)

static void say(char *why, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void say(char *why, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, size, format, args);
    va_end(args);
}

// The path to open: systemd's copy in $CREDENTIALS_DIRECTORY when there is one of that name, else the path itself.
static void credential_path(const char *path, char *out, size_t size)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    const char *slash = strrchr(path, '/');
    int n;

    if (dir && dir[0] == '/') {
        n = snprintf(out, size, "%s/%s", dir, slash ? slash + 1 : path);
        if (n > 0 && (size_t)n < size && access(out, F_OK) == 0)
            return;
    }
    snprintf(out, size, "%s", path);
}

// Opens and checks; -1 with a sentence. O_NONBLOCK so that a FIFO put there cannot hold us up.
static int open_checked(const char *path, enum kind kind, size_t *size, char *why, size_t why_size)
{
    size_t max = kind == KIND_SECRET   ? SECRET_MAX_BYTES
                 : kind == KIND_PUBLIC ? 4 * SECRET_MAX_BYTES
                                       : AUTHORITIES_MAX_BYTES;
    char real[4096];
    struct stat st;
    int fd;

    if (kind == KIND_AUTHORITIES)
        snprintf(real, sizeof real, "%s", path); // no credential: whoever connects opens just that
    else
        credential_path(path, real, sizeof real);
    fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        say(why, why_size, "%s cannot be opened: %s", real, strerror(errno));
        return -1;
    }
    if (fstat(fd, &st) != 0)
        say(why, why_size, "%s cannot be examined: %s", real, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        say(why, why_size, "%s is no regular file: put the %s into a file", real, called[kind]);
    else if (kind == KIND_SECRET && (st.st_mode & 0007) != 0)
        say(why, why_size, "%s can be accessed by every user of this machine: chmod 0640 %s", real, real);
    else if (kind != KIND_SECRET && (st.st_mode & 0002) != 0)
        say(why, why_size, "%s can be changed by every user of this machine: chmod 0644 %s", real, real);
    else if (st.st_size == 0)
        say(why, why_size, "%s is empty: write the %s into it", real, called[kind]);
    else if ((size_t)st.st_size > max)
        say(why, why_size, "%s is too long for what it should be: at most %zu bytes", real, max);
    else {
        *size = (size_t)st.st_size;
        return fd;
    }
    close(fd);
    return -1;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Trims in place; the bytes behind the new end are wiped.
static void trim(struct secret *secret)
{
    size_t start = 0, end = secret->len, len;

    while (start < end && is_space(secret->text[start]))
        start++;
    while (end > start && is_space(secret->text[end - 1]))
        end--;
    len = end - start;
    memmove(secret->text, secret->text + start, len);
    explicit_bzero(secret->text + len, secret->len - len);
    secret->len = len;
}

static struct secret *read_kind(const char *path, enum kind kind, char *why, size_t why_size)
{
    struct secret *secret = NULL;
    size_t size = 0;
    int fd = open_checked(path, kind, &size, why, why_size);

    if (fd < 0)
        return NULL;
    secret = calloc(1, sizeof *secret);
    if (!secret || !(secret->text = calloc(1, size + 1)))
        abort();
    while (secret->len < size) {
        ssize_t n = read(fd, secret->text + secret->len, size - secret->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; // shorter than a moment ago: what is there is judged below
        secret->len += (size_t)n;
    }
    close(fd);
    // The buffer's whole size is wiped on free, whatever len becomes, because trim wipes what it cuts off.
    trim(secret);
    if (secret->len == 0)
        say(why, why_size, "%s holds nothing but white space", path);
    else if (memchr(secret->text, '\0', secret->len))
        say(why, why_size, "%s holds a NUL byte: it must be plain text", path);
    else
        return secret;
    secret_free(&secret);
    return NULL;
}

struct secret *secret_read(const char *path, char *why, size_t why_size)
{
    return read_kind(path, KIND_SECRET, why, why_size);
}

struct secret *secret_read_public(const char *path, char *why, size_t why_size)
{
    return read_kind(path, KIND_PUBLIC, why, why_size);
}

void secret_free(struct secret **secret)
{
    if (!*secret)
        return;
    explicit_bzero((*secret)->text, (*secret)->len);
    free((*secret)->text);
    free(*secret);
    *secret = NULL;
}

bool secret_equal(const struct secret *secret, const char *text, size_t len)
{
    unsigned char differs = secret->len != len;

    // As many rounds as the offered text has bytes, which its sender knows anyway.
    for (size_t i = 0; i < len; i++)
        differs |= (unsigned char)(text[i] ^ secret->text[i % (secret->len + 1)]);
    return differs == 0;
}

static bool check_one(const struct config *config, struct config_error *error, const char *section, const char *key,
                      const char *path, enum kind kind)
{
    char why[640];
    size_t size;
    int fd = open_checked(path, kind, &size, why, sizeof why);

    if (fd < 0) {
        config_error_at(error, config, section, key, "%s: %s", key, why);
        return false;
    }
    close(fd);
    return true;
}

// Whether a log can be there; who may write to it shows when it is opened.
static bool check_log_folder(const struct config *config, struct config_error *error)
{
    char folder[4096];
    struct stat st;

    snprintf(folder, sizeof folder, "%s", config->log_file);
    char *slash = strrchr(folder, '/');
    if (!slash)
        return true; // there is none
    slash[slash == folder] = '\0';
    if (stat(folder, &st) == 0 && S_ISDIR(st.st_mode))
        return true;
    config_error_at(error, config, "", "log_file",
                    "log_file: there is no folder %s: make it, for the user deskbelld runs as", folder);
    return false;
}

bool config_check_files(const struct config *config, struct config_error *error)
{
    const struct config_list *keys = &config->freshchat.webhook_key_files;
    const struct config_list *tokens = &config->freshdesk.webhook_token_files;

    if (!check_one(config, error, "freshchat", "token_file", config->freshchat.token_file, KIND_SECRET) ||
        !check_one(config, error, "freshdesk", "key_file", config->freshdesk.key_file, KIND_SECRET))
        return false;
    for (size_t i = 0; i < keys->count; i++) {
        if (!check_one(config, error, "freshchat", "webhook_key_files", keys->items[i], KIND_PUBLIC))
            return false;
    }
    for (size_t i = 0; i < tokens->count; i++) {
        if (!check_one(config, error, "freshdesk", "webhook_token_files", tokens->items[i], KIND_SECRET))
            return false;
    }
    if (config->freshcaller.enabled &&
        !check_one(config, error, "freshcaller", "key_file", config->freshcaller.key_file, KIND_SECRET))
        return false;
    if (*config->widget.context_key_file &&
        !check_one(config, error, "widget", "context_key_file", config->widget.context_key_file, KIND_SECRET))
        return false;
    const char *const authorities[][2] = {{"freshchat", config->freshchat.ca_file},
                                          {"freshdesk", config->freshdesk.ca_file},
                                          {"freshcaller", config->freshcaller.ca_file}};
    for (size_t i = 0; i < sizeof authorities / sizeof *authorities; i++) {
        if (*authorities[i][1] &&
            !check_one(config, error, authorities[i][0], "ca_file", authorities[i][1], KIND_AUTHORITIES))
            return false;
    }
    return check_log_folder(config, error);
}
