/* SPDX-License-Identifier: Apache-2.0 */
/*
 * muses nc: stdin and stdout on one side, a stream on the other.  What a newcomer
 * would get wrong: the end of the stream and the reason for it come on two
 * descriptors, so the end alone does not say whether all went well.
 */
#include "apps/app.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <muses/client.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK      (256 * 1024)
#define VERDICT_MS 1000 /* The reason is never far behind the end. */

/* Bytes that wait between two descriptors. */
struct pipe_end {
	int from, to;
	size_t at, size;
	bool ended; /* from has said all. */
	char block[BLOCK];
};

static short wants_in(const struct pipe_end *p)
{
	return !p->ended && p->size == 0 ? POLLIN : 0;
}

static short wants_out(const struct pipe_end *p)
{
	return p->size > 0 ? POLLOUT : 0;
}

/* False: from is broken. */
static bool fill(struct pipe_end *p)
{
	ssize_t got = read(p->from, p->block, sizeof(p->block));

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	p->ended = got == 0;
	p->at = 0;
	p->size = (size_t)got;
	return true;
}

/* False: nobody takes it any more. */
static bool drain(struct pipe_end *p)
{
	ssize_t put = write(p->to, p->block + p->at, p->size);

	if (put < 0)
		return errno == EAGAIN || errno == EINTR;
	p->at += (size_t)put;
	p->size -= (size_t)put;
	return true;
}

/* What the node has told so far.  True: the connection is over, and *event says
 * how; or the node has gone. */
static bool told(struct muses_client *client, struct muses_event *event)
{
	int got;

	while ((got = muses_client_event(client, event)) == 1)
		if (event->kind == MUSES_EVENT_ENDED)
			return true;
	if (got == 0)
		return false;
	event->err = got;
	snprintf(event->why, sizeof(event->why), "the node has gone");
	return true;
}

/* The stream has ended: how?  An exit code. */
static int verdict(const struct app *app, struct muses_client *client,
                   struct muses_event *event, bool over)
{
	struct pollfd p = { .fd = muses_client_descriptor(client), .events = POLLIN };

	for (int i = 0; i < 4 && !over && poll(&p, 1, VERDICT_MS) > 0; i++)
		over = told(client, event);
	if (!over || event->err == 0)
		return APP_OK; /* Still open in our direction, which we do not need. */
	return app_fail(app, app_exit_code(event->err, true), "%s", event->why);
}

static int pump(const struct app *app, struct muses_client *client, int fd)
{
	static struct pipe_end out, in;
	struct muses_event event = { 0 };
	bool over = false;

	out.from = STDIN_FILENO;
	out.to = in.from = fd;
	in.to = STDOUT_FILENO;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (;;) {
		struct pollfd p[4] = {
			{ .fd = wants_in(&out) ? STDIN_FILENO : -1, .events = POLLIN },
			{ .fd = fd, .events = wants_in(&in) | wants_out(&out) },
			{ .fd = wants_out(&in) ? STDOUT_FILENO : -1, .events = POLLOUT },
			{ .fd = over ? -1 : muses_client_descriptor(client),
			  .events = POLLIN },
		};

		if (poll(p, 4, -1) < 0 && errno != EINTR)
			return app_fail(app, APP_FAILED, "poll: %s", strerror(errno));
		if (p[0].revents != 0 && !fill(&out))
			out.ended = true;
		if ((p[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
		    wants_in(&in) != 0 && !fill(&in))
			in.ended = true;
		/* Suspended and resumed are read, too: unread, they would pile up. */
		over = over || (p[3].revents != 0 && told(client, &event));
		if (out.size > 0 && !drain(&out)) {
			out.size = 0; /* Nobody takes it; what came may still be read. */
			out.ended = true;
		}
		if (in.size > 0 && !drain(&in))
			return APP_OK; /* Nobody reads us: nc ... | head */
		if (in.ended && in.size == 0) {
			shutdown(fd, SHUT_WR);
			return verdict(app, client, &event, over);
		}
		if (out.ended && out.size == 0 && out.from >= 0) {
			out.from = -1;
			shutdown(fd, SHUT_WR);
		}
	}
}

int app_nc(struct app *app, int argc, char **argv)
{
	static const struct option options[] = {
		APP_OPTIONS,
		{ "wait", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	struct muses_client *client;
	uint32_t wait_s = 0;
	int option, code, fd;

	while ((option = getopt_long(argc, argv, APP_LETTERS "w:", options, NULL)) !=
	       -1) {
		if (option == 'w') {
			if (!app_number(app, "--wait", optarg, 0, 1000000, &wait_s))
				return APP_USAGE;
		} else if (!app_option(app, option, &code)) {
			return code;
		}
	}
	if (argc - optind != 2)
		return app_usage(app, "want NAME and SERVICE");
	if (!app_client(app, &client, &code))
		return code;
	signal(SIGPIPE, SIG_IGN);
	fd = muses_connect(client, argv[optind], argv[optind + 1], wait_s * 1000);
	if (fd < 0) {
		code = app_fail(app, app_exit_code(fd, true), "%s",
		                muses_client_why(client));
	} else {
		code = pump(app, client, fd);
		close(fd);
	}
	muses_client_close(client);
	return code;
}
