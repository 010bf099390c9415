// SPDX-License-Identifier: Apache-2.0
// What the parts of doctor share: what is known so far, and the list that they add to. One thread, one run.
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H
#include <stdbool.h>
#include <sys/types.h>

#include "ctl/ask.h"
#include "ctl/findings.h"
#include "ctl/judge.h"
#include "proto/config.h"
#include "proto/secret.h"
#include "upstream/keys.h"

enum { DOCTOR_TOKENS = 8 };

struct doctor {
    const struct config *config;
    const char *runtime_dir;
    bool installed;         // the configuration is the installed one
    const char *public_url; // NULL: not given
    const char *key_file;   // an administrator's; NULL: not given
    struct findings *findings;

    struct secret *keys[UPSTREAMS];       // the API keys that could be read; NULL: not
    struct secret *tokens[DOCTOR_TOKENS]; // the webhook tokens that could be read, in order
    size_t token_count;

    struct judge_user user;
    pid_t front; // 0: deskbelld does not answer
};

/** Reads the secret files that the configuration names, without a finding. Files that cannot be read stay NULL. */
void doctor_read_secrets(struct doctor *self);
void doctor_free_secrets(struct doctor *self);

// The parts, in the order in which they are told.
void doctor_files(struct doctor *self);   // secrets and keys: there, readable, not open to others
void doctor_account(struct doctor *self); // what the two products say: keys, fields, rule, clock
void doctor_daemon(struct doctor *self);  // what the running deskbelld says, and its addresses
void doctor_host(struct doctor *self);    // folders, disk, limits, who asks

/** Asks the running deskbelld whether it is there; fills `front`. */
void doctor_meet(struct doctor *self);

/** True when the file exists and this user may not read it, which is nobody's mistake. */
bool doctor_may_not_read(const char *path);
#endif
