/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: clients, lines in, lines and descriptors out.  What the
 * lines mean is in core/controlverb.c.  What a newcomer would get wrong: nothing
 * drops a client on the spot, since whoever is speaking to it may be in the
 * middle of its list; it is doomed, and goes at the end of the turn.
 */
#include "core/control.h"
#include "core/address.h"
#include "core/controlclient.h"
#include "core/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG     128
#define SLOW_NS     (10 * MUSES_S)
#define ACCEPT_MOST 64 /* A turn. */
/* Bytes waiting: no requests are read, no events made. */
#define CHOKED_AT (256 * 1024)

struct core_control_out {
	struct core_control_out *next;
	char *text;
	size_t size, sent;
	int fd;
};

/* ---- a client's end ------------------------------------------------------- */

static void out_free(struct core_control_out *o)
{
	if (o->fd >= 0)
		close(o->fd);
	free(o->text); /* Jansson's. */
	muses_free(o);
}

static void client_free(struct core_control_client *c)
{
	if (c->link != NULL) {
		*c->link = c->next;
		if (c->next != NULL)
			c->next->link = c->link;
		c->control->count--;
	}
	core_control_release(c);
	muses_watch_close(&c->watch);
	muses_task_cancel(&c->flush);
	muses_timer_stop(&c->slow);
	for (struct core_control_out *o; (o = c->first) != NULL;) {
		c->first = o->next;
		out_free(o);
	}
	if (c->fd >= 0)
		close(c->fd);
	muses_free(c->line);
	muses_free(c);
}

static void doom(struct core_control_client *c)
{
	c->doomed = true;
	muses_task_queue(&c->flush);
}

/* ---- out, and the lines in that it lets through ----------------------------- */

bool core_control_choked(const struct core_control_client *c)
{
	return c->out_bytes > CHOKED_AT;
}

void core_control_say(struct core_control_client *c, json_t *object, int fd)
{
	struct core_control_out *o = muses_zalloc(sizeof(*o));
	char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	if (o == NULL || text == NULL) {
		muses_free(o);
		free(text);
		if (fd >= 0)
			close(fd);
		doom(c);
		return;
	}
	o->text = text;
	o->size = strlen(text);
	o->text[o->size++] = '\n'; /* In place of the terminator: size tells. */
	o->fd = fd;
	*c->last = o;
	c->last = &o->next;
	c->out_bytes += o->size;
	muses_task_queue(&c->flush);
}

/* With the first byte of a line goes its descriptor. */
static ssize_t send_some(int to, const struct core_control_out *o)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = o->text + o->sent,
		             .iov_len = o->size - o->sent };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (o->fd >= 0 && o->sent == 0) {
		memset(&control, 0, sizeof(control));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control.space);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &o->fd, sizeof(int));
	}
	return sendmsg(to, &message, MSG_NOSIGNAL);
}

/* False: the client is gone. */
static bool send_all(struct core_control_client *c)
{
	struct core_control_out *o;

	while ((o = c->first) != NULL) {
		ssize_t put = send_some(c->fd, o);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN) {
			muses_watch_drained(&c->watch, MUSES_WRITABLE);
			muses_watch_want(&c->watch, MUSES_READABLE | MUSES_WRITABLE);
			if (!muses_timer_armed(&c->slow))
				muses_timer_after(&c->slow, SLOW_NS);
			return true;
		}
		if (put < 0)
			return false;
		muses_timer_stop(&c->slow); /* It reads. */
		o->sent += (size_t)put;
		if (o->sent < o->size)
			continue;
		c->out_bytes -= o->size;
		c->first = o->next;
		if (c->first == NULL)
			c->last = &c->first;
		out_free(o);
	}
	muses_watch_want(&c->watch, MUSES_READABLE);
	return true;
}

static void complain(struct core_control_client *c, const char *message)
{
	core_control_say(c,
	                 json_pack("{s:b, s:i, s:s}", "ok", 0, "error", MUSES_EUSAGE,
	                           "message", message),
	                 -1);
}

/* Do what the whole lines ask for, as long as the answers fit; the rest waits
 * until the client has read. */
static void take_lines(struct core_control_client *c)
{
	char *start = c->line, *newline = NULL;
	size_t left = c->size;

	while (!c->doomed && (newline = memchr(start, '\n', left)) != NULL &&
	       !core_control_choked(c)) {
		size_t size = (size_t)(newline - start);

		core_control_request(c, start, size);
		start += size + 1;
		left -= size + 1;
	}
	memmove(c->line, start, left);
	c->size = left;
	if (newline == NULL && left >= CORE_CONTROL_LINE_MAX) {
		complain(c, "a line has at most 65536 bytes");
		doom(c);
	}
}

static void client_flush(struct muses_task *t)
{
	struct core_control_client *c =
		muses_container(t, struct core_control_client, flush);

	if (!send_all(c) || c->doomed)
		client_free(c);
	else
		take_lines(c);
}

static void client_slow(struct muses_timer *t)
{
	struct core_control_client *c =
		muses_container(t, struct core_control_client, slow);

	core_count(c->control->env->stats, "control", "client too slow");
	client_free(c);
}

static void client_ready(struct muses_watch *w, uint32_t ready)
{
	struct core_control_client *c =
		muses_container(w, struct core_control_client, watch);
	ssize_t got;

	if ((ready & MUSES_WRITABLE) != 0)
		muses_task_queue(&c->flush);
	if ((ready & (MUSES_READABLE | MUSES_HUNG)) == 0 || c->doomed)
		return;
	muses_watch_drained(w, MUSES_HUNG);
	if (core_control_choked(c)) {
		/* First it reads what it asked for. */
		muses_watch_want(w, MUSES_WRITABLE);
		return;
	}
	got = read(c->fd, c->line + c->size, CORE_CONTROL_LINE_MAX - c->size);
	if (got > 0) {
		c->size += (size_t)got;
		take_lines(c);
	} else if (got < 0 && errno == EAGAIN) {
		muses_watch_drained(w, MUSES_READABLE);
	} else if (got == 0 || errno != EINTR) {
		doom(c);
	}
}

/* ---- clients come --------------------------------------------------------- */

/* A socket of mode 0600 keeps others out already; this also holds for a folder
 * that somebody has made generous. */
static bool may_speak(int fd)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
	       (who.uid == geteuid() || who.uid == 0);
}

static struct core_control_client *client_new(struct core_control *control, int fd)
{
	struct core_control_client *c = muses_zalloc(sizeof(*c));

	if (c == NULL) {
		close(fd);
		return NULL;
	}
	c->control = control;
	c->fd = fd;
	c->last = &c->first;
	core_task_init(control->env->loop, &c->flush, client_flush);
	core_timer_init(control->env->loop, &c->slow, client_slow);
	c->line = muses_zalloc(CORE_CONTROL_LINE_MAX);
	if (c->line == NULL || core_watch_open(control->env->loop, &c->watch, fd,
	                                       MUSES_READABLE, client_ready) != 0) {
		client_free(c);
		return NULL;
	}
	c->link = &control->clients;
	c->next = control->clients;
	if (c->next != NULL)
		c->next->link = &c->next;
	control->clients = c;
	control->count++;
	return c;
}

static void control_ready(struct muses_watch *w, uint32_t ready)
{
	struct core_control *control = muses_container(w, struct core_control, watch);

	(void)ready;
	muses_watch_drained(w, MUSES_HUNG);
	for (int i = 0; i < ACCEPT_MOST; i++) {
		int fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			/* Also out of descriptors: the next client brings the next edge.
			 */
			if (errno != EINTR && errno != ECONNABORTED) {
				muses_watch_drained(w, MUSES_READABLE);
				return;
			}
		} else if (!may_speak(fd)) {
			core_count(control->env->stats, "control", "not our user");
			close(fd);
		} else if (control->count >= CORE_CONTROL_MOST) {
			static const char full[] = "{\"ok\":false,\"error\":-13,"
						   "\"message\":\"too many clients\"}\n";

			core_count(control->env->stats, "control", "too many clients");
			(void)!send(fd, full, sizeof(full) - 1,
			            MSG_NOSIGNAL | MSG_DONTWAIT);
			close(fd);
		} else {
			client_new(control, fd);
		}
	}
}

void core_control_session_changed(struct core_control *control,
                                  const struct core_session *session)
{
	for (struct core_control_client *c = control->clients; c != NULL; c = c->next)
		core_control_client_news(c, session);
}

/* ---- life ----------------------------------------------------------------- */

int core_control_open(struct core_control **control, struct core_env *env,
                      struct core_lcm *lcm, const struct core_control_host *host,
                      const char *path, const char *folder, char *why, size_t why_size)
{
	struct core_control *c = muses_zalloc(sizeof(*c));
	char reason[512];
	int err = MUSES_ENOMEM;

	*control = NULL;
	snprintf(why, why_size, "%s", muses_strerror(err));
	if (c == NULL)
		return err;
	c->env = env;
	c->lcm = lcm;
	c->host = *host;
	c->fd = -1;
	c->at = muses_zalloc(sizeof(*c->at));
	if (c->at == NULL)
		goto fail;
	err = core_address_from_path(c->at, path, folder, reason, sizeof(reason));
	if (err == 0) {
		c->fd = core_address_listen(c->at, BACKLOG, reason, sizeof(reason));
		err = c->fd < 0 ? c->fd : 0;
	}
	if (err != 0) {
		snprintf(why, why_size, "control: %s", reason);
		goto fail;
	}
	err = core_watch_open(env->loop, &c->watch, c->fd, MUSES_READABLE, control_ready);
	if (err != 0)
		goto fail;
	*control = c;
	return 0;
fail:
	core_control_close(c);
	return err;
}

void core_control_close(struct core_control *control)
{
	if (control == NULL)
		return;
	while (control->clients != NULL)
		client_free(control->clients);
	muses_watch_close(&control->watch);
	if (control->fd >= 0) {
		core_address_unlisten(control->at, control->fd);
		close(control->fd);
	}
	muses_free(control->at);
	muses_free(control);
}
