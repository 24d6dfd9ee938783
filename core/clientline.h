/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CLIENTLINE_H
#define CORE_CLIENTLINE_H

#include <muses/client.h>

#include <jansson.h>

/*
 * Under the client API: lines to and from the control socket, and the
 * descriptors that come with them.
 */
#define CORE_CLIENT_ANSWER_MS   10000 /* A node that lives answers at once. */
#define CORE_CLIENT_DESCRIPTORS 64    /* Received, not yet matched with their line. */

/* A descriptor handed out, for events. */
struct core_client_handed {
	struct core_client_handed *next;
	json_int_t stream;
	int fd;
};

/* An event that came while something else was asked. */
struct core_client_kept {
	struct core_client_kept *next;
	json_t *object;
	int fd; /* Of an accept; else -1. */
};

struct muses_client {
	int fd;
	bool closed;
	json_int_t tag;
	char *line; /* Bytes received, from line[0] to line[size]. */
	size_t size, room;
	int descriptor[CORE_CLIENT_DESCRIPTORS];
	size_t descriptors;
	struct core_client_handed *handed;
	struct core_client_kept *events, *accepts;
	char why[512];
};

/* Set why and return err. */
int core_client_fail(struct muses_client *c, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
uint64_t core_client_now_ms(void);
/* Send request (taken over), keep the events that come, and return its answer in
 * *answer, on success alone.  0, what the node said, MUSES_ETIMEOUT, MUSES_ECLOSED,
 * MUSES_EUSAGE, MUSES_ENOMEM. */
int core_client_ask(struct muses_client *c, json_t *request, uint64_t wait_ms,
                    json_t **answer);
/* The descriptor that belongs to object, or -1. */
int core_client_descriptor(struct muses_client *c, const json_t *object);
/* Keep the events that have arrived, without waiting: 0, MUSES_ECLOSED,
 * MUSES_ENOMEM. */
int core_client_drain(struct muses_client *c);
/* Wait until something may have arrived: 0, MUSES_ETIMEOUT. */
int core_client_wait(struct muses_client *c, uint64_t until_ms);

#endif
