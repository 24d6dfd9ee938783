/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SRM_REHELLO_H
#define SRM_REHELLO_H

#include <stdint.h>

/*
 * When the next Re-Hello attempt goes: at once on news of the path, else after
 * first_ms, doubling to most_ms, each wait shortened by up to a fifth so that
 * many sessions on one relay do not ask together.
 *
 * At most four attempts at once, then news of the path causes one a second: it
 * is partly what strangers say.
 */
struct rehello {
	uint32_t first_ms;
	uint32_t most_ms;
	uint32_t wait_ms; /* After the next attempt. */
	uint64_t due_ns;  /* UINT64_MAX: none is wanted. */
	uint64_t paid_ns; /* Attempts so far are paid for by then, one a second. */
};

#define REHELLO_BURST        4
#define REHELLO_JITTER       200 /* Thousandths of a wait. */
#define REHELLO_SPACING_NS   UINT64_C(1000000000)

void srm_rehello_init(struct rehello *r, uint32_t first_ms, uint32_t most_ms);
/* The path has changed or is back: begin anew, at once. */
void srm_rehello_hurry(struct rehello *r, uint64_t now);
/* Attempts are wanted, from the usual first wait on; fine when they are
 * already. */
void srm_rehello_begin(struct rehello *r, uint64_t now);
/* An attempt goes out now.  jitter: 0 to REHELLO_JITTER, at random. */
void srm_rehello_attempted(struct rehello *r, uint64_t now, uint32_t jitter);
/* Answered: no more attempts. */
void srm_rehello_stop(struct rehello *r);

#endif
