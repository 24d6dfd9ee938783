/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pump between a socket and a stream.  What a newcomer would get wrong: a
 * short read does not say that the socket is drained, because the end of the
 * application's data may stand behind it and will not be announced again; only
 * EAGAIN says so.
 */
#include "core/connection.h"
#include "core/mem.h"
#include "core/session.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* A turn of the loop gives one connection so much, then the others get theirs. */
#define TURN_BYTES (256 * 1024)
#define IOV_MOST   64

struct core_connection {
	struct muses_watch watch;
	struct core_connections *all;
	struct core_connection *next, **link;
	struct core_stream *stream;
	const struct core_connection_watcher *watcher;
	void *watcher_data;
	int fd;
	bool connecting;
	bool read_ended;  /* The application said all, and the stream knows. */
	bool write_ended; /* The peer said all, and the application knows. */
	bool deaf;        /* The application is gone; what it had said is on its way. */
};
_Static_assert(sizeof(struct core_connection) < 300, "ten thousand must be cheap");

/* ---- ending --------------------------------------------------------------- */

static void discard(struct core_connection *c)
{
	struct core_connections *all = c->all;

	all->count--;
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	muses_watch_close(&c->watch);
	if (c->fd >= 0)
		close(c->fd);
	all->gone(all->owner, c);
	muses_free(c);
}

/* Over; the stream has been dealt with. */
static void end(struct core_connection *c, enum core_reason reason)
{
	if (c->watcher != NULL && c->watcher->ended != NULL)
		c->watcher->ended(c->watcher_data, c, reason);
	discard(c);
}

/* The application must see that something was lost: RST, not an orderly end. */
static void harden(struct core_connection *c)
{
	static const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	if (c->fd >= 0)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static void settle(struct core_connection *c)
{
	core_stream_close(c->stream);
	c->stream = NULL;
	end(c, CORE_REASON_NONE);
}

/* Nobody listens to the peer any more: throw away what it says, until it has all
 * that our application had said. */
static void listen_for(struct core_connection *c)
{
	struct iovec iov[IOV_MOST];
	size_t count;

	while ((count = core_stream_peek(c->stream, iov, IOV_MOST)) > 0) {
		size_t size = 0;

		for (size_t i = 0; i < count; i++)
			size += iov[i].iov_len;
		core_stream_consume(c->stream, size);
	}
	if (core_stream_ended(c->stream) || core_stream_flushed(c->stream))
		settle(c);
}

/* The application's socket broke.  An application that says all and leaves must not
 * lose its last words because the peer is still speaking. */
static void broken(struct core_connection *c)
{
	if (c->read_ended) {
		muses_watch_close(&c->watch);
		close(c->fd);
		c->fd = -1;
		c->deaf = true;
		listen_for(c);
		return;
	}
	core_stream_reset(c->stream, CORE_REASON_RESET);
	c->stream = NULL;
	end(c, CORE_REASON_NONE);
}

void core_connection_abort(struct core_connection *c, enum core_reason reason)
{
	if (c->stream != NULL)
		core_stream_reset(c->stream, reason);
	c->stream = NULL;
	c->watcher = NULL;
	harden(c);
	discard(c);
}

void core_connection_fail(struct core_connection *c, enum core_reason reason)
{
	if (c->watcher != NULL && c->watcher->ended != NULL)
		c->watcher->ended(c->watcher_data, c, reason);
	core_connection_abort(c, reason);
}

void core_connections_abort(struct core_connections *all, enum core_reason reason)
{
	while (all->first != NULL)
		core_connection_fail(all->first, reason);
}

/* ---- moving bytes: each answers whether c is still there ------------------ */

static void want(struct core_connection *c, uint32_t on, uint32_t off)
{
	muses_watch_want(&c->watch, (c->watch.wanted | on) & ~off);
}

/* From the application into the stream. */
static bool pull(struct core_connection *c)
{
	size_t budget = TURN_BYTES;
	struct iovec iov[IOV_MOST];

	while (budget > 0 && !c->read_ended) {
		size_t space = core_stream_space(c->stream);
		size_t count =
			space == 0 ? 0
				   : core_stream_reserve(c->stream, iov, IOV_MOST,
		                                         space < budget ? space : budget);
		ssize_t got;
		int system;

		if (count == 0) { /* writable() brings us back. */
			want(c, 0, MUSES_READABLE);
			return true;
		}
		got = readv(c->fd, iov, (int)count);
		system = errno;
		core_stream_commit(c->stream, got > 0 ? (size_t)got : 0);
		if (got > 0) {
			budget -= (size_t)got < budget ? (size_t)got : budget;
		} else if (got == 0) {
			c->read_ended = true;
			want(c, 0, MUSES_READABLE);
			core_stream_finish(c->stream);
		} else if (system == EAGAIN) {
			muses_watch_drained(&c->watch, MUSES_READABLE);
			return true;
		} else if (system != EINTR) {
			broken(c);
			return false;
		}
	}
	if (!c->read_ended || !c->write_ended)
		return true;
	settle(c);
	return false;
}

/* From the stream to the application. */
static bool push(struct core_connection *c)
{
	struct iovec iov[IOV_MOST];
	struct msghdr message = { .msg_iov = iov };

	while ((message.msg_iovlen = core_stream_peek(c->stream, iov, IOV_MOST)) > 0) {
		ssize_t put = sendmsg(c->fd, &message, MSG_NOSIGNAL);

		if (put >= 0) {
			core_stream_consume(c->stream, (size_t)put);
		} else if (errno == EAGAIN) {
			muses_watch_drained(&c->watch, MUSES_WRITABLE);
			want(c, MUSES_WRITABLE, 0);
			return true;
		} else if (errno != EINTR) {
			broken(c);
			return false;
		}
	}
	want(c, 0, MUSES_WRITABLE);
	if (core_stream_ended(c->stream) && !c->write_ended) {
		c->write_ended = true;
		shutdown(c->fd, SHUT_WR);
	}
	if (!c->read_ended || !c->write_ended)
		return true;
	settle(c);
	return false;
}

static int socket_error(int fd)
{
	int system = 0;
	socklen_t size = sizeof(system);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &system, &size) != 0 ? errno : system;
}

/* connect() has an answer. */
static bool connected(struct core_connection *c)
{
	int system = socket_error(c->fd);

	c->connecting = false;
	c->all->answered(c->all->owner, core_stream_service(c->stream), system);
	if (system != 0) {
		core_stream_reset(c->stream, CORE_REASON_REFUSED);
		c->stream = NULL;
		end(c, CORE_REASON_REFUSED);
		return false;
	}
	want(c, MUSES_READABLE, 0);
	return push(c);
}

static void connection_ready(struct muses_watch *w, uint32_t ready)
{
	struct core_connection *c = muses_container(w, struct core_connection, watch);

	if (c->stream == NULL) { /* Waits for its stream; a hang-up will be found then. */
		muses_watch_drained(w, MUSES_HUNG);
		return;
	}
	if (c->connecting) {
		if (ready & (MUSES_WRITABLE | MUSES_HUNG))
			connected(c);
		return;
	}
	if ((ready & MUSES_HUNG) != 0) {
		if (socket_error(c->fd) != 0) {
			broken(c);
			return;
		}
		/* A half-close, or a Unix socket closed: what it said is still there to
		 * be read, when the stream has room. */
		muses_watch_drained(w, MUSES_HUNG);
	}
	if ((ready & MUSES_WRITABLE) != 0 && !push(c))
		return;
	if ((ready & MUSES_READABLE) != 0)
		pull(c);
}

/* ---- what the stream tells ------------------------------------------------ */

static void stream_readable(struct core_stream *s, void *user)
{
	struct core_connection *c = user;

	(void)s;
	if (c->deaf)
		listen_for(c);
	else if (!c->connecting && c->fd >= 0)
		push(c);
}

static void stream_writable(struct core_stream *s, void *user)
{
	struct core_connection *c = user;

	(void)s;
	if (c->deaf)
		listen_for(c);
	else if (!c->connecting && !c->read_ended && c->fd >= 0)
		want(c, MUSES_READABLE, 0);
}

static void stream_reset(struct core_stream *s, void *user, enum core_reason reason)
{
	struct core_connection *c = user;
	struct core_connections *all = c->all;
	char peer[MUSES_NAME_MAX + 1];

	if (reason != CORE_REASON_RESET && reason != CORE_REASON_NONE) {
		all->show(all->owner, core_session_peer(core_stream_session(s)), peer);
		core_log(all->env->log, MUSES_INFO, "lcm",
		         "connection with %s for %s ended: %s", peer,
		         core_stream_service(s), core_reason_text(reason));
	}
	core_stream_close(s);
	c->stream = NULL;
	harden(c);
	end(c, reason);
}

static void stream_suspended(struct core_stream *s, void *user, bool suspended)
{
	struct core_connection *c = user;

	(void)s;
	if (c->watcher != NULL && c->watcher->suspended != NULL)
		c->watcher->suspended(c->watcher_data, c, suspended);
}

const struct core_stream_user core_connection_streams = {
	.readable = stream_readable,
	.writable = stream_writable,
	.reset = stream_reset,
	.suspended = stream_suspended,
};

/* ---- beginning ------------------------------------------------------------ */

int core_connection_socket(struct core_connection *c, int fd)
{
	int err = core_watch_open(c->all->env->loop, &c->watch, fd, 0, connection_ready);

	if (err != 0) {
		close(fd);
		return err;
	}
	c->fd = fd;
	return 0;
}

struct core_connection *core_connection_open(struct core_connections *all, int fd,
                                             bool connecting)
{
	struct core_connection *c = muses_zalloc(sizeof(*c));

	if (c == NULL) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	c->all = all;
	c->fd = -1;
	c->connecting = connecting;
	if (fd >= 0 && core_connection_socket(c, fd) != 0) {
		muses_free(c);
		return NULL;
	}
	c->link = &all->first;
	c->next = all->first;
	if (c->next != NULL)
		c->next->link = &c->next;
	all->first = c;
	all->count++;
	return c;
}

void core_connection_attach(struct core_connection *c, struct core_stream *s)
{
	c->stream = s;
	/* Both: there may be room, and there may be something to read already. */
	want(c, c->connecting ? MUSES_WRITABLE : MUSES_READABLE | MUSES_WRITABLE, 0);
}

void core_connection_watch(struct core_connection *c,
                           const struct core_connection_watcher *watcher, void *data)
{
	c->watcher = watcher;
	c->watcher_data = data;
}

struct core_stream *core_connection_stream(const struct core_connection *c)
{
	return c->stream;
}
