/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONTROLCLIENT_H
#define CORE_CONTROLCLIENT_H

#include "core/control.h"

/*
 * Between core/control.c, which moves lines, and core/controlverb.c, which knows
 * what they mean.
 */
struct core_control_out;    /* A line that waits to be sent. */
struct core_control_stream; /* A connection made or received for a client. */
struct core_control_taken;  /* A service that a client serves. */

struct core_control_client {
	struct core_control *control;
	struct core_control_client *next, **link;
	struct muses_watch watch;
	struct muses_task flush;
	struct muses_timer slow; /* Armed while something waits to be sent. */
	struct core_control_out *first, **last;
	size_t out_bytes;
	char *line; /* What came and is not a whole line yet. */
	size_t size;
	int fd;
	bool doomed; /* Dropped at the end of this turn. */
	struct core_control_stream *streams;
	struct core_control_taken *taken;
	uint64_t numbers; /* Of streams, given so far. */
};

struct core_control {
	struct core_env *env;
	struct core_lcm *lcm;
	struct core_control_host host;
	struct core_address *at;
	struct muses_watch watch;
	struct core_control_client *clients;
	size_t count;
	int fd;
};

/* Queue object (taken over; NULL dooms the client: out of memory) for the client,
 * with descriptor fd (taken over) unless it is -1. */
void core_control_say(struct core_control_client *c, json_t *object, int fd);
/* Is so much waiting for this client that it gets no more events? */
bool core_control_choked(const struct core_control_client *c);
/* line is one request, without its end. */
void core_control_request(struct core_control_client *c, const char *line, size_t size);
/* c is about to go: let go of its streams and services. */
void core_control_release(struct core_control_client *c);
/* See core_control_session_changed(). */
void core_control_client_news(struct core_control_client *c,
                              const struct core_session *session);

#endif
