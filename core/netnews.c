/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes is not even parsed: that something changed is all we want to know,
 * and who asks finds out the rest.  Only the kernel can speak on this socket.
 */
#include "core/netnews.h"
#include "core/mem.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

/* A change comes as several messages: address, local route, route. */
#define TOGETHER_NS (5 * MUSES_MS)

struct core_netnews {
	struct muses_watch watch;
	struct muses_timer together;
	core_netnews_fn *changed;
	void *user;
	int fd;
};

static bool matters(const struct nlmsghdr *m)
{
	switch (m->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return true;
	default:
		return false;
	}
}

static void netnews_ready(struct muses_watch *w, uint32_t ready)
{
	struct core_netnews *n = muses_container(w, struct core_netnews, watch);
	bool news = false;

	(void)ready;
	muses_watch_drained(w, MUSES_HUNG);
	for (;;) {
		_Alignas(struct nlmsghdr) char block[8192];
		struct sockaddr_nl from;
		socklen_t from_size = sizeof(from);
		ssize_t got = recvfrom(n->fd, block, sizeof(block), MSG_DONTWAIT,
		                       (struct sockaddr *)&from, &from_size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == ENOBUFS) {
			news = true; /* So much changed that some of it was lost. */
			continue;
		}
		if (got <= 0)
			break;
		if (from_size == sizeof(from) && from.nl_pid == 0 &&
		    (size_t)got >= sizeof(struct nlmsghdr))
			news = news || matters((const struct nlmsghdr *)block);
	}
	muses_watch_drained(w, MUSES_READABLE);
	if (news && !muses_timer_armed(&n->together))
		muses_timer_after(&n->together, TOGETHER_NS);
}

static void netnews_tell(struct muses_timer *t)
{
	struct core_netnews *n = muses_container(t, struct core_netnews, together);

	n->changed(n->user);
}

struct core_netnews *core_netnews_open(struct core_env *env, core_netnews_fn *changed,
                                       void *user)
{
	struct sockaddr_nl at = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE |
		             RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE,
	};
	struct core_netnews *n = muses_zalloc(sizeof(*n));

	if (n == NULL)
		return NULL;
	n->changed = changed;
	n->user = user;
	core_timer_init(env->loop, &n->together, netnews_tell);
	n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
	               NETLINK_ROUTE);
	if (n->fd >= 0 && bind(n->fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	    core_watch_open(env->loop, &n->watch, n->fd, MUSES_READABLE, netnews_ready) ==
	            0)
		return n;
	core_netnews_close(n);
	return NULL;
}

void core_netnews_close(struct core_netnews *n)
{
	if (n == NULL)
		return;
	muses_watch_close(&n->watch);
	muses_timer_stop(&n->together);
	if (n->fd >= 0)
		close(n->fd);
	muses_free(n);
}
