/* SPDX-License-Identifier: Apache-2.0 */
/* Tests core/log.c: levels, forms, and that nothing hostile gets out. */
#include "tests/tap.h"

#include "core/log.h"
#include "core/loop.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Standard error goes into a pipe while a test looks. */
static int saved_stderr, pipe_end[2];

static void begin_capture(void)
{
	CU_ASSERT_EQUAL_FATAL(pipe2(pipe_end, O_NONBLOCK), 0);
	saved_stderr = dup(STDERR_FILENO);
	CU_ASSERT_TRUE_FATAL(saved_stderr >= 0);
	dup2(pipe_end[1], STDERR_FILENO);
}

static void end_capture(char *text, size_t size)
{
	ssize_t got = read(pipe_end[0], text, size - 1);

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(pipe_end[0]);
	close(pipe_end[1]);
	text[got > 0 ? got : 0] = '\0';
}

static struct core_log *open_log(const char *node)
{
	struct core_log *log = core_log_open(node);

	CU_ASSERT_PTR_NOT_NULL_FATAL(log);
	return log;
}

static void text_lines_name_the_speaker(void)
{
	static const struct {
		const char *node, *who, *line;
	} row[] = {
		{ "bob", "srm", "info: bob srm: suspended after_ms=812\n" },
		{ "bob", NULL, "info: bob: suspended after_ms=812\n" },
		{ "", "srm", "info: srm: suspended after_ms=812\n" },
		{ "", NULL, "info: suspended after_ms=812\n" },
	};
	char text[1000];

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct core_log *log = open_log(row[i].node);

		begin_capture();
		core_log(log, MUSES_INFO, row[i].who, "suspended after_ms=%d", 812);
		end_capture(text, sizeof(text));
		CU_ASSERT_STRING_EQUAL(text, row[i].line);
		TAP_NOTE_IF(strcmp(text, row[i].line) != 0, "row %zu: %s", i, text);
		core_log_close(log);
	}
}

static void levels_are_kept(void)
{
	struct core_log *log = open_log("");
	char text[1000];

	CU_ASSERT_EQUAL(core_log_level(log), MUSES_INFO);
	begin_capture();
	core_log(log, MUSES_DEBUG, NULL, "not this");
	core_log(log, MUSES_WARN, NULL, "this");
	core_log_set_level(log, MUSES_TRACE);
	core_log(log, MUSES_TRACE, NULL, "and this");
	core_log_set_level(log, MUSES_ERROR);
	core_log(log, MUSES_WARN, NULL, "nor this");
	core_log(log, MUSES_ERROR, NULL, "but this");
	end_capture(text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "warn: this\ntrace: and this\nerror: but this\n");
	CU_ASSERT_EQUAL(core_log_level(log), MUSES_ERROR);
	core_log_close(log);
}

/* Input, what a line of text shows, why. */
static const struct {
	const char *raw, *shown, *why;
} hostile[] = {
	{ "plain", "plain", "nothing to do" },
	{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa2",
	  "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa2",
	  "UTF-8 of two, three and four bytes" },
	{ "a\nerror: b", "a\\nerror: b", "a line of its own" },
	{ "\x1b[2J", "\\x1b[2J", "clears a terminal" },
	{ "a\rb\tc\x7f", "a\\x0db\\x09c\\x7f", "other control characters" },
	{ "C:\\new", "C:\\\\new", "a backslash is not an escape" },
	{ "say \"hi\"", "say \"hi\"", "quotes matter to JSON alone" },
	{ "\xff\xfe", "\\xff\\xfe", "never UTF-8" },
	{ "\xc0\xaf", "\\xc0\\xaf", "overlong, two bytes" },
	{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf", "overlong, three bytes" },
	{ "\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf", "overlong, four bytes" },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "half of a surrogate pair" },
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "beyond the last character" },
	{ "\xe2\x82", "\\xe2\\x82", "ends in the middle of a character" },
	{ "\xe2\x82x", "\\xe2\\x82x", "breaks off in the middle" },
	{ "\xc2\x9b", "\\xc2\\x9b", "a C1 control: begins an escape sequence" },
	{ "\xe2\x80\xaexyz", "\\xe2\\x80\\xaexyz", "turns the direction of text" },
	{ "", "", "empty" },
};

static void nothing_hostile_gets_out(void)
{
	struct core_log *log = open_log("");
	char text[1000], line[1000];

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		begin_capture();
		core_log(log, MUSES_ERROR, hostile[i].raw, "%s", hostile[i].raw);
		end_capture(text, sizeof(text));
		snprintf(line, sizeof(line), "error: %s: %s\n", hostile[i].shown,
		         hostile[i].shown);
		CU_ASSERT_STRING_EQUAL(text, line);
		TAP_NOTE_IF(strcmp(text, line) != 0, "%s: %s", hostile[i].why, text);
	}
	core_log_close(log);
}

static void json_lines_are_json(void)
{
	struct core_log *log = open_log("bob");
	struct core_loop *loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	char text[2000];

	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	core_loop_advance(loop, 61 * MUSES_S + 5 * MUSES_MS);
	core_log_set_form(log, CORE_LOG_JSON);
	core_log_set_clock(log, loop);
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		json_error_t error;
		json_t *line;

		begin_capture();
		core_log(log, MUSES_WARN, "tcp", "%s", hostile[i].raw);
		end_capture(text, sizeof(text));
		CU_ASSERT_EQUAL(text[strlen(text) - 1], '\n');
		CU_ASSERT_PTR_EQUAL(strchr(text, '\n'), text + strlen(text) - 1);
		line = json_loads(text, JSON_REJECT_DUPLICATES, &error);
		TAP_NOTE_IF(line == NULL, "%s: %s: %s", hostile[i].why, error.text, text);
		CU_ASSERT_PTR_NOT_NULL(line);
		if (line == NULL)
			continue;
		CU_ASSERT_EQUAL(json_object_size(line), 5);
		CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(line, "time")),
		                       "2026-01-01T00:01:02.005Z");
		CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(line, "level")),
		                       "warn");
		CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(line, "node")),
		                       "bob");
		CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(line, "who")),
		                       "tcp");
		CU_ASSERT_STRING_EQUAL(
			json_string_value(json_object_get(line, "message")),
			hostile[i].shown);
		json_decref(line);
	}
	core_log_close(log);
	core_loop_close(loop);
}

static void long_messages_are_cut(void)
{
	struct core_log *log = open_log("bob");
	static char message[5000];
	char text[10000];
	json_t *line;

	/* Each byte becomes five in JSON: still one whole line. */
	memset(message, 1, sizeof(message) - 1);
	core_log_set_form(log, CORE_LOG_JSON);
	begin_capture();
	core_log(log, MUSES_INFO, "tcp", "%s", message);
	end_capture(text, sizeof(text));
	line = json_loads(text, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(line);
	json_decref(line);
	core_log_set_form(log, CORE_LOG_TEXT);
	memset(message, 'm', sizeof(message) - 1);
	begin_capture();
	core_log(log, MUSES_INFO, "tcp", "%s", message);
	end_capture(text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text + strlen(text) - 6, "mm...\n");
	core_log_close(log);
}

static struct {
	unsigned count;
	enum muses_level level;
	char who[20], message[200];
} heard;

static void hear(void *user, enum muses_level level, const char *who, const char *message)
{
	CU_ASSERT_PTR_EQUAL(user, &heard);
	heard.count++;
	heard.level = level;
	snprintf(heard.who, sizeof(heard.who), "%s", who != NULL ? who : "(none)");
	snprintf(heard.message, sizeof(heard.message), "%s", message);
}

static void sinks_hear_instead(void)
{
	struct core_log *log = open_log("bob");
	char text[1000];

	core_log_set_sink(log, hear, &heard);
	begin_capture();
	core_log(log, MUSES_WARN, "tcp", "peer said %s", "\x1b[2J");
	core_log(log, MUSES_DEBUG, "tcp", "not wanted");
	end_capture(text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "");
	CU_ASSERT_EQUAL(heard.count, 1);
	CU_ASSERT_EQUAL(heard.level, MUSES_WARN);
	CU_ASSERT_STRING_EQUAL(heard.who, "tcp");
	CU_ASSERT_STRING_EQUAL(heard.message, "peer said \\x1b[2J");
	core_log_set_sink(log, NULL, NULL);
	core_log_set_node(log, "carol");
	begin_capture();
	core_log(log, MUSES_WARN, NULL, "back");
	end_capture(text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "warn: carol: back\n");
	core_log_close(log);
	core_log_close(NULL);
}

static const struct tap_test tests[] = {
	{ "a line of text names level, node and part", text_lines_name_the_speaker },
	{ "what is below the level is not written", levels_are_kept },
	{ "control characters and what is not UTF-8 are written as escapes",
	  nothing_hostile_gets_out },
	{ "a line of JSON is valid JSON that says the same", json_lines_are_json },
	{ "a message that is too long is cut and stays one valid line",
	  long_messages_are_cut },
	{ "a sink gets the escaped message instead of standard error",
	  sinks_hear_instead },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "log", tests);
}
