/* SPDX-License-Identifier: Apache-2.0 */
/* The few lines of systemd's protocol that a node needs; see sd_notify(3). */
#include "apps/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t length = path == NULL ? 0 : strlen(path);
	struct timespec t;
	char text[100];
	int fd;

	if (length < 2 || length > sizeof(to.sun_path) ||
	    (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, length);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	/* RELOADING wants the time, so that a READY that crossed it is not taken for
	 * its answer. */
	clock_gettime(CLOCK_MONOTONIC, &t);
	snprintf(text, sizeof(text), "%s\nMONOTONIC_USEC=%lld", state,
	         (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
	              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	close(fd);
}
