/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_CHAIN_H
#define BENCH_CHAIN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * The chains that are compared: bob, relay and alice, each a `muses node`, or three
 * times bench/splice.  All over TCP on 127.0.0.1, one process a hop.
 */
enum { CHAIN_HOPS = 3 };
extern const char *const chain_hop_name[CHAIN_HOPS]; /* "bob", "relay", "alice" */

struct chain {
	char folder[64]; /* Configurations and sockets; "" with splice. */
	pid_t pid[CHAIN_HOPS];
	int entry; /* The port to connect to. */
};

/* security: the element of pipeline.security, as JSON, e.g. {"plugin":"aes_gcm"}.
 * The chain leads to port, where somebody must listen.  After a mistake the program
 * ends; what was started is stopped then, as at a normal end. */
void chain_open_nodes(struct chain *c, const char *muses, const char *security, int port);
void chain_open_splice(struct chain *c, const char *splice, int port);
void chain_close(struct chain *c);

/* Nanoseconds of processor time that hop has used so far, user and system. */
uint64_t chain_cpu_ns(const struct chain *c, int hop);
/* KiB of memory that hop holds now. */
long chain_rss_kib(const struct chain *c, int hop);

/* Count the system calls of each hop with strace, from begin to end; end answers how
 * many there were per MiB, and prints a line to out for each kind that is common. */
struct chain_trace {
	pid_t pid[CHAIN_HOPS];
	char file[CHAIN_HOPS][80];
};
void chain_trace_begin(const struct chain *c, struct chain_trace *t);
void chain_trace_end(struct chain_trace *t, double mib, double calls[CHAIN_HOPS],
                     FILE *out);

#endif
