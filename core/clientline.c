/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines over the control socket, on the client's side.  Plain and blocking.  What
 * a newcomer would get wrong: descriptors arrive beside the bytes of their line,
 * and the order of the lines that announce one is the order of the descriptors.
 */
#include "core/clientline.h"
#include "core/clock.h"
#include "core/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX  (64 * 1024 * 1024) /* Ten thousand sessions fit. */
#define REQUEST_MAX 65535

int core_client_fail(struct muses_client *c, int err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(c->why, sizeof(c->why), format, arguments);
	va_end(arguments);
	return err;
}

static int gone(struct muses_client *c)
{
	c->closed = true;
	return core_client_fail(c, MUSES_ECLOSED,
	                        "the node has closed its control socket");
}

/* ---- lines ---------------------------------------------------------------- */

uint64_t core_client_now_ms(void)
{
	return core_clock_now() / MUSES_MS;
}

static void collect(struct muses_client *c, struct msghdr *message)
{
	for (struct cmsghdr *m = CMSG_FIRSTHDR(message); m != NULL;
	     m = CMSG_NXTHDR(message, m)) {
		size_t count = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(m) + i * sizeof(int), sizeof(int));
			if (c->descriptors < CORE_CLIENT_DESCRIPTORS)
				c->descriptor[c->descriptors++] = fd;
			else
				close(fd);
		}
	}
}

/* Read what is there: 0, MUSES_EAGAIN, MUSES_ECLOSED, MUSES_ENOMEM. */
static int receive(struct muses_client *c)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct msghdr message = { .msg_control = &control,
		                  .msg_controllen = sizeof(control) };
	struct iovec iov;
	ssize_t got;

	if (c->room - c->size < 4096) {
		size_t room = c->room < 8192 ? 16384 : c->room * 2;
		char *line = room > ANSWER_MAX ? NULL
		                               : core_realloc(c->line, c->room, room, 1);

		if (line == NULL)
			return core_client_fail(c, MUSES_ENOMEM, "%s",
			                        muses_strerror(MUSES_ENOMEM));
		c->line = line;
		c->room = room;
	}
	iov = (struct iovec){ .iov_base = c->line + c->size,
		              .iov_len = c->room - c->size };
	message.msg_iov = &iov;
	message.msg_iovlen = 1;
	got = recvmsg(c->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return MUSES_EAGAIN;
	if (got <= 0)
		return gone(c);
	c->size += (size_t)got;
	collect(c, &message);
	return 0;
}

/* A whole line that has arrived, as an object; NULL: none. */
static json_t *next_line(struct muses_client *c)
{
	char *newline = c->size == 0 ? NULL : memchr(c->line, '\n', c->size);
	size_t used;
	json_t *object;

	if (newline == NULL)
		return NULL;
	used = (size_t)(newline - c->line) + 1;
	object = json_loadb(c->line, used - 1, 0, NULL);
	memmove(c->line, c->line + used, c->size - used);
	c->size -= used;
	return object == NULL ? json_object() : object;
}

/* The descriptor that belongs to object, or -1. */
int core_client_descriptor(struct muses_client *c, const json_t *object)
{
	int fd;

	if (!json_is_true(json_object_get(object, "descriptor")) || c->descriptors == 0)
		return -1;
	fd = c->descriptor[0];
	c->descriptors--;
	memmove(c->descriptor, c->descriptor + 1, c->descriptors * sizeof(int));
	return fd;
}

/* The event object (taken over) waits until it is asked for. */
static void keep(struct muses_client *c, json_t *object)
{
	const char *event = json_string_value(json_object_get(object, "event"));
	struct core_client_kept **list =
		event != NULL && strcmp(event, "accept") == 0 ? &c->accepts : &c->events;
	struct core_client_kept *k = muses_zalloc(sizeof(*k));
	int fd = core_client_descriptor(c, object);

	if (k == NULL) {
		json_decref(object);
		if (fd >= 0)
			close(fd);
		return;
	}
	k->object = object;
	k->fd = fd;
	while (*list != NULL)
		list = &(*list)->next;
	*list = k;
}

/* Wait until something may be read: 0, MUSES_ETIMEOUT. */
int core_client_wait(struct muses_client *c, uint64_t until_ms)
{
	for (;;) {
		uint64_t now = core_client_now_ms();
		uint64_t left = until_ms > now ? until_ms - now : 0;
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		int ready = poll(&p, 1, left > 1000000 ? 1000000 : (int)left);

		if (ready > 0)
			return 0;
		if (left == 0)
			return core_client_fail(c, MUSES_ETIMEOUT,
			                        "the node did not answer in time");
	}
}

/* Keep what has arrived of events; 0, MUSES_ECLOSED, MUSES_ENOMEM. */
int core_client_drain(struct muses_client *c)
{
	int err = c->closed ? MUSES_ECLOSED : 0;
	json_t *object;

	/* Line by line: descriptors must not pile up. */
	do {
		while ((object = next_line(c)) != NULL)
			keep(c, object);
		if (err == 0)
			err = receive(c);
	} while (err == 0);
	while ((object = next_line(c)) != NULL)
		keep(c, object);
	return err == MUSES_EAGAIN ? 0 : err;
}

/* ---- asking --------------------------------------------------------------- */

static int send_line(struct muses_client *c, json_t *request, uint64_t until_ms)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t size = text == NULL ? 0 : strlen(text), sent = 0;

	if (text == NULL)
		return core_client_fail(c, MUSES_ENOMEM, "%s",
		                        muses_strerror(MUSES_ENOMEM));
	if (size > REQUEST_MAX) {
		free(text);
		return core_client_fail(c, MUSES_EUSAGE, "a request has at most %d bytes",
		                        REQUEST_MAX);
	}
	text[size++] = '\n';
	while (sent < size) {
		ssize_t put = send(c->fd, text + sent, size - sent,
		                   MSG_NOSIGNAL | MSG_DONTWAIT);
		struct pollfd p = { .fd = c->fd, .events = POLLOUT };

		if (put >= 0) {
			sent += (size_t)put;
		} else if (errno == EAGAIN && core_client_now_ms() < until_ms) {
			poll(&p, 1, 100);
		} else if (errno != EINTR) {
			free(text);
			return gone(c);
		}
	}
	free(text);
	return 0;
}

static int understand(struct muses_client *c, json_t *answer)
{
	const char *message = json_string_value(json_object_get(answer, "message"));
	json_int_t err = json_integer_value(json_object_get(answer, "error"));

	if (json_is_true(json_object_get(answer, "ok")))
		return 0;
	if (err >= 0 || err < -1000)
		err = MUSES_ECLOSED;
	return core_client_fail(c, (int)err, "%s",
	                        message != NULL ? message : muses_strerror((int)err));
}

/* request is taken over.  *answer is set on success alone. */
int core_client_ask(struct muses_client *c, json_t *request, uint64_t wait_ms,
                    json_t **answer)
{
	uint64_t until_ms = core_client_now_ms() + wait_ms;
	json_int_t tag = ++c->tag;
	int err;

	*answer = NULL;
	json_object_set_new(request, "tag", json_integer(tag));
	err = c->closed ? gone(c) : send_line(c, request, until_ms);
	json_decref(request);
	while (err == 0) {
		json_t *object = next_line(c);

		if (object == NULL) {
			err = receive(c);
			if (err == MUSES_EAGAIN)
				err = core_client_wait(c, until_ms);
			continue;
		}
		if (json_object_get(object, "event") != NULL) {
			keep(c, object);
			continue;
		}
		/* Without a tag: the node complains before it goes. */
		if (json_object_get(object, "tag") == NULL ||
		    json_integer_value(json_object_get(object, "tag")) == tag) {
			err = understand(c, object);
			if (err == 0)
				*answer = object;
			else
				json_decref(object);
			return err;
		}
		/* The answer to a connect that we gave up. */
		err = core_client_descriptor(c, object);
		if (err >= 0)
			close(err);
		json_decref(object);
		err = 0;
	}
	return err;
}
