/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session table: finding, beginning and ending sessions, their states and
 * timers.  A session is closed in two steps: core_session_close() takes it out of
 * the table at once; the tell task frees it when its streams' users have let go.
 */
#include "core/session_int.h"

#define CONNECTING_IDLE_NS (60 * MUSES_S)
#define VERDICTS_MOST      3 /* Of the reliability plugin, in one turn. */
#define STARVED_NS         (10 * MUSES_MS)
#define BEGIN_AGAIN_NS     MUSES_S

const struct core_sessions_config core_sessions_defaults = {
	.most_sessions = 4096,
	.most_streams = 65536,
	.stream_window = 4u << 20,
	.session_window = 16u << 20,
	.idle_close_s = 0,
	.rekey_s = 120,
	.keystep_s = 3600,
};

const char *core_session_state_name(enum core_session_state state)
{
	static const char *const names[] = { "connecting", "established", "suspected",
		                             "suspended", "closed" };

	return (unsigned)state < sizeof(names) / sizeof(names[0]) ? names[state]
	                                                          : "unknown";
}

void core_session_count(struct core_session *s, const char *reason)
{
	core_count(s->table->env->stats, CORE_SESSIONS, reason);
}

const char *core_session_label(struct core_session *s,
                               char text[static MUSES_NAME_MAX + 1])
{
	struct core_sessions *table = s->table;
	const char *name = table->keys_ops->petname(table->pipeline->keys, &s->peer);

	if (name == NULL)
		muses_id_text(&s->peer, text);
	return name != NULL ? name : text;
}

void core_sessions_send(struct core_sessions *table, const struct muses_id *destination,
                        const uint8_t *data, size_t size)
{
	struct muses_buf *b = core_buf_new(table->env->pool, MUSES_HEADROOM, size);

	if (b == NULL) {
		core_count(table->env->stats, CORE_SESSIONS, "no buffer to send with");
		return;
	}
	memcpy(muses_buf_append(b, size), data, size);
	(void)table->overlay_ops->send(table->pipeline->overlay, destination, b);
}

void core_sessions_hurry(struct core_sessions *table)
{
	if (table->config.hurry != NULL)
		table->config.hurry(table->config.owner, table->suspended_count > 0);
}

uint8_t core_sessions_locator(struct core_sessions *table,
                              uint8_t locator[static MUSES_LOCATOR_MAX])
{
	size_t size = 0;

	if (table->overlay_ops->locator_get != NULL)
		size = table->overlay_ops->locator_get(table->pipeline->overlay, locator);
	return size <= MUSES_LOCATOR_MAX ? (uint8_t)size : 0;
}

static uint64_t key_of(const struct muses_id *id)
{
	struct muses_reader r = muses_reader(id->bytes, 8);

	return muses_read_u64(&r);
}

/* ---- one session ------------------------------------------------------------------ */

static bool needs_path(enum core_session_state state)
{
	return state == CORE_SESSION_SUSPENDED || state == CORE_SESSION_CONNECTING;
}

void core_session_set_state(struct core_session *s, enum core_session_state state)
{
	struct core_sessions *table = s->table;
	bool before = needs_path(s->state), after = needs_path(state);

	if (s->state == state)
		return;
	s->state = state;
	if (before != after) {
		table->suspended_count += after ? 1 : -1;
		core_sessions_hurry(table);
	}
	if (table->config.changed != NULL)
		table->config.changed(table->config.owner, s);
}

void core_session_wake(struct core_session *s)
{
	if (!s->closing)
		muses_task_queue(&s->flush);
}

static void close_if_idle(struct core_session *s, uint64_t now, uint64_t *due)
{
	uint64_t most = s->state == CORE_SESSION_CONNECTING
	                        ? CONNECTING_IDLE_NS
	                        : s->table->config.idle_close_s * MUSES_S;

	if (s->idle_ns == 0 || most == 0 || s->streams.count > 0)
		return;
	if (now - s->idle_ns >= most)
		core_session_close(s, CORE_REASON_SESSION_CLOSED);
	else if (s->idle_ns + most < *due)
		*due = s->idle_ns + most;
}

static void act(struct core_session *s, enum muses_verdict verdict, const char *why)
{
	char label[MUSES_NAME_MAX + 1];

	switch (verdict) {
	case MUSES_SEND:
		s->due |= CORE_DUE_PING;
		if (s->finished_out)
			s->due |= CORE_DUE_FINISHED;
		if (s->third != NULL)
			core_sessions_send(s->table, &s->peer, s->third, s->third_size);
		core_session_wake(s);
		break;
	case MUSES_REHELLO:
		core_rehello_begin(s, false);
		break;
	case MUSES_SUSPEND:
		core_session_suspend(s);
		break;
	case MUSES_GIVE_UP:
		core_log(s->table->env->log, MUSES_WARN, CORE_SESSIONS,
		         "session with %s closed: %s", core_session_label(s, label),
		         why != NULL ? why : "gave up");
		core_session_close(s, CORE_REASON_GAVE_UP);
		break;
	case MUSES_WAIT:
		break;
	}
}

void core_session_poll(struct core_session *s)
{
	const struct muses_reliability_ops *ops = s->table->reliability_ops;
	uint64_t now = core_session_now(s), due = UINT64_MAX;

	if (s->closing || s->in_poll)
		return;
	s->in_poll = true;
	if (s->reliability != NULL) {
		const char *why = NULL;
		enum muses_verdict verdict = ops->timer(s->reliability, &due, &why);
		uint64_t ack_due;

		/* A verdict is given once; what it leads to (a new phase) is told to the
		 * plugin, which may then have another: suspend, and ask again at once. */
		for (int i = 0; verdict != MUSES_WAIT; i++) {
			act(s, verdict, why);
			if (s->closing)
				goto out;
			if (i == VERDICTS_MOST) {
				due = now; /* On the loop's next turn. */
				break;
			}
			verdict = ops->timer(s->reliability, &due, &why);
		}
		ack_due = ops->ack_due(s->reliability);
		if (ack_due < due && s->state != CORE_SESSION_SUSPENDED && !s->blocked)
			due = ack_due;
	}
	if (s->traffic[0] != NULL) {
		uint64_t expire = core_traffic_expire(s->traffic[0], now);

		if (expire < due)
			due = expire;
	}
	if (s->traffic[0] != NULL) {
		uint64_t keystep = core_keystep_due(s, now);

		if (keystep < due)
			due = keystep;
	}
	if ((s->starved || s->starving) && now + STARVED_NS < due)
		due = now + STARVED_NS;
	if (s->state == CORE_SESSION_CONNECTING && s->handshake == NULL &&
	    now + BEGIN_AGAIN_NS < due)
		due = now + BEGIN_AGAIN_NS; /* on_timer() begins one. */
	close_if_idle(s, now, &due);
	if (s->closing)
		goto out;
	if (due == UINT64_MAX)
		muses_timer_stop(&s->timer);
	else
		muses_timer_at(&s->timer, due > now ? due : now + MUSES_MS);
out:
	s->in_poll = false;
}

static void on_timer(struct muses_timer *t)
{
	struct core_session *s = muses_container(t, struct core_session, timer);

	/* Memory was short when the last one began or ended. */
	if (s->state == CORE_SESSION_CONNECTING)
		core_handshake_begin(s);
	if (s->starving) {
		s->starving = false;
		core_streams_feed(s);
	}
	core_session_wake(s);
}

struct core_session *core_session_new(struct core_sessions *table,
                                      const struct muses_id *peer)
{
	struct core_session *s;

	if (table->stopping || table->by_peer.count >= table->config.most_sessions ||
	    muses_id_equal(peer, &table->self))
		return NULL;
	s = muses_zalloc(sizeof(*s));
	if (s == NULL)
		return NULL;
	if (core_rand_bytes(table->env->rand, s->lineage, sizeof(s->lineage)) != 0 ||
	    !core_hash_put(&table->by_peer, &s->by_peer, key_of(peer))) {
		muses_free(s);
		return NULL;
	}
	s->table = table;
	s->peer = *peer;
	s->ready_last = &s->ready_first;
	s->next_stream = muses_id_compare(&table->self, peer) < 0 ? 0 : 1;
	s->peer_stream_window = 64u
	                        << 10; /* Until it says more: every node takes this. */
	s->peer_session_window = s->peer_stream_window;
	s->send_limit = s->peer_session_window;
	s->receive_limit = table->config.session_window;
	s->mtu = table->overlay_ops->mtu(table->pipeline->overlay, peer);
	s->met_mtu = s->mtu;
	s->idle_ns = core_session_now(s);
	core_timer_init(table->env->loop, &s->timer, on_timer);
	core_task_init(table->env->loop, &s->flush, core_session_flush);
	table->suspended_count++; /* CONNECTING needs a path. */
	core_sessions_hurry(table);
	return s;
}

bool core_session_set_index(struct core_session *s, uint64_t index)
{
	if (s->indexed)
		core_hash_remove(&s->table->by_index, &s->by_index);
	s->index = index;
	s->indexed = core_hash_put(&s->table->by_index, &s->by_index, index);
	return s->indexed;
}

void core_session_violated(struct core_session *s, const char *reason)
{
	char label[MUSES_NAME_MAX + 1];

	if (s->closing)
		return;
	core_session_count(s, reason);
	core_log(s->table->env->log, MUSES_DEBUG, CORE_SESSIONS,
	         "session with %s ends: %s", core_session_label(s, label), reason);
	s->closing = true;
	s->closing_reason = CORE_REASON_PROTOCOL;
}

void core_session_close(struct core_session *s, enum core_reason reason)
{
	struct core_sessions *table = s->table;

	if (s->state == CORE_SESSION_CLOSED)
		return;
	core_session_send_close(s, reason);
	s->closing = true;
	core_handshake_cancel(s);
	muses_timer_stop(&s->timer);
	muses_task_cancel(&s->flush);
	core_hash_remove(&table->by_peer, &s->by_peer);
	if (s->indexed)
		core_hash_remove(&table->by_index, &s->by_index);
	s->indexed = false;
	core_session_set_state(s, CORE_SESSION_CLOSED);
	core_streams_end(s, reason);
	s->dead_next = table->dead;
	table->dead = s;
	muses_task_queue(&table->tell);
}

static void session_free(struct core_session *s)
{
	core_streams_end(s, CORE_REASON_SESSION_CLOSED);
	core_keystep_release(s);
	core_session_release_traffic(s);
	core_resume_release(&s->resume);
	core_sent_forget(s);
	core_ranges_clear(&s->received);
	core_ranges_clear(&s->seen_streams);
	if (s->reliability != NULL)
		s->table->reliability_ops->session_close(s->reliability);
	muses_free(s->third);
	muses_free_secret(s, sizeof(*s));
}

void core_sessions_bury(struct core_sessions *table)
{
	struct core_session **link = &table->dead, *s;

	while ((s = *link) != NULL) {
		if (s->streams.count > 0) {
			link = &s->dead_next;
			continue;
		}
		*link = s->dead_next;
		session_free(s);
	}
}

/* ---- the table ----------------------------------------------------------------------
 */

struct core_sessions *core_sessions_open(struct core_env *env,
                                         struct core_pipeline *pipeline,
                                         const struct core_sessions_config *config,
                                         const struct muses_id *self, const char *name)
{
	struct core_sessions *table = muses_zalloc(sizeof(*table));

	if (table == NULL)
		return NULL;
	table->env = env;
	table->pipeline = pipeline;
	table->keys_ops = core_keys_ops(pipeline);
	table->overlay_ops = core_overlay_ops(pipeline);
	table->reliability_ops = core_reliability_ops(pipeline);
	table->config = *config;
	table->self = *self;
	memcpy(table->name, name, strnlen(name, MUSES_NAME_MAX));
	table->news_last = &table->news_first;
	core_task_init(env->loop, &table->tell, core_sessions_tell);
	return table;
}

uint64_t core_sessions_hello_time(const struct core_sessions *table)
{
	return table->last_hello_time;
}

void core_sessions_hello_after(struct core_sessions *table, uint64_t time_ns)
{
	if (table->last_hello_time < time_ns)
		table->last_hello_time = time_ns;
}

/* Each session, also when it is closed on the way. */
static void each(struct core_sessions *table,
                 void (*act_on)(struct core_session *, void *), void *argument)
{
	struct core_hash_node *n, *next;
	size_t place = 0;

	for (n = core_hash_next(&table->by_peer, &place, NULL); n != NULL; n = next) {
		next = core_hash_next(&table->by_peer, &place, n);
		act_on(muses_container(n, struct core_session, by_peer), argument);
	}
}

static void close_one(struct core_session *s, void *argument)
{
	(void)argument;
	core_session_close(s, CORE_REASON_SESSION_CLOSED);
}

void core_sessions_stop(struct core_sessions *table)
{
	table->stopping = true;
	each(table, close_one, NULL);
}

void core_sessions_close(struct core_sessions *table)
{
	struct core_session *s;

	if (table == NULL)
		return;
	core_sessions_stop(table);
	core_handshakes_release(table);
	while ((s = table->dead) != NULL) {
		table->dead = s->dead_next;
		core_streams_abandon(s);
		session_free(s);
	}
	muses_task_cancel(&table->tell);
	while (table->free_items != NULL) {
		struct core_sent_item *item = table->free_items;

		table->free_items = item->next;
		muses_free(item);
	}
	core_hash_release(&table->by_peer);
	core_hash_release(&table->by_index);
	muses_free_secret(table, sizeof(*table));
}

struct core_session *core_session_find(struct core_sessions *table,
                                       const struct muses_id *peer)
{
	struct core_hash_node *n = core_hash_find(&table->by_peer, key_of(peer));

	for (; n != NULL; n = core_hash_more(n)) {
		struct core_session *s = muses_container(n, struct core_session, by_peer);

		if (muses_id_equal(&s->peer, peer))
			return s;
	}
	return NULL;
}

struct core_session *core_session_get(struct core_sessions *table,
                                      const struct muses_id *peer)
{
	struct core_session *s = core_session_find(table, peer);

	if (s != NULL)
		return s;
	s = core_session_new(table, peer);
	if (s == NULL)
		return NULL;
	core_handshake_begin(s);
	core_session_wake(s);
	return s->closing ? NULL : s;
}

static struct core_session *by_index(struct core_sessions *table, uint64_t index)
{
	struct core_hash_node *n = core_hash_find(&table->by_index, index);

	return n != NULL ? muses_container(n, struct core_session, by_index) : NULL;
}

void core_sessions_deliver(struct core_sessions *table, struct muses_buf *b,
                           const struct muses_met *met)
{
	struct core_session *s;
	struct core_packet p;

	if (!core_packet_get(&p, b->data, b->size)) {
		core_count(table->env->stats, CORE_SESSIONS, "malformed header");
		muses_buf_free(b);
		return;
	}
	switch (p.type) {
	case CORE_PACKET_DATA:
		s = by_index(table, p.index);
		if (s != NULL) {
			core_session_receive(s, b, &p, met);
		} else if (!core_handshake_data(table, b, &p, met)) {
			core_count(table->env->stats, CORE_SESSIONS, "unknown session");
			muses_buf_free(b);
		}
		return;
	case CORE_PACKET_REHELLO:
	case CORE_PACKET_REHELLO_ACK:
		s = by_index(table, p.index);
		if (s != NULL)
			core_rehello_received(s, &p, b->data + CORE_HEADER_BYTES,
			                      p.length, met);
		else
			core_count(table->env->stats, CORE_SESSIONS,
			           "Re-Hello for an unknown session");
		break;
	default:
		core_hello_received(table, b, &p, met);
		break;
	}
	muses_buf_free(b);
}

struct path_news {
	const struct muses_id *peer;
	enum muses_path event;
};

static void tell_path(struct core_session *s, void *argument)
{
	const struct path_news *news = argument;
	struct core_sessions *table = s->table;

	if (s->closing)
		return;
	if (s->keyed && news->event != MUSES_PATH_DOWN) {
		uint32_t mtu =
			table->overlay_ops->mtu(table->pipeline->overlay, &s->peer);

		if (mtu > 0 && (s->mtu == 0 || mtu < s->mtu))
			s->mtu = mtu;
	}
	if (!s->keyed && news->event != MUSES_PATH_DOWN)
		core_handshake_path_up(s);
	if (s->reliability != NULL)
		table->reliability_ops->path(s->reliability, news->event);
	core_session_wake(s);
}

void core_sessions_path(struct core_sessions *table, const struct muses_id *peer,
                        enum muses_path event)
{
	struct path_news news = { peer, event };
	struct core_session *s;

	if (peer == NULL) {
		each(table, tell_path, &news);
		return;
	}
	s = core_session_find(table, peer);
	if (s != NULL)
		tell_path(s, &news);
}

static void unblock(struct core_session *s, void *argument)
{
	(void)argument;
	if (s->blocked)
		core_session_wake(s);
}

void core_sessions_writable(struct core_sessions *table, const struct muses_id *peer)
{
	struct core_session *s;

	if (peer == NULL) {
		each(table, unblock, NULL);
		return;
	}
	s = core_session_find(table, peer);
	if (s != NULL)
		unblock(s, NULL);
}

static void close_unknown(struct core_session *s, void *argument)
{
	struct core_sessions *table = s->table;

	(void)argument;
	if (!table->keys_ops->known(table->pipeline->keys, &s->peer))
		core_session_close(s, CORE_REASON_SESSION_CLOSED);
}

void core_sessions_peers_changed(struct core_sessions *table)
{
	each(table, close_unknown, NULL);
}

enum core_session_state core_session_state(const struct core_session *s)
{
	return s->state;
}

const struct muses_id *core_session_peer(const struct core_session *s)
{
	return &s->peer;
}

size_t core_sessions_count(const struct core_sessions *table)
{
	return table->by_peer.count;
}
