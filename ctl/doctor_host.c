// SPDX-License-Identifier: Apache-2.0
// doctor's look at this machine: secret and key files, folders, disk, limits, and who asks.
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ctl/doctor.h"
#include "upstream/public_key.h"

#define BE_A_MEMBER "Be root, or a member of the group deskbell."

// ---- files with secrets ---------------------------------------------------------------------------------------------

static void look_at_secret(struct doctor *self, const char *key, const char *path)
{
    char why[ASK_WHY_BYTES];
    struct stat info;
    if (doctor_may_not_read(path)) {
        findings_add(self->findings, VERDICT_UNKNOWN, "permissions", BE_A_MEMBER, "%s may not be read by you.", path);
        return;
    }
    struct secret *secret = secret_read(path, why, sizeof why);
    if (!secret) {
        findings_add(self->findings, VERDICT_FAIL, "secrets", NULL, "%s: %s", key, why);
        if (access(path, F_OK) != 0 && errno == ENOENT)
            findings_remedy(self->findings, "install -m 0640 -g deskbell FILE %s", path);
    } else if (stat(path, &info) == 0) {
        judge_secret_file(self->findings, path, &info, &self->user);
    }
    secret_free(&secret);
}

static void look_at_secret_folder(struct doctor *self, const char *path)
{
    char *folder = strdup(path);
    struct stat info;
    if (!folder)
        abort();
    char *slash = strrchr(folder, '/');
    if (slash && slash != folder) {
        *slash = '\0';
        if (stat(folder, &info) == 0)
            judge_secret_folder(self->findings, folder, &info, &self->user);
    }
    free(folder);
}

// True when it is there and nothing is wrong with who may read and change it.
static bool look_at_public_file(struct doctor *self, const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0)
        return judge_public_file(self->findings, path, &info, &self->user);
    if (errno == EACCES) {
        findings_add(self->findings, VERDICT_UNKNOWN, "permissions", BE_A_MEMBER, "%s is closed to you.", path);
    } else {
        findings_add(self->findings, VERDICT_FAIL, "permissions", "Name a file with certificates there.", "%s: %s.",
                     path, strerror(errno));
    }
    return false;
}

static void look_at_public_key(struct doctor *self, const char *path)
{
    static const char check[] = "webhook key";
    char why[ASK_WHY_BYTES];
    const char *wrong = NULL;
    if (doctor_may_not_read(path)) {
        findings_add(self->findings, VERDICT_UNKNOWN, check, BE_A_MEMBER, "%s may not be read by you.", path);
        return;
    }
    struct secret *text = secret_read_public(path, why, sizeof why);
    if (!text) {
        findings_add(self->findings, VERDICT_FAIL, check,
                     "Save there the RSA public key that Freshchat shows beside Conversation Webhooks.", "%s", why);
        return;
    }
    EVP_PKEY *key = public_key_parse(text->text, text->len, &wrong);
    if (key && look_at_public_file(self, path))
        findings_add(self->findings, VERDICT_OK, check, NULL, "%s is an RSA public key of %d bits.", path,
                     EVP_PKEY_get_bits(key));
    else if (!key)
        findings_add(self->findings, VERDICT_FAIL, check,
                     "Copy the whole RSA public key that Freshchat shows beside Conversation Webhooks into it.",
                     "%s %s.", path, wrong);
    EVP_PKEY_free(key);
    secret_free(&text);
}

void doctor_files(struct doctor *self)
{
    const struct config *config = self->config;
    size_t before = self->findings->count;
    look_at_secret(self, "freshchat.token_file", config->freshchat.token_file);
    look_at_secret(self, "freshdesk.key_file", config->freshdesk.key_file);
    if (config->freshcaller.enabled)
        look_at_secret(self, "freshcaller.key_file", config->freshcaller.key_file);
    for (size_t i = 0; i < config->freshdesk.webhook_token_files.count; i++)
        look_at_secret(self, "freshdesk.webhook_token_files", config->freshdesk.webhook_token_files.items[i]);
    if (*config->widget.context_key_file)
        look_at_secret(self, "widget.context_key_file", config->widget.context_key_file);
    look_at_secret_folder(self, config->freshdesk.key_file);
    if (self->findings->count == before)
        findings_add(self->findings, VERDICT_OK, "secrets", NULL, "All are there, and closed to others.");
    for (size_t i = 0; i < config->freshchat.webhook_key_files.count; i++)
        look_at_public_key(self, config->freshchat.webhook_key_files.items[i]);
    const char *const authorities[] = {config->freshchat.ca_file, config->freshdesk.ca_file,
                                       config->freshcaller.enabled ? config->freshcaller.ca_file : ""};
    for (size_t i = 0; i < sizeof authorities / sizeof *authorities; i++)
        if (*authorities[i])
            look_at_public_file(self, authorities[i]);
}

// ---- folders and disk -----------------------------------------------------------------------------------------------

static void look_at_folder(struct doctor *self, const char *key, const char *path, bool made_at_start)
{
    struct stat info;
    if (stat(path, &info) == 0) {
        judge_folder(self->findings, key, path, &info, &self->user);
    } else if (errno == EACCES) {
        findings_add(self->findings, VERDICT_UNKNOWN, "permissions", BE_A_MEMBER, "%s: %s is closed to you.", key,
                     path);
    } else if (!made_at_start) {
        findings_add(self->findings, VERDICT_FAIL, "permissions", NULL, "%s: there is no %s.", key, path);
        findings_remedy(self->findings, "install -d -m 0700 -o deskbell -g deskbell %s", path);
    }
}

static void look_at_disk(struct doctor *self)
{
    struct statvfs info;
    const char *folder = self->config->state_dir;
    if (statvfs(folder, &info) == 0)
        judge_disk(self->findings, folder, (uint64_t)info.f_bavail * info.f_frsize, self->config->front.min_free_bytes);
    else
        findings_add(self->findings, VERDICT_UNKNOWN, "disk", NULL, "%s cannot be looked at: %s.", folder,
                     strerror(errno));
}

// ---- limits ---------------------------------------------------------------------------------------------------------

// "Max open files   1024   524288   files": the hard limit is what a front and its workers can raise theirs to.
static uint64_t limit_of(pid_t pid)
{
    char path[64], line[256];
    unsigned long long hard = 0;
    snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Max open files %*s %llu", &hard) == 1)
            break;
    if (file)
        fclose(file);
    return hard;
}

static void look_at_limits(struct doctor *self)
{
    struct rlimit own;
    uint64_t limit = self->front ? limit_of(self->front) : 0;
    const char *whose = "The running front's";
    if (!limit && self->installed) { // the unit's limit counts, whatever this shell has
        findings_add(self->findings, VERDICT_UNKNOWN, "descriptors", NULL,
                     "deskbelld does not run, so its limit of open files is not known.");
        return;
    }
    if (!limit && getrlimit(RLIMIT_NOFILE, &own) == 0) {
        limit = own.rlim_max;
        whose = "This shell's";
    }
    judge_descriptors(self->findings, whose, limit, self->config->front.threads, self->config->workers.in_flight);
}

// ---- who asks -------------------------------------------------------------------------------------------------------

static bool is_member(gid_t group)
{
    gid_t groups[256];
    int count = getgroups(256, groups);
    if (getegid() == group)
        return true;
    for (int i = 0; i < count; i++)
        if (groups[i] == group)
            return true;
    return false;
}

static void look_at_asker(struct doctor *self)
{
    const struct group *group = getgrnam("deskbell");
    if (geteuid() == 0)
        findings_add(self->findings, VERDICT_OK, "you", NULL, "You are root.");
    else if (!group)
        findings_add(self->findings, VERDICT_OK, "you", NULL,
                     "There is no group deskbell here: only who started deskbelld may use deskbellctl.");
    else if (is_member(group->gr_gid))
        findings_add(self->findings, VERDICT_OK, "you", NULL, "You are a member of the group deskbell.");
    else
        findings_add(self->findings, VERDICT_WARN, "you", "adduser YOU deskbell, and log in again; or use sudo.",
                     "You are no member of the group deskbell, so deskbellctl can do little for you.");
}

void doctor_host(struct doctor *self)
{
    size_t before = self->findings->count;
    look_at_folder(self, "state_dir", self->config->state_dir, false);
    look_at_folder(self, "runtime_dir", self->config->runtime_dir, true);
    char ledger[1100];
    snprintf(ledger, sizeof ledger, "%s/ledger", self->config->state_dir);
    look_at_folder(self, "the ledger", ledger, true);
    if (*self->config->backup_dir)
        look_at_folder(self, "backup_dir", self->config->backup_dir, false);
    if (self->findings->count == before)
        findings_add(self->findings, VERDICT_OK, "permissions", NULL, "The folders are as they should be.");
    look_at_disk(self);
    look_at_limits(self);
    look_at_asker(self);
}
