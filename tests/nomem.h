/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_NOMEM_H
#define TESTS_NOMEM_H

#include <stdbool.h>

/*
 * Every allocation has failed once: run a scenario again and again, with the
 * first allocation failing, then the second, and so on, until one run needs no
 * more.  Under valgrind or ASan, whatever a failure leaves behind is seen; what
 * was not given back, memory or descriptor, is seen everywhere.
 *
 * The scenario opens, uses and closes all it needs and returns true if it got
 * all it wanted.  It may survive a failure (and return true), but it must not
 * return false when nothing failed.
 */
typedef bool nomem_fn(void *user);

/* Returns how many allocations were made to fail.  Complains through CUnit. */
unsigned nomem_run(nomem_fn *scenario, void *user);

#endif
