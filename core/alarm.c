/* SPDX-License-Identifier: Apache-2.0 */
/* The timer that rings although the machine has slept. */
#include "core/alarm.h"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static void ring(struct muses_watch *w, uint32_t ready)
{
	struct core_alarm *a = muses_container(w, struct core_alarm, watch);
	uint64_t times;

	/* The loop looks at its timers in any case: there is nothing else to do. */
	(void)ready;
	if (read(a->fd, &times, sizeof(times)) == sizeof(times))
		a->due_ns = UINT64_MAX;
	muses_watch_drained(w, MUSES_READABLE);
}

int core_alarm_open(struct core_alarm *a, struct core_poll *poll)
{
	*a = (struct core_alarm){ .due_ns = UINT64_MAX };
	a->fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (a->fd < 0)
		return 0;
	a->watch = (struct muses_watch){
		.fire = ring,
		.fd = a->fd,
		.wanted = MUSES_READABLE,
	};
	return core_poll_add(poll, &a->watch);
}

void core_alarm_close(struct core_alarm *a)
{
	muses_watch_close(&a->watch);
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

void core_alarm_set(struct core_alarm *a, uint64_t due_ns)
{
	struct itimerspec at = {
		.it_value = {
			.tv_sec = (time_t)(due_ns / MUSES_S),
			.tv_nsec = (long)(due_ns % MUSES_S),
		},
	};

	if (a->fd < 0 || due_ns >= a->due_ns)
		return;
	if (timerfd_settime(a->fd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
		a->due_ns = due_ns;
}
