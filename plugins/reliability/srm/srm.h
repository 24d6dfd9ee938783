/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SRM_SRM_H
#define SRM_SRM_H

#include "acks.h"
#include "loss.h"
#include "pace.h"
#include "rtt.h"
#include "sent.h"
#include "suspect.h"
#include "window.h"

#include <muses/reliability.h>

/* The options, as the core fills them in from the table in srm.c. */
struct srm_config {
	uint32_t ack_every;
	uint32_t ack_delay_ms;
	uint32_t suspect_ms;
	uint32_t rehello_ms;
	uint32_t rehello_max_ms;
	uint32_t give_up_s;
	uint32_t window_initial;
	uint32_t window_least;
	uint32_t window_most;
};

/* One session.  Everything but the ring behind sent is in here, so that an idle
 * session costs little: tests/t_srm_session.c measures it. */
struct srm_session {
	struct muses_layer *layer;
	struct muses_flow *flow;
	const struct srm_config *config;
	struct suspect_config patience;
	struct sent sent;
	struct loss loss;
	struct rtt rtt;
	struct window window;
	struct pace pace;
	bool pacing; /* sendable() was 0 for want of credit: somebody waits. */
	struct acks acks;
	struct suspect suspect;
	uint64_t idle_ns;   /* When nothing was in flight any more; 0: never yet. */
	uint64_t shrink_ns; /* When to give back memory; UINT64_MAX: nothing to give. */
	uint64_t marks;     /* The peer's latest count of marked packets. */
	bool marks_known;   /* ... in this generation. */
	uint32_t jitter;    /* For the next attempt. */
	uint64_t probes;
	uint64_t attempts;
};

extern const struct muses_reliability_ops srm_ops;
/* As muses_reliability_ops.info(). */
void srm_session_info(void *state, json_t *object);

#endif
