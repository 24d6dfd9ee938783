/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPAIR_H
#define IMPAIR_H

#include <muses/transport.h>

/* Shared by impair.c (the plugin, channels) and weather.c (what happens to a packet
 * in a lane). */
struct impair_config {
	struct muses_inner over;
	uint32_t delay_ms;
	uint32_t jitter_ms;
	double loss, reorder, duplicate, corrupt;
	uint32_t rate_kbit;
	struct muses_list cut;
};

struct cut {
	uint64_t start_ns, end_ns; /* Since start(). */
};

struct impair {
	const struct impair_config *config;
	uint64_t start_ns;
	size_t cut_count;
	struct cut cut[];
};

/* A packet's time is kept in its note, in microseconds; that wraps after 71
 * minutes, so times are compared by their distance from now. */
struct lane {
	struct muses_layer *layer;
	struct muses_queue waiting; /* By due time. */
	struct muses_timer timer;
	uint64_t free_ns; /* When the line has taken what was sent. */
	uint64_t last_ns; /* Due time of the last packet that kept its place. */
};

/* "5000-8000": false if text is no span of time. */
bool impair_parse_cut(const char *text, struct cut *cut);
/* The end of the cut that at lies in, or 0. */
uint64_t impair_cut_end(const struct impair *m, uint64_t at);
/* May a packet be lost, doubled or overtaken? */
bool impair_loses(const struct impair_config *c);

/* Let the weather have b, which enters lane; takes b over. */
void impair_enter(struct lane *lane, struct muses_buf *b);
/* The first one that is due; NULL: none. */
struct muses_buf *impair_due(struct lane *lane);
/* Set the timer to when the first one is due. */
void impair_arm(struct lane *lane);

#endif
