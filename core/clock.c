/* SPDX-License-Identifier: Apache-2.0 */
/* The system's clocks.  Everything else asks the loop, which asks here once a turn. */
#include "core/clock.h"

#include <time.h>

static uint64_t nanoseconds(const struct timespec *at)
{
	return (uint64_t)at->tv_sec * UINT64_C(1000000000) + (uint64_t)at->tv_nsec;
}

uint64_t core_clock_now(void)
{
	struct timespec at = { 0 };

	/* Boot time goes on while the machine sleeps: a laptop that wakes up must see
	 * that its timers are long due. */
	if (clock_gettime(CLOCK_BOOTTIME, &at) != 0)
		clock_gettime(CLOCK_MONOTONIC, &at);
	return nanoseconds(&at);
}

uint64_t core_clock_wall(void)
{
	struct timespec at = { 0 };

	clock_gettime(CLOCK_REALTIME, &at);
	return nanoseconds(&at);
}
