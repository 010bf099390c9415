// SPDX-License-Identifier: Apache-2.0
// The latest picture of the front's state, as JSON. The dispatcher publishes it about once a second and on change; the
// admin listener serves it at GET /status. Any thread.
#ifndef HTTP_FRONT_ADMIN_STATUS_H
#define HTTP_FRONT_ADMIN_STATUS_H

/** Makes `json` (malloc'ed, NUL-terminated, ownership taken) the latest picture. NULL: none. */
void status_publish(char *json);
/** A copy of the latest picture, or of {} when there is none yet; freed with free(). */
char *status_latest(void);
#endif
