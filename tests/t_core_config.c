/* SPDX-License-Identifier: Apache-2.0 */
/* A node's file as a whole: what is refused, and in which words. */
#include "core/config.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/say.h"
#include "tests/folder.h"
#include "tests/tap.h"
#include "tests/toys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define PIPELINE_OF(security, transport)                                           \
	"\"pipeline\":{\"keys\":{\"plugin\":\"toy_keys\"},\"security\":[" security \
	"],\"reliability\":{\"plugin\":\"toy_reliability\"},\"overlay\":"          \
	"{\"plugin\":\"toy_overlay\"},\"transport\":[" transport "]}"
#define SECURITY   "{\"plugin\":\"toy_security\"}"
#define TCP        "{\"plugin\":\"toy_tcp\",\"listen\":\"127.0.0.1:1\"}"
#define PIPELINE   PIPELINE_OF(SECURITY, TCP)
#define BOB        "\"name\":\"bob\""
#define WITH(more) "{" BOB "," PIPELINE "," more "}"
#define LEAST      "{" BOB "," PIPELINE "}"

static struct core_loader *loader;
static struct core_config *config;
static struct folder folder;
static char why[CORE_SAY_MAX];

static void begin(void)
{
	loader = toys_loader();
	CU_ASSERT_PTR_NOT_NULL_FATAL(loader);
	folder_open(&folder);
	toys_forget();
	toys_break(NULL, NULL);
}

static void end(void)
{
	core_loader_close(loader);
	folder_close(&folder);
}

static int parse_bytes(const char *text, size_t size)
{
	why[0] = '\0';
	config = NULL;
	return core_config_parse(&config, text, size, folder.path, loader, why,
	                         sizeof(why));
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void takes_a_whole_file(void)
{
	static const uint8_t no_overlay[16];

	begin();
	CU_ASSERT_EQUAL(
		parse(WITH("\"control\":\"run/bob.sock\",\"state\":\"/var/bob.state\","
	                   "\"memory_mib\":32,\"log\":{\"level\":\"debug\",\"format\":"
	                   "\"json\"},"
	                   "\"links\":{\"keepalive_ms\":500,\"neighbours\":\"*\","
	                   "\"overlay\":\"home\"},\"sessions\":{\"most\":7},"
	                   "\"forward\":[{\"listen\":\"127.0.0.1:2222\",\"to\":\"alice\","
	                   "\"service\":\"ssh\"},{\"listen\":\"unix:x.sock\",\"to\":"
	                   "\"carol\","
	                   "\"service\":\"db\"}],"
	                   "\"services\":{\"ssh\":{\"connect\":\"[::1]:22\","
	                   "\"allow\":[\"carol\",\"alice\"]},\"web\":{\"connect\":\"127."
	                   "0.0.1:80\","
	                   "\"allow\":\"*\"}}")),
		0);
	TAP_NOTE_IF(config == NULL, "%s", why);
	CU_ASSERT_PTR_NOT_NULL_FATAL(config);
	CU_ASSERT_STRING_EQUAL(config->name, "bob");
	CU_ASSERT_STRING_EQUAL(config->control, folder_path(&folder, "run/bob.sock"));
	CU_ASSERT_STRING_EQUAL(config->state, "/var/bob.state");
	CU_ASSERT_EQUAL(config->memory_bytes, 32u << 20);
	CU_ASSERT_EQUAL(config->log_level, MUSES_DEBUG);
	CU_ASSERT_EQUAL(config->log_form, CORE_LOG_JSON);
	CU_ASSERT_EQUAL(config->links.keepalive_ms, 500);
	CU_ASSERT_EQUAL(config->links.dead_ms, core_links_defaults.dead_ms);
	CU_ASSERT_TRUE(config->links.any_neighbour);
	CU_ASSERT_NOT_EQUAL(memcmp(config->links.overlay_id, no_overlay, 16), 0);
	CU_ASSERT_EQUAL(config->sessions.most_sessions, 7);
	CU_ASSERT_EQUAL(config->sessions.keystep_s, core_sessions_defaults.keystep_s);
	CU_ASSERT_EQUAL(config->forward_count, 2);
	CU_ASSERT_STRING_EQUAL(config->forward[0].to, "alice");
	CU_ASSERT_STRING_EQUAL(config->forward[1].listen, "unix:x.sock");
	CU_ASSERT_EQUAL(config->service_count, 2);
	CU_ASSERT_STRING_EQUAL(config->service[0].name, "ssh");
	CU_ASSERT_EQUAL(config->service[0].allow.count, 2);
	CU_ASSERT_STRING_EQUAL(config->service[1].allow.item[0], "*");
	CU_ASSERT_EQUAL(config->warnings.count, 0);
	CU_ASSERT_EQUAL(config->pipeline->transport_count, 1);
	core_config_free(config);
	end();
}

static void the_least_file_has_defaults(void)
{
	begin();
	CU_ASSERT_EQUAL_FATAL(parse(LEAST), 0);
	CU_ASSERT_PTR_NULL(config->control);
	CU_ASSERT_PTR_NULL(config->state);
	CU_ASSERT_EQUAL(config->log_level, MUSES_INFO);
	CU_ASSERT_EQUAL(config->log_form, CORE_LOG_TEXT);
	CU_ASSERT_EQUAL(config->links.keepalive_ms, core_links_defaults.keepalive_ms);
	CU_ASSERT_FALSE(config->links.any_neighbour);
	CU_ASSERT_EQUAL(config->memory_bytes, CORE_ENV_POOL_BYTES);
	CU_ASSERT_EQUAL(config->sessions.stream_window,
	                core_sessions_defaults.stream_window);
	core_config_free(config);
	end();
}

static void a_service_without_allow_is_for_nobody(void)
{
	begin();
	CU_ASSERT_EQUAL_FATAL(
		parse(WITH("\"services\":{\"ssh\":{\"connect\":\"127.0.0.1:22\"}}")), 0);
	CU_ASSERT_EQUAL(config->service[0].allow.count, 0);
	CU_ASSERT_EQUAL_FATAL(config->warnings.count, 1);
	CU_ASSERT_STRING_EQUAL(
		config->warnings.item[0],
		"services.ssh: nobody may use it; name them in \"allow\", or say \"*\"");
	core_config_free(config);
	end();
}

/* ---- no JSON --------------------------------------------------------------- */

#define BYTES(text) text, sizeof(text) - 1

static void refuses_what_is_no_strict_json(void)
{
	static const struct {
		const char *text;
		size_t size;
		const char *sentence; /* How it begins: the rest may be Jansson's. */
		const char *reason;
	} row[] = {
		{ BYTES(""), "line 1, column 0: ", "empty" },
		{ BYTES("{\n  \"name\": \"bob\""), "line 2, column 15: ", "cut off" },
		{ BYTES("{\"name\": \"bo"), "line 1, column 12: ", "cut off in a text" },
		{ BYTES("{\n}\n}"), "line 3, column 1: ", "something behind" },
		{ BYTES("{} {}"), "line 1, column 4: ", "a second value" },
		{ BYTES("{\"name\": \"a\0b\"}"),
		  "line 1, column 12: there is a zero byte", "a zero byte in a text" },
		{ BYTES("{}\n\0"), "line 2, column 1: there is a zero byte",
		  "a zero byte behind" },
		{ BYTES("{\"name\": \"a\\u0000b\"}"),
		  "line 1, column 19: there is a zero byte (\\u0000)",
		  "a zero byte in disguise" },
		{ BYTES("\xef\xbb\xbf{}"),
		  "line 1, column 1: there is a byte order mark; save the file as UTF-8 "
		  "without one",
		  "an editor put it there" },
		{ BYTES("{\"name\": \"\xff\"}"), "line 1, column 10: ", "not UTF-8" },
		{ BYTES("{\"name\": \"\xc0\xaf\"}"),
		  "line 1, column 10: ", "longer than need be" },
		{ BYTES("{\"name\": \"\xed\xa0\x80\"}"),
		  "line 1, column 10: ", "half a pair" },
		{ BYTES("{\"name\": \"bob\",\n \"name\": \"eve\"}"),
		  "line 2, column 7: ", "the last would win" },
		{ BYTES("{\"memory_mib\": 9223372036854775808}"),
		  "line 1, column 34: ", "2 to the 63rd" },
		{ BYTES("{\"memory_mib\": 1e309}"), "line 1, column 20: ", "endless" },
		{ BYTES("{'name': 'bob'}"), "line 1, column 2: ", "not JSON" },
		{ BYTES("{\"name\": NaN}"), "line 1, column 12: ", "not JSON" },
		{ BYTES("{\"name\": \"bob\",}"),
		  "line 1, column 16: ", "a comma too many" },
		{ BYTES("// bob\n{}"), "line 1, column 1: ", "a comment" },
		{ BYTES("\"bob\""), "line 1, column 5: ", "a text alone" },
		{ BYTES("[]"), "want an object with at least name and pipeline",
		  "a list" },
	};

	begin();
	for (size_t i = 0; i < COUNT(row); i++) {
		int err = parse_bytes(row[i].text, row[i].size);

		bool as_wanted =
			err == MUSES_ECONFIG &&
			strncmp(why, row[i].sentence, strlen(row[i].sentence)) == 0;

		TAP_NOTE_IF(!as_wanted, "%s: '%s', want '%s'", row[i].reason, why,
		            row[i].sentence);
		CU_ASSERT_TRUE(as_wanted);
		if (err == 0)
			core_config_free(config);
	}
	end();
}

static void limits_come_before_memory(void)
{
	static char text[CORE_JSON_SIZE_MAX + 2];
	uint64_t before;

	begin();
	memset(text, '[', sizeof(text));
	before = core_mem_total();
	CU_ASSERT_EQUAL(parse_bytes(text, CORE_JSON_SIZE_MAX + 1), MUSES_ECONFIG);
	CU_ASSERT_STRING_EQUAL(why, "larger than 1048576 bytes");
	CU_ASSERT_EQUAL(parse_bytes(text, 100000), MUSES_ECONFIG);
	CU_ASSERT_STRING_EQUAL(why, "line 1, column 65: more than 64 levels deep");
	CU_ASSERT(core_mem_total() - before < 10);

	/* 64 levels are fine as JSON, also with brackets in texts. */
	memset(text + 64, ']', 64);
	CU_ASSERT_EQUAL(parse_bytes(text, 128), MUSES_ECONFIG);
	CU_ASSERT_STRING_EQUAL(why, "want an object with at least name and pipeline");
	CU_ASSERT_EQUAL(
		parse("{\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
	              "[[[[[[[[\\\"[[[\":1}"),
		MUSES_ECONFIG);
	CU_ASSERT_EQUAL(strncmp(why, "there is no key '[[[", 20), 0);

	memset(text, '1', 1000000);
	memcpy(text, "{\"memory_mib\":", 14);
	text[1000000] = '}';
	CU_ASSERT_EQUAL(parse_bytes(text, 1000001), MUSES_ECONFIG);
	CU_ASSERT(strlen(why) < 300);
	end();
}

/* ---- no configuration ------------------------------------------------------ */

static void refuses_values_with_their_path(void)
{
	static const struct {
		const char *json;
		const char *sentence;
		const char *reason;
	} row[] = {
		{ "{}", "\"name\" is missing: What this node is called.", "empty" },
		{ "{" BOB "}", "\"pipeline\" is missing: The layers of this node.",
		  "no layers" },
		{ WITH("\"nmae\":\"x\""), "there is no key 'nmae'; did you mean 'name'?",
		  "misspelt" },
		{ WITH("\"identity\":\"bob.key\""), "there is no key 'identity'",
		  "belongs to the keys layer" },
		{ WITH("\"x-note\":1"), "there is no key 'x-note'", "no exception" },
		{ WITH("\"plugin\":\"x\""), "there is no key 'plugin'",
		  "only layers have one" },
		{ "{\"name\":7," PIPELINE "}", "name: want a text, not 7", "a number" },
		{ "{\"name\":\"a b\"," PIPELINE "}",
		  "name: 'a b' is not a name; want 1 to 63 letters, digits, '.', '_' and "
		  "'-'",
		  "a space" },
		{ "{\"name\":"
		  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"," PIPELINE
		  "}",
		  "name: want a name, not the text of a node id",
		  "would mean another node" },
		{ WITH("\"memory_mib\":0"),
		  "memory_mib: want a whole number from 1 to 65536 (MiB), "
		  "not 0",
		  "nothing fits" },
		{ WITH("\"memory_mib\":9007199254740993"),
		  "memory_mib: want a whole number from 1 to 65536 (MiB), not "
		  "9007199254740993",
		  "2 to the 53rd, and one" },
		{ WITH("\"log\":7"), "log: want an object", "a number" },
		{ WITH("\"log\":{\"level\":\"loud\"}"),
		  "log.level: want error, warn, info, debug or trace, not \"loud\"",
		  "no level" },
		{ WITH("\"log\":{\"lvl\":\"info\"}"),
		  "log: there is no key 'lvl'; did you mean 'level'?", "misspelt" },
		{ WITH("\"links\":{\"dead_ms\":1}"),
		  "links.dead_ms: want a whole number from 10 to 3600000 (ms), not 1",
		  "too soon" },
		{ WITH("\"links\":{\"neighbours\":\"all\"}"),
		  "links.neighbours: want configured or *, not \"all\"", "no such word" },
		{ WITH("\"sessions\":{\"stream_window\":8192,\"session_window\":4096}"),
		  "sessions.session_window: want at least stream_window (8192), not 4096",
		  "a stream could not fill its window" },
		{ WITH("\"forward\":{}"),
		  "forward: want a list of at most 256 objects with listen, to and "
		  "service",
		  "an object" },
		{ WITH("\"forward\":[7]"), "forward[0]: want an object", "a number" },
		{ WITH("\"forward\":[{\"listen\":\"127.0.0.1:1\",\"service\":\"x\"}]"),
		  "forward[0]: \"to\" is missing: The name of the other node.",
		  "to whom?" },
		{ WITH("\"forward\":[{\"listen\":\"127.0.0.1:1\",\"to\":\"bob\","
		       "\"service\":\"x\"}]"),
		  "forward[0].to: 'bob' is this node itself; want another", "a circle" },
		{ WITH("\"forward\":[{\"listen\":\"127.0.0.1:1\",\"to\":\"a/"
		       "b\",\"service\":\"x\"}]"),
		  "forward[0].to: 'a/b' is not a name; want 1 to 63 letters, digits, "
		  "'.', '_' and "
		  "'-'",
		  "no name" },
		{ WITH("\"forward\":[{\"listen\":\"127.0.0.1:1\",\"to\":\"alice\","
		       "\"service\":\"x\"},"
		       "{\"listen\":\"127.0.0.1:1\",\"to\":\"alice\",\"service\":\"y\"}"
		       "]"),
		  "forward[1].listen: forward[0] listens on 127.0.0.1:1 already",
		  "twice" },
		{ WITH("\"services\":[]"),
		  "services: want an object of at most 256 names, each with connect and "
		  "allow",
		  "a list" },
		{ WITH("\"services\":{\"ssh\":\"127.0.0.1:22\"}"),
		  "services.ssh: want an object", "says not who may" },
		{ WITH("\"services\":{\"s s\":{}}"),
		  "services: 's s' is not a name; want 1 to 63 letters, digits, '.', '_' "
		  "and '-'",
		  "a space" },
		{ WITH("\"services\":{\"ssh\":{\"allow\":\"*\"}}"),
		  "services.ssh: \"connect\" is missing: Where the application listens: "
		  "\"127.0.0.1:22\" or \"unix:PATH\".",
		  "where to?" },
		{ WITH("\"services\":{\"ssh\":{\"connect\":\"127.0.0.1:22\",\"allow\":["
		       "\"*\",\"a "
		       "b\"]}}"),
		  "services.ssh.allow[1]: 'a b' is not a name; want 1 to 63 letters, "
		  "digits, '.', "
		  "'_' and '-'",
		  "no name" },
		{ "{" BOB "," PIPELINE_OF("", TCP) "}",
		  "pipeline.security: want a list of 1 to 8 objects such as { "
		  "\"plugin\": \"NAME\" }",
		  "nothing seals" },
	};

	begin();
	for (size_t i = 0; i < COUNT(row); i++) {
		int err = parse(row[i].json);

		TAP_NOTE_IF(err != MUSES_ECONFIG || strcmp(why, row[i].sentence) != 0,
		            "%s: '%s', want '%s'", row[i].reason, why, row[i].sentence);
		CU_ASSERT_EQUAL(err, MUSES_ECONFIG);
		CU_ASSERT_STRING_EQUAL(why, row[i].sentence);
		if (err == 0)
			core_config_free(config);
	}
	end();
}

static void addresses_are_refused_with_their_path(void)
{
	begin();
	CU_ASSERT_EQUAL(
		parse(WITH("\"forward\":[{\"listen\":\"nowhere\",\"to\":\"alice\","
	                   "\"service\":\"x\"}]")),
		MUSES_ECONFIG);
	CU_ASSERT_EQUAL(strncmp(why, "forward[0].listen: ", 19), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "nowhere"));
	CU_ASSERT_EQUAL(parse(WITH("\"services\":{\"ssh\":{\"connect\":\"127.0.0.1:0\","
	                           "\"allow\":\"*\"}}")),
	                MUSES_ECONFIG);
	CU_ASSERT_EQUAL(strncmp(why, "services.ssh.connect: ", 22), 0);
	end();
}

static void words_of_strangers_do_not_reach_the_terminal(void)
{
	static const char *const json[] = {
		"{\"na\\u001b[31mme\":1}",
		"{\"a\\nerror: all is lost\":1}",
		"{" BOB ",\"pipeline\":{\"a\\u0007\":1}}",
		WITH("\"services\":{\"\\u009b2J\":{}}"),
		"{\"name\":\"b\\tob\"," PIPELINE "}",
	};

	begin();
	for (size_t i = 0; i < COUNT(json); i++) {
		CU_ASSERT_EQUAL(parse(json[i]), MUSES_ECONFIG);
		for (const char *c = why; *c != '\0'; c++)
			CU_ASSERT((unsigned char)*c >= 0x20 && *c != 0x7f);
		CU_ASSERT_PTR_NULL(strstr(why, "\xc2\x9b"));
	}
	end();
}

/* ---- the file -------------------------------------------------------------- */

static void reads_a_file_where_it_is(void)
{
	char sentence[1200], link[1100];
	struct folder other;

	begin();
	folder_text(&folder, "bob.json", WITH("\"control\":\"bob.sock\""), 0644);
	CU_ASSERT_EQUAL_FATAL(core_config_read(&config, folder_path(&folder, "bob.json"),
	                                       loader, why, sizeof(why)),
	                      0);
	CU_ASSERT_STRING_EQUAL(config->path, folder_path(&folder, "bob.json"));
	CU_ASSERT_STRING_EQUAL(config->folder, folder.path);
	CU_ASSERT_STRING_EQUAL(config->control, folder_path(&folder, "bob.sock"));
	core_config_free(config);

	/* Beside the name that was given, wherever a link leads. */
	folder_open(&other);
	snprintf(link, sizeof(link), "%s", folder_path(&other, "link.json"));
	CU_ASSERT_EQUAL(symlink(folder_path(&folder, "bob.json"), link), 0);
	CU_ASSERT_EQUAL_FATAL(core_config_read(&config, link, loader, why, sizeof(why)),
	                      0);
	CU_ASSERT_STRING_EQUAL(config->control, folder_path(&other, "bob.sock"));
	core_config_free(config);
	folder_close(&other);

	CU_ASSERT_EQUAL(core_config_read(&config, folder_path(&folder, "none.json"),
	                                 loader, why, sizeof(why)),
	                MUSES_ESYSTEM);
	snprintf(sentence, sizeof(sentence), "cannot open %s: No such file or directory",
	         folder_path(&folder, "none.json"));
	CU_ASSERT_STRING_EQUAL(why, sentence);
	CU_ASSERT_EQUAL(mkfifo(folder_path(&folder, "fifo.json"), 0600), 0);
	CU_ASSERT_EQUAL(core_config_read(&config, folder_path(&folder, "fifo.json"),
	                                 loader, why, sizeof(why)),
	                MUSES_ECONFIG);
	snprintf(sentence, sizeof(sentence), "%s is not a plain file",
	         folder_path(&folder, "fifo.json"));
	CU_ASSERT_STRING_EQUAL(why, sentence);
	end();
}

static void a_huge_file_is_not_read(void)
{
	char sentence[1200];

	begin();
	folder_text(&folder, "huge.json", "{}", 0644);
	CU_ASSERT_EQUAL(truncate(folder_path(&folder, "huge.json"), (off_t)1 << 30), 0);
	CU_ASSERT_EQUAL(core_config_read(&config, folder_path(&folder, "huge.json"),
	                                 loader, why, sizeof(why)),
	                MUSES_ECONFIG);
	snprintf(sentence, sizeof(sentence), "%s is larger than 1048576 bytes",
	         folder_path(&folder, "huge.json"));
	CU_ASSERT_STRING_EQUAL(why, sentence);
	end();
}

/* ---- the dry run ----------------------------------------------------------- */

#define FORWARD_TO(name)                                               \
	WITH("\"forward\":[{\"listen\":\"127.0.0.1:1\",\"to\":\"" name \
	     "\",\"service\":\"x\"}]")
#define ALLOW(names)                                                                    \
	WITH("\"services\":{\"ssh\":{\"connect\":\"127.0.0.1:22\",\"allow\":" names "}" \
	     "}")
#define DIAL(name)                                                                    \
	"{" BOB "," PIPELINE_OF(SECURITY, "{\"plugin\":\"toy_tcp\",\"dial\":{\"" name \
	                                  "\":\"127.0.0.1:1\"}}") "}"
#define ROUTE(name)                                                                 \
	"{" BOB                                                                     \
	",\"pipeline\":{\"keys\":{\"plugin\":\"toy_keys\"},\"security\":[" SECURITY \
	"],\"reliability\":{\"plugin\":\"toy_reliability\"},\"overlay\":"           \
	"{\"plugin\":\"toy_overlay\",\"routes\":{\"*\":\"" name                     \
	"\"}},\"transport\":[" TCP "]}}"

static void open_layers_know_more(void)
{
	static const struct {
		const char *json;
		const char *sentence; /* NULL: fine. */
	} row[] = {
		{ LEAST, NULL },
		{ FORWARD_TO("alice"), NULL },
		{ FORWARD_TO("later"), NULL }, /* A look-up tells, one day. */
		{ FORWARD_TO("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
		  NULL },
		{ FORWARD_TO("mallory"),
		  "forward[0].to: nobody is called 'mallory' in the keys layer's files" },
		{ ALLOW("[\"carol\",\"*\"]"), NULL },
		{ ALLOW("[\"carol\",\"mallory\"]"),
		  "services.ssh.allow[1]: nobody is called 'mallory' in the keys layer's "
		  "files" },
		{ ALLOW("\"groupie\""), "services.ssh.allow[0]: 'groupie' shares one "
		                        "secret with the whole group and "
		                        "cannot be told from the others; want \"*\", or "
		                        "a secret of that name" },
		{ DIAL("r1"), NULL },
		{ DIAL("r2"),
		  "pipeline.transport[0].dial.r2: nobody is called 'r2' in the keys "
		  "layer's files" },
		{ ROUTE("r1"), NULL },
		{ ROUTE("r2"),
		  "pipeline.overlay: nobody is called 'r2' in the keys layer's files" },
		{ "{" BOB "," PIPELINE_OF(
			  "{\"plugin\":\"toy_security\",\"nothing\":true}", TCP) "}",
		  "pipeline.security: no suite is on offer" },
	};

	begin();
	for (size_t i = 0; i < COUNT(row); i++) {
		int err;

		CU_ASSERT_EQUAL_FATAL(parse(row[i].json), 0);
		toys_forget();
		err = core_config_check_open(config, NULL, why, sizeof(why));
		TAP_NOTE_IF((err == 0) != (row[i].sentence == NULL), "row %zu: %s", i,
		            why);
		CU_ASSERT_EQUAL(err, row[i].sentence == NULL ? 0 : MUSES_ECONFIG);
		if (row[i].sentence != NULL)
			CU_ASSERT_STRING_EQUAL(why, row[i].sentence);
		CU_ASSERT_PTR_NOT_NULL(strstr(toys_story(), "close(toy_tcp)"));
		CU_ASSERT_PTR_NULL(strstr(toys_story(), "start("));
		/* And nothing is the worse for it. */
		CU_ASSERT_EQUAL(core_config_check_open(config, NULL, why, sizeof(why)),
		                err);
		core_config_free(config);
	}
	end();
}

static void a_layer_that_does_not_open_is_heard(void)
{
	begin();
	CU_ASSERT_EQUAL_FATAL(parse(LEAST), 0);
	toys_break("toy_tcp", "open");
	CU_ASSERT_EQUAL(core_config_check_open(config, NULL, why, sizeof(why)),
	                MUSES_ECONFIG);
	CU_ASSERT_STRING_EQUAL(why, "pipeline.transport[0]: cannot be opened today");
	core_config_free(config);
	end();
}

/* ---- reload ---------------------------------------------------------------- */

static void only_some_keys_may_change(void)
{
	static const struct {
		const char *json;
		const char *sentence; /* NULL: fine. */
	} row[] = {
		{ LEAST, NULL },
		{ "{" PIPELINE "," BOB "}", NULL },
		{ WITH("\"log\":{\"level\":\"debug\"}"), NULL },
		{ FORWARD_TO("alice"), NULL },
		{ ALLOW("\"*\""), NULL },
		{ "{\"name\":\"rob\"," PIPELINE "}",
		  "name has changed, which needs a restart" },
		{ WITH("\"control\":\"x\""),
		  "control has changed, which needs a restart" },
		{ WITH("\"links\":{\"dead_ms\":100}"),
		  "links has changed, which needs a restart" },
		{ WITH("\"memory_mib\":3"),
		  "memory_mib has changed, which needs a restart" },
		{ DIAL("r1"),
		  "pipeline.transport[0].listen has changed, which needs a restart" },
	};
	struct core_config *old;

	begin();
	CU_ASSERT_EQUAL_FATAL(parse(LEAST), 0);
	old = config;
	for (size_t i = 0; i < COUNT(row); i++) {
		bool may;

		CU_ASSERT_EQUAL_FATAL(parse(row[i].json), 0);
		may = core_config_reloadable(old, config, why, sizeof(why));
		TAP_NOTE_IF(may != (row[i].sentence == NULL), "row %zu: %s", i, why);
		CU_ASSERT_EQUAL(may, row[i].sentence == NULL);
		if (row[i].sentence != NULL)
			CU_ASSERT_STRING_EQUAL(why, row[i].sentence);
		core_config_free(config);
	}
	core_config_free(old);

	CU_ASSERT_EQUAL_FATAL(parse(WITH("\"links\":{\"dead_ms\":100,\"most\":7}")), 0);
	old = config;
	CU_ASSERT_EQUAL_FATAL(parse(WITH("\"links\":{\"dead_ms\":100,\"most\":8}")), 0);
	CU_ASSERT_FALSE(core_config_reloadable(old, config, why, sizeof(why)));
	CU_ASSERT_STRING_EQUAL(why, "links.most has changed, which needs a restart");
	core_config_free(config);
	core_config_free(old);
	end();
}

/* ---- memory ---------------------------------------------------------------- */

static void every_allocation_may_fail(void)
{
	const char *json =
		WITH("\"control\":\"c\",\"log\":{},\"links\":{},\"sessions\":{},"
	             "\"forward\":[{\"listen\":\"127.0.0.1:1\",\"to\":\"alice\","
	             "\"service\":\"x\"}],"
	             "\"services\":{\"ssh\":{\"connect\":\"127.0.0.1:22\"}}");
	uint64_t before;
	int err = MUSES_ENOMEM;

	begin();
	CU_ASSERT_EQUAL_FATAL(parse(json), 0); /* The loader has found its plugins. */
	core_config_free(config);
	before = core_mem_count();
	for (uint64_t n = 1; err == MUSES_ENOMEM && n < 300; n++) {
		core_mem_fuse(n);
		err = parse(json);
		TAP_NOTE_IF(core_mem_blown() != (err != 0), "allocation %u", (unsigned)n);
		CU_ASSERT_TRUE(core_mem_blown() == (err != 0));
		if (err != 0)
			CU_ASSERT_EQUAL(core_mem_count(), before);
	}
	core_mem_fuse(0);
	CU_ASSERT_EQUAL(err, 0);
	core_config_free(config);
	CU_ASSERT_EQUAL(core_mem_count(), before);
	end();
}

static const struct tap_test tests[] = {
	{ "a whole file reaches the struct", takes_a_whole_file },
	{ "a file with only a name and a pipeline has defaults",
	  the_least_file_has_defaults },
	{ "a service that names nobody is for nobody, with a warning",
	  a_service_without_allow_is_for_nobody },
	{ "what is no strict JSON is refused with line and column",
	  refuses_what_is_no_strict_json },
	{ "size and depth are bounded before anything is allocated",
	  limits_come_before_memory },
	{ "a wrong value is refused with its path", refuses_values_with_their_path },
	{ "a wrong address is refused with its path",
	  addresses_are_refused_with_their_path },
	{ "control characters in a file do not reach the terminal",
	  words_of_strangers_do_not_reach_the_terminal },
	{ "relative paths start where the file was named", reads_a_file_where_it_is },
	{ "a file of a gigabyte is refused unread", a_huge_file_is_not_read },
	{ "check finds what only open layers know", open_layers_know_more },
	{ "check says why a layer does not open", a_layer_that_does_not_open_is_heard },
	{ "a reload may change services, forwards and the log, no more",
	  only_some_keys_may_change },
	{ "every allocation may fail", every_allocation_may_fail },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_config", tests);
}
