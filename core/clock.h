/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdint.h>

/* The only caller of clock_gettime(): CLOCK_BOOTTIME (monotonic where there is
 * none) and CLOCK_REALTIME, in nanoseconds. */
uint64_t core_clock_now(void);
uint64_t core_clock_wall(void);

#endif
