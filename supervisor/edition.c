// SPDX-License-Identifier: Apache-2.0
// See edition.h. Run by deskbelld's one thread.
#include "supervisor/edition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/secret.h"
#include "supervisor/snapshot.h"

bool edition_read(const char *path, struct config **config, char **text, size_t *len, struct config_error *error)
{
    char *read_text;
    size_t read_len = 0;
    bool ok;

    memset(error, 0, sizeof *error);
    *config = NULL;
    snprintf(error->file, sizeof error->file, "%s", path);
    read_text = snapshot_read_file(path, &read_len, error->message, sizeof error->message);
    if (!read_text)
        return false;
    ok = config_parse(read_text, read_len, path, config, error);
    if (ok && !config_check_files(*config, error)) {
        config_free(config);
        ok = false;
    }
    if (ok && text) {
        *text = read_text;
        *len = read_len;
    } else {
        free(read_text);
    }
    return ok;
}

static bool refuse_at(const struct config *config, const char *key, const char *sentence, char *why, size_t why_size)
{
    struct config_error error;

    config_error_at(&error, config, "", key, "%s", sentence);
    config_error_text(&error, why, why_size);
    return false;
}

// Ledger, lock and sockets are where they are while anything runs.
static bool same_folders(const struct config *config, const struct config *before, char *why, size_t why_size)
{
    if (strcmp(config->state_dir, before->state_dir) != 0)
        return refuse_at(config, "state_dir", "state_dir cannot change while deskbelld runs: restart it", why,
                         why_size);
    if (strcmp(config->runtime_dir, before->runtime_dir) != 0)
        return refuse_at(config, "runtime_dir", "runtime_dir cannot change while deskbelld runs: restart it", why,
                         why_size);
    return true;
}

static bool open_log(struct edition *edition, char *why, size_t why_size)
{
    char sentence[600];

    if (!*edition->config->log_file)
        return true;
    edition->log_fd = log_open_file(edition->config->log_file);
    if (edition->log_fd >= 0)
        return true;
    snprintf(sentence, sizeof sentence,
             "log_file cannot be opened: %s; its folder must exist and belong to the user deskbelld runs as",
             strerror(errno));
    return refuse_at(edition->config, "log_file", sentence, why, why_size);
}

static bool open_listeners(struct edition *edition, const struct edition *before, char *why, size_t why_size)
{
    const struct config_front *front = &edition->config->front;

    return before
               ? listeners_follow(&edition->listeners, front, &before->listeners, &before->config->front, why, why_size)
               : listeners_open(&edition->listeners, front, why, why_size);
}

struct edition *edition_new(struct config **config, const char *text, size_t len, const struct edition *before,
                            char *why, size_t why_size)
{
    static uint64_t last_number;
    struct edition *edition = calloc(1, sizeof *edition);
    bool ok;

    if (!edition)
        abort();
    *edition = (struct edition){.number = ++last_number,
                                .config = *config,
                                .config_fd = -1,
                                .log_fd = -1,
                                .listeners = {.front = -1, .admin = -1}};
    *config = NULL;
    ok = (!before || same_folders(edition->config, before->config, why, why_size)) &&
         open_log(edition, why, why_size) && open_listeners(edition, before, why, why_size);
    if (ok && (edition->config_fd = snapshot_new(text, len)) < 0) {
        snprintf(why, why_size, "cannot make the configuration's snapshot: %s", strerror(errno));
        ok = false;
    }
    if (!ok)
        edition_free(&edition);
    return edition;
}

void edition_free(struct edition **edition)
{
    struct edition *old = *edition;

    if (!old)
        return;
    listeners_close(&old->listeners);
    if (old->config_fd >= 0)
        close(old->config_fd);
    if (old->log_fd >= 0)
        close(old->log_fd);
    config_free(&old->config);
    free(old);
    *edition = NULL;
}
