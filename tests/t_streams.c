/* SPDX-License-Identifier: Apache-2.0 */
/* Streams as their users see them: windows, refusals, ends, and what may be done from
 * inside a callback. */
#include "tests/bench.h"

#include "core/session_int.h"

#include <tests/tap.h>

static struct bench b;

static void close_bench(void)
{
	CU_ASSERT_EQUAL(b.sealed_twice, 0);
	CU_ASSERT_EQUAL(bench_close(&b), 0);
}

static void a_slow_reader_holds_up_nobody_else(void)
{
	struct bench_pair *slow, *fast;

	bench_open(&b, 1);
	bench_with_relay(&b);
	slow = bench_stream(&b, &b.node[0], &b.node[1], 1000000, 0);
	slow->acceptor.paused = true;
	bench_run(&b, SECONDS(1));
	fast = bench_stream(&b, &b.node[0], &b.node[1], 3000000, 1000000);
	bench_run(&b, SECONDS(20));
	CU_ASSERT_TRUE(bench_complete(fast));
	/* Its writer was told to wait: one window, and what waits to be sent. */
	CU_ASSERT_TRUE(slow->opener.sent <= b.config.stream_window + (512u << 10));
	CU_ASSERT_EQUAL(slow->acceptor.received, 0);
	/* Then it reads, little by little. */
	slow->acceptor.read_most = 1000;
	slow->acceptor.paused = false;
	core_stream_accept(slow->acceptor.stream, slow->acceptor.stream->user,
	                   &slow->acceptor);
	CU_ASSERT(bench_finish(&b, MINUTES(1)));
	close_bench();
}

static void a_refusal_reaches_the_opener_with_its_reason(void)
{
	for (unsigned reason = CORE_REASON_NO_SERVICE; reason <= CORE_REASON_LIMIT;
	     reason++) {
		struct bench_pair *p;

		bench_open(&b, 1);
		bench_pair_of_nodes(&b);
		b.refuse = (enum core_reason)reason;
		p = bench_stream(&b, &b.node[0], &b.node[1], 100000, 0);
		bench_run(&b, SECONDS(2));
		CU_ASSERT_TRUE(p->opener.was_reset);
		CU_ASSERT_EQUAL(p->opener.reason, reason);
		CU_ASSERT_EQUAL(b.node[0].sessions->stream_count, 0);
		CU_ASSERT_EQUAL(b.node[1].sessions->stream_count, 0);
		close_bench();
	}
}

/* Later than it was sent: the last words of who then closes the session. */
static void what_arrived_whole_is_read_after_the_session_ended(void)
{
	struct bench_pair *p;

	bench_open(&b, 1);
	bench_pair_of_nodes(&b);
	p = bench_stream(&b, &b.node[0], &b.node[1], 50000, 10);
	p->acceptor.paused = true;
	bench_run(&b, SECONDS(2));
	CU_ASSERT_TRUE(p->opener.ended);
	CU_ASSERT_EQUAL(p->acceptor.received, 0);
	core_session_close(bench_session(&b.node[0], &b.node[1]),
	                   CORE_REASON_SESSION_CLOSED);
	bench_run(&b, SECONDS(2));
	CU_ASSERT_PTR_NULL(bench_session(&b.node[1], &b.node[0]));
	CU_ASSERT_FALSE(p->acceptor.was_reset);
	p->acceptor.paused = false;
	core_stream_accept(p->acceptor.stream, p->acceptor.stream->user, &p->acceptor);
	bench_run(&b, SECONDS(2));
	CU_ASSERT_TRUE(bench_complete(p));
	CU_ASSERT_EQUAL(b.node[1].sessions->stream_count, 0);
	CU_ASSERT_PTR_NULL(b.node[1].sessions->dead);
	close_bench();
}

/* ---- from inside a callback ---------------------------------------------------------
 */

#define MANY 20

static struct core_stream *stream[MANY];
static unsigned told;
static bool close_session;

static void close_all(void)
{
	struct core_session *s = NULL;

	told++;
	for (unsigned i = 0; i < MANY; i++) {
		if (stream[i] == NULL)
			continue;
		s = core_stream_session(stream[i]);
		core_stream_close(stream[i]);
		stream[i] = NULL;
	}
	if (close_session && s != NULL)
		core_session_close(s, CORE_REASON_SESSION_CLOSED);
}

static void on_reset(struct core_stream *s, void *data, enum core_reason reason)
{
	(void)s;
	(void)data;
	(void)reason;
	close_all();
}

static void on_news(struct core_stream *s, void *data)
{
	(void)s;
	(void)data;
	close_all();
}

static void on_suspended(struct core_stream *s, void *data, bool suspended)
{
	(void)s;
	(void)data;
	(void)suspended;
	close_all();
}

static void ignore(struct core_stream *s, void *data)
{
	(void)s;
	(void)data;
}

static const struct core_stream_user at_reset = { ignore, ignore, on_reset, NULL };
static const struct core_stream_user at_readable = { on_news, ignore, on_reset, NULL };
static const struct core_stream_user at_writable = { ignore, on_news, on_reset, NULL };
static const struct core_stream_user at_suspended = { ignore, ignore, on_reset,
	                                              on_suspended };

static void open_many(const struct core_stream_user *user)
{
	struct core_session *s;

	bench_open(&b, 1);
	b.pairs = 0;
	bench_pair_of_nodes(&b);
	s = core_session_get(b.node[0].sessions, &b.node[1].id);
	told = 0;
	for (unsigned i = 0; i < MANY; i++) {
		char service[16];

		snprintf(service, sizeof(service), "s%u", i);
		b.pair[i].acceptor = (struct bench_end){
			.bench = &b, .node = &b.node[1], .number = i, .to_send = 50
		};
		stream[i] = core_stream_open(s, service, 0, user, NULL);
		CU_ASSERT_PTR_NOT_NULL(stream[i]);
	}
}

static void callbacks_may_close_all_streams_and_the_session(void)
{
	static const struct core_stream_user *const users[] = { &at_reset, &at_readable,
		                                                &at_writable,
		                                                &at_suspended };

	for (unsigned how = 0; how < 8; how++) {
		const struct core_stream_user *user = users[how / 2];

		close_session = how % 2 == 1;
		open_many(user);
		if (user == &at_reset)
			b.refuse = CORE_REASON_REFUSED;
		if (user == &at_writable)
			for (unsigned i = 0; i < MANY; i++) {
				struct iovec iov[4];

				/* Until there is no room: then writable() follows. */
				while (core_stream_reserve(stream[i], iov, 1, 60000) > 0)
					core_stream_commit(stream[i], iov[0].iov_len);
			}
		bench_run(&b, 40 * MUSES_MS);
		core_hub_break(b.hub, "bob", "alice");
		core_hub_cut(b.hub, "bob", "alice", true);
		bench_run(&b, SECONDS(20));
		core_hub_cut(b.hub, "bob", "alice", false);
		bench_run(&b, MINUTES(2));
		TAP_NOTE_IF(told != 1, "%u: %u callbacks", how, told);
		CU_ASSERT_EQUAL(told, 1);
		CU_ASSERT_EQUAL(b.node[0].sessions->stream_count, 0);
		CU_ASSERT_EQUAL(b.node[1].sessions->stream_count, 0);
		CU_ASSERT_PTR_NULL(b.node[0].sessions->dead);
		close_bench();
	}
}

/* ---- accepted later
 * ----------------------------------------------------------------------- */

static struct core_stream *pending;

static void wait_with_it(void *owner, struct core_stream *s, const char *service)
{
	(void)owner;
	(void)service;
	pending = s;
}

static void a_stream_can_be_accepted_after_its_session_ended(void)
{
	for (int take = 0; take < 2; take++) {
		struct bench_pair *p;

		bench_open(&b, 1);
		bench_pair_of_nodes(&b);
		b.node[1].sessions->config.accept = wait_with_it;
		pending = NULL;
		p = bench_stream(&b, &b.node[0], &b.node[1], 1000, 1000);
		bench_run(&b, SECONDS(1));
		CU_ASSERT_PTR_NOT_NULL_FATAL(pending);
		core_session_close(bench_session(&b.node[0], &b.node[1]),
		                   CORE_REASON_SESSION_CLOSED);
		bench_run(&b, SECONDS(2));
		CU_ASSERT_TRUE(p->opener.was_reset);
		stream[0] = pending;
		told = 0;
		close_session = false;
		if (take == 1)
			core_stream_accept(pending, &at_reset, NULL);
		else
			core_stream_reject(pending, CORE_REASON_REFUSED);
		bench_run(&b, SECONDS(1));
		CU_ASSERT_EQUAL(told, (unsigned)take);
		stream[0] = NULL;
		CU_ASSERT_EQUAL(b.node[1].sessions->stream_count, 0);
		close_bench();
	}
}

static void one_session_takes_half_of_all_streams_at_most(void)
{
	struct core_session *s;
	unsigned opened = 0;

	bench_open(&b, 1);
	b.config.most_streams = 20;
	bench_pair_of_nodes(&b);
	s = core_session_get(b.node[0].sessions, &b.node[1].id);
	while (opened < MANY &&
	       (stream[opened] = core_stream_open(s, "s99", 0, &at_reset, NULL)) != NULL)
		opened++;
	CU_ASSERT_EQUAL(opened, 10);
	close_session = false;
	close_all();
	bench_run(&b, SECONDS(2));
	close_bench();
}

static const struct tap_test tests[] = {
	{ "a slow reader holds up nobody else", a_slow_reader_holds_up_nobody_else },
	{ "a refusal reaches the opener with its reason",
	  a_refusal_reaches_the_opener_with_its_reason },
	{ "what arrived whole is read after the session ended",
	  what_arrived_whole_is_read_after_the_session_ended },
	{ "callbacks may close all streams, and the session",
	  callbacks_may_close_all_streams_and_the_session },
	{ "a stream can be accepted after its session ended",
	  a_stream_can_be_accepted_after_its_session_ended },
	{ "one session takes half of all streams at most",
	  one_session_takes_half_of_all_streams_at_most },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "streams", tests);
}
