/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_POLL_H
#define CORE_POLL_H

#include <muses/plugin.h>

/*
 * Watched descriptors: the loop's other half (muses_watch_* work on this).
 *
 * The kernel tells each change once; what it told stands in muses_watch.ready
 * until the owner says drained.  Always true: a watch is in the list of ready
 * ones if and only if (ready & (wanted | MUSES_HUNG)) is not 0.
 */
struct core_poll {
	int fd;                     /* Of epoll. */
	struct muses_watch **watch; /* By descriptor; NULL: not watched. */
	size_t room;
	size_t count;                      /* Open watches. */
	struct muses_watch *first, **last; /* Ready ones. */
	struct muses_watch mark;           /* Where this turn's ones end. */
};

/* 0, MUSES_ENOMEM, MUSES_ESYSTEM. */
int core_poll_open(struct core_poll *p) MUSES_CHECKED;
/* Closes what is still open. */
void core_poll_close(struct core_poll *p);
int core_poll_add(struct core_poll *p, struct muses_watch *w) MUSES_CHECKED;
/* Learn what became ready; wait at most wait_ns for it (UINT64_MAX: as long as it
 * takes). */
void core_poll_wait(struct core_poll *p, uint64_t wait_ns);
/* Fire each ready watch once; returns how many. */
size_t core_poll_fire(struct core_poll *p);
/* Close the watches of layer; returns how many. */
size_t core_poll_forget(struct core_poll *p, const struct muses_layer *layer);

static inline bool core_poll_ready(const struct core_poll *p)
{
	return p->first != NULL;
}

#endif
