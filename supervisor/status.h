// SPDX-License-Identifier: Apache-2.0
// What deskbelld says of itself: the line that systemd shows (STATUS=), and the full state in the log on USR2.
#ifndef DESKBELL_SUPERVISOR_STATUS_H
#define DESKBELL_SUPERVISOR_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/children.h"

// Zero it before use.
struct status {
    char complaint[1200]; // why the last reload was refused; "": it was not
    char told[1500];      // what systemd heard last
};

// The last reload was refused for this reason, which is said until the next one; "": it was not.
void status_complain(struct status *status, const char *why);

// Sends the line if it is another than the last.
void status_tell(struct status *status, const struct children *children, bool reloading);

// Writes everything to the log.
void status_write(const struct status *status, const struct children *children, const char *phase,
                  const char *reload_phase, int64_t now_ms);

#endif
