/* SPDX-License-Identifier: Apache-2.0 */
/* A path with a queue, and half a core at each end of it.  A newcomer would call
 * the peer from inside the send: here everything arrives by a timer, later, as it
 * does in life. */
#include "tests/reliability_sim.h"

#include "core/mem.h"

#include <CUnit/CUnit.h>

#include <string.h>

enum fate_state { FATE_OUT = 1, FATE_DELIVERED, FATE_LOST };

struct sim_fate {
	uint32_t size;
	uint8_t state; /* 0: does not count. */
	bool arrived;
	bool ping; /* Carries nothing that would have to go again. */
};

/* What the plugin knows as the core's side of a session. */
struct muses_flow {
	struct sim_end end;
};

enum parcel_kind { PARCEL_DATA = 0, PARCEL_REHELLO, PARCEL_ANSWER };

struct parcel {
	struct muses_timer timer;
	struct sim_end *to;
	enum parcel_kind kind;
	uint32_t generation;
	uint64_t seq;
	uint64_t sent_ns;
	uint32_t size;
	bool counts, last, lossy, marked;
	bool has_ack;
	struct muses_ack ack;
	struct muses_ack_range range[MUSES_ACK_RANGES_MAX];
};

#define HEADER 64

static const struct muses_reliability_ops *ops_of(const struct sim_end *e)
{
	return e->layer.ops;
}

uint64_t sim_now(const struct sim *s)
{
	return core_loop_now(s->loop);
}

uint64_t sim_below(struct sim *s, uint64_t below)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random % below;
}

/* ---- fates ---------------------------------------------------------------- */

static struct sim_fate *fate_of(struct sim_end *e, uint64_t seq)
{
	if (seq >= e->fate_room) {
		size_t room = e->fate_room == 0 ? 64 : e->fate_room * 2;

		e->fate = core_realloc(e->fate, e->fate_room, room, sizeof(*e->fate));
		CU_ASSERT_PTR_NOT_NULL_FATAL(e->fate);
		e->fate_room = room;
	}
	return &e->fate[seq];
}

void muses_flow_delivered(struct muses_flow *flow, uint64_t seq)
{
	struct sim_end *e = &flow->end;
	struct sim_fate *f = fate_of(e, seq);

	if (f->state != FATE_OUT || !f->arrived)
		e->wrong++;
	f->state = FATE_DELIVERED;
	e->delivered_bytes += f->size;
}

void muses_flow_lost(struct muses_flow *flow, uint64_t seq)
{
	struct sim_end *e = &flow->end;
	struct sim_fate *f = fate_of(e, seq);

	if (f->state != FATE_OUT)
		e->wrong++;
	f->state = FATE_LOST;
	e->told_lost++;
	if (f->arrived)
		e->spurious++;
	if (e->backlog != UINT64_MAX && !f->ping)
		e->backlog += f->size - HEADER;
}

/* ---- the path ------------------------------------------------------------- */

static void arrive(struct muses_timer *t);

static void carry(struct sim_end *from, struct parcel *p)
{
	struct sim *s = from->sim;
	struct sim_path *path = &from->path;
	uint64_t now = sim_now(s), wait = from->busy_ns > now ? from->busy_ns - now : 0;
	uint64_t queued = wait / 1000 * path->rate_bits / 8 / 1000000;
	uint64_t due;

	p->to = from->peer;
	p->sent_ns = now;
	p->lossy = path->lossy;
	if (path->cut ||
	    (path->queue_bytes != 0 && queued + p->size > path->queue_bytes) ||
	    (path->loss_ppm != 0 && sim_below(s, 1000000) < path->loss_ppm)) {
		from->dropped++;
		muses_free(p);
		return;
	}
	p->marked = path->mark_bytes != 0 && queued > path->mark_bytes;
	if (wait > from->queue_most_ns)
		from->queue_most_ns = wait;
	if (path->rate_bits != 0)
		from->busy_ns = now + wait + p->size * 8 * MUSES_S / path->rate_bits;
	else
		from->busy_ns = now;
	due = from->busy_ns + path->delay_ns;
	if (path->jitter_ns != 0)
		due += sim_below(s, path->jitter_ns);
	if (!path->overtake && due < from->last_ns)
		due = from->last_ns;
	from->last_ns = due > from->last_ns ? due : from->last_ns;
	core_timer_init(s->loop, &p->timer, arrive);
	muses_timer_at(&p->timer, due);
}

/* ---- sending -------------------------------------------------------------- */

static void attach_ack(struct sim_end *e, struct parcel *p)
{
	size_t count = 0;

	if (core_ranges_empty(&e->got))
		return;
	for (; count < e->got.count; count++) {
		struct core_range r = core_ranges_at(&e->got, count);

		p->range[count].first = r.first;
		p->range[count].last = r.last;
	}
	p->has_ack = true;
	p->ack.count = count;
	p->ack.delay_ns = sim_now(e->sim) - e->top_ns;
	p->ack.congestion = e->marks;
	p->ack.lossy = e->met_lossy;
	ops_of(e)->ack_sent(e->state);
}

static struct parcel *parcel_new(struct sim_end *e, uint32_t size)
{
	struct parcel *p = muses_zalloc(sizeof(*p));

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	p->size = size;
	p->generation = e->generation;
	return p;
}

/* payload 0: a PING if counts, else an ACK alone. */
static bool send_packet(struct sim_end *e, uint32_t payload, bool counts, bool last)
{
	struct parcel *p = parcel_new(e, payload + HEADER);
	struct sim_fate *f = fate_of(e, e->seq);

	p->counts = counts;
	p->last = last;
	p->seq = e->seq;
	memset(f, 0, sizeof(*f));
	if (ops_of(e)->sent(e->state, p->seq, p->size, counts) != 0) {
		muses_free(p);
		return false;
	}
	e->seq++;
	e->fate_count = e->seq;
	f->size = p->size;
	f->state = counts ? FATE_OUT : 0;
	f->ping = payload == 0;
	if (ops_of(e)->ack_due(e->state) != UINT64_MAX)
		attach_ack(e, p);
	e->sent_packets++;
	if (!counts)
		e->ack_packets++;
	carry(e, p);
	return true;
}

static void send_data(struct sim_end *e)
{
	while (e->backlog > 0 && !e->closed) {
		size_t room = ops_of(e)->sendable(e->state);
		uint64_t payload = e->mtu - HEADER;

		if (room <= HEADER)
			return;
		payload = payload < room - HEADER ? payload : room - HEADER;
		payload = payload < e->backlog ? payload : e->backlog;
		if (!send_packet(e, (uint32_t)payload, true, payload == e->backlog))
			return;
		if (e->backlog != UINT64_MAX)
			e->backlog -= payload;
	}
}

static void send_rehello(struct sim_end *e)
{
	struct parcel *p = parcel_new(e, 110);

	if (e->rehellos < sizeof(e->rehello_ns) / sizeof(e->rehello_ns[0]))
		e->rehello_ns[e->rehellos] = sim_now(e->sim);
	e->rehellos++;
	p->kind = PARCEL_REHELLO;
	ops_of(e)->rehello_sent(e->state);
	carry(e, p);
}

static void become(struct sim_end *e, enum muses_phase phase)
{
	e->phase = phase;
	ops_of(e)->phase(e->state, phase);
}

static void obey(struct sim_end *e, enum muses_verdict verdict, const char *why)
{
	switch (verdict) {
	case MUSES_WAIT:
		break;
	case MUSES_SEND:
		e->probes++;
		(void)send_packet(e, 0, true, true);
		break;
	case MUSES_REHELLO:
		if (e->phase == MUSES_ESTABLISHED)
			become(e, MUSES_SUSPECTED);
		send_rehello(e);
		break;
	case MUSES_SUSPEND:
		e->suspends++;
		e->suspend_ns = sim_now(e->sim);
		become(e, MUSES_SUSPENDED);
		break;
	case MUSES_GIVE_UP:
		e->closed = true;
		e->why = why;
		break;
	}
}

/* The core's part of every turn. */
static void pump(struct sim_end *e)
{
	const struct muses_reliability_ops *ops = ops_of(e);
	enum muses_verdict verdict;
	uint64_t due, ack_due;
	int rounds = 0;

	if (e->closed)
		return;
	do {
		const char *why = NULL;

		verdict = ops->timer(e->state, &due, &why);
		obey(e, verdict, why);
		if (++rounds > 10)
			e->wrong++; /* It never has enough. */
	} while (verdict != MUSES_WAIT && !e->closed && rounds < 20);
	if (e->closed) {
		muses_timer_stop(&e->timer);
		return;
	}
	send_data(e);
	ack_due = ops->ack_due(e->state);
	if (ack_due <= sim_now(e->sim))
		(void)send_packet(e, 0, false, false);
	if (ops->timer(e->state, &due, &(const char *){ NULL }) != MUSES_WAIT)
		e->wrong++; /* Sending made something due at once. */
	ack_due = ops->ack_due(e->state);
	due = ack_due < due ? ack_due : due;
	if (due == UINT64_MAX)
		muses_timer_stop(&e->timer);
	else
		muses_timer_at(&e->timer, due);
}

static void on_timer(struct muses_timer *t)
{
	pump(muses_container(t, struct sim_end, timer));
}

/* ---- receiving ------------------------------------------------------------ */

/* New keys: numbers begin anew, and what was not acknowledged goes again. */
static void new_generation(struct sim_end *e, uint32_t generation)
{
	for (size_t i = 0; i < e->fate_count; i++) {
		if (e->fate[i].state == FATE_OUT && e->backlog != UINT64_MAX &&
		    !e->fate[i].ping)
			e->backlog += e->fate[i].size - HEADER;
	}
	e->generation = generation;
	e->seq = 0;
	e->fate_count = 0;
	core_ranges_clear(&e->got);
	e->marks = 0;
	become(e, MUSES_ESTABLISHED);
}

static void take_rehello(struct sim_end *e, const struct parcel *p)
{
	struct parcel *answer;
	uint32_t generation =
		e->generation > p->generation ? e->generation : p->generation;

	if (e->sim->mute || e->closed)
		return;
	if (p->kind == PARCEL_ANSWER) {
		if (e->generation >= p->generation)
			return; /* An answer to an earlier attempt. */
		ops_of(e)->rehello_answered(e->state, sim_now(e->sim) - p->sent_ns);
		new_generation(e, p->generation);
		return;
	}
	new_generation(e, generation + 1);
	answer = parcel_new(e, 110);
	answer->kind = PARCEL_ANSWER;
	carry(e, answer);
}

static void take_packet(struct sim_end *e, const struct parcel *p)
{
	bool gap = core_ranges_empty(&e->got) ? p->seq != 0
	                                      : p->seq != core_ranges_last(&e->got) + 1;

	/* A sender that has resumed already counts from 0 again. */
	if (e->peer->generation == p->generation) {
		fate_of(e->peer, p->seq)->arrived = true;
		e->peer->arrived_bytes += p->size;
	}
	if (core_ranges_empty(&e->got) || p->seq > core_ranges_last(&e->got))
		e->top_ns = sim_now(e->sim);
	core_ranges_add(&e->got, p->seq, p->seq);
	e->marks += p->marked;
	e->met_lossy = p->lossy;
	ops_of(e)->received(e->state, p->seq, p->counts, gap, p->last, p->lossy,
	                    p->marked);
	if (p->has_ack) {
		struct muses_ack ack = p->ack;

		ack.range = p->range;
		ops_of(e)->acked(e->state, &ack);
	}
}

static void arrive(struct muses_timer *t)
{
	struct parcel *p = muses_container(t, struct parcel, timer);
	struct sim_end *e = p->to;

	if (!e->closed) {
		if (p->kind != PARCEL_DATA)
			take_rehello(e, p);
		else if (p->generation == e->generation && e->phase != MUSES_SUSPENDED)
			take_packet(e, p);
		pump(e);
	}
	muses_free(p);
}

/* ---- setting up ----------------------------------------------------------- */

void sim_defaults(const struct muses_plugin *plugin, void *config)
{
	memset(config, 0, plugin->config_size);
	for (const struct muses_option *o = plugin->options; o->type != MUSES_TYPE_END;
	     o++) {
		CU_ASSERT_EQUAL_FATAL(o->type, MUSES_TYPE_UINT32);
		*(uint32_t *)((char *)config + o->offset) = (uint32_t)o->preset;
	}
}

struct sim_path sim_wire(uint64_t rate_bits, uint64_t delay_ns)
{
	return (struct sim_path){ .rate_bits = rate_bits, .delay_ns = delay_ns };
}

static void end_open(struct sim *s, struct sim_end *e, struct sim_end *peer,
                     const struct muses_reliability_ops *ops, const void *config,
                     const struct sim_path *path)
{
	e->sim = s;
	e->peer = peer;
	e->layer.ops = ops;
	e->layer.env = &s->env;
	e->layer.self = (void *)config;
	e->path = *path;
	e->mtu = 60000;
	core_timer_init(s->loop, &e->timer, on_timer);
	CU_ASSERT_EQUAL_FATAL(
		ops->session_open(&e->layer, muses_container(e, struct muses_flow, end),
	                          &e->state),
		0);
}

void sim_open(struct sim *s, const struct muses_reliability_ops *ops, const void *config,
              const struct sim_path *path, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	s->loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s->loop);
	CU_ASSERT_EQUAL_FATAL(core_env_open(&s->env, s->loop, seed + 1), 0);
	end_open(s, &s->a, &s->b, ops, config, path);
	end_open(s, &s->b, &s->a, ops, config, path);
}

static void end_close(struct sim_end *e)
{
	muses_timer_stop(&e->timer);
	ops_of(e)->session_close(e->state);
	core_ranges_clear(&e->got);
	muses_free(e->fate);
	CU_ASSERT_EQUAL(e->wrong, 0);
}

void sim_close(struct sim *s)
{
	/* What is still on its way arrives at ends that no longer listen. */
	s->a.closed = s->b.closed = true;
	while (core_loop_next(s->loop) != UINT64_MAX) {
		muses_timer_stop(&s->a.timer);
		muses_timer_stop(&s->b.timer);
		core_loop_advance(s->loop, MUSES_S);
	}
	end_close(&s->a);
	end_close(&s->b);
	CU_ASSERT_EQUAL(core_env_close(&s->env), 0);
	core_loop_close(s->loop);
}

void sim_write(struct sim_end *e, uint64_t size)
{
	e->backlog = size == UINT64_MAX ? size : e->backlog + size;
	pump(e);
}

void sim_advance(struct sim *s, uint64_t span_ns)
{
	core_loop_advance(s->loop, span_ns);
}

void sim_path_news(struct sim_end *e, enum muses_path event)
{
	ops_of(e)->path(e->state, event);
	pump(e);
}

uint64_t sim_next(const struct sim *s)
{
	return core_loop_next(s->loop);
}
