// SPDX-License-Identifier: Apache-2.0
// Judging this machine: disk, files, limits, and how Deskbell's own addresses answer.
#include <stdio.h>
#include <string.h>

#include "ctl/judge.h"
#include "ctl/words.h"

// What a front opens beside its connections: the ledger's files (256 at most), sockets, logs, links to workers.
enum { FRONT_DESCRIPTORS = 512, WORKER_DESCRIPTORS = 64 };

void judge_disk(struct findings *findings, const char *folder, uint64_t free_bytes, int64_t least_bytes)
{
    char have[WORDS_BYTES], least[WORDS_BYTES];
    uint64_t floor = least_bytes > 0 ? (uint64_t)least_bytes : 0;
    words_bytes((int64_t)free_bytes, have);
    words_bytes((int64_t)floor, least);
    if (free_bytes < floor)
        findings_add(findings, VERDICT_FAIL, "disk", "Make room, or give state_dir a larger disk.",
                     "%s free below %s, less than front.min_free_bytes (%s): webhooks are answered 503.", have, folder,
                     least);
    else if (free_bytes / 2 < floor)
        findings_add(findings, VERDICT_WARN, "disk", "Make room before it falls below front.min_free_bytes.",
                     "%s free below %s; below %s webhooks are answered 503.", have, folder, least);
    else
        findings_add(findings, VERDICT_OK, "disk", NULL, "%s free below %s.", have, folder);
}

void judge_descriptors(struct findings *findings, const char *whose, uint64_t limit, int64_t threads, int64_t in_flight)
{
    static const char check[] = "descriptors";
    uint64_t front = (uint64_t)threads + FRONT_DESCRIPTORS, worker = (uint64_t)in_flight * 2 + WORKER_DESCRIPTORS;
    uint64_t need = front > worker ? front : worker;
    if (!limit)
        findings_add(findings, VERDICT_UNKNOWN, check, NULL, "The limit of open files is not known.");
    else if (limit < need)
        findings_add(findings, VERDICT_FAIL, check,
                     "Raise LimitNOFILE= with systemctl edit deskbell, or lower "
                     "front.threads and workers.in_flight.",
                     "%s limit of open files is %llu; front.threads and workers.in_flight need %llu.", whose,
                     (unsigned long long)limit, (unsigned long long)need);
    else
        findings_add(findings, VERDICT_OK, check, NULL, "%s limit of open files is %llu; %llu are needed.", whose,
                     (unsigned long long)limit, (unsigned long long)need);
}

// ---- files ----------------------------------------------------------------------------------------------------------

static bool may(const struct stat *info, const struct judge_user *user, mode_t bits)
{
    mode_t granted = info->st_mode & 7;
    if (info->st_uid == user->uid)
        granted = info->st_mode >> 6 & 7;
    else if (info->st_gid == user->gid)
        granted = info->st_mode >> 3 & 7;
    return (granted & bits) == bits;
}

void judge_secret_file(struct findings *findings, const char *path, const struct stat *info,
                       const struct judge_user *user)
{
    static const char check[] = "permissions";
    if (info->st_mode & 0007) {
        findings_add(findings, VERDICT_FAIL, check, NULL, "%s can be accessed by every user of this machine.", path);
        findings_remedy(findings, "chmod 0640 %s", path);
    } else if (user->known && !user->running && !may(info, user, 4)) {
        findings_add(findings, VERDICT_FAIL, check, NULL, "The daemon's user cannot read %s.", path);
        findings_remedy(findings, "chgrp deskbell %s && chmod 0640 %s; or let the unit load it (LoadCredential=).",
                        path, path);
    } else if (info->st_mode & 0020) {
        findings_add(findings, VERDICT_WARN, check, NULL, "%s can be changed by its whole group.", path);
        findings_remedy(findings, "chmod 0640 %s", path);
    } else if (user->known && !user->asks && info->st_uid == user->uid && info->st_mode & 0200) {
        findings_add(findings, VERDICT_WARN, check, NULL, "The daemon's own user could change %s.", path);
        findings_remedy(findings, "chown root:deskbell %s && chmod 0640 %s", path, path);
    }
}

bool judge_public_file(struct findings *findings, const char *path, const struct stat *info,
                       const struct judge_user *user)
{
    static const char check[] = "permissions";
    if (info->st_mode & 0002) {
        findings_add(findings, VERDICT_FAIL, check, NULL, "%s can be changed by every user of this machine.", path);
    } else if (user->known && !user->running && !may(info, user, 4)) {
        findings_add(findings, VERDICT_FAIL, check, NULL, "The daemon's user cannot read %s.", path);
    } else if (info->st_mode & 0020) {
        findings_add(findings, VERDICT_WARN, check, NULL, "%s can be changed by its whole group.", path);
    } else if (user->known && !user->asks && info->st_uid == user->uid && info->st_mode & 0200) {
        findings_add(findings, VERDICT_WARN, check, NULL, "The daemon's own user could change %s.", path);
        findings_remedy(findings, "chown root:root %s && chmod 0644 %s", path, path);
        return false;
    } else {
        return true;
    }
    findings_remedy(findings, "chmod 0644 %s", path);
    return false;
}

void judge_secret_folder(struct findings *findings, const char *path, const struct stat *info,
                         const struct judge_user *user)
{
    static const char check[] = "permissions";
    if (info->st_mode & 0002) {
        findings_add(findings, VERDICT_FAIL, check, NULL, "Every user of this machine can replace what is in %s.",
                     path);
        findings_remedy(findings, "chmod 0750 %s", path);
    } else if (user->known && !user->asks && may(info, user, 2)) {
        findings_add(findings, VERDICT_WARN, check, NULL, "The daemon's own user can replace what is in %s.", path);
        findings_remedy(findings, "chown root:deskbell %s && chmod 0750 %s", path, path);
    } else if (info->st_mode & 0004) {
        findings_add(findings, VERDICT_WARN, check, NULL, "Every user of this machine can see what is in %s.", path);
        findings_remedy(findings, "chmod 0750 %s", path);
    }
}

void judge_folder(struct findings *findings, const char *key, const char *path, const struct stat *info,
                  const struct judge_user *user)
{
    static const char check[] = "permissions";
    if (!S_ISDIR(info->st_mode)) {
        findings_add(findings, VERDICT_FAIL, check, "Name a folder there.", "%s: %s is no folder.", key, path);
    } else if (user->known && !may(info, user, 7)) {
        findings_add(findings, VERDICT_FAIL, check, NULL, "%s: the daemon's user cannot write to %s.", key, path);
        findings_remedy(findings, "chown -R deskbell:deskbell %s", path);
    } else if (info->st_mode & 0007) {
        findings_add(findings, VERDICT_WARN, check, NULL, "%s: every user of this machine may look into %s.", key,
                     path);
        findings_remedy(findings, "chmod o= %s", path);
    }
}

// ---- Deskbell's own addresses ---------------------------------------------------------------------------------------

void judge_webhook(struct findings *findings, const struct judge_webhook *asked, const struct echo *echo)
{
    const char *check = asked->through_proxy ? "public address" : "front";
    const char *proxy = asked->through_proxy
                            ? "See that the proxy passes /webhooks/ on to front.listen (examples: nginx.conf, "
                              "haproxy.cfg)."
                            : "See what else listens on front.listen.";
    bool names_it = strstr(echo->body, asked->header) != NULL || strstr(echo->body, "token is wrong") != NULL;
    if (echo->status == 401 && names_it && strstr(echo->body, "is missing"))
        findings_add(findings, VERDICT_FAIL, check, "Let the proxy pass all headers on.",
                     "%s reaches Deskbell, but the header %s does not.", asked->url, asked->header);
    else if (echo->status == 401 && names_it)
        findings_add(findings, VERDICT_OK, check, NULL, "%s answers, and refuses a wrong delivery.", asked->url);
    else if (echo->status == 503)
        findings_add(findings, VERDICT_FAIL, check, "See deskbellctl status and the log.",
                     "%s answers 503: it takes no events now.", asked->url);
    else if (echo->status)
        findings_add(findings, VERDICT_FAIL, check, proxy, "%s answers %ld, not as Deskbell does.", asked->url,
                     echo->status);
    else
        findings_add(findings, VERDICT_FAIL, check,
                     asked->through_proxy ? "See the name, the certificate, the firewall and whether the proxy runs."
                                          : "See systemctl status deskbell, and the log; where deskbell.socket is "
                                            "active, its address counts instead of "
                                            "front.listen.",
                     "%s does not answer: %s.", asked->url, echo->problem);
}

void judge_admin(struct findings *findings, const char *url, const struct echo *echo)
{
    static const char check[] = "admin address";
    if (echo->status == 200)
        findings_add(findings, VERDICT_OK, check, NULL, "%s says that it is ready.", url);
    else if (echo->status == 503)
        findings_add(findings, VERDICT_FAIL, check, "See deskbellctl status, and the log.", "%s says: %s", url,
                     echo->body);
    else if (echo->status)
        findings_add(findings, VERDICT_FAIL, check, "See what else listens on front.admin_listen.",
                     "%s answers %ld, not as Deskbell does.", url, echo->status);
    else
        findings_add(findings, VERDICT_FAIL, check,
                     "See front.admin_listen; where deskbell-admin.socket is active, its address counts instead.",
                     "%s does not answer: %s.", url, echo->problem);
}

void judge_admin_is_private(struct findings *findings, const char *url, const struct echo *echo)
{
    if (echo->status == 200 && strstr(echo->body, "deskbell"))
        findings_add(findings, VERDICT_FAIL, "public address",
                     "Let the proxy pass on only /webhooks/freshchat, /webhooks/freshdesk and, where they are used, "
                     "/widget.js, /callback.js, /callback and /support.",
                     "%s is open to everybody.", url);
}
