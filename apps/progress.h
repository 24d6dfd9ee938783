/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APPS_PROGRESS_H
#define APPS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How far a file is: a bar that moves on a terminal, a line a second otherwise.
 * On stderr.  What is said in between goes through progress_say(), so that the
 * bar and the words do not overwrite one another.
 */
struct progress {
	const char *name;
	uint64_t size, first, done; /* first: where this run began. */
	uint64_t began_ns, said_ns;
	bool terminal, drawn, waiting;
};

void progress_begin(struct progress *p, const char *name, uint64_t size, uint64_t first);
void progress_at(struct progress *p, uint64_t done);
/* The network is away (or back): the bar says so. */
void progress_waiting(struct progress *p, bool waiting);
void progress_end(struct progress *p);
void progress_say(struct progress *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* "256.0 MiB" */
void progress_size(uint64_t bytes, char text[static 16]);

#endif
