/* SPDX-License-Identifier: Apache-2.0 */
/*
 * srm: keeps sessions alive across outages.
 *
 * The record and the options; session.c is where a session's facts come in.
 *
 *      session.c --- acks.c      when to acknowledge
 *                |-- sent.c      what is in flight
 *                |-- loss.c      the fate of each packet
 *                |-- rtt.c       how long an answer takes
 *                |-- window.c    how much may be in flight
 *                |-- pace.c      how fast, where nothing below says so
 *                `-- suspect.c   is the path gone? -- rehello.c  when to try again
 */
#include "srm.h"

#include <muses/plugin.h>

#include <stdio.h>

#define MiB (1u << 20)

static const struct muses_option options[] = {
	MUSES_UINT32(srm_config, ack_every, 8, 1, 64, "packets",
	             "Acknowledge after this many packets (the paper's Max_i)."),
	MUSES_UINT32(srm_config, ack_delay_ms, 5, 0, 25, "ms",
	             "Acknowledge at the latest this long after a packet has come."),
	MUSES_UINT32(srm_config, suspect_ms, 500, 50, 60000, "ms",
	             "Begin a Re-Hello when the peer was silent this long, or for three "
	             "PTO if that is longer."),
	MUSES_UINT32(srm_config, rehello_ms, 500, 10, 60000, "ms",
	             "Wait this long for an answer before the second Re-Hello."),
	MUSES_UINT32(srm_config, rehello_max_ms, 30000, 10, 3600000, "ms",
	             "Double that wait with each Re-Hello, but not beyond this."),
	MUSES_UINT32(srm_config, give_up_s, 0, 0, 31536000, "s",
	             "Close a session that was suspended this long; 0 never does."),
	MUSES_UINT32(srm_config, window_initial, 262144, 4096, 64 * MiB, "bytes",
	             "Send this much before the first acknowledgement."),
	MUSES_UINT32(srm_config, window_least, 16384, 2400, 1 * MiB, "bytes",
	             "Let this much be in flight however congested the path is."),
	MUSES_UINT32(srm_config, window_most, 64 * MiB, 65536, 1024 * MiB, "bytes",
	             "Let no more than this be in flight however good the path is."),
	MUSES_OPTIONS_END,
};

static int check(const void *config, char *why, size_t why_size)
{
	const struct srm_config *c = config;

	if (c->rehello_max_ms < c->rehello_ms)
		snprintf(why, why_size,
		         "rehello_max_ms: %u ms is less than rehello_ms, %u ms",
		         c->rehello_max_ms, c->rehello_ms);
	else if (c->window_initial < c->window_least)
		snprintf(why, why_size,
		         "window_initial: %u bytes is less than window_least, %u",
		         c->window_initial, c->window_least);
	else if (c->window_most < c->window_initial)
		snprintf(why, why_size,
		         "window_most: %u bytes is less than window_initial, %u",
		         c->window_most, c->window_initial);
	else
		return 0;
	return MUSES_ECONFIG;
}

static int srm_open(struct muses_layer *l, const void *config)
{
	/* Sessions hold all state there is; the layer only knows its options. */
	muses_set_self(l, (void *)config);
	return 0;
}

static void srm_close(struct muses_layer *l)
{
	muses_set_self(l, NULL);
}

void srm_session_info(void *state, json_t *object)
{
	const struct srm_session *s = state;
	const struct rtt *r = &s->rtt;
	const struct {
		const char *name;
		json_int_t value;
	} count[] = {
		{ "window_bytes", (json_int_t)s->window.bytes },
		{ "in_flight_bytes", (json_int_t)s->sent.bytes },
		{ "lost", (json_int_t)s->loss.lost },
		{ "spurious", (json_int_t)s->loss.spurious },
		{ "probes", (json_int_t)s->probes },
		{ "rehellos", (json_int_t)s->attempts },
	};

	/* Without memory a member is missing: jansson takes the NULL. */
	if (srm_rtt_known(r)) {
		json_object_set_new(object, "rtt_ms",
		                    json_real((double)r->smooth_ns / 1e6));
		json_object_set_new(object, "rtt_min_ms",
		                    json_real((double)r->least_ns / 1e6));
	}
	for (size_t i = 0; i < sizeof(count) / sizeof(count[0]); i++)
		json_object_set_new(object, count[i].name, json_integer(count[i].value));
	json_object_set_new(object, "lossy", json_boolean(s->loss.lossy));
}

MUSES_PLUGIN(srm) = {
	MUSES_STAMP,
	.name = "srm",
	.summary = "keeps sessions alive across outages",
	.kind = MUSES_RELIABILITY,
	.options = options,
	.config_size = sizeof(struct srm_config),
	MUSES_OPS(srm_ops),
	.check = check,
	.open = srm_open,
	.close = srm_close,
};
