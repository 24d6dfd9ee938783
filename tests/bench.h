/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H

#include "core/hub.h"
#include "core/link.h"
#include "core/pipeline.h"
#include "core/session.h"

#include <tests/folder.h>

/*
 * The bench: whole nodes in one process, real plugins from the build tree, over
 * wires that the test cuts and mends, on a clock that the test moves.
 *
 *      bob ---- relay ---- alice            (or bob ---- alice)
 *
 * Every stream carries bytes that depend on its number, way and position alone, so
 * that a lost, doubled or changed byte is seen where it arrives.
 */
#define BENCH_NODES   4
#define BENCH_STREAMS 128

#define SECONDS(n) ((n) * MUSES_S)
#define MINUTES(n) ((n) * 60 * MUSES_S)
#define DAYS(n)    ((n) * 86400 * MUSES_S)

struct bench;

struct bench_node {
	struct bench *bench;
	char name[16];
	struct muses_id id;
	struct core_env env;
	struct core_pipeline *pipeline;
	struct core_links *links;
	struct core_sessions *sessions;
	struct core_layer_up up;
	char *config;     /* JSON of the pipeline, to open it again. */
	bool running;
	unsigned suspended, resumed; /* Notices that streams got. */
	size_t lost_buffers;         /* Out when an earlier life ended. */
};

/* One end of one stream. */
struct bench_end {
	struct bench *bench;
	struct bench_node *node;
	struct core_stream *stream;
	unsigned number;           /* Of the pair. */
	uint64_t to_send, sent;
	uint64_t received;
	uint64_t expected;         /* What the other end is to send in all. */
	size_t read_most;          /* Bytes taken at once; 0: as they come. */
	bool paused;               /* Reads nothing. */
	bool finished, ended, wrong, was_reset;
	enum core_reason reason;
};

struct bench_pair {
	bool used;
	struct bench_end opener, acceptor;
};

struct bench {
	struct core_loop *loop;
	struct core_rand *rand;    /* The weather's and the test's dice. */
	struct core_hub *hub;
	struct folder folder;
	struct bench_node node[BENCH_NODES];
	size_t count;
	struct bench_pair pair[BENCH_STREAMS];
	unsigned pairs;
	enum core_reason refuse;   /* Not NONE: services answer with this. */
	uint64_t seed;
	/* Every (key, SeqNBR) sealed so far. */
	struct bench_ledger *ledger;
	unsigned sealed_twice;
	uint64_t data_packets, rehello_packets, other_packets;
	struct bench_capture *captured; /* Some packets, to replay. */
	struct core_sessions_config config;
	bool noise;                /* Each node has a key of its own. */
	const char *keys, *security, *reliability; /* JSON objects; NULL: psk, a witness
	                                              * over aes_gcm, srm */
};

/* Empty; add nodes, then bench_start(). */
void bench_open(struct bench *b, uint64_t seed);
/* Everything closed; returns buffers that were never given back. */
size_t bench_close(struct bench *b);
/* Before nodes are added: they shall know each other by keys of their own. */
void bench_use_noise(struct bench *b);
/* The suite of the witness, to lower its limits. */
struct muses_suite *bench_suite(void);
/* dial: JSON object or "{}"; routes likewise. */
struct bench_node *bench_add(struct bench *b, const char *name, const char *dial,
                             const char *routes);
/* bob - alice, or bob - relay - alice. */
void bench_pair_of_nodes(struct bench *b);
void bench_with_relay(struct bench *b);
void bench_start(struct bench_node *n);
void bench_stop(struct bench_node *n);   /* As if killed. */
void bench_run(struct bench *b, uint64_t span_ns);
/* Open stream from one node to another; each end sends that much and finishes. */
struct bench_pair *bench_stream(struct bench *b, struct bench_node *from,
                                struct bench_node *to, uint64_t size, uint64_t size_back);
/* Did both ends get everything, right and once? */
bool bench_complete(const struct bench_pair *p);
bool bench_all_complete(const struct bench *b);
/* Run until all is complete; false after span_ns. */
bool bench_finish(struct bench *b, uint64_t span_ns);
/* Everything that status would tell of every node, as diagnostics. */
void bench_dump(const struct bench *b);
/* Between node and its peer. */
struct core_session *bench_session(struct bench_node *n, struct bench_node *peer);
uint64_t bench_counted(const struct bench_node *n, const char *reason);
/* Replay a captured packet (which is taken from all seen so far); false: none. */
bool bench_replay(struct bench *b);

#endif
