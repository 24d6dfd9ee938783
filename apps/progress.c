/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/progress.h"

#include "core/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MS          1000000u
#define TERMINAL_MS 100
#define LINE_MS     1000
#define BAR_WIDTH   30

void progress_size(uint64_t bytes, char text[static 16])
{
	static const char *const unit[] = {
		"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
	};
	double value = (double)bytes;
	size_t i = 0;

	for (; value >= 1024 && i < 6; i++)
		value /= 1024;
	snprintf(text, 16, i == 0 ? "%.0f %s" : "%.1f %s", value, unit[i]);
}

static void draw(struct progress *p, uint64_t now_ns)
{
	uint64_t span_ns = now_ns - p->began_ns;
	unsigned percent =
		p->size == 0 ? 100 : (unsigned)(p->done * 100.0 / (double)p->size);
	char bar[BAR_WIDTH + 1], done[16], size[16], rate[16];
	unsigned full = percent * BAR_WIDTH / 100;

	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', full);
	bar[BAR_WIDTH] = '\0';
	progress_size(p->done, done);
	progress_size(p->size, size);
	progress_size(span_ns == 0 ? 0
	                           : (uint64_t)((double)(p->done - p->first) * 1e9 /
	                                        (double)span_ns),
	              rate);
	if (p->terminal)
		fprintf(stderr, "\r\033[K%.30s [%s] %3u%%  %s of %s  %s/s%s", p->name,
		        bar, percent, done, size, rate,
		        p->waiting ? "  (suspended)" : "");
	else
		fprintf(stderr, "%s: %u%%, %s of %s, %s/s%s\n", p->name, percent, done,
		        size, rate, p->waiting ? " (suspended)" : "");
	p->drawn = p->terminal;
	p->said_ns = now_ns;
}

void progress_begin(struct progress *p, const char *name, uint64_t size, uint64_t first)
{
	bool waiting = p->waiting;

	*p = (struct progress){
		.name = name,
		.size = size,
		.first = first,
		.done = first,
		.began_ns = core_clock_now(),
		.terminal = isatty(STDERR_FILENO) == 1,
		.waiting = waiting,
	};
	p->said_ns = p->began_ns;
}

void progress_at(struct progress *p, uint64_t done)
{
	uint64_t now_ns = core_clock_now();

	if (p->name == NULL)
		return; /* Between two files. */
	p->done = done;
	if (p->waiting && !p->terminal)
		return; /* Said once. */
	if (now_ns - p->said_ns >= (uint64_t)(p->terminal ? TERMINAL_MS : LINE_MS) * MS)
		draw(p, now_ns);
}

void progress_waiting(struct progress *p, bool waiting)
{
	p->waiting = waiting;
	if (p->terminal && p->name != NULL)
		draw(p, core_clock_now());
}

static void clear(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}

void progress_end(struct progress *p)
{
	clear(p);
	p->name = NULL;
}

void progress_say(struct progress *p, const char *format, ...)
{
	va_list arguments;

	clear(p);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}
