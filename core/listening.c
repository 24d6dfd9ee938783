/* SPDX-License-Identifier: Apache-2.0 */
/* Listening descriptors of transports over streams. */
#include "core/layer.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ACCEPTS_A_TURN = 64,
	PAUSE_MS = 100, /* Out of descriptors: let some be closed. */
};

struct muses_listening {
	struct muses_layer *layer;
	int fd;
	muses_accepted_fn *accepted;
	struct muses_watch watch;
	struct muses_timer pause;
};

static void take_in(struct muses_listening *s, int fd)
{
	char remote[MUSES_REMOTE_MAX] = "";
	struct muses_channel *channel;
	struct muses_framed *framed;

	s->accepted(s->layer, fd, remote);
	channel = muses_channel_accept(s->layer, remote);
	if (channel == NULL) {
		close(fd);
		return;
	}
	framed = muses_framed_open(s->layer, channel, fd, false);
	muses_channel_set_self(s->layer, channel, framed);
	if (framed == NULL)
		muses_channel_down(s->layer, channel, "out of memory");
}

static void ready(struct muses_watch *w, uint32_t what)
{
	struct muses_listening *s = muses_container(w, struct muses_listening, watch);

	(void)what;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take_in(s, fd);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			muses_watch_drained(w, MUSES_READABLE);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			/* Nobody is refused: they wait in the backlog. */
			muses_count(s->layer, "cannot accept now: out of descriptors");
			muses_watch_want(w, 0);
			muses_timer_after(&s->pause, PAUSE_MS * MUSES_MS);
			return;
		}
	}
}

static void pause_timer(struct muses_timer *t)
{
	struct muses_listening *s = muses_container(t, struct muses_listening, pause);

	muses_watch_want(&s->watch, MUSES_READABLE);
}

struct muses_listening *muses_listening_open(struct muses_layer *l, int fd,
                                             muses_accepted_fn *accepted)
{
	struct muses_listening *s = muses_zalloc(sizeof(*s));

	if (s == NULL) {
		close(fd);
		return NULL;
	}
	s->layer = l;
	s->fd = fd;
	s->accepted = accepted;
	muses_timer_init(l, &s->pause, pause_timer);
	if (muses_watch_open(l, &s->watch, fd, MUSES_READABLE, ready) != 0) {
		muses_listening_close(s);
		return NULL;
	}
	return s;
}

int muses_listening_descriptor(const struct muses_listening *s)
{
	return s->fd;
}

void muses_listening_close(struct muses_listening *s)
{
	if (s == NULL)
		return;
	muses_timer_stop(&s->pause);
	muses_watch_close(&s->watch);
	close(s->fd);
	muses_free(s);
}
