// SPDX-License-Identifier: Apache-2.0
// See listeners.h. deskbelld never accepts a connection on these itself.
#include "supervisor/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/log.h"

// The kernel's queue holds the newcomers of a whole change of fronts.
#define BACKLOG 4096
// sd_listen_fds(3): passed sockets begin here.
#define FIRST_PASSED_FD 3

static int open_one(const char *text, const char *key, char *why, size_t why_size)
{
    struct sockaddr_in address;
    int fd, on = 1;

    if (!config_listen_address(text, &address))
        abort(); // config_parse let it pass
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    snprintf(why, why_size, "cannot listen on %s (front.%s): %s", text, key, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool adopt(int fd, int *place, char *why, size_t why_size)
{
    int listening = 0, type = 0, family = 0;
    socklen_t len = sizeof listening;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_STREAM || *place >= 0) {
        snprintf(
            why, why_size,
            "descriptor %d from LISTEN_FDS is no listening stream socket, or one too many: pass at most two, named "
            "front and admin",
            fd);
        return false;
    }
    // CivetWeb would take its connections, and nobody could tell whose they are.
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) != 0 || (family != AF_INET && family != AF_UNIX)) {
        snprintf(why, why_size,
                 "descriptor %d from LISTEN_FDS is no IPv4 socket: write ListenStream=127.0.0.1:PORT in the socket "
                 "unit, or 0.0.0.0:PORT for all addresses",
                 fd);
        return false;
    }
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    *place = fd;
    return true;
}

// True when the index-th of "a:b:c" is `name`.
static bool name_is(const char *names, int index, const char *name)
{
    for (; names && index > 0; index--) {
        names = strchr(names, ':');
        names = names ? names + 1 : NULL;
    }
    return names && strcspn(names, ":") == strlen(name) && strncmp(names, name, strlen(name)) == 0;
}

static bool adopt_passed(struct listeners *listeners, char *why, size_t why_size)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
    int count = fds ? atoi(fds) : 0;

    if (!pid || strtol(pid, NULL, 10) != getpid() || count <= 0)
        return true;
    for (int i = 0; i < count; i++) {
        bool admin = name_is(names, i, "admin") || (!name_is(names, i, "front") && i == 1);
        if (!adopt(FIRST_PASSED_FD + i, admin ? &listeners->admin : &listeners->front, why, why_size))
            return false;
    }
    listeners->front_passed = listeners->front >= 0;
    listeners->admin_passed = listeners->admin >= 0;
    return true;
}

static void log_one(const char *role, int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    char host[INET_ADDRSTRLEN] = "";

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0 || address.sin_family != AF_INET ||
        !inet_ntop(AF_INET, &address.sin_addr, host, sizeof host))
        log_info("listening", "role=%s passed=1", role);
    else
        log_info("listening", "role=%s address=%s port=%u", role, host, ntohs(address.sin_port));
}

bool listeners_open(struct listeners *listeners, const struct config_front *config, char *why, size_t why_size)
{
    *listeners = (struct listeners){.front = -1, .admin = -1};
    if (!adopt_passed(listeners, why, why_size) ||
        (listeners->front < 0 && (listeners->front = open_one(config->listen, "listen", why, why_size)) < 0) ||
        (listeners->admin < 0 &&
         (listeners->admin = open_one(config->admin_listen, "admin_listen", why, why_size)) < 0)) {
        listeners_close(listeners);
        return false;
    }
    log_one("front", listeners->front);
    log_one("admin", listeners->admin);
    return true;
}

static int another_descriptor(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy < 0)
        log_error("listener_not_copied", "error=%s", strerror(errno));
    return copy;
}

// The socket for this address: one that is open already, by whichever name it had, or a new one.
static int follow_one(const char *text, const char *key, const char *const old_texts[2], const int old_fds[2],
                      char *why, size_t why_size)
{
    for (int i = 0; i < 2; i++) {
        if (old_texts[i] && strcmp(text, old_texts[i]) == 0)
            return another_descriptor(old_fds[i]);
    }
    int fd = open_one(text, key, why, why_size);
    size_t len = strlen(why);
    for (int i = 0; fd < 0 && i < 2; i++) {
        const char *port = strrchr(text, ':');
        if (old_texts[i] && strcmp(strrchr(old_texts[i], ':'), port) == 0)
            snprintf(why + len, why_size - len, "; %s, which is open, has that port: take another one or restart",
                     old_texts[i]);
    }
    return fd;
}

bool listeners_follow(struct listeners *listeners, const struct config_front *config, const struct listeners *before,
                      const struct config_front *config_before, char *why, size_t why_size)
{
    // What systemd passed has systemd's address, whatever the configuration says.
    const char *front = before->front_passed ? NULL : config_before->listen;
    const char *admin = before->admin_passed ? NULL : config_before->admin_listen;

    *listeners = *before;
    snprintf(why, why_size, "the listening sockets cannot be kept: %s", strerror(EMFILE));
    listeners->front = before->front_passed ? another_descriptor(before->front)
                                            : follow_one(config->listen, "listen", (const char *const[]){front, admin},
                                                         (const int[]){before->front, before->admin}, why, why_size);
    listeners->admin = before->admin_passed || listeners->front < 0
                           ? another_descriptor(before->admin)
                           : follow_one(config->admin_listen, "admin_listen", (const char *const[]){admin, front},
                                        (const int[]){before->admin, before->front}, why, why_size);
    if (listeners->front < 0 || listeners->admin < 0) {
        listeners_close(listeners);
        return false;
    }
    why[0] = '\0';
    if (strcmp(config->listen, config_before->listen) != 0)
        log_one("front", listeners->front);
    if (strcmp(config->admin_listen, config_before->admin_listen) != 0)
        log_one("admin", listeners->admin);
    return true;
}

void listeners_revive(const struct listeners *listeners)
{
    if ((listeners->front >= 0 && listen(listeners->front, BACKLOG) != 0) ||
        (listeners->admin >= 0 && listen(listeners->admin, BACKLOG) != 0))
        log_warn("listener_not_revived", "error=%s", strerror(errno));
}

void listeners_close(struct listeners *listeners)
{
    if (listeners->front >= 0)
        close(listeners->front);
    if (listeners->admin >= 0)
        close(listeners->admin);
    *listeners = (struct listeners){.front = -1, .admin = -1};
}
