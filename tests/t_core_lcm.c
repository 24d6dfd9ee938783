/* SPDX-License-Identifier: Apache-2.0 */
/* LCM between real sockets and a stream that the test plays. */
#include "core/address.h"
#include "core/lcm.h"
#include "core/mem.h"
#include "tests/fake_stream.h"
#include "tests/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the node, played by the test ----------------------------------------- */

static struct core_session alice;
static bool alice_known;
static struct core_loop *loop;
static struct core_env env;
static struct core_lcm *lcm;
static char folder[] = "/tmp/t_core_lcm.XXXXXX";
static char last_line[512];

static int host_resolve(void *owner, const char *name, struct muses_id *id)
{
	(void)owner;
	memset(id, 0, sizeof(*id));
	if (strcmp(name, "alice") == 0) {
		*id = alice.peer;
		return alice_known ? 0 : MUSES_EAGAIN;
	}
	if (strcmp(name, "bob") != 0)
		return MUSES_EUNKNOWN;
	id->bytes[0] = 'b';
	return 0;
}

static void host_show(void *owner, const struct muses_id *id, char *text)
{
	(void)owner;
	snprintf(text, MUSES_NAME_MAX + 1, "%c", id->bytes[0]);
}

static struct core_session *host_session(void *owner, const struct muses_id *peer)
{
	(void)owner;
	return muses_id_equal(peer, &alice.peer) ? &alice : NULL;
}

static void sink(void *user, enum muses_level level, const char *who, const char *message)
{
	(void)user;
	(void)who;
	if (level <= MUSES_INFO)
		snprintf(last_line, sizeof(last_line), "%s", message);
}

static void begin(size_t most)
{
	static const struct core_lcm_host host = { NULL, host_resolve, host_show,
		                                   host_session };

	loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	CU_ASSERT_EQUAL_FATAL(core_env_open(&env, loop, 1), 0);
	core_log_set_sink(env.log, sink, NULL);
	lcm = core_lcm_open(&env, &host, most);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lcm);
	alice.peer.bytes[0] = 'a';
	alice_known = true;
	fake_may_open = true;
	last_line[0] = '\0';
}

static void finish(void)
{
	core_lcm_close(lcm);
	core_env_close(&env);
	core_loop_close(loop);
	fake_streams_free();
}

static void turn(void)
{
	for (int i = 0; i < 8; i++)
		core_loop_turn(loop, 0);
}

static void load(const char *listen, const char *to, const char *service)
{
	struct core_forward forward = { listen, to, service };
	char why[512] = "";
	int err = core_lcm_load(lcm, &forward, 1, NULL, 0, folder, why, sizeof(why));

	TAP_NOTE_IF(err != 0, "%s", why);
	CU_ASSERT_EQUAL_FATAL(err, 0);
}

static const char *where(size_t index)
{
	static char text[512];
	json_t *info = core_lcm_info(lcm);

	snprintf(text, sizeof(text), "%s",
	         json_string_value(json_object_get(
			 json_array_get(json_object_get(info, "forwards"), index),
			 "listen")));
	json_decref(info);
	return text;
}

static int dial(const char *text)
{
	struct core_address a;
	char why[512];
	bool connecting;
	int fd;

	CU_ASSERT_EQUAL_FATAL(core_address_parse(&a, text, CORE_ADDRESS_CONNECT, NULL,
	                                         why, sizeof(why)),
	                      0);
	fd = core_address_connect(&a, &connecting, why, sizeof(why));
	TAP_NOTE_IF(fd < 0, "%s", why);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	return fd;
}

/* An application that has connected to a forward, and its stream. */
static int application(void)
{
	int fd;

	load("unix:forward", "alice", "echo");
	fd = dial(where(0));
	turn();
	CU_ASSERT_PTR_NOT_NULL_FATAL(fake_opened);
	return fd;
}

/* What read() says: the text, "(end)", "(nothing)" or "(reset)". */
static const char *hears(int fd)
{
	static char text[1000];
	ssize_t got = read(fd, text, sizeof(text) - 1);

	if (got > 0) {
		text[got] = '\0';
		return text;
	}
	return got == 0 ? "(end)" : errno == EAGAIN ? "(nothing)" : "(reset)";
}

/* ---- bytes ---------------------------------------------------------------- */

static void bytes_go_both_ways(void)
{
	int fd;

	begin(10);
	fd = application();
	CU_ASSERT_STRING_EQUAL(fake_opened->service, "echo");
	CU_ASSERT_EQUAL(write(fd, "hello", 5), 5);
	turn();
	CU_ASSERT_EQUAL(fake_opened->sent_size, 5);
	CU_ASSERT_NSTRING_EQUAL(fake_opened->sent, "hello", 5);
	fake_peer_says(fake_opened, "welcome");
	CU_ASSERT_STRING_EQUAL(hears(fd), "welcome");
	close(fd);
	finish();
}

static void an_end_travels_alone_in_each_direction(void)
{
	int fd;

	begin(10);
	fd = application();
	CU_ASSERT_EQUAL(write(fd, "question", 8), 8);
	shutdown(fd, SHUT_WR);
	turn();
	CU_ASSERT_EQUAL(fake_opened->sent_size, 8);
	CU_ASSERT_TRUE(fake_opened->finished);
	CU_ASSERT_FALSE(fake_opened->closed);
	fake_peer_says(fake_opened, "answer");
	CU_ASSERT_STRING_EQUAL(hears(fd), "answer");
	CU_ASSERT_STRING_EQUAL(hears(fd), "(nothing)");
	fake_peer_finishes(fake_opened);
	CU_ASSERT_STRING_EQUAL(hears(fd), "(end)");
	CU_ASSERT_TRUE(fake_opened->closed);
	CU_ASSERT_EQUAL(fake_opened->was_reset, CORE_REASON_NONE);
	CU_ASSERT_EQUAL(core_lcm_count(lcm), 0);
	close(fd);
	finish();
}

static void the_other_end_may_come_first(void)
{
	int fd;

	begin(10);
	fd = application();
	fake_peer_finishes(fake_opened);
	CU_ASSERT_STRING_EQUAL(hears(fd), "(end)");
	CU_ASSERT_FALSE(fake_opened->closed);
	CU_ASSERT_EQUAL(write(fd, "still talking", 13), 13);
	turn();
	CU_ASSERT_EQUAL(fake_opened->sent_size, 13);
	close(fd);
	turn();
	CU_ASSERT_TRUE(fake_opened->finished);
	CU_ASSERT_TRUE(fake_opened->closed);
	CU_ASSERT_EQUAL(fake_opened->was_reset, CORE_REASON_NONE);
	finish();
}

static void an_end_right_behind_data_is_seen(void)
{
	int fd;

	begin(10);
	fd = application();
	turn(); /* Drained. */
	CU_ASSERT_EQUAL(write(fd, "x", 1), 1);
	close(fd); /* Both are there when the loop looks: one edge. */
	turn();
	CU_ASSERT_EQUAL(fake_opened->sent_size, 1);
	CU_ASSERT_TRUE(fake_opened->finished);
	finish();
}

static void nothing_is_read_while_there_is_no_space(void)
{
	static char block[FAKE_ROOM];
	ssize_t put = 0, more;
	int fd;

	begin(10);
	fd = application();
	fake_opened->window = 10;
	while ((more = write(fd, block, sizeof(block))) > 0)
		put += more;
	turn();
	CU_ASSERT_EQUAL(fake_opened->sent_size, 10);
	/* As long as the network is away: nothing is read, nothing is closed, and the
	 * loop does not spin. */
	fake_space_asked = 0;
	core_loop_advance(loop, 10 * 3600 * MUSES_S);
	turn();
	CU_ASSERT_EQUAL(fake_space_asked, 0);
	CU_ASSERT_EQUAL(fake_opened->sent_size, 10);
	CU_ASSERT_FALSE(fake_opened->closed);
	CU_ASSERT_STRING_EQUAL(hears(fd), "(nothing)");
	fake_opened->window = FAKE_ROOM - 10;
	fake_opened->user->writable(fake_opened, fake_opened->data);
	turn();
	CU_ASSERT_EQUAL(fake_opened->sent_size, (size_t)put);
	close(fd);
	finish();
}

static void what_the_application_does_not_take_is_not_consumed(void)
{
	size_t got = 0, before;
	int fd;

	begin(10);
	fd = application();
	fake_opened->inbox_size = FAKE_ROOM;
	for (size_t i = 0; i < FAKE_ROOM; i++)
		fake_opened->inbox[i] = (uint8_t)(i % 251 + 1);
	fake_opened->user->readable(fake_opened, fake_opened->data);
	turn();
	before = fake_opened->inbox_at;
	CU_ASSERT_TRUE(before > 0 && before < FAKE_ROOM);
	turn();
	CU_ASSERT_EQUAL(fake_opened->inbox_at, before);
	for (int i = 0; i < 1000 && got < FAKE_ROOM; i++) {
		uint8_t part[4096];
		ssize_t n = read(fd, part, sizeof(part));

		for (ssize_t k = 0; k < n; k++)
			if (part[k] != (got + (size_t)k) % 251 + 1) {
				CU_FAIL("a byte is wrong");
				break;
			}
		got += n > 0 ? (size_t)n : 0;
		turn();
	}
	CU_ASSERT_EQUAL(got, FAKE_ROOM);
	close(fd);
	finish();
}

static void one_connection_does_not_eat_the_turn(void)
{
	static char block[FAKE_ROOM];
	int pair[2], big = 4 * FAKE_ROOM;
	struct core_connection *c;

	begin(10);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
	                      0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	if (write(pair[0], block, sizeof(block)) < 300 * 1024) {
		tap_skip("socket buffers are too small here");
		close(pair[0]);
		close(pair[1]);
		finish();
		return;
	}
	CU_ASSERT_EQUAL(core_lcm_connect(lcm, pair[1], "alice", "x", NULL, NULL, &c), 0);
	core_loop_turn(loop, 0);
	CU_ASSERT_EQUAL(fake_opened->sent_size, 256 * 1024);
	core_loop_turn(loop, 0);
	CU_ASSERT_TRUE(fake_opened->sent_size > 256 * 1024);
	close(pair[0]);
	finish();
}

/* ---- resets --------------------------------------------------------------- */

static void a_reset_of_the_stream_resets_the_application(void)
{
	int fd;

	begin(10);
	load("127.0.0.1:0", "alice", "echo");
	fd = dial(where(0));
	turn();
	CU_ASSERT_NOT_EQUAL(fake_opened->port, 0);
	fake_opened->user->reset(fake_opened, fake_opened->data, CORE_REASON_NO_SERVICE);
	CU_ASSERT_STRING_EQUAL(hears(fd), "(reset)");
	CU_ASSERT_TRUE(fake_opened->closed);
	CU_ASSERT_PTR_NOT_NULL(strstr(last_line, "no such service"));
	CU_ASSERT_PTR_NOT_NULL(strstr(last_line, "echo"));
	close(fd);
	finish();
}

static void a_reset_of_the_application_resets_the_stream(void)
{
	static const struct linger at_once = { 1, 0 };
	int fd;

	begin(10);
	load("127.0.0.1:0", "alice", "echo");
	fd = dial(where(0));
	turn();
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
	turn();
	CU_ASSERT_EQUAL(fake_opened->was_reset, CORE_REASON_RESET);
	CU_ASSERT_EQUAL(core_lcm_count(lcm), 0);
	finish();
}

static void what_was_finished_survives_a_reset_by_the_application(void)
{
	int fd;

	begin(10);
	fd = application();
	CU_ASSERT_EQUAL(write(fd, "all", 3), 3);
	close(fd);
	turn();
	CU_ASSERT_TRUE(fake_opened->finished);
	fake_peer_says(fake_opened, "nobody hears this");
	/* It has not all arrived yet: the stream goes on, and what comes is dropped. */
	CU_ASSERT_FALSE(fake_opened->closed);
	CU_ASSERT_EQUAL(fake_opened->inbox_at, fake_opened->inbox_size);
	fake_peer_says(fake_opened, "nor this");
	CU_ASSERT_EQUAL(fake_opened->inbox_at, fake_opened->inbox_size);
	CU_ASSERT_EQUAL(core_lcm_count(lcm), 1);
	fake_opened->flushed = true;
	fake_opened->user->writable(fake_opened, fake_opened->data);
	CU_ASSERT_TRUE(fake_opened->closed);
	CU_ASSERT_EQUAL(fake_opened->was_reset, CORE_REASON_NONE);
	CU_ASSERT_EQUAL(core_lcm_count(lcm), 0);
	finish();
}

/* ---- listeners ------------------------------------------------------------ */

static void connections_beyond_the_limit_wait(void)
{
	struct core_stream *first;
	int a, b;

	begin(1);
	load("unix:forward", "alice", "echo");
	a = dial(where(0));
	b = dial(where(0));
	turn();
	first = fake_opened;
	CU_ASSERT_EQUAL(fake_opened_count, 1);
	CU_ASSERT_EQUAL(write(b, "patient", 7), 7);
	turn();
	close(a);
	fake_peer_finishes(first);
	turn();
	CU_ASSERT_EQUAL(fake_opened_count, 2);
	CU_ASSERT_EQUAL(fake_opened->sent_size, 7);
	CU_ASSERT_NOT_EQUAL(fake_opened, first);
	close(b);
	finish();
}

static void a_reload_keeps_what_is_open(void)
{
	struct core_forward bad[] = { { "unix:fresh", "alice", "x" },
		                      { "unix:/proc/nowhere/x", "alice", "x" } };
	struct core_forward twice[] = { { "unix:same", "alice", "x" },
		                        { "unix:same", "alice", "y" } };
	char why[512], path[600];
	struct stat st;
	int fd;

	begin(10);
	fd = application();
	CU_ASSERT_EQUAL(core_lcm_load(lcm, bad, 2, NULL, 0, folder, why, sizeof(why)),
	                MUSES_ESYSTEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "forward[1].listen: cannot listen"));
	snprintf(path, sizeof(path), "%s/fresh", folder);
	CU_ASSERT_NOT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(core_lcm_load(lcm, twice, 2, NULL, 0, folder, why, sizeof(why)),
	                MUSES_ECONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "twice"));
	CU_ASSERT_EQUAL(write(fd, "one", 3), 3);
	turn();
	CU_ASSERT_EQUAL(fake_opened->sent_size, 3);
	load("unix:forward", "alice", "other"); /* The same listener, elsewhere. */
	CU_ASSERT_EQUAL(write(fd, "two", 3), 3);
	turn();
	CU_ASSERT_EQUAL(fake_opened->sent_size, 6);
	close(fd);
	fd = dial(where(0));
	turn();
	CU_ASSERT_STRING_EQUAL(fake_opened->service, "other");
	core_lcm_load(lcm, NULL, 0, NULL, 0, folder, why, sizeof(why));
	snprintf(path, sizeof(path), "%s/forward", folder);
	CU_ASSERT_NOT_EQUAL(stat(path, &st), 0);
	close(fd);
	finish();
}

static void a_name_may_take_its_time(void)
{
	int fd;

	begin(10);
	alice_known = false;
	load("unix:forward", "alice", "echo");
	fd = dial(where(0));
	CU_ASSERT_EQUAL(write(fd, "early", 5), 5);
	turn();
	CU_ASSERT_PTR_NULL(fake_opened);
	core_lcm_names_news(lcm);
	CU_ASSERT_PTR_NULL(fake_opened);
	alice_known = true;
	core_lcm_names_news(lcm);
	turn();
	CU_ASSERT_PTR_NOT_NULL_FATAL(fake_opened);
	CU_ASSERT_EQUAL(fake_opened->sent_size, 5);
	close(fd);
	finish();
}

static void what_cannot_be_connected_is_closed_with_a_reason(void)
{
	int fd;

	begin(10);
	load("unix:forward", "nobody", "echo");
	fd = dial(where(0));
	turn();
	CU_ASSERT_STRING_EQUAL(hears(fd), "(end)");
	CU_ASSERT_PTR_NOT_NULL(strstr(last_line, "no such name"));
	close(fd);
	load("unix:forward", "alice", "echo");
	fake_may_open = false;
	fd = dial(where(0));
	turn();
	CU_ASSERT_STRING_EQUAL(hears(fd), "(end)");
	CU_ASSERT_PTR_NOT_NULL(strstr(last_line, "a limit was reached"));
	CU_ASSERT_EQUAL(core_lcm_count(lcm), 0);
	close(fd);
	finish();
}

/* ---- services ------------------------------------------------------------- */

static int listen_at(const char *text)
{
	struct core_address a;
	char why[512];
	int fd;

	CU_ASSERT_EQUAL_FATAL(core_address_parse(&a, text, CORE_ADDRESS_LISTEN, folder,
	                                         why, sizeof(why)),
	                      0);
	fd = core_address_listen(&a, 4, why, sizeof(why));
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	return fd;
}

static struct core_stream *peer_asks(const char *service)
{
	struct core_stream *s = core_stream_open(&alice, service, 0, NULL, NULL);

	core_lcm_accept(lcm, s, service);
	return s;
}

static void only_who_is_allowed_reaches_a_service(void)
{
	static const char *const alice_alone[] = { "alice" }, *const star[] = { "*" },
				 *const others[] = { "bob", "nobody" };
	const struct core_service service[] = {
		{ "closed", "unix:service", { 0, NULL } },
		{ "named", "unix:service", { 1, alice_alone } },
		{ "open", "unix:service", { 1, star } },
		{ "theirs", "unix:service", { 2, others } },
		{ "dead", "unix:nobody", { 1, star } },
	};
	static const struct {
		const char *service;
		enum core_reason reason;
		const char *why;
	} row[] = {
		{ "closed", CORE_REASON_NOT_ALLOWED, "no list: nobody" },
		{ "named", CORE_REASON_NONE, "by name" },
		{ "open", CORE_REASON_NONE, "everybody" },
		{ "theirs", CORE_REASON_NOT_ALLOWED, "only others" },
		{ "dead", CORE_REASON_REFUSED, "nobody listens" },
		{ "absent", CORE_REASON_NO_SERVICE, "there is none" },
		{ "", CORE_REASON_NO_SERVICE, "empty" },
	};
	char why[512] = "";
	int listening;

	begin(10);
	listening = listen_at("unix:service");
	CU_ASSERT_EQUAL_FATAL(
		core_lcm_load(lcm, NULL, 0, service, 5, folder, why, sizeof(why)), 0);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct core_stream *s = peer_asks(row[i].service);

		TAP_NOTE_IF(s->rejected != row[i].reason, "%s: %s", row[i].service,
		            row[i].why);
		CU_ASSERT_EQUAL(s->rejected, row[i].reason);
		CU_ASSERT_EQUAL(s->accepted, row[i].reason == CORE_REASON_NONE);
		if (s->accepted) {
			int fd = accept(listening, NULL, NULL);

			CU_ASSERT_TRUE(fd >= 0);
			fake_peer_says(s, "knock");
			turn();
			CU_ASSERT_STRING_EQUAL(hears(fd), "knock");
			close(fd);
			fake_peer_finishes(s);
			turn();
			CU_ASSERT_TRUE(s->closed);
		}
		fake_opened = NULL;
	}
	close(listening);
	finish();
}

static void a_service_that_refuses_later_is_told(void)
{
	static const char *const star[] = { "*" };
	struct core_service service = { "ssh", NULL, { 1, star } };
	char why[512] = "", text[100];
	struct core_address a;
	int listening;

	begin(10);
	CU_ASSERT_EQUAL_FATAL(core_address_parse(&a, "127.0.0.1:0", CORE_ADDRESS_LISTEN,
	                                         NULL, why, sizeof(why)),
	                      0);
	listening = core_address_listen(&a, 1, why, sizeof(why));
	core_address_bound(listening, &a, text, sizeof(text));
	service.connect = text;
	CU_ASSERT_EQUAL_FATAL(
		core_lcm_load(lcm, NULL, 0, &service, 1, folder, why, sizeof(why)), 0);
	close(listening); /* Nobody there: found out by connect(), now or later. */
	peer_asks("ssh");
	turn();
	CU_ASSERT_TRUE((fake_opened->accepted &&
	                fake_opened->was_reset == CORE_REASON_REFUSED) ||
	               fake_opened->rejected == CORE_REASON_REFUSED);
	CU_ASSERT_PTR_NOT_NULL(strstr(last_line, text));
	last_line[0] = '\0';
	peer_asks("ssh");
	turn();
	CU_ASSERT_STRING_EQUAL(last_line, ""); /* Said once. */
	CU_ASSERT_EQUAL(core_lcm_count(lcm), 0);
	finish();
}

/* ---- what control uses ---------------------------------------------------- */

static struct {
	unsigned suspended, resumed, ended;
	enum core_reason reason;
	int fd;
} told;

static void told_suspended(void *data, struct core_connection *c, bool suspended)
{
	(void)data;
	(void)c;
	told.suspended += suspended;
	told.resumed += !suspended;
}

static void told_ended(void *data, struct core_connection *c, enum core_reason reason)
{
	(void)data;
	(void)c;
	told.ended++;
	told.reason = reason;
}

static const struct core_connection_watcher watcher = { told_suspended, told_ended };

static void a_program_hears_of_its_connections(void)
{
	struct core_connection *c;
	int pair[2];

	begin(10);
	memset(&told, 0, sizeof(told));
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
	                      0);
	CU_ASSERT_EQUAL(core_lcm_connect(lcm, pair[1], "alice", "x", &watcher, NULL, &c),
	                0);
	CU_ASSERT_PTR_EQUAL(core_connection_stream(c), fake_opened);
	fake_opened->user->suspended(fake_opened, fake_opened->data, true);
	fake_opened->user->suspended(fake_opened, fake_opened->data, false);
	CU_ASSERT_EQUAL(told.suspended, 1);
	CU_ASSERT_EQUAL(told.resumed, 1);
	fake_opened->user->reset(fake_opened, fake_opened->data, CORE_REASON_NOT_ALLOWED);
	CU_ASSERT_EQUAL(told.ended, 1);
	CU_ASSERT_EQUAL(told.reason, CORE_REASON_NOT_ALLOWED);
	CU_ASSERT_STRING_EQUAL(hears(pair[0]), "(end)");
	close(pair[0]);

	alice_known = false; /* Ended before it began. */
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
	                      0);
	CU_ASSERT_EQUAL(core_lcm_connect(lcm, pair[1], "alice", "x", &watcher, NULL, &c),
	                0);
	core_connection_abort(c, CORE_REASON_RESET);
	CU_ASSERT_EQUAL(told.ended, 1);
	alice_known = true;
	core_lcm_names_news(lcm);
	CU_ASSERT_EQUAL(core_lcm_count(lcm), 0);
	close(pair[0]);

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
	                      0);
	CU_ASSERT_EQUAL(core_lcm_connect(lcm, pair[1], "nobody", "x", &watcher, NULL, &c),
	                MUSES_EUNKNOWN);
	CU_ASSERT_PTR_NULL(c);
	CU_ASSERT_STRING_EQUAL(hears(pair[0]), "(end)");
	close(pair[0]);
	finish();
}

static int arrived(void *data, struct core_connection *c, const struct muses_id *peer)
{
	int pair[2];

	(void)data;
	CU_ASSERT_TRUE(muses_id_equal(peer, &alice.peer));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
		return MUSES_ESYSTEM;
	core_connection_watch(c, &watcher, NULL);
	told.fd = pair[0];
	return pair[1];
}

static void a_program_takes_a_service(void)
{
	static const char *const star[] = { "*" };
	struct core_service service = { "ssh", "unix:nobody", { 1, star } };
	struct muses_list everybody = { 1, star }, nobody = { 0, NULL };
	struct core_lcm_taken *taken, *second;
	struct core_stream *s;
	char why[512];

	begin(10);
	memset(&told, 0, sizeof(told));
	CU_ASSERT_EQUAL(
		core_lcm_load(lcm, NULL, 0, &service, 1, folder, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(core_lcm_take(lcm, "ssh", &everybody, arrived, NULL, &taken),
	                MUSES_ELIMIT);
	CU_ASSERT_EQUAL(core_lcm_take(lcm, "../x", &everybody, arrived, NULL, &taken),
	                MUSES_EUSAGE);
	CU_ASSERT_EQUAL(core_lcm_take(lcm, "mine", &everybody, arrived, NULL, &taken), 0);
	CU_ASSERT_EQUAL(core_lcm_take(lcm, "mine", &nobody, arrived, NULL, &second),
	                MUSES_ELIMIT);
	s = peer_asks("mine");
	CU_ASSERT_TRUE(s->accepted);
	core_lcm_untake(taken);
	fake_peer_says(s, "for you");
	turn();
	CU_ASSERT_STRING_EQUAL(hears(told.fd), "for you");
	close(told.fd);
	turn();
	CU_ASSERT_TRUE(s->finished);
	s = peer_asks("mine");
	CU_ASSERT_EQUAL(s->rejected, CORE_REASON_NO_SERVICE);
	CU_ASSERT_EQUAL(core_lcm_take(lcm, "mine", &nobody, arrived, NULL, &taken), 0);
	s = peer_asks("mine");
	CU_ASSERT_EQUAL(s->rejected, CORE_REASON_NOT_ALLOWED);
	finish();
}

static void every_allocation_may_fail(void)
{
	static const char *const star[] = { "*" };
	struct core_service service = { "s", "unix:nobody", { 1, star } };
	struct core_forward forward = { "unix:forward", "alice", "x" };
	uint64_t before;
	char why[512];

	begin(10);
	before = core_mem_count();
	for (uint64_t n = 1;; n++) {
		int err;

		core_mem_fuse(n);
		err = core_lcm_load(lcm, &forward, 1, &service, 1, folder, why,
		                    sizeof(why));
		if (!core_mem_blown()) {
			CU_ASSERT_EQUAL(err, 0);
			core_mem_fuse(0);
			break;
		}
		if (err != 0)
			CU_ASSERT_EQUAL(err, MUSES_ENOMEM);
		core_lcm_load(lcm, NULL, 0, NULL, 0, folder, why, sizeof(why));
		CU_ASSERT_EQUAL(core_mem_count(), before);
	}
	finish();
}

static const struct tap_test tests[] = {
	{ "bytes go both ways", bytes_go_both_ways },
	{ "an end travels alone in each direction",
	  an_end_travels_alone_in_each_direction },
	{ "the peer's end may come first", the_other_end_may_come_first },
	{ "an end right behind data is seen", an_end_right_behind_data_is_seen },
	{ "nothing is read and nothing closed while there is no space",
	  nothing_is_read_while_there_is_no_space },
	{ "what the application does not take is not consumed",
	  what_the_application_does_not_take_is_not_consumed },
	{ "one connection does not eat the whole turn",
	  one_connection_does_not_eat_the_turn },
	{ "a reset of the stream resets the application, with a reason in the log",
	  a_reset_of_the_stream_resets_the_application },
	{ "a reset of the application resets the stream",
	  a_reset_of_the_application_resets_the_stream },
	{ "what was finished survives an application that does not listen",
	  what_was_finished_survives_a_reset_by_the_application },
	{ "connections beyond the limit wait for room",
	  connections_beyond_the_limit_wait },
	{ "a reload keeps what is open, and a bad one changes nothing",
	  a_reload_keeps_what_is_open },
	{ "a name may take its time to be resolved", a_name_may_take_its_time },
	{ "what cannot be connected is closed, with a reason in the log",
	  what_cannot_be_connected_is_closed_with_a_reason },
	{ "only who is allowed reaches a service",
	  only_who_is_allowed_reaches_a_service },
	{ "a service that nobody serves is told to the peer, and once to the log",
	  a_service_that_refuses_later_is_told },
	{ "a program hears of its connections", a_program_hears_of_its_connections },
	{ "a program takes a service and gives it back", a_program_takes_a_service },
	{ "every allocation of a reload may fail", every_allocation_may_fail },
	TAP_END
};

int main(int argc, char **argv)
{
	int result;

	if (mkdtemp(folder) == NULL)
		return 99;
	result = tap_main(argc, argv, "core_lcm", tests);
	rmdir(folder);
	return result;
}
