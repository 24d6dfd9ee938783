/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SRM_SUSPECT_H
#define SRM_SUSPECT_H

#include "rehello.h"

#include <muses/reliability.h>

/*
 * Is the path gone, and what should be done about it?  Told facts, answers with
 * a verdict.
 *
 *                  answer overdue:               no answer to Re-Hello
 *                  SEND, then REHELLO            in max(5 PTO, 1 s)
 *      ESTABLISHED ------------------> SUSPECTED ----------------> SUSPENDED
 *         ^  ^  \      or path moved      |                         ^   |
 *         |  |   \________________________|___ path down __________/    |
 *         |  |___ resumed ________________/                             |
 *         |______ resumed ____________________ REHELLO again and again _|
 *
 * While nothing waits for an answer nothing is ever due in ESTABLISHED.  The
 * phase is the core's; this follows what phase() says, and only runs ahead of
 * it between a verdict and the core's word on it.
 */
struct suspect_config {
	uint32_t suspect_ms; /* Silence before the first Re-Hello, at least. */
	uint32_t give_up_s;  /* 0: never. */
};

struct suspect {
	enum muses_phase phase;
	bool down;              /* No path is left. */
	bool moved;             /* ... and nothing was done about it yet. */
	bool waiting;           /* Something is out and not acknowledged. */
	uint8_t probes;         /* Since the latest sign of life. */
	uint64_t quiet_ns;      /* The answer was awaited from then on. */
	uint64_t due_ns;        /* Probe, Re-Hello or suspension; UINT64_MAX: none. */
	uint64_t suspended_ns;  /* Since when. */
	struct rehello rehello;
};

/* Probes before a Re-Hello: where a probe may get lost by itself, more. */
#define SUSPECT_PROBES       1
#define SUSPECT_PROBES_LOSSY 2

void srm_suspect_init(struct suspect *s, uint32_t rehello_ms, uint32_t rehello_max_ms);

/* ---- facts; pto_ns: what srm_rtt_pto() says now ---- */

/* Something that wants an answer went out, and nothing else was out. */
void srm_suspect_waiting(struct suspect *s, uint64_t now, uint64_t pto_ns);
/* Something was acknowledged; more is out, or (answered) nothing is. */
void srm_suspect_progress(struct suspect *s, uint64_t now, uint64_t pto_ns);
void srm_suspect_answered(struct suspect *s, uint64_t now, uint64_t pto_ns);
void srm_suspect_path(struct suspect *s, uint64_t now, enum muses_path event);
void srm_suspect_phase(struct suspect *s, uint64_t now, uint64_t pto_ns,
                       enum muses_phase phase);

/* ---- the question ---- */

struct suspect_now {
	uint64_t now;
	uint64_t pto_ns;
	bool lossy;
	uint32_t jitter; /* See srm_rehello_attempted(). */
};
/* What is due?  A verdict but WAIT and GIVE_UP is given once: it counts as done. */
enum muses_verdict srm_suspect_ask(struct suspect *s, const struct suspect_config *c,
                                   const struct suspect_now *at);
/* When to ask again: UINT64_MAX: not before the next fact. */
uint64_t srm_suspect_due(const struct suspect *s, const struct suspect_config *c);

#endif
