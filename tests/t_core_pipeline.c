/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of a node: built, checked, opened, started, and back again. */
#include "core/json.h"
#include "core/mem.h"
#include "core/pipeline.h"
#include "core/say.h"
#include "tests/folder.h"
#include "tests/nomem.h"
#include "tests/tap.h"
#include "tests/toys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define KEYS            "\"keys\":{\"plugin\":\"toy_keys\"}"
#define SECURITY        "\"security\":[{\"plugin\":\"toy_security\"}]"
#define RELIABILITY     "\"reliability\":{\"plugin\":\"toy_reliability\"}"
#define OVERLAY         "\"overlay\":{\"plugin\":\"toy_overlay\"}"
#define TCP             "{\"plugin\":\"toy_tcp\",\"listen\":\"127.0.0.1:1\"}"
#define TRANSPORT       "\"transport\":[" TCP "]"
#define BUT(a, b, c, d) "{" a "," b "," c "," d "}"
#define WHOLE           "{" KEYS "," SECURITY "," RELIABILITY "," OVERLAY "," TRANSPORT "}"
#define WITH_TRANSPORT(list) \
	"{" KEYS "," SECURITY "," RELIABILITY "," OVERLAY ",\"transport\":" list "}"
#define WITH_SECURITY(list) \
	"{" KEYS ",\"security\":" list "," RELIABILITY "," OVERLAY "," TRANSPORT "}"

static struct core_loader *loader;
static struct core_pipeline *pipeline;
static struct core_loop *loop;
static struct core_env env;
static struct folder folder;
static char why[CORE_SAY_MAX];
static char logged[512];
static const struct muses_id node_id;
static const struct core_layer_up up;

static int check_into(struct core_pipeline **p, const char *text)
{
	json_t *object = core_json_parse(text, strlen(text), why, sizeof(why));
	int err;

	TAP_NOTE_IF(object == NULL, "%s: %s", text, why);
	CU_ASSERT_PTR_NOT_NULL_FATAL(object);
	why[0] = '\0';
	*p = NULL;
	err = core_pipeline_check(p, loader, object, folder.path, why, sizeof(why));
	json_decref(object);
	return err;
}

static int check(const char *text)
{
	return check_into(&pipeline, text);
}

static void hear(void *user, enum muses_level level, const char *who, const char *message)
{
	(void)user;
	(void)level;
	snprintf(logged, sizeof(logged), "%s: %s", who, message);
}

static int open_layers(void)
{
	return core_pipeline_open(pipeline, &env, NULL, &up, &node_id, "bob");
}

static void begin(void)
{
	loader = toys_loader();
	loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(loader);
	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	CU_ASSERT_EQUAL_FATAL(core_env_open(&env, loop, 1), 0);
	core_log_set_sink(env.log, hear, NULL);
	folder_open(&folder);
	toys_forget();
	toys_break(NULL, NULL);
	logged[0] = '\0';
}

static void end(void)
{
	core_env_close(&env);
	core_loop_close(loop);
	core_loader_close(loader);
	folder_close(&folder);
	pipeline = NULL;
}

static void lives_bottom_first(void)
{
	begin();
	CU_ASSERT_EQUAL_FATAL(check(WHOLE), 0);
	CU_ASSERT_STRING_EQUAL(toys_story(),
	                       "check(toy_tcp) check(toy_overlay) check(toy_keys) "
	                       "check(toy_security) check(toy_reliability)");
	toys_forget();
	CU_ASSERT_EQUAL(open_layers(), 0);
	CU_ASSERT_EQUAL(core_pipeline_start(pipeline), 0);
	CU_ASSERT_STRING_EQUAL(toys_story(),
	                       "open(toy_tcp) open(toy_overlay) open(toy_keys) "
	                       "open(toy_security) open(toy_reliability) "
	                       "start(toy_tcp) start(toy_overlay) start(toy_keys) "
	                       "start(toy_security) start(toy_reliability)");
	CU_ASSERT_STRING_EQUAL(muses_node_name(pipeline->keys), "bob");
	CU_ASSERT_PTR_EQUAL(muses_node_id(pipeline->overlay), &node_id);
	toys_forget();
	core_pipeline_stop(pipeline);
	core_pipeline_stop(pipeline); /* Once is enough, twice is fine. */
	core_pipeline_close(pipeline);
	CU_ASSERT_STRING_EQUAL(
		toys_story(),
		"stop(toy_reliability) stop(toy_security) stop(toy_keys) "
		"stop(toy_overlay) stop(toy_tcp) "
		"close(toy_reliability) close(toy_security) close(toy_keys) "
		"close(toy_overlay) close(toy_tcp)");
	end();
}

static void a_failed_open_closes_what_is_open(void)
{
	begin();
	CU_ASSERT_EQUAL_FATAL(check(WHOLE), 0);
	toys_forget();
	toys_break("toy_keys", "open");
	CU_ASSERT_EQUAL(open_layers(), MUSES_ECONFIG);
	CU_ASSERT_STRING_EQUAL(toys_story(),
	                       "open(toy_tcp) open(toy_overlay) open(toy_keys) "
	                       "close(toy_overlay) close(toy_tcp)");
	CU_ASSERT_STRING_EQUAL(logged, "toy_keys: cannot be opened today");
	toys_break(NULL, NULL);
	toys_forget();
	CU_ASSERT_EQUAL(open_layers(), 0); /* And may be opened again. */
	core_pipeline_close(pipeline);
	end();
}

static void a_failed_start_stops_what_has_started(void)
{
	begin();
	CU_ASSERT_EQUAL_FATAL(check(WHOLE), 0);
	CU_ASSERT_EQUAL(open_layers(), 0);
	toys_forget();
	toys_break("toy_keys", "start");
	CU_ASSERT_EQUAL(core_pipeline_start(pipeline), MUSES_ESYSTEM);
	CU_ASSERT_STRING_EQUAL(toys_story(),
	                       "start(toy_tcp) start(toy_overlay) start(toy_keys) "
	                       "stop(toy_overlay) stop(toy_tcp)");
	core_pipeline_close(pipeline);
	end();
}

static void never(struct muses_timer *t)
{
	(void)t;
	abort();
}

static void what_is_left_armed_is_stopped(void)
{
	struct muses_timer timer;

	begin();
	CU_ASSERT_EQUAL_FATAL(check(WHOLE), 0);
	CU_ASSERT_EQUAL(open_layers(), 0);
	muses_timer_init(pipeline->overlay, &timer, never);
	muses_timer_after(&timer, MUSES_MS);
	core_pipeline_close(pipeline);
	core_loop_advance(loop, MUSES_S);
	CU_ASSERT_STRING_EQUAL(
		logged, "toy_overlay: left timers, tasks or watches armed: count=1");
	end();
}

static void refuses_what_is_no_pipeline(void)
{
	static const struct {
		const char *json;
		const char *sentence;
		const char *reason;
	} row[] = {
		{ "{}",
		  "pipeline: \"transport\" is missing; want a list of { \"plugin\": "
		  "\"NAME\" }",
		  "empty" },
		{ "[]",
		  "pipeline: want an object with keys, security, reliability, overlay "
		  "and "
		  "transport",
		  "a list" },
		{ BUT(SECURITY, RELIABILITY, OVERLAY, TRANSPORT),
		  "pipeline: \"keys\" is missing; want { \"plugin\": \"NAME\" }",
		  "nobody is known" },
		{ BUT(KEYS, RELIABILITY, OVERLAY, TRANSPORT),
		  "pipeline: \"security\" is missing; want a list of { \"plugin\": "
		  "\"NAME\" }",
		  "nothing is sealed" },
		{ "{" KEYS ",\"securitty\":[]}",
		  "pipeline: there is no layer called 'securitty'; did you mean "
		  "'security'?",
		  "misspelt" },
		{ "{\"lcm\":{}}", "pipeline: there is no layer called 'lcm'",
		  "not a plugin" },
		{ WITH_SECURITY("{\"plugin\":\"toy_security\"}"),
		  "pipeline.security: want a list of 1 to 8 objects such as { "
		  "\"plugin\": \"NAME\" }",
		  "no list" },
		{ WITH_SECURITY("[]"),
		  "pipeline.security: want a list of 1 to 8 objects such as { "
		  "\"plugin\": \"NAME\" }",
		  "an empty list" },
		{ WITH_SECURITY("[{\"plugin\":\"toy_tcp\"}]"),
		  "pipeline.security[0].plugin: 'toy_tcp' is a plugin for transport, not "
		  "for "
		  "security",
		  "another kind" },
		{ WITH_SECURITY("[\"toy_security\"]"),
		  "pipeline.security[0]: want an object such as { \"plugin\": \"NAME\" }",
		  "no object" },
		{ WITH_SECURITY("[{}]"),
		  "pipeline.security[0].plugin: want the name of a plugin for security",
		  "no name" },
		{ WITH_SECURITY("[{\"plugin\":\"toy_securty\"}]"),
		  "pipeline.security[0].plugin: there is no plugin 'toy_securty'; did "
		  "you mean "
		  "'toy_security'?",
		  "misspelt" },
		{ WITH_SECURITY("[{\"plugin\":\"../x\"}]"),
		  "pipeline.security[0].plugin: '../x' is not a plugin name; want a "
		  "small letter, "
		  "then small letters, digits and '_'",
		  "a path" },
		{ WITH_SECURITY("[{\"plugin\":\"toy_security\",\"bits\":7}]"),
		  "pipeline.security[0]: 'toy_security' has no option 'bits'",
		  "no such option" },
		{ WITH_TRANSPORT("[{\"plugin\":\"toy_tcp\",\"listen\":\"nowhere\"}]"),
		  "pipeline.transport[0].listen: want IP:PORT, not 'nowhere'",
		  "no address" },
		{ WITH_TRANSPORT("[" TCP
		                 ",{\"plugin\":\"toy_tcp\",\"dial\":{\"r1\":\"x\"}}]"),
		  "pipeline.transport[1].dial.r1: want IP:PORT, not 'x'",
		  "in the second" },
		{ WITH_TRANSPORT("[{\"plugin\":\"toy_wrap\"}]"),
		  "pipeline.transport[0]: 'toy_wrap' wraps nothing", "hollow" },
		{ WITH_TRANSPORT("[{\"plugin\":\"toy_wrap\",\"over\":{\"plugin\":\"toy_"
		                 "keys\"}}]"),
		  "pipeline.transport[0].over.plugin: 'toy_keys' is a plugin for keys, "
		  "not for "
		  "transport",
		  "wraps another kind" },
		{ WITH_TRANSPORT("[{\"plugin\":\"toy_wrap\",\"over\":{\"plugin\":\"toy_"
		                 "tcp\",\"lisen\":1}}]"),
		  "pipeline.transport[0].over: 'toy_tcp' has no option 'lisen'; did you "
		  "mean "
		  "'listen'?",
		  "a mistake inside" },
		{ WITH_TRANSPORT(
			  "[{\"plugin\":\"toy_wrap\",\"listen\":\"x\",\"over\":" TCP
			  "}]"),
		  "pipeline.transport[0].listen: want IP:PORT, not 'x'",
		  "the one inside judges the wrapper's addresses" },
		{ WITH_TRANSPORT("[{\"plugin\":\"toy_wrap\",\"over\":{\"plugin\":\"toy_"
		                 "wrap\",\"over\":"
		                 "{\"plugin\":\"toy_wrap\",\"over\":{\"plugin\":\"toy_"
		                 "wrap\",\"over\":" TCP "}}}}]"),
		  "pipeline.transport[0].over.over.over.over: at most 4 transports "
		  "inside one "
		  "another",
		  "five" },
	};

	begin();
	for (size_t i = 0; i < COUNT(row); i++) {
		int err = check(row[i].json);

		TAP_NOTE_IF(err == 0 || strcmp(why, row[i].sentence) != 0,
		            "%s: '%s', want '%s'", row[i].reason, why, row[i].sentence);
		CU_ASSERT_NOT_EQUAL(err, 0);
		CU_ASSERT_STRING_EQUAL(why, row[i].sentence);
		if (err == 0)
			core_pipeline_close(pipeline);
	}
	CU_ASSERT_PTR_NULL(strstr(toys_story(), "open("));
	end();
}

static void check_of_a_plugin_is_heard(void)
{
	begin();
	toys_break("toy_overlay", "check");
	CU_ASSERT_EQUAL(check(WHOLE), MUSES_ECONFIG);
	CU_ASSERT_STRING_EQUAL(why, "pipeline.overlay: these options do not go together");
	end();
}

static void a_wrapper_stands_above_what_it_wraps(void)
{
	const struct muses_layer *outer;

	begin();
	CU_ASSERT_EQUAL_FATAL(
		check(WITH_TRANSPORT("[" TCP ",{\"plugin\":\"toy_wrap\",\"over\":" TCP
	                             "}]")),
		0);
	CU_ASSERT_EQUAL(pipeline->transport_count, 2);
	outer = pipeline->transport[1];
	CU_ASSERT_STRING_EQUAL(outer->plugin->name, "toy_wrap");
	CU_ASSERT_STRING_EQUAL(outer->inner->plugin->name, "toy_tcp");
	CU_ASSERT_PTR_EQUAL(outer->inner->outer, outer);
	CU_ASSERT_EQUAL(outer->depth, 0);
	CU_ASSERT_EQUAL(outer->inner->depth, 1);
	CU_ASSERT_PTR_NULL(outer->inner->inner);
	toys_forget();
	CU_ASSERT_EQUAL(open_layers(), 0);
	CU_ASSERT_EQUAL(
		strncmp(toys_story(), "open(toy_tcp) open(toy_tcp) open(toy_wrap) ", 43),
		0);
	core_pipeline_close(pipeline);
	end();
}

static void twins_are_told_apart(void)
{
	begin();
	CU_ASSERT_EQUAL_FATAL(check(WITH_TRANSPORT("[" TCP "," TCP "]")), 0);
	CU_ASSERT_STRING_EQUAL(pipeline->transport[0]->label, "toy_tcp[0]");
	CU_ASSERT_STRING_EQUAL(pipeline->transport[1]->label, "toy_tcp[1]");
	CU_ASSERT_STRING_EQUAL(pipeline->keys->label, "toy_keys");
	core_pipeline_close(pipeline);
	end();
}

/* ---- suites ---------------------------------------------------------------- */

static void suites_are_offered_in_order(void)
{
	const struct muses_suite *suite[4];

	begin();
	CU_ASSERT_EQUAL_FATAL(
		check(WITH_SECURITY("[{\"plugin\":\"toy_security\",\"insecure\":true}]")),
		0);
	CU_ASSERT_EQUAL_FATAL(open_layers(), 0);
	CU_ASSERT_EQUAL(core_pipeline_suites(pipeline, suite, 4), 2);
	CU_ASSERT_STRING_EQUAL(suite[0]->name, "toy_one");
	CU_ASSERT_STRING_EQUAL(suite[1]->name, "toy_two");
	CU_ASSERT_EQUAL(core_pipeline_suites(pipeline, suite, 1), 1);
	CU_ASSERT_PTR_EQUAL(core_pipeline_suite(pipeline, 0xff02), suite[1]);
	CU_ASSERT_PTR_NULL(core_pipeline_suite(pipeline, 0x0003));
	core_pipeline_close(pipeline);

	CU_ASSERT_EQUAL_FATAL(check(WHOLE), 0);
	CU_ASSERT_EQUAL_FATAL(open_layers(), 0);
	CU_ASSERT_PTR_NULL(core_pipeline_suite(pipeline, 0xff02)); /* Not on offer. */
	core_pipeline_close(pipeline);
	end();
}

static void offers_that_make_no_sense_are_refused(void)
{
	static const struct {
		const char *json;
		const char *sentence; /* NULL: fine. */
	} row[] = {
		{ WITH_SECURITY("[{\"plugin\":\"toy_security\"},{\"plugin\":\"toy_"
		                "security\"}]"),
		  "pipeline.security[1]: suite toy_one is on offer already" },
		{ WITH_SECURITY("[{\"plugin\":\"toy_security\",\"nothing\":true}]"),
		  "pipeline.security: no suite is on offer" },
		{ WITH_SECURITY("[{\"plugin\":\"toy_security\",\"insecure\":true}]"),
		  NULL },
		{ "{" KEYS "," RELIABILITY "," OVERLAY
		  ",\"security\":[{\"plugin\":\"toy_security\",\"insecure\":true}]"
		  ",\"transport\":[" TCP
		  ",{\"plugin\":\"toy_tcp\",\"listen\":\"192.0.2.1:1\"}]}",
		  "pipeline.security[0]: suite toy_two protects nothing, so every link "
		  "must stay on "
		  "this machine (loopback, unix, memory)" },
		{ "{" KEYS "," RELIABILITY "," OVERLAY
		  ",\"security\":[{\"plugin\":\"toy_security\",\"insecure\":true}]"
		  ",\"transport\":[{\"plugin\":\"toy_wrap\",\"over\":"
		  "{\"plugin\":\"toy_tcp\",\"dial\":{\"r1\":\"192.0.2.1:1\"}}}]}",
		  "pipeline.security[0]: suite toy_two protects nothing, so every link "
		  "must stay on "
		  "this machine (loopback, unix, memory)" },
	};

	begin();
	for (size_t i = 0; i < COUNT(row); i++) {
		int err;

		CU_ASSERT_EQUAL_FATAL(check(row[i].json), 0);
		CU_ASSERT_EQUAL_FATAL(open_layers(), 0);
		err = core_pipeline_check_suites(pipeline, why, sizeof(why));
		CU_ASSERT_EQUAL(err, row[i].sentence == NULL ? 0 : MUSES_ECONFIG);
		TAP_NOTE_IF((err != 0) != (row[i].sentence != NULL), "row %zu: %s", i,
		            why);
		if (row[i].sentence != NULL)
			CU_ASSERT_STRING_EQUAL(why, row[i].sentence);
		core_pipeline_close(pipeline);
	}
	end();
}

/* ---- reload ---------------------------------------------------------------- */

static int reload(const char *text)
{
	json_t *object = core_json_parse(text, strlen(text), why, sizeof(why));
	int err;

	CU_ASSERT_PTR_NOT_NULL_FATAL(object);
	err = core_pipeline_reload(pipeline, object, folder.path, why, sizeof(why));
	json_decref(object);
	return err;
}

#define PEERS(file)                                                            \
	"{\"keys\":{\"plugin\":\"toy_keys\",\"peers\":\"" file "\"}," SECURITY \
	"," RELIABILITY "," OVERLAY                                            \
	",\"transport\":[{\"plugin\":\"toy_wrap\",\"over\":" TCP "}]}"

static void files_that_may_change_are_read_again(void)
{
	begin();
	folder_text(&folder, "peers", "one", 0644);
	folder_text(&folder, "others", "three", 0644);
	CU_ASSERT_EQUAL_FATAL(check(PEERS("peers")), 0);
	CU_ASSERT_EQUAL_FATAL(open_layers(), 0);
	CU_ASSERT_STRING_EQUAL(toys_peers(), "one");
	folder_text(&folder, "peers", "two", 0644);
	toys_forget();
	CU_ASSERT_EQUAL(reload(PEERS("peers")), 0);
	CU_ASSERT_STRING_EQUAL(toys_peers(), "two");
	CU_ASSERT_PTR_NOT_NULL(strstr(toys_story(), "reload(toy_wrap) reload(toy_keys)"));
	CU_ASSERT_PTR_NULL(strstr(toys_story(), "open("));
	CU_ASSERT_PTR_NULL(strstr(toys_story(), "close("));
	CU_ASSERT_EQUAL(reload(PEERS("others")), 0); /* Also under another name ... */
	CU_ASSERT_STRING_EQUAL(toys_peers(), "three");
	CU_ASSERT_EQUAL(reload(PEERS("peers")), 0); /* ... and back. */
	CU_ASSERT_STRING_EQUAL(toys_peers(), "two");
	core_pipeline_close(pipeline);
	end();
}

static void a_bad_reload_changes_nothing(void)
{
	static const struct {
		const char *json;
		const char *sentence;
	} row[] = {
		{ "{}", "pipeline: \"transport\" is missing; want a list of { "
		        "\"plugin\": \"NAME\" }" },
		{ PEERS("none"),
		  "pipeline.keys.peers: cannot open PATH: No such file or directory" },
		{ WHOLE,
		  "pipeline.transport[0].over has changed, which needs a restart" },
		{ "{\"keys\":{\"plugin\":\"toy_keys\",\"peers\":\"peers\",\"number\":21}"
		  "," SECURITY "," RELIABILITY "," OVERLAY
		  ",\"transport\":[{\"plugin\":\"toy_wrap\",\"over\":" TCP "}]}",
		  "pipeline.keys.number has changed, which needs a restart" },
		{ "{\"keys\":{\"plugin\":\"toy_keys\",\"peers\":\"peers\"}," SECURITY
		  "," RELIABILITY "," OVERLAY
		  ",\"transport\":[{\"plugin\":\"toy_wrap\",\"over\":" TCP "}," TCP "]}",
		  "pipeline.transport[1] is new, which needs a restart" },
		{ "{\"keys\":{\"plugin\":\"toy_keys\",\"peers\":\"peers\"}," SECURITY
		  "," RELIABILITY "," OVERLAY
		  ",\"transport\":[{\"plugin\":\"toy_wrap\",\"over\":"
		  "{\"plugin\":\"toy_tcp\",\"listen\":\"127.0.0.1:2\"}}]}",
		  "pipeline.transport[0].over.listen has changed, which needs a "
		  "restart" },
	};

	begin();
	folder_text(&folder, "peers", "one", 0644);
	CU_ASSERT_EQUAL_FATAL(check(PEERS("peers")), 0);
	CU_ASSERT_EQUAL_FATAL(open_layers(), 0);
	folder_text(&folder, "peers", "two", 0644);
	for (size_t i = 0; i < COUNT(row); i++) {
		char sentence[1024];
		const char *at = strstr(row[i].sentence, "PATH");

		snprintf(sentence, sizeof(sentence), "%.*s%s%s",
		         at == NULL ? 0 : (int)(at - row[i].sentence), row[i].sentence,
		         at == NULL ? "" : folder_path(&folder, "none"),
		         at == NULL ? row[i].sentence : at + 4);
		toys_forget();
		CU_ASSERT_NOT_EQUAL(reload(row[i].json), 0);
		TAP_NOTE_IF(strcmp(why, sentence) != 0, "row %zu: '%s'", i, why);
		CU_ASSERT_STRING_EQUAL(why, sentence);
		CU_ASSERT_PTR_NULL(strstr(toys_story(), "reload("));
		CU_ASSERT_STRING_EQUAL(toys_peers(), "one");
	}
	core_pipeline_close(pipeline);
	end();
}

/* ---- memory ---------------------------------------------------------------- */

static void every_allocation_may_fail(void)
{
	const char *json = PEERS("peers");
	json_t *object;
	uint64_t before;
	int err = MUSES_ENOMEM;

	begin();
	folder_text(&folder, "peers", "one", 0644);
	object = core_json_parse(json, strlen(json), why, sizeof(why));
	/* Found before, so that the loader's own failing is not in the way. */
	CU_ASSERT_EQUAL(core_pipeline_check(&pipeline, loader, object, folder.path, why,
	                                    sizeof(why)),
	                0);
	core_pipeline_close(pipeline);
	before = core_mem_count();
	for (uint64_t n = 1; err == MUSES_ENOMEM && n < 200; n++) {
		core_mem_fuse(n);
		err = core_pipeline_check(&pipeline, loader, object, folder.path, why,
		                          sizeof(why));
		CU_ASSERT_TRUE(core_mem_blown() == (err != 0));
		if (err != 0)
			CU_ASSERT_EQUAL(core_mem_count(), before);
	}
	core_mem_fuse(0);
	CU_ASSERT_EQUAL(err, 0);
	core_pipeline_close(pipeline);
	CU_ASSERT_EQUAL(core_mem_count(), before);
	json_decref(object);
	end();
}

/* From the loader to layers that are open, and back. */
static bool whole_life(void *user)
{
	struct core_loader *mine = toys_loader();
	struct core_pipeline *p = NULL;
	bool got = false;

	if (mine == NULL)
		return false;
	if (core_pipeline_check(&p, mine, user, folder.path, why, sizeof(why)) == 0)
		got = core_pipeline_open(p, &env, NULL, &up, &node_id, "bob") == 0;
	core_pipeline_close(p);
	core_loader_close(mine);
	return got;
}

static void every_allocation_may_fail_from_the_loader_on(void)
{
	json_t *object = core_json_parse(WHOLE, sizeof(WHOLE) - 1, why, sizeof(why));

	begin();
	CU_ASSERT(nomem_run(whole_life, object) > 20);
	json_decref(object);
	end();
}

static const struct tap_test tests[] = {
	{ "layers open bottom first and close top first", lives_bottom_first },
	{ "when one layer does not open, those that are open are closed",
	  a_failed_open_closes_what_is_open },
	{ "when one layer does not start, those that have started are stopped",
	  a_failed_start_stops_what_has_started },
	{ "a timer that a layer forgot does not fire into nothing",
	  what_is_left_armed_is_stopped },
	{ "what is no pipeline is refused with the path", refuses_what_is_no_pipeline },
	{ "what a plugin's own check says is heard", check_of_a_plugin_is_heard },
	{ "a wrapper stands above the transport it wraps",
	  a_wrapper_stands_above_what_it_wraps },
	{ "two layers of one plugin are told apart", twins_are_told_apart },
	{ "suites are offered in the order of the file", suites_are_offered_in_order },
	{ "offers that make no sense are refused",
	  offers_that_make_no_sense_are_refused },
	{ "a reload reads the files that may change",
	  files_that_may_change_are_read_again },
	{ "a reload that is not right changes nothing", a_bad_reload_changes_nothing },
	{ "every allocation may fail", every_allocation_may_fail },
	{ "every allocation may fail, from the loader on",
	  every_allocation_may_fail_from_the_loader_on },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_pipeline", tests);
}
