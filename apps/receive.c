/* SPDX-License-Identifier: Apache-2.0 */
/*
 * muses receive: serves files into a folder, a process for each sender.  What a
 * newcomer would get wrong: a name from the network is opened below the folder,
 * never through a link, and under its own name only when every byte was right.
 */
#include "apps/app.h"
#include "apps/incoming.h"
#include "apps/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <muses/client.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define FROM_MAX 64

struct receiving {
	const struct app *app;
	struct muses_client *client;
	int folder;
	bool force;
	int report[2]; /* A byte for each file that is complete. */
	int signals;
	uint32_t left; /* Files; 0: any number. */
	unsigned children;
};

/* In a process of its own, which has nothing but the stream. */
static int serve(struct receiving *r, int fd, const struct muses_caller *caller)
{
	struct incoming in = {
		.app = r->app,
		.folder = r->folder,
		.force = r->force,
		.report = r->report[1],
		.peer = caller->name,
		.wire = { .fd = fd, .also = -1 },
	};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close(r->report[0]);
	close(r->signals);
	close(muses_client_descriptor(r->client));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return incoming_all(&in);
}

static void accept_one(struct receiving *r)
{
	struct muses_caller caller;
	int fd = muses_accept(r->client, &caller, 0);
	pid_t child;

	if (fd < 0)
		return;
	child = fork();
	if (child == 0)
		_exit(serve(r, fd, &caller));
	if (child < 0)
		app_fail(r->app, 0, "cannot serve %s: %s", caller.name, strerror(errno));
	else
		r->children++;
	close(fd);
}

/* False: the node has gone. */
static bool hear(struct receiving *r)
{
	struct muses_event e;
	int got;

	while ((got = muses_client_event(r->client, &e)) == 1) {
		if (e.kind == MUSES_EVENT_ACCEPT)
			accept_one(r);
		else if (e.kind == MUSES_EVENT_SUSPENDED)
			fprintf(stderr,
			        "suspended: the sender is out of reach; waiting\n");
		else if (e.kind == MUSES_EVENT_RESUMED)
			fprintf(stderr, "resumed\n");
	}
	return got == 0;
}

/* True: somebody wants us to stop. */
static bool interrupted(struct receiving *r)
{
	struct signalfd_siginfo info;
	bool stop = false;

	while (read(r->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGCHLD)
			stop = true;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			r->children--;
	}
	return stop;
}

/* True: that was the last we wanted. */
static bool counted(struct receiving *r)
{
	char done[64];
	ssize_t got = read(r->report[0], done, sizeof(done));

	if (got <= 0 || r->left == 0)
		return false;
	r->left = (uint32_t)got >= r->left ? 0 : r->left - (uint32_t)got;
	return r->left == 0;
}

static int loop(struct receiving *r)
{
	for (;;) {
		struct pollfd p[3] = {
			{ .fd = muses_client_descriptor(r->client), .events = POLLIN },
			{ .fd = r->report[0], .events = POLLIN },
			{ .fd = r->signals, .events = POLLIN },
		};

		if (!hear(r))
			return app_fail(r->app, APP_NO_NODE, "the node has gone");
		if (poll(p, 3, -1) < 0 && errno != EINTR)
			return app_fail(r->app, APP_FAILED, "poll: %s", strerror(errno));
		if (p[1].revents != 0 && counted(r))
			break;
		if (p[2].revents != 0 && interrupted(r))
			break;
	}
	/* A sender may still wait for the last answer. */
	muses_client_close(r->client);
	r->client = NULL;
	close(r->report[1]);
	r->report[1] = -1;
	for (int i = 0; i < 50 && r->children > 0; i++) {
		struct pollfd p = { .fd = r->signals, .events = POLLIN };

		if (poll(&p, 1, 100) > 0 && interrupted(r))
			break;
	}
	return APP_OK;
}

static int start(struct receiving *r, const char *service, const char *const *from)
{
	sigset_t set;

	if (muses_listen(r->client, service, from) != 0)
		return app_fail(r->app, APP_FAILED, "%s", muses_client_why(r->client));
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (r->signals < 0 || pipe2(r->report, O_CLOEXEC | O_NONBLOCK) != 0)
		return app_fail(r->app, APP_FAILED, "%s", strerror(errno));
	fprintf(stderr, "waiting for files\n");
	return loop(r);
}

int app_receive(struct app *app, int argc, char **argv)
{
	static const struct option options[] = {
		APP_OPTIONS,
		{ "once", no_argument, NULL, '1' },
		{ "count", required_argument, NULL, 'n' },
		{ "from", required_argument, NULL, 'f' },
		{ "force", no_argument, NULL, 'F' },
		{ "service", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	const char *service = TRANSFER_SERVICE, *from[FROM_MAX + 1] = { NULL };
	struct receiving r = {
		.app = app, .folder = -1, .signals = -1, .report = { -1, -1 }
	};
	size_t from_count = 0;
	int option, code;

	while ((option = getopt_long(argc, argv, APP_LETTERS "1n:f:s:", options, NULL)) !=
	       -1) {
		switch (option) {
		case '1':
			r.left = 1;
			break;
		case 'n':
			if (!app_number(app, "--count", optarg, 1, UINT32_MAX, &r.left))
				return APP_USAGE;
			break;
		case 'f':
			if (from_count == FROM_MAX)
				return app_usage(app, "--from: at most %d names",
				                 FROM_MAX);
			from[from_count++] = optarg;
			break;
		case 'F':
			r.force = true;
			break;
		case 's':
			service = optarg;
			break;
		default:
			if (!app_option(app, option, &code))
				return code;
		}
	}
	if (argc - optind != 1)
		return app_usage(app, "want one DIR");
	if (from_count == 0)
		from[0] = "*";
	r.folder = open(argv[optind], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r.folder < 0)
		return app_fail(app, APP_FAILED, "%s: %s", argv[optind], strerror(errno));
	if (app_client(app, &r.client, &code))
		code = start(&r, service, from);
	muses_client_close(r.client);
	close(r.folder);
	if (r.signals >= 0)
		close(r.signals);
	for (int i = 0; i < 2; i++)
		if (r.report[i] >= 0)
			close(r.report[i]);
	return code;
}
