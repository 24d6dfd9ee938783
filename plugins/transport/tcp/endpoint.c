/* SPDX-License-Identifier: Apache-2.0 */
/* IP addresses with ports, as text and as sockets know them. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool parse_port(const char *text, uint16_t *port)
{
	unsigned value = 0;
	size_t length = strlen(text);

	if (length == 0 || length > 5 || strspn(text, "0123456789") != length)
		return false;
	for (; *text != '\0'; text++)
		value = value * 10 + (unsigned)(*text - '0');
	if (value > 65535)
		return false;
	*port = htons((uint16_t)value);
	return true;
}

/* "fe80::1%eth0": link-local addresses need the interface. */
static bool parse_v6(struct endpoint *e, char *host)
{
	char *scope = strchr(host, '%');

	if (scope != NULL) {
		*scope++ = '\0';
		e->at.v6.sin6_scope_id = if_nametoindex(scope);
		if (e->at.v6.sin6_scope_id == 0)
			return false;
	}
	e->at.v6.sin6_family = AF_INET6;
	e->size = sizeof(e->at.v6);
	return inet_pton(AF_INET6, host, &e->at.v6.sin6_addr) == 1;
}

bool endpoint_parse(struct endpoint *e, const char *text, char *why, size_t why_size)
{
	const char *colon = strrchr(text, ':');
	char host[ENDPOINT_TEXT_SIZE];
	size_t length;
	bool fits;

	memset(e, 0, sizeof(*e));
	length = colon != NULL ? (size_t)(colon - text) : 0;
	if (colon == NULL || length == 0 || length >= sizeof(host)) {
		snprintf(why, why_size,
		         "want ADDRESS:PORT, like 192.0.2.1:7000 or [::1]:7000");
		return false;
	}
	memcpy(host, text, length);
	host[length] = '\0';
	if (host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		fits = parse_v6(e, host + 1);
	} else {
		e->at.v4.sin_family = AF_INET;
		e->size = sizeof(e->at.v4);
		fits = inet_pton(AF_INET, host, &e->at.v4.sin_addr) == 1;
	}
	if (!fits) {
		snprintf(why, why_size,
		         "want the number of a host and not its name, like "
		         "192.0.2.1:7000 or "
		         "[::1]:7000");
		return false;
	}
	if (!parse_port(colon + 1, e->at.any.sa_family == AF_INET
	                                   ? &e->at.v4.sin_port
	                                   : &e->at.v6.sin6_port)) {
		snprintf(why, why_size,
		         "want a port from 0 to 65535 behind the last colon");
		return false;
	}
	return true;
}

unsigned endpoint_port(const struct endpoint *e)
{
	return ntohs(e->at.any.sa_family == AF_INET ? e->at.v4.sin_port
	                                            : e->at.v6.sin6_port);
}

void endpoint_text(const struct endpoint *e, char text[static ENDPOINT_TEXT_SIZE])
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (e->at.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &e->at.v4.sin_addr, host, sizeof(host));
		snprintf(text, ENDPOINT_TEXT_SIZE, "%s:%u", host, endpoint_port(e));
	} else {
		inet_ntop(AF_INET6, &e->at.v6.sin6_addr, host, sizeof(host));
		snprintf(text, ENDPOINT_TEXT_SIZE, "[%s]:%u", host, endpoint_port(e));
	}
}

bool endpoint_local(const struct endpoint *e)
{
	if (e->at.any.sa_family == AF_INET)
		return ntohl(e->at.v4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&e->at.v6.sin6_addr);
}

bool endpoint_same_host(const struct endpoint *e, const struct sockaddr *other)
{
	if (other->sa_family != e->at.any.sa_family)
		return false;
	if (other->sa_family == AF_INET)
		return ((const struct sockaddr_in *)(const void *)other)
		               ->sin_addr.s_addr == e->at.v4.sin_addr.s_addr;
	return memcmp(&((const struct sockaddr_in6 *)(const void *)other)->sin6_addr,
	              &e->at.v6.sin6_addr, sizeof(struct in6_addr)) == 0;
}
