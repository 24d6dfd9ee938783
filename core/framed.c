/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets over a stream of bytes, with a length of 4 bytes in front of each: life
 * and writing.  Reading is in framedread.c.
 *
 * What is sent is written at the end of the turn, many frames with one system
 * call.  An upcall may close the channel: while busy, muses_framed_close() only
 * marks it.
 */
#include "core/framedstate.h"

#include <muses/wire.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_WRITTEN = 64 }; /* Frames a sendmsg(). */

static void release(struct muses_framed *f)
{
	muses_watch_close(&f->watch);
	muses_task_cancel(&f->flush);
	muses_timer_stop(&f->slow);
	muses_timer_stop(&f->retry);
	muses_buf_free(f->cur);
	f->cur = NULL;
	muses_queue_clear(&f->out);
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

void core_framed_down(struct muses_framed *f, const char *reason)
{
	struct muses_layer *l = f->layer;
	struct muses_channel *channel = f->channel;

	release(f);
	f->closed = true;
	if (!f->busy)
		muses_free(f);
	muses_channel_set_self(l, channel, NULL);
	muses_channel_down(l, channel, reason);
}

void core_framed_want(struct muses_framed *f)
{
	uint32_t reading = muses_timer_armed(&f->retry) ? 0 : MUSES_READABLE;

	muses_watch_want(&f->watch, reading | (f->blocked ? MUSES_WRITABLE : 0));
}

/* ---- writing ------------------------------------------------------------------- */

size_t muses_framed_queued(const struct muses_framed *f)
{
	return f->out.bytes - f->skip;
}

/* The first size bytes of what waits have been taken by the system. */
static void written(struct muses_framed *f, size_t size)
{
	f->skip += size;
	while (f->out.first != NULL && f->skip >= f->out.first->size) {
		f->skip -= f->out.first->size;
		muses_buf_free(muses_queue_pop(&f->out));
	}
}

/* Write as much as the system takes.  0, or errno of what is wrong. */
static int write_out(struct muses_framed *f)
{
	while (f->out.first != NULL) {
		struct iovec iov[MOST_WRITTEN];
		struct msghdr message = { .msg_iov = iov };
		size_t total = 0;
		ssize_t size;

		for (struct muses_buf *b = f->out.first;
		     b != NULL && message.msg_iovlen < MOST_WRITTEN; b = b->next) {
			size_t from = message.msg_iovlen == 0 ? f->skip : 0;

			iov[message.msg_iovlen].iov_base = b->data + from;
			iov[message.msg_iovlen++].iov_len = b->size - from;
			total += b->size - from;
		}
		size = sendmsg(f->fd, &message, MSG_NOSIGNAL);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
			return errno;
		if (size > 0)
			written(f, (size_t)size);
		if (size < 0 || (size_t)size < total) {
			muses_watch_drained(&f->watch, MUSES_WRITABLE);
			f->blocked = true;
			return 0;
		}
	}
	f->blocked = false;
	return 0;
}

/* May be the last thing that happens to f. */
static void write_and_tell(struct muses_framed *f)
{
	size_t waiting;

	if (write_out(f) != 0) {
		core_framed_down(f, "broken while writing");
		return;
	}
	core_framed_want(f);
	waiting = muses_framed_queued(f);
	if (f->peak > 0 && waiting <= f->peak / 2) {
		f->peak = waiting;
		muses_channel_writable(f->layer, f->channel);
	}
}

static void flush_task(struct muses_task *t)
{
	struct muses_framed *f = muses_container(t, struct muses_framed, flush);

	if (!f->connecting && !f->blocked)
		write_and_tell(f);
}

void muses_framed_send(struct muses_framed *f, struct muses_buf *b)
{
	struct muses_writer w;
	uint32_t size = b->size;
	uint8_t *length;

	if (f->fd < 0 || size == 0 || size > core_framed_mtu(f)) {
		muses_count(f->layer, "dropped: no frame can hold it");
		muses_buf_free(b);
		return;
	}
	length = muses_buf_push(b, CORE_FRAMED_LENGTH);
	if (length == NULL) {
		struct muses_buf *roomy = muses_buf_copy(f->layer, b, CORE_FRAMED_HEAD);

		muses_buf_free(b);
		if (roomy == NULL) {
			muses_count(f->layer, "dropped: no buffer");
			return;
		}
		b = roomy;
		length = muses_buf_push(b, CORE_FRAMED_LENGTH);
	}
	w = muses_writer(length, CORE_FRAMED_LENGTH);
	muses_write_u32(&w, size);
	muses_queue_push(&f->out, b);
	if (muses_framed_queued(f) > f->peak)
		f->peak = muses_framed_queued(f);
	muses_task_queue(&f->flush);
}

/* ---- life -------------------------------------------------------------------------- */

static void connected(struct muses_framed *f)
{
	int err = 0;
	socklen_t size = sizeof(err);

	if (getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &err, &size) != 0)
		err = errno;
	switch (err) {
	case 0:
		f->connecting = false;
		muses_watch_want(&f->watch, MUSES_READABLE);
		muses_task_queue(&f->flush);
		muses_channel_up(f->layer, f->channel);
		break;
	case ECONNREFUSED:
		core_framed_down(f, "connection refused");
		break;
	case ENETUNREACH:
	case EHOSTUNREACH:
		core_framed_down(f, "no route to there");
		break;
	case ETIMEDOUT:
		core_framed_down(f, "connecting took too long");
		break;
	default:
		core_framed_down(f, "cannot connect");
		break;
	}
}

static void ready(struct muses_watch *w, uint32_t what)
{
	struct muses_framed *f = muses_container(w, struct muses_framed, watch);

	f->busy = true;
	if (f->connecting) {
		connected(f);
	} else {
		if ((what & MUSES_WRITABLE) != 0 && f->blocked)
			write_and_tell(f);
		if (!f->closed && (what & (MUSES_READABLE | MUSES_HUNG)) != 0 &&
		    !muses_timer_armed(&f->retry))
			core_framed_read(f);
	}
	f->busy = false;
	if (f->closed)
		muses_free(f);
}

struct muses_framed *muses_framed_open(struct muses_layer *l,
                                       struct muses_channel *channel, int fd,
                                       bool connecting)
{
	struct muses_framed *f = muses_zalloc(sizeof(*f));

	if (f == NULL) {
		close(fd);
		return NULL;
	}
	f->layer = l;
	f->channel = channel;
	f->fd = fd;
	f->connecting = connecting;
	f->deep = 1;
	muses_task_init(l, &f->flush, flush_task);
	muses_timer_init(l, &f->slow, core_framed_slow);
	muses_timer_init(l, &f->retry, core_framed_retry);
	if (muses_watch_open(l, &f->watch, fd,
	                     connecting ? MUSES_WRITABLE : MUSES_READABLE, ready) != 0) {
		release(f);
		muses_free(f);
		return NULL;
	}
	return f;
}

int muses_framed_descriptor(const struct muses_framed *f)
{
	return f->fd;
}

void muses_framed_close(struct muses_framed *f)
{
	if (f == NULL || f->closed)
		return;
	/* A last word (BYE) may be waiting; what the system does not take is lost. */
	if (!f->connecting && !f->blocked)
		(void)write_out(f);
	release(f);
	f->closed = true;
	if (!f->busy)
		muses_free(f);
}
