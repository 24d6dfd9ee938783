/* SPDX-License-Identifier: Apache-2.0 */
#include "core/address.h"
#include "tests/tap.h"

#include <CUnit/CUnit.h>

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void an_address_reads_and_prints(void)
{
	static const struct {
		const char *text;
		const char *printed; /* NULL: refused. */
		enum core_address_use use;
		const char *why;
	} row[] = {
		{ "127.0.0.1:22", "127.0.0.1:22", CORE_ADDRESS_CONNECT, "IPv4" },
		{ "[::1]:2222", "[::1]:2222", CORE_ADDRESS_CONNECT, "IPv6" },
		{ "[0:0:0:0:0:0:0:1]:1", "[::1]:1", CORE_ADDRESS_CONNECT, "long IPv6" },
		{ "unix:/run/x", "unix:/run/x", CORE_ADDRESS_CONNECT, "absolute path" },
		{ "unix:x:1", "unix:/here/x:1", CORE_ADDRESS_CONNECT,
		  "relative, with colon" },
		{ "127.0.0.1:0", "127.0.0.1:0", CORE_ADDRESS_LISTEN,
		  "the system chooses" },
		{ "0.0.0.0:65535", "0.0.0.0:65535", CORE_ADDRESS_LISTEN, "highest port" },
		{ "127.0.0.1:0", NULL, CORE_ADDRESS_CONNECT, "nobody listens on port 0" },
		{ "127.0.0.1:65536", NULL, CORE_ADDRESS_LISTEN, "port too high" },
		{ "127.0.0.1:99999999999", NULL, CORE_ADDRESS_LISTEN, "port overflows" },
		{ "127.0.0.1:", NULL, CORE_ADDRESS_LISTEN, "no port" },
		{ "127.0.0.1:+1", NULL, CORE_ADDRESS_LISTEN, "sign" },
		{ "127.0.0.1: 1", NULL, CORE_ADDRESS_LISTEN, "space" },
		{ "127.0.0.1", NULL, CORE_ADDRESS_LISTEN, "no colon" },
		{ "127.1:1", NULL, CORE_ADDRESS_LISTEN, "short form" },
		{ "::1:22", NULL, CORE_ADDRESS_LISTEN, "IPv6 without brackets" },
		{ "[::1:22", NULL, CORE_ADDRESS_LISTEN, "bracket not closed" },
		{ "[]:22", NULL, CORE_ADDRESS_LISTEN, "empty brackets" },
		{ "[", NULL, CORE_ADDRESS_LISTEN, "one bracket" },
		{ "[:1", NULL, CORE_ADDRESS_LISTEN, "one bracket and a port" },
		{ "localhost:22", NULL, CORE_ADDRESS_LISTEN, "a host name" },
		{ ":22", NULL, CORE_ADDRESS_LISTEN, "no host" },
		{ "", NULL, CORE_ADDRESS_LISTEN, "nothing" },
		{ "unix:", NULL, CORE_ADDRESS_LISTEN, "no path" },
		{ "11111111111111111111111111111111111111111111111111111111:1", NULL,
		  CORE_ADDRESS_LISTEN, "host longer than any" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct core_address a;
		char why[256] = "", text[CORE_ADDRESS_TEXT_SIZE];
		int err = core_address_parse(&a, row[i].text, row[i].use, "/here", why,
		                             sizeof(why));

		TAP_NOTE_IF((err == 0) != (row[i].printed != NULL), "row %zu: %s", i,
		            row[i].why);
		CU_ASSERT_EQUAL(err, row[i].printed != NULL ? 0 : MUSES_ECONFIG);
		if (err != 0) {
			CU_ASSERT_PTR_NOT_NULL(strstr(why, row[i].text));
			CU_ASSERT_PTR_NOT_NULL(strstr(why, "want")
			                               ?: strstr(why, "has to"));
		} else if (row[i].printed != NULL) {
			core_address_text(&a, text, sizeof(text));
			CU_ASSERT_STRING_EQUAL(text, row[i].printed);
		}
	}
}

static void only_loopback_and_unix_are_local(void)
{
	static const struct {
		const char *text;
		bool local;
	} row[] = {
		{ "127.0.0.1:1", true },
		{ "127.255.255.255:1", true },
		{ "0.0.0.0:1", false },
		{ "128.0.0.1:1", false },
		{ "[::1]:1", true },
		{ "[::]:1", false },
		{ "[::ffff:127.0.0.1]:1", false },
		{ "unix:x", true },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct core_address a;
		char why[256];

		CU_ASSERT_EQUAL_FATAL(core_address_parse(&a, row[i].text,
		                                         CORE_ADDRESS_LISTEN, NULL, why,
		                                         sizeof(why)),
		                      0);
		TAP_NOTE_IF(core_address_local(&a) != row[i].local, "%s", row[i].text);
		CU_ASSERT_EQUAL(core_address_local(&a), row[i].local);
	}
}

static void a_path_is_never_cut_short(void)
{
	static char path[CORE_ADDRESS_PATH_MAX + 2];
	struct core_address a;
	char why[256];

	memset(path, 'a', sizeof(path) - 1);
	CU_ASSERT_EQUAL(core_address_from_path(&a, path, NULL, why, sizeof(why)),
	                MUSES_ECONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "4095"));
	path[CORE_ADDRESS_PATH_MAX] = '\0';
	CU_ASSERT_EQUAL(core_address_from_path(&a, path, NULL, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(core_address_from_path(&a, path, "/", why, sizeof(why)),
	                MUSES_ECONFIG);
}

/* ---- real sockets --------------------------------------------------------- */

static char folder[] = "/tmp/t_core_address.XXXXXX";

static struct core_address at(const char *format, ...)
{
	struct core_address a;
	char text[512], why[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	CU_ASSERT_EQUAL_FATAL(core_address_parse(&a, text, CORE_ADDRESS_LISTEN, folder,
	                                         why, sizeof(why)),
	                      0);
	return a;
}

static void clients_reach_a_listener(const struct core_address *a)
{
	struct core_address bound;
	char text[CORE_ADDRESS_TEXT_SIZE], why[512] = "";
	int listening = core_address_listen(a, 4, why, sizeof(why));
	int client, accepted;
	bool connecting;

	TAP_NOTE_IF(listening < 0, "%s", why);
	CU_ASSERT_TRUE_FATAL(listening >= 0);
	core_address_bound(listening, a, text, sizeof(text));
	CU_ASSERT_EQUAL_FATAL(core_address_parse(&bound, text, CORE_ADDRESS_CONNECT, NULL,
	                                         why, sizeof(why)),
	                      0);
	client = core_address_connect(&bound, &connecting, why, sizeof(why));
	TAP_NOTE_IF(client < 0, "%s", why);
	CU_ASSERT_TRUE_FATAL(client >= 0);
	CU_ASSERT_EQUAL(
		poll(&(struct pollfd){ .fd = listening, .events = POLLIN }, 1, 5000), 1);
	accepted = accept(listening, NULL, NULL);
	CU_ASSERT_TRUE(accepted >= 0);
	CU_ASSERT_TRUE(fcntl(client, F_GETFL) & O_NONBLOCK);
	CU_ASSERT_TRUE(fcntl(listening, F_GETFD) & FD_CLOEXEC);
	close(accepted);
	close(client);
	core_address_unlisten(a, listening);
	close(listening);
	CU_ASSERT_EQUAL(core_address_connect(&bound, &connecting, why, sizeof(why)) < 0,
	                a->family == AF_UNIX);
}

static void sockets_of_each_family_listen_and_connect(void)
{
	struct core_address a = at("127.0.0.1:0");

	clients_reach_a_listener(&a);
	a = at("unix:short");
	clients_reach_a_listener(&a);
}

static void a_path_longer_than_the_system_allows_works(void)
{
	char deep[400], why[256];
	struct core_address a;

	snprintf(deep, sizeof(deep), "%s/%0150d", folder, 1);
	CU_ASSERT_EQUAL_FATAL(mkdir(deep, 0700), 0);
	a = at("unix:%s/socket", deep);
	clients_reach_a_listener(&a);
	rmdir(deep);
	CU_ASSERT_TRUE(core_address_listen(&a, 1, why, sizeof(why)) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "cannot listen on"));
}

static void a_socket_is_for_us_alone(void)
{
	struct core_address a = at("unix:private");
	char why[256];
	struct stat st;
	int fd = core_address_listen(&a, 1, why, sizeof(why));

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(stat(a.path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
	core_address_unlisten(&a, fd);
	close(fd);
	CU_ASSERT_NOT_EQUAL(stat(a.path, &st), 0);
}

static void a_stale_socket_makes_way_and_nothing_else_does(void)
{
	struct core_address a = at("unix:taken");
	char why[512] = "", link_path[600];
	struct stat st;
	int first, second;

	first = core_address_listen(&a, 1, why, sizeof(why));
	CU_ASSERT_TRUE_FATAL(first >= 0);
	CU_ASSERT_TRUE(core_address_listen(&a, 1, why, sizeof(why)) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "another program answers"));
	close(first); /* As after a crash: the path stays. */
	CU_ASSERT_EQUAL(stat(a.path, &st), 0);
	second = core_address_listen(&a, 1, why, sizeof(why));
	TAP_NOTE_IF(second < 0, "%s", why);
	CU_ASSERT_TRUE_FATAL(second >= 0);

	snprintf(link_path, sizeof(link_path), "%s/link", folder);
	CU_ASSERT_EQUAL(symlink(a.path, link_path), 0);
	core_address_unlisten(&a, second);
	close(second);
	a = at("unix:link");
	CU_ASSERT_TRUE(core_address_listen(&a, 1, why, sizeof(why)) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "symbolic link"));
	CU_ASSERT_EQUAL(unlink(link_path), 0);

	a = at("unix:file");
	close(open(a.path, O_CREAT | O_WRONLY, 0600));
	CU_ASSERT_TRUE(core_address_listen(&a, 1, why, sizeof(why)) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "not a socket"));
	CU_ASSERT_EQUAL(unlink(a.path), 0);
}

static void a_socket_that_another_node_took_over_stays(void)
{
	struct core_address a = at("unix:inherited");
	char why[256];
	struct stat st;
	int first = core_address_listen(&a, 1, why, sizeof(why)), second;

	CU_ASSERT_TRUE_FATAL(first >= 0);
	CU_ASSERT_EQUAL(unlink(a.path), 0);
	second = core_address_listen(&a, 1, why, sizeof(why));
	CU_ASSERT_TRUE_FATAL(second >= 0);
	core_address_unlisten(&a, first);
	close(first);
	CU_ASSERT_EQUAL(stat(a.path, &st), 0);
	core_address_unlisten(&a, second);
	close(second);
	CU_ASSERT_NOT_EQUAL(stat(a.path, &st), 0);
}

static void connecting_to_nobody_is_refused_with_the_address(void)
{
	struct core_address a = at("unix:nobody");
	char why[256];
	bool connecting;

	CU_ASSERT_EQUAL(core_address_connect(&a, &connecting, why, sizeof(why)),
	                MUSES_EREFUSED);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, a.path));
}

static const struct tap_test tests[] = {
	{ "an address reads and prints, and what is none is refused",
	  an_address_reads_and_prints },
	{ "only loopback and unix addresses are local",
	  only_loopback_and_unix_are_local },
	{ "a path is never cut short", a_path_is_never_cut_short },
	{ "sockets of each family listen and connect",
	  sockets_of_each_family_listen_and_connect },
	{ "a path longer than the system allows works",
	  a_path_longer_than_the_system_allows_works },
	{ "a socket is for us alone, and gone afterwards", a_socket_is_for_us_alone },
	{ "a stale socket makes way, and nothing else does",
	  a_stale_socket_makes_way_and_nothing_else_does },
	{ "a socket that another node took over stays",
	  a_socket_that_another_node_took_over_stays },
	{ "connecting to nobody is refused, with the address",
	  connecting_to_nobody_is_refused_with_the_address },
	TAP_END
};

int main(int argc, char **argv)
{
	int result;

	if (mkdtemp(folder) == NULL)
		return 99;
	result = tap_main(argc, argv, "core_address", tests);
	rmdir(folder);
	return result;
}
