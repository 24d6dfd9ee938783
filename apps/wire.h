/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APPS_WIRE_H
#define APPS_WIRE_H

#include "apps/transfer.h"

/*
 * The stream of a file transfer, for both ends: whole messages, whole blocks, and
 * somebody to ask while it waits.  The descriptor is non-blocking.
 */
struct wire {
	int fd;
	/* Called about every quarter of a second while nothing moves, and when also is
	 * readable; may be NULL. */
	void (*idle)(void *user);
	void *user;
	int also; /* -1: nothing. */
};

/* All size bytes, however long it takes; false: the stream has ended. */
bool wire_put(struct wire *w, const void *data, size_t size);
bool wire_get(struct wire *w, void *data, size_t size);
bool wire_send(struct wire *w, const struct transfer_message *m);
/* The next message; false: the stream has ended, or what came is none. */
bool wire_receive(struct wire *w, struct transfer_message *m);
/* Wait for the first byte of the next message; false: the peer has finished. */
bool wire_more(struct wire *w);

#endif
