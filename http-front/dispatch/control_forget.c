// SPDX-License-Identifier: Apache-2.0
// `deskbellctl forget`: begins, and tells how it stands. Dispatcher's thread; the work is in forget.c.
#include <string.h>

#include "http-front/dispatch/control_commands.h"

json_t *control_forget(struct dispatcher *self, struct control_call *call)
{
    bool dry_run = strcmp(call->arguments[1], "dry-run") == 0;
    const struct backup *backup = *control_backup_slot(self->console);
    if (*call->arguments[1] && !dry_run)
        return control_refuse(call, "\"%.40s\" is neither empty nor dry-run.", call->arguments[1]);
    if (!dry_run && backup && control_backup_runs(backup))
        return control_refuse(call,
                              "A backup is being made, which would keep what is to be forgotten; try again when it "
                              "is done.");
    if (!forget_begin(self, call->arguments[0], dry_run, call->why, sizeof call->why))
        return NULL;
    return json_pack("{s:b}", "finished", 0);
}

json_t *control_forget_last(struct dispatcher *self, struct control_call *call)
{
    return forget_told(self, call->why, sizeof call->why);
}
