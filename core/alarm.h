/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ALARM_H
#define CORE_ALARM_H

#include "core/poll.h"

/*
 * Wakes a real loop when the machine does.
 *
 * epoll's own waiting stands still while the machine sleeps, our timers do not:
 * a laptop that wakes with a timer 20 s away, and slept an hour, must not wait
 * those 20 s out.  So for timers that are not near, a timerfd on the clock that
 * goes on is among the watched descriptors.  It is set anew only when it rings
 * or would ring too late, so it costs next to nothing.
 *
 * A system without such a timer has none, and wakes late.
 */
struct core_alarm {
	struct muses_watch watch;
	int fd; /* -1: none. */
	uint64_t due_ns; /* UINT64_MAX: not set. */
};

/* 0, MUSES_ENOMEM, MUSES_ESYSTEM; to be closed in any case. */
int core_alarm_open(struct core_alarm *a, struct core_poll *poll) MUSES_CHECKED;
void core_alarm_close(struct core_alarm *a);
/* The next timer is due then.  Never rings later. */
void core_alarm_set(struct core_alarm *a, uint64_t due_ns);

#endif
