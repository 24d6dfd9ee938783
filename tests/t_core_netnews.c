/* SPDX-License-Identifier: Apache-2.0 */
#include "core/netnews.h"

#include "tests/tap.h"

#ifdef __linux__
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Several messages, one behind the other. */
static _Alignas(8) uint8_t bytes[1024];
static size_t used;

static void add(uint16_t type, const void *body, size_t size)
{
	const struct nlmsghdr h = { .nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
		                    .nlmsg_type = type };

	memset(bytes + used, 0, NLMSG_SPACE(size));
	memcpy(bytes + used, &h, sizeof(h));
	memcpy(bytes + used + NLMSG_HDRLEN, body, size);
	used += NLMSG_SPACE(size);
}

static void what_moves_packets_matters(void)
{
	static const struct ifinfomsg up = { .ifi_change = IFF_UP },
				      mood = { .ifi_change = 0 };
	static const struct rtmsg route = { .rtm_table = RT_TABLE_MAIN,
		                            .rtm_type = RTN_UNICAST };
	static const struct rtmsg cached = { .rtm_table = RT_TABLE_MAIN,
		                             .rtm_type = RTN_UNICAST,
		                             .rtm_flags = RTM_F_CLONED };
	static const struct rtmsg local = { .rtm_table = RT_TABLE_LOCAL,
		                            .rtm_type = RTN_LOCAL };
	static const struct ifaddrmsg address = { .ifa_family = AF_INET };
	static const struct {
		uint16_t type;
		const void *body;
		size_t size;
		bool matters;
		const char *why;
	} row[] = {
		{ RTM_NEWADDR, &address, sizeof(address), true, "an address came" },
		{ RTM_DELADDR, &address, sizeof(address), true, "an address went" },
		{ RTM_NEWLINK, &up, sizeof(up), true, "an interface went up or down" },
		{ RTM_NEWLINK, &mood, sizeof(mood), false, "a wireless driver talks" },
		{ RTM_DELLINK, &mood, sizeof(mood), true, "an interface has gone" },
		{ RTM_NEWROUTE, &route, sizeof(route), true, "a route came" },
		{ RTM_DELROUTE, &route, sizeof(route), true, "a route went" },
		{ RTM_NEWROUTE, &cached, sizeof(cached), false,
		  "the route of one packet" },
		{ RTM_NEWROUTE, &local, sizeof(local), false, "told as an address, too" },
		{ RTM_NEWNEIGH, &address, sizeof(address), false,
		  "a neighbour's hardware" },
		{ RTM_NEWLINK, &up, 4, false, "a message too short" },
		{ RTM_NEWROUTE, &route, 4, false, "a message too short" },
		{ NLMSG_DONE, &up, 4, false, "no message of routes" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		bool matters;

		/* Alone, and behind one that does not matter. */
		used = 0;
		add(row[i].type, row[i].body, row[i].size);
		matters = core_netnews_matters(bytes, used);
		TAP_NOTE_IF(matters != row[i].matters, "row %zu: %s", i, row[i].why);
		CU_ASSERT_EQUAL(matters, row[i].matters);
		used = 0;
		add(RTM_NEWNEIGH, &address, 5);
		add(row[i].type, row[i].body, row[i].size);
		CU_ASSERT_EQUAL(core_netnews_matters(bytes, used), row[i].matters);
	}
}

static void lengths_that_lie_end_the_reading(void)
{
	static const struct ifaddrmsg address = { .ifa_family = AF_INET };

	used = 0;
	add(RTM_NEWADDR, &address, sizeof(address));
	for (size_t size = 0; size < NLMSG_LENGTH(sizeof(address)); size++)
		CU_ASSERT(!core_netnews_matters(bytes, size));
	for (uint32_t length = 0; length < 16; length++) {
		memcpy(bytes, &length, sizeof(length));
		CU_ASSERT(!core_netnews_matters(bytes, used));
	}
	memset(bytes, 0xff, sizeof(uint32_t));
	CU_ASSERT(!core_netnews_matters(bytes, used));
}

static void count_change(void *user)
{
	++*(int *)user;
}

/* In a network of its own, where nothing happens but what we do: 0 all well, 1 not,
 * 77 no such network to be had. */
static int live_alone(void)
{
	struct core_loop *loop = core_loop_open(CORE_CLOCK_REAL);
	struct core_env env;
	struct core_netnews *n;
	struct ifreq lo = { .ifr_name = "lo" };
	int changes = 0, fd;

	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return 77;
	if (core_env_open(&env, loop, 1) != 0)
		return 1;
	n = core_netnews_open(&env, count_change, &changes);
	if (n == NULL)
		return 77;
	core_loop_turn(loop, 10 * MUSES_MS);
	if (changes != 0)
		return 1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	lo.ifr_flags = IFF_UP;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
		return 77;
	for (int i = 0; i < 100 && changes == 0; i++)
		core_loop_turn(loop, 10 * MUSES_MS);
	for (int i = 0; i < 10; i++)
		core_loop_turn(loop, 10 * MUSES_MS);
	/* A link and two addresses, told at once, and once more at most. */
	if (changes < 1 || changes > 2)
		return 1;
	close(fd);
	core_netnews_close(n);
	core_env_close(&env);
	core_loop_close(loop);
	return 0;
}

static void a_change_is_told_at_once_and_once(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(live_alone());
	CU_ASSERT_FATAL(child > 0);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_FATAL(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		tap_skip("no network of our own to be had here");
	else
		CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}
#else
static void what_moves_packets_matters(void)
{
	tap_skip("only Linux tells");
}
#define lengths_that_lie_end_the_reading  what_moves_packets_matters
#define a_change_is_told_at_once_and_once what_moves_packets_matters
#endif

static const struct tap_test tests[] = {
	{ "what moves packets matters", what_moves_packets_matters },
	{ "lengths that lie end the reading", lengths_that_lie_end_the_reading },
	{ "a change is told at once, and once", a_change_is_told_at_once_and_once },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "netnews", tests);
}
