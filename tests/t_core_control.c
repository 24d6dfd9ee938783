/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket and the client API, between two processes: a child plays the
 * node, with streams that behave as their service's name says; the test is the
 * program.
 */
#include "core/control.h"
#include "core/mem.h"
#include "tests/fake_stream.h"
#include "tests/tap.h"

#include <muses/client.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/t_core_control.XXXXXX";
static char path[100];

/* ---- the node: everything here runs in the child -------------------------- */

static struct core_loop *loop;
static struct core_env env;
static struct core_lcm *lcm;
static struct core_control *control;
static struct core_session alice, bob;
static struct muses_timer later;
static struct muses_watch quit;
static unsigned reloads;

/* Things happen later, from the loop, as the contract of streams says. */
static void node_later(struct muses_timer *t)
{
	struct core_stream *s = fake_opened;

	(void)t;
	if (s->closed)
		return;
	if (strcmp(s->service, "refused") == 0) {
		s->user->reset(s, s->data, CORE_REASON_NOT_ALLOWED);
	} else if (strcmp(s->service, "slow") == 0) {
		bob.state = CORE_SESSION_ESTABLISHED;
		core_control_session_changed(control, &bob);
	} else if (strcmp(s->service, "outage") == 0) {
		s->user->suspended(s, s->data, true);
		s->user->suspended(s, s->data, false);
		fake_peer_says(s, "after");
		fake_peer_finishes(s);
	} else if (strcmp(s->service, "echo") == 0 && s->sent_size > s->inbox_size) {
		memcpy(s->inbox, s->sent, s->sent_size);
		s->inbox_size = s->sent_size;
		s->user->readable(s, s->data);
	}
}

static void node_opened(struct core_stream *s)
{
	(void)s;
	muses_timer_after(&later, 20 * MUSES_MS);
}

static void node_committed(struct core_stream *s)
{
	(void)s;
	muses_timer_after(&later, MUSES_MS);
}

static int node_resolve(void *owner, const char *name, struct muses_id *id)
{
	(void)owner;
	*id = strcmp(name, "alice") == 0 ? alice.peer : bob.peer;
	return strcmp(name, "alice") == 0 || strcmp(name, "bob") == 0 ? 0
	                                                              : MUSES_EUNKNOWN;
}

static void node_show(void *owner, const struct muses_id *id, char *text)
{
	(void)owner;
	strcpy(text, muses_id_equal(id, &alice.peer) ? "alice" : "bob");
}

static struct core_session *node_session(void *owner, const struct muses_id *peer)
{
	(void)owner;
	return muses_id_equal(peer, &alice.peer) ? &alice : &bob;
}

/* A reload here makes alice ask for the service "mine". */
static int node_reload(void *owner, char *why, size_t why_size)
{
	struct core_stream *s;

	(void)owner;
	if (++reloads == 1) {
		snprintf(why, why_size, "pipeline.keys: cannot change");
		return MUSES_ECONFIG;
	}
	s = core_stream_open(&alice, "mine", 0, NULL, NULL);
	core_lcm_accept(lcm, s, "mine");
	muses_timer_stop(&later);
	return 0;
}

static json_t *node_status(void *owner)
{
	json_t *list = json_array();

	(void)owner;
	for (int i = 0; i < 20000; i++) /* As large as it gets. */
		json_array_append_new(
			list, json_string("0123456789012345678901234567890123456789"));
	return json_pack("{s:o}", "sessions", list);
}

static json_t *node_session_info(void *owner, const struct muses_id *id)
{
	(void)owner;
	if (muses_id_equal(id, &alice.peer))
		return json_pack("{s:s, s:i}", "state", "suspended", "suspended_ms",
		                 1500);
	return NULL;
}

static void node_quit(struct muses_watch *w, uint32_t ready)
{
	(void)ready;
	muses_watch_drained(w, MUSES_READABLE | MUSES_HUNG);
	core_loop_stop(loop);
}

/* Serve until the other end of fd is closed; the exit status: 0 all well. */
static int node_main(int fd)
{
	static const struct core_lcm_host lcm_host = { NULL, node_resolve, node_show,
		                                       node_session };
	struct core_control_host host = {
		.resolve = node_resolve,
		.show = node_show,
		.reload = node_reload,
		.status = node_status,
		.session = node_session_info,
		.name = "node",
		.id = &alice.peer,
	};
	uint64_t before = core_mem_count();
	char why[512] = "";

	alice.peer.bytes[0] = 'a';
	alice.state = CORE_SESSION_ESTABLISHED;
	bob.peer.bytes[0] = 'b';
	loop = core_loop_open(CORE_CLOCK_REAL);
	if (loop == NULL || core_env_open(&env, loop, 1) != 0)
		return 2;
	core_log_set_level(env.log, MUSES_ERROR);
	lcm = core_lcm_open(&env, &lcm_host, 2000);
	if (lcm == NULL || core_control_open(&control, &env, lcm, &host, path, NULL, why,
	                                     sizeof(why)) != 0)
		return 3;
	core_timer_init(loop, &later, node_later);
	fake_on_open = node_opened;
	fake_on_commit = node_committed;
	if (core_watch_open(loop, &quit, fd, MUSES_READABLE, node_quit) != 0)
		return 4;
	if (write(fd, "!", 1) != 1) /* Ready. */
		return 5;
	core_loop_run(loop);
	muses_watch_close(&quit);
	muses_timer_stop(&later);
	core_control_close(control);
	core_lcm_close(lcm);
	core_env_close(&env);
	core_loop_close(loop);
	fake_streams_free();
	return core_mem_count() == before ? 0 : 6;
}

/* ---- the program ---------------------------------------------------------- */

static pid_t node;
static int line_to_node;
static struct muses_client *client;

static void begin(void)
{
	int pair[2];
	char ready;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
	                      0);
	node = fork();
	if (node == 0) {
		close(pair[0]);
		_exit(node_main(pair[1]));
	}
	close(pair[1]);
	line_to_node = pair[0];
	CU_ASSERT_EQUAL_FATAL(read(line_to_node, &ready, 1), 1);
	CU_ASSERT_EQUAL_FATAL(muses_client_open(&client, path), 0);
}

static void finish(void)
{
	int status = -1;
	struct stat st;

	muses_client_close(client);
	close(line_to_node);
	CU_ASSERT_EQUAL(waitpid(node, &status, 0), node);
	TAP_NOTE_IF(status != 0, "the node's exit status is %d", status);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_NOT_EQUAL(stat(path, &st), 0);
}

static const char *hears(int fd)
{
	static char text[1000];
	ssize_t got = read(fd, text, sizeof(text) - 1);

	if (got > 0)
		text[got] = '\0';
	return got > 0 ? text : got == 0 ? "(end)" : "(error)";
}

/* The next event, with patience. */
static struct muses_event event(void)
{
	struct muses_event e = { .kind = MUSES_EVENT_ACCEPT, .err = 1 };

	for (int i = 0; i < 100; i++) {
		struct pollfd p = { .fd = muses_client_descriptor(client),
			            .events = POLLIN };

		if (muses_client_event(client, &e) != 0)
			return e;
		poll(&p, 1, 100);
	}
	CU_FAIL("no event came");
	return e;
}

static void a_program_connects_to_a_name(void)
{
	int fd;

	begin();
	fd = muses_connect(client, "alice", "echo", 0);
	TAP_NOTE_IF(fd < 0, "%s", muses_client_why(client));
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, "hello", 5), 5);
	CU_ASSERT_STRING_EQUAL(hears(fd), "hello");
	close(fd);
	finish();
}

static void a_connect_waits_for_the_session_or_gives_up(void)
{
	int fd;

	begin();
	CU_ASSERT_EQUAL(muses_connect(client, "bob", "never", 50), MUSES_ETIMEOUT);
	CU_ASSERT_PTR_NOT_NULL(strstr(muses_client_why(client), "50 ms"));
	fd = muses_connect(client, "bob", "never", 0);
	CU_ASSERT_TRUE(fd >= 0); /* It may take as long as it takes. */
	close(fd);
	CU_ASSERT_EQUAL(muses_connect(client, "bob", "refused", 5000), MUSES_EREFUSED);
	fd = muses_connect(client, "bob", "slow", 5000);
	CU_ASSERT_TRUE(fd >= 0);
	close(fd);
	finish();
}

static void wrong_connects_are_refused_in_words(void)
{
	static const struct {
		const char *name, *service;
		int err;
		const char *words;
	} row[] = {
		{ "carol", "echo", MUSES_EUNKNOWN, "carol" },
		{ "alice", "no/service", MUSES_EUSAGE, "no/service" },
		{ "alice", "", MUSES_EUSAGE, "not a name" },
		{ "\xff", "echo", MUSES_EUSAGE, "UTF-8" },
	};

	begin();
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		int err = muses_connect(client, row[i].name, row[i].service, 1000);

		TAP_NOTE_IF(err != row[i].err, "row %zu: %d, %s", i, err,
		            muses_client_why(client));
		CU_ASSERT_EQUAL(err, row[i].err);
		CU_ASSERT_PTR_NOT_NULL(strstr(muses_client_why(client), row[i].words));
	}
	finish();
}

static void a_program_hears_of_an_outage_and_the_end(void)
{
	struct muses_event e;
	int fd;

	begin();
	fd = muses_connect(client, "alice", "outage", 0);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	e = event();
	CU_ASSERT_EQUAL(e.kind, MUSES_EVENT_SUSPENDED);
	CU_ASSERT_EQUAL(e.fd, fd);
	e = event();
	CU_ASSERT_EQUAL(e.kind, MUSES_EVENT_RESUMED);
	CU_ASSERT_STRING_EQUAL(hears(fd), "after");
	CU_ASSERT_STRING_EQUAL(hears(fd), "(end)");
	close(fd);
	e = event();
	CU_ASSERT_EQUAL(e.kind, MUSES_EVENT_ENDED);
	CU_ASSERT_EQUAL(e.err, 0);
	CU_ASSERT_EQUAL(e.fd, fd);
	CU_ASSERT_EQUAL(muses_client_event(client, &e), 0);
	finish();
}

static void a_program_hears_why_it_was_refused(void)
{
	struct muses_event e;
	int fd;

	begin();
	fd = muses_connect(client, "alice", "refused", 0);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_STRING_EQUAL(hears(fd), "(end)");
	e = event();
	CU_ASSERT_EQUAL(e.kind, MUSES_EVENT_ENDED);
	CU_ASSERT_EQUAL(e.err, MUSES_EREFUSED);
	CU_ASSERT_STRING_EQUAL(e.why, "something");
	close(fd);
	finish();
}

static void a_program_serves_a_name(void)
{
	static const char *const star[] = { "*", NULL };
	struct muses_caller caller;
	char *answer;
	int fd;

	begin();
	CU_ASSERT_EQUAL(muses_listen(client, "mine", star), 0);
	CU_ASSERT_EQUAL(muses_listen(client, "mine", star), MUSES_ELIMIT);
	CU_ASSERT_PTR_NOT_NULL(strstr(muses_client_why(client), "taken"));
	CU_ASSERT_EQUAL(muses_accept(client, &caller, 20), MUSES_ETIMEOUT);
	CU_ASSERT_EQUAL(muses_client_request(client, "{\"verb\":\"reload\"}", &answer),
	                MUSES_ECONFIG);
	CU_ASSERT_PTR_NULL(answer);
	CU_ASSERT_PTR_NOT_NULL(strstr(muses_client_why(client), "pipeline.keys"));
	CU_ASSERT_EQUAL(muses_client_request(client, "{\"verb\":\"reload\"}", &answer),
	                0);
	free(answer);
	CU_ASSERT_EQUAL(event().kind, MUSES_EVENT_ACCEPT);
	fd = muses_accept(client, &caller, 5000);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_STRING_EQUAL(caller.service, "mine");
	CU_ASSERT_STRING_EQUAL(caller.name, "alice");
	CU_ASSERT_EQUAL(caller.id.bytes[0], 'a');
	/* The descriptor outlives the client. */
	muses_client_close(client);
	CU_ASSERT_EQUAL_FATAL(muses_client_open(&client, path), 0);
	CU_ASSERT_EQUAL(muses_listen(client, "mine", star), 0);
	CU_ASSERT_EQUAL(write(fd, "still here", 10), 10);
	close(fd);
	finish();
}

static void a_program_asks_for_a_session(void)
{
	enum muses_session_state state;
	uint64_t suspended_ms = 7;

	begin();
	CU_ASSERT_EQUAL(muses_session_state(client, "alice", &state, &suspended_ms), 0);
	CU_ASSERT_EQUAL(state, MUSES_SESSION_SUSPENDED);
	CU_ASSERT_EQUAL(suspended_ms, 1500);
	CU_ASSERT_EQUAL(muses_session_state(client, "bob", &state, &suspended_ms), 0);
	CU_ASSERT_EQUAL(state, MUSES_SESSION_NONE);
	CU_ASSERT_EQUAL(suspended_ms, 0);
	CU_ASSERT_EQUAL(muses_session_state(client, "carol", &state, NULL),
	                MUSES_EUNKNOWN);
	finish();
}

static void a_long_answer_arrives_whole(void)
{
	char *answer = NULL;

	begin();
	CU_ASSERT_EQUAL(muses_client_request(client, "{\"verb\":\"status\"}", &answer),
	                0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
	CU_ASSERT_TRUE(strlen(answer) > 800000);
	free(answer);
	finish();
}

static void a_client_without_a_node_says_so(void)
{
	struct muses_client *c;

	CU_ASSERT_EQUAL(muses_client_open(&c, "/nowhere/socket"), MUSES_ESYSTEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(muses_client_why(c), "/nowhere/socket"));
	muses_client_close(c);
	unsetenv("MUSES_CONTROL");
	CU_ASSERT_EQUAL(muses_client_open(&c, NULL), MUSES_EUSAGE);
	CU_ASSERT_PTR_NOT_NULL(strstr(muses_client_why(c), "MUSES_CONTROL"));
	muses_client_close(c);
	begin();
	setenv("MUSES_CONTROL", path, 1);
	CU_ASSERT_EQUAL(muses_client_open(&c, NULL), 0);
	muses_client_close(c);
	finish();
}

static void a_node_that_goes_is_noticed(void)
{
	struct muses_event e;
	char *answer;

	begin();
	shutdown(line_to_node, SHUT_RDWR);
	CU_ASSERT_EQUAL(muses_accept(client, NULL, 10000), MUSES_ECLOSED);
	CU_ASSERT_EQUAL(muses_client_event(client, &e), MUSES_ECLOSED);
	CU_ASSERT_EQUAL(muses_client_request(client, "{\"verb\":\"ping\"}", &answer),
	                MUSES_ECLOSED);
	finish();
}

/* ---- hostile clients ------------------------------------------------------ */

static int raw(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = 20 };

	memcpy(sun.sun_path, path, strlen(path));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void nonsense_gets_an_error_object(void)
{
	static const struct {
		const char *line, *answer;
	} row[] = {
		{ "hello\n", "not JSON" },
		{ "\n", "not JSON" },
		{ "[]\n", "\\\"verb\\\"" },
		{ "{}\n", "\\\"verb\\\"" },
		{ "{\"verb\":7}\n", "\\\"verb\\\"" },
		{ "{\"verb\":\"ping\",\"verb\":\"ping\"}\n", "not JSON" },
		{ "{\"verb\":\"keys\"}\n", "no verb" },
		{ "{\"verb\":\"keys\",\"tag\":5}\n", "\"tag\":5" },
		{ "{\"verb\":\"connect\"}\n", "name" },
		{ "{\"verb\":\"connect\",\"name\":\"alice\"}\n", "service" },
		{ "{\"verb\":\"connect\",\"name\":1,\"service\":\"x\"}\n", "string" },
		{ "{\"verb\":\"connect\",\"name\":\"alice\",\"service\":\"x\","
		  "\"timeout_ms\":-1}\n",
		  "timeout_ms" },
		{ "{\"verb\":\"connect\",\"name\":\"alice\",\"service\":\"x\","
		  "\"timeout_ms\":\"1\"}\n",
		  "timeout_ms" },
		{ "{\"verb\":\"listen\",\"service\":\"x\"}\n", "allow" },
		{ "{\"verb\":\"listen\",\"service\":\"x\",\"allow\":[1]}\n", "allow" },
		{ "{\"verb\":\"listen\",\"service\":\"/\",\"allow\":[]}\n",
		  "cannot listen" },
		{ "{\"verb\":\"resolve\",\"name\":\"\\u00e9\"}\n", "no such name" },
		{ "{\"verb\":\"ping\"}\n", "\"ok\":true" },
	};
	int fd;

	begin();
	fd = raw();
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const char *got;

		CU_ASSERT_TRUE(write(fd, row[i].line, strlen(row[i].line)) > 0);
		got = hears(fd);
		TAP_NOTE_IF(strstr(got, row[i].answer) == NULL, "%s answers %s",
		            row[i].line, got);
		CU_ASSERT_PTR_NOT_NULL(strstr(got, row[i].answer));
	}
	close(fd);
	finish();
}

static void a_line_may_come_in_pieces_and_several_at_once(void)
{
	static const char line[] = "{\"verb\":\"ping\",\"tag\":1}\n";
	int fd;

	begin();
	fd = raw();
	for (size_t i = 0; i < sizeof(line) - 1; i++)
		CU_ASSERT_EQUAL(write(fd, line + i, 1), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(hears(fd), "\"tag\":1"));
	CU_ASSERT_EQUAL(write(fd, "{}\n{}\n{\"verb\":", 14), 14);
	CU_ASSERT_PTR_NOT_NULL(strstr(hears(fd), "a request is"));
	close(fd);
	finish();
}

static void an_endless_line_ends_the_client_alone(void)
{
	static char block[CORE_CONTROL_LINE_MAX];
	char *answer;
	int fd;

	begin();
	fd = raw();
	memset(block, 'x', sizeof(block));
	CU_ASSERT_EQUAL(send(fd, block, sizeof(block), MSG_NOSIGNAL),
	                (ssize_t)sizeof(block));
	CU_ASSERT_PTR_NOT_NULL(strstr(hears(fd), "65536"));
	CU_ASSERT_STRING_EQUAL(hears(fd), "(end)");
	close(fd);
	CU_ASSERT_EQUAL(muses_client_request(client, "{\"verb\":\"ping\"}", &answer), 0);
	free(answer);
	finish();
}

static void a_thousand_clients_do_not_hurt(void)
{
	static int fd[1000];
	unsigned refused = 0;
	char *answer;

	begin();
	for (size_t i = 0; i < 1000; i++) {
		fd[i] = raw();
		if (i == 500) {
			CU_ASSERT_EQUAL(muses_client_request(
						client, "{\"verb\":\"ping\"}", &answer),
			                0);
			free(answer);
		}
	}
	for (size_t i = 0; i < 1000; i++) {
		char text[200];

		if (i < CORE_CONTROL_MOST - 1)
			continue;
		refused +=
			read(fd[i], text, sizeof(text)) > 0 && strstr(text, "too many");
	}
	CU_ASSERT_EQUAL(refused, 1000 - (CORE_CONTROL_MOST - 1));
	for (size_t i = 0; i < 1000; i++)
		close(fd[i]);
	CU_ASSERT_EQUAL(muses_client_request(client, "{\"verb\":\"ping\"}", &answer), 0);
	free(answer);
	finish();
}

static void a_client_that_does_not_read_is_not_waited_for(void)
{
	static const char ask[] = "{\"verb\":\"status\"}\n";
	char *answer;
	int fd;

	begin();
	fd = raw();
	for (int i = 0; i < 1000; i++) /* 900 MB, if the node were that patient. */
		if (send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
	CU_ASSERT_EQUAL(muses_client_request(client, "{\"verb\":\"ping\"}", &answer), 0);
	free(answer);
	close(fd);
	finish();
}

static void an_unanswered_connect_dies_with_its_client(void)
{
	static const char ask[] =
		"{\"verb\":\"connect\",\"name\":\"bob\",\"service\":\"never\","
		"\"timeout_ms\":100000}\n";
	int fd;

	begin();
	fd = raw();
	CU_ASSERT_TRUE(write(fd, ask, sizeof(ask) - 1) > 0);
	CU_ASSERT_TRUE(write(fd, "{}\n", 3) > 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(hears(fd), "a request is"));
	close(fd);
	finish(); /* Leaks and dangling watchers would show in the node's end. */
}

static const struct tap_test tests[] = {
	{ "a program connects to a name", a_program_connects_to_a_name },
	{ "a connect waits for the session, or gives up",
	  a_connect_waits_for_the_session_or_gives_up },
	{ "wrong connects are refused in words", wrong_connects_are_refused_in_words },
	{ "a program hears of an outage and of the end",
	  a_program_hears_of_an_outage_and_the_end },
	{ "a program hears why it was refused", a_program_hears_why_it_was_refused },
	{ "a program serves a name, and its descriptors outlive the client",
	  a_program_serves_a_name },
	{ "a program asks how a session is", a_program_asks_for_a_session },
	{ "a long answer arrives whole", a_long_answer_arrives_whole },
	{ "a client without a node says so", a_client_without_a_node_says_so },
	{ "a node that goes is noticed", a_node_that_goes_is_noticed },
	{ "nonsense gets an error object", nonsense_gets_an_error_object },
	{ "a line may come in pieces, and several at once",
	  a_line_may_come_in_pieces_and_several_at_once },
	{ "an endless line ends its client alone",
	  an_endless_line_ends_the_client_alone },
	{ "a thousand clients do not hurt", a_thousand_clients_do_not_hurt },
	{ "a client that does not read is not waited for",
	  a_client_that_does_not_read_is_not_waited_for },
	{ "an unanswered connect dies with its client",
	  an_unanswered_connect_dies_with_its_client },
	TAP_END
};

int main(int argc, char **argv)
{
	int result;

	if (mkdtemp(folder) == NULL)
		return 99;
	snprintf(path, sizeof(path), "%s/control", folder);
	signal(SIGPIPE, SIG_IGN);
	result = tap_main(argc, argv, "core_control", tests);
	rmdir(folder);
	return result;
}
