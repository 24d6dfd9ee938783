/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the core does for a layer (muses/plugin.h): each call finds the layer's
 * world and passes on.  Upcalls of transports, overlays and keys plugins are in
 * the files of those who receive them.
 */
#include "core/layer.h"

#include "core/pipeline.h"

#include <stdarg.h>

const char *muses_kind_name(enum muses_kind kind)
{
	static const char *const name[MUSES_KINDS] = {
		[MUSES_KEYS] = "keys",
		[MUSES_SECURITY] = "security",
		[MUSES_RELIABILITY] = "reliability",
		[MUSES_OVERLAY] = "overlay",
		[MUSES_TRANSPORT] = "transport",
	};

	return (unsigned)kind < MUSES_KINDS ? name[kind] : "unknown";
}

void *muses_self(const struct muses_layer *l)
{
	return l->self;
}

void muses_set_self(struct muses_layer *l, void *self)
{
	l->self = self;
}

const struct muses_id *muses_node_id(const struct muses_layer *l)
{
	return l->node_id;
}

const char *muses_node_name(const struct muses_layer *l)
{
	return l->node_name;
}

const void *muses_service(struct muses_layer *l, enum muses_kind kind,
                          struct muses_layer **owner)
{
	const struct core_pipeline *p = l->pipeline;
	struct muses_layer *found = NULL;

	if (p != NULL) {
		switch (kind) {
		case MUSES_KEYS:
			found = p->keys;
			break;
		case MUSES_SECURITY:
			found = p->security_count > 0 ? p->security[0] : NULL;
			break;
		case MUSES_RELIABILITY:
			found = p->reliability;
			break;
		case MUSES_OVERLAY:
			found = p->overlay;
			break;
		case MUSES_TRANSPORT:
			found = p->transport_count > 0 ? p->transport[0] : NULL;
			break;
		case MUSES_KINDS:
			break;
		}
	}
	*owner = found;
	return found != NULL ? found->ops : NULL;
}

/* ---- time, randomness, buffers -------------------------------------------- */

uint64_t muses_now(const struct muses_layer *l)
{
	return core_loop_now(l->env->loop);
}

uint64_t muses_wall_clock(const struct muses_layer *l)
{
	return core_loop_wall_clock(l->env->loop);
}

int muses_random(struct muses_layer *l, void *out, size_t size)
{
	return core_rand_bytes(l->env->rand, out, size);
}

uint64_t muses_random_below(struct muses_layer *l, uint64_t below)
{
	return core_rand_below(l->env->rand, below);
}

struct muses_buf *muses_buf_new(struct muses_layer *l, size_t head, size_t room)
{
	return core_buf_new(l->env->pool, head, room);
}

struct muses_buf *muses_buf_copy(struct muses_layer *l, const struct muses_buf *b,
                                 size_t head)
{
	return core_buf_copy(l->env->pool, b, head);
}

/* ---- timers, tasks, watches ----------------------------------------------- */

void muses_timer_init(struct muses_layer *l, struct muses_timer *t, muses_timer_fn *fire)
{
	core_timer_init(l->env->loop, t, fire);
	t->layer = l;
}

void muses_task_init(struct muses_layer *l, struct muses_task *t, muses_task_fn *run)
{
	core_task_init(l->env->loop, t, run);
	t->layer = l;
}

int muses_watch_open(struct muses_layer *l, struct muses_watch *w, int fd,
                     uint32_t wanted, muses_watch_fn *fire)
{
	int err = core_watch_open(l->env->loop, w, fd, wanted, fire);

	w->layer = l;
	return err;
}

/* ---- counting and logging ------------------------------------------------- */

void muses_count(struct muses_layer *l, const char *reason)
{
	core_env_count(l->env, l->label, reason);
}

void muses_log(const struct muses_layer *l, enum muses_level level, const char *format,
               ...)
{
	va_list arguments;

	if (level > core_log_level(l->env->log))
		return;
	va_start(arguments, format);
	core_vlog(l->env->log, level, l->label, format, arguments);
	va_end(arguments);
}

int muses_fail(const struct muses_layer *l, int err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	core_vlog(l->env->log, MUSES_ERROR, l->label, format, arguments);
	va_end(arguments);
	return err;
}
