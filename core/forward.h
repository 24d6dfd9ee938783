/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FORWARD_H
#define CORE_FORWARD_H

#include "core/config.h"
#include "core/env.h"

/*
 * The part of LCM that applications come to: listeners, each for one service of
 * one peer.  A reload opens everything new before it gives up anything old, so a
 * mistake in the file changes nothing.
 */
struct core_listener;

struct core_forwards {
	struct core_env *env;
	struct core_listener *first;
	struct muses_timer breathe;
	void *owner;
	/* May another connection be accepted?  If not, core_forwards_resume() will
	 * follow. */
	bool (*room)(void *owner);
	/* An application connected to the listener at listen; takes fd over. */
	void (*accepted)(void *owner, int fd, const char *listen, const char *to,
	                 const char *service);
};

void core_forwards_init(struct core_forwards *all, struct core_env *env);
void core_forwards_close(struct core_forwards *all);
/* A list made from the configuration, not yet in use.  Addresses that all has
 * already are not opened again.  0, MUSES_ECONFIG, MUSES_ESYSTEM with why,
 * MUSES_ENOMEM. */
int core_forwards_make(const struct core_forwards *all, struct core_listener **list,
                       const struct core_forward *forward, size_t count,
                       const char *folder, char *why, size_t why_size);
void core_forwards_free(struct core_listener *list);
/* From now on list (taken over) it is. */
void core_forwards_use(struct core_forwards *all, struct core_listener *list);
/* There is room again. */
void core_forwards_resume(struct core_forwards *all);
/* Array of { listen, to, service }. */
json_t *core_forwards_info(const struct core_forwards *all);

#endif
