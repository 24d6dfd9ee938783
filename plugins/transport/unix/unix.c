/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unix: links over Unix stream sockets, for neighbours on the same machine.
 *
 * The socket's file is for its owner alone (mode 0600), so who may connect is who
 * may reach the file; the link's proof still says which node it is.
 */
#include <muses/transport.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct unix_config {
	struct muses_list listen;
	struct muses_map dial;
};

struct port {
	struct muses_listening *listening;
	/* Which file is ours: another process may have put its own there since. */
	dev_t device;
	ino_t inode;
};

struct local {
	const struct unix_config *config;
	size_t count;
	struct port port[]; /* One for each in config->listen. */
};

static const struct muses_option unix_options[] = {
	MUSES_LIST(unix_config, listen, MUSES_OPTION_ADDRESS,
	           "Absolute paths of sockets to wait for neighbours on."),
	MUSES_MAP(unix_config, dial, MUSES_OPTION_ADDRESS,
	          "Neighbours and the paths of their sockets."),
	MUSES_OPTIONS_END,
};

static bool unix_address(const char *text, char *why, size_t why_size)
{
	const struct sockaddr_un un;

	if (text[0] != '/') {
		snprintf(why, why_size, "want an absolute path");
		return false;
	}
	if (strlen(text) >= sizeof(un.sun_path)) {
		snprintf(why, why_size, "is %zu characters long; want at most %zu",
		         strlen(text), sizeof(un.sun_path) - 1);
		return false;
	}
	return true;
}

static bool unix_local(const void *config)
{
	(void)config;
	return true;
}

static int stream_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static struct sockaddr_un name_of(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	return un;
}

/* Remove a socket of ours that a process left behind; never one that answers. */
static void remove_stale(const char *path)
{
	const struct sockaddr_un un = name_of(path);
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return;
	fd = stream_socket();
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) != 0 &&
	    errno == ECONNREFUSED)
		(void)unlink(path);
	close(fd);
}

static void unix_accepted(struct muses_layer *l, int fd,
                          char remote[static MUSES_REMOTE_MAX])
{
	struct ucred who;
	socklen_t size = sizeof(who);

	(void)l;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0)
		snprintf(remote, MUSES_REMOTE_MAX, "pid %d", (int)who.pid);
}

static int listen_on(struct muses_layer *l, const char *path, struct port *port)
{
	const struct sockaddr_un un = name_of(path);
	struct stat st;
	mode_t mask;
	int fd = stream_socket(), err;

	if (fd < 0)
		return muses_fail(l, MUSES_ESYSTEM, "cannot make a socket: %s",
		                  strerror(errno));
	remove_stale(path);
	/* bind() makes the file: it must never be there with a wider mode. */
	mask = umask(0177);
	err = bind(fd, (const struct sockaddr *)&un, sizeof(un)) != 0 ? errno : 0;
	umask(mask);
	if (err == 0 && (listen(fd, SOMAXCONN) != 0 || lstat(path, &st) != 0))
		err = errno;
	if (err != 0) {
		close(fd);
		return muses_fail(l, MUSES_ESYSTEM, "cannot listen on %s: %s", path,
		                  strerror(err));
	}
	port->device = st.st_dev;
	port->inode = st.st_ino;
	port->listening = muses_listening_open(l, fd, unix_accepted);
	return port->listening != NULL ? 0 : MUSES_ENOMEM;
}

static int unix_open(struct muses_layer *l, const void *config)
{
	const struct unix_config *c = config;
	struct local *u = muses_zalloc(sizeof(*u) + c->listen.count * sizeof(u->port[0]));

	if (u == NULL)
		return MUSES_ENOMEM;
	u->config = c;
	u->count = c->listen.count;
	muses_set_self(l, u);
	return 0;
}

static int unix_start(struct muses_layer *l)
{
	struct local *u = muses_self(l);
	const struct unix_config *c = u->config;
	int err = 0;

	for (size_t i = 0; err == 0 && i < u->count; i++)
		err = listen_on(l, c->listen.item[i], &u->port[i]);
	for (size_t i = 0; err == 0 && i < c->dial.count; i++)
		for (size_t k = 0; err == 0 && k < c->dial.entry[i].values.count; k++)
			err = muses_dial_target(l, c->dial.entry[i].name,
			                        c->dial.entry[i].values.item[k]);
	return err;
}

static void unix_stop(struct muses_layer *l)
{
	struct local *u = muses_self(l);
	struct stat st;

	for (size_t i = 0; i < u->count; i++) {
		struct port *p = &u->port[i];
		const char *path = u->config->listen.item[i];

		if (p->inode != 0 && lstat(path, &st) == 0 && st.st_dev == p->device &&
		    st.st_ino == p->inode)
			(void)unlink(path);
		p->inode = 0;
		muses_listening_close(p->listening);
		p->listening = NULL;
	}
}

static void unix_end(struct muses_layer *l)
{
	unix_stop(l); /* start() may have stopped half-way. */
	muses_free(muses_self(l));
}

static int unix_dial(struct muses_layer *l, struct muses_channel *channel,
                     const char *address)
{
	const struct sockaddr_un un = name_of(address);
	struct muses_framed *framed;
	int fd = stream_socket();

	if (fd < 0)
		return MUSES_ESYSTEM;
	/* EAGAIN: the backlog is full; unlike TCP it will not be finished for us. */
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) != 0 &&
	    errno != EINPROGRESS) {
		muses_count(l, errno == ENOENT ? "dialled: no such socket"
		                               : "dialled in vain");
		close(fd);
		return MUSES_EUNREACHABLE;
	}
	framed = muses_framed_open(l, channel, fd, true);
	muses_channel_set_self(l, channel, framed);
	return framed != NULL ? 0 : MUSES_ENOMEM;
}

static void unix_send(struct muses_layer *l, struct muses_channel *channel,
                      struct muses_buf *b)
{
	muses_framed_send(muses_channel_self(l, channel), b);
}

static size_t unix_queued(struct muses_layer *l, struct muses_channel *channel)
{
	return muses_framed_queued(muses_channel_self(l, channel));
}

static void unix_close(struct muses_layer *l, struct muses_channel *channel)
{
	muses_framed_close(muses_channel_self(l, channel));
	muses_channel_set_self(l, channel, NULL);
}

static void unix_info(struct muses_layer *l, struct muses_channel *channel,
                      json_t *object)
{
	const struct local *u = muses_self(l);
	json_t *array;

	if (channel != NULL)
		return;
	array = json_array();
	for (size_t i = 0; i < u->count; i++)
		json_array_append_new(array, json_string(u->config->listen.item[i]));
	json_object_set_new(object, "listen", array);
}

static const struct muses_transport_ops unix_ops = {
	.mtu = MUSES_PACKET_MAX,
	.address = unix_address,
	.local = unix_local,
	.dial = unix_dial,
	.send = unix_send,
	.queued = unix_queued,
	.close = unix_close,
	.info = unix_info,
};

MUSES_PLUGIN(unix) = {
	MUSES_STAMP,
	.name = "unix",
	.summary = "links over Unix sockets, on one machine",
	.kind = MUSES_TRANSPORT,
	.options = unix_options,
	.config_size = sizeof(struct unix_config),
	MUSES_OPS(unix_ops),
	.open = unix_open,
	.start = unix_start,
	.stop = unix_stop,
	.close = unix_end,
};
