/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines.
 *
 * What stands in a message may have come from a peer or a file, so nothing gets
 * out that a terminal or a log reader could take for something else: control
 * characters and what is not UTF-8 are written as escapes, and every line is one
 * write() of one line.
 */
#include "core/log.h"

#include "core/clock.h"
#include "core/loop.h"
#include "core/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_SIZE 1024
#define LINE_SIZE    (MESSAGE_SIZE * 6 + 512) /* An escape takes six characters at most. */

struct core_log {
	enum muses_level level;
	enum core_log_form form;
	char node[MUSES_NAME_MAX + 1];
	core_log_sink_fn *sink;
	void *user;
	const struct core_loop *clock;
};

struct line {
	char text[LINE_SIZE];
	size_t length;
};

static const char *const level_name[] = { "error", "warn", "info", "debug", "trace" };

/* ---- one line ------------------------------------------------------------- */

static void put(struct line *line, const char *text, size_t length)
{
	if (length > sizeof(line->text) - 1 - line->length)
		length = sizeof(line->text) - 1 - line->length;
	memcpy(line->text + line->length, text, length);
	line->length += length;
	line->text[line->length] = '\0';
}

static void put_text(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

/* Bytes of the UTF-8 character at s, or 0 if it is none (overlong forms, halves of
 * surrogate pairs) or one that should not be seen raw (C1 controls and marks that
 * turn the direction of text). */
static size_t printable(const unsigned char *s)
{
	uint32_t c;
	size_t size;

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	size = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	c = s[0] & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if ((size == 3 && c < 0x800) || (size == 4 && (c < 0x10000 || c > 0x10ffff)) ||
	    (c >= 0xd800 && c < 0xe000))
		return 0;
	if (c < 0xa0 || (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069))
		return 0;
	return size;
}

/* In a JSON string the backslash of \n or \x1b is itself escaped: both forms show
 * a reader the same text. */
static void put_escaped(struct line *line, const char *text, enum core_log_form form)
{
	const unsigned char *s = (const unsigned char *)text;
	const char *backslash = form == CORE_LOG_JSON ? "\\\\" : "\\";
	char code[8];

	while (*s != '\0') {
		size_t size = printable(s);

		if (*s == '\\') {
			put_text(line, backslash);
			put_text(line, backslash);
			s++;
		} else if (*s == '"' && form == CORE_LOG_JSON) {
			put_text(line, "\\\"");
			s++;
		} else if (size > 0) {
			put(line, (const char *)s, size);
			s += size;
		} else if (*s == '\n') {
			put_text(line, backslash);
			put_text(line, "n");
			s++;
		} else {
			snprintf(code, sizeof(code), "x%02x", *s++);
			put_text(line, backslash);
			put_text(line, code);
		}
	}
}

static void put_time(const struct core_log *log, struct line *line)
{
	uint64_t wall_ns =
		log->clock != NULL ? core_loop_wall_clock(log->clock) : core_clock_wall();
	time_t seconds = (time_t)(wall_ns / MUSES_S);
	char text[64];
	struct tm at;

	if (gmtime_r(&seconds, &at) == NULL)
		return;
	put(line, text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &at));
	snprintf(text, sizeof(text), ".%03uZ", (unsigned)(wall_ns % MUSES_S / MUSES_MS));
	put_text(line, text);
}

static void put_member(struct line *line, const char *name, const char *value)
{
	put_text(line, ",\"");
	put_text(line, name);
	put_text(line, "\":\"");
	put_escaped(line, value, CORE_LOG_JSON);
	put_text(line, "\"");
}

static void json_line(const struct core_log *log, struct line *line,
                      enum muses_level level, const char *who, const char *message)
{
	put_text(line, "{\"time\":\"");
	put_time(log, line);
	put_text(line, "\"");
	put_member(line, "level", level_name[level]);
	if (log->node[0] != '\0')
		put_member(line, "node", log->node);
	if (who != NULL)
		put_member(line, "who", who);
	put_member(line, "message", message);
	put_text(line, "}\n");
}

static void text_line(const struct core_log *log, struct line *line,
                      enum muses_level level, const char *who, const char *message)
{
	put_text(line, level_name[level]);
	put_text(line, ": ");
	put_escaped(line, log->node, CORE_LOG_TEXT);
	if (log->node[0] != '\0' && who != NULL)
		put_text(line, " ");
	if (who != NULL)
		put_escaped(line, who, CORE_LOG_TEXT);
	if (log->node[0] != '\0' || who != NULL)
		put_text(line, ": ");
	put_escaped(line, message, CORE_LOG_TEXT);
	put_text(line, "\n");
}

/* ---- the log -------------------------------------------------------------- */

void core_vlog(struct core_log *log, enum muses_level level, const char *who,
               const char *format, va_list arguments)
{
	static const char cut[] = "...";
	char message[MESSAGE_SIZE];
	struct line line = { .length = 0 };
	int length;

	if (level > log->level)
		return;
	length = vsnprintf(message, sizeof(message), format, arguments);
	if (length < 0)
		return;
	if ((size_t)length >= sizeof(message))
		memcpy(message + sizeof(message) - sizeof(cut), cut, sizeof(cut));
	if (log->sink != NULL) {
		put_escaped(&line, message, CORE_LOG_TEXT);
		log->sink(log->user, level, who, line.text);
		return;
	}
	if (log->form == CORE_LOG_JSON)
		json_line(log, &line, level, who, message);
	else
		text_line(log, &line, level, who, message);
	/* Nobody is left to be told when this fails. */
	if (write(STDERR_FILENO, line.text, line.length) < 0)
		return;
}

void core_log(struct core_log *log, enum muses_level level, const char *who,
              const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	core_vlog(log, level, who, format, arguments);
	va_end(arguments);
}

struct core_log *core_log_open(const char *node)
{
	struct core_log *log = muses_zalloc(sizeof(*log));

	if (log == NULL)
		return NULL;
	log->level = MUSES_INFO;
	core_log_set_node(log, node);
	return log;
}

void core_log_close(struct core_log *log)
{
	muses_free(log);
}

void core_log_set_node(struct core_log *log, const char *node)
{
	snprintf(log->node, sizeof(log->node), "%s", node);
}

void core_log_set_level(struct core_log *log, enum muses_level level)
{
	log->level = level;
}

enum muses_level core_log_level(const struct core_log *log)
{
	return log->level;
}

void core_log_set_form(struct core_log *log, enum core_log_form form)
{
	log->form = form;
}

void core_log_set_clock(struct core_log *log, const struct core_loop *loop)
{
	log->clock = loop;
}

void core_log_set_sink(struct core_log *log, core_log_sink_fn *sink, void *user)
{
	log->sink = sink;
	log->user = user;
}
