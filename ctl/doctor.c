// SPDX-License-Identifier: Apache-2.0
// deskbellctl doctor: looks at everything that an installation needs and says of each thing whether it is right, and if
// not what to do. It reads configuration and keys itself, so it works before deskbelld runs; it changes nothing. In
// what it prints is no secret and nothing of any customer.
#include "ctl/doctor.h"

#include <curl/curl.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/show.h"

bool doctor_may_not_read(const char *path)
{
    return access(path, R_OK) != 0 && errno == EACCES;
}

void doctor_read_secrets(struct doctor *self)
{
    const struct config *config = self->config;
    const struct config_list *tokens = &config->freshdesk.webhook_token_files;
    const struct rlimit none = {0, 0};
    char why[ASK_WHY_BYTES];
    setrlimit(RLIMIT_CORE, &none); // no key in a core file
    self->keys[UPSTREAM_FRESHCHAT] = secret_read(config->freshchat.token_file, why, sizeof why);
    self->keys[UPSTREAM_FRESHDESK] = secret_read(config->freshdesk.key_file, why, sizeof why);
    if (config->freshcaller.enabled)
        self->keys[UPSTREAM_FRESHCALLER] = secret_read(config->freshcaller.key_file, why, sizeof why);
    for (size_t i = 0; i < tokens->count && self->token_count < DOCTOR_TOKENS; i++) {
        struct secret *token = secret_read(tokens->items[i], why, sizeof why);
        if (token)
            self->tokens[self->token_count++] = token;
    }
}

void doctor_free_secrets(struct doctor *self)
{
    for (size_t i = 0; i < UPSTREAMS; i++)
        secret_free(&self->keys[i]);
    for (size_t i = 0; i < self->token_count; i++)
        secret_free(&self->tokens[i]);
    self->token_count = 0;
}

// Who must be able to use the files: the one that the daemon runs as, else the packages' user. With a configuration of
// one's own, or without that user, deskbelld runs as whoever starts it.
static void find_user(struct doctor *self)
{
    const struct passwd *user = self->installed ? getpwnam("deskbell") : NULL;
    char path[64];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%d", (int)self->front);
    if (self->front && stat(path, &info) == 0)
        self->user = (struct judge_user){.known = true, .running = true, .uid = info.st_uid, .gid = info.st_gid};
    else if (user)
        self->user = (struct judge_user){.known = true, .uid = user->pw_uid, .gid = user->pw_gid};
    self->user.asks = self->user.known && self->user.uid == geteuid();
}

static void examine(struct doctor *self)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    doctor_meet(self);
    find_user(self);
    doctor_read_secrets(self);
    doctor_files(self);
    doctor_account(self);
    doctor_daemon(self);
    doctor_host(self);
    doctor_free_secrets(self);
    curl_global_cleanup();
}

// Whether that configuration (NULL: none was named) is the packages' one, however it is named.
static bool is_installed(const char *path)
{
    struct stat named, packaged;
    return !path || strcmp(path, DESKBELL_CONFIG) == 0 ||
           (stat(path, &named) == 0 && stat(DESKBELL_CONFIG, &packaged) == 0 && named.st_dev == packaged.st_dev &&
            named.st_ino == packaged.st_ino);
}

enum exit_code show_doctor(const struct session *session)
{
    struct config *config = NULL;
    struct config_error error;
    struct findings *findings = findings_new();
    if (options_read_config(session->options, &config, &error)) {
        findings_add(findings, VERDICT_OK, "configuration", NULL, "%s is valid.", config->filename);
        if (config->mode == CONFIG_MODE_OBSERVE)
            findings_add(findings, VERDICT_WARN, "mode", "Set mode = \"live\" when it shall write.",
                         "Deskbell only observes: it writes no ticket and no message.");
        struct doctor doctor = {.config = config,
                                .runtime_dir =
                                    session->options->runtime_dir ? session->options->runtime_dir : config->runtime_dir,
                                .installed = is_installed(session->options->config),
                                .public_url = session->options->public_url,
                                .key_file = session->options->key_file,
                                .findings = findings};
        examine(&doctor);
    } else {
        char text[1200];
        findings_add(findings, VERDICT_FAIL, "configuration", "Correct it; everything else waits for that.", "%s",
                     config_error_text(&error, text, sizeof text));
    }
    json_t *json = findings_json(findings);
    if (!show_json(session, json))
        findings_print(findings);
    json_decref(json);
    enum exit_code code = findings_exit(findings);
    findings_free(&findings);
    config_free(&config);
    return code;
}
