/* SPDX-License-Identifier: Apache-2.0 */
/* Option tables: which values are refused, and in which words. */
#include "core/json.h"
#include "core/mem.h"
#include "core/options.h"
#include "core/say.h"
#include "tests/folder.h"
#include "tests/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct sink {
	bool flag;
	uint32_t number;
	uint64_t wide;
	double real;
	const char *text;
	uint32_t bits;
	uint32_t mode;
	struct muses_list items;
	struct muses_map routes;
	struct muses_map dial;
	struct muses_file secret;
	struct muses_file plain;
};

static const char *const bit_words[] = { "128", "256", NULL };
static const char *const mode_words[] = { "ctr", "cbc", "off", NULL };

static const struct muses_option sink_options[] = {
	MUSES_BOOL(sink, flag, true, "Whether."),
	MUSES_UINT32(sink, number, 20, 10, 60000, "ms", "How long."),
	MUSES_UINT64(sink, wide, 5, 0, UINT64_MAX, NULL, "How many."),
	MUSES_REAL(sink, real, 0.5, 0, 1, "of all", "How much."),
	MUSES_STRING(sink, text, "preset", 0, "What."),
	MUSES_CHOICE(sink, bits, 1, bit_words, "Bits of the key."),
	MUSES_CHOICE(sink, mode, 0, mode_words, "Which."),
	MUSES_LIST(sink, items, 0, "Some."),
	MUSES_MAP(sink, routes, MUSES_OPTION_SCALAR, "Next hops."),
	MUSES_MAP(sink, dial, MUSES_OPTION_ADDRESS, "Whom to dial."),
	MUSES_FILE(sink, secret, MUSES_OPTION_SECRET, "A secret."),
	MUSES_FILE(sink, plain, 0, "No secret."),
	MUSES_OPTIONS_END,
};

static const struct muses_plugin plugin = {
	MUSES_STAMP,
	.name = "sink",
	.kind = MUSES_TRANSPORT,
	.options = sink_options,
	.config_size = sizeof(struct sink),
};

static struct folder folder;
static char why[CORE_SAY_MAX];
static struct sink *sink;
static struct core_options *options;

static bool has_colon(void *user, const char *text, char *reason, size_t size)
{
	(void)user;
	if (strchr(text, ':') != NULL)
		return true;
	snprintf(reason, size, "want IP:PORT, not '%s'", text);
	return false;
}

/* 0, and sink and options are there until drop(). */
static int take(const struct muses_plugin *by, const char *text)
{
	struct core_options_place place = {
		.path = "p",
		.folder = folder.path,
		.address = has_colon,
	};
	json_t *object = core_json_parse(text, strlen(text), why, sizeof(why));
	void *config = NULL;
	int err;

	TAP_NOTE_IF(object == NULL, "%s: %s", text, why);
	CU_ASSERT_PTR_NOT_NULL_FATAL(object);
	why[0] = '\0';
	err = core_options_read(by, object, &place, &config, &options, why, sizeof(why));
	json_decref(object);
	sink = config;
	return err;
}

static void drop(void)
{
	core_options_free(options, sink);
	options = NULL;
	sink = NULL;
}

static void fills_in_defaults(void)
{
	CU_ASSERT_EQUAL_FATAL(take(&plugin, "{ \"plugin\": \"sink\" }"), 0);
	CU_ASSERT_TRUE(sink->flag);
	CU_ASSERT_EQUAL(sink->number, 20);
	CU_ASSERT_EQUAL(sink->wide, 5);
	CU_ASSERT_DOUBLE_EQUAL(sink->real, 0.5, 0);
	CU_ASSERT_STRING_EQUAL(sink->text, "preset");
	CU_ASSERT_EQUAL(sink->bits, 1);
	CU_ASSERT_EQUAL(sink->items.count, 0);
	CU_ASSERT_EQUAL(sink->routes.count, 0);
	CU_ASSERT_PTR_NULL(sink->secret.data);
	drop();
}

static void takes_values_of_every_type(void)
{
	folder_open(&folder);
	folder_text(&folder, "s", "hush", 0600);
	CU_ASSERT_EQUAL_FATAL(
		take(&plugin,
	             "{ \"flag\": false, \"number\": 10, \"wide\": 9223372036854775807,"
	             "  \"real\": 1, \"text\": \"\\u00e9t\\u00e9\", \"bits\": 128,"
	             "  \"mode\": \"off\", \"items\": [\"a\", \"b\"],"
	             "  \"routes\": { \"z\": \"1\", \"*\": \"3\", \"a.b-c_d\": \"2\" },"
	             "  \"dial\": { \"r1\": [\"h:1\", \"h:2\"], \"r2\": \"h:3\" },"
	             "  \"secret\": \"s\" }"),
		0);
	CU_ASSERT_FALSE(sink->flag);
	CU_ASSERT_EQUAL(sink->number, 10);
	CU_ASSERT_EQUAL(sink->wide, INT64_MAX);
	CU_ASSERT_DOUBLE_EQUAL(sink->real, 1, 0);
	CU_ASSERT_STRING_EQUAL(sink->text, "\xc3\xa9t\xc3\xa9");
	CU_ASSERT_EQUAL(sink->bits, 0);
	CU_ASSERT_EQUAL(sink->mode, 2);
	CU_ASSERT_EQUAL_FATAL(sink->items.count, 2);
	CU_ASSERT_STRING_EQUAL(sink->items.item[1], "b");
	CU_ASSERT_EQUAL_FATAL(sink->routes.count, 3);
	CU_ASSERT_STRING_EQUAL(sink->routes.entry[0].name, "z"); /* As in the file. */
	CU_ASSERT_STRING_EQUAL(sink->routes.entry[2].values.item[0], "2");
	CU_ASSERT_EQUAL_FATAL(sink->dial.count, 2);
	CU_ASSERT_EQUAL(sink->dial.entry[0].values.count, 2);
	CU_ASSERT_EQUAL(sink->dial.entry[1].values.count, 1);
	CU_ASSERT_STRING_EQUAL(sink->secret.data, "hush");
	CU_ASSERT_EQUAL(sink->secret.size, 4);
	CU_ASSERT_STRING_EQUAL(sink->secret.path, folder_path(&folder, "s"));
	drop();
	folder_close(&folder);
}

static void refuses_values_in_plain_words(void)
{
	static const struct {
		const char *json;
		const char *sentence;
		const char *reason;
	} row[] = {
		{ "{\"number\":-1}",
		  "p.number: want a whole number from 10 to 60000 (ms), not -1",
		  "below zero" },
		{ "{\"number\":9}",
		  "p.number: want a whole number from 10 to 60000 (ms), not 9",
		  "below the least" },
		{ "{\"number\":60001}",
		  "p.number: want a whole number from 10 to 60000 (ms), not 60001",
		  "above" },
		{ "{\"number\":4294967316}",
		  "p.number: want a whole number from 10 to 60000 (ms), not 4294967316",
		  "20 in 32 bits" },
		{ "{\"number\":0.5}",
		  "p.number: want a whole number from 10 to 60000 (ms), not 0.5",
		  "half a count" },
		{ "{\"number\":20.0}",
		  "p.number: want a whole number from 10 to 60000 (ms), not 20.0",
		  "a real where a count is due" },
		{ "{\"number\":\"20\"}",
		  "p.number: want a whole number from 10 to 60000 (ms), not \"20\"",
		  "a text" },
		{ "{\"number\":null}",
		  "p.number: want a whole number from 10 to 60000 (ms), not null",
		  "nothing" },
		{ "{\"number\":[20]}",
		  "p.number: want a whole number from 10 to 60000 (ms), not a list",
		  "a list" },
		{ "{\"wide\":-1}",
		  "p.wide: want a whole number from 0 to 18446744073709551615, not -1",
		  "below zero, no unit" },
		{ "{\"real\":1.5}", "p.real: want a number from 0 to 1 (of all), not 1.5",
		  "above" },
		{ "{\"real\":\"x\"}",
		  "p.real: want a number from 0 to 1 (of all), not \"x\"", "a text" },
		{ "{\"flag\":1}", "p.flag: want true or false, not 1", "a number" },
		{ "{\"bits\":192}", "p.bits: want 128 or 256, not 192",
		  "the example everywhere" },
		{ "{\"mode\":\"gcm\"}", "p.mode: want ctr, cbc or off, not \"gcm\"",
		  "three words" },
		{ "{\"text\":7}", "p.text: want a text, not 7", "a number" },
		{ "{\"text\":\"\"}",
		  "p.text: want a text of 1 to 4096 bytes without control characters",
		  "empty" },
		{ "{\"text\":\"a\\nb\"}",
		  "p.text: want a text of 1 to 4096 bytes without control characters",
		  "would forge a line of the log" },
		{ "{\"items\":[\"a\",3]}", "p.items[1]: want a text, not 3",
		  "the second" },
		{ "{\"items\":3}", "p.items: want a text or a list of texts, not 3",
		  "a number" },
		{ "{\"routes\":[]}", "p.routes: want an object of names, not a list",
		  "a list" },
		{ "{\"routes\":{\"a\":[\"b\"]}}", "p.routes.a: want a text, not a list",
		  "one hop, not many" },
		{ "{\"routes\":{\"a b\":\"c\"}}",
		  "p.routes: 'a b' is not a name; want 1 to 63 letters, digits, '.', '_' "
		  "and "
		  "'-', or \"*\"",
		  "a space" },
		{ "{\"routes\":{\"a\\u001b[2J\":\"c\"}}",
		  "p.routes: 'a?[2J' is not a name; want 1 to 63 letters, digits, '.', "
		  "'_' and "
		  "'-', or \"*\"",
		  "would clear the screen" },
		{ "{\"dial\":{\"*\":\"h:1\"}}",
		  "p.dial: '*' is not a name; want 1 to 63 letters, digits, '.', '_' and "
		  "'-'",
		  "nobody can dial everybody" },
		{ "{\"dial\":{\"r1\":[\"h:1\",\"h\"]}}",
		  "p.dial.r1[1]: want IP:PORT, not 'h'", "the transport judges" },
		{ "{\"dial\":{\"r1\":\"h\"}}", "p.dial.r1: want IP:PORT, not 'h'",
		  "alone" },
		{ "{\"plain\":true}", "p.plain: want the name of a file, not true",
		  "no name" },
		{ "{\"numbre\":20}",
		  "p: 'sink' has no option 'numbre'; did you mean 'number'?",
		  "misspelt" },
		{ "{\"colour\":20}", "p: 'sink' has no option 'colour'",
		  "nothing is near" },
		{ "{\"x-note\":20}", "p: 'sink' has no option 'x-note'",
		  "unknown keys are errors without exception" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		int err = take(&plugin, row[i].json);

		TAP_NOTE_IF(err != MUSES_ECONFIG || strcmp(why, row[i].sentence) != 0,
		            "%s: '%s' (%s)", row[i].json, why, row[i].reason);
		CU_ASSERT_EQUAL(err, MUSES_ECONFIG);
		CU_ASSERT_STRING_EQUAL(why, row[i].sentence);
		if (err == 0)
			drop();
	}
}

static void long_texts_stay_short_in_sentences(void)
{
	char json[9000];
	size_t used = (size_t)snprintf(json, sizeof(json), "{\"number\":\"");

	memset(json + used, 'y', 8000);
	snprintf(json + used + 8000, sizeof(json) - used - 8000, "\"}");
	CU_ASSERT_EQUAL(take(&plugin, json), MUSES_ECONFIG);
	CU_ASSERT(strlen(why) < 120);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "..."));

	used = (size_t)snprintf(json, sizeof(json), "{\"text\":\"");
	memset(json + used, 'y', 4097);
	snprintf(json + used + 4097, sizeof(json) - used - 4097, "\"}");
	CU_ASSERT_EQUAL(take(&plugin, json), MUSES_ECONFIG);
	CU_ASSERT_STRING_EQUAL(
		why, "p.text: want a text of 1 to 4096 bytes without control characters");
}

static void asks_for_what_is_required(void)
{
	static const struct muses_option required[] = {
		MUSES_STRING(sink, text, NULL, MUSES_OPTION_REQUIRED, "What it says."),
		MUSES_OPTIONS_END,
	};
	struct muses_plugin needy = plugin;

	needy.options = required;
	CU_ASSERT_EQUAL(take(&needy, "{}"), MUSES_ECONFIG);
	CU_ASSERT_STRING_EQUAL(why, "p: 'sink' needs \"text\": What it says.");
	needy.kind = MUSES_KINDS;
	CU_ASSERT_EQUAL(take(&needy, "{}"), MUSES_ECONFIG);
	CU_ASSERT_STRING_EQUAL(why, "p: \"text\" is missing: What it says.");
	CU_ASSERT_EQUAL(take(&needy, "{\"plugin\":\"x\"}"), MUSES_ECONFIG);
	CU_ASSERT_STRING_EQUAL(why, "p: there is no key 'plugin'");
}

/* ---- files ----------------------------------------------------------------- */

static void expect_file(const char *key, const char *name, const char *format,
                        const char *reason)
{
	char json[600], sentence[3000], *at;
	int err;

	snprintf(json, sizeof(json), "{\"%s\":\"%s\"}", key, name);
	err = take(&plugin, json);
	core_say(sentence, sizeof(sentence), 0, "p.%s: ", key);
	/* "PATH" in format is the file's. */
	at = strstr(format, "PATH");
	core_say(sentence + strlen(sentence), sizeof(sentence) - strlen(sentence), 0,
	         "%.*s%s%s", at == NULL ? 0 : (int)(at - format), format,
	         folder_path(&folder, name), at == NULL ? format : at + 4);
	TAP_NOTE_IF(err == 0 || strcmp(why, sentence) != 0, "%s: '%s', want '%s' (%s)",
	            name, why, sentence, reason);
	CU_ASSERT_NOT_EQUAL(err, 0);
	CU_ASSERT_STRING_EQUAL(why, sentence);
	if (err == 0)
		drop();
}

static void a_secret_must_be_kept(void)
{
	folder_open(&folder);
	folder_text(&folder, "group.key", "hush", 0640);
	folder_text(&folder, "world.key", "hush", 0604);
	folder_text(&folder, "good.key", "hush", 0400);
	CU_ASSERT_EQUAL(symlink("good.key", folder_path(&folder, "link.key")), 0);
	CU_ASSERT_EQUAL(mkfifo(folder_path(&folder, "fifo.key"), 0600), 0);
	CU_ASSERT_EQUAL(mkdir(folder_path(&folder, "folder.key"), 0700), 0);

	expect_file("secret", "group.key",
	            "PATH is open to others (mode 0640): chmod 600 group.key",
	            "the group may read it");
	expect_file("secret", "world.key",
	            "PATH is open to others (mode 0604): chmod 600 world.key",
	            "anybody may read it");
	expect_file("secret", "link.key",
	            "PATH is a symbolic link; a secret must be a plain file",
	            "somebody may turn the link");
	expect_file("secret", "fifo.key", "PATH is not a plain file",
	            "and nobody waits for it");
	expect_file("secret", "folder.key", "PATH is not a plain file", "a folder");
	expect_file("secret", "none.key", "cannot open PATH: No such file or directory",
	            "not there");
	CU_ASSERT_EQUAL(take(&plugin, "{\"secret\":\"/dev/null\"}"), MUSES_ECONFIG);
	CU_ASSERT_STRING_EQUAL(why, "p.secret: /dev/null is not a plain file");
	CU_ASSERT_EQUAL_FATAL(take(&plugin, "{\"secret\":\"good.key\"}"), 0);
	drop();
	folder_close(&folder);
}

static void a_secret_of_somebody_else_is_refused(void)
{
	if (geteuid() != 0) {
		tap_skip("only root can give files away");
		return;
	}
	folder_open(&folder);
	folder_text(&folder, "s.key", "hush", 0600);
	CU_ASSERT_EQUAL(chown(folder_path(&folder, "s.key"), 4242, (gid_t)-1), 0);
	expect_file("secret", "s.key",
	            "PATH belongs to user 4242; a secret must belong to the user who "
	            "runs this "
	            "(0) or to root",
	            "its owner reads along");
	folder_close(&folder);
}

static void a_plain_file_may_be_a_link_but_not_endless(void)
{
	static char big[MUSES_FILE_MAX + 1];

	folder_open(&folder);
	folder_text(&folder, "text", "", 0644);
	CU_ASSERT_EQUAL(symlink("text", folder_path(&folder, "link")), 0);
	folder_write(&folder, "big", big, sizeof(big), 0644);
	CU_ASSERT_EQUAL(mkfifo(folder_path(&folder, "fifo"), 0600), 0);
	expect_file("plain", "big", "PATH is larger than 1048576 bytes",
	            "one byte too many");
	expect_file("plain", "fifo", "PATH is not a plain file",
	            "and nobody waits for it");
	CU_ASSERT_EQUAL_FATAL(take(&plugin, "{\"plain\":\"link\"}"), 0);
	CU_ASSERT_EQUAL(sink->plain.size, 0);
	CU_ASSERT_STRING_EQUAL(sink->plain.data, "");
	drop();
	folder_close(&folder);
}

/* ---- tables ---------------------------------------------------------------- */

static void broken_tables_are_found(void)
{
	static const struct {
		struct muses_option option;
		const char *sentence;
	} row[] = {
		{ { .name = "Big", .type = MUSES_TYPE_BOOL, .help = "X." },
		  "0 ('Big') has a name that is not [a-z][a-z0-9_]*, or is \"plugin\"" },
		{ { .name = "plugin", .type = MUSES_TYPE_BOOL, .help = "X." },
		  "0 ('plugin') has a name that is not [a-z][a-z0-9_]*, or is "
		  "\"plugin\"" },
		{ { .name = "a", .type = (enum muses_option_type)99, .help = "X." },
		  "0 ('a') is of a type this core does not know" },
		{ { .name = "a", .type = MUSES_TYPE_UINT64, .offset = 12, .help = "X." },
		  "0 ('a') lies outside of the struct" },
		{ { .name = "a",
		    .type = MUSES_TYPE_BOOL,
		    .offset = SIZE_MAX,
		    .help = "X." },
		  "0 ('a') lies outside of the struct" },
		{ { .name = "a", .type = MUSES_TYPE_BOOL }, "0 ('a') has no help" },
		{ { .name = "a",
		    .type = MUSES_TYPE_BOOL,
		    .flags = MUSES_OPTION_SECRET,
		    .help = "X." },
		  "0 ('a') has flags that do not go with its type" },
		{ { .name = "a", .type = MUSES_TYPE_BOOL, .preset = 2, .help = "X." },
		  "0 ('a') has a default that is neither true nor false" },
		{ { .name = "a",
		    .type = MUSES_TYPE_UINT32,
		    .most = 1,
		    .preset = 2,
		    .help = "X." },
		  "0 ('a') has a default out of its range" },
		{ { .name = "a",
		    .type = MUSES_TYPE_UINT32,
		    .least = 2,
		    .most = 1,
		    .help = "X." },
		  "0 ('a') has a range from more to less" },
		{ { .name = "a",
		    .type = MUSES_TYPE_UINT32,
		    .most = UINT64_MAX,
		    .help = "X." },
		  "0 ('a') has a range wider than its type" },
		{ { .name = "a",
		    .type = MUSES_TYPE_REAL,
		    .most_real = 1,
		    .preset_real = 2,
		    .help = "X." },
		  "0 ('a') has a default out of its range" },
		{ { .name = "a", .type = MUSES_TYPE_CHOICE, .help = "X." },
		  "0 ('a') has no choices" },
		{ { .name = "a",
		    .type = MUSES_TYPE_CHOICE,
		    .choices = bit_words,
		    .preset = 2,
		    .help = "X." },
		  "0 ('a') has a default out of its range" },
	};
	static const struct muses_option twice[] = {
		{ .name = "a", .type = MUSES_TYPE_BOOL, .help = "X." },
		{ .name = "a", .type = MUSES_TYPE_BOOL, .offset = 1, .help = "X." },
		MUSES_OPTIONS_END,
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct muses_option table[2] = { row[i].option, MUSES_OPTIONS_END };

		CU_ASSERT_FALSE(core_options_sane(table, 16, why, sizeof(why)));
		TAP_NOTE_IF(strcmp(why, row[i].sentence) != 0, "row %zu: '%s'", i, why);
		CU_ASSERT_STRING_EQUAL(why, row[i].sentence);
	}
	CU_ASSERT_FALSE(core_options_sane(twice, 16, why, sizeof(why)));
	CU_ASSERT_STRING_EQUAL(why, "1 ('a') is there twice");
	CU_ASSERT_TRUE(
		core_options_sane(sink_options, sizeof(struct sink), why, sizeof(why)));
}

static void tables_are_shown(void)
{
	static const struct muses_option some[] = {
		MUSES_UINT32(sink, number, 20, 10, 60000, "ms", "How long."),
		MUSES_CHOICE(sink, mode, 1, mode_words, "Which - or none."),
		MUSES_FILE(sink, secret, MUSES_OPTION_SECRET | MUSES_OPTION_REQUIRED,
		           "A secret."),
		MUSES_OPTIONS_END,
	};
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	core_options_print(some, file);
	fclose(file);
	CU_ASSERT_STRING_EQUAL(
		text, "  number  number, 10 to 60000 ms   20        How long.\n"
		      "  mode    one of ctr, cbc, off     cbc       Which - or none.\n"
		      "  secret  secret file (mode 0600)  required  A secret.\n");
	free(text);
	file = open_memstream(&text, &size);
	core_options_print_man(some, file);
	fclose(file);
	CU_ASSERT_STRING_EQUAL(text, ".It Cm number\nHow long.\n"
	                             "(number, 10 to 60000 ms; default 20)\n"
	                             ".It Cm mode\nWhich - or none.\n"
	                             "(one of ctr, cbc, off; default cbc)\n"
	                             ".It Cm secret\nA secret.\n"
	                             "(secret file (mode 0600); required)\n");
	free(text);
}

static void every_allocation_may_fail(void)
{
	const char *json =
		"{\"text\":\"a\",\"items\":[\"a\",\"b\"],\"routes\":{\"a\":\"b\"},"
		"\"secret\":\"s\"}";
	uint64_t before;
	int err = MUSES_ENOMEM;

	folder_open(&folder);
	folder_text(&folder, "s", "hush", 0600);
	before = core_mem_count();
	for (uint64_t n = 1; err == MUSES_ENOMEM && n < 100; n++) {
		core_mem_fuse(n);
		err = take(&plugin, json);
		CU_ASSERT_TRUE(core_mem_blown() == (err != 0));
		if (err != 0)
			CU_ASSERT_EQUAL(core_mem_count(), before);
	}
	core_mem_fuse(0);
	CU_ASSERT_EQUAL(err, 0);
	drop();
	CU_ASSERT_EQUAL(core_mem_count(), before);
	folder_close(&folder);
}

static const struct tap_test tests[] = {
	{ "what the file does not say has its default", fills_in_defaults },
	{ "values of every type reach the struct", takes_values_of_every_type },
	{ "a wrong value is refused with its path and what would be right",
	  refuses_values_in_plain_words },
	{ "a long text does not make a long sentence",
	  long_texts_stay_short_in_sentences },
	{ "a required key is asked for by its help", asks_for_what_is_required },
	{ "a secret file that others can reach is refused", a_secret_must_be_kept },
	{ "a secret file of somebody else is refused",
	  a_secret_of_somebody_else_is_refused },
	{ "a plain file may be a link, but neither endless nor a device",
	  a_plain_file_may_be_a_link_but_not_endless },
	{ "a table that is not well-formed is found", broken_tables_are_found },
	{ "a table is shown as text and for a manual page", tables_are_shown },
	{ "every allocation may fail", every_allocation_may_fail },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_options", tests);
}
