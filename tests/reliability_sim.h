/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RELIABILITY_SIM_H
#define TESTS_RELIABILITY_SIM_H

#include "core/env.h"
#include "core/layer.h"
#include "core/ranges.h"

#include <muses/reliability.h>

/*
 * Two ends with a reliability plugin each, a path between them that has a rate,
 * a delay, a queue and moods, and the little of a core that the plugin sees:
 * numbers, acknowledgements, Re-Hello.  All on the virtual clock: same seed, same
 * history.
 *
 * Each number's fate is checked as the plugin tells it: once, and true (what is
 * called delivered has arrived; what is called lost counts as spurious if it
 * had).
 */
struct sim;

/* One direction. */
struct sim_path {
	uint64_t rate_bits;   /* Per second; 0: no limit. */
	uint64_t delay_ns;
	uint64_t jitter_ns;   /* Up to that much more, at random ... */
	bool overtake;        /* ... by which packets may overtake each other. */
	bool lossy;           /* Packets carry the lossy mark. */
	uint64_t queue_bytes; /* What does not fit is dropped; 0: no bound. */
	uint64_t mark_bytes;  /* Packets that find more before them are marked; 0: none. */
	uint32_t loss_ppm;    /* Dropped at random, per million. */
	bool cut;             /* All dropped. */
};

struct sim_end {
	struct sim *sim;
	struct sim_end *peer;
	struct muses_layer layer;
	void *state;
	enum muses_phase phase;
	bool closed;
	const char *why;        /* Of MUSES_GIVE_UP. */

	/* Sending. */
	struct sim_path path;   /* Towards the peer. */
	uint64_t busy_ns;       /* The path's queue is empty then. */
	uint64_t last_ns;       /* Nothing on a path that keeps order arrives before. */
	uint32_t mtu;
	uint64_t backlog;       /* Bytes the application has for us; UINT64_MAX: endless. */
	uint32_t generation;
	uint64_t seq;           /* The next number. */
	struct sim_fate *fate;  /* By number. */
	size_t fate_count, fate_room;

	/* Receiving. */
	struct core_ranges got;
	uint64_t marks;
	uint64_t top_ns;        /* When the highest number came. */
	bool met_lossy;

	/* What happened. */
	uint64_t delivered_bytes; /* Told so by the plugin. */
	uint64_t arrived_bytes;   /* At the peer. */
	uint64_t sent_packets, ack_packets;
	uint64_t told_lost, spurious, wrong, dropped;
	uint64_t probes, rehellos, suspends;
	uint64_t queue_most_ns;   /* Longest wait in the path's queue. */
	uint64_t rehello_ns[64];  /* When the first ones went. */
	uint64_t suspend_ns;      /* When it was suspended last. */
	struct muses_timer timer;
};

struct sim {
	struct core_loop *loop;
	struct core_env env;
	struct sim_end a, b;
	uint64_t random;        /* State of the simulation's own dice. */
	bool mute;              /* Re-Hello stays without an answer. */
};

/* Fill config as an empty object in the file would. */
void sim_defaults(const struct muses_plugin *plugin, void *config);
struct sim_path sim_wire(uint64_t rate_bits, uint64_t delay_ns);
/* Both ends run ops with config; both directions are path. */
void sim_open(struct sim *s, const struct muses_reliability_ops *ops, const void *config,
              const struct sim_path *path, uint64_t seed);
void sim_close(struct sim *s);
/* The application at e has size more bytes. */
void sim_write(struct sim_end *e, uint64_t size);
void sim_advance(struct sim *s, uint64_t span_ns);
/* News of the path for e. */
void sim_path_news(struct sim_end *e, enum muses_path event);
uint64_t sim_now(const struct sim *s);
/* Of the next thing that happens at all; UINT64_MAX: nothing ever. */
uint64_t sim_next(const struct sim *s);
uint64_t sim_below(struct sim *s, uint64_t below);

#endif
