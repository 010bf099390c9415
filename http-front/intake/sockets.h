// SPDX-License-Identifier: Apache-2.0
// Finding sockets of this process that a library keeps to itself. Looks at every descriptor (up to 65536) and needs no
// /proc.
#ifndef HTTP_FRONT_INTAKE_SOCKETS_H
#define HTTP_FRONT_INTAKE_SOCKETS_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The socket that listens on this address, or -1. Ports are in host order. */
int sockets_find_listener(struct in_addr address, uint16_t port);
/** The connection from that remote address to that local port, or -1. */
int sockets_find_connection(struct in_addr remote, uint16_t remote_port, uint16_t local_port);
/** How many connections to a local port are open, those that no thread has looked at yet included. */
size_t sockets_count_connections(uint16_t local_port);
/** The local port of a socket, 0 when it has none. */
uint16_t sockets_port(int fd);

/** One more than the largest descriptor that the functions here look at. */
int sockets_descriptors_end(void);

/** Calls `each` for every connection of this process that came to that port of ours. */
void sockets_each_connection(uint16_t local_port,
                             void (*each)(void *arg, int fd, struct in_addr remote, uint16_t remote_port), void *arg);

/**
 * Ends the reading of the connection that `fd` was, if it still is that one and nothing waits in it to be read. True
 * when it did. Needs no lock: what another thread does with `fd` meanwhile hits nobody else.
 */
bool sockets_end_if_idle(int fd, struct in_addr remote, uint16_t remote_port);
/** The same, whatever waits in it. */
bool sockets_end_reading(int fd, struct in_addr remote, uint16_t remote_port);
#endif
