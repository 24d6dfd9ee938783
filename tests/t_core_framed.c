/* SPDX-License-Identifier: Apache-2.0 */
#include "core/linkstate.h"

#include "tests/tap.h"

#include <muses/wire.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One framed channel whose upcalls the test takes, and the bare other end of its
 * socket pair. */
struct end {
	struct core_loop *loop;
	struct core_env env;
	struct muses_layer layer, catcher; /* The catcher is wrapped around it. */
	struct muses_plugin plugin;
	struct muses_transport_ops ops, catcher_ops;
	struct muses_channel channel;
	struct muses_framed *framed;
	int wire; /* The other end. */
	size_t packets, bytes, writable, ups;
	uint32_t sum; /* Of sizes and bytes, in order. */
	const char *down;
	bool close_in_packet;
	struct muses_buf *kept;
	bool keep;
};

static struct end *end_of(struct muses_layer *l)
{
	return muses_container(l, struct end, catcher);
}

static uint32_t mix(uint32_t sum, const uint8_t *data, size_t size)
{
	sum = sum * 31 + (uint32_t)size;
	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + data[i];
	return sum;
}

static void on_packet(struct muses_layer *l, struct muses_channel *channel,
                      struct muses_buf *b)
{
	struct end *e = end_of(l);

	(void)channel;
	e->packets++;
	e->bytes += b->size;
	e->sum = mix(e->sum, b->data, b->size);
	if (e->keep) {
		muses_buf_free(e->kept);
		e->kept = b;
	} else {
		muses_buf_free(b);
	}
	if (e->close_in_packet) {
		muses_framed_close(e->framed);
		e->framed = NULL;
	}
}

static void on_up(struct muses_layer *l, struct muses_channel *channel)
{
	(void)channel;
	end_of(l)->ups++;
}

static void on_writable(struct muses_layer *l, struct muses_channel *channel)
{
	(void)channel;
	end_of(l)->writable++;
}

static void on_down(struct muses_layer *l, struct muses_channel *channel,
                    const char *reason)
{
	(void)channel;
	end_of(l)->down = reason;
	end_of(l)->framed = NULL;
}

static void end_open(struct end *e)
{
	int pair[2];

	memset(e, 0, sizeof(*e));
	e->loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	if (e->loop == NULL || core_env_open(&e->env, e->loop, 1) != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		abort();
	e->ops.mtu = MUSES_PACKET_MAX;
	e->catcher_ops = (struct muses_transport_ops){ .inner_packet = on_packet,
		                                       .inner_up = on_up,
		                                       .inner_writable = on_writable,
		                                       .inner_down = on_down };
	e->layer = (struct muses_layer){ .plugin = &e->plugin,
		                         .ops = &e->ops,
		                         .env = &e->env,
		                         .outer = &e->catcher,
		                         .depth = 1,
		                         .label = "tcp" };
	e->catcher = (struct muses_layer){ .plugin = &e->plugin,
		                           .ops = &e->catcher_ops,
		                           .env = &e->env,
		                           .inner = &e->layer };
	e->channel.outermost = &e->catcher;
	e->framed = muses_framed_open(&e->layer, &e->channel, pair[0], false);
	e->wire = pair[1];
}

/* Returns how many buffers were lost. */
static void end_close(struct end *e)
{
	muses_buf_free(e->kept);
	muses_framed_close(e->framed);
	close(e->wire);
	CU_ASSERT_EQUAL(core_env_close(&e->env), 0);
	core_loop_close(e->loop);
}

static void turn(struct end *e)
{
	core_loop_advance(e->loop, MUSES_MS);
}

/* Put a frame of size bytes behind used bytes of out; byte i is i + size. */
static size_t put_frame(uint8_t *out, size_t used, size_t size)
{
	struct muses_writer w = muses_writer(out + used, 4);

	muses_write_u32(&w, (uint32_t)size);
	for (size_t i = 0; i < size; i++)
		out[used + 4 + i] = (uint8_t)(i + size);
	return used + 4 + size;
}

static uint32_t sum_of(const size_t *size, size_t count)
{
	static uint8_t frame[MUSES_PACKET_MAX + 4];
	uint32_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		put_frame(frame, 0, size[i]);
		sum = mix(sum, frame + 4, size[i]);
	}
	return sum;
}

static void write_all(struct end *e, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(e->wire, data, size);

		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
		turn(e);
		if (e->framed == NULL)
			return;
	}
}

static void a_frame_split_anywhere_is_the_same(void)
{
	static const size_t size[] = { 1, 5, 300, 3000 };
	uint8_t data[4096];
	size_t total = 0;

	for (size_t i = 0; i < COUNT(size); i++)
		total = put_frame(data, total, size[i]);
	for (size_t cut = 0; cut <= total; cut++) {
		struct end e;

		end_open(&e);
		write_all(&e, data, cut);
		write_all(&e, data + cut, total - cut);
		TAP_NOTE_IF(e.packets != COUNT(size), "cut at %zu: %zu packets", cut,
		            e.packets);
		CU_ASSERT_EQUAL(e.packets, COUNT(size));
		CU_ASSERT_EQUAL(e.sum, sum_of(size, COUNT(size)));
		CU_ASSERT_PTR_NULL(e.down);
		end_close(&e);
	}
}

static void frames_byte_by_byte_are_the_same(void)
{
	static const size_t size[] = { 1, 5, 300, 3000 };
	uint8_t data[4096];
	size_t total = 0;
	struct end e;

	for (size_t i = 0; i < COUNT(size); i++)
		total = put_frame(data, total, size[i]);
	end_open(&e);
	for (size_t i = 0; i < total; i++)
		write_all(&e, data + i, 1);
	CU_ASSERT_EQUAL(e.packets, COUNT(size));
	CU_ASSERT_EQUAL(e.sum, sum_of(size, COUNT(size)));
	end_close(&e);
}

static void a_thousand_frames_in_one_read(void)
{
	static uint8_t data[16 * 1024];
	size_t size[1000], total = 0;
	struct end e;

	for (size_t i = 0; i < COUNT(size); i++) {
		size[i] = 1 + i % 9;
		total = put_frame(data, total, size[i]);
	}
	end_open(&e);
	write_all(&e, data, total);
	CU_ASSERT_EQUAL(e.packets, COUNT(size));
	CU_ASSERT_EQUAL(e.sum, sum_of(size, COUNT(size)));
	end_close(&e);
}

/* Sizes around every limit of the reader, in an order that breaks its guesses. */
static void frames_of_all_sizes_pass(void)
{
	static const size_t pick[] = { 1,     2,     2043,  2044,  2045,  2048,
		                       16123, 16128, 16384, 30000, 65534, 65535,
		                       65535, 65535, 65535, 1,     65535, 7,
		                       65535, 65535, 100,   4096,  4096,  4096,
		                       4096,  4096,  4096,  4096,  4096,  3 };
	static uint8_t frame[MUSES_PACKET_MAX + 4];
	struct end e;

	end_open(&e);
	for (size_t i = 0; i < COUNT(pick); i++)
		write_all(&e, frame, put_frame(frame, 0, pick[i]));
	CU_ASSERT_EQUAL(e.packets, COUNT(pick));
	CU_ASSERT_EQUAL(e.sum, sum_of(pick, COUNT(pick)));
	CU_ASSERT_PTR_NULL(e.down);
	end_close(&e);
}

static void wrong_lengths_end_the_channel(void)
{
	static const struct {
		uint8_t length[4];
		bool wrong;
		const char *why;
	} row[] = {
		{ { 0, 0, 0, 0 }, true, "no frame is empty" },
		{ { 0, 1, 0, 0 }, true, "one more than the MTU" },
		{ { 0xff, 0xff, 0xff, 0xff }, true, "the largest number" },
		{ { 0x80, 0, 0, 1 }, true, "negative, if read as signed" },
		{ { 0, 0, 0xff, 0xff }, false, "the MTU itself" },
		{ { 0, 0, 0, 1 }, false, "the smallest frame" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct core_pool_counts counts;
		struct end e;

		end_open(&e);
		write_all(&e, row[i].length, 4);
		TAP_NOTE_IF((e.down != NULL) != row[i].wrong, "row %zu: %s", i,
		            row[i].why);
		CU_ASSERT_EQUAL(e.down != NULL, row[i].wrong);
		core_pool_counts(e.env.pool, &counts);
		CU_ASSERT(counts.bytes_most < 256 * 1024);
		end_close(&e);
	}
}

static void a_frame_that_stops_ends_the_channel(void)
{
	static const uint8_t half[] = { 0, 0, 0, 9, 'h', 'a' };
	struct end e;

	end_open(&e);
	write_all(&e, half, sizeof(half));
	core_loop_advance(e.loop, 9 * MUSES_S);
	CU_ASSERT_PTR_NULL(e.down);
	core_loop_advance(e.loop, 2 * MUSES_S);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e.down);
	CU_ASSERT_STRING_EQUAL(e.down, "a frame took too long");
	end_close(&e);
}

static void a_slow_frame_that_goes_on_passes(void)
{
	static uint8_t frame[MUSES_PACKET_MAX + 4];
	size_t total = put_frame(frame, 0, 20000);
	struct end e;

	end_open(&e);
	for (size_t at = 0; at < total; at += 1200) {
		write_all(&e, frame + at, total - at < 1200 ? total - at : 1200);
		core_loop_advance(e.loop, 5 * MUSES_S);
	}
	CU_ASSERT_PTR_NULL(e.down);
	CU_ASSERT_EQUAL(e.packets, 1);
	core_loop_advance(e.loop, 60 * MUSES_S);
	CU_ASSERT_PTR_NULL(e.down);
	end_close(&e);
}

static void an_end_is_told(void)
{
	static const uint8_t half[] = { 0, 0, 0, 9, 'h', 'a' };

	for (size_t size = 0; size <= sizeof(half); size++) {
		struct end e;

		end_open(&e);
		write_all(&e, half, size);
		shutdown(e.wire, SHUT_WR);
		turn(&e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(e.down);
		CU_ASSERT_STRING_EQUAL(e.down, size == 0 ? "closed by the peer"
		                                         : "closed inside a frame");
		end_close(&e);
	}
}

static struct muses_buf *packet(struct end *e, size_t size)
{
	struct muses_buf *b = core_buf_new(e->env.pool, MUSES_HEADROOM, size);
	uint8_t *data = muses_buf_append(b, size);

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i + size);
	return b;
}

/* Read all that the framed end writes, as frames of another framed end would. */
static void what_is_sent_arrives(void)
{
	static const size_t size[] = { 1, 100, 65535, 2000, 65535, 65535, 65535, 3 };
	struct end a, b;
	int flags;

	end_open(&a);
	end_open(&b);
	/* Two ends, one after the other: a's wire feeds b's. */
	for (size_t i = 0; i < COUNT(size); i++)
		muses_framed_send(a.framed, packet(&a, size[i]));
	CU_ASSERT(muses_framed_queued(a.framed) > 4 * 65535);
	for (int i = 0; i < 1000; i++) {
		uint8_t data[4096];
		ssize_t n = read(a.wire, data, sizeof(data));

		if (n > 0)
			write_all(&b, data, (size_t)n);
		turn(&a);
	}
	CU_ASSERT_EQUAL(b.packets, COUNT(size));
	CU_ASSERT_EQUAL(b.sum, sum_of(size, COUNT(size)));
	CU_ASSERT_EQUAL(muses_framed_queued(a.framed), 0);
	CU_ASSERT(a.writable >= 1);
	flags = fcntl(muses_framed_descriptor(a.framed), F_GETFL);
	CU_ASSERT(flags & O_NONBLOCK);
	end_close(&a);
	end_close(&b);
}

static void a_packet_without_headroom_is_sent_too(void)
{
	struct end e;
	uint8_t data[16];

	end_open(&e);
	muses_framed_send(e.framed, packet(&e, 5));
	turn(&e);
	CU_ASSERT_EQUAL(read(e.wire, data, sizeof(data)), 9);
	{
		struct muses_buf *b = core_buf_new(e.env.pool, 0, 5);

		memcpy(muses_buf_append(b, 5), "hello", 5);
		muses_framed_send(e.framed, b);
	}
	turn(&e);
	CU_ASSERT_EQUAL(read(e.wire, data, sizeof(data)), 9);
	CU_ASSERT_EQUAL(memcmp(data, "\0\0\0\5hello", 9), 0);
	end_close(&e);
}

static void writing_to_nobody_is_told_without_a_signal(void)
{
	struct end e;

	end_open(&e);
	shutdown(e.wire, SHUT_RD);
	muses_framed_send(e.framed, packet(&e, 100));
	turn(&e);
	CU_ASSERT_PTR_NOT_NULL(e.down);
	end_close(&e);
}

static void an_upcall_may_close(void)
{
	uint8_t data[64];
	size_t total = put_frame(data, put_frame(data, 0, 3), 4);
	struct end e;

	end_open(&e);
	e.close_in_packet = true;
	CU_ASSERT_EQUAL(write(e.wire, data, total), (ssize_t)total);
	turn(&e);
	CU_ASSERT_EQUAL(e.packets, 1);
	CU_ASSERT_PTR_NULL(e.down);
	end_close(&e);
}

static void a_last_word_is_written_at_close(void)
{
	uint8_t data[16];
	struct end e;

	end_open(&e);
	muses_framed_send(e.framed, packet(&e, 5));
	muses_framed_close(e.framed);
	e.framed = NULL;
	CU_ASSERT_EQUAL(read(e.wire, data, sizeof(data)), 9);
	CU_ASSERT_EQUAL(read(e.wire, data, sizeof(data)), 0);
	end_close(&e);
}

/* A relay reuses the bytes that the frame brought along. */
static void a_packet_goes_on_without_a_copy(void)
{
	static uint8_t frame[MUSES_PACKET_MAX + 4];
	size_t total = put_frame(frame, 0, 60000);
	const uint8_t *where;
	struct end e;

	end_open(&e);
	e.keep = true;
	for (int i = 0; i < 2; i++)
		write_all(&e, frame, total);
	CU_ASSERT_EQUAL_FATAL(e.packets, 2);
	where = e.kept->data;
	CU_ASSERT(e.kept->head >= 4);
	muses_framed_send(e.framed, e.kept);
	CU_ASSERT_PTR_EQUAL(where, e.kept->data + 4);
	e.kept = NULL;
	end_close(&e);
}

static const struct tap_test tests[] = {
	{ "a frame split anywhere is the same", a_frame_split_anywhere_is_the_same },
	{ "frames byte by byte are the same", frames_byte_by_byte_are_the_same },
	{ "a thousand frames in one read", a_thousand_frames_in_one_read },
	{ "frames of all sizes pass", frames_of_all_sizes_pass },
	{ "wrong lengths end the channel", wrong_lengths_end_the_channel },
	{ "a frame that stops ends the channel", a_frame_that_stops_ends_the_channel },
	{ "a slow frame that goes on passes", a_slow_frame_that_goes_on_passes },
	{ "an end is told", an_end_is_told },
	{ "what is sent arrives", what_is_sent_arrives },
	{ "a packet without headroom is sent too",
	  a_packet_without_headroom_is_sent_too },
	{ "writing to nobody is told without a signal",
	  writing_to_nobody_is_told_without_a_signal },
	{ "an upcall may close", an_upcall_may_close },
	{ "a last word is written at close", a_last_word_is_written_at_close },
	{ "a packet goes on without a copy", a_packet_goes_on_without_a_copy },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "framed", tests);
}
