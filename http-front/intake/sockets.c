// SPDX-License-Identifier: Apache-2.0
// Finding sockets of this process that a library keeps to itself. Not for the fast path: about 0.1 us per descriptor.
#include "http-front/intake/sockets.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_DESCRIPTORS 65536

int sockets_descriptors_end(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > MOST_DESCRIPTORS)
        return MOST_DESCRIPTORS;
    return (int)limit.rlim_cur;
}

static bool local_address(int fd, struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    return !getsockname(fd, (struct sockaddr *)address, &size) && address->sin_family == AF_INET;
}

static bool remote_address(int fd, struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    return !getpeername(fd, (struct sockaddr *)address, &size) && address->sin_family == AF_INET;
}

int sockets_find_listener(struct in_addr address, uint16_t port)
{
    int end = sockets_descriptors_end();
    for (int fd = 0; fd < end; fd++) {
        struct sockaddr_in local;
        int listening = 0;
        socklen_t size = sizeof listening;
        if (local_address(fd, &local) && ntohs(local.sin_port) == port && local.sin_addr.s_addr == address.s_addr &&
            !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) && listening)
            return fd;
    }
    return -1;
}

int sockets_find_connection(struct in_addr remote, uint16_t remote_port, uint16_t local_port)
{
    int end = sockets_descriptors_end();
    for (int fd = 0; fd < end; fd++) {
        struct sockaddr_in there, here;
        if (remote_address(fd, &there) && ntohs(there.sin_port) == remote_port &&
            there.sin_addr.s_addr == remote.s_addr && local_address(fd, &here) && ntohs(here.sin_port) == local_port)
            return fd;
    }
    return -1;
}

size_t sockets_count_connections(uint16_t local_port)
{
    size_t count = 0;
    int end = sockets_descriptors_end();
    for (int fd = 0; fd < end; fd++) {
        struct sockaddr_in here;
        int listening = 0;
        socklen_t size = sizeof listening;
        // A connection that its sender has reset has no peer any more, but a thread may still be answering it: so this
        // asks whether the socket listens, not whether it has a peer.
        if (local_address(fd, &here) && ntohs(here.sin_port) == local_port &&
            !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) && !listening)
            count++;
    }
    return count;
}

uint16_t sockets_port(int fd)
{
    struct sockaddr_in here;
    return local_address(fd, &here) ? ntohs(here.sin_port) : 0;
}

void sockets_each_connection(uint16_t local_port,
                             void (*each)(void *arg, int fd, struct in_addr remote, uint16_t remote_port), void *arg)
{
    int end = sockets_descriptors_end();
    for (int fd = 0; fd < end; fd++) {
        struct sockaddr_in here, there;
        if (local_address(fd, &here) && ntohs(here.sin_port) == local_port && remote_address(fd, &there))
            each(arg, fd, there.sin_addr, ntohs(there.sin_port));
    }
}

static bool end_reading(int fd, struct in_addr remote, uint16_t remote_port, bool if_idle)
{
    // Another number for the same connection: the first may be closed, and used again, at any moment.
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    struct sockaddr_in there;
    int unread = 0;
    bool ended = own >= 0 && remote_address(own, &there) && there.sin_addr.s_addr == remote.s_addr &&
                 ntohs(there.sin_port) == remote_port &&
                 (!if_idle || (ioctl(own, FIONREAD, &unread) == 0 && unread == 0)) && shutdown(own, SHUT_RD) == 0;
    if (own >= 0)
        close(own);
    return ended;
}

bool sockets_end_if_idle(int fd, struct in_addr remote, uint16_t remote_port)
{
    return end_reading(fd, remote, remote_port, true);
}

bool sockets_end_reading(int fd, struct in_addr remote, uint16_t remote_port)
{
    return end_reading(fd, remote, remote_port, false);
}
