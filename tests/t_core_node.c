/* SPDX-License-Identifier: Apache-2.0 */
/* Whole nodes in one process, from files, with the real plugins: alice offers what
 * bob forwards. */
#include "core/address.h"
#include "core/clock.h"
#include "core/node.h"
#include "tests/folder.h"
#include "tests/nomem.h"
#include "tests/tap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static struct folder folder;
static struct core_loop *loop;
static struct core_loader *loader;

struct place {
	struct core_env env;
	struct core_node *node;
	unsigned errors;
};
static struct place alice, bob;

/* ---- files ---------------------------------------------------------------- */

static void write_config(const char *name, const char *transport, const char *rest)
{
	char text[2000], file[64];

	snprintf(text, sizeof(text),
	         "{ \"name\": \"%s\", \"pipeline\": {"
	         "\"keys\": { \"plugin\": \"psk\", \"file\": \"psk.json\" },"
	         "\"security\": [ { \"plugin\": \"aes_gcm\" } ],"
	         "\"reliability\": { \"plugin\": \"srm\" },"
	         "\"overlay\": { \"plugin\": \"cloak_static\" },"
	         "\"transport\": [ { \"plugin\": \"unix\", %s } ] }, %s,"
	         "\"control\": \"%s.sock\", \"state\": \"%s.state\" }",
	         name, transport, rest, name, name);
	snprintf(file, sizeof(file), "%s.json", name);
	folder_text(&folder, file, text, 0600);
}

static void write_alice(const char *services)
{
	char transport[600];

	snprintf(transport, sizeof(transport), "\"listen\": [ \"%s\" ]",
	         folder_path(&folder, "links"));
	write_config("alice", transport, services);
}

static void write_bob(void)
{
	char transport[600];

	snprintf(transport, sizeof(transport), "\"dial\": { \"alice\": \"%s\" }",
	         folder_path(&folder, "links"));
	write_config("bob", transport,
	             "\"forward\": [ { \"listen\": \"unix:in\", \"to\": \"alice\", "
	             "\"service\": "
	             "\"echo\" } ]");
}

#define ECHO_FOR_BOB                                                                     \
	"\"services\": { \"echo\": { \"connect\": \"unix:out\", \"allow\": [ \"bob\" ] " \
	"} }"

/* ---- nodes ---------------------------------------------------------------- */

static void sink(void *user, enum muses_level level, const char *who, const char *message)
{
	struct place *p = user;

	if (level == MUSES_ERROR) {
		p->errors++;
		tap_note("%s: %s", who, message);
	}
}

static bool node_start(struct place *p, const char *name)
{
	struct core_config *config;
	char file[64], why[1024] = "";
	int err;

	snprintf(file, sizeof(file), "%s.json", name);
	memset(p, 0, sizeof(*p));
	if (core_env_open(&p->env, loop, 0) != 0)
		return false;
	core_log_set_sink(p->env.log, sink, p);
	err = core_config_read(&config, folder_path(&folder, file), loader, why,
	                       sizeof(why));
	if (err == 0)
		err = core_node_open(&p->node, &p->env, config, why, sizeof(why));
	if (err == 0)
		err = core_node_start(p->node, why, sizeof(why));
	if (err != 0) {
		core_node_close(p->node);
		p->node = NULL;
		core_env_close(&p->env);
		if (err != MUSES_ENOMEM)
			tap_note("%s: %s", name, why);
	}
	return err == 0;
}

static void node_end(struct place *p)
{
	if (p->node == NULL)
		return;
	core_node_close(p->node);
	p->node = NULL;
	CU_ASSERT_EQUAL(core_env_close(&p->env), 0);
}

static void begin(void)
{
	folder_open(&folder);
	folder_text(&folder, "psk.json",
	            "{ \"peers\": { \"alice\": \"" SECRET "\", \"bob\": \"" SECRET
	            "\" } }",
	            0600);
	write_alice(ECHO_FOR_BOB);
	write_bob();
	loop = core_loop_open(CORE_CLOCK_REAL);
	loader = core_loader_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	CU_ASSERT_PTR_NOT_NULL_FATAL(loader);
	if (getenv("MUSES_PLUGIN_PATH") != NULL)
		CU_ASSERT_EQUAL_FATAL(
			core_loader_path(loader, getenv("MUSES_PLUGIN_PATH")), 0);
}

static void both(void)
{
	begin();
	CU_ASSERT_TRUE_FATAL(node_start(&alice, "alice"));
	CU_ASSERT_TRUE_FATAL(node_start(&bob, "bob"));
}

static void finish(void)
{
	node_end(&bob);
	node_end(&alice);
	core_loader_close(loader);
	core_loop_close(loop);
	folder_close(&folder);
}

/* Live until happened(), for at most ten seconds. */
static bool until(bool (*happened)(void))
{
	uint64_t end_ns = core_clock_now() + 10 * MUSES_S;

	while (!happened()) {
		if (core_clock_now() > end_ns)
			return false;
		core_loop_turn(loop, 10 * MUSES_MS);
	}
	return true;
}

/* ---- an application at each end ------------------------------------------- */

static int listening, client, server;
static char heard[100];

static struct core_address at(const char *name)
{
	struct core_address a;
	char why[256];

	CU_ASSERT_EQUAL_FATAL(core_address_from_path(&a, folder_path(&folder, name), NULL,
	                                             why, sizeof(why)),
	                      0);
	return a;
}

static bool server_called(void)
{
	server = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
	return server >= 0;
}

static bool server_hears(void)
{
	ssize_t got = recv(server, heard, sizeof(heard) - 1, 0);

	return got > 0;
}

static bool client_hears_the_end(void)
{
	ssize_t got = recv(client, heard, sizeof(heard) - 1, 0);

	return got == 0 || (got < 0 && errno != EAGAIN);
}

static void connect_both(void)
{
	struct core_address out = at("out"), in = at("in");
	char why[256];
	bool connecting;

	listening = core_address_listen(&out, 4, why, sizeof(why));
	client = core_address_connect(&in, &connecting, why, sizeof(why));
	CU_ASSERT_TRUE_FATAL(listening >= 0 && client >= 0);
	CU_ASSERT_EQUAL(send(client, "hello", 5, 0), 5);
	CU_ASSERT_TRUE_FATAL(until(server_called));
	CU_ASSERT_TRUE(until(server_hears));
	CU_ASSERT_NSTRING_EQUAL(heard, "hello", 5);
}

static void hang_up(void)
{
	close(client);
	close(server);
	close(listening);
}

/* ---- tests ---------------------------------------------------------------- */

static bool no_session_left(void)
{
	return core_sessions_count(core_node_sessions(alice.node)) == 0;
}

static void a_forward_reaches_a_service(void)
{
	both();
	connect_both();
	hang_up();
	finish();
	CU_ASSERT_EQUAL(alice.errors + bob.errors, 0);
}

static void a_node_that_stops_tells_its_peers(void)
{
	both();
	connect_both();
	node_end(&bob);
	/* Not suspended: gone, and the application knows. */
	CU_ASSERT_TRUE(until(no_session_left));
	hang_up();
	finish();
}

static size_t services_of_alice(void)
{
	json_t *status = core_node_status(alice.node);
	const json_t *lcm = json_object_get(status, "lcm");
	size_t count = json_array_size(json_object_get(lcm, "services"));

	json_decref(status);
	return count;
}

static void a_reload_touches_no_session(void)
{
	char why[512];

	both();
	connect_both();
	write_alice("\"services\": {}, \"log\": { \"level\": \"debug\" }");
	CU_ASSERT_EQUAL(core_node_reload(alice.node, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(core_log_level(alice.env.log), MUSES_DEBUG);
	CU_ASSERT_EQUAL(send(client, "still", 5, 0), 5);
	CU_ASSERT_TRUE(until(server_hears));
	CU_ASSERT_NSTRING_EQUAL(heard, "still", 5);
	/* Twice, since what is loaded again must itself be replaceable; and then wrong.
	 */
	CU_ASSERT_EQUAL(core_node_reload(alice.node, why, sizeof(why)), 0);
	write_config("alice", "\"listen\": [ \"/another/place\" ]", ECHO_FOR_BOB);
	CU_ASSERT_EQUAL(core_node_reload(alice.node, why, sizeof(why)), MUSES_ECONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "transport"));
	CU_ASSERT_EQUAL(services_of_alice(), 0); /* Nothing of it has come into force. */
	folder_text(&folder, "alice.json", "{", 0600);
	CU_ASSERT_EQUAL(core_node_reload(alice.node, why, sizeof(why)), MUSES_ECONFIG);
	hang_up();
	finish();
}

static void a_service_that_is_gone_refuses(void)
{
	struct core_address in;
	char why[512];
	bool connecting;

	both();
	connect_both();
	write_alice("\"services\": {}");
	CU_ASSERT_EQUAL(core_node_reload(alice.node, why, sizeof(why)), 0);
	close(client);
	in = at("in");
	client = core_address_connect(&in, &connecting, why, sizeof(why));
	CU_ASSERT_TRUE_FATAL(client >= 0);
	CU_ASSERT_TRUE(until(client_hears_the_end));
	hang_up();
	finish();
}

static void a_peer_that_is_gone_from_the_file_loses_its_session(void)
{
	char why[512];

	both();
	connect_both();
	folder_text(&folder, "psk.json", "{ \"peers\": { \"carol\": \"" SECRET "\" } }",
	            0600);
	write_alice("\"services\": {}");
	CU_ASSERT_EQUAL(core_node_reload(alice.node, why, sizeof(why)), 0);
	CU_ASSERT_TRUE(until(no_session_left));
	hang_up();
	finish();
}

static void the_status_has_it_all(void)
{
	static const char *const member[] = { "name",     "id",    "version", "up_ms",
		                              "sessions", "links", "overlay", "lcm",
		                              "counters", "memory" };
	json_t *status;

	both();
	connect_both();
	status = core_node_status(bob.node);
	for (size_t i = 0; i < sizeof(member) / sizeof(member[0]); i++) {
		TAP_NOTE_IF(json_object_get(status, member[i]) == NULL, "%s", member[i]);
		CU_ASSERT_PTR_NOT_NULL(json_object_get(status, member[i]));
	}
	CU_ASSERT_EQUAL(json_array_size(json_object_get(status, "sessions")), 1);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(status, "links")), 1);
	json_decref(status);
	hang_up();
	finish();
}

static void names_are_found_and_shown(void)
{
	char text[MUSES_ID_LENGTH + 1], name[MUSES_NAME_MAX + 1];
	struct muses_id id, same;

	both();
	CU_ASSERT_STRING_EQUAL(core_node_name(bob.node), "bob");
	CU_ASSERT_EQUAL(core_node_resolve(bob.node, "alice", &id), 0);
	CU_ASSERT_TRUE(muses_id_equal(&id, core_node_id(alice.node)));
	muses_id_text(&id, text);
	CU_ASSERT_EQUAL(core_node_resolve(bob.node, text, &same), 0);
	CU_ASSERT_TRUE(muses_id_equal(&id, &same));
	core_node_show(bob.node, &id, name);
	CU_ASSERT_STRING_EQUAL(name, "alice");
	CU_ASSERT_EQUAL(core_node_resolve(bob.node, "carol", &id), MUSES_EUNKNOWN);
	memset(&id, 7, sizeof(id));
	muses_id_text(&id, text);
	core_node_show(bob.node, &id, name);
	CU_ASSERT_STRING_EQUAL(name, text);
	finish();
}

static bool open_alice(void *user)
{
	(void)user;
	if (!node_start(&alice, "alice"))
		return false;
	node_end(&alice);
	return true;
}

static void every_allocation_may_fail(void)
{
	begin();
	CU_ASSERT_TRUE(open_alice(NULL)); /* Now the plugins are loaded. */
	CU_ASSERT_TRUE(nomem_run(open_alice, NULL) > 50);
	finish();
}

static const struct tap_test tests[] = {
	{ "a forward of one node reaches a service of another",
	  a_forward_reaches_a_service },
	{ "a node that stops tells its peers", a_node_that_stops_tells_its_peers },
	{ "a reload touches no session, and a wrong one touches nothing",
	  a_reload_touches_no_session },
	{ "a service that a reload took away refuses", a_service_that_is_gone_refuses },
	{ "a peer that is gone from the file loses its session",
	  a_peer_that_is_gone_from_the_file_loses_its_session },
	{ "the status has it all", the_status_has_it_all },
	{ "names are found and shown", names_are_found_and_shown },
	{ "every allocation of a node may fail", every_allocation_may_fail },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_node", tests);
}
