/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/example, at work between two whole nodes. */
#include "core/hub.h"
#include "core/node.h"
#include "core/say.h"
#include "tests/folder.h"
#include "tests/tap.h"
#include "tests/toys.h"

#include <stdio.h>
#include <string.h>

extern const struct muses_plugin example_LTX_muses_plugin;

struct place {
	struct core_env env;
	struct core_node *node;
	char lines[4096];
};

static struct folder folder;
static struct core_loader *loader;
static struct core_loop *loop;
static struct core_rand *dice;
static struct core_hub *hub;
static struct place alice, bob;
static char why[CORE_SAY_MAX];

static void hear(void *user, enum muses_level level, const char *who, const char *message)
{
	struct place *p = user;
	size_t used = strlen(p->lines);

	(void)level;
	snprintf(p->lines + used, sizeof(p->lines) - used, "%s: %s\n",
	         who == NULL ? "" : who, message);
}

static void open_node(struct place *p, const char *name, const char *dial)
{
	struct core_config *config;
	char json[1024];
	int err;

	p->lines[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(core_env_open(&p->env, loop, 1), 0);
	p->env.hub = hub;
	core_log_set_sink(p->env.log, hear, p);
	snprintf(json, sizeof(json),
	         "{\"name\":\"%s\",\"pipeline\":{\"keys\":{\"plugin\":\"psk\",\"file\":"
	         "\"psk\"},"
	         "\"security\":[{\"plugin\":\"aes_gcm\"}],"
	         "\"reliability\":{\"plugin\":\"toy_reliability\"},"
	         "\"overlay\":{\"plugin\":\"cloak_static\"},\"transport\":["
	         "{\"plugin\":\"example\",\"log_s\":3,\"over\":"
	         "{\"plugin\":\"memory\",\"listen\":\"%s\",\"dial\":{%s}}}]}}",
	         name, name, dial);
	err = core_config_parse(&config, json, strlen(json), folder.path, loader, why,
	                        sizeof(why));
	TAP_NOTE_IF(err != 0, "%s", why);
	CU_ASSERT_EQUAL_FATAL(err, 0);
	err = core_node_open(&p->node, &p->env, config, why, sizeof(why));
	TAP_NOTE_IF(err != 0, "%s", why);
	CU_ASSERT_EQUAL_FATAL(err, 0);
	CU_ASSERT_EQUAL(core_node_start(p->node, why, sizeof(why)), 0);
}

static void begin(void)
{
	folder_open(&folder);
	folder_text(&folder, "psk",
	            "{\"group\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}", 0600);
	loader = core_loader_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(loader);
	CU_ASSERT_EQUAL(toys_add(loader), 0);
	CU_ASSERT_EQUAL(core_loader_add(loader, &example_LTX_muses_plugin), 0);
	loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	dice = core_rand_open(7);
	hub = core_hub_open(loop, dice);
	CU_ASSERT_PTR_NOT_NULL_FATAL(hub);
	open_node(&bob, "bob", "");
	open_node(&alice, "alice", "\"bob\":\"bob\"");
	core_loop_advance(loop, 500 * MUSES_MS);
}

static void end(void)
{
	core_node_stop(alice.node);
	core_node_close(alice.node);
	core_node_stop(bob.node);
	core_node_close(bob.node);
	CU_ASSERT_EQUAL(core_env_close(&alice.env), 0);
	CU_ASSERT_EQUAL(core_env_close(&bob.env), 0);
	core_hub_close(hub);
	core_rand_close(dice);
	core_loop_close(loop);
	core_loader_close(loader);
	folder_close(&folder);
}

static json_int_t told(const struct place *p, const char *member)
{
	json_t *links = core_links_info(core_node_links(p->node));
	json_int_t value =
		json_integer_value(json_object_get(json_array_get(links, 0), member));

	json_decref(links);
	return value;
}

static void counts_what_passes(void)
{
	begin();
	CU_ASSERT_EQUAL_FATAL(core_links_proven(core_node_links(alice.node)), 1);
	/* At least a hello and a proof, both ways; nothing is lost on this wire. */
	CU_ASSERT(told(&alice, "packets_sent") >= 2);
	CU_ASSERT_EQUAL(told(&alice, "packets_sent"), told(&bob, "packets_received"));
	CU_ASSERT_EQUAL(told(&bob, "packets_sent"), told(&alice, "packets_received"));
	end();
}

static void writes_a_line_when_there_is_news(void)
{
	begin();
	CU_ASSERT_PTR_NULL(strstr(alice.lines, "packets have passed"));
	core_loop_advance(loop, 4 * MUSES_S);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(alice.lines, "example: packets have passed: count="));
	CU_ASSERT_PTR_NULL(strstr(alice.lines, "left timers"));
	end();
}

static void a_channel_that_breaks_is_forgotten(void)
{
	begin();
	CU_ASSERT_EQUAL(core_hub_break(hub, "alice", "bob"), 1);
	core_loop_advance(loop, 3 * MUSES_S);
	CU_ASSERT_EQUAL(core_links_proven(core_node_links(alice.node)),
	                1); /* Redialled. */
	CU_ASSERT_EQUAL(told(&alice, "packets_sent"), told(&bob, "packets_received"));
	end();
}

static const struct tap_test tests[] = {
	{ "packets of a link are counted at both ends", counts_what_passes },
	{ "the log tells the count now and then", writes_a_line_when_there_is_news },
	{ "a channel that breaks is forgotten and begun anew",
	  a_channel_that_breaks_is_forgotten },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "example", tests);
}
