/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of bytes, cut into pieces as its first bytes say, must give the frames
 * that a simple loop over the whole finds, and end where that ends.
 */
#include "core/linkstate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : abort())

enum { MTU = 5000 };

struct seen {
	size_t frames;
	uint64_t sum;
	bool wrong;
};

struct end {
	struct muses_layer layer, catcher;
	struct muses_transport_ops ops, catcher_ops;
	struct muses_channel channel;
	struct muses_framed *framed;
	struct seen seen;
};

static void note(struct seen *s, const uint8_t *data, size_t size)
{
	s->frames++;
	s->sum = s->sum * 31 + size;
	for (size_t i = 0; i < size; i++)
		s->sum = s->sum * 31 + data[i];
}

static void on_packet(struct muses_layer *l, struct muses_channel *channel,
                      struct muses_buf *b)
{
	(void)channel;
	note(&muses_container(l, struct end, catcher)->seen, b->data, b->size);
	muses_buf_free(b);
}

static void on_down(struct muses_layer *l, struct muses_channel *channel,
                    const char *reason)
{
	struct end *e = muses_container(l, struct end, catcher);

	(void)channel;
	e->seen.wrong = strcmp(reason, "not a frame") == 0;
	e->framed = NULL;
}

/* What should come out. */
static struct seen expected(const uint8_t *data, size_t size)
{
	struct seen s = { 0 };

	while (size >= 4) {
		size_t length = (size_t)data[0] << 24 | (size_t)data[1] << 16 |
		                (size_t)data[2] << 8 | data[3];

		if (length == 0 || length > MTU) {
			s.wrong = true;
			break;
		}
		if (size < 4 + length)
			break;
		note(&s, data + 4, length);
		data += 4 + length;
		size -= 4 + length;
	}
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct core_loop *loop;
	struct core_env env;
	struct end e = { .ops = { .mtu = MTU },
		         .catcher_ops = { .inner_packet = on_packet,
		                          .inner_down = on_down } };
	struct seen want;
	uint8_t piece[8];
	int pair[2];

	if (size < sizeof(piece) || size > 60000)
		return 0;
	memcpy(piece, data, sizeof(piece));
	data += sizeof(piece);
	size -= sizeof(piece);
	want = expected(data, size);
	loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	MUST(loop != NULL && core_env_open(&env, loop, 1) == 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) ==
	     0);
	e.layer = (struct muses_layer){ .ops = &e.ops,
		                        .env = &env,
		                        .outer = &e.catcher,
		                        .depth = 1,
		                        .label = "tcp" };
	e.catcher = (struct muses_layer){ .ops = &e.catcher_ops,
		                          .env = &env,
		                          .inner = &e.layer };
	e.channel.outermost = &e.catcher;
	e.framed = muses_framed_open(&e.layer, &e.channel, pair[0], false);
	MUST(e.framed != NULL);
	for (size_t at = 0, i = 0; at < size && e.framed != NULL; i++) {
		size_t part = (size_t)piece[i % sizeof(piece)] *
		                      piece[(i + 1) % sizeof(piece)] +
		              1;
		ssize_t n =
			write(pair[1], data + at, part < size - at ? part : size - at);

		MUST(n > 0);
		at += (size_t)n;
		core_loop_advance(loop, 1);
	}
	MUST(e.seen.frames == want.frames && e.seen.sum == want.sum &&
	     e.seen.wrong == want.wrong);
	muses_framed_close(e.framed);
	close(pair[1]);
	MUST(core_env_close(&env) == 0);
	core_loop_close(loop);
	return 0;
}
