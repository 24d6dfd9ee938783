/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp: links over TCP, IPv4 and IPv6.
 *
 * The kernel is given only a little more than it has on the wire (unsent_bytes):
 * what waits, waits here, where a relay sees it, marks packets, and drops rather
 * than adding seconds of delay.
 */
#include "endpoint.h"

#include <muses/transport.h>

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct tcp_config {
	struct muses_list listen;
	struct muses_map dial;
	bool nodelay;
	const char *congestion;
	uint32_t send_buffer;
	uint32_t receive_buffer;
	uint32_t unsent_bytes;
	uint32_t user_timeout_ms;
};

struct tcp {
	const struct tcp_config *config;
	struct ifaddrs *here; /* This machine's addresses ... */
	uint64_t here_ns;     /* ... as of then. */
	size_t count;
	struct muses_listening *listening[]; /* One for each in config->listen. */
};

static const struct muses_option tcp_options[] = {
	MUSES_LIST(tcp_config, listen, MUSES_OPTION_ADDRESS,
	           "Addresses to wait for neighbours on; port 0 lets the system choose."),
	MUSES_MAP(
		tcp_config, dial, MUSES_OPTION_ADDRESS,
		"Neighbours and where they listen; several addresses are tried in turn."),
	MUSES_BOOL(tcp_config, nodelay, true,
	           "Send small packets at once (TCP_NODELAY)."),
	MUSES_STRING(
		tcp_config, congestion, NULL, 0,
		"Congestion control, like cubic or bbr; the system's when not given."),
	MUSES_UINT32(tcp_config, send_buffer, 0, 0, 1u << 30, "bytes",
	             "Fixed send buffer of the kernel; 0 lets it adapt."),
	MUSES_UINT32(tcp_config, receive_buffer, 0, 0, 1u << 30, "bytes",
	             "Fixed receive buffer of the kernel; 0 lets it adapt."),
	MUSES_UINT32(
		tcp_config, unsent_bytes, 262144, 0, 1u << 30, "bytes",
		"Most bytes the kernel holds that it has not yet sent; 0: no bound."),
	MUSES_UINT32(tcp_config, user_timeout_ms, 0, 0, 3600000, "ms",
	             "Let the kernel close after so long without acknowledgement; 0: the "
	             "core's keep-alive decides."),
	MUSES_OPTIONS_END,
};

/* ---- the configuration -------------------------------------------------------- */

static bool tcp_address(const char *text, char *why, size_t why_size)
{
	struct endpoint e;

	return endpoint_parse(&e, text, why, why_size);
}

static bool stays_here(const char *text)
{
	struct endpoint e;
	char why[128];

	return endpoint_parse(&e, text, why, sizeof(why)) && endpoint_local(&e);
}

static bool tcp_local(const void *config)
{
	const struct tcp_config *c = config;

	for (size_t i = 0; i < c->listen.count; i++)
		if (!stays_here(c->listen.item[i]))
			return false;
	for (size_t i = 0; i < c->dial.count; i++)
		for (size_t k = 0; k < c->dial.entry[i].values.count; k++)
			if (!stays_here(c->dial.entry[i].values.item[k]))
				return false;
	return true;
}

static int tcp_check(const void *config, char *why, size_t why_size)
{
	const struct tcp_config *c = config;
	struct endpoint e;
	char sentence[128];

	for (size_t i = 0; i < c->dial.count; i++)
		for (size_t k = 0; k < c->dial.entry[i].values.count; k++) {
			const char *text = c->dial.entry[i].values.item[k];

			if (endpoint_parse(&e, text, sentence, sizeof(sentence)) &&
			    endpoint_port(&e) == 0) {
				snprintf(why, why_size,
				         "dial.%s: nobody listens on port 0 (%s); want a "
				         "port "
				         "from 1 to 65535",
				         c->dial.entry[i].name, text);
				return MUSES_ECONFIG;
			}
		}
	return 0;
}

/* ---- sockets -------------------------------------------------------------------- */

static void set(int fd, int level, int option, int value)
{
	/* What the system does not know costs speed, not correctness. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static void set_options(const struct tcp_config *c, int fd)
{
	if (c->nodelay)
		set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (c->congestion != NULL)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, c->congestion,
		                 (socklen_t)strlen(c->congestion));
	if (c->send_buffer > 0)
		set(fd, SOL_SOCKET, SO_SNDBUF, (int)c->send_buffer);
	if (c->receive_buffer > 0)
		set(fd, SOL_SOCKET, SO_RCVBUF, (int)c->receive_buffer);
#ifdef TCP_NOTSENT_LOWAT
	if (c->unsent_bytes > 0)
		set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, (int)c->unsent_bytes);
#endif
#ifdef TCP_USER_TIMEOUT
	if (c->user_timeout_ms > 0)
		set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)c->user_timeout_ms);
#endif
}

static bool local_end(int fd, struct endpoint *e)
{
	e->size = sizeof(e->at);
	return getsockname(fd, &e->at.any, &e->size) == 0 &&
	       (e->at.any.sa_family == AF_INET || e->at.any.sa_family == AF_INET6);
}

static bool remote_end(int fd, struct endpoint *e)
{
	e->size = sizeof(e->at);
	return getpeername(fd, &e->at.any, &e->size) == 0 &&
	       (e->at.any.sa_family == AF_INET || e->at.any.sa_family == AF_INET6);
}

static void tcp_accepted(struct muses_layer *l, int fd,
                         char remote[static MUSES_REMOTE_MAX])
{
	const struct tcp *t = muses_self(l);
	char text[ENDPOINT_TEXT_SIZE];
	struct endpoint e;

	set_options(t->config, fd);
	if (remote_end(fd, &e)) {
		endpoint_text(&e, text);
		snprintf(remote, MUSES_REMOTE_MAX, "%.*s", MUSES_REMOTE_MAX - 1, text);
	}
}

static int listen_on(struct muses_layer *l, const char *text,
                     struct muses_listening **out)
{
	const struct tcp *t = muses_self(l);
	struct endpoint e;
	char why[128];
	int fd;

	if (!endpoint_parse(&e, text, why, sizeof(why)))
		return muses_fail(l, MUSES_ECONFIG, "listen: \"%s\": %s", text, why);
	fd = socket(e.at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return muses_fail(l, MUSES_ESYSTEM, "cannot make a socket: %s",
		                  strerror(errno));
	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (e.at.any.sa_family == AF_INET6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	/* Buffers bound the window that is offered at the very beginning. */
	set_options(t->config, fd);
	if (bind(fd, &e.at.any, e.size) != 0 || listen(fd, SOMAXCONN) != 0) {
		int err = errno;

		close(fd);
		return muses_fail(l, MUSES_ESYSTEM, "cannot listen on %s: %s", text,
		                  strerror(err));
	}
	*out = muses_listening_open(l, fd, tcp_accepted);
	return *out != NULL ? 0 : MUSES_ENOMEM;
}

/* Say early, and once, that a congestion control is not to be had. */
static int try_congestion(struct muses_layer *l, const struct tcp_config *c)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return 0;
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, c->congestion,
	               (socklen_t)strlen(c->congestion)) != 0)
		err = muses_fail(l, MUSES_ESYSTEM,
		                 "congestion: the system does not have \"%s\": %s; see "
		                 "/proc/sys/net/ipv4/tcp_available_congestion_control",
		                 c->congestion, strerror(errno));
	close(fd);
	return err;
}

/* ---- life ------------------------------------------------------------------------ */

static int tcp_open(struct muses_layer *l, const void *config)
{
	const struct tcp_config *c = config;
	struct tcp *t =
		muses_zalloc(sizeof(*t) + c->listen.count * sizeof(t->listening[0]));

	if (t == NULL)
		return MUSES_ENOMEM;
	t->config = c;
	t->count = c->listen.count;
	muses_set_self(l, t);
	return 0;
}

static int tcp_start(struct muses_layer *l)
{
	struct tcp *t = muses_self(l);
	const struct tcp_config *c = t->config;
	int err = c->congestion != NULL ? try_congestion(l, c) : 0;

	for (size_t i = 0; err == 0 && i < t->count; i++)
		err = listen_on(l, c->listen.item[i], &t->listening[i]);
	for (size_t i = 0; err == 0 && i < c->dial.count; i++)
		for (size_t k = 0; err == 0 && k < c->dial.entry[i].values.count; k++)
			err = muses_dial_target(l, c->dial.entry[i].name,
			                        c->dial.entry[i].values.item[k]);
	return err;
}

static void tcp_stop(struct muses_layer *l)
{
	struct tcp *t = muses_self(l);

	for (size_t i = 0; i < t->count; i++) {
		muses_listening_close(t->listening[i]);
		t->listening[i] = NULL;
	}
}

static void tcp_end(struct muses_layer *l)
{
	struct tcp *t = muses_self(l);

	tcp_stop(l); /* start() may have stopped half-way. */
	if (t->here != NULL)
		freeifaddrs(t->here);
	muses_free(t);
}

/* ---- channels --------------------------------------------------------------------- */

static int tcp_dial(struct muses_layer *l, struct muses_channel *channel,
                    const char *address)
{
	const struct tcp *t = muses_self(l);
	struct muses_framed *framed;
	struct endpoint e;
	char why[128];
	int fd;

	if (!endpoint_parse(&e, address, why, sizeof(why)))
		return MUSES_ECONFIG;
	fd = socket(e.at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return MUSES_ESYSTEM;
	set_options(t->config, fd);
	if (connect(fd, &e.at.any, e.size) != 0 && errno != EINPROGRESS) {
		muses_count(l, errno == ENETUNREACH ? "dialled without a route"
		                                    : "dialled in vain");
		close(fd);
		return MUSES_EUNREACHABLE;
	}
	framed = muses_framed_open(l, channel, fd, true);
	muses_channel_set_self(l, channel, framed);
	return framed != NULL ? 0 : MUSES_ENOMEM;
}

static void tcp_send(struct muses_layer *l, struct muses_channel *channel,
                     struct muses_buf *b)
{
	muses_framed_send(muses_channel_self(l, channel), b);
}

static size_t tcp_queued(struct muses_layer *l, struct muses_channel *channel)
{
	return muses_framed_queued(muses_channel_self(l, channel));
}

static void tcp_close(struct muses_layer *l, struct muses_channel *channel)
{
	muses_framed_close(muses_channel_self(l, channel));
	muses_channel_set_self(l, channel, NULL);
}

static void listen_info(const struct tcp *t, json_t *object)
{
	json_t *array = json_array();
	char text[ENDPOINT_TEXT_SIZE];
	struct endpoint e;

	for (size_t i = 0; i < t->count; i++)
		if (t->listening[i] != NULL &&
		    local_end(muses_listening_descriptor(t->listening[i]), &e)) {
			endpoint_text(&e, text);
			json_array_append_new(array, json_string(text));
		}
	json_object_set_new(object, "listen", array);
}

static void tcp_info(struct muses_layer *l, struct muses_channel *channel, json_t *object)
{
	const struct muses_framed *framed;
	char text[ENDPOINT_TEXT_SIZE];
	struct endpoint e;

	if (channel == NULL) {
		listen_info(muses_self(l), object);
		return;
	}
	framed = muses_channel_self(l, channel);
	if (framed != NULL && local_end(muses_framed_descriptor(framed), &e)) {
		endpoint_text(&e, text);
		json_object_set_new(object, "local", json_string(text));
	}
}

/* Asked for every channel in one go: the list is made once a turn of the loop. */
static bool tcp_alive(struct muses_layer *l, struct muses_channel *channel)
{
	struct tcp *t = muses_self(l);
	const struct muses_framed *framed = muses_channel_self(l, channel);
	uint64_t now = muses_now(l);
	struct endpoint e;

	if (framed == NULL || !local_end(muses_framed_descriptor(framed), &e))
		return false;
	if (endpoint_local(&e))
		return true;
	if (t->here == NULL || t->here_ns != now) {
		if (t->here != NULL)
			freeifaddrs(t->here);
		t->here = NULL;
		t->here_ns = now;
		if (getifaddrs(&t->here) != 0)
			t->here = NULL;
	}
	if (t->here == NULL)
		return true; /* We cannot know; keep-alive will. */
	for (const struct ifaddrs *i = t->here; i != NULL; i = i->ifa_next)
		if (i->ifa_addr != NULL && (i->ifa_flags & IFF_UP) != 0 &&
		    endpoint_same_host(&e, i->ifa_addr))
			return true;
	return false;
}

static const struct muses_transport_ops tcp_ops = {
	.mtu = MUSES_PACKET_MAX,
	.address = tcp_address,
	.local = tcp_local,
	.dial = tcp_dial,
	.send = tcp_send,
	.queued = tcp_queued,
	.close = tcp_close,
	.info = tcp_info,
	.alive = tcp_alive,
};

MUSES_PLUGIN(tcp) = {
	MUSES_STAMP,
	.name = "tcp",
	.summary = "links over TCP, IPv4 and IPv6",
	.kind = MUSES_TRANSPORT,
	.options = tcp_options,
	.config_size = sizeof(struct tcp_config),
	MUSES_OPS(tcp_ops),
	.check = tcp_check,
	.open = tcp_open,
	.start = tcp_start,
	.stop = tcp_stop,
	.close = tcp_end,
};
