/* SPDX-License-Identifier: Apache-2.0 */
/* The transports over real sockets: tcp on loopback, unix in a folder of its own. */
#include "plugins/transport/tcp/endpoint.h"

#include "tests/net.h"
#include "tests/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

extern const struct muses_plugin tcp_LTX_muses_plugin;
extern const struct muses_plugin unix_LTX_muses_plugin;

static void addresses_are_numbers(void)
{
	static const struct {
		const char *text;
		bool right, local;
		const char *why;
	} row[] = {
		{ "127.0.0.1:7000", true, true, "loopback" },
		{ "127.9.9.9:1", true, true, "all of 127/8 is" },
		{ "192.0.2.1:65535", true, false, "the largest port" },
		{ "[::1]:7000", true, true, "loopback of IPv6" },
		{ "[2001:db8::1]:7000", true, false, "IPv6" },
		{ "0.0.0.0:0", true, false, "everywhere, any port" },
		{ "::1:7000", false, false, "IPv6 needs brackets" },
		{ "localhost:7000", false, false, "a name" },
		{ "127.0.0.1", false, false, "no port" },
		{ "127.0.0.1:", false, false, "an empty port" },
		{ "127.0.0.1:65536", false, false, "a port too large" },
		{ "127.0.0.1:-1", false, false, "a negative port" },
		{ "127.0.0.1:7000x", false, false, "something behind it" },
		{ "127.0.0.1: 7000", false, false, "a space" },
		{ "127.1:7000", false, false, "short forms are guesses" },
		{ ":7000", false, false, "no address" },
		{ "", false, false, "nothing" },
		{ "[::1:7000", false, false, "half a bracket" },
		{ "[::1%nosuchinterface]:1", false, false,
		  "an interface that is not there" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct endpoint e, again;
		char why[128] = "", text[ENDPOINT_TEXT_SIZE];
		bool right = endpoint_parse(&e, row[i].text, why, sizeof(why));

		TAP_NOTE_IF(right != row[i].right, "\"%s\": %s", row[i].text, row[i].why);
		CU_ASSERT_EQUAL(right, row[i].right);
		if (!right) {
			CU_ASSERT_NOT_EQUAL(why[0], '\0');
			continue;
		}
		CU_ASSERT_EQUAL(endpoint_local(&e), row[i].local);
		endpoint_text(&e, text);
		CU_ASSERT(endpoint_parse(&again, text, why, sizeof(why)));
		CU_ASSERT_EQUAL(memcmp(&e, &again, sizeof(e)), 0);
	}
}

/* Where n really listens. */
static void port_of(struct net_node *n, char *text, size_t size)
{
	const struct muses_transport_ops *ops = n->transport.ops;
	json_t *object = json_object();

	ops->info(&n->transport, NULL, object);
	snprintf(text, size, "%s",
	         json_string_value(json_array_get(json_object_get(object, "listen"), 0)));
	json_decref(object);
}

static void pass_both_ways(struct net *net, struct net_node *a, struct net_node *b)
{
	CU_ASSERT_EQUAL(net_send(a, b, "one"), 0);
	CU_ASSERT_EQUAL(net_send(b, a, "two"), 0);
	for (int i = 0; i < 400 && (a->delivered == 0 || b->delivered == 0); i++)
		net_run(net, 5);
	CU_ASSERT_STRING_EQUAL(b->inbox, "alice:one ");
	CU_ASSERT_STRING_EQUAL(a->inbox, "bob:two ");
}

static void link_over(const char *listen)
{
	char json[256], port[64];
	struct net net;
	struct net_node *a, *b;

	net_open_real(&net, &tcp_LTX_muses_plugin);
	snprintf(json, sizeof(json), "{'listen': '%s'}", listen);
	b = net_add(&net, "bob", json, NULL);
	port_of(b, port, sizeof(port));
	snprintf(json, sizeof(json), "{'dial': {'bob': '%s'}}", port);
	a = net_add(&net, "alice", json, NULL);
	CU_ASSERT(net_await(&net, a, b, true));
	pass_both_ways(&net, a, b);
	CU_ASSERT(core_links_local(a->links));
	/* Alice stops: bob hears at once. */
	net_stop(a);
	CU_ASSERT(net_await(&net, a, b, false));
	net_close(&net);
}

static void neighbours_link_over_ipv4(void)
{
	link_over("127.0.0.1:0");
}

static void neighbours_link_over_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		                    .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	if (fd < 0 || bind(fd, (struct sockaddr *)&in6, sizeof(in6)) != 0)
		tap_skip("no IPv6 on loopback here");
	else
		link_over("[::1]:0");
	if (fd >= 0)
		close(fd);
}

/* Many large packets, more than the sockets hold: all arrive, none twice. */
static void much_data_passes(void)
{
	char json[256], port[64];
	struct net net;
	struct net_node *a, *b;
	uint64_t sent = 0;

	net_open_real(&net, &tcp_LTX_muses_plugin);
	b = net_add(&net, "bob", "{'listen': '127.0.0.1:0'}", NULL);
	port_of(b, port, sizeof(port));
	snprintf(json, sizeof(json), "{'dial': {'bob': '%s'}}", port);
	a = net_add(&net, "alice", json, NULL);
	CU_ASSERT_FATAL(net_await(&net, a, b, true));
	while (sent < 2000) {
		while (sent < 2000 &&
		       core_overlay_ops(&a->pipeline)->writable(&a->overlay, &b->id)) {
			struct muses_buf *p =
				core_buf_new(a->env.pool, MUSES_HEADROOM, 60000);

			CU_ASSERT_PTR_NOT_NULL_FATAL(p);
			memset(muses_buf_append(p, 60000), (int)sent, 60000);
			if (core_overlay_ops(&a->pipeline)
			            ->send(&a->overlay, &b->id, p) == 0)
				sent++;
		}
		net_run(&net, 1);
	}
	for (int i = 0; i < 1000 && b->delivered < sent; i++)
		net_run(&net, 5);
	CU_ASSERT_EQUAL(b->delivered, 2000);
	CU_ASSERT_EQUAL(net_count(a, "link", "dropped: queue full"), 0);
	net_close(&net);
}

static void a_port_in_use_is_named(void)
{
	char json[256], port[64];
	struct net net;
	struct net_node *a, *b;

	net_open_real(&net, &tcp_LTX_muses_plugin);
	b = net_add(&net, "bob", "{'listen': '127.0.0.1:0'}", NULL);
	port_of(b, port, sizeof(port));
	snprintf(json, sizeof(json), "{'listen': '%s'}", port);
	a = net_make(&net, "alice", json, NULL);
	core_log_set_level(a->env.log, MUSES_ERROR);
	CU_ASSERT_EQUAL(net_start(a), MUSES_ESYSTEM);
	net_close(&net);
}

static void connections_that_say_nothing_are_closed(void)
{
	struct net net;
	struct net_node *b;
	char port[64], why[128], byte;
	struct endpoint e;
	int fd;

	net_open_real(&net, &tcp_LTX_muses_plugin);
	net.links.hello_ms = 50;
	b = net_add(&net, "bob", "{'listen': '127.0.0.1:0'}", NULL);
	port_of(b, port, sizeof(port));
	CU_ASSERT_FATAL(endpoint_parse(&e, port, why, sizeof(why)));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL_FATAL(connect(fd, &e.at.any, e.size), 0);
	for (int i = 0; i < 100 && net_count(b, "link", "no proof in time") == 0; i++)
		net_run(&net, 5);
	CU_ASSERT_EQUAL(net_count(b, "link", "no proof in time"), 1);
	while (read(fd, &byte, 1) == 1)
		; /* Bob's hello. */
	close(fd);
	net_close(&net);
}

static void neighbours_link_over_a_unix_socket(void)
{
	char folder[] = "/tmp/muses-test-XXXXXX", json[256], path[64];
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct net net;
	struct net_node *a, *b;
	struct stat st;
	int fd;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/bob", folder);
	/* One that a dead process has left. */
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	close(fd);

	net_open_real(&net, &unix_LTX_muses_plugin);
	snprintf(json, sizeof(json), "{'listen': '%s'}", path);
	b = net_add(&net, "bob", json, NULL);
	CU_ASSERT_EQUAL(lstat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
	snprintf(json, sizeof(json), "{'dial': {'bob': '%s'}}", path);
	a = net_add(&net, "alice", json, NULL);
	CU_ASSERT(net_await(&net, a, b, true));
	pass_both_ways(&net, a, b);
	CU_ASSERT(core_links_local(a->links));
	net_close(&net);
	CU_ASSERT_NOT_EQUAL(lstat(path, &st), 0);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void a_socket_that_answers_is_not_taken(void)
{
	char folder[] = "/tmp/muses-test-XXXXXX", json[256], path[64];
	struct net net;
	struct net_node *a, *b;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/bob", folder);
	net_open_real(&net, &unix_LTX_muses_plugin);
	snprintf(json, sizeof(json), "{'listen': '%s'}", path);
	b = net_add(&net, "bob", json, NULL);
	a = net_make(&net, "alice", json, NULL);
	core_log_set_level(a->env.log, MUSES_ERROR);
	CU_ASSERT_EQUAL(net_start(a), MUSES_ESYSTEM);
	CU_ASSERT(b->running);
	net_close(&net);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static const struct tap_test tests[] = {
	{ "addresses are numbers", addresses_are_numbers },
	{ "neighbours link over IPv4", neighbours_link_over_ipv4 },
	{ "neighbours link over IPv6", neighbours_link_over_ipv6 },
	{ "much data passes, all of it once", much_data_passes },
	{ "a port in use is named", a_port_in_use_is_named },
	{ "connections that say nothing are closed",
	  connections_that_say_nothing_are_closed },
	{ "neighbours link over a unix socket", neighbours_link_over_a_unix_socket },
	{ "a socket that answers is not taken", a_socket_that_answers_is_not_taken },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "tcp", tests);
}
