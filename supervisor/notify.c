// SPDX-License-Identifier: Apache-2.0
// See notify.h. By hand, since libsystemd would be the only other library deskbelld links.
#include "supervisor/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/log.h"

void notify_send(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    socklen_t address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    int fd;

    if (len == 0 || (path[0] != '/' && path[0] != '@') || len >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, len);
    // An @ stands for the NUL byte of an abstract socket.
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, address_len) < 0)
        log_warn("notify_failed", "error=%s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

int64_t notify_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    long long interval = usec ? atoll(usec) : 0;

    if (interval <= 0 || (pid && strtol(pid, NULL, 10) != getpid()))
        return 0;
    // Half of it is what sd_watchdog_enabled(3) recommends.
    return interval / 2000 > 0 ? interval / 2000 : 1;
}
