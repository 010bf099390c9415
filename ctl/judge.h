// SPDX-License-Identifier: Apache-2.0
// What an answer, a number or a file's mode means for an operator. Pure functions: facts in, findings out; those about
// ticket fields and the reply rule are in desk_fields.h and desk_rule.h.
#ifndef CTL_JUDGE_H
#define CTL_JUDGE_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "ctl/ask.h"
#include "ctl/findings.h"

/** A key that was tried: works, is refused (401, 403), or nobody could be reached. `key` is its name in the
 * configuration, `check` the finding's. True when it works. */
bool judge_credential(struct findings *findings, const char *check, const char *key, const struct reply *reply);

// The two signs of an account whose chat is built into Freshdesk (freshworks-api 3.8).
struct judge_generation {
    enum answer chat; // of the Freshchat API; ANSWER_OK: there is one
    long chat_status;
    bool chat_asked;
    bool ticket_seen; // a ticket could be looked at
    bool structured;  // it had structured_description, as only such accounts have
};
void judge_generation(struct findings *findings, const struct judge_generation *facts);

/** `tickets`: the newest first, as GET /tickets lists them; NULL with the reason where they could not be read. */
void judge_native_link(struct findings *findings, const json_t *tickets, const char *conversation_field, int64_t now_ms,
                       const char *problem);

/** Whether the thing that an id in the configuration names exists. `what`: "group 17". `sure`: the interface is known
 * to tell of such things, so that 404 means that there is none. */
void judge_named(struct findings *findings, const char *check, const char *what, bool sure, const struct reply *reply);

/** The Freshchat agent of freshchat.agent_id; `reply` NULL: none is configured. */
void judge_chat_agent(struct findings *findings, const struct reply *reply);
/** What GET /agents/me says of the owner of the Freshdesk key. */
void judge_desk_agent(struct findings *findings, const json_t *agent);

void judge_clock(struct findings *findings, const char *upstream, bool known, int64_t ahead_ms);
void judge_disk(struct findings *findings, const char *folder, uint64_t free_bytes, int64_t least_bytes);
/** `limit` 0: not known. `whose`: "the running front's", "this shell's". */
void judge_descriptors(struct findings *findings, const char *whose, uint64_t limit, int64_t threads,
                       int64_t in_flight);

// Who the daemon runs as.
struct judge_user {
    bool known;   // the system has that user; false: deskbelld runs as whoever starts it
    bool running; // deskbelld runs, so it could read what it must (perhaps by LoadCredential)
    bool asks;    // it is the one who asks
    uid_t uid;
    gid_t gid;
};

/** A file with a secret: must be readable by the daemon's user and closed to others. */
void judge_secret_file(struct findings *findings, const char *path, const struct stat *info,
                       const struct judge_user *user);
/** A file that is no secret but decides whom to trust (a public key, certificates): the daemon's user must be able to
 * read it, and others not to change it. True when nothing was said. */
bool judge_public_file(struct findings *findings, const char *path, const struct stat *info,
                       const struct judge_user *user);
/** The folder that a secret is in: nobody else may put another in its place. */
void judge_secret_folder(struct findings *findings, const char *path, const struct stat *info,
                         const struct judge_user *user);
/** A folder of the daemon's: its owner, and closed to others. */
void judge_folder(struct findings *findings, const char *key, const char *path, const struct stat *info,
                  const struct judge_user *user);

// Which of Deskbell's webhook addresses answered, and where.
struct judge_webhook {
    const char *url;
    const char *header; // that was sent along with a wrong value
    bool through_proxy;
};
/** What came back when a delivery with a wrong signature or token was posted: Deskbell must refuse it with 401. */
void judge_webhook(struct findings *findings, const struct judge_webhook *asked, const struct echo *echo);
/** What came back when the admin address was asked for /readyz. */
void judge_admin(struct findings *findings, const char *url, const struct echo *echo);
/** What came back when /metrics was asked for at the public address: it should not be there. */
void judge_admin_is_private(struct findings *findings, const char *url, const struct echo *echo);
#endif
