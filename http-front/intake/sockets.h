// SPDX-License-Identifier: Apache-2.0
// Finding sockets of this process that a library keeps to itself. Looks at every descriptor (up to 65536) and needs no
// /proc.
#ifndef HTTP_FRONT_INTAKE_SOCKETS_H
#define HTTP_FRONT_INTAKE_SOCKETS_H
#include <netinet/in.h>
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
#endif
