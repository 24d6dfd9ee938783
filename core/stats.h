/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_STATS_H
#define CORE_STATS_H

#include <muses/plugin.h>

#include <jansson.h>

/*
 * Counters by part ("tcp", "session", "link") and reason ("replayed").  Reasons
 * are string literals, so a counter is found by pointer first and by text once;
 * at most 512, the last of which is "other" "other" and takes all the rest.  No
 * allocation after a counter exists.
 */
struct core_stats;

struct core_stats *core_stats_open(void);
void core_stats_close(struct core_stats *s);
/* Add one; returns the new value.  0 and uncounted when out of memory. */
uint64_t core_count(struct core_stats *s, const char *who, const char *reason);
/* The same for something that is also worth a line in the log, but at most one a
 * second: true if it is time for that line, and *times is how often it happened
 * since the last one. */
bool core_count_tell(struct core_stats *s, const char *who, const char *reason,
                     uint64_t now_ns, uint64_t *times);
/* 0 if it never happened. */
uint64_t core_stats_get(const struct core_stats *s, const char *who, const char *reason);
/* { "session": { "replayed": 3 } }; a new reference, NULL when out of memory. */
json_t *core_stats_json(const struct core_stats *s);

#endif
