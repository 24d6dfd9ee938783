/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ADDRESS_H
#define CORE_ADDRESS_H

#include <muses/plugin.h>

#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/*
 * Where the node's own sockets are: forwards, services, the control socket.
 *
 *   "127.0.0.1:2222"   IPv4
 *   "[::1]:2222"       IPv6
 *   "unix:PATH"        a Unix stream socket; a relative PATH starts at a folder
 *
 * Numbers only: looking a host name up could block the loop, and would let
 * whoever answers decide where an application's bytes go.
 *
 * A PATH may be longer than sockaddr_un holds (107 characters): its folder is
 * then opened and reached through /proc/self/fd.  Nothing is ever cut short.
 */
enum core_address_use {
	CORE_ADDRESS_LISTEN = 0, /* Port 0: the system chooses. */
	CORE_ADDRESS_CONNECT,    /* Port 0 is refused. */
};

#define CORE_ADDRESS_PATH_MAX 4095

struct core_address {
	int family; /* AF_INET, AF_INET6, AF_UNIX */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} ip;
	char path[CORE_ADDRESS_PATH_MAX + 1]; /* AF_UNIX: absolute, or as given. */
};

/* The text form, "unix:" and path included, always fits. */
#define CORE_ADDRESS_TEXT_SIZE (CORE_ADDRESS_PATH_MAX + 8)

/* Pure.  folder: where a relative PATH starts; NULL: leave it as it is.  0, or
 * MUSES_ECONFIG and a sentence about text in why. */
int core_address_parse(struct core_address *a, const char *text, enum core_address_use use,
                       const char *folder, char *why, size_t why_size);
/* The same for a path without "unix:": the control socket. */
int core_address_from_path(struct core_address *a, const char *path, const char *folder,
                           char *why, size_t why_size);
void core_address_text(const struct core_address *a, char *text, size_t size);
/* Does it stay on this machine? */
bool core_address_local(const struct core_address *a);

/* A listening descriptor, non-blocking and close-on-exec; MUSES_ESYSTEM and why
 * otherwise.  A Unix socket gets mode 0600.  Something that stands at its path is
 * removed only if it is a socket of ours and nobody answers on it. */
int core_address_listen(const struct core_address *a, int backlog, char *why,
                        size_t why_size);
/* Where fd listens: the port that the system has chosen. */
void core_address_bound(int fd, const struct core_address *a, char *text, size_t size);
/* Remove the path of a Unix socket that listens on fd, unless something else
 * stands there by now.  Before fd is closed; fine for other families. */
void core_address_unlisten(const struct core_address *a, int fd);

/* A descriptor that connects, non-blocking and close-on-exec; *connecting: not
 * yet connected (becomes writable, then SO_ERROR tells).  MUSES_EREFUSED (nobody
 * listens), MUSES_EAGAIN (a full backlog: try later) or MUSES_ESYSTEM, with
 * why. */
int core_address_connect(const struct core_address *a, bool *connecting, char *why,
                         size_t why_size);

#endif
