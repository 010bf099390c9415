// SPDX-License-Identifier: Apache-2.0
// The files that the sandbox's program leaves for a Deskbell that is to talk to it, and a whole folder to try one in.
#pragma once
#include "sandbox.h"

// The secret in that file of the folder (NULL: no folder), or a new one. The caller frees it.
char *state_secret(const char *folder, const char *name);
// Whole or not at all: a reader never sees half a secret. False with a line on stderr.
bool state_write_file(const char *folder, const char *name, const char *text);
// Keys, tokens, the agent's id and the address, mode 0600; a NULL folder is fine. False with a line on stderr.
bool state_write(const char *folder, struct sandbox *sb, const char *context_key);
// Makes a folder for this user alone, unless it is there. False with a line on stderr.
bool state_folder(const char *path);
// http://127.0.0.1:PORT
void state_base_url(struct sandbox *sb, char url[64]);

// ---------------------------------------------------------------- a trial: configuration, credentials, folders
// Where that Deskbell listens, at the sandbox's own host.
#define STATE_TRIAL_FRONT "8180"
#define STATE_TRIAL_ADMIN "9564"

// Whether a trial can live in that folder: an absolute path, short enough for sockets. False with a line on stderr.
bool state_trial_folder(const char *folder);
// Makes everything below it anew but the tokens, and prints what to do next. False with a line on stderr.
bool state_trial(const char *folder, struct sandbox *sb, const char *context_key, bool bare);
