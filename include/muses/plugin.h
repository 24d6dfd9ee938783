/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_PLUGIN_H
#define MUSES_PLUGIN_H

#include <muses/buf.h>
#include <muses/err.h>
#include <muses/id.h>
#include <muses/option.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a plugin is, and what the core does for it.
 *
 * A plugin is a folder with one constant record; loading it runs none of its
 * code.  A layer is a plugin in one place of one pipeline, with its own
 * configuration and state.  There are no plugin globals: two nodes in one
 * process are two sets of layers.  One thread; callbacks never overlap.
 *
 * Clock, timers, randomness, descriptors and memory come only from here, so
 * that a simulator can run thousands of nodes and a thirty-day outage in no
 * time.
 *
 * MUSES_ABI changes when the meaning of a member changes, or when a struct that
 * plugins embed or look into grows.  Members added at the end of muses_plugin
 * or of an operations table do not change it: the sizes tell.
 */
#define MUSES_ABI 1

struct muses_layer;  /* One plugin in one place of one pipeline. */
struct muses_option; /* One configuration key; see muses/option.h. */

enum muses_kind {
	MUSES_KEYS = 0,    /* Who is the peer, what do we share: muses/keys.h */
	MUSES_SECURITY,    /* Seals and opens packets: muses/security.h */
	MUSES_RELIABILITY, /* When to send, to acknowledge, to resume: muses/reliability.h */
	MUSES_OVERLAY,     /* From a name to the next hop: muses/overlay.h */
	MUSES_TRANSPORT,   /* Links between neighbours: muses/transport.h */
	/* MUSES_KINDS stays last. */
	MUSES_KINDS
};
#define MUSES_NEED(kind) (UINT32_C(1) << (kind))

/* The word of a kind in JSON files and messages: "keys", "security", ... */
const char *muses_kind_name(enum muses_kind kind);

/* ---- what a plugin may implement ---------------------------------------- */

/* Do these options, each already in range, make sense together?  Pure: no
 * allocation that outlives the call, no I/O (files are already read).  On a
 * negative answer, why holds one sentence that begins with the key: "bits: want
 * 128 or 256, not 192"; the core puts the path in front. */
typedef int muses_check_fn(const void *config, char *why, size_t why_size);

/* Build the layer's state.  config is the plugin's own filled struct and stays
 * valid until close() has returned.  No I/O, no timers, no packets.  Returns 0,
 * or a negative error after which close() is not called: leave nothing behind.
 * Say why with muses_fail(). */
typedef int muses_open_fn(struct muses_layer *l, const void *config);

/* Begin.  Every layer of the pipeline is open; those below have started.  The
 * last moment when an error stops the program. */
typedef int muses_start_fn(struct muses_layer *l);

/* The configuration files with MUSES_OPTION_RELOAD were read again into a config
 * that check() has accepted; config is the new struct, the old one is gone
 * after the call. */
typedef void muses_reload_fn(struct muses_layer *l, const void *config);

/* stop(): no new work; timers off; packets in hand may still go down.
 * close(): give everything back, cleanse secrets.  Neither can fail. */
typedef void muses_end_fn(struct muses_layer *l);

struct muses_plugin {
	/* MUSES_STAMP fills these in. */
	uint32_t abi;
	uint32_t size;

	const char *name;    /* [a-z][a-z0-9_]*, the same as the file's. */
	const char *summary; /* For `muses plugins`: no capital, no full stop. */
	enum muses_kind kind;
	uint32_t needs; /* MUSES_NEED() bits: kinds the pipeline must have. */

	const struct muses_option *options; /* Ends with MUSES_OPTIONS_END; NULL: none. */
	size_t config_size;                 /* Bytes of the struct they fill. */

	const void *ops; /* struct muses_<kind>_ops of this kind; MUSES_OPS sets both. */
	size_t ops_size; /* Bytes of it, as the plugin was compiled. */

	                         /* Called ... */
	muses_check_fn *check;   /* before anything opens, and by `muses check` */
	muses_open_fn *open;     /* bottom first */
	muses_start_fn *start;   /* bottom first */
	muses_reload_fn *reload; /* on SIGHUP, for files that may change */
	muses_end_fn *stop;      /* top first, before any layer closes */
	muses_end_fn *close;     /* top first, once, if open() returned 0 */
	/* New members go here. */
};

#define MUSES_EXPORT   __attribute__((visibility("default")))
#define MUSES_STAMP    .abi = MUSES_ABI, .size = sizeof(struct muses_plugin)
#define MUSES_OPS(ops_table) .ops = &(ops_table), .ops_size = sizeof(ops_table)

/* MUSES_PLUGIN(srm) = { MUSES_STAMP, .name = "srm", ... };  once per plugin.
 * libltdl finds srm_LTX_muses_plugin in srm.so when asked for muses_plugin; a
 * static build and the tests name it directly. */
#define MUSES_PLUGIN(stem)                                                           \
	extern MUSES_EXPORT const struct muses_plugin stem##_LTX_muses_plugin;       \
	const struct muses_plugin stem##_LTX_muses_plugin

/* ---- what the core does for a layer ------------------------------------- */

#define MUSES_CHECKED __attribute__((warn_unused_result))

void *muses_self(const struct muses_layer *l);
void muses_set_self(struct muses_layer *l, void *self);
/* This node's own id and the name in its configuration. */
const struct muses_id *muses_node_id(const struct muses_layer *l);
const char *muses_node_name(const struct muses_layer *l);

/* The operations of the pipeline's layer of that kind (the first, for kinds
 * that are lists) and the layer to hand them; NULL if the kind is not in
 * needs and not there. */
const void *muses_service(struct muses_layer *l, enum muses_kind kind,
                          struct muses_layer **owner);

/* Nanoseconds of CLOCK_BOOTTIME (it goes on while the machine sleeps), the same
 * all through one turn of the loop. */
uint64_t muses_now(const struct muses_layer *l);
/* Nanoseconds since 1970, for what is compared with other machines' clocks;
 * may jump. */
uint64_t muses_wall_clock(const struct muses_layer *l);
#define MUSES_US UINT64_C(1000)
#define MUSES_MS UINT64_C(1000000)
#define MUSES_S  UINT64_C(1000000000)

/* size bytes nobody can predict.  0, or MUSES_ECRYPTO. */
int muses_random(struct muses_layer *l, void *out, size_t size) MUSES_CHECKED;
/* Jitter and sampling: cheap, never for secrets; 0 <= result < below. */
uint64_t muses_random_below(struct muses_layer *l, uint64_t below);

/* Zeroed; NULL when out of memory.  muses_free() gives back; NULL is fine.
 * muses_free_secret() cleanses size bytes first. */
void *muses_zalloc(size_t size) MUSES_CHECKED;
void muses_free(void *p);
void muses_free_secret(void *p, size_t size);

/* A timer lives in the owner's own struct.  init once, then set and stop at
 * will.  The core stops what is left before close(), and complains. */
struct muses_timer;
typedef void muses_timer_fn(struct muses_timer *t);
struct muses_timer {
	muses_timer_fn *fire; /* Use muses_container() to find your struct. */
	/* The rest is the core's. */
	void *loop;
	struct muses_layer *layer;
	uint64_t due_ns;
	size_t slot; /* 0 when not armed. */
};
void muses_timer_init(struct muses_layer *l, struct muses_timer *t, muses_timer_fn *fire);
/* Arm, or move, to an absolute time on muses_now()'s clock; a time that is past
 * fires on the loop's next turn. */
void muses_timer_at(struct muses_timer *t, uint64_t due_ns);
void muses_timer_after(struct muses_timer *t, uint64_t delay_ns);
void muses_timer_stop(struct muses_timer *t); /* Fine when not armed. */
static inline bool muses_timer_armed(const struct muses_timer *t)
{
	return t->slot != 0;
}

/* Work for the end of this turn of the loop: where queues are flushed, so that
 * many packets share one system call. */
struct muses_task;
typedef void muses_task_fn(struct muses_task *t);
struct muses_task {
	muses_task_fn *run;
	/* The rest is the core's. */
	void *loop;
	struct muses_layer *layer;
	struct muses_task *next, **link;
};
void muses_task_init(struct muses_layer *l, struct muses_task *t, muses_task_fn *run);
void muses_task_queue(struct muses_task *t); /* Fine when queued already. */
void muses_task_cancel(struct muses_task *t); /* Fine when not queued. */

/*
 * Watching a descriptor.  Readiness is edge-triggered underneath and remembered
 * here: fire() is called each turn while (ready & wanted) is not empty, and the
 * owner says muses_watch_drained() when a call would block or fell short.  So
 * stopping and starting costs no system call.  The descriptor stays the
 * owner's; close the watch before the descriptor.
 */
enum muses_ready {
	MUSES_READABLE = 1 << 0,
	MUSES_WRITABLE = 1 << 1,
	MUSES_HUNG = 1 << 2, /* Error or hang-up; always wanted. */
};
struct muses_watch;
typedef void muses_watch_fn(struct muses_watch *w, uint32_t ready);
struct muses_watch {
	muses_watch_fn *fire;
	/* The rest is the core's. */
	void *loop;
	struct muses_layer *layer;
	int fd;
	uint32_t wanted;
	uint32_t ready;
	struct muses_watch *next, **link; /* In the loop's list of ready ones. */
};
int muses_watch_open(struct muses_layer *l, struct muses_watch *w, int fd,
                     uint32_t wanted, muses_watch_fn *fire) MUSES_CHECKED;
void muses_watch_want(struct muses_watch *w, uint32_t wanted);
void muses_watch_drained(struct muses_watch *w, uint32_t ready);
void muses_watch_close(struct muses_watch *w); /* Fine when not open. */

/* reason is a string literal ("replayed"); counted per layer and reason, shown
 * by `muses status`, logged at debug level under a rate limit.  For everything
 * the network can cause. */
void muses_count(struct muses_layer *l, const char *reason);

enum muses_level {
	MUSES_ERROR = 0, /* It did not work and someone must act. */
	MUSES_WARN,      /* It works, but not as intended. */
	MUSES_INFO,      /* What the operator would tell a colleague. */
	MUSES_DEBUG,     /* Why a packet was refused, which state we are in. */
	MUSES_TRACE,     /* Every packet. */
};
/* Lower case, no full stop, numbers as key=value with the unit in the key. */
void muses_log(const struct muses_layer *l, enum muses_level level, const char *format,
               ...) __attribute__((format(printf, 3, 4)));
/* Log at MUSES_ERROR and return err, so that the line can be a return. */
int muses_fail(const struct muses_layer *l, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4), cold));

#define muses_container(pointer, type, member)                                       \
	((type *)((char *)(pointer) - offsetof(type, member)))

#endif
