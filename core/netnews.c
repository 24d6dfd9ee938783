/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses, routes and sleep, as the Linux kernel tells them: rtnetlink, and a
 * timer that is cancelled when the clock is set, which also happens on waking up.
 */
#include "core/netnews.h"

#ifdef __linux__
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TOGETHER (20 * MUSES_MS)

enum { MESSAGES = 8192 }; /* Bytes; what is longer is cut, and counts as news. */

struct core_netnews {
	core_netnews_fn *changed;
	void *user;
	int routes, clock;
	struct muses_watch routes_watch, clock_watch;
	struct muses_timer timer; /* Armed: told a moment ago. */
	bool again;               /* More came since. */
};

static bool link_matters(const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return false;
	/* Wireless drivers report their moods as link messages: only up and down is
	 * of interest. */
	return h->nlmsg_type == RTM_DELLINK ||
	       (m->ifi_change & (IFF_UP | IFF_RUNNING)) != 0;
}

static bool route_matters(const struct nlmsghdr *h)
{
	const struct rtmsg *m = NLMSG_DATA(h);

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return false;
	return (m->rtm_flags & RTM_F_CLONED) == 0 && m->rtm_table != RT_TABLE_LOCAL &&
	       m->rtm_type != RTN_MULTICAST && m->rtm_type != RTN_BROADCAST;
}

static bool message_matters(const struct nlmsghdr *h)
{
	switch (h->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return true;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_matters(h);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_matters(h);
	default:
		return false;
	}
}

bool core_netnews_matters(const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;
		size_t step;

		memcpy(&h, at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > size)
			return false;
		if (message_matters((const struct nlmsghdr *)(const void *)at))
			return true;
		step = NLMSG_ALIGN((size_t)h.nlmsg_len);
		if (step >= size)
			return false;
		at += step;
		size -= step;
	}
	return false;
}

static void tell(struct core_netnews *n)
{
	if (muses_timer_armed(&n->timer)) {
		n->again = true;
		return;
	}
	muses_timer_after(&n->timer, TOGETHER);
	n->changed(n->user);
}

static void later(struct muses_timer *t)
{
	struct core_netnews *n = muses_container(t, struct core_netnews, timer);

	if (n->again) {
		n->again = false;
		tell(n);
	}
}

static void on_routes(struct muses_watch *w, uint32_t ready)
{
	struct core_netnews *n = muses_container(w, struct core_netnews, routes_watch);
	/* Aligned for struct nlmsghdr, whose fields are read in place. */
	_Alignas(struct nlmsghdr) uint8_t data[MESSAGES];
	bool news = false;

	(void)ready;
	for (;;) {
		struct sockaddr_nl from = { .nl_pid = 0 };
		socklen_t from_size = sizeof(from);
		ssize_t size = recvfrom(n->routes, data, sizeof(data), MSG_TRUNC,
		                        (struct sockaddr *)&from, &from_size);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno == ENOBUFS) {
			news = true; /* So much happened that some was lost. */
			continue;
		}
		if (size <= 0)
			break;
		/* Only the kernel is believed. */
		if (from.nl_pid == 0)
			news = news || (size_t)size > sizeof(data) ||
			       core_netnews_matters(data, (size_t)size);
	}
	muses_watch_drained(w, MUSES_READABLE);
	if (news)
		tell(n);
}

/* Far away; what counts is that it is cancelled. */
static int arm_clock(int fd)
{
	const struct itimerspec far = { .it_value.tv_sec = (time_t)1 << 33 };

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far,
	                       NULL);
}

static void on_clock(struct muses_watch *w, uint32_t ready)
{
	struct core_netnews *n = muses_container(w, struct core_netnews, clock_watch);
	uint64_t times;
	bool set = read(n->clock, &times, sizeof(times)) < 0 && errno == ECANCELED;

	(void)ready;
	muses_watch_drained(w, MUSES_READABLE);
	if (arm_clock(n->clock) != 0)
		muses_watch_close(w);
	if (set)
		tell(n);
}

static int open_routes(void)
{
	const struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
		             RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
	                NETLINK_ROUTE);

	if (fd >= 0 &&
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

struct core_netnews *core_netnews_open(struct core_env *env, core_netnews_fn *changed,
                                       void *user)
{
	/* What happens to this machine is none of a simulated network's business. */
	struct core_netnews *n = env->hub != NULL ? NULL : muses_zalloc(sizeof(*n));

	if (n == NULL)
		return NULL;
	n->changed = changed;
	n->user = user;
	core_timer_init(env->loop, &n->timer, later);
	n->routes = open_routes();
	n->clock = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (n->routes < 0 || core_watch_open(env->loop, &n->routes_watch, n->routes,
	                                     MUSES_READABLE, on_routes) != 0) {
		core_netnews_close(n);
		return NULL;
	}
	/* Without it, waking up is noticed when keep-alive goes unanswered. */
	if (n->clock >= 0 && arm_clock(n->clock) == 0 &&
	    core_watch_open(env->loop, &n->clock_watch, n->clock, MUSES_READABLE,
	                    on_clock) != 0) {
		close(n->clock);
		n->clock = -1;
	}
	return n;
}

void core_netnews_close(struct core_netnews *n)
{
	if (n == NULL)
		return;
	muses_timer_stop(&n->timer);
	muses_watch_close(&n->routes_watch);
	muses_watch_close(&n->clock_watch);
	if (n->routes >= 0)
		close(n->routes);
	if (n->clock >= 0)
		close(n->clock);
	muses_free(n);
}

#else

struct core_netnews *core_netnews_open(struct core_env *env, core_netnews_fn *changed,
                                       void *user)
{
	(void)env;
	(void)changed;
	(void)user;
	return NULL;
}

void core_netnews_close(struct core_netnews *n)
{
	(void)n;
}

bool core_netnews_matters(const void *data, size_t size)
{
	(void)data;
	(void)size;
	return false;
}

#endif
