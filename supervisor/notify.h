// SPDX-License-Identifier: Apache-2.0
// What systemd is told (sd_notify(3)), by hand: one datagram to $NOTIFY_SOCKET. Without that variable nothing happens.
#ifndef DESKBELL_SUPERVISOR_NOTIFY_H
#define DESKBELL_SUPERVISOR_NOTIFY_H

#include <stdint.h>

// Sends one or more lines such as "READY=1\nSTATUS=...". A failure is logged and otherwise ignored.
void notify_send(const char *text);

// How often WATCHDOG=1 must be sent, in milliseconds, with a margin; 0: never ($WATCHDOG_USEC, $WATCHDOG_PID).
int64_t notify_watchdog_ms(void);

#endif
