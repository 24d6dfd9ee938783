/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_MS 250

static void wait_for(struct wire *w, short events)
{
	struct pollfd p[2] = { { .fd = w->fd, .events = events },
		               { .fd = w->also, .events = POLLIN } };
	int ready = poll(p, 2, IDLE_MS);

	if (w->idle != NULL && (ready <= 0 || p[1].revents != 0))
		w->idle(w->user);
}

bool wire_put(struct wire *w, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t put = send(w->fd, at, size, MSG_NOSIGNAL);

		if (put > 0) {
			at += put;
			size -= (size_t)put;
		} else if (errno == EAGAIN) {
			wait_for(w, POLLOUT);
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

bool wire_get(struct wire *w, void *data, size_t size)
{
	char *at = data;

	while (size > 0) {
		ssize_t got = recv(w->fd, at, size, 0);

		if (got > 0) {
			at += got;
			size -= (size_t)got;
		} else if (got == 0) {
			return false;
		} else if (errno == EAGAIN) {
			wait_for(w, POLLIN);
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

bool wire_send(struct wire *w, const struct transfer_message *m)
{
	uint8_t message[TRANSFER_HEAD + TRANSFER_BODY_MAX];

	return wire_put(w, message, transfer_write(m, message));
}

bool wire_receive(struct wire *w, struct transfer_message *m)
{
	uint8_t message[TRANSFER_HEAD + TRANSFER_BODY_MAX];
	size_t body_size;

	return wire_get(w, message, TRANSFER_HEAD) &&
	       transfer_read_head(message, &body_size) &&
	       wire_get(w, message + TRANSFER_HEAD, body_size) &&
	       transfer_read(message, TRANSFER_HEAD + body_size, m);
}

bool wire_more(struct wire *w)
{
	char byte;

	for (;;) {
		ssize_t got = recv(w->fd, &byte, 1, MSG_PEEK);

		if (got > 0)
			return true;
		if (got == 0 || (errno != EAGAIN && errno != EINTR))
			return false;
		wait_for(w, POLLIN);
	}
}
