/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TCP_ENDPOINT_H
#define TCP_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/* "192.0.2.1:7000" or "[2001:db8::1]:7000".  Numbers only: looking up a name could
 * block the loop, and would let whoever answers decide whom we dial. */
struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at;
	socklen_t size;
};

/* "[", 45 characters of IPv6, "%", scope, "]:", port, terminator. */
#define ENDPOINT_TEXT_SIZE 72

/* On false, why holds a sentence without the text itself. */
bool endpoint_parse(struct endpoint *e, const char *text, char *why, size_t why_size);
void endpoint_text(const struct endpoint *e, char text[static ENDPOINT_TEXT_SIZE]);
unsigned endpoint_port(const struct endpoint *e);
/* Does it stay on this machine? */
bool endpoint_local(const struct endpoint *e);
/* The same address, whatever the port? */
bool endpoint_same_host(const struct endpoint *e, const struct sockaddr *other);

#endif
