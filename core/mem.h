/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_MEM_H
#define CORE_MEM_H

#include <muses/plugin.h>

/* The only caller of malloc() and free(), behind muses_zalloc() and its like.
 * It has a fuse: tests make the nth allocation fail, for n = 1, 2, 3 ... */

/* Grow or shrink an array of item_size items, new part zeroed; NULL (old kept)
 * when out of memory or when the product overflows.  Not for secrets: the old
 * place is given back as it is. */
void *core_realloc(void *p, size_t old_count, size_t count, size_t item_size) MUSES_CHECKED;
char *core_strdup(const char *text) MUSES_CHECKED;
/* printf into a string of its own. */
char *core_format(const char *format, ...) __attribute__((format(printf, 1, 2)))
MUSES_CHECKED;

/* Whole pages straight from the system, zeroed; given back, they leave the
 * process at once.  NULL when out of memory. */
void *core_map(size_t size) MUSES_CHECKED;
void core_unmap(void *p, size_t size); /* NULL is fine. */

/* The nth allocation from now on fails, once; 0 disarms.  Arming forgets ... */
void core_mem_fuse(uint64_t nth);
/* ... whether it blew. */
bool core_mem_blown(void);
/* Allocations made so far and not given back: for tests of leaks and of the
 * steady state. */
uint64_t core_mem_count(void);
uint64_t core_mem_total(void);

#endif
