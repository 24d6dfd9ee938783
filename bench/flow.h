/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include <stdint.h>

/*
 * Both ends of what a chain carries: connections through it, a source and a sink
 * for each, and the time it took.  Every byte is compared with what was sent, by
 * the sink, whose time is not part of any figure.
 *
 * Whatever goes wrong ends the program with a sentence: a figure for a transfer
 * that was not right is worth nothing.
 */
enum { FLOW_STREAMS_MAX = 64 };

enum flow_way {
	FLOW_OUT = 0, /* From who connects to who is connected to. */
	FLOW_BACK,
};

/* Connections through a chain: near[i] was connected, far[i] was accepted; which
 * far end belongs to which near one is not said. */
struct flow {
	int near[FLOW_STREAMS_MAX], far[FLOW_STREAMS_MAX];
	int count;
};

void flow_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
uint64_t flow_now_ns(void);

/* Listen on a free port of 127.0.0.1. */
int flow_listen(int *port);
/* Connect count times to port, which leads to listener.  Tries for wait_s seconds,
 * so that it also waits for a chain that is starting. */
void flow_open(struct flow *f, int count, int port, int listener, int wait_s);
void flow_close(struct flow *f);

/* Carry size bytes on each connection; seconds until the last sink had the end. */
double flow_carry(struct flow *f, enum flow_way way, uint64_t size);

/* count times one byte there and one back, on a flow of one: sorted, in ns. */
void flow_ping(struct flow *f, int count, uint64_t *took_ns);

#endif
